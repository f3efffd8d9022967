"""DressCode: people in tops, trousers and skirts, and dresses, with product shots."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from leffa.config import DensePoseEncoding, Garment, Task
from leffa.data import files
from leffa.data.files import Framed
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.images import planes
from leffa.preprocess.encoding import encode_densepose
from leffa.preprocess.labels import Parse

LAYOUT = (
    "DressCode as published, upper_body|lower_body|dresses/ with images/NAME_0.jpg (person) and NAME_1.jpg "
    "(garment), label_maps/NAME_4.png, dense/NAME_5.png and NAME_5_uv.npz, train_pairs.txt, "
    "test_pairs_paired.txt, test_pairs_unpaired.txt; and agnostic_masks/NAME_0.png, white where to repaint"
)
WORN = {
    Garment.UPPER: (Parse.UPPER_CLOTHES,),
    Garment.LOWER: (Parse.SKIRT, Parse.PANTS),
    Garment.DRESS: (Parse.DRESS, Parse.UPPER_CLOTHES, Parse.SKIRT),  # a dress is often parsed as its halves
}


class _Row(NamedTuple):
    garment: Garment
    person: str  # 013563_0.jpg
    reference: str  # 013563_1.jpg

    @property
    def folder(self) -> str:
        return self.garment.dataset_name

    @property
    def name(self) -> str:
        """What a result of the row is called."""
        return f"{self.folder}-{self.of_person('')}"

    def of_person(self, suffix: str) -> str:
        """The name of one of the person's files: 013563_4.png for "_4.png"."""
        return files.stem(self.person).removesuffix("_0") + suffix

    def files(self) -> list[str]:
        """What a sample needs, relative to the data set's folder."""
        own = [
            f"images/{self.person}",
            f"images/{self.reference}",
            f"label_maps/{self.of_person('_4.png')}",
            f"agnostic_masks/{self.of_person('_0.png')}",
            f"dense/{self.of_person('_5.png')}",
            f"dense/{self.of_person('_5_uv.npz')}",
        ]
        return [f"{self.folder}/{file}" for file in own]


class DressCode(Dataset):
    """Samples of DressCode by row of its pairs files, one kind of garment after the other.

    folder    holds ``upper_body/``, ``lower_body/``, ``dresses/``
    split     "train" or "test"
    paired    with False the test split's mismatched garments, for unpaired evaluation
    size      (height, width) of the frame everything is brought to, on white where its shape is another
    encoding  any but BODY
    garments  kinds to take; None = all whose folder is there

    Raises LeffaError naming the files that are missing, before anything is read.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        paired: bool = True,
        size: tuple[int, int] = (1024, 768),
        encoding: DensePoseEncoding | str = DensePoseEncoding.DRESS_CODE,
        garments: tuple[Garment, ...] | None = None,
    ):
        self._root, self._size, self._encoding = Path(folder), size, DensePoseEncoding(encoding)
        if self._encoding is DensePoseEncoding.BODY:
            raise LeffaError(
                "the densepose encoding 'body' is not made from DressCode's maps: give another encoding"
            )
        if garments is None:
            garments = tuple(kind for kind in Garment if (self._root / kind.dataset_name).is_dir())
        if not garments:
            raise LeffaError(f"{self._root} has none of DressCode's folders: expected {LAYOUT}")
        if split == "train" and not paired:
            raise LeffaError("DressCode lists mismatched garments for its test split only: train on pairs")
        name = (
            "train_pairs.txt" if split == "train" else f"test_pairs_{'paired' if paired else 'unpaired'}.txt"
        )
        self._rows = [
            _Row(kind, *pair)
            for kind in garments
            for pair in files.read_pairs(self._root / kind.dataset_name / name, LAYOUT)
        ]
        for row in self._rows:
            if not files.stem(row.person).endswith("_0"):
                raise LeffaError(
                    f"{row.folder}/{name}: a person's picture ends in _0.jpg, got {row.person!r}"
                )
        wanted = (file for row in self._rows for file in row.files())
        self._files = files.find_files(self._root, wanted, LAYOUT)

    def __len__(self) -> int:
        return len(self._rows)

    def listed(self) -> Iterator[tuple[str, Garment, Path, Path, Path]]:
        """Name, kind, and the files of person, garment and mask, in the order of the rows."""
        for row in self._rows:
            shot, product, _, mask, *_ = (self._files[file] for file in row.files())
            yield row.name, row.garment, shot, product, mask

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        shot, product, labels, mask, parts, surface = (self._files[file] for file in row.files())
        person, reference = Framed.read(shot, self._size), Framed.read(product, self._size)
        worn = files.is_among(person.labels(labels), WORN[row.garment])
        iuv = _iuv(person, parts, surface)
        densepose = encode_densepose(iuv, self._encoding)
        return Sample(
            name=row.name,
            task=Task.TRY_ON,
            garment=row.garment,
            person=person.tensor(),
            reference=reference.tensor(),
            mask=person.repaint_mask(mask, worn),
            densepose=planes(densepose),
            loss_mask=worn,
        )


def _iuv(person: Framed, parts: Path, surface: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 I, U, V from the part numbers and the surface coordinates (2, h, w) in [0, 1]."""
    part = person.labels(parts)
    try:
        with np.load(surface) as arrays:
            uv = np.asarray(arrays["uv"], np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise LeffaError(
            f"{surface} cannot be read ({error}): expected an array 'uv' (2, height, width)"
        ) from error
    if uv.ndim != 3 or uv.shape[0] != 2:
        raise LeffaError(f"{surface}: 'uv' has the shape {uv.shape}, expected (2, height, width)")
    planes = np.rint(np.clip(uv, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.concatenate([part[..., None], person.map(planes, surface)], axis=-1)
