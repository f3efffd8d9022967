"""What the networks of the composition are trained on: batches from packed folders, and attention starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from leffa.config import Task
from leffa.data.packed import PackedDataset
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.files import replaced
from leffa.model.flow import FlowField
from leffa.model.pipeline import LeffaPipeline
from leffa.model.recorder import FlowOptions, FlowRecorder
from leffa.model.refinement import Shows
from leffa.preprocess.labels import Parse
from leffa.preprocess.offline.parsing import Seen
from leffa.training.augmentation import Batch
from leffa.training.batches import step_seed
from leffa.training.latents import fingerprint

TIMESTEP = 999
"""The attention flow is that of one forward from pure noise: what a run knows before its first step."""

FLAT_SPREAD = 5.0
"""In units of half a side: a start that says nothing of where."""

_SEEN = {
    Seen.GROUND: (Parse.BACKGROUND,),
    Seen.HAIR: (Parse.HAIR,),
    Seen.FACE: (Parse.HEAD, Parse.NECK),
    Seen.ARM: (Parse.LEFT_ARM, Parse.RIGHT_ARM),
    Seen.LEG: (Parse.LEFT_LEG, Parse.RIGHT_LEG),
    Seen.UPPER: (Parse.UPPER_CLOTHES,),
    Seen.LOWER: (Parse.SKIRT, Parse.PANTS),
    Seen.DRESS: (Parse.DRESS,),
    Seen.SHOE: (Parse.LEFT_SHOE, Parse.RIGHT_SHOE),
}
_BARE = (*_SEEN[Seen.FACE], *_SEEN[Seen.ARM], *_SEEN[Seen.LEG])


def seen_of(labels: Tensor) -> Tensor:
    """``Parse`` labels of any shape -> ``Seen``, long; bags, hats, belts, glasses and scarves are OTHER."""
    table = torch.full((256,), int(Seen.OTHER))
    for seen, parts in _SEEN.items():
        table[[int(part) for part in parts]] = int(seen)
    return table[labels.long()]


def shows_of(sample: Sample) -> Tensor:
    """(H, W) long ``Shows`` of a synthetic sample's person; in pose transfer all of the person is GARMENT."""
    assert sample.labels is not None
    labels = sample.labels.long()
    if sample.task is Task.POSE_TRANSFER:
        return torch.where(labels > 0, int(Shows.GARMENT), int(Shows.GROUND))
    bare = torch.isin(labels, torch.tensor([int(part) for part in _BARE]))
    shows = torch.where(bare, int(Shows.SKIN), int(Shows.OTHER))
    shows = torch.where(labels == Parse.BACKGROUND, int(Shows.GROUND), shows)
    return torch.where(sample.loss_mask[0] > 0.5, int(Shows.GARMENT), shows)


# ---------------------------------------------------------------------------------------- attention starts


def attention_starts(packed: PackedDataset, pipeline: LeffaPipeline, batch: int = 16) -> NDArray[np.float16]:
    """The model's attention flow of every row of a folder, computed once and kept in it.

    The same call goes on where a former one was cut off, and adds rows that were written since.

    Returns (capacity, 5, H / 8, W / 8) float16: flow x and y, spread, mass, occupancy; see ``FlowField``
    """
    height, width = packed.size
    grid = (height // pipeline.downscale, width // pipeline.downscale)
    folder = packed.folder / f"starts-{fingerprint(pipeline.unet)}"
    folder.mkdir(exist_ok=True)
    layout = {
        "start": ((packed.capacity, 5, *grid), "float16"),
        "done": ((packed.capacity,), "uint8"),
    }
    for name, (shape, dtype) in layout.items():
        if not (folder / f"{name}.npy").exists():
            with replaced(folder / f"{name}.npy") as empty:
                np.lib.format.open_memmap(empty, mode="w+", dtype=dtype, shape=shape)
    starts, done = (np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+") for name in layout)
    missing = [i for i, row in enumerate(packed.rows) if not done[row]]
    for first in tqdm(range(0, len(missing), batch), desc="attention", disable=not missing):
        chosen = missing[first : first + batch]
        rows = packed.rows[chosen]
        starts[rows] = attention_of(pipeline, [packed[i] for i in chosen], int(rows[0])).half().cpu().numpy()
        starts.flush()  # before the marks: a mark without its start would never be mended
        done[rows] = 1
    done.flush()
    kept: NDArray[np.float16] = starts
    return kept


@torch.no_grad()
def attention_of(pipeline: LeffaPipeline, samples: list[Sample], seed: int) -> Tensor:
    """A model's attention flow of samples with a reference mask: one forward from noise of a ``seed``.

    (B, 5, H / 8, W / 8) float32, see ``attention_starts``
    """
    device, dtype = pipeline.device, pipeline.unet.dtype

    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(sample, name) for sample in samples]).to(device)

    person, mask, shown = stacked("person"), stacked("mask"), stacked("reference_mask")
    condition = pipeline.condition(person, mask, stacked("densepose")).to(dtype)
    latents = pipeline.encode(stacked("reference")).to(dtype)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(step_seed(0, seed)))
    grid = (latents.shape[-2], latents.shape[-1])
    size = (person.shape[-2], person.shape[-1])
    recorder = FlowRecorder(FlowOptions(), {TIMESTEP}, len(samples), grid, size, shown)
    given = torch.cat([noise.to(device, dtype), condition], 1)
    pipeline.predict_noise(given, TIMESTEP, latents, recorder.observer(TIMESTEP))
    merged = recorder.merged().resize(grid)
    assert merged.occupancy is not None
    columns = (merged.spread, merged.mass, merged.occupancy)
    return torch.cat([merged.flow.movedim(-1, 1), torch.stack(columns, 1)], 1)


