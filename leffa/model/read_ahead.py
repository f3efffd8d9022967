"""Reference features of several steps at once, so that two networks can share a small device.

The two UNets alternate in every step. Where only one of them fits on the device, each step would carry both
back and forth. The reference UNet does not depend on what has been painted, so it can read for many steps in
a row and leave the features in main memory; the result is the same to the last bit.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from leffa.model.attention import Bank


class ReadAhead:
    """Banks by step, read in stretches that fit into ``memory`` bytes of main memory.

    read       runs the reference UNet at a timestep
    timesteps  (steps,) of the run
    memory     0 = read each bank when it is asked for, and keep none
    device     where banks are handed out
    """

    def __init__(
        self, read: Callable[[Tensor], Bank], timesteps: Tensor, memory: int, device: torch.device | str
    ):
        self._read, self._timesteps = read, timesteps
        self._memory, self._device = memory, device
        self._kept: dict[int, Bank] = {}

    def __getitem__(self, step: int) -> Bank:
        """The bank of a step; steps are asked for in their order."""
        if not self._memory:
            return self._read(self._timesteps[step])
        if step not in self._kept:
            self._read_stretch(step)
        bank = self._kept.pop(step)
        return {layer: features.to(self._device) for layer, features in bank.items()}

    def _read_stretch(self, first: int) -> None:
        self._kept.clear()
        taken = 0
        for step in range(first, len(self._timesteps)):
            bank = {
                layer: features.to("cpu") for layer, features in self._read(self._timesteps[step]).items()
            }
            self._kept[step] = bank
            size = sum(features.nbytes for features in bank.values())
            taken += size
            if taken + size > self._memory:
                break
