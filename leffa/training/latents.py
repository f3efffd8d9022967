"""From samples to what a step needs: encoded on the fly, or once into a cache beside the data."""

import hashlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from leffa.config import Task
from leffa.data.packed import PackedDataset
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.files import replaced, write_text
from leffa.model.flow import coarse_flow
from leffa.model.pipeline import LeffaPipeline

ENCODED = ("latents", "condition", "reference_latents")


def resize_sample(sample: Sample, size: tuple[int, int]) -> dict[str, Tensor]:
    """The tensors of a sample at (height, width): pictures area-averaged, masks and densepose nearest."""
    fields: dict[str, Tensor] = {}
    for name in ("person", "reference"):
        picture = getattr(sample, name)
        same = picture.shape[-2:] == size
        fields[name] = picture if same else F.interpolate(picture[None], size=size, mode="area")[0]
    for name in ("mask", "densepose", "loss_mask"):
        fields[name] = F.interpolate(getattr(sample, name)[None], size=size, mode="nearest")[0]
    return fields


def shown_mask(sample: Sample, size: tuple[int, int]) -> dict[str, Tensor]:
    """reference_mask (1, height, width) in [0, 1], for the guide of the Leffa loss.

    Raises LeffaError for a sample that has none.
    """
    if sample.reference_mask is None:
        raise LeffaError(f"the guide needs the garment's mask on the reference, and {sample.name} has none")
    return {"reference_mask": F.adaptive_avg_pool2d(sample.reference_mask, size)}


def known_correspondence(sample: Sample, latent_size: tuple[int, int]) -> dict[str, Tensor]:
    """flow, visible, worn, reference_mask at latent size, of a sample that knows them; else nothing."""
    if (
        sample.flow is None
        or sample.visible is None
        or sample.reference_mask is None
        or sample.labels is None
    ):
        return {}
    flow, visible = coarse_flow(sample.flow[None], sample.visible[None], latent_size)
    # in pose transfer the loss mask is the dilated person; what comes from the reference is the person itself
    is_pose = sample.task is Task.POSE_TRANSFER
    worn = (sample.labels > 0).float()[None] if is_pose else sample.loss_mask
    return {
        "flow": flow[0],
        "visible": visible[0],
        "worn": F.adaptive_avg_pool2d(worn, latent_size),
        "reference_mask": F.adaptive_avg_pool2d(sample.reference_mask, latent_size),
    }


@torch.no_grad()
def encode(pipeline: LeffaPipeline, pictures: dict[str, Tensor]) -> dict[str, Tensor]:
    """latents, condition, reference_latents of a batch of pictures."""
    return {
        "latents": pipeline.encode(pictures["person"]),
        "condition": pipeline.condition(pictures["person"], pictures["mask"], pictures["densepose"]),
        "reference_latents": pipeline.encode(pictures["reference"]),
    }


class PictureRows(Dataset[Any]):
    """Samples as dicts of pictures at the training size, to be encoded in the loop.

    correspondence  give the known flow too, where a sample has it
    guide           give what the guide of the Leffa loss needs too, see ``shown_mask``
    """

    def __init__(
        self,
        samples: Dataset[Any],
        size: tuple[int, int],
        downscale: int,
        correspondence: bool = True,
        guide: bool = False,
    ):
        self._samples, self._size, self._correspondence, self._guide = samples, size, correspondence, guide
        self._latent_size = (size[0] // downscale, size[1] // downscale)

    def __len__(self) -> int:
        return len(self._samples)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self._samples[index]
        row = resize_sample(sample, self._size)
        if self._correspondence:
            row |= known_correspondence(sample, self._latent_size)
        return row | shown_mask(sample, self._size) if self._guide else row


class LatentRows(Dataset[Any]):
    """Rows encoded once by a VAE and kept as float16 arrays in the packed folder.

    The cache is named after the size and the VAE's weights, so another VAE never reads it. With
    ``pictures`` rows also carry person, reference and loss mask, which the Leffa loss compares.
    """

    def __init__(
        self,
        packed: PackedDataset,
        pipeline: LeffaPipeline,
        size: tuple[int, int],
        pictures: bool,
        batch: int = 8,
    ):
        self._packed, self._size, self._pictures = packed, size, pictures
        self._latent_size = (size[0] // pipeline.downscale, size[1] // pipeline.downscale)
        self._folder = packed.folder / f"latents-{size[0]}x{size[1]}-{fingerprint(pipeline.vae)}"
        self._arrays = self._build(pipeline, batch)

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self._packed[index]
        row = {name: torch.from_numpy(np.array(self._arrays[name][index])).float() for name in ENCODED}
        row |= known_correspondence(sample, self._latent_size)
        if self._pictures:
            resized = resize_sample(sample, self._size)
            row |= {name: resized[name] for name in ("person", "reference", "loss_mask")}
            row |= shown_mask(sample, self._size)
        return row

    def _build(self, pipeline: LeffaPipeline, batch: int) -> dict[str, np.memmap[Any, Any]]:
        """Encode what is not there yet; a cut-off build goes on where it stopped."""
        channels = pipeline.vae.config.latent_channels
        widths = dict(zip(ENCODED, (channels, channels + 4, channels), strict=True))
        self._folder.mkdir(exist_ok=True)
        arrays = {}
        for name, width in widths.items():
            path = self._folder / f"{name}.npy"
            shape = (len(self._packed), width, *self._latent_size)
            if not path.exists():
                with replaced(path) as empty:
                    np.lib.format.open_memmap(empty, mode="w+", dtype="float16", shape=shape)
            arrays[name] = np.lib.format.open_memmap(path, mode="r+")
        progress = self._folder / "encoded"
        done = int(progress.read_text()) if progress.exists() else 0
        for start in tqdm(
            range(done, len(self._packed), batch), desc="encoding", disable=done >= len(self._packed)
        ):
            rows = range(start, min(start + batch, len(self._packed)))
            resized = [resize_sample(self._packed[i], self._size) for i in rows]
            stacked = {
                name: torch.stack([r[name] for r in resized]).to(pipeline.device) for name in resized[0]
            }
            for name, values in encode(pipeline, stacked).items():
                arrays[name][rows.start : rows.stop] = values.cpu().numpy()
            if start // batch % 50 == 0 or rows.stop == len(self._packed):
                for array in arrays.values():
                    array.flush()
                write_text(progress, str(rows.stop))
        return arrays


def fingerprint(module: torch.nn.Module) -> str:
    """Eight hex digits that tell a module's weights from others."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:8]
