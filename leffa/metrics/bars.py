"""The bars a model has to clear: what a few lines without learning make of the same inputs."""

import torch
from torch import Tensor

from leffa.model.flow import box, box_flow, coordinates, warp


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


def identity_flow(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """Every place looks at the same place of the reference: (B, h, w, 2)."""
    return coordinates(*grid, device=mask.device).expand(len(mask), -1, -1, -1)


def constant_flow(reference_mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """Every place looks at the middle of the garment's box: (B, h, w, 2)."""
    low, high = box(reference_mask)
    return ((low + high) / 2)[:, None, None].expand(-1, *grid, -1)
