"""Human parsing: geometry of the crop, the hole rules, the merge, and the official results."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leffa.errors import PictureError, WeightsError
from leffa.preprocess.labels import Lip, Parse
from leffa.preprocess.official.parsing import (
    HumanParser,
    close_holes,
    fill_holes,
    full_size_logits,
    merge_labels,
    network_input,
)


@dataclass
class Node:
    name: str
    shape: list


class ColourClassifier:
    """Stands for an onnxruntime session: the red value of a pixel, over 12, is its class."""

    def __init__(self, classes: int, side: int, stride: int = 4, add: int = 0) -> None:
        self.classes, self.side, self.stride, self.add = classes, side, stride, add

    def get_inputs(self) -> list[Node]:
        return [Node("input.1", [1, 3, self.side, self.side])]

    def get_outputs(self) -> list[Node]:
        shape = [1, self.classes, self.side // self.stride, self.side // self.stride]
        return [Node("parsing", shape), Node("fusion", shape), Node("edge", [1, 2, *shape[2:]])]

    def run(self, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert names == ["fusion"] and list(feeds) == ["input.1"]
        red = (feeds["input.1"][0, 2] * 0.229 + 0.485) * 255  # B, G, R
        labels = np.rint(red / 12).astype(int)[:: self.stride, :: self.stride] + self.add
        return [np.eye(self.classes, dtype=np.float32)[labels].transpose(2, 0, 1)[None]]


def test_parse_sees_colours_through_both_crops() -> None:
    parser = HumanParser(ColourClassifier(18, 512), ColourClassifier(20, 473))
    image = np.zeros((512, 384, 3), np.uint8)
    image[40:120, 150:230, 0] = 12 * Parse.HEAD
    image[120:300, 120:260, 0] = 12 * Parse.UPPER_CLOTHES
    image[300:480, 140:240, 0] = 12 * Parse.PANTS
    labels = parser.parse(image)
    assert labels.shape == (512, 384) and labels.dtype == np.uint8
    assert labels[80, 190] == Parse.NECK  # LIP calls the same colour a scarf, so this is no face
    assert labels[200, 190] == Parse.UPPER_CLOTHES and labels[400, 190] == Parse.PANTS
    assert labels[20, 20] == Parse.BACKGROUND
    drawn = np.where(image[..., 0] // 12 == Parse.HEAD, Parse.NECK, image[..., 0] // 12)
    assert (labels == drawn).mean() > 0.98  # but for the 4-pixel grid

    parser = HumanParser(ColourClassifier(18, 512), ColourClassifier(20, 473, add=Lip.FACE - Parse.HEAD))
    assert parser.parse(image)[80, 190] == Parse.HEAD


def test_a_standing_frame_is_centred_without_any_change() -> None:
    image = np.random.default_rng(0).integers(0, 256, (512, 384, 3), dtype=np.uint8)
    pixels = network_input(image, 512)
    mean, deviation = np.array([0.406, 0.456, 0.485]), np.array([0.225, 0.224, 0.229])
    back = (pixels.transpose(1, 2, 0) * deviation + mean) * 255
    np.testing.assert_allclose(back[:, 64:-64, ::-1], image, atol=1e-3)
    np.testing.assert_allclose(back[:, :64], 0, atol=1e-4)
    np.testing.assert_allclose(back[:, -64:], 0, atol=1e-4)


@pytest.mark.parametrize(("size", "side"), [((512, 384), 473), ((301, 200), 512), ((97, 250), 473)])
def test_logits_come_back_to_where_they_belong(size: tuple[int, int], side: int) -> None:
    """A map that is its own x and y coordinate must be so again over the picture."""
    height, width = size
    grid = np.linspace(0, side - 1, 33)
    x, y = np.meshgrid(grid, grid)
    full = full_size_logits(np.stack([x, y]).astype(np.float32), size, side)
    scale = (side - 1) / (max(size) - 1)
    rows, columns = np.mgrid[:height, :width]
    # the outermost pixels mix with the black outside
    inside = np.s_[2:-2, 2:-2]
    in_square_x = (columns - (width - 1) / 2) * scale + (side - 1) / 2
    in_square_y = (rows - (height - 1) / 2) * scale + (side - 1) / 2
    np.testing.assert_allclose(full[..., 0][inside], in_square_x[inside], atol=0.1)
    np.testing.assert_allclose(full[..., 1][inside], in_square_y[inside], atol=0.1)


def torso() -> np.ndarray:
    labels = np.zeros((200, 200), np.uint8)
    labels[40:180, 40:160] = Parse.UPPER_CLOTHES
    return labels


def test_small_holes_close_and_large_ones_stay() -> None:
    labels = torso()
    labels[60:70, 60:70] = Parse.BACKGROUND
    labels[80:140, 80:140] = Parse.BAG  # 3600 pixels
    closed = close_holes(labels)
    assert (closed[60:70, 60:70] == Parse.UPPER_CLOTHES).all()
    assert (closed[80:140, 80:140] == Parse.BAG).all()
    assert (closed[:40] == 0).all() and closed.shape == labels.shape


def test_arms_stay_but_count_as_a_border() -> None:
    labels = torso()
    labels[60:160, 160:170] = Parse.LEFT_ARM
    labels[60:70, 150:160] = Parse.BACKGROUND  # a gap closed off by the arm
    labels[175:180, 100] = Parse.BACKGROUND  # open to the outside
    closed = close_holes(labels)
    assert (closed[60:70, 150:160] == Parse.UPPER_CLOTHES).all()
    assert (closed[60:160, 160:170] == Parse.LEFT_ARM).all()
    assert (closed[175:180, 100] == Parse.BACKGROUND).all()


def test_an_arm_inside_a_large_hole_becomes_clothes() -> None:
    """The overflow of the released code's 8-bit sum."""
    labels = torso()
    labels[80:140, 80:140] = Parse.BACKGROUND
    labels[100:110, 100:110] = Parse.RIGHT_ARM
    closed = close_holes(labels)
    assert (closed[102:108, 102:108] == Parse.UPPER_CLOTHES).all()
    assert (closed[82:98, 82:138] == Parse.BACKGROUND).all()


