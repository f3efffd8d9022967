"""The released preprocessing, for the published weights: DensePose, OpenPose, human parsing, and their masks.

To change

where the body is    densepose/, openpose/
what is worn where   parsing
what is repainted    masks
how they are used    preprocessor
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leffa.preprocess.official.densepose import DensePose
    from leffa.preprocess.official.masks import official_mask
    from leffa.preprocess.official.openpose import OpenPoseBody
    from leffa.preprocess.official.parsing import HumanParser

__all__ = ["DensePose", "HumanParser", "OpenPoseBody", "official_mask"]

_EXPORTS = {
    "DensePose": "leffa.preprocess.official.densepose",
    "HumanParser": "leffa.preprocess.official.parsing",
    "OpenPoseBody": "leffa.preprocess.official.openpose",
    "official_mask": "leffa.preprocess.official.masks",
}


def __getattr__(name: str):
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'leffa.preprocess.official' has no attribute {name!r}")
