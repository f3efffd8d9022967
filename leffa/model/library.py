"""What is used of diffusers, without what it would bring along.

``import diffusers.models`` loads the compiler of torch, statistics of scipy, some seventy networks that are
not used here and, where it is installed, all of torchao, which prints four lines of warnings. Each of them
still comes when somebody asks for it: our own 8-bit weights ask torchao themselves, when they are wanted.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from leffa.imports import absent, deferred

_disable = torch.compiler.disable
torch.compiler.disable = lambda function=None, **_: function or (lambda inner: inner)
try:  # diffusers marks blocks and hooks for the compiler, which would be loaded for that; we compile nothing
    with absent("torch._dynamo"):
        from diffusers.utils import import_utils, torch_utils

        import_utils._torchao_available = False  # read by what is imported next (diffusers 0.41, 0.42)
        _is_compiled_module = torch_utils.is_compiled_module

        def is_compiled_module(module: torch.nn.Module) -> bool:
            """As in diffusers; nothing was compiled while the compiler is not loaded, and asking loads it."""
            return "torch._dynamo" in sys.modules and bool(_is_compiled_module(module))

        torch_utils.is_compiled_module = is_compiled_module
        deferred("scipy.stats")  # for schedules of beta sigmas only
        deferred("diffusers.hooks", "diffusers.models.transformers")
        deferred("diffusers.models.autoencoders", "diffusers.models.unets")
        from diffusers import (
            DDPMScheduler,
            DiffusionPipeline,
            DPMSolverMultistepScheduler,
            UniPCMultistepScheduler,
        )
        from diffusers.models.attention_processor import Attention
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        from diffusers.models.resnet import ResnetBlock2D
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
        from diffusers.pipelines.pipeline_loading_utils import ALL_IMPORTABLE_CLASSES
        from diffusers.utils import BaseOutput
        from diffusers.utils.torch_utils import randn_tensor
finally:
    torch.compiler.disable = _disable

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel

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
    "without_guiders",
]


@contextmanager
def without_guiders() -> Iterator[None]:
    """Loading a pipeline looks up what each of its parts may be; guiders bring the compiler for that."""
    kind = "BaseGuidance"
    methods = ALL_IMPORTABLE_CLASSES.pop(kind, None)
    try:
        yield
    finally:
        if methods is not None:
            ALL_IMPORTABLE_CLASSES[kind] = methods


def __getattr__(name: str) -> Any:
    if name != "EMAModel":  # for training only; it brings torch's distributed training
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from diffusers.training_utils import EMAModel

    return EMAModel
