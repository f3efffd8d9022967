"""What patterns and details are drawn from: places on cloth, and many fabrics' numbers in columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Points:
    """Where surfels lie on their cloth: uv (n, 2), canonical (n, 3), hem (n,), footprint (n,) metres a pixel
    spans, torso (n,) bool: on the torso chart, fabric (n,) long row of the table."""

    uv: Tensor
    canonical: Tensor
    hem: Tensor
    footprint: Tensor
    torso: Tensor
    fabric: Tensor


class FabricTable:
    """Fabrics (``fabrics.Fabric``) stacked for evaluation on a device."""

    def __init__(self, fabrics: Sequence[object], device: torch.device | str = "cpu") -> None:
        def stack(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.as_tensor(np.array([getattr(fabric, name) for fabric in fabrics]), dtype=dtype).to(
                device
            )

        self.pattern, self.noise = stack("pattern", torch.long), stack("noise", torch.long)
        self.print_, self.picture = stack("print_", torch.long), stack("picture", torch.long)
        self.colours, self.bands, self.print_box = stack("colours"), stack("bands"), stack("print_box")
        self.period, self.duty, self.turn = stack("period"), stack("duty"), stack("turn")
        self.phase, self.weave = stack("phase"), stack("weave")
        self.wrinkle, self.gloss, self.trim = stack("wrinkle"), stack("gloss"), stack("trim")
        self.details = stack("details", torch.long)
