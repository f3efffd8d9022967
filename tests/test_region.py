"""Bringing back the reference's structure where it is finer than the model can paint."""

import numpy as np
import pytest
import torch
from PIL import Image

from leffa.images import Letterbox
from leffa.model.confidence import confidence
from leffa.model.flow import FlowField, coordinates
from leffa.run.region import detailed

BOX, FRAME = (256, 192), (64, 48)


def field(spread=0.1, occupancy=1.0):
    flow, ones = coordinates(*BOX), torch.ones(BOX)
    return FlowField(flow, ones * spread, ones, ones * occupancy)


def stripes(dark, light):
    rows = np.arange(BOX[0]) // 4 % 2
    grey = np.where(rows, light, dark).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(grey[:, None, None], (*BOX, 3)).copy())


def flat(level):
    return Image.new("RGB", (BOX[1], BOX[0]), (level,) * 3)


def contrast(image):
    middle = np.asarray(image, np.float32)[32:-32, 32:-32]
    return float(middle.std()), float(middle.mean())


def test_structure_is_the_references_and_light_is_the_pictures():
    frame = Letterbox.fit(BOX, FRAME)
    result = detailed(flat(140), stripes(100, 160), field(), frame)
    assert contrast(result)[0] == pytest.approx(30, abs=3) and contrast(result)[1] == pytest.approx(
        140, abs=2
    )


def test_painted_structure_of_that_size_makes_room():
    """What the model paints finer than it can see is not laid over the reference's."""
    noise = np.random.default_rng(0).normal(130, 20, (*BOX, 3)).clip(0, 255).astype(np.uint8)
    result = detailed(Image.fromarray(noise), flat(130), field(), Letterbox.fit(BOX, FRAME))
    assert contrast(result)[0] < 4 < contrast(Image.fromarray(noise))[0]


@pytest.mark.parametrize(
    "unfit", [{"spread": 0.6}, {"occupancy": 0.0}, {"colour": 30}], ids=["scattered", "ground", "colour"]
)
def test_nothing_is_brought_where_it_does_not_belong(unfit):
    painted = flat(unfit.pop("colour", 130))
    result = detailed(painted, stripes(100, 160), field(**unfit), Letterbox.fit(BOX, FRAME))
    assert np.abs(np.asarray(result, int) - np.asarray(painted, int)).max() <= 1


def test_confidence_falls_with_the_spread():
    values = [float(confidence(field(spread)).mean()) for spread in (0.1, 0.3, 0.4, 0.6)]
    assert values[0] == 1 and values[-1] == 0 and values[1] > values[2] > 0
