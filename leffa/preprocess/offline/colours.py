"""Learning and comparing the colours of fabrics, skin and hair within one picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.offline.drawing import Array, Mask

FEWEST = 20  # pixels from which a colour may be learnt
_BINS = 16  # per axis of the histograms


def _mixing() -> Array:
    """(16, 16): spreads each bin over its neighbours, as far as the shades of one fabric stray."""
    distance = np.abs(np.arange(_BINS)[:, None] - np.arange(_BINS)[None])
    weights = np.exp(-0.5 * (distance / 0.9) ** 2) * (distance <= 3)
    return (weights / weights.sum(0)).astype(np.float32)


_MIXING = _mixing()


class Colours:
    """A picture's colours, one cell of a histogram over L, a, b for each pixel."""

    def __init__(self, image: NDArray[np.uint8], blur: float) -> None:
        """``image`` (H, W, 3) uint8 RGB, smoothed first by ``blur`` pixels."""
        self.lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), blur), cv2.COLOR_RGB2LAB)
        self.cell = _CELL_OF_LIGHTNESS[self.lab[..., 0]]
        self.cell += _CELL_OF_A[self.lab[..., 1]]
        self.cell += _CELL_OF_B[self.lab[..., 2]]

    def learn(self, where: Mask) -> Array | None:
        """Histogram (4096,) of the colours at ``where`` (H, W) bool, sum 1; None from too few pixels."""
        cells = self.cell[where]
        if len(cells) < FEWEST:
            return None
        cube = np.bincount(cells, minlength=_BINS**3).astype(np.float32)
        for _ in range(3):  # mix along the first axis and rotate the axes, three times
            cube = (_MIXING @ cube.reshape(_BINS, -1)).T.reshape(-1)
        cube += 1e-3 * len(cells) / _BINS**3  # a colour never seen is improbable, not impossible
        return cube / cube.sum()

    def log_odds(self, histogram: Array, *rivals: Array) -> Array:
        """(H, W) float32: logarithm of how much likelier each colour is here than under the best rival."""
        odds = np.log(histogram)
        if rivals:
            odds = odds - np.log(np.max(rivals, axis=0))
        return odds[self.cell]


def _chroma_bin(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return (np.clip(values, 88, 167) - 88) // 5  # cloth and skin lie within +-40 of grey (128)


_VALUES = np.arange(256)
_CELL_OF_LIGHTNESS = (_VALUES // 16 * _BINS**2).astype(np.int32)
_CELL_OF_A = (_chroma_bin(_VALUES) * _BINS).astype(np.int32)
_CELL_OF_B = _chroma_bin(_VALUES).astype(np.int32)


def overlap(first: Array | None, second: Array | None) -> float:
    """What two learnt histograms share: 0 nothing .. 1 everything; 0 where one is missing."""
    return 0.0 if first is None or second is None else float(np.minimum(first, second).sum())
