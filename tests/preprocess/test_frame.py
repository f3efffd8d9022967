"""The letterbox: its pixels against the released demo, and its geometry against its own pixels."""

from pathlib import Path

import numpy as np
import pytest

from leffa.errors import PictureError
from leffa.preprocess.frame import Frame

SIZES = [(500, 375), (375, 500), (1024, 768), (37, 61), (1333, 299), (41, 1999), (96, 97)]


@pytest.mark.parametrize("size", SIZES)
def test_points_there_and_back(size: tuple[int, int]) -> None:
    frame = Frame(size)
    points = np.random.default_rng(0).uniform(-20, 2000, (50, 2))
    np.testing.assert_allclose(frame.to_photo(frame.to_frame(points)), points, atol=1e-9)
    np.testing.assert_allclose(frame.to_frame(frame.to_photo(points)), points, atol=1e-9)
    # the photo's outline is the inner rectangle's
    height, width = size
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    (top, left), (inner_height, inner_width) = frame.corner, frame.inner_size
    outline = np.array([[left, top], [left + inner_width, top + inner_height]]) - 0.5
    np.testing.assert_allclose(frame.to_frame(corners), outline)
    assert inner_height == frame.frame_size[0] or inner_width == frame.frame_size[1]


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (300, 301), (640, 101)])
def test_a_spot_is_where_to_frame_says(size: tuple[int, int]) -> None:
    """The centre of mass of a dark spot moves as the geometry promises, in both directions."""
    frame = Frame(size, (513, 384))
    rows, columns = np.mgrid[: size[0], : size[1]]
    centre = np.array([size[1] * 0.4, size[0] * 0.55])
    spot = np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * 8.0**2))
    photo = np.rint(255 * (1 - spot)).astype(np.uint8)

    def centre_of_mass(picture: np.ndarray) -> np.ndarray:
        weight = 255 - picture.astype(float)
        y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
        return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()

    framed = frame.place(photo)
    assert framed.shape == (513, 384, 3) and (framed[..., 0] == framed[..., 2]).all()
    np.testing.assert_allclose(centre_of_mass(framed[..., 0]), frame.to_frame(centre), atol=0.05)
    restored = frame.restore(framed)
    assert restored.shape == (*size, 3)
    np.testing.assert_allclose(centre_of_mass(restored[..., 1]), centre, atol=0.1)
    assert np.abs(restored[..., 0].astype(int) - photo).max() <= 12


def test_borders_are_white_and_alpha_is_dropped() -> None:
    photo = np.zeros((60, 60, 4), np.uint8)
    framed = Frame((60, 60), (120, 90)).place(photo)
    assert (framed[:15] == 255).all() and (framed[-15:] == 255).all() and (framed[15:-15] == 0).all()
    assert Frame((60, 60), (120, 90)).crop(framed).shape == (90, 90, 3)


def test_what_does_not_fit() -> None:
    with pytest.raises(PictureError, match="another shape"):
        Frame((1, 5000))
    with pytest.raises(PictureError, match="photo of"):
        Frame((60, 60)).place(np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(PictureError, match="array of"):
        Frame((60, 60)).crop(np.zeros((60, 60), np.uint8))


@pytest.mark.parametrize("case", range(4))
def test_golden_letterbox(goldens: Path, case: int) -> None:
    golden = np.load(goldens / "masks" / "resize_and_center_96x128.npz")
    photo = golden[f"in_{case}"]
    framed = Frame(photo.shape[:2], (128, 96)).place(photo)
    difference = np.abs(framed.astype(int) - golden[f"out_{case}"])
    assert difference.max() <= 1 and (difference > 0).sum() <= 2  # between releases of OpenCV
