"""Synthetic pairs at 64x48 as ready tensors, with the crude flow from garment box to garment box."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.toy.latents import BlockCosines
from leffa.config import Task
from leffa.data.packed import PackedDataset
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.model.flow import box_flow
from leffa.synthetic.identity import Split
from leffa.synthetic.pack import pack
from leffa.synthetic.samples import Settings
from leffa.training.latents import resize_sample

SIZE = (64, 48)
GRID = (8, 6)
RENDERED = (256, 192)


def make(folder: Path, train: int, held_out: int) -> tuple[Path, Path]:
    """Render training and held-out people once, disjoint by person, garment and cloth; where they are."""
    folders = []
    for split, count, reuse in ((Split.TRAIN, train, 5), (Split.TEST, held_out, 1)):
        folders.append(folder / f"{split.value}-{count}")
        pack(folders[-1], count, Settings(split=split, size=RENDERED, reuse=reuse), pose_share=0)
    return folders[0], folders[1]


def first_try_ons(packed: PackedDataset, count: int) -> list[Sample]:
    """The first samples that wear a garment of the reference, at ``SIZE``; pose pairs are left out."""
    samples: list[Sample] = []
    for index in range(len(packed)):
        sample = packed[index]
        if sample.task is Task.TRY_ON:
            samples.append(_shrunk(sample))
        if len(samples) == count:
            return samples
    raise LeffaError(f"{packed.folder} has {len(samples)} try-on samples, {count} are needed")


def _shrunk(sample: Sample) -> Sample:
    """At full size thousands of samples would take gigabytes."""
    assert sample.reference_mask is not None
    shown = torch.nn.functional.adaptive_avg_pool2d(sample.reference_mask[None], SIZE)[0]
    return replace(sample, **{**resize_sample(sample, SIZE), "reference_mask": shown}, labels=None)


class Rows:
    """What ``leffa.training.objective`` wants of a batch, held in memory.

    ``flow`` and ``visible`` are the box-to-box pseudo flow on the worn garment, all that training may use;
    the exact flow is in ``true_flow`` and ``true_visible``, for evaluation.
    """

    def __init__(self, samples: list[Sample], latents: BlockCosines | None = None):
        person, reference, mask, densepose, loss_mask = (
            torch.stack([getattr(sample, name) for sample in samples])
            for name in ("person", "reference", "mask", "densepose", "loss_mask")
        )
        reference_mask = torch.stack([sample.reference_mask for sample in samples]).ge(0.5).float()
        self.latents = latents or BlockCosines(torch.cat([person, reference]))
        small = torch.nn.functional.adaptive_avg_pool2d
        masked = self.latents.encode(person * (mask < 0.5))
        self.fields: dict[str, Tensor] = {
            "person": person,
            "reference": reference,
            "loss_mask": loss_mask,
            "mask": mask,
            "latents": self.latents.encode(person),
            "reference_latents": self.latents.encode(reference),
            "condition": torch.cat([small(mask, GRID), masked, small(densepose, GRID)], dim=1),
            "flow": box_flow(loss_mask, reference_mask, GRID),
            "visible": small(loss_mask, GRID)[:, 0] >= 0.5,
            "worn": small(loss_mask, GRID),
            "reference_mask": reference_mask,
            "true_flow": torch.stack([sample.flow for sample in samples]),
            "true_visible": torch.stack([sample.visible for sample in samples]),
        }

    def __len__(self) -> int:
        return len(self.fields["person"])

    def batch(self, indices: slice | list[int]) -> dict[str, Tensor]:
        return {name: values[indices] for name, values in self.fields.items()}
