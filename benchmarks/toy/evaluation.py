"""What an arm is judged by: its flow against the exact one, and the pictures it paints."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.toy.data import CHUNK, Rows
from benchmarks.toy.training import sampler, scheduler
from leffa.config import TEMPERATURE
from leffa.metrics.flow import FlowError
from leffa.metrics.pattern import pattern_correlation, texture_error
from leffa.metrics.pictures import psnr, ssim
from leffa.metrics.running import RunningMean
from leffa.model.flow import attention_flow, coarse_flow, coordinates, resize_flow, warp
from leffa.training.model import StateCollector

TIMESTEP = 250


@torch.no_grad()
def observed(
    model: torch.nn.Module, rows: Rows, temperature: float = TEMPERATURE
) -> Iterator[tuple[dict[str, Tensor], list[Tensor]]]:
    """Batches of the rows, and the flows (B, h, w, 2) of the layers that the loss trains."""
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(rows), CHUNK):
        batch = rows.batch(slice(start, start + CHUNK))
        latents = batch["latents"]
        noise = torch.randn(latents.shape, generator=generator)
        steps = torch.full((len(latents),), TIMESTEP)
        noisy = scheduler().add_noise(latents, noise, steps)
        collector = StateCollector(rows.grid, rows.size[0])
        model(torch.cat([noisy, batch["condition"]], dim=1), steps, batch["reference_latents"], collector)
        yield (
            batch,
            [
                attention_flow(
                    state.query, state.reference_key, state.query_grid, state.reference_grid, temperature
                )
                for state in collector.close()
            ],
        )


class FlowFigures:
    """End-point error (% of the width), PCK@5 % and the warp error, over the flows it is given.

    The warp error compares the reference, warped by the flow, with the person: root mean square over the
    visible cloth, of range 1. Light and folds differ between the two, so the exact flow has one too.
    """

    def __init__(self) -> None:
        self._everything = FlowError()
        self._by_grid: dict[tuple[int, int], FlowError] = {}
        self._squared, self._pixels = 0.0, 0.0

    def update(self, flow: Tensor, batch: dict[str, Tensor]) -> None:
        """A flow (B, h, w, 2), compared at its own size; the picture at the pictures' size."""
        grid = (flow.shape[1], flow.shape[2])
        size = (batch["person"].shape[-2], batch["person"].shape[-1])
        truth, known = coarse_flow(batch["true_flow"], batch["true_visible"], grid)
        for error in (self._everything, self._by_grid.setdefault(grid, FlowError())):
            error.update(flow, truth, known, size[1] / size[0])
        cloth = _inner_cloth(batch)
        off = warp(batch["reference"], resize_flow(flow, size)) / 2 - batch["person"] / 2
        self._squared += float((off.square().mean(dim=1, keepdim=True) * cloth).sum())
        self._pixels += float(cloth.sum())

    def compute(self) -> dict[str, float]:
        figures = {
            "epe": self._everything.end_point_error(),
            "pck": self._everything.pck(),
            "warp error": math.sqrt(self._squared / self._pixels) if self._pixels else math.nan,
        }
        return figures | {f"epe {h}x{w}": error.end_point_error() for (h, w), error in self._by_grid.items()}


def _inner_cloth(batch: dict[str, Tensor]) -> Tensor:
    """(B, 1, H, W) in {0, 1}: visible cloth but for its rim, where the exact flow lies between two places."""
    hidden = F.max_pool2d(1 - batch["true_visible"][:, None].float(), 3, stride=1, padding=1)
    return F.interpolate(1 - hidden, size=batch["person"].shape[-2:], mode="nearest") * batch["loss_mask"]


def flow_figures(model: torch.nn.Module, rows: Rows, temperature: float = TEMPERATURE) -> dict[str, float]:
    """``FlowFigures`` over the layers the loss trains, the end-point error also by their grid."""
    figures = FlowFigures()
    for batch, flows in observed(model, rows, temperature):
        for flow in flows:
            figures.update(flow, batch)
    return figures.compute()


@torch.no_grad()
def warped(model: torch.nn.Module, rows: Rows, count: int) -> Tensor:
    """(count, 3, H, W) in [-1, 1]: the reference by the mean flow of the trained layers where cloth is worn.

    Grey elsewhere.
    """
    found = []
    for batch, flows in observed(model, rows):
        mean = torch.stack([resize_flow(flow, rows.size) for flow in flows]).mean(dim=0)
        found.append(warp(batch["reference"], mean) * batch["loss_mask"])
        if CHUNK * len(found) >= count:
            break
    return torch.cat(found)[:count]


@torch.no_grad()
def bars(rows: Rows) -> dict[str, dict[str, float]]:
    """What is reached without learning: by flows on the latents' grid, and by latents of the truth itself."""
    fields = rows.batch(slice(None))
    truth, known = coarse_flow(fields["true_flow"], fields["true_visible"], rows.grid)
    constant = truth[known].mean(dim=0).expand_as(truth)  # knows the answer's mean
    found = {}
    for name, flow in (
        ("best constant", constant),
        ("identity", coordinates(*rows.grid).expand_as(truth)),
        ("box to box", fields["flow"]),
        ("exact flow", fields["true_flow"]),
    ):
        figures = FlowFigures()
        figures.update(flow, fields)
        found[name] = figures.compute()
    copy = torch.cat([rows.latents.decode(latents) for latents in fields["latents"].split(CHUNK)])
    kept = torch.where(fields["mask"] > 0.5, copy, fields["person"])
    return found | {"the truth through its latents": picture_figures(kept, rows)}


@torch.no_grad()
def paint(model: torch.nn.Module, rows: Rows, count: int, steps: int = 12) -> Tensor:
    """(count, 3, H, W) in [-1, 1]: painted inside the mask, the person outside; always the same noise."""
    painted = []
    for start in range(0, count, CHUNK):
        batch = rows.batch(slice(start, min(start + CHUNK, count)))
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
