"""A run in the background: waiting in line, progress with previews, stop, and how long it will take."""

import contextvars
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from demo.checking import check
from demo.gate import Limits
from demo.gpu import gpu, on_shared_gpu
from demo.queue import Queue
from leffa.config import Task
from leffa.errors import LeffaError
from leffa.run.findings import Findings
from leffa.run.result import Result, StoppedError
from leffa.run.settings import Settings
from leffa.weights.models import find

if TYPE_CHECKING:
    from leffa.engine import Engine

FIXED_SECONDS = 1.5  # of a run beside its steps, until the first ones have been timed
STEP_SECONDS = 0.7


@dataclass(frozen=True)
class Work:
    """What is to be painted.

    person     the prepared photo; in pose transfer the prepared picture that gives the pose
    reference  the garment picture; in pose transfer the prepared person whose look is kept
    findings   of the visitor
    """

    task: Task
    person: Any
    reference: Any
    settings: Settings
    garment: str | None = None
    mask: Any = None
    findings: Findings | None = None

    @property
    def weight(self) -> int:
        """How much there is to do, in steps of one sample, counting those with guidance twice."""
        model = find(self.task)
        resolved = self.settings.resolved(model)
        first, last = resolved.recipe(model).guidance_interval
        guided = last - first if resolved.guidance_scale > 1 else 0
        return round(resolved.steps * (1 + guided)) * resolved.samples


@dataclass(frozen=True)
class Step:
    """Where a run is.

    share      done, in [0, 1]
    what       what is being done, as the engine says it
    preview    the unfinished picture, where there is a new one
    remaining  seconds left, about
    ahead      people before this one, while waiting; else 0
    """

    share: float
    what: str
    preview: Image.Image | None = None
    remaining: float | None = None
    ahead: int = 0


class Speed:
    """How long a unit of work takes on this machine: learnt from the runs it sees."""

    def __init__(self) -> None:
        self._per_unit = STEP_SECONDS
        self._timed = False
        self._lock = threading.Lock()

    def seconds(self, weight: int) -> float:
        return FIXED_SECONDS + weight * self._per_unit

    def learn(self, weight: int, seconds: float) -> None:
        measured = max(seconds - FIXED_SECONDS, 0.1) / max(weight, 1)
        with self._lock:
            share = 0.4 if self._timed else 1.0
            self._per_unit += share * (measured - self._per_unit)
            self._timed = True


SPEED = Speed()
QUEUE = Queue()
LIMITS = Limits()  # of this process, set as it starts
CLOSING = threading.Event()  # nothing new is begun, what runs ends


@cache
def _engine_once(device: str) -> "Engine":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch comes in
    from leffa.engine import Engine

    return Engine(device, findings=Findings(most_bytes=0))  # whoever the pictures are of


_ENGINE_LOCK = threading.Lock()


def engine(findings: Findings | None = None, painting: bool = False) -> "Engine":
    """The engine of this process, made on the first call.

    findings  the visitor's whose pictures it looks at; without them it remembers nothing
    painting  for a run. Where the GPU is lent for runs only, everything else must make do with the CPU.
    """
    with _ENGINE_LOCK:
        everybodys = _engine_once("cpu" if on_shared_gpu() and not painting else "auto")
    return everybodys if findings is None else everybodys.apart(findings)


def warm_up() -> threading.Thread:
    """Bring in the heavy packages and the people finder behind the page; returns the thread that does it."""

    def work() -> None:
        with suppress(LeffaError):  # there is nobody in a white picture
            engine().prepare(Image.new("RGB", (256, 256), "white"))

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def run(work: Work, stop: threading.Event, visitor: str = "") -> "Iterator[Step | Result]":
    """Wait in line and paint: ``Step``s, and at last the ``Result``.

    visitor  whose run it is, for the limit of each. Raises what the engine raises; ``BusyError`` if too many
    are in line; ``StoppedError`` if ``stop`` was set, also while waiting; LeffaError if it took longer than a
    run may.
    """
    events: queue.Queue = queue.Queue()
    weight = work.weight  # raises for settings that no model can do, before anybody waits
    context = contextvars.copy_context()  # a Space finds in it who asks for the GPU
    told = (_wait_and_paint, work, weight, stop, visitor, events)
    threading.Thread(target=context.run, args=told, name="painting", daemon=True).start()
    started = None
    try:
        while True:
            event = events.get()
            if isinstance(event, BaseException):
                raise event
            if not isinstance(event, Step):
                for picture in event.images:
                    check("result", picture)
                yield event
                return
            if event.ahead == 0:
                started = started or time.monotonic()
                event = _with_remaining(event, weight, time.monotonic() - started)
            yield event
    finally:
        stop.set()  # a visitor who leaves takes the run along


