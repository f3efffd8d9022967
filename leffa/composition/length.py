"""How far down a garment reaches: by the proportions of its product shot, where a body tells its own.

The refinement has seen only drawn clothes, and lays most dresses to the calf. What it says of chest and waist
is right to a few pixels, and from there a garment's length follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leffa.composition.canvas import FRAME, Maps, framed_mask, warped
from leffa.composition.reading import LOWER_ARMS
from leffa.composition.scene import Scene
from leffa.config import Garment
from leffa.model.refinement import Refined, Shows
from leffa.preprocess.garment.measure import measure_silhouette
from leffa.preprocess.labels import Part, parts_named

TORSO = (Part.TORSO_FRONT, Part.TORSO_BACK)
UPPER_LEGS = parts_named("UPPER_LEG")
LOWER_LEGS = parts_named("LOWER_LEG")
BODICE = (0.25, 0.85)  # of a torso from its top: where the flow is believed, away from neck and hips
EDGE = 4  # px of the frame, at the sides of a torso, where it is not
SMOOTH = 2.0  # px of the frame that a flow's slope is taken over
LEAST_TORSO = 150  # px of the frame: fewer tell no slope
BY_WIDTH, BY_HEIGHT = 0.41, 0.86
"""Knees, as ``Legs.drop`` has them, per width and height of a torso. Set by eye on the eight dresses of 30
photographs: cloth lies flat on its product shot and around the body on a photo, and knees are at the same
height in all sizes."""
USUAL = (0.8, 1.25)  # of a torso's height from its middle to the knees: others sit, or are not seen whole
MOST_CHANGE = (0.75, 1.3)  # of what hangs below the waist
SURELY_SHORTER, LEAST_CHANGE = 0.9, 0.04  # of it
SLEEVED = 0.5  # of the lower arms: on a shot long sleeves hang beside a dress, and its width tells nothing
FULL_LENGTH = 2.45  # widths of a waist: trousers that long reach the ankle
HEM = 0.25  # of its greatest width that a garment still has at its hem
HEEL = 1.5  # px of the frame above the ankle, or above what is not repainted, that a long hem ends
MOST_SHUT = 0.1  # of the width of legs that the mask may leave out above a hem


@dataclass(frozen=True)
class Body:
    """Rows of the frame: middle of the torso, its height and width, where legs begin, knees and ankles."""

    middle: float
    height: float
    width: float
    hips: float
    knees: float
    ankles: float

    @classmethod
    def of(cls, scene: Scene) -> "Body | None":
        """Of somebody who stands upright, with torso and legs in the picture; else None."""
        torso, upper, lower = (_framed(scene, parts) for parts in (TORSO, UPPER_LEGS, LOWER_LEGS))
        if min(torso.sum(), upper.sum(), lower.sum()) < LEAST_TORSO:
            return None
        top, end = _rows(torso)
        first, last = _rows(lower)
        wide = torso.sum(1)[round(top + 0.1 * (end - top)) : round(top + 0.5 * (end - top))]
        found = cls((top + end) / 2, end - top, float(np.percentile(wide, 85)), _rows(upper)[0], first, last)
        drop = (found.knees - found.middle) / max(found.height, 1)
        return found if USUAL[0] < drop < USUAL[1] and found.ankles > found.knees else None


def of_its_length(scene: Scene, refined: Refined) -> Refined:
    """What the refinement says, drawn up or down below the waist so that the hem is where it belongs."""
    if scene.garment not in (Garment.DRESS, Garment.LOWER) or scene.is_worn:
        return refined
    body = Body.of(scene)
    said = refined.shows[0].argmax(0).numpy() == Shows.GARMENT
    laid = laid_on_shot(scene, refined)
    if body is None or not laid.any():
        return refined
    if scene.garment is Garment.LOWER:
        return _trousers(scene, refined, said, laid, body)
    places = scene.reference_region.places(refined.flow[0].numpy())
    start, hem, wanted = body.middle, _hem(laid), _dress_hem(scene, places, body)
    if wanted is None or hem <= start:
        return refined
    if wanted > hem:
        wanted = max(hem, min(wanted, _room(scene, body)))
    share = float(np.clip((wanted - start) / (hem - start), *MOST_CHANGE))
    arms = _framed(scene, LOWER_ARMS) > 0
    is_shorter = share < SURELY_SHORTER and said[arms].sum() <= SLEEVED * arms.sum()
    if not is_shorter and share < 1 + LEAST_CHANGE:
        return refined
    return _drawn(refined, said, start, hem, start + share * (hem - start), body.ankles)


def _hem(laid: NDArray[np.bool_]) -> float:
    """Row of the frame at which what is laid (h, w) ends."""
    widths = laid.sum(1)
    return float(np.flatnonzero(widths > HEM * widths.max())[-1] + 1)


def _trousers(
    scene: Scene, refined: Refined, said: NDArray[np.bool_], laid: NDArray[np.bool_], body: Body
) -> Refined:
    """Trousers of full length drawn down to the ankle, each leg to its own; others as they are."""
    measure = measure_silhouette(scene.shown > 127, Garment.LOWER)
    if measure is None or measure.body_length < FULL_LENGTH:
        return refined
    room, start = _room(scene, body), body.knees
    legs = np.stack([_framed(scene, parts_named(side, "LEG")) for side in ("LEFT", "RIGHT")])
    away = [cv2.distanceTransform(1 - _down_from(leg), cv2.DIST_L2, 5) for leg in legs]
    shows, flow = refined.shows.clone(), refined.flow.movedim(-1, 1).clone()
    for leg, own in zip(legs, (away[0] <= away[1], away[0] > away[1]), strict=True):
        if leg.sum() < LEAST_TORSO or not (laid & own).any():
            continue
        ankle, hem = _rows(leg)[1], _hem(laid & own)
        wanted = min(max(hem, min(ankle, room)), start + MOST_CHANGE[1] * (hem - start))
        if hem > start and wanted - start > (1 + LEAST_CHANGE) * (hem - start):
            drawn = _drawn(refined, said, start, hem, wanted, ankle)
            here = torch.from_numpy(own)
            shows, flow = (
                torch.where(here, new, kept)
                for new, kept in ((drawn.shows, shows), (drawn.flow.movedim(-1, 1), flow))
            )
    return Refined([flow.float()], shows.float())


def laid_on_shot(scene: Scene, refined: Refined) -> NDArray[np.bool_]:
    """(h, w) of the frame: where the garment is said to be and the flow ends on it."""
    said: NDArray[np.bool_] = refined.shows[0].argmax(0).numpy() == Shows.GARMENT
    places = scene.reference_region.places(refined.flow[0].numpy())
    return said & (warped(scene.shown.astype(np.float32), places) > 127)


def shot_pixels(scene: Scene, places: Maps) -> Maps:
    """A flow (h, w, 2) in pixels of the product shot, smoothed for its slopes."""
    height, width = scene.shown.shape
    on_shot = ((places + 1) / 2 * (width, height)).astype(np.float32)
    return cv2.GaussianBlur(on_shot, (0, 0), SMOOTH)


def bodice_of(scene: Scene) -> NDArray[np.bool_]:
    """(h, w) of the frame: the torso where the flow is believed."""
    bodice = _framed(scene, TORSO)
    top, end = _rows(bodice)
    bodice[: round(top + BODICE[0] * (end - top))] = 0
    bodice[round(top + BODICE[1] * (end - top)) :] = 0
    inner: NDArray[np.bool_] = cv2.erode(bodice, np.ones((1, 2 * EDGE + 1), np.uint8)) > 0
    return inner


def _dress_hem(scene: Scene, places: Maps, body: Body) -> float | None:
    """Row of the frame at which a dress ends, by the flow (h, w, 2) over its bodice."""
    on_shot, inner = shot_pixels(scene, places), bodice_of(scene)
    if inner.sum() < LEAST_TORSO:
        return None
    across = float(np.median(np.gradient(on_shot[..., 0], axis=1)[inner]))
    down = float(np.median(np.gradient(on_shot[..., 1], axis=0)[inner]))
    row = round(body.middle)
    middle = on_shot[row - 1 : row + 2, :, 1][inner[row - 1 : row + 2]]
    if min(across, down) <= 0 or not len(middle):
        return None
    rows = (scene.shown > 127).sum(1)
    below = float(np.flatnonzero(rows > HEM * rows.max())[-1] - np.median(middle))
    knees = max(BY_WIDTH * below / (across * body.width), BY_HEIGHT * below / (down * body.height))
    return min(body.middle + knees * (body.knees - body.middle), body.ankles - HEEL)


def _down_from(leg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A leg (h, w) in {0, 1} that goes on straight below its end."""
    longer = leg.copy()
    if leg.any():
        last = int(_rows(leg)[1]) - 1
        longer[last:] = leg[last]
    return longer


