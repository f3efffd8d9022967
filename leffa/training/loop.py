"""The training loop, read once from top to bottom."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import Dataset

from leffa.files import check_folder, holds_record
from leffa.images import save_atomically, to_pil
from leffa.model.library import EMAModel
from leffa.model.pipeline import LeffaPipeline
from leffa.report import report
from leffa.training import checkpoint
from leffa.training.batches import loader, step_seed
from leffa.training.evaluation import flow_errors, sample_grid
from leffa.training.latents import encode
from leffa.training.model import TwoUNets
from leffa.training.objective import Losses, compute_losses
from leffa.training.settings import TrainingSettings

SETTINGS = "settings.json"
MODEL = "model"  # folder of the finished pipeline, inside the run
CHECKPOINTS = "checkpoints"
LOGS = "logs"
SAMPLES = "samples"  # pictures of every evaluation


def train(
    pipeline: LeffaPipeline,
    rows: Dataset[Any],
    run: Path,
    settings: TrainingSettings,
    held_out: Dataset[Any] | None = None,
    workers: int = 0,
    stop_at: int | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path | None:
    """Train both UNets of a pipeline; the VAE stays as it is.

    rows      a map-style data set of what a step needs, pictures or latents (see ``leffa.training.latents``)
    run       folder of the run: settings, logs, checkpoints, finished model. If it holds a checkpoint the run
              goes on from there, and ends as if it had never stopped, bit for bit on a CPU
    held_out  rows for evaluation while training
    stop_at   end after this step, with a checkpoint, as if the time were up
    origin    names of the data and of the weights at the start, kept with the settings: a run goes on only
              with the same

    Returns the folder of the finished pipeline (averaged weights), or None if stopped before the end.
    """
    accelerator = Accelerator(
        mixed_precision=settings.precision, gradient_accumulation_steps=settings.accumulate
    )
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes
    check_run(run).mkdir(parents=True, exist_ok=True)

    # 1. Model, optimiser, averaged weights
    pipeline.vae.requires_grad_(False)
    pipeline.to(device)
    model = TwoUNets(pipeline).train()
    model.freeze(settings.freeze)
    if settings.checkpointing:
        model.enable_checkpointing()
    learner = _Learner(model, settings)

    # 2. Resume
    first_step = 0
    if resumed := checkpoint.load_latest(run / CHECKPOINTS):
        settings.check_resumes(run / SETTINGS, origin)
        first_step, state = resumed
        learner.load(state)
    learner.average.to(device)
    if accelerator.is_main_process:
        settings.write(run / SETTINGS, origin)
    model, optimizer = accelerator.prepare(model, learner.optimizer)

    # 3. Steps
    logger = RunLogger(run, accelerator.is_main_process, first_step)
    batches = iter(
        loader(rows, settings.batch, settings.seed, first_step * settings.accumulate, rank, world, workers)
    )
    last = settings.steps if stop_at is None else min(stop_at, settings.steps)
    for step in range(first_step, last):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate_at(step)
        losses = _step(accelerator, model, pipeline, batches, settings, step)
        accelerator.clip_grad_norm_(learner.trained, settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        learner.average.step(learner.trained)

        done = step + 1
        if done % settings.log_every == 0 or done == last:
            logger.losses(done, losses, settings)
        if held_out is not None and (done % settings.evaluate_every == 0 or done == settings.steps):
            with learner.averaged():
                _evaluate(pipeline, held_out, logger, done, settings)
        if accelerator.is_main_process and (done % settings.save_every == 0 or done == last):
            checkpoint.save(run / CHECKPOINTS, done, learner.state())
    logger.close()

    # 4. The finished pipeline, with the averaged weights
    if last < settings.steps:
        return None
    if accelerator.is_main_process:
        with learner.averaged():
            pipeline.save_pretrained(run / MODEL)
    accelerator.wait_for_everyone()
    return run / MODEL


class _Learner:
    """A model with its optimiser and its averaged weights: all that a checkpoint holds."""

    def __init__(self, model: torch.nn.Module, settings: TrainingSettings):
        self.model = model
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.average = EMAModel(
            self.trained, decay=settings.ema, use_ema_warmup=True, inv_gamma=1.0, power=0.75
        )

    @property
    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer, "average": self.average}

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside the block the model has its averaged weights."""
        self.average.store(self.trained)
        self.average.copy_to(self.trained)
        try:
            yield
        finally:
            self.average.restore(self.trained)


