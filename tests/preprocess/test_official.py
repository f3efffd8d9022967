"""The official preprocessor: the released demo's steps around the networks, for any photo and any person."""

import numpy as np
import pytest
import torch
from official_stand_ins import LARGE, SMALL, Eyes, joints_of
from PIL import Image

from leffa.config import Garment
from leffa.errors import LeffaError, PersonError, WeightsError
from leffa.images import Letterbox
from leffa.preprocess.labels import Part
from leffa.preprocess.official.densepose.charts import iuv_picture
from leffa.preprocess.official.masks import official_mask
from leffa.preprocess.official.preprocessor import FRAME, OfficialNetworks, OfficialPreprocessor
from leffa.preprocess.offline.masks import MaskOptions


@pytest.fixture
def framed() -> np.ndarray:
    """A photo that has the frame's size already."""
    return np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)


def test_people_are_listed_largest_first_in_the_photos_pixels(framed):
    small, wide = np.zeros((300, 900, 3), np.uint8), Letterbox.official((300, 900), FRAME)
    people = OfficialPreprocessor(Eyes()).people(small)
    assert [person.detection for person in people] == [LARGE, SMALL]
    for person in people:
        corners = np.array(person.detection.box).reshape(2, 2)
        expected = wide.points_to_photo(corners).clip(0, [900, 300])
        assert np.abs(np.array(person.box).reshape(2, 2) - expected).max() <= 1
    plain = OfficialPreprocessor(Eyes()).people(framed)
    assert plain[0].box == (300, 100, 700, 1000)
    assert plain[0].area == pytest.approx((700 - 300) * 80 / 112 * 900 * 96 / 112 / (1024 * 768), rel=0.02)


def test_the_parts_are_the_demos_bit_for_bit_and_in_the_order_i_u_v(framed):
    preprocessor = OfficialPreprocessor(Eyes())
    for person in preprocessor.people(framed):
        official = iuv_picture(person.detection.charts, person.detection.box, FRAME)
        found = preprocessor.iuv(framed, person)
        assert np.array_equal(found, official[..., [0, 2, 1]])
        body = found[..., 0] > 0
        across, along = found[body][:, 1], found[body][:, 2]
        columns = np.nonzero(body)[1]
        assert np.corrcoef(columns, across)[0, 1] > 0.99 and np.corrcoef(columns, along)[0, 1] < 0.1


def test_the_parts_of_any_photo_lie_where_the_person_is():
    photo = np.zeros((600, 300, 3), np.uint8)
    preprocessor = OfficialPreprocessor(Eyes())
    person = preprocessor.people(photo)[0]
    parts = preprocessor.iuv(photo, person)
    assert parts.shape == photo.shape
    rows, columns = np.nonzero(parts[..., 0])
    left, top, right, bottom = person.box
    assert rows.min() >= top and rows.max() < bottom and columns.min() >= left and columns.max() < right
    assert set(np.unique(parts[..., 0])) == {0, Part.TORSO_FRONT, Part.LEFT_LOWER_LEG_FRONT}


@pytest.mark.parametrize("recipe", ["viton-hd", "dress-code"])
@pytest.mark.parametrize("garment", list(Garment))
def test_the_mask_of_one_person_is_the_demos_bit_for_bit(framed, recipe, garment):
    eyes = Eyes(people=[LARGE], joints=joints_of(LARGE))
    preprocessor = OfficialPreprocessor(eyes, recipe)
    mask = preprocessor.mask(framed, preprocessor.people(framed)[0], garment)
    small = official_mask(eyes.parse_labels, eyes.joints, garment, recipe, strict=False)
    official = np.asarray(Image.fromarray(small).resize((768, 1024))) / 255 >= 0.5
    assert np.array_equal(mask > 0, official)
    assert 0.02 < official.mean() < 0.8
    assert ("keypoints" in eyes.asked) == (garment is not Garment.LOWER)


def test_of_two_people_only_the_chosen_ones_clothes_are_repainted(framed):
    eyes = Eyes(joints=None)
    preprocessor = OfficialPreprocessor(eyes)
    large, small = preprocessor.people(framed)
    for person, other in ((large, small), (small, large)):
        mask = preprocessor.mask(framed, person, Garment.LOWER)
        left, top, right, bottom = other.box
        assert not mask[top:bottom, left:right].any()
        left, top, right, bottom = person.box
        assert mask[top:bottom, left:right].mean() > 50
    assert eyes.asked.count("parse") == 1  # the photo is looked at once


def test_joints_that_are_not_found_count_as_missing(framed):
    preprocessor = OfficialPreprocessor(Eyes(people=[LARGE], joints=None))
    person = preprocessor.people(framed)[0]
    assert preprocessor.mask(framed, person, Garment.UPPER).any()


def test_wishes_nobody_and_other_pictures_are_refused(framed):
    preprocessor = OfficialPreprocessor(Eyes())
    person = preprocessor.people(framed)[0]
    assert preprocessor.mask(framed, person, Garment.LOWER, MaskOptions()).any()
    with pytest.raises(LeffaError, match="no sleeve, hem"):
        preprocessor.mask(framed, person, Garment.LOWER, MaskOptions(hem="knee"))
    with pytest.raises(ValueError, match="same picture"):
        preprocessor.iuv(framed[:-1], person)
    with pytest.raises(PersonError):
        OfficialPreprocessor(Eyes(people=[])).people(framed)


def test_short_of_memory_the_networks_move_to_the_cpu(framed):
    eyes = Eyes(fails_once=torch.cuda.OutOfMemoryError("CUDA out of memory"))
    assert len(OfficialPreprocessor(eyes).people(framed)) == 2
    assert eyes.asked == ["detect", "move", "detect"]
    eyes = Eyes(fails_once=RuntimeError("another fault"))
    with pytest.raises(RuntimeError, match="another"):
        OfficialPreprocessor(eyes).people(framed)


def test_missing_weights_are_named(tmp_path):
    assert OfficialNetworks.missing(tmp_path)
    preprocessor = OfficialPreprocessor(OfficialNetworks(tmp_path))
    with pytest.raises(WeightsError, match="leffa download"):
        preprocessor.people(np.zeros((64, 64, 3), np.uint8))
