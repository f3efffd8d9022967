"""From charts to pictures: part labels, surface coordinates, and the two official renderings."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.preprocess.labels import PARULA, Part
from leffa.preprocess.official.densepose.network import Charts

Box = tuple[float, float, float, float]


def whole_box(box: Box) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2) -> (left, top, width, height) in whole pixels, each cut off, sides at least 1."""
    x1, y1, x2, y2 = np.asarray(box, np.float32)
    return int(x1), int(y1), max(int(x2 - x1), 1), max(int(y2 - y1), 1)


def part_labels(charts: Charts, height: int, width: int) -> Tensor:
    """(height, width) int64 ``Part`` labels: the best fine part where the coarse map says body."""
    is_body = _resize(charts.coarse, height, width).argmax(0) > 0
    return _resize(charts.fine, height, width).argmax(0) * is_body


def surface(charts: Charts, labels: Tensor) -> Tensor:
    """(2, h, w) raw u and v, each read from the map of the pixel's own part; 0 on the background."""
    height, width = labels.shape
    uv = torch.zeros(2, height, width, device=labels.device)
    for part in list(Part)[1:]:  # part by part: all 48 maps at once would not fit for a large photo
        here = labels == part
        if here.any():
            maps = _resize(torch.stack([charts.u[part], charts.v[part]]), height, width)
            uv = torch.where(here, maps, uv)
    return uv


def iuv_picture(charts: Charts, box: Box, size: tuple[int, int]) -> np.ndarray:
    """The official ``predict_iuv``: (H, W, 3) uint8, channels in the order I, **V, U**, zeros outside.

    u and v are stretched to 0..255 together, by the minimum and maximum over both and over the whole box
    with its background zeros; the released weights were trained with that.
    """
    left, top, width, height = whole_box(box)
    labels = part_labels(charts, height, width)
    uv = surface(charts, labels)
    low, high = uv.min(), uv.max()
    span = high - low
    # one value everywhere, i.e. no body in the box: the official division by zero gives 0 as well
    stretched = (uv - low) / span * 255 if span > 0 else torch.zeros_like(uv)
    planes = [labels.byte(), stretched[1].byte(), stretched[0].byte()]
    return _paste(torch.stack(planes, dim=-1).cpu().numpy(), (left, top), size)


def segmentation_picture(charts: Charts, box: Box, size: tuple[int, int]) -> np.ndarray:
    """The official ``predict_seg``: parts in PARULA colours on black, (H, W, 3) uint8, order **B, G, R**."""
    left, top, width, height = whole_box(box)
    labels = part_labels(charts, height, width).cpu().numpy()
    colours = np.array(PARULA, np.uint8)[:, ::-1]
    return _paste(colours[labels], (left, top), size)


def _resize(maps: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(maps[None], size=(height, width), mode="bilinear", align_corners=False)[0]


def _paste(patch: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    (left, top), (height, width) = corner, size
    picture = np.zeros((height, width, 3), np.uint8)
    room = picture[top : top + patch.shape[0], left : left + patch.shape[1]]
    room[...] = patch[: room.shape[0], : room.shape[1]]
    return picture
