"""Published files become our folders: safetensors, a saved pipeline per generator; nothing in them is run."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from leffa.safe_pickle import load_state
from leffa.weights.published import DENSEPOSE, OPENPOSE, PARSING, WeightSet

WEIGHTS_NAME = {DENSEPOSE.name: "densepose.safetensors", OPENPOSE.name: "openpose.safetensors"}


def convert(
    weight_set: WeightSet, paths: Mapping[str, Path], target: Path, dtype: torch.dtype = torch.float16
) -> None:
    """Write the folder ``target`` of a weight set from its published files; ``paths`` says where each lies.

    A generator becomes a saved ``LeffaPipeline`` in ``dtype``; its VAE stays in float32 where it would
    overflow in half precision. The preprocessors keep float32. Raises WeightsError if a file is damaged,
    does not fit, or holds anything but tensors; nothing in it is executed.
    """
    target.mkdir(parents=True)
    if weight_set.base is not None:
        _convert_generator(weight_set, paths, target, dtype)
    elif weight_set == PARSING:
        for file in weight_set.files:
            shutil.copyfile(paths[file.name], target / Path(file.name).name)
    else:
        state = load_state(paths[weight_set.weights.name])
        tensors = {name: tensor.contiguous() for name, tensor in state.items()}
        save_file(tensors, target / WEIGHTS_NAME[weight_set.name])


def _convert_generator(
    weight_set: WeightSet, paths: Mapping[str, Path], target: Path, dtype: torch.dtype
) -> None:
    """One network after the other, so that only one is ever in memory beside the file it comes from."""
    from leffa.model.pipeline import LeffaPipeline

    assert weight_set.base is not None and weight_set.encoding is not None
    pipeline = LeffaPipeline.from_official(
        paths[f"{weight_set.base}/unet/config.json"].parents[1],
        paths[weight_set.weights.name],
        densepose_encoding=weight_set.encoding.value,
    )
    for name in ("reference_unet", "unet", "vae"):
        network = getattr(pipeline, name)
        network._modules.pop(
            "add_embedding", None
        )  # SDXL's size conditions: see LeffaPipeline.save_pretrained
        in_float32 = name == "vae" and network.config.force_upcast
        # not diffusers' own ``to``, which warns of modules to be kept in float32 even where there are none
        torch.nn.Module.to(network, torch.float32 if in_float32 else dtype)
        network.save_pretrained(target / name)
        network.to("meta")
    pipeline.scheduler.save_pretrained(target / "scheduler")
    pipeline.save_config(target)
