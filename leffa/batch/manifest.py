"""Manifests: CSV, JSON lines or Parquet, read row by row, wherever they lie."""

import csv
import io
import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from leffa.config import Garment
from leffa.errors import LeffaError
from leffa.files import why
from leffa.images import SUFFIXES
from leffa.run.settings import MOST_STEPS

TRY_ON = ("person", "garment", "kind")
POSE = ("reference", "pose")
OPTIONAL = ("mask", "seed", "steps", "output")
COLUMNS = (*TRY_ON, *POSE, *OPTIONAL)
FORMATS = (".csv", ".jsonl", ".parquet")
INSTALL = 'pip install -e ".[batch]"'

_MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Row:
    """What one line of a manifest asks for.

    number  counted from 0
    person, garment, kind  try-on; ``kind`` is a ``Garment``'s value
    reference, pose        pose transfer instead
    mask    what to repaint; "" = automatic
    seed    -1 to draw is not possible here: a row's picture depends on its seed
    steps   None = the model's own
    output  name in the folder of results
    """

    number: int
    person: str = ""
    garment: str = ""
    kind: str = "upper"
    reference: str = ""
    pose: str = ""
    mask: str = ""
    seed: int = 0
    steps: int | None = None
    output: str = ""

    @property
    def is_pose(self) -> bool:
        """Whether a pose is to be changed, not a garment."""
        return bool(self.reference)

    @property
    def inputs(self) -> list[str]:
        """All files that the row reads."""
        return [name for name in (self.person, self.garment, self.reference, self.pose, self.mask) if name]

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it; ``Row(**...)`` is the way back."""
        return asdict(self)


@dataclass(frozen=True)
class BadRow:
    """A line that asks for nothing that can be done, and why in one sentence."""

    number: int
    reason: str
    output: str = ""


def read_manifest(source: str, seed: int = 0) -> Iterator[Row | BadRow]:
    """The rows of a manifest, one at a time: memory does not grow with their number.

    source  a path, or an address that fsspec opens, ending in .csv, .jsonl or .parquet
    seed    of rows that name none

    Relative paths are looked for beside the manifest, then in the current folder. Raises LeffaError if the
    manifest cannot be read, or has none of the columns.
    """
    folder = None if is_remote(source) else Path(source).absolute().parent
    for number, line in enumerate(_lines(source)):
        if isinstance(line, str):
            yield BadRow(number, line)
            continue
        try:
            yield _row(number, line, folder, seed)
        except LeffaError as error:
            yield BadRow(number, str(error), _text(line.get("output")))


def is_remote(name: str) -> bool:
    """Whether it is an address, such as s3://shop/shirt.jpg, and no path."""
    return "://" in name


def open_source(name: str) -> IO[bytes]:
    """A file or an object of a store, to read. Raises LeffaError with a sentence."""
    try:
        if not is_remote(name):
            return open(name, "rb")
        import fsspec

        opened: IO[bytes] = fsspec.open(name, "rb").open()
        return opened
    except FileNotFoundError:
        raise LeffaError(f"There is no file at {name!r}: check the path.") from None
    except ImportError as error:
        raise LeffaError(f"{name!r} needs a package that is not here ({error}): {INSTALL}") from None
    except OSError as error:
        raise LeffaError(f"{name!r} cannot be read: {why(error)}.") from None
    except Exception as error:  # stores have errors of their own
        raise LeffaError(f"{name!r} cannot be opened ({type(error).__name__}: {error}).") from None


def read_source(name: str) -> bytes:
    """All of it. Raises LeffaError with a sentence."""
    try:
        with open_source(name) as file:
            return file.read()
    except LeffaError:
        raise
    except Exception as error:  # a connection that breaks, a folder
        raise LeffaError(f"{name!r} cannot be read ({type(error).__name__}: {error}).") from None


# ------------------------------------------------------------------------------ lines


def _lines(source: str) -> Iterator[dict[str, Any] | str]:
    """Each line as a mapping, or a sentence that says why it is none."""
    suffix = PurePosixPath(source).suffix.lower()
    readers = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}
    if suffix not in readers:
        raise LeffaError(f"the manifest {source!r} must end in {', '.join(FORMATS)}")
    with open_source(source) as file:
        yield from readers[suffix](file, source)


