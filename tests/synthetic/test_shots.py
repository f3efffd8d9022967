"""Product shots to learn to read them from: what they show is what is said of them."""

import numpy as np
import pytest
import torch

from leffa.config import Garment
from leffa.errors import LeffaError
from leffa.preprocess.garment.parsing import ShotParser, ShotPart
from leffa.synthetic.samples import Settings
from leffa.synthetic.shots import Shots, make_shot

TOPS = Settings(size=(128, 96), kind=Garment.UPPER, damage=False)


def test_a_top_shows_its_inside_at_the_neck_between_ground_and_front():
    found = 0
    for number in range(6):
        picture, parts = make_shot(number, TOPS)
        assert picture.shape == (3, 128, 96) and picture.abs().max() <= 1
        assert set(np.unique(parts)) <= {int(part) for part in ShotPart}
        garment = parts != ShotPart.GROUND
        assert 0.02 < garment.mean() < 0.9
        rows = np.flatnonzero(garment.any(1))
        upper = slice(rows[0], rows[0] + (rows[-1] - rows[0]) // 3)
        found += (parts[upper] == ShotPart.INSIDE).any()
    assert found >= 4


def test_the_same_number_is_the_same_shot_and_is_made_once():
    shots = Shots(3, TOPS)
    first, again = shots.shots([1, 2]), Shots(3, TOPS).shots([1, 2])
    assert len(shots) == 3 and shots.size == (128, 96)
    assert torch.equal(first["photo"], again["photo"]) and torch.equal(first["seen"], again["seen"])
    assert not torch.equal(first["photo"][0], first["photo"][1])
    picture, parts = make_shot(1, TOPS)
    assert (first["photo"][0] - picture).abs().max() < 0.01 and np.array_equal(
        first["seen"][0].numpy(), parts
    )


def test_photographs_want_a_folder():
    with pytest.raises(LeffaError, match="name their folder"):
        make_shot(0, Settings(lent=1.0))


def test_the_reader_gives_a_part_for_every_pixel():
    logits = ShotParser()(torch.zeros(2, 3, 64, 96))
    assert logits.shape == (2, len(ShotPart), 64, 96) and logits.dtype == torch.float32
