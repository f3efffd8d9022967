"""Attention processors that turn two stock diffusers UNets into Leffa, and nothing else touches attention.

The reference UNet writes the input of each self-attention (the output of ``norm1``) into a *bank*; the
generative UNet reads it: its self-attention runs over ``[own tokens ; reference tokens]``. Cross-attention
is skipped, which still leaves ``x + norm2(x)`` in each block, as the released weights need it.

A fresh bank is passed with every forward (``cross_attention_kwargs={"bank": bank}``): a bank held inside the
processors gives wrong gradients under checkpointing and breaks ``deepcopy``, which EMA uses.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.config import MIN_RESOLUTION
from leffa.model.library import Attention, UNet2DConditionModel

Bank: TypeAlias = dict[str, Tensor]
"""Reference features of one forward: layer name -> (B, tokens, channels)."""

AttentionObserver: TypeAlias = Callable[[str, Tensor, Tensor, Tensor], None]
"""Called once per attention layer with the layer's name and ``query, own_key, reference_key``,
each (B, heads, tokens, head width), right before attention is computed. It must not change them."""

LAYER_SUFFIX = ".processor"


class _AllRead(Exception):  # noqa: N818
    """Ends a forward of the reference UNet: what would follow is read by nobody."""


def split_heads(states: Tensor, heads: int) -> Tensor:
    """(B, N, heads * D) -> (B, heads, N, D)."""
    split: Tensor = states.unflatten(-1, (heads, -1))
    return split.transpose(1, 2)


class StaticBank(dict[str, Tensor]):
    """A bank that is read in several forwards with the same weights: its keys and values are made once."""

    def __init__(self, bank: Bank):
        super().__init__(bank)
        self._projected: dict[str, tuple[Tensor, Tensor]] = {}

    def projected(self, layer: str, attn: Attention, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of features (B, tokens, channels), each (B, heads, tokens, head width)."""
        if layer not in self._projected:
            self._projected[layer] = (
                split_heads(attn.to_k(reference), attn.heads),
                split_heads(attn.to_v(reference), attn.heads),
            )
        return self._projected[layer]


def projected(attn: Attention, own: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the own tokens (B, N, channels), keys and values of ``tokens``, each split into heads."""
    query, key, value = (
        split_heads(project(states), attn.heads)
        for project, states in ((attn.to_q, own), (attn.to_k, tokens), (attn.to_v, tokens))
    )
    return query, key, value


def attended(attn: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """What a self-attention layer gives for these, (B, N, channels)."""
    heads = F.scaled_dot_product_attention(query, key, value, scale=attn.scale)
    result: Tensor = attn.to_out[1](attn.to_out[0](heads.transpose(1, 2).flatten(2)))
    return result


class LayerProcessor:
    """A processor that knows the name of its layer.

    diffusers hands each one the keywords that it names, and what its stock ones take: that is not looked at.
    """

    def __init__(self, layer: str):
        self.layer = layer


class ReferenceWriter(LayerProcessor):
    """Plain self-attention of the reference UNet that leaves its input in the bank.

    ends  whether no later layer is read: the forward stops here then, except where gradients are wanted,
          since checkpointing runs a part of it again
    """

    ends = False

    def __call__(
        self, attn: Attention, hidden_states: Tensor, *, bank: Bank | None = None, **stock: Any
    ) -> Tensor:
        if bank is not None:
            bank[self.layer] = hidden_states
            if self.ends and not torch.is_grad_enabled():
                raise _AllRead
        return attended(attn, *projected(attn, hidden_states, hidden_states))


class ReferenceReader(LayerProcessor):
    """Self-attention of the generative UNet over its own tokens and the bank's.

    Only the own tokens are queries: the official code also computes the rows of the reference tokens
    and throws them away.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        *,
        bank: Bank | None = None,
        observer: AttentionObserver | None = None,
        **stock: Any,
    ) -> Tensor:
        if bank is None:
            raise ValueError('the generative UNet needs cross_attention_kwargs={"bank": bank}')
        if self.layer not in bank:
            raise ValueError(
                f"the bank has no features for layer {self.layer!r}: run the reference UNet first"
            )
        reference = bank[self.layer].to(hidden_states.dtype)
        if reference.shape[0] != hidden_states.shape[0]:
            raise ValueError(f"a batch of {len(hidden_states)} cannot attend to a bank of {len(reference)}")
        own_tokens = hidden_states.shape[1]
        if isinstance(bank, StaticBank):
            query, *own = projected(attn, hidden_states, hidden_states)
            static = bank.projected(self.layer, attn, reference)
            key, value = (torch.cat(pair, dim=2) for pair in zip(own, static, strict=True))
        else:
            tokens = torch.cat([hidden_states, reference], dim=1)
            query, key, value = projected(attn, hidden_states, tokens)
        if observer is not None:
            observer(self.layer, query, key[:, :, :own_tokens], key[:, :, own_tokens:])
        return attended(attn, query, key, value)


class SkipCrossAttention:
    """Stands where cross-attention was. Its input is ``norm2(x)``, so the block becomes ``x + norm2(x)``.

    It names ``bank`` and ``observer`` because diffusers warns about keywords a processor does not name.
    """

    def __call__(
        self, attn: Attention, hidden_states: Tensor, bank: Any = None, observer: Any = None, **stock: Any
    ) -> Tensor:
        return hidden_states


def install_processors(unet: UNet2DConditionModel, self_attention: type) -> None:
    """Give every ``attn1`` a ``self_attention`` processor (writer or reader) and skip every ``attn2``."""
    unet.set_attn_processor(
        {
            name: self_attention(name.removesuffix(LAYER_SUFFIX))
            if ".attn1." in name
            else SkipCrossAttention()
            for name in unet.attn_processors
        }
    )
    if self_attention is ReferenceWriter:
        unet.attn_processors[self_attention_layers(unet)[-1] + LAYER_SUFFIX].ends = True


def self_attention_layers(unet: UNet2DConditionModel) -> list[str]:
    """Names of the self-attention layers in forward order: down blocks, middle, up blocks."""
    names = [n.removesuffix(LAYER_SUFFIX) for n in unet.attn_processors if ".attn1." in n]
    order = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    return sorted(names, key=lambda name: order[name.split(".")[0]])


def is_trained(
    layer: str, grid: tuple[int, int], height: int, min_resolution: float = MIN_RESOLUTION
) -> bool:
    """Whether the Leffa loss trains a layer, and its flow is read: not the middle block, and not too coarse.

    grid    (height, width) of its tokens
    height  of the picture
    """
    return "mid_block" not in layer and grid[0] / height >= min_resolution


def read_reference(reference_unet: UNet2DConditionModel, latents: Tensor, timestep: Tensor | int) -> Bank:
    """One forward of the reference UNet on clean latents (B, C, h, w); returns a fresh bank.

    It ends at the last self-attention, whose input is the last that is read.
    """
    bank: Bank = {}
    with suppress(_AllRead):
        reference_unet(
            latents,
            timestep,
            encoder_hidden_states=None,
            cross_attention_kwargs={"bank": bank},
            return_dict=False,
        )
    return bank


def paint(
    unet: UNet2DConditionModel,
    generative_input: Tensor,
    timestep: Tensor | int,
    bank: Bank,
    observer: AttentionObserver | None = None,
) -> Tensor:
    """One forward of the generative UNet: (B, 2 C + 4, h, w) -> prediction (B, C, h, w)."""
    prediction: Tensor = unet(
        generative_input,
        timestep,
        encoder_hidden_states=None,
        cross_attention_kwargs={"bank": bank, "observer": observer},
        return_dict=False,
    )[0]
    return prediction
