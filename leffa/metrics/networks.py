"""The networks that FID, KID and LPIPS see with, as functions of weights that ``leffa download`` has fetched.

Weights come as the convolutions in the order in which a picture passes them, so widths are theirs to say.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]
"""``N.weight`` with N from 0, and what else the N-th convolution has."""


def on_device(state: State, device: str) -> dict[str, Tensor]:
    """The weights, laid where the pictures are."""
    return {name: tensor.to(device) for name, tensor in state.items()}


# ------------------------------------------------------------------------------ Inception


def inception_features(state: State, pictures: Tensor) -> Tensor:
    """Last pooled layer (B, 2048) of the Inception that FID is defined by, of (B, 3, 299, 299) in [-1, 1].

    The network of TensorFlow's file inception-2015-12-05, which differs from torchvision's: means at the
    border count the pixels there are, and the last block takes a maximum instead of a mean. Weights: for each
    convolution ``weight``, ``mean``, ``var`` and ``beta``.
    """
    numbers = count()

    def conv(values: Tensor, stride: int = 1, keeps_size: bool = True) -> Tensor:
        own = f"{next(numbers)}."
        weight = state[own + "weight"]
        padding = [side // 2 if keeps_size else 0 for side in weight.shape[2:]]
        values = F.conv2d(values, weight, stride=stride, padding=padding)
        mean, var, beta = (state[own + name] for name in ("mean", "var", "beta"))
        return F.relu(F.batch_norm(values, mean, var, None, beta, eps=0.001))

    values = conv(conv(conv(pictures, 2, False), keeps_size=False))
    values = conv(conv(F.max_pool2d(values, 3, 2)), keeps_size=False)
    values = F.max_pool2d(values, 3, 2)
    for _ in range(3):
        values = torch.cat([*_towers(values, conv, (1, 2, 3)), conv(_mean_around(values))], 1)
    shrunk = conv(values, 2, False), conv(conv(conv(values)), 2, False)
    values = torch.cat([*shrunk, F.max_pool2d(values, 3, 2)], 1)
    for _ in range(4):
        values = torch.cat([*_towers(values, conv, (1, 3, 5)), conv(_mean_around(values))], 1)
    shrunk = conv(conv(values), 2, False), conv(conv(conv(conv(values))), 2, False)
    values = torch.cat([*shrunk, F.max_pool2d(values, 3, 2)], 1)
    for around in (_mean_around, _most_around):
        values = torch.cat([conv(values), *_forked(conv(values), conv), *_forked(conv(conv(values)), conv),
                            conv(around(values))], 1)  # fmt: skip
    return values.mean((2, 3))


Conv = Callable[[Tensor], Tensor]


def _towers(values: Tensor, conv: Conv, depths: tuple[int, ...]) -> Iterator[Tensor]:
    for depth in depths:
        made = values
        for _ in range(depth):
            made = conv(made)
        yield made


def _forked(values: Tensor, conv: Conv) -> tuple[Tensor, Tensor]:
    return conv(values), conv(values)


def _mean_around(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, 3, 1, 1, count_include_pad=False)


def _most_around(values: Tensor) -> Tensor:
    return F.max_pool2d(values, 3, 1, 1)


# ------------------------------------------------------------------------------ LPIPS


def alex_features(state: State, pictures: Tensor) -> list[Tensor]:
    """The five layers of AlexNet that LPIPS compares, of (B, 3, H, W)."""
    conv = _convs(state)
    layers = [conv(pictures, 4, 2)]
    for _ in range(2):
        layers.append(conv(F.max_pool2d(layers[-1], 3, 2)))
    for _ in range(2):
        layers.append(conv(layers[-1]))
    return layers


def vgg_features(state: State, pictures: Tensor) -> list[Tensor]:
    """The five layers of VGG-16 that LPIPS compares."""
    conv = _convs(state)
    layers: list[Tensor] = []
    for depth in (2, 2, 3, 3, 3):
        values = F.max_pool2d(layers[-1], 2) if layers else pictures
        for _ in range(depth):
            values = conv(values)
        layers.append(values)
    return layers


def squeeze_features(state: State, pictures: Tensor) -> list[Tensor]:
    """The seven layers of SqueezeNet 1.1 that LPIPS compares."""
    conv = _convs(state)
    layers = [conv(pictures, 2, 0)]
    for depth in (2, 2, 1, 1, 1, 1):
        values = layers[-1]
        if len(layers) <= 3:
            values = F.max_pool2d(values, 3, 2, ceil_mode=True)
        for _ in range(depth):
            squeezed = conv(values)
            values = torch.cat([conv(squeezed), conv(squeezed)], 1)
        layers.append(values)
    return layers


def _convs(state: State) -> Callable[..., Tensor]:
    """Each call is the next convolution, with what is below zero cut."""
    numbers = count()

    def conv(values: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
        number = next(numbers)
        weight, bias = state[f"{number}.weight"], state[f"{number}.bias"]
        padding = weight.shape[-1] // 2 if padding is None else padding
        return F.relu(F.conv2d(values, weight, bias, stride, padding))

    return conv


LPIPS_FEATURES: dict[str, Callable[[State, Tensor], list[Tensor]]] = {
    "alex": alex_features,
    "vgg": vgg_features,
    "squeeze": squeeze_features,
}
