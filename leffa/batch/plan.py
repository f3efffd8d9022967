"""Which rows are done: a journal beside the results, so that a run that was killed goes on where it stopped.

A row is done when its picture has its place and the journal says so, in this order: a run killed between the
two paints that row once more, to the same bytes. Memory does not grow with the number of rows.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leffa.batch.manifest import BadRow, Row, is_remote
from leffa.errors import FileError, LeffaError
from leffa.files import check_folder, check_outputs, in_words, remove_partial, written

RESULTS = "results.jsonl"
HIDDEN = ".leffa"
JOURNAL = "journal.sqlite"

_SCHEMA = """
create table if not exists rows (
    number integer primary key, request text, output text, print text, status text, reason text,
    first text, second text);
create table if not exists names (name text primary key, number integer);
create table if not exists queue (place integer primary key, number integer);
"""
_PAGE = 256  # rows that are read from the journal at once


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    status  "done", "failed" (the row is at fault), or "stopped" (nothing can be written: so is the run)
    reason  one sentence; "" where it is done
    hits, misses  what was known of its person and garment, and what had to be found anew
    """

    number: int
    status: Literal["done", "failed", "stopped"]
    reason: str = ""
    hits: int = 0
    misses: int = 0


class Plan:
    """The rows of a manifest and what became of them. One run at a time has it; a context manager.

    folder  of results; it is made, and gone on with if it was begun by a run. Raises FileError if it holds
            somebody else's results, LeffaError if another run is at work in it
    """

    def __init__(self, folder: Path):
        self.folder = folder
        check_folder(folder, [RESULTS], lambda place: (place / HIDDEN / JOURNAL).is_file())
        with in_words(folder):
            (folder / HIDDEN).mkdir(parents=True, exist_ok=True)
        with _sentences():
            self._base = sqlite3.connect(folder / HIDDEN / JOURNAL, timeout=1, isolation_level=None)
            self._base.execute("pragma locking_mode = exclusive")
            self._base.execute("pragma synchronous = normal")
            self._base.executescript(f"begin exclusive; {_SCHEMA} commit;")
        remove_partial(folder)  # what a killed run was writing

    def __enter__(self) -> "Plan":
        return self

    def __exit__(self, *exception: object) -> None:
        self._base.close()

    def fill(self, rows: Iterable[Row | BadRow], settings: dict[str, Any], force: bool = False) -> None:
        """Take in the manifest: what is done under the same request, files and settings stays done.

        settings  whatever else decides a row's picture
        force     write over files that leffa has not written
        """
        count = 0
        with _sentences(), self._transaction():
            self._base.execute("delete from names")
            for row in rows:
                self._take(row, settings, force)
                count = row.number + 1
            if not count:
                raise LeffaError("the manifest has no rows")
            self._base.execute("delete from rows where number >= ?", (count,))
            self._base.execute("delete from queue")
            self._base.execute(
                "insert into queue (number) select number from rows where status = 'open' "
                "order by first, second, number"
            )

    def _take(self, row: Row | BadRow, settings: dict[str, Any], force: bool) -> None:
        if isinstance(row, BadRow):
            self._write(row.number, "", row.output, "", "failed", row.reason)
            return
        request, mark = json.dumps(row.as_dict()), _print(row, settings)
        old = self._base.execute("select * from rows where number = ?", (row.number,)).fetchone()
        taken = self._base.execute("select number from names where name = ?", (row.output.casefold(),))
        if (other := taken.fetchone()) is not None:
            reason = f"row {other[0]} writes {row.output!r} already: give another output"
            self._write(row.number, request, row.output, mark, "failed", reason)
            return
        self._base.execute("insert into names values (?, ?)", (row.output.casefold(), row.number))
        target = self.folder / row.output
        is_there = os.path.lexists(target)
        known = old is not None and old[2] == row.output and old[4] in ("done", "open")
        if known and old[4] == "done" and old[3] == mark and is_there:
            return
        if is_there:
            try:
                local = [name for name in row.inputs if not is_remote(name)]
                check_outputs([target], local, force or known)
            except FileError as error:
                self._write(row.number, request, row.output, mark, "failed", str(error))
                return
        first, second = (row.garment, row.person) if row.person else (row.reference, row.pose)
        self._write(row.number, request, row.output, mark, "open", "", first, second)

    def _write(self, *values: Any) -> None:
        filled = [*values, "", ""][:8]
        self._base.execute("insert or replace into rows values (?, ?, ?, ?, ?, ?, ?, ?)", filled)

    def waiting(self) -> Iterator[Row]:
        """The rows to be done, those of one garment (or one person in several poses) behind each other."""
        place = 0
        while True:
            page = self._base.execute(
                "select place, request from queue join rows using (number) where place > ? "
                "order by place limit ?",
                (place, _PAGE),
            ).fetchall()
            if not page:
                return
            for place, request in page:  # noqa: B007 - the last one is where the next page begins
                yield Row(**json.loads(request))

    def note(self, outcome: Outcome) -> None:
        """Write down what became of a row; it survives whatever happens to this process."""
        with _sentences():
            self._base.execute(
                "update rows set status = ?, reason = ? where number = ?",
                (outcome.status, outcome.reason, outcome.number),
            )

    def counts(self) -> dict[str, int]:
        """Rows by status: "open", "done", "failed"."""
        found = dict(self._base.execute("select status, count(*) from rows group by status"))
        return {status: found.get(status, 0) for status in ("open", "done", "failed")}

    def write_results(self) -> None:
        """Write ``results.jsonl``, a line for each row that is done or failed, whole or not at all."""
        rows = self._base.execute(
            "select number, status, output, reason from rows where status in ('done', 'failed') "
            "order by number"
        )
        with closing(rows), written(self.folder / RESULTS) as file:
            for number, status, output, reason in rows:
                line = {"row": number, "status": status, "output": output, "reason": reason}
                file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("begin")
        try:
            yield
        except BaseException:
            self._base.execute("rollback")
            raise
        self._base.execute("commit")


def _print(row: Row, settings: dict[str, Any]) -> str:
    """Digest of all that decides the row's picture; of local files their size and time of change."""
    facts: list[Any] = [row.as_dict(), settings]
    for name in row.inputs:
        try:
            seen = None if is_remote(name) else os.stat(name)
        except OSError:
            seen = None
        facts.append(None if seen is None else [seen.st_size, seen.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise LeffaError(
                "another run is at work in this folder: wait for it, or give another --out"
            ) from None
        raise FileError(f"the journal cannot be written: {error}.") from None
    except sqlite3.DatabaseError as error:
        raise FileError(
            f"the journal of this folder cannot be read ({error}): delete its folder {HIDDEN!r}; the rows "
            "are then done anew."
        ) from None
