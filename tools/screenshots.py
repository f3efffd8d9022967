"""Take the README's screenshots anew, of the app as it is, with synthetic people only.

    python tools/screenshots.py                     into assets/screenshots/
    python tools/screenshots.py --only flow dark    some of them
    python tools/screenshots.py --into /tmp/look    somewhere else, to look at them first

Seeds are fixed, so that a picture changes only where the app or its weights did.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

from chromium import ROOT, browser, open_page, running_app
from PIL import Image

GARMENT, PERSON, POSE = "upper/", "02-man", "walking_quarter"
SEED = "7"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
QUALITY = 84


def fill(page, tab: str = "try_on") -> None:
    """Choose examples and a fixed seed."""
    if tab == "try_on":
        page.click(f"#people [data-name*='{PERSON}']")
        page.wait_for_selector("#mask canvas")
        page.click(f"#garments [data-name*='{GARMENT}'] >> nth=1")
        page.wait_for_selector(f"#garments [data-name*='{GARMENT}'][aria-pressed=true] >> nth=0")
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
    """A finished run with everything that belongs to it."""
    fill(page, tab)
    page.click(f"#{tab}-go")
    page.wait_for_selector(f"#{tab}-viewer [data-state=done]", state="attached")
    page.wait_for_selector(f"#{tab}-inspector .lf-inspect:not([hidden])")
    page.wait_for_selector(f"#{tab}-viewer [data-view=difference]:not([disabled])")


def click_result(page, x: float, y: float, tab: str = "try_on") -> None:
    """Follow a place of the result."""
    box = page.locator(f"#{tab}-inspector [data-side=result] img >> nth=0").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_selector(f"#{tab}-inspector .lf-middle", state="attached")


def shot_try_on(open_one: Callable) -> bytes:
    page = open_one()
    paint(page)
    return page.screenshot()


def shot_flow(open_one: Callable) -> bytes:
    page = open_one()
    paint(page)
    page.click("#try_on-inspector [data-view=flow]")
    click_result(page, 0.52, 0.42)
    return page.locator("#try_on-inspector").screenshot()


def shot_mask(open_one: Callable) -> bytes:
    page = open_one()
    fill(page)
    page.click("#mask [data-do=brush]")
    canvas = page.locator("#mask canvas").bounding_box()
    page.mouse.move(canvas["x"] + 0.3 * canvas["width"], canvas["y"] + 0.86 * canvas["height"])
    page.mouse.down()
    page.mouse.move(canvas["x"] + 0.7 * canvas["width"], canvas["y"] + 0.88 * canvas["height"], steps=8)
    page.mouse.up()
    page.wait_for_selector("#mask [data-do=undo]:not([disabled])")
    return page.locator(".lf-road:visible").screenshot()


def shot_pose(open_one: Callable) -> bytes:
    page = open_one()
    paint(page, "pose_transfer")
    return page.screenshot()


def shot_dark(open_one: Callable) -> bytes:
    page = open_one(color_scheme="dark")
    paint(page)
    click_result(page, 0.5, 0.5)
    return page.screenshot(full_page=True)


def shot_phone(open_one: Callable) -> bytes:
    page = open_one(**PHONE)
    fill(page)
    page.locator("#mask").scroll_into_view_if_needed()
    return page.screenshot()


SHOTS = {
    "try_on": shot_try_on,
    "flow": shot_flow,
    "mask": shot_mask,
    "pose": shot_pose,
    "dark": shot_dark,
    "phone": shot_phone,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Screenshots of the app for the README.")
    parser.add_argument("--into", type=Path, default=ROOT / "assets" / "screenshots")
    parser.add_argument("--only", nargs="+", choices=list(SHOTS), default=list(SHOTS))
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with running_app() as (address, _), browser() as opened:

        def open_one(**page_options):
            return open_page(opened, address, **page_options)

        for name in options.only:
            file = options.into / f"{name}.jpg"
            with Image.open(io.BytesIO(SHOTS[name](open_one))) as picture:
                picture.convert("RGB").save(file, quality=QUALITY, optimize=True, progressive=True)
            print(f"{file}  {file.stat().st_size / 1000:.0f} kB")
            for context in opened.contexts:
                context.close()


if __name__ == "__main__":
    main()
