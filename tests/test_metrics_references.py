"""The arithmetic of SSIM, PSNR, LPIPS, FID and KID against float64 references written from the papers.

Drawn networks stand in for those of LPIPS, FID and KID, whose weights would have to be fetched: tested is
everything around them, through the functions that ``leffa evaluate`` calls.
"""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from torch.nn import Conv2d, MaxPool2d, ReLU

from leffa.metrics import distribution, networks
from leffa.metrics.folders import evaluate_folders
from leffa.metrics.lpips import Lpips
from leffa.metrics.pictures import psnr, ssim
from leffa.weights import metric_networks

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

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the authors, for pictures in [-1, 1]
WIDTHS = (64, 192, 384, 256, 256)


def layers(_, scaled):
    """Stands in for AlexNet: drawn 3x3 filters, each layer half the size of the one before."""
    generator = torch.Generator().manual_seed(1)
    filters = [torch.randn(count, 3, 3, 3, generator=generator) for count in WIDTHS]
    return [
        torch.relu(torch.nn.functional.conv2d(scaled, each.to(scaled.dtype), stride=1 + number))
        for number, each in enumerate(filters)
    ]


def reference_lpips(result, truth, weights):
    """Zhang et al. 2018, equation 1, in float64."""
    shift, scale = (torch.tensor(values).double().view(1, 3, 1, 1) for values in (SHIFT, SCALE))
    both = [layers(None, (2 * pictures - 1 - shift) / scale) for pictures in (result, truth)]
    total = 0
    for one, other, weight in zip(*both, weights, strict=True):
        x, y = (values / values.square().sum(1, keepdim=True).sqrt() for values in (one, other))
        total = total + ((x - y).square() * weight.double().view(1, -1, 1, 1)).sum(1).mean((1, 2))
    return total


def test_lpips(pictures, monkeypatch):
    weights = [torch.rand(count, generator=torch.Generator().manual_seed(2)) / 9 for count in WIDTHS]
    state = {f"linear.{number}": weight for number, weight in enumerate(weights)}
    monkeypatch.setattr(metric_networks, "load", lambda name: state)
    monkeypatch.setitem(networks.LPIPS_FEATURES, "alex", layers)
    lpips = Lpips("alex")
    result, truth = pictures
    found = lpips(result, truth)
    assert lpips.name == "LPIPS (alex)"
    assert (found - reference_lpips(result, truth, weights)).abs().max() < NEAR
    for wrong in wrong_pairs(truth):
        assert (lpips(result, wrong) > found + 0.01).all()
    assert (lpips(truth, truth) == 0).all()


def drawn(modules):
    """Weights for the convolutions, numbered."""
    convolutions = [each for module in modules for each in module.modules() if isinstance(each, Conv2d)]
    return {
        f"{n}.{key}": value for n, one in enumerate(convolutions) for key, value in one.named_parameters()
    }


