"""The app on a free port and a headless Chromium, for scripts that look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ("--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 300  # seconds for anything at all


def find_chromium() -> str | None:
    """Path of a browser; the environment variable CHROMIUM names another."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running_app() -> Iterator[tuple[str, float]]:
    """Start the app as a visitor would; yields its address and the seconds until it answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, started = f"http://127.0.0.1:{port}/", time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        while not _answers(address):
            if process.poll() is not None or time.monotonic() - started > PATIENCE:
                raise SystemExit("the app does not start: run python app.py to see why")
            time.sleep(0.05)
        yield address, time.monotonic() - started
    finally:
        process.terminate()
        process.wait()


@contextmanager
def browser() -> Iterator:
    """A Playwright browser on the machine's own Chromium."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise SystemExit("no Chromium: run tests/browser/ensure_chromium.sh, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


def open_page(opened, address: str, **options):
    """A page of the app, ready for the first click."""
    context = opened.new_context(**{"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **options})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#garments .lf-thumb")
    return page


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
