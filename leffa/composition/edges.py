"""Where what was read ends: shares of a frame at the working size, with the photo's own edges."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.composition.canvas import Maps, Working, sized
from leffa.composition.reading import Reading
from leffa.preprocess.offline.drawing import grown, joined_to
from leffa.preprocess.offline.parsing import CLOTHES, Seen

SPECK = 1.2  # px of the frame: what is narrower is no garment, but the edge of something else
GUIDE_RADIUS = 2.0  # px of the frame: of the guided filter
GUIDE_EDGE = 0.02  # contrast of an edge worth keeping
EDGE, EDGE_AROUND = 2.5, 3.5  # px of the frame: how far an edge may be misread; colours beside it are from
COARSE = 2.5  # px, sigma: wider blurs are made of a smaller picture
TOLD_EDGE = 18.0  # in Lab: so different, colours tell
LEAST_AROUND = 0.01  # share of what is around that is sure
MOTLEY = 2.5  # times: colours that differ less than this from what is beside, as its own do, tell nothing


def share_of(photo: Image.Image, reading: Reading, working: Working, parts: Sequence[Seen]) -> Maps:
    """(H, W) in [0, 1] at the working size: share of these in a pixel, with the photo's own edges.

    Kept in ``working``, which is of one composition: not to be changed.
    """
    key = (id(reading), *sorted(map(int, parts)))
    if key not in working.shares:
        working.shares[key] = at_edges(photo, working, reading.seen[0, list(parts)].sum(0))
    return working.shares[key]


def by_colours(
    photo: Image.Image, reading: Reading, working: Working, part: Seen, within: NDArray[np.bool_]
) -> Maps:
    """(H, W) in [0, 1] at the working size: share of a part; where it ends, the colours on both sides tell.

    within  (H, W): where it is wanted; elsewhere 0
    """
    share = share_of(photo, reading, working, (part,))
    told, wanted = share.copy(), within & (share > 0.5)
    if wanted.any():
        room = round((EDGE + 3 * EDGE_AROUND) * working.zoom)
        rows, columns = (np.flatnonzero(wanted.any(axis)) for axis in (1, 0))
        here = tuple(slice(max(0, at[0] - room), at[-1] + 1 + room) for at in (rows, columns))
        clothes = share_of(photo, reading, working, [cloth for cloth in CLOTHES if cloth is not part])
        ground = share_of(photo, reading, working, (Seen.GROUND,))
        held = working.unframed(reading.held[None])[..., 0] > 0.5
        lab = cv2.cvtColor(working.cut(np.asarray(photo.convert("RGB")))[here] / 255, cv2.COLOR_RGB2LAB)
        others = ((clothes > 0.5) & ~held)[here], (ground > 0.5)[here]
        told[here] = _told_by_colours(share[here], others, lab, working.zoom)
    return told * within


def _told_by_colours(share: Maps, others: Sequence[NDArray[np.bool_]], lab: Maps, zoom: float) -> Maps:
    """Near an edge a pixel is as much of the part as its colour is on the way to the part's from the other's.

    share, others  (h, w) in [0, 1], of the part; (h, w) each, what may lie beside it
    """
    inside = share > 0.5
    own, known, _ = _colours_around(lab, inside & ~grown(~inside, EDGE * zoom), zoom)
    told, any_told = np.ones_like(share), np.zeros_like(inside)
    for other in others:
        beside, there, spread = _colours_around(lab, other & ~grown(~other, EDGE * zoom), zoom)
        way = own - beside
        apart = _dot(way, way)
        valid = known & there & (apart > np.maximum(TOLD_EDGE, MOTLEY * spread) ** 2)
        along = _dot(lab - beside, way) / np.maximum(apart, 1.0)
        told = np.where(valid, np.minimum(told, np.clip(2 * along - 0.5, 0, 1)), told)
        any_told |= valid
    near = grown(inside, EDGE * zoom) & grown(~inside, EDGE * zoom)
    told = np.where(near & any_told, told, share).astype(np.float32)
    core = inside & ~near
    whole, hands = (joined_to(where, core) for where in (told > 0.5, inside))
    result = np.where(grown(whole, 1) | ~near, told, 0)
    return np.where(inside & ~hands, share, result).astype(np.float32)  # too thin to tell


def _colours_around(lab: Maps, where: NDArray[np.bool_], zoom: float) -> tuple[Maps, NDArray[np.bool_], Maps]:
    """(H, W, 3) mean colour of what of ``where`` is near; (H, W) whether any is; its colours' spread."""
    there = where[..., None].astype(np.float32)
    colours = _blurred(lab * there, EDGE_AROUND * zoom)
    squares = _dot(lab, lab)[..., None]
    rest = _blurred(np.dstack([squares * there, there]), EDGE_AROUND * zoom)
    share = np.maximum(rest[..., 1:], 1e-4)
    means, square = colours / share, rest[..., 0] / share[..., 0]
    spread = np.sqrt(np.maximum(square - _dot(means, means), 0))
    return means, rest[..., 1] > LEAST_AROUND, spread


def _dot(one: Maps, other: Maps) -> Maps:
    """(H, W) of (H, W, C): a sum over few channels is slow otherwise."""
    return np.einsum("hwc,hwc->hw", one, other)


def _blurred(values: Maps, sigma: float) -> Maps:
    """(H, W, C), C at most 4: wide blurs are made of a smaller picture."""
    coarse = max(1, int(sigma / COARSE))
    small = sized(values, [-(-side // coarse) for side in values.shape[:2]])
    blurred: Maps = sized(cv2.GaussianBlur(small, (0, 0), sigma / coarse), values.shape[:2])
    return blurred


def at_edges(photo: Image.Image, working: Working, share: Tensor) -> Maps:
    """(H, W) in [0, 1] at the working size: a share (h, w) in the frame, with the photo's own edges.

    What the filter knows of the photo is kept in ``working``, which is of one composition.
    """
    if working.guided is None:
        guide = working.cut(np.asarray(photo)).astype(np.uint8)
        radius = max(2, round(GUIDE_RADIUS * working.zoom))
        working.guided = cv2.ximgproc.createGuidedFilter(guide, radius, (255 * GUIDE_EDGE) ** 2)
    rough = working.unframed(share[None])[..., 0].clip(0, 1)
    filtered: Maps = working.guided.filter(rough)
    return filtered.clip(0, 1)
