"""What samples share: settings, splits, the random stream of each thing; and who may stand in a picture."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from leffa.config import Garment as Kind
from leffa.synthetic.body.baked import load_body

_Name = TypeVar("_Name")


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


def weighted(rng: np.random.Generator, chances: Mapping[_Name, float]) -> _Name:
    """One of the names, drawn by their chances, whatever those add up to."""
    shares = np.array(list(chances.values()))
    return list(chances)[int(rng.choice(len(shares), p=shares / shares.sum()))]


@dataclass(frozen=True)
class Settings:
    """What samples share.

    seed      the same seed gives the same samples
    split     see ``Split``
    size      (height, width)
    reuse     fresh shadings of each scene; neighbours share theirs, so shuffle within a few hundred
    kind      only garments of this kind, None = all
    style     only this style of garment (see ``wardrobe``), None = all
    jitter    noise of the landmarks that condition and mask are made from, 1 = mediapipe's on photos
    damage    whether cameras blur, grain and JPEG-code the pictures
    textures  folder of garment photographs whose cloth is printed on some fabrics, None = none
    lent      share of try-on scenes whose product shot is one of these photographs itself
    varied    share of try-on scenes with bags, pictures cut anywhere and untidy product shots (``Extras``)
    redressed whether try-on samples also hold the same person in a former outfit, see ``make_redressed``
    """

    seed: int = 0
    split: Split = Split.TRAIN
    size: tuple[int, int] = (256, 192)
    reuse: int = 5
    kind: Kind | None = None
    style: str | None = None
    jitter: float = 1.0
    damage: bool = True
    textures: str | os.PathLike | None = None
    lent: float = 0.0
    varied: float = 0.0
    redressed: bool = False

    def generator(self, *path: int) -> np.random.Generator:
        """The random stream of one thing in these samples, see ``generator``."""
        return generator(self.seed, self.split, *path)


DEFAULTS = Settings()


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
