"""Training a small AutoencoderKL on pictures, for machines that cannot have the large one."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from leffa.data.packed import PackedDataset
from leffa.files import in_words
from leffa.images import load_image
from leffa.model.library import AutoencoderKL
from leffa.report import report
from leffa.training import checkpoint
from leffa.training.batches import loader, step_seed

LATENT_NOISE = 0.1  # fixed: in a plain VAE early channels drown in their own variance
LATENT_WEIGHT = 1e-3  # keeps the latents from growing away from the noise
SCALES = 4


class Crops(Dataset[Any]):
    """Random square crops, flipped and recoloured, from packed folders and picture files.

    Row i is drawn from a generator seeded with i, so an epoch is fixed. Each source is used equally often.
    """

    def __init__(
        self, packed: Sequence[PackedDataset], pictures: Sequence[Path], crop: int, rows: int = 1 << 20
    ):
        self._packed, self._pictures, self._crop, self._rows = packed, pictures, crop, rows
        if not packed and not pictures:
            raise ValueError("there are no pictures to train on")

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: int) -> Tensor:
        """(3, crop, crop) float32 in [-1, 1]."""
        rng = np.random.default_rng(index)
        source = int(rng.integers(len(self._packed) + bool(self._pictures)))
        picture = self._picture(rng) if source == len(self._packed) else self._from(self._packed[source], rng)
        height, width = picture.shape[-2:]
        top, left = rng.integers(height - self._crop + 1), rng.integers(width - self._crop + 1)
        picture = picture[:, top : top + self._crop, left : left + self._crop]
        if rng.random() < 0.5:
            picture = picture.flip(-1)
        if rng.random() < 0.5:  # any colour must be told from any other
            picture = picture[rng.permutation(3)]
        tint = torch.tensor(rng.uniform(0.85, 1.15, (3, 1, 1)), dtype=torch.float32)
        return ((picture + 1) * tint - 1).clamp(-1, 1)

    def _from(self, packed: PackedDataset, rng: np.random.Generator) -> Tensor:
        return packed.picture(int(rng.integers(len(packed))), "person" if rng.random() < 0.6 else "reference")

    def _picture(self, rng: np.random.Generator) -> Tensor:
        image = load_image(self._pictures[int(rng.integers(len(self._pictures)))])
        # anything between the whole picture and its full detail
        shortest = float(rng.uniform(self._crop, max(self._crop, min(image.size))))
        scale = shortest / min(image.size)
        width, height = (max(self._crop, round(side * scale)) for side in image.size)
        array = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32)
        return torch.from_numpy(array).permute(2, 0, 1) / 127.5 - 1


def opponent(pictures: Tensor) -> Tensor:
    """RGB -> lightness, red-green, blue-yellow, so that a wrong colour is no small error in each."""
    red, green, blue = pictures.unbind(dim=1)
    return torch.stack([(red + green + blue) / 3, red - green, blue - (red + green) / 2], dim=1)


def reconstruction_loss(reconstruction: Tensor, target: Tensor) -> Tensor:
    """L1 and squares over a pyramid of opponent colours, and L1 of differences between neighbours.

    The differences keep edges and stripes; the squares pull hardest where a colour is far off.
    """
    reconstruction, target = opponent(reconstruction), opponent(target)
    total = target.new_zeros(())
    for _ in range(SCALES):
        total = total + F.l1_loss(reconstruction, target) + F.mse_loss(reconstruction, target)
        for dim in (-1, -2):
            total = total + F.l1_loss(reconstruction.diff(dim=dim), target.diff(dim=dim))
        reconstruction, target = F.avg_pool2d(reconstruction, 2), F.avg_pool2d(target, 2)
    return total / SCALES


def train_vae(
    vae: AutoencoderKL,
    rows: Dataset[Any],
    run: Path,
    steps: int,
    batch: int = 8,
    learning_rate: float = 1e-3,
    seed: int = 0,
    save_every: int = 500,
    bf16: bool = True,
) -> AutoencoderKL:
    """Train, or go on from the newest checkpoint in ``run``, and save the result in ``run / "vae"``.

    The learning rate falls along a cosine. At the end latents are given zero mean and unit
    variance. ``rows`` yields (3, H, W) in [-1, 1].
    """
    optimizer = torch.optim.AdamW(vae.parameters(), lr=learning_rate, weight_decay=1e-4)
    resumed = checkpoint.load_latest(run / "checkpoints")
    first_step = 0
    if resumed:
        first_step, state = resumed
        vae.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    vae.train()
    batches = iter(loader(rows, batch, seed, first_step, rank=0, world=1, workers=0))
    since = time.monotonic()
    for step in range(first_step, steps):
        rise = min(1.0, (step + 1) / 200)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / steps))
        pictures = next(batches)
        generator = torch.Generator().manual_seed(step_seed(seed, step))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            mean = vae.encode(pictures).latent_dist.mean
            noise = torch.randn(mean.shape, generator=generator)
            reconstruction = vae.decode(mean + LATENT_NOISE * noise).sample
            loss = reconstruction_loss(reconstruction.float(), pictures)
            loss = loss + LATENT_WEIGHT * mean.float().square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        done = step + 1
        if done % 50 == 0:
            psnr = -10 * torch.log10((reconstruction.float() - pictures).square().mean() / 4)
            pace = (time.monotonic() - since) / 50
            since = time.monotonic()
            report(f"vae step {done}/{steps}  loss {loss:.4f}  psnr {psnr:.2f} dB  {pace:.2f} s/step")
        if done % save_every == 0 or done == steps:
            state = {"model": vae.state_dict(), "optimizer": optimizer.state_dict()}
            checkpoint.save(run / "checkpoints", done, state)
    vae.eval()
    center_latents(vae, torch.stack([rows[i] for i in range(128)]))
    with in_words(run / "vae"):
        vae.save_pretrained(run / "vae")
    return vae


@torch.no_grad()
def center_latents(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Give latents zero mean per channel and unit variance over all, through the convolutions around them.

    Channels keep their relative size: a faint one is mostly noise, which a painter should not have to learn.
    """
    latents = torch.cat([vae.encode(batch).latent_dist.mode() for batch in pictures.split(16)])
    channels = latents.shape[1]
    mean = latents.mean(dim=(0, 2, 3))
    scale = latents.sub(mean[:, None, None]).std()
    before, after = vae.quant_conv, vae.post_quant_conv
    # decoding undoes it: W (scale * z + mean) + b
    after.bias += after.weight[:, :, 0, 0] @ mean
    after.weight *= scale
    before.bias[:channels] = (before.bias[:channels] - mean) / scale
    before.weight[:channels] /= scale
    vae.register_to_config(scaling_factor=1.0)
