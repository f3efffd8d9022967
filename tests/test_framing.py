"""A box as a value."""

import numpy as np
import pytest

from leffa.framing import Box

BOX = Box(10, 20, 30, 60)


def test_a_box_is_the_smallest_around_a_mask_and_cuts_out_what_is_in_it():
    mask = np.zeros((80, 50), bool)
    mask[20, 12] = mask[59, 29] = mask[40, 10] = True
    assert Box.of(mask) == BOX == Box.of(mask * 255)
    assert mask[BOX.slices].shape == BOX.size == (40, 20) and mask[BOX.slices].sum() == 3
    with pytest.raises(ValueError, match="no box"):
        Box.of(mask * 0)


def test_union_is_around_both_and_overlap_is_a_share():
    assert BOX.union(Box(0, 30, 20, 40)) == Box(0, 20, 30, 60)
    assert BOX.iou(BOX) == 1 and BOX.iou(Box(30, 20, 50, 60)) == 0 and BOX.iou(Box(90, 90, 91, 91)) == 0
    assert BOX.iou(Box(20, 20, 40, 60)) == pytest.approx(1 / 3)


def test_a_mirrored_box_is_as_far_from_the_other_side():
    assert BOX.mirrored(50) == Box(20, 20, 40, 60) and BOX.mirrored(50).mirrored(50) == BOX
