"""Many visitors at once: is every request answered, as if it were alone, and does memory come back?

    python benchmarks/load.py              200 requests of 20 visitors, at 4 steps with the bundled weights
    python benchmarks/load.py --quick      2 requests of 2 visitors, two ways to end
    python benchmarks/load.py --only-ends  only how soon the next visitor's run begins

Prints what was lost, how many answers differ from the same request asked alone, seconds at the 50th, 90th and
99th percentile, the app's memory after the first ten, at most, and when everybody has left, and seconds until
the next run begins when a visitor goes, stops or paints for longer than is allowed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "demo"))
sys.path.insert(0, str(ROOT / "tests"))

from asking import META, ask, number_of, upload  # noqa: E402
from serving import free_port  # noqa: E402

KINDS = 5  # of requests, each of which is also asked alone
AFTER = 10  # requests, after which memory is first read
LONGEST_RUN = 20.0  # s, where a run meets the limit
ENDS = ("leaves", "drops the stream", "stops")
SETTLE = 10.0  # s after the last visitor has left, before memory is read again


class App:
    """A running app of its own, and how much memory it takes."""

    def __init__(self, *arguments: str) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.folder = tempfile.TemporaryDirectory()
        environment = os.environ | {"GRADIO_TEMP_DIR": self.folder.name, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        self.most = 0.0
        while not self._answers():
            time.sleep(0.3)
        self.number = number_of(self.address, "try_on")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def megabytes(self) -> float:
        value = psutil.Process(self.process.pid).memory_info().rss / 1e6
        self.most = max(self.most, value)
        return value

    def request(self, visitor: str, kind: int, steps: int) -> tuple[bytes | None, float, str]:
        """The picture of a request, the seconds it took, and what was said if there is none."""
        people = sorted((ROOT / "assets/examples/people").glob("*.jpg"))
        garments = sorted((ROOT / "assets/examples/garments/upper").glob("*.jpg"))
        files = people[kind % len(people)], garments[kind % len(garments)]
        started = time.monotonic()
        given = [{"path": upload(self.address, one.read_bytes(), one.name), "meta": META} for one in files]
        values = [*given, "upper", "auto", "auto", ["face"], None, steps, None, None, kind, 1]
        done, answer = ask(self.address, self.number, values, visitor)
        seconds = time.monotonic() - started
        if not done:
            return None, seconds, str(answer)
        return httpx.get(answer[0]["url"], timeout=60).content, seconds, ""


class Visit:
    """A visitor's open page: while it is open, what they have is kept."""

    def __init__(self, address: str, visitor: str):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stay, args=(address, visitor), daemon=True)
        self._thread.start()

    def _stay(self, address: str, visitor: str) -> None:
        with httpx.stream("GET", f"{address}/gradio_api/heartbeat/{visitor}", timeout=None) as stream:
            lines = stream.iter_lines()
            next(lines)
            self._stop.wait()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()


def freed(app: App, how: str, longest: float = 0.0) -> float:
    """Seconds from the end of a visitor's long run, however it ends, until the next one's run begins.

    longest  s that a run may take, where it meets the limit
    """
    this, following = f"ends-{how[:5]}", f"waits-{how[:5]}"
    event, page = join(app, this, steps=100, samples=4), Visit(app.address, this)
    with ExitStack() as streams:
        own = streams.enter_context(listening(app, this))
        next(line for line in own if '"desc"' in line)
        begun = time.monotonic()
        next(line for line in own if "painting, step" in line)
        join(app, following, steps=4, samples=1)
        with listening(app, following) as next_one:
            next(line for line in next_one if "busy, position 1" in line)
            ended = begun + longest if longest else time.monotonic()
            if how == "leaves":
                page.leave()
            elif how == "drops the stream":
                streams.close()
            elif how == "stops":
                body = {"fn_index": app.number, "session_hash": this, "event_id": event}
                httpx.post(f"{app.address}/gradio_api/cancel", json=body, timeout=60).raise_for_status()
            next(line for line in next_one if '"desc"' in line and "busy" not in line)
            return time.monotonic() - ended


