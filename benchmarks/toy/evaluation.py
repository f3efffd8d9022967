"""What an arm is judged by: its flow against the exact one, and the pictures it paints."""

import torch
from torch import Tensor

from benchmarks.toy.data import GRID, SIZE, Rows
from benchmarks.toy.training import sampler, scheduler
from leffa.config import TEMPERATURE
from leffa.metrics.flow import FlowError
from leffa.metrics.pattern import pattern_correlation, texture_error
from leffa.metrics.pictures import psnr, ssim
from leffa.metrics.running import RunningMean
from leffa.model.flow import attention_flow, coarse_flow, coordinates
from leffa.training.model import StateCollector

ASPECT = SIZE[1] / SIZE[0]
TIMESTEP = 250


@torch.no_grad()
def flow_figures(model: torch.nn.Module, rows: Rows, temperature: float = TEMPERATURE) -> dict[str, float]:
    """End-point error (% of the width) and PCK@5 % over the layers the loss trains, and by their grid."""
    everything, by_grid = FlowError(), {}
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(rows), 16):
        batch = rows.batch(slice(start, start + 16))
        latents = batch["latents"]
        noise = torch.randn(latents.shape, generator=generator)
        steps = torch.full((len(latents),), TIMESTEP)
        noisy = scheduler().add_noise(latents, noise, steps)
        collector = StateCollector(GRID, SIZE[0])
        model(torch.cat([noisy, batch["condition"]], dim=1), steps, batch["reference_latents"], collector)
        for state in collector.close():
            flow = attention_flow(
                state.query, state.reference_key, state.query_grid, state.reference_grid, temperature
            )
            truth, known = coarse_flow(batch["true_flow"], batch["true_visible"], state.query_grid)
            for error in (everything, by_grid.setdefault(state.query_grid, FlowError())):
                error.update(flow, truth, known, ASPECT)
    figures = {"epe": everything.end_point_error(), "pck": everything.pck()}
    return figures | {f"epe {h}x{w}": error.end_point_error() for (h, w), error in by_grid.items()}


def bars(rows: Rows) -> dict[str, dict[str, float]]:
    """What flows without learning reach, on the finer grid: by name, as ``flow_figures``."""
    fields = rows.fields
    truth, known = coarse_flow(fields["true_flow"], fields["true_visible"], GRID)
    constant = truth[known].mean(dim=0).expand_as(truth)  # knows the answer's mean
    found = {}
    for name, flow in (
        ("best constant", constant),
        ("identity", coordinates(*GRID).expand_as(truth)),
        ("box to box", fields["flow"]),
    ):
        error = FlowError()
        error.update(flow, truth, known, ASPECT)
        found[name] = {"epe": error.end_point_error(), "pck": error.pck()}
    return found


@torch.no_grad()
def paint(model: torch.nn.Module, rows: Rows, count: int, steps: int = 12) -> Tensor:
    """(count, 3, H, W) in [-1, 1]: painted inside the mask, the person outside; always the same noise."""
    painted = []
    for start in range(0, count, 16):
        batch = rows.batch(slice(start, min(start + 16, count)))
        generator = torch.Generator().manual_seed(start)
        latents = torch.randn(batch["latents"].shape, generator=generator)
        solver = sampler()
        solver.set_timesteps(steps)
        for timestep in solver.timesteps:
            prediction = model(
                torch.cat([latents, batch["condition"]], dim=1),
                timestep.expand(len(latents)),
                batch["reference_latents"],
            )
            latents = solver.step(prediction, timestep, latents).prev_sample
        painted.append(torch.where(batch["mask"] > 0.5, rows.latents.decode(latents), batch["person"]))
    return torch.cat(painted)


def picture_figures(painted: Tensor, rows: Rows) -> dict[str, float]:
    """Paired figures of pictures in [-1, 1] against the first rows' persons."""
    batch = rows.batch(slice(0, len(painted)))
    ours, truth = painted / 2 + 0.5, batch["person"] / 2 + 0.5
    figures = {
        "ssim": ssim(ours, truth),
        "psnr": psnr(ours, truth),
        "psnr in the mask": psnr(ours, truth, batch["mask"]),
        "pattern": pattern_correlation(ours, truth, batch["loss_mask"]),
        "texture error": texture_error(ours, truth, batch["loss_mask"]),
    }
    means = {}
    for name, values in figures.items():
        mean = RunningMean()
        mean.update(values)
        means[name] = mean.compute()
    return means
