"""The OpenPose body network of 18 points, under the parameter names of its published file."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIELDS = 38  # channels of the first branch, L1: x and y of a part affinity field for each of 19 limbs
HEATS = 19  # channels of the second branch, L2: a heat map for each of 18 joints, and the background
STRIDE = 8  # pixels of the input per pixel of the maps

_TRUNK = (
    ("conv1_1", 64), ("conv1_2", 64), ("pool1", 0), ("conv2_1", 128), ("conv2_2", 128),
    ("pool2", 0), ("conv3_1", 256), ("conv3_2", 256), ("conv3_3", 256), ("conv3_4", 256),
    ("pool3", 0), ("conv4_1", 512), ("conv4_2", 512), ("conv4_3_CPM", 256), ("conv4_4_CPM", 128),
)  # fmt: skip
_STAGES = range(2, 7)


class OpenPoseNetwork(nn.Module):
    """VGG trunk, then six stages of two branches, each stage reading the maps of the one before.

    All convolutions are direct children, so that the state dict has the published names
    (``conv1_1.weight`` .. ``Mconv7_stage6_L2.bias``).
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for name, outputs in _TRUNK:
            if outputs:
                self.add_module(name, nn.Conv2d(channels, outputs, 3, padding=1))
                channels = outputs
        self._branches: list[tuple[list[str], list[str]]] = [
            (self._first_branch("L1", FIELDS), self._first_branch("L2", HEATS))
        ]
        self._branches += [
            (self._later_branch(stage, "L1", FIELDS), self._later_branch(stage, "L2", HEATS))
            for stage in _STAGES
        ]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 3, H, W), sides multiples of 8 -> fields L1 (38, H/8, W/8) and heat maps L2 (19, H/8, W/8)."""
        features = pixels
        for name, outputs in _TRUNK:
            features = self._conv(name, features).relu_() if outputs else F.max_pool2d(features, 2, 2)
        x = features
        for fields_branch, heats_branch in self._branches:
            fields, heats = self._run(fields_branch, x), self._run(heats_branch, x)
            x = torch.cat([fields, heats, features], dim=1)
        # The published port lists the last layer of L1 twice among those without ReLU and forgets that of
        # L2, so its heat maps are never negative; everything after it was made with that.
        return fields[0], heats[0].relu_()

    def _first_branch(self, branch: str, outputs: int) -> list[str]:
        kernels = {f"conv5_{index}_CPM_{branch}": 3 if index < 4 else 1 for index in range(1, 6)}
        return self._add_branch(kernels, inputs=128, middle=[128, 128, 128, 512], outputs=outputs)

    def _later_branch(self, stage: int, branch: str, outputs: int) -> list[str]:
        kernels = {f"Mconv{index}_stage{stage}_{branch}": 7 if index < 6 else 1 for index in range(1, 8)}
        return self._add_branch(kernels, inputs=FIELDS + HEATS + 128, middle=[128] * 6, outputs=outputs)

    def _add_branch(self, kernels: dict[str, int], inputs: int, middle: list[int], outputs: int) -> list[str]:
        for (name, kernel), width in zip(kernels.items(), [*middle, outputs], strict=True):
            self.add_module(name, nn.Conv2d(inputs, width, kernel, padding=kernel // 2))
            inputs = width
        return list(kernels)

    def _run(self, branch: list[str], x: Tensor) -> Tensor:
        for name in branch[:-1]:
            x = self._conv(name, x).relu_()
        return self._conv(branch[-1], x)

    def _conv(self, name: str, x: Tensor) -> Tensor:
        return self.get_submodule(name)(x)
