"""Take the README's screenshots anew, of the app as it is, with synthetic people only.

    python tools/screenshots.py                     into assets/screenshots/
    python tools/screenshots.py --into /tmp/look    somewhere else, to look at them first
    python tools/screenshots.py --quick             the first one, not kept; without Chromium nothing

Seeds are fixed, so that a picture changes only where the app or its weights did.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from chromium import ROOT, browser, find_chromium, open_page, running_app
from PIL import Image

GARMENT, PERSON, POSE = "upper/02", "02-man", "walking_quarter"
SEED = "7"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
QUALITY = 84


def fill(page, tab: str = "try_on") -> None:
    """Choose examples and a fixed seed."""
    if tab == "try_on":
        page.click(f"#people [data-name*='{PERSON}']")
        page.wait_for_selector("#mask canvas")
        page.click(f"#garments [data-name*='{GARMENT}']")
        page.wait_for_selector(f"#garments [data-name*='{GARMENT}'][aria-pressed=true]")
    else:
        page.get_by_role("tab", name="Change pose").click()
        page.click(f"#pose-people [data-name*='{PERSON}']")
        page.wait_for_selector("#body canvas")
        page.click(f"#poses [data-name*='{POSE}']")
        page.wait_for_selector(f"#poses [data-name*='{POSE}'][aria-pressed=true]")
    more = page.locator(".lf-more button:visible").first
    more.click()
    page.fill(f"#{tab}-seed input", SEED)
    page.keyboard.press("Tab")
    more.click()
    page.wait_for_selector(f"#{tab}-go:not([disabled])")


def paint(page, tab: str = "try_on") -> None:
    """Wait for a run and for everything that belongs to it."""
    page.click(f"#{tab}-go")
    page.wait_for_selector(f"#{tab}-viewer [data-state=done]", state="attached")
    page.wait_for_selector(f"#{tab}-inspector .lf-inspect:not([hidden])")
    page.wait_for_selector(f"#{tab}-viewer [data-view=difference]:not([disabled])")


def click_result(page, x: float, y: float, tab: str = "try_on") -> None:
    """Follow a place of the result."""
    picture = page.locator(f"#{tab}-inspector [data-side=result] img >> nth=0")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_selector(f"#{tab}-inspector .lf-middle", state="attached")


def stroke(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Paint on the mask."""
    box = page.locator("#mask canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=8)
    page.mouse.up()
    page.wait_for_selector("#mask [data-do=undo]:not([disabled])")


def walk(open_one: Callable) -> Iterator[tuple[str, bytes]]:
    """Name and content of each screenshot, as one visitor and another with a phone come by them."""
    phone = open_one(**PHONE)
    fill(phone)
    phone.locator("#mask").scroll_into_view_if_needed()
    yield "phone", phone.screenshot()
    phone.context.close()
    page = open_one()
    fill(page)
    stroke(page, (0.3, 0.86), (0.7, 0.88))
    yield "mask", page.locator(".lf-road:visible").screenshot()
    page.click("#mask [data-do=undo]")
    paint(page)
    page.evaluate("scrollTo(0, 0)")
    yield "try_on", page.screenshot()
    page.click("#try_on-inspector [data-view=flow]")
    click_result(page, 0.52, 0.42)
    yield "flow", page.locator("#try_on-inspector").screenshot()
    page.click("#theme")
    yield "dark", page.screenshot(full_page=True)
    page.click("#theme")
    fill(page, "pose_transfer")
    paint(page, "pose_transfer")
    page.evaluate("scrollTo(0, 0)")
    yield "pose", page.screenshot()


def main() -> None:
    parser = argparse.ArgumentParser(description="Screenshots of the app for the README.")
    parser.add_argument("--into", type=Path, default=ROOT / "assets" / "screenshots")
    parser.add_argument("--quick", action="store_true", help="the first one, not kept")
    options = parser.parse_args()
    if not options.quick:
        take(options.into, None)
    elif find_chromium() is None:
        print("no Chromium here: no screenshots")
    else:
        with tempfile.TemporaryDirectory() as folder:
            take(Path(folder), 1)


def take(folder: Path, count: int | None) -> None:
    """Write the first ``count`` screenshots, or all, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_app() as (address, _), browser() as opened:

        def open_one(**page_options):
            return open_page(opened, address, **page_options)

        for name, content in islice(walk(open_one), count):
            file = folder / f"{name}.jpg"
            with Image.open(io.BytesIO(content)) as picture:
                picture.convert("RGB").save(file, quality=QUALITY, optimize=True, progressive=True)
            print(f"{file}  {file.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
