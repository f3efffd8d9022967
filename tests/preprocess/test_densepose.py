"""DensePose: box arithmetic against plain loops, pictures from charts, people, and the official results."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from leffa.errors import PersonError, PictureError, WeightsError
from leffa.preprocess.labels import PARULA, Part
from leffa.preprocess.official.densepose import DensePose, Detection, boxes, network
from leffa.preprocess.official.densepose.charts import iuv_picture, part_labels, segmentation_picture
from leffa.preprocess.official.densepose.detector import largest, network_input, network_size
from leffa.preprocess.official.densepose.network import Charts, DensePoseNetwork

RECORDED_BOXES = [(92.442, 22.826, 320.0, 40.0), (153.801, 0.0, 255.217, 40.0)]
RECORDED_SCORES = [0.7889, 0.5805]
RECORDED_CHARTS = [(0.2145, -0.231, 0.2397, 0.1811), (0.4881, -0.2664, 0.0812, 0.2585)]  # coarse, fine, u, v

# boxes


def test_roi_align_is_the_legacy_one() -> None:
    """Against a loop over samples, with boxes that leave the map, are tiny, or lie at its end."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 3, 11, 17, generator=generator)
    places = torch.tensor(
        [
            [4, 4, 40, 30],
            [-30, -20, 30, 20],
            [50, 30, 90, 60],
            [10.3, 7.9, 10.9, 8.1],
            [0, 0, 68, 44],
            [63, 39, 68, 44],
        ]
    )
    ours = boxes.roi_align(features, places, 5, 0.25)
    np.testing.assert_allclose(ours, loop_roi_align(features[0].numpy(), places.numpy() / 4, 5), atol=1e-5)
    shifted = loop_roi_align(features[0].numpy(), places.numpy() / 4 - 0.5, 5)  # aligned=True
    assert np.abs(ours.numpy() - shifted).max() > 0.1
    assert boxes.roi_align(features, places[:0], 5, 0.25).shape == (0, 3, 5, 5)


def loop_roi_align(features: np.ndarray, places: np.ndarray, bins: int) -> np.ndarray:
    channels, height, width = features.shape

    def sample(y: float, x: float) -> np.ndarray:
        if y < -1 or y > height or x < -1 or x > width:
            return np.zeros(channels)
        y, x = max(y, 0.0), max(x, 0.0)
        y0, x0 = int(y), int(x)
        if y0 >= height - 1:
            y0, y = height - 1, height - 1
        if x0 >= width - 1:
            x0, x = width - 1, width - 1
        y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
        top = features[:, y0, x0] * (1 - (x - x0)) + features[:, y0, x1] * (x - x0)
        bottom = features[:, y1, x0] * (1 - (x - x0)) + features[:, y1, x1] * (x - x0)
        return top * (1 - (y - y0)) + bottom * (y - y0)

    pooled = np.zeros((len(places), channels, bins, bins))
    for index, (x1, y1, x2, y2) in enumerate(places):
        step_x, step_y = max(x2 - x1, 1) / bins, max(y2 - y1, 1) / bins
        for row in range(bins):
            for column in range(bins):
                samples = [
                    sample(y1 + (row + dy) * step_y, x1 + (column + dx) * step_x)
                    for dy in (0.25, 0.75)
                    for dx in (0.25, 0.75)
                ]
                pooled[index, :, row, column] = np.mean(samples, axis=0)
    return pooled


def test_suppression_is_greedy_and_exact() -> None:
    corner = torch.rand(300, 2, generator=torch.Generator().manual_seed(1)) * 60
    size = torch.rand(300, 2, generator=torch.Generator().manual_seed(2)) * 40 + 5
    places = torch.cat([corner, corner + size], dim=1)
    kept: list[int] = []
    for index in range(len(places)):
        if all(overlap(places[index], places[other]) <= 0.5 for other in kept):
            kept.append(index)
    assert boxes.non_maximum_suppression(places, 0.5).tolist() == kept
    assert 10 < len(kept) < 250
    assert boxes.non_maximum_suppression(places[:0], 0.5).tolist() == []


def overlap(one: Tensor, other: Tensor) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(float(width), 0) * max(float(height), 0)
    area = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other))
    return shared / (area - shared)


