"""OpenPose: the network's maps, and people from maps, against the released code and against drawn people."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leffa.errors import PersonError, PictureError
from leffa.preprocess.labels import Joint
from leffa.preprocess.official.openpose import OpenPoseBody, body, people
from leffa.preprocess.official.openpose.body import (
    HEIGHT,
    WIDTH,
    full_size_maps,
    keypoints_from_maps,
    network_input,
)

STANDING = [  # in the order of Joint
    (192, 90), (192, 130),
    (160, 132), (150, 190), (146, 245),
    (224, 132), (234, 190), (238, 245),
    (172, 260), (170, 350), (168, 440),
    (212, 260), (214, 350), (216, 440),
    (184, 82), (200, 82), (176, 88), (208, 88),
]  # fmt: skip
RECORDED_FIELD = [0.01249, 0.009588, -0.026704]
RECORDED_HEAT = [0.014095, 0.137193, 0.013857, 0.0]


def person(
    scale: float = 1, shift: tuple[float, float] = (0, 0), without: Sequence[Joint] = ()
) -> np.ndarray:
    """(18, 2) joints of somebody standing; missing ones are NaN."""
    points = np.array(STANDING, float) * scale + shift
    points[list(without)] = np.nan
    return np.rint(points)


def drawn_maps(persons: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Fields and heat maps, (512, 384, ...), as a perfect network would give them."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    heats, fields = np.zeros((HEIGHT, WIDTH, 19)), np.zeros((HEIGHT, WIDTH, 38))
    for points in persons:
        for joint, (cx, cy) in enumerate(points):
            if np.isfinite(cx):
                heat = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 7**2))
                heats[:, :, joint] = np.maximum(heats[:, :, joint], heat)
        for kind in people._LIMBS:
            start, end = points[kind.start], points[kind.end]
            length = np.linalg.norm(end - start)
            if not length > 0:
                continue
            direction = (end - start) / length
            along = (x - start[0]) * direction[0] + (y - start[1]) * direction[1]
            aside = np.abs((x - start[0]) * direction[1] - (y - start[1]) * direction[0])
            here = (along > -4) & (along < length + 4) & (aside < 6)
            fields[here, kind.channel : kind.channel + 2] = direction
    return fields, heats


@pytest.mark.parametrize("without", [(), (Joint.RIGHT_WRIST,), (Joint.LEFT_EAR, Joint.LEFT_ANKLE)])
def test_one_person_is_found_where_drawn(without: tuple[Joint, ...]) -> None:
    drawn = person(without=without)
    fields, heats = drawn_maps([drawn])
    for strict in (True, False):
        np.testing.assert_array_equal(keypoints_from_maps(fields, heats, strict=strict), np.nan_to_num(drawn))


def test_a_joint_that_nothing_leads_to_is_missing() -> None:
    drawn = person(without=[Joint.RIGHT_ELBOW])
    fields, heats = drawn_maps([drawn])
    drawn[Joint.RIGHT_WRIST] = np.nan
    np.testing.assert_array_equal(keypoints_from_maps(fields, heats, strict=False), np.nan_to_num(drawn))


def test_the_largest_of_two_people_and_the_one_in_a_box() -> None:
    small = person(0.5, (-40, 20))
    large = person(0.75, (120, 10), without=[Joint.RIGHT_WRIST])
    fields, heats = drawn_maps([small, large])
    np.testing.assert_array_equal(keypoints_from_maps(fields, heats, strict=False), np.nan_to_num(large))
    box = (*(small.min(0) - 5), *(small.max(0) + 5))
    for strict in (True, False):
        np.testing.assert_array_equal(keypoints_from_maps(fields, heats, strict=strict, box=box), small)
    # the released renumbering mixes the two
    mixed = keypoints_from_maps(fields, heats, strict=True)
    assert not np.array_equal(mixed, small) and not np.array_equal(mixed, np.nan_to_num(large))


def test_nobody_is_an_error() -> None:
    fields, heats = drawn_maps([])
    for strict in (True, False):
        with pytest.raises(PersonError, match="No person"):
            keypoints_from_maps(fields, heats, strict=strict)


def test_three_joints_are_nobody() -> None:
    shown = (Joint.NECK, Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW)
    lonely = person(without=[joint for joint in Joint if joint not in shown])
    with pytest.raises(PersonError):
        keypoints_from_maps(*drawn_maps([lonely]), strict=False)


def test_links_are_scored_by_the_field_and_held_back_when_long() -> None:
    kind = people._LIMBS[0]
    fields = np.zeros((HEIGHT, WIDTH, 38))
    fields[:, :, kind.channel + 1] = 0.8  # everything points down
    peaks = np.array([(100, 50, 1.0), (101, 400, 1), (100, 150, 1), (300, 52, 1), (100, 50, 1)])
    indices = [np.array([], int)] * len(Joint)
    indices[kind.start], indices[kind.end] = np.array([0, 1]), np.array([2, 3, 4])
    # up, nearly level, and on the spot are no links; 300 pixels are longer than half the height
    assert [(limb.start, limb.end) for limb in people._find_limbs(kind, peaks, indices, fields)] == [(0, 2)]
    indices[kind.end] = np.array([1])
    (limb,) = people._find_limbs(kind, peaks, indices, fields)
    length = np.hypot(1, 350)
    assert limb.score == pytest.approx(0.8 * 350 / length + 256 / length - 1)


def test_network_input_is_bgr_padded_with_grey() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 200, 100, 0
    pixels, inner = network_input(image)
    assert pixels.shape == (3, 184, 144) and inner == (184, 138)
    np.testing.assert_allclose(pixels[:, 5, 5], np.array([0, 100, 200]) / 256 - 0.5)
    assert (pixels[:, :, 138:] == 0).all()


def test_pictures_of_other_kinds(openpose: OpenPoseBody, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match="float32"):
        openpose.keypoints(np.zeros((HEIGHT, WIDTH, 3), np.float32))
    seen = []

    def maps(self: OpenPoseBody, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(image)
        return drawn_maps([person()])

    monkeypatch.setattr(body.OpenPoseBody, "maps", maps)
    image = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    np.testing.assert_array_equal(openpose.keypoints(image), person())
    np.testing.assert_array_equal(seen[0], np.asarray(Image.fromarray(image).resize((WIDTH, HEIGHT))))


def test_maps_of_the_drawn_network(openpose: OpenPoseBody) -> None:
    """A few values recorded from this implementation, for where the official ones are not at hand."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    fields, heats = openpose.maps(image)
    np.testing.assert_allclose(fields[100::150, 190, 7], RECORDED_FIELD, atol=2e-5)
    np.testing.assert_allclose(heats[256, 192, :4], RECORDED_HEAT, atol=2e-5)
    assert heats.shape == (HEIGHT, WIDTH, 19) and fields.shape == (HEIGHT, WIDTH, 38)


