"""The published models at their full size: parameters, arithmetic and memory, counted; and a run, measured.

python benchmarks/full_size.py                      counts, then both tasks in every memory mode of the device
python benchmarks/full_size.py --quick              counts only, half a minute; ends with 1 if they are off
python benchmarks/full_size.py --task try-on --size 256x192 --steps 4 --modes plain
python benchmarks/full_size.py --device cuda --steps 30

Counting needs neither weights nor memory: the networks run on fake tensors. Measuring takes random weights
of full size (3.5 GB in half precision for try-on, 10.3 GB for pose transfer), a process for each mode.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leffa.model import presets
from leffa.model.library import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from leffa.model.pipeline import DENSEPOSE_CHANNELS, MASK_CHANNELS, LeffaPipeline
from leffa.model.recorder import FlowOptions, FlowRecorder
from leffa.run import placement
from leffa.run.machine import inspect
from leffa.run.placement import Memory, Needs, Placement
from leffa.weights import models, published

LATENT = 4
GB = 1e9

VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": LATENT,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "sample_size": 512,
}
UNETS: dict[str, dict[str, Any]] = {
    "try-on": {  # Stable Diffusion 1.5 inpainting
        "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
        "sample_size": 64,
    },
    "pose": {  # Stable Diffusion XL inpainting 0.1
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
        "sample_size": 128,
    },
}
OFFICIAL = {
    "try-on": {"reference_unet": 859_520_964, "unet": 859_544_004},
    "pose": {"reference_unet": 2_567_463_684, "unet": 2_567_486_724},
}
"""Parameters in the released files."""

MODELS = {"try-on": models.VITON_HD, "pose": models.DEEP_FASHION, "bundled": models.BUNDLED}
SETS = {"try-on": published.VITON_HD, "pose": published.DEEP_FASHION}


def full_size(task: str) -> LeffaPipeline:
    """The pipeline of a published model, or of the bundled one's shape, on the current device."""
    if task == "bundled":
        return presets.pipeline("tiny")
    config = UNETS[task]
    with torch.device("cpu"):  # its numbers are used, wherever the networks are
        scheduler = DDPMScheduler(beta_schedule="scaled_linear", clip_sample=False)
    return LeffaPipeline(
        vae=AutoencoderKL(**VAE, force_upcast=task == "pose"),
        unet=UNet2DConditionModel(
            **config, in_channels=2 * LATENT + MASK_CHANNELS + DENSEPOSE_CHANNELS, out_channels=LATENT
        ),
        reference_unet=UNet2DConditionModel(**config, in_channels=LATENT, out_channels=LATENT),
        scheduler=scheduler,
    )


