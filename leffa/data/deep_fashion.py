"""DeepFashion In-shop: the same person in two poses."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from leffa.config import DensePoseEncoding, Task
from leffa.data import files
from leffa.data.files import Framed
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.images import planes
from leffa.preprocess.encoding import encode_densepose

LAYOUT = (
    "DeepFashion In-shop, train_highres/ and test_highres/ with the pictures, fasion-resize-pairs-train.csv "
    "and -test.csv (spelled so) with the columns from,to; and train_densepose/, test_densepose/ with "
    "NAME.png, whose channels are I, U, V of DensePose"
)
DILATION = 1 / 25  # of the height: hair and clothes stand out from the body


class DeepFashion(Dataset):
    """Samples of DeepFashion by row of its pairs file: "to" is the person to be painted, "from" what is seen.

    folder    see ``LAYOUT``; the published set has no DensePose, so it stands in folders of its own
    split     "train" or "test"
    size      (height, width) of the frame everything is brought to, on white where its shape is another; the
              paper's are 256x176 and 512x352
    encoding  any but BODY

    Raises LeffaError naming the files that are missing, before anything is read.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        size: tuple[int, int] = (512, 352),
        encoding: DensePoseEncoding | str = DensePoseEncoding.POSE_TRAINING,
    ):
        self._size, self._encoding = size, DensePoseEncoding(encoding)
        if self._encoding is DensePoseEncoding.BODY:
            raise LeffaError(
                "the densepose encoding 'body' is not made from DensePose: give another encoding"
            )
        self._root, self._split = Path(folder), split
        self._pairs = _read_pairs(self._root / f"fasion-resize-pairs-{split}.csv")
        wanted = (
            file
            for reference, person in self._pairs
            for file in (self._picture(reference), self._picture(person), self._densepose(person))
        )
        self._files = files.find_files(self._root, wanted, LAYOUT)

    def __len__(self) -> int:
        return len(self._pairs)

    def listed(self) -> Iterator[tuple[str, Path, Path]]:
        """Name, and the files of reference and person, in the order of the rows."""
        for names in self._pairs:
            reference, person = (self._files[self._picture(name)] for name in names)
            yield _name(names), reference, person

    def __getitem__(self, index: int) -> Sample:
        names, size = self._pairs[index], self._size
        reference, person = (Framed.read(self._files[self._picture(name)], size) for name in names)
        iuv = person.colours(self._files[self._densepose(names[1])])
        densepose = encode_densepose(iuv, self._encoding)
        reach = 2 * max(1, round(DILATION * size[0])) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        shown = cv2.dilate((iuv[..., 0] > 0).astype(np.uint8), kernel)
        return Sample(
            name=_name(names),
            task=Task.POSE_TRANSFER,
            garment=None,
            person=person.tensor(),
            reference=reference.tensor(),
            mask=torch.ones(1, *size),
            densepose=planes(densepose),
            loss_mask=torch.from_numpy(shown.astype(np.float32))[None],
        )

    def _picture(self, name: str) -> str:
        return f"{self._split}_highres/{name}"

    def _densepose(self, name: str) -> str:
        return f"{self._split}_densepose/{files.stem(name)}.png"


def _name(names: tuple[str, str]) -> str:
    return "-to-".join(files.stem(name) for name in names)


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    """(from, to) of every line."""
    if not path.is_file():
        raise LeffaError(f"{path} is missing: expected {LAYOUT}")
    text = files.read_text(path)
    separator = max(",;\t", key=text.partition("\n")[0].count)  # spreadsheets have their own ideas
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    if not {"from", "to"} <= set(reader.fieldnames or ()):
        raise LeffaError(f"{path}: expected the columns from,to, got {','.join(reader.fieldnames or ())!r}")
    pairs = [(row["from"], row["to"]) for row in reader]
    if not pairs:
        raise LeffaError(f"{path} lists no pairs")
    return pairs
