"""Garments cut out of their photographs, and their colours carried on beyond the outline."""

import os
from enum import Enum
from pathlib import Path

import cv2
import numpy as np

from leffa.config import Garment
from leffa.preprocess.garment.product import foreground


class Cut(str, Enum):
    """What garments can stand for each other."""

    SHORT = "short sleeves"
    LONG = "long sleeves"
    LEGS = "legs"
    SKIRT = "skirt"
    DRESS = "dress"

    @property
    def kind(self) -> Garment:
        """The kind of such a garment."""
        return {Cut.SHORT: Garment.UPPER, Cut.LONG: Garment.UPPER, Cut.DRESS: Garment.DRESS}.get(
            self, Garment.LOWER
        )


CUTS = {
    "t-shirt": (Cut.SHORT,), "longsleeve": (Cut.LONG,), "shirt": (Cut.SHORT, Cut.LONG),
    "outwear": (Cut.LONG,), "pants": (Cut.LEGS,), "skirt": (Cut.SKIRT,), "dress": (Cut.DRESS,),
}  # fmt: skip
LONGEST = 320
WORKING_SIZE = 224
MOST_RAGGED = 0.8
GROUND_LIKE = 16.0  # distance in 8-bit Lab
SLEEVE = 17  # pixels of the working size that may lie between a gap and the outline
LEAST_AREA, MOST_AREA, MOST_BORDER = 0.1, 0.78, 0.03


def cuts_of(path: Path) -> tuple[Cut, ...]:
    """What the garment may be, told by the first word of the file's name (``CUTS``); empty if it tells
    nothing."""
    return CUTS.get(path.stem.rsplit("_", 1)[0], ())


def read_photograph(path: str | os.PathLike) -> np.ndarray | None:
    """(h, w, 3) uint8 RGB, at most 320 px long; None if it cannot be read."""
    picture = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
    if picture is None:
        return None
    scale = LONGEST / max(picture.shape[:2])
    if scale < 1:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[..., ::-1])


def cut_out(picture: np.ndarray) -> np.ndarray | None:
    """(h, w) bool silhouette of the garment on a photograph (h, w, 3) uint8; None without a clean outline.

    The product mask that photos get, sharpened by a graph cut; hanger hooks and threads are taken off.
    """
    height, width = picture.shape[:2]
    scale = WORKING_SIZE / max(height, width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    inside = (foreground(small) > 127).astype(np.uint8)
    if not 0.02 < inside.mean() < 0.93:
        return None
    near = cv2.dilate(inside, np.ones((7, 7), np.uint8))
    labels = np.where(inside > 0, cv2.GC_PR_FGD, np.where(near > 0, cv2.GC_PR_BGD, cv2.GC_BGD))
    labels = labels.astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    cut = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    clean = _one_piece(cut)
    if clean is None:
        return None
    clean = _without_gaps(small, clean)
    if clean.sum() < 0.6 * inside.sum():
        return None
    smooth = cv2.resize(clean.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    shown = cv2.GaussianBlur(smooth, (0, 0), 1.2) >= 0.5
    return None if _raggedness(shown) > MOST_RAGGED else shown


def _raggedness(shown: np.ndarray) -> float:
    """Mean distance in pixels, about, between an outline and the same smoothed."""
    plain = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), 6) >= 0.5
    contours, _ = cv2.findContours(plain.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    around = max((cv2.arcLength(contour, True) for contour in contours), default=0.0)
    return float((plain ^ shown).sum()) / max(around, 1.0)


def _one_piece(cut: np.ndarray) -> np.ndarray | None:
    """The largest piece without holes and hooks, if it is nearly all there is, and of a garment's size."""
    opened = cv2.morphologyEx(cut, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    piece = (labels == largest).astype(np.uint8)
    if piece.sum() < 0.93 * cut.sum():
        return None
    contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    piece = cv2.drawContours(piece, contours, -1, 1, cv2.FILLED)
    border = np.concatenate([piece[0], piece[-1], piece[:, 0], piece[:, -1]]).mean()
    if border > MOST_BORDER or not LEAST_AREA < piece.mean() < MOST_AREA:
        return None
    return piece > 0


def _without_gaps(picture: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """The piece without the ground that it encloses between sleeve and body or between the legs.

    Such a gap is of a colour that the ground around the garment has and the garment has nowhere else.
    """
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    size = round(0.1 * WORKING_SIZE)
    near = cv2.dilate(piece.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    ring = near & (cv2.dilate(piece.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
    if ring.sum() < 50:
        return piece
    like = piece & (_distance(lab, lab[ring]) < GROUND_LIKE)
    like = cv2.morphologyEx(like.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    rest = piece & (cv2.dilate(like, np.ones((5, 5), np.uint8)) == 0)
    if rest.sum() < 0.4 * piece.sum():
        return piece  # garment and ground are of one colour
    foreign = _distance(lab, lab[rest])
    depth = cv2.distanceTransform(piece.astype(np.uint8), cv2.DIST_L2, 3)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(like)
    result = piece.copy()
    for number in range(1, count):
        own = labels == number
        if stats[number, cv2.CC_STAT_AREA] < 0.002 * piece.sum() or depth[own].min() > SLEEVE:
            continue  # a shade, or a print
        if np.median(foreign[own]) > GROUND_LIKE:
            result &= cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    return result


def _distance(lab: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(h, w) Lab distance to the nearest of the main colours of a crowd (n, 3)."""
    chosen = colours[:: max(len(colours) // 1500, 1)]
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    cv2.setRNGSeed(0)
    _, owner, means = cv2.kmeans(chosen, min(5, len(chosen)), None, stop, 1, cv2.KMEANS_PP_CENTERS)
    share = np.bincount(owner.ravel(), minlength=len(means)) / len(chosen)
    main = means[share >= min(0.05, share.max())]  # a few are of mixed pixels along outlines
    return np.sqrt(((lab[..., None, :] - main) ** 2).sum(-1)).min(-1)


def extend(picture: np.ndarray, garment: np.ndarray) -> np.ndarray:
    """The picture (h, w, 3) with the garment's nearest colour wherever the garment (h, w) bool is not.

    Two pixels inside the outline count as outside: they may hold some ground.
    """
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    core = cv2.erode(garment.astype(np.uint8), element)
    if not core.any():
        return picture
    _, labels = cv2.distanceTransformWithLabels(1 - core, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colour = np.zeros((labels.max() + 1, 3), picture.dtype)
    colour[labels[core > 0]] = picture[core > 0]
    return np.where(core[..., None] > 0, picture, colour[labels])
