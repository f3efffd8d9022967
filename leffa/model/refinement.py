"""Flow to the pixel: what is left of the attention flow, and which pixels the garment covers.

Ours, not the paper's. Attention says roughly where on the reference a painted pixel comes from. A small
pyramid network makes it exact: coarse to fine, the reference's features are warped by the flow so far and
laid beside the person's; what is left of the flow is read off the two, and at the end what every pixel of the
mask will show (``Shows``). It is trained on synthetic people, whose exact correspondence and labels are
known, and is blind to the old garment: of the person it sees what lies outside the mask, and the body parts.
That shape is decided apart from texture, and before it, is what the field's warping papers converge on (PF-
AFN, arXiv 2103.04559; SCW-VTON, arXiv 2504.15232).
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leffa.model.flow import FlowField, warp
from leffa.model.pyramid import WIDTHS, Block, Encoder, places, resize, resize_offsets, silent

DECODER = (96, 72, 56)
"""Channels of the refinements at 1/16, 1/8 and 1/4."""
MATCH_WIDTH = 64
LAST_WIDTH = 32
STEP = 0.3  # what a refinement's output of 1 moves the flow by: offsets are learnt as numbers near one
LEAST_SPREAD = 0.05  # attention on a single token still means no more than about its cell


class Shows(IntEnum):
    """What a pixel of the new picture shows."""

    GARMENT = 0
    SKIN = 1
    GROUND = 2
    OTHER = 3


@dataclass(frozen=True)
class Refined:
    """What the refinement gives.

    flows  (B, 2, h, w) each, absolute (x, y) in [-1, 1] on the reference: after matching at 1/16, then
           refined at 1/16, 1/8 and 1/4 of the picture
    shows  (B, 4, H, W) float32 logits of ``Shows``
    """

    flows: list[Tensor]
    shows: Tensor

    @property
    def flow(self) -> Tensor:
        """(B, H, W, 2) absolute (x, y) in [-1, 1] on the reference: the finest flow at the picture's size."""
        return resize_offsets(self.flows[-1].float(), self.shows.shape[-2:]).movedim(1, -1)


class Match(nn.Module):
    """Soft-argmax matching at 1/16 around the attention flow: the surer that is, the nearer to it."""

    def __init__(self) -> None:
        super().__init__()
        width = sum(WIDTHS[3:])
        self.query, self.key = (nn.Conv2d(width, MATCH_WIDTH, 1) for _ in range(2))
        self.trust = nn.Parameter(torch.tensor(0.0))  # log of the attention flow's weight

    def forward(
        self, person: Tensor, reference: Tensor, cover: Tensor, start: Tensor, spread: Tensor
    ) -> Tensor:
        """Flow (B, 2, h, w) from features (B, C, h, w), the mask (B, 1, h, w), attention's flow, spread."""
        height, width = person.shape[-2:]
        query, key = self.query(person).flatten(2), self.key(reference).flatten(2)
        targets = places((height, width), person).flatten(1).T
        distance = (start.flatten(2).transpose(1, 2)[:, :, None] - targets[None, None]).square().sum(-1)
        prior = distance / (2 * (spread.flatten(2).transpose(1, 2) + LEAST_SPREAD).square())
        logits = torch.einsum("bcq,bck->bqk", query, key).float() / MATCH_WIDTH**0.5
        logits = logits - self.trust.exp() * prior + cover.flatten(2).clamp_min(1e-3).log()
        flow: Tensor = logits.softmax(-1) @ targets
        framed: Tensor = flow.transpose(1, 2).unflatten(2, (height, width))
        return framed


class Refinement(nn.Module):
    """Flow to the pixel and what every pixel shows; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.reference_encoder, self.person_encoder = Encoder(6), Encoder(9)
        self.match = Match()
        self.context = Block(WIDTHS[-1])
        before = (WIDTHS[-1], *DECODER[:-1])
        # person, warped reference and its mask, the flow's offset, the start's, its spread and occupancy
        self.enter = nn.ModuleList(
            nn.Conv2d(2 * features + 1 + 2 + 2 + 2 + previous, width, 1)
            for features, previous, width in zip(WIDTHS[3:0:-1], before, DECODER, strict=True)
        )
        self.blocks = nn.ModuleList(nn.Sequential(Block(width), Block(width)) for width in DECODER)
        # it begins as the matching and departs from it
        self.offset = nn.ModuleList(silent(nn.Conv2d(width, 2, 3, 1, 1)) for width in DECODER)
        self.last = nn.Conv2d(DECODER[-1] + 2 * WIDTHS[0] + 1, LAST_WIDTH, 3, 1, 1)
        self.shows = nn.Conv2d(LAST_WIDTH, 4 * len(Shows), 3, 1, 1)

    def forward(
        self,
        reference: Tensor,
        reference_mask: Tensor,
        person: Tensor,
        mask: Tensor,
        densepose: Tensor,
        start: FlowField,
    ) -> Refined:
        """Refine ``start``.

        reference, person, densepose  (B, 3, H, W) in [-1, 1], sides multiples of 32
        reference_mask, mask          (B, 1, H, W) in {0, 1}: the garment; what is repainted
        start  attention flow of any size: flow (B, h, w, 2), spread and occupancy (B, h, w)

        Raises ValueError if ``start`` has no occupancy.
        """
        if start.occupancy is None:
            raise ValueError("refinement needs a flow with occupancy: give the pipeline a reference_mask")
        where = places(reference.shape[-2:], reference).expand(len(reference), -1, -1, -1)
        garment = self.reference_encoder(torch.cat([reference * reference_mask, reference_mask, where], 1))
        body = self.person_encoder(torch.cat([person * (1 - mask), mask, densepose, where], 1))
        hint = torch.cat([start.flow.movedim(-1, 1), start.spread[:, None], start.occupancy[:, None]], 1)

        def cover(level: int) -> Tensor:
            return F.interpolate(reference_mask, size=body[level].shape[-2:], mode="area")

        pair = [torch.cat([resize(side[4], side[3].shape[-2:]), side[3]], 1) for side in (body, garment)]
        near = resize(hint, body[3].shape[-2:])
        flow = self.match(*pair, cover(3), near[:, :2], near[:, 2:3])
        flows, context = [flow], self.context(body[4])
        for i, level in enumerate((3, 2, 1)):
            size = body[level].shape[-2:]
            flow, near, context = resize_offsets(flow, size), resize(hint, size), resize(context, size)
            seen = warp(torch.cat([garment[level], cover(level)], 1), flow.movedim(1, -1))
            told = [body[level], seen, flow - places(size, flow), near[:, :2] - flow, near[:, 2:], context]
            context = self.blocks[i](self.enter[i](torch.cat(told, 1)))
            flow = flow + STEP * self.offset[i](F.silu(context)).float()
            flows.append(flow)
        size = body[0].shape[-2:]
        seen = warp(torch.cat([garment[0], cover(0)], 1), resize_offsets(flow, size).movedim(1, -1))
        last = self.last(torch.cat([resize(F.silu(context), size), F.silu(body[0]), seen], 1))
        return Refined(flows, F.pixel_shuffle(self.shows(F.silu(last)).float(), 2))
