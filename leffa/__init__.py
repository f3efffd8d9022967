"""Leffa: virtual try-on and pose transfer with learned flow fields in attention.

Words, one each, in the code, the app and the documents:

person     the picture to repaint; in pose transfer the picture that gives the target pose
reference  the garment photo; in pose transfer the person whose look is kept
mask       1 = repaint, 0 = keep
densepose  the body-part condition of the generative UNet, three channels in [-1, 1]
latents    what the VAE makes of a picture; what is denoised
bank       the reference features of one forward, keyed by layer name
flow       for every painted place the absolute (x, y) on the reference it looks at, in [-1, 1]
spread     how scattered that look is: standard deviation of the attended coordinates
mass       how much of the attention goes to the reference at all, in [0, 1]

Coordinates are (x, y), sizes are (height, width), pictures inside the library are RGB.
Importing this package loads nothing heavy; the names below are resolved on first use.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_EXPORTS = {
    "Engine": "leffa.engine",
    "Garment": "leffa.config",
    "LeffaPipeline": "leffa.model.pipeline",
    "LeffaOutput": "leffa.model.pipeline",
    "Settings": "leffa.run.settings",
    "Task": "leffa.config",
    "leffa_loss": "leffa.model.losses",
}

__all__ = [
    "Engine",
    "Garment",
    "LeffaOutput",
    "LeffaPipeline",
    "Settings",
    "Task",
    "__version__",
    "leffa_loss",
]

if TYPE_CHECKING:
    from leffa.config import Garment, Task
    from leffa.engine import Engine
    from leffa.model.losses import leffa_loss
    from leffa.model.pipeline import LeffaOutput, LeffaPipeline
    from leffa.run.settings import Settings


def __getattr__(name: str):
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'leffa' has no attribute {name!r}")
