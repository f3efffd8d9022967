"""People in a photo: pose landmarks and silhouettes, as mediapipe's models find them."""

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.errors import PersonError
from leffa.framing import Box
from leffa.images import shrunk
from leffa.preprocess.labels import MIRRORED, Landmark
from leffa.preprocess.offline import networks
from leffa.preprocess.offline.networks import Networks
from leffa.preprocess.offline.skeleton import Skeleton

Array = NDArray[np.float32]

_LONGEST_SIDE = 1024  # px looked at; the models see 256 px crops of it
LEAST_HEAD = 1.0  # of the distance from the eyes to the mouth: a nose nearer to the picture's top is cut off
SEEN_FOOT = 0.5  # visibility
FEET = ((Landmark.LEFT_FOOT_INDEX, Landmark.LEFT_HEEL), (Landmark.RIGHT_FOOT_INDEX, Landmark.RIGHT_HEEL))
MOST_PEOPLE = 6  # that are looked for in one photo
_NOBODY = (
    "No person was found in the picture: use a photo in which one person is seen from the front, "
    "at least from the shoulders to the hips."
)


@dataclass(frozen=True)
class Person:
    """One person of a photo, told in the photo's pixels.

    landmarks   (33, 4) float32: x, y, z in pixels (smaller z is nearer), visibility in [0, 1]; the middle
                of the first pixel is at 0.5; places outside the photo are guesses
    silhouette  (H, W) float32 in [0, 1], clothes and what is carried included
    box         around the silhouette
    """

    landmarks: Array
    silhouette: Array
    box: Box

    @property
    def area(self) -> float:
        """Share of the photo that the silhouette covers."""
        return float((self.silhouette > 0.5).mean())


