"""A mean that is collected batch by batch."""

import math

import torch
from torch import Tensor


class RunningMean:
    """Mean of everything it was given, in float64; nan values, where a figure is undefined, do not count."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def update(self, values: Tensor) -> None:
        """Add a tensor of values of any shape."""
        values = values.detach().double().flatten()
        defined = values[~torch.isnan(values)]
        self.total += float(defined.sum())
        self.count += len(defined)

    def compute(self) -> float:
        """The mean; nan of nothing."""
        return self.total / self.count if self.count else math.nan
