"""Batches by step: which samples a step sees depends on the seed and the step alone, so a run can resume."""

from collections.abc import Iterator, Sized
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler


class StepSampler(Sampler[list[int]]):
    """Endless batches of row numbers, from a given step on.

    Rows are dealt in shuffled epochs over all processes; the shuffle of an epoch follows from (seed, epoch).
    """

    def __init__(self, rows: int, batch: int, seed: int, first_step: int = 0, rank: int = 0, world: int = 1):
        if rows < 1:
            raise ValueError("the data set is empty")
        self._rows, self._batch, self._seed = rows, batch, seed
        self._step, self._rank, self._world = first_step, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        epoch, order = -1, torch.empty(0, dtype=torch.long)
        step = self._step
        while True:
            start = (step * self._world + self._rank) * self._batch
            picked = []
            for position in range(start, start + self._batch):
                if position // self._rows != epoch:
                    epoch = position // self._rows
                    generator = torch.Generator().manual_seed(step_seed(self._seed, epoch, stream=1))
                    order = torch.randperm(self._rows, generator=generator)
                picked.append(int(order[position % self._rows]))
            yield picked
            step += 1


def step_seed(seed: int, step: int, rank: int = 0, stream: int = 0) -> int:
    """A seed for everything drawn in one step; different for every step, rank and stream."""
    numbers = [value & 0xFFFFFFFF for value in (seed, step, rank, stream)]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def loader(
    dataset: Dataset[Any], batch: int, seed: int, first_step: int, rank: int, world: int, workers: int
) -> DataLoader[Any]:
    """Endless loader of batches, one per forward pass, starting at a step."""
    sampler = StepSampler(len(cast(Sized, dataset)), batch, seed, first_step, rank, world)
    return DataLoader(dataset, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
