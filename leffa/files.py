"""Files that are written: whole or not at all, never over what is read, never over what others have made."""

import errno
import hashlib
import io
import json
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from leffa.errors import FileError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MARK = "written by leffa"
"""Stands in what is written for people: in a picture's metadata, and in the records beside it."""

_EDGE = 8192  # bytes at either end of a file in which the mark is looked for
_CHUNK = 1 << 22
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_WHY = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is used up",
    errno.EFBIG: "it became larger than files may be here",
    errno.EACCES: "there is no permission to write there",
    errno.EPERM: "there is no permission to write there",
    errno.EROFS: "the disk is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "nothing can be written there",
    errno.ENOTDIR: "part of the path is no folder",
}

Given = str | os.PathLike[str] | None


# ------------------------------------------------------------------------------ writing


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to; what is there when the block ends takes its place under ``path``, all at once.

    The temporary file has a name of its own in the same folder, and is gone if the block raises. Raises
    FileError where the system does not let it be written.
    """
    target = Path(path)
    partial = target.with_name(_partial_name())
    try:
        with in_words(target):
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _partial_name() -> str:
    return f".leffa-{uuid.uuid4().hex}.part"


def remove_partial(folder: Path) -> None:
    """Delete what processes that were killed had half written, in a folder where nobody else writes."""
    for partial in folder.rglob(".leffa-*.part"):
        partial.unlink(missing_ok=True)


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file to write to, which takes its place under ``path`` at the end; see ``replaced``."""
    with replaced(path) as partial, _Raw(partial, "xb") as raw, io.BufferedWriter(raw) as file:
        try:
            yield file
        except Exception as error:
            if raw.problem is not None:  # of which torch speaks in riddles
                raise raw.problem from error
            raise


class _Raw(io.FileIO):
    """A file that remembers what the system said against it."""

    problem: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self.problem = error
            raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file (UTF-8) whole or not at all."""
    with written(path) as file:
        file.write(text.encode())


def write_json(path: str | os.PathLike[str], value: Any, indent: int | None = 1, **options: Any) -> None:
    """Write a JSON file whole or not at all; ``options`` are those of ``json.dumps``."""
    write_text(path, json.dumps(value, indent=indent, **options) + "\n")


def write_arrays(path: str | os.PathLike[str], **arrays: "ArrayLike") -> None:
    """Write arrays as a compressed ``.npz``, whole or not at all."""
    import numpy as np

    content = io.BytesIO()  # numpy leaves its archive open if it cannot write on, and says so at its end
    np.savez_compressed(content, allow_pickle=False, **arrays)
    with written(path) as file:
        file.write(content.getbuffer())


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What the system says against a file, as a sentence."""
    try:
        yield
    except Exception as error:
        told = system_error(error)
        if told is None:
            raise
        raise FileError(f"{str(path)!r} cannot be written: {why(told)}.") from error


def system_error(error: Exception) -> OSError | None:
    """What the system said, if that is what the error is about; safetensors has it in its text only."""
    if isinstance(error, OSError):
        return error
    told = _OS_ERROR.search(str(error))
    return OSError(int(told[1]), os.strerror(int(told[1]))) if told else None


def why(error: OSError) -> str:
    """What the system says, in words that follow "cannot be written:"."""
    return _WHY.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__).lower())


def sha256(*paths: str | os.PathLike[str]) -> str:
    """SHA-256, in hexadecimal digits, over the contents of files one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def digest(*arrays: "NDArray[Any]") -> str:
    """SHA-256, in hexadecimal digits, over the sizes, types and numbers of arrays."""
    import numpy as np

    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.shape} {array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


# ------------------------------------------------------------------------------ before writing


def check_outputs(outputs: Iterable[Given], inputs: Iterable[Given] = (), force: bool = False) -> None:
    """Raise FileError unless all these files may be written; asked before anything is computed.

    outputs  what a command will write
    inputs   what it reads: never written over, however the path is spelled
    force    write over files that others have made. What leffa wrote it may always replace
    """
    wanted = [Path(output) for output in outputs if output is not None]
    read = [Path(given) for given in inputs if given is not None]
    for number, output in enumerate(wanted):
        check_place(output)
        if any(_is_same(output, given) for given in read):
            raise FileError(
                f"{str(output)!r} is read by this command and would be written over: give another name for "
                "the result."
            )
        if any(_is_same(output, other) for other in wanted[:number]):
            raise FileError(f"{str(output)!r} would be written twice by this command: give another name.")
        if not force and os.path.lexists(output) and not is_ours(output):
            raise FileError(
                f"{str(output)!r} is there already and does not say that leffa wrote it: give another name, "
                "or --force to write over it."
            )


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise FileError unless a file of this name can be written; folders that are missing may be made."""
    target = Path(path)
    if "\0" in str(target):
        raise FileError("A file's name must not contain a NUL character: give another name.")
    with in_words(target):
        if target.name in ("", ".", "..") or target.is_dir():
            raise FileError(f"{str(target)!r} is a folder: give the name of a file in it.")
        if os.path.lexists(target) and not target.is_file() and target.exists():
            raise FileError(f"{str(target)!r} is no regular file: give another name.")
        folder = next(place for place in target.absolute().parents if os.path.lexists(place))
        if not folder.is_dir():
            raise FileError(f"{str(target)!r} cannot be written: {str(folder)!r} is no folder.")
        os.stat(folder)
        _try_name(folder, target.name)


def _try_name(folder: Path, name: str) -> None:
    """Raises the system's error if ``folder`` takes no new file, or none of that name's length."""
    with suppress(FileNotFoundError):
        os.stat(folder / name)  # too long?
    probe = folder / _partial_name()
    try:
        probe.open("xb").close()
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def check_folder(
    folder: str | os.PathLike[str], names: Iterable[str], is_begun: Callable[[Path], bool]
) -> None:
    """Raise FileError unless a folder of ours can be begun, or gone on with, here.

    names     what will be written into it, files and folders
    is_begun  whether the folder was begun by us; only then may anything of those names be in it
    """
    place = Path(folder)
    check_place(place / "file")
    found = [name for name in names if os.path.lexists(place / name)]
    if found and not is_begun(place):
        raise FileError(
            f"{str(place)!r} holds {found[0]!r}, which leffa did not write there: give a new folder, or "
            "an empty one."
        )


def holds_record(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file is a JSON object with all these keys: how a folder of ours is known."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and set(keys) <= set(record)


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that leffa wrote it."""
    try:
        if not Path(path).is_file():
            return False
        with open(path, "rb") as file:
            ends = file.read(_EDGE)
            file.seek(max(0, os.fstat(file.fileno()).st_size - _EDGE))
            ends += file.read(_EDGE)
    except OSError:
        return False
    return MARK.encode() in ends


def _is_same(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except (OSError, ValueError):
        return os.path.normcase(os.path.realpath(a)) == os.path.normcase(os.path.realpath(b))
