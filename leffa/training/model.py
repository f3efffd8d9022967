"""The trained part of the pipeline as one module, and what of it gets no gradient."""

import torch
from torch import Tensor, nn

from leffa.config import MIN_RESOLUTION
from leffa.model.attention import AttentionObserver, is_trained, paint, read_reference, self_attention_layers
from leffa.model.flow import grid_of
from leffa.model.losses import AttentionStates
from leffa.model.pipeline import LeffaPipeline


class TwoUNets(nn.Module):
    """Both UNets in one module, so that data parallelism sees one forward."""

    def __init__(self, pipeline: LeffaPipeline):
        super().__init__()
        self.unet = pipeline.unet
        self.reference_unet = pipeline.reference_unet
        unused = unused_parameters(pipeline)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name not in unused)

    def freeze(self, prefixes: tuple[str, ...]) -> None:
        """Keep the parameters whose names start with one of the prefixes as they are.

        Raises ValueError for a prefix that names nothing.
        """
        names = [name for name, _ in self.named_parameters()]
        for prefix in prefixes:
            if not any(name.startswith(prefix) for name in names):
                raise ValueError(f"freeze: no parameter starts with {prefix!r}, for example {names[0]!r}")
        for name, parameter in self.named_parameters():
            if name.startswith(prefixes):
                parameter.requires_grad_(False)

    def enable_checkpointing(self) -> None:
        """Recompute activations in the backward pass.

        Never reentrant: that silently gives the reference UNet no gradient.
        """
        for net in (self.unet, self.reference_unet):
            net.enable_gradient_checkpointing(
                lambda function, *inputs: torch.utils.checkpoint.checkpoint(
                    function, *inputs, use_reentrant=False
                )
            )

    def forward(
        self,
        generative_input: Tensor,
        timestep: Tensor,
        reference_latents: Tensor,
        observer: AttentionObserver | None = None,
    ) -> Tensor:
        """See ``LeffaPipeline.predict_noise``."""
        bank = read_reference(self.reference_unet, reference_latents, timestep)
        return paint(self.unet, generative_input, timestep, bank, observer)


def unused_parameters(pipeline: LeffaPipeline) -> set[str]:
    """Names in ``TwoUNets`` that no output depends on, so that they never get a gradient.

    These are all of cross-attention, XL's extra embedding, and in the reference UNet everything behind the
    ``norm1`` of its last self-attention, the last thing that is read.
    """
    last = self_attention_layers(pipeline.reference_unet)[
        -1
    ]  # "up_blocks.3.attentions.2.transformer_blocks.0.attn1"
    block, transformer = last.rsplit(".", 1)[0], last.split(".transformer_blocks")[0]
    behind = [f"{block}.{part}." for part in ("attn1", "norm2", "norm3", "ff")]
    behind += [f"{transformer}.proj_out.", "conv_norm_out.", "conv_out."]
    # an upsampler that follows the last attention, where the last up block has none (XL)
    position = int(last.split(".")[1])
    behind += [f"up_blocks.{position}.upsamplers."]
    behind += [f"up_blocks.{i}." for i in range(position + 1, len(pipeline.reference_unet.up_blocks))]
    names = set()
    for prefix, net in (("unet.", pipeline.unet), ("reference_unet.", pipeline.reference_unet)):
        for name, _ in net.named_parameters():
            dead = ".attn2." in name or name.startswith("add_embedding.")
            if dead or (net is pipeline.reference_unet and name.startswith(tuple(behind))):
                names.add(prefix + name)
    return names


class StateCollector:
    """Attention observer that keeps queries and reference keys, with their graph, for the losses.

    Only of layers that are trained in a picture ``height`` high, see ``is_trained``.
    Recomputation under checkpointing runs the observer again; ``close`` makes it deaf before the backward.
    """

    def __init__(self, latent_size: tuple[int, int], height: int, min_resolution: float = MIN_RESOLUTION):
        self.states: dict[str, AttentionStates] = {}
        self._latent_size, self._height, self._min_resolution = latent_size, height, min_resolution
        self._open = True

    def __call__(self, layer: str, query: Tensor, own_key: Tensor, reference_key: Tensor) -> None:
        grid = grid_of(query.shape[2], self._latent_size)
        if self._open and is_trained(layer, grid, self._height, self._min_resolution):
            reference_grid = grid_of(reference_key.shape[2], self._latent_size)
            self.states[layer] = AttentionStates(query, reference_key, grid, reference_grid)

    def close(self) -> list[AttentionStates]:
        self._open = False
        return list(self.states.values())
