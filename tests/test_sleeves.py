"""Sleeves end on an arm as they end on the product shot."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from leffa.composition import Reading, Scene
from leffa.composition.canvas import FRAME, Working, warped
from leffa.composition.shot import sleeves_of
from leffa.composition.sleeves import with_sleeves
from leffa.config import Garment
from leffa.framing import Region
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.parsing import Seen

WORKING = Working.of(Region.whole(FRAME, FRAME))
ALONG = np.array([0.614, 0.789])  # from shoulder to hand
SHOULDER = np.array([120.0, 55.0])
SHORT = ((120, 40), (148, 76), (135, 88), (120, 70))  # its shoulder, its cuff, its armpit
CAP = ((120, 40), (146, 66), (138, 78), (120, 78))  # whose lower edge is level with the armpit
LONG = ((120, 40), (146, 62), (150, 190), (134, 190), (126, 76))


def drawn(*sleeve, size=FRAME):
    """(H, W): a trunk, columns 72 to 120, with this sleeve on its right and its mirror on its left."""
    cloth = np.zeros(size, np.uint8)
    cloth[40:200, 72:121] = 1
    for corners in (sleeve, [(192 - x, y) for x, y in sleeve]):
        if sleeve:
            cv2.fillPoly(cloth, [np.array(corners, np.int32)], 1)
    return cloth > 0


def places_at(x, y):
    """(H, W, 2): the flow to these columns and rows of the shot."""
    return np.stack([(2 * x + 1) / FRAME[1] - 1, (2 * y + 1) / FRAME[0] - 1], -1).astype(np.float32)


def grid():
    rows, columns = np.indices(FRAME).astype(np.float64)
    return columns, rows


def wavy():
    x, y = grid()
    return places_at(x + 2.5 * np.sin(y / 2.5), y + 2.5 * np.sin(x / 2))


def along_arm():
    """How far down the left arm, and aside from its axis, each pixel is."""
    x, y = grid()
    x, y = x - SHOULDER[0], y - SHOULDER[1]
    return x * ALONG[0] + y * ALONG[1], y * ALONG[0] - x * ALONG[1]


def stretched(by, across=1.0):
    """The left sleeve ``by`` times as long and ``across`` times as wide as on the shot, the rest the same."""
    x, y = grid()
    down, aside = along_arm()
    here = x >= SHOULDER[0]
    moved, apart = np.where(here, down / by - down, 0), np.where(here, aside / across - aside, 0)
    return places_at(x + moved * ALONG[0] - apart * ALONG[1], y + moved * ALONG[1] + apart * ALONG[0])


@pytest.fixture
def scene():
    """Somebody with a left arm beside the trunk, to wear a top with short sleeves."""
    parts = np.zeros((*FRAME, 3), np.uint8)
    parts[40:200, 76:117, 0] = Part.TORSO_FRONT
    for part, start, end in (
        (Part.LEFT_LOWER_ARM_OUTER, (152, 96), (168, 142)),
        (Part.LEFT_HAND, (168, 144), (170, 160)),
        (Part.LEFT_UPPER_ARM_OUTER, (124, 60), (152, 96)),
    ):
        cv2.line(parts, start, end, (int(part), 0, 0), 11)
    silhouette = np.where(parts[..., 0] > 0, 255, 0).astype(np.uint8)
    nothing = Image.new("RGB", FRAME[::-1])
    reading = Reading(
        torch.zeros(1, len(Seen), *FRAME), torch.zeros(1, 3, *FRAME), silhouette, parts, torch.zeros(*FRAME)
    )
    return Scene(
        photo=nothing,
        mask=np.full(FRAME, 255, np.uint8),
        by_hand=np.zeros(FRAME, bool),
        reading=reading,
        region=Region.whole(FRAME, FRAME),
        reference=nothing,
        shown=np.where(drawn(*SHORT), 255, 0).astype(np.uint8),
        reference_region=Region.whole(FRAME, FRAME),
        garment=Garment.UPPER,
    )


def laid(scene, places):
    """(H, W): where this flow lands on the shot's cloth, on the trunk or about the left arm."""
    down, aside = along_arm()
    about = (np.abs(aside) < 20) & (down < 75)
    return (warped((scene.shown > 127).astype(np.float32), places) > 0.5) & (
        about | (grid()[0] < SHOULDER[0])
    )


def end_of(covered):
    """How far down the left arm from its shoulder a sleeve ends: on its axis."""
    steps = np.arange(90)
    x, y = (SHOULDER[:, None] + ALONG[:, None] * steps).round().astype(int)
    return steps[covered[y, x]].max()


# ---------------------------------------------------------------------------------------- on the product shot


@pytest.mark.parametrize(("corners", "is_short"), [(SHORT, True), (CAP, True), (LONG, False)])
def test_the_sleeves_of_a_shot_are_what_is_beside_its_armpits(corners, is_short):
    cloth = drawn(*corners)
    trunk = drawn()
    found = sleeves_of(cloth)
    assert [sleeve.is_short for sleeve in found] == [is_short, is_short]
    both = found[0].cloth | found[1].cloth
    assert not (found[0].cloth & found[1].cloth).any()
    assert (both & trunk).sum() < 0.08 * both.sum() and (cloth & ~trunk & ~both).sum() < 0.08 * both.sum()


