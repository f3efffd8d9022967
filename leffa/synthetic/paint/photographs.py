"""Real cloth from a folder of garment photographs: the middle of each garment as an all-over picture."""

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from leffa.errors import PictureError
from leffa.images import SUFFIXES, load_image
from leffa.synthetic.identity import Split

SIZE = 96


def split_paths(folder: str | os.PathLike, split: Split) -> list[Path]:
    """The split's share of the photographs of a folder: every 16th is held out for each of the other two.

    Raises PictureError if the folder has none.
    """
    paths = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise PictureError(
            f"No photographs (jpg, png, webp or the like) in the textures folder {os.fspath(folder)!r}."
        )
    held_out = {Split.VALIDATION: 14, Split.TEST: 15}
    own = [
        path
        for number, path in enumerate(paths)
        if (number % 16 == held_out[split] if split in held_out else number % 16 < 14)
    ]
    return own or paths


@lru_cache(maxsize=4)
def load_pictures(folder: str | os.PathLike, split: Split) -> np.ndarray:
    """(k, 96, 96, 3) uint8: cloth of the split's share of the photographs (every 16th is held out each)."""
    own = split_paths(folder, split)
    cloths = [cloth for cloth in map(_cloth, own) if cloth is not None]
    if not cloths:
        raise PictureError(f"None of the pictures in {os.fspath(folder)!r} can be read.")
    return np.stack(cloths)


def _cloth(path: Path) -> np.ndarray | None:
    """The middle of a garment photograph, its slow light and shade mostly removed."""
    try:
        picture = np.asarray(load_image(path, smallest=1))
    except PictureError:
        return None
    height, width = picture.shape[:2]
    side = int(0.36 * min(height, width))
    top, left = int(0.48 * height - side / 2), (width - side) // 2
    crop = picture[top : top + side, left : left + side]
    crop = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    slow = cv2.GaussianBlur(crop.mean(2), (0, 0), SIZE / 3)
    even = crop * ((slow.mean() + 8) / (slow + 8))[..., None] ** 0.8
    return np.round(even).clip(0, 255).astype(np.uint8)
