"""What is looked at while training: the flow against the known one, and pictures."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from leffa.model.flow import attention_flow, coarse_flow, end_point_error, resize_flow, warp
from leffa.model.pipeline import LeffaPipeline
from leffa.model.recorder import FlowOptions, FlowRecorder
from leffa.training.latents import encode
from leffa.training.model import StateCollector


def _batch(pipeline: LeffaPipeline, rows: Dataset[Any], indices: range) -> dict[str, Any]:
    """Rows of pictures or of latents as one batch that has latents, on the pipeline's device."""
    stacked = torch.utils.data.default_collate([rows[i] for i in indices])
    data = {name: value.to(pipeline.device) for name, value in stacked.items()}
    return data if "latents" in data else data | encode(pipeline, data)


@torch.no_grad()
def flow_errors(
    pipeline: LeffaPipeline, rows: Dataset[Any], count: int = 64, timestep: int = 250, batch: int = 16
) -> dict[str, float]:
    """End-point error of each layer's flow in % of the reference's width, and "mean" over the layers.

    The person is noised to ``timestep``. Nothing if the rows do not know the correspondence.
    """
    totals: dict[str, list[float]] = {}
    generator = torch.Generator().manual_seed(0)
    count = min(count, len(rows))  # type: ignore[arg-type]
    for start in range(0, count, batch):
        data = _batch(pipeline, rows, range(start, min(start + batch, count)))
        if "flow" not in data:
            return {}
        latents = data["latents"]
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        steps = torch.full((len(latents),), timestep, device=latents.device)
        noisy = pipeline.scheduler.add_noise(latents, noise, steps)
        size = (latents.shape[-2], latents.shape[-1])
        collector = StateCollector(size, size[0] * pipeline.downscale)
        pipeline.predict_noise(
            torch.cat([noisy, data["condition"]], dim=1), steps, data["reference_latents"], collector
        )
        for layer, state in collector.states.items():
            flow = attention_flow(state.query, state.reference_key, state.query_grid, state.reference_grid)
            truth, known = coarse_flow(data["flow"], data["visible"], state.query_grid)
            error = end_point_error(flow, truth, known, size[1] / size[0])
            totals.setdefault(short_name(layer), []).append(float(error))
    errors = {layer: sum(values) / len(values) for layer, values in totals.items()}
    return {**errors, "mean": sum(errors.values()) / len(errors)}


def short_name(layer: str) -> str:
    """ "up_blocks.1.attentions.0.transformer_blocks.0.attn1" -> "up1.0.0"."""
    parts = layer.split(".")
    numbers = [part for part in parts if part.isdigit()]
    return parts[0].split("_")[0] + ".".join(numbers)


@torch.no_grad()
def sample_grid(
    pipeline: LeffaPipeline, rows: Dataset[Any], count: int = 8, steps: int = 12, seed: int = 0
) -> Tensor:
    """A sheet (3, H, W) in [0, 1] with a column for each sample.

    Reference, masked person, result, true person, reference warped by the model's flow, and where it is
    known, warped by the true one.
    """
    data = _batch(pipeline, rows, range(min(count, len(rows))))  # type: ignore[arg-type]
    condition, reference = data["condition"], data["reference_latents"]
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(steps, device=pipeline.device)
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(data["latents"].shape, generator=generator).to(pipeline.device)
    latent_size = (latents.shape[-2], latents.shape[-1])
    size = (latent_size[0] * pipeline.downscale, latent_size[1] * pipeline.downscale)
    options = FlowOptions()
    chosen = options.choose([int(t) for t in scheduler.timesteps])
    recorder = FlowRecorder(options, chosen, len(latents), latent_size, size)
    for timestep in scheduler.timesteps:
        prediction = pipeline.predict_noise(
            torch.cat([latents, condition], dim=1), timestep, reference, recorder.observer(int(timestep))
        )
        latents = scheduler.step(prediction, timestep, latents, generator=generator).prev_sample
    channels = data["latents"].shape[1]
    shown = [
        pipeline.decode(reference),
        pipeline.decode(condition[:, 1 : 1 + channels]),
        pipeline.decode(latents),
        pipeline.decode(data["latents"]),
    ]
    painted = torch.nn.functional.interpolate(condition[:, :1], size=size)
    shown.append(_on_grey(warp(shown[0], recorder.merged().flow), painted))
    if "flow" in data:
        known = torch.nn.functional.interpolate(data["visible"][:, None].float(), size=size)
        shown.append(_on_grey(warp(shown[0], resize_flow(data["flow"].float(), size)), known))
    sheet = torch.cat([torch.cat(list(row), dim=-1) for row in shown], dim=-2)
    return (sheet / 2 + 0.5).clamp(0, 1).cpu()


def _on_grey(picture: Tensor, shown: Tensor) -> Tensor:
    return picture * shown + (1 - shown) * 0.3