def test_what_has_no_sleeves_and_straps_have_none():
    strap = ((100, 20), (110, 20), (112, 40), (100, 40))
    assert sleeves_of(drawn()) == [] and sleeves_of(drawn(*strap)) == []
    assert sleeves_of(np.zeros(FRAME, bool)) == []


def test_a_skirt_that_flares_below_an_armpit_is_no_sleeve():
    flared = drawn(*SHORT)
    cv2.fillPoly(
        whole := flared.astype(np.uint8), [np.array([(72, 120), (120, 120), (180, 240), (12, 240)])], 1
    )
    for sleeve in sleeves_of(whole > 0):
        assert not sleeve.cloth[110:].any() and sleeve.is_short


# ---------------------------------------------------------------------------------------- on the photo


def test_a_sleeve_has_the_shot_s_own_outline_and_flow_where_the_flow_is_wavy(scene):
    places, straight = wavy(), places_at(*grid())
    covered = laid(scene, places)
    kept, flow = with_sleeves(scene, WORKING, covered, places)
    end = np.zeros(FRAME, bool)
    end[72:96, 124:160] = True
    own = laid(scene, straight)
    before, after = ((where ^ own)[end].sum() for where in (covered, kept))
    assert before > 40 and after < 0.6 * before
    off, was = (
        np.linalg.norm((given - straight)[end & own & kept], axis=-1).mean() for given in (flow, places)
    )
    assert off < 0.7 * was
    assert np.array_equal(kept[110:], covered[110:]) and np.array_equal(flow[110:], places[110:])


def test_a_short_sleeve_that_the_flow_stretches_ends_above_the_elbow(scene):
    long, usual = stretched(1.7), stretched(1.15)
    ends = [end_of(with_sleeves(scene, WORKING, laid(scene, places), places)[0]) for places in (long, usual)]
    assert end_of(laid(scene, long)) > 55 and 38 < ends[0] < 48
    assert ends[1] == pytest.approx(end_of(laid(scene, usual)), abs=2)


def test_a_cuff_that_the_flow_lays_askew_is_straight_across_the_arm(scene):
    (x, y), (_, aside) = grid(), along_arm()
    sheared = 0.7 * np.where(x >= SHOULDER[0], aside, 0)
    places = places_at(x + sheared * ALONG[0], y + sheared * ALONG[1])
    covered = laid(scene, places)
    kept, _ = with_sleeves(scene, WORKING, covered, places)
    slopes = []
    for where in (covered, kept):
        ends = [along_arm()[0][where & (np.abs(aside - at) < 0.5)].max() for at in range(-6, 7)]
        slopes.append(abs(np.polyfit(range(-6, 7), ends, 1)[0]))
    assert slopes[0] > 0.5 and slopes[1] < 0.35


def test_nothing_of_a_longer_sleeve_stays_below_its_new_end(scene):
    places = stretched(1.7)
    kept, _ = with_sleeves(scene, WORKING, laid(scene, places), places)
    below = (along_arm()[0] > 51) & (grid()[0] > 124)
    assert laid(scene, places)[below].sum() > 40 and not kept[below].any()


def test_an_arm_stays_in_its_sleeve(scene):
    thin = stretched(1.0, across=0.4)
    arm = np.isin(scene.reading.parts[..., 0], Part.LEFT_UPPER_ARM_OUTER)
    in_it = arm & (grid()[0] > 124) & (along_arm()[0] < 20)
    covered = laid(scene, thin) | in_it
    kept, _ = with_sleeves(scene, WORKING, covered, thin)
    assert kept[in_it].mean() > 0.97


def test_a_sleeve_becomes_no_wider_than_the_flow_laid_it(scene):
    wide = stretched(1.0, across=1.6)
    aside, beside = np.abs(along_arm()[1]), grid()[0] > 124
    kept, _ = with_sleeves(scene, WORKING, laid(scene, wide) & ((aside < 10) | ~beside), wide)
    assert (laid(scene, wide) & beside & (aside > 14)).sum() > 40
    assert not (kept & beside & (aside > 14)).any()


def test_what_the_shot_does_not_tell_stays(scene):
    places = wavy()
    covered = laid(scene, places)
    torn = places + np.random.default_rng(0).normal(0, 0.2, places.shape).astype(np.float32)
    armless = replace(scene.reading, parts=np.zeros_like(scene.reading.parts))
    for given, flow in (
        (replace(scene, is_worn=True), places),
        (replace(scene, shown=np.where(drawn(), 255, 0).astype(np.uint8)), places),
        (replace(scene, reading=armless), places),
        (scene, torn),
    ):
        kept, same = with_sleeves(given, WORKING, covered, flow)
        assert np.array_equal(kept, covered) and np.array_equal(same, flow)
