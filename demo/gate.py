"""The gate before Gradio: who may ask, by which name, for what, and how much at once.

It stands before everything else that answers, so that whatever Gradio would do with a request is only done
with one that passed: the app's own name in ``Host``, a route that the page or a program needs, a body of
bounded size, and in it no path but that of an upload.
"""

import asyncio
import ipaddress
import json
import logging
import re
import secrets
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from demo.uploads import MOST_BYTES, MOST_FILES, MOST_ON_DISK, NotUploadedError, checked, local_path, room

PASSING = (
    "x-leffa-passing"  # set by the gate: who calls without a session, for files that several calls share
)
MOST_JSON = 4_000_000  # bytes: a mask painted by hand is a quarter of it
MOST_TOOL_CALL = 90_000_000  # bytes: agents send pictures within
MOST_FIELDS = 64
MOST_DEPTH = 32
LOGINS_A_MINUTE = 10
BODY_SECONDS = 30.0  # that a body may be waited for
UPLOAD_WAITS = 20.0  # s for the others of its address
SLOWEST = 50_000  # bytes a second: and longer by what has come at this pace
GRACE_SECONDS = 2.0  # within which a stream that broke may be taken up again

LOG = logging.getLogger("leffa.demo")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_API = "/gradio_api"
_PAGE = re.compile(
    r"/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|login|logout)?/?"
    r"|/(assets|static|svelte)/.+|/pwa_icon.*"
)
_ASKED = re.compile(
    r"(info|openapi\.json|startup-events|app_id|user|login_check|token|theme\.css|queue/(join|data)"
    r"|upload|upload_progress|cancel|reset|heartbeat/[\w.-]{1,128}|(run|call|call/v2)/\w{1,64}(/\w{1,64})?"
    r"|mcp(/.*)?|file=.+)/?",
    re.DOTALL,
)
_WITH_DATA = re.compile(r"(queue/join|(run|call)/\w+|call/v2/\w+)/?")
_STREAM = re.compile(r"(queue/data|call/\w+/\w+|call/v2/\w+/\w+)/?")


@dataclass(frozen=True)
class Limits:
    """What one visitor, and all of them together, may do at once.

    in_line   runs waiting or painting, of everybody
    each      of them, of one address; and half of the requests that may be under way
    uploads   at a time, of one address
    seconds   a run may paint
    """

    in_line: int = 64
    each: int = 32
    uploads: int = 8
    seconds: float = 900.0


@dataclass
class Names:
    """The names this app goes by. A page elsewhere that lets its own name point here is not answered.

    An address in figures is no name, and always one of ours: it cannot be made to point elsewhere.
    """

    known: set[str] = field(default_factory=lambda: {"localhost"})

    @classmethod
    def of(cls, given: Iterable[str], environment: dict[str, str]) -> "Names":
        """The given ones, this machine's, and what a Space is called."""
        names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in given)}
        names |= {name.strip().lower() for name in environment.get("LEFFA_HOSTS", "").split(",")}
        names |= {name.strip().lower() for name in environment.get("SPACE_HOST", "").split(",")}
        return cls(names - {""})

    def hold(self, host: str) -> bool:
        """Whether the value of a ``Host`` header, or of an address after ``//``, is ours."""
        found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]\\]+)(:\d{1,5})?", host.lower())
        if not found:
            return False
        name = found[1].strip("[]").rstrip(".")
        if name in self.known or any(
            one.startswith("*.") and name.endswith(one[1:]) and name != one[2:] for one in self.known
        ):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def hold_origin(self, origin: str) -> bool:
        """Whether a page of this origin is ours."""
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and self.hold(host)


