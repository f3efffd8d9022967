"""What was computed once, kept on the disk by the content it was computed from."""

import hashlib
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leffa import files, preprocess

Arrays = dict[str, NDArray]

_KEPT = 64  # entries that stay in memory


class Memory:
    """Arrays by name, in a folder that any number of processes and runs may share. Not for several threads.

    folder  one file for each entry; it may be deleted at any time
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._recent: OrderedDict[str, Arrays] = OrderedDict()
        self.hits = self.misses = 0

    def remember(
        self, name: str, compute: Callable[[], Mapping[str, NDArray]], counts: bool = False
    ) -> Arrays:
        """The arrays of this name, computed if nobody has yet. They must not be changed.

        counts  whether it counts among the hits and misses
        """
        key = hashlib.sha256(f"{code()} {name}".encode()).hexdigest()
        arrays = self._recent.get(key) or self._read(key)
        if counts:
            self.hits, self.misses = self.hits + (arrays is not None), self.misses + (arrays is None)
        if arrays is None:
            arrays = dict(compute())
            self._write(key, arrays)
        self._recent[key] = arrays
        self._recent.move_to_end(key)
        if len(self._recent) > _KEPT:
            self._recent.popitem(last=False)
        return arrays

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.npz"

    def _read(self, key: str) -> Arrays | None:
        try:
            with np.load(self._path(key), allow_pickle=False) as entry:
                return {name: entry[name] for name in entry.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None  # not there, or damaged: it is made anew

    def _write(self, key: str, arrays: Arrays) -> None:
        path = self._path(key)
        with files.in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        files.write_arrays(path, **arrays)


def digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of a picture's size and pixels."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


@lru_cache(maxsize=1)
def code() -> str:
    """SHA-256 over the code that reads photos: entries of another version are not ours."""
    return files.sha256(*sorted(Path(preprocess.__file__).parent.rglob("*.py")))
