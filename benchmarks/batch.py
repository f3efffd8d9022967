"""Catalogues: what workers give, whether results are the same to the byte, what the plumbing alone takes.

    python benchmarks/batch.py                    200 rows: 10 people x 20 garments of the examples, small
    python benchmarks/batch.py --plumbing 20000   rows of a stub that paints grey: speed, memory of the driver
    python benchmarks/batch.py --quick            2 x 2 rows, 200 of the stub: that it runs

Every way starts with empty memory, and its start and the loading of the weights count. Single calls are
``Engine.try_on`` of one process, which reads every picture again. Ways with workers need Ray, and are left
out without it. Rows a minute are by the clock: run it on a machine that has nothing else to do.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leffa.batch.cluster import Workers
from leffa.batch.command import run_rows
from leffa.batch.manifest import Row, read_manifest
from leffa.images import SUFFIXES, load_image, save_atomically

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "assets/examples"
STEPS = 1
SAMPLED = 0.2  # s between two looks at the driver's memory


def write_manifest(folder: Path, people: int, garments: int, height: int) -> list[dict[str, str]]:
    """Small copies of the examples and a manifest of all pairs; its lines."""

    def small(path: Path) -> str:
        name = f"{path.parent.name}-{path.stem}.png"
        picture = load_image(path)
        size = (round(height * picture.width / picture.height), height)
        picture.resize(size, Image.Resampling.LANCZOS).save(folder / name)
        return name

    worn = [small(path) for path in pictures(EXAMPLES / "people")[:people]]
    shots = [(small(path), path.parent.name) for path in pictures(EXAMPLES / "garments")[:garments]]
    return [
        {"person": person, "garment": shot, "kind": kind, "seed": str(seed), "output": f"{seed:03}.png"}
        for seed, (person, (shot, kind)) in enumerate((one, other) for one in worn for other in shots)
    ]


def pictures(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES]


def write_lines(path: Path, lines: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def batch(manifest: Path, out: Path, *options: str) -> str:
    """Run ``leffa batch``; what it says of pictures that were known."""
    command = [sys.executable, "-m", "leffa.cli", "batch", str(manifest), "--out", str(out), *options]
    command += ["--model", "bundled", "--device", "cpu", "--steps", str(STEPS)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return re.findall(r"\d+ of \d+ pictures known", done.stdout)[-1]


def singly(manifest: Path, out: Path) -> str:
    """Every row by a call of its own."""
    import torch

    from leffa.engine import Engine
    from leffa.run.settings import Settings

    torch.set_num_threads(1)
    out.mkdir()
    engine = Engine("cpu")
    for row in read_manifest(str(manifest)):
        assert isinstance(row, Row)
        settings = Settings(steps=STEPS, seed=row.seed)
        person, garment = load_image(row.person), load_image(row.garment)
        result = engine.try_on(person, garment, row.kind, settings=settings, model="bundled")
        save_atomically(result.images[0], out / row.output, is_made=True)
    return "nothing kept"


def compare_ways(people: int, garments: int, height: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = write_manifest(folder, people, garments, height)
        usual, turned = folder / "usual.csv", folder / "turned.csv"
        write_lines(usual, lines)
        write_lines(turned, lines[::-1])
        ways = {
            "one process": lambda out: batch(usual, out, "--workers", "0"),
            "2 workers": lambda out: batch(usual, out, "--workers", "2"),
            "1 worker": lambda out: batch(usual, out, "--workers", "1"),
            "2 workers, rows from the last, 3 at once": lambda out: batch(
                turned, out, "--workers", "2", "--batch", "3"
            ),
            "single calls": lambda out: singly(usual, out),
        }
        first: dict[str, bytes] = {}
        print(f"{len(lines)} rows, {height} px high, {STEPS} step, one thread each; compared with the first")
        for number, (way, run) in enumerate(ways.items()):
            if "worker" in way and find_spec("ray") is None:
                print(f"{way}: left out, Ray is not here")
                continue
            begun = time.monotonic()
            known = run(folder / str(number))
            minutes = (time.monotonic() - begun) / 60
            found = {path.name: path.read_bytes() for path in pictures(folder / str(number))}
            first = first or found
            wrong = sum(found.get(line["output"]) != first.get(line["output"]) for line in lines)
            print(
                f"{way}: {len(lines) / minutes:.1f} rows a minute, {known}, {len(found)} results, "
                f"{wrong} differ in bytes",
                flush=True,
            )


class Stub:
    """Paints every row grey, and opens nothing."""

    def __call__(self) -> "Stub":
        return self

    def read(self, row: Row) -> tuple[int, int]:
        return 0, 0

    def paint(self, row: Row) -> Image.Image:
        return Image.new("L", (8, 8), 128)


def time_plumbing(count: int, workers: Workers | None) -> None:
    """Rows a second without reading and painting, and the memory of the process that drives."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        rows = (
            Row(number, "p.png", "g.png", output=f"{number % 100:02}/{number}.png") for number in range(count)
        )
        resident: list[float] = []
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(SAMPLED):
                resident.append(_resident())

        looking = threading.Thread(target=look)
        looking.start()
        begun, used = time.monotonic(), time.process_time()
        try:
            run_rows(rows, out, Stub(), workers)
        finally:
            ended.set()
            looking.join()
        seconds, used = time.monotonic() - begun, time.process_time() - used
        resident.append(_resident())
        quarter, most = resident[len(resident) // 4], max(resident)
        print(
            f"the stub, {f'{workers.painters} workers' if workers else 'one process'}: {count} rows, "
            f"{count / seconds:.0f} a second; driver {1000 * used / count:.2f} ms of processor a row, "
            f"{quarter:.0f} MiB after a quarter, {resident[-1]:.0f} at the end, {most:.0f} at most",
            flush=True,
        )


def _resident() -> float:
    """MiB of this process (Linux)."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="that it runs, in under a minute")
    parser.add_argument("--plumbing", type=int, metavar="ROWS", help="only the stub, so many rows")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--garments", type=int, default=20)
    parser.add_argument("--height", type=int, default=256, help="px of every picture (default: %(default)s)")
    options = parser.parse_args()
    if options.quick:
        options.people, options.garments, options.plumbing = 2, 2, None
    if not options.plumbing:
        compare_ways(options.people, options.garments, options.height)
    if options.plumbing or options.quick:
        time_plumbing(options.plumbing or 200, None)
        if find_spec("ray"):
            time_plumbing(options.plumbing or 200, Workers(2))


if __name__ == "__main__":
    main()
