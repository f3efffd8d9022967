"""What the Leffa loss costs: memory at the real size against an explicit attention map, and time of a step.

python benchmarks/loss_memory.py              on a GPU if there is one, else on the CPU at reduced width
python benchmarks/loss_memory.py --quick      one small size, some seconds
"""

import argparse
import gc
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leffa.config import LeffaLossConfig
from leffa.model.attention import (
    ReferenceReader,
    ReferenceWriter,
    install_processors,
    paint,
    read_reference,
)
from leffa.model.flow import coordinates, grid_of, resize_flow, warp
from leffa.model.library import UNet2DConditionModel
from leffa.model.losses import AttentionStates, leffa_loss
from leffa.training.model import StateCollector

HEADS, HEAD_WIDTH = 8, 40  # Stable Diffusion 1.5 at 1/8
REAL = (128, 96)  # latents of 1024x768: 12,288 tokens
BOTH_FIT = (32, 24)
QUICK = (16, 12)
GIB = 2**30
PAPER, GUIDED = LeffaLossConfig(), LeffaLossConfig(weight=1e-2, guide=3000.0)


def states(grid: tuple[int, int], device: str) -> tuple[AttentionStates, dict[str, torch.Tensor]]:
    """One layer's queries and keys at a grid, and pictures 8 times as large."""
    generator = torch.Generator().manual_seed(0)
    tokens = grid[0] * grid[1]
    query, key = (
        torch.randn(1, HEADS, tokens, HEAD_WIDTH, generator=generator).to(device).requires_grad_()
        for _ in "qk"
    )
    pictures = {
        name: (torch.rand(1, 3, 8 * grid[0], 8 * grid[1], generator=generator) * 2 - 1).to(device)
        for name in ("reference", "target")
    }
    return AttentionStates(query, key, grid, grid), pictures


def explicit_loss(layer: AttentionStates, reference: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Eq. 2 to 5 as they are written, with the attention map of every head in memory."""
    config = LeffaLossConfig()
    scores = layer.query @ layer.reference_key.transpose(-1, -2)
    attention = torch.softmax(scores / (config.temperature * HEAD_WIDTH**0.5), dim=-1).mean(dim=1)
    places = coordinates(*layer.reference_grid, device=reference.device).reshape(-1, 2)
    flow = (attention @ places).unflatten(1, layer.query_grid)
    warped = warp(reference, resize_flow(flow, (target.shape[-2], target.shape[-1])))
    return F.mse_loss(warped, target)


def fused_loss(
    layer: AttentionStates, reference: torch.Tensor, target: torch.Tensor, config: LeffaLossConfig = PAPER
) -> torch.Tensor:
    mask = torch.ones_like(target[:, :1])
    return leffa_loss([layer], reference, target, mask, torch.zeros(1, device=target.device), config, mask)


LOSSES = {"fused": fused_loss, "explicit": explicit_loss, "guided": partial(fused_loss, config=GUIDED)}


def measure(way: str, grid: tuple[int, int], device: str) -> tuple[float, float]:
    """Bytes the loss adds to the peak, forward and backward, and seconds; alone in its process on the CPU."""
    small, pictures = states((4, 3), device)
    LOSSES[way](small, **pictures).backward()  # what the first backward of a process takes is not the loss's
    layer, pictures = states(grid, device)
    gc.collect()
    before = reset_peak(device)
    since = clock(device)
    LOSSES[way](layer, **pictures).backward()
    seconds = clock(device) - since
    return peak_memory(device) - before, seconds


def reset_peak(device: str) -> float:
    """Start a new peak; returns the bytes in use now."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak becomes what is resident now
    return peak_memory(device)


def peak_memory(device: str) -> float:
    """Most bytes in use since ``reset_peak``."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measured_apart(way: str, grid: tuple[int, int], device: str) -> tuple[float, float]:
    """``measure`` in a fresh process: what another one freed would hide in the allocator's pool."""
    arguments = [sys.executable, __file__, "--one", way, *map(str, grid), "--device", device]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split()
    return float(output[-2]), float(output[-1])


def memory(device: str, quick: bool) -> None:
    print(f"One layer, {HEADS} heads {HEAD_WIDTH} wide, batch 1, forward and backward on {device}:")
    print("| tokens | explicit map | fused | ratio | guided | seconds, explicit | fused | guided |")
    print("|---|---|---|---|---|---|---|---|")
    grids = (QUICK,) if quick else ((32, 24), (48, 36), (64, 48)) if device == "cpu" else ((64, 48), REAL)
    for grid in grids:
        explicit, fused, guided = (
            measured_apart(way, grid, device) for way in ("explicit", "fused", "guided")
        )
        print(
            f"| {grid[0] * grid[1]} | {explicit[0] / GIB:.3f} GiB | {fused[0] / GIB:.3f} GiB "
            f"| {explicit[0] / fused[0]:.0f} | {guided[0] / GIB:.3f} GiB "
            f"| {explicit[1]:.2f} | {fused[1]:.2f} | {guided[1]:.2f} |",
            flush=True,
        )
    if device == "cpu" and not quick:
        tokens = REAL[0] * REAL[1]
        scaled = explicit[0] * (tokens / (grid[0] * grid[1])) ** 2  # the map grows with the square
        fused, guided = (measured_apart(way, REAL, device) for way in ("fused", "guided"))
        print(
            f"| {tokens} | {scaled / GIB:.1f} GiB, computed | {fused[0] / GIB:.3f} GiB "
            f"| {scaled / fused[0]:.0f} | {guided[0] / GIB:.3f} GiB "
            f"| not run | {fused[1]:.2f} | {guided[1]:.2f} |",
            flush=True,
        )


def gradients(device: str) -> None:
    """Largest difference between the gradients of the two, relative to the largest gradient."""
    found = []
    for way in ("fused", "explicit"):
        layer, pictures = states(BOTH_FIT, device)
        LOSSES[way](layer, **pictures).backward()
        found.append((layer.query.grad, layer.reference_key.grad))
    worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(*found, strict=True))
    print(
        f"\nGradients at {BOTH_FIT[0] * BOTH_FIT[1]} tokens: equal to {worst:.1e} of the largest (float32)."
    )


