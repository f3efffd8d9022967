"""Where things lie: a box in a picture, and the part of a photo that a model sees in its frame."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.images import Letterbox

if TYPE_CHECKING:  # boxes and regions are known before torch is
    from torch import Tensor

    from leffa.model.flow import FlowField


class Box(NamedTuple):
    """A box in whole pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, mask: NDArray) -> "Box":
        """Around everything in a mask (H, W) that is not 0. Raises ValueError if nothing is."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            raise ValueError("an empty mask has no box")
        return cls(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def area(self) -> int:
        """In pixels; 0 where the sides are crossed."""
        return max(self.bottom - self.top, 0) * max(self.right - self.left, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Of rows and columns: ``picture[box.slices]`` is what lies inside."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def union(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def iou(self, other: "Box") -> float:
        """Intersection over union, in [0, 1]."""
        shared = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        return shared / max(self.area + other.area - shared, 1)

    def mirrored(self, width: int) -> "Box":
        """In a picture of that width with left and right exchanged."""
        return Box(width - self.right, self.top, width - self.left, self.bottom)


@dataclass(frozen=True)
class Region:
    """A box of a photo in the model's frame.

    photo      (height, width)
    box        what is cut out
    letterbox  how the cut-out lies in the frame
    """

    photo: tuple[int, int]
    box: Box
    letterbox: Letterbox

    @classmethod
    def whole(cls, photo: tuple[int, int], frame: tuple[int, int], official: bool = False) -> "Region":
        """All of the photo, letterboxed; ``official`` as the released weights had it."""
        letterbox = (Letterbox.official if official else Letterbox.fit)(photo, frame)
        return cls(photo, Box(0, 0, photo[1], photo[0]), letterbox)

    @classmethod
    def around(cls, inner: Box, photo: tuple[int, int], frame: tuple[int, int], margin: float) -> "Region":
        """The box grown by ``margin`` of its longer side, then to the frame's shape within the photo."""
        left, top, right, bottom = inner
        grow = margin * max(inner.size)
        width, height = right - left + 2 * grow, bottom - top + 2 * grow
        width, height = max(width, height * frame[1] / frame[0]), max(height, width * frame[0] / frame[1])
        x0, x1 = _span((left + right) / 2, width, photo[1])
        y0, y1 = _span((top + bottom) / 2, height, photo[0])
        box = Box(x0, y0, x1, y1)
        return cls(photo, box, Letterbox.fit(box.size, frame))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the box."""
        return self.box.size

    def picture(self, photo: Image.Image) -> Image.Image:
        """The photo's box in the frame, on white."""
        return self.letterbox.apply(photo.crop(self.box))

    def mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A 0 / 255 mask of the photo in the frame."""
        return self.letterbox.apply_mask(mask[self.box.slices])

    def labels(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A map of the photo, (H, W, C), in the frame by nearest neighbour; 0 around it."""
        return self.letterbox.apply_map(np.ascontiguousarray(values[self.box.slices]))

    def lay_back(self, inner: Image.Image, photo: Image.Image) -> Image.Image:
        """The photo with its box replaced by a picture of the box's size."""
        result = photo.copy()
        result.paste(inner, self.box[:2])
        return result

    def places(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        """Absolute coordinates (..., 2) in [-1, 1] on the frame, as such on the photo."""
        framing = self.letterbox
        pixels = (flow + 1) / 2 * np.array([framing.frame[1], framing.frame[0]], np.float32)
        inner = framing.points_to_photo(pixels) + np.array(self.box[:2], np.float32)
        return inner / np.array([self.photo[1], self.photo[0]], np.float32) * 2 - 1

    def unframed(self, field: "FlowField", reference: "Region") -> "FlowField":
        """A field at frame size, as one at the box's size with places on the reference's photo."""
        import torch

        framing = self.letterbox

        def back(values: "Tensor") -> "Tensor":
            return torch.from_numpy(framing.invert_map(np.ascontiguousarray(values.numpy(), np.float32)))

        inner = field.map(back)
        return replace(inner, flow=torch.from_numpy(reference.places(inner.flow.numpy())))

    def on_photo(self, field: "FlowField") -> "FlowField":
        """A field at the box's size laid into one at the photo's size; outside nothing is looked at."""
        import torch

        def full(inner: "Tensor") -> "Tensor":
            values = torch.zeros((*self.photo, *inner.shape[2:]))
            values[self.box.slices] = inner
            return values

        return field.map(full)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Whole-pixel span of about ``length`` around ``middle``, moved and cut to lie inside [0, limit]."""
    length = min(length, limit)
    start = min(max(middle - length / 2, 0), limit - length)
    first = round(start)
    return first, max(first + 1, min(limit, round(start + length)))
