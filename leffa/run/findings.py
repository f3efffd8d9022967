"""What was found in pictures, kept by what it was found in: nothing is looked for twice."""

import hashlib
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa import files, preprocess

Arrays = dict[str, NDArray]

MOST_BYTES = 192_000_000  # some ten photos of 768x1024 and their garments
LARGEST = 1 / 4  # of what may be kept: what is larger alone would drive out all the rest
_EACH = 1000  # bytes of an entry beside what was found

_Found = TypeVar("_Found")


class Findings:
    """What was found in pictures, by names that say in which. Thread-safe.

    folder      where arrays are kept beyond this process, in one file for each entry: any number of processes
                and runs may share it, and it may be deleted at any time. None = in memory only
    most_bytes  of all that is kept in memory; what was not asked for longest goes first

    In another process, where pickle brings it, it begins empty.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES):
        self._folder, self._most = folder, most_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()  # with the bytes of each
        self._bytes = 0
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def __reduce__(self) -> tuple[type["Findings"], tuple[Path | None, int]]:
        return Findings, (self._folder, self._most)

    @property
    def bytes(self) -> int:
        """That are kept in memory."""
        return self._bytes

    def remember(self, name: str, find: Callable[[], _Found], counts: bool = False) -> _Found:
        """What ``find`` gives, from memory if it is known by this name. It must not be changed.

        counts  whether it counts among the hits if it is
        """
        kept = self._get(name)
        if kept is not None:
            self.hits += counts
        else:
            kept = (find(),)
            self._put(name, kept)
        found: _Found = kept[0]
        return found

    def remember_arrays(
        self, name: str, find: Callable[[], Mapping[str, NDArray]], counts: bool = False
    ) -> Arrays:
        """As ``remember``, arrays by their names; they are kept in the folder too, if there is one.

        counts  whether it counts among the hits and misses
        """
        kept = self._get(name)
        arrays = kept[0] if kept is not None else self._read(name)
        if counts:
            self.hits, self.misses = self.hits + (arrays is not None), self.misses + (arrays is None)
        if arrays is None:
            arrays = dict(find())
            self._write(name, arrays)
        for array in arrays.values():
            array.setflags(write=False)  # it is everybody's
        if kept is None:
            self._put(name, (arrays,))
        known: Arrays = arrays
        return known

    def clear(self) -> None:
        """Let go of all that is kept in memory."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def close(self) -> None:
        """Let go of it, and keep nothing in memory from now on."""
        self._most = 0
        self.clear()

    # ------------------------------------------------------------------------------ in memory

    def _get(self, name: str) -> tuple[Any] | None:
        """In a tuple of one: what was found may be None."""
        with self._lock:
            if name not in self._kept:
                return None
            self._kept.move_to_end(name)
            return (self._kept[name][0],)

    def _put(self, name: str, found: tuple[Any]) -> None:
        size = bytes_of(found) + _EACH
        with self._lock:
            if size > LARGEST * self._most or name in self._kept:
                return
            self._kept[name] = (found[0], size)
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1][1]

    # ------------------------------------------------------------------------------ in the folder

    def _path(self, folder: Path, name: str) -> Path:
        key = hashlib.sha256(f"{code()} {name}".encode()).hexdigest()
        return folder / key[:2] / f"{key}.npz"

    def _read(self, name: str) -> Arrays | None:
        if self._folder is None:
            return None
        try:
            with np.load(self._path(self._folder, name), allow_pickle=False) as entry:
                return {name: entry[name] for name in entry.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None  # not there, or damaged: it is made anew

    def _write(self, name: str, arrays: Arrays) -> None:
        if self._folder is None:
            return
        path = self._path(self._folder, name)
        with files.in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        files.write_arrays(path, **arrays)


def bytes_of(value: Any) -> int:
    """Of pictures, arrays and tensors in a structure, each counted once."""
    seen: set[int] = set()
    total, left = 0, [value]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Image.Image):
            total += one.width * one.height * len(one.getbands())
        elif isinstance(one, np.ndarray):
            total += one.nbytes
        elif hasattr(one, "element_size"):  # a tensor; torch may not be there yet
            total += one.element_size() * one.nelement()
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, (list, tuple)):
            left += one
        elif is_dataclass(one):
            left += [getattr(one, field.name) for field in fields(one)]
    return total


@lru_cache(maxsize=1)
def code() -> str:
    """SHA-256 over the code that reads photos: entries of another version are not ours."""
    return files.sha256(*sorted(Path(preprocess.__file__).parent.rglob("*.py")))
