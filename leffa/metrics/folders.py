"""Figures of a folder of results against a folder of true pictures."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from leffa.errors import LeffaError
from leffa.images import SUFFIXES, load_image, open_upright, to_tensor
from leffa.metrics import distribution
from leffa.metrics.distribution import Lpips, UnavailableError
from leffa.metrics.pictures import psnr, ssim
from leffa.metrics.running import RunningMean

CONVENTIONS = {
    "SSIM": "Gaussian window 11x11 of sigma 1.5, range 1, mean over pixels and RGB, float64",
    "PSNR": "dB for range 1, mean over the pictures",
    "LPIPS (squeeze)": "torchmetrics, SqueezeNet with the weights of LPIPS 0.1, pictures in [-1, 1]",
    "FID": "pytorch-fid: its Inception weights, 2048 features, pictures as they lie at one size",
    "clean FID": "clean-fid, mode clean",
    "KID x1000": "clean-fid, mode clean, times 1000",
    "sizes": "true pictures are brought to the result's size with LANCZOS",
}
"""How each figure is computed; papers differ, and only equal conventions can be compared."""

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
) -> tuple[dict[str, float], list[str]]:
    """Figures as the authors compute them, and a sentence for each that is not available here.

    results, truth  pictures; in paired evaluation each result has a true picture of the same name, apart
                    from the suffix. True pictures are brought to the result's size with LANCZOS
    paired   SSIM, PSNR, LPIPS, FID and KID; without only FID and KID, for which no names need agree
    against  another folder for FID and KID; in pose transfer papers take all training pictures
    each     is told of every pair as it is judged; nothing of it is kept here

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
        figures |= _paired(ours, true, notes, device, each)
    sizes = sorted({_size_of(path) for path in ours.values()})
    if len(sizes) > 1:
        some = ", ".join(f"{width}x{height}" for width, height in sizes[:3])
        notes.append(
            f"the results are of {len(sizes)} sizes ({some}{' ...' if len(sizes) > 3 else ''}): each is "
            "compared at its own, and the distances take them all as they are"
        )
    with tempfile.TemporaryDirectory() as folder:
        compared = against
        if compared is None:
            compared = Path(folder)
            _resized_copies(true, compared, _size_of(next(iter(ours.values()))))
        for name, distance in (
            ("FID", distribution.fid),
            ("clean FID", distribution.clean_fid),
            ("KID x1000", distribution.kid),
        ):
            _try(figures, notes, name, partial(distance, results, compared, device))
    return figures, notes


def _paired(
    ours: dict[str, Path], true: dict[str, Path], notes: list[str], device: str, each: Each | None
) -> dict[str, float]:
    measures: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"SSIM": ssim, "PSNR": psnr}
    try:
        measures["LPIPS (squeeze)"] = Lpips(device=device)
    except UnavailableError as error:
        notes.append(str(error))
    means = {name: RunningMean() for name in measures}
    for name, path in ours.items():
        result = load_image(path)
        size = (result.width, result.height)
        expected = load_image(true[name])
        if expected.size != size:
            expected = expected.resize(size, Image.Resampling.LANCZOS)
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


def _try(figures: dict[str, float], notes: list[str], name: str, compute: Callable[[], float]) -> None:
    try:
        figures[name] = compute()
    except UnavailableError as error:
        notes.append(str(error))


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


def _resized_copies(pictures: dict[str, Path], folder: Path, size: tuple[int, int]) -> None:
    for name, path in pictures.items():
        load_image(path).resize(size, Image.Resampling.LANCZOS).save(folder / f"{name}.png")
