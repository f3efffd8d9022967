"""The part map: every limb where it is, coordinates that run the right way, left and right kept apart."""

import numpy as np
import pytest
from drawn_figures import ARMS, HEIGHT, WIDTH, draw, landmarks_of, mirrored

from leffa.preprocess.labels import Landmark, Part
from leffa.preprocess.offline.parts import body_coordinates, part_map

MIRRORED = np.array(
    [Part[p.name.replace("LEFT", "#").replace("RIGHT", "LEFT").replace("#", "RIGHT")] for p in Part]
)


def between(landmarks: np.ndarray, start: Landmark, end: Landmark, share: float = 0.5) -> tuple[int, int]:
    """Row and column of a place on the line between two landmarks."""
    x, y = landmarks[start, :2] + share * (landmarks[end, :2] - landmarks[start, :2])
    return int(y), int(x)


@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("side", ["LEFT", "RIGHT"])
def test_every_limb_is_where_its_bone_is(arms: str, side: str) -> None:
    figure = draw(landmarks_of(arms))
    part = part_map(figure.landmarks, figure.silhouette)[..., 0]
    limbs = {
        "UPPER_ARM": ("SHOULDER", "ELBOW"),
        "LOWER_ARM": ("ELBOW", "WRIST"),
        "UPPER_LEG": ("HIP", "KNEE"),
        "LOWER_LEG": ("KNEE", "ANKLE"),
    }
    for limb, (start, end) in limbs.items():
        place = between(figure.landmarks, Landmark[f"{side}_{start}"], Landmark[f"{side}_{end}"], 0.6)
        assert Part(part[place]).name.startswith(f"{side}_{limb}"), limb
    place = between(figure.landmarks, Landmark[f"{side}_WRIST"], Landmark[f"{side}_INDEX"], 0.9)
    assert Part(part[place]).name == f"{side}_HAND"
    eye = between(figure.landmarks, Landmark[f"{side}_EYE"], Landmark[f"{side}_EYE"])
    assert Part(part[eye]).name == f"HEAD_{side}"
    chest = between(figure.landmarks, Landmark.LEFT_SHOULDER, Landmark.RIGHT_HIP)
    assert part[chest] == Part.TORSO_FRONT


def test_from_behind_the_backs_are_seen() -> None:
    figure = draw(landmarks_of(facing=-1))
    part = part_map(figure.landmarks, figure.silhouette)[..., 0]
    seen = {Part(value) for value in np.unique(part)}
    assert Part.TORSO_BACK in seen
    assert Part.LEFT_UPPER_LEG_BACK in seen
    assert not seen & {Part.TORSO_FRONT, Part.LEFT_UPPER_LEG_FRONT, Part.RIGHT_LOWER_LEG_FRONT}
    assert (body_coordinates(part_map(figure.landmarks, figure.silhouette))[part > 0, 2] == -1).all()


@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("facing", [1, -1])
def test_a_mirror_swaps_left_and_right_and_nothing_else(arms: str, facing: int) -> None:
    figure = draw(landmarks_of(arms, centre=(93.3, 127.1), facing=facing), hair_length=0.5, skirt=0.9)
    # In a mirror the camera still sees the same side of the body, so a body's left is on the other side.
    there = part_map(figure.landmarks, figure.silhouette)
    turned = part_map(mirrored(figure.landmarks), figure.silhouette[:, ::-1])[:, ::-1]
    assert np.mean(MIRRORED[turned[..., 0]] != there[..., 0]) < 0.002
    same = (MIRRORED[turned[..., 0]] == there[..., 0]) & (there[..., 0] > 0)
    same &= ~np.isin(there[..., 0], [Part.LEFT_FOOT, Part.RIGHT_FOOT])  # two capsules: rounding decides
    across = np.abs(255 - turned[..., 1].astype(int) - there[..., 1])[same]
    along = np.abs(turned[..., 2].astype(int) - there[..., 2])[same]
    assert across.max() <= 2
    assert along.max() <= 2


@pytest.mark.parametrize("arms", ARMS)
def test_v_runs_from_the_trunk_to_the_ends(arms: str) -> None:
    figure = draw(landmarks_of(arms))
    v = part_map(figure.landmarks, figure.silhouette)[..., 2].astype(int)
    for start, end in (
        (Landmark.LEFT_SHOULDER, Landmark.LEFT_ELBOW),
        (Landmark.RIGHT_ELBOW, Landmark.RIGHT_WRIST),
        (Landmark.LEFT_HIP, Landmark.LEFT_KNEE),
        (Landmark.RIGHT_KNEE, Landmark.RIGHT_ANKLE),
    ):
        values = [v[between(figure.landmarks, start, end, share)] for share in (0.35, 0.5, 0.65, 0.8)]
        assert np.all(np.diff(values) > 15), (start, values)
    assert v[between(figure.landmarks, Landmark.NOSE, Landmark.NOSE)] < 200


def test_u_runs_from_the_persons_right_to_the_left() -> None:
    for facing in (1, -1):
        figure = draw(landmarks_of(facing=facing))
        iuv = part_map(figure.landmarks, figure.silhouette)
        row = int(figure.landmarks[Landmark.LEFT_SHOULDER, 1] + 25)
        trunk = np.flatnonzero(np.isin(iuv[row, :, 0], [Part.TORSO_FRONT, Part.TORSO_BACK]))
        steps = np.diff(iuv[row, trunk, 1].astype(int)) * facing
        assert np.all(steps > 0)  # facing us, the person's left is on the image's right


