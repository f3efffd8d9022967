"""The Leffa loss, which makes attention a flow field (Eq. 2 to 5), and the loss of a known correspondence.

``leffa_loss`` takes queries and reference keys of any attention, not our classes, so it can be attached to
other models; docs/other-models.md has recipes.
"""

from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.config import TEMPERATURE, GridConvention, LeffaLossConfig, Photometric
from leffa.model.flow import (
    attended_map,
    attention_flow,
    box_flow,
    coarse_flow,
    coordinates,
    resize_flow,
    warp,
)

SPREAD_SHARE = 0.1  # weight of the variance beside the squared flow error
NEAR = 0.02  # normalised units (1 % of a side) below which a flow error counts squared, not plain


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


def leffa_loss(
    layers: list[AttentionStates],
    reference: Tensor,
    target: Tensor,
    mask: Tensor,
    timestep: Tensor,
    config: LeffaLossConfig | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """L_leffa = mean over layers || I_target * I_m - I_warp * I_m ||^2 (Eq. 5), not yet times lambda.

    layers     attention of the layers to be trained; those below ``min_resolution`` are left out here
    reference  (B, C, H, W) picture the keys were made from, in [-1, 1]
    target     (B, C, H, W) picture to be painted; in training the person picture itself
    mask       (B, 1, H, W) I_m in {0, 1}: the worn garment, or the person in pose transfer
    timestep   (B,) of each sample: those at or above ``max_timestep`` give no loss
    reference_mask  (B, 1, any size) in [0, 1]: garment, or person, on the reference; for the guide only

    With ``config.guide`` each layer's error is that of Eq. 5 plus ``guide_error`` times it; ours.

    Returns a scalar float32: the mean over all pixels, channels, samples and layers, zero where the mask or
    the gate is. Every sample counts in the mean, so its size does not depend on how many passed the gate.

    Raises ValueError if no layer is fine enough for ``min_resolution``, or the guide lacks its mask.
    """
    config = config or LeffaLossConfig()
    if config.guide and reference_mask is None:
        raise ValueError("the guide needs reference_mask: where the garment is on the reference")
    height = target.shape[-2]
    kept = [layer for layer in layers if layer.query_grid[0] / height >= config.min_resolution]
    if not kept:
        sizes = [layer.query_grid for layer in layers]
        raise ValueError(
            f"no layer of {sizes} reaches min_resolution {config.min_resolution} of a picture {height} high"
        )
    weight = mask.float() * (timestep < config.max_timestep).float().view(-1, 1, 1, 1)
    pictures = _Pictures(reference.float(), target.float(), mask, reference_mask, weight)
    errors = [_layer_error(layer, pictures, config) for layer in kept]
    return sum(errors[1:], errors[0]) / len(errors)


@dataclass(frozen=True)
class _Pictures:
    """What the flow of every layer is judged by; ``weight`` is the mask where the timestep's gate is open."""

    reference: Tensor
    target: Tensor
    mask: Tensor
    reference_mask: Tensor | None
    weight: Tensor

    def repeated(self, times: int) -> "_Pictures":
        """Each sample several times, one after the other."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: values for name, values in named.items() if values is not None}
        return replace(self, **{name: x.repeat_interleave(times, dim=0) for name, x in given.items()})


def _layer_error(layer: AttentionStates, pictures: _Pictures, config: LeffaLossConfig) -> Tensor:
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
        pictures = pictures.repeated(flow.shape[1])
        flow = flow.flatten(0, 1)
    error = warp_error(flow, pictures.reference, pictures.target, pictures.weight, config)
    if config.guide and pictures.reference_mask is not None:
        guide = guide_error(flow, pictures.mask, pictures.reference_mask, pictures.weight, config.guide_slack)
        error = error + config.guide * guide
    return error


def warp_error(
    flow: Tensor, reference: Tensor, target: Tensor, weight: Tensor, config: LeffaLossConfig
) -> Tensor:
    """The photometric term of one flow (Eq. 4 and 5): the reference warped by it against the target.

    flow       (B, h, w, 2) absolute, in [-1, 1], of any size
    reference, target  (B, C, H, W); weight (B, 1, H, W) is multiplied to both

    Returns a scalar, the mean over all pixels, channels and samples.
    """
    if config.upsample_flow:
        flow = resize_flow(flow, (target.shape[-2], target.shape[-1]), config.convention)
    else:
        target, weight = (F.adaptive_avg_pool2d(x, (flow.shape[1], flow.shape[2])) for x in (target, weight))
    warped = warp(reference, flow)
    if config.photometric is Photometric.SMOOTH_L1:
        return F.smooth_l1_loss(warped * weight, target * weight)
    return F.mse_loss(warped * weight, target * weight)


def guide_error(flow: Tensor, mask: Tensor, reference_mask: Tensor, weight: Tensor, slack: float) -> Tensor:
    """Distance of a flow from the one that stretches the garment by its box, beyond a slack.

    The warped picture tells where the truth lies only from near by, and on plain cloth hardly at all; the
    boxes tell it from anywhere, but not exactly. Hence the slack: what is that near is left to the picture.

    flow             (B, h, w, 2) absolute, in [-1, 1], of any size
    mask, reference_mask  (B, 1, any size) in [0, 1]: the garment as worn and on the reference
    weight           (B, 1, H, W), averaged over each place of the flow

    Returns a scalar, the weighted mean over all places and samples, in units of half a side.
    """
    grid = (flow.shape[1], flow.shape[2])
    offset = flow - box_flow(mask, reference_mask, grid)
    distance = torch.linalg.vector_norm(offset, dim=-1)  # its gradient at zero is zero
    return (F.relu(distance - slack) * F.adaptive_avg_pool2d(weight, grid)[:, 0]).mean()


@dataclass(frozen=True)
class KnownCorrespondence:
    """Where the painted picture comes from, as synthetic people know it. Any size; reduced to each layer's.

    flow            (B, H, W, 2) true absolute flow in [-1, 1]
    visible         (B, H, W) bool: where it is known
    worn            (B, 1, H, W) in [0, 1]: the garment, or the person, in the painted picture
    reference_mask  (B, 1, H, W) in [0, 1]: the same on the reference
    region          (B, 1, H, W) in [0, 1]: where the occupancy counts, the repaint mask
    """

    flow: Tensor
    visible: Tensor
    worn: Tensor
    reference_mask: Tensor
    region: Tensor


def correspondence_losses(
    layers: list[AttentionStates],
    truth: KnownCorrespondence,
    temperature: float = TEMPERATURE,
    convention: GridConvention = GridConvention.CENTERS,
) -> tuple[Tensor, Tensor]:
    """Two losses on a known correspondence, for synthetic people; ours, not the paper's.

    Flow: distance of the attention flow from the true one in normalised units, with a little of the
    attention's variance under the root, because a right mean of scattered attention gives a painter nothing
    to copy; mean over the visible places and the layers. Plain, not squared, so that the few places which
    nobody can tell do not outweigh the many that can still be made exact. Occupancy: cross-entropy of the
    share of attention that falls on the garment of the reference; places where it is worn should look at it,
    the others at its surroundings, so that what attention sees of the reference's mask tells where the
    garment goes.

    Returns (flow, occupancy), scalars. One fused attention per layer serves both.
    """
    flow_total = truth.flow.new_zeros(())
    occupancy_total = truth.flow.new_zeros(())
    for layer in layers:
        grid = coordinates(*layer.reference_grid, convention, truth.flow.device).movedim(-1, 0)
        cells = F.adaptive_avg_pool2d(truth.reference_mask.float(), layer.reference_grid)
        squares = grid.square().sum(dim=0, keepdim=True)
        maps = torch.cat([torch.cat([grid, squares]).expand(len(cells), -1, -1, -1), cells], dim=1)
        seen = attended_map(layer.query, layer.reference_key, maps, layer.query_grid, temperature)

        flow, known = coarse_flow(truth.flow, truth.visible, layer.query_grid)
        squared = (seen[:, :2].movedim(1, -1) - flow).square().sum(-1)
        variance = (seen[:, 2] - seen[:, :2].square().sum(dim=1)).clamp_min(0)
        error = (squared + SPREAD_SHARE * variance + NEAR**2).sqrt() - NEAR
        flow_total = flow_total + torch.where(known, error, 0).sum() / known.sum().clamp_min(1)

        worn, weight = (
            F.adaptive_avg_pool2d(x.float(), layer.query_grid) for x in (truth.worn, truth.region)
        )
        share = seen[:, 3:].clamp(1e-4, 1 - 1e-4)
        # by hand: F.binary_cross_entropy refuses to run under autocast on a GPU
        error = -(worn * share.log() + (1 - worn) * (1 - share).log())
        occupancy_total = occupancy_total + (error * weight).sum() / weight.sum().clamp_min(1)
    return flow_total / len(layers), occupancy_total / len(layers)