def _csv(file: IO[bytes], source: str) -> Iterator[dict[str, Any] | str]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.DictReader(text, restkey="")
    try:
        _check_columns(reader.fieldnames or (), source)
        for values in reader:
            if values.get(""):
                yield f"the line has {len(values[''])} values more than there are columns"
            else:
                yield {str(key).strip(): value for key, value in values.items()}
    except UnicodeDecodeError as error:
        raise LeffaError(f"{source!r} is no text in UTF-8 ({error.reason}): save it as such") from None
    except csv.Error as error:
        raise LeffaError(f"{source!r}, line {reader.line_num}, is no CSV ({error})") from None


def _json_lines(file: IO[bytes], source: str) -> Iterator[dict[str, Any] | str]:
    for line in file:
        if not line.strip():
            continue
        try:
            values = json.loads(line.decode("utf-8-sig"))
        except ValueError as error:
            yield f"the line is no JSON ({error})"
            continue
        if not isinstance(values, dict):
            yield "the line is no JSON object"
            continue
        unknown = [name for name in values if name not in COLUMNS]
        yield f"unknown columns {_listed(unknown)}: there are {_listed(COLUMNS)}" if unknown else values


def _parquet(file: IO[bytes], source: str) -> Iterator[dict[str, Any] | str]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise LeffaError(f"Parquet needs pyarrow: {INSTALL}") from None
    try:
        table = ParquetFile(file)
        _check_columns(table.schema_arrow.names, source)
        for batch in table.iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise LeffaError(f"{source!r} is no Parquet file that can be read ({error})") from None


def _check_columns(found: Any, source: str) -> None:
    names = [str(name).strip() for name in found]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise LeffaError(f"{source!r} has unknown columns {_listed(unknown)}: there are {_listed(COLUMNS)}")
    if not (set(TRY_ON[:2]) <= set(names) or set(POSE) <= set(names)):
        raise LeffaError(f"{source!r} needs the columns {_listed(TRY_ON)}, or {_listed(POSE)}")


def _listed(names: Any) -> str:
    return ", ".join(names)


# ------------------------------------------------------------------------------ a row


def _row(number: int, line: Mapping[str, Any], folder: Path | None, seed: int) -> Row:
    values = {name: _text(line.get(name)) for name in COLUMNS}
    given = {name: values[name] for name in (*TRY_ON[:2], *POSE) if values[name]}
    if set(given) not in ({"person", "garment"}, {"reference", "pose"}):
        raise LeffaError("a row needs person and garment, or reference and pose")
    if values["mask"] and "pose" in given:
        raise LeffaError("a mask has no place in pose transfer: leave it out")
    kind = values["kind"] or Garment.UPPER.value
    if "person" in given:
        try:
            kind = Garment(kind).value
        except ValueError:
            known = _listed(each.value for each in Garment)
            raise LeffaError(f"unknown kind of garment {kind!r}: there are {known}") from None
    steps = _number(values["steps"], "steps", 1, MOST_STEPS)
    own = _number(values["seed"], "seed", 0, _MOST_SEED)
    files = {name: _located(values[name], folder) for name in (*given, "mask")}
    return Row(
        number,
        kind=kind if "person" in given else "",
        seed=seed if own is None else own,
        steps=steps,
        output=_output(values["output"] or f"{number:06d}.png"),
        **files,
    )


def _text(value: Any) -> str:
    """A cell as text; what is empty, or not a number, as ""."""
    if value is None or (isinstance(value, float) and math.isnan(value)):  # as data frames write gaps
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers with gaps in it
    return str(value).strip()


def _number(text: str, what: str, low: int, high: int) -> int | None:
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise LeffaError(f"{what} must be a whole number from {low} to {high}, got {text!r}")
    return value


def _located(name: str, folder: Path | None) -> str:
    if not name or is_remote(name):
        return name
    if "\0" in name:
        raise LeffaError("a file's name must not contain a NUL character")
    beside = folder / name if folder is not None else Path(name)
    return str(beside if beside.exists() else Path(name).absolute() if Path(name).exists() else beside)


def _output(name: str) -> str:
    """The name of a result, which stays within the folder of results."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in name or any(ord(sign) < 32 for sign in name):
        raise LeffaError(f"the output {name!r} must be a name within the folder of results")
    if any(part.startswith(".") for part in path.parts):
        raise LeffaError(f"the output {name!r} must not begin with a dot")
    if path.suffix.lower() not in SUFFIXES:
        raise LeffaError(f"the output {name!r} must end in one of {_listed(SUFFIXES)}")
    return str(path)
