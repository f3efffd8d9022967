"""Reading a data set's folder: lists, pictures and maps in one frame, and one check of all its files.

Pictures are read by the rules of photographs at inference (``images.load_image``, ``Letterbox``): turned as
their EXIF says, transparency on white, never squashed. Masks are read by the one reader of masks.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.errors import LeffaError, PictureError
from leffa.images import SUFFIXES, Letterbox, load_image, open_upright, to_tensor
from leffa.preprocess.given_mask import check_worn, read_mask

NAMED = 5  # missing files that an error lists by name
SAME_SHAPE = 0.03  # how far a side is stretched unseen: DeepFashion's 750x1101 fill the paper's 352x512

_SUFFIX = "|".join(re.escape(suffix) for suffix in SUFFIXES)
_TWO_PICTURES = re.compile(
    rf"[\"']?(?P<first>.+?(?:{_SUFFIX}))[\"']?[\s,;]+[\"']?(?P<second>.+?(?:{_SUFFIX}))[\"']?(?:[\s,;].*)?",
    re.IGNORECASE,
)
_STARTS = {  # of a text: byte-order marks, and where there is none, a NUL beside the first letter
    rb"\xef\xbb\xbf": "utf-8-sig",
    rb"\xff\xfe\0\0|\0\0\xfe\xff": "utf-32",
    rb"\xff\xfe|\xfe\xff": "utf-16",
    rb"[^\0]\0": "utf-16-le",
    rb"\0[^\0]": "utf-16-be",
}


# ------------------------------------------------------------------------------ lists and files


def find_files(root: Path, files: Iterable[str], what: str) -> dict[str, Path]:
    """Wanted file (relative to ``root``) -> where it is; raises ``LeffaError`` unless every one is there.

    A picture may have another of the suffixes pictures have, in any spelling, than the wanted name says. Each
    folder is listed once, so that checking a hundred thousand files takes a second.

    what  the layout that was expected, for the message
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for file in dict.fromkeys(files):
        folder, _, name = file.rpartition("/")
        wanted[folder].append(name)
    found: dict[str, Path] = {}
    missing = []
    for folder, names in wanted.items():
        place = root / folder
        there, alike = _listing(place)
        for name in names:
            own = there.get(_composed(name)) or (
                alike.get(_composed(stem(name))) if is_picture(name) else None
            )
            if own is None:
                missing.append(f"{folder}/{name}".lstrip("/"))
            else:
                found[f"{folder}/{name}" if folder else name] = place / own
    if missing:
        total = sum(map(len, wanted.values()))
        some = ", ".join(missing[:NAMED]) + (" ..." if len(missing) > NAMED else "")
        raise LeffaError(f"{len(missing)} of {total} files are missing in {root}: {some}. Expected: {what}")
    return found


