"""What the sampling loop is made of: its inputs and guidance."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance. Its unconditional branch, the first half, sees reference latents of zeros.

    scale    1 or less = off
    rescale  blend factor of the rescaled prediction, see ``guide``

    Raises ValueError for numbers that are not finite.
    """

    scale: float
    rescale: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.rescale)):
            raise ValueError(f"guidance must be finite, got {self.scale} rescaled by {self.rescale}")

    @property
    def is_on(self) -> bool:
        return self.scale > 1

    def both(self, values: Tensor) -> Tensor:
        """(B, ...) for the unconditional and the conditional branch, (2 B, ...); as it is where it is off."""
        return torch.cat([values, values]) if self.is_on else values

    def references(self, latents: Tensor) -> Tensor:
        """The same for the reference latents."""
        return torch.cat([torch.zeros_like(latents), latents]) if self.is_on else latents

    def combined(self, prediction: Tensor) -> Tensor:
        """(2 B, ...) -> (B, ...)."""
        if not self.is_on:
            return prediction
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
    condition          ([2] B, C + 4, h, w): see ``LeffaPipeline.condition``; twice under guidance
    reference_latents  ([2] B, C, h, w): zeros first under guidance
    """

    person: Tensor
    reference_mask: Tensor | None
    condition: Tensor
    reference_latents: Tensor
