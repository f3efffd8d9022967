"""FID, KID and LPIPS by the packages that papers use, so that figures can be compared with theirs.

The packages are the extra ``metrics``; they fetch their networks' weights themselves on first use. Where
either is missing, ``UnavailableError`` says so in one sentence.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from torch import Tensor

from leffa.errors import LeffaError

INSTALL = 'pip install -e ".[metrics]"'
POOL_FEATURES = 2048


class UnavailableError(LeffaError):
    """A figure cannot be computed here: its package or its network's weights are missing."""


def fid(results: Path, truth: Path, device: str = "cpu") -> float:
    """Fréchet distance between two folders of pictures, by pytorch-fid."""
    with _available("FID", "pytorch-fid"):
        from pytorch_fid.fid_score import calculate_fid_given_paths

        return float(calculate_fid_given_paths([str(results), str(truth)], 50, device, POOL_FEATURES, 0))


def clean_fid(results: Path, truth: Path, device: str = "cpu") -> float:
    """Fréchet distance between two folders of pictures, by clean-fid."""
    with _available("clean FID", "clean-fid"):
        from cleanfid.fid import compute_fid

        return float(compute_fid(str(results), str(truth), **_clean(device)))


def kid(results: Path, truth: Path, device: str = "cpu") -> float:
    """Kernel distance between two folders of pictures, by clean-fid, times 1000 as papers print it."""
    with _available("KID", "clean-fid"):
        from cleanfid.fid import compute_kid

        return 1000 * float(compute_kid(str(results), str(truth), **_clean(device)))


class Lpips:
    """Perceptual distance by torchmetrics, as the authors compute it: SqueezeNet, pictures in [-1, 1].

    Papers differ in the network; say which when you compare. Raises UnavailableError.
    """

    def __init__(self, network: Literal["vgg", "alex", "squeeze"] = "squeeze", device: str = "cpu"):
        with _available("LPIPS", "torchvision and torchmetrics"):
            from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

            self._distance = LearnedPerceptualImagePatchSimilarity(net_type=network, reduction="none").to(
                device
            )

    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Distance of each pair of pictures (B, 3, H, W) in [0, 1]: (B,)."""
        distances = self._distance(prediction * 2 - 1, truth * 2 - 1)
        self._distance.reset()  # it would keep every score
        return distances.flatten()


def _clean(device: str) -> dict:
    return {"device": device, "num_workers": 0, "verbose": False, "use_dataparallel": False}


@contextlib.contextmanager
def _available(figure: str, package: str) -> Iterator[None]:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # they report downloads and progress there
            yield
    except ModuleNotFoundError as error:
        raise UnavailableError(f"{figure} needs {package}: {INSTALL}") from error
    except OSError as error:  # urllib's errors are of this kind
        raise UnavailableError(f"{figure}: the weights of its network cannot be fetched ({error})") from error
