"""Flux: joint attention over ``[text ; person ; reference]``, with rotary position embedding."""

import torch
import torch.nn.functional as F
from diffusers import FluxTransformer2DModel
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxAttention
from torch import Tensor

from leffa.integrations.sequence import SequenceObserver
from leffa.model.attention import LAYER_SUFFIX, LayerProcessor, split_heads


class JointAttention(LayerProcessor):
    """The stock Flux attention, of double and single blocks, that lets a ``SequenceObserver`` look.

    Pass ``joint_attention_kwargs={"observer": observer}`` with a forward.
    """

    def __call__(
        self,
        attn: FluxAttention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        observer: SequenceObserver | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        heads = attn.heads
        query, key, value = (split_heads(p(hidden_states), heads) for p in (attn.to_q, attn.to_k, attn.to_v))
        query, key = attn.norm_q(query), attn.norm_k(key)
        text = 0
        if encoder_hidden_states is not None:  # a double block: the text has projections of its own
            text = encoder_hidden_states.shape[1]
            text_query, text_key, text_value = (
                split_heads(p(encoder_hidden_states), heads)
                for p in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
            )
            query = torch.cat([attn.norm_added_q(text_query), query], dim=2)
            key = torch.cat([attn.norm_added_k(text_key), key], dim=2)
            value = torch.cat([text_value, value], dim=2)
        if image_rotary_emb is not None:
            query, key = apply_rotary_emb(query, image_rotary_emb), apply_rotary_emb(key, image_rotary_emb)
        if observer is not None:
            observer(self.layer, query, key)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        attended = attended.transpose(1, 2).flatten(2)
        if encoder_hidden_states is None:
            return attended
        painted = attn.to_out[1](attn.to_out[0](attended[:, text:].contiguous()))
        return painted, attn.to_add_out(attended[:, :text].contiguous())


def install(transformer: FluxTransformer2DModel) -> None:
    """Give every attention of a Flux transformer a ``JointAttention``; its output does not change."""
    transformer.set_attn_processor(
        {name: JointAttention(name.removesuffix(LAYER_SUFFIX)) for name in transformer.attn_processors}
    )


def position_ids(height: int, width: int, picture: int = 0) -> Tensor:
    """Rotary ids (height * width, 3) of a picture's tokens, row by row: which picture, row, column.

    Person 0 and reference 1, as FLUX.1 Kontext tells its context picture from the one it paints.
    """
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.full_like(rows, picture), rows, columns], dim=-1).flatten(0, 1).float()
