"""What every pixel of a product shot shows: a small reader of our own, trained on synthetic shots.

A shot of a top shows more than what is worn in front: through the neck one looks at the back's inside, its
tape and its label, which a throat hides. Colours alone do not tell it from the front, nor white cloth from a
white ground.
"""

from enum import IntEnum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leffa.model.pyramid import Pyramid, places

WIDTHS = (16, 24, 32, 40, 40)
DECODER = (32, 24, 20, 16)
GROUPS = 4
NECK_WIDE = 0.65  # of the garment's width: what is looked at once more from near
ABOVE_NECK = 0.12  # of the height of what is looked at so: ground above the garment's top


class ShotPart(IntEnum):
    """What a pixel of a product shot shows."""

    GROUND = 0
    CLOTH = 1
    INSIDE = 2  # of the garment, seen through its neck, an armhole or a waist


class ShotParser(nn.Module):
    """Shares of ``ShotPart`` of a framed product shot."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Pyramid(3 + 2, WIDTHS, DECODER, GROUPS)
        self.parts = nn.Conv2d(DECODER[-1], 4 * len(ShotPart), 3, 1, 1)

    def forward(self, shot: Tensor) -> Tensor:
        """Logits (B, 3, H, W) float32 of a shot (B, 3, H, W) in [-1, 1], sides multiples of 32."""
        where = places(shot.shape[-2:], shot).expand(len(shot), -1, -1, -1)
        features = self.body(torch.cat([shot, where], 1))
        return F.pixel_shuffle(self.parts(F.silu(features[-1])).float(), 2)
