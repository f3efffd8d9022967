"""Flow start: let the learned flow carry the pattern, and the painter finish it. Ours, not the paper's.

A small model learns where to look long before it learns to paint. So the flow is read in a few steps at high
noise, the reference is warped by it into the mask, and sampling goes on from that composite, noised to an
intermediate timestep, instead of from the painter's own first guess.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the settings are read by pages that must be there before torch is
    from torch import Tensor

    from leffa.flow import FlowField


@dataclass(frozen=True)
class FlowStart:
    """Settings of the flow start.

    read_steps   sampling steps spent on reading the flow, at timesteps above ``timestep``
    timestep     noise level (0 to 999) the composite is brought to; lower keeps more of the warp
    sharpness    slope at which occupancy around one half becomes a choice between warp and painter
    """

    read_steps: int = 2
    timestep: int = 500
    sharpness: float = 4.0

    def __post_init__(self) -> None:
        if self.read_steps < 1 or not 0 < self.timestep < 1000:
            raise ValueError(f"flow start needs read_steps >= 1 and 0 < timestep < 1000, got {self}")

    def timesteps(self, count: int, train_steps: int = 1000) -> list[int]:
        """``count`` timesteps: first those that read the flow, then evenly from ``timestep`` down."""
        if count <= self.read_steps:
            raise ValueError(f"flow start reads in {self.read_steps} steps: take more than that, not {count}")
        stretch = train_steps - 1 - self.timestep
        reading = [train_steps - 1 - i * stretch // self.read_steps for i in range(self.read_steps)]
        painting = count - self.read_steps
        return reading + [self.timestep - i * self.timestep // painting for i in range(painting)]

    def alpha(self, field: "FlowField") -> "Tensor":
        """How much of the warp to take, (B, 1, h, w) in [0, 1], from the field's occupancy."""
        if field.occupancy is None:
            raise ValueError("flow start needs reference_mask, to tell the garment from its background")
        return ((field.occupancy[:, None] - 0.5) * self.sharpness + 0.5).clamp(0, 1)

    def composite(
        self,
        reference: "Tensor",
        predicted: "Tensor",
        person: "Tensor",
        mask: "Tensor",
        field: "FlowField",
    ) -> "Tensor":
        """The picture to go on from, (B, 3, H, W) in [-1, 1].

        The warped reference where the attention falls on the garment, the painter's prediction elsewhere in
        the mask, the person outside. All pictures (B, 3, H, W) in [-1, 1], ``field`` at their size.
        """
        import torch

        from leffa.flow import warp

        alpha = self.alpha(field)
        inside = torch.lerp(predicted, warp(reference, field.flow), alpha)
        return torch.where(mask > 0.5, inside, person)
