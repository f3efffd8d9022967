"""What every pixel of a photo shows: a small parser of our own, trained on synthetic people.

It sees the picture, the silhouette that the person finder gives, and the body parts, so that it need not find
the person again: only tell skin from cloth, hair from ground, one garment from the other.
"""

from enum import IntEnum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leffa.config import Garment
from leffa.model.pyramid import WIDTHS, Pyramid, places

DECODER = (64, 56, 48, 32)


class Seen(IntEnum):
    """What a pixel of a photo shows."""

    GROUND = 0
    HAIR = 1
    FACE = 2  # and neck
    ARM = 3  # bare, hands included
    LEG = 4  # bare, feet included
    UPPER = 5
    LOWER = 6
    DRESS = 7
    SHOE = 8
    OTHER = 9  # bags, hats, belts, glasses


CLOTHES = (Seen.UPPER, Seen.LOWER, Seen.DRESS)
SKIN = (Seen.FACE, Seen.ARM, Seen.LEG)
REPLACED: dict[Garment, tuple[Seen, ...]] = {
    Garment.UPPER: (Seen.UPPER, Seen.DRESS),
    Garment.LOWER: (Seen.LOWER, Seen.DRESS),
    Garment.DRESS: (Seen.UPPER, Seen.LOWER, Seen.DRESS),
}
"""What goes when a garment of a kind comes."""


class PhotoParser(nn.Module):
    """Shares of ``Seen`` of a framed photo."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Pyramid(3 + 1 + 3 + 2, WIDTHS, DECODER)
        self.seen = nn.Conv2d(DECODER[-1], 4 * len(Seen), 3, 1, 1)

    def forward(self, photo: Tensor, silhouette: Tensor, densepose: Tensor) -> Tensor:
        """Logits (B, 10, H, W) float32.

        photo, densepose  (B, 3, H, W) in [-1, 1], sides multiples of 32
        silhouette        (B, 1, H, W) in {0, 1}
        """
        where = places(photo.shape[-2:], photo).expand(len(photo), -1, -1, -1)
        features = self.body(torch.cat([photo, silhouette, densepose, where], 1))
        return F.pixel_shuffle(self.seen(F.silu(features[-1])).float(), 2)