def _room(scene: Scene, body: Body) -> float:
    """Row of the frame down to which the mask covers the whole width of the legs."""
    legs = _framed(scene, LOWER_LEGS) > 0
    closed = legs & ~(framed_mask(scene.mask, scene.region)[0, 0].numpy() > 0)
    shut = np.flatnonzero(closed.sum(1) > MOST_SHUT * np.maximum(legs.sum(1), 1))
    return float(shut[shut > body.knees].min(initial=FRAME[0])) - HEEL


def _drawn(
    refined: Refined, said: NDArray[np.bool_], start: float, hem: float, wanted: float, ankles: float
) -> Refined:
    """``refined`` with its rows between ``start`` and ``hem`` laid between ``start`` and ``wanted``.

    Above the new hem nothing that was covered is laid bare: the body is there.
    """
    rows = np.arange(FRAME[0], dtype=np.float32)
    last = max(ankles, hem, wanted) + 2
    source = torch.from_numpy(
        np.interp(rows, (0, start, wanted, last, FRAME[0]), (0, start, hem, last, FRAME[0]))
    )
    shows, flow = (_at_rows(values, source) for values in (refined.shows, refined.flow.movedim(-1, 1)))
    covered = shows[0].argmax(0).numpy() == Shows.GARMENT
    above = np.maximum.accumulate(covered[::-1], axis=0)[::-1]
    kept = torch.from_numpy(said & ~covered & above)
    return Refined([flow.float()], torch.where(kept, refined.shows, shows).float())


def _at_rows(values: Tensor, rows: Tensor) -> Tensor:
    """(B, C, H, W) read at rows (H,), in between linearly."""
    low = rows.floor().long().clamp(0, values.shape[2] - 1)
    high = (low + 1).clamp(max=values.shape[2] - 1)
    part = (rows - low)[:, None]
    return values[:, :, low] * (1 - part) + values[:, :, high] * part


def _framed(scene: Scene, parts: Sequence[Part]) -> NDArray[np.uint8]:
    """(h, w) in {0, 1}: parts of the body in the networks' frame."""
    of_body = np.where(np.isin(scene.reading.parts[..., 0], parts), 255, 0).astype(np.uint8)
    framed: Tensor = framed_mask(of_body, scene.region)
    return framed[0, 0].numpy().astype(np.uint8)


def _rows(where: Maps | NDArray[np.uint8]) -> tuple[float, float]:
    """First and last row of what is somewhere."""
    found = np.flatnonzero(where.any(1))
    return float(found[0]), float(found[-1] + 1)
