"""The garment on its product shot: where it is, on whatever plain ground it was photographed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.images import shrunk
from leffa.preprocess.offline.drawing import disc

WORKING_SIZE = 320  # longest side; a silhouette needs no more
TRIMMED_SIZE = 512  # longest side that the outline is drawn at
FRINGE = 20  # px at that size: how deep the ground may have come along
LIGHTER, DARKER, TINGE = 6.0, 45.0, 9.0  # in Lab: how far a ground's pixels and its shadows lie from it
FEW_ALIKE, MOST_ALIKE = 0.12, 0.5  # share of cloth that looks like its ground: colours tell all, or nothing
MOST_SKEW, LEAST_MIRRORED = 0.15, 0.85  # of its width; overlap with its mirror image
CUTS = 2  # rounds of the graph cut
LEAST_SHARE, MOST_SHARE = 0.02, 0.93
ONE_COLOUR = 32  # mean difference, of 255, below which a small model takes garment and ground for one thing
GROUND_LIKE = (
    1.5  # in Lab, of 255: what differs less from the ground, or less than thrice its spread, may be ground
)
LEAST_EDGED = 0.75  # of an outline
FAINTEST_STEP = 0.9  # of 255 per pixel
LEAST_WINDOW, MOST_WINDOW = 0.12, 0.25  # of the picture's longer side; of the garment's area
MID_GREY = 140
FAINT_GAIN = 1.12  # how much larger a garment must be for one that can hardly be told from its ground


def foreground(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) uint8, 255 = garment, of a product shot (H, W, 3) uint8 RGB.

    The ground is what resembles the picture's border and hangs together with it; where the border is no
    plain ground, a graph cut parts the middle from it. A picture that shows nothing but cloth is all garment.
    """
    height, width = image.shape[:2]
    small = shrunk(image, WORKING_SIZE)
    mask = _against_border(small)
    edges = _edges(small)
    # white cloth on white: else its frayed edge is not worth the last shade
    for larger in (_against_border(small, faint=True), _outlined(edges)):
        whole = _solid(larger)
        is_larger = FAINT_GAIN * _solid(mask).mean() < whole.mean() < MOST_SHARE
        if is_larger and _fullness(whole) > _fullness(mask) - 0.1 and _is_edged(whole, edges):
            mask = larger
    if not LEAST_SHARE < mask.mean() < MOST_SHARE:
        mask = _cut(small)
    if not LEAST_SHARE < mask.mean() < MOST_SHARE:
        return np.full((height, width), 255, np.uint8)
    whole = _solid(mask) & ~_windows(small, _solid(mask))
    return trimmed(image, whole)


def trimmed(image: NDArray[np.uint8], rough: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W) uint8, 255 = garment: a ``rough`` mask of any size without the ground and shadow at its rim.

    A graph cut moves the outline to the nearest edge of colours, unless the cloth has its ground's colour.
    """
    height, width = image.shape[:2]
    small = shrunk(image, TRIMMED_SIZE)
    smooth = cv2.resize(rough.astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    inside = (smooth >= 0.5).astype(np.uint8)
    deep = cv2.erode(inside, disc(FRINGE)) > 0
    if deep.any() and not inside.all():
        like_ground = _like_ground(small, inside == 0)
        share = float(like_ground[deep].mean())
        if share < FEW_ALIKE:
            _, labels = cv2.connectedComponents((like_ground | (inside == 0)).astype(np.uint8))
            from_outside = np.isin(labels, np.unique(labels[inside == 0])) & ~deep
            inside = np.where(from_outside, 0, inside).astype(np.uint8)
        inside = _at_edges(small, inside, deep) if share < MOST_ALIKE else _alike_on_both_sides(inside)
    smooth = cv2.resize(inside.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(smooth >= 0.5, 255, 0).astype(np.uint8)


def _alike_on_both_sides(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A garment (h, w) in {0, 1} that is nearly its own mirror image, with what either side has.

    White cloth on white is easily lost where it has no folds; the other side tells that it was there.
    """
    columns = np.flatnonzero(inside.any(0))
    middle = int(columns[0] + columns[-1])
    reach = round(MOST_SKEW * (columns[-1] - columns[0]))
    axes = np.arange(middle - reach, middle + reach + 1)
    shared, turned = _mirrored_at_all_axes(inside)
    overlap = shared[axes] / (inside.sum() + turned[axes] - shared[axes])
    best = int(overlap.argmax())
    if overlap[best] <= LEAST_MIRRORED:
        return inside
    source = axes[best] - np.arange(inside.shape[1])
    there = (source >= 0) & (source < inside.shape[1])
    return inside | (inside[:, source.clip(0, inside.shape[1] - 1)] * there.astype(np.uint8))


