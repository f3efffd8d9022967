"""What haste costs: fewer steps, the reference read once, guidance in a part; against the exact picture.

    python benchmarks/paces.py --out docs      20 pairs; writes pace-error.svg and pace-error.json there
    python benchmarks/paces.py --quick         one pair, two ways: that it runs

The bundled UNets paint held-out synthetic pairs as the published models do by default: 30 steps, guidance
2.5, each step reading the reference. That is the exact picture; every other way starts from the same noise.
What is painted is judged as it leaves the UNets, since composing hides most of it. DDPM draws noise in every
step: the exact way with other draws shows how far two pictures of the same right are apart.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.toy.curves import Panel, draw
from leffa.metrics.flow import FlowError
from leffa.metrics.pictures import psnr, ssim
from leffa.model.pipeline import LeffaPipeline
from leffa.model.recorder import SampleFlow
from leffa.model.solvers import Solver
from leffa.run.machine import inspect
from leffa.run.pace import RECIPES, Recipe
from leffa.synthetic.identity import Split
from leffa.synthetic.samples import Settings, make_try_on
from leffa.weights.models import BUNDLED, VITON_HD

EXACT, OTHER = "exact", "exact, other draws"
STEPS = (4, 6, 8, 12)
BATCH = 10


@dataclass(frozen=True)
class Painted:
    """pictures (B, 3, H, W) in [0, 1], the merged flow (B, H, W, 2), seconds of processor time of all."""

    pictures: Tensor
    flow: Tensor
    seconds: float


def ways(quick: bool) -> dict[str, Recipe]:
    """Name of each way -> what is done, the paces first."""
    found = {pace.value: used for pace, used in RECIPES.items() if used.steps}
    if quick:
        return dict(list(found.items())[:1])
    found |= {f"UniPC, read once, {steps}": Recipe(steps, Solver.UNIPC, True) for steps in STEPS}
    found |= {"DPM-Solver++, read once, 6": Recipe(6, Solver.DPM, True)}
    found |= {"UniPC, 6": Recipe(6, Solver.UNIPC)}
    found |= {f"DDPM, read once, {steps}": Recipe(steps, Solver.DDPM, True) for steps in (6, 12)}
    found |= {f"DDPM, {steps}": Recipe(steps) for steps in (6, 12)}
    return found


def batches(count: int) -> list[dict[str, Tensor]]:
    """Held-out pairs; see ``Sample``."""
    settings = Settings(split=Split.TEST, size=BUNDLED.size, reuse=1)
    samples = [make_try_on(index, settings) for index in range(count)]
    names = ("person", "reference", "mask", "densepose", "flow", "visible")
    return [
        {
            name: torch.stack([getattr(sample, name) for sample in samples[start : start + BATCH]])
            for name in names
        }
        for start in range(0, count, BATCH)
    ]


def paint(
    pipeline: LeffaPipeline, batch: dict[str, Tensor], way: Recipe, start: Tensor, seed: int
) -> Painted:
    """One batch. ``seed`` is of the draws that DDPM makes on its way."""
    since = time.process_time()
    result = pipeline(
        *(batch[name] for name in ("person", "reference", "mask", "densepose")),
        num_inference_steps=way.steps or VITON_HD.steps,
        guidance_scale=VITON_HD.guidance_scale,
        guidance_interval=way.guidance_interval,
        solver=way.solver,
        reuse_reference=way.reuse_reference,
        latents=start,
        generator=torch.Generator().manual_seed(seed),
        output_type="pt",
        return_flow=True,
    )
    seconds = time.process_time() - since
    flows: list[SampleFlow] = result.flow
    return Painted(result.images, torch.stack([flow.merged.flow for flow in flows]), seconds)


def figures(painted: list[Painted], exact: list[Painted], pairs: list[dict[str, Tensor]]) -> dict[str, float]:
    """Means over all pairs, inside the mask; flow in % of the width, where the garment is seen."""
    likeness, ratio, truly = [], [], []
    moved, off = FlowError(), FlowError()
    for ours, theirs, batch in zip(painted, exact, pairs, strict=True):
        aspect = BUNDLED.size[1] / BUNDLED.size[0]
        likeness.append(ssim(ours.pictures, theirs.pictures, batch["mask"]))
        ratio.append(psnr(ours.pictures, theirs.pictures, batch["mask"]))
        truly.append(ssim(ours.pictures, batch["person"] / 2 + 0.5, batch["mask"]))
        moved.update(ours.flow, theirs.flow, batch["visible"], aspect)
        off.update(ours.flow, batch["flow"], batch["visible"], aspect)
    count = sum(len(batch["person"]) for batch in pairs)
    return {
        "seconds": sum(one.seconds for one in painted) / count,
        "SSIM to exact": float(torch.cat(likeness).mean()),
        "PSNR to exact": float(torch.cat(ratio).mean()),
        "flow from exact": moved.end_point_error(),
        "SSIM to truth": float(torch.cat(truly).mean()),
        "flow error": off.end_point_error(),
    }


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown."""
    titles = list(next(iter(found.values())))
    lines = [f"| way | {' | '.join(titles)} |", f"| --- |{' --- |' * len(titles)}"]
    lines += [
        f"| {name} | {' | '.join(f'{value:.4g}' for value in row.values())} |" for name, row in found.items()
    ]
    return "\n".join(lines)


