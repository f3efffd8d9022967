"""DensePose R50-FPN s1x in plain PyTorch: no detectron2, no torchvision, no code from weight files."""

from leffa.preprocess.official.densepose.detector import DensePose, Detection, largest

__all__ = ["DensePose", "Detection", "largest"]
