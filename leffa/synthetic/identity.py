"""Who may stand in a picture: the splits, the random stream of each thing in them, a person's identity."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from leffa.config import Garment as Kind
from leffa.synthetic.body.baked import load_body


class Split(str, Enum):
    """Disjoint by identity, garment shape, texture and pose seed."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"

    @property
    def stream(self) -> int:
        """Number that keeps the random streams of the splits apart."""
        return list(Split).index(self)


IDENTITY_SHARES = {Split.TRAIN: range(14), Split.VALIDATION: range(14, 15), Split.TEST: range(15, 16)}
WOMEN = {Kind.UPPER: 0.52, Kind.LOWER: 0.52, Kind.DRESS: 0.98}


@dataclass(frozen=True)
class Person:
    """An identity: shape coefficients, sex and age as the wardrobe and the complexion need them."""

    coefficients: np.ndarray
    female: bool
    older: bool


def generator(seed: int, split: Split, *path: int) -> np.random.Generator:
    """The random stream of one thing: the same numbers for the same path, whatever else is drawn."""
    return np.random.default_rng([seed, split.stream, *path])


def draw_person(rng: np.random.Generator, split: Split, women: float = 0.55) -> tuple[Person, int]:
    """An identity of the split: a blend of two of its bodies of one sex. Returns it and its number.

    ``women`` is the share of women wanted.
    """
    body = load_body()
    rows = np.arange(len(body.coefficients))
    own = rows[np.isin(rows % 16, list(IDENTITY_SHARES[split]))]
    gender = body.phenotypes[:, body.phenotype_names.index("gender")]
    age = body.phenotypes[:, body.phenotype_names.index("age")]
    female = bool(rng.random() < women)
    first = int(rng.choice(own[(gender[own] > 0.5) == female]))
    second = int(rng.choice(own[(gender[own] > 0.5) == female]))
    share = rng.uniform(0.5, 1)
    coefficients = share * body.coefficients[first] + (1 - share) * body.coefficients[second]
    return Person(coefficients, female, bool(age[first] > 0.8)), first