class PoseEstimator:
    """Finds people. Loads its models at the first photo; one instance serves any number of threads.

    load  a function of a module that loads the models, see ``networks``

    >>> with PoseEstimator() as estimator:
    ...     largest, *others = estimator.estimate(photo)
    """

    def __init__(self, load: Callable[[], Networks] = networks.load) -> None:
        self._load = load
        self._lock = threading.RLock()
        self._networks: Networks | None = None
        self._quiet = False  # set once the native code has said all it says at start

    def __reduce__(self) -> tuple[type["PoseEstimator"], tuple[Callable[[], Networks]]]:
        """In another process the models load when they are needed."""
        return PoseEstimator, (self._load,)

    def __enter__(self) -> "PoseEstimator":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the models; the next photo loads them again."""
        with self._lock:
            if self._networks is not None:
                self._networks.close()
            self._networks = None

    def estimate(self, image: NDArray[np.uint8]) -> list[Person]:
        """All people in ``image`` (H, W, 3) uint8 RGB, the largest first; none is a ``PersonError``."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be (H, W, 3) uint8 RGB, got {image.dtype} {image.shape}.")
        height, width = image.shape[:2]
        small = shrunk(image, _LONGEST_SIDE)
        with self._lock, _without_chatter(active=not self._quiet):
            found = self._find(np.ascontiguousarray(small))
            self._quiet = self._quiet or bool(found)
        if not found:
            raise PersonError(_NOBODY)
        people = [_at_size(person, height, width) for person in found]
        return sorted(people, key=lambda person: person.area, reverse=True)

    def has_face(self, image: NDArray[np.uint8]) -> bool:
        """Whether there is a face in ``image`` (H, W, 3) uint8 RGB."""
        with self._lock, _without_chatter(active=not self._quiet):
            return bool(self._face_boxes(np.ascontiguousarray(image)))

    def _find(self, image: NDArray[np.uint8]) -> list[Person]:
        """The pose model tells of one person at a time: look again where a face or a gap is left."""
        faces = self._face_boxes(image)
        people: list[Person] = []
        rest = image.copy()

        def keep(person: Person | None, may_be_cut_off: bool = True) -> bool:
            if person is None or not self._is_new(person, people):
                return False
            if not self._is_human(person, image, faces, may_be_cut_off):
                return False
            people.append(person)
            hidden = cv2.dilate((person.silhouette > 0.3).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
            rest[hidden] = 128
            return True

        keep(self._pose_of(image))
        for face in faces:
            if len(people) >= MOST_PEOPLE:
                break
            if not any(_holds(person, face) for person in people):
                keep(self._pose_near(rest, face))
        while 0 < len(people) < MOST_PEOPLE:  # somebody seen from behind has no face
            person = self._pose_of(rest)
            if person is None or person.area < 0.25 * people[0].area or not keep(person, False):
                break
        return people

    def _loaded(self) -> Networks:
        if self._networks is None:
            self._networks = self._load()
        return self._networks

    def _pose_of(self, image: NDArray[np.uint8]) -> Person | None:
        found = self._loaded().pose(image)
        if found is None or not np.isfinite(found[0]).all():
            return None
        landmarks, silhouette = found
        return _person(seen_from_its_side(landmarks), silhouette)

    def _pose_near(self, image: NDArray[np.uint8], face: Array) -> Person | None:
        """Look in a cut-out that a body under this face (left, top, right, bottom) would fill."""
        height, width = image.shape[:2]
        size = face[3] - face[1]
        middle = (face[0] + face[2]) / 2
        left, right = max(int(middle - 3 * size), 0), min(int(middle + 3 * size), width)
        top, bottom = max(int(face[1] - 1.5 * size), 0), min(int(face[3] + 8 * size), height)
        if right - left < 32 or bottom - top < 32:
            return None
        found = self._pose_of(np.ascontiguousarray(image[top:bottom, left:right]))
        if found is None:
            return None
        silhouette = np.zeros((height, width), np.float32)
        silhouette[top:bottom, left:right] = found.silhouette
        return _person(found.landmarks + np.array([left, top, 0, 0], np.float32), silhouette)

    def _face_boxes(self, image: NDArray[np.uint8]) -> list[Array]:
        """Faces as (left, top, right, bottom) in pixels, the largest first."""
        boxes = self._loaded().faces(image)
        return sorted(boxes, key=lambda box: float(box[3] - box[1]), reverse=True)

    def _is_human(
        self, person: Person, image: NDArray[np.uint8], faces: list[Array], may_be_cut_off: bool
    ) -> bool:
        """Empty clothes look like a body to the pose model; a body turned to the camera has a face.

        may_be_cut_off  the head may lie outside the picture. Not with one more person in what is left of it:
                        a hedge and an arm are taken for one, head down
        """
        skeleton = Skeleton.from_landmarks(person.landmarks)
        head = skeleton.head
        reach = 3 * head.unit
        height, width = image.shape[:2]
        left, top = (int(value) for value in head.centre - reach)
        right, bottom = (int(value) for value in head.centre + reach)
        outside = (
            min(left, top) < 0 or right > width or bottom > height or min(right - left, bottom - top) < 1
        )
        cut_off = head.chin[1] - 3.5 * head.unit < 0 or outside
        if any(_holds(person, face) for face in faces):
            return True
        if cut_off:
            return may_be_cut_off
        if skeleton.facing < 0:
            return True
        closer = cv2.resize(image[top:bottom, left:right], (192, 192), interpolation=cv2.INTER_LINEAR)
        return bool(self._face_boxes(closer))

    @staticmethod
    def _is_new(person: Person, others: list[Person]) -> bool:
        area = person.silhouette > 0.5
        if area.mean() < 0.004 or person.landmarks[:25, 3].mean() < 0.4:
            return False
        return all(np.count_nonzero(area & (other.silhouette > 0.5)) < 0.3 * area.sum() for other in others)


def seen_from_its_side(landmarks: Array) -> Array:
    """Landmarks (33, 4) with left and right exchanged where only the lacking head made a front a back.

    The pose model tells front from back by the face. Where the picture is cut below it, the feet tell: from
    the front the toes are lower than the heels. Feet that are not seen either leave it at the front.
    """
    skeleton = Skeleton.from_landmarks(landmarks)
    if skeleton.facing > 0 or skeleton.head.nose[1] > LEAST_HEAD * skeleton.head.unit:
        return landmarks
    lower = [
        landmarks[toe, 1] - landmarks[heel, 1]
        for toe, heel in FEET
        if min(landmarks[toe, 3], landmarks[heel, 3]) > SEEN_FOOT
    ]
    return landmarks if lower and np.mean(lower) < 0 else landmarks[list(MIRRORED)]


def _person(landmarks: Array, silhouette: Array) -> Person | None:
    area = silhouette > 0.5
    return Person(landmarks, silhouette, Box.of(area)) if area.any() else None


def _at_size(person: Person, height: int, width: int) -> Person:
    """The same person told in the pixels of a picture of another size."""
    rows, columns = person.silhouette.shape
    if (rows, columns) == (height, width):
        return person
    stretch = np.array([width / columns, height / rows, width / columns, 1], np.float32)
    silhouette = cv2.resize(person.silhouette, (width, height), interpolation=cv2.INTER_LINEAR)
    box = Box(
        int(person.box.left * stretch[0]),
        int(person.box.top * stretch[1]),
        min(int(np.ceil(person.box.right * stretch[0])), width),
        min(int(np.ceil(person.box.bottom * stretch[1])), height),
    )
    return Person(person.landmarks * stretch, silhouette, box)


def _holds(person: Person, face: Array) -> bool:
    """This face is that person's."""
    nose = person.landmarks[Landmark.NOSE, :2]
    margin = 0.25 * (face[2:] - face[:2])
    return bool(np.all(nose > face[:2] - margin) and np.all(nose < face[2:] + margin))


# What the native libraries print to standard error when they start; they know no switch for it.
_CHATTER = re.compile(
    rb"INFO: Created TensorFlow Lite"
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} .*\.cc:\d+\]"
)


@contextmanager
def _without_chatter(active: bool) -> Iterator[None]:
    """Hold back standard error of the whole process, then pass on what is not native start-up chatter.

    Only on the main thread, where a command works: a server works on others, and what its other requests have
    to say meanwhile must not wait.
    """
    if not active or threading.current_thread() is not threading.main_thread():
        yield
        return
    with tempfile.TemporaryFile() as held:
        try:
            original = os.dup(2)
        except OSError:  # there is no standard error, as under pythonw
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)
