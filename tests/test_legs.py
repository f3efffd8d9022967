"""Legs of trousers: straight along somebody's legs, with their shot's own outline and hems."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from leffa.composition import Reading, Scene
from leffa.composition.canvas import FRAME, Working
from leffa.composition.legs import straight_legs
from leffa.config import Garment
from leffa.framing import Region
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.parsing import Seen

WHOLE = Region.whole(FRAME, FRAME)
WORKING = Working.of(WHOLE)


def box(top, bottom, left, right):
    where = np.zeros(FRAME, bool)
    where[top:bottom, left:right] = True
    return where


def picture(where):
    return np.where(where, 255, 0).astype(np.uint8)


def trousers(apart=0, end=220):
    """Somebody in old trousers, and new ones down to row ``end`` that bow out by 6 px at the knees.

    On their shot they have straight legs 32 px wide and 16 apart, on the photo ``apart`` px more.
    """
    shown = box(20, 220, 56, 136) & ~box(90, 220, 88, 104)
    parts = np.zeros((*FRAME, 3), np.uint8)
    aside = apart // 2
    parts[60:90, 80:112, 0] = Part.TORSO_FRONT
    parts[60:215, 60 - aside : 84 - aside, 0] = Part.RIGHT_UPPER_LEG_FRONT
    parts[60:215, 108 + aside : 132 + aside, 0] = Part.LEFT_UPPER_LEG_FRONT
    rows, columns = np.indices(FRAME).astype(np.float64)
    below = np.clip((rows - 90) / 130, 0, 1)
    out = (6 * np.sin(np.pi * below) + aside * np.minimum(1, below * 8)) * np.where(columns < 96, -1, 1)
    at = columns - out
    places = np.stack([(at + 0.5) / FRAME[1] * 2 - 1, (rows + 0.5) / FRAME[0] * 2 - 1], -1).astype(np.float32)
    covered = cv2.remap(shown.astype(np.uint8), at.astype(np.float32), rows.astype(np.float32), 0) > 0
    covered[end:] = False
    worn = parts[..., 0] > 0
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[0, Seen.LOWER], seen[0, Seen.GROUND] = torch.from_numpy(worn), torch.from_numpy(~worn)
    gray = Image.new("RGB", FRAME[::-1], "gray")
    dressed = Scene(
        photo=gray,
        mask=np.full(FRAME, 255, np.uint8),
        by_hand=np.zeros(FRAME, bool),
        reading=Reading(seen, torch.zeros(1, 3, *FRAME), picture(worn), parts, torch.zeros(*FRAME)),
        region=WHOLE,
        reference=gray,
        shown=picture(shown),
        reference_region=WHOLE,
        garment=Garment.LOWER,
    )
    return dressed, covered, places


def edges_of(covered, rows):
    """(N, 4): where the left and the right leg begin and end."""
    return np.array([np.flatnonzero(np.diff(covered[row].astype(int))) for row in rows])


def test_legs_that_bow_are_laid_as_straight_as_on_their_shot():
    dressed, covered, places = trousers()
    rows = range(130, 214)
    assert np.ptp(edges_of(covered, rows), axis=0).min() >= 4  # they bow
    straight, flow = straight_legs(dressed, WORKING, covered, places)
    edges = edges_of(straight, rows)
    assert np.ptp(edges, axis=0).max() <= 1 and np.abs(np.diff(edges[0])[[0, 2]] - 32).max() <= 3
    columns = (flow[170, [72, 120], 0] + 1) / 2 * FRAME[1]
    assert np.abs(columns - [72, 120]).max() < 2  # the middle of a leg is the middle of its cloth
    assert np.array_equal(straight[:90], covered[:90]) and np.array_equal(flow[:90], places[:90])


def test_legs_end_straight_across_with_what_was_covered():
    dressed, covered, places = trousers()
    flaps = covered & ~box(210, 220, 56, 64) | box(214, 224, 84, 92)
    straight, _ = straight_legs(dressed, WORKING, flaps, places)
    for leg in (slice(60, 84), slice(108, 132)):
        ends = FRAME[0] - straight[::-1, leg].argmax(0)
        assert np.ptp(ends) <= 1 and ends[0] == pytest.approx(220, abs=2)


def test_legs_whose_flow_ends_before_their_hem_end_where_they_did_with_their_hem():
    dressed, covered, places = trousers()
    rows = np.arange(FRAME[0])
    early = np.interp(rows, (0, 90, 220, 256), (0, 90, 213, 250))[:, None]
    places[..., 1] = (early + 0.5) / FRAME[0] * 2 - 1
    straight, flow = straight_legs(dressed, WORKING, covered, places)
    assert straight[216, 62:82].all() and not straight[223:].any()
    assert (flow[216, 72, 1] + 1) / 2 * FRAME[0] == pytest.approx(216.5, abs=2)


def test_no_strip_of_a_leg_looks_out_beside_its_trousers():
    dressed, covered, places = trousers()
    dressed.reading.parts[100:215, 54:90, 0] = Part.RIGHT_UPPER_LEG_FRONT
    dressed.reading.parts[100:215, 102:138, 0] = Part.LEFT_UPPER_LEG_FRONT
    straight, _ = straight_legs(dressed, WORKING, covered, places)
    assert straight[130:210, 54:90].all() and straight[130:210, 102:138].all()
    assert not straight[130:210, 92:100].any()


def test_what_hangs_out_of_a_hem_on_its_shot_is_not_laid():
    dressed, covered, places = trousers()
    label = replace(dressed, shown=dressed.shown | picture(box(220, 232, 66, 74)))
    straight, flow = straight_legs(label, WORKING, covered, places)
    assert straight[150:216, 70].all() and not straight[223:].any()
    assert (flow[214, 72, 1] + 1) / 2 * FRAME[0] == pytest.approx(
        214.5, abs=2
    )  # their hem is, nor cloth above


def test_legs_that_overlap_keep_each_its_own_cloth():
    dressed, covered, places = trousers(apart=-26)
    straight, flow = straight_legs(dressed, WORKING, covered, places)
    assert straight[140:210, 72:120].all()  # nothing between them
    columns = (flow[140:210, :, 0] + 1) / 2 * FRAME[1]
    assert (columns[:, 72:95] < 96).all() and (columns[:, 97:120] > 96).all()


def test_legs_that_the_photo_cuts_off_are_not_drawn_in_to_their_hem():
    dressed, covered, places = trousers(end=170)
    _, flow = straight_legs(dressed, WORKING, covered, places)
    assert np.abs((flow[160, [72, 120], 1] + 1) / 2 * FRAME[0] - 160).max() < 3


def test_skirts_worn_trousers_and_legs_that_tell_no_direction_stay():
    dressed, covered, places = trousers()
    skirt = replace(dressed, shown=picture(box(20, 220, 56, 136)))
    sitting = dressed.reading.parts.copy()
    sitting[120:] = 0
    short = replace(dressed, reading=replace(dressed.reading, parts=sitting))
    for other in (skirt, short, replace(dressed, is_worn=True)):
        stays, flow = straight_legs(other, WORKING, covered, places)
        assert np.array_equal(stays, covered) and np.array_equal(flow, places)
