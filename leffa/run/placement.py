"""Where a model runs and in what precision, chosen from what is free, and the next smaller way if it fails.

The modes, from the fastest to the smallest:

plain       everything on the device
tiled       the VAE works on pieces of 512 px with blended seams, one picture at a time
offload     tiled, and the networks take turns on the device: the reference UNet reads for as many steps
            ahead as main memory holds the features of, then makes room for the generative UNet
sequential  tiled, and every layer visits the device for as long as it computes; slow
8-bit       tiled, and the UNets' linear layers keep their weights in 8 bits, with torchao

On the CPU, and where graphics and processor share their memory, moving weights gains nothing: there are
plain and tiled, and 8-bit as the last resort where torchao is installed. A graphics card gets 8-bit on
request only. Moving weights does not change the picture; tiling and 8 bits do, by less than one would see.
"""

import json
import math
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from leffa.errors import LeffaError
from leffa.run.machine import Machine

if TYPE_CHECKING:
    import torch

    from leffa.model.pipeline import LeffaPipeline
    from leffa.weights.published import WeightSet

TILE = 512  # px

BYTES_PER_PIXEL = (720, 1540, 120)
"""Activations per pixel of the frame with fused attention: one guided sample in the UNets and one picture in
the VAE, both in half precision, and the recorded flow, which is always float32. Counted on the meta device by
benchmarks/full_size.py, which fails if they are too low."""

_UNET_BYTES, _VAE_BYTES, _FLOW_BYTES = BYTES_PER_PIXEL
_QUANTIZED: "WeakSet[torch.nn.Module]" = WeakSet()
_QUANTIZED_AT_ONCE = 100_000_000  # weights
_RESERVE = 400_000_000  # context of the device, workspaces of its libraries
_MARGIN = 1.1


class Memory(str, Enum):
    """How sparingly memory is used; see the module."""

    PLAIN = "plain"
    TILED = "tiled"
    OFFLOAD = "offload"
    SEQUENTIAL = "sequential"
    EIGHT_BIT = "8-bit"


@dataclass(frozen=True)
class Placement:
    """How a model runs: torch device, name of the dtype, and mode."""

    device: str
    dtype: str
    memory: Memory

    def __str__(self) -> str:
        return f"{self.device}, {self.dtype}, {self.memory.value}"

    @property
    def torch_dtype(self) -> "torch.dtype":
        import torch

        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    def smaller(self) -> "Placement | None":
        """The next way that needs less memory; None if there is none."""
        if self.memory is Memory.EIGHT_BIT and _moves_weights(self.device):
            return Placement(self.device, self.dtype, Memory.OFFLOAD)
        steps = ways(self.device, self.dtype)
        later = steps[steps.index(self) + 1 :] if self in steps else []
        return later[0] if later else None


def ways(device: str, dtype: str) -> list[Placement]:
    """The ways to run on a device that are taken by themselves, the fastest first.

    On the CPU half precision takes half of the memory and, where there are no instructions for it, several
    times as long.
    """
    if _moves_weights(device):
        moving = (Memory.PLAIN, Memory.TILED, Memory.OFFLOAD, Memory.SEQUENTIAL)
        return [Placement(device, dtype, memory) for memory in moving]
    modes = [(dtype, Memory.PLAIN), (dtype, Memory.TILED)]
    if device == "cpu":
        modes = [("float32", Memory.PLAIN), ("float32", Memory.TILED), ("bfloat16", Memory.TILED)]
    if has_eight_bit():
        modes.append((modes[-1][0], Memory.EIGHT_BIT))
    return [Placement(device, precision, memory) for precision, memory in modes]


def has_eight_bit() -> bool:
    """Whether the library for 8-bit weights is installed."""
    return find_spec("torchao") is not None


def _moves_weights(device: str) -> bool:
    return device.startswith("cuda")


def best_dtype(machine: Machine) -> str:
    """float16 on graphics cards, as the released demo; float32 where half precision is slow or wrong.

    GTX 16 cards give NaN in float16, and processors compute in float32.
    """
    if machine.kind == "cpu" or "GTX 16" in machine.name:
        return "float32"
    return "float16"


