"""Fixed latents: the lowest cosines of 8x8 blocks, 1/8 of the picture as Stable Diffusion has them.

No VAE stands between the loss and its effect; encoding and decoding a picture keeps 30 dB of it.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 8
KEPT = (28, 10, 10)  # cosines kept of lightness, red-green and yellow-blue
CHANNELS = sum(KEPT)


def _cosines() -> Tensor:
    """(64, 8, 8): the orthonormal cosine basis of a block, lowest frequencies first."""
    place = torch.arange(BLOCK) + 0.5
    waves = torch.stack([torch.cos(math.pi * k * place / BLOCK) for k in range(BLOCK)])
    waves = waves / waves.norm(dim=1, keepdim=True)
    order = sorted(
        ((y, x) for y in range(BLOCK) for x in range(BLOCK)),
        key=lambda yx: (yx[0] + yx[1], abs(yx[0] - yx[1])),
    )
    return torch.stack([torch.outer(waves[y], waves[x]) for y, x in order])


def _basis() -> Tensor:
    """(48, 3, 8, 8): orthonormal rows from a block of a picture to its latent."""
    opponent = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    opponent = opponent / opponent.norm(dim=1, keepdim=True)
    cosines = _cosines()
    rows = [
        colour[:, None, None] * cosines[i]
        for colour, kept in zip(opponent, KEPT, strict=True)
        for i in range(kept)
    ]
    return torch.stack(rows)


class BlockCosines:
    """Pictures (B, 3, H, W) in [-1, 1] <-> latents (B, 48, H / 8, W / 8) of about unit variance."""

    def __init__(self, pictures: Tensor):
        """The scale of each channel is taken from some pictures."""
        self._basis = _basis()
        raw = F.conv2d(pictures, self._basis, stride=BLOCK)
        self._mean = raw.mean(dim=(0, 2, 3)).view(1, -1, 1, 1)
        self._deviation = raw.std(dim=(0, 2, 3)).view(1, -1, 1, 1)

    def encode(self, pictures: Tensor) -> Tensor:
        return (F.conv2d(pictures, self._basis, stride=BLOCK) - self._mean) / self._deviation

    def decode(self, latents: Tensor) -> Tensor:
        """Clamped to [-1, 1]."""
        raw = latents * self._deviation + self._mean
        return F.conv_transpose2d(raw, self._basis, stride=BLOCK).clamp(-1, 1)

    def condition(self, person: Tensor, mask: Tensor, densepose: Tensor) -> Tensor:
        """(B, 52, H / 8, W / 8): [mask, masked-image latents, densepose], as ``LeffaPipeline.condition``."""
        mask_tokens, pose = (F.avg_pool2d(x, BLOCK) for x in (mask, densepose))
        return torch.cat([mask_tokens, self.encode(person * (mask < 0.5)), pose], dim=1)
