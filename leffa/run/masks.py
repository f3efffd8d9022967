"""The offline mask, put right by what the photo is read to show: all of the old garment, and not its wearer.

``preprocess.offline.masks`` draws room for any garment around the bones and knows nothing of colours. Of a
photo that has been read, the old garment is added to it, and hair and the garment that stays are taken out.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.framing import Region
from leffa.images import Letterbox
from leffa.preprocess.offline.drawing import connected, grown
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.offline.parsing import REPLACED, Seen
from leffa.run.compose import FRAME, Reading

Area = NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """How far the parse is believed. Lengths in px of its frame, 256 x 192; ``benchmarks/masks.py`` turns each off.

    rim       around the old garment, where its colours mix with what lies beside it: twice what is mixed in
              ``compose.RIM``, and as much again for the parse, which is a pixel off
    beside    around the old garment, within which the one that stays may be covered: the room of a hem
    sure      share from which a pixel counts as hair, hand or the garment that stays
    """

    rim: float | None = 3.2
    beside: float | None = 5.0
    hair: float | None = 0.5
    hands: float | None = 0.5


RULES = Rules()


def put_right(
    area: NDArray[np.uint8],
    region: Region,
    reading: Reading,
    garment: Garment,
    options: MaskOptions = MaskOptions(),
    rules: Rules = RULES,
) -> NDArray[np.uint8]:
    """A mask (H, W) uint8, 255 = repaint, of a photo that was read in ``region``."""
    frame = replace(region, letterbox=Letterbox.fit(region.size, FRAME))

    def framed(where: Area) -> Area:
        return frame.mask(np.where(where, 255, 0).astype(np.uint8)) > 127

    seen = reading.seen[0].numpy()
    mask, head = framed(area > 127), framed(reading.head)
    old = _old_garment(seen, mask, framed(reading.on_body), garment)
    result = mask.copy()
    if rules.beside is not None:
        result &= ~(_staying(seen, garment, options) & ~grown(old, rules.beside))
    if options.protect_hair and rules.hair is not None:
        result &= ~(seen[Seen.HAIR] > rules.hair)
    if options.protect_bag:
        result &= ~((seen[Seen.OTHER] > 0.5) & ~grown(old, 1))
    if rules.rim is not None:
        result |= grown(old, rules.rim) & ~head
    return _changed(area, frame, mask, result)


def _old_garment(seen: NDArray[np.float32], mask: Area, on_body: Area, garment: Garment) -> Area:
    """What has to go, as far as it hangs together with the mask; of a dress under a new top only that."""
    going = [part for part in REPLACED[garment] if garment is Garment.DRESS or part is not Seen.DRESS]
    likely = (seen[going].sum(0) > 0.5) & on_body
    pieces = connected(likely)
    touched = np.unique(pieces[mask & likely])
    return likely & np.isin(pieces, touched)


def _staying(seen: NDArray[np.float32], garment: Garment, options: MaskOptions) -> Area:
    """The garment that stays; none where a longer top is wished, which hangs over it."""
    stay = [part for part in (Seen.UPPER, Seen.LOWER) if part not in REPLACED[garment]]
    if not stay or (garment is Garment.UPPER and options.hem is not None):
        return np.zeros(seen.shape[1:], bool)
    return seen[stay].sum(0) > 0.5


def _changed(area: NDArray[np.uint8], frame: Region, before: Area, after: Area) -> NDArray[np.uint8]:
    """The photo's mask with what changed in the frame, its edges smooth; as sharp as it was elsewhere."""
    result = area.copy()
    inner = result[frame.box.slices]
    for where, value in ((before & ~after, 0), (after & ~before, 255)):
        inner[frame.letterbox.invert_map(where.astype(np.float32)) > 0.5] = value
    return result
