"""LPIPS, Zhang et al. 2018, version 0.1: how far apart networks find two pictures."""

from typing import Literal

import torch
from torch import Tensor

from leffa.metrics.networks import LPIPS_FEATURES, on_device
from leffa.weights import metric_networks

Network = Literal["alex", "vgg", "squeeze"]

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # the authors', for pictures in [-1, 1]


class Lpips:
    """Perceptual distance; papers differ in the network, so figures name it. Raises WeightsError without it.

    network  "alex", the authors' choice for comparing; "vgg"; "squeeze", which the paper of Leffa reports
    """

    def __init__(self, network: Network = "alex", device: str = "cpu"):
        state = on_device(metric_networks.load(network), device)
        self.name = f"LPIPS ({network})"
        self._features = LPIPS_FEATURES[network]
        self._convolutions = {name: tensor for name, tensor in state.items() if not name.startswith("linear")}
        self._linear = [state[f"linear.{number}"] for number in range(len(state) - len(self._convolutions))]
        self._shift, self._scale = (
            torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE)
        )

    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Distance of each pair of pictures (B, 3, H, W) in [0, 1]: (B,) float64."""
        total = torch.zeros(len(prediction), dtype=torch.float64, device=prediction.device)
        for one, other, weight in zip(self._seen(prediction), self._seen(truth), self._linear, strict=True):
            apart = (_directions(one) - _directions(other)).square()
            total += (apart * weight.view(1, -1, 1, 1)).sum(1).mean((1, 2)).double()
        return total

    def _seen(self, pictures: Tensor) -> list[Tensor]:
        scaled = (2 * pictures.float() - 1 - self._shift) / self._scale
        return self._features(self._convolutions, scaled)


def _directions(features: Tensor) -> Tensor:
    """Length one at every place; nothing where there is nothing."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
