"""The front of a garment on its product shot: what of it can be seen when it is worn."""

import itertools

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leffa.composition.canvas import FRAME, Maps, sized
from leffa.composition.cloth import LONGEST, small_mask
from leffa.composition.flows import between
from leffa.config import Garment
from leffa.framing import Box
from leffa.images import Letterbox, to_tensor
from leffa.preprocess.garment.parsing import ABOVE_NECK, NECK_WIDE, ShotParser, ShotPart
from leffa.preprocess.offline.drawing import closed, disc, opened

ROOM = 0.08  # of the garment's longer side: what is looked at around it
MOST_TAKEN = 0.065  # of what colours tell to be garment: more is no ground that came along
THICK = 7.0  # px of a shot ``LONGEST`` px long: half the width of the widest strip of ground that came along
SURE, LIKELY = 0.9, 0.7  # share of a pixel that is cloth; that is ground
SHADOW, LIGHT, TINGE = 25.0, 6.0, 6.0  # in Lab: darker, lighter, of another hue than the ground between legs
ALIKE = 0.12  # share of a garment that looks like its ground, above which nobody can tell
BESIDE_GAP = 0.06  # of a garment's width: how far beside the gap between its legs that gap may go on
CUT_OFF = 0.1  # share of a side of what is looked at: more garment than that goes on beyond it
NOTCH = 24  # px of a shot ``LONGEST`` px long: what is lost
MOST_TOLD = 3.0  # logarithm that one pixel tells of a neck at most
MIDDLES = np.linspace(-0.06, 0.06, 7)  # of the look's width: how far a neck's middle is off the garment's
WIDTHS = np.linspace(0.06, 0.45, 27)  # of that width: half a neck's
DEPTHS = np.geomspace(0.02, 0.65, 36)  # of its height: how far a neck reaches below the shoulders' line
SHAPES = (1.0, 1.4, 2.0, 3.0, 5.0)  # exponents of its edge: from a V to a U
DOUBTS = (1.4, 1.0, 0.5, 0.5, 0.5)  # logarithm that what is read is believed less: most blots fit into a V
DEEPEST = 1.2  # of its width: a neck's depth; a placket or a bow reaches further
SURE_STEP = 2.0  # in Lab per px: where one colour ends and another begins
SMOOTH = 1.0  # px over which a colour's slope is measured
OUTLINE = 3.0  # px off the garment's outline: nearer to it a step is the ground's
STEEPEST = 3.0  # px of an edge that one column tells of at most
STEP_TELLS = 12.0  # logarithm that each px of an edge on such steps tells
STRIDE = 2  # columns: an edge's colours are looked at in every second
LEAST_TOLD = 0.6  # mean logarithm over a neck
LEAST_NECK = 0.004  # of what is looked at from near: less is none


def front_of(
    picture: Image.Image, shown: NDArray[np.uint8], garment: Garment, parser: ShotParser
) -> NDArray[np.uint8]:
    """(H, W) uint8, 255 = the front of the garment: with what its outline lost, without its inside.

    shown  (H, W) uint8, 255 = the garment by its colours
    """
    if not shown.any() or shown.all():
        return shown
    whole = shown > 127
    ground = _read(picture, shown, parser)[..., ShotPart.GROUND]
    if garment is not Garment.LOWER:  # whose legs are apart
        whole |= _lost(whole, 1 - ground > SURE)
    whole &= ~_taken_along(whole, ground > LIKELY)
    if garment is Garment.LOWER:
        whole &= ~_up_between_legs(np.asarray(picture), whole)
    else:
        whole &= ~_neck(picture, whole, parser)
    return np.where(whole, 255, 0).astype(np.uint8)


