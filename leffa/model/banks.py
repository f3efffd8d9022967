"""The reference features of each step: what is read when, and what is kept.

The reference UNet does not depend on what has been painted, and what it finds in no reference at all does not
even depend on the pictures.
"""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from leffa.model.attention import Bank


class ReadAhead:
    """Banks by step, read in stretches that fit into ``memory`` bytes of main memory.

    The two UNets alternate in every step. Where only one of them fits on the device, each step would carry
    both back and forth; so the reference UNet reads for many steps in a row and leaves the features in main
    memory. The result is the same to the last bit.

    read    gives the bank of a step
    steps   of the run
    memory  0 = read each bank when it is asked for, and keep none
    device  where banks are handed out
    """

    def __init__(self, read: Callable[[int], Bank], steps: int, memory: int, device: torch.device | str):
        self._read, self._steps = read, steps
        self._memory, self._device = memory, device
        self._kept: dict[int, Bank] = {}

    def __getitem__(self, step: int) -> Bank:
        """The bank of a step; steps are asked for in their order."""
        if not self._memory:
            return self._read(step)
        if step not in self._kept:
            self._read_stretch(step)
        bank = self._kept.pop(step)
        return {layer: features.to(self._device) for layer, features in bank.items()}

    def _read_stretch(self, first: int) -> None:
        self._kept.clear()
        taken = 0
        for step in range(first, self._steps):
            bank = {layer: features.to("cpu") for layer, features in self._read(step).items()}
            self._kept[step] = bank
            size = _size(bank)
            taken += size
            if taken + size > self._memory:
                break


class UnconditionalFeatures:
    """What the reference UNet finds in latents of zeros, kept from one picture to the next.

    The unconditional branch of guidance sees it. It depends on the weights, the size and the timestep alone:
    one of these objects belongs to one set of weights, which must not change.

    memory  bytes to keep, 0 = none. What does not fit is read anew: steps come in the same order in each run,
            so that keeping the first ones saves more than keeping the last ones
    """

    def __init__(self, memory: int = 0):
        self._memory = memory
        self._run: Hashable = None
        self._kept: dict[int, Bank] = {}

    @property
    def taken(self) -> int:
        """Bytes that are kept."""
        return sum(map(_size, self._kept.values()))

    def of_run(
        self, latents: Tensor, timesteps: list[int], read: Callable[[int], Bank]
    ) -> "Callable[[int], Bank]":
        """What gives the bank, of one row, of a step.

        latents    (1, C, h, w) of zeros, on the device and in the dtype of the run
        timesteps  of the run. Another size, dtype or row of timesteps is another run, and replaces the last
        read       the reference UNet, by step
        """
        run = (latents.shape, latents.dtype, latents.device, tuple(timesteps))
        if run != self._run:
            self._kept.clear()
            self._run = run

        def features(step: int) -> Bank:
            timestep = timesteps[step]
            if timestep not in self._kept:
                bank = read(step)
                if self.taken + _size(bank) > self._memory:
                    return bank
                self._kept[timestep] = bank
            return self._kept[timestep]

        return features


def stacked(unconditional: Bank | None, conditional: Bank, batch: int) -> Bank:
    """One bank for the rows that are painted: ``batch`` unconditional ones, where there are any, and as many
    conditional ones. A bank of one row serves all of them."""
    banks = [bank for bank in (unconditional, conditional) if bank is not None]
    return {layer: torch.cat([bank[layer].expand(batch, -1, -1) for bank in banks]) for layer in conditional}


def _size(bank: Bank) -> int:
    return sum(features.nbytes for features in bank.values())
