"""Synthetic pairs as ready tensors, with the crude flow from garment box to garment box."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.toy.latents import BlockCosines
from leffa.config import Task
from leffa.data.packed import PackedDataset, PackedWriter
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.metrics.pattern import textured
from leffa.model.flow import box_flow
from leffa.synthetic.identity import Split
from leffa.synthetic.pack import pack
from leffa.synthetic.samples import Settings, make_try_on
from leffa.training.latents import resize_sample

SIZE = (64, 48)
GRID = (8, 6)
RENDERED = (256, 192)
RICH = 0.6  # share of a worn garment that is texture, from which its cloth counts as rich in pattern
CHUNK = 16  # pictures encoded at a time


class Codec(Protocol):
    """Pictures to latents and back: ``BlockCosines``, or a ``LeffaPipeline`` with its VAE."""

    def encode(self, pictures: Tensor) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...

    def condition(self, person: Tensor, mask: Tensor, densepose: Tensor) -> Tensor: ...


def make(
    folder: Path,
    train: int,
    held_out: int,
    patterned: tuple[int, int] | None = None,
    judges: Split = Split.TEST,
) -> tuple[Path, Path]:
    """Render training and held-out people once, disjoint by person, garment and cloth; where they are.

    patterned  size at which only people are made who wear cloth that is rich in fine pattern; None: all
    judges     split of the held-out people
    """
    folders = []
    for split, count, reuse in ((Split.TRAIN, train, 5), (judges, held_out, 1)):
        settings = Settings(split=split, size=patterned or RENDERED, reuse=reuse)
        folders.append(folder / f"{'patterned-' if patterned else ''}{split.value}-{count}")
        if patterned:
            writer = PackedWriter(folders[-1], count, settings.size)
            if any(row not in writer for row in range(count)):
                for row, sample in zip(range(count), _patterned(settings), strict=False):
                    writer.write(row, sample)
        else:
            pack(folders[-1], count, settings, pose_share=0)
    return folders[0], folders[1]


def _patterned(settings: Settings) -> Iterator[Sample]:
    """Try-on samples without end, of garments that are texture almost everywhere."""
    index = 0
    while True:
        sample = make_try_on(index, settings)
        index += 1
        where = textured(sample.person[None] / 2 + 0.5, sample.loss_mask[None])
        if where.sum() >= RICH * sample.loss_mask.sum().clamp_min(1):
            yield sample


def first_try_ons(packed: PackedDataset, count: int, size: tuple[int, int] = SIZE) -> list[Sample]:
    """The first samples that wear a garment of the reference, at a size; pose pairs are left out."""
    samples: list[Sample] = []
    for index in range(len(packed)):
        sample = packed[index]
        if sample.task is Task.TRY_ON:
            samples.append(_shrunk(sample, size))
        if len(samples) == count:
            return samples
    raise LeffaError(f"{packed.folder} has {len(samples)} try-on samples, {count} are needed")


def _shrunk(sample: Sample, size: tuple[int, int]) -> Sample:
    """At full size thousands of samples would take gigabytes."""
    assert sample.reference_mask is not None
    shown = F.adaptive_avg_pool2d(sample.reference_mask[None], size)[0]
    return replace(sample, **{**resize_sample(sample, size), "reference_mask": shown}, labels=None)


class Rows:
    """What ``leffa.training.objective`` wants of a batch, held in memory.

    ``flow`` and ``visible`` are the box-to-box pseudo flow on the worn garment, all that training may use;
    the exact flow is in ``true_flow`` and ``true_visible``, for evaluation.

    size, grid  (height, width) of the pictures and of the latents
    """

    def __init__(self, samples: list[Sample], latents: Codec | None = None):
        person, reference, mask, densepose, loss_mask = (
            torch.stack([getattr(sample, name) for sample in samples])
            for name in ("person", "reference", "mask", "densepose", "loss_mask")
        )
        reference_mask = torch.stack([sample.reference_mask for sample in samples]).ge(0.5).float()
        self.latents: Codec = latents or BlockCosines(torch.cat([person, reference]))
        encoded = _in_chunks(self.latents.encode, person)
        self.size = (person.shape[-2], person.shape[-1])
        self.grid = (encoded.shape[-2], encoded.shape[-1])
        worn = F.adaptive_avg_pool2d(loss_mask, self.grid)
        self.fields: dict[str, Tensor] = {
            "person": person,
            "reference": reference,
            "loss_mask": loss_mask,
            "mask": mask,
            "latents": encoded,
            "reference_latents": _in_chunks(self.latents.encode, reference),
            "condition": _in_chunks(self.latents.condition, person, mask, densepose),
            "flow": box_flow(loss_mask, reference_mask, self.grid),
            "visible": worn[:, 0] >= 0.5,
            "worn": worn,
            "reference_mask": reference_mask,
            "true_flow": torch.stack([sample.flow for sample in samples]),
            "true_visible": torch.stack([sample.visible for sample in samples]),
        }

    def __len__(self) -> int:
        return len(self.fields["person"])

    def batch(self, indices: slice | list[int]) -> dict[str, Tensor]:
        return {name: values[indices] for name, values in self.fields.items()}


@torch.no_grad()
def _in_chunks(make: Callable[..., Tensor], *fields: Tensor) -> Tensor:
    return torch.cat([make(*parts) for parts in zip(*(x.split(CHUNK) for x in fields), strict=True)])