def test_anchors_and_deltas() -> None:
    grid = boxes.anchors((2, 3), stride=8, size=64)
    assert grid.shape == (18, 4)
    # second cell of the first row: centre (8, 0); ratios h / w of 1/2, 1, 2 with the same area
    centres, sizes = (grid[3:6, :2] + grid[3:6, 2:]) / 2, grid[3:6, 2:] - grid[3:6, :2]
    np.testing.assert_allclose(centres, [[8, 0]] * 3)
    np.testing.assert_allclose(sizes[:, 1] / sizes[:, 0], [0.5, 1, 2])
    np.testing.assert_allclose(sizes.prod(1), [64**2] * 3)
    box = torch.tensor([[10.0, 20, 30, 60]])
    moved = boxes.apply_deltas(box, torch.tensor([[1.0, 1, np.log(2) * 5, 99]]), weights=(10, 10, 5, 5))
    height = 40 * 1000 / 16
    np.testing.assert_allclose(moved, [[2, 44 - height / 2, 42, 44 + height / 2]], rtol=1e-6)


def test_levels_by_size() -> None:
    side = torch.tensor([10.0, 111, 113, 223, 225, 447, 449, 2000])
    squares = torch.stack([side * 0, side * 0, side, side], dim=1)
    assert boxes.levels_of(squares).tolist() == [2, 2, 3, 3, 4, 4, 5, 5]


# pictures


def charts(labels: np.ndarray, u: float = 0.5, v: float = 0.25) -> Charts:
    """Charts, 112 x 112, that say ``labels`` with certainty and u, v on the part's own channel only."""
    one_hot = torch.from_numpy(np.eye(25, dtype=np.float32)[labels].transpose(2, 0, 1))
    coarse = torch.stack([one_hot[0], 1 - one_hot[0]])
    return Charts(coarse * 9, one_hot * 9, one_hot * u * (labels > 0), one_hot * v * (labels > 0))


