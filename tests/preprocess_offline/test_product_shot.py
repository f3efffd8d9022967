"""The garment on its product shot."""

import cv2
import numpy as np
import pytest

from leffa.preprocess.garment.product import contrasting, foreground, trimmed

HEIGHT, WIDTH = 256, 192


def drawn(cloth, ground, noise=0.0):
    """A shirt of one colour on a ground, and where it is."""
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = [
        (60, 50),
        (132, 50),
        (165, 110),
        (140, 125),
        (130, 100),
        (130, 210),
        (62, 210),
        (62, 100),
        (50, 125),
    ]
    cv2.fillPoly(truth, [np.array([*corners, (27, 110)])], 255)
    image = np.where(truth[..., None] > 0, np.array(cloth), np.array(ground)).astype(np.float32)
    image += np.random.default_rng(0).normal(0, noise, image.shape)
    return image.clip(0, 255).astype(np.uint8), truth


def overlap(a, b):
    return ((a > 0) & (b > 0)).sum() / ((a > 0) | (b > 0)).sum()


@pytest.mark.parametrize(
    ("cloth", "ground", "noise"),
    [
        ((200, 30, 40), (240, 240, 240), 1),
        ((254, 254, 254), (245, 245, 245), 0.5),
        ((20, 20, 20), (90, 70, 60), 1),
    ],
    ids=["red", "white on white", "black on brown"],
)
def test_the_garment_is_told_from_its_ground(cloth, ground, noise):
    image, truth = drawn(cloth, ground, noise)
    assert overlap(foreground(image), truth) > 0.93


def test_a_picture_of_nothing_but_cloth_is_all_garment():
    cloth = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    assert (foreground(cloth) == 255).all()


def test_white_on_white_is_laid_on_grey_and_other_garments_stay():
    image, truth = drawn((254, 254, 254), (245, 245, 245))
    laid = contrasting(image, truth)
    assert laid[5, 5].tolist() == [140] * 3 and laid[150, 96].tolist() == [254] * 3
    red, truth = drawn((200, 30, 40), (245, 245, 245))
    assert contrasting(red, truth) is red
    assert contrasting(image, np.full_like(truth, 255)) is image


def test_ground_and_shadow_that_came_along_are_trimmed():
    image, truth = drawn((40, 50, 120), (240, 240, 240), 1)
    below = cv2.dilate(truth, np.ones((13, 1), np.uint8), anchor=(0, 12)) & ~truth  # a shadow under the hem
    image[below > 0] = 185
    rough = cv2.dilate(truth, np.ones((15, 15), np.uint8)) > 0
    assert overlap(rough, truth) < 0.85
    assert overlap(trimmed(image, rough), truth) > 0.97


def test_half_a_sleeve_that_is_lost_on_a_ground_of_its_colour_is_told_by_the_other():
    image, truth = drawn((246, 246, 246), (245, 245, 245))
    lost = truth.copy()
    lost[85:115, 140:] = 0
    assert overlap(lost, truth) < 0.98
    assert overlap(trimmed(image, lost > 0), truth) > 0.99


def test_cloth_that_its_ground_s_colour_runs_through_keeps_it():
    image, truth = drawn((40, 50, 120), (240, 240, 240))
    image[120:160][truth[120:160] > 0] = 238  # a white block from seam to seam
    assert overlap(trimmed(image, truth > 0), truth) > 0.97
