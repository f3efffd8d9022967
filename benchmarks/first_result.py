"""How long a newcomer waits: from starting the app to a page, and from the page to a first result.

    python benchmarks/first_result.py            three newcomers, each with an app of their own
    python benchmarks/first_result.py --quick    one

A newcomer clicks an example garment, for which the page picks a person, and presses Generate: two clicks.
Run it twice and take the second: the first one reads the packages from a cold disk.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from chromium import browser, find_chromium, open_page, running_app

MEASURES = ("app answers", "page ready for a click", "mask shown", "picture shown", "flow to click on")


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and clicks to a first result.")
    parser.add_argument("--newcomers", type=int, default=3)
    parser.add_argument("--at-once", action="store_true", help="click while the app still loads its packages")
    parser.add_argument("--quick", action="store_true", help="one newcomer")
    options = parser.parse_args()
    if find_chromium() is None:
        print("no Chromium here: nothing measured")
        return
    runs = [measure(options.at_once) for _ in range(1 if options.quick else options.newcomers)]
    for name, values in zip(MEASURES, zip(*runs, strict=True), strict=True):
        print(f"{name:24} {statistics.median(values):6.1f} s   ({min(values):.1f} to {max(values):.1f})")
    print("clicks                        2")


def measure(at_once: bool) -> tuple[float, ...]:
    """One newcomer: seconds to answer, from there to a page, and from the page loaded to the rest."""
    with running_app() as (address, answered), browser() as opened:
        started = time.monotonic()
        page = open_page(opened, address)
        ready = time.monotonic() - started
        if not at_once:  # whoever comes to an app that has stood for a while
            warmed = open_page(opened, address)
            warmed.click("#people .lf-thumb >> nth=1")
            warmed.wait_for_selector("#mask canvas")
            warmed.context.close()
            page.reload()
            page.wait_for_selector("#garments .lf-thumb")
        started = time.monotonic()
        page.click("#garments .lf-thumb >> nth=0")
        page.wait_for_selector("#try_on-go:not([disabled])")
        masked = time.monotonic() - started
        page.click("#try_on-go")
        page.wait_for_selector("#try_on-viewer [data-state=done]", state="attached")
        painted = time.monotonic() - started
        page.wait_for_selector("#try_on-inspector .lf-inspect:not([hidden])")
        return answered, ready, masked, painted, time.monotonic() - started


if __name__ == "__main__":
    main()
