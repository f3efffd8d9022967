"""Poses that come with the app: read without a search, and mirrored."""

from pathlib import Path

import numpy as np
import pytest

from leffa.preprocess.known_poses import known_pose, mirrored
from leffa.preprocess.labels import Landmark

ROOT = Path(__file__).resolve().parents[1]
POSES = sorted((ROOT / "assets" / "poses").glob("*.jpg"))


@pytest.fixture(scope="module")
def pose():
    return known_pose(ROOT / "assets" / "poses" / "hand_on_hip.jpg")


def test_every_picture_of_the_gallery_is_known():
    assert POSES
    for path in POSES:
        known = known_pose(path)
        inside = known.person.landmarks[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP], :2].mean(0)
        assert known.person.silhouette[int(inside[1]), int(inside[0])] > 0.5, path.name


def test_a_mirror_exchanges_the_sides_and_twice_is_nothing(pose):
    turned = mirrored(pose)
    left, right = pose.person.landmarks[Landmark.LEFT_WRIST], turned.person.landmarks[Landmark.RIGHT_WRIST]
    assert right[0] == pytest.approx(pose.photo.width - left[0]) and right[1] == left[1]
    again = mirrored(turned)
    assert np.allclose(again.person.landmarks, pose.person.landmarks, atol=1e-3)
    assert again.people == pose.people and again.photo.tobytes() == pose.photo.tobytes()


def test_other_pictures_are_not_known(tmp_path):
    assert known_pose(tmp_path / "somebody.jpg") is None
