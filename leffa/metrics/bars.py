"""The bars a model has to clear: what a few lines without learning make of the same inputs."""

import torch
from torch import Tensor

from leffa.model.flow import coordinates, warp


def masked_person(person: Tensor, mask: Tensor) -> Tensor:
    """The person unchanged, as far as it may be seen: mid grey inside the mask. Pictures in [-1, 1]."""
    return person * (mask < 0.5)


def mean_colour(person: Tensor, mask: Tensor, reference: Tensor, reference_mask: Tensor) -> Tensor:
    """The garment's mean colour inside the mask, the person outside. Pictures in [-1, 1]."""
    count = reference_mask.sum(dim=(2, 3), keepdim=True).clamp_min(1)
    colour = (reference * reference_mask).sum(dim=(2, 3), keepdim=True) / count
    return torch.where(mask > 0.5, colour, person)


def stretched(person: Tensor, mask: Tensor, reference: Tensor, reference_mask: Tensor) -> Tensor:
    """The garment stretched into the mask by its box, the person outside. Pictures in [-1, 1]."""
    flow = box_flow(mask, reference_mask, (person.shape[-2], person.shape[-1]))
    return torch.where(mask > 0.5, warp(reference, flow), person)


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


def identity_flow(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """Every place looks at the same place of the reference: (B, h, w, 2)."""
    return coordinates(*grid, device=mask.device).expand(len(mask), -1, -1, -1)


def constant_flow(reference_mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """Every place looks at the middle of the garment's box: (B, h, w, 2)."""
    low, high = box(reference_mask)
    return ((low + high) / 2)[:, None, None].expand(-1, *grid, -1)


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