def _wait_and_paint(
    work: Work, weight: int, stop: threading.Event, visitor: str, events: queue.Queue
) -> None:
    """Put into ``events`` what is to be told of a run, from its place in line to its result or error."""
    too_long = threading.Event()

    def end_late() -> None:
        too_long.set()
        stop.set()

    def report(ahead: int) -> None:
        events.put(Step(0, "waiting", ahead=ahead))

    try:
        with QUEUE.turn(stop, report, visitor, LIMITS.in_line, LIMITS.each) as may_go:
            if CLOSING.is_set() or not may_go:
                raise StoppedError("The run was stopped.")
            started = time.monotonic()
            clock = threading.Timer(LIMITS.seconds, end_late)
            clock.daemon = True
            clock.start()
            try:
                for event in _paint(work, None if on_shared_gpu() else stop):
                    if on_shared_gpu() and stop.is_set():
                        raise StoppedError("The run was stopped.")
                    events.put(event)
            finally:
                clock.cancel()
            SPEED.learn(weight, time.monotonic() - started)
    except StoppedError as stopped:
        events.put(_ended(stopped, too_long.is_set()))
    except BaseException as problem:
        events.put(problem)


def _ended(stopped: LeffaError, too_long: bool) -> LeffaError:
    """Why a run ended that its visitor may not have stopped."""
    if CLOSING.is_set():
        return LeffaError("the app is being stopped, and the run with it: try again in a minute")
    if too_long:
        return LeffaError(
            f"the run took longer than the {LIMITS.seconds:.0f} seconds that are allowed here: "
            "take fewer steps or pictures"
        )
    return stopped


def _with_remaining(step: Step, weight: int, gone: float) -> Step:
    expected = SPEED.seconds(weight)
    if step.share > 0.3:  # what is seen of this run counts more than what is known of others
        expected = gone / step.share
    return Step(step.share, step.what, step.preview, max(0.0, expected - gone))


def _affordable(work: Work, device: str) -> tuple[Settings, list[str]]:
    """The settings of a run on a kind of device, and what the visitor should know of them: without a graphics
    card the published weights paint small pictures, or they would take hours."""
    model = find(work.task)
    if device != "cpu" or not model.smaller or work.settings.size is not None:
        return work.settings, []
    size = min(model.sizes)
    remark = f"There is no graphics card here: painted at {size[0]}x{size[1]} instead of {model.size[0]}x"
    return replace(work.settings, size=size), [
        f"{remark}{model.size[1]}; the pace Fast takes the least time."
    ]


def _seconds_on_gpu(work: Work, stop: threading.Event | None) -> int:
    """What a run may take of a shared GPU: asked for tightly, since it comes off a visitor's daily share."""
    return int(6 + 0.4 * work.weight)


@gpu(duration=_seconds_on_gpu)
def _paint(work: Work, stop: threading.Event | None) -> "Iterator[Step | Result]":
    """Paint in a thread of this process and hand on what it reports.

    On a shared GPU this runs in a process of its own, which an event of ours does not reach: ``stop`` is None
    there, and giving up the iterator ends it.
    """
    events: queue.Queue = queue.Queue()

    def report(share: float, what: str, preview: Image.Image | None) -> None:
        events.put(Step(share, what, preview))

    def paint() -> None:
        try:
            painter = engine(work.findings, painting=True)
            settings, remarks = _affordable(work, painter.pipelines.machine().kind)
            shared: dict[str, Any] = {"settings": settings, "progress": report, "stop": stop}
            if work.task is Task.TRY_ON:
                result = painter.try_on(
                    work.person, work.reference, work.garment or "upper", work.mask, **shared
                )
            else:
                result = painter.pose_transfer(work.reference, work.person, **shared)
            events.put(replace(result, notes=[*result.notes, *remarks]))
        except BaseException as problem:
            events.put(problem)

    threading.Thread(target=paint, name="engine", daemon=True).start()
    while True:
        event = events.get()
        if isinstance(event, BaseException):
            raise event
        yield event
        if not isinstance(event, Step):
            return
