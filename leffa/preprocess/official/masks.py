"""The masks of the released demo: what is repainted, from a parse and the joints, for VITON-HD and DressCode.

Everything is drawn at 384 x 512. Sets of labels, line widths, and the lopsided dilation are those that the
released weights were used with; see ``official_mask`` for what ``strict`` changes.
"""

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from PIL import Image, ImageDraw

from leffa.config import Garment
from leffa.errors import PersonError, PictureError
from leffa.preprocess.labels import Joint, Parse
from leffa.preprocess.official.parsing import fill_holes
from leffa.preprocess.picture import NO_PERSON

HEIGHT, WIDTH = 512, 384
_SIZE = (HEIGHT, WIDTH)

_RIGHT_ARM = (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST)
_LEFT_ARM = (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST)
_ARMS = (Parse.LEFT_ARM, Parse.RIGHT_ARM)

# Labels that stay as they are whatever is put on, by garment
_STAYS = {
    Garment.UPPER: (Parse.SKIRT, Parse.PANTS),
    Garment.LOWER: (Parse.UPPER_CLOTHES, Parse.LEFT_ARM, Parse.RIGHT_ARM),
    Garment.DRESS: (),
}
_HD_STAYS = (Parse.LEFT_SHOE, Parse.RIGHT_SHOE, Parse.HAT, Parse.SUNGLASSES, Parse.BAG)
_DC_STAYS = (*_HD_STAYS, Parse.HAIR, Parse.SCARF)
_HD_HEAD = (Parse.HAT, Parse.SUNGLASSES, Parse.HEAD)
_DC_HEAD = (*_HD_HEAD, Parse.HAIR, Parse.NECK)
_HD_GARMENT = {
    Garment.UPPER: (Parse.UPPER_CLOTHES, Parse.DRESS),
    Garment.LOWER: (Parse.SKIRT, Parse.PANTS, Parse.LEFT_LEG, Parse.RIGHT_LEG),
    Garment.DRESS: (Parse.UPPER_CLOTHES, Parse.SKIRT, Parse.PANTS, Parse.DRESS),
}
# As released: a skirt is neither a lower garment nor part of a dress, a dress no upper garment
_DC_GARMENT = {
    Garment.UPPER: (Parse.UPPER_CLOTHES,),
    Garment.LOWER: (Parse.PANTS, Parse.LEFT_LEG, Parse.RIGHT_LEG),
    Garment.DRESS: (Parse.DRESS, Parse.LEFT_LEG, Parse.RIGHT_LEG),
}

_HD_ARM_WIDTH = 60
_DC_ARM_WIDTH = 30
_SHOULDER_WIDTH = 30
_WRIST_EXTENSION = 1.2  # of the forearm, for the hand
_NECK_LINE = 20  # pixels above the shoulders


class Recipe(str, Enum):
    """Which of the two released mask functions: the VITON-HD or the DressCode one."""

    VITON_HD = "viton-hd"
    DRESS_CODE = "dress-code"


