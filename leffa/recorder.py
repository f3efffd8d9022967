"""Capturing the attention flow while the pipeline paints."""

from dataclasses import dataclass, field

from torch import Tensor

from leffa.attention import AttentionObserver
from leffa.flow import TEMPERATURE, FlowField, GridConvention, grid_of, merge, observe_flow


@dataclass(frozen=True)
class FlowOptions:
    """What to capture.

    steps           how many of the sampling steps, spread evenly over all of them
    temperature     of the softmax the flow is read with; the loss trains it at 2
    min_resolution  layers with h / H below are left out (the loss's own rule; the middle block goes with it)
    max_timestep    captured steps at or above do not enter the merged flow (the loss's own gate)
    """

    steps: int = 6
    temperature: float = TEMPERATURE
    min_resolution: float = 1 / 32
    max_timestep: int = 500
    convention: GridConvention = GridConvention.CENTERS


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
    """Collects ``FlowField``s of chosen layers at chosen timesteps through attention observers."""

    options: FlowOptions
    timesteps: set[int]
    latent_size: tuple[int, int]
    size: tuple[int, int]
    _fields: dict[tuple[str, int], FlowField] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        wanted: bool | FlowOptions,
        timesteps: Tensor,
        latent_size: tuple[int, int],
        size: tuple[int, int],
    ) -> "FlowRecorder | None":
        """The recorder for one call; None if no flow is wanted."""
        if wanted is False:
            return None
        options = FlowOptions() if wanted is True else wanted
        every = timesteps.tolist()
        # The last step of each of `steps` equal stretches: the very last one, the finest, is always there.
        count = min(options.steps, len(every))
        chosen = {int(every[(i + 1) * len(every) // count - 1]) for i in range(count)}
        return cls(options, chosen, latent_size, size)

    def observer(self, timestep: int, batch: int) -> AttentionObserver | None:
        """Observer for one forward. Only the last ``batch`` samples count, under guidance the conditional."""
        if timestep not in self.timesteps:
            return None

        def observe(layer: str, query: Tensor, own_key: Tensor, reference_key: Tensor) -> None:
            grid = grid_of(query.shape[2], self.latent_size)
            if "mid_block" in layer or grid[0] / self.size[0] < self.options.min_resolution:
                return
            self._fields[layer, timestep] = observe_flow(
                query[-batch:],
                own_key[-batch:],
                reference_key[-batch:],
                grid,
                grid_of(reference_key.shape[2], self.latent_size),
                self.options.temperature,
                self.options.convention,
            ).to("cpu")

        return observe

    def finish(self, batch: int) -> list[SampleFlow] | None:
        """One ``SampleFlow`` per sample; None if the run was stopped before any captured step."""
        if not self._fields:
            return None
        trained = [f for (_, t), f in self._fields.items() if t < self.options.max_timestep]
        merged = merge(trained or list(self._fields.values()), self.size)
        return [
            SampleFlow({key: fields[i] for key, fields in self._fields.items()}, merged[i])
            for i in range(batch)
        ]