def join(app: App, visitor: str, steps: int, samples: int) -> str:
    """Ask for a run without waiting for it; returns the number it is known by."""
    files = [next((ROOT / "assets/examples" / kind).glob("*.jpg")) for kind in ("people", "garments/upper")]
    given = [{"path": upload(app.address, one.read_bytes(), one.name), "meta": META} for one in files]
    values = [*given, "upper", "auto", "auto", ["face"], None, steps, None, None, 1, samples]
    body = {"fn_index": app.number, "data": values, "session_hash": visitor}
    answer = httpx.post(f"{app.address}/gradio_api/queue/join", json=body, timeout=60)
    return answer.raise_for_status().json()["event_id"]


@contextmanager
def listening(app: App, visitor: str) -> Iterator[Iterator[str]]:
    address = f"{app.address}/gradio_api/queue/data?session_hash={visitor}"
    with httpx.stream("GET", address, timeout=600) as stream:
        yield stream.iter_lines()


def pixels(content: bytes) -> np.ndarray:
    import io

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Many visitors at once.")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1e9, help="after that nothing more is asked")
    parser.add_argument("--only-ends", action="store_true", help="only the seconds until the next run begins")
    parser.add_argument("--quick", action="store_true", help="2 requests of 2 visitors, two ways to end")
    options = parser.parse_args()
    options.kinds, options.after, options.settle = KINDS, AFTER, SETTLE
    longest, ends = LONGEST_RUN, ENDS
    if options.quick:
        options.requests, options.visitors = 2, 2
        options.kinds, options.after, options.settle = 2, 1, 0
        longest, ends = LONGEST_RUN / 3, ENDS[:1]
    with running() as app:
        if not options.only_ends:
            alone = [app.request(f"alone-{kind}", kind, options.steps)[0] for kind in range(options.kinds)]
            measure(app, alone, options)
        for how in ends:
            print(f"seconds to the next run when a visitor {how}: {freed(app, how):.1f}", flush=True)
    with running("--longest-run", str(longest)) as app:
        how = "meets the time limit"
        print(f"seconds to the next run when a visitor {how}: {freed(app, how, longest):.1f}")


@contextmanager
def running(*arguments: str) -> Iterator[App]:
    """An app, whose end is told: by which status, and how many of the visitors' files it left."""
    app = App(*arguments)
    try:
        yield app
    finally:
        app.process.terminate()
        print(f"exit status {app.process.wait(60)}")
    left = [file for file in Path(app.folder.name).rglob("*") if file.is_file()]
    print(f"files left of visitors {len(left)}", flush=True)


def measure(app: App, alone: list[bytes | None], options: argparse.Namespace) -> None:
    lost: list[str] = []
    differing, done, first = 0, 0, app.megabytes()
    seconds: list[float] = []
    lock, until = threading.Lock(), time.monotonic() + 60 * options.minutes

    def visit(number: int) -> None:
        nonlocal differing, done, first
        visitor = f"visitor-{number}"
        page = Visit(app.address, visitor)
        for turn in range(number, options.requests, options.visitors):
            if time.monotonic() > until:
                break
            content, took, said = app.request(visitor, turn % options.kinds, options.steps)
            with lock:
                done += 1
                seconds.append(took)
                now = app.megabytes()
                first = now if done == options.after else first
                expected = alone[turn % options.kinds]
                if content is None or expected is None:
                    lost.append(said)
                elif not np.array_equal(pixels(content), pixels(expected)):
                    differing += 1
        page.leave()

    with ThreadPoolExecutor(options.visitors) as pool:
        list(pool.map(visit, range(options.visitors)))
    time.sleep(options.settle)
    at = np.percentile(seconds, [50, 90, 99])
    print(f"requests {done}, lost {len(lost)}, differing from the same alone {differing}")
    for said in sorted(set(lost)):
        print(f"  lost: {said}")
    print(f"seconds at the 50th, 90th, 99th percentile {at[0]:.1f} {at[1]:.1f} {at[2]:.1f}")
    memory = f"at most {app.most:.0f}, when all had left {app.megabytes():.0f}"
    print(f"MB after {options.after}: {first:.0f}, {memory}")


if __name__ == "__main__":
    main()
