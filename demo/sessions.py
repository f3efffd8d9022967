"""What each visitor has on the page: kept in memory, one visitor apart from the other, and forgotten."""

import ipaddress
import itertools
import logging
import secrets
import tempfile
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from demo.kept_runs import BUDGET
from demo.slots import Slots
from demo.uploads import CLAIMS, home
from leffa.errors import LeffaError
from leffa.run.findings import Findings, bytes_of

if TYPE_CHECKING:
    import gradio as gr

    from demo.history import Run

MOST_SESSIONS = 256
MOST_RUNS = 12  # kept of one visitor
FOUND_BYTES = 64_000_000  # of what was found in one visitor's pictures
FOUND_SHARE = 1 / 4  # of the budget, for what was found in everybody's
IDLE_SECONDS = 3600.0  # for clients that never say good-bye
PASSING_SECONDS = 900.0  # for those of whom nobody knows whether they come back
DEFAULT_LANGUAGE = "en"
LOG = logging.getLogger("leffa.demo")


@dataclass
class Session:
    """One visitor.

    owner    whose the files are: this visitor alone, or all who cannot be told apart
    address  where the visitor comes from, see ``address_of``
    notes  the line beside each slot of each tab, in whatever language it is asked for
    files  what the visitor brought and what was written for them; deleted at the end, and nothing else is
    findings  what was found in the visitor's pictures; nobody else's are looked up in it
    """

    owner: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    idle_seconds: float = IDLE_SECONDS
    address: str = ""
    language: str = DEFAULT_LANGUAGE
    tabs: dict[str, Slots] = field(default_factory=dict)
    notes: dict[tuple[str, str], Callable[[str], dict]] = field(default_factory=dict)
    runs: "list[Run]" = field(default_factory=list)
    shown: "dict[str, Run]" = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)
    stops: dict[str, threading.Event] = field(default_factory=dict)
    findings: Findings = field(default_factory=lambda: Findings(most_bytes=FOUND_BYTES))
    touched: float = field(default_factory=time.monotonic)
    has_ended: bool = False
    _number: int = field(default_factory=itertools.count().__next__)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is lost with it: no picture was chosen, nothing was made and nothing runs."""
        has_pictures = any(slots.pictures for slots in list(self.tabs.values()))
        return not (has_pictures or self.files or self.runs or self.stops)

    def own(self, path: str) -> Path:
        """Take a file that was uploaded, or written, for this visitor; it is deleted when they leave.

        Raises NotUploadedError for everything else, LeffaError if they have left.
        """
        file = CLAIMS.claim(path, self.owner, self._number)
        with self._lock:
            if not self.has_ended:
                self.files.add(file)
                return file
        CLAIMS.release(file, self._number)
        raise LeffaError("this visit has ended: open the page again")

    def keep(self, picture: Image.Image | bytes) -> str:
        """Write a picture, or a PNG file's content, to last as long as the session; returns its path.

        Raises LeffaError if the disk has no room for it.
        """
        try:
            home().mkdir(parents=True, exist_ok=True)
            file = Path(tempfile.mkdtemp(dir=home())) / "leffa.png"
            if isinstance(picture, bytes):
                file.write_bytes(picture)
            else:
                picture.save(file, "PNG")
        except OSError:
            LOG.warning("a result could not be written: the disk has no room, or is not to be written to")
            raise LeffaError("there is no room for the result now: try again in some minutes") from None
        return str(self.own(str(file)))

    def slots(self, tab: str) -> Slots:
        return self.tabs.setdefault(tab, Slots())

    def current(self, tab: str) -> "Run | None":
        """The run a tab shows; None if there is none, or not any more."""
        run = self.shown.get(tab)
        return run if run is not None and run.is_kept else None

    def remember(self, tab: str, run: "Run") -> None:
        """Keep a run as the newest; the oldest go."""
        self.shown[tab] = run
        self.runs.insert(0, run)
        for old in self.runs[MOST_RUNS:]:
            old.forget()
        self.runs[:] = [one for one in self.runs if one.is_kept]
        if self.has_ended:
            run.forget()

    def note(self, tab: str, slot: str, told: Callable[[str], dict]) -> dict:
        """Set the line beside a slot; returns it in the visitor's language."""
        self.notes[tab, slot] = told
        return told(self.language)

    def noted(self, tab: str, slot: str) -> dict | None:
        """The line beside a slot in the visitor's language; None if nothing was said there."""
        told = self.notes.get((tab, slot))
        return told(self.language) if told else None

    @contextmanager
    def stoppable(self, name: str) -> Iterator[threading.Event]:
        """A run of its own beside those of the tabs; the event ends it."""
        stop = self.stops[name] = threading.Event()
        if self.has_ended:
            stop.set()
        try:
            yield stop
        finally:
            self.stops.pop(name, None)

    def stop(self, name: str | None = None) -> None:
        """Stop what runs for the visitor, or one of it."""
        for own, stop in list(self.stops.items()):
            if name in (None, own):
                stop.set()

    def end(self) -> None:
        """Stop what runs, delete the visitor's files and forget what was found in their pictures."""
        self.stop()
        self.findings.close()
        with self._lock:
            self.has_ended = True
            files = list(self.files)
            self.files.clear()
        for file in files:
            CLAIMS.release(file, self._number)
        for run in self.runs:
            run.forget()
        self.runs.clear()
        self.tabs.clear()
        self.notes.clear()
        self.shown.clear()


