"""Reading and checking weight files: Stable Diffusion base folders and the released state dicts."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leffa.errors import WeightsError
from leffa.model.library import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from leffa.safe_pickle import load_state

DENSEPOSE_AND_MASK_CHANNELS = 4
LISTED = 8  # names shown of each kind of mismatch


def read(folder: Path, empty: bool = False) -> dict[str, Any]:
    """Modules ``vae, unet, reference_unet, scheduler`` from a diffusers folder; see ``from_base``.

    ``empty`` leaves the weights out: the modules lie on the meta device and take no memory.
    """
    configs = {part: folder / part / "config.json" for part in ("unet", "vae")}
    configs["scheduler"] = folder / "scheduler" / "scheduler_config.json"
    missing = [str(path) for path in configs.values() if not path.is_file()]
    if missing:
        raise WeightsError(
            f"not a diffusers folder: {folder} lacks {', '.join(missing)}; "
            "give one with scheduler/, vae/ and unet/, such as the whole of stable-diffusion-inpainting"
        )
    unet_config = json.loads(configs["unet"].read_text())
    with torch.device("meta") if empty else nullcontext():
        vae = AutoencoderKL.from_config(json.loads(configs["vae"].read_text()))
        channels = vae.config.latent_channels
        unet, reference_unet = (
            UNet2DConditionModel.from_config({**unet_config, "in_channels": wanted, "out_channels": channels})
            for wanted in (2 * channels + DENSEPOSE_AND_MASK_CHANNELS, channels)
        )
    # XL shapes are told by their second text embedding; their weights want a schedule ending in pure noise,
    # and their VAE overflows in half precision.
    is_xl = unet_config.get("addition_embed_type") == "text_time"
    vae.register_to_config(force_upcast=is_xl)
    scheduler = DDPMScheduler.from_config(
        json.loads(configs["scheduler"].read_text()), rescale_betas_zero_snr=is_xl
    )
    if not empty:
        _load_base_weights(folder, vae, unet, reference_unet)
    return {"vae": vae, "unet": unet, "reference_unet": reference_unet, "scheduler": scheduler}


def _load_base_weights(folder: Path, vae: nn.Module, unet: nn.Module, reference_unet: nn.Module) -> None:
    weights = _weight_file(folder / "vae")
    if weights:
        _load(vae, load_state(weights), weights)
    weights = _weight_file(folder / "unet")
    if weights:
        state = load_state(weights)
        for net in (unet, reference_unet):
            _load(net, {**state, "conv_in.weight": _fit_conv_in(state["conv_in.weight"], net)}, weights)


def _weight_file(folder: Path) -> Path | None:
    names = ("safetensors", "fp16.safetensors", "bin")
    files = [folder / f"diffusion_pytorch_model.{name}" for name in names]
    return next((file for file in files if file.is_file()), None)


def _fit_conv_in(weight: Tensor, net: UNet2DConditionModel) -> Tensor:
    """Zeros for channels the base does not have; the surplus ones are cut."""
    wanted = net.conv_in.in_channels
    fitted = weight.new_zeros(weight.shape[0], wanted, *weight.shape[2:])
    shared = min(wanted, weight.shape[1])
    fitted[:, :shared] = weight[:, :shared]
    return fitted


def load_official(modules: dict[str, nn.Module], path: Path, assign: bool = False) -> None:
    """Load a released state dict strictly into modules keyed by their official prefix.

    ``assign`` makes the tensors of the file the modules' own instead of copying them: for ``empty`` modules.
    """
    state = load_state(path)
    expected = {
        f"{prefix}.{key}": value.shape
        for prefix, module in modules.items()
        for key, value in module.state_dict().items()
    }
    _compare(expected, state, path)
    for prefix, module in modules.items():
        start = prefix + "."
        module.load_state_dict(
            {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)},
            assign=assign,
        )


def _load(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    _compare({key: value.shape for key, value in module.state_dict().items()}, state, path)
    module.load_state_dict(state)


def _compare(expected: dict[str, torch.Size], state: dict[str, Tensor], path: Path) -> None:
    faults = {
        "missing": sorted(expected.keys() - state.keys()),
        "unexpected": sorted(state.keys() - expected.keys()),
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key])}"
            for key in sorted(expected.keys() & state.keys())
            if state[key].shape != expected[key]
        ],
    }
    found = [f"{len(names)} {kind}: {_shorten(names)}" for kind, names in faults.items() if names]
    if found:
        raise WeightsError(f"{path} does not fit this model; {'; '.join(found)}")


def _shorten(names: list[str]) -> str:
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest
