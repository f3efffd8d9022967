"""The part of a photo that is painted: cut out, framed for the model, and laid back."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.explain.confidence import confidence, worn
from leffa.images import Letterbox, to_pil, to_tensor
from leffa.model.flow import FlowField, warp

FINEST = 6.0  # px of the model's frame: what is finer it cannot paint through its VAE
AGREEING = 0.2  # mean colour difference, of 2, up to which a warp surely fits what was painted

Box = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels, right and bottom exclusive."""


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
        return cls(photo, (0, 0, photo[1], photo[0]), letterbox)

    @classmethod
    def around(cls, inner: Box, photo: tuple[int, int], frame: tuple[int, int], margin: float) -> "Region":
        """The box grown by ``margin`` of its longer side, then to the frame's shape within the photo."""
        left, top, right, bottom = inner
        grow = margin * max(right - left, bottom - top)
        width, height = right - left + 2 * grow, bottom - top + 2 * grow
        width, height = max(width, height * frame[1] / frame[0]), max(height, width * frame[0] / frame[1])
        x0, x1 = _span((left + right) / 2, width, photo[1])
        y0, y1 = _span((top + bottom) / 2, height, photo[0])
        return cls(photo, (x0, y0, x1, y1), Letterbox.fit((y1 - y0, x1 - x0), frame))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the box."""
        return self.box[3] - self.box[1], self.box[2] - self.box[0]

    @property
    def _slices(self) -> tuple[slice, slice]:
        return slice(self.box[1], self.box[3]), slice(self.box[0], self.box[2])

    def picture(self, photo: Image.Image) -> Image.Image:
        """The photo's box in the frame, on white."""
        return self.letterbox.apply(photo.crop(self.box))

    def mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A 0 / 255 mask of the photo in the frame."""
        return self.letterbox.apply_mask(mask[self._slices])

    def labels(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A map of the photo, (H, W, C), in the frame by nearest neighbour; 0 around it."""
        framing = self.letterbox
        inner = cv2.resize(
            np.ascontiguousarray(values[self._slices]),
            (framing.width, framing.height),
            interpolation=cv2.INTER_NEAREST_EXACT,
        )
        framed = np.zeros((*framing.frame, values.shape[2]), values.dtype)
        framed[framing.top : framing.top + framing.height, framing.left : framing.left + framing.width] = (
            inner
        )
        return framed

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

    def unframed(self, field: FlowField, reference: "Region") -> FlowField:
        """A field at frame size, as one at the box's size with places on the reference's photo."""
        framing = self.letterbox

        def back(values: Tensor) -> Tensor:
            return torch.from_numpy(framing.invert_map(np.ascontiguousarray(values.numpy(), np.float32)))

        inner = field.map(back)
        return replace(inner, flow=torch.from_numpy(reference.places(inner.flow.numpy())))

    def on_photo(self, field: FlowField) -> FlowField:
        """A field at the box's size laid into one at the photo's size; outside nothing is looked at."""

        def full(inner: Tensor) -> Tensor:
            values = torch.zeros((*self.photo, *inner.shape[2:]))
            values[self._slices] = inner
            return values

        return field.map(full)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Whole-pixel span of about ``length`` around ``middle``, moved and cut to lie inside [0, limit]."""
    length = min(length, limit)
    start = min(max(middle - length / 2, 0), limit - length)
    first = round(start)
    return first, max(first + 1, min(limit, round(start + length)))


def detailed(painted: Image.Image, reference: Image.Image, field: FlowField, frame: Letterbox) -> Image.Image:
    """The painted box with the reference's structure where it is finer than the model can paint.

    The picture keeps its colours and its light; what varies faster than over ``FINEST`` of the model's pixels
    is taken from the warped reference, where the flow is sure, where it falls on the garment, and where its
    colour agrees with what was painted.

    painted    box-sized, as enlarged from the model's frame
    field      box-sized, with places on ``reference`` and an occupancy
    """
    if field.occupancy is None:
        return painted
    warped = warp(to_tensor(reference)[None], field.flow[None])[0].permute(1, 2, 0).numpy()
    base = to_tensor(painted).permute(1, 2, 0).numpy()
    blur = FINEST / 2 * painted.height / frame.height
    coarse_warped, coarse_base = (cv2.GaussianBlur(x, (0, 0), blur) for x in (warped, base))
    agreement = np.clip(1.5 - np.abs(coarse_warped - coarse_base).mean(-1) / AGREEING, 0, 1)
    weight = confidence(field) * worn(field.occupancy) * agreement
    weight = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), max(1.0, painted.height / frame.height))
    result = base + weight[..., None] * ((warped - coarse_warped) - (base - coarse_base))
    return to_pil(torch.from_numpy(result).permute(2, 0, 1))
