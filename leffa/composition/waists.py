"""Where a top ends that is tucked in, and where trousers begin: at the photo's own edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working
from leffa.composition.edges import SPECK, by_colours, share_of
from leffa.composition.flows import outlined
from leffa.composition.length import TORSO, UPPER_LEGS
from leffa.composition.reading import RIM
from leffa.composition.scene import Scene
from leffa.config import Garment
from leffa.preprocess.offline.drawing import closed, grown, joined_to, opened
from leffa.preprocess.offline.parsing import Seen

TUCKED, HIDDEN = 0.02, 0.06  # of a top; of a skirt: if more of both is before the other it hangs over it
INSET, WAIST = 0.4, 0.4  # px of the frame: what is mixed at a waistband; waves of its edge that it has not
HEM_INSET = 2.4  # px of the frame: how far above the edge of a top that hangs over them trousers may begin
GATHERED = 2.0  # px of the frame: half of what is between the folds of a waistband
CORNER = 6.0  # px of the frame: half the width of a corner beside a waistband
WAIST_SLOPE = 6.0  # px of the frame that a waist's line may fall from its middle to its ends
HIGH = 85  # percentile of the columns of a waist: a jacket hides it elsewhere
MOST_RISE = 24.0  # px of the frame that trousers are drawn up
STRETCHED = 4.0  # heights of the rise that it is spread over


def at_the_waist(
    scene: Scene, working: Working, covered: NDArray[np.bool_], gone: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], Maps]:
    """A top or trousers (H, W) up to the edge of what is worn with them, and (H, W) in [0, 1] that.

    Their edges are the photo's own: a top that is tucked in ends at the waistband, trousers begin at the hem
    of the top that hangs over them.
    """
    beside = Seen.LOWER if scene.garment is Garment.UPPER else Seen.UPPER
    other = share_of(scene.photo, scene.reading, working, (beside,)) > 0.5
    if scene.garment is Garment.UPPER and _hangs_over(working, covered, other):
        return covered, np.zeros(working.size, np.float32)
    near = grown(covered, 2 * CORNER * working.zoom)
    told = by_colours(scene.photo, scene.reading, working, beside, near) > 0.5
    if scene.garment is Garment.UPPER:
        told = closed(told, GATHERED * working.zoom)
        inset = INSET
    else:  # of the old trousers' waistband nothing is to stay
        told = joined_to(told & other, told & other & ~covered)
        inset = HEM_INSET
    waist = outlined(working, ~grown(~told, inset * working.zoom), WAIST)
    covered = covered | _corners_at(scene, working, covered, waist > 0.5, gone)
    return covered, waist * grown(covered, RIM * working.zoom)


def _hangs_over(working: Working, covered: NDArray[np.bool_], lower: NDArray[np.bool_]) -> bool:
    """Whether a top (H, W) hangs over trousers or a skirt, so far that it is not just laid a little low."""
    over = (covered & ~grown(~lower, 2 * RIM * working.zoom)).sum()
    return bool(over > TUCKED * covered.sum() and over > HIDDEN * lower.sum())


def _corners_at(
    scene: Scene,
    working: Working,
    covered: NDArray[np.bool_],
    waist: NDArray[np.bool_],
    gone: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(H, W): the corners between a garment, an arm, and what is worn with it."""
    is_top = scene.garment is Garment.UPPER
    trunk = working.cut(np.isin(scene.reading.parts[..., 0], TORSO if is_top else UPPER_LEGS)) > 0.5
    bare = (share_of(scene.photo, scene.reading, working, (Seen.ARM,)) > 0.5) & ~trunk
    widths = (covered & trunk).sum(1)[:: 1 if is_top else -1]
    rows = np.maximum.accumulate((widths > widths.max() / 2)[::-1])[:: -1 if is_top else 1]
    closed_up = closed(covered | waist | bare, CORNER * working.zoom)
    return closed_up & ~waist & ~bare & rows[:, None] & (gone | (trunk & is_top))


def up_to_the_waist(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps, gone: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """The new trousers or skirt, and their flow, drawn up to where the old ones begin, behind what stays.

    A product shot does not tell how high they are worn: the photo does.
    """
    before = share_of(scene.photo, scene.reading, working, (Seen.UPPER,)) > 0.5
    before = opened(before, SPECK * working.zoom) & (gone < 0.5)
    old = working.unframed(scene.reading.seen[0, Seen.LOWER : Seen.LOWER + 1])[..., 0] > 0.5
    rows = np.arange(working.size[0])
    columns = np.flatnonzero(old.any(0) & covered.any(0))
    if not len(columns):
        return covered, places
    new_top, old_top = covered.argmax(0)[columns], old.argmax(0)[columns]
    waist = new_top < np.median(new_top) + WAIST_SLOPE * working.zoom
    columns, new_top, old_top = columns[waist], new_top[waist], old_top[waist]
    top = np.polynomial.Polynomial.fit(columns, new_top, 1)(np.arange(working.size[1]))
    rise = float(np.percentile(new_top - old_top, HIGH)) + RIM * working.zoom
    if not 0 < rise < MOST_RISE * working.zoom:
        return covered, places
    below = rows[:, None] - (top - rise)[None]  # px below the waist
    source = (rows[:, None] + np.clip(rise - below / STRETCHED, 0, rise)).astype(np.float32)
    across = np.broadcast_to(np.arange(working.size[1], dtype=np.float32), working.size)
    moved = cv2.remap(covered.astype(np.uint8), across, source, cv2.INTER_NEAREST) > 0
    moved &= ~before | covered
    return moved, cv2.remap(places, across, source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
