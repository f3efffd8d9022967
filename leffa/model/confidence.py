"""How much a place's look can be trusted: the one rule behind the views, the score and the composition."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from leffa.model.flow import FlowField

GATHERED_SPREAD, SCATTERED_SPREAD = 0.2, 0.5
"""Spreads between which confidence falls from 1 to 0; attention even over a whole picture has 0.8."""


def confidence(field: FlowField) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: 1 where attention is gathered in one place, 0 where it scatters over a garment."""
    sure = (SCATTERED_SPREAD - field.spread.numpy()) / (SCATTERED_SPREAD - GATHERED_SPREAD)
    return np.clip(sure, 0, 1).astype(np.float32)


def worn(occupancy: Tensor) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: where the garment is painted, from how much of the attention falls on it."""
    return np.clip(2 * occupancy.numpy() - 0.5, 0, 1)
