"""The preprocessor that works from the installed packages alone, for the bundled weights."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.errors import PersonError
from leffa.images import shrunk
from leffa.preprocess.labels import Landmark
from leffa.preprocess.offline.masks import MaskOptions, agnostic_mask
from leffa.preprocess.offline.parts import part_map
from leffa.preprocess.offline.pose import Person, PoseEstimator
from leffa.preprocess.offline.worn import is_worn, worn_region

SURE = 0.5  # visibility of a landmark that is believed
_LONGEST_SHOT = 768  # px: a garment's picture is looked at in this size


class OfflinePreprocessor:
    """Landmarks and silhouettes from mediapipe's models, part map and mask from geometry and colour.

    Serves any number of threads. Fills ``leffa.preprocess.Preprocessor``; its U and V are those of
    ``parts.part_map``, not DensePose's.
    """

    def __init__(self) -> None:
        self._estimator = PoseEstimator()

    def __enter__(self) -> "OfflinePreprocessor":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the models; the next photo loads them again."""
        self._estimator.close()

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        """Everybody in ``image`` (H, W, 3) uint8 RGB, the largest first; ``PersonError`` if nobody."""
        try:
            return self._estimator.estimate(image)
        except PersonError:
            for turns, how in ((1, "lies on the side"), (3, "lies on the side"), (2, "is upside down")):
                if self._finds_upright(np.ascontiguousarray(np.rot90(image, turns))):
                    raise PersonError(f"The person in the picture {how}: turn the picture first.") from None
            raise

    def take_off(self, image: NDArray[np.uint8], garment: Garment) -> NDArray[np.uint8] | None:
        """(H, W) uint8, 255 = the garment that somebody wears in ``image`` (H, W, 3) uint8 RGB, else None."""
        small = shrunk(image, _LONGEST_SHOT)
        try:
            person = self._estimator.estimate(small)[0]
        except PersonError:
            return None
        if not is_worn(small, person, self._estimator.has_face(small)):
            return None
        region = worn_region(small, person, garment)
        whole = cv2.resize(region, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.where(whole > 127, 255, 0).astype(np.uint8)

    def _finds_upright(self, image: NDArray[np.uint8]) -> bool:
        """Whether the largest person found here stands: the model also finds people who lie, if seldom."""
        try:
            return _is_upright(self._estimator.estimate(image)[0].landmarks)
        except PersonError:
            return False

    def iuv(self, image: NDArray[np.uint8], person: Person) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 part map of one of the ``people`` of this image."""
        _check(image, person)
        return part_map(person.landmarks, person.silhouette)

    def mask(
        self,
        image: NDArray[np.uint8],
        person: Person,
        garment: Garment,
        options: MaskOptions | None = None,
    ) -> NDArray[np.uint8]:
        """(H, W) uint8 agnostic mask of one of the ``people`` of this image, 255 = repaint."""
        _check(image, person)
        return agnostic_mask(person.landmarks, person.silhouette, garment, image, options or MaskOptions())


def _is_upright(landmarks: NDArray[np.float32]) -> bool:
    """Whether landmarks (33, 4) tell, and surely, of a trunk that is steeper than 45 degrees."""
    shoulders = landmarks[[Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER]]
    hips = landmarks[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP]]
    across, down = (hips[:, :2].mean(0) - shoulders[:, :2].mean(0)).tolist()
    return bool(down > abs(across) and shoulders[:, 3].min() > SURE)


def _check(image: NDArray[np.uint8], person: Person) -> None:
    if person.silhouette.shape != image.shape[:2]:
        raise ValueError(
            f"person was found in a picture of {person.silhouette.shape}, image is {image.shape[:2]}: "
            "hand in the same picture."
        )
