"""The preprocessor that works from the installed packages alone, for the bundled weights."""

import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.errors import PersonError
from leffa.preprocess.offline.masks import MaskOptions, agnostic_mask
from leffa.preprocess.offline.parts import part_map
from leffa.preprocess.offline.pose import Person, PoseEstimator


class OfflinePreprocessor:
    """Landmarks and silhouettes from mediapipe, part map and mask from geometry and colour.

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
                if self._finds(np.ascontiguousarray(np.rot90(image, turns))):
                    raise PersonError(f"The person in the picture {how}: turn the picture first.") from None
            raise

    def _finds(self, image: NDArray[np.uint8]) -> bool:
        try:
            return bool(self._estimator.estimate(image))
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


def _check(image: NDArray[np.uint8], person: Person) -> None:
    if person.silhouette.shape != image.shape[:2]:
        raise ValueError(
            f"person was found in a picture of {person.silhouette.shape}, image is {image.shape[:2]}: "
            "hand in the same picture."
        )
