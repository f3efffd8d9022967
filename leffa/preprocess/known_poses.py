"""Pictures whose pose is known: no search for the body, and none that can fail on a back or a profile."""

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from leffa.framing import Box
from leffa.images import Letterbox, load_image
from leffa.preprocess.labels import MIRRORED
from leffa.preprocess.offline.pose import Person
from leffa.preprocess.offline.preprocessor import OfflinePreprocessor
from leffa.preprocess.prepared import Prepared

INDEX = "poses.json"
SILHOUETTE = ".silhouette.png"


def known_pose(path: str | Path) -> Prepared | None:
    """The picture with its body as ``poses.json`` beside it tells; None if it tells nothing of this picture.

    The index has ``height``, ``width`` and ``poses``: a list of ``name`` (the picture's, without suffix) and
    ``landmarks`` (33 times x, y, z in pixels and visibility). Beside the picture lies its silhouette.
    """
    path = Path(path)
    known = _index(path.parent / INDEX).get(path.stem)
    outline = path.with_name(path.stem + SILHOUETTE)
    if known is None or not outline.is_file():
        return None
    photo = load_image(path)
    with Image.open(outline) as opened:
        silhouette = np.asarray(opened.convert("L").resize(photo.size), np.float32) / 255
    height, width, landmarks = known
    stretch = np.array([photo.width / width, photo.height / height, photo.width / width, 1], np.float32)
    person = Person(landmarks * stretch, silhouette, Box.of(silhouette > 0.5))
    size = (photo.height, photo.width)
    frame = Letterbox(size, size, 0, 0, *size)
    return Prepared(photo, [person.box], 0, frame, np.asarray(photo), [person], OfflinePreprocessor())


def mirrored(prepared: Prepared) -> Prepared:
    """The same with left and right exchanged: photo, people, and the sides of the chosen body."""
    width, analysis_width = prepared.photo.width, prepared.analysis.shape[1]
    return replace(
        prepared,
        photo=ImageOps.mirror(prepared.photo),
        people=[box.mirrored(width) for box in prepared.people],
        analysis=np.ascontiguousarray(prepared.analysis[:, ::-1]),
        found=[_mirrored(person, analysis_width) for person in prepared.found],
    )


def _mirrored(person: Person, width: int) -> Person:
    landmarks = person.landmarks[list(MIRRORED)].copy()
    landmarks[:, 0] = width - landmarks[:, 0]
    outline = np.ascontiguousarray(person.silhouette[:, ::-1])
    return Person(landmarks, outline, person.box.mirrored(width))


@lru_cache(maxsize=4)
def _index(path: Path) -> dict[str, tuple[int, int, NDArray[np.float32]]]:
    if not path.is_file():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    return {
        pose["name"]: (told["height"], told["width"], np.array(pose["landmarks"], np.float32))
        for pose in told["poses"]
    }
