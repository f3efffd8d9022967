"""What is used of diffusers, without what it would bring along.

Where torchao is installed, ``import diffusers.models`` loads all of it for a kind of checkpoint that is not
read here, and prints four lines of warnings. Our own 8-bit weights ask torchao themselves, when they are
wanted.
"""

from diffusers.utils import import_utils

import_utils._torchao_available = False  # read by what is imported next (diffusers 0.41, 0.42)

from diffusers import (  # noqa: E402
    AutoencoderKL,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from diffusers.models.attention_processor import Attention  # noqa: E402
from diffusers.models.resnet import ResnetBlock2D  # noqa: E402
from diffusers.training_utils import EMAModel  # noqa: E402
from diffusers.utils import BaseOutput  # noqa: E402
from diffusers.utils.torch_utils import randn_tensor  # noqa: E402

__all__ = [
    "Attention",
    "AutoencoderKL",
    "BaseOutput",
    "DDPMScheduler",
    "DPMSolverMultistepScheduler",
    "DiffusionPipeline",
    "EMAModel",
    "ResnetBlock2D",
    "UNet2DConditionModel",
    "UniPCMultistepScheduler",
    "randn_tensor",
]
