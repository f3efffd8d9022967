"""Figures of a model on held-out samples, beside the bars it has to clear."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from leffa.config import Task, sample_seed
from leffa.data.sample import Sample
from leffa.images import save_atomically, to_pil
from leffa.metrics import bars
from leffa.metrics.composed import Composed, Road
from leffa.metrics.flow import FlowError
from leffa.metrics.lpips import Lpips
from leffa.metrics.pattern import pattern_correlation, texture_error
from leffa.metrics.pictures import iou, psnr, ssim
from leffa.metrics.running import RunningMean
from leffa.model.flow import box_flow, coarse_flow
from leffa.model.pipeline import LeffaPipeline
from leffa.model.recorder import SampleFlow
from leffa.training.latents import resize_sample
from leffa.weights.models import Model

MODEL = "model"
COMPOSED = "composed, as try-on gives it"
UNCHANGED, COLOUR, STRETCHED = "masked person", "mean colour", "stretched by its box"
IDENTITY, CONSTANT = "identity flow", "constant flow"  # flows only, no pictures

Table = dict[str, dict[str, float]]
"""arm (``MODEL`` or a bar) -> figure -> value"""


class Scores:
    """Running figures of one arm."""

    def __init__(self, lpips: Lpips | None):
        self._lpips = lpips
        self._means: dict[str, RunningMean] = {}
        self._flow = FlowError()

    def _add(self, figures: dict[str, Tensor]) -> None:
        for name, values in figures.items():
            self._means.setdefault(name, RunningMean()).update(values)

    def update(self, painted: Tensor, batch: dict[str, Tensor]) -> None:
        """Pictures (B, 3, H, W) in [-1, 1] of the samples of a batch."""
        ours, truth = painted / 2 + 0.5, batch["person"] / 2 + 0.5
        worn = batch["loss_mask"]
        figures = {
            "SSIM": ssim(ours, truth),
            "PSNR": psnr(ours, truth),
            "SSIM in the mask": ssim(ours, truth, batch["mask"]),
            "PSNR in the mask": psnr(ours, truth, batch["mask"]),
            "pattern": pattern_correlation(ours, truth, worn),
            "texture error": texture_error(ours, truth, worn),
        }
        if self._lpips:
            figures[self._lpips.name] = self._lpips(ours, truth)
        self._add(figures)

    def update_flow(self, flow: Tensor, batch: dict[str, Tensor]) -> None:
        """A flow (B, H, W, 2), brought to the grid of the known one."""
        if "flow" not in batch:
            return
        grid = (batch["flow"].shape[1], batch["flow"].shape[2])
        coarse, _ = coarse_flow(flow, torch.ones(flow.shape[:3]), grid)
        height, width = batch["reference"].shape[-2:]
        self._flow.update(coarse, batch["flow"], batch["visible"], width / height)

    def update_composed(self, made: Composed, sample: Sample, batch: dict[str, Tensor]) -> None:
        """What became of a sample; ``batch`` is that sample alone, at the size of the figures."""
        size = (batch["person"].shape[-2], batch["person"].shape[-1])
        picture = made.picture[None]
        same = picture.shape[-2:] == size
        self.update(picture if same else F.interpolate(picture, size=size, mode="area"), batch)
        self.update_flow(made.flow[None], batch)
        figures = {"repainted, % of the mask": torch.tensor(100 * made.share)}
        if sample.labels is not None:  # else what is worn is known by a mask's rule only
            is_pose = sample.task is Task.POSE_TRANSFER
            figures["silhouette IoU"] = iou(
                made.silhouette, sample.labels > 0 if is_pose else sample.loss_mask[0] > 0.5
            )
        self._add(figures)

    def compute(self) -> dict[str, float]:
        figures = {name: mean.compute() for name, mean in self._means.items()}
        if self._flow.places:
            figures |= {"flow error, %": self._flow.end_point_error(), "PCK@5 %": self._flow.pck()}
        return figures


def evaluate_model(
    pipeline: LeffaPipeline,
    model: Model,
    samples: Dataset,
    size: tuple[int, int],
    count: int,
    seed: int = 0,
    batch: int = 4,
    lpips: Lpips | None = None,
    pictures: Path | None = None,
    road: Road | None = None,
) -> dict[Task, Table]:
    """Run a model over the first ``count`` samples; a table for each task among them.

    model     the settings of a run: steps, guidance
    size      (height, width) it paints at
    seed      sample i is painted with seed + i
    pictures  folder to keep the results in, as NAME.png: the composed ones where there is a road

    road      also judge what the engine makes of the same pictures, as a row of its own; a sample that it
              refuses is left out of every row, and told in ``road.refused``

    Like the engine it keeps the person outside the mask. The flow is the merged one of all trained layers,
    and the refined one of the composed picture.
    """
    scores: dict[Task, dict[str, Scores]] = {}
    total = min(count, len(samples))  # type: ignore[arg-type]
    progress = tqdm(total=total, desc="evaluating", disable=None)
    names = (*([COMPOSED] if road else []), MODEL, UNCHANGED, COLOUR, STRETCHED, IDENTITY, CONSTANT)
    for task, first, batched in _batches(samples, total, batch):
        arms = scores.setdefault(task, {name: Scores(lpips) for name in names})
        progress.update(len(batched))
        numbered = list(enumerate(batched, first))
        if road:
            numbered = _composed(road, numbered, size, arms[COMPOSED], pictures)
        if not numbered:
            continue
        rows = [sample for _, sample in numbered]
        stacked = _stack(rows, size)
        seeds = [torch.Generator().manual_seed(sample_seed(seed, number)) for number, _ in numbered]
        painted, flow = paint(pipeline, model, stacked, seeds)
        arms[MODEL].update(painted, stacked)
        arms[MODEL].update_flow(flow, stacked)
        _update_bars(arms, stacked)
        if pictures and not road:
            for sample, picture in zip(rows, painted, strict=True):
                save_atomically(to_pil(picture), pictures / f"{sample.name}.png")
    progress.close()
    return {
        task: {name: figures for name, arm in arms.items() if (figures := arm.compute())}
        for task, arms in scores.items()
    }


def _composed(
    road: Road,
    numbered: list[tuple[int, Sample]],
    size: tuple[int, int],
    scores: Scores,
    pictures: Path | None,
) -> list[tuple[int, Sample]]:
    """Those that the road took, counted in its scores."""
    kept = []
    for number, sample in numbered:
        made = road.take(sample, number)
        if made:
            scores.update_composed(made, sample, _stack([sample], size))
            kept.append((number, sample))
            if pictures:
                save_atomically(to_pil(made.picture), pictures / f"{sample.name}.png")
    return kept


def paint(
    pipeline: LeffaPipeline, model: Model, batch: dict[str, Tensor], generators: list[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) in [-1, 1], the person outside the mask, and the merged flow (B, H, W, 2)."""
    output = pipeline(
        person=batch["person"],
        reference=batch["reference"],
        mask=batch["mask"],
        densepose=batch["densepose"],
        reference_mask=batch.get("reference_mask"),
        num_inference_steps=model.steps,
        guidance_scale=model.guidance_scale,
        guidance_rescale=model.guidance_rescale,
        generator=generators,
        output_type="pt",
        return_flow=True,
    )
    pictures, flows = cast(Tensor, output.images), cast("list[SampleFlow]", output.flow)
    painted = torch.where(batch["mask"] > 0.5, pictures.cpu() * 2 - 1, batch["person"])
    return painted, torch.stack([flow.merged.flow for flow in flows])


