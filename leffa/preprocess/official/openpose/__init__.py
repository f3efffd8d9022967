"""OpenPose body (18 joints) in plain PyTorch, written from a description of what the released code does."""

from leffa.preprocess.official.openpose.body import OpenPoseBody

__all__ = ["OpenPoseBody"]
