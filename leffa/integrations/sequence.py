"""Telling person and reference apart where a model keeps both in one token sequence."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from torch import Tensor

from leffa.model.attention import AttentionObserver
from leffa.model.flow import grid_of

Split: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""(B, heads, N, D) of a whole sequence -> (B, heads, n, D) of the person and of the reference."""


class Beside(str, Enum):
    """How two pictures share a canvas: the person is left of the reference, or above it."""

    WIDTH = "width"
    HEIGHT = "height"


def one_after_the_other(person: int, reference: int) -> Split:
    """Split of a sequence that ends with ``person`` tokens and then ``reference`` tokens.

    What stands before them, such as text, is left out.
    """

    def split(tokens: Tensor) -> tuple[Tensor, Tensor]:
        if tokens.shape[2] < person + reference:
            raise ValueError(f"{tokens.shape[2]} tokens cannot hold {person} + {reference}")
        return tokens[:, :, -person - reference : -reference], tokens[:, :, -reference:]

    return split


def side_by_side(canvas: tuple[int, int], beside: Beside = Beside.WIDTH, text: int = 0) -> Split:
    """Split of a sequence that is a canvas (height, width) of latents, or a halving of it, row by row.

    ``text`` tokens before the canvas are left out.
    """

    def split(tokens: Tensor) -> tuple[Tensor, Tensor]:
        tokens = tokens[:, :, text:]
        rows = tokens.unflatten(2, grid_of(tokens.shape[2], canvas))
        dim = 3 if Beside(beside) is Beside.WIDTH else 2
        if rows.shape[dim] % 2:
            raise ValueError(f"a canvas grid of {tuple(rows.shape[2:4])} has no two halves along {beside}")
        person, reference = rows.chunk(2, dim=dim)
        return person.flatten(2, 3), reference.flatten(2, 3)

    return split


@dataclass(frozen=True)
class SequenceObserver:
    """Hands the queries and keys of a whole sequence to an ``AttentionObserver``, split into its two parts.

    The processors of this package call it with the layer's name and ``query, key`` (B, heads, N, D), right
    before attention is computed: after any normalisation and rotary embedding, as attention sees them.
    """

    observer: AttentionObserver
    split: Split

    def __call__(self, layer: str, query: Tensor, key: Tensor) -> None:
        own_query, _ = self.split(query)
        own_key, reference_key = self.split(key)
        self.observer(layer, own_query, own_key, reference_key)