def _mirrored_at_all_axes(inside: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels that a mask (h, w) in {0, 1} shares with its mirror image, and those of that image in the frame.

    Both (2 w - 1,), by the sum of the numbers of two columns that change places.
    """
    cloth = inside.astype(np.float32)  # whole numbers below 2^24: exact
    width = cloth.shape[1]
    sums = np.add.outer(np.arange(width), np.arange(width)).ravel()
    pairs = (cloth.T @ cloth).ravel()
    heights = np.repeat(cloth.sum(0, dtype=np.float64), width)  # of the column that comes from the other side
    return np.bincount(sums, pairs).astype(np.float64), np.bincount(sums, heights).astype(np.float64)


def _like_ground(picture: NDArray[np.uint8], ground: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(h, w): what has the colour of the ground, or that of a shadow on it."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    off = lab - np.median(lab[ground], axis=0)
    like: NDArray[np.bool_] = np.hypot(off[..., 1], off[..., 2]) < TINGE
    return like & (off[..., 0] > -DARKER) & (off[..., 0] < LIGHTER)


def _at_edges(
    picture: NDArray[np.uint8], inside: NDArray[np.uint8], deep: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """(h, w) in {0, 1}: ``inside`` without what a graph cut gives to the ground; ``deep`` is cloth."""
    labels = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    labels[deep] = cv2.GC_FGD
    rows, columns = np.nonzero(cv2.dilate(inside, disc(2 * FRINGE)))
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    cut, ours, theirs = np.ascontiguousarray(labels[window]), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    no_box = (0, 0, 1, 1)  # not read with a mask
    cv2.grabCut(np.ascontiguousarray(picture[window]), cut, no_box, ours, theirs, CUTS, cv2.GC_INIT_WITH_MASK)
    cloth = np.zeros_like(inside)
    cloth[window] = np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return cloth


def contrasting(image: NDArray[np.uint8], garment: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The product shot with a mid-grey ground where garment and ground are of one colour; else as it is.

    image    (H, W, 3) uint8 RGB
    garment  (H, W) uint8, 255 = garment
    """
    if not _of_one_colour(image, garment > 127):
        return image
    edge = cv2.GaussianBlur(garment.astype(np.float32) / 255, (0, 0), max(1.0, 0.002 * max(garment.shape)))
    return (image * edge[..., None] + MID_GREY * (1 - edge[..., None])).round().astype(np.uint8)


def _of_one_colour(image: NDArray[np.uint8], inside: NDArray[np.bool_]) -> bool:
    """Whether garment and ground can hardly be told apart; False where one of them is not there."""
    if not LEAST_SHARE < inside.mean() < 1 - LEAST_SHARE:
        return False
    difference = image[inside].mean(axis=0) - image[~inside].mean(axis=0)
    return bool(np.abs(difference).mean() <= ONE_COLOUR)


def _against_border(image: NDArray[np.uint8], faint: bool = False) -> NDArray[np.bool_]:
    """What differs from the ground, which is learnt from the border and may shade off slowly.

    With ``faint`` a ground that is even all around the picture counts as even behind it too.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, width = lab.shape[:2]
    border = _rim((height, width))
    middle = np.median(lab[border], axis=0)
    spread = np.median(np.abs(lab[border] - middle), axis=0) * 1.5
    # lightness may fall towards a corner or under the garment; colour may not
    least = np.array([9, 4, 4])
    if faint:
        least = np.minimum(least, 1 + 2 * np.percentile(np.abs(lab[border] - middle), 98, axis=0))
    limits = np.maximum(spread * 4, least)
    resembles = (np.abs(lab - middle) < limits).all(-1)
    step = np.abs(cv2.Laplacian(lab[..., 0], cv2.CV_32F, ksize=3)) < 14
    ground = (resembles & step).astype(np.uint8)
    _, labels = cv2.connectedComponents(ground, connectivity=4)
    touching = np.unique(labels[border & (ground > 0)])
    return ~np.isin(labels, touching[touching > 0])


def _edges(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) in {0, 1}: steps that the ground's own grain has not, as faint as they may be."""
    grey = cv2.GaussianBlur(image.astype(np.float32).mean(-1), (0, 0), 0.8)
    step = np.hypot(cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)) / 32
    grain = 3 * float(np.percentile(step[_rim(step.shape)], 90))
    return (step > max(FAINTEST_STEP, grain)).astype(np.uint8)


