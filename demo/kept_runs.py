"""What is kept of finished runs: all of it for the latest, packed for the others, nothing beyond a budget.

A run at 768x1024 is some 50 MB, most of them maps of the flow, which are made again when somebody looks;
what is left is packed without loss. The budget is the whole process's: the oldest runs of whoever go first.
"""

import io
import pickle
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from demo.slots import Slots
from leffa.errors import LeffaError
from leffa.preprocess.prepared import Prepared
from leffa.run.findings import bytes_of
from leffa.run.result import Result

SHARE = 1 / 24  # of the machine's memory
LEAST_BYTES, MOST_BYTES = 256_000_000, 1_500_000_000
OPEN_SHARE = 1 / 3  # of the budget, for runs that are not packed
_SMALL = 4096  # bytes: not worth packing


class RunGoneError(LeffaError):
    """A run that was let go of to save memory."""

    def __init__(self) -> None:
        super().__init__("this run is not kept any more: there were too many since; run it again")


@dataclass(frozen=True)
class Kept:
    """What is heavy of a run, see ``demo.history.Run``."""

    result: Result
    slots: Slots
    person: Prepared


class Place:
    """Where one run lies on the shelf."""

    def __init__(self, shelf: "KeptRuns"):
        self._shelf = shelf
        self.kept: Kept | None = None
        self.packed: bytes | None = None
        self.open_bytes = 0
        self.tools: list[Any] = []  # what cannot be packed: the loaded people finder

    def get(self) -> Kept:
        """The run, unpacked. Raises RunGoneError."""
        return self._shelf.get(self)


class KeptRuns:
    """Runs of everybody. Thread-safe.

    most_bytes  of all runs together; the latest one stays whatever it takes
    """

    def __init__(self, most_bytes: int):
        self._most = most_bytes
        self._lock = threading.RLock()
        self._places: OrderedDict[int, Place] = OrderedDict()  # the longest untouched first

    def put(self, kept: Kept) -> Place:
        """Keep a run; others are packed and let go of as needed."""
        place = Place(self)
        place.kept, place.open_bytes = kept, bytes_of(kept)
        with self._lock:
            self._places[id(place)] = place
            self._make_room(place)
        return place

    def get(self, place: Place) -> Kept:
        """A run, which becomes the latest. Raises RunGoneError."""
        with self._lock:
            if id(place) not in self._places:
                raise RunGoneError
            self._places.move_to_end(id(place))
            if place.kept is None:
                assert place.packed is not None  # one of both is there
                place.kept = _unpacked(place.packed, place.tools)
                place.open_bytes = bytes_of(place.kept)
                self._make_room(place)
            return place.kept

    def drop(self, place: Place) -> None:
        """Let go of a run."""
        with self._lock:
            self._places.pop(id(place), None)
            place.kept = place.packed = None
            place.tools = []

    @property
    def bytes(self) -> int:
        """Of everything that is kept."""
        with self._lock:
            return sum(self._open_bytes(one) + len(one.packed or b"") for one in self._places.values())

    def __contains__(self, place: Place) -> bool:
        return id(place) in self._places

    @staticmethod
    def _open_bytes(place: Place) -> int:
        return place.open_bytes if place.kept is not None else 0

    def _make_room(self, latest: Place) -> None:
        opened = sum(map(self._open_bytes, self._places.values()))
        for place in list(self._places.values()):
            if opened <= OPEN_SHARE * self._most or place is latest:
                break
            if place.kept is not None:
                opened -= place.open_bytes
                if place.packed is None:
                    place.packed, place.tools = _packed(place.kept)
                place.kept = None
        for place in list(self._places.values()):
            if self.bytes <= self._most or place is latest:
                break
            self.drop(place)


# ------------------------------------------------------------------------------ packing, without loss


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, tools: list[Any]):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._tools = tools

    def persistent_id(self, value: Any) -> int | None:
        return next((number for number, tool in enumerate(self._tools) if tool is value), None)

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Image.Image) and value.mode in ("L", "RGB"):
            buffer = io.BytesIO()
            value.save(buffer, "PNG", compress_level=1)
            return _picture, (buffer.getvalue(),)
        if type(value) is np.ndarray and value.nbytes > _SMALL and value.dtype.kind in "fiub":
            return _array, (_squeezed(value), value.dtype.str, value.shape)
        if hasattr(value, "element_size") and hasattr(value, "numpy") and value.dtype.is_floating_point:
            array = value.detach().cpu().float().numpy()
            return _tensor, (_squeezed(array), array.shape)
        return NotImplemented


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tools: list[Any]):
        super().__init__(file)
        self._tools = tools

    def persistent_load(self, number: Any) -> Any:
        return self._tools[number]


def _packed(kept: Kept) -> tuple[bytes, list[Any]]:
    """The run as bytes, and what of it cannot be one. What was only made to be looked at is left out."""
    told = [kept.person, kept.slots.automatic, *(one.prepared for one in kept.slots.pictures.values())]
    found = [one.preprocessor for one in told if hasattr(one, "preprocessor")]
    tools = list({id(one): one for one in found}.values())
    buffer = io.BytesIO()
    _Packer(buffer, tools).dump(replace(kept, result=replace(kept.result, fields=[])))
    return buffer.getvalue(), tools


def _unpacked(content: bytes, tools: list[Any]) -> Kept:
    """The bytes are our own and never left this process."""
    kept: Kept = _Unpacker(io.BytesIO(content), tools).load()
    result = kept.result
    made = [result.region.on_photo(result.region.unframed(flow.merged, result.reference_region))
            for flow in result.flows]  # fmt: skip
    return replace(kept, result=replace(result, fields=made))


def _squeezed(array: Any) -> bytes:
    """Compressed with the bytes of equal weight side by side: those of smooth maps hardly vary."""
    whole = np.ascontiguousarray(array)
    planes = whole.view(np.uint8).reshape(-1, whole.dtype.itemsize).T
    return zlib.compress(np.ascontiguousarray(planes).data, 1)


def _array(content: bytes, kind: str, shape: tuple[int, ...]) -> Any:
    dtype = np.dtype(kind)
    planes = np.frombuffer(zlib.decompress(content), np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(shape)


def _tensor(content: bytes, shape: tuple[int, ...]) -> Any:
    import torch

    return torch.from_numpy(_array(content, "<f4", shape))


def _picture(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
        opened.load()
        return opened.copy()


def _budget() -> int:
    import psutil

    return int(min(max(psutil.virtual_memory().total * SHARE, LEAST_BYTES), MOST_BYTES))


BUDGET = _budget()
SHELF = KeptRuns(BUDGET)