def step_time(device: str, size: tuple[int, int], width: int, repeats: int) -> None:
    """Seconds of a training step of two UNets like Stable Diffusion's: without the loss, with it, guided."""
    latent = (size[0] // 8, size[1] // 8)
    torch.manual_seed(0)
    unet, reference_unet = unets(width)
    unet.to(device), reference_unet.to(device)
    picture = torch.rand(1, 3, *size, device=device)
    timestep = torch.zeros(1, device=device)
    layers = 0

    def step(config: LeffaLossConfig | None) -> None:
        nonlocal layers
        bank = read_reference(reference_unet, torch.randn(1, 4, *latent, device=device), 1)
        collector = StateCollector(latent, size[0])
        noisy = torch.randn(1, 12, *latent, device=device)
        noise = paint(unet, noisy, 1, bank, collector if config else None)
        total = noise.float().square().mean()
        if config:
            found = collector.close()
            layers = len(found)
            worn = picture[:, :1]
            loss = leffa_loss(found, picture, picture, worn, timestep, config, worn)
            total = total + config.weight * loss
        total.backward()
        for net in (unet, reference_unet):
            net.zero_grad(set_to_none=True)

    variants = {"without": None, "with": PAPER, "guided": GUIDED}
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(repeats + 1):
        for name, config in variants.items():
            since = clock(device)
            with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
                step(config)
            if turn:  # the first warms up
                seconds[name].append(clock(device) - since)
    least = {name: min(values) for name, values in seconds.items()}
    more = {name: 100 * (value / least["without"] - 1) for name, value in least.items()}
    smallest = grid_of(latent[0] * latent[1], latent)
    print(
        f"{size[0]}x{size[1]}, width {width} of 320, "
        f"{layers} layers from {smallest[0]}x{smallest[1]} tokens: "
        f"{least['without']:.2f} s without, {least['with']:.2f} s with ({more['with']:+.1f} %), "
        f"{least['guided']:.2f} s guided ({more['guided']:+.1f} %)",
        flush=True,
    )


def clock(device: str) -> float:
    """Seconds: of this process on the CPU, where other work does not count; else of the wall."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def unets(width: int) -> list[UNet2DConditionModel]:
    """Stable Diffusion 1.5's layout at another width; heads are 40 wide at 1/8, as there."""
    made = []
    for channels, processor in ((12, ReferenceReader), (4, ReferenceWriter)):
        net = UNet2DConditionModel(
            in_channels=channels,
            block_out_channels=(width, 2 * width, 4 * width, 4 * width),
            attention_head_dim=width // HEAD_WIDTH,
            cross_attention_dim=8,
            norm_num_groups=8,
        )
        install_processors(net, processor)
        made.append(net)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one small size")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "H", "W"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.one:
        way, height, width = options.one
        print(*measure(way, (int(height), int(width)), options.device))
        return
    memory(options.device, options.quick)
    gradients(options.device)
    print("\nA training step, batch 1:")
    width = 80 if options.device == "cpu" else 320
    sizes = [(256, 192)] if options.device == "cpu" else [(512, 384), (1024, 768)]
    sizes = [(128, 96)] if options.quick else sizes
    repeats = 1 if options.quick else 3 if options.device == "cpu" else 10
    for size in sizes:
        step_time(options.device, size, width, repeats)


if __name__ == "__main__":
    main()
