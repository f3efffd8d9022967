"""People in real photographs. The public-domain portrait comes with matplotlib, which mediapipe needs."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_figures import landmarks_of
from PIL import Image

from leffa.config import Garment
from leffa.errors import PersonError
from leffa.framing import Box
from leffa.preprocess import Preprocessor
from leffa.preprocess.labels import MIRRORED, Landmark, Part
from leffa.preprocess.offline.pose import Person, PoseEstimator, seen_from_its_side
from leffa.preprocess.offline.preprocessor import OfflinePreprocessor
from leffa.preprocess.offline.skeleton import Skeleton

pytest.importorskip("mediapipe")


@pytest.fixture(scope="module")
def estimator() -> Iterator[PoseEstimator]:
    with PoseEstimator() as one:
        yield one


@pytest.fixture(scope="module")
def portrait_path() -> Path:
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    if not path.is_file():
        pytest.skip("this matplotlib comes without its sample pictures")
    return path


@pytest.fixture(scope="module")
def portrait(portrait_path: Path) -> np.ndarray:
    """Rear Admiral Grace Hopper, US Navy photograph, 600 x 512."""
    return np.array(Image.open(portrait_path).convert("RGB"))


def test_finds_the_one_person(estimator: PoseEstimator, portrait: np.ndarray) -> None:
    people = estimator.estimate(portrait)
    assert len(people) == 1
    person = people[0]
    assert person.landmarks.shape == (33, 4)
    assert person.landmarks.dtype == np.float32
    assert person.silhouette.shape == portrait.shape[:2]
    assert person.silhouette.dtype == np.float32
    assert person.silhouette.min() >= 0
    assert person.silhouette.max() <= 1
    assert 0.4 < person.area < 0.75
    nose = person.landmarks[Landmark.NOSE, :2]
    assert np.linalg.norm(nose - [275, 190]) < 40  # where it is in that photograph
    assert person.landmarks[Landmark.LEFT_SHOULDER, 0] > person.landmarks[Landmark.RIGHT_SHOULDER, 0]
    rows, columns = np.nonzero(person.silhouette > 0.5)
    assert person.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_a_large_photo_is_told_in_its_own_pixels(estimator: PoseEstimator, portrait: np.ndarray) -> None:
    small = estimator.estimate(portrait)[0]
    large_photo = np.array(Image.fromarray(portrait).resize((1536, 1800), Image.Resampling.BICUBIC))
    large = estimator.estimate(large_photo)[0]
    assert large.silhouette.shape == (1800, 1536)
    assert np.abs(large.landmarks[:13, :2] / 3 - small.landmarks[:13, :2]).max() < 8
    assert np.abs(np.array(large.box) / 3 - small.box).max() < 8
    assert large.area == pytest.approx(small.area, abs=0.03)


def test_several_people_the_largest_first(estimator: PoseEstimator, portrait: np.ndarray) -> None:
    smaller = np.array(Image.fromarray(portrait).resize((307, 360)))
    scene = np.full((600, 900, 3), 225, np.uint8)
    scene[240:, 20:327] = smaller
    scene[:, 380:892] = portrait
    people = estimator.estimate(scene)
    assert len(people) == 2
    assert people[0].area > people[1].area
    assert people[0].box[0] > 350
    assert people[1].box[2] < 370
    overlap = (people[0].silhouette > 0.5) & (people[1].silhouette > 0.5)
    assert overlap.mean() < 0.01


@pytest.mark.parametrize("kind", ["blank", "noise", "tiny"])
def test_nobody_is_one_clear_sentence(estimator: PoseEstimator, kind: str) -> None:
    size = (8, 8, 3) if kind == "tiny" else (300, 200, 3)
    values = np.random.default_rng(0).integers(0, 256, size)
    image = (np.full(size, 200) if kind != "noise" else values).astype(np.uint8)
    with pytest.raises(PersonError, match="use a photo in which one person") as error:
        estimator.estimate(image)
    assert str(error.value).count("\n") == 0


def test_wrong_arrays_are_told(estimator: PoseEstimator) -> None:
    for wrong in (np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8 RGB"):
            estimator.estimate(wrong)


def test_many_threads_get_what_one_gets(portrait: np.ndarray) -> None:
    pictures = [portrait, np.ascontiguousarray(portrait[:, ::-1]), portrait[:500]]
    with PoseEstimator() as shared:
        alone = [shared.estimate(picture)[0] for picture in pictures]
        found: dict[int, Person] = {}

        def work(index: int) -> None:
            found[index] = shared.estimate(pictures[index % 3])[0]

        threads = [threading.Thread(target=work, args=(index,)) for index in range(9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 9
    for index, person in found.items():
        assert np.array_equal(person.landmarks, alone[index % 3].landmarks)
        assert np.array_equal(person.silhouette, alone[index % 3].silhouette)


def test_it_opens_again_after_it_was_closed(portrait: np.ndarray) -> None:
    one = PoseEstimator()
    first = one.estimate(portrait)[0]
    one.close()
    one.close()
    assert np.array_equal(one.estimate(portrait)[0].landmarks, first.landmarks)
    one.close()


def test_import_is_lazy_and_use_is_quiet(portrait_path: Path) -> None:
    """Importing loads no mediapipe; a first photo prints nothing of the native libraries' start-up talk."""
    script = (
        "import sys, os\n"
        "import leffa.preprocess, leffa.preprocess.offline.pose, leffa.preprocess.offline.preprocessor\n"
        "assert 'mediapipe' not in sys.modules\n"
        "import numpy as np\n"
        "from PIL import Image\n"
        "photo = np.array(Image.open(sys.argv[1]).convert('RGB'))\n"
        "with leffa.preprocess.offline.pose.PoseEstimator() as estimator:\n"
        "    estimator.estimate(photo)\n"
        "    os.write(2, b'own words\\n')\n"
        "    estimator.estimate(photo)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(portrait_path)],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "own words\n"
    assert done.stdout == ""


def test_the_preprocessor_fills_the_interface(portrait: np.ndarray) -> None:
    with OfflinePreprocessor() as offline:
        preprocessor: Preprocessor[Person] = offline
        person = preprocessor.people(portrait)[0]
        iuv = preprocessor.iuv(portrait, person)
        assert iuv.shape == portrait.shape
        assert {Part.HEAD_LEFT, Part.HEAD_RIGHT, Part.TORSO_FRONT} <= set(np.unique(iuv[..., 0]).tolist())
        mask = preprocessor.mask(portrait, person, Garment.UPPER)
        assert mask.shape == portrait.shape[:2]
        face = person.landmarks[: Landmark.MOUTH_RIGHT + 1, :2].astype(int)
        assert not mask[face[:, 1], face[:, 0]].any()
        chest = person.landmarks[[Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER], :2].mean(0).astype(int)
        assert mask[chest[1] + 40, chest[0]] == 255
        with pytest.raises(ValueError, match="same picture"):
            preprocessor.mask(portrait[:-1], person, Garment.UPPER)


def test_a_server_keeps_its_standard_error(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are served on threads of their own: nothing there redirects what the others print."""
    moved = []
    monkeypatch.setattr("os.dup2", lambda *descriptors: moved.append(descriptors))
    with PoseEstimator() as fresh:
        served = threading.Thread(target=fresh.estimate, args=(portrait,))
        served.start()
        served.join()
    assert moved == []


def _taken_for_a_back(headless: bool, toes_lower: bool = True, feet_seen: float = 1.0) -> np.ndarray:
    landmarks = landmarks_of()[list(MIRRORED)]
    if headless:
        landmarks[:, 1] -= landmarks[Landmark.NOSE, 1]
    toes, heels = (
        [Landmark.LEFT_FOOT_INDEX, Landmark.RIGHT_FOOT_INDEX],
        [Landmark.LEFT_HEEL, Landmark.RIGHT_HEEL],
    )
    if not toes_lower:
        landmarks[toes, 1], landmarks[heels, 1] = landmarks[heels, 1], landmarks[toes, 1].copy()
    landmarks[toes + heels, 3] = feet_seen
    return landmarks


@pytest.mark.parametrize(
    ("told", "facing"),
    [
        ({"headless": True}, 1),
        ({"headless": True, "feet_seen": 0.1}, 1),
        ({"headless": True, "toes_lower": False}, -1),
        ({"headless": False}, -1),
    ],
)
def test_somebody_cut_below_the_face_is_seen_from_where_the_feet_point(told: dict, facing: int) -> None:
    mended = seen_from_its_side(_taken_for_a_back(**told))
    assert Skeleton.from_landmarks(mended).facing == facing


def _somebody(down, across, visible=1.0):
    """Whose trunk goes so far down and across."""
    landmarks = np.full((33, 4), visible, np.float32)
    landmarks[:, :2] = 0
    landmarks[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP], :2] = across, down
    return Person(landmarks, np.zeros((8, 6), np.float32), Box(0, 0, 6, 8))


@pytest.mark.parametrize(
    ("turns", "how", "found"),
    [
        (1, "lies on the side: turn", _somebody(4, 1)),
        (3, "lies on the side: turn", _somebody(4, 1)),
        (2, "is upside down: turn", _somebody(4, 1)),
        (1, "No person", _somebody(1, 4)),  # lies in the turned picture: stands in the given one
        (1, "No person", _somebody(4, 1, visible=0.2)),
    ],
)
def test_who_is_found_only_in_a_turned_picture_is_refused_with_the_turn(turns, how, found, monkeypatch):
    upright = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)

    def finds_upright_people_only(self, image):
        if image.shape == upright.shape and (image == upright).all():
            return [found]
        raise PersonError("No person was found in the picture.")

    monkeypatch.setattr(PoseEstimator, "estimate", finds_upright_people_only)
    with OfflinePreprocessor() as preprocessor, pytest.raises(PersonError, match=how):
        preprocessor.people(np.ascontiguousarray(np.rot90(upright, -turns)))