def _rim(size: tuple[int, ...]) -> NDArray[np.bool_]:
    width = max(2, round(0.02 * max(size)))
    rim = np.ones(size, bool)
    rim[width:-width, width:-width] = False
    return rim


def _outlined(edges: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What edges close in."""
    closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, labels = cv2.connectedComponents(1 - closed, connectivity=4)
    outside = np.isin(labels, np.unique(labels[_rim(edges.shape) & (closed == 0)]))
    return cv2.erode((~outside).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _is_edged(mask: NDArray[np.bool_], edges: NDArray[np.uint8]) -> bool:
    """Whether an outline lies on edges: that of a garment does, that of a shade of the light does not."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    outline = mask & ~inner
    near = cv2.dilate(edges, np.ones((5, 5), np.uint8)) > 0
    return bool(near[outline].mean() > LEAST_EDGED) if outline.any() else False


def _fullness(mask: NDArray[np.bool_]) -> float:
    """Share of its convex hull that a mask fills, in [0, 1]."""
    points = cv2.findNonZero(_solid(mask).astype(np.uint8))
    return 0.0 if points is None else len(points) / max(cv2.contourArea(cv2.convexHull(points)), 1.0)


def _windows(image: NDArray[np.uint8], garment: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ground seen through the garment: between two legs, or a sleeve and the body, that touch.

    Only where the garment as a whole has another colour than its ground: else nobody can tell.
    """
    if garment.all() or not garment.any():
        return np.zeros_like(garment)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    ground = np.median(lab[~garment], axis=0)
    spread = np.median(np.abs(lab[~garment] - ground), axis=0)
    alike = (np.abs(lab - ground) <= np.maximum(GROUND_LIKE, 3 * spread)).all(-1) & garment
    if alike.sum() > MOST_WINDOW * garment.sum():
        return np.zeros_like(garment)
    flat = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat)
    tall, wide = stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_WIDTH]
    long = (tall > LEAST_WINDOW * max(image.shape)) & (tall > 1.5 * wide)  # else it is a print
    window = np.isin(labels, 1 + np.flatnonzero(long[1:]))
    return cv2.dilate(window.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _cut(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    height, width = image.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    inset = (round(0.06 * width), round(0.05 * height))
    rectangle = (*inset, width - 2 * inset[0], height - 2 * inset[1])
    cv2.setRNGSeed(0)
    cv2.grabCut(image, labels, rectangle, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _solid(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Specks gone, holes closed, and only pieces that are not tiny beside the largest."""
    cleaned = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cleaned)
    if count < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.isin(labels, 1 + np.flatnonzero(areas > 0.1 * areas.max())).astype(np.uint8)
    contours, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(kept, contours, -1, 1, cv2.FILLED) > 0
