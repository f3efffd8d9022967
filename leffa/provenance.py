"""What a finished picture says of its making: written into the PNG, read back from it."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from leffa import __version__
from leffa.config import sample_seed
from leffa.errors import PictureError
from leffa.files import sha256
from leffa.images import MOST_PIXELS, signature
from leffa.run.result import Result
from leffa.weights.models import Model

KEY = "leffa"
FORMAT = 1
LARGEST = 1_000_000  # characters: no record of ours is nearly as long


def record(
    result: Result, model_hash: str, files: Mapping[str, str], choices: Mapping[str, Any], sample: int = 0
) -> dict[str, Any]:
    """All that repeats a run: task, model, settings, choices, and hashes of its files. No names, no paths.

    files    slot -> SHA-256 of the file, such as {"person": ..., "reference": ...}
    choices  what was chosen beside the settings: the garment's kind, lengths, strokes; JSON values
    """
    settings = asdict(result.settings)
    settings["seed"] = sample_seed(settings["seed"], sample)
    settings["samples"] = 1
    return {
        "format": FORMAT,
        "version": __version__,
        "task": result.task.value,
        "model": result.model,
        "model_sha256": model_hash,
        "settings": settings,
        "files": dict(files),
        "choices": dict(choices),
    }


def png_bytes(picture: Image.Image, written: Mapping[str, Any]) -> bytes:
    """The picture as a PNG file that carries the record, and says that a model painted in it."""
    info: PngInfo = signature("PNG", is_made=True)["pnginfo"]
    info.add_itxt(KEY, json.dumps(written, ensure_ascii=False), zip=True)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def read_record(path: str | Path) -> dict[str, Any] | None:
    """The record of a PNG made here; None for any other picture.

    Raises PictureError if there is a record that cannot be read.
    """
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return None
            opened.load()  # text after the pixels is only read then
            text = opened.info.get(KEY)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if text is None:
        return None
    try:
        if len(text) > LARGEST:
            raise ValueError("too long")
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError("another format")
        for name in ("settings", "files", "choices"):
            if not isinstance(found.get(name), dict):
                raise ValueError(f"no {name}")
    except (TypeError, ValueError):
        raise PictureError(
            "the settings in this PNG cannot be read: it was made by another version, or changed since"
        ) from None
    return found


def model_hash(model: Model) -> str:
    """SHA-256 over the weights of a model, in the order of their paths; read once."""
    files = sorted(model.folder.rglob("*.safetensors"))
    return _hash(tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=8)
def _hash(files: tuple[tuple[str, int, int], ...]) -> str:
    return sha256(*(name for name, _, _ in files))
