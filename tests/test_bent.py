"""Long sleeves are laid anew along their arms where the flow swirls, and only there."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from leffa.composition import Reading, Scene
from leffa.composition.bent import along_bent_arms
from leffa.composition.canvas import FRAME, Working
from leffa.config import Garment
from leffa.framing import Region
from leffa.model.flow import coordinates
from leffa.preprocess.labels import Part

WHOLE = Region.whole(FRAME, FRAME)
WORKING = Working.of(WHOLE)
STRAIGHT = coordinates(*FRAME).numpy().astype(np.float32)
SLEEVE = ((120, 40), (146, 62), (150, 190), (134, 190), (126, 76))  # from its shoulder to its armpit
ARM = {
    Part.LEFT_UPPER_ARM_INNER: ((132, 58), (141, 120)),
    Part.LEFT_LOWER_ARM_INNER: ((141, 121), (142, 184)),
    Part.LEFT_HAND: ((142, 190), (142, 204)),
}


def picture(where):
    return np.where(where, 255, 0).astype(np.uint8)


def dressed(*sleeve):
    """Somebody whose arm hangs in the ``sleeve`` of a shot of the frame's size, as it lies there."""
    cloth = np.zeros(FRAME, np.uint8)
    cloth[40:200, 72:121] = 1
    for corners in (sleeve, [(192 - x, y) for x, y in sleeve]):
        cv2.fillPoly(cloth, [np.array(corners, np.int32)], 1)
    parts = np.zeros((*FRAME, 3), np.uint8)
    parts[45:200, 76:118, 0] = Part.TORSO_FRONT
    for part, (start, end) in ARM.items():
        drawn = cv2.line(np.zeros(FRAME, np.uint8), start, end, 1, 10)
        parts[drawn > 0, 0] = part
    none = torch.zeros(*FRAME)
    gray = Image.new("RGB", FRAME[::-1], "gray")
    reading = Reading(
        seen=torch.zeros(1, 10, *FRAME),
        body=torch.zeros(1, 3, *FRAME),
        silhouette=picture((parts[..., 0] > 0) | (cloth > 0)),
        parts=parts,
        held=none,
    )
    scene = Scene(
        photo=gray,
        mask=np.full(FRAME, 255, np.uint8),
        by_hand=np.zeros(FRAME, bool),
        reading=reading,
        region=WHOLE,
        reference=gray,
        shown=picture(cloth > 0),
        reference_region=WHOLE,
        garment=Garment.UPPER,
    )
    return scene, cloth > 0


def swirled():
    """The flow as it is, but that the lower half of the left sleeve is turned upside down."""
    rows, columns = np.indices(FRAME)
    turned = STRAIGHT.copy()
    turned[..., 1] = 2 * STRAIGHT[130, 0, 1] - STRAIGHT[..., 1]
    return np.where(((columns > 128) & (rows > 90))[..., None], turned, STRAIGHT).astype(np.float32)


def test_a_sleeve_that_swirls_is_laid_along_its_arm():
    scene, covered = dressed(*SLEEVE)
    kept, flow = along_bent_arms(scene, WORKING, covered, swirled())
    on_arm = (slice(100, 180), 142)
    off = np.abs(flow[on_arm] - STRAIGHT[on_arm]) * np.array(FRAME[::-1]) / 2
    assert off.max() < 10 and np.abs(swirled()[on_arm] - STRAIGHT[on_arm]).max() * FRAME[0] / 2 > 50
    assert (np.diff(flow[on_arm][:, 1]) > 0).all()  # from the shoulder to the wrist, and never back
    assert kept[100:180, 138:146].all() and (kept != covered).mean() < 0.02
    assert np.array_equal(flow[:, 60:110], swirled()[:, 60:110])


@pytest.mark.parametrize("why", ["the flow is good", "worn there", "no hand is seen", "short"])
def test_all_else_stays_to_the_byte(why):
    short = ((120, 40), (148, 76), (135, 88), (120, 70))
    scene, covered = dressed(*(short if why == "short" else SLEEVE))
    places = STRAIGHT if why == "the flow is good" else swirled()
    if why == "no hand is seen":
        parts = scene.reading.parts.copy()
        parts[parts == Part.LEFT_HAND] = 0
        scene = replace(scene, reading=replace(scene.reading, parts=parts))
    scene = replace(scene, is_worn=why == "worn there")
    kept, flow = along_bent_arms(scene, WORKING, covered, places)
    assert np.array_equal(kept, covered) and np.array_equal(flow, places)
