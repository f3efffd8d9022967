"""How like two pictures are: SSIM and PSNR, over the whole picture or inside a mask."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def gaussian_kernel(size: int, sigma: float) -> Tensor:
    """(size,) float64 weights that sum to one."""
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    return weights / weights.sum()


def blur(maps: Tensor, size: int, sigma: float) -> Tensor:
    """Gaussian blur of (B, C, H, W) in float64; beyond its border a map is mirrored."""
    kernel = gaussian_kernel(size, sigma).to(maps.device)
    channels = maps.shape[1]
    rows = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    columns = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(maps.double(), (size // 2,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, rows, groups=channels), columns, groups=channels)


def ssim_map(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity at every pixel, (B, C, H, W) float64, for pictures of range 1.

    Wang et al. 2004 with the usual Gaussian window, 11x11 of sigma 1.5.
    """
    _check(prediction, truth)
    if min(prediction.shape[-2:]) < WINDOW:
        raise ValueError(
            f"SSIM needs pictures of at least {WINDOW}x{WINDOW}, got {tuple(prediction.shape[-2:])}"
        )
    count = prediction.shape[1]
    prediction, truth = prediction.double(), truth.double()
    stacked = torch.cat([prediction, truth, prediction**2, truth**2, prediction * truth], dim=1)
    x, y, xx, yy, xy = blur(stacked, WINDOW, SIGMA).split(count, dim=1)
    variance_x, variance_y, covariance = xx - x * x, yy - y * y, xy - x * y
    c1, c2 = K1**2, K2**2
    likeness = (2 * x * y + c1) * (2 * covariance + c2)
    return likeness / ((x * x + y * y + c1) * (variance_x + variance_y + c2))


def ssim(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean SSIM of each picture, (B,) float64; as torchmetrics computes it by default.

    mask  (B, 1, H, W), 1 = counts: the mean over the windows whose middle is inside; nan where it is empty
    """
    values = ssim_map(prediction, truth).mean(dim=1)
    return _mean_inside(values, None if mask is None else mask[:, 0] > 0.5)


def psnr(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio of each picture in dB for range 1, (B,) float64; inf if they are equal.

    mask  (B, 1, H, W), 1 = counts; nan where it is empty
    """
    _check(prediction, truth)
    squared = (prediction.double() - truth.double()).square().mean(dim=1)
    return -10 * torch.log10(_mean_inside(squared, None if mask is None else mask[:, 0] > 0.5))


def iou(prediction: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of two bool masks of one shape, a float64 scalar; nan if both are empty."""
    return (prediction & truth).sum().double() / (prediction | truth).sum()


def _mean_inside(values: Tensor, inside: Tensor | None) -> Tensor:
    """Mean of (B, H, W) over the places inside."""
    if inside is None:
        return values.mean(dim=(1, 2))
    return torch.where(inside, values, 0).sum(dim=(1, 2)) / inside.sum(dim=(1, 2))


def _check(prediction: Tensor, truth: Tensor) -> None:
    if prediction.shape != truth.shape or prediction.dim() != 4:
        raise ValueError(
            f"pictures must have one shape (B, C, H, W), got {tuple(prediction.shape)} "
            f"and {tuple(truth.shape)}"
        )
