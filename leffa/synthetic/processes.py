"""Work spread over processes, of which the system may end one, or the one that waits for them."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from leffa.errors import LeffaError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def spread(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    processes: int,
    chunk: int = 1,
    prepare: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Iterator[_Result]:
    """Results of a function over items, in their order; with one process it is this one.

    prepare, given  called with these in each process before all else
    Raises LeffaError if one of the processes was ended from outside.
    """
    if processes <= 1:
        if prepare is not None:
            prepare(*given)
        yield from map(function, items)
        return
    try:
        with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (prepare, given)) as pool:
            yield from pool.map(function, items, chunksize=chunk)
    except BrokenProcessPool as error:
        raise LeffaError(
            "The system ended one of the processes, as it does when memory runs out: give fewer --processes. "
            "The same command goes on where it was."
        ) from error


def _begin(prepare: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*given)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
