"""What a file really is, by its first bytes and, of weights, by what their header says of their length."""

import json
import re
import zipfile
from pathlib import Path

_LARGEST_HEADER = 100_000_000  # bytes, as the safetensors library has it
_HEAD = 512
_WORDS = 64  # bytes: with nothing but letters and signs in the first of them it is a text
_POINTER = b"version https://git-lfs.github.com/spec"
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_TORCH = (".pth", ".pt", ".bin", ".ckpt")


def fault_of(path: Path) -> str | None:
    """What is wrong with a file of weights or with a config, as "is a Git LFS pointer ..."; None if nothing.

    Reads the first bytes, a safetensors header or the end of an archive, never the weights themselves.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        return f"cannot be read ({(error.strerror or type(error).__name__).lower()})"
    is_whole_pickle = path.suffix == ".pkl" and size > 0 and _last(path, size) == b"."
    is_text = path.suffix == ".json" or is_whole_pickle  # of the first protocol
    if other := foreign(head, "weights", is_text):
        return other
    if path.suffix == ".safetensors":
        return _safetensors(path, size)
    if path.suffix == ".json":
        return _json(path)
    if path.suffix == ".pkl" and head[:1] == b"\x80" and not is_whole_pickle:
        return "is cut short: the end of the pickle is missing"
    return _torch(path, head) if path.suffix in _TORCH else None


def _torch(path: Path, head: bytes) -> str | None:
    """What is wrong with a file of torch's: an archive, formerly a pickle."""
    if head.startswith(b"PK"):
        return None if zipfile.is_zipfile(path) else "is cut short: the end of the archive is missing"
    if head.startswith(b"\x80"):
        return None
    if head[8:9] == b"{":
        return "is a safetensors file under another name: let its name end in .safetensors"
    return "is no file of torch: its first bytes are neither those of an archive nor of a pickle"


def foreign(head: bytes, wanted: str, is_text: bool = False) -> str | None:
    """What files are that were saved in the place of others, by their first bytes; None if they may be right.

    wanted   what it is not, as "weights"
    is_text  whether the right file is text
    """
    if not head:
        return "is empty"
    if head.startswith(_POINTER):
        return "is a Git LFS pointer, which stands for the file and is not it"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGES):
        return f"is a web page, such as an error or a login, not {wanted}"
    if not is_text and re.fullmatch(rb"[\s!-~]+", head[:_WORDS]):
        return f"is a text, such as an error of a server, not {wanted}"
    return None


def faults_in(folder: Path) -> list[str]:
    """A phrase for each file of weights or config in a folder, or below it, that is not what it should be."""
    kinds = (".safetensors", ".json", ".onnx", ".pkl", *_TORCH)
    files = sorted(path for path in folder.rglob("*") if path.suffix in kinds)
    found = ((path.relative_to(folder.parent), fault_of(path)) for path in files)
    return [f"{name.as_posix()} {fault}" for name, fault in found if fault]


def how_to_mend(is_shipped: bool) -> str:
    """The command that brings the right file; the weights in the repository are on no server of ours."""
    if is_shipped:
        return "`git lfs pull` or a fresh clone of the repository brings it"
    return "`leffa download` fetches it again"


def _safetensors(path: Path, size: int) -> str | None:
    if size < 8:
        return f"is cut short: {size} bytes are no header"
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= _LARGEST_HEADER:
            return "is no safetensors file: its first bytes are no length of a header"
        if length + 8 > size:
            return f"is cut short: {size:,} bytes, and the header alone has {length + 8:,}"
        content = file.read(length)
    try:
        header = json.loads(content)
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        whole = 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return "is no safetensors file: its header cannot be read"
    if size < whole:
        return f"is cut short: {size:,} of {whole:,} bytes are here"
    return f"has {size - whole:,} bytes more than its header says" if size > whole else None


def _json(path: Path) -> str | None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "is no JSON"
    return None


def _last(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read()
