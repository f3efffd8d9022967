"""Ways from noise to a picture, all of them from diffusers."""

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from leffa.model.library import DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler

    Scheduler: TypeAlias = DDPMScheduler | DPMSolverMultistepScheduler | UniPCMultistepScheduler


class Solver(str, Enum):
    """How the steps are taken.

    DDPM   ancestral sampling, as released; draws noise in every step
    DPM    DPM-Solver++ of second order (arXiv 2211.01095); deterministic, for 8 to 25 steps
    UNIPC  UniPC of second order (arXiv 2302.04867); deterministic, for 5 to 20 steps
    """

    DDPM = "ddpm"
    DPM = "dpm++"
    UNIPC = "unipc"

    def scheduler(self, own: "DDPMScheduler") -> "Scheduler":
        """For the noise schedule of ``own``, which is taken itself for DDPM."""
        from leffa.model.library import DPMSolverMultistepScheduler, UniPCMultistepScheduler

        if self is Solver.DDPM:
            return own
        kind = DPMSolverMultistepScheduler if self is Solver.DPM else UniPCMultistepScheduler
        scheduler: Scheduler = kind.from_config(own.config)
        return scheduler
