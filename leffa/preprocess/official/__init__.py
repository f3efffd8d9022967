"""The released preprocessing, for the published weights: DensePose, OpenPose, human parsing, and their masks.

To change

where the body is    densepose/, openpose/
what is worn where   parsing
what is repainted    masks
how they are used    preprocessor
"""

from leffa.preprocess.official.densepose import DensePose
from leffa.preprocess.official.masks import official_mask
from leffa.preprocess.official.openpose import OpenPoseBody
from leffa.preprocess.official.parsing import HumanParser

__all__ = ["DensePose", "HumanParser", "OpenPoseBody", "official_mask"]
