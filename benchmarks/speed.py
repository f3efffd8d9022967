"""How soon a picture is painted: as the official code computes it, by our exact way and by our fast ones.

    python benchmarks/speed.py                           full size at 256x192, then the bundled weights
    python benchmarks/speed.py --size 512x384 --models sd
    python benchmarks/speed.py --count                   counts of arithmetic at the models' own size alone
    python benchmarks/speed.py --quick                   toy networks in place of the full ones: that it runs
    python benchmarks/speed.py --out benchmarks/results  also JSON and Markdown, named after the machine

All ways have the same weights and start from the same noise, in one process, one after another. Of the long
ways a few steps are measured and the rest of them counted like those; the fast way is run to its end. The
floor is the arithmetic of a way, counted, over what one matrix product does here just then. Networks of full
size have random weights, which are stretches of one block of memory, so that SDXL fits in a few GB.
"""

import argparse
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.full_size import count, full_size, vae_counts
from leffa.model import presets
from leffa.model.attention import (
    LAYER_SUFFIX,
    Bank,
    ReferenceReader,
    ReferenceWriter,
    StaticBank,
    install_processors,
    self_attention_layers,
    split_heads,
)
from leffa.model.banks import UnconditionalFeatures, stacked
from leffa.model.pipeline import DENSEPOSE_CHANNELS, MASK_CHANNELS, LeffaPipeline
from leffa.model.sampling import Guidance, guide
from leffa.run.machine import inspect
from leffa.run.pace import RECIPES, Pace, recipe
from leffa.weights.models import BUNDLED, DEEP_FASHION, VITON_HD, Model

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 1 << 26  # random numbers that the weights of full size are stretches of
EXAMPLES = ROOT / "assets" / "examples"
OFFICIAL, EXACT, LATER = "official", "exact", "exact, a later picture"


# ------------------------------------------------------------------------------------ the official way


class DenseReader(ReferenceReader):
    """Every token is a query, and the rows of the reference are thrown away afterwards."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None,
                 bank=None, observer=None):  # fmt: skip
        tokens = torch.cat([hidden_states, bank[self.layer]], dim=1)
        query, key, value = (split_heads(to(tokens), attn.heads) for to in (attn.to_q, attn.to_k, attn.to_v))
        attended = F.scaled_dot_product_attention(query, key, value, scale=attn.scale)
        return attn.to_out[1](attn.to_out[0](attended.transpose(1, 2).flatten(2)))[
            :, : hidden_states.shape[1]
        ]


@contextmanager
def officially(pipeline: LeffaPipeline) -> Iterator[None]:
    """Dense attention, and the reference UNet to its end, while this lasts."""
    last = self_attention_layers(pipeline.reference_unet)[-1] + LAYER_SUFFIX
    install_processors(pipeline.unet, DenseReader)
    pipeline.reference_unet.attn_processors[last].ends = False
    try:
        yield
    finally:
        install_processors(pipeline.unet, ReferenceReader)
        install_processors(pipeline.reference_unet, ReferenceWriter)


def paint_officially(
    pipeline: LeffaPipeline, pictures: dict[str, Tensor], scale: float, steps: int, tick: Callable[[], None]
) -> Tensor:
    """Latents, by the released sampling loop: both branches read the reference in every step."""
    rows = 2 if scale > 1 else 1
    condition = pipeline.condition(pictures["person"], pictures["mask"], pictures["densepose"])
    reference = pipeline.encode(pictures["reference"])
    reference = torch.cat([torch.zeros_like(reference), reference][-rows:])
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, reference.shape[1], *reference.shape[2:], generator=generator)
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(steps)
    with officially(pipeline):
        for timestep in scheduler.timesteps:
            noisy = torch.cat([torch.cat([latents, condition], dim=1)] * rows)
            prediction = pipeline.paint(noisy, timestep, pipeline.read_reference(reference, timestep))
            if rows == 2:
                prediction = guide(*prediction.chunk(2), scale, scale)
            latents = scheduler.step(prediction, timestep, latents, generator=generator).prev_sample
            tick()
    return latents


# ------------------------------------------------------------------------------------ timing


@dataclass(frozen=True)
class Timed:
    """Of one call: seconds of each step, of the rest, and the latents (1, C, h, w)."""

    steps: list[float]
    rest: float
    latents: Tensor


def timed(work: Callable[[Callable[[], None]], Tensor]) -> Timed:
    """Run work that ticks after each step. The rest is what all up to the end of the first step takes longer
    than the second step."""
    ticks = [time.perf_counter()]
    with torch.no_grad():
        latents = work(lambda: ticks.append(time.perf_counter()))
    lengths = [after - before for before, after in itertools.pairwise(ticks)]
    second = lengths[1]
    return Timed([second, *lengths[1:]], max(0.0, lengths[0] - second), latents)


def paint(
    pipeline: LeffaPipeline, pictures: dict[str, Tensor], scale: float, steps: int, **how
) -> Callable[[Callable[[], None]], Tensor]:
    """A call of our pipeline, as ``timed`` wants it."""

    def work(tick: Callable[[], None]) -> Tensor:
        def watch(*_) -> dict:
            tick()
            return {}

        return pipeline(
            **pictures,
            num_inference_steps=steps,
            guidance_scale=scale,
            generator=torch.Generator().manual_seed(0),
            output_type="latent",
            callback_on_step_end=watch,
            **how,
        ).images

    return work


def matrix_rate() -> float:
    """Floating-point operations a second of a product of two large matrices, now."""
    side = 1536
    matrix = torch.rand(side, side)
    matrix @ matrix
    start, runs = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < 0.5:
        matrix @ matrix
        runs += 1
    return 2 * side**3 * runs / spent


# ------------------------------------------------------------------------------------ counting


@dataclass(frozen=True)
class Arithmetic:
    """10^12 operations of a picture's parts; see ``counted``."""

    once: float
    official: float
    exact: float
    later: float
    static_read: float
    guided: float
    alone: float


