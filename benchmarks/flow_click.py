"""How well a click on a result is followed to the garment, on held-out synthetic pairs with known truth.

    python benchmarks/flow_click.py              100 pairs, 20 clicks each
    python benchmarks/flow_click.py --quick      one pair

Prints the median and the 90th percentile of the distance between where the click leads and where the garment
was really painted from, in % of the garment picture's width, and the same for two answers that need no model.
"""

import argparse
import time

import numpy as np
import torch

from leffa.engine import Engine
from leffa.errors import PersonError
from leffa.explain import trace
from leffa.images import to_pil
from leffa.run.settings import Settings
from leffa.synthetic.identity import Split
from leffa.synthetic.samples import Settings as Scenes
from leffa.synthetic.samples import make_try_on

SIZE = (512, 384)


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of clicks on a result, followed to the garment.")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--clicks", type=int, default=20, help="places clicked on each result")
    parser.add_argument("--steps", type=int, help="sampling steps (default: the model's)")
    parser.add_argument("--quick", action="store_true", help="one pair: that it runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    engine, random = Engine("cpu"), np.random.default_rng(0)
    followed, by_frame, by_middle, seconds, skipped = [], [], [], [], 0
    for index in range(1 if options.quick else options.pairs):
        sample = make_try_on(index, Scenes(split=Split.TEST, reuse=1, size=SIZE))
        mask = (sample.mask[0].numpy() * 255).astype(np.uint8)
        started = time.perf_counter()
        try:
            result = engine.try_on(
                to_pil(sample.person),
                to_pil(sample.reference),
                sample.garment,
                mask,
                Settings(seed=index, steps=options.steps),
            )
        except PersonError:
            skipped += 1
            continue
        seconds.append(time.perf_counter() - started)
        rows, columns = np.nonzero(sample.visible.numpy() & (mask > 127))
        if not len(rows):
            continue
        truth = (sample.flow.numpy() + 1) / 2
        middle = truth[rows, columns].mean(0)
        for place in random.integers(0, len(rows), options.clicks):
            row, column = rows[place], columns[place]
            x, y = (column + 0.5) / SIZE[1], (row + 0.5) / SIZE[0]
            found = trace.to_reference(result, x, y).middle
            target = truth[row, column]
            followed.append(_distance((found.x, found.y), target))
            by_frame.append(_distance((x, y), target))
            by_middle.append(_distance(middle, target))
    print(
        f"{len(seconds)} pairs, {len(followed)} clicks, {skipped} without a person found, "
        f"{np.median(seconds):.1f} s a run"
    )
    for name, errors in (
        ("click followed", followed),
        ("same place", by_frame),
        ("middle of the garment", by_middle),
    ):
        median, tail = np.percentile(errors, (50, 90))
        print(f"{name:22} median {median:5.1f} %   90th percentile {tail:5.1f} %")


def _distance(found, target) -> float:
    """In % of the width of a picture of the benchmark's shape."""
    across, down = np.asarray(found) - np.asarray(target)
    return 100 * float(np.hypot(across, down * SIZE[0] / SIZE[1]))


if __name__ == "__main__":
    main()
