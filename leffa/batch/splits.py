"""``leffa generate``: a split of a data set as a manifest, for ``leffa evaluate --results`` to judge."""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from leffa.batch import command
from leffa.config import Garment
from leffa.data.sources import Source
from leffa.errors import LeffaError
from leffa.files import in_words

if TYPE_CHECKING:
    from leffa.batch.manifest import Row

SUMMARY = "paint a split of a data set, with the true pictures beside the results"
EXAMPLES = (
    "leffa generate --data viton-hd:VITON-HD --out out && leffa evaluate --results out\n"
    "leffa generate --data dress-code:DressCode --unpaired --out out --workers 4\n"
    "leffa generate --data deep-fashion:DeepFashion --out out\n"
    "leffa generate --data synthetic:0 --count 20 --out out"
)
DATA = ("viton-hd", "dress-code", "deep-fashion", "synthetic")
TRUTH = "truth"
PEOPLE = "people"  # folder of rendered ones


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``leffa generate``."""
    known = ", ".join(f"{kind}:..." for kind in DATA)
    parser.add_argument("--data", required=True, metavar="KIND:WHERE", help=f"one of {known}")
    parser.add_argument("--split", choices=["train", "test"], default="test", help="(default: %(default)s)")
    parser.add_argument("--unpaired", action="store_true", help="another garment than the person's own")
    parser.add_argument("--count", type=int, help="rows (default: all; of synthetic people 100)")
    command.add_running(parser)


def run(options: argparse.Namespace) -> None:
    """Paint a split. Raises LeffaError if the data set is not whole, as training on it would."""
    command.check(options)
    source = Source.parse(options.data)
    if source.kind not in DATA:
        raise LeffaError(f"{source.kind} data has no photos to paint on: take {', '.join(DATA)}")
    if options.count is not None and options.count < 1:
        raise LeffaError(f"--count must be at least 1, got {options.count}")
    painter = command.painter(options)
    pairs = list(_pairs(source, options))[: options.count]
    rows = [_row(number, pair, options.seed) for number, pair in enumerate(pairs)]
    if not options.unpaired:
        _lay_truth(options.out / TRUTH, pairs)
    command.run_rows(rows, options.out, painter, command.workers(options), options.force)


class _Pair:
    """Name, true picture, and the other columns of a row."""

    def __init__(self, name: str, truth: Path, **columns: Path | str):
        self.name, self.truth = name, truth
        self.columns = {key: str(value) for key, value in columns.items()}


def _row(number: int, pair: _Pair, seed: int) -> "Row":
    from leffa.batch.manifest import Row

    return Row(number, seed=seed, output=f"{pair.name}.png", **({"kind": ""} | pair.columns))  # type: ignore[arg-type]


def _pairs(source: Source, options: argparse.Namespace) -> Iterator[_Pair]:
    if source.kind == "synthetic":
        from leffa.synthetic.folder import KINDS

        root = _rendered(source, options)
        kinds = json.loads((root / options.split / KINDS).read_text())
        yield from _viton_hd(root, options, kinds)
    elif source.kind == "viton-hd":
        yield from _viton_hd(Path(source.where), options, {})
    elif source.kind == "dress-code":
        yield from _dress_code(Path(source.where), options)
    else:
        if options.unpaired:
            raise LeffaError("deep-fashion data has no mismatched pairs: leave --unpaired out")
        yield from _deep_fashion(Path(source.where), options)


def _viton_hd(root: Path, options: argparse.Namespace, kinds: dict[str, str]) -> Iterator[_Pair]:
    from leffa.data import viton_hd

    data = viton_hd.VitonHD(root, options.split, not options.unpaired)
    for name, garment, found in data.listed():
        yield _Pair(
            name, found["image"], person=found["image"], garment=found["cloth"], mask=found["mask"],
            kind=kinds.get(garment, Garment.UPPER.value),
        )  # fmt: skip


def _dress_code(root: Path, options: argparse.Namespace) -> Iterator[_Pair]:
    from leffa.data import dress_code

    data = dress_code.DressCode(root, options.split, not options.unpaired)
    for name, kind, shot, product, mask in data.listed():
        yield _Pair(name, shot, person=shot, garment=product, mask=mask, kind=kind.value)


def _deep_fashion(root: Path, options: argparse.Namespace) -> Iterator[_Pair]:
    from leffa.data import deep_fashion

    for name, reference, person in deep_fashion.DeepFashion(root, options.split).listed():
        yield _Pair(name, person, reference=reference, pose=person)


def _rendered(source: Source, options: argparse.Namespace) -> Path:
    """Synthetic people in VITON-HD's layout, beside the results."""
    from leffa.synthetic.folder import FolderJob, write_folder
    from leffa.synthetic.identity import Split
    from leffa.synthetic.samples import Settings

    folder = Path(options.out) / PEOPLE
    settings = Settings(seed=int(source.where), split=Split(options.split), size=(512, 384), reuse=1)
    write_folder(FolderJob(folder, options.count or 100, settings), processes=max(1, options.workers))
    return folder


def _lay_truth(folder: Path, pairs: list[_Pair]) -> None:
    """The true pictures under the results' names: links where the disk has them, else copies."""
    with in_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            place = folder / f"{pair.name}{pair.truth.suffix.lower()}"
            if not place.exists():
                with suppress(OSError):
                    os.link(pair.truth, place)
                if not place.exists():
                    shutil.copyfile(pair.truth, place)