def test_pictures_lie_in_the_box_with_their_channels_in_the_official_order() -> None:
    labels = np.zeros((112, 112), int)
    labels[28:84, 28:84] = Part.TORSO_FRONT
    picture = iuv_picture(charts(labels), (10.9, 20.2, 67.4, 76.9), (100, 90))  # left 10, top 20, 56 x 56
    assert picture.shape == (100, 90, 3) and picture.dtype == np.uint8
    assert picture[48, 38].tolist() == [Part.TORSO_FRONT, 127, 255]  # I, V, U; 0.25 of 0.5 is half
    assert picture[21, 11].tolist() == [0, 0, 0] and not picture[:, :10].any() and not picture[:20].any()
    seg = segmentation_picture(charts(labels), (10.9, 20.2, 67.4, 76.9), (100, 90))
    assert seg[48, 38].tolist() == list(PARULA[Part.TORSO_FRONT][::-1])
    rows, columns = np.nonzero(seg.any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (34, 61, 24, 51)
    np.testing.assert_array_equal(seg.any(axis=2), picture[..., 0] > 0)


def test_surface_is_stretched_with_its_background() -> None:
    labels = np.full((112, 112), Part.HEAD_LEFT)
    everywhere = iuv_picture(charts(labels, u=0.5, v=-0.5), (0, 0, 50, 50), (50, 50))
    assert everywhere[25, 25].tolist() == [Part.HEAD_LEFT, 0, 255]
    labels[:, :56] = 0
    half = iuv_picture(charts(labels, u=0.5, v=-0.5), (0, 0, 50, 50), (50, 50))
    assert half[25, 5].tolist() == [0, 127, 127] and half[25, 45].tolist() == [Part.HEAD_LEFT, 0, 255]
    empty = iuv_picture(charts(labels * 0), (0, 0, 50, 50), (50, 50))  # officially a division by zero
    assert not empty.any()


def test_the_coarse_map_decides_what_is_body() -> None:
    labels = np.full((112, 112), Part.LEFT_FOOT)
    certain = charts(labels)
    coarse = certain.coarse.clone()
    coarse[0, :, :56] = 99
    labels_out = part_labels(Charts(coarse, certain.fine, certain.u, certain.v), 60, 60).numpy()
    assert not labels_out[:, :29].any() and (labels_out[:, 31:] == Part.LEFT_FOOT).all()


# people


@pytest.fixture(scope="module")
def strip() -> np.ndarray:
    """A narrow picture, which costs little, in which the drawn weights see two people: (40, 320, 3) uint8."""
    rows, columns = np.mgrid[:40, :320].astype(float)
    random = np.random.default_rng(100)
    picture = np.full((40, 320, 3), 230.0)
    for _ in range(60):
        x, y = random.uniform(0, 320), random.uniform(0, 40)
        width, height = random.uniform(3, 30), random.uniform(3, 20)
        picture[((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 < 1] = random.uniform(0, 255, 3)
    return picture.astype(np.uint8)


@pytest.fixture(scope="module")
def people(strict_densepose: DensePose, strip: np.ndarray) -> list[Detection]:
    return strict_densepose.detect(strip)


def test_people_of_the_drawn_network(people: list[Detection]) -> None:
    """A few values recorded from this implementation, for where the official ones are not at hand."""
    np.testing.assert_allclose([one.box for one in people], RECORDED_BOXES, atol=0.02)
    np.testing.assert_allclose([one.score for one in people], RECORDED_SCORES, atol=1e-3)
    for one, recorded in zip(people, RECORDED_CHARTS, strict=True):
        maps = (one.charts.coarse, one.charts.fine, one.charts.u, one.charts.v)
        np.testing.assert_allclose([m[-1, 40, 50] for m in maps], recorded, atol=1e-3)


def test_who_is_shown(
    strict_densepose: DensePose,
    densepose: DensePose,
    strip: np.ndarray,
    people: list[Detection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with torch.inference_mode():
        found = strict_densepose._find(strip)
    monkeypatch.setattr(DensePose, "_find", lambda self, image: found)  # it takes seconds each time
    assert len(people) == 2 and largest([one.box for one in people]) == 1
    iuv = [strict_densepose.iuv(strip, person=one) for one in people]
    segmentation = [strict_densepose.segmentation(strip, person=one) for one in people]
    np.testing.assert_array_equal(segmentation[0].any(axis=2), iuv[0][..., 0] > 0)
    # the official pictures disagree: the best-scored one here, the last one there
    np.testing.assert_array_equal(strict_densepose.iuv(strip), iuv[0])
    np.testing.assert_array_equal(strict_densepose.segmentation(strip), segmentation[1])
    # mended: the largest
    np.testing.assert_array_equal(densepose.iuv(strip), iuv[1])
    # counted from the best
    np.testing.assert_array_equal(densepose.segmentation(strip, person=0), segmentation[0])
    with pytest.raises(PersonError, match=r"Person 2 .* 0 to 1"):
        densepose.iuv(strip, person=2)


def test_nobody(
    strict_densepose: DensePose, densepose: DensePose, strip: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "SCORE_THRESHOLD", 0.99999)
    strip = strip[:6]
    assert strict_densepose.detect(strip) == []
    assert not strict_densepose.segmentation(strip).any()
    for call in (strict_densepose.iuv, densepose.iuv, densepose.segmentation):
        with pytest.raises(PersonError, match="No person"):
            call(strip)


@pytest.mark.parametrize(
    "wrong", [np.zeros((50, 40), np.uint8), np.zeros((50, 40, 3), np.float32), np.zeros((0, 40, 3), np.uint8)]
)
def test_pictures_of_other_kinds(densepose: DensePose, wrong: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"RGB picture|no pixels"):
        densepose.iuv(wrong)


def test_a_picture_that_is_too_narrow(densepose: DensePose) -> None:
    with pytest.raises(PictureError, match="too narrow"):
        densepose.iuv(np.zeros((1, 4000, 3), np.uint8))


def test_safetensors_load_as_well_and_misfits_are_named(strict_densepose: DensePose, tmp_path: Path) -> None:
    state = strict_densepose.network.state_dict()
    save_file(state, tmp_path / "densepose.safetensors")
    loaded = DensePose.from_file(tmp_path / "densepose.safetensors", strict=False)
    assert not loaded.strict
    for name, tensor in loaded.network.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    (tmp_path / "densepose.safetensors").unlink()
    small = {name: tensor[:1] for name, tensor in state.items() if "res2" not in name}
    save_file({name: tensor.clone() for name, tensor in small.items()}, tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match=r"lacks backbone\.bottom_up\.res2\.0\.shortcut\.weight, .* more"):
        DensePose.from_file(tmp_path / "small.safetensors")


# against the released code


def test_state_dict_has_the_official_names(goldens: Path) -> None:
    official = json.loads((goldens / "densepose_state_dict.json").read_text())["tensors"]
    with torch.device("meta"):
        ours = {name: list(tensor.shape) for name, tensor in DensePoseNetwork().state_dict().items()}
    assert ours == {name: entry["shape"] for name, entry in official.items()}


def test_golden_sizes(goldens: Path) -> None:
    for height, width, *size in json.loads((goldens / "densepose" / "resize_table.json").read_text())["rows"]:
        assert network_size(height, width) == tuple(size)


SLOW = [pytest.param(case, marks=pytest.mark.slow) for case in ("figure", "photo")]


@pytest.mark.parametrize("case", ["astronaut", *SLOW])
def test_golden_pictures(strict_densepose: DensePose, goldens: Path, case: str) -> None:
    folder = goldens / "densepose"
    image, golden = read(folder / f"{case}.input.png"), np.load(folder / f"{case}.npz")
    found = strict_densepose.detect(image)
    np.testing.assert_allclose([one.box for one in found], golden["det_boxes_img"], atol=0.05)
    np.testing.assert_allclose([one.score for one in found], golden["det_scores"], atol=1e-3)
    first = found[0].charts
    for ours, name in (
        (first.coarse, "coarse_segm_0"),
        (first.fine, "fine_segm_0"),
        (first.u, "u_0"),
        (first.v, "v_0"),
    ):
        step = 112 // golden[name].shape[-1]
        np.testing.assert_allclose(ours[:, ::step, ::step], golden[name], atol=1e-3)
    for index in (0, len(found) - 1):
        official = read(folder / f"{case}.labels_{index}.png", mode="L")
        ours = part_labels(found[index].charts, *official.shape).numpy()
        assert (ours == official).mean() >= 0.999

    iuv, official = strict_densepose.iuv(image), read(folder / f"{case}.predict_iuv.png")
    assert (iuv[..., 0] == official[..., 0]).mean() >= 0.999
    assert (np.abs(iuv[..., 1:].astype(int) - official[..., 1:]) <= 1).all(axis=2).mean() >= 0.999
    # most of a picture is background, where nothing can go wrong
    body = official[..., 0] > 0
    assert (np.abs(iuv.astype(int) - official) <= 1).all(axis=2)[body].mean() >= 0.998
    seg, official = strict_densepose.segmentation(image), read(folder / f"{case}.predict_seg.png")
    assert (seg == official).all(axis=2).mean() >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("case", ["astronaut", "figure", "photo"])
@torch.inference_mode()
def test_golden_stages(strict_densepose: DensePose, goldens: Path, case: str) -> None:
    folder, net = goldens / "densepose", strict_densepose.network
    image, golden = read(folder / f"{case}.input.png"), np.load(folder / f"{case}.npz")
    summary = json.loads((folder / "summary.json").read_text())[case]
    pixels, size = network_input(image)
    assert list(size) == summary["resized_hw"] and list(pixels.shape[2:]) == summary["padded_hw"]
    means = torch.tensor([103.53, 116.28, 123.675])[:, None, None]
    resized = (pixels[0, :, : size[0], : size[1]] + means).round().byte().contiguous().numpy()
    digest = hashlib.sha256(resized.tobytes()).hexdigest()
    assert digest == summary["resized_u8_sha256_chw"]
    np.testing.assert_array_equal(pixels[0, :, 60:64, 60:92], golden["input_slice"])
    np.testing.assert_array_equal(pixels[0, :, -34:, -2:], golden["input_tail"])

    stages = net.backbone.bottom_up(pixels)
    pyramid = net.backbone(pixels)
    decoded = net.roi_heads.decoder(pyramid[:4])
    names = ["res2", "res3", "res4", "res5", "p2", "p3", "p4", "p5", "p6", "decoder"]
    for name, x in zip(names, [*stages, *pyramid, decoded], strict=True):
        np.testing.assert_allclose(middle(x), golden[f"{name}_slice"], atol=1e-4, err_msg=name)

    proposals, logits = net.proposals(pyramid, size)
    np.testing.assert_allclose(logits, np.sort(golden["proposal_logits"])[::-1], atol=1e-3)
    official = torch.from_numpy(golden["proposals"])  # ranks swap under rounding: compare as sets
    distance = torch.cdist(proposals, official, p=float("inf"))
    assert distance.min(0).values.max() < 0.05 and distance.min(1).values.max() < 0.05
    class_logits, deltas = net.classify(pyramid, official)
    np.testing.assert_allclose(class_logits, golden["cls_logits"], atol=1e-3)
    np.testing.assert_allclose(deltas, golden["box_deltas"], atol=1e-3)
    places, _ = net.people(pyramid, proposals, size)
    np.testing.assert_allclose(places, golden["det_boxes_net"], atol=0.05)
    level = int(boxes.levels_of(official[:1])) - 2
    pooled = boxes.roi_align(pyramid[level], official[:1], 7, 1 / network.STRIDES[level])
    np.testing.assert_allclose(pooled[0, :8], golden["box_pooled_0"], atol=1e-4)
    pooled = boxes.roi_align(decoded, torch.from_numpy(golden["det_boxes_net"][:1]), 28, 0.25)
    np.testing.assert_allclose(pooled[0, :8], golden["dp_pooled_0"], atol=1e-4)
    np.testing.assert_allclose(net.roi_heads.densepose_head(pooled)[0, :8], golden["dp_head_0"], atol=1e-4)


def middle(x: Tensor) -> Tensor:
    row, column = x.shape[2] // 2, x.shape[3] // 2
    return x[0, :16, row - 3 : row + 3, column - 3 : column + 3]


def read(path: Path, mode: str = "RGB") -> np.ndarray:
    return np.asarray(Image.open(path).convert(mode))
