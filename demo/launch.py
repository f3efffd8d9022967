"""Starting the app: settings of the process, then the gate and the page, and their orderly end."""

import atexit
import ctypes
import os
import shutil
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import checking, painting, uploads
from demo.gate import Gate, Limits, Names
from demo.painting import CLOSING, QUEUE
from leffa.errors import LeffaError

if TYPE_CHECKING:
    import gradio as gr

    from demo.sessions import Sessions

SWEEP_SECONDS = 30.0
SPARE_THREADS = 64  # beside those in which runs wait in line, so that all else is answered meanwhile
GRACE_SECONDS = 20.0  # for what runs to end with a sentence, when the app is stopped


@dataclass(frozen=True)
class Options:
    """How the app is served.

    host, port     None: 127.0.0.1 and 7860, or what GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say
    allowed_hosts  names the app answers to, beside localhost and addresses in figures
    auth           (name, password) of those who may come in; None: everybody
    root_path      the sub-path a proxy serves the app under
    proxies        addresses of proxies whose X-Forwarded-For tells where a visitor comes from; behind others
                   all visitors count as one
    certificate, key  files for TLS
    check          package.module:function of a content check, see ``demo.checking``
    mcp            also serve the endpoints as tools for agents
    """

    host: str | None = None
    port: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    auth: tuple[tuple[str, str], ...] | None = None
    root_path: str | None = None
    proxies: tuple[str, ...] = ()
    certificate: str | None = None
    key: str | None = None
    check: str | None = None
    mcp: bool = False
    open_browser: bool = False
    limits: Limits = field(default_factory=Limits)