def _update_bars(arms: dict[str, Scores], batch: dict[str, Tensor]) -> None:
    person, mask = batch["person"], batch["mask"]
    arms[UNCHANGED].update(bars.masked_person(person, mask), batch)
    if "reference_mask" not in batch:
        return
    garment = (batch["reference"], batch["reference_mask"])
    makers: dict[str, Callable[..., Tensor]] = {COLOUR: bars.mean_colour, STRETCHED: bars.stretched}
    for name, make in makers.items():
        arms[name].update(make(person, mask, *garment), batch)
    grid = (person.shape[-2], person.shape[-1])
    arms[STRETCHED].update_flow(box_flow(mask, garment[1], grid), batch)
    arms[IDENTITY].update_flow(bars.identity_flow(mask, grid), batch)
    arms[CONSTANT].update_flow(bars.constant_flow(garment[1], grid), batch)


def _batches(samples: Dataset, total: int, batch: int):
    """(task, number of the first, samples) of runs of one task, at most ``batch`` long."""
    rows: list[Sample] = []
    for index in range(total):
        sample: Any = samples[index]
        if rows and (sample.task is not rows[0].task or len(rows) == batch):
            yield rows[0].task, index - len(rows), rows
            rows = []
        rows.append(sample)
    if rows:
        yield rows[0].task, total - len(rows), rows


def _stack(rows: list[Sample], size: tuple[int, int]) -> dict[str, Tensor]:
    stacked = {
        name: torch.stack(values)
        for name, values in _by_name([resize_sample(sample, size) for sample in rows]).items()
    }
    if all(sample.reference_mask is not None for sample in rows):
        masks = torch.stack([sample.reference_mask for sample in rows if sample.reference_mask is not None])
        stacked["reference_mask"] = F.interpolate(masks, size=size, mode="nearest")
    for name in ("flow", "visible"):
        values = [getattr(sample, name) for sample in rows]
        if all(value is not None for value in values):
            stacked[name] = torch.stack(values)
    return stacked


def _by_name(rows: list[dict[str, Tensor]]) -> dict[str, list[Tensor]]:
    return {name: [row[name] for row in rows] for name in rows[0]}