def fire(inside, width):
    squeeze = Conv2d(inside, 4, 1)
    return torch.nn.ModuleList([squeeze, Conv2d(4, width // 2, 1), Conv2d(4, width // 2, 3, padding=1)])


def burn(module, values):
    squeezed = torch.relu(module[0](values))
    return torch.cat([torch.relu(module[1](squeezed)), torch.relu(module[2](squeezed))], 1)


def run(modules, values, kept):
    """What comes out of the modules of these numbers, one behind the other."""
    found = []
    for number, module in enumerate(modules):
        values = burn(module, values) if isinstance(module, torch.nn.ModuleList) else module(values)
        if number in kept:
            found.append(values)
    return found


def narrow_alex():
    return [
        Conv2d(3, 8, 11, 4, 2), ReLU(), MaxPool2d(3, 2), Conv2d(8, 12, 5, padding=2), ReLU(), MaxPool2d(3, 2),
        Conv2d(12, 10, 3, padding=1), ReLU(), Conv2d(10, 9, 3, padding=1), ReLU(), Conv2d(9, 7, 3, padding=1),
        ReLU(),
    ], (1, 4, 7, 9, 11)  # fmt: skip


def narrow_vgg():
    modules, inside = [], 3
    for width in (4, 4, None, 6, 6, None, 8, 8, 8, None, 9, 9, 9, None, 7, 7, 7):
        modules += [MaxPool2d(2)] if width is None else [Conv2d(inside, width, 3, padding=1), ReLU()]
        inside = width or inside
    return modules, (3, 8, 15, 22, 29)


def narrow_squeeze():
    pool = MaxPool2d(3, 2, ceil_mode=True)
    modules = [
        Conv2d(3, 8, 3, 2),
        ReLU(),
        pool,
        fire(8, 8),
        fire(8, 12),
        pool,
        fire(12, 12),
        fire(12, 8),
        pool,
    ]
    return [*modules, *(fire(8, 8) for _ in range(4))], (1, 4, 7, 9, 10, 11, 12)


@pytest.mark.parametrize("name", ["alex", "vgg", "squeeze"])
def test_the_networks_of_lpips_are_those_of_torchvision(name):
    """Narrow ones, laid out by torchvision's numbers and cut where the authors cut."""
    torch.manual_seed(4)
    modules, kept = {"alex": narrow_alex, "vgg": narrow_vgg, "squeeze": narrow_squeeze}[name]()
    picture = torch.randn(2, 3, 97, 70)
    with torch.no_grad():
        expected = run(modules, picture, kept)
        found = networks.LPIPS_FEATURES[name](drawn(modules), picture)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


# ---------------------------------------------------------------------------------------- FID and KID


def reference_frechet(first, second):
    """Heusel et al. 2017, equation 6, as pytorch-fid has it: with the root of a matrix."""
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    distance = first.mean(0) - second.mean(0)
    return distance @ distance + sum(np.trace(each) for each in covariances) - 2 * np.trace(root).real


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


@pytest.mark.parametrize(
    ("distance", "reference"),
    [
        (distribution.frechet_distance, reference_frechet),
        (distribution.kernel_distance, reference_kernel),
    ],
)
def test_distances_of_features(features, monkeypatch, distance, reference):
    monkeypatch.setattr(distribution, "_CHUNK", 7)  # in pieces as of many pictures
    first, second = features
    found = distance(first, second)
    assert found == pytest.approx(reference(first, second), rel=NEAR)
    assert distance(first, second[::-1]) == pytest.approx(found, rel=NEAR)  # sets have no order
    shuffled = np.random.default_rng(0).permuted(second, axis=0)  # each feature by itself
    assert abs(distance(first, shuffled) / found - 1) > 0.01
    assert abs(distance(first, np.roll(second, 1, 1)) / found - 1) > 0.01


def test_frechet_distance_of_fewer_pictures_than_features():
    """Covariances without full rank, for which the root of a matrix is not to be relied on."""
    rng = np.random.default_rng(2)
    near, far = rng.normal(size=(2, 8, 30))
    moved = near + np.linspace(0, 1, 30)
    assert distribution.frechet_distance(near, near) == pytest.approx(0, abs=NEAR)
    assert distribution.frechet_distance(near, moved) == pytest.approx(
        (np.linspace(0, 1, 30) ** 2).sum(), rel=NEAR
    )
    assert distribution.frechet_distance(near, far) > 1


def test_kernel_distance_of_draws(features):
    """Of large sets a hundred draws are taken, the same ones every time."""
    first, second = features
    found = distribution.kernel_distance(first, second, subset=30)
    assert found == distribution.kernel_distance(first, second, subset=30)
    assert found != distribution.kernel_distance(first, second)
    assert found == pytest.approx(reference_kernel(first, second), rel=0.15)
    assert distribution.kernel_distance(first, second[:40]) == pytest.approx(
        found, rel=0.3
    )  # of unequal sizes


def seen(pictures):
    """Stands in for Inception: (B, 12), the mean colour of the four quarters."""
    return torch.nn.functional.adaptive_avg_pool2d(pictures.double(), 2).flatten(1).float()


def features_of(paths, scale):
    return np.concatenate([seen(scale(Image.open(path))[None]).numpy().astype(float) for path in paths])


def bilinear(picture):
    """Where pixel x of 299 looks in a row of N: (x + 0.5) N / 299 - 0.5, between its two neighbours."""
    values = np.asarray(picture, float) / 127.5 - 1
    for axis in (0, 1):
        side = values.shape[axis]
        places = ((np.arange(299) + 0.5) * side / 299 - 0.5).clip(0, side - 1)
        low = np.floor(places).astype(int).clip(0, side - 2)
        share = (places - low).reshape(-1, *[1] * (2 - axis))
        values = values.take(low, axis) * (1 - share) + values.take(low + 1, axis) * share
    return torch.from_numpy(values).movedim(-1, 0)


@pytest.fixture
def sets(tmp_path):
    """Folders of 20 pictures: results, truths, truths a pixel off, in another order, and cut and shuffled."""
    rng = np.random.default_rng(5)
    half = np.zeros((20, 80, 64, 3))
    half[:, :, 32:] = 0.5  # an edge where the quarters meet: a shift is seen by every picture
    truth = half + rng.uniform(0, 0.4, (20, 4, 2, 3)).repeat(20, 1).repeat(32, 2)
    results = truth + rng.normal(0, 0.05, truth.shape)
    cut = np.concatenate([truth[:, :, :32], rng.permutation(truth[:, :, 32:])], 2)
    folders = {
        "results": results, "truth": truth, "off": np.roll(truth, 1, 2), "mixed": truth[::-1], "cut": cut
    }  # fmt: skip
    for name, drawn in folders.items():
        (tmp_path / name).mkdir()
        for number, picture in enumerate((drawn.clip(0, 1) * 255).round().astype(np.uint8)):
            Image.fromarray(picture).save(tmp_path / name / f"{number:02}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("figure", "reference", "scale"),
    [
        ("FID", reference_frechet, bilinear),
        ("clean FID", reference_frechet, distribution.scaled_cleanly),
        ("KID x1000", lambda *sets: 1000 * reference_kernel(*sets), distribution.scaled_cleanly),
    ],
)
def test_distances_of_folders(sets, monkeypatch, figure, reference, scale):
    monkeypatch.setattr("leffa.metrics.folders.Inception", lambda device: seen)

    def distance(name):
        return evaluate_folders(sets / "results", sets / name, paired=False)[0][figure]

    values = [features_of(sorted((sets / name).iterdir()), scale) for name in ("results", "truth")]
    found = distance("truth")
    assert found == pytest.approx(reference(*values), rel=NEAR, abs=NEAR)
    assert distance("off") > found + 1e-4 and distance("cut") > found + 1e-4
    # a distance of sets has no pairs: the order is nothing to it
    assert distance("mixed") == pytest.approx(found, rel=NEAR, abs=NEAR)


def test_features_wait_on_the_disk(tmp_path):
    """Memory while they are found does not grow with the number of pictures: kept, 512 would be 4 MiB."""

    def peak(count):
        picture = Image.new("RGB", (8, 8), "red")
        tracemalloc.start()
        found = distribution.features_of(
            (picture for _ in range(count)), lambda _: torch.zeros(3, 4, 4),
            lambda batch: torch.zeros(len(batch), 2048), tmp_path,
        )  # fmt: skip
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.shape == (count, 2048)
        return most

    few, many = peak(64), peak(576)
    assert many < few + 500_000


def shapes():
    """(out, in, height, width) of Inception's convolutions, each width a sixteenth."""

    def mixed(inside, pooled):
        return [
            (64, inside, 1, 1), (48, inside, 1, 1), (64, 48, 5, 5), (64, inside, 1, 1), (96, 64, 3, 3),
            (96, 96, 3, 3), (pooled, inside, 1, 1),
        ]  # fmt: skip

    def long(width):
        first, flat, tall = (width, 768, 1, 1), (width, width, 1, 7), (width, width, 7, 1)
        down = [first, flat, (192, width, 7, 1)]
        return [(192, 768, 1, 1), *down, first, tall, flat, tall, (192, width, 1, 7), (192, 768, 1, 1)]

    def last(inside):
        fork = [(384, 384, 1, 3), (384, 384, 3, 1)]
        deep = [(448, inside, 1, 1), (384, 448, 3, 3), *fork]
        return [(320, inside, 1, 1), (384, inside, 1, 1), *fork, *deep, (192, inside, 1, 1)]

    stem = [(32, 3, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (80, 64, 1, 1), (192, 80, 3, 3)]
    smaller = [(384, 288, 3, 3), (64, 288, 1, 1), (96, 64, 3, 3), (96, 96, 3, 3)]
    smallest = [(192, 768, 1, 1), (320, 192, 3, 3), (192, 768, 1, 1), (192, 192, 1, 7), (192, 192, 7, 1)]
    return [
        *stem, *mixed(192, 32), *mixed(256, 64), *mixed(288, 64), *smaller, *long(128), *long(160),
        *long(160), *long(192), *smallest, (192, 192, 3, 3), *last(1280), *last(2048),
    ]  # fmt: skip


def test_inception_is_pinned():
    """A narrow one with drawn weights. The values are of the function that gave TensorFlow's features."""
    generator = torch.Generator().manual_seed(6)
    state = {}
    for number, (width, inside, *kernel) in enumerate(shapes()):
        narrow = (width // 16, inside // 16 or inside, *kernel)
        state[f"{number}.weight"] = torch.randn(narrow, generator=generator) / np.sqrt(
            np.prod(narrow[1:]) / 2
        )
        state[f"{number}.mean"], state[f"{number}.beta"] = torch.randn(2, narrow[0], generator=generator) / 9
        state[f"{number}.var"] = torch.rand(narrow[0], generator=generator) + 0.5
    pictures = torch.randn(2, 3, 299, 299, generator=generator)
    found = networks.inception_features(state, pictures)
    assert found.shape == (2, 128)
    values = [float(value) for value in (found.mean(), found.std(), found[1, 7])]
    assert values == pytest.approx([2.3948, 2.9082, 9.1379], rel=1e-4)


SEEN = torch.nn.functional.interpolate(
    torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0)), (299, 299), mode="bicubic"
)


@pytest.mark.skipif(not metric_networks.path_of("inception").is_file(), reason=metric_networks.COMMAND)
def test_inception_is_tensorflows():
    """Values of the script that the package has the weights in, run by torch."""
    found = distribution.Inception()(SEEN.clamp(0, 1) * 2 - 1)[0]
    assert found[[0, 100, 2047]].tolist() == pytest.approx([0.58581, 0, 0.96439], abs=1e-4)
