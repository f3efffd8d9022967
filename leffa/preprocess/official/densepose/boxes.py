"""Box arithmetic of the detector: anchors, deltas, suppression of doubles, and the legacy ROIAlign.

Boxes are (n, 4) float32 tensors (x1, y1, x2, y2); sizes are (height, width).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LARGEST_GROWTH = math.log(1000 / 16)  # of a side, as log(new / old)
_RATIOS = (0.5, 1.0, 2.0)  # height / width of the anchors


def anchors(
    grid: tuple[int, int] | torch.Size, stride: int, size: int, device: torch.device | str = "cpu"
) -> Tensor:
    """The (h * w * 3, 4) anchors of one level, ordered by y, x, ratio, centred on multiples of the stride."""
    widths = torch.tensor([math.sqrt(size**2 / ratio) for ratio in _RATIOS], device=device)
    heights = torch.tensor([ratio * math.sqrt(size**2 / ratio) for ratio in _RATIOS], device=device)
    shape = torch.stack([-widths, -heights, widths, heights], dim=1) / 2
    y = torch.arange(grid[0], device=device, dtype=torch.float32) * stride
    x = torch.arange(grid[1], device=device, dtype=torch.float32) * stride
    y, x = torch.meshgrid(y, x, indexing="ij")
    centres = torch.stack([x, y, x, y], dim=-1)
    return (centres[:, :, None] + shape).reshape(-1, 4)


def apply_deltas(
    boxes: Tensor, deltas: Tensor, weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """Move and scale boxes by the network's (dx, dy, dw, dh), each divided by its weight first."""
    size = boxes[:, 2:] - boxes[:, :2]
    centre = boxes[:, :2] + 0.5 * size
    deltas = deltas / deltas.new_tensor(weights)
    centre = deltas[:, :2] * size + centre
    size = deltas[:, 2:].clamp(max=_LARGEST_GROWTH).exp() * size
    return torch.cat([centre - 0.5 * size, centre + 0.5 * size], dim=1)


def clip_to(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut boxes off at the borders of a picture of ``size``."""
    height, width = size
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))


def is_empty(boxes: Tensor) -> Tensor:
    """(n,) bool: the box has no area."""
    return (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])


def overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of every pair, (n, n)."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    top_left = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(dim=2)
    return shared / (areas[:, None] + areas[None, :] - shared)


def non_maximum_suppression(boxes: Tensor, threshold: float) -> Tensor:
    """Indices of the boxes to keep, in order. ``boxes`` come best first.

    A box is dropped if it overlaps a better kept one by more than ``threshold`` (exact, greedy).
    """
    rivals = (overlaps(boxes) > threshold).cpu().numpy()
    kept: list[int] = []
    is_open = torch.ones(len(boxes), dtype=torch.bool).numpy()
    for index in range(len(boxes)):
        if is_open[index]:
            kept.append(index)
            is_open &= ~rivals[index]
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)


def levels_of(boxes: Tensor) -> Tensor:
    """(n,) the pyramid level 2..5 that a box of this size is pooled from; a 224-pixel box from level 4."""
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (4 + torch.log2(side / 224 + 1e-8)).floor().clamp(2, 5).long()


def roi_align(features: Tensor, boxes: Tensor, bins: int, scale: float) -> Tensor:
    """Average features over a ``bins`` x ``bins`` grid in each box: (1, C, h, w) -> (n, C, bins, bins).

    This is the *legacy* ROIAlign (``aligned=False``) with two samples a bin and axis, which the released
    weights expect: no half-pixel shift, boxes at least one feature pixel wide. A sample's weight is the
    product of its weights along x and y, so a bin is one weighted sum of 4 x 4 taps, which
    ``embedding_bag`` takes without building the samples.
    """
    channels, height, width = features.shape[1:]
    if not len(boxes):
        return features.new_empty(0, channels, bins, bins)
    start, end = (boxes * scale).split(2, dim=1)
    length = (end - start).clamp(min=1)
    x_index, x_weight = _taps(start[:, 0], length[:, 0], bins, width)
    y_index, y_weight = _taps(start[:, 1], length[:, 1], bins, height)
    # (n, bin y, bin x, tap y, tap x) -> one bag of 16 taps for each bin
    index = (y_index * width)[:, :, None, :, None] + x_index[:, None, :, None, :]
    weight = y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :]
    table = features[0].permute(1, 2, 0).reshape(height * width, channels)
    pooled = F.embedding_bag(
        index.reshape(-1, 16), table, mode="sum", per_sample_weights=weight.reshape(-1, 16)
    )
    return pooled.view(len(boxes), bins, bins, channels).permute(0, 3, 1, 2)


def _taps(start: Tensor, length: Tensor, bins: int, limit: int) -> tuple[Tensor, Tensor]:
    """Where and how strongly each bin reads along one axis: index and weight, both (n, bins, 4).

    The two samples of a bin stand at 1/4 and 3/4 of it and have two bilinear taps each.
    """
    bin_length = (length / bins)[:, None, None]
    steps = torch.arange(bins, device=start.device)[:, None] + start.new_tensor([0.25, 0.75])
    place = start[:, None, None] + steps * bin_length  # (n, bins, 2)
    is_inside = (place >= -1) & (place <= limit)
    place = place.clamp(min=0, max=limit - 1)  # at and beyond the last pixel that pixel counts alone
    low = place.floor()
    high = (low + 1).clamp(max=limit - 1)
    upper = place - low
    weight = torch.stack([1 - upper, upper], dim=3) * is_inside[..., None] * 0.5
    index = torch.stack([low, high], dim=3)
    return index.flatten(2).long(), weight.flatten(2)