# against the released code


def test_state_dict_has_the_official_names(goldens: Path) -> None:
    official = json.loads((goldens / "openpose_state_dict.json").read_text())["tensors"]
    with torch.device("meta"):
        ours = {name: list(tensor.shape) for name, tensor in body.OpenPoseNetwork().state_dict().items()}
    assert ours == {name: entry["shape"] for name, entry in official.items()}


def test_golden_network(openpose: OpenPoseBody, goldens: Path) -> None:
    golden = np.load(goldens / "openpose" / "openpose.npz")
    image = np.asarray(Image.open(goldens / "openpose" / "net_input.png").convert("RGB"))
    pixels, inner = network_input(image)
    np.testing.assert_array_equal((pixels + 0.5) * 256, golden["net_data"])
    with torch.inference_mode():
        fields, heats = openpose.network(torch.from_numpy(pixels)[None])
    np.testing.assert_allclose(fields.numpy(), golden["net_L1"], atol=1e-4)
    np.testing.assert_allclose(heats.numpy(), golden["net_L2"], atol=1e-4)
    # the maps lie within 0.2, so this is what 1e-4 should not let through
    assert heats.min() == 0 and np.abs(golden["net_L1"]).max() > 0.1

    peaks, _ = people.find_peaks(full_size_maps(heats.numpy(), inner))
    np.testing.assert_array_equal(peaks[:, :2], golden["net_candidate"][:, :2])
    with pytest.raises(PersonError):
        openpose.keypoints(image)


@pytest.mark.parametrize("case", ["front", "miss_arm_ear", "spurious", "two_people", "legs_cut", "nobody"])
def test_golden_people(goldens: Path, case: str) -> None:
    golden = np.load(goldens / "openpose" / "openpose.npz")
    fields, heats = (full_size_maps(golden[f"{case}_{branch}"], (184, 138)) for branch in ("L1", "L2"))
    peaks, indices = people.find_peaks(heats)
    bodies = people.find_people(peaks, indices, fields)
    if case == "nobody":
        assert not len(peaks) and not bodies
        return
    if case == "front":
        np.testing.assert_allclose(heats[::16, ::16, :18], golden["front_heat18_stride16"], atol=1e-6)
        np.testing.assert_allclose(fields[::16, ::16], golden["front_paf38_stride16"], atol=1e-6)
    np.testing.assert_array_equal(peaks, golden[f"{case}_candidate"][:, :3])
    rows = golden[f"{case}_subset"]
    assert len(bodies) == len(rows)
    for one, row in zip(bodies, rows, strict=True):
        np.testing.assert_array_equal(one.joints, row[:18])
        assert one.score == pytest.approx(row[18]) and one.count == row[19]
    official = golden[f"{case}_keypoints"]
    np.testing.assert_array_equal(keypoints_from_maps(fields, heats, strict=True), official)
    if case != "two_people":  # one person: both ways agree
        np.testing.assert_array_equal(keypoints_from_maps(fields, heats, strict=False), official)
