"""Reading a data set's folder: lists, pictures and masks at one size, and one check of all its files."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.errors import LeffaError

NAMED = 5  # missing files that an error lists by name


def check_files(root: Path, files: Iterable[str], what: str) -> None:
    """Raise ``LeffaError`` unless every file (relative to ``root``) is there.

    Each folder is listed once, so that checking a hundred thousand files takes a second.
    what  the layout that was expected, for the message
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for file in dict.fromkeys(files):
        folder, _, name = file.rpartition("/")
        wanted[folder].append(name)
    missing = []
    for folder, names in wanted.items():
        place = root / folder
        there = {entry.name for entry in place.iterdir()} if place.is_dir() else set()
        missing += [f"{folder}/{name}".lstrip("/") for name in names if name not in there]
    if missing:
        total = sum(map(len, wanted.values()))
        some = ", ".join(missing[:NAMED]) + (" ..." if len(missing) > NAMED else "")
        raise LeffaError(f"{len(missing)} of {total} files are missing in {root}: {some}. Expected: {what}")


def read_pairs(path: Path, what: str) -> list[tuple[str, str]]:
    """Lines of two names, a person's picture and a garment's; further columns are ignored."""
    if not path.is_file():
        raise LeffaError(f"{path} is missing: expected {what}")
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    for number, words in enumerate(lines, start=1):
        if len(words) < 2:
            raise LeffaError(f"{path}, line {number}: expected two file names, got {' '.join(words)!r}")
    if not lines:
        raise LeffaError(f"{path} lists no pairs")
    return [(words[0], words[1]) for words in lines]


def read_picture(path: Path, size: tuple[int, int]) -> Tensor:
    """A picture at (height, width): (3, H, W) float32 in [-1, 1]."""
    values = np.asarray(_resized(path, "RGB", size, Image.Resampling.LANCZOS))
    return torch.from_numpy(values.copy()).permute(2, 0, 1).float() / 127.5 - 1


def read_mask(path: Path, size: tuple[int, int]) -> Tensor:
    """A black and white mask at (height, width): (1, H, W) float32 in {0, 1}."""
    values = np.asarray(_resized(path, "L", size, Image.Resampling.NEAREST))
    return torch.from_numpy((values >= 128).astype(np.float32))[None]


def read_labels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of label numbers, with a palette or grey, at (height, width): (H, W) uint8."""
    with _opened(path) as image:
        if image.mode not in ("P", "L"):
            raise LeffaError(
                f"{path} is of the kind {image.mode!r}: expected label numbers, a palette or grey picture"
            )
        return np.array(image.resize((size[1], size[0]), Image.Resampling.NEAREST))


def read_colours(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture whose colours stand for something, at (height, width) by nearest: (H, W, 3) uint8 RGB."""
    return np.array(_resized(path, "RGB", size, Image.Resampling.NEAREST))


def _resized(path: Path, mode: str, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    with _opened(path) as image:
        return image.convert(mode).resize((size[1], size[0]), how)


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()  # a damaged file opens and fails only here
        return image
    except (OSError, SyntaxError) as error:
        raise LeffaError(f"{path} cannot be read as a picture ({error}): fetch it again") from error


def is_among(labels: NDArray[np.uint8], wanted: Iterable[int]) -> Tensor:
    """(1, H, W) float32 in {0, 1}: where the label is one of some."""
    return torch.from_numpy(np.isin(labels, list(wanted)).astype(np.float32))[None]
