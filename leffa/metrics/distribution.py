"""FID and KID: how far apart two sets of pictures lie, by the features that Inception finds in them.

The conventions are those of the packages that papers use, pytorch-fid and clean-fid. Features wait on the
disk, so memory does not grow with the number of pictures.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.files import in_words
from leffa.metrics.networks import inception_features, on_device
from leffa.weights import metric_networks

SIDE = 299  # px that Inception takes
SUBSETS, SUBSET = 100, 1000  # of KID: how many, and pictures in each at most
_BATCH = 16
_CHUNK = 1024  # rows that are in memory at once

Features = NDArray[np.float32]
"""(N, D): a row for each picture."""


class Inception:
    """The network of FID. Raises WeightsError without its weights."""

    def __init__(self, device: str = "cpu"):
        self._state = on_device(metric_networks.load("inception"), device)
        self._device = device

    def __call__(self, pictures: Tensor) -> Tensor:
        """Features (B, 2048) of (B, 3, 299, 299) in [-1, 1]."""
        with torch.no_grad():
            return inception_features(self._state, pictures.to(self._device)).cpu()


# ------------------------------------------------------------------------------ as packages scale


def scaled_by_torch(picture: Image.Image) -> Tensor:
    """(3, 299, 299) in [-1, 1] as pytorch-fid makes it: bilinear, without smoothing what shrinks."""
    pixels = torch.from_numpy(np.array(picture.convert("RGB"))).movedim(-1, 0)[None]
    return 2 * F.interpolate(pixels / 255, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[0] - 1


def scaled_cleanly(picture: Image.Image) -> Tensor:
    """(3, 299, 299) in [-1, 1) as clean-fid makes it: bicubic by Pillow, in float32; Parmar et al. 2022."""
    channels = [
        np.asarray(
            Image.fromarray(np.asarray(channel, np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        )
        for channel in picture.convert("RGB").split()
    ]
    return (torch.from_numpy(np.stack(channels).clip(0, 255)) - 128) / 128


# ------------------------------------------------------------------------------ features


def features_of(
    pictures: Iterable[Image.Image],
    scale: Callable[[Image.Image], Tensor],
    see: Callable[[Tensor], Tensor],
    folder: Path,
) -> Features:
    """What ``see`` finds in each picture, in a file in ``folder``. Raises FileError if the disk is full."""
    scaled = map(scale, pictures)
    count = width = 0
    with in_words(folder), tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        while batch := list(islice(scaled, _BATCH)):
            found = see(torch.stack(batch)).numpy().astype(np.float32)
            file.write(found.tobytes())
            count, width = count + len(found), found.shape[1]
    return np.memmap(file.name, np.float32, "r", shape=(count, width))


def _chunks(features: Features) -> Iterator[NDArray[np.float64]]:
    for first in range(0, len(features), _CHUNK):
        yield np.asarray(features[first : first + _CHUNK], np.float64)


def _gaussian(features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (D,) and a root (D, R) of the covariance over N - 1: the root times its transpose is it.

    What is rounding and no spread is left out, so that covariances without full rank need no other care.
    """
    mean = sum(chunk.sum(0) for chunk in _chunks(features)) / len(features)
    scatter = sum((chunk - mean).T @ (chunk - mean) for chunk in _chunks(features))
    values, vectors = np.linalg.eigh(scatter / (len(features) - 1))
    spread = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return mean, vectors[:, spread] * np.sqrt(values[spread])


# ------------------------------------------------------------------------------ distances


def frechet_distance(first: Features, second: Features) -> float:
    """Fréchet distance of the Gaussians that two sets of features have: FID; Heusel et al. 2017, equation 6.

    Of at least two pictures each. The trace of the root of the covariances' product is the sum of the
    singular values of the product of their roots.
    """
    (mean, root), (other_mean, other_root) = _gaussian(first), _gaussian(second)
    shared = np.linalg.svd(root.T @ other_root, compute_uv=False).sum()
    apart = np.square(mean - other_mean).sum()
    return float(apart + np.square(root).sum() + np.square(other_root).sum() - 2 * shared)


def kernel_distance(first: Features, second: Features, subset: int = SUBSET) -> float:
    """Squared distance of means under the kernel (x y / D + 1)^3, unbiased: KID; Bińkowski et al. 2018.

    Like clean-fid the mean over 100 draws of ``subset`` pictures of each set, or of as many as the smaller
    one has; which ones, a fixed seed says. Where both sets have no more, all are taken, once.
    """
    size = min(len(first), len(second), subset)
    draws = 1 if size == len(first) == len(second) else SUBSETS
    generator = np.random.default_rng(0)

    def draw(features: Features) -> NDArray[np.float64]:
        chosen = np.sort(generator.choice(len(features), size, replace=False))
        return np.asarray(features[chosen], np.float64)

    return float(np.mean([_kernel_distance(draw(first), draw(second)) for _ in range(draws)]))


def _kernel_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    count = len(first)

    def kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
        return values

    among = sum((values := kernel(side, side)).sum() - np.trace(values) for side in (first, second))
    return float(among / (count * (count - 1)) - 2 * kernel(first, second).mean())
