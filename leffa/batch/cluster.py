"""Rows on Ray: some actors read pictures, others hold the model and paint; both at the same time."""

import os
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from leffa.batch.manifest import INSTALL, Row
from leffa.batch.painter import MakePainter, Painter, paint_row, read_row
from leffa.batch.plan import Outcome
from leffa.errors import LeffaError

AHEAD = 3  # rows that a painter has before it, read or being read
TRIES = 3  # of a row whose worker dies, the last of them with no other row about
OBJECT_STORE = 200_000_000  # bytes: rows travel through it, pictures do not


@dataclass(frozen=True)
class Workers:
    """How many there are, and what each of them takes.

    painters  actors with the model; each takes ``painter_cpus`` and ``painter_gpus``
    readers   actors that find people and garments; None = one for every two painters
    batch     rows of one garment that go to the same painter
    address   of a running Ray cluster; None = this machine, for the length of this run
    """

    painters: int = 1
    readers: int | None = None
    painter_cpus: float = 1
    painter_gpus: float = 0
    batch: int = 8
    address: str | None = None


class _Actor:
    """Has one painter, made when it is first needed."""

    def __init__(self, make_painter: MakePainter, folder: Path, threads: int):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch is there, which reads it once
        self._make, self._folder = make_painter, folder
        self._painter: Painter | None = None

    def _ready(self) -> Painter:
        if self._painter is None:
            self._painter = self._make()
        return self._painter

    def answer(self) -> None:
        """Nothing; that it comes shows that the worker stands."""

    def read(self, row: Row) -> Outcome:
        return read_row(self._ready(), row)

    def paint(self, row: Row, read: Outcome) -> Outcome:
        return paint_row(self._ready(), row, read, self._folder)


@dataclass
class _Lane:
    """One painter with its reader and the rows that wait for it."""

    painter: Any
    reader: Any
    waiting: deque[Row] = field(default_factory=deque)
    begun: int = 0

    def has_rows(self, source: Iterator[Row], batch: int) -> bool:
        """Whether a row waits; where none did, some of ``source`` do now."""
        if not self.waiting:
            self.waiting.extend(islice(source, batch))
        return bool(self.waiting)


def run_cluster(
    rows: Iterable[Row], make_painter: MakePainter, folder: Path, workers: Workers
) -> Generator[Outcome, None, None]:
    """What became of each row, as it becomes known. A row whose worker dies is done by the next one.

    Raises LeffaError if Ray is not here, or cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # readers may use a painter's GPU
    try:
        import ray
    except ImportError:
        raise LeffaError(f"workers need Ray: {INSTALL}, or --workers 0 for one process") from None
    _start(ray, workers)
    try:
        lanes = _lanes(ray, make_painter, folder.absolute(), workers)
        yield from _drive(ray, rows, lanes, workers.batch)
    finally:
        ray.shutdown()


def _start(ray: Any, workers: Workers) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if workers.address:
            ray.init(workers.address, **quiet)
            return
        needed = max(os.cpu_count() or 1, int(workers.painters * workers.painter_cpus) + 1)
        ray.init(num_cpus=needed, include_dashboard=False, object_store_memory=OBJECT_STORE, **quiet)
    except Exception as error:  # Ray has many
        raise LeffaError(f"Ray does not start ({type(error).__name__}: {error})") from None


def _lanes(ray: Any, make_painter: MakePainter, folder: Path, workers: Workers) -> list[_Lane]:
    actor = ray.remote(_Actor)
    threads = int(os.environ.get("OMP_NUM_THREADS", "0")) or max(1, round(workers.painter_cpus))
    painting = actor.options(num_cpus=workers.painter_cpus, num_gpus=workers.painter_gpus, max_restarts=-1)
    reading = actor.options(num_cpus=0, max_restarts=-1)
    count = workers.readers or (workers.painters + 1) // 2
    readers = [reading.remote(make_painter, folder, threads) for _ in range(count)]
    try:
        ray.get(readers[0].answer.remote())
    except ray.exceptions.RayError as error:
        raise LeffaError(f"the workers do not start: {str(error).strip().splitlines()[-1]}") from None
    return [
        _Lane(painting.remote(make_painter, folder, threads), readers[number % count])
        for number in range(workers.painters)
    ]


def _drive(ray: Any, rows: Iterable[Row], lanes: list[_Lane], batch: int) -> Iterator[Outcome]:
    """Outcomes. A worker that dies takes the rows behind it along; whose fault it was, a try alone tells."""
    source = iter(rows)
    begun: dict[Any, tuple[_Lane, Row]] = {}
    deaths: Counter[int] = Counter()
    alone: deque[Row] = deque()

    def begin(lane: _Lane, row: Row) -> None:
        begun[lane.painter.paint.remote(row, lane.reader.read.remote(row))] = (lane, row)
        lane.begun += 1

    def feed() -> bool:
        if alone and not begun:
            begin(lanes[0], alone[0])
        for lane in lanes if not alone else ():
            while lane.begun < AHEAD and lane.has_rows(source, batch):
                begin(lane, lane.waiting.popleft())
        return bool(begun)

    while feed():
        for reference in ray.wait(list(begun), num_returns=1)[0]:
            lane, row = begun.pop(reference)
            lane.begun -= 1
            if alone and alone[0] is row:
                alone.popleft()
            outcome = _outcome(ray, reference, lane)
            if isinstance(outcome, Outcome):
                yield outcome
                continue
            deaths[row.number] += 1
            if deaths[row.number] == TRIES:
                yield Outcome(row.number, "failed", f"its worker died {TRIES} times over it ({outcome})")
            elif deaths[row.number] == TRIES - 1:
                alone.append(row)
            else:
                lane.waiting.appendleft(row)


def _outcome(ray: Any, reference: Any, lane: _Lane) -> Outcome | str:
    """What became of a row; if it is that a worker died, the name of the error, once there is another one."""
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        for actor in (lane.reader, lane.painter):
            ray.get(actor.answer.options(max_task_retries=-1).remote())
        return type(error).__name__
    return outcome
