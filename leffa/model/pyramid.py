"""The parts that the small networks around the UNets share: refinement, reading of photos, filling.

All of them are pyramids of convolutions from half the picture's size to a thirty-second. Sides of a picture
are multiples of 32.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (24, 48, 72, 96, 128)
"""Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture."""
GROUPS = 8  # of channels that are normalised together


class Block(nn.Module):
    """Residual block at one size."""

    def __init__(self, width: int, groups: int = GROUPS):
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(F.silu(self.first(F.silu(self.norm(x)))))
        return x + change


class Encoder(nn.Module):
    """Picture (B, C, H, W) -> features at 1/2, 1/4, 1/8, 1/16 and 1/32."""

    def __init__(self, channels: int, widths: Sequence[int] = WIDTHS, groups: int = GROUPS):
        super().__init__()
        self.stem = nn.Conv2d(4 * channels, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(Block(width, groups) for width in widths[1:])

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.stem(F.pixel_unshuffle(x, 2))]
        for down, block in zip(self.down, self.blocks, strict=True):
            features.append(block(down(F.silu(features[-1]))))
        return features


class Pyramid(nn.Module):
    """Down to 1/32, where the whole picture is heard everywhere, and up again to 1/2.

    widths   channels of the way down, finest first
    decoder  channels of the way up at 1/16, 1/8, 1/4 and 1/2
    """

    def __init__(self, channels: int, widths: Sequence[int], decoder: Sequence[int], groups: int = GROUPS):
        super().__init__()
        self.encoder = Encoder(channels, widths, groups)
        self.context, self.whole = Block(widths[-1], groups), nn.Linear(widths[-1], widths[-1])
        before = (widths[-1], *decoder[:-1])
        self.enter = nn.ModuleList(
            # the last one sees the stem, which has looked at few pixels only
            nn.Conv2d(fine + previous, width, *((1,) if i < 3 else (3, 1, 1)))
            for i, (fine, previous, width) in enumerate(zip(widths[3::-1], before, decoder, strict=True))
        )
        self.blocks = nn.ModuleList(Block(width, groups) for width in decoder)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> features of the way up, at 1/16, 1/8, 1/4 and 1/2."""
        *fine, coarse = self.encoder(x)
        context = self.context(coarse)
        context = context + self.whole(context.mean((2, 3)))[:, :, None, None]
        features = []
        for enter, block, skipped in zip(self.enter, self.blocks, reversed(fine), strict=True):
            context = block(enter(torch.cat([skipped, resize(context, skipped.shape[-2:])], 1)))
            features.append(context)
        return features


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with all weights at zero: what it adds to is at first left as it is."""
    with torch.no_grad():
        for values in layer.parameters():
            values.zero_()
    return layer


def places(size: Sequence[int], like: Tensor) -> Tensor:
    """(2, h, w) coordinates (x, y) of the middles of pixels, in [-1, 1]."""
    height, width = size
    y = (torch.arange(height, device=like.device) * 2 + 1) / height - 1
    x = (torch.arange(width, device=like.device) * 2 + 1) / width - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))


def resize(values: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, h, w) at another size: by area when it shrinks, else bilinear."""
    if values.shape[-2:] == tuple(size):
        return values
    if size[0] < values.shape[-2]:
        return F.interpolate(values, size=tuple(size), mode="area")
    return F.interpolate(values, size=tuple(size), mode="bilinear", align_corners=False)


def resize_offsets(flow: Tensor, size: Sequence[int]) -> Tensor:
    """A flow (B, 2, h, w) at another size: its offset from the identity is resized, so borders stay right."""
    here, there = (places(shape, flow) for shape in (flow.shape[-2:], size))
    return resize(flow - here, size) + there