# ---------------------------------------------------------------------------------------------- counting


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors made inside it that are alive, and the most there ever were.

    What was there before, such as weights, does not count, nor do views of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for tensor in _tensors((args, kwargs)):
            self._known.add(tensor.untyped_storage()._cdata)
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            self._watch(tensor.untyped_storage())
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class FusedAttention(TorchFunctionMode):
    """Attention on the meta device as the fused kernels do it: no map of queries by keys in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args
        self.flops += sdpa_flop_count(query.shape, key.shape, value.shape)
        return query.new_empty(*query.shape[:-1], value.shape[-1])


@dataclass(frozen=True)
class Count:
    """Of one piece of work: 10^12 floating-point operations, and bytes beside the weights."""

    arithmetic: float
    memory: int


def count(work: Callable[[], Any]) -> Count:
    live, flops, attention = LiveBytes(), FlopCounterMode(display=False), FusedAttention()
    with torch.no_grad(), attention, flops, live:
        work()
    return Count((flops.get_total_flops() + attention.flops) / 1e12, live.peak)


@dataclass(frozen=True)
class Counts:
    """Of a model at its own size, in half precision; with guidance where that is its default.

    linear   weights in the linear layers of both UNets, but those of SDXL's embedding of sizes
    entries  tensors in the released state dict
    flow     reading the flow in as many steps as the engine does, and merging it
    encode, decode  of one picture
    """

    parameters: dict[str, int]
    linear: int
    entries: int
    step: Count
    flow: Count
    encode: Count
    decode: Count

    @property
    def once(self) -> float:
        """Two pictures are encoded, one is decoded, and the flow is read."""
        return 2 * self.encode.arithmetic + self.decode.arithmetic + self.flow.arithmetic


def counts(task: str, size: tuple[int, int]) -> Counts:
    with torch.device("meta"):
        pipeline = full_size(task)
        parts = {name: getattr(pipeline, name) for name in ("reference_unet", "unet", "vae")}
        for part in parts.values():
            nn.Module.to(part, torch.float16)
        channels = pipeline.vae.config.latent_channels
        grid = (size[0] // pipeline.downscale, size[1] // pipeline.downscale)
        batch = 2 if MODELS[task].guidance_scale > 1 else 1
        half = {"dtype": torch.float16}
        reference = torch.empty(batch, channels, *grid, **half)
        inputs = torch.empty(batch, 2 * channels + MASK_CHANNELS + DENSEPOSE_CHANNELS, *grid, **half)
        seen: list[tuple[str, list[torch.Size]]] = []

        def observe(layer: str, *states: torch.Tensor) -> None:
            seen.append((layer, [state.shape for state in states]))

        def read_flow() -> None:
            options = FlowOptions()
            recorder = FlowRecorder(options, set(range(options.steps)), 1, grid, size)
            for step in range(options.steps):
                observer = recorder.observer(step)
                for layer, states in layers:
                    observer(layer, *states)
            recorder.merged()

        step = count(lambda: pipeline.predict_noise(inputs, 500, reference, observe))
        # made before they are counted: in a step they are there anyway
        layers = [(layer, [torch.empty(shape, **half) for shape in shapes]) for layer, shapes in seen]
        encode, decode = vae_counts(pipeline.vae, size)
        return Counts(
            parameters={name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()},
            linear=sum(
                layer.weight.numel()
                for net in (pipeline.reference_unet, pipeline.unet)
                for name, layer in net.named_modules()
                if isinstance(layer, nn.Linear) and not name.startswith("add_embedding")
            ),
            entries=len(pipeline.official_state_dict()),
            step=step,
            flow=count(read_flow),
            encode=encode,
            decode=decode,
        )


_VAE_COUNTS: dict[tuple, tuple[Count, Count]] = {}


def vae_counts(vae: AutoencoderKL, size: tuple[int, int]) -> tuple[Count, Count]:
    """Encoding and decoding of one picture; both published models have VAEs of the same shape."""
    key = (tuple(vae.config.block_out_channels), size)
    if key not in _VAE_COUNTS:
        scale = 2 ** (len(vae.config.block_out_channels) - 1)
        picture = torch.empty(1, 3, *size, dtype=vae.dtype)
        latents = torch.empty(
            1, vae.config.latent_channels, size[0] // scale, size[1] // scale, dtype=vae.dtype
        )
        _VAE_COUNTS[key] = count(lambda: vae.encode(picture)), count(lambda: vae.decode(latents))
    return _VAE_COUNTS[key]


def agrees(what: str, counted: float, stated: float, tolerance: float = 0.0) -> bool:
    """Print a line; whether the constant in the code is what was counted."""
    good = abs(counted - stated) <= tolerance * abs(stated)
    print(f"  {what:<44}{_figure(counted):>15}   stated {_figure(stated):>15}{'' if good else '  <-- OFF'}")
    return good


def holds(what: str, counted: float, room: float) -> bool:
    """Print a line; whether the room that the code leaves is enough."""
    good = counted <= room
    print(f"  {what:<44}{counted:>15.1f}   room for {room:>13}{'' if good else '  <-- TOO LITTLE'}")
    return good


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def report_counts(task: str) -> bool:
    """Print what was counted beside the constants that rest on it; whether all of them hold."""
    model = MODELS[task]
    found = counts(task, model.size)
    pixels = model.size[0] * model.size[1]
    print(f"\n{task}, {model.size[0]}x{model.size[1]}, {found.entries} tensors")
    good = [
        agrees("TFLOP a step", found.step.arithmetic, model.cost.step, 0.005),
        agrees("TFLOP once: encoding, decoding, flow", found.once, model.cost.once, 0.005),
    ]
    for size, cost in model.smaller.items():
        small = counts(task, size)
        good += [
            agrees(f"TFLOP a step, {size[0]}x{size[1]}", small.step.arithmetic, cost.step, 0.02),
            agrees(f"TFLOP once, {size[0]}x{size[1]}", small.once, cost.once, 0.02),
        ]
    if task == "bundled":
        return all(good)
    for name, official in OFFICIAL[task].items():
        good.append(agrees(f"parameters, {name}", found.parameters[name], official))
    kept = {name: number - _embedding(task, name) for name, number in found.parameters.items()}
    for (name, number), stated in zip(kept.items(), SETS[task].parameters, strict=True):
        good.append(agrees(f"parameters of the converted {name}", number, stated))
    good.append(agrees("of them linear, both UNets", found.linear, SETS[task].linear))
    unet, vae, flow = placement.BYTES_PER_PIXEL
    good += [
        holds("bytes a pixel, a guided step", found.step.memory / pixels, unet),
        holds("bytes a pixel, the flow", found.flow.memory / pixels, flow),
        holds("bytes a pixel, encoding", found.encode.memory / pixels, vae),
        holds("bytes a pixel, decoding", found.decode.memory / pixels, vae),
    ]
    needs = Needs.of_published(SETS[task], model.size)
    estimates = {mode: needs.memory(Placement("cuda", "float16", mode)) / GB for mode in Memory}
    told = ", ".join(f"{mode.value} {size:.1f} GB" for mode, size in estimates.items())
    print(f"  leffa.run.placement expects on a graphics card, float16: {told}")
    return all(good)


def _embedding(task: str, name: str) -> int:
    """Parameters of SDXL's embedding of sizes, which the converted files leave out."""
    if task != "pose" or name == "vae":
        return 0
    config = UNETS[task]
    width = 4 * config["block_out_channels"][0]
    return (config["projection_class_embeddings_input_dim"] + 1) * width + (width + 1) * width


