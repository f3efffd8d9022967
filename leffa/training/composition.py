"""Training the small networks that make a picture of a flow: refinement, parser, filling, and shot.

One loop for all, over a ``Lesson``. It runs for a given time, in as many legs as one likes: the
learning rate follows the time spent, and the same call goes on from the newest checkpoint.
"""

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from leffa.composition import networks
from leffa.report import report
from leffa.training import checkpoint
from leffa.training.augmentation import Draw
from leffa.training.batches import step_seed
from leffa.training.composition_lessons import Data, Lesson
from leffa.training.composition_rows import halved

Figures = dict[str, float]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    minutes        of training in all, over every leg
    batch          samples of a step at full size; twice as many at half size
    small          share of the steps at half size, where both sides are multiples of 64: they cost a fifth
    learning_rate  after ``warmup`` steps; then it falls along a cosine over the time
    ema            of the averaged weights, which are what is saved
    save_every     seconds between checkpoints, and looks at the held-out figures
    """

    minutes: float
    batch: int = 12
    small: float = 0.55
    learning_rate: float = 1.5e-3
    warmup: int = 150
    weight_decay: float = 1e-2
    ema: float = 0.999
    save_every: float = 150.0
    seed: int = 0

    def rate(self, step: int, share: float) -> float:
        """The learning rate of a step when ``share`` of the time is spent."""
        rise = min(1.0, (step + 1) / self.warmup)
        return self.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def train(
    lesson: Lesson,
    rows: Data,
    result: Path,
    schedule: Schedule,
    held_out: Data | None = None,
    held_out_count: int = 240,
    stop_at: int | None = None,
) -> nn.Module:
    """Train, or go on from the newest checkpoint beside ``result``, until the time is spent.

    result    file that the averaged weights are written to in half precision, at every checkpoint
    held_out  rows whose figures are told at every checkpoint, the first ``held_out_count`` of them
    stop_at   end after this step, with a checkpoint, as if the leg were over

    Which samples a step sees, and how they are disturbed, follows from the seed and the step alone.

    Returns the averaged network.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = lesson.network.to(device).train()
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        network.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    step, spent, folder = 0, 0.0, result.parent / checkpoint.CHECKPOINTS
    resumed = checkpoint.load_latest(folder)
    if resumed:
        step, state = resumed
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        spent = state["spent"]
    small_fits = rows.size[0] % 64 == 0 and rows.size[1] % 64 == 0
    last = saved = time.monotonic()
    losses: list[float] = []

    def keep() -> None:
        state = {
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "spent": spent,
        }
        checkpoint.save(folder, step, state)
        networks.save(average, result)
        told = ""
        if held_out is not None:
            figures = evaluate(lesson, average, held_out, held_out_count)
            told = "".join(f"  {name} {value:.3f}" for name, value in figures.items())
        mean = np.mean(losses[-100:]) if losses else math.nan
        report(f"step {step}, {spent / 60:.1f} of {schedule.minutes:g} min  loss {mean:.4f}{told}")

    while spent < schedule.minutes * 60 and (stop_at is None or step < stop_at):
        share = spent / (schedule.minutes * 60)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step, share)
        drawn = np.random.default_rng(step_seed(schedule.seed, step, stream=3)).random()
        small = small_fits and drawn < schedule.small
        losses.append(_step(lesson, network, optimizer, rows, schedule, step, small))
        step += 1
        blend_in(average, network, min(schedule.ema, (1 + step) / (10 + step)))
        now = time.monotonic()
        spent, last = spent + now - last, now
        if now - saved > schedule.save_every:
            keep()
            last = saved = time.monotonic()  # the look at the figures is not training
    keep()
    return average.eval()


def _step(
    lesson: Lesson,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Data,
    schedule: Schedule,
    step: int,
    small: bool,
) -> float:
    """One step of the optimiser; returns its loss."""
    device = next(network.parameters()).device
    count = schedule.batch * (2 if small else 1)
    chosen = np.random.default_rng(step_seed(schedule.seed, step, stream=2)).integers(len(rows), size=count)
    batch = lesson.batch(rows, sorted(int(number) for number in chosen))
    batch = {name: values.to(device) for name, values in (halved(batch) if small else batch).items()}
    draw = Draw(torch.Generator(device).manual_seed(step_seed(schedule.seed, step)), count)
    batch = lesson.prepare(batch, draw)
    with torch.autocast(device.type, torch.bfloat16):
        given = lesson.run(network, batch)
    loss = lesson.loss(given, batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def blend_in(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights towards a network's."""
    for own, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        own.lerp_(new, 1 - decay)


@torch.no_grad()
def evaluate(lesson: Lesson, network: nn.Module, rows: Data, count: int, batch: int = 24) -> Figures:
    """Means of a lesson's figures over the first ``count`` held-out rows, undisturbed; those known of any."""
    device = next(network.parameters()).device
    found: dict[str, list[Tensor]] = {}
    total = min(count, len(rows))
    for first in range(0, total, batch):
        given = lesson.batch(rows, range(first, min(first + batch, total)))
        given = lesson.prepare({name: values.to(device) for name, values in given.items()}, None)
        for name, values in lesson.figures(lesson.run(network, given), given).items():
            found.setdefault(name, []).append(values.cpu())
    means = {name: float(torch.cat(values).nanmean()) for name, values in found.items()}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}