def official_mask(
    parse: np.ndarray,
    keypoints: np.ndarray,
    garment: Garment | str = Garment.UPPER,
    recipe: Recipe | str = Recipe.VITON_HD,
    strict: bool = True,
) -> np.ndarray:
    """The mask of the released demo, (512, 384) uint8: 255 = repaint, 0 = keep.

    parse      (H, W) ``Parse`` labels, integers; (512, 384) for the DressCode recipe
    keypoints  (18, 2) ``Joint`` places x, y in a frame of 384 x 512; (0, 0) = missing
    garment    a Garment or its data-set spelling: "upper_body", "lower_body", "dresses"
    recipe     a Recipe or its value: "viton-hd", "dress-code"
    strict     True repeats the released code with its slips. False, which the engine uses, mends them: an
               arm that leaves the frame at the top or left ends there instead of coming back as a stripe; a
               missing elbow, shoulder or wrist is left out instead of drawn to the corner; the neck line
               works above the frame; and an empty parse is an error.

    Raises PictureError for arrays of other shapes, PersonError (not strict) if the parse is empty, and
    ValueError for another garment or recipe.
    """
    garment, recipe = Garment(garment), Recipe(recipe)
    parse, joints = np.asarray(parse), np.asarray(keypoints, np.float64)
    if parse.ndim != 2 or not np.issubdtype(parse.dtype, np.integer):
        raise PictureError(
            f"A parse of whole numbers, (height, width), is needed, not {parse.dtype} {parse.shape}."
        )
    parse = parse.astype(np.uint8)
    if joints.shape != (len(Joint), 2):
        raise PictureError(f"Key points of shape (18, 2) are needed, not {joints.shape}.")
    if not strict and not parse.any():
        raise PersonError(NO_PERSON)
    if recipe is Recipe.VITON_HD:
        if parse.shape != _SIZE:
            parse = np.asarray(Image.fromarray(parse).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST))
        mask = _viton_hd(parse, joints, garment, strict)
    else:
        if parse.shape != _SIZE:
            raise PictureError(f"The DressCode mask needs a parse of {_SIZE}, not {parse.shape}.")
        mask = _dress_code(parse, joints, garment, strict)
    return mask.astype(np.uint8) * 255


def _viton_hd(parse: np.ndarray, joints: np.ndarray, garment: Garment, strict: bool) -> np.ndarray:
    head = np.isin(parse, _HD_HEAD)
    fixed = np.isin(parse, (*_HD_STAYS, *_STAYS[garment]))
    changeable = ~fixed
    region = np.isin(parse, _HD_GARMENT[garment])

    grown = _dilate(region, -20, 25)
    if garment is not Garment.LOWER:
        right = _arm_region(parse == Parse.RIGHT_ARM, joints, _RIGHT_ARM, strict)
        left = _arm_region(parse == Parse.LEFT_ARM, joints, _LEFT_ARM, strict)
        # a hand beyond the drawn arm
        fixed = fixed | ((parse == Parse.RIGHT_ARM) & ~right) | ((parse == Parse.LEFT_ARM) & ~left)
        grown |= _dilate(parse == Parse.NECK, -2, 2) | _dilate(right | left, -8, 8)
    fixed = _erode(fixed, 2) | head
    return _largest_outline(_closed(~((changeable & ~grown) | fixed)))


def _dress_code(parse: np.ndarray, joints: np.ndarray, garment: Garment, strict: bool) -> np.ndarray:
    head = np.isin(parse, _DC_HEAD)
    fixed = np.isin(parse, (*_DC_STAYS, *_STAYS[garment]))
    changeable = ~fixed
    region = np.isin(parse, _DC_GARMENT[garment])

    if garment is not Garment.LOWER:
        arms = _dilate(_draw_line(_both_arms(joints, strict), _DC_ARM_WIDTH, strict), -10, 10)
        hands = np.isin(parse, _ARMS) & ~arms
        kept_head = head & ~_below_neck_line(joints, strict)
        fixed = fixed | hands | kept_head
        region |= arms | (head & ~kept_head)
    grown = _dilate(region, -20, 25)
    return _closed(~((changeable & ~grown) | fixed))


def _is_missing(joint: np.ndarray) -> bool:
    return bool(joint[0] <= 1 and joint[1] <= 1)


def _arm_region(
    parsed: np.ndarray, joints: np.ndarray, arm: tuple[Joint, Joint, Joint], strict: bool
) -> np.ndarray:
    """Where one arm may be, (512, 384) bool: a thick line through its joints, without them the parsed arm."""
    shoulder, elbow, wrist = joints[list(arm)]
    if _is_missing(wrist):
        return parsed
    if not strict:
        if _is_missing(shoulder):
            return parsed
        if _is_missing(elbow):
            elbow = (shoulder + wrist) / 2
    hand = elbow + _WRIST_EXTENSION * (wrist - elbow)
    points = [shoulder, elbow, hand]
    if arm is _LEFT_ARM:
        points.reverse()  # the joins of a thick line depend on its direction
    line = _draw_line(points, _HD_ARM_WIDTH, strict)
    disc = _blank()
    box = [tuple(shoulder - _SHOULDER_WIDTH), tuple(shoulder + _SHOULDER_WIDTH)]
    ImageDraw.Draw(disc).arc(box, 0, 360, fill=1, width=_SHOULDER_WIDTH)
    return line | (np.asarray(disc) > 0)


