"""What visitors bring: one gate for every path that comes from outside, and who owns which file.

A path is a ticket. It is drawn at random when a file is uploaded, the first visitor who hands it on owns it,
and nobody else can use it. Nothing else on this machine can be named: not by a path, not by an address.
"""

import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from leffa.errors import PictureError
from leffa.files import in_words

PREFIX = "leffa-app-"
MOST_FILES = 8  # in one request
MOST_BYTES = 60_000_000  # of one file
MOST_ON_DISK = 4_000_000_000  # of everybody's files together
SPARE_BYTES = 100_000_000  # of the disk, which visitors may not fill
UNUSED_SECONDS = 900  # uploaded and never handed on
_OWNER = "owner"  # beside the visitors' folders: process number and its start
_SERVED = "/gradio_api/file="


class NotUploadedError(PictureError):
    """A path that is no upload of this visitor. It says nothing of what is there and what is not."""

    def __init__(self) -> None:
        super().__init__("this picture was not uploaded here, or is not here any more: upload it again")


# ------------------------------------------------------------------------------ the folder


def open_folder() -> Path:
    """A new folder for visitors' files, told to Gradio; folders of dead processes are deleted.

    Raises FileError where there can be none.
    """
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    with in_words(parent):
        parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
        (folder / _OWNER).write_text(f"{os.getpid()} {_started(os.getpid())}", encoding="ascii")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def remove_left_over(parent: Path) -> None:
    """Delete the folders of apps that were killed."""
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.is_symlink() or not folder.is_dir() or _is_alive(folder):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(folder: Path) -> bool:
    """Whether the process that made the folder still runs. One that says nothing of its owner may be new."""
    try:
        number, started = (folder / _OWNER).read_text(encoding="ascii").split()
        return _started(int(number)) == started
    except (OSError, ValueError):
        with suppress(OSError):
            return time.time() - folder.stat().st_mtime < UNUSED_SECONDS
        return True


def _started(number: int) -> str:
    """When a process began, so that its number used again is not taken for it; empty if there is none."""
    import psutil

    try:
        return f"{psutil.Process(number).create_time():.2f}"
    except psutil.Error:
        return ""


def home() -> Path:
    """The folder of this process; Gradio has no other."""
    return Path(os.environ["GRADIO_TEMP_DIR"])


def room() -> int:
    """Bytes of the disk that visitors may still fill."""
    home().mkdir(parents=True, exist_ok=True)  # somebody may have tidied up
    return shutil.disk_usage(home()).free - SPARE_BYTES


def is_open() -> bool:
    """Whether this process has made its folder."""
    folder = os.environ.get("GRADIO_TEMP_DIR", "")
    try:
        told = Path(folder, _OWNER).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return False
    return told[:1] == [str(os.getpid())]


# ------------------------------------------------------------------------------ the gate


def local_path(text: str) -> str:
    """The path in the address of one of our own files, as the upload tool for agents gives it; else the text.

    Nothing is ever fetched: of an address only the path counts, and that must pass ``checked`` like any
    other.
    """
    parts = urlsplit(text) if text.startswith(("http://", "https://")) else None
    if parts is None or _SERVED not in parts.path:
        return text
    return unquote(parts.path.split(_SERVED, 1)[1])


def checked(path: object) -> Path:
    """The path, if it names a file in the upload folder: spelled plainly, a regular file, no link on the way.

    Raises NotUploadedError, the same for everything else, before anything outside the folder is looked at.
    """
    try:
        if not isinstance(path, (str, Path)):
            raise NotUploadedError
        text, root = str(path), str(home())
        inner = os.path.relpath(text, root).split(os.sep)
        if "\0" in text or text != os.path.join(root, *inner) or os.pardir in inner or len(inner) < 2:
            raise NotUploadedError
        place = root
        for name in inner[:-1]:
            place = os.path.join(place, name)
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                raise NotUploadedError
        found = os.lstat(text)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MOST_BYTES:
            raise NotUploadedError
    except (OSError, ValueError):
        raise NotUploadedError from None
    return Path(text)


class Claims:
    """Who owns which file. Thread-safe.

    An owner is a visitor, or all who cannot be told apart: then each of them has a claim, and the last one to
    let go deletes the file.
    """

    def __init__(self) -> None:
        self._claims: dict[Path, tuple[str, set[int]]] = {}
        self._lock = threading.Lock()

    def claim(self, path: object, owner: str, holder: int) -> Path:
        """Take a file for an owner; returns its path. Raises NotUploadedError, also if it is another's."""
        file = checked(path)
        with self._lock:
            owned_by, holders = self._claims.setdefault(file, (owner, set()))
            if owned_by != owner:
                raise NotUploadedError
            holders.add(holder)
        return file

    def release(self, file: Path, holder: int) -> None:
        """Let go of a file; whoever holds it last deletes it, and its folder."""
        with self._lock:
            _, holders = self._claims.get(file, ("", set()))
            holders.discard(holder)
            if holders or self._claims.pop(file, None) is None:
                return
        _remove(file)

    def sweep(self, oldest: float, kept: frozenset[tuple[str, int]] = frozenset()) -> int:
        """Delete what nobody owns and what was last changed before ``oldest``; returns the bytes that are
        left.

        kept  (name, size) of pictures that are the app's own
        """
        left = 0
        root = home()
        for folder, _, names in os.walk(root):
            for name in names:
                file = Path(folder, name)
                with suppress(OSError):
                    found = file.lstat()
                    own = file == root / _OWNER or (name, found.st_size) in kept
                    with self._lock:
                        owned = file in self._claims
                    if own or owned or max(found.st_mtime, found.st_ctime) > oldest:
                        left += found.st_size
                    else:
                        _remove(file)
        return left


CLAIMS = Claims()


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()
    if file.parent != home():
        with suppress(OSError):  # not empty, or gone already
            file.parent.rmdir()


# ------------------------------------------------------------------------------ how Gradio takes uploads


def give_every_upload_its_own_name() -> None:
    """Change two things in how Gradio takes uploads, which it has no setting for (6.31).

    It names a file after its content, so that two visitors with the same photo would share one file. And it
    takes up to 1,000 files in one request.
    """
    from gradio import route_utils

    if issubclass(route_utils.GradioUploadFile, _Named):
        return

    class Upload(_Named, route_utils.GradioUploadFile):
        pass

    class Parser(route_utils.GradioMultiPartParser):
        def __init__(self, *values: object, **named: object):
            super().__init__(*values, **{**named, "max_files": MOST_FILES, "max_fields": MOST_FILES})

    route_utils.GradioUploadFile = Upload
    route_utils.GradioMultiPartParser = Parser


class _Named:
    """An upload whose hash, and with it its folder, is drawn at random."""

    def __init__(self, *values: object, **named: object):
        super().__init__(*values, **named)
        self.sha.update(secrets.token_bytes(32))  # type: ignore[attr-defined]