def test_fill_holes_and_neck() -> None:
    ring = np.zeros((9, 9), bool)
    ring[2:7, 2:7] = True
    ring[4, 4] = False
    filled = fill_holes(ring)
    assert filled[4, 4] and filled.sum() == 25 and not ring[4, 4]
    head = np.full((4, 4), Parse.HEAD, np.uint8)
    face = np.zeros((4, 4), np.uint8)
    face[:2] = Lip.FACE
    np.testing.assert_array_equal(merge_labels(head, face)[:, 0], [11, 11, 18, 18])


def test_networks_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="18 classes"):
        HumanParser(ColourClassifier(20, 473), ColourClassifier(18, 512))
    with pytest.raises(WeightsError, match="There is no weights file"):
        HumanParser.from_files(tmp_path / "atr.onnx", tmp_path / "lip.onnx")
    (tmp_path / "atr.onnx").write_bytes(b"<html>")
    with pytest.raises(WeightsError, match="no onnx network"):
        HumanParser.from_files(tmp_path / "atr.onnx", tmp_path / "atr.onnx")
    with pytest.raises(PictureError):
        HumanParser(ColourClassifier(18, 512), ColourClassifier(20, 473)).parse(np.zeros((4, 4), np.uint8))


# against the released code


@pytest.mark.parametrize("case", ["onnx_front", "onnx_walk"])
def test_golden_parse(goldens: Path, case: str) -> None:
    folder = goldens / "parsing"
    parser = HumanParser.from_files(folder / "mini_atr.onnx", folder / "mini_lip.onnx")
    image = np.asarray(Image.open(folder / f"{case}.input.png").convert("RGB"))
    golden = np.asarray(Image.open(folder / f"{case}.parse.png"))
    assert (parser.parse(image) == golden).mean() >= 0.999


@pytest.mark.parametrize("case", ["front", "arm_hole", "dress_odd"])
def test_golden_stages(goldens: Path, case: str) -> None:
    golden = np.load(goldens / "parsing" / "parsing.npz")
    image = np.asarray(Image.open(goldens / "parsing" / f"{case}.input.png").convert("RGB"))
    maps = []
    for network, side in (("atr", 512), ("lip", 473)):
        pixels = network_input(image, side)
        np.testing.assert_allclose(pixels[:, ::8, ::8], golden[f"{case}_net_in_{side}_stride4"], atol=1e-5)
        logits = golden[f"{case}_{network}_logits_x10"].astype(np.float32) / 10
        full = full_size_logits(logits, image.shape[:2], side)
        np.testing.assert_allclose(full[::16, ::16], golden[f"{case}_{network}_full_stride16"], atol=1e-3)
        maps.append(full.argmax(2).astype(np.uint8))
        assert (maps[-1] == golden[f"{case}_{network}_argmax"]).mean() >= 0.999
    expected = np.asarray(Image.open(goldens / "parsing" / f"{case}.parse.png"))
    assert (merge_labels(*maps) == expected).mean() >= 0.999
    recorded = [golden[f"{case}_{network}_argmax"] for network in ("atr", "lip")]
    np.testing.assert_array_equal(merge_labels(*recorded), expected)
