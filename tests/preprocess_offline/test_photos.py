"""Held against true DensePose maps, published masks and photos that stand beside the checkout.

The radii of the parts and the rules of the masks were made while looking at these very photos, so the
figures below are gates against getting worse, not claims about photos never seen.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from leffa.config import Garment
from leffa.errors import PersonError
from leffa.images import load_image
from leffa.preprocess.offline.figure import GROUP_OF_PART, Figure
from leffa.preprocess.offline.masks import agnostic_mask
from leffa.preprocess.offline.parts import part_map
from leffa.preprocess.offline.pose import Person, PoseEstimator

pytest.importorskip("mediapipe")


@pytest.fixture(scope="module")
def estimator() -> Iterator[PoseEstimator]:
    with PoseEstimator() as one:
        yield one


@pytest.fixture(scope="module")
def photos(shared: Path) -> Path:
    folder = shared / "photos"
    if not (folder / "truth").is_dir():
        pytest.skip("needs the shared photos")
    return folder


def read(path: Path) -> np.ndarray:
    return np.array(load_image(path))


def photo_of_truth(photos: Path, name: str) -> Path:
    """The person photo that a truth file belongs to."""
    if "vhd" in name:
        key = name.split("_vhd_")[1]
        key = "_".join(Path(key).stem.replace("_mask", "").split("_")[-2:])
        path = photos / "person" / f"magic_vhd_{key}.jpg"
        return path if path.exists() else photos / "paired" / "person" / f"{key}.jpg"
    key = "_".join(Path(name).stem.split("_")[-2:])
    return photos / "person" / f"magic_dc_lower_{key}.jpg"


def labels_of_parula(picture: np.ndarray) -> np.ndarray:
    """Part numbers of a published DensePose picture: the nearest of 25 colours."""
    steps = np.clip(np.arange(25) * 255 / 24, 0, 255).astype(np.uint8)[None]
    colours = cv2.applyColorMap(steps, cv2.COLORMAP_PARULA)[0, :, ::-1].astype(np.int32)
    colours = np.concatenate([[[0, 0, 0]], colours[1:]])
    distance = ((picture[:, :, None].astype(np.int32) - colours) ** 2).sum(-1)
    return distance.argmin(-1).astype(np.uint8)


def test_agreement_with_true_densepose(photos: Path, estimator: PoseEstimator) -> None:
    """Share of pixels, on the union of both, in the same of eight groups, at 192 x 256."""
    agreement = []
    for path in sorted((photos / "truth").glob("magic_*image-densepose*")):
        photo = read(photo_of_truth(photos, path.name))
        person = estimator.estimate(photo)[0]
        ratio = np.array([192 / photo.shape[1], 256 / photo.shape[0], 192 / photo.shape[1], 1], np.float32)
        silhouette = cv2.resize(person.silhouette, (192, 256), interpolation=cv2.INTER_AREA)
        ours = GROUP_OF_PART[part_map(person.landmarks * ratio, silhouette)[..., 0]]
        small = cv2.resize(cv2.medianBlur(read(path), 5), (192, 256), interpolation=cv2.INTER_NEAREST)
        true = GROUP_OF_PART[labels_of_parula(small)]
        either = (ours > 0) | (true > 0)
        agreement.append(float(np.mean(ours[either] == true[either])))
    assert len(agreement) == 10
    assert np.mean(agreement) > 0.835
    assert min(agreement) > 0.74


def test_overlap_with_published_masks(photos: Path, estimator: PoseEstimator) -> None:
    overlaps: dict[Garment, list[float]] = {Garment.UPPER: [], Garment.LOWER: []}
    for path in sorted((photos / "truth").glob("magic_*mask_*.png")):
        garment = Garment.UPPER if "agnostic-mask" in path.name else Garment.LOWER
        photo = read(photo_of_truth(photos, path.name))
        person = estimator.estimate(photo)[0]
        ours = agnostic_mask(person.landmarks, person.silhouette, garment, photo) > 0
        true = read(path)[..., 0] > 127
        overlaps[garment].append(np.count_nonzero(ours & true) / np.count_nonzero(ours | true))
    assert [len(values) for values in overlaps.values()] == [5, 5]
    assert np.mean(overlaps[Garment.UPPER]) > 0.79
    assert np.mean(overlaps[Garment.LOWER]) > 0.83


def test_every_person_photo_gives_masks_that_spare_the_face(photos: Path, estimator: PoseEstimator) -> None:
    for path in sorted((photos / "person").iterdir()):
        photo = read(path)
        person: Person = estimator.estimate(photo)[0]
        figure = Figure.of(person.landmarks, person.silhouette)
        for garment in Garment:
            mask = agnostic_mask(person.landmarks, person.silhouette, garment, photo) > 0
            assert mask[figure.face].mean() < 0.004, (path.name, garment)  # resampled edges
            if "selfie" not in path.name or garment is not Garment.LOWER:
                assert mask.mean() > 0.02, (path.name, garment)


def test_a_group_photo_lists_them_all(photos: Path, estimator: PoseEstimator) -> None:
    people = estimator.estimate(read(photos / "person" / "pexels_pexels-fauxels-3184419.jpg"))
    assert len(people) == 5
    assert [person.area for person in people] == sorted((person.area for person in people), reverse=True)


def test_garments_alone_are_seldom_taken_for_people(photos: Path, estimator: PoseEstimator) -> None:
    taken = []
    paths = sorted((photos / "garment").rglob("*.*"))
    for path in paths:
        try:
            estimator.estimate(read(path))
        except PersonError:
            continue
        taken.append(path.name)
    assert len(paths) > 30
    assert len(taken) <= 2, taken
