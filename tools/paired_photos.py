"""People who already wear the very garment of the product shot: how near a try-on comes to the photo.

    python tools/paired_photos.py FOLDER [--garment upper] [--model bundled]
    python tools/paired_photos.py --quick      one drawn person instead of photographs: that it runs

FOLDER has ``person/`` and ``garment/`` with pictures of the same names. Prints SSIM and PSNR inside the mask,
mean over the pairs, for the model and for what a few lines without learning make of the same inputs.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from leffa.engine import Engine
from leffa.images import load_image, mask_to_tensor, to_pil, to_tensor
from leffa.metrics import bars
from leffa.metrics.model import COLOUR, MODEL, STRETCHED, UNCHANGED
from leffa.metrics.pictures import psnr, ssim
from leffa.preprocess.garment.product import foreground
from leffa.run.result import Result
from leffa.run.settings import Settings
from leffa.synthetic.identity import Split
from leffa.synthetic.samples import Settings as Scenes
from leffa.synthetic.samples import make_try_on

QUICK_STEPS = 6


def main() -> None:
    options = parse()
    engine = Engine(options.device)
    scores: dict[str, list[tuple[float, float]]] = {}
    settings = Settings(seed=options.seed, steps=QUICK_STEPS if options.quick else None)
    for photo, garment in [drawn()] if options.quick else photographed(options.folder):
        result = engine.try_on(photo, garment, options.garment, settings=settings, model=options.model)
        truth, mask = to_tensor(result.photo)[None], mask_to_tensor(result.mask)[None]
        for name, picture in arms(result, truth, mask).items():
            pair = picture / 2 + 0.5, truth / 2 + 0.5, mask
            scores.setdefault(name, []).append((float(ssim(*pair)), float(psnr(*pair))))
    for name, values in scores.items():
        likeness, ratio = np.mean(values, axis=0)
        print(f"{name:22} SSIM {likeness:.3f}   PSNR {ratio:.2f} dB   ({len(values)} pairs)")


def photographed(folder: Path) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Person and garment of each pair of a folder."""
    for path in sorted((folder / "person").iterdir()):
        yield load_image(path), load_image(folder / "garment" / path.name)


def drawn() -> tuple[Image.Image, Image.Image]:
    """A synthetic person and the garment they wear."""
    sample = make_try_on(0, Scenes(split=Split.TEST, reuse=1, size=(512, 384)))
    return to_pil(sample.person), to_pil(sample.reference)


def arms(result: Result, truth: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Pictures (1, 3, H, W) in [-1, 1] to hold against the photo."""
    reference = to_tensor(result.reference)[None]
    shown = mask_to_tensor(foreground(np.asarray(result.reference)))[None]
    return {
        MODEL: to_tensor(result.images[0])[None],
        UNCHANGED: bars.masked_person(truth, mask),
        COLOUR: bars.mean_colour(truth, mask, reference, shown),
        STRETCHED: bars.stretched(truth, mask, reference, shown),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--garment", default="upper")
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="one drawn person, few steps")
    options = parser.parse_args()
    if (options.folder is None) != options.quick:
        parser.error("give a FOLDER, or --quick")
    return options


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
