"""Whether anything of the old garment is left in a try-on, told by its colour."""

import math

import torch
from torch import Tensor

HUE_WINDOW = math.radians(22)
LEAST_CHROMA = 0.3  # of the colour's own: shade and mixed edges included

GARISH = ((1.0, 0.0, 1.0), (0.75, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.45, 0.0))  # magenta, lime, cyan, orange


def rarest_garish(picture: Tensor) -> tuple[float, float, float]:
    """The colour of ``GARISH`` that a picture (3, H, W) in [-1, 1] shows least of: what an old garment should
    be dyed in, so that nothing else is taken for it."""
    return min(GARISH, key=lambda colour: int(_has_colour(picture, colour).sum()))


def leaked_share(
    result: Tensor,
    old_mask: Tensor,
    colour: tuple[float, float, float],
    truth: Tensor | None = None,
) -> float:
    """Share of the old garment's pixels that still show its colour, from 0 to 1.

    result    (3, H, W) in [-1, 1]: the finished picture
    old_mask  (H, W) or (1, H, W), above 0.5 where the old garment was seen
    colour    sRGB in [0, 1] of the old garment: a garish one, which nothing else has
    truth     (3, H, W) in [-1, 1]: pixels that have the colour here may have it in the result
    """
    where = old_mask.reshape(result.shape[1:]) > 0.5
    shown = _has_colour(result, colour) & where
    if truth is not None:
        shown &= ~_has_colour(truth, colour)
    return float(shown.sum() / where.sum().clamp(min=1))


def _has_colour(picture: Tensor, colour: tuple[float, float, float]) -> Tensor:
    wanted = _chroma(torch.tensor(colour, dtype=torch.float32))
    own = _chroma(((picture + 1) / 2).clamp(0, 1).movedim(0, -1))
    strength, limit = own.norm(dim=-1), wanted.norm()
    cosine = (own @ wanted) / (strength * limit).clamp(min=1e-6)
    return (cosine > math.cos(HUE_WINDOW)) & (strength > LEAST_CHROMA * limit)


def _chroma(colour: Tensor) -> Tensor:
    """(..., 3) sRGB in [0, 1] -> (..., 2) a and b of CIE Lab (D65)."""
    linear = torch.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], dtype=colour.dtype
    )
    xyz = linear @ to_xyz.T / to_xyz.sum(1)
    root = torch.where(xyz > 0.008856, xyz.clamp(min=1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(-1)
    return torch.stack([500 * (x - y), 200 * (y - z)], -1)
