"""How long a picture takes, about: the arithmetic it costs over what the device was seen to do."""

import time

from leffa.run.machine import Machine
from leffa.run.placement import Memory, Needs, Placement
from leffa.run.settings import ResolvedSettings
from leffa.weights.models import Model

_SECONDS = 0.15  # spent on measuring
_PATIENCE = 0.5  # seconds that one run of what is measured may take
_LEAST_RUNS = 3
_BUS = 1e10  # bytes a second between main memory and a graphics card
_CHANNELS, _SIZE = 320, (64, 48)  # a convolution as the UNets have most of
_TRIAL = (8, 6)  # tried first: some processors take seconds for the whole in half precision
_OVERHEAD = 0.02  # seconds a step for what is no arithmetic


def measure(machine: Machine, dtype: str) -> float:
    """Floating-point operations a second in the convolutions that the networks are made of, now, at best."""
    import torch

    layer = torch.nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1)
    layer.to(device=machine.device, dtype=getattr(torch, dtype))

    def timed(size: tuple[int, int], least: float) -> float:
        """Operations a second in the quickest of some runs that fill ``least`` seconds: other work on the
        machine slows single ones down. One before them is not counted."""
        inputs = torch.ones(1, _CHANNELS, *size).to(layer.weight)
        layer(inputs)  # libraries make themselves ready
        _wait(machine)
        quickest, spent, runs = float("inf"), 0.0, 0
        while spent < least or runs < _LEAST_RUNS:
            start = time.perf_counter()
            layer(inputs)
            _wait(machine)
            taken = time.perf_counter() - start
            quickest, spent, runs = min(quickest, taken), spent + taken, runs + 1
        return _operations(size) / max(quickest, 1e-9)

    with torch.inference_mode():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # in so little work threads would but wait for each other
        try:
            tried = timed(_TRIAL, _SECONDS / 10)
        finally:
            torch.set_num_threads(threads)
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


def seconds(
    model: Model, settings: ResolvedSettings, placement: Placement, needs: Needs, operations: float
) -> float:
    """Of one picture, without previews, on a device that does so many operations a second."""
    from leffa.model.sampling import Guidance

    width = 4 if placement.dtype == "float32" else 2
    weights = (needs.reference + needs.unet) * width
    moved = {Memory.OFFLOAD: 2 * weights, Memory.SEQUENTIAL: settings.steps * weights}
    transport = moved.get(placement.memory, 0) / _BUS
    interval = settings.recipe(model).guidance_interval
    guided = Guidance(settings.guidance_scale, 0.0, interval).steps(settings.steps)
    arithmetic = model.at(settings.size).cost.of(guided, settings.reuse_reference) * 1e12
    return arithmetic / operations + settings.steps * _OVERHEAD + transport


def rate(operations: float) -> str:
    """Operations a second as one would say them."""
    return f"{operations / 1e12:.1f} TFLOP/s" if operations >= 1e11 else f"{operations / 1e9:.1f} GFLOP/s"


def duration_text(duration: float) -> str:
    """A duration as one would say it."""
    if duration < 90:
        return f"{duration:.0f} s" if duration >= 10 else f"{duration:.1f} s"
    return f"{duration / 60:.0f} min" if duration < 5400 else f"{duration / 3600:.1f} h"
