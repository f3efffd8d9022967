"""Weight files of the preprocessors: read safely by their kind, checked against the network they are for."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from leffa.errors import WeightsError
from leffa.intactness import fault_of, how_to_mend
from leffa.safe_pickle import RefusedError, load_arrays, read_torch

Network = TypeVar("Network", bound=nn.Module)


def load_state(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from ``.safetensors``, ``.pth`` / ``.pt`` or ``.pkl`` without running code from it.

    A leading ``module.`` (left by data-parallel training) is removed from the names.
    Raises WeightsError if the file is missing, damaged, of another kind, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; fetch it with `leffa download`.")
    readers = {
        ".safetensors": _read_safetensors,
        ".pth": _read_torch,
        ".pt": _read_torch,
        ".pkl": _read_pickle,
    }
    if path.suffix not in readers:
        raise WeightsError(f"{path} is of an unknown kind; one of {', '.join(readers)} would do.")
    if fault := fault_of(path):
        raise WeightsError(f"{path} {fault}: {how_to_mend(is_shipped=False)}.")
    state = readers[path.suffix](path)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def fill(network: Network, state: Mapping[str, Tensor], source: str | Path) -> Network:
    """Give a network built on the meta device its weights, as float32, and set it to inference.

    Names that the network does not have are ignored (zoo files carry the anchors and the pixel mean);
    missing ones and wrong shapes raise WeightsError, which names ``source``.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state]
    if missing:
        raise WeightsError(f"{source} does not fit: it lacks {_some(missing)}.")
    misfits = [name for name, tensor in wanted.items() if state[name].shape != tensor.shape]
    if misfits:
        raise WeightsError(f"{source} does not fit: another shape is needed for {_some(misfits)}.")
    network.load_state_dict({name: state[name].float() for name in wanted}, assign=True)
    return network.eval().requires_grad_(False)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged ({error}); fetch it again with `leffa download`.") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        content = read_torch(path)
    except RefusedError as refusal:
        raise WeightsError(
            f"{path} was not loaded: {refusal}; fetch the published file again with `leffa download`."
        ) from None
    except Exception as error:  # a damaged file can raise anything
        raise WeightsError(
            f"{path} is damaged ({type(error).__name__}); fetch it again with `leffa download`."
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{path} is no state dict: it does not map names to tensors.")
    return dict(content)


def _read_pickle(path: Path) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in load_arrays(path).items()}
