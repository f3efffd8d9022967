"""How much of the exact way a run gives up to be sooner done. Light: it may be read before torch is there."""

from dataclasses import dataclass
from enum import Enum

from leffa.model.solvers import Solver


class Pace(str, Enum):
    """Kinds of haste, see ``RECIPES``."""

    FAST = "fast"
    BALANCED = "balanced"
    QUALITY = "quality"


@dataclass(frozen=True)
class Recipe:
    """What a pace does to a run.

    steps             None = the model's own
    reuse_reference   read the reference once
    guidance_interval  shares of the run between which there is guidance
    """

    steps: int | None = None
    solver: Solver = Solver.DDPM
    reuse_reference: bool = False
    guidance_interval: tuple[float, float] = (0.0, 1.0)

    def fits(self, own_steps: int) -> bool:
        """Whether it saves steps to a model that takes ``own_steps`` of its own."""
        return self.steps is None or self.steps < own_steps


RECIPES = {
    Pace.FAST: Recipe(6, Solver.DDPM, True, (0.0, 0.7)),
    Pace.BALANCED: Recipe(12, Solver.DDPM, True, (0.0, 0.8)),
    Pace.QUALITY: Recipe(),
}
"""Set by benchmarks/paces.py, with the bundled weights: at the same cost DDPM stays nearer to the exact
picture than the solvers of fewer steps, see docs/speed.md. A model of few steps always runs exactly."""


def recipe(pace: Pace, own_steps: int) -> Recipe:
    """What is done for a model that takes ``own_steps`` of its own."""
    wanted = RECIPES[pace]
    return wanted if wanted.fits(own_steps) else RECIPES[Pace.QUALITY]
