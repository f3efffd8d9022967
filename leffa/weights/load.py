"""Giving a network the weights that were read for it, once they fit."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from leffa.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)


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
