"""Where a picture is put together: the networks' frame, the working size, the photo's own, and between."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.framing import Region
from leffa.images import Letterbox, to_tensor

Maps = NDArray[np.float32]

FRAME = (256, 192)
"""(height, width) that the networks were trained at."""
WORKING_SIDE = 1280  # px: silhouettes need no more; cloth is warped at the photo's own size


class Working:
    """The region at the size that silhouettes are made at, and its way to the networks' frame and back."""

    def __init__(self, region: Region, scale: float):
        self.region = region
        height, width = region.size
        self.size = (max(1, round(height * scale)), max(1, round(width * scale)))
        self.letterbox = Letterbox.fit(region.size, FRAME)
        self.zoom = self.size[0] / self.letterbox.height  # px of the working size in one of the frame's
        self.shares: dict[tuple[int, ...], Maps] = {}  # of one reading, see ``edges.share_of``
        self.guided: cv2.ximgproc.GuidedFilter | None = None  # by one photo, see ``edges.at_edges``

    @classmethod
    def of(cls, region: Region) -> "Working":
        return cls(region, min(1.0, WORKING_SIDE / max(region.size)))

    def cut(self, values: NDArray) -> NDArray:
        """A map or picture of the photo, cut to the region at the working size; float32."""
        left, top, right, bottom = self.region.box
        inner = values[top:bottom, left:right].astype(np.float32)
        return sized(inner, self.size)

    def unframed(self, values: Tensor) -> Maps:
        """(C, h, w) in the frame -> (H, W, C) at the working size."""
        box = self.letterbox
        inner = values[:, box.top : box.top + box.height, box.left : box.left + box.width]
        return np.dstack([sized(channel, self.size, cv2.INTER_CUBIC) for channel in inner.float().numpy()])

    def framed(self, values: Maps) -> Tensor:
        """(H, W, C) at the working size -> (1, C, h, w) in the frame, zero around it."""
        box, channels = self.letterbox, np.atleast_3d(values)
        framed = torch.zeros(1, channels.shape[2], *FRAME)
        inner = np.stack([sized(channels[..., i], (box.height, box.width)) for i in range(channels.shape[2])])
        framed[0, :, box.top : box.top + box.height, box.left : box.left + box.width] = torch.from_numpy(
            inner
        )
        return framed

    def whole(self, values: Maps, photo: Sequence[int], outside: float = 0.0) -> Maps:
        """(H, W) at the working size laid into one of the photo's size."""
        left, top, right, bottom = self.region.box
        result = np.full((*photo, *values.shape[2:]), outside, np.float32)
        result[top:bottom, left:right] = sized(values, (bottom - top, right - left))
        return result


def sized(values: NDArray, size: Sequence[int], enlarging: int = cv2.INTER_LINEAR) -> NDArray:
    if values.shape[:2] == tuple(size):
        return values
    shrinks = size[0] < values.shape[0]
    way = cv2.INTER_AREA if shrinks else enlarging
    return cv2.resize(np.ascontiguousarray(values), size[::-1], interpolation=way)


def pixels(picture: Image.Image) -> Maps:
    return np.asarray(picture.convert("RGB")).astype(np.float32)


def warped(picture: Maps, places: Maps) -> Maps:
    """(H, W, 3): a picture read at absolute places (H, W, 2) on it."""
    height, width = picture.shape[:2]
    columns = ((places[..., 0] + 1) * width / 2 - 0.5).astype(np.float32)
    rows = ((places[..., 1] + 1) * height / 2 - 0.5).astype(np.float32)
    return cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def on_picture(places: Maps) -> NDArray[np.bool_]:
    """(H, W): whether places (H, W, 2) are on a picture, and not beside it."""
    inside: NDArray[np.bool_] = (np.abs(places[..., 0]) < 1) & (np.abs(places[..., 1]) < 1)
    return inside


def mirrored(values: Maps, known: NDArray[np.bool_], rim: float = 0.0) -> Maps:
    """Values (H, W, C) of which the unknown are what lies as far beyond the nearest known pixel.

    rim  px over which the nearest known pixel itself goes on, before the mirror begins
    """
    away, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    height, width = known.shape
    share = np.clip(1 - rim / np.maximum(away, 1e-3), 0, 1)
    places = []
    for grid, last in ((np.arange(width)[None], width - 1), (np.arange(height)[:, None], height - 1)):
        nearest = np.zeros(labels.max() + 1, np.float32)
        nearest[labels[known]] = np.broadcast_to(grid, known.shape)[known]
        near = nearest[labels]
        places.append((near, np.clip(np.rint(near + share * (near - grid)), 0, last).astype(np.float32)))
    (column, beyond_column), (row, beyond_row) = places
    there = cv2.remap(known.astype(np.uint8), beyond_column, beyond_row, cv2.INTER_NEAREST) > 0
    columns, rows = np.where(there, beyond_column, column), np.where(there, beyond_row, row)
    result: Maps = cv2.remap(np.ascontiguousarray(values), columns, rows, cv2.INTER_NEAREST)
    return result


def framed_picture(photo: Image.Image, region: Region) -> Tensor:
    """(1, 3, h, w) in [-1, 1]: the region in the networks' frame, on white."""
    letterbox = Letterbox.fit(region.size, FRAME)
    return to_tensor(letterbox.apply(photo.crop(region.box)))[None]


def framed_mask(mask: NDArray[np.uint8], region: Region) -> Tensor:
    small = replace(region, letterbox=Letterbox.fit(region.size, FRAME))
    return torch.from_numpy((small.mask(mask) > 127).astype(np.float32))[None, None]