# --------------------------------------------------------------------------------------------- measuring


def fill(network: nn.Module, dtype: torch.dtype) -> None:
    """Random weights in main memory for a network on the meta device, of a size that keeps signals alive."""
    nn.Module.to(network, dtype).to_empty(device="cpu")
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).to(dtype)
    for name, parameter in network.named_parameters():
        flat = parameter.data.view(-1)
        for start in range(0, len(flat), len(noise)):
            piece = flat[start : start + len(noise)]
            piece.copy_(noise[: len(piece)])
        if parameter.dim() > 1:
            flat *= 0.7 / parameter[0].numel() ** 0.5
        else:
            flat.mul_(0.05).add_(0 if name.endswith("bias") else 1)


def measure(task: str, size: tuple[int, int], steps: int, way: Placement) -> dict[str, float]:
    """Paint once. Seconds of a step and of the rest, and the most memory that was taken, in GB."""
    before = _peak(way.device)
    with torch.device("meta"):
        pipeline = full_size(task)
    needs = Needs.of_published(SETS[task], size)
    for name in ("reference_unet", "unet", "vae"):
        dtype = needs.of_vae_in(way.dtype) if name == "vae" else way.dtype
        fill(getattr(pipeline, name), getattr(torch, dtype))
        if way.memory is Memory.EIGHT_BIT and name != "vae":
            placement.quantize(getattr(pipeline, name))
    pipeline.set_progress_bar_config(disable=True)
    placement.place(pipeline, way)
    if way.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    clock: list[float] = []

    def tick(pipeline: LeffaPipeline, step: int, timestep: int, values: dict) -> dict:
        if way.device.startswith("cuda"):
            torch.cuda.synchronize()
        clock.append(time.perf_counter())
        return {}

    pictures = torch.rand(3, 1, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mask = torch.zeros(1, 1, *size)
    mask[..., size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    start = time.perf_counter()
    result = pipeline(
        *pictures[:2],
        mask,
        pictures[2],
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(2),
        output_type="pt",
        return_flow=True,
        callback_on_step_end=tick,
        bank_memory=int(0.5 * inspect().ram_free) if way.memory is Memory.OFFLOAD else 0,
    )
    end = time.perf_counter()
    assert bool(torch.isfinite(result.images).all())
    step = (clock[-1] - clock[0]) / (len(clock) - 1)
    return {"step": step, "once": end - start - steps * step, "memory": (_peak(way.device) - before) / GB}


def _peak(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def report_runs(task: str, size: tuple[int, int], steps: int, device: str, modes: list[str]) -> None:
    """A table of all ways to run on the device, each in a process of its own."""
    machine = inspect(device)
    print(f"\n{task}, {size[0]}x{size[1]}, random weights, on {machine.name}, {machine.cores} cores")
    print(
        "| precision, mode | s a step | s the rest | s of 30 steps | peak memory, GB |\n|---|---|---|---|---|"
    )
    for way in placement.ways(machine.device, placement.best_dtype(machine)):
        if modes and way.memory.value not in modes:
            continue
        arguments = [task, f"{size[0]}x{size[1]}", str(steps), way.device, way.dtype, way.memory.value]
        done = subprocess.run(
            [sys.executable, __file__, "--one", *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(
                f"| {way.dtype}, {way.memory.value} | {(done.stderr.strip() or 'killed').splitlines()[-1]} |"
            )
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        whole = found["once"] + 30 * found["step"]
        cells = [found["step"], found["once"], whole, found["memory"]]
        row = " | ".join(f"{cell:.2f}" for cell in cells)
        print(f"| {way.dtype}, {way.memory.value} | {row} |", flush=True)


def one(task: str, size: str, steps: str, device: str, dtype: str, memory: str) -> None:
    found = measure(task, _size(size), int(steps), Placement(device, dtype, Memory(memory)))
    print(json.dumps(found))


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    return height, width


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="count, measure nothing")
    parser.add_argument("--task", choices=list(SETS), help="measure only this (default: both)")
    parser.add_argument("--size", help="HxW (default: 1024x768 on a GPU, 256x192 on the CPU)")
    parser.add_argument("--steps", type=int, help="default: 30 on a GPU, 3 on the CPU")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--modes", nargs="*", default=[], help="measure only these")
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return 0
    if options.task is None:
        start = time.perf_counter()
        good = all([report_counts(task) for task in MODELS])
        print(
            f"\n{'all of it as the code says' if good else 'the code says something else'}, "
            f"{time.perf_counter() - start:.0f} s"
        )
        if options.quick or not good:
            return 0 if good else 1
    device = inspect(options.device).device
    on_cpu = device == "cpu"
    size = _size(options.size or ("256x192" if on_cpu else "1024x768"))
    for task in [options.task] if options.task else SETS:
        report_runs(task, size, options.steps or (3 if on_cpu else 30), device, options.modes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
