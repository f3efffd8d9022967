"""Flow fields in attention. This module alone knows the coordinate convention.

A flow is *absolute*: for each place of the painted picture the (x, y) on the reference it looks at, in
[-1, 1], x to the right, y down, row-major; it is not an offset. Flow F = A . C (Eq. 3), with A the attention
to the reference tokens only, averaged over heads, and C the coordinates of those tokens.

No attention map is ever built: the mean over heads commutes with the product, so the fused attention with
coordinates as its values gives the flow itself (docs/method.md, section 4), and with the columns
``x, y, x^2 + y^2, 1`` that are zero on the own tokens it gives flow, spread and reference mass in one pass.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.config import TEMPERATURE, GridConvention

LEAST_VARIANCE = 1e-3  # of a look: nothing is told more exactly


def coordinates(
    height: int,
    width: int,
    convention: GridConvention = GridConvention.CENTERS,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Coordinate map C of a grid: (height, width, 2) in (x, y) order, top left negative."""

    def axis(size: int) -> Tensor:
        if convention is GridConvention.CORNERS:
            return torch.linspace(-1, 1, size, device=device, dtype=dtype)
        return (2 * torch.arange(size, device=device, dtype=dtype) + 1) / size - 1

    y, x = torch.meshgrid(axis(height), axis(width), indexing="ij")
    return torch.stack([x, y], dim=-1)


