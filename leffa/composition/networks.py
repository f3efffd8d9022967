"""The small networks around the UNets: refinement, filling, reading of photos. They run on the CPU."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from leffa.errors import WeightsError
from leffa.files import replaced
from leffa.intactness import fault_of, how_to_mend
from leffa.model.filling import Filling
from leffa.model.refinement import Refinement
from leffa.preprocess.garment.parsing import ShotParser
from leffa.preprocess.offline.parsing import PhotoParser
from leffa.weights import models

FOLDER = "composition"
"""Of a model's folder: where these networks lie."""


def find() -> Path:
    """The folder they are in: beside the bundled weights, or where the repository has them."""
    places = [folder / "bundled" / FOLDER for folder in (models.CHECKPOINTS, models.SHIPPED)]
    return next((place for place in places if place.is_dir()), places[-1])


_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True)
class Networks:
    """What composes a picture from a flow."""

    refinement: Refinement
    filling: Filling
    parser: PhotoParser
    shot: ShotParser

    @classmethod
    def load(cls, folder: Path) -> "Networks":
        """From a file ``NAME.safetensors`` for each, in a folder.

        Raises WeightsError if one is missing or does not fit.
        """
        return cls(
            load(Refinement(), folder / "refinement.safetensors"),
            load(Filling(), folder / "filling.safetensors"),
            load(PhotoParser(), folder / "parser.safetensors"),
            load(ShotParser(), folder / "shot.safetensors"),
        )


def save(network: nn.Module, path: Path) -> None:
    """Write a network's weights in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as partial:
        save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, partial)


def load(network: _Network, path: Path) -> _Network:
    """The network with the weights of a file, ready to be used. Raises WeightsError if it does not fit."""
    fault = fault_of(path)
    try:
        if fault is None:
            network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        fault = f"cannot be read ({type(error).__name__})"
    if fault is not None:
        raise WeightsError(f"{path} {fault}: {how_to_mend(is_shipped=True)}")
    if any(not torch.isfinite(value).all() for value in network.state_dict().values()):
        raise WeightsError(f"{path} holds numbers that are not finite: {how_to_mend(is_shipped=True)}")
    return network.eval().requires_grad_(False)
