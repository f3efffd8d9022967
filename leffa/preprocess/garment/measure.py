"""How long a garment is, read off its product shot: sleeve and hem, and what a mask lacks for them.

Everything is told in widths of the garment's body, which on people is about a shoulder width, so that the
picture's scale does not matter. Works on the silhouette alone, of a garment worn by nobody, from the front.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment, Hem, Sleeve
from leffa.preprocess.garment.product import foreground
from leffa.preprocess.offline.masks import MaskOptions

WORKING_HEIGHT = 256

# Lengths in body widths at which one wearer's landmark ends and the next begins.
_SOME, _LONG = 0.28, 1.15
_HEMS = {
    Garment.UPPER: ((Hem.WAIST, 0.95), (Hem.HIP, 2.6), (Hem.KNEE, 3.1), (Hem.ANKLE, np.inf)),
    Garment.LOWER: ((Hem.HIP, 0.6), (Hem.KNEE, 2.0), (Hem.ANKLE, np.inf)),
    Garment.DRESS: ((Hem.HIP, 1.9), (Hem.KNEE, 3.1), (Hem.ANKLE, np.inf)),
}
_MOST_BORDER = 0.2  # of the picture's edge: more of it is ground that was taken for cloth
_LONGEST_TOP = 4.5  # what is longer is no top, or not all of it was told from the ground
_SLEEVES = (Sleeve.NONE, Sleeve.ELBOW, Sleeve.WRIST)
_ORDER = (Hem.WAIST, Hem.HIP, Hem.KNEE, Hem.ANKLE)


@dataclass(frozen=True)
class GarmentMeasure:
    """Lengths of a garment.

    sleeve, hem  where it ends on its wearer; None for a sleeve of a lower garment
    sleeve_length, body_length  in body widths
    """

    sleeve: Sleeve | None
    hem: Hem
    sleeve_length: float
    body_length: float


@dataclass(frozen=True)
class Shortfall:
    """Where a mask leaves too little room: set this option to mend it."""

    sleeve: Sleeve | None = None
    hem: Hem | None = None


def measure_garment(image: NDArray[np.uint8], garment: Garment) -> GarmentMeasure | None:
    """Measure a product shot (H, W, 3) uint8 RGB; None where no silhouette stands out from the ground."""
    return measure_silhouette(foreground(image) > 127, garment)


def measure_silhouette(shown: NDArray[np.bool_], garment: Garment) -> GarmentMeasure | None:
    """Measure the silhouette (H, W) of a garment; None where there is none, or nothing else."""
    silhouette = upright(shown)
    if silhouette is None:
        return None
    width = _body_width(silhouette, garment)
    body = silhouette.shape[0] / width
    hem = next(name for name, limit in _HEMS[garment] if body < limit)
    if garment is Garment.LOWER:
        return GarmentMeasure(None, hem, 0.0, body)
    reach = _sleeve_reach(silhouette, width, garment)
    sleeve = Sleeve.NONE if reach < _SOME else Sleeve.ELBOW if reach < _LONG else Sleeve.WRIST
    if garment is Garment.UPPER and body > _LONGEST_TOP:
        return None
    return GarmentMeasure(sleeve, hem, reach, body)


def shortfall(measure: GarmentMeasure, garment: Garment, options: MaskOptions) -> Shortfall | None:
    """Options under which a mask of these options would have room for the garment; None if it has.

    An automatic mask reaches the wrists, and the ankles of lower garments and dresses; for tops it ends with
    the worn one, about the hips.
    """
    sleeve = hem = None
    if (
        measure.sleeve is not None
        and options.sleeve is not None
        and _SLEEVES.index(options.sleeve) < _SLEEVES.index(measure.sleeve)
    ):
        sleeve = measure.sleeve
    automatic = Hem.HIP if garment is Garment.UPPER else Hem.ANKLE
    room = automatic if options.hem is None else options.hem
    if garment is Garment.UPPER and options.hem is Hem.WAIST:
        room = Hem.WAIST
    if _ORDER.index(room) < _ORDER.index(measure.hem):
        hem = measure.hem
    return Shortfall(sleeve, hem) if sleeve or hem else None


def body_lengths(silhouette: NDArray[np.bool_]) -> float:
    """How long an ``upright`` silhouette is in widths of its body, if it has sleeves or straps."""
    return silhouette.shape[0] / _body_width(silhouette, Garment.DRESS)


def upright(silhouette: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The silhouette cut to its box, at working height; None if there is none or it runs off the picture."""
    rows, columns = np.flatnonzero(silhouette.any(1)), np.flatnonzero(silhouette.any(0))
    border = np.concatenate([silhouette[0], silhouette[-1], silhouette[:, 0], silhouette[:, -1]])
    if not len(rows) or border.mean() > _MOST_BORDER:
        return None
    box = silhouette[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(8, round(box.shape[1] * WORKING_HEIGHT / box.shape[0]))
    return cv2.resize(box.astype(np.uint8), (width, WORKING_HEIGHT), interpolation=cv2.INTER_AREA) > 0


def _body_width(silhouette: NDArray[np.bool_], garment: Garment) -> float:
    """Width of the body of the garment, px: of trousers and skirts at the waist, else under the arms."""
    if garment is Garment.LOWER:
        return float(max(np.median(silhouette[4:30].sum(1)), 1))
    first, last = (0.16, 0.45) if garment is Garment.DRESS else (0.3, 0.8)
    widths = _widths(silhouette)[round(first * WORKING_HEIGHT) : round(last * WORKING_HEIGHT)]
    widths = widths[widths > 0]
    return float(np.percentile(widths, 15)) if len(widths) else float(silhouette.shape[1]) / 2


def _middle(silhouette: NDArray[np.bool_]) -> int:
    columns = np.flatnonzero(silhouette.any(0))
    return round((columns[0] + columns[-1]) / 2)


def _runs(silhouette: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each row, only the unbroken stretch around the middle."""
    middle = _middle(silhouette)
    kept = np.zeros_like(silhouette)
    for row, own in zip(silhouette, kept, strict=True):
        if not row[middle]:
            continue
        gaps = np.flatnonzero(~row)
        left = gaps[gaps < middle].max(initial=-1) + 1
        right = gaps[gaps > middle].min(initial=len(row))
        own[left:right] = True
    return kept


def _widths(silhouette: NDArray[np.bool_]) -> NDArray[np.intp]:
    return _runs(silhouette).sum(1)


def _sleeve_reach(silhouette: NDArray[np.bool_], width: float, garment: Garment) -> float:
    """How far the cloth of the sleeves reaches from the shoulder points, in body widths."""
    middle = _middle(silhouette)
    central = _runs(silhouette)
    # down to the armpits cloth beside the body is sleeve; below, only what a gap parts from the body
    narrow = np.flatnonzero(central.sum(1)[8:] < 1.12 * width) + 8
    upper_end = WORKING_HEIGHT // (
        4 if garment is Garment.DRESS else 2
    )  # what widens lower is a flared skirt
    wide = np.flatnonzero(central.sum(1)[:upper_end] > 1.2 * width)
    armpit = narrow[narrow > wide[0]].min(initial=WORKING_HEIGHT) if len(wide) else 0
    sleeves = silhouette & ~central
    sleeves[:armpit] = silhouette[:armpit]
    rows, columns = np.nonzero(sleeves)
    reach = []
    for side in (-1, 1):
        beside = (columns - middle) * side > 0.54 * width
        if beside.sum() < 0.01 * width**2:
            reach.append(0.0)
            continue
        shoulder_column = int(np.clip(middle + side * 0.48 * width, 0, silhouette.shape[1] - 1))
        shoulder_row = np.flatnonzero(silhouette[:, shoulder_column]).min(initial=WORKING_HEIGHT)
        distance = np.hypot(rows[beside] - shoulder_row, columns[beside] - shoulder_column)
        reach.append(float(np.percentile(distance, 99)) / width)
    return float(np.mean(reach))
