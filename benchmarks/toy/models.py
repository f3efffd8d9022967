"""The three models of the proof at toy size, and the bundled one, behind one forward:

    model(generative_input, timestep, reference_latents, observer) -> prediction

with generative_input (B, 2 C + 4, h, w) = [noisy latents, mask, masked-image latents, densepose] as in
``LeffaPipeline.predict_noise``. The observer is the same ``AttentionObserver`` for all of them.
"""

from collections.abc import Callable

import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from benchmarks.toy.data import GRID
from benchmarks.toy.latents import CHANNELS
from leffa.integrations import flux
from leffa.integrations.canvas import CanvasAttention
from leffa.integrations.sequence import SequenceObserver, one_after_the_other, side_by_side
from leffa.model.attention import (
    AttentionObserver,
    ReferenceReader,
    ReferenceWriter,
    install_processors,
    read_reference,
)
from leffa.model.pipeline import LeffaPipeline
from leffa.training import model as training_model
from leffa.weights.models import CHECKPOINTS

BUNDLED = "bundled"
TOYS = ("two-unets", "one-canvas", "joint-transformer")
INPUT = 2 * CHANNELS + 4  # noisy latents, mask, masked-image latents, densepose


def _unet(in_channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        in_channels=in_channels,
        out_channels=CHANNELS,
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=(2, 2),
        norm_num_groups=8,
        cross_attention_dim=8,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
    )


class TwoUNets(nn.Module):
    """(a) Ours: a reference UNet whose features the generative UNet attends to."""

    def __init__(self) -> None:
        super().__init__()
        self.unet, self.reference_unet = _unet(INPUT), _unet(CHANNELS)
        install_processors(self.unet, ReferenceReader)
        install_processors(self.reference_unet, ReferenceWriter)
        nn.init.zeros_(self.unet.conv_out.weight)

    def forward(
        self,
        generative_input: Tensor,
        timestep: Tensor,
        reference_latents: Tensor,
        observer: AttentionObserver | None = None,
    ) -> Tensor:
        bank = read_reference(self.reference_unet, reference_latents, timestep)
        return self.unet(
            generative_input, timestep, None, cross_attention_kwargs={"bank": bank, "observer": observer}
        ).sample


class OneCanvas(nn.Module):
    """(b) CatVTON-like: one UNet, person left and reference right in one canvas of latents."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = _unet(INPUT)
        install_processors(self.unet, CanvasAttention)
        nn.init.zeros_(self.unet.conv_out.weight)

    def forward(
        self,
        generative_input: Tensor,
        timestep: Tensor,
        reference_latents: Tensor,
        observer: AttentionObserver | None = None,
    ) -> Tensor:
        height, width = reference_latents.shape[-2:]
        watch = SequenceObserver(observer, side_by_side((height, 2 * width))) if observer else None
        canvas = torch.cat([generative_input, reference_side(reference_latents)], dim=-1)
        painted = self.unet(canvas, timestep, None, cross_attention_kwargs={"observer": watch}).sample
        return painted[..., :width]


class JointTransformer(nn.Module):
    """(c) A small Flux: joint attention over person and reference tokens, rotary positions."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = FluxTransformer2DModel(
            patch_size=1,
            in_channels=INPUT,
            out_channels=CHANNELS,
            num_layers=1,
            num_single_layers=2,
            attention_head_dim=24,
            num_attention_heads=2,
            joint_attention_dim=8,
            pooled_projection_dim=8,
            axes_dims_rope=(4, 10, 10),
        )
        flux.install(self.transformer)
        nn.init.zeros_(self.transformer.proj_out.weight)
        ids = [flux.position_ids(*GRID, picture=picture) for picture in (0, 1)]
        self.register_buffer("ids", torch.cat(ids), persistent=False)

    def forward(
        self,
        generative_input: Tensor,
        timestep: Tensor,
        reference_latents: Tensor,
        observer: AttentionObserver | None = None,
    ) -> Tensor:
        batch, _, height, width = reference_latents.shape
        tokens = height * width
        watch = SequenceObserver(observer, one_after_the_other(tokens, tokens)) if observer else None
        pictures = torch.cat(
            [x.flatten(2).transpose(1, 2) for x in (generative_input, reference_side(reference_latents))],
            dim=1,
        )
        painted = self.transformer(
            hidden_states=pictures,
            encoder_hidden_states=pictures.new_zeros(batch, 1, 8),  # no text
            pooled_projections=pictures.new_zeros(batch, 8),
            timestep=timestep.float() / 1000,
            img_ids=self.ids,
            txt_ids=self.ids.new_zeros(1, 3),
            joint_attention_kwargs={"observer": watch},
        ).sample
        return painted[:, :tokens].transpose(1, 2).unflatten(2, (height, width))


def reference_side(reference_latents: Tensor) -> Tensor:
    """The reference in the channels of the generative input: as known picture, nothing to be painted."""
    rest = reference_latents.new_zeros(len(reference_latents), 3, *reference_latents.shape[-2:])
    return torch.cat([reference_latents, rest[:, :1], reference_latents, rest], dim=1)


def bundled_pipeline() -> LeffaPipeline:
    """The weights that are shipped, which have converged as far as two CPU cores could."""
    return LeffaPipeline.from_pretrained(CHECKPOINTS / BUNDLED, torch_dtype=torch.float32)


def bundled() -> training_model.TwoUNets:
    """Its two UNets, with their weights."""
    return training_model.TwoUNets(bundled_pipeline())


MODELS: dict[str, Callable[[], nn.Module]] = {
    **dict(zip(TOYS, (TwoUNets, OneCanvas, JointTransformer), strict=True)),
    BUNDLED: bundled,
}
