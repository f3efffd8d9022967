"""Run checkpoints: one file, written beside and renamed, so that a kill at any moment loses nothing."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from leffa.errors import LeffaError, WeightsError
from leffa.files import check_folder, holds_record, write_json, written

KEEP = 2
SETTINGS = "settings.json"
CHECKPOINTS = "checkpoints"
_NAME = re.compile(r"step-(\d{8})\.pt")


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write ``state`` as the checkpoint of ``step``; older ones but the last few go."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    with written(path) as file:
        torch.save(state, file)
    for old in _all(folder)[:-KEEP]:
        old.unlink()
    for leftover in folder.glob(".leffa-*.part"):  # of a run that was killed while writing
        leftover.unlink()
    return path


def is_run(folder: Path) -> bool:
    """Whether a folder holds checkpoints of a run."""
    return bool(_all(folder))


def keep_origin(run: Path, origin: Mapping[str, Any], results: Sequence[str]) -> None:
    """Write beside a run what it is made of; ``results`` are the names that it will write besides.

    Raises LeffaError if it was begun with something else, or if the folder holds what is no run.
    """
    record = run / SETTINGS
    is_begun = holds_record(record, origin)
    if is_begun:
        begun = json.loads(record.read_text())
        other = [name for name in origin if begun.get(name) != origin[name]]
        if other:
            was = ", ".join(f"{name}={json.dumps(begun.get(name))}" for name in other)
            raise LeffaError(f"{run} was begun with {was}: give the same again, or another --run")
    check_folder(
        run,
        (SETTINGS, CHECKPOINTS, *results),
        lambda folder: is_begun or is_run(folder / CHECKPOINTS),
    )
    run.mkdir(parents=True, exist_ok=True)
    write_json(record, origin)


def load_latest(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """(step, state) of the newest checkpoint, or None if there is none.

    Raises WeightsError if it cannot be read.
    """
    paths = _all(folder)
    if not paths:
        return None
    try:
        state = torch.load(paths[-1], map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"checkpoint {paths[-1]} cannot be read ({type(error).__name__}): "
            "delete it to go on from the one before"
        ) from error
    return _step(paths[-1]), state


def _all(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name)), key=_step)


def _step(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match
    return int(match.group(1))
