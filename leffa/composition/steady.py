"""A flow near one end of a garment without its waves: the polynomial of the place that fits it best.

The refinement is right about where a garment is to a few pixels, and wavy by as many: enough to fray a
neckline. Cloth near an end of a garment hangs in one piece, so a polynomial that the flow around that end
agrees on carries the product shot's own outline: round necklines, straight hems, ribs of one width.
"""

import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps

DEGREE = 2
ROUNDS = 6  # of weighing what does not fit less
OFF = 2.0  # times the median distance: a place that is off by so much counts half
MOST = 6000  # places that are looked at: more tell no more
LEAST_OFF = 1e-4  # of what [-1, 1] spans: nothing fits better


def steady(places: Maps, where: NDArray[np.bool_], degree: int = DEGREE) -> Maps:
    """A flow (H, W, 2) as the polynomial that fits it best ``where`` (H, W) it is given; float32.

    It is told for all places, and trustworthy near those. Distances on the product shot are of [-1, 1] along
    either axis. Least squares weighed again by how far each is off (Cauchy's weights).
    """
    rows, columns = np.nonzero(where)
    if not len(rows):
        return places
    middle = np.array([columns.mean(), rows.mean()])
    scale = max(float(columns.std()), float(rows.std()), 1.0)
    every = max(1, len(rows) // MOST)
    at = np.stack([columns[::every], rows[::every]], 1)
    given, terms = places[at[:, 1], at[:, 0]], _terms((at - middle) / scale, degree)
    weights = np.ones(len(at))
    for _ in range(ROUNDS):
        roots = np.sqrt(weights)[:, None]
        factors = np.linalg.lstsq(terms * roots, given * roots, rcond=None)[0]
        off = np.linalg.norm(given - terms @ factors, axis=1)
        weights = 1 / (1 + (off / (OFF * max(float(np.median(off)), LEAST_OFF))) ** 2)
    height, width = places.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
    smooth: Maps = (_terms((grid - middle) / scale, degree) @ factors).astype(np.float32)
    return smooth


def _terms(at: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """(..., K) products of powers of places (..., 2) up to a degree."""
    x, y = at[..., 0], at[..., 1]
    return np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], -1)
