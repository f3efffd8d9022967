"""One UNet with person and reference side by side in its latents, as CatVTON has it."""

from typing import Any

from torch import Tensor

from leffa.integrations.sequence import SequenceObserver
from leffa.model.attention import LayerProcessor, attended, projected
from leffa.model.library import Attention


class CanvasAttention(LayerProcessor):
    """Plain self-attention that lets a ``SequenceObserver`` look.

    Put it in with ``leffa.model.attention.install_processors(unet, CanvasAttention)``, which also skips
    cross-attention, and pass ``cross_attention_kwargs={"observer": observer}`` with a forward.
    """

    def __call__(
        self, attn: Attention, hidden_states: Tensor, observer: SequenceObserver | None = None, **stock: Any
    ) -> Tensor:
        query, key, value = projected(attn, hidden_states, hidden_states)
        if observer is not None:
            observer(self.layer, query, key)
        return attended(attn, query, key, value)
