"""Read weight files, pickles among them, without running anything they contain.

A pickle is a small program. The one that detectron2 publishes needs six names: numpy's array and type
constructors, ``codecs.encode`` and ``OrderedDict``. Exactly these are answered, and not by the real
functions but by records that hold the arguments; arrays are then made from the recorded bytes. A file
that asks for anything else is refused before anything of it has been called.
"""

import io
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from leffa.errors import WeightsError
from leffa.intactness import fault_of, how_to_mend

if TYPE_CHECKING:
    from torch import Tensor

_TORCH = (".pth", ".pt", ".bin", ".ckpt")
_ZIP_MAGIC = b"PK\x03\x04"
_TORCH_REFUSES = re.compile(r"GLOBAL (\S+) (?:was not an allowed|whose module)")
_MORE_THAN_TENSORS = "it holds more than tensors, and what it asks for was not run"
_NUMBER_TYPE = re.compile(r"b1|[iu][1248]|f[248]")


class RefusedError(Exception):
    """A file holds something that weights have no need of; the text names it, and it was not run."""


def read_torch(source: Path | BinaryIO, mmap: bool = False) -> Any:
    """What ``torch.load`` makes of a file of tensors and plain containers; nothing in it is executed.

    Raises RefusedError if it asks for anything else, and whatever torch raises for a damaged one.
    """
    import torch

    try:
        return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        asked = _TORCH_REFUSES.search(str(error))
        raise RefusedError(_what_it_asks(asked[1]) if asked else _MORE_THAN_TENSORS) from None


def _what_it_asks(name: str) -> str:
    return f"it asks for {name}, which no weights file needs and which was not run"


def load_state(path: str | Path) -> "dict[str, Tensor]":
    """Tensors by name from ``.safetensors``, a torch file or ``.pkl``; nothing in it is executed.

    A leading ``module.`` (left by data-parallel training) is removed from the names. A torch archive is
    mapped, not read: its tensors come as they are used. Of pickles a plain mapping and the model-zoo layout
    (the mapping under ``"model"``) are understood, written by any protocol, by Python 2 or 3 and by numpy 1
    or 2, with arrays or torch tensors as values.

    Raises WeightsError if the file is missing, damaged, of another kind, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; fetch it with `leffa download`.")
    readers = {".safetensors": _read_safetensors, ".pkl": _read_pickle, **dict.fromkeys(_TORCH, _read_state)}
    if path.suffix not in readers:
        raise WeightsError(f"{path} is of an unknown kind; one of {', '.join(readers)} would do.")
    if fault := fault_of(path):
        raise WeightsError(f"{path} {fault}: {how_to_mend(is_shipped=False)}.")
    try:
        state = readers[path.suffix](path)
    except RefusedError as refusal:
        raise WeightsError(
            f"{path} was not loaded: {refusal}; fetch the published file again with `leffa download`."
        ) from None
    except Exception as error:  # a damaged file can raise anything
        raise WeightsError(
            f"{path} is damaged or no weights file ({type(error).__name__}); "
            "fetch it again with `leffa download`."
        ) from error
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def load_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """Arrays of a pickle of mappings in mappings, by their names joined with dots; nothing in it is executed.

    Raises RefusedError if it asks for anything but arrays, and whatever pickle raises for a damaged one.
    """
    found: dict[str, np.ndarray] = {}
    waiting = [("", _ArrayUnpickler(file).load())]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{_checked_name(key)}".lstrip("."), inner) for key, inner in value.items()]
        else:
            found[name] = _plain_array(name, value)
    return found


def _read_safetensors(path: Path) -> "dict[str, Tensor]":
    from safetensors.torch import load_file

    return load_file(path)


def _read_state(path: Path) -> "dict[str, Tensor]":
    import torch

    content = read_torch(path, mmap=_is_archive(path))
    if not isinstance(content, Mapping) or not all(isinstance(one, torch.Tensor) for one in content.values()):
        raise RefusedError("it is no state dict, which maps names to tensors")
    return dict(content)


def _read_pickle(path: Path) -> "dict[str, Tensor]":
    import torch

    with path.open("rb") as file:
        content = read_torch(file) if _is_archive(path) else _ArrayUnpickler(file).load()
    return {name: torch.from_numpy(array) for name, array in _named_arrays(content).items()}


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


class _NumberType:
    """Stands for ``numpy.dtype``: a code such as ``f4`` and a byte order, nothing structured."""

    def __init__(self, code: str, *_flags: object) -> None:
        if not isinstance(code, str) or not _NUMBER_TYPE.fullmatch(code):
            raise RefusedError(f"it holds an array of {code!r}, and weights are plain numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _version, order, *structure = state
        if order not in ("<", ">", "|") or any(item is not None for item in structure[:3]):
            raise RefusedError("it holds an array of a structured type, and weights are plain numbers")
        self.dtype = self.dtype.newbyteorder(">" if order == ">" else "<")


class _Array:
    """Stands for ``numpy.ndarray`` while the file is read; ``value`` is the array once it is complete."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _version, shape, number_type, is_fortran, data = state
        self.fill(data, number_type, shape, "F" if is_fortran else "C")

    def fill(self, data: object, number_type: object, shape: object, order: object) -> None:
        if isinstance(data, str):  # how Python 2 wrote bytes
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray) or not isinstance(number_type, _NumberType):
            raise RefusedError("it holds an array of objects, and weights are plain numbers")
        if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
            raise RefusedError("it holds an array of impossible shape")
        dtype = number_type.dtype
        if len(data) != dtype.itemsize * math.prod(shape):
            raise RefusedError("it holds an array of which a piece is missing")
        flat = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
        self.value = np.array(
            flat.reshape(shape, order="F" if order == "F" else "C"), dtype=dtype.newbyteorder("="), order="C"
        )


