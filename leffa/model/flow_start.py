"""Flow start: let the learned flow carry the pattern, and the painter finish it. Ours, not the paper's.

A small model learns where to look long before it learns to paint. So the flow is read in a few steps at high
noise, the reference is warped by it into the mask, and sampling goes on from that composite, noised to an
intermediate timestep, instead of from the painter's own first guess. At lower noise the same is done again:
what the painter has made of skin and surroundings stays, and the garment is laid anew by the flow read since.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the settings are read by pages that must be there before torch is
    from torch import Tensor

    from leffa.model.flow import FlowField


@dataclass(frozen=True)
class FlowStart:
    """Settings of the flow start.

    read_steps   sampling steps spent on reading the flow first, at timesteps above the first level
    levels       falling timesteps (1 to 999) that a composite is brought to; lower ones keep more of the warp
    sharpness    slope at which occupancy around one half becomes a choice between warp and painter
    """

    read_steps: int = 2
    levels: tuple[int, ...] = (500,)
    sharpness: float = 4.0

    def __post_init__(self) -> None:
        falling = list(self.levels) == sorted(set(self.levels), reverse=True)
        if self.read_steps < 1 or not self.levels or not falling or not 0 < min(self.levels) < 1000:
            raise ValueError(f"flow start needs read_steps >= 1 and falling levels in 1 to 999, got {self}")

    @property
    def least_steps(self) -> int:
        """Of sampling: each level needs one."""
        return self.read_steps + len(self.levels)

    @property
    def most_steps(self) -> int:
        """Of sampling: below the first level no timestep comes twice."""
        return self.read_steps + self.levels[0]

    def stretches(self, count: int, train_steps: int = 1000) -> list[list[int]]:
        """``count`` timesteps: those that read the flow, then a stretch down from each level.

        Between two stretches lies a composite. Later stretches get the steps that do not divide evenly. No
        timestep comes twice: what a stretch has no room for goes to the last one that has. Raises ValueError
        for more steps than there are timesteps.
        """
        if count < self.least_steps:
            raise ValueError(f"flow start needs at least {self.least_steps} steps, not {count}")
        if count > self.most_steps:
            raise ValueError(f"flow start has room for at most {self.most_steps} steps, not {count}")
        painting, levels = count - self.read_steps, len(self.levels)
        bounds = [train_steps - 1, *self.levels, 0]
        lengths = [(painting + i) // levels for i in range(levels)]
        rooms = [high - low for high, low in pairwise(bounds[1:])]
        while surplus := sum(max(0, length - room) for length, room in zip(lengths, rooms, strict=True)):
            lengths = [min(length, room) for length, room in zip(lengths, rooms, strict=True)]
            last = max(i for i in range(levels) if lengths[i] < rooms[i])
            lengths[last] += surplus
        return [
            [high - i * (high - low) // length for i in range(length)]
            for high, low, length in zip(bounds, bounds[1:], [self.read_steps, *lengths], strict=False)
        ]

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
        reference_mask: "Tensor",
    ) -> "Tensor":
        """The picture to go on from, (B, 3, H, W) in [-1, 1].

        The warped reference where the attention falls on the garment and its middle lies there too, the
        painter's prediction elsewhere in the mask, the person outside. All pictures (B, 3, H, W) in [-1, 1],
        ``field`` and ``reference_mask`` (B, 1, H, W) at their size.
        """
        import torch

        from leffa.model.flow import warp

        alpha = self.alpha(field) * warp(reference_mask, field.flow)
        inside = torch.lerp(predicted, warp(reference, field.flow), alpha)
        return torch.where(mask > 0.5, inside, person)
