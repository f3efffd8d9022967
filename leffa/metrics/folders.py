"""Figures of a folder of results against a folder of true pictures."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from leffa.errors import LeffaError, WeightsError
from leffa.images import SUFFIXES, load_image, open_upright, to_tensor
from leffa.metrics.distribution import (
    Features,
    Inception,
    features_of,
    frechet_distance,
    kernel_distance,
    scaled_by_torch,
    scaled_cleanly,
)
from leffa.metrics.lpips import Lpips, Network
from leffa.metrics.pictures import psnr, ssim
from leffa.metrics.running import RunningMean

_LPIPS = "version 0.1, pictures in [-1, 1] at the result's size"
_CLEAN = "as clean-fid in its mode clean: 2048 features of Inception, bicubic to 299 px in float32"
CONVENTIONS = {
    "SSIM": "Gaussian window 11x11 of sigma 1.5, range 1, mean over pixels and RGB, float64",
    "PSNR": "dB for range 1, mean over the pictures",
    "LPIPS (alex)": f"AlexNet, {_LPIPS}",
    "LPIPS (vgg)": f"VGG-16, {_LPIPS}",
    "LPIPS (squeeze)": f"SqueezeNet 1.1, {_LPIPS}",
    "FID": "as pytorch-fid: 2048 features of Inception, bilinear to 299 px without smoothing",
    "clean FID": _CLEAN,
    "KID x1000": f"{_CLEAN}, mean over 100 draws of at most 1000 pictures, times 1000",
    "sizes": "true pictures, and those of --against, are brought to the result's size with LANCZOS",
}
"""How each figure is computed; papers differ, and only equal conventions can be compared."""

FEW = 2048
"""Pictures below which FID says more of their number than of them: as many as there are features."""

Each = Callable[[str, Path, Path, dict[str, float]], None]
"""Told of each pair: its name, the result, the truth, and its figures."""


def compare_names(results: Path, truth: Path) -> list[str]:
    """A sentence if true pictures have no result: they are not judged. Raises LeffaError as below."""
    ours, true = _pictures(results), _pictures(truth)
    without = [name for name in true if name not in ours]
    if not without:
        return []
    return [
        f"{len(without)} of {len(true)} true pictures have no result and are not judged: {_some(without)}"
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def evaluate_folders(
    results: Path,
    truth: Path,
    paired: bool = True,
    against: Path | None = None,
    device: str = "cpu",
    each: Each | None = None,
    lpips: Network = "alex",
) -> tuple[dict[str, float], list[str]]:
    """Figures as papers compute them, and a sentence for each that is not available here.

    results, truth  pictures; in paired evaluation each result has a true picture of the same name, apart
                    from the suffix. True pictures are brought to the result's size with LANCZOS
    paired   SSIM, PSNR, LPIPS, FID and KID; without only FID and KID, for which no names need agree
    against  another folder for FID and KID; in pose transfer papers take all training pictures
    each     is told of every pair as it is judged; nothing of it is kept here
    lpips    the network of LPIPS

    Raises LeffaError for an empty folder, two pictures of one name, or a result without a true picture.
    """
    ours, true = _pictures(results), _pictures(truth)
    figures: dict[str, float] = {}
    notes: list[str] = []
    if paired:
        missing = [name for name in ours if name not in true]
        if missing:
            raise LeffaError(
                f"{len(missing)} of {len(ours)} results have no picture of that name in {truth}: "
                f"{_some(missing)}"
            )
        true = {name: true[name] for name in ours}
        figures |= _paired(ours, true, notes, device, each, lpips)
    sizes = sorted({_size_of(path) for path in ours.values()})
    if len(sizes) > 1:
        some = ", ".join(f"{width}x{height}" for width, height in sizes[:3])
        notes.append(
            f"the results are of {len(sizes)} sizes ({some}{' ...' if len(sizes) > 3 else ''}): each is "
            "compared at its own, and the distances take them all as they are"
        )
    compared = true if against is None else _pictures(against)
    return figures | _distances(list(ours.values()), list(compared.values()), notes, device), notes


def _paired(
    ours: dict[str, Path],
    true: dict[str, Path],
    notes: list[str],
    device: str,
    each: Each | None,
    network: Network,
) -> dict[str, float]:
    measures: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"SSIM": ssim, "PSNR": psnr}
    try:
        lpips = Lpips(network, device)
        measures[lpips.name] = lpips
    except WeightsError as error:
        notes.append(f"LPIPS: {error}")
    means = {name: RunningMean() for name in measures}
    for name, path in ours.items():
        result = load_image(path)
        expected = _at_size(true[name], result.size)
        pair = [to_tensor(picture)[None].to(device) / 2 + 0.5 for picture in (result, expected)]
        found = {}
        for measure, function in measures.items():
            with torch.no_grad():
                value = function(*pair)
            means[measure].update(value)
            found[measure] = float(value)
        if each is not None:
            each(name, path, true[name], found)
    return {name: mean.compute() for name, mean in means.items()}


def _distances(ours: list[Path], true: list[Path], notes: list[str], device: str) -> dict[str, float]:
    """FID and KID, as far as their network is here and there is more than one picture on each side."""
    few = min(len(ours), len(true))
    if few < 2:
        notes.append("FID and KID need at least two pictures on each side")
        return {}
    try:
        see = Inception(device)
    except WeightsError as error:
        notes.append(f"FID, clean FID and KID: {error}")
        return {}
    if few < FEW:
        notes.append(
            f"FID of {few} pictures says much of their number: compare it with as many only, or see KID"
        )
    size = _size_of(ours[0])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        def sets(scale: Callable[[Image.Image], Tensor]) -> tuple[Features, Features]:
            shown = map(load_image, ours), (_at_size(path, size) for path in true)
            first, second = (features_of(pictures, scale, see, Path(folder)) for pictures in shown)
            return first, second

        figures = {"FID": frechet_distance(*sets(scaled_by_torch))}
        clean = sets(scaled_cleanly)
        figures["clean FID"] = frechet_distance(*clean)
        return figures | {"KID x1000": 1000 * kernel_distance(*clean)}


def _at_size(path: Path, size: tuple[int, int]) -> Image.Image:
    """A picture at PIL's (width, height)."""
    picture = load_image(path)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _pictures(folder: Path) -> dict[str, Path]:
    """Name without suffix -> path."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    pictures: dict[str, Path] = {}
    doubled = []
    for path in found:
        if path.suffix.lower() in SUFFIXES and pictures.setdefault(path.stem, path) != path:
            doubled.append(path.name)
    if doubled:
        raise LeffaError(
            f"{len(doubled)} pictures in {folder} have the name of another one there: {_some(doubled)}"
        )
    if not pictures:
        raise LeffaError(f"there are no pictures in {folder}")
    return pictures


def _size_of(path: Path) -> tuple[int, int]:
    """PIL's (width, height), as the picture is seen."""
    return open_upright(path, smallest=1).size
