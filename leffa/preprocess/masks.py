"""Masks: what is to be repainted."""

from leffa.preprocess.official_masks import official_mask

__all__ = ["official_mask"]
