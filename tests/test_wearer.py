"""A garment taken off its wearer, and the flow that two bodies tell."""

import numpy as np
import pytest
import torch

from leffa.composition.wearer import joined, known_start
from leffa.model.flow import FlowField, coordinates


def standing(shift=0):
    """Body coordinates (1, 3, 64, 48) of somebody as wide as 20 px, and shifted to the right."""
    body = torch.zeros(1, 3, 64, 48)
    columns = slice(14 + shift, 34 + shift)
    body[0, 0, :, columns] = torch.linspace(-0.5, 0.5, 20)
    body[0, 1, :, columns] = torch.linspace(1, -1, 64)[:, None]
    body[0, 2, :, columns] = 1
    return body


@pytest.mark.parametrize("shift", [-8, 0, 6])
def test_the_flow_goes_to_the_same_place_of_the_other_body(shift):
    start = known_start(standing(), standing(shift), torch.ones(1, 1, 64, 48))
    moved = (start.flow - coordinates(64, 48))[8:-8, 18:30]
    wanted = torch.tensor([2 * shift / 48, 0.0])
    assert (moved - wanted).abs().max() < 0.02
    assert start.spread[32, 24] < start.spread[32, 2]  # beside the body it is less sure


def test_what_the_garment_does_not_cover_is_not_occupied():
    shown = torch.zeros(1, 1, 64, 48)
    shown[..., :32, :] = 1
    start = known_start(standing(), standing(), shown)
    assert start.occupancy[8, 24] == 1 and start.occupancy[56, 24] == 0


def test_without_a_body_nothing_is_known():
    assert known_start(standing(), torch.zeros(1, 3, 64, 48), torch.ones(1, 1, 64, 48)) is None


def test_what_is_known_outweighs_what_attention_guesses():
    start = known_start(standing(), standing(6), torch.ones(1, 1, 64, 48))
    size = (16, 12)
    guess = FlowField(torch.zeros(*size, 2), torch.full(size, 0.5), torch.ones(size), torch.zeros(size))
    field = joined(guess, start)
    wanted = coordinates(*size)[8, 6] + torch.tensor([2 * 6 / 48, 0.0])
    assert field.flow.shape == (*size, 2)
    assert np.allclose(field.flow[8, 6], wanted, atol=0.05)
