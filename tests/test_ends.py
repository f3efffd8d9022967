"""Necks, hems and waists: where a garment ends on a photo, as its product shot and the photo tell."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from PIL import Image

from leffa.composition import Reading, Scene
from leffa.composition.canvas import FRAME, Working
from leffa.composition.hems import with_its_hem
from leffa.composition.necks import with_its_neck
from leffa.composition.steady import steady
from leffa.composition.waists import at_the_waist
from leffa.config import Garment
from leffa.framing import Region
from leffa.model.flow import coordinates
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.parsing import Seen

WHOLE = Region.whole(FRAME, FRAME)
WORKING = Working.of(WHOLE)
ROWS, COLUMNS = np.mgrid[: FRAME[0], : FRAME[1]]
STRAIGHT = coordinates(*FRAME).numpy().astype(np.float32)
WAVES = (3 * np.sin(COLUMNS / 5)[..., None] * 2 / np.array(FRAME[::-1])).astype(np.float32)


def box(top, bottom, left, right):
    return (top <= ROWS) & (bottom > ROWS) & (left <= COLUMNS) & (right > COLUMNS)


def laid(shot, places):
    """(H, W): where a flow lands on a shot of the frame's size."""
    columns, rows = (((places[..., i] + 1) * FRAME[1 - i] / 2 - 0.5).astype(np.float32) for i in (0, 1))
    return cv2.remap(shot.astype(np.float32), columns, rows, cv2.INTER_LINEAR) > 0.5


def byte(where):
    return np.where(where, 255, 0).astype(np.uint8)


def somebody(shot, garment=Garment.UPPER, person=None, picture=None, **seen):
    """Somebody, a box of the frame, who wears what is ``seen`` there, and a product shot of the same size.

    picture  (H, W) uint8 gray, the photo
    """
    shares = torch.zeros(1, len(Seen), *FRAME)
    for name, where in seen.items():
        shares[0, Seen[name]] = torch.from_numpy(where).float()
    shares[0, Seen.GROUND] = 1 - shares.sum(1)[0]
    parts = np.zeros((*FRAME, 3), np.uint8)
    parts[box(50, 150, 50, 140), 0] = Part.TORSO_FRONT
    person = box(30, 256, 40, 150) if person is None else person
    none = torch.zeros(*FRAME)
    photo = np.full(FRAME, 128, np.uint8) if picture is None else picture
    return Scene(
        photo=Image.fromarray(np.dstack([photo] * 3)),
        mask=byte(box(0, 256, 0, 192)),
        by_hand=np.zeros(FRAME, bool),
        reading=Reading(
            seen=shares, silhouette=byte(person), parts=parts, body=torch.zeros(1, 3, *FRAME), held=none
        ),
        region=WHOLE,
        reference=Image.new("RGB", FRAME[::-1]),
        shown=byte(shot),
        reference_region=WHOLE,
        garment=garment,
    )


def test_a_steady_flow_is_a_parabola_s_own_though_a_tenth_of_it_is_far_off():
    x, y = STRAIGHT[..., 0], STRAIGHT[..., 1]
    bent = np.stack([0.8 * x + 0.1 * y * y, y - 0.2 * x * x + 0.05 * x * y], -1).astype(np.float32)
    off = bent + np.where(box(60, 70, 0, 192)[..., None], 0.5, 0).astype(np.float32)
    there = box(50, 150, 50, 140)
    assert np.abs(steady(off, there) - bent)[there].max() < 0.02
    assert np.array_equal(steady(off, np.zeros(FRAME, bool)), off)


def test_a_neckline_is_the_product_shot_s_though_the_flow_about_it_waves():
    """A shot of the frame's size, laid as it is but for waves of three px; some of a shoulder is missed."""
    shot = box(50, 220, 46, 146) & ~(np.hypot((COLUMNS - 96) / 22, (ROWS - 50) / 16) < 1)
    places = (STRAIGHT + WAVES * (ROWS < 120)[..., None]).astype(np.float32)
    scene, missed = somebody(shot), box(50, 56, 62, 70)
    frayed = laid(shot, places) & ~missed
    kept, flow = with_its_neck(scene, WORKING, frayed, places)
    near = box(50, 75, 62, 130)
    assert (kept != shot)[near].sum() < 0.5 * (frayed != shot)[near].sum() and kept[51:56, 63:70].all()
    beside = kept & box(68, 80, 70, 122)
    assert np.abs(flow - STRAIGHT)[beside].mean() < 0.4 * np.abs(WAVES).mean()
    closed_up = replace(scene, shown=byte(box(50, 220, 46, 146)))
    for unknown in (closed_up, replace(scene, is_worn=True)):
        kept, same = with_its_neck(unknown, WORKING, frayed, places)
        assert np.array_equal(kept, frayed) and np.array_equal(same, places)


def test_a_hem_is_the_product_shot_s_though_the_flow_about_it_waves():
    """Its corners are corners, it is no wider than it was, and one far from where it was laid stays."""
    shot = box(50, 200, 46, 146)
    scene = somebody(shot, Garment.DRESS)
    places = (STRAIGHT + WAVES * [0, 1] * (ROWS > 120)[..., None]).astype(np.float32)
    cut = box(196, 200, 46, 52) | box(196, 200, 140, 146)
    frayed = laid(shot, places) & ~cut
    kept, flow = with_its_hem(scene, WORKING, frayed, places)
    low = box(180, 215, 0, 192)
    assert (kept != shot)[low].sum() < 0.4 * (frayed != shot)[low].sum() and not kept[:, :45].any()
    assert np.abs(flow - STRAIGHT)[kept & low].mean() < 0.4 * np.abs(WAVES).mean()
    assert np.array_equal(kept[:150], frayed[:150])
    shorter = frayed & box(0, 170, 0, 192)
    assert np.array_equal(with_its_hem(scene, WORKING, shorter, places)[0], shorter)
    worn = with_its_hem(replace(scene, is_worn=True), WORKING, frayed, places)
    assert np.array_equal(worn[0], frayed) and np.array_equal(worn[1], places)


def test_trousers_begin_below_a_jacket_that_hangs_over_them_and_at_the_old_ones_otherwise():
    """The jacket, dark, ends at row 110; trousers are laid from row 90 on, or from 108."""
    jacket, old = box(40, 110, 50, 140), box(110, 240, 60, 130)
    photo = np.where(jacket, 40, np.where(old, 200, 128)).astype(np.uint8)
    scene = somebody(old, Garment.LOWER, picture=photo, UPPER=jacket, LOWER=old)
    trousers = box(90, 240, 60, 130)
    _, waist = at_the_waist(scene, WORKING, trousers, old)
    assert (waist[92:106, 62:128] > 0.9).all() and not waist[110:].any()
    _, waist = at_the_waist(scene, WORKING, box(108, 240, 60, 130), old)
    assert not (waist[108:] > 0.5).any()  # what is read as a top's last rows may be a waistband


def test_what_is_read_as_a_top_in_the_midst_of_trousers_is_none():
    top, old, belly = box(40, 90, 50, 140), box(130, 240, 60, 130), box(100, 120, 80, 110)
    scene = somebody(old, Garment.LOWER, UPPER=top | belly, LOWER=old)
    _, waist = at_the_waist(scene, WORKING, box(88, 240, 60, 130), old)
    assert not waist[96:].any()
