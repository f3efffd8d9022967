"""Synthetic pairs at 64x48 as ready tensors, with the crude flow from garment box to garment box."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.toy.latents import BlockCosines
from leffa.data.packed import PackedDataset
from leffa.data.synthetic.pack import pack
from leffa.data.synthetic.samples import Settings
from leffa.data.synthetic.scene import Split
from leffa.metrics.bars import box_flow

SIZE = (64, 48)
GRID = (16, 12)


def make(folder: Path, train: int, held_out: int) -> tuple[PackedDataset, PackedDataset]:
    """Training and held-out people, rendered once: try-on, no camera damage, disjoint by person and cloth."""
    parts = []
    for split, count, reuse in ((Split.TRAIN, train, 5), (Split.TEST, held_out, 1)):
        settings = Settings(split=split, size=SIZE, reuse=reuse, damage=False)
        pack(folder / f"{split.value}-{count}", count, settings, pose_share=0)
        parts.append(PackedDataset(folder / f"{split.value}-{count}"))
    return parts[0], parts[1]


class Rows(Dataset):
    """What ``leffa.training.objective`` wants of a batch, held in memory.

    ``flow`` and ``visible`` are the box-to-box pseudo flow on the worn garment, all that training may use;
    the exact flow is in ``true_flow`` and ``true_visible``, for evaluation.
    """

    def __init__(self, packed: PackedDataset, latents: BlockCosines | None = None):
        samples = [packed[i] for i in range(len(packed))]
        person, reference, mask, densepose, loss_mask, reference_mask = (
            torch.stack([getattr(sample, name) for sample in samples])
            for name in ("person", "reference", "mask", "densepose", "loss_mask", "reference_mask")
        )
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
            "reference_mask": small(reference_mask, GRID),
            "true_flow": torch.stack([sample.flow for sample in samples]),
            "true_visible": torch.stack([sample.visible for sample in samples]),
        }

    def __len__(self) -> int:
        return len(self.fields["person"])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: values[index] for name, values in self.fields.items()}

    def batch(self, indices: slice) -> dict[str, Tensor]:
        return {name: values[indices] for name, values in self.fields.items()}