class _RefusedError(Exception):
    """What is answered instead."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status, self.text = status, text


class Gate:
    """The outermost application. ``close`` makes it refuse what is new.

    names     that are answered
    event     by its number or name: how many inputs it has, and whether it must wait in Gradio's queue; None
              where there is no such event
    stop      called with the session of a client that dropped its stream, or with it and the run it cancels
    under_way  how many events of an address wait or run
    health    what ``/healthz`` tells
    """

    def __init__(
        self,
        names: Names,
        event: Callable[[Any], tuple[int, bool] | None],
        stop: Callable[..., None],
        under_way: Callable[[str], int],
        health: Callable[[], dict[str, Any]],
        limits: Limits,
        assets: str,
    ):
        self._names, self._event, self._stop, self._health = names, event, stop, health
        self._under_way, self._limits, self._assets = under_way, limits, assets
        self._uploads: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()
        self._logins: dict[str, deque[float]] = {}
        self._tasks: set[asyncio.Task] = set()
        self.bytes_on_disk = 0  # counted now and then, and with every upload
        self._coming = 0  # bytes that are on their way
        self.is_closing = threading.Event()
        self.inner: Application | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.inner is not None  # set before the server starts
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        body = _Body(receive, _guarded(send))
        try:
            await self._pass_on(scope, body.receive, body.send)
        except _RefusedError as refused:
            if not body.is_late:
                await _answer(send, refused.status, {"detail": refused.text})
                return
        except Exception as error:  # what Gradio or the server made of a request that no page sends
            LOG.warning("a request failed: %s", type(error).__name__)
            LOG.debug("its trace", exc_info=True)
            body.has_failed = True
        if body.is_answered:
            return
        if body.is_late:
            await _answer(send, 408, {"detail": "The request came too slowly: try again."})
        elif body.has_failed:
            await _answer(send, 400, {"detail": "The request cannot be understood."})

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.inner is not None
        scope["headers"] = [one for one in scope["headers"] if one[0].lower() != PASSING.encode()]
        headers = _Headers(scope)
        path = self._route(scope, headers)
        if path == "/healthz":
            told = self._health() | {"status": "closing" if self.is_closing.is_set() else "ok"}
            await _answer(send, 503 if self.is_closing.is_set() else 200, told)
            return
        asked = path.removeprefix(_API + "/") if path.startswith(_API + "/") else ""
        is_post = scope["method"] == "POST"
        if is_post and self.is_closing.is_set():
            raise _RefusedError(503, "The app is being stopped: try again in a minute.")
        if is_post and path.strip("/") == "login":
            self._count_login(headers.client)
        if asked.startswith("file="):
            self._check_served(asked.removeprefix("file="))
        if asked.rstrip("/") == "upload":
            await self._take_upload(scope, receive, send, headers)
        elif is_post and _WITH_DATA.fullmatch(asked):
            _check_length(headers, MOST_JSON)
            passed, content = self._inspect(await _whole(receive), asked, headers)
            if passed:
                _set_header(scope, PASSING, passed)
            _set_header(scope, "content-length", str(len(content)))
            await self.inner(
                scope, _given(content, receive), _as_mistake(send) if asked[:3] == "run" else send
            )
        elif is_post and asked.rstrip("/") == "cancel":
            _check_length(headers, MOST_JSON)
            content = await _whole(receive)
            await self.inner(scope, _given(content, receive), send)
            await self._cancel(content)
        elif scope["method"] == "GET" and _STREAM.fullmatch(asked):
            await self._stream(scope, receive, send, asked)
        else:
            _check_length(headers, MOST_TOOL_CALL if asked.startswith("mcp") else MOST_JSON)
            await self.inner(scope, receive, send)

    # ------------------------------------------------------------------------------ who and what

    def _route(self, scope: Scope, headers: "_Headers") -> str:
        """The path without a proxy's sub-path. Raises _RefusedError for foreign names and routes."""
        hosts = headers.all("host")
        if len(hosts) != 1 or not self._names.hold(hosts[0]):
            raise _RefusedError(
                421, "This app does not answer to that name: start it with --allow-host and the name."
            )
        origin = headers.first("origin")
        if origin and not self._names.hold_origin(origin):
            raise _RefusedError(403, "Pages of other sites may not ask this app.")
        path: str = scope["path"]
        root: str = scope.get("root_path") or ""
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        asked = path.removeprefix(_API + "/") if path.startswith(_API + "/") else None
        if path == "/healthz" or _PAGE.fullmatch(path) or (asked is not None and _ASKED.fullmatch(asked)):
            return path
        raise _RefusedError(404, "There is nothing here.")

    def _count_login(self, client: str) -> None:
        tries, now = self._logins.setdefault(client, deque()), time.monotonic()
        while tries and now - tries[0] > 60:
            tries.popleft()
        if len(tries) >= LOGINS_A_MINUTE:
            raise _RefusedError(429, "Too many tries to log in: wait a minute.")
        tries.append(now)
        if len(self._logins) > 10_000:
            self._logins.clear()

    def _check_served(self, path: str) -> None:
        """Uploads, results and the example pictures are served, and nothing else."""
        if path.startswith(self._assets + "/") and ".." not in path:
            return
        try:
            checked(path)
        except NotUploadedError:
            raise _RefusedError(403, "There is no such file, or not any more.") from None

    # ------------------------------------------------------------------------------ bodies

    def _inspect(self, body: bytes, asked: str, headers: "_Headers") -> tuple[str, bytes]:
        """The body with every file in it checked, and who calls if there is no session.

        A file that is none of the uploads becomes one without a path, which the components refuse with their
        sentence. Nothing else of it is kept.
        """
        try:
            told = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise _RefusedError(400, "The request is no JSON.") from None
        if not isinstance(told, dict) or not _is_shallow(told):
            raise _RefusedError(400, "The request must be an object of JSON.")
        if self._under_way(headers.client) >= 2 * self._limits.each:
            raise _RefusedError(429, "Too many requests at a time from one address: wait for the others.")
        told = _files_checked(told)
        session = told.get("session_hash")
        if session is not None and not (isinstance(session, str) and re.fullmatch(r"[\w.-]{1,128}", session)):
            raise _RefusedError(400, "The session must be 1 to 128 letters and figures.")
        passed = "" if session or asked.startswith("queue") else _anonymous(headers.client)
        if not asked.startswith("call/v2"):
            self._check_data(told, asked)
            if passed and asked.startswith("run"):
                told["session_hash"] = secrets.token_urlsafe(12)
        try:
            return passed, json.dumps(told, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a character
            raise _RefusedError(400, "The request is no JSON.") from None

    def _check_data(self, told: dict[str, Any], asked: str) -> None:
        data = told.get("data")
        named = asked.strip("/").rpartition("/")[2]
        number = told.get("fn_index")
        event = self._event(number if type(number) is int and asked[:4] != "call" else named)
        if event is None:
            raise _RefusedError(404, "There is no such endpoint.")
        needed, waits = event
        if waits and asked.startswith("run"):
            raise _RefusedError(404, f"This endpoint waits in line: ask {_API}/call/{named}.")
        if not isinstance(data, list) or not needed <= len(data) <= MOST_FIELDS:
            raise _RefusedError(422, f"The endpoint takes {needed} values in data.")

    async def _take_upload(self, scope: Scope, receive: Receive, send: Send, headers: "_Headers") -> None:
        assert self.inner is not None
        _check_length(headers, MOST_FILES * MOST_BYTES + 100_000)
        until = time.monotonic() + UPLOAD_WAITS
        while self._uploads[headers.client] >= self._limits.uploads:
            if time.monotonic() > until:
                raise _RefusedError(429, "Too many uploads at a time from one address: wait for the others.")
            await asyncio.sleep(0.1)
        length = int(headers.first("content-length") or 0)
        self._coming += length
        self._uploads[headers.client] += 1
        try:
            if self._coming > min(MOST_ON_DISK - self.bytes_on_disk, room()):
                raise _RefusedError(507, "There is no room for more pictures now: try again in some minutes.")
            await self.inner(scope, receive, send)
            self.bytes_on_disk += length
        finally:
            self._coming -= length
            self._uploads[headers.client] -= 1
            if self._uploads[headers.client] <= 0:
                del self._uploads[headers.client]

    # ------------------------------------------------------------------------------ streams

    async def _stream(self, scope: Scope, receive: Receive, send: Send, asked: str) -> None:
        """Pass a stream on; when its client drops it, what runs for that client is stopped."""
        assert self.inner is not None
        query = dict(
            part.split("=", 1) for part in scope["query_string"].decode("latin-1").split("&") if "=" in part
        )
        key = query.get("session_hash") or asked.strip("/").rpartition("/")[2]
        is_whole = False

        async def sent(message: dict[str, Any]) -> None:
            nonlocal is_whole
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                is_whole = True

        self._streams[key] += 1
        try:
            await self.inner(scope, receive, sent)
        finally:
            self._streams[key] -= 1
            if self._streams[key] <= 0:
                del self._streams[key]
            if not is_whole:
                task = asyncio.get_running_loop().create_task(self._after_grace(key))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _cancel(self, body: bytes) -> None:
        """Gradio only ends the stream of what is cancelled: the run itself is stopped here."""
        with suppress(ValueError, RecursionError, AttributeError):  # Gradio has refused it
            told = json.loads(body)
            session, event = told.get("session_hash"), told.get("event_id")
            if isinstance(session, str) and isinstance(event, str):
                await asyncio.to_thread(self._stop, session, event)

    async def _after_grace(self, key: str) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        if key not in self._streams:
            await asyncio.to_thread(self._stop, key)


# ------------------------------------------------------------------------------ pieces


class _Body:
    """What is asked, as long as its body comes at a bearable pace; after that its client counts as gone.

    is_late      whether it came too slowly; what the application still says then is not sent
    is_answered  whether an answer had begun before
    has_failed   whether the application says that it is at a loss (status 500), which is not sent either
    """

    def __init__(self, receive: Receive, send: Send):
        self._receive, self._send = receive, send
        self._waited, self._bytes, self._is_whole = 0.0, 0, False
        self.is_late = self.is_answered = self.has_failed = False

    async def receive(self) -> dict[str, Any]:
        if self._is_whole:  # only the client's leaving is left to come
            return await self._receive()
        if self.is_late:
            return {"type": "http.disconnect"}
        since = time.monotonic()
        left = BODY_SECONDS + self._bytes / SLOWEST - self._waited
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.01))
        except asyncio.TimeoutError:
            self.is_late = True
            return {"type": "http.disconnect"}
        self._waited += time.monotonic() - since
        self._bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body")
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if not self.is_answered and message.get("status") == 500:
            self.has_failed = True
        if (self.is_late or self.has_failed) and not self.is_answered:
            return
        self.is_answered = True
        await self._send(message)


