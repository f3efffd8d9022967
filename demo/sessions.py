"""What each visitor has on the page: kept in memory, one visitor apart from the other, and forgotten."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.history import Run
    from leffa.preprocess.prepared import Prepared

MOST_SESSIONS = 64
IDLE_SECONDS = 3600.0  # for clients that never say good-bye
DEFAULT_LANGUAGE = "en"


@dataclass
class Picked:
    """One picture a visitor has chosen, read once.

    path      the file, for the page to show again
    digest    SHA-256 of the file
    prepared  the people found in it; None for garments
    measure   sleeve and hem of a garment, by its kind, once measured; which kind it looks like, and
              whether somebody wears it
    example   its name among the examples; None for an upload
    """

    image: Any
    path: str
    digest: str
    prepared: "Prepared | None" = None
    measure: dict[str, Any] = field(default_factory=dict)
    example: str | None = None


@dataclass
class Slots:
    """The chosen pictures of one tab and what was made of them.

    pictures   slot -> picture; slots are photo and garment, or person and pose
    choices    values of the widgets that a run depends on, beside the settings
    automatic  the (H, W) uint8 mask before the strokes; when changing pose the prepared pose
    expected   slot -> SHA-256 of the picture of a restored run that is still missing
    """

    pictures: dict[str, Picked] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    automatic: Any = None
    strokes: list[Any] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Slots":
        """The same, to be kept while the visitor goes on changing these."""
        return replace(
            self, pictures=dict(self.pictures), choices=dict(self.choices), strokes=list(self.strokes)
        )


@dataclass
class Session:
    """One visitor.

    notes  the line beside each slot of each tab, in whatever language it is asked for
    """

    language: str = DEFAULT_LANGUAGE
    tabs: dict[str, Slots] = field(default_factory=dict)
    notes: dict[tuple[str, str], Callable[[str], dict]] = field(default_factory=dict)
    runs: "list[Run]" = field(default_factory=list)
    shown: "dict[str, Run]" = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)
    stops: dict[str, threading.Event] = field(default_factory=dict)
    touched: float = field(default_factory=time.monotonic)

    def slots(self, tab: str) -> Slots:
        return self.tabs.setdefault(tab, Slots())

    def note(self, tab: str, slot: str, told: Callable[[str], dict]) -> dict:
        """Set the line beside a slot; returns it in the visitor's language."""
        self.notes[tab, slot] = told
        return told(self.language)

    def noted(self, tab: str, slot: str) -> dict | None:
        """The line beside a slot in the visitor's language; None if nothing was said there."""
        told = self.notes.get((tab, slot))
        return told(self.language) if told else None

    def end(self) -> None:
        """Stop what runs and delete the visitor's files."""
        for stop in self.stops.values():
            stop.set()
        for file in self.files:
            file.unlink(missing_ok=True)
            _remove_if_empty(file.parent)
        self.files.clear()
        self.runs.clear()
        self.tabs.clear()
        self.notes.clear()
        self.shown.clear()


class Sessions:
    """All visitors, by the key that Gradio gives each open page. Thread-safe."""

    def __init__(self, most: int = MOST_SESSIONS, idle_seconds: float = IDLE_SECONDS):
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()
        self._most, self._idle = most, idle_seconds

    def of(self, key: str) -> Session:
        """The visitor's session, new on the first call. Ends those that were idle too long."""
        now = time.monotonic()
        with self._lock:
            session = self._sessions.pop(key, None) or Session()
            session.touched = now
            self._sessions[key] = session
            ended = [old for old, other in self._sessions.items() if now - other.touched > self._idle]
            while len(self._sessions) - len(ended) > self._most:
                ended.append(next(old for old in self._sessions if old not in ended))
            gone = [self._sessions.pop(old) for old in ended]
        for other in gone:
            other.end()
        return session

    def run(self, key: str) -> "Run | None":
        """The kept run of this key, in any session; keys cannot be guessed."""
        with self._lock:
            sessions = list(self._sessions.values())
        return next((run for session in sessions for run in list(session.runs) if run.key == key), None)

    def end(self, key: str) -> None:
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.end()

    def end_all(self) -> None:
        with self._lock:
            keys = list(self._sessions)
        for key in keys:
            self.end(key)

    def __len__(self) -> int:
        return len(self._sessions)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone already
        folder.rmdir()