def check_run(run: Path) -> Path:
    """The folder, if a run can be begun or gone on with in it; else raises FileError."""
    check_folder(
        run,
        (SETTINGS, MODEL, CHECKPOINTS, SAMPLES),
        lambda folder: holds_record(folder / SETTINGS, ("steps", "learning_rate", "size")),
    )
    return run


def _step(
    accelerator: Accelerator,
    model: torch.nn.Module,
    pipeline: LeffaPipeline,
    batches: Iterator[dict[str, Any]],
    settings: TrainingSettings,
    step: int,
) -> Losses:
    """Forward and backward of one optimiser step; returns the losses of its last forward."""
    for accumulated in range(settings.accumulate):
        batch = {name: value.to(accelerator.device) for name, value in next(batches).items()}
        if "latents" not in batch:
            batch |= encode(pipeline, batch)
        generator = torch.Generator().manual_seed(
            step_seed(settings.seed, step * settings.accumulate + accumulated, accelerator.process_index)
        )
        last = accumulated == settings.accumulate - 1
        # mixed precision is the prepared model's; the losses stay in float32, coordinates above all
        with nullcontext() if last else accelerator.no_sync(model):
            losses = compute_losses(model, pipeline.scheduler, batch, settings, generator)
            accelerator.backward(losses.total)
    return losses


def _evaluate(
    pipeline: LeffaPipeline,
    held_out: Dataset[Any],
    logger: "RunLogger",
    step: int,
    settings: TrainingSettings,
) -> None:
    for net in (pipeline.unet, pipeline.reference_unet):
        net.eval()
    logger.scalars(step, {f"flow error, %/{k}": v for k, v in flow_errors(pipeline, held_out).items()})
    logger.picture(step, sample_grid(pipeline, held_out, seed=settings.seed))
    for net in (pipeline.unet, pipeline.reference_unet):
        net.train()


class RunLogger:
    """Losses to the console, pictures to files, and both to TensorBoard where it is installed."""

    def __init__(self, run: Path, active: bool, first_step: int):
        self._active, self._writer = active, None
        self._samples = run / SAMPLES
        self._since, self._step = time.monotonic(), first_step
        if active:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            self._writer = SummaryWriter(run / LOGS, purge_step=first_step + 1 if first_step else None)

    def losses(self, step: int, losses: Losses, settings: TrainingSettings) -> None:
        if not self._active:
            return
        parts = losses.parts()
        pace = (time.monotonic() - self._since) / max(1, step - self._step)
        self._since, self._step = time.monotonic(), step
        text = "  ".join(f"{name} {value:.4g}" for name, value in parts.items())
        left = (settings.steps - step) * pace / 60
        rate = settings.learning_rate_at(step - 1)
        report(f"step {step}/{settings.steps}  {text}  lr {rate:.3g}  {pace:.2f} s/step  {left:.0f} min left")
        self.scalars(step, {f"loss/{name}": value for name, value in parts.items()}, quiet=True)

    def scalars(self, step: int, values: dict[str, float], quiet: bool = False) -> None:
        if not self._active:
            return
        if not quiet:
            report(f"step {step}  " + "  ".join(f"{k} {v:.2f}" for k, v in values.items()))
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def picture(self, step: int, picture: torch.Tensor) -> None:
        """(3, H, W) in [0, 1]; also written as a file, for those without TensorBoard."""
        if not self._active:
            return
        self._samples.mkdir(exist_ok=True)
        save_atomically(to_pil(picture * 2 - 1), self._samples / f"step-{step:08d}.png")
        if self._writer:
            self._writer.add_image("samples", picture, step)

    def close(self) -> None:
        if self._writer:
            self._writer.close()