def _answers() -> dict[tuple[str, str], Any]:
    """What each permitted name means here; made anew for every file, so that none can alter them."""
    array_class = object()  # only ever compared: cannot be called, built or altered

    def reconstruct(subtype: object, _shape: object, _type: object) -> _Array:
        if subtype is not array_class:
            raise RefusedError("it holds an array of an unknown class")
        return _Array()

    def from_buffer(data: object, number_type: object, shape: object, order: object) -> _Array:
        array = _Array()
        array.fill(data, number_type, shape, order)
        return array

    def encode(text: str, encoding: str = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise RefusedError(f"it asks for the encoding {encoding!r}")
        return text.encode("latin1")

    def load_storage(data: bytes) -> Any:
        return read_torch(io.BytesIO(data))

    def rebuild_tensor(storage: Any, offset: int, size: tuple, stride: tuple, *_rest: object) -> Any:
        import torch

        flat = torch.empty(0, dtype=storage.dtype).set_(storage)
        return flat.as_strided(size, stride, offset)  # checks the bounds

    class NumberType(_NumberType):
        pass

    answers: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): array_class,
        ("numpy", "dtype"): NumberType,
        ("_codecs", "encode"): encode,
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch.storage", "_load_from_bytes"): load_storage,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
        answers[f"{core}.multiarray", "_reconstruct"] = reconstruct
        answers[f"{core}.numeric", "_frombuffer"] = from_buffer
    return answers


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")
        self._answers = _answers()

    def find_class(self, module: str, name: str) -> Callable:
        try:
            return self._answers[module, name]
        except KeyError:
            raise RefusedError(_what_it_asks(f"{module}.{name}")) from None


def _named_arrays(content: object) -> dict[str, np.ndarray]:
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not content:
        raise RefusedError("it is no mapping from names to arrays")
    return {_checked_name(name): _plain_array(name, value) for name, value in content.items()}


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise RefusedError(f"it names an array {name!r}")
    return name


def _plain_array(name: str, value: Any) -> np.ndarray:
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if type(value).__module__ == "torch" and hasattr(value, "numpy"):
        import torch

        # numpy has no bfloat16
        return (value.float() if value.dtype == torch.bfloat16 else value).contiguous().numpy()
    raise RefusedError(f"its entry {name!r} is no array")
