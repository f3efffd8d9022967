"""Samples on disk as plain memory-mapped arrays: what a CPU can read as fast as it trains.

A packed folder holds ``packed.json`` (count, size, flow stride) and one ``.npy`` per field. Pictures are
uint8, masks one bit a pixel, the flow float16 at one in ``flow_stride`` pixels: 2, as the refinement to the
pixel needs it; folders whose header does not say it were made with 4. With redressed people there are
``old_person``, ``old_labels`` and ``old_mask`` too; ``redressed`` tells the rows that have them.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from leffa.config import Garment, Task
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.files import check_folder, holds_record, replaced, write_json
from leffa.model.flow import coarse_flow

HEADER = "packed.json"
FLOW_STRIDE = 2
FORMER_STRIDE = 4  # of folders whose header does not tell
_KINDS = (None, *Garment)


@dataclass(frozen=True)
class _Field:
    """How one array is laid out: shape of a row, for a picture's (height, width) and a flow stride; dtype."""

    shape: Callable[[int, int, int], tuple[int, ...]]
    dtype: str


_FIELDS = {
    "person": _Field(lambda h, w, stride: (3, h, w), "uint8"),
    "reference": _Field(lambda h, w, stride: (3, h, w), "uint8"),
    "densepose": _Field(lambda h, w, stride: (3, h, w), "int8"),
    "mask": _Field(lambda h, w, stride: (1, h, -(-w // 8)), "uint8"),
    "loss_mask": _Field(lambda h, w, stride: (1, h, -(-w // 8)), "uint8"),
    "reference_mask": _Field(lambda h, w, stride: (1, h, -(-w // 8)), "uint8"),
    "labels": _Field(lambda h, w, stride: (h, w), "uint8"),
    "flow": _Field(lambda h, w, stride: (h // stride, w // stride, 2), "float16"),
    "visible": _Field(lambda h, w, stride: (h // stride, w // stride), "uint8"),
    "kind": _Field(lambda h, w, stride: (), "uint8"),
    "done": _Field(lambda h, w, stride: (), "uint8"),
}
_OLD_FIELDS = {
    "old_person": _FIELDS["person"],
    "old_labels": _FIELDS["labels"],
    "old_mask": _FIELDS["mask"],
    "redressed": _FIELDS["done"],
}
_PICTURES = ("person", "reference", "old_person")
_MASKS = ("mask", "loss_mask", "reference_mask", "old_mask")


def _fields(redressed: bool) -> dict[str, _Field]:
    return {**_FIELDS, **_OLD_FIELDS} if redressed else _FIELDS


def _open(folder: Path, name: str, mode: str) -> np.memmap:
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode=mode)


def _take_room(path: Path) -> None:
    """Raises OSError if the disk has no room for all of a file, of which so far only the size is written.

    Found to be full later, while an array is written, the system would end the process.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


class PackedWriter:
    """Makes or continues a packed folder. Several processes may write different rows at once.

    ``redressed``: there are arrays for the former outfits of redressed people.
    """

    def __init__(self, folder: str | Path, count: int, size: tuple[int, int], redressed: bool = False):
        folder, fields = Path(folder), _fields(redressed)
        names = (HEADER, *(f"{name}.npy" for name in fields))
        check_folder(folder, names, lambda place: holds_record(place / HEADER, ("count", "size")))
        folder.mkdir(parents=True, exist_ok=True)
        header = {"count": count, "size": list(size), **({"redressed": True} if redressed else {})}
        path, stride = folder / HEADER, FLOW_STRIDE
        if path.exists():
            held = json.loads(path.read_text())
            stride = held.pop("flow_stride", FORMER_STRIDE)
            if held != header:
                raise LeffaError(f"{folder} holds {path.read_text()}, not {header}: give another folder")
        else:
            header["flow_stride"] = stride
            write_json(path, header, indent=None)  # first: it tells that the folder is ours
        for name, field in fields.items():
            if not (folder / f"{name}.npy").exists():
                shape = (count, *field.shape(*size, stride))
                with replaced(folder / f"{name}.npy") as empty:
                    np.lib.format.open_memmap(empty, mode="w+", dtype=field.dtype, shape=shape)
                    _take_room(empty)
        self._arrays = {name: _open(folder, name, "r+") for name in fields}

    def __contains__(self, row: int) -> bool:
        """Whether the row has been written."""
        return bool(self._arrays["done"][row])

    def write(self, row: int, sample: Sample) -> None:
        """Store a sample that has a reference mask, flow, visibility and labels, as synthetic people have."""
        assert sample.reference_mask is not None and sample.flow is not None
        assert sample.visible is not None and sample.labels is not None
        rows = self._arrays
        grid = (rows["flow"].shape[1], rows["flow"].shape[2])
        flow, visible = coarse_flow(sample.flow[None], sample.visible[None], grid)
        sample = replace(sample, flow=flow[0], visible=visible[0])
        for name, array in rows.items():
            values = getattr(sample, name, None)
            if values is not None:
                array[row] = _stored(name, values)
        if "redressed" in rows:
            rows["redressed"][row] = sample.old_person is not None
        rows["kind"][row] = _KINDS.index(sample.garment)
        rows["done"][row] = 1


def _stored(name: str, values: Tensor) -> np.ndarray:
    """A sample's tensor as its array keeps it."""
    if name in _PICTURES:
        values = ((values + 1) * 127.5).round().byte()
    elif name == "densepose":
        values = (values * 127).round().char()
    elif name in _MASKS:
        return np.packbits(values.numpy() > 0.5, axis=-1)
    array: np.ndarray = values.numpy()
    return array


class PackedDataset(Dataset):
    """Samples of a packed folder, by row; rows that were never written are left out.

    Flow and visibility come at the stored size, one place in ``flow_stride`` pixels.

    rows  (N,) int, the numbers of the folder's rows that have been written; ``capacity`` counts all
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        if not (folder / HEADER).is_file():
            raise LeffaError(f"{folder} has no {HEADER}: `leffa synth --packed` makes such a folder")
        self.folder = folder
        header = json.loads((folder / HEADER).read_text())
        self.size: tuple[int, int] = tuple(header["size"])
        fields = _fields(header.get("redressed", False))
        self._arrays = {name: _open(folder, name, "r") for name in fields}
        self.rows = np.nonzero(self._arrays["done"])[0]
        self.capacity = len(self._arrays["done"])
        self.flow_stride: int = self.size[0] // self._arrays["flow"].shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, index: int, name: str) -> Tensor:
        """Only "person", "reference" or "old_person" of a sample, (3, H, W) in [-1, 1]."""
        return self._read(name, np.array(self._arrays[name][self.rows[index]]))

    def __getitem__(self, index: int) -> Sample:
        row = int(self.rows[index])
        arrays = {name: np.array(array[row]) for name, array in self._arrays.items()}
        garment = _KINDS[int(arrays["kind"])]
        is_redressed = bool(arrays.get("redressed", 0))
        return Sample(
            name=f"{self.folder.name}-{row:06d}",
            task=Task.POSE_TRANSFER if garment is None else Task.TRY_ON,
            garment=garment,
            **{name: self._read(name, array) for name, array in arrays.items()
               if name not in ("kind", "done", "redressed") and (is_redressed or name not in _OLD_FIELDS)},
        )  # fmt: skip

    def _read(self, name: str, array: np.ndarray) -> Tensor:
        """The inverse of ``_stored``."""
        if name in _MASKS:
            return torch.from_numpy(np.unpackbits(array, axis=-1, count=self.size[1])).float()
        values = torch.from_numpy(array)
        if name in _PICTURES:
            return values.float() / 127.5 - 1
        if name == "densepose":
            return values.float() / 127
        return values.bool() if name == "visible" else values.float() if name == "flow" else values
