"""A headless Chromium and pages of the app, which may neither ask outside for anything nor complain."""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

FLAGS = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120_000  # ms: a busy machine of two cores


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("no Chromium: run tests/browser/ensure_chromium.sh")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, app) -> Iterator:
    """Opens pages with options of a browser context; at the end none may have asked outside or complained."""
    contexts, faults = [], []

    def open_page(path: str = "", **options):
        context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **options}
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: faults.append(request.url) if _outside(request.url) else None)
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(app + path)
        page.wait_for_selector("#try_on-go")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def _outside(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme not in ("data", "blob") and parts.hostname not in ("127.0.0.1", "localhost")


def upload(page, slot: str, file) -> None:
    """Give a file to a picture input and wait until the app has looked at it."""
    page.set_input_files(f"#{slot} input[type=file]", file)
    page.wait_for_function(
        f"""() => {{ const note = document.querySelector('#{slot}-note .lf-note');
        return note && note.textContent && !note.textContent.startsWith('Looking'); }}"""
    )


def wait_for_text(page, selector: str, pattern: str) -> str:
    """Wait until the text of an element matches a regular expression; returns the text."""
    page.wait_for_function(
        """([selector, pattern]) =>
        new RegExp(pattern).test(document.querySelector(selector)?.textContent ?? '')""",
        arg=[selector, pattern],
    )
    return page.inner_text(selector)


def generate(page, tab: str = "try_on") -> str:
    """Press the button and wait for the end; returns the state the viewer ends in."""
    frame = f"#{tab}-viewer .lf-frame"
    before = page.get_attribute(frame, "data-run")
    page.click(f"#{tab}-go:not([disabled])")
    page.wait_for_function(
        """([frame, before]) => { const { state, run } = document.querySelector(frame).dataset;
        return ['error', 'stopped'].includes(state) || (state === 'done' && run !== before); }""",
        arg=[frame, before],
    )
    return page.get_attribute(frame, "data-state")


def download(page, tab: str, folder):
    """Press Download; returns the saved file, with the name that the browser was told."""
    with page.expect_download() as waiting:
        page.click(f"#{tab}-viewer [data-act=download]")
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file
