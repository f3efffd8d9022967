"""A picture that tells of its making, and pictures that do not."""

import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from test_trace import made_up

from leffa.errors import LeffaError, PictureError
from leffa.preprocess.strokes import Stroke, paint_strokes, parse_strokes
from leffa.provenance import KEY, png_bytes, read_record, record

CHOICES = {
    "kind": "upper",
    "strokes": [{"points": [[0.5, 0.5]], "radius": 0.1, "erase": False}],
    "wish": "短袖",
}


def test_a_record_comes_back_from_its_png(tmp_path):
    result = made_up(images=2)
    written = record(result, "ab" * 32, {"photo": "01"}, CHOICES, sample=1)
    (tmp_path / "result.png").write_bytes(png_bytes(result.images[1], written))
    found = read_record(tmp_path / "result.png")
    assert found == json.loads(json.dumps(written))
    assert found["settings"]["seed"] == result.settings.seed + 1 and found["settings"]["samples"] == 1
    with Image.open(tmp_path / "result.png") as opened:
        assert np.array_equal(np.asarray(opened), np.asarray(result.images[1]))


def test_other_pictures_tell_nothing(tmp_path):
    Image.new("RGB", (70, 70)).save(tmp_path / "plain.png")
    Image.new("RGB", (70, 70)).save(tmp_path / "photo.jpg")
    (tmp_path / "text.png").write_text("no picture")
    for name in ("plain.png", "photo.jpg", "text.png", "missing.png"):
        assert read_record(tmp_path / name) is None


@pytest.mark.parametrize("text", ["no json", "[]", '{"format": 99}', '{"format": 1, "settings": 3}'])
def test_a_tampered_record_is_refused(tmp_path, text):
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, text)
    Image.new("RGB", (70, 70)).save(tmp_path / "changed.png", pnginfo=info)
    with pytest.raises(PictureError, match="cannot be read"):
        read_record(tmp_path / "changed.png")


def test_strokes_paint_and_erase_in_their_order():
    mask = np.zeros((200, 100), np.uint8)
    line = Stroke(((0.2, 0.5), (0.8, 0.5)), 0.05)
    painted = paint_strokes(mask, [line, Stroke(((0.5, 0.5),), 0.05, erase=True)])
    assert painted[100, 25] == 255 and painted[100, 75] == 255
    assert painted[100, 50] == 0 and painted[80, 25] == 0
    assert not mask.any()
    assert parse_strokes(json.loads(json.dumps([line.as_dict()]))) == [line]


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        ["stroke"],
        [{"points": []}],
        [{"points": [[0.5, 0.5]], "radius": 0}],
        [{"points": [[float("nan"), 0.5]], "radius": 0.1}],
        [{"points": [[900, 0.5]], "radius": 0.1}],
    ],
)
def test_senseless_strokes_are_refused(wrong):
    with pytest.raises(LeffaError):
        parse_strokes(wrong)
