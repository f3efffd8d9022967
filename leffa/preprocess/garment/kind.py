"""What kind of garment a product shot shows, told from its outline where that is sure enough."""

import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.preprocess.garment.measure import body_lengths, upright

_LONG = 2.5  # body widths: what is longer and has shoulders is a dress
_SHORT = 2.1  # what is shorter is a top
_FLAT = 0.77  # of the width further down: an upper edge this wide is a waistband, not a neck
_LEGS = 0.3  # share of the lower rows that are two pieces alike, beside the middle
_SLEEVES = 0.05  # share of the rows that are three pieces: a body between sleeves


def guess_kind(shown: NDArray[np.bool_]) -> Garment | None:
    """The kind by the silhouette (H, W) of a garment worn by nobody; None where it cannot be told.

    Of the 53 product shots among ``../shared/photos`` and the examples it tells 51, two of them wrongly; of
    photographs of clothes that lie about it tells three in four, and three in four of these rightly.
    """
    silhouette = upright(shown)
    if silhouette is None:
        return None
    height = len(silhouette)
    pieces, legs = _pieces(silhouette)
    covered = silhouette.sum(1)

    def rows(first: float, last: float) -> slice:
        return slice(round(first * height), round(last * height))

    further = float(np.median(covered[rows(0.15, 0.25)]))
    edge = float(np.median(covered[rows(0.01, 0.04)])) / max(further, 1.0)
    is_flat = edge >= _FLAT and pieces[rows(0.01, 0.05)].max() == 1
    has_legs = legs[rows(0.6, 0.95)].mean() >= _LEGS and edge > 0.6
    if has_legs or (is_flat and (pieces[rows(0.3, 0.95)] >= 3).mean() < _SLEEVES):
        return Garment.LOWER
    length = body_lengths(silhouette)
    if length >= _LONG and not is_flat:
        return Garment.DRESS
    if length < _SHORT and edge < 0.7:
        return Garment.UPPER
    return None


def _pieces(silhouette: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Of each row the number of pieces, and whether they are two alike beside the middle, as legs are."""
    width = silhouette.shape[1]
    least = max(2, round(0.03 * width))
    counts, legs = np.zeros(len(silhouette), np.intp), np.zeros(len(silhouette), bool)
    for number, row in enumerate(silhouette):
        steps = np.diff(np.concatenate([[0], row.astype(np.int8), [0]]))
        starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        wide = ends - starts >= least
        starts, ends = starts[wide], ends[wide]
        counts[number] = len(starts)
        if len(starts) == 2:
            lengths = ends - starts
            is_central = abs((ends[0] + starts[1]) / 2 - width / 2) < 0.15 * width
            legs[number] = is_central and abs(lengths[0] - lengths[1]) < 0.35 * lengths.max()
    return counts, legs