def test_an_arm_in_front_hides_the_torso_and_one_behind_does_not() -> None:
    landmarks = landmarks_of("akimbo")
    for name, x, y in (
        ("ELBOW", 0.62, -0.6),
        ("WRIST", -0.1, -0.7),
        ("INDEX", -0.3, -0.72),
        ("PINKY", -0.3, -0.66),
    ):
        landmarks[Landmark[f"LEFT_{name}"], :2] = x * 42 + 96, y * 42 + 128
    figure = draw(landmarks)
    crossing = between(landmarks, Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST, 0.6)
    arm = [Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST, Landmark.LEFT_INDEX, Landmark.LEFT_PINKY]
    found = []
    for depth in (-25, 60):
        landmarks[arm, 2] = depth
        found.append(Part(part_map(landmarks, figure.silhouette)[(*crossing, 0)]))
    assert found[0] in (Part.LEFT_LOWER_ARM_INNER, Part.LEFT_LOWER_ARM_OUTER)
    assert found[1] is Part.TORSO_FRONT


def test_a_wide_skirt_is_no_body() -> None:
    landmarks = landmarks_of()
    trousers, skirt = draw(landmarks), draw(landmarks, skirt=2.0)
    body = part_map(landmarks, trousers.silhouette)[..., 0] > 0
    in_skirt = part_map(landmarks, skirt.silhouette)[..., 0] > 0
    assert skirt.silhouette.sum() > 1.25 * trousers.silhouette.sum()
    assert in_skirt.sum() < 1.12 * body.sum()


def test_nothing_lies_outside_the_silhouette() -> None:
    figure = draw(landmarks_of("wide"))
    figure.silhouette[:, :96] = 0
    iuv = part_map(figure.landmarks, figure.silhouette)
    assert not iuv[figure.silhouette == 0].any()
    assert iuv[figure.silhouette > 0].any()


def test_size_does_not_matter() -> None:
    figure = draw(landmarks_of("akimbo"))
    small = part_map(figure.landmarks, figure.silhouette)
    double = figure.landmarks * np.array([2, 2, 2, 1], np.float32)
    large = part_map(double, np.repeat(np.repeat(figure.silhouette, 2, 0), 2, 1))[::2, ::2]
    assert np.mean(small[..., 0] != large[..., 0]) < 0.01


@pytest.mark.parametrize("case", ["one point", "far outside", "empty", "full"])
def test_nonsense_does_no_harm(case: str) -> None:
    landmarks, silhouette = landmarks_of(), np.ones((64, 48), np.float32)
    if case == "one point":
        landmarks[:, :2] = 20
    elif case == "far outside":
        landmarks[:, :2] = landmarks[:, :2] * 1000 + 1e6
    elif case == "empty":
        silhouette[:] = 0
    iuv = part_map(landmarks, silhouette)
    coordinates = body_coordinates(iuv)
    assert iuv.shape == (64, 48, 3)
    assert np.isfinite(coordinates).all()
    if case in ("far outside", "empty"):
        assert not iuv.any()
    with pytest.raises(ValueError, match="landmarks must be"):
        part_map(landmarks[:17], silhouette)


class TestBodyCoordinates:
    def test_somebody_standing_is_their_own_map(self) -> None:
        """On a person who stands like the reference body, x and y are the place in the picture."""
        figure = draw(landmarks_of())
        coordinates = body_coordinates(part_map(figure.landmarks, figure.silhouette))
        rows, columns = np.nonzero(coordinates[..., 2])
        assert np.corrcoef(columns, coordinates[rows, columns, 0])[0, 1] > 0.98
        assert np.corrcoef(-rows, coordinates[rows, columns, 1])[0, 1] > 0.99

    @pytest.mark.parametrize("arms", ARMS)
    def test_neighbours_have_neighbouring_values(self, arms: str) -> None:
        figure = draw(landmarks_of(arms))
        coordinates = body_coordinates(part_map(figure.landmarks, figure.silhouette))
        seen = coordinates[..., 2] != 0
        steps = np.abs(np.diff(coordinates[..., :2], axis=0)).max(-1)[seen[1:] & seen[:-1]]
        typical = np.median(steps)
        # Hands on hips touch the trunk, which they do not on the reference body; elsewhere all is smooth.
        assert np.mean(steps > 8 * typical) < (0.04 if arms == "akimbo" else 0.015)

    def test_is_range_and_background(self) -> None:
        figure = draw(landmarks_of("up"))
        iuv = part_map(figure.landmarks, figure.silhouette)
        coordinates = body_coordinates(iuv)
        assert coordinates.dtype == np.float32
        assert coordinates.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(coordinates).max() <= 1
        assert not coordinates[iuv[..., 0] == 0].any()
        assert (coordinates[iuv[..., 0] > 0, 2] == 1).all()

    @pytest.mark.parametrize("arms", ARMS)
    def test_a_mirror_turns_x_round(self, arms: str) -> None:
        figure = draw(landmarks_of(arms))
        there = body_coordinates(part_map(figure.landmarks, figure.silhouette))
        turned = body_coordinates(part_map(mirrored(figure.landmarks), figure.silhouette[:, ::-1]))[:, ::-1]
        difference = np.abs(there - turned * np.array([-1, 1, 1], np.float32)).max(-1)
        assert np.mean(difference > 0.03) < 0.002

    def test_the_same_place_of_the_body_keeps_its_value_in_another_pose(self) -> None:
        values = []
        for arms in ("down", "up", "wide"):
            figure = draw(landmarks_of(arms))
            coordinates = body_coordinates(part_map(figure.landmarks, figure.silhouette))
            values.append(coordinates[between(figure.landmarks, Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST)])
        assert np.abs(np.diff(values, axis=0)).max() < 0.05
        assert values[0][0] > 0.5  # the left arm is at the person's left