class Sessions:
    """All visitors, by the key that Gradio gives each open page. Thread-safe.

    most, most_bytes  of them, and of the pictures on their pages. Beyond that somebody goes of the address
                      with the most of what is too much, so that nobody can drive out the others
    """

    def __init__(self, most: int = MOST_SESSIONS, most_bytes: int = BUDGET):
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()
        self._most, self._most_bytes = most, most_bytes

    def of(
        self, key: str, owner: str | None = None, idle_seconds: float = IDLE_SECONDS, address: str = ""
    ) -> Session:
        """The visitor's session, new on the first call. Ends those that were idle too long.

        owner, idle_seconds, address  of a new session, see ``Session``
        """
        with self._lock:
            session = self._sessions.pop(key, None) or Session(
                owner=owner or secrets.token_urlsafe(12), idle_seconds=idle_seconds, address=address
            )
            session.touched = time.monotonic()
            self._sessions[key] = session
            gone = self._take_surplus()
        for one in gone:
            one.end()
        return session

    def visit(
        self, request: "gr.Request", owner: str | None = None, idle_seconds: float = IDLE_SECONDS
    ) -> Session:
        """The session of whoever asks, see ``of``."""
        return self.of(request.session_hash or "", owner, idle_seconds, address_of(request))

    def end_idle(self) -> None:
        """End the sessions that were idle too long, and some where there are too many."""
        with self._lock:
            gone = self._take_surplus()
        for session in gone:
            session.end()

    def _take_surplus(self) -> list[Session]:
        """Take out what is to be ended. The lock is held."""
        now = time.monotonic()
        ended = [old for old, one in self._sessions.items() if now - one.touched > one.idle_seconds]
        gone = [self._sessions.pop(old) for old in ended]
        while len(self._sessions) > self._most:
            gone.append(self._sessions.pop(self._first_to_go(dict.fromkeys(self._sessions, 1))))
        weights = {key: weight for key, one in self._sessions.items() if (weight := bytes_of(one.tabs))}
        while sum(weights.values()) > self._most_bytes and len(weights) > 1:
            key = self._first_to_go(weights)
            weights.pop(key)
            gone.append(self._sessions.pop(key))
        found = sum(one.findings.bytes for one in self._sessions.values())
        for one in self._sessions.values():  # the longest untouched first; it costs them a second look
            if found <= FOUND_SHARE * self._most_bytes:
                break
            found -= one.findings.bytes
            one.findings.clear()
        return gone

    def _first_to_go(self, weights: dict[str, int]) -> str:
        """Of the heaviest address the longest untouched, one that holds nothing before all others.

        The session that was touched last only goes if its address has no other.

        weights  of the sessions that may go, in the order in which they were touched
        """
        loads: Counter[str] = Counter()
        for key, weight in weights.items():
            loads[self._sessions[key].address] += weight
        heaviest = max(loads, key=loads.__getitem__)
        theirs = [key for key in weights if self._sessions[key].address == heaviest]
        newest = next(reversed(self._sessions))
        may_go = [key for key in theirs if key != newest] or theirs
        return next((key for key in may_go if self._sessions[key].is_empty), may_go[0])

    def stop(self, key: str, name: str | None = None) -> None:
        """Stop what runs for a visitor who is not listening any more, or the one run that they cancel."""
        with self._lock:
            session = self._sessions.get(key)
        if session is not None:
            session.stop(name)

    def stop_all(self) -> None:
        """Stop whatever runs."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            session.stop()

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


def address_of(request: "gr.Request | None") -> str:
    """Where a request comes from, for the limits of each; empty where it is not known.

    One household has a whole /64 of IPv6 addresses to choose from: they count as one.
    """
    client = getattr(request, "client", None)
    host = getattr(client, "host", None) or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
