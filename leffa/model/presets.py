"""Named model shapes that need no base folder."""

from typing import Any

from leffa.config import DensePoseEncoding
from leffa.model.library import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from leffa.model.pipeline import DENSEPOSE_CHANNELS, MASK_CHANNELS, LeffaPipeline

_VAES: dict[str, dict[str, Any]] = {
    # 8x down, 8 latent channels for the stripes; few channels at full size, where a CPU spends its time.
    # Few groups: norms over pairs of channels wash out the difference between colours.
    "tiny": {
        "block_out_channels": (16, 32, 96, 128),
        "layers_per_block": 1,
        "latent_channels": 8,
        "norm_num_groups": 2,
        "mid_block_add_attention": False,
    },
    "toy": {
        "block_out_channels": (8, 8, 16, 16),
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "mid_block_add_attention": False,
    },
}

_UNETS: dict[str, dict[str, Any]] = {
    # for 256x192: attention on 32x24, 16x12 and 8x6 tokens, heads 32 wide
    "tiny": {"block_out_channels": (64, 128, 192), "attention_head_dim": (2, 4, 6), "norm_num_groups": 16},
    # for tests: the same layout, learns nothing useful
    "toy": {"block_out_channels": (16, 16, 32), "attention_head_dim": (2, 2, 4), "norm_num_groups": 8},
}

NAMES = tuple(_UNETS)


def vae(name: str) -> AutoencoderKL:
    """An untrained VAE of a named shape. Raises ValueError for an unknown name."""
    _check(name)
    blocks = len(_VAES[name]["block_out_channels"])
    return AutoencoderKL(
        **_VAES[name],
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        scaling_factor=1.0,  # set from data when trained
    )


def pipeline(name: str, trained_vae: AutoencoderKL | None = None) -> LeffaPipeline:
    """An untrained pipeline of a named shape, around a trained VAE where one is given.

    The schedule ends in pure noise and the UNets predict v: learning from nothing in few steps needs both
    (with noise prediction the high timesteps are not learnt at all in a short run).
    """
    trained_vae = trained_vae or vae(name)
    latent_channels = trained_vae.config.latent_channels
    blocks = len(_UNETS[name]["block_out_channels"])

    def unet(in_channels: int) -> UNet2DConditionModel:
        return UNet2DConditionModel(
            **_UNETS[name],
            in_channels=in_channels,
            out_channels=latent_channels,
            layers_per_block=1,
            cross_attention_dim=8,  # never used, stays in the stock class
            down_block_types=("CrossAttnDownBlock2D",) * blocks,
            up_block_types=("CrossAttnUpBlock2D",) * blocks,
        )

    return LeffaPipeline(
        vae=trained_vae,
        unet=unet(2 * latent_channels + MASK_CHANNELS + DENSEPOSE_CHANNELS),
        reference_unet=unet(latent_channels),
        scheduler=DDPMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
            clip_sample=False,
        ),
        densepose_encoding=DensePoseEncoding.BODY.value,
    )


def _check(name: str) -> None:
    if name not in NAMES:
        raise ValueError(f"unknown model shape {name!r}; there are {', '.join(NAMES)}")
