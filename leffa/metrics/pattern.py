"""Does the pattern of the garment follow? Figures of what remains when colour and shading are taken away."""

import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.metrics.pictures import gaussian_kernel

LUMINANCE = (0.299, 0.587, 0.114)
BLUR = 3 / 256  # sigma of the high pass, as a share of the height
PLAIN = 0.01  # a garment whose high-passed luminance deviates less, of range 1, has no pattern
TEXTURED = 0.04  # a pixel whose neighbourhood deviates more is texture


def high_pass(pictures: Tensor, mask: Tensor) -> Tensor:
    """Luminance minus its blur, (B, H, W) float64; zero outside the mask.

    The blur's weights are those inside the mask only, so that the garment's outline is no pattern.
    pictures (B, 3, H, W) in [0, 1], mask (B, 1, H, W) in {0, 1}.
    """
    weights = torch.tensor(LUMINANCE, dtype=torch.float64, device=pictures.device).view(1, 3, 1, 1)
    luminance = (pictures.double() * weights).sum(dim=1, keepdim=True)
    inside = (mask > 0.5).double()
    return ((luminance - _mean_around(luminance, inside)) * inside)[:, 0]


def pattern_correlation(prediction: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Correlation of the high-passed luminance inside the garment with the truth's, (B,) float64.

    1 = every stripe in its place, 0 = no relation. nan where the true garment is plain, and 0 where only
    the prediction is.
    """
    inside = mask[:, 0] > 0.5
    ours, true = (_centred(high_pass(pictures, mask), inside) for pictures in (prediction, truth))
    count = inside.sum(dim=(1, 2))
    norm = ours.square().sum(dim=(1, 2)).sqrt() * true.square().sum(dim=(1, 2)).sqrt()
    correlation = (ours * true).sum(dim=(1, 2)) / norm.clamp_min(1e-12)
    deviation = (true.square().sum(dim=(1, 2)) / count.clamp_min(1)).sqrt()
    return torch.where(deviation >= PLAIN, correlation, torch.nan)


def texture_error(prediction: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Root mean squared RGB error where the true garment is ``textured``, (B,) float64; nan if nowhere."""
    where = textured(truth, mask)
    squared = (prediction.double() - truth.double()).square().mean(dim=1)
    return (torch.where(where, squared, 0).sum(dim=(1, 2)) / where.sum(dim=(1, 2))).sqrt()


def textured(pictures: Tensor, mask: Tensor) -> Tensor:
    """Where the garment has high-frequency texture, (B, H, W) bool.

    Texture is where the high-passed luminance around a pixel deviates by more than 4 % of the range.
    pictures (B, 3, H, W) in [0, 1], mask (B, 1, H, W) in {0, 1}.
    """
    inside = (mask > 0.5).double()
    energy = _mean_around(high_pass(pictures, mask).square()[:, None], inside)
    return (energy[:, 0] > TEXTURED**2) & (inside[:, 0] > 0.5)


def _mean_around(maps: Tensor, inside: Tensor) -> Tensor:
    """Gaussian mean of (B, 1, H, W) over the neighbours inside."""
    sigma = BLUR * maps.shape[-2]
    kernel = gaussian_kernel(2 * max(1, round(3 * sigma)) + 1, sigma).to(maps.device)
    half = len(kernel) // 2

    def spread(values: Tensor) -> Tensor:
        values = F.conv2d(values, kernel.view(1, 1, -1, 1), padding=(half, 0))
        return F.conv2d(values, kernel.view(1, 1, 1, -1), padding=(0, half))

    return spread(maps * inside) / spread(inside).clamp_min(1e-12)


def _centred(values: Tensor, inside: Tensor) -> Tensor:
    mean = values.sum(dim=(1, 2), keepdim=True) / inside.sum(dim=(1, 2), keepdim=True).clamp_min(1)
    return torch.where(inside, values - mean, 0)
