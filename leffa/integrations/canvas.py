"""One UNet with person and reference side by side in its latents, as CatVTON has it."""

import torch.nn.functional as F
from torch import Tensor

from leffa.integrations.sequence import SequenceObserver
from leffa.model.attention import split_heads
from leffa.model.library import Attention


class CanvasAttention:
    """Plain self-attention that lets a ``SequenceObserver`` look.

    Put it in with ``leffa.model.attention.install_processors(unet, CanvasAttention)``, which also skips
    cross-attention, and pass ``cross_attention_kwargs={"observer": observer}`` with a forward.
    """

    def __init__(self, layer: str):
        self.layer = layer

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        observer: SequenceObserver | None = None,
    ) -> Tensor:
        query, key, value = (
            split_heads(project(hidden_states), attn.heads) for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        if observer is not None:
            observer(self.layer, query, key)
        attended = F.scaled_dot_product_attention(query, key, value, scale=attn.scale)
        return attn.to_out[1](attn.to_out[0](attended.transpose(1, 2).flatten(2)))
