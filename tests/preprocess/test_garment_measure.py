"""Sleeves and hems read off drawn garments, and what a mask lacks for them."""

import cv2
import numpy as np
import pytest

from leffa.config import Garment
from leffa.preprocess.garment.measure import (
    GarmentMeasure,
    Shortfall,
    measure_garment,
    shortfall,
)
from leffa.preprocess.offline.masks import Hem, MaskOptions, Sleeve


def drawn(sleeve: float, length: float, width: int = 120) -> np.ndarray:
    """A top on a light ground, seen from the front; sleeve and length in body widths."""
    image = np.full((640, 640, 3), 235, np.uint8)
    left, top = 260, 60
    cv2.rectangle(image, (left, top), (left + width, top + round(length * width)), (60, 90, 140), -1)
    for shoulder, side in ((left + 12, -1), (left + width - 12, 1)):
        if sleeve:
            reach = np.array([0.6 * side, 0.8]) * (sleeve * width)
            end = (round(shoulder + reach[0]), round(top + 16 + reach[1]))
            cv2.line(image, (shoulder, top + 16), end, (60, 90, 140), 30)
    return image


@pytest.mark.parametrize(("reach", "sleeve"), [(0.0, Sleeve.NONE), (0.7, Sleeve.ELBOW), (1.5, Sleeve.WRIST)])
def test_sleeves(reach, sleeve):
    assert measure_garment(drawn(reach, 1.6), Garment.UPPER).sleeve is sleeve


@pytest.mark.parametrize(
    ("garment", "length", "hem"),
    [
        (Garment.UPPER, 0.8, Hem.WAIST),
        (Garment.UPPER, 1.6, Hem.HIP),
        (Garment.LOWER, 1.2, Hem.KNEE),
        (Garment.LOWER, 2.6, Hem.ANKLE),
        (Garment.DRESS, 2.5, Hem.KNEE),
        (Garment.DRESS, 3.6, Hem.ANKLE),
    ],
)
def test_hems(garment, length, hem):
    assert measure_garment(drawn(0.0, length), garment).hem is hem


def test_a_picture_full_of_cloth_has_no_measure():
    assert measure_garment(np.full((100, 100, 3), 90, np.uint8), Garment.UPPER) is None


LONG = GarmentMeasure(Sleeve.WRIST, Hem.KNEE, 1.5, 2.4)


@pytest.mark.parametrize(
    ("options", "lacking"),
    [
        (MaskOptions(), Shortfall(hem=Hem.KNEE)),
        (MaskOptions(hem=Hem.KNEE), None),
        (MaskOptions(sleeve=Sleeve.ELBOW, hem=Hem.KNEE), Shortfall(sleeve=Sleeve.WRIST)),
        (MaskOptions(sleeve=Sleeve.NONE, hem=Hem.WAIST), Shortfall(Sleeve.WRIST, Hem.KNEE)),
    ],
)
def test_a_mask_shorter_than_the_garment_is_told(options, lacking):
    assert shortfall(LONG, Garment.UPPER, options) == lacking


def test_what_is_too_long_for_a_top_has_no_measure():
    assert measure_garment(drawn(0.0, 5.0, width=100), Garment.UPPER) is None
