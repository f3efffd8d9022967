"""Capturing the attention flow while the pipeline paints."""

from dataclasses import dataclass, field

from torch import Tensor

from leffa.config import MAX_TIMESTEP, MIN_RESOLUTION, TEMPERATURE, GridConvention
from leffa.model.attention import AttentionObserver, is_trained
from leffa.model.flow import FlowField, grid_of, merge, observe_flow


@dataclass(frozen=True)
class FlowOptions:
    """What to capture.

    steps           how many of the sampling steps, spread evenly over all of them
    temperature     of the softmax the flow is read with; the loss trains it at 2
    min_resolution  layers with h / H below are left out, see ``is_trained``
    max_timestep    captured steps at or above do not enter the merged flow (the loss's own gate)
    """

    steps: int = 6
    temperature: float = TEMPERATURE
    min_resolution: float = MIN_RESOLUTION
    max_timestep: int = MAX_TIMESTEP
    convention: GridConvention = GridConvention.CENTERS

    def choose(self, timesteps: list[int]) -> set[int]:
        """The last step of each of ``steps`` equal stretches; so the very last one is always there."""
        count = min(self.steps, len(timesteps))
        return {timesteps[(i + 1) * len(timesteps) // count - 1] for i in range(count)}


@dataclass(frozen=True)
class SampleFlow:
    """The attention flow of one painted picture, on the CPU.

    fields  (layer name, timestep) -> ``FlowField`` with flow (h, w, 2), spread and mass (h, w)
    merged  one ``FlowField`` at the size of the picture, from all layers of the steps the loss trains
    """

    fields: dict[tuple[str, int], FlowField]
    merged: FlowField

    @property
    def layers(self) -> list[str]:
        """Names of the captured layers, in forward order."""
        return list(dict.fromkeys(layer for layer, _ in self.fields))

    @property
    def timesteps(self) -> list[int]:
        """Captured timesteps, from noise to picture."""
        return sorted({timestep for _, timestep in self.fields}, reverse=True)


@dataclass
class FlowRecorder:
    """Collects ``FlowField``s of chosen layers at chosen timesteps through attention observers.

    timesteps       when to look
    batch           how many samples are painted; under guidance only the last ones, the conditional, count
    latent_size, size  (height, width) of latents and pictures
    reference_mask  (B, 1, H, W), for the occupancy; or None
    """

    options: FlowOptions
    timesteps: set[int]
    batch: int
    latent_size: tuple[int, int]
    size: tuple[int, int]
    reference_mask: Tensor | None = None
    _fields: dict[tuple[str, int], FlowField] = field(default_factory=dict)

    def observer(self, timestep: int) -> AttentionObserver | None:
        """Observer for one forward at ``timestep``; None if it is not to be captured."""
        if timestep not in self.timesteps:
            return None

        def observe(layer: str, query: Tensor, own_key: Tensor, reference_key: Tensor) -> None:
            grid = grid_of(query.shape[2], self.latent_size)
            if not is_trained(layer, grid, self.size[0], self.options.min_resolution):
                return
            self._fields[layer, timestep] = observe_flow(
                query[-self.batch :],
                own_key[-self.batch :],
                reference_key[-self.batch :],
                grid,
                grid_of(reference_key.shape[2], self.latent_size),
                self.options.temperature,
                self.options.convention,
                self.reference_mask,
            )

        return observe

    def merged(self) -> FlowField:
        """All that was captured below ``max_timestep``, or if there is nothing all of it, in one field."""
        trained = [f for (_, t), f in self._fields.items() if t < self.options.max_timestep]
        return merge(trained or list(self._fields.values()), self.size)

    def finish(self) -> list[SampleFlow] | None:
        """One ``SampleFlow`` per sample; None if the run was stopped before any captured step."""
        if not self._fields:
            return None
        merged = self.merged().to("cpu")
        fields = {key: captured.to("cpu") for key, captured in self._fields.items()}
        return [
            SampleFlow({key: captured[i] for key, captured in fields.items()}, merged[i])
            for i in range(self.batch)
        ]
