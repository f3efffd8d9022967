"""The front of a garment on its product shot: what of it can be seen when it is worn."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leffa.composition.canvas import FRAME, Maps, sized
from leffa.composition.cloth import small_mask
from leffa.config import Garment
from leffa.framing import Box
from leffa.images import Letterbox, to_tensor
from leffa.preprocess.garment.parsing import ShotParser, ShotPart
from leffa.preprocess.offline.drawing import closed, grown, opened

ROOM = 0.08  # of the garment's longer side: what is looked at around it
SURE, LIKELY = 0.9, 0.5  # shares of a pixel that are cloth; that are the inside
CUT_OFF = 0.1  # share of a side of what is looked at: more garment than that goes on beyond it
NECK, SHOULDERS = (
    0.3,
    0.6,
)  # of the garment's height and width: where a neck is, below its top, about its middle
MOST_INSIDE = 0.12  # of the garment: more is no neck
RIM, NOTCH, FRONT = 2, 24, 14  # px of a shot ``LONGEST`` px long: a trim; what is lost; around a neck
LABEL = 12  # px of such a shot: half the width of a label in a neck
ALIKE = (0.3, 0.5)  # overlap of a neck with its mirror image: at least; enough for one whatever its shade
OTHER_SHADE = 7.0  # in Lab: the inside lies in the shade, or has another lining


def front_of(
    picture: Image.Image, shown: NDArray[np.uint8], garment: Garment, parser: ShotParser
) -> NDArray[np.uint8]:
    """(H, W) uint8, 255 = the front of the garment: with what its outline lost, without its inside.

    shown  (H, W) uint8, 255 = the garment by its colours
    """
    if not shown.any() or shown.all():
        return shown
    shares = _read(picture, shown, parser)
    cloth, inside = shares[..., ShotPart.CLOTH], shares[..., ShotPart.INSIDE]
    whole = shown > 127
    if garment is not Garment.LOWER:  # whose legs are apart
        whole |= _lost(whole, cloth + inside > SURE)
    whole &= ~_neck(np.asarray(picture), whole, inside > LIKELY)
    return np.where(whole, 255, 0).astype(np.uint8)


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


def _neck(
    picture: NDArray[np.uint8], shown: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(H, W): what is seen through the neck: about the middle, open to the ground above, as wide on
    both sides, and the more so the less its shade is another."""
    small = small_mask(shown)
    rows, columns = np.flatnonzero(small.any(1)), np.flatnonzero(small.any(0))
    height, width = rows[-1] - rows[0], columns[-1] - columns[0]
    middle = (columns[-1] + columns[0]) / 2
    where = np.zeros_like(small)
    left, right = (round(middle + side * SHOULDERS * width / 2) for side in (-1, 1))
    where[: rows[0] + round(NECK * height), max(0, left) : right] = 1
    likely = closed(sized(inside.astype(np.float32), small.shape) > 0.5, LABEL) & (small > 0) & (where > 0)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(opened(likely, RIM).astype(np.uint8))
    above = grown(small == 0, 3 * RIM)
    lab = cv2.cvtColor(sized(picture, small.shape).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    neck = np.zeros(small.shape, bool)
    for number in np.unique(pieces[above & (pieces > 0)]):
        piece = pieces == number
        front = grown(piece, FRONT) & (small > 0) & ~likely
        start, wide = stats[number, [cv2.CC_STAT_LEFT, cv2.CC_STAT_WIDTH]]
        is_central = start < middle < start + wide
        is_small = stats[number, cv2.CC_STAT_AREA] < MOST_INSIDE * small.sum()
        if not (is_central and is_small and front.any()):
            continue
        shade = np.linalg.norm(np.median(lab[piece], axis=0) - np.median(lab[front], axis=0))
        if _likeness_of_halves(piece, middle) > ALIKE[0 if shade > OTHER_SHADE else 1]:
            neck |= piece
    seen: NDArray[np.bool_] = sized(grown(neck, RIM).astype(np.float32), shown.shape) > 0.5
    return seen


def _likeness_of_halves(piece: NDArray[np.bool_], middle: float) -> float:
    """Overlap in [0, 1] of a piece (h, w) with its mirror image about column ``middle``."""
    rows, columns = np.nonzero(piece)
    turned = np.zeros_like(piece)
    turned[rows, np.clip(round(2 * middle) - columns, 0, piece.shape[1] - 1)] = True
    return float((piece & turned).sum() / (piece | turned).sum())
