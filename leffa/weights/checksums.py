"""Checksums of weight files: recorded at first use, verified after. One small JSON beside the weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from leffa.errors import WeightsError
from leffa.files import sha256, write_json

FILE_NAME = "checksums.json"


@dataclass(frozen=True)
class Stamp:
    """What a file is known by: its size in bytes and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        return cls(path.stat().st_size, sha256(path))


class Checksums:
    """The record in a folder of weights: what was downloaded, and what is kept of it.

    Every change is written at once, and whole or not at all. Raises WeightsError if the record is there but
    cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._path = folder / FILE_NAME

    def downloaded(self, repository: str, revision: str, name: str) -> Stamp | None:
        """What was recorded when this file was first downloaded."""
        entry = self._read()["downloaded"].get(f"{repository}@{revision}", {}).get(name)
        return None if entry is None else Stamp(**entry)

    def record_download(self, repository: str, revision: str, name: str, stamp: Stamp) -> None:
        record = self._read()
        record["downloaded"].setdefault(f"{repository}@{revision}", {})[name] = asdict(stamp)
        self._write(record)

    def record_kept(self, name: str, about: dict[str, str]) -> None:
        """Record every file in the sub-folder ``name``; ``about`` says where they come from."""
        root = self.folder / name
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        files = {path.relative_to(root).as_posix(): asdict(Stamp.of(path)) for path in paths}
        record = self._read()
        record["kept"][name] = {**about, "files": files}
        self._write(record)

    def about(self, name: str) -> dict[str, str]:
        """What was recorded of a sub-folder beside its files; empty if it is unknown."""
        entry = self._read()["kept"].get(name, {})
        return {key: value for key, value in entry.items() if key != "files"}

    def faults(self, name: str, thorough: bool = True) -> list[str]:
        """What is wrong with the sub-folder ``name``: a phrase for each file that is missing or changed.

        ``thorough`` reads every byte; else sizes are compared. Nothing is wrong with what was never recorded.
        """
        found = []
        for relative, entry in self._read()["kept"].get(name, {}).get("files", {}).items():
            path, stamp = self.folder / name / relative, Stamp(**entry)
            if not path.is_file():
                found.append(f"{name}/{relative} is missing")
            elif path.stat().st_size != stamp.size or (thorough and Stamp.of(path) != stamp):
                found.append(f"{name}/{relative} has changed since it was recorded")
        return found

    def _read(self) -> dict[str, dict]:
        if not self._path.exists():
            return {"downloaded": {}, "kept": {}}
        try:
            record = json.loads(self._path.read_text())
            return {"downloaded": dict(record["downloaded"]), "kept": dict(record["kept"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{self._path} cannot be read ({type(error).__name__}): delete it, and the checksums are "
                "recorded anew at the next `leffa download`"
            ) from error

    def _write(self, record: dict[str, dict]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._path, record, sort_keys=True)