@dataclass(frozen=True)
class Needs:
    """What decides how much memory a run takes.

    reference, unet, vae  numbers of parameters
    linear                of them in the linear layers of both UNets, which can be kept in 8 bits
    float32_vae           the VAE overflows in float16 and runs in float32
    pixels                of the model's frame
    samples               painted at once
    """

    reference: int
    unet: int
    vae: int
    linear: int
    float32_vae: bool
    pixels: int
    samples: int = 1

    @classmethod
    def of(cls, folder: Path, size: tuple[int, int], samples: int = 1) -> "Needs":
        """Of a saved pipeline, from the headers of its files."""
        shapes = {name: _shapes(folder / name) for name in ("reference_unet", "unet", "vae")}
        counts = {name: sum(math.prod(shape) for shape in shapes[name]) for name in shapes}
        linear = [shape for name in ("reference_unet", "unet") for shape in shapes[name] if len(shape) == 2]
        return cls(
            reference=counts["reference_unet"],
            unet=counts["unet"],
            vae=counts["vae"],
            linear=sum(math.prod(shape) for shape in linear),
            float32_vae=_wants_float32(folder / "vae"),
            pixels=size[0] * size[1],
            samples=samples,
        )

    @classmethod
    def of_published(cls, weights: "WeightSet", size: tuple[int, int], samples: int = 1) -> "Needs":
        """Of weights that need not be here."""
        reference, unet, vae = weights.parameters
        pixels = size[0] * size[1]
        return cls(reference, unet, vae, weights.linear, weights.has_float32_vae, pixels, samples)

    def of_vae_in(self, dtype: str) -> str:
        return "float32" if self.float32_vae and dtype == "float16" else dtype

    def memory(self, placement: Placement) -> int:
        """Bytes on the device at the fullest moment, about."""
        width = _bytes(placement.dtype)
        vae_width = _bytes(self.of_vae_in(placement.dtype))
        reference, unet, vae = self.reference * width, self.unet * width, self.vae * vae_width
        painting = (_UNET_BYTES * width / 2 + _FLOW_BYTES) * self.pixels * self.samples
        tiled = placement.memory is not Memory.PLAIN
        decoded = min(self.pixels, TILE**2) if tiled else self.pixels * self.samples
        decoding = _VAE_BYTES * decoded * vae_width / 2
        if placement.memory is Memory.OFFLOAD:
            peak = vae + max(max(reference, unet) + painting, decoding)
        elif placement.memory is Memory.SEQUENTIAL:
            peak = max(painting, decoding) + 0.05 * unet
        elif placement.memory is Memory.EIGHT_BIT:
            peak = reference + unet - self.linear * (width - 1) + vae + max(painting, decoding)
        else:
            peak = reference + unet + vae + max(painting, decoding)
        return int(peak * _MARGIN) + _RESERVE


def choose(machine: Machine, needs: Needs, memory: Memory | str = "auto") -> Placement:
    """The fastest way that fits into what is free; the smallest if none does.

    ``memory`` other than "auto" takes that mode. Raises LeffaError for a mode the device does not have, or
    that needs a library which is not installed.
    """
    steps = ways(machine.device, best_dtype(machine))
    if memory == Memory.EIGHT_BIT.value:
        if not has_eight_bit():
            raise LeffaError("8-bit weights need torchao: `pip install -e '.[eight-bit]'` in Leffa's folder")
        return Placement(machine.device, steps[-1].dtype, Memory.EIGHT_BIT)
    if memory != "auto":
        asked = [step for step in steps if step.memory.value == Memory(memory).value]
        if not asked:
            known = ", ".join(dict.fromkeys(step.memory.value for step in steps))
            raise LeffaError(
                f"the memory mode {Memory(memory).value!r} needs a graphics card with memory of its own; "
                f"on {machine.device} there are {known}"
            )
        return asked[0]
    fitting = [step for step in steps if needs.memory(step) <= machine.free]
    return fitting[0] if fitting else steps[-1]


def place(pipeline: "LeffaPipeline", placement: Placement) -> None:
    """Bring a pipeline into a placement, from any larger one; from 8 bits there is no way back."""
    pipeline.remove_all_hooks()
    vae = pipeline.vae
    vae.tile_sample_min_size, vae.tile_latent_min_size = TILE, TILE // pipeline.downscale
    for switch in ("tiling", "slicing"):
        getattr(vae, f"{'disable' if placement.memory is Memory.PLAIN else 'enable'}_{switch}")()
    if pipeline.unet.dtype != placement.torch_dtype:
        pipeline.to(placement.torch_dtype, silence_dtype_warnings=True)
    if placement.memory is Memory.EIGHT_BIT:
        for network in (pipeline.reference_unet, pipeline.unet):
            quantize(network)
    if placement.memory is Memory.OFFLOAD:
        pipeline.enable_model_cpu_offload(device=placement.device)
    elif placement.memory is Memory.SEQUENTIAL:
        pipeline.enable_sequential_cpu_offload(device=placement.device)
    else:
        pipeline.to(placement.device)


def quantize(network: "torch.nn.Module") -> None:
    """Keep the weights of a network's linear layers in 8 bits, one scale per output; once is enough."""
    if network in _QUANTIZED:
        return
    from torch.nn import Linear

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own deprecations
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        since = 0
        for layer in [module for module in network.modules() if isinstance(module, Linear)]:
            since += layer.weight.numel()
            quantize_(layer, Int8WeightOnlyConfig())
            if since > _QUANTIZED_AT_ONCE:  # or old and new weights would be in memory together
                release_memory()
                since = 0
    release_memory()
    _QUANTIZED.add(network)


def release_memory() -> None:
    """Give what is no longer used back to the device, and to the system."""
    import ctypes
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform == "linux":  # glibc keeps freed pieces of some megabytes for itself
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _bytes(dtype: str) -> int:
    return 4 if dtype == "float32" else 2


def _shapes(folder: Path) -> list[list[int]]:
    """Of all tensors in the safetensors files of a folder, by their headers."""
    shapes = []
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, path.stat().st_size)))
        shapes += [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return shapes


def _wants_float32(vae: Path) -> bool:
    try:
        return bool(json.loads((vae / "config.json").read_text()).get("force_upcast", True))
    except (OSError, ValueError):
        return True
