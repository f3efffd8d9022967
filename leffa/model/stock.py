"""The parts that come from diffusers, taken without its quantizers.

diffusers loads torchao with the first model class wherever torchao is installed: a second of every command,
and four lines of warnings of libraries for other graphics cards. We quantize with torchao itself
(``leffa.run.placement``), never through diffusers, so it is told that there is none. Everything else of
``leffa`` takes these names from here.
"""

import diffusers.utils.import_utils as _available

_available._torchao_available = False

from diffusers import AutoencoderKL, DDPMScheduler, DiffusionPipeline, UNet2DConditionModel  # noqa: E402
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
    "DiffusionPipeline",
    "EMAModel",
    "ResnetBlock2D",
    "UNet2DConditionModel",
    "randn_tensor",
]
