"""The surfels of a batch of G-buffers, on a device."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from leffa.synthetic.render.gbuffer import GBuffer


@dataclass
class Surfels:
    """The surfels of several G-buffers one after another; ``scene`` (n,) tells whose they are."""

    scene: Tensor
    pixel: Tensor
    weight: Tensor
    material: Tensor
    chart: Tensor
    back: Tensor
    uv: Tensor
    canonical: Tensor
    normal: Tensor
    position: Tensor
    hem: Tensor
    footprint: Tensor
    skin: Tensor
    shadow: Tensor
    ambient: Tensor

    @classmethod
    def join(cls, buffers: list[GBuffer], device: torch.device | str) -> "Surfels":
        """Concatenate G-buffers on a device."""

        def cat(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
            values = np.concatenate([getattr(buffer, name) for buffer in buffers])
            return torch.as_tensor(values).to(device=device, dtype=dtype)

        counts = torch.tensor([len(buffer.pixel) for buffer in buffers])
        scene = torch.repeat_interleave(torch.arange(len(buffers)), counts).to(device)
        return cls(
            scene=scene,
            **{name: cat(name, torch.long) for name in ("pixel", "material", "chart")},
            back=cat("back", torch.bool),
            **{name: cat(name) for name in (field.name for field in fields(cls))
               if name not in ("scene", "pixel", "material", "chart", "back")},
        )  # fmt: skip

    def take(self, chosen: Tensor) -> "Surfels":
        """The chosen ones (long indices)."""
        return Surfels(*(getattr(self, field.name)[chosen] for field in fields(self)))
