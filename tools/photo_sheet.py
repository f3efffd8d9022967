"""Run a list of pairs and lay the results on one sheet, to be looked at.

    python tools/photo_sheet.py PAIRS.tsv --out sheet.jpg [--kinds upper lower] [--count 10]
    python tools/photo_sheet.py --quick      one example pair in few steps, nothing kept: that it runs

PAIRS.tsv has the columns kind, person_or_reference, garment_or_target_pose (kind: upper, lower, dress,
pose), with paths relative to its own folder. One row of the sheet a pair: person, garment, mask, result,
warped garment, flow. Prints the seconds of each pair (the first includes loading) and the largest change
outside the mask, which must be 0.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from leffa.engine import Engine
from leffa.errors import LeffaError
from leffa.explain.views import flow_pictures
from leffa.images import load_image, save_atomically
from leffa.run.result import Result
from leffa.run.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[1] / "assets" / "examples" / "pairs.tsv"
HEIGHT = 384
QUICK_STEPS = 6
TITLES = {
    "pose": ("reference", "pose", "body parts", "result", "reference, warped by the flow", "flow"),
    "try-on": ("person", "garment", "mask", "result", "garment, warped by the flow", "flow"),
}


def main() -> None:
    options = parse()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            options.kinds, options.count, options.steps = ["upper"], 1, QUICK_STEPS
            options.out = Path(folder) / "sheet.jpg"
            make(options)
    else:
        make(options)


def make(options: argparse.Namespace) -> None:
    """Run the pairs and write the sheet."""
    with options.pairs.open() as file:
        pairs = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] in options.kinds]
    seen: dict[str, int] = {}
    engine, rows, times = Engine(options.device), [], []
    for pair in pairs:
        kind = pair["kind"]
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > options.count:
            continue
        first, second = (
            load_image(options.pairs.parent / pair[column])
            for column in ("person_or_reference", "garment_or_target_pose")
        )
        began = time.monotonic()
        try:
            result = run(engine, kind, first, second, options)
        except LeffaError as error:
            print(f"{kind:6} {pair['person_or_reference']}: {error}")
            continue
        times.append(time.monotonic() - began)
        outside = result.mask == 0
        changed = np.abs(np.asarray(result.photo, int) - np.asarray(result.images[0], int)).max(-1)
        worst = int(changed[outside].max()) if outside.any() else 0
        print(
            f"{kind:6} {times[-1]:5.1f} s  outside the mask {worst}  {pair['person_or_reference']}",
            flush=True,
        )
        rows.append(row(result, kind, first, second, len(rows)))
    if not rows:
        raise SystemExit("no pair gave a result")
    width = max(image.width for image in rows)
    sheet = Image.new("RGB", (width, sum(image.height for image in rows)), "white")
    top = 0
    for image in rows:
        sheet.paste(image, (0, top))
        top += image.height
    save_atomically(sheet, options.out)
    print(f"{len(rows)} pairs, median {np.median(times):.1f} s; {options.out}")


def run(
    engine: Engine, kind: str, first: Image.Image, second: Image.Image, options: argparse.Namespace
) -> Result:
    settings = Settings(seed=options.seed, steps=options.steps, guidance_scale=options.guidance)
    if kind == "pose":
        return engine.pose_transfer(first, second, settings, options.model)
    return engine.try_on(first, second, kind, settings=settings, model=options.model)


def row(result: Result, kind: str, first: Image.Image, second: Image.Image, number: int) -> Image.Image:
    pictures = flow_pictures(result)
    masked = np.asarray(result.photo).copy()
    masked[result.mask > 0] = 128
    shown = [
        first,
        second,
        Image.fromarray(masked),
        result.images[0],
        pictures["warped"],
        pictures["overlay"],
    ]
    if kind == "pose":
        shown[2] = result.densepose
    cells = [
        image.convert("RGB").resize((round(image.width * HEIGHT / image.height), HEIGHT)) for image in shown
    ]
    strip = Image.new("RGB", (sum(cell.width for cell in cells), HEIGHT), "white")
    draw, left = ImageDraw.Draw(strip), 0
    for cell, title in zip(cells, TITLES["pose" if kind == "pose" else "try-on"], strict=True):
        strip.paste(cell, (left, 0))
        draw.text((left + 6, 4), title, fill="black", stroke_fill="white", stroke_width=2, font_size=16)
        left += cell.width
    draw.text((6, HEIGHT - 24), f"{number} {kind}", fill="red", font_size=16)
    return strip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="?", default=EXAMPLES)
    parser.add_argument("--out", type=Path, default=Path("sheet.jpg"))
    parser.add_argument("--kinds", nargs="+", default=["upper", "lower", "dress", "pose"])
    parser.add_argument("--count", type=int, default=10, help="pairs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--model")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="one example pair, nothing kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