def _taken_along(shown: NDArray[np.bool_], ground: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): strips and corners of the ground between legs, under arms, in shadow.

    What is thick or much is white cloth that the reader takes for ground.
    """
    around = ~shown
    _, joined = cv2.connectedComponents((around | ground).astype(np.uint8))
    taken = ground & shown & np.isin(joined, np.unique(joined[around]))
    if taken.sum() > MOST_TAKEN * shown.sum():
        return np.zeros_like(shown)
    depth = cv2.distanceTransform(taken.astype(np.uint8), cv2.DIST_L2, 5)
    _, pieces = cv2.connectedComponents(taken.astype(np.uint8))
    thick = np.unique(pieces[depth > THICK * max(shown.shape) / LONGEST])
    return taken & ~np.isin(pieces, thick)


def _up_between_legs(picture: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): where the ground between legs, or a shadow on it, goes on above the gap that is told."""
    small = small_mask(shown) > 0
    gap = between(small)
    if not gap.any():
        return np.zeros_like(shown)
    lab = cv2.cvtColor(sized(picture, small.shape).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    off = lab - np.median(lab[~small], axis=0)
    like = (np.hypot(off[..., 1], off[..., 2]) < TINGE) & (off[..., 0] > -SHADOW) & (off[..., 0] < LIGHT)
    if like[small].mean() > ALIKE:  # white trousers
        return np.zeros_like(shown)
    columns = np.flatnonzero(small.any(0))
    beside = BESIDE_GAP * (columns[-1] - columns[0])
    near = np.abs(np.arange(small.shape[1]) - np.median(np.nonzero(gap)[1])) < beside
    _, pieces = cv2.connectedComponents((gap | (like & small & near)).astype(np.uint8))
    taken = small & np.isin(pieces, np.unique(pieces[gap]))
    taken &= ~opened(taken, THICK)
    more: NDArray[np.bool_] = (sized(taken.astype(np.float32), shown.shape) > 0.5) & shown
    return more


@torch.no_grad()
def _read(picture: Image.Image, shown: NDArray[np.uint8], parser: ShotParser) -> Maps:
    """(H, W, 3) shares of ``ShotPart``, ground outside of what was looked at: about the garment, else all."""
    height, width = shown.shape
    box, whole = Box.of(shown), Box(0, 0, width, height)
    room = round(ROOM * max(box.right - box.left, box.bottom - box.top))
    near = Box(
        max(0, box.left - room),
        max(0, box.top - room),
        min(width, box.right + room),
        min(height, box.bottom + room),
    )
    for place in (near, whole):
        crop = picture.crop(place)
        letterbox = Letterbox.fit((crop.height, crop.width), FRAME)
        seen = parser(to_tensor(letterbox.apply(crop))[None]).softmax(1)[0].numpy()
        inner = seen[:, letterbox.top :, letterbox.left :][:, : letterbox.height, : letterbox.width]
        if not _goes_on(inner[ShotPart.GROUND] < 0.5):
            break
    shares = np.zeros((height, width, len(ShotPart)), np.float32)
    shares[..., ShotPart.GROUND] = 1
    shares[place.top : place.bottom, place.left : place.right] = sized(
        inner.transpose(1, 2, 0), (crop.height, crop.width), cv2.INTER_CUBIC
    )
    return shares


def _goes_on(garment: NDArray[np.bool_]) -> bool:
    """Whether a garment (h, w) goes on beyond one of the sides."""
    sides = garment[0], garment[-1], garment[:, 0], garment[:, -1]
    return max(float(side.mean()) for side in sides) > CUT_OFF


def _lost(shown: NDArray[np.bool_], sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): holes and notches that are surely the garment, in spite of their colours."""
    small = small_mask(shown)
    filled = closed(np.pad(small, NOTCH), NOTCH)[NOTCH:-NOTCH, NOTCH:-NOTCH]
    lost: NDArray[np.bool_] = (sized(filled.astype(np.float32), shown.shape) > 0.5) & sure & ~shown
    return lost


def _neck(picture: Image.Image, shown: NDArray[np.bool_], parser: ShotParser) -> NDArray[np.bool_]:
    """(H, W): what is seen through the neck, which is read from near.

    It lies above the likeliest of edges that are the same on both sides of about the garment's middle.
    """
    box = around_neck(shown)
    size = (box.bottom - box.top, box.right - box.left)
    room = max(0, -box.left, -box.top, box.right - shown.shape[1], box.bottom - shown.shape[0])
    place = np.s_[box.top + room : box.bottom + room, box.left + room : box.right + room]
    near = sized(cut_near(np.asarray(picture), box), FRAME)
    with torch.no_grad():
        logits = parser(to_tensor(Image.fromarray(near))[None])[0].numpy()
    told = np.clip(logits[ShotPart.INSIDE] - logits[ShotPart.CLOTH], -MOST_TOLD, MOST_TOLD)
    garment = np.pad(shown, room)
    small = sized(garment[place].astype(np.float32), FRAME) > 0.5
    edge = _likeliest_edge(np.where(small, told, 0), small, _slopes(near, small))
    seen = np.zeros_like(garment)
    if edge is not None:
        columns = (np.arange(size[1]) + 0.5) * FRAME[1] / size[1] - 0.5
        ends = np.interp(columns, np.arange(FRAME[1]), edge) * size[0] / FRAME[0]
        seen[place] = garment[place] & (np.arange(size[0])[:, None] < ends)
    return seen[room : room + shown.shape[0], room : room + shown.shape[1]]


def around_neck(shown: NDArray[np.bool_]) -> Box:
    """What is looked at from near, of the frame's shape; it may reach beyond the picture."""
    garment = Box.of(np.where(shown, 255, 0).astype(np.uint8))
    width = NECK_WIDE * (garment.right - garment.left)
    height = width * FRAME[0] / FRAME[1]
    left, top = (garment.left + garment.right - width) / 2, garment.top - ABOVE_NECK * height
    return Box(
        round(left), round(top), round(left) + max(1, round(width)), round(top) + max(1, round(height))
    )


def cut_near(values: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """What of a map or picture lies in a box, which may reach beyond it: there its rim goes on."""
    room = max(0, -box.left, -box.top, box.right - values.shape[1], box.bottom - values.shape[0])
    padded = np.pad(values, ((room, room), (room, room)) + ((0, 0),) * (values.ndim - 2), mode="edge")
    return padded[box.top + room : box.bottom + room, box.left + room : box.right + room]


def _slopes(picture: NDArray[np.uint8], garment: NDArray[np.bool_]) -> Maps:
    """(h, w, 2, 3): how fast the colours change to the right and down, in Lab per px; 0 along the outline."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), SMOOTH)
    slopes: Maps = np.stack([cv2.Scharr(lab, cv2.CV_32F, *axis) / 32 for axis in ((1, 0), (0, 1))], 2)
    slopes[cv2.erode(garment.astype(np.uint8), disc(OUTLINE), borderValue=0) == 0] = 0
    return slopes


def _likeliest_edge(told: Maps, garment: NDArray[np.bool_], slopes: Maps) -> Maps | None:
    """(w,) rows at which a neck ends, 0 beside it; None where none is likely.

    told    (h, w), logarithm of how much likelier a pixel of the ``garment`` (h, w) is its inside than front
    slopes  (h, w, 2, 3), see ``_slopes``
    """
    height, width = told.shape
    above = np.vstack([np.zeros(width), told.cumsum(0)]).T  # (w, h + 1), all that is told above a row
    top = np.where(garment.any(0), garment.argmax(0), height)
    columns = np.arange(width)
    best, depth, found = 0.0, 0.0, None
    for middle, half in itertools.product((0.5 + MIDDLES) * width, WIDTHS * width):
        across = np.abs(columns - middle) / half
        inside = np.flatnonzero(across < 1)
        if inside[0] == 0 or inside[-1] == width - 1:
            continue
        ends = top[inside[0]], top[inside[-1]]
        if max(ends) == height:
            continue
        line = np.interp(inside, inside[[0, -1]], ends)
        falls = 1 - across[inside] ** np.array(SHAPES)[:, None]  # (shapes, columns)
        rows = (line + DEPTHS[:, None, None] * height * falls).clip(0, height)
        at = np.rint(rows).astype(int)
        areas = (at - top[inside]).clip(0).sum(-1)
        sums = above[inside, at].sum(-1) - areas * np.array(DOUBTS)
        sums += STEP_TELLS * _lengths(slopes, rows[..., ::STRIDE], inside[::STRIDE])
        number = int(sums.argmax())
        if sums.flat[number] > best:
            best, depth = float(sums.flat[number]), DEPTHS[number // len(SHAPES)] * height / (2 * half)
            found = np.zeros(width, np.float32)
            found[inside] = rows.reshape(-1, len(inside))[number]
    if found is None:
        return None
    area = float((garment & (np.arange(height)[:, None] < found)).sum())
    is_neck = area > LEAST_NECK * told.size and best > LEAST_TOLD * area and depth < DEEPEST
    return found if is_neck else None


def _lengths(slopes: Maps, rows: Maps, columns: NDArray[np.int64]) -> Maps:
    """(...,) px of edges (..., columns), at which the colours change, and everywhere in the same way.

    columns  each ``STRIDE``-th of an edge

    So a print's outline or a weave tells little, though each of its steps is a strong one.
    """
    falls = np.gradient(rows.astype(np.float32), axis=-1) / STRIDE
    at = np.rint(rows).astype(int).clip(0, len(slopes) - 1)
    here = slopes[at, columns]  # (..., columns, 2, 3)
    length = np.hypot(1, falls)
    across = (here[..., 1, :] - falls[..., None] * here[..., 0, :]) / length[..., None]
    sure = across / np.sqrt((across**2).sum(-1, keepdims=True) + SURE_STEP**2)
    lengths: Maps = STRIDE * np.linalg.norm((sure * np.minimum(length, STEEPEST)[..., None]).sum(-2), axis=-1)
    return lengths
