"""A run of the proof: a warm start of the flow that all arms share, then a branch of its own for each."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.training_utils import EMAModel

from benchmarks.toy.data import SIZE, Rows
from benchmarks.toy.models import MODELS
from leffa.config import LeffaLossConfig
from leffa.training.batches import StepSampler, step_seed
from leffa.training.objective import compute_losses
from leffa.training.settings import PRESETS, TrainingSettings

WARM = TrainingSettings(
    size=SIZE,
    steps=600,
    batch=8,
    learning_rate=3e-3,
    ema=0.99,
    warmup=50,
    densepose_dropout=0.15,
    flow_weight=3.0,
)
BRANCH = replace(WARM, steps=400, learning_rate=1e-3, warmup=0, flow_weight=0.0)
CONVERGED = replace(
    PRESETS["tiny-3"],
    steps=60,
    batch=4,
    learning_rate=2e-4,
    ema=0.95,
    warmup=10,
    cooldown=0,
    flow_weight=0.0,
    occupancy_weight=0.0,
    leffa=None,
    precision="no",
)
"""A branch from the bundled weights: their last stage, without the losses on the known flow."""


@dataclass(frozen=True)
class Arm:
    """One line of the table: a model, a seed and what is switched on in the branch."""

    model: str
    seed: int
    name: str
    leffa: LeffaLossConfig | None

    @property
    def file(self) -> str:
        return f"{self.model}.{self.name}.{self.seed}".replace(" ", "-").replace("/", "-")


def scheduler() -> DDPMScheduler:
    """As the small models have it: v prediction, ends in pure noise."""
    return DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def sampler() -> DDIMScheduler:
    return DDIMScheduler.from_config(scheduler().config)


def train(model: torch.nn.Module, rows: Rows, settings: TrainingSettings) -> tuple[list[torch.Tensor], float]:
    """Train in place; returns the averaged weights of what is trained and the seconds of CPU it took."""
    parameters = trained(model)
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    average = EMAModel(
        parameters, decay=settings.ema, use_ema_warmup=True, inv_gamma=1.0, power=0.75, foreach=True
    )
    noise = scheduler()
    sampled = iter(StepSampler(len(rows), settings.batch, settings.seed))
    since = time.process_time()
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate_at(step)
        batch = rows.batch(next(sampled))
        generator = torch.Generator().manual_seed(step_seed(settings.seed, step))
        compute_losses(model, noise, batch, settings, generator).total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.step(parameters)
    return [shadow.clone() for shadow in average.shadow_params], time.process_time() - since


def trained(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def warm_start(
    name: str, seed: int, rows: Rows, folder: Path, settings: TrainingSettings | None
) -> dict[str, torch.Tensor]:
    """Weights after the warm start, from ``folder`` or made now; without one, those the model comes with."""
    if settings is None:
        return MODELS[name]().state_dict()
    path = folder / f"warm.{name}.{seed}.pt"
    if path.exists():
        return torch.load(path, weights_only=True)
    torch.manual_seed(seed)
    model = MODELS[name]()
    train(model, rows, replace(settings, seed=seed))
    state = model.state_dict()
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)
    return state


def branch(
    arm: Arm, start: dict[str, torch.Tensor], rows: Rows, settings: TrainingSettings
) -> tuple[torch.nn.Module, float]:
    """The model after a branch, with averaged weights, and the seconds of CPU the branch took.

    Batches, timesteps and noise are those of the seed, the same for every arm.
    """
    model = MODELS[arm.model]()
    model.load_state_dict(start)
    averaged, seconds = train(model, rows, replace(settings, seed=branch_seed(arm.seed), leffa=arm.leffa))
    for parameter, value in zip(trained(model), averaged, strict=True):
        parameter.data.copy_(value)
    return model.eval(), seconds


def branch_seed(seed: int) -> int:
    """What batches, timesteps and noise of a branch are drawn from: not those of its warm start again."""
    return seed + 1000


def pulls(model: torch.nn.Module, rows: Rows, settings: TrainingSettings, count: int) -> dict[str, float]:
    """Where the losses pull the queries and keys of a model, from the first batches of a branch.

    The gradients are summed over ``count`` batches. "share" is the length of the Leffa loss's before its
    weight over that of the diffusion loss's; "leffa" and "diffusion" are the cosines of the two with the
    gradient of the distance to the exact flow: 1 = a small step makes the flow right, 0 = it does not matter.
    """
    chosen = [p for name, p in model.named_parameters() if ".to_q." in name or ".to_k." in name]
    chosen = [parameter for parameter in chosen if parameter.requires_grad]
    settings = replace(settings, leffa=LeffaLossConfig(), flow_weight=1.0)
    size = sum(parameter.numel() for parameter in chosen)
    found = {name: torch.zeros(size) for name in ("diffusion", "leffa", "flow")}
    sampled = iter(StepSampler(len(rows), settings.batch, settings.seed))
    for step in range(count):
        batch = rows.batch(next(sampled))
        batch |= {"flow": batch["true_flow"], "visible": batch["true_visible"]}
        generator = torch.Generator().manual_seed(step_seed(settings.seed, step))
        losses = compute_losses(model, scheduler(), batch, settings, generator)
        for name in tuple(found):
            gradients = torch.autograd.grad(
                getattr(losses, name), chosen, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            found[name] += torch.cat([gradient.flatten() for gradient in gradients])
    cosine = torch.nn.functional.cosine_similarity
    return {
        "share": float(found["leffa"].norm() / found["diffusion"].norm()),
        **{name: float(cosine(found[name], found["flow"], dim=0)) for name in ("leffa", "diffusion")},
    }
