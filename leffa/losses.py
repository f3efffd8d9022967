"""The two losses: denoising, and the Leffa loss that makes attention a flow field (Eq. 1 to 5).

``leffa_loss`` takes queries and reference keys of any attention, not our classes, so it can be attached to
other models; README, "The loss on other models", has recipes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.config import TEMPERATURE, GridConvention, LeffaLossConfig, Photometric
from leffa.flow import (
    attended_map,
    attention_flow,
    coarse_flow,
    resize_flow,
    warp,
)


@dataclass(frozen=True)
class AttentionStates:
    """What the loss needs of one attention layer.

    query           (B, heads, h * w, D): the layer's own, target, tokens
    reference_key   (B, heads, n, D)
    query_grid, reference_grid  (height, width) of the two, row-major
    """

    query: Tensor
    reference_key: Tensor
    query_grid: tuple[int, int]
    reference_grid: tuple[int, int]


def diffusion_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the predicted noise (or v), without weighting by signal-to-noise (Eq. 1)."""
    return F.mse_loss(prediction.float(), target.float())


def leffa_loss(
    layers: list[AttentionStates],
    reference: Tensor,
    target: Tensor,
    mask: Tensor,
    timestep: Tensor,
    config: LeffaLossConfig | None = None,
) -> Tensor:
    """L_leffa = mean over layers || I_target * I_m - I_warp * I_m ||^2 (Eq. 5), not yet times lambda.

    layers     attention of the layers to be trained; those below ``min_resolution`` are left out here
    reference  (B, C, H, W) picture the keys were made from, in [-1, 1]
    target     (B, C, H, W) picture to be painted; in training the person picture itself
    mask       (B, 1, H, W) I_m in {0, 1}: the worn garment, or the person in pose transfer
    timestep   (B,) of each sample: those at or above ``max_timestep`` give no loss

    Returns a scalar float32: the mean over all pixels, channels, samples and layers, zero where the mask or
    the gate is. Every sample counts in the mean, so its size does not depend on how many passed the gate.

    Raises ValueError if no layer is fine enough for ``min_resolution``.
    """
    config = config or LeffaLossConfig()
    height = target.shape[-2]
    kept = [layer for layer in layers if layer.query_grid[0] / height >= config.min_resolution]
    if not kept:
        sizes = [layer.query_grid for layer in layers]
        raise ValueError(
            f"no layer of {sizes} reaches min_resolution {config.min_resolution} of a picture {height} high"
        )
    weight = mask.float() * (timestep < config.max_timestep).float().view(-1, 1, 1, 1)
    errors = [_layer_error(layer, reference.float(), target.float(), weight, config) for layer in kept]
    return sum(errors[1:], errors[0]) / len(errors)


def _layer_error(
    layer: AttentionStates, reference: Tensor, target: Tensor, weight: Tensor, config: LeffaLossConfig
) -> Tensor:
    flow = attention_flow(
        layer.query,
        layer.reference_key,
        layer.query_grid,
        layer.reference_grid,
        config.temperature,
        config.convention,
        config.mean_over_heads,
    )
    if not config.mean_over_heads:  # each head warps by itself
        heads = flow.shape[1]
        flow = flow.flatten(0, 1)
        reference, target, weight = (x.repeat_interleave(heads, dim=0) for x in (reference, target, weight))
    if config.upsample_flow:
        flow = resize_flow(flow, (target.shape[-2], target.shape[-1]), config.convention)
    else:
        target, weight = (F.adaptive_avg_pool2d(x, layer.query_grid) for x in (target, weight))
    warped = warp(reference, flow)
    if config.photometric is Photometric.SMOOTH_L1:
        return F.smooth_l1_loss(warped * weight, target * weight)
    return F.mse_loss(warped * weight, target * weight)


def correspondence_loss(
    layers: list[AttentionStates],
    flow: Tensor,
    visible: Tensor,
    temperature: float = TEMPERATURE,
    convention: GridConvention = GridConvention.CENTERS,
) -> Tensor:
    """Squared distance of the attention flow from a known one; for synthetic people, not in the paper.

    flow     (B, H, W, 2) true absolute flow in [-1, 1]; any size, reduced to each layer's grid
    visible  (B, H, W) bool: where it is known

    Returns a scalar: mean over the visible places and the layers, in squared normalised units.
    """
    total = flow.new_zeros(())
    for layer in layers:
        truth, known = coarse_flow(flow, visible, layer.query_grid)
        predicted = attention_flow(
            layer.query, layer.reference_key, layer.query_grid, layer.reference_grid, temperature, convention
        )
        error = (predicted - truth).square().sum(-1)
        total = total + torch.where(known, error, 0).sum() / known.sum().clamp_min(1)
    return total / len(layers)


def occupancy_loss(
    layers: list[AttentionStates],
    worn: Tensor,
    reference_mask: Tensor,
    region: Tensor,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """Cross-entropy of the share of attention that falls on the garment of the reference; not in the paper.

    Places where the garment is worn should look at the garment, the others at its surroundings, so that
    the attended ``reference_mask`` tells where the garment goes (see "flow start" in the pipeline).

    worn            (B, 1, H, W) in {0, 1}: the garment, or the person, in the painted picture
    reference_mask  (B, 1, H, W) in {0, 1}: the same on the reference
    region          (B, 1, H, W) in {0, 1}: where the loss counts, the repaint mask

    Returns a scalar: mean over the region and the layers.
    """
    total = worn.new_zeros(())
    for layer in layers:
        target, weight = (F.adaptive_avg_pool2d(x.float(), layer.query_grid) for x in (worn, region))
        share = attended_map(
            layer.query,
            layer.reference_key,
            F.adaptive_avg_pool2d(reference_mask.float(), layer.reference_grid),
            layer.query_grid,
            temperature,
        )
        error = F.binary_cross_entropy(share.clamp(1e-4, 1 - 1e-4), target.clamp(0, 1), reduction="none")
        total = total + (error * weight).sum() / weight.sum().clamp_min(1)
    return total / len(layers)