def settle() -> None:
    """Settings that must stand before Gradio and torch come in.

    No telemetry and no look-up of newer versions; files of visitors in a folder of our own, gone at the end;
    threads of torch sleep when they wait, which small machines thank for.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not uploads.is_open():
        atexit.register(shutil.rmtree, uploads.open_folder(), ignore_errors=True)


def launch(options: Options | None = None, wait: bool = True) -> "gr.Blocks":
    """Serve the app; returns when it is stopped, or at once with ``wait=False``.

    SIGTERM and Ctrl-C stop it: nothing new is let in, what runs ends with a sentence, and the visitors'
    files are deleted. Raises LeffaError for options that cannot be had.
    """
    options = options or Options()
    if options.mcp and find_spec("mcp") is None:
        raise LeffaError("the tool server needs one more package: pip install -e '.[mcp]'")
    _check_certificate(options)
    checking.plug_in(options.check)
    settle()
    from demo import examples
    from demo.page import build
    from demo.sessions import Sessions

    uploads.give_every_upload_its_own_name()
    painting.LIMITS = options.limits
    os.environ["FORWARDED_ALLOW_IPS"] = ",".join(options.proxies)  # uvicorn trusts 127.0.0.1 by default
    sessions = Sessions()
    page = build(sessions)
    page.queue(default_concurrency_limit=8, max_size=256)
    gate = _gate(page, sessions, options, str(examples.ASSETS))
    stopped = threading.Event()
    if wait:
        _stop_on_signals(stopped)
    _serve(page, gate, options, wait)
    painting.warm_up()
    _sweep_behind(page, sessions, gate)
    if wait:
        _serve_until(stopped, page, sessions, gate)
    return page


def _serve(page: "gr.Blocks", gate: Gate, options: Options, is_told: bool) -> None:
    """Start the server behind the gate; ``is_told`` on the terminal."""
    from demo import examples, parts, theme

    try:
        page.launch(
            server_name=options.host,
            server_port=options.port,
            auth=list(options.auth) if options.auth else None,
            root_path=options.root_path,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
            ssl_verify=False,  # of Gradio's look at itself
            share=False,
            inbrowser=options.open_browser,
            prevent_thread_lock=True,
            max_threads=options.limits.in_line + SPARE_THREADS,
            quiet=not is_told,
            show_error=True,
            footer_links=["api", "settings"],
            run_history=False,
            enable_monitoring=False,
            mcp_server=options.mcp,
            ssr_mode=False,
            pwa=False,
            max_file_size=uploads.MOST_BYTES,
            allowed_paths=[str(examples.ASSETS)],
            app_kwargs={"lifespan": _standing_before(gate)},
            theme=theme.theme(),
            css=theme.style(),
            favicon_path=str(parts.STATIC / "icon.svg"),
        )
    except OSError as error:
        raise LeffaError(f"the app cannot be served: {error}") from error


def _check_certificate(options: Options) -> None:
    if options.key and not options.certificate:
        raise LeffaError("a key for TLS needs its certificate: give --tls-cert too")
    if not options.certificate:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.certificate, options.key)
    except (OSError, ValueError) as error:  # also where one does not belong to the other
        raise LeffaError(f"the certificate in {options.certificate!r} cannot be used: {error}") from None


def _gate(page: "gr.Blocks", sessions: "Sessions", options: Options, assets: str) -> Gate:
    def event(named: Any) -> tuple[int, bool] | None:
        if isinstance(named, int):
            found = page.fns.get(named)
        else:
            found = next((one for one in page.fns.values() if one.api_name == named), None)
        return None if found is None else (len(found.inputs), found.queue)

    def under_way(client: str) -> int:
        queue = page._queue
        waiting = [one for events in queue.event_queue_per_concurrency_id.values() for one in events.queue]
        active = [one for events in queue.active_jobs for one in events or ()]
        return sum(
            one.request.client is not None and one.request.client.host == client for one in waiting + active
        )

    def health() -> dict[str, Any]:
        return {"in_line": len(QUEUE), "visitors": len(sessions)}

    names = Names.of(options.allowed_hosts, dict(os.environ))
    return Gate(names, event, sessions.stop, under_way, health, options.limits, assets)


def _standing_before(gate: Gate) -> Any:
    """Gradio adds what it needs around an app, and asks for no more than this: what to do as it starts."""

    @asynccontextmanager
    async def start(app: Any) -> AsyncIterator[None]:
        gate.inner, app.middleware_stack = app.middleware_stack, gate
        yield

    return start


def _sweep_behind(page: "gr.Blocks", sessions: "Sessions", gate: Gate) -> None:
    """End idle visits and delete forgotten files, again and again, in the background."""
    from demo import examples

    own = frozenset(
        (one.path.name, one.path.stat().st_size)
        for one in (*examples.people(), *examples.garments(), *examples.poses())
    )

    give_back = _memory_giver()

    def sweep() -> None:
        while page.is_running:
            sessions.end_idle()
            give_back()
            gate.bytes_on_disk = uploads.CLAIMS.sweep(time.time() - uploads.UNUSED_SECONDS, own)
            time.sleep(SWEEP_SECONDS)

    threading.Thread(target=sweep, name="sweep", daemon=True).start()


def _memory_giver() -> Callable[[], object]:
    """What hands freed memory back to the system: glibc keeps it, for each thread that ever ran."""
    try:
        library = ctypes.CDLL("libc.so.6")
        library.malloc_trim.argtypes = [ctypes.c_size_t]
        return lambda: library.malloc_trim(0)
    except (OSError, AttributeError):  # another system
        return lambda: None


def _stop_on_signals(stopped: threading.Event) -> None:
    def stop(number: int, frame: Any) -> None:
        if stopped.is_set():  # asked twice: at once
            raise SystemExit(1)
        stopped.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def _serve_until(stopped: threading.Event, page: "gr.Blocks", sessions: "Sessions", gate: Gate) -> None:
    while page.is_running and not stopped.wait(0.5):
        pass
    gate.is_closing.set()
    CLOSING.set()
    sessions.stop_all()
    until = time.monotonic() + GRACE_SECONDS
    while len(QUEUE) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.3)  # for the last sentences to reach who waits for them
    sessions.end_all()
    page.close(verbose=False)


def read_passwords(path: str) -> tuple[tuple[str, str], ...]:
    """Lines of ``name:password``; empty ones and those after # are skipped. Raises LeffaError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise LeffaError(f"the passwords in {path!r} cannot be read: {error}") from None
    lines: Iterable[str] = (line.strip() for line in text.splitlines())
    pairs = [tuple(line.split(":", 1)) for line in lines if line and not line.startswith("#")]
    if not pairs or any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise LeffaError(f"{path!r} must hold a line name:password for each who may come in")
    return tuple((name, password) for name, password in pairs)