class _Headers:
    def __init__(self, scope: Scope):
        self._headers = scope["headers"]
        self.client: str = (scope.get("client") or ("unknown", 0))[0]

    def all(self, name: str) -> list[str]:
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self._headers if key.lower() == wanted]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")


def _set_header(scope: Scope, name: str, value: str) -> None:
    wanted = name.encode()
    others = [(key, old) for key, old in scope["headers"] if key.lower() != wanted]
    scope["headers"] = [*others, (wanted, value.encode("latin-1"))]


def _anonymous(client: str) -> str:
    """A name for an address that tells nobody the address."""
    return sha256(_SALT + client.encode()).hexdigest()[:16]


_SALT = secrets.token_bytes(16)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _is_shallow(value: Any, depth: int = 0) -> bool:
    if depth > MOST_DEPTH:
        return False
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_shallow(one, depth + 1) for one in inner)


def _files_checked(value: Any) -> Any:
    if isinstance(value, list):
        return [_files_checked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "path" not in value:
        return {key: _files_checked(one) for key, one in value.items()}
    if value["path"] is None and not value.get("url"):
        return None
    try:
        path = value["path"]
        file = checked(local_path(path) if isinstance(path, str) else path)
    except (NotUploadedError, ValueError):
        return {"path": None, "orig_name": "refused"}
    name = value.get("orig_name")
    return {
        "path": str(file),
        "orig_name": name if isinstance(name, str) else file.name,
        "meta": {"_type": "gradio.FileData"},
    }


def _check_length(headers: _Headers, most: int) -> None:
    """Raises _RefusedError for a body that is too large or of no told size, before any of it is read."""
    told = headers.first("content-length")
    if headers.first("transfer-encoding"):
        raise _RefusedError(411, "The request must say how long it is: send it in one piece.")
    if told and (not told.isdigit() or len(told) > 12 or int(told) > most):
        raise _RefusedError(413, f"The request is too large: at most {most // 1_000_000} MB.")


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _RefusedError(400, "The request ended early.")
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _given(content: bytes, receive: Receive) -> Receive:
    is_given = False

    async def take() -> dict[str, Any]:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return take


_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


def _guarded(send: Send) -> Send:
    async def sent(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_SAFE]
        await send(message)

    return sent


def _as_mistake(send: Send) -> Send:
    """Gradio says 500 for every sentence of an event that does not wait; it is the caller's mistake."""

    async def sent(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500:
            message["status"] = 422
        await send(message)

    return sent


async def _answer(send: Send, status: int, told: dict[str, Any]) -> None:
    body = json.dumps(told).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *([(b"connection", b"close")] if status >= 400 else []),
        *_SAFE,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
