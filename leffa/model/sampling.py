"""What the sampling loop is made of: its inputs, guidance, and those who watch its steps."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from leffa.model.attention import AttentionObserver
from leffa.model.flow_start import FlowStart
from leffa.model.recorder import FlowRecorder


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

    person, reference  (B, 3, H, W) float32 in [-1, 1]
    mask               (B, 1, H, W) float32, 1 = paint
    reference_mask     (B, 1, H, W) float32, or None
    condition          (B, C + 4, h, w): see ``LeffaPipeline.condition``
    reference_latents  (B, C, h, w), or one row for all
    """

    person: Tensor
    reference: Tensor
    mask: Tensor
    reference_mask: Tensor | None
    condition: Tensor
    reference_latents: Tensor


class Watcher(Protocol):
    """Stands beside the loop."""

    def observer(self, timestep: int) -> AttentionObserver | None:
        """What looks at the attention of the step at ``timestep``, or None."""

    def after(self, step: int, latents: Tensor, predicted: Tensor) -> Tensor:
        """Latents (B, C, h, w) to go on with: the step's own, unless the watcher knows better.

        predicted  (B, C, h, w): what the step takes the finished picture for
        """


class Restart:
    """The watcher of a flow start: reads the flow, and goes on from a composite at the end of each stretch.

    turns     steps that are followed by a composite
    recorder  makes a fresh recorder of all steps
    decode    latents -> pictures
    renoise   brings a picture to the noise level that follows a step
    """

    def __init__(
        self,
        start: FlowStart,
        turns: set[int],
        inputs: Inputs,
        recorder: Callable[[], FlowRecorder],
        decode: Callable[[Tensor], Tensor],
        renoise: Callable[[Tensor, int], Tensor],
    ):
        if inputs.reference_mask is None:
            raise ValueError("flow_start needs reference_mask, to tell the garment from its background")
        self._garment = inputs.reference_mask
        self._start, self._turns, self._inputs = start, turns, inputs
        self._recorder, self._decode, self._renoise = recorder, decode, renoise
        self._read = recorder()

    def observer(self, timestep: int) -> AttentionObserver | None:
        return self._read.observer(timestep)

    def after(self, step: int, latents: Tensor, predicted: Tensor) -> Tensor:
        if step not in self._turns:
            return latents
        picture = self._start.composite(
            self._inputs.reference,
            self._decode(predicted),
            self._inputs.person,
            self._inputs.mask,
            self._read.merged(),
            self._garment,
        )
        self._read = self._recorder()
        return self._renoise(picture, step)
