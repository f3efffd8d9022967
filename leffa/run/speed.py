"""How long a picture takes, about: the arithmetic it costs over what the device was seen to do."""

import time

from leffa.run.machine import Machine
from leffa.run.placement import Memory, Needs, Placement
from leffa.weights.models import Model

_SECONDS = 0.15  # spent on measuring
_PATIENCE = 1.0  # seconds that one run of what is measured may take
_BUS = 1e10  # bytes a second between main memory and a graphics card
_CHANNELS, _SIZE = 320, (64, 48)  # a convolution as the UNets have most of
_TRIAL = (8, 6)  # tried first: some processors take seconds for the whole in half precision
_OVERHEAD = 0.02  # seconds a step for what is no arithmetic


def measure(machine: Machine, dtype: str) -> float:
    """Floating-point operations a second in the convolutions that the networks are made of, now."""
    import torch

    layer = torch.nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1)
    layer.to(device=machine.device, dtype=getattr(torch, dtype))

    def timed(size: tuple[int, int], least: float) -> float:
        """Operations a second, from as many runs as fill ``least`` seconds, after one that is not counted."""
        inputs = torch.ones(1, _CHANNELS, *size).to(layer.weight)
        layer(inputs)  # libraries make themselves ready
        _wait(machine)
        start, runs = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < least or not runs:
            layer(inputs)
            _wait(machine)
            runs += 1
        return runs * _operations(size) / spent if spent else float("inf")

    with torch.inference_mode():
        tried = timed(_TRIAL, _SECONDS / 10)
        return timed(_SIZE, _SECONDS) if _operations(_SIZE) / tried < _PATIENCE else tried


def _operations(size: tuple[int, int]) -> int:
    """Of the convolution on so many places."""
    return 2 * 9 * _CHANNELS**2 * size[0] * size[1]


def _wait(machine: Machine) -> None:
    """Until the device has done what it was given."""
    import torch

    if machine.kind == "cuda":
        torch.cuda.synchronize(machine.device)
    elif machine.kind == "mps":
        torch.mps.synchronize()


def seconds(model: Model, placement: Placement, needs: Needs, operations: float) -> float:
    """Of one picture with the model's default steps, on a device that does so many operations a second."""
    width = 4 if placement.dtype == "float32" else 2
    weights = (needs.reference + needs.unet) * width
    moved = {Memory.OFFLOAD: 2 * weights, Memory.SEQUENTIAL: model.steps * weights}
    transport = moved.get(placement.memory, 0) / _BUS
    return model.cost.of(model.steps) * 1e12 / operations + model.steps * _OVERHEAD + transport


def rate(operations: float) -> str:
    """Operations a second as one would say them."""
    return f"{operations / 1e12:.1f} TFLOP/s" if operations >= 1e11 else f"{operations / 1e9:.1f} GFLOP/s"


def duration_text(duration: float) -> str:
    """A duration as one would say it."""
    if duration < 90:
        return f"{duration:.0f} s" if duration >= 10 else f"{duration:.1f} s"
    return f"{duration / 60:.0f} min" if duration < 5400 else f"{duration / 3600:.1f} h"
