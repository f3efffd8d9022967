"""All rows in this process, one after the other."""

from collections.abc import Generator, Iterable
from pathlib import Path

from leffa.batch.manifest import Row
from leffa.batch.painter import MakePainter, paint_row, read_row
from leffa.batch.plan import Outcome


def run_local(rows: Iterable[Row], make_painter: MakePainter, folder: Path) -> Generator[Outcome, None, None]:
    """What became of each row."""
    painter = make_painter()
    for row in rows:
        yield paint_row(painter, row, read_row(painter, row), folder)
