"""How sure a look is."""

import torch

from leffa.model.confidence import confidence
from leffa.model.flow import FlowField, coordinates

BOX = (256, 192)


def field(spread=0.1, occupancy=1.0):
    flow, ones = coordinates(*BOX), torch.ones(BOX)
    return FlowField(flow, ones * spread, ones, ones * occupancy)


def test_confidence_falls_with_the_spread():
    values = [float(confidence(field(spread)).mean()) for spread in (0.1, 0.3, 0.4, 0.6)]
    assert values[0] == 1 and values[-1] == 0 and values[1] > values[2] > 0
