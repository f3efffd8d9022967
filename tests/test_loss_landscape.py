"""benchmarks/loss_landscape.py: the way back from the reference, and whether it undoes the way there."""

import pytest
import torch

from benchmarks import loss_landscape as landscape
from leffa.model.flow import coordinates

GRID = landscape.LAYERS["1/8"]
SHIFT = torch.tensor([0.5, 0.0])  # a quarter of the width: three columns of the grid


def pictures():
    """Everything is worn, and comes from a quarter of the width to the left."""
    size = landscape.SIZE
    ones = torch.ones(1, 1, *size)
    picture = torch.zeros(1, 3, *size)
    flow = coordinates(*size)[None] - SHIFT
    return landscape.Pictures(picture, picture, ones, ones, flow, ones[:, 0] > 0.5)


def test_the_inverse_of_a_shift_is_the_shift_back():
    flow = coordinates(*GRID)[None] - SHIFT
    back = landscape.inverse(flow, pictures().loss_mask)
    assert back.shape == (1, *GRID, 2)
    inside = slice(1, 8)  # the last columns are seen by no place, the first by those beyond the border too
    assert torch.allclose(
        back[:, 1:-1, inside], (coordinates(*GRID)[None] + SHIFT)[:, 1:-1, inside], atol=0.02
    )


def test_flows_that_are_off_alike_agree_and_those_off_apart_do_not():
    pair = pictures()
    truth = coordinates(*GRID)[None] - SHIFT
    wrong = truth + torch.tensor([0.1, 0.1])
    cloth = (slice(None), slice(None), slice(24, 104), slice(48, 72))
    alike = landscape.there_and_back(wrong, pair, own=True)[cloth].mean()
    apart = landscape.there_and_back(wrong, pair, own=False)[cloth].mean()
    assert alike < 1e-3 and apart > 0.01
    assert landscape.there_and_back(truth, pair, own=False)[cloth].mean() < 1e-3


@pytest.mark.parametrize("level", (1, 2, 3))
def test_features_of_a_picture_do_not_differ_from_its_own(level):
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, *landscape.SIZE, generator=generator) * 2 - 1
    pair = landscape.replace(pictures(), person=picture, reference=picture)
    loss = landscape.features(level)
    exact = coordinates(*GRID)[None]
    assert loss(exact, pair) < 1e-6 and loss(exact - SHIFT, pair) > 0.1
