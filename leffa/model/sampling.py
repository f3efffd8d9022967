"""What the sampling loop is made of: its inputs and guidance."""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance. Its unconditional branch, the first half, sees reference latents of zeros.

    scale     1 or less = off
    rescale   blend factor of the rescaled prediction, see ``guide``
    interval  shares of the run, [first, last), in which it is on (arXiv 2404.07724); outside, a step costs
              half

    Raises ValueError for numbers that are not finite, and for an interval that is none.
    """

    scale: float
    rescale: float
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.rescale)):
            raise ValueError(f"guidance must be finite, got {self.scale} rescaled by {self.rescale}")
        first, last = self.interval
        if not 0 <= first <= last <= 1:
            raise ValueError(f"the guidance interval must be two shares of the run, got {self.interval}")

    def steps(self, count: int) -> list[bool]:
        """Whether it is on, for each of ``count`` steps."""
        first, last = self.interval
        return [self.scale > 1 and first <= step / count < last for step in range(count)]

    def combined(self, prediction: Tensor) -> Tensor:
        """(2 B, ...) -> (B, ...)."""
        unconditional, conditional = prediction.chunk(2)
        return guide(unconditional, conditional, self.scale, self.rescale)


def guide(unconditional: Tensor, conditional: Tensor, scale: float, rescale: float) -> Tensor:
    """Classifier-free guidance, then the rescaled prediction blended in (arXiv 2305.08891, Eq. 15 and 16).

    ``rescale`` above 1 extrapolates; the released weights are used with ``rescale = scale``.
    """
    guided = unconditional + scale * (conditional - unconditional)
    if rescale == 0:
        return guided
    dims = tuple(range(1, guided.dim()))
    rescaled = guided * (conditional.std(dim=dims, keepdim=True) / guided.std(dim=dims, keepdim=True))
    return rescale * rescaled + (1 - rescale) * guided


@dataclass(frozen=True)
class Inputs:
    """What is the same in every step, on the device that paints.

    person             (B, 3, H, W) float32 in [-1, 1]
    reference_mask     (B, 1, H, W) float32, or None
    condition          (B, C + 4, h, w): see ``LeffaPipeline.condition``
    reference_latents  (B, C, h, w), or one row for all
    reference_name     what they are remembered by
    """

    person: Tensor
    reference_mask: Tensor | None
    condition: Tensor
    reference_latents: Tensor
    reference_name: str
