"""One training step's loss, from a batch of latents."""

from dataclasses import dataclass

import torch
from torch import Tensor

from leffa.config import MIN_RESOLUTION
from leffa.model.library import DDPMScheduler
from leffa.model.losses import KnownCorrespondence, correspondence_losses, leffa_loss
from leffa.model.pipeline import DENSEPOSE_CHANNELS
from leffa.training.model import StateCollector, TwoUNets
from leffa.training.settings import TrainingSettings

Batch = dict[str, Tensor]
"""What a step needs, all with a leading B; h, w are the latents':

latents            (B, C, h, w) of the person, clean
condition          (B, C + 4, h, w): [mask, masked-image latents, densepose], see ``LeffaPipeline.condition``
reference_latents  (B, C, h, w), clean
person, reference  (B, 3, H, W) in [-1, 1]      if the Leffa loss is on
loss_mask          (B, 1, H, W) I_m             if the Leffa loss is on
flow, visible, worn                      see ``KnownCorrespondence``, if one of its weights is not 0
reference_mask  (B, 1, any size)         for the same, and for the Leffa loss's guide
"""


@dataclass(frozen=True)
class Losses:
    """The total and its parts, before their weights; parts that are off are None."""

    total: Tensor
    diffusion: Tensor
    leffa: Tensor | None = None
    flow: Tensor | None = None
    occupancy: Tensor | None = None

    def parts(self) -> dict[str, float]:
        named = ("total", "diffusion", "leffa", "flow", "occupancy")
        values = {name: getattr(self, name) for name in named}
        return {name: float(value.detach()) for name, value in values.items() if value is not None}


def compute_losses(
    model: TwoUNets | torch.nn.Module,
    scheduler: DDPMScheduler,
    batch: Batch,
    settings: TrainingSettings,
    generator: torch.Generator,
) -> Losses:
    """Noise the batch, predict, and add up the losses of ``settings``.

    Every random number comes from ``generator`` (on the CPU, so that a run does not depend on the device):
    timesteps uniform, noise, and which samples lose their reference or their densepose.
    """
    latents = batch["latents"]
    timestep, noise, condition, reference_latents = _draw(batch, scheduler, settings, generator)
    noisy = scheduler.add_noise(latents, noise, timestep)
    target = noise
    if scheduler.config.prediction_type == "v_prediction":
        target = scheduler.get_velocity(latents, noise, timestep)

    needs_states = settings.leffa or settings.flow_weight or settings.occupancy_weight
    min_resolution = settings.leffa.min_resolution if settings.leffa else MIN_RESOLUTION
    collector = StateCollector((latents.shape[-2], latents.shape[-1]), settings.size[0], min_resolution)
    prediction = model(
        torch.cat([noisy, condition], dim=1), timestep, reference_latents, collector if needs_states else None
    )
    states = collector.close()

    region = condition[:, :1].float()
    diffusion = _masked_mse(prediction, target, region, settings.outside_weight)
    total = diffusion
    leffa = flow = occupancy = None
    if settings.leffa:
        leffa = leffa_loss(
            states,
            batch["reference"],
            batch["person"],
            batch["loss_mask"],
            timestep,
            settings.leffa,
            batch.get("reference_mask"),
        )
        total = total + settings.leffa.weight * leffa
    if settings.flow_weight or settings.occupancy_weight:
        truth = KnownCorrespondence(
            batch["flow"], batch["visible"], batch["worn"], batch["reference_mask"], region
        )
        flow, occupancy = correspondence_losses(states, truth)
        total = total + settings.flow_weight * flow + settings.occupancy_weight * occupancy
    return Losses(total, diffusion, leffa, flow, occupancy)


def _draw(
    batch: Batch, scheduler: DDPMScheduler, settings: TrainingSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """timestep, noise, and condition and reference latents with some of them dropped."""
    latents = batch["latents"]
    count, device = len(latents), latents.device
    timestep = torch.randint(0, scheduler.config.num_train_timesteps, (count,), generator=generator).to(
        device
    )
    noise = torch.randn(latents.shape, generator=generator).to(device, latents.dtype)
    chances = torch.rand((2, count, 1, 1, 1), generator=generator).to(device)
    keep_reference = (chances[0] >= settings.reference_dropout).to(latents.dtype)
    keep_densepose = (chances[1] >= settings.densepose_dropout).to(latents.dtype)
    condition = batch["condition"].clone()
    condition[:, -DENSEPOSE_CHANNELS:] *= keep_densepose
    return timestep, noise, condition, batch["reference_latents"] * keep_reference


def _masked_mse(prediction: Tensor, target: Tensor, region: Tensor, outside_weight: float) -> Tensor:
    """Mean squared error, the places outside the region weighted; with weight 1 the plain mean."""
    error = (prediction.float() - target.float()).square().mean(dim=1, keepdim=True)
    weight = region + outside_weight * (1 - region)
    return (error * weight).sum() / weight.sum()