def curve(found: dict[str, dict[str, float]]) -> str:
    """SVG: distance from the exact picture over seconds."""

    def points(names: list[str], figure: str) -> list[tuple[float, float]]:
        rows = [found[name] for name in names if name in found]
        return sorted((row["seconds"], 1 - row[figure]) for row in rows)

    end = found[EXACT]["seconds"]
    panels = []
    for title, figure in (("from the exact picture", "SSIM to exact"), ("from the truth", "SSIM to truth")):
        level = 1 - found[OTHER][figure]
        curves = {
            **{
                solver: points([f"{solver}, {steps}" for steps in STEPS], figure)
                for solver in ("UniPC, read once", "DDPM, read once", "DDPM")
            },
            "paces": points(["fast", "balanced", EXACT], figure),
            OTHER: [(0.0, level), (end, level)],
        }
        panels.append(Panel(title, {name: row for name, row in curves.items() if row}))
    return draw(panels, "seconds of a core for a picture of 256x192", "1 - SSIM in the mask")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--out", type=Path, help="folder for the curve and the figures")
    parser.add_argument("--quick", action="store_true", help="one pair, the exact way in few steps, one pace")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pairs = batches(1 if options.quick else options.pairs)
    pipeline = LeffaPipeline.from_pretrained(BUNDLED.folder)
    pipeline.set_progress_bar_config(disable=True)
    channels, grid = (
        pipeline.vae.config.latent_channels,
        [side // pipeline.downscale for side in BUNDLED.size],
    )
    generator = torch.Generator().manual_seed(0)
    starts = [torch.randn(len(batch["person"]), channels, *grid, generator=generator) for batch in pairs]

    def painted(way: Recipe, seed: int = 1) -> list[Painted]:
        return [paint(pipeline, batch, way, start, seed) for batch, start in zip(pairs, starts, strict=True)]

    whole = Recipe(2) if options.quick else Recipe()
    exact = painted(whole)
    found = {EXACT: figures(exact, exact, pairs), OTHER: figures(painted(whole, 2), exact, pairs)}
    print(table(found), flush=True)
    for name, way in ways(options.quick).items():
        found[name] = figures(painted(way), exact, pairs)
        print(table({name: found[name]}).splitlines()[-1], flush=True)
    if options.out:
        machine = inspect("cpu")
        kept = {
            name: {title: value if math.isfinite(value) else None for title, value in row.items()}
            for name, row in found.items()
        }
        facts = {"machine": f"{machine.name}, one core", "pairs": options.pairs, "ways": kept}
        (options.out / "pace-error.json").write_text(json.dumps(facts, indent=1) + "\n")
        (options.out / "pace-error.svg").write_text(curve(found))


if __name__ == "__main__":
    main()
