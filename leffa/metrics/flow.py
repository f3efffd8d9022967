"""How far a flow is from the known one: end-point error and PCK."""

import math

import torch
from torch import Tensor

NEAR = 5.0  # % of the reference's width: PCK counts the places that are no farther off


class FlowError:
    """End-point error in % of the reference's width, and PCK, over all visible places it was given."""

    def __init__(self) -> None:
        self._total, self._near, self._count = 0.0, 0, 0

    def update(self, flow: Tensor, truth: Tensor, visible: Tensor, width_over_height: float) -> None:
        """Add places: flow, truth (..., 2) absolute (x, y) in [-1, 1]; visible (...) bool.

        width_over_height  aspect of the reference, 0.75 for 256x192
        """
        scale = torch.tensor([1.0, 1.0 / width_over_height], dtype=torch.float64, device=flow.device)
        difference = (flow.double() - truth.double())[visible.bool()] * scale
        distance = difference.square().sum(-1).sqrt() * 50  # [-1, 1] is 100 % of the width
        self._total += float(distance.sum())
        self._near += int((distance <= NEAR).sum())
        self._count += len(distance)

    @property
    def places(self) -> int:
        """How many it was given."""
        return self._count

    def end_point_error(self) -> float:
        """Mean distance in % of the width; nan of nothing."""
        return self._total / self._count if self._count else math.nan

    def pck(self) -> float:
        """Share of the places within ``NEAR``, in %; nan of nothing."""
        return 100 * self._near / self._count if self._count else math.nan
