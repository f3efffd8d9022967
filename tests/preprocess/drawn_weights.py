"""Deterministic weights drawn by parameter name, so that the networks can be tested without their files.

Every parameter is noise from a generator seeded with the CRC of its name; filters are centred and scaled so
that the untrained networks still give a few detections and every label.
"""

import math
import zlib

import torch
from torch import Tensor

# gain of a weight: the first entry found in its name decides
_DENSEPOSE_GAINS = {
    "fpn_lateral5": 2.4,
    "fpn_lateral4": 1.2,
    "fpn_lateral3": 0.7,
    "fpn_lateral2": 0.4,
    "fpn_output5": 4.0,
    "fpn_output4": 2.0,
    "fpn_output3": 1.0,
    "fpn_output2": 0.6,
    "stem.conv1": 1.4 / 64,
    ".conv1.": 1.4,
    ".conv2.": 1.4,
    ".conv3.": 0.7,
    ".shortcut.": 1.0,
    "rpn_head.conv.": 1.4,
    "objectness_logits": 1.0,
    "anchor_deltas": 0.3,
    "box_head.fc": 1.4,
    "cls_score": 4.0,
    "bbox_pred": 0.5,
    "decoder.predictor": 1.0,
    "decoder.": 1.4,
    "body_conv_fcn": 1.4,
    "_lowres": 2.0,
}


def draw_densepose(shapes: dict[str, tuple[int, ...]], salt: str = "") -> dict[str, Tensor]:
    return {name: _densepose_parameter(name, shape, salt) for name, shape in shapes.items()}


def draw_openpose(shapes: dict[str, tuple[int, ...]], salt: str = "") -> dict[str, Tensor]:
    drawn = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=_generator(f"{salt}openpose.{name}"))
        is_last = "Mconv7" in name or "conv5_5" in name
        drawn[name] = 0.05 * noise if name.endswith(".bias") else _filters(noise, 1.0 if is_last else 1.4)
    return drawn


def _densepose_parameter(name: str, shape: tuple[int, ...], salt: str) -> Tensor:
    generator = _generator(salt + name)
    if name.endswith("running_var"):
        return 1 + 0.1 * torch.rand(shape, generator=generator)
    if name == "roi_heads.box_predictor.cls_score.bias":
        return torch.tensor([0.0, 6.85])
    noise = torch.randn(shape, generator=generator)
    if name.endswith("norm.weight"):
        return 1 + 0.1 * noise
    if name.endswith((".bias", "running_mean")):
        return 0.05 * noise
    gain = next(gain for part, gain in _DENSEPOSE_GAINS.items() if part in name)
    if "_lowres" in name:  # transposed convolution: (inputs, outputs, 4, 4), stride 2
        return noise * (gain / math.sqrt(shape[0] * 4))
    return _filters(noise, gain)


def _filters(noise: Tensor, gain: float) -> Tensor:
    flat = noise.flatten(1)
    return (flat - flat.mean(1, keepdim=True)).view_as(noise) * (gain / flat.shape[1] ** 0.5)


def _generator(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))