def counted(make: Callable[[], LeffaPipeline], size: tuple[int, int], rows: int) -> Arithmetic:
    """On networks without numbers.

    once      two pictures are encoded, one is decoded
    official, exact, later   a step; later = the features of the unconditional branch are kept
    static_read, guided, alone   reading the reference for all steps; a step with guidance and without
    """
    with torch.device("meta"):
        pipeline = make()
        channels = pipeline.vae.config.latent_channels
        grid = tuple(side // pipeline.downscale for side in size)
        noisy = torch.empty(rows, 2 * channels + MASK_CHANNELS + DENSEPOSE_CHANNELS, *grid)
        reference = torch.empty(rows, channels, *grid)
        read = partial(pipeline.read_reference, timestep=500)

        def work(of: Callable[[], object]) -> float:
            return count(of).arithmetic

        with officially(pipeline):
            official = work(lambda: pipeline.paint(noisy, 500, read(reference)))
        one = work(lambda: read(reference[:1]))
        bank: Bank = stacked(None, read(reference[:1]), rows)
        static = StaticBank(bank)
        alone = StaticBank({layer: features[:1] for layer, features in bank.items()})
        pipeline.paint(noisy, 500, static), pipeline.paint(noisy[:1], 500, alone)  # keys and values are made
        reading = work(lambda: pipeline.paint(noisy, 500, bank))
        encode, decode = vae_counts(pipeline.vae, size)
        return Arithmetic(
            once=2 * encode.arithmetic + decode.arithmetic,
            official=official,
            exact=rows * one + reading,
            later=one + reading,
            static_read=rows * one,
            guided=work(lambda: pipeline.paint(noisy, 500, static)),
            alone=work(lambda: pipeline.paint(noisy[:1], 500, alone)),
        )


def counts_table(cases: Iterable[str]) -> str:
    """Markdown: 10^12 operations of a step at the sizes that the models paint at."""
    titles = ["model", "size", "official", "exact", "exact, later", "reference read once", "and no guidance"]
    rows = [titles, ["---"] * len(titles)]
    for case in cases:
        name, model, task = CASES[case]
        for size in model.sizes:
            found = counted(partial(full_size, task), size, 2)
            steps = (found.official, found.exact, found.later, found.guided, found.alone)
            rows.append([name, f"{size[0]}x{size[1]}", *(f"{step:.2f}" for step in steps)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


# ------------------------------------------------------------------------------------ the table


@dataclass(frozen=True)
class Line:
    """One way to one picture: its steps, seconds, 10^12 operations, and how many of its steps were run."""

    model: str
    size: str
    way: str
    steps: int
    seconds: float
    arithmetic: float
    run: int


def measure(
    name: str, model: Model, pipeline: LeffaPipeline, make: Callable[[], LeffaPipeline],
    size: tuple[int, int], few: int,
) -> tuple[list[Line], float]:  # fmt: skip
    """The lines of a model, and the largest difference between the official latents and ours."""
    pipeline.set_progress_bar_config(disable=True)
    scale, own = model.guidance_scale, model.steps
    rows = 2 if scale > 1 else 1
    few = min(few, own)
    costs = counted(make, size, rows)
    pictures = drawn(size)
    cache = UnconditionalFeatures(8 << 30)
    ours = paint(pipeline, pictures, scale, few, unconditional=cache)
    runs = {
        OFFICIAL: timed(lambda tick: paint_officially(pipeline, pictures, scale, few, tick)),
        EXACT: timed(ours),
    }
    if rows == 2:
        runs[LATER] = timed(ours)
    off = float((runs[OFFICIAL].latents - runs[EXACT].latents).abs().max())
    decoded = decoding(pipeline, runs[EXACT].latents)
    step = {OFFICIAL: costs.official, EXACT: costs.exact, LATER: costs.later}
    lines = [
        Line(
            name, f"{size[0]}x{size[1]}", way, own, decoded + run.rest + own * min(run.steps),
            costs.once + own * step[way], few,
        )
        for way, run in runs.items()
    ]  # fmt: skip
    if rows == 2:
        lines += hurried(name, model, pipeline, pictures, costs, decoded)
    return lines, off


def hurried(
    name: str, model: Model, pipeline: LeffaPipeline, pictures: dict[str, Tensor], costs: Arithmetic,
    decoded: float,
) -> list[Line]:  # fmt: skip
    """The paces that are no exact way; balanced is counted from the steps of fast, which is run."""
    lines: list[Line] = []
    scale, size = model.guidance_scale, pictures["person"].shape[-2:]
    fast = RECIPES[Pace.FAST]
    run = timed(
        paint(
            pipeline, pictures, scale, fast.steps, solver=fast.solver, reuse_reference=True,
            guidance_interval=fast.guidance_interval,
        )
    )  # fmt: skip
    kinds = Guidance(scale, scale, fast.guidance_interval).steps(fast.steps)
    guided, alone = (
        min(seconds for seconds, kind in zip(run.steps, kinds, strict=True) if kind is wanted)
        for wanted in (True, False)
    )
    for pace in (Pace.BALANCED, Pace.FAST):
        used = recipe(pace, model.steps)
        on = sum(Guidance(scale, scale, used.guidance_interval).steps(used.steps))
        seconds = decoded + run.rest + on * guided + (used.steps - on) * alone
        arithmetic = costs.once + costs.static_read + on * costs.guided + (used.steps - on) * costs.alone
        shown = f"{size[0]}x{size[1]}"
        lines.append(Line(name, shown, pace.value, used.steps, seconds, arithmetic, fast.steps))
    return lines


def decoding(pipeline: LeffaPipeline, latents: Tensor) -> float:
    """Seconds."""
    start = time.perf_counter()
    with torch.no_grad():
        pipeline.decode(latents)
    return time.perf_counter() - start


def drawn(size: tuple[int, int]) -> dict[str, Tensor]:
    """Random pictures, and a mask in the middle."""
    person, reference, densepose = (
        torch.rand(3, 1, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    )
    mask = torch.zeros(1, 1, *size)
    mask[..., size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    return {"person": person, "reference": reference, "densepose": densepose, "mask": mask}


def table(lines: list[Line], rate: float) -> str:
    """Markdown."""
    titles = ["model", "size", "way", "steps", "TFLOP", "floor, s", "s", "of the floor", "times as fast"]
    rows = [titles, ["---"] * len(titles)]
    official = {(line.model, line.size): line.seconds for line in lines if line.way == OFFICIAL}
    for line in lines:
        floor = line.arithmetic * 1e12 / rate
        faster = official[line.model, line.size] / line.seconds
        rows.append(
            [
                line.model, line.size, line.way, str(line.steps), f"{line.arithmetic:.4g}", f"{floor:.3g}",
                f"{line.seconds:.3g}", f"{line.seconds / floor:.2f}", f"{faster:.2f}",
            ]
        )  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


# ------------------------------------------------------------------------------------ the models


def random_weights(pipeline: LeffaPipeline) -> LeffaPipeline:
    """For networks on the meta device: stretches of one block, which no cache of a processor holds."""
    block = torch.randn(BLOCK, generator=torch.Generator().manual_seed(0)).mul_(0.02)
    place = 0
    for network in (pipeline.reference_unet, pipeline.unet, pipeline.vae):
        for module in network.modules():
            for name, old in module._parameters.items():
                if old is None:
                    continue
                if old.dim() == 1:
                    value = torch.full(old.shape, float(name == "weight"))
                else:
                    place = 0 if place + old.numel() > BLOCK else place
                    value = block[place : place + old.numel()].view(old.shape)
                    place += old.numel()
                module._parameters[name] = nn.Parameter(value, requires_grad=False)
    return pipeline


def of_full_size(task: str) -> LeffaPipeline:
    with torch.device("meta"):
        pipeline = full_size(task)
    return random_weights(pipeline)


def of_a_toy() -> LeffaPipeline:
    torch.manual_seed(0)
    return presets.pipeline("toy")


# ------------------------------------------------------------------------------------ what a user waits for


def waits() -> dict[str, float]:
    """Seconds of whole try-ons with the bundled weights, from what was never seen to what is known."""
    from leffa.engine import Engine
    from leffa.images import load_image
    from leffa.run.findings import Findings
    from leffa.run.settings import Settings

    person, other = sorted(EXAMPLES.glob("people/*.jpg"))[:2]
    garments = sorted(EXAMPLES.glob("garments/upper/*.jpg"))[:2]
    found: dict[str, float] = {}

    def clocked(name: str, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        found[name] = time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "leffa.cli", "tryon", str(person), str(garments[0])]
        command += ["--seed", "0", "-o", str(Path(folder) / "out.png")]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        clocked(
            "leffa tryon, from the shell",
            partial(subprocess.run, command, check=True, capture_output=True, env=environment),
        )
    engine = Engine("cpu")
    photo, other_photo, first, second = (load_image(path) for path in (person, other, *garments))
    engine.try_on(photo, first, "upper", settings=Settings(seed=0))  # loads
    visitor = engine.apart(Findings())

    def paint(*pictures, samples: int = 1) -> Callable[[], object]:
        return lambda: visitor.try_on(*pictures, "upper", settings=Settings(seed=0, samples=samples))

    clocked("a new photo and a new garment", paint(photo, first))
    clocked("both again", paint(photo, first))
    clocked("a second garment on the photo", paint(photo, second))
    visitor.prepare(other_photo)
    clocked("the first garment on a second, prepared photo", paint(other_photo, first))
    clocked("four samples of a known photo and garment", paint(photo, second, samples=4))
    return found


# ------------------------------------------------------------------------------------ command line

CASES: dict[str, tuple[str, Model, str]] = {
    "sd": ("Stable Diffusion 1.5", VITON_HD, "try-on"),
    "sdxl": ("Stable Diffusion XL", DEEP_FASHION, "pose"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="toy networks in place of the full ones")
    parser.add_argument(
        "--size", default="256x192", help="HxW of the full-size models (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=2, help="run of the long ways (default: %(default)s)")
    parser.add_argument("--models", nargs="*", default=[*CASES, "bundled"], choices=[*CASES, "bundled"])
    parser.add_argument("--count", action="store_true", help="count, measure nothing")
    parser.add_argument("--out", type=Path, help="folder for JSON and Markdown")
    options = parser.parse_args()
    if options.count:
        print(counts_table(case for case in options.models if case in CASES))
        return
    height, width = (int(side) for side in options.size.split("x"))
    steps = max(2, options.steps)
    rate = matrix_rate()
    machine = inspect("cpu")
    about = {
        "machine": f"{machine.name}, {torch.get_num_threads()} of {machine.cores} cores",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "matrix product, GFLOP/s": round(rate / 1e9, 1),
    }
    print(", ".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    lines: list[Line] = []
    differences: dict[str, float] = {}

    def add(name: str, *arguments) -> None:
        found, differences[name] = measure(name, *arguments)
        lines.extend(found)
        print(
            table(found, rate), f"\nofficial and exact latents differ by {differences[name]:.1e}", flush=True
        )

    if options.quick:
        add("toy", VITON_HD, of_a_toy(), of_a_toy, (64, 48), steps)
    for case in () if options.quick else options.models:
        if case == "bundled":
            add("bundled", BUNDLED, LeffaPipeline.from_pretrained(BUNDLED.folder),
                partial(presets.pipeline, "tiny"), BUNDLED.size, BUNDLED.steps)  # fmt: skip
        else:
            name, model, task = CASES[case]
            add(name, model, of_full_size(task), partial(full_size, task), (height, width), steps)
    waited = waits() if "bundled" in options.models and not options.quick else {}
    for name, seconds in waited.items():
        print(f"{name:40} {seconds:6.2f} s", flush=True)
    if options.out:
        run = "toy" if options.quick else "-".join([*options.models, options.size])
        write(options.out, run, about, lines, rate, differences, waited)


def write(
    folder: Path, run: str, about: dict, lines: list[Line], rate: float, differences: dict[str, float],
    waited: dict[str, float],
) -> None:  # fmt: skip
    """The results of this machine, as it calls itself; ``run`` tells them from its others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"speed-{run}-{re.sub(r'[^a-z0-9]+', '-', about['machine'].lower())}"
    facts = {**about, "lines": [asdict(line) for line in lines], "official and exact differ": differences,
             "whole try-ons, s": waited}  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    text = [
        "`python benchmarks/speed.py`: "
        + ", ".join(f"{name} {value}" for name, value in about.items())
        + ".",
        "",
        table(lines, rate),
        "",
        *(
            f"* {name}: official and exact latents differ by {value:.1e}"
            for name, value in differences.items()
        ),
        *(f"* bundled, {name}: {seconds:.2f} s" for name, seconds in waited.items()),
    ]
    path.with_suffix(".md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
