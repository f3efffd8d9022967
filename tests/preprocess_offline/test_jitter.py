"""Training errors: as large as a pose model's, repeatable, and harmless at strength 0."""

import numpy as np
import pytest
from drawn_figures import draw, landmarks_of

from leffa.preprocess.labels import Landmark
from leffa.preprocess.offline.jitter import damage_silhouette, jitter_landmarks
from leffa.preprocess.offline.parts import part_map

SCALE = 42.0


def moved(strength: float, count: int = 300) -> np.ndarray:
    """(count, 33) distances in shoulder widths."""
    landmarks = landmarks_of(scale=SCALE)
    rng = np.random.default_rng(0)
    shifts = [jitter_landmarks(landmarks, rng, strength) - landmarks for _ in range(count)]
    return np.linalg.norm(np.array(shifts)[..., :2], axis=-1) / SCALE


def test_sizes_are_those_of_the_pose_model() -> None:
    median = np.median(moved(1.0), axis=0)
    assert 0.01 < median[Landmark.LEFT_EYE] < 0.04
    assert 0.02 < median[Landmark.LEFT_ELBOW] < 0.05
    assert 0.02 < median[Landmark.LEFT_HIP] < 0.06
    assert np.median(moved(2.0)) == pytest.approx(2 * np.median(moved(1.0)), rel=0.15)


def test_hands_are_now_and_then_far_off() -> None:
    share = np.mean(moved(1.0, 1200)[:, Landmark.LEFT_WRIST] > 0.25)
    assert 0.002 < share < 0.02


def test_fingers_go_with_the_wrist_and_the_face_with_itself() -> None:
    landmarks = landmarks_of(scale=SCALE)
    rng = np.random.default_rng(3)
    shifts = np.array([jitter_landmarks(landmarks, rng) - landmarks for _ in range(400)])
    for one, other in ((Landmark.LEFT_WRIST, Landmark.LEFT_INDEX), (Landmark.LEFT_EYE, Landmark.MOUTH_RIGHT)):
        assert np.corrcoef(shifts[:, one, 0], shifts[:, other, 0])[0, 1] > 0.6
    assert abs(np.corrcoef(shifts[:, Landmark.LEFT_WRIST, 0], shifts[:, Landmark.RIGHT_KNEE, 0])[0, 1]) < 0.2


def test_same_generator_same_errors_and_none_at_strength_zero() -> None:
    figure = draw(landmarks_of())
    first, second = (
        (
            jitter_landmarks(figure.landmarks, np.random.default_rng(7)),
            damage_silhouette(figure.silhouette, figure.landmarks, np.random.default_rng(7)),
        )
        for _ in range(2)
    )
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(
        jitter_landmarks(figure.landmarks, np.random.default_rng(7), strength=0), figure.landmarks
    )
    untouched = damage_silhouette(figure.silhouette, figure.landmarks, np.random.default_rng(7), strength=0)
    assert np.array_equal(untouched, figure.silhouette)


def test_silhouettes_are_soft_and_uneven_but_the_same_person() -> None:
    figure = draw(landmarks_of())
    true = figure.silhouette > 0.5
    overlaps, sizes = [], []
    for seed in range(60):
        damaged = damage_silhouette(figure.silhouette, figure.landmarks, np.random.default_rng(seed))
        assert damaged.dtype == np.float32
        assert damaged.min() >= 0
        assert damaged.max() <= 1
        assert np.any((damaged > 0.05) & (damaged < 0.95))
        found = damaged > 0.5
        overlaps.append(np.count_nonzero(found & true) / np.count_nonzero(found | true))
        sizes.append(found.sum() / true.sum())
    assert 0.93 < np.median(overlaps) < 0.995
    assert min(overlaps) > 0.7
    assert 0.96 < np.mean(sizes) < 1.04


def test_limbs_go_missing_when_asked_for_strongly() -> None:
    figure = draw(landmarks_of("wide"))
    hands = figure.where["hands"]
    lost = 0
    for seed in range(60):
        damaged = damage_silhouette(figure.silhouette, figure.landmarks, np.random.default_rng(seed), 5.0)
        lost += (damaged[hands] > 0.5).mean() < 0.7
    assert lost >= 5


def test_the_map_of_a_jittered_person_is_still_that_persons() -> None:
    figure = draw(landmarks_of())
    true = part_map(figure.landmarks, figure.silhouette)[..., 0]
    agreement = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        silhouette = damage_silhouette(figure.silhouette, figure.landmarks, rng)
        found = part_map(jitter_landmarks(figure.landmarks, rng), silhouette)[..., 0]
        either = (true > 0) | (found > 0)
        agreement.append(np.mean(true[either] == found[either]))
    assert 0.75 < np.mean(agreement) < 0.97


def test_empty_silhouette() -> None:
    damaged = damage_silhouette(np.zeros((40, 30), np.float32), landmarks_of(), np.random.default_rng(0))
    assert not damaged.any()
