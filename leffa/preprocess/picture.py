"""What every preprocessor asks of a picture."""

import numpy as np

from leffa.errors import PictureError

NO_PERSON = "No person was found in the picture; one that shows a whole person would do."


def require_rgb(image: np.ndarray) -> np.ndarray:
    """Return ``image`` if it is an RGB picture, (H, W, 3) uint8; raise PictureError otherwise."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise PictureError(f"An RGB picture is needed, uint8 of shape (height, width, 3), not {found}.")
    if not image.size:
        raise PictureError("The picture has no pixels.")
    return image


def size_of(image: np.ndarray) -> tuple[int, int]:
    """(height, width)."""
    return image.shape[0], image.shape[1]
