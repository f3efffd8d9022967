"""The arithmetic of SSIM, PSNR, LPIPS, FID and KID against float64 references written from the papers.

Drawn networks stand in for those of LPIPS, FID and KID, whose weights would have to be fetched: tested is
everything around them, through the functions that ``leffa evaluate`` calls.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from leffa.metrics import distribution
from leffa.metrics.pictures import psnr, ssim

NEAR = 1e-6


@pytest.fixture(scope="module")
def pictures():
    """Results and truths, (6, 3, 32, 24) float64 in [0, 1]: drawn ones whose neighbours are alike."""
    rng = np.random.default_rng(3)
    rough = torch.from_numpy(rng.random((6, 3, 8, 6)))
    truth = torch.nn.functional.interpolate(rough, size=(32, 24), mode="bicubic").clamp(0, 1)
    noise = torch.from_numpy(rng.normal(0, 0.05, truth.shape))
    return (truth + noise).clamp(0, 1), truth


def wrong_pairs(truth):
    """The true pictures a pixel off, and each with another's."""
    return truth.roll(1, -1), truth.roll(1, 0)


# ---------------------------------------------------------------------------------------- pair by pair


def reference_ssim(first, second):
    """Wang et al. 2004, equation 13, window by window; (C, H, W) float64 mirrored at the border."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for one, other in zip(first, second, strict=True):
        x, y = (np.pad(channel, 5, mode="reflect") for channel in (one, other))
        for row in range(one.shape[0]):
            for column in range(one.shape[1]):
                window = np.s_[row : row + 11, column : column + 11]
                mean_x, mean_y = (weights * x[window]).sum(), (weights * y[window]).sum()
                away_x, away_y = x[window] - mean_x, y[window] - mean_y
                var_x, var_y = (weights * away_x**2).sum(), (weights * away_y**2).sum()
                cov = (weights * away_x * away_y).sum()
                likeness = (2 * mean_x * mean_y + 1e-4) * (2 * cov + 9e-4)
                values.append(likeness / ((mean_x**2 + mean_y**2 + 1e-4) * (var_x + var_y + 9e-4)))
    return np.mean(values)


def reference_psnr(first, second):
    return 10 * np.log10(1 / np.mean((first - second) ** 2))


@pytest.mark.parametrize(("measure", "reference"), [(ssim, reference_ssim), (psnr, reference_psnr)])
def test_figures_of_pairs(pictures, measure, reference):
    result, truth = (both[:2] for both in pictures)
    found = measure(result, truth).numpy()
    expected = [reference(*pair) for pair in zip(result.numpy(), truth.numpy(), strict=True)]
    assert np.abs(found - expected).max() < NEAR
    for wrong in wrong_pairs(truth):
        assert (measure(result, wrong).numpy() < found - 0.03).all()


# ---------------------------------------------------------------------------------------- LPIPS

CHANNELS = (64, 128, 256, 384, 384, 512, 512)  # of SqueezeNet's seven layers
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the authors, for pictures in [-1, 1]


class Layers(torch.nn.Module):
    """Stands in for SqueezeNet: drawn 3x3 filters, each layer half the size of the one before."""

    def __init__(self, **_):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.filters = [torch.randn(count, 3, 3, 3, generator=generator) for count in CHANNELS]

    def forward(self, scaled):
        return [
            torch.relu(torch.nn.functional.conv2d(scaled, each.to(scaled.dtype), stride=1 + number))
            for number, each in enumerate(self.filters)
        ]


def reference_lpips(result, truth, weights):
    """Zhang et al. 2018, equation 1, in float64."""
    shift, scale = (torch.tensor(values).double().view(1, 3, 1, 1) for values in (SHIFT, SCALE))
    layers = [Layers()((2 * both - 1 - shift) / scale) for both in (result, truth)]
    total = 0
    for one, other, weight in zip(*layers, weights, strict=True):
        x, y = (values / values.square().sum(1, keepdim=True).sqrt() for values in (one, other))
        total = total + ((x - y).square() * weight.double()).sum(1).mean((1, 2))
    return total


def test_lpips(pictures, monkeypatch):
    arithmetic = pytest.importorskip("torchmetrics.functional.image.lpips")
    import torchmetrics.image.lpip as metric

    monkeypatch.setattr(arithmetic, "SqueezeNet", Layers)
    monkeypatch.setattr(metric, "_TORCHVISION_AVAILABLE", True)  # the stand-in needs none
    lpips = distribution.Lpips()
    weights = [layer.model[-1].weight for layer in lpips._distance.net.lins]  # of the authors, in the package
    assert [weight.shape[1] for weight in weights] == list(CHANNELS)
    result, truth = pictures
    found = lpips(result.float(), truth.float())
    assert (found - reference_lpips(result, truth, weights)).abs().max() < NEAR
    for wrong in wrong_pairs(truth):
        assert (lpips(result.float(), wrong.float()) > found + 0.01).all()


# ---------------------------------------------------------------------------------------- FID and KID


def reference_frechet(first, second):
    """Heusel et al. 2017, equation 6; the root by eigenvalues of a symmetric matrix."""
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    both = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    distance = first.mean(0) - second.mean(0)
    return distance @ distance + sum(np.trace(each) for each in covariances) - 2 * both


def reference_kernel(first, second):
    """Binkowski et al. 2018: the unbiased estimate with the kernel (x y / d + 1)^3, sets of one size."""
    count = len(first)

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    among = sum(
        kernel(side[i], side[j])
        for side in (first, second)
        for i in range(count)
        for j in range(count)
        if i != j
    )
    between = sum(kernel(x, y) for x in first for y in second)
    return among / (count * (count - 1)) - 2 * between / count**2


@pytest.fixture(scope="module")
def features():
    """Two drawn sets of (60, 12)."""
    rng = np.random.default_rng(7)
    mixing = rng.normal(size=(12, 12))
    return rng.normal(size=(60, 12)) @ mixing, rng.normal(0.3, 1.2, (60, 12)) @ mixing


def test_frechet_distance_of_both_packages(features):
    first, second = features
    expected = reference_frechet(first, second)
    moments = [moment for each in features for moment in (each.mean(0), np.cov(each, rowvar=False))]
    for package, name in (
        ("pytorch_fid.fid_score", "calculate_frechet_distance"),
        ("cleanfid.fid", "frechet_distance"),
    ):
        compute = getattr(pytest.importorskip(package), name)
        assert compute(*moments) == pytest.approx(expected, rel=NEAR)
        assert abs(compute(*moments[:2], *moments[:2])) < NEAR * expected


def test_kernel_distance(features):
    package = pytest.importorskip("cleanfid.fid")
    assert package.kernel_distance(*features) == pytest.approx(reference_kernel(*features), rel=NEAR)


def seen(pictures):
    """Stands in for Inception: (B, 12) float64, the mean colour of the four quarters."""
    return torch.nn.functional.adaptive_avg_pool2d(pictures.double(), 2).flatten(1)


def features_of(paths, resize):
    found = [
        seen(torch.from_numpy(resize(np.asarray(Image.open(path)))).movedim(-1, 0)[None]) for path in paths
    ]
    return torch.cat(found).numpy()


@pytest.fixture
def sets(tmp_path, pictures):
    """Folders of 20 pictures: results, truths, truths a pixel off, truths in another order."""
    rng = np.random.default_rng(5)
    half = np.zeros((20, 32, 24, 3))
    half[:, :, 12:] = 0.5  # an edge where the quarters meet: a shift is seen by every picture
    truth = half + rng.uniform(0, 0.4, (20, 4, 3, 3)).repeat(8, 1).repeat(8, 2)
    results = truth + rng.normal(0, 0.05, truth.shape)
    folders = {"results": results, "truth": truth, "off": np.roll(truth, 1, 2), "mixed": truth[::-1]}
    for name, drawn in folders.items():
        (tmp_path / name).mkdir()
        for number, picture in enumerate((drawn.clip(0, 1) * 255).round().astype(np.uint8)):
            Image.fromarray(picture).save(tmp_path / name / f"{number:02}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("distance", "reference"),
    [
        (distribution.clean_fid, reference_frechet),
        (distribution.kid, lambda *sets: 1000 * reference_kernel(*sets)),
    ],
)
def test_distances_of_folders(sets, monkeypatch, distance, reference):
    package = pytest.importorskip("cleanfid.fid")
    monkeypatch.setattr(package, "build_feature_extractor", lambda *_, **__: seen)
    resize = package.build_resizer("clean")
    values = [features_of(sorted((sets / name).iterdir()), resize) for name in ("results", "truth")]
    found = distance(sets / "results", sets / "truth")
    assert found == pytest.approx(reference(*values), rel=NEAR, abs=NEAR)
    assert distance(sets / "results", sets / "off") > found + 1
    # a distance of sets has no pairs: the order is nothing to it
    assert distance(sets / "results", sets / "mixed") == pytest.approx(found, rel=NEAR, abs=NEAR)