def grid_of(tokens: int, latent_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of an attention layer with so many tokens, for latents of that (height, width).

    Each downsampling of a diffusers UNet halves a side and rounds up.

    Raises ValueError if no number of halvings gives that many tokens.
    """
    height, width = latent_size
    while height * width > tokens and (height, width) != (1, 1):
        height, width = -(-height // 2), -(-width // 2)
    if height * width != tokens:
        raise ValueError(f"{tokens} tokens are no halving of latents of {latent_size}")
    return height, width


def attention_flow(
    query: Tensor,
    reference_key: Tensor,
    query_grid: tuple[int, int],
    reference_grid: tuple[int, int],
    temperature: float = TEMPERATURE,
    convention: GridConvention = GridConvention.CENTERS,
    mean_over_heads: bool = True,
) -> Tensor:
    """Differentiable flow of one attention layer (Eq. 2 and 3): softmax over the reference keys only.

    query          (B, heads, h * w, D), any float dtype
    reference_key  (B, heads, n, D)
    query_grid, reference_grid  (height, width) of the tokens, row-major
    temperature    tau: the logits are query . key / (tau * sqrt(D))
    mean_over_heads  False keeps the heads apart, for the paper's ablation

    Returns (B, h, w, 2) float32, or (B, heads, h, w, 2).
    """
    _check_tokens("query", query, query_grid)
    _check_tokens("reference_key", reference_key, reference_grid)
    values = coordinates(*reference_grid, convention, query.device).reshape(1, 1, -1, 2)
    flow = _attend(query, reference_key, values, temperature)
    if mean_over_heads:
        flow = flow.mean(dim=1)
    gridded: Tensor = flow.unflatten(-2, query_grid)
    return gridded


def attended_map(
    query: Tensor,
    reference_key: Tensor,
    maps: Tensor,
    query_grid: tuple[int, int],
    temperature: float = TEMPERATURE,
) -> Tensor:
    """What the attention to the reference sees of maps of it: (B, C, h', w') -> (B, C, h, w), float32.

    ``maps`` lie on the reference's token grid. Differentiable; softmax over the reference keys only.
    """
    values = maps.float().flatten(2).transpose(1, 2)[:, None]
    seen = _attend(query, reference_key, values, temperature).mean(dim=1)
    gridded: Tensor = seen.transpose(1, 2).unflatten(-1, query_grid)
    return gridded


@dataclass(frozen=True)
class FlowField:
    """Attention flow of one layer at one step, or several merged into one.

    flow    (..., h, w, 2) float32, absolute (x, y) in [-1, 1] on the reference
    spread  (..., h, w) float32: standard deviation of the attended places, sqrt(var x + var y), so in units
            of half a side; 0 = all attention on one token, about 0.8 = spread over the whole reference
    mass    (..., h, w) float32 in [0, 1]: share of the attention that goes to the reference and not to the
            painted picture itself
    occupancy  (..., h, w) float32 in [0, 1]: share of the attention to the reference that falls on its mask,
            the garment or the person; None where no mask was given
    """

    flow: Tensor
    spread: Tensor
    mass: Tensor
    occupancy: Tensor | None = None

    def __getitem__(self, index: int) -> "FlowField":
        """The field of one sample of a batch."""
        return self.map(lambda values: values[index])

    def to(self, device: torch.device | str) -> "FlowField":
        return self.map(lambda values: values.to(device))

    def map(self, function: Callable[[Tensor], Tensor]) -> "FlowField":
        """The field with a function applied to each of its tensors."""
        occupancy = None if self.occupancy is None else function(self.occupancy)
        return FlowField(function(self.flow), function(self.spread), function(self.mass), occupancy)

    def resize(
        self, size: tuple[int, int], convention: GridConvention = GridConvention.CENTERS
    ) -> "FlowField":
        """The field at another (height, width); takes and gives a leading batch dimension."""

        def scalar(values: Tensor) -> Tensor:
            return _interpolate(values[:, None], size)[:, 0]

        occupancy = None if self.occupancy is None else scalar(self.occupancy)
        flow = resize_flow(self.flow, size, convention)
        return FlowField(flow, scalar(self.spread), scalar(self.mass), occupancy)


def observe_flow(
    query: Tensor,
    own_key: Tensor,
    reference_key: Tensor,
    query_grid: tuple[int, int],
    reference_grid: tuple[int, int],
    temperature: float = TEMPERATURE,
    convention: GridConvention = GridConvention.CENTERS,
    reference_mask: Tensor | None = None,
) -> FlowField:
    """Flow, spread, mass and occupancy of one layer in one fused attention over [own ; reference] keys.

    Per head, the moments over the reference are those over all keys divided by the mass, so the flow equals
    ``attention_flow``'s. The mass is taken at the same temperature. Shapes as there; fields are (B, h, w).
    ``reference_mask`` (B, 1, H, W) in [0, 1] is averaged over each reference token's cell.
    """
    _check_tokens("query", query, query_grid)
    _check_tokens("reference_key", reference_key, reference_grid)
    grid = coordinates(*reference_grid, convention, query.device).reshape(-1, 2)
    columns = torch.cat([torch.ones_like(grid[:, :1]), grid, grid.square().sum(-1, keepdim=True)], dim=-1)
    columns = columns.expand(len(query), 1, -1, -1)
    if reference_mask is not None:
        cells = F.adaptive_avg_pool2d(reference_mask.float(), reference_grid).flatten(2).transpose(1, 2)
        columns = torch.cat([columns, cells[:, None]], dim=-1)
    columns = F.pad(columns, (0, 0, own_key.shape[2], 0))  # zero on the own tokens
    moments = _attend(query, torch.cat([own_key, reference_key], dim=2), columns, temperature)
    mass = moments[..., 0]
    # A head may look at the reference so little that its mass underflows; its place is then undefined.
    conditional = moments[..., 1:] / mass.clamp_min(1e-12)[..., None]
    conditional = conditional.mean(dim=1).unflatten(-2, query_grid)
    flow, second_moment = conditional[..., :2], conditional[..., 2]
    variance = (second_moment - flow.square().sum(-1)).clamp_min(0)
    occupancy = None if reference_mask is None else conditional[..., 3]
    return FlowField(flow, variance.sqrt(), mass.mean(dim=1).unflatten(-1, query_grid), occupancy)


def _attend(query: Tensor, key: Tensor, values: Tensor, temperature: float) -> Tensor:
    """softmax(query . key / (tau * sqrt(D))) . values with float32 values, (B, heads, N, columns)."""
    batch, heads, _, width = query.shape
    columns = values.shape[-1]
    # The fused kernels want values as wide as the keys; coordinates stay in float32.
    values = F.pad(values, (0, max(0, width - columns))).expand(batch, heads, -1, -1)
    query, key = query.float(), key.float()
    with _no_autocast(query.device.type):  # it would round the coordinates
        attended = F.scaled_dot_product_attention(query, key, values, scale=1 / (temperature * width**0.5))
    return attended[..., :columns]


def _no_autocast(kind: str) -> AbstractContextManager[torch.autocast | None]:
    """Autocast off, on kinds of device that have it: the meta device has not."""
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def _check_tokens(name: str, states: Tensor, grid: tuple[int, int]) -> None:
    if states.shape[2] != grid[0] * grid[1]:
        raise ValueError(f"{name} has {states.shape[2]} tokens, which is not the grid {grid[0]}x{grid[1]}")


def _interpolate(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def resize_flow(
    flow: Tensor, size: tuple[int, int], convention: GridConvention = GridConvention.CENTERS
) -> Tensor:
    """Bilinear resize of a flow (B, h, w, 2) to (height, width).

    With CENTERS the flow's difference from the identity is resized and the identity of the new grid added
    back; inside this is plain bilinear interpolation, and at the border, where interpolation has nothing
    beyond the last cell centre, the identity stays the identity.
    """
    if flow.shape[1:3] == size:
        return flow
    if convention is GridConvention.CORNERS:
        return _interpolate(flow.movedim(-1, 1), size).movedim(1, -1)
    offset = flow - coordinates(flow.shape[1], flow.shape[2], device=flow.device, dtype=flow.dtype)
    resized = _interpolate(offset.movedim(-1, 1), size).movedim(1, -1)
    return resized + coordinates(*size, device=flow.device, dtype=flow.dtype)


def coarse_flow(flow: Tensor, visible: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """True flow (B, H, W, 2) and visibility (B, H, W) on a coarser grid.

    A cell's flow is the mean over its visible pixels; it counts as visible if half of its pixels are.
    Returns (B, h, w, 2) float32 and (B, h, w) bool.
    """
    if flow.shape[1:3] == grid:
        return flow.float(), visible.bool()
    known = visible.float()[:, None]
    share = F.adaptive_avg_pool2d(known, grid)
    # where, not a product: what is not visible may be nan
    total = F.adaptive_avg_pool2d(
        torch.where(known.bool(), flow.float().movedim(-1, 1), torch.zeros(())), grid
    )
    return (total / share.clamp_min(1e-6)).movedim(1, -1), share[:, 0] >= 0.5


def warp(reference: Tensor, flow: Tensor, padding: str = "border") -> Tensor:
    """Sample the reference (B, C, H, W) at a flow (B, h, w, 2), bilinearly: (B, C, h, w).

    Both conventions sample with cell centres (``align_corners=False``); see ``GridConvention``.
    """
    return F.grid_sample(
        reference, flow.to(reference.dtype), mode="bilinear", padding_mode=padding, align_corners=False
    )


def box_flow(mask: Tensor, reference_mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """The flow (B, h, w, 2) that maps the box of ``mask`` onto that of ``reference_mask``.

    Both masks are (B, 1, H, W) in {0, 1}; an empty one counts as the whole picture.
    """
    low, high = box(mask)
    reference_low, reference_high = box(reference_mask)
    scale = (reference_high - reference_low) / (high - low)

    def place(corner: Tensor) -> Tensor:
        return corner[:, None, None]

    return place(reference_low) + (coordinates(*grid, device=mask.device) - place(low)) * place(scale)


def box(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Outer corners of the box around a mask (B, 1, H, W): (B, 2) each, (x, y) in [-1, 1]."""
    lows, highs = [], []
    for dim, side in ((1, mask.shape[-1]), (2, mask.shape[-2])):  # columns for x, then rows for y
        there = (mask[:, 0] > 0.5).any(dim=dim)
        there = torch.where(there.any(dim=1, keepdim=True), there, torch.ones_like(there))
        places = torch.arange(side, device=mask.device)
        lows.append(torch.where(there, places, side).amin(dim=1))
        highs.append(torch.where(there, places + 1, 0).amax(dim=1))
    sides = torch.tensor([mask.shape[-1], mask.shape[-2]], device=mask.device)
    return torch.stack(lows, dim=1) / sides * 2 - 1, torch.stack(highs, dim=1) / sides * 2 - 1


Scalars = TypeVar("Scalars", float, Tensor)


def certainty(mass: Scalars, spread: Scalars) -> Scalars:
    """How much a look counts beside others: its mass over its variance, both as in ``FlowField``."""
    return mass / (spread**2 + LEAST_VARIANCE)


def merge(fields: list[FlowField], size: tuple[int, int]) -> FlowField:
    """One field at (height, width) from several of any size, each place weighted by how sure it is.

    The weight of a field at a place is its ``certainty``, so that layers that scatter, or do not
    look at the reference, hardly count. Takes and gives a leading batch dimension.
    """
    if not fields:
        raise ValueError("there is no flow to merge: capture at least one layer at one step")
    has_occupancy = all(field.occupancy is not None for field in fields)
    total, weighted = torch.zeros(()), torch.zeros(())
    for field in fields:  # one after the other: at full size all of them together would take a gigabyte
        resized = field.resize(size)
        columns = [resized.flow, resized.spread[..., None], resized.mass[..., None]]
        if has_occupancy and resized.occupancy is not None:
            columns.append(resized.occupancy[..., None])
        weight = certainty(resized.mass, resized.spread)[..., None]
        total = total + weight
        weighted = weighted + weight * torch.cat(columns, dim=-1)
    mean = weighted / total.clamp_min(1e-12)
    return FlowField(mean[..., :2], mean[..., 2], mean[..., 3], mean[..., 4] if has_occupancy else None)


def end_point_error(flow: Tensor, truth: Tensor, visible: Tensor, width_over_height: float) -> Tensor:
    """Mean distance between two flows, in % of the reference's width, over the visible places.

    flow, truth  (B, h, w, 2) absolute (x, y) in [-1, 1]
    visible      (B, h, w) bool: where the truth is known
    width_over_height  aspect of the reference, 0.75 for 256x192

    Returns a scalar; nan where nothing is visible.
    """
    difference = (flow - truth) * flow.new_tensor([1.0, 1.0 / width_over_height])
    distance = difference.square().sum(-1).sqrt() * 50  # [-1, 1] is 100 % of the width
    return distance[visible].mean()