def flat_start(count: int, grid: tuple[int, int]) -> Tensor:
    """(B, 5, h, w) that says nothing: the middle of the reference, with no certainty."""
    values = torch.tensor([0.0, 0.0, FLAT_SPREAD, 0.0, 0.5])
    return values[None, :, None, None].expand(count, -1, *grid).contiguous()


def field_of(start: Tensor) -> FlowField:
    """(B, 5, h, w) -> the flow that the refinement starts from."""
    return FlowField(start[:, :2].movedim(1, -1), start[:, 2], start[:, 3], start[:, 4])


# ---------------------------------------------------------------------------------------- batches


@dataclass(frozen=True)
class Rows:
    """Rows of several packed folders as one, by number; ``starts`` of each, or None for flat ones."""

    folders: Sequence[PackedDataset]
    starts: Sequence[NDArray[np.float16]] | None

    @classmethod
    def open(cls, paths: Sequence[Path], pipeline: LeffaPipeline | None) -> "Rows":
        """Open packed folders; with a pipeline their attention starts are read, and made where missing.

        Raises LeffaError for an empty folder, folders of several sizes, sides that are no multiples of 32, or
        a flow that is too coarse to learn pixels from.
        """
        folders = [PackedDataset(path) for path in paths]
        for packed in folders:
            if not len(packed):
                raise LeffaError(f"{packed.folder} holds no samples yet: `leffa synth --packed` writes them")
            if packed.size != folders[0].size or packed.size[0] % 32 or packed.size[1] % 32:
                raise LeffaError(
                    f"{packed.folder} has pictures of {packed.size}: give folders of one size, with sides "
                    "that are multiples of 32"
                )
            if packed.flow_stride > 2:
                raise LeffaError(
                    f"{packed.folder} keeps its flow at one in {packed.flow_stride} pixels, too coarsely for "
                    "this: make the folder anew with `leffa synth --packed`"
                )
        starts = None if pipeline is None else [attention_starts(packed, pipeline) for packed in folders]
        return cls(folders, starts)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures."""
        return self.folders[0].size

    def __len__(self) -> int:
        return sum(map(len, self.folders))

    def _samples(self, numbers: Sequence[int]) -> list[tuple[int, int, Sample]]:
        """(folder, index in it, sample) of rows."""
        ends = np.cumsum([len(packed) for packed in self.folders])
        found = []
        for number in numbers:
            folder = int(np.searchsorted(ends, number, side="right"))
            index = number - int(ends[folder] - len(self.folders[folder]))
            found.append((folder, index, self.folders[folder][index]))
        return found

    def correspondence(self, numbers: Sequence[int]) -> Batch:
        """What refinement and filling learn from.

        reference, person, densepose       (B, 3, H, W) in [-1, 1]
        reference_mask, mask               (B, 1, H, W) in {0, 1}
        flow (B, 2, h, w), visible (B, 1, h, w)  at the stored size
        shows    (B, H, W) long, ``Shows``
        try_on   (B, 1, 1, 1), 0 in pose transfer
        start    (B, 5, H / 8, W / 8), see ``attention_starts``
        """
        found = self._samples(numbers)
        samples = [sample for _, _, sample in found]
        names = ("reference", "person", "densepose", "reference_mask", "mask", "flow", "visible")
        batch = {name: torch.stack([getattr(sample, name) for sample in samples]).float() for name in names}
        batch["flow"], batch["visible"] = batch["flow"].movedim(-1, 1), batch["visible"][:, None]
        batch["shows"] = torch.stack([shows_of(sample) for sample in samples])
        batch["try_on"] = torch.tensor([float(sample.task is Task.TRY_ON) for sample in samples])
        batch["try_on"] = batch["try_on"][:, None, None, None]
        grid = (self.size[0] // 8, self.size[1] // 8)
        if self.starts is None:
            return {**batch, "start": flat_start(len(samples), grid)}
        rows = [self.starts[j][self.folders[j].rows[index]] for j, index, _ in found]
        return {**batch, "start": torch.from_numpy(np.stack(rows)).float()}

    def photos(self, numbers: Sequence[int]) -> Batch:
        """What the parser learns from: the person as photographed, so in the old outfit where there is one.

        photo, densepose  (B, 3, H, W) in [-1, 1];  seen  (B, H, W) long, ``Seen``
        """
        samples = [sample for _, _, sample in self._samples(numbers)]
        photos = [sample.person if sample.old_person is None else sample.old_person for sample in samples]
        labels = [sample.labels if sample.old_labels is None else sample.old_labels for sample in samples]
        return {
            "photo": torch.stack(photos),
            "densepose": torch.stack([sample.densepose for sample in samples]),
            "seen": torch.stack([seen_of(label) for label in labels if label is not None]),
        }


def halved(batch: Batch) -> Batch:
    """A batch of ``Rows`` at half its size; the attention start stays as it is."""

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 2)

    small = dict(batch)
    for name in {"reference", "person", "densepose", "photo"} & small.keys():
        small[name] = mean(small[name])
    for name in {"reference_mask", "mask"} & small.keys():
        small[name] = (mean(small[name]) >= 0.5).float()
    for name in {"shows", "seen"} & small.keys():
        small[name] = small[name][:, ::2, ::2].contiguous()
    if "flow" in small:
        share = mean(small["visible"])
        small["flow"] = mean(small["flow"] * small["visible"]) / share.clamp_min(0.1)
        small["visible"] = (share >= 0.5).float()
    return small
