"""How wide a skirt falls: by the proportions of its product shot.

The refinement, which has seen only drawn clothes, lays most skirts as tubes about the legs. What it says of
chest and waist is right to a few pixels; how much wider a skirt is at its hem, its product shot tells.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from leffa.composition.canvas import FRAME, framed_mask
from leffa.composition.length import Body, bodice_of, laid_on_shot, shot_pixels
from leffa.composition.scene import Scene
from leffa.config import Garment
from leffa.model.refinement import Refined

MOST_FLARE = 1.6  # times the width that the refinement says
EVEN = 8.0  # px of the frame over which a skirt's sides are smoothed
CORNER, MOST_CORNER = 8, 1.2  # rows of the frame at a hem that come to the width above; times as wide at most
STEEPEST = 0.7  # px that a skirt's side goes out per row
RAMP = 0.4  # of a skirt's length below the hips, over which it comes to its width
BESIDE = 2.0  # px of the frame that the mask reaches beyond a skirt
HEM = 0.02  # of a product shot's height: so near to its end a garment is no longer as wide as it is
LEAST_ROWS = 12  # of the frame: shorter skirts do not flare
MOST_GAP = 0.05  # of its width that a skirt's product shot may leave open: trousers have legs


@dataclass(frozen=True)
class Span:
    """What a map (h, w) has about the middle of each row: middle and half width, (h,); 0 where nothing."""

    middle: NDArray[np.float64]
    half: NDArray[np.float64]

    @classmethod
    def of(cls, where: NDArray[np.bool_]) -> "Span":
        middle, half = (np.zeros(len(where)) for _ in range(2))
        for row, columns in enumerate(where):
            found = np.flatnonzero(columns)
            if not len(found):
                continue
            centre = found[len(found) // 2]
            left, right = _reach(columns, centre)
            middle[row], half[row] = centre + (right - left) / 2, (left + right - 1) / 2
        return cls(middle, half)


def _reach(columns: NDArray[np.bool_], centre: int) -> tuple[int, int]:
    """How many columns from ``centre`` on, itself included, are of its piece, to the left and right."""
    sides = columns[centre::-1], columns[centre:]
    left, right = (len(side) if side.all() else int(side.argmin()) for side in sides)
    return left, right


def of_its_width(scene: Scene, refined: Refined) -> Refined:
    """What the refinement says, drawn wider below the hips where the product shot flares."""
    if scene.garment not in (Garment.DRESS, Garment.LOWER) or scene.is_worn:
        return refined
    body = Body.of(scene)
    laid = laid_on_shot(scene, refined)
    if body is None or not laid.any() or not _is_skirt(scene):
        return refined
    hips, hem = round(body.hips), int(np.flatnonzero(laid.any(1))[-1]) + 1
    places = scene.reference_region.places(refined.flow[0].numpy())
    bodice = bodice_of(scene) & laid if scene.garment is Garment.DRESS else _top_of(laid)
    if hem - hips < LEAST_ROWS or not bodice.any():
        return refined
    on_shot = shot_pixels(scene, places)
    across = float(np.median(np.gradient(on_shot[..., 0], axis=1)[bodice]))
    if across <= 0:
        return refined
    span = Span.of(laid)
    rows = np.arange(hips, hem)
    middles = span.middle[rows].astype(int)
    of_shot = Span.of(scene.shown > 127).half
    shot_hem = int((1 - HEM) * np.flatnonzero(of_shot)[-1])
    there = np.clip(np.rint(on_shot[rows, middles, 1]).astype(int), 0, shot_hem)
    said = np.maximum(span.half, 1)
    squared = said.copy()
    squared[hem - CORNER : hem] = np.maximum.accumulate(said[hem - CORNER : hem])
    share = np.ones(FRAME[0])
    share[rows] = np.clip(of_shot[there] / (across * squared[rows]), 1, MOST_FLARE)
    share[rows] = 1 + (share[rows] - 1) * np.clip((rows - hips) / (RAMP * (hem - hips)), 0, 1)
    share[hem:] = share[hem - 1]
    share = cv2.GaussianBlur(share[:, None], (0, 0), EVEN)[:, 0]
    share *= np.minimum(squared / said, MOST_CORNER)
    room = _room(scene, span) * said
    room[hem - CORNER :] = room[hem - CORNER]  # at its corners a skirt is less wide, not its room
    for row in rows[1:]:  # no step where the mask has one
        room[row] = min(room[row], room[row - 1] + STEEPEST)
    room[rows] = np.minimum.accumulate(room[rows][::-1])[::-1]  # nor a belly
    return _drawn(refined, span, np.maximum(np.minimum(share, room / said), 1))


def _is_skirt(scene: Scene) -> bool:
    """Whether the lower half of the product shot is in one piece."""
    shown = scene.shown > 127
    rows = np.flatnonzero(shown.any(1))
    lower = shown[(rows[0] + rows[-1]) // 2 : rows[-1] + 1]
    held = 2 * Span.of(lower).half
    return bool(np.median(held / np.maximum(lower.sum(1), 1)) > 1 - MOST_GAP)


def _top_of(laid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The upper quarter of what is laid, about its waist, (h, w)."""
    rows = np.flatnonzero(laid.any(1))
    top = laid.copy()
    top[rows[0] + (rows[-1] - rows[0]) // 4 :] = False
    return top


def _room(scene: Scene, span: Span) -> NDArray[np.float64]:
    """(h,): how many times as wide each row may become within the mask."""
    mask = framed_mask(scene.mask, scene.region)[0, 0].numpy() > 0
    room = np.ones(len(mask))
    for row in np.flatnonzero(span.half):
        narrower = min(_reach(mask[row], int(span.middle[row])))
        room[row] = max(1.0, (narrower - BESIDE) / span.half[row])
    room[span.half == 0] = MOST_FLARE
    return room


def _drawn(refined: Refined, span: Span, share: NDArray[np.float64]) -> Refined:
    """``refined`` with each row's ``span`` ``share`` (h,) times as wide, and the rest beside it."""
    height, width = FRAME
    columns = np.arange(width)[None] - span.middle[:, None]
    half = span.half[:, None]
    inner = columns / share[:, None]
    outer = columns - np.sign(columns) * half * (share[:, None] - 1)
    source = span.middle[:, None] + np.where(np.abs(inner) <= half, inner, outer)
    x = torch.from_numpy((2 * source + 1) / width - 1)
    y = torch.from_numpy(np.broadcast_to((2 * np.arange(height)[:, None] + 1) / height - 1, x.shape).copy())
    places = torch.stack([x, y], -1)[None].float()
    shows, flow = (
        F.grid_sample(values.float(), places, padding_mode="border", align_corners=False)
        for values in (refined.shows, refined.flow.movedim(-1, 1))
    )
    return Refined([flow], shows)
