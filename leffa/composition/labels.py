"""A maker's label in the neck of a product shot: nobody who wears the garment shows it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import FRAME, Maps, sized
from leffa.composition.product import around_neck, cut_near
from leffa.framing import Box

WIDTHS = (12, 15, 18, 22, 26, 31, 37, 44)  # px of what is looked at from near, as all that follows
HEIGHTS = (7, 9, 11, 14, 18, 22, 27, 33, 40)
SHAPES = (0.3, 2.2)  # its height by its width
OFF_MIDDLE = 22  # that a label's middle is off the garment's
BELOW_EDGE, LOWEST = 24, 90  # below the neck's edge; below the top of what is looked at
SMOOTH, SURE_STEP = 1.0, 4.0  # over which slopes are measured; in Lab per px: where one colour ends
LEAST_SIDE = 0.905  # mean step along the faintest of the four sides
RIM = 3  # that a label's own edge is wide
FILLED_FROM = 5.0  # px: how far around a label's edge the cloth is looked at


def without_label(picture: NDArray[np.uint8], shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: the product shot with the cloth around its label where the label was.

    shown  (H, W) uint8, 255 = the front of the garment
    """
    if not shown.any():
        return picture
    box = around_neck(shown > 127)
    near = sized(cut_near(picture, box), FRAME)
    cloth = sized(cut_near(shown, box), FRAME) > 127
    label = _label(near, cloth)
    if label is None:
        return picture
    scale = (box.right - box.left) / FRAME[1]
    left, right = (box.left + round(scale * x) for x in (label.left - RIM, label.right + RIM))
    top, bottom = (box.top + round(scale * y) for y in (label.top - RIM, label.bottom + RIM))
    place = np.zeros(shown.shape, bool)
    place[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    unknown = np.where(place | (shown < 128), 255, 0).astype(np.uint8)
    reach = round(2 * scale * max(HEIGHTS))
    around = np.s_[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
    if (unknown[around] > 0).all():
        return picture
    filled = picture.copy()
    cloth_on = cv2.inpaint(
        np.ascontiguousarray(picture[around]), unknown[around], FILLED_FROM, cv2.INPAINT_TELEA
    )
    filled[around] = np.where(place[around][..., None], cloth_on, picture[around])
    return filled


def _label(near: NDArray[np.uint8], cloth: NDArray[np.bool_]) -> Box | None:
    """The clearest rectangle at the middle of a neck's edge, in a picture and garment of ``FRAME``."""
    across, down = (_summed(_steps(near, axis), axis) for axis in (1, 0))
    top = np.where(cloth.any(0), cloth.argmax(0), FRAME[0])
    best, found = 0.0, None
    for width in WIDTHS:
        middle = (FRAME[1] - width) // 2
        lefts = np.arange(middle - OFF_MIDDLE, middle + OFF_MIDDLE + 1)
        edge = top[lefts + width // 2]
        for height in HEIGHTS:
            if not SHAPES[0] < height / width < SHAPES[1]:
                continue
            tops = np.arange(LOWEST)[:, None]
            sides = np.stack(
                [
                    (across[tops + height, lefts] - across[tops, lefts]) / height,
                    (across[tops, lefts + width] - across[tops + height, lefts + width]) / height,
                    (down[tops, lefts + width] - down[tops, lefts]) / width,
                    (down[tops + height, lefts] - down[tops + height, lefts + width]) / width,
                ]
            )
            mean = sides.mean(0)
            mean /= np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-6)
            faintest = (sides * mean).sum(-1).min(0)
            faintest[(tops >= edge + BELOW_EDGE) | (tops + height <= edge)] = 0
            row, column = np.unravel_index(faintest.argmax(), faintest.shape)
            told = float(faintest[row, column])
            if told > LEAST_SIDE and told * np.sqrt(width * height) > best:
                best = told * np.sqrt(width * height)
                left, first = int(lefts[column]), int(row)
                found = Box(left, first, left + width, first + height)
    return found


def _steps(picture: NDArray[np.uint8], axis: int) -> Maps:
    """(h, w, 3), length 0 to 1: how surely a colour ends here along an axis, and in which way it changes."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), SMOOTH)
    slopes = cv2.Scharr(lab, cv2.CV_32F, axis, 1 - axis) / 32
    slopes /= np.sqrt((slopes**2).sum(-1, keepdims=True) + SURE_STEP**2)
    spread = 3 * cv2.blur(slopes, (3, 1) if axis else (1, 3))  # a side may be a little oblique
    steps: Maps = spread / np.maximum(np.linalg.norm(spread, axis=-1, keepdims=True), 1)
    return steps


def _summed(steps: Maps, axis: int) -> Maps:
    """Sums of steps along their own edges, with a zero before the first."""
    ends = [(0, 0), (0, 0), (0, 0)]
    ends[1 - axis] = (1, 0)
    return np.pad(steps.cumsum(1 - axis), ends)