def _listing(folder: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Names in a folder by themselves, and its pictures' by their stems."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    alike: dict[str, str] = {}
    for name in names:
        if is_picture(name):
            alike.setdefault(_composed(stem(name)), name)
    return {_composed(name): name for name in names}, alike


def _composed(name: str) -> str:
    """One spelling of accented letters: file systems and editors have two."""
    return unicodedata.normalize("NFC", name)


def is_picture(name: str) -> bool:
    """Whether a file's name ends as a picture's."""
    return name.lower().endswith(SUFFIXES)


def stem(name: str) -> str:
    """The name of a picture without its folder and without the suffix, if it has one."""
    name = name.replace("\\", "/").rpartition("/")[2]
    return name[: name.rindex(".")] if is_picture(name) else name


def read_text(path: Path) -> str:
    """A list's text, in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark."""
    content = path.read_bytes()
    encoding = next((name for start, name in _STARTS.items() if re.match(start, content, re.DOTALL)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise LeffaError(
            f"{path} is not text in UTF-8 (byte {error.start + 1}): save it with that encoding"
        ) from None


def read_pairs(path: Path, what: str) -> list[tuple[str, str]]:
    """Lines of two names, a person's picture and a garment's; further columns are ignored.

    They are parted by a tab, comma, semicolon or blanks; names of pictures may have blanks in them.
    """
    if not path.is_file():
        raise LeffaError(f"{path} is missing: expected {what}")
    pairs = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        found = _TWO_PICTURES.fullmatch(line.strip())
        words = [found["first"], found["second"]] if found else line.split()
        if len(words) < 2:
            raise LeffaError(f"{path}, line {number}: expected two file names, got {line.strip()!r}")
        pairs.append((words[0], words[1]))
    if not pairs:
        raise LeffaError(f"{path} lists no pairs")
    return pairs


# ------------------------------------------------------------------------------ pictures and their maps


@dataclass(frozen=True)
class Framed:
    """A picture in the frame of a sample, and how the maps that belong to it come there.

    path     of the picture
    picture  RGB at the frame's size
    box      how the picture lies in it: whole, on white where the shapes differ
    """

    path: Path
    picture: Image.Image
    box: Letterbox

    @classmethod
    def read(cls, path: Path, size: tuple[int, int]) -> "Framed":
        """A picture in a frame of (height, width)."""
        image = load_image(path, smallest=1)
        box = _box((image.height, image.width), size)
        return cls(path, box.apply(image), box)

    def tensor(self) -> Tensor:
        """(3, H, W) float32 in [-1, 1]."""
        return to_tensor(self.picture)

    def mask(self, path: Path) -> Tensor:
        """A mask of the picture: (1, H, W) float32 in {0, 1}; the frame's border is 0."""
        return torch.from_numpy(self._bring(read_mask(path, str(path)), path) > 127)[None].float()

    def repaint_mask(self, path: Path, worn: Tensor) -> Tensor:
        """The same for the mask to repaint, which must cover ``worn`` (1, H, W) rather than the rest."""
        mask = self.mask(path)
        check_worn((mask[0] * 255).byte().numpy(), worn[0].bool().numpy(), str(path))
        return mask

    def labels(self, path: Path) -> NDArray[np.uint8]:
        """A picture of label numbers, with a palette or grey: (H, W) uint8; the frame's border is 0."""
        image = open_upright(path, smallest=1)
        if image.mode not in ("P", "L"):
            raise LeffaError(
                f"{path} is of the kind {image.mode!r}: expected label numbers, a palette or grey picture"
            )
        return self._bring(np.asarray(image), path)

    def colours(self, path: Path) -> NDArray[np.uint8]:
        """A picture whose colours stand for something: (H, W, 3) uint8 RGB; the frame's border is black."""
        return self._bring(np.asarray(open_upright(path, smallest=1).convert("RGB")), path)

    def map(self, values: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        """Any map (h, w) or (h, w, C) of the picture, at any resolution, in the frame; the border is 0."""
        return self._bring(values, path)

    def _bring(self, values: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        photo, own = self.box.photo, values.shape[:2]
        if abs(np.log(own[0] * photo[1] / (own[1] * photo[0]))) > SAME_SHAPE:
            raise PictureError(
                f"{path} is {own[1]}x{own[0]} and its picture {self.path.name} {photo[1]}x{photo[0]}: they "
                "must have one shape, as the picture is seen (turned as its EXIF says)"
            )
        return self.box.apply_map(values)


def _box(photo: tuple[int, int], frame: tuple[int, int]) -> Letterbox:
    if abs(np.log(photo[0] * frame[1] / (photo[1] * frame[0]))) <= SAME_SHAPE:
        return Letterbox(photo, frame, 0, 0, *frame)
    return Letterbox.fit(photo, frame)


def is_among(labels: NDArray[np.uint8], wanted: Iterable[int]) -> Tensor:
    """(1, H, W) float32 in {0, 1}: where the label is one of some."""
    return torch.from_numpy(np.isin(labels, list(wanted)).astype(np.float32))[None]
