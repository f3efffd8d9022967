"""What this machine has: graphics card, main memory, cores."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from leffa.errors import LeffaError

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """The device that computes, and the memory around it; sizes in bytes.

    device   a torch device: "cuda", "cuda:1", "mps", "cpu"
    name     of the graphics card or the processor
    total, free          the device's own memory; main memory where it has none
    ram_total, ram_free  main memory, within what a container allows
    cores    that this process may use
    """

    device: str
    name: str
    total: int
    free: int
    ram_total: int
    ram_free: int
    cores: int

    @property
    def kind(self) -> str:
        """The device without its number."""
        return self.device.split(":")[0]


def inspect(device: str = "auto") -> Machine:
    """Look at the machine now. ``device`` "auto" takes CUDA, then MPS, then the CPU.

    Raises LeffaError for a device that is not there.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    _check(device)
    ram_total, ram_free = _main_memory()
    name, total, free = _processor(), ram_total, ram_free
    if device.startswith("cuda"):
        index = torch.device(device).index or 0
        name = torch.cuda.get_device_name(index)
        free, total = torch.cuda.mem_get_info(index)
        # what this process has cached but does not use is free for it
        free += torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    elif device == "mps":
        name = "Apple GPU"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(device, name, total, free, ram_total, ram_free, cores)


def _processor() -> str:
    """As it calls itself; Python knows the name on some systems only."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()


def _check(device: str) -> None:
    import torch

    try:
        kind, index = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError:
        raise LeffaError(f"unknown device {device!r}: there are auto, cpu, cuda, cuda:1 and mps") from None
    there = {"cpu": True, "mps": _has_mps(), "cuda": index < torch.cuda.device_count()}.get(kind, False)
    if not there:
        raise LeffaError(f"there is no device {device!r} here: leave it open, or take cpu")


def _main_memory() -> tuple[int, int]:
    """(total, free) bytes; a container's limit counts where it is lower."""
    import psutil

    memory = psutil.virtual_memory()
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no control groups, or "max": no limit
        return memory.total, memory.available
    return min(memory.total, limit), max(0, min(memory.available, limit - used))
