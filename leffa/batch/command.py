"""``leffa batch``: a manifest of rows, and a picture for each of them."""

import argparse
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leffa.errors import FileError, LeffaError
from leffa.report import report

if TYPE_CHECKING:
    from leffa.batch.cluster import Workers
    from leffa.batch.manifest import BadRow, Row
    from leffa.batch.painter import EnginePainter, MakePainter
    from leffa.batch.plan import Outcome, Plan
    from leffa.batch.progress import Progress

SUMMARY = "paint every row of a manifest: CSV, JSON lines or Parquet"
EXAMPLES = (
    "leffa batch catalogue.csv --out results\n"
    "leffa batch catalogue.parquet --out results --workers 4    # on Ray; the same again goes on\n"
    "leffa batch s3://shop/rows.jsonl --out results --workers 16 --address auto"
)
CACHE = "cache"
_LEAST, _SHARE = 10.0, 20  # s between two writings of results.jsonl, and at most 1 / 20 of the time for it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``leffa batch``."""
    parser.add_argument(
        "manifest",
        metavar="MANIFEST",
        help="columns person,garment,kind or reference,pose; optionally mask,seed,steps,output",
    )
    add_running(parser)


def add_running(parser: argparse.ArgumentParser) -> None:
    """Declare how rows are run."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="results and results.jsonl; gone on with"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="painters on Ray; 0 = one process, without Ray (default: %(default)s)",
    )
    parser.add_argument(
        "--readers", type=int, metavar="N", help="workers that read pictures (default: half as many)"
    )
    parser.add_argument("--worker-cpus", type=float, default=1, metavar="N", help="of each (default: 1)")
    parser.add_argument(
        "--worker-gpus", type=float, metavar="N", help="of each (default: 1 if there are any)"
    )
    parser.add_argument("--address", help="of a running Ray cluster, such as auto (default: this machine)")
    parser.add_argument(
        "--batch", type=int, default=8, metavar="N", help="rows of one garment for one worker (default: 8)"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="what is known of photos and garments (default: in --out)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of rows that name none (default: %(default)s)")
    parser.add_argument(
        "--pace", choices=["fast", "balanced", "quality"], help="as in `leffa tryon` (default: quality)"
    )
    parser.add_argument(
        "--steps", type=int, help="of rows that name none (default: the pace's, else the model's)"
    )
    parser.add_argument("--guidance", type=float, help="guidance scale (default: the model's)")
    parser.add_argument("--model", help="weights to use (default: the best present)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the best present)")
    parser.add_argument("--memory", default="auto", help="as in `leffa tryon` (default: what fits)")
    parser.add_argument("--force", action="store_true", help="write over files that leffa has not written")


def run(options: argparse.Namespace) -> None:
    """Paint the manifest as the options say. Raises LeffaError if it cannot be begun, or not gone on with."""
    from leffa.batch.manifest import read_manifest

    check(options)
    run_rows(
        read_manifest(options.manifest, options.seed), options.out, painter(options), workers(options),
        options.force,
    )  # fmt: skip


def check(options: argparse.Namespace) -> None:
    """Raise LeffaError for options that do not do."""
    for name, least in (("workers", 0), ("batch", 1), ("readers", 1), ("seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise LeffaError(f"--{name} must be at least {least}, got {value}")
    if options.address and not options.workers:
        raise LeffaError("--address needs --workers, the number of painters on the cluster")


def painter(options: argparse.Namespace) -> "EnginePainter":
    """By the options. Raises LeffaError for settings that the model cannot do."""
    from leffa.batch.painter import EnginePainter
    from leffa.batch.plan import HIDDEN
    from leffa.run.pace import Pace
    from leffa.run.settings import Settings
    from leffa.weights.models import MODELS, find

    cache = (options.cache or options.out / HIDDEN / CACHE).absolute()
    made = EnginePainter(
        cache, options.model, options.device, options.memory, options.guidance, options.steps,
        options.pace and Pace(options.pace),
    )  # fmt: skip
    if options.model is not None and options.model not in MODELS:
        raise LeffaError(f"unknown model {options.model!r}; there are {', '.join(MODELS)}")
    settings = Settings(steps=options.steps, guidance_scale=options.guidance, pace=made.pace)
    named = MODELS[options.model].tasks[0] if options.model else MODELS["bundled"].tasks[0]
    settings.resolved(find(named, options.model))
    return made


def workers(options: argparse.Namespace) -> "Workers | None":
    """By the options; None = in this process."""
    from leffa.batch.cluster import Workers

    if not options.workers:
        return None
    gpus = options.worker_gpus
    if gpus is None:
        gpus = float(_sees_gpu() and not options.device.startswith("cpu"))
    return Workers(
        options.workers, options.readers, options.worker_cpus, gpus, options.batch, options.address
    )


def _sees_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def run_rows(
    rows: "Iterable[Row | BadRow]",
    folder: Path,
    make_painter: "MakePainter",
    workers: "Workers | None" = None,
    force: bool = False,
) -> None:
    """Paint rows into a folder, going on where an earlier run stopped.

    workers  None = in this process

    Raises FileError if the disk is full; what is done by then stays done.
    """
    from leffa.batch.cluster import run_cluster
    from leffa.batch.local import run_local
    from leffa.batch.plan import Plan
    from leffa.batch.progress import Progress

    deciding: dict[str, Any] = getattr(make_painter, "deciding", dict)()
    with Plan(folder) as plan:
        plan.fill(rows, deciding, force)
        counts = plan.counts()
        progress = Progress(sum(counts.values()), sum(counts.values()) - counts["open"])
        waiting = plan.waiting()
        outcomes = (
            run_cluster(waiting, make_painter, folder, workers)
            if workers
            else run_local(waiting, make_painter, folder)
        )
        try:
            _collect(plan, outcomes, progress)
        except BaseException as stop:
            outcomes.close()
            with suppress(FileError):  # a full disk may have no room for them either
                plan.write_results()
            if isinstance(stop, FileError):
                raise FileError(f"{stop} The same command goes on from here.") from stop
            raise
        counts = plan.counts()
    report(progress.line())
    report(f"{folder}: {counts['done']} done, {counts['failed']} failed; see results.jsonl")


def _collect(plan: "Plan", outcomes: "Iterable[Outcome]", progress: "Progress") -> None:
    """Note what becomes of the rows; now and then, and at the end, results.jsonl says it."""
    written = time.monotonic()
    pause = _LEAST
    for outcome in outcomes:
        if outcome.status == "stopped":
            raise FileError(outcome.reason)
        plan.note(outcome)
        progress.count(outcome)
        if time.monotonic() - written > pause:
            begun = time.monotonic()
            plan.write_results()
            written = time.monotonic()
            pause = max(_LEAST, _SHARE * (written - begun))
    plan.write_results()