def _both_arms(joints: np.ndarray, strict: bool) -> list[np.ndarray]:
    """One line from wrist to wrist over the shoulders, less a missing wrist and an elbow missing with it."""
    left, right = joints[list(_LEFT_ARM)], joints[list(_RIGHT_ARM)]
    if not strict:
        return [point for point in (*left[::-1], *right) if not _is_missing(point)]
    # The released code looks at the left wrist only if the right one is there: with both missing, the line
    # starts at (0, 0).
    if _is_missing(right[2]):
        right = right[:1] if _is_missing(right[1]) else right[:2]
    elif _is_missing(left[2]):
        left = left[:1] if _is_missing(left[1]) else left[:2]
    return [*left[::-1], *right]


def _draw_line(points: Sequence[np.ndarray], width: int, strict: bool) -> np.ndarray:
    """(512, 384) bool: a line through points at whole pixels, cut where it leaves the frame (not strict)."""
    canvas = _blank()
    if len(points) < 2:
        return np.asarray(canvas) > 0
    whole = [tuple(_whole(value, strict) for value in point) for point in points]
    ImageDraw.Draw(canvas).line(whole, fill=1, width=width, joint="curve")
    return np.asarray(canvas) > 0


def _whole(value: float, strict: bool) -> int:
    """Cut off the fraction. ``strict``: as the released cast to uint16 does, where -3.5 becomes 65533.

    In integers, for what a cast of a negative float gives depends on the processor.
    """
    return int(value) % 2**16 if strict else int(value)


def _below_neck_line(joints: np.ndarray, strict: bool) -> np.ndarray:
    """(512, 384) bool: below a line 20 pixels above the line through the shoulders."""
    right, left = joints[Joint.RIGHT_SHOULDER], joints[Joint.LEFT_SHOULDER]
    below = np.zeros(_SIZE, bool)
    if not strict and (_is_missing(right) or _is_missing(left)):
        return below
    if not strict and abs(right[0] - left[0]) < 1:  # seen from the side: a level line, not a steep one
        slope, height = 0.0, float(right[1] + left[1]) / 2
    else:
        # as released: its last bit, which depends on the processor, decides about one row of level shoulders
        points = np.stack([right, left])
        system = np.stack([points[:, 0], np.ones(2)], axis=1)
        slope, height = np.linalg.lstsq(system, points[:, 1], rcond=None)[0]
    for x in range(WIDTH):
        row = int(x * slope + height - _NECK_LINE)
        # as released, a row above the frame is counted from the bottom, and almost nothing is cut
        below[row if strict else max(row, 0) :, x] = True
    return below


def _blank() -> Image.Image:
    return Image.new("L", (WIDTH, HEIGHT))


def _dilate(mask: np.ndarray, low: int, high: int) -> np.ndarray:
    """Spread every set pixel from ``low`` to ``high`` pixels along x and y.

    The released code does it by repeated dilation with an even box, which is why low and high can differ.
    """
    side = high - low + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8), anchor=(high, high)) > 0


def _erode(mask: np.ndarray, reach: int) -> np.ndarray:
    return ~_dilate(~mask, -reach, reach)


def _closed(mask: np.ndarray) -> np.ndarray:
    """Clear the outermost pixels, then fill what the mask encloses."""
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1]
    return fill_holes(inner)


def _largest_outline(mask: np.ndarray) -> np.ndarray:
    """The largest component, redrawn from its slightly simplified outline."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    drawn = np.zeros(mask.shape, np.uint8)
    if contours:
        best = max(contours, key=lambda contour: abs(cv2.contourArea(contour, oriented=True)))
        cv2.drawContours(drawn, [best], 0, color=(1,), thickness=-1)
    return drawn > 0
