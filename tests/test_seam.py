"""Fitting what is painted around a garment to the photo."""

import numpy as np

from leffa.run.seam import fitted

SIZE = (256, 192)


def scene():
    """A photo with a soft gradient, a mask in its middle, a garment in the middle of that."""
    rows = np.linspace(150, 200, SIZE[0])[:, None, None]
    photo = np.broadcast_to(rows, (*SIZE, 3)).astype(np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[60:200, 40:150] = 255
    garment = np.zeros(SIZE, np.float32)
    garment[90:170, 70:120] = 1
    return photo, mask, garment


def test_a_cast_around_the_garment_goes_and_the_garment_stays():
    photo, mask, garment = scene()
    painted = photo.copy()
    painted[mask > 0] -= np.array([40, 20, 30], np.uint8)
    painted[garment > 0] = (20, 90, 160)
    result = fitted(painted, photo, mask, garment)
    around = (mask > 0) & (garment == 0)
    error = np.abs(result.astype(int) - photo)[around].mean()
    assert error < 6 < np.abs(painted.astype(int) - photo)[around].mean()
    assert np.abs(result.astype(int) - painted)[garment > 0].max() <= 12  # its edge is soft
    assert np.abs(result.astype(int) - painted)[100:160, 80:110].max() <= 1
    assert (result[mask == 0] == painted[mask == 0]).mean() > 0.97


def test_an_edge_between_two_things_is_no_cast():
    photo, mask, garment = scene()
    painted = photo.copy()
    painted[mask > 0] = 5  # a dark coat before a bright wall
    assert np.abs(fitted(painted, photo, mask, garment * 0).astype(int) - painted).max() <= 25


def test_a_mask_without_an_edge_changes_nothing():
    photo, mask, garment = scene()
    assert (fitted(photo, photo, np.full_like(mask, 255), garment) == photo).all()
