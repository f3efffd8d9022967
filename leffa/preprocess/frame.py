"""The frame that the models see: a photo letterboxed on white, and the way back to the photo's pixels."""

from dataclasses import dataclass

import numpy as np

from leffa.errors import PictureError

WHITE = 255


@dataclass(frozen=True)
class Frame:
    """Where a photo of ``photo_size`` lies in a frame of ``frame_size``; all sizes are (height, width).

    The photo is scaled to fit, its size rounded down, and centred (the spare pixel goes right or below), as
    the official ``resize_and_center`` does. Points are (x, y) with pixel centres at whole numbers, in both
    pictures; ``to_photo`` is the exact inverse of ``to_frame``.
    """

    photo_size: tuple[int, int]
    frame_size: tuple[int, int] = (1024, 768)

    def __post_init__(self) -> None:
        if min(*self.photo_size, *self.frame_size) < 1 or min(self.inner_size) < 1:
            raise PictureError(
                f"A picture of {self.photo_size[1]} x {self.photo_size[0]} pixels cannot be fitted into "
                f"{self.frame_size[1]} x {self.frame_size[0]}; it needs another shape."
            )

    @property
    def inner_size(self) -> tuple[int, int]:
        """(height, width) of the scaled photo inside the frame."""
        (height, width), (frame_height, frame_width) = self.photo_size, self.frame_size
        scale = min(frame_height / height, frame_width / width)
        return int(height * scale), int(width * scale)

    @property
    def corner(self) -> tuple[int, int]:
        """(top, left) of the scaled photo inside the frame."""
        (height, width), (frame_height, frame_width) = self.inner_size, self.frame_size
        return (frame_height - height) // 2, (frame_width - width) // 2

    def place(self, photo: np.ndarray) -> np.ndarray:
        """Letterbox a photo: (H, W), (H, W, 3) or (H, W, 4) uint8 -> (frame height, frame width, 3) uint8.

        Grey is repeated on three channels, alpha is dropped without compositing, and the resize is bicubic:
        what the released demo does.
        """
        import cv2

        if photo.shape[:2] != self.photo_size or photo.dtype != np.uint8:
            raise PictureError(
                f"A uint8 photo of {self.photo_size} is needed, not {photo.dtype} {photo.shape}."
            )
        colours = np.repeat(photo[:, :, None], 3, axis=2) if photo.ndim == 2 else photo[:, :, :3]
        height, width = self.inner_size
        framed = np.full((*self.frame_size, 3), WHITE, np.uint8)
        resized = cv2.resize(np.ascontiguousarray(colours), (width, height), interpolation=cv2.INTER_CUBIC)
        framed[self._inside] = resized
        return framed

    def crop(self, framed: np.ndarray) -> np.ndarray:
        """The part of a frame-sized array that the photo covers: (frame height, frame width, ...) view."""
        if framed.shape[:2] != self.frame_size:
            raise PictureError(f"An array of {self.frame_size} is needed, not {framed.shape[:2]}.")
        return framed[self._inside]

    def restore(self, framed: np.ndarray) -> np.ndarray:
        """Bring a frame-sized picture, (…, 3) uint8 or (…) float32, back to the photo's size, borders cut."""
        import cv2

        height, width = self.photo_size
        inner = np.ascontiguousarray(self.crop(framed))
        grows = height * width >= inner.shape[0] * inner.shape[1]
        return cv2.resize(inner, (width, height), interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) points (x, y) in photo pixels -> the same places in frame pixels, float64."""
        return (np.asarray(points, np.float64) + 0.5) * self._scale - 0.5 + self._offset

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) points (x, y) in frame pixels -> the same places in photo pixels, float64."""
        return (np.asarray(points, np.float64) - self._offset + 0.5) / self._scale - 0.5

    @property
    def _inside(self) -> tuple[slice, slice]:
        (height, width), (top, left) = self.inner_size, self.corner
        return slice(top, top + height), slice(left, left + width)

    @property
    def _scale(self) -> np.ndarray:
        """(x, y) frame pixels per photo pixel; the two differ a little, for the inner size is whole."""
        return np.array(self.inner_size[::-1]) / np.array(self.photo_size[::-1])

    @property
    def _offset(self) -> np.ndarray:
        return np.array(self.corner[::-1])
