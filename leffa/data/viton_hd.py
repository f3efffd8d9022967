"""VITON-HD: people in tops, and product shots."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from leffa.config import DensePoseEncoding, Garment, Task
from leffa.data import files
from leffa.data.files import Framed
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.images import planes
from leffa.preprocess.encoding import encode_densepose
from leffa.preprocess.labels import PARULA

LAYOUT = (
    "VITON-HD as published, train|test/ with image/NAME.jpg cloth/NAME.jpg image-parse-v3/NAME.png "
    "agnostic-mask/NAME_mask.png image-densepose/NAME.jpg, and train_pairs.txt, test_pairs.txt beside them"
)


class Worn(int, Enum):
    """Labels of its parse maps that are the garment: upper clothes, dress, coat."""

    UPPER_CLOTHES = 5
    DRESS = 6
    COAT = 7


class VitonHD(Dataset):
    """Samples of VITON-HD by row of its pairs file.

    folder    holds ``train/``, ``test/`` and the pairs files
    split     "train" or "test"
    paired    the person's own garment, whose product shot has the person's name: the pairs file lists a
              *mismatched* garment in its second column, which is for unpaired evaluation only
    size      (height, width) of the frame everything is brought to, on white where its shape is another
    encoding  VITON_HD takes the published renderings, DRESS_CODE their part numbers; the other encodings
              need surface coordinates that VITON-HD does not have

    Raises LeffaError naming the files that are missing, before anything is read.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        paired: bool = True,
        size: tuple[int, int] = (1024, 768),
        encoding: DensePoseEncoding | str = DensePoseEncoding.VITON_HD,
    ):
        self._encoding = DensePoseEncoding(encoding)
        if self._encoding not in (DensePoseEncoding.VITON_HD, DensePoseEncoding.DRESS_CODE):
            raise LeffaError(
                f"VITON-HD has no surface coordinates for the densepose encoding {self._encoding.value!r}: "
                "train a model with the encoding viton-hd or dress-code on it"
            )
        self._size, root = size, Path(folder)
        self._root = root / split
        listed = files.read_pairs(root / f"{split}_pairs.txt", LAYOUT)
        self._pairs = [
            (files.stem(person), files.stem(person if paired else reference)) for person, reference in listed
        ]
        wanted = (file for pair in self._pairs for file in _files(*pair))
        self._files = files.find_files(self._root, wanted, LAYOUT)
        self._has_cloth_masks = (self._root / "cloth-mask").is_dir()
        if self._has_cloth_masks:
            masks = (f"cloth-mask/{garment}.jpg" for _, garment in self._pairs)
            self._files |= files.find_files(self._root, masks, f"{LAYOUT}; or no cloth-mask/ at all")

    def __len__(self) -> int:
        return len(self._pairs)

    def listed(self) -> Iterator[tuple[str, str, dict[str, Path]]]:
        """Names of person and garment, and the files "image", "cloth" and "mask", row by row."""
        for name, garment in self._pairs:
            wanted = dict(zip(("image", "cloth", "mask"), _files(name, garment), strict=False))
            yield name, garment, {slot: self._files[file] for slot, file in wanted.items()}

    def __getitem__(self, index: int) -> Sample:
        name, garment = self._pairs[index]
        found = self._files
        person = Framed.read(found[f"image/{name}.jpg"], self._size)
        reference = Framed.read(found[f"cloth/{garment}.jpg"], self._size)
        worn = files.is_among(person.labels(found[f"image-parse-v3/{name}.png"]), Worn)
        return Sample(
            name=name,
            task=Task.TRY_ON,
            garment=Garment.UPPER,
            person=person.tensor(),
            reference=reference.tensor(),
            mask=person.repaint_mask(found[f"agnostic-mask/{name}_mask.png"], worn),
            densepose=self._densepose(person.colours(found[f"image-densepose/{name}.jpg"])),
            loss_mask=worn,
            reference_mask=reference.mask(found[f"cloth-mask/{garment}.jpg"])
            if self._has_cloth_masks
            else None,
        )

    def _densepose(self, picture: NDArray[np.uint8]) -> Tensor:
        if self._encoding is DensePoseEncoding.VITON_HD:
            values = picture.astype(np.float32) / 127.5 - 1
        else:
            values = encode_densepose(_parts(picture), self._encoding)
        return planes(values)


def _files(name: str, garment: str) -> list[str]:
    """What a sample needs, relative to the split's folder."""
    return [
        f"image/{name}.jpg",
        f"cloth/{garment}.jpg",
        f"agnostic-mask/{name}_mask.png",
        f"image-parse-v3/{name}.png",
        f"image-densepose/{name}.jpg",
    ]


def _parts(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """I, U, V (H, W, 3) with U and V zero, from a rendering (H, W, 3) RGB: the part of the nearest colour."""
    colours = np.array(PARULA, np.int32)
    part = np.zeros(picture.shape[:2], np.uint8)
    nearest = np.full(picture.shape[:2], np.iinfo(np.int32).max)
    for number, colour in enumerate(colours):
        distance = np.square(picture.astype(np.int32) - colour).sum(-1)
        closer = distance < nearest
        part[closer], nearest[closer] = number, distance[closer]
    return np.stack([part, np.zeros_like(part), np.zeros_like(part)], axis=-1)
