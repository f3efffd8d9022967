"""What is left to paint once the garment lies: skin under a shorter sleeve, ground beside a narrower skirt.

A pyramid network that is told the silhouette, what every open pixel shows, the body parts and this person's
own skin tone paints what the garment leaves open, and finds the light that the garment takes from the photo:
a smooth gain per colour, never a pattern. Trained on synthetic people with holes of many shapes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leffa.model.pyramid import Pyramid, places, resize, silent
from leffa.model.refinement import Shows

DECODER = (72, 56, 40, 32)
LIGHT_LEVEL = 1  # of the decoder: light varies no faster than over eight pixels
MOST_LIGHT = 1.0  # of the log gain
_CHANNELS = 3 + 1 + len(Shows) + 3 + 3 + 3 + 1 + 2


class Filling(nn.Module):
    """Pictures of what the garment leaves open, and the light on the garment."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Pyramid(_CHANNELS, (24, 40, 56, 80, 96), DECODER)
        self.light = silent(nn.Conv2d(DECODER[LIGHT_LEVEL], 3, 3, 1, 1))
        self.colours = nn.Conv2d(DECODER[-1], 4 * 3, 3, 1, 1)

    def forward(
        self,
        person: Tensor,
        hole: Tensor,
        shows: Tensor,
        densepose: Tensor,
        warped: Tensor,
        tone: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The picture to lay into the hole, (B, 3, H, W) in [-1, 1], and the garment's gain, (B, 3, H, W).

        person, densepose, warped  (B, 3, H, W) in [-1, 1]; ``warped`` is the garment as it will lie
        hole    (B, 1, H, W) in {0, 1}: what is not the photo's any more
        shows   (B, 4, H, W) in [0, 1], shares of ``Shows``
        tone    (B, 3) in [-1, 1], this person's skin; nan where none is seen
        """
        height, width = person.shape[-2:]
        known = ~tone.isnan().any(1, keepdim=True)

        def everywhere(values: Tensor) -> Tensor:
            return values[:, :, None, None].expand(-1, -1, height, width)

        where = places((height, width), person).expand(len(person), -1, -1, -1)
        told = [
            person * (1 - hole),
            hole,
            shows * hole,
            densepose,
            warped * shows[:, : Shows.GARMENT + 1] * hole,
            everywhere(torch.where(known, tone, 0.0)),
            everywhere(known.to(person.dtype)),
            where,
        ]
        features = self.body(torch.cat(told, 1))
        light = resize(self.light(F.silu(features[LIGHT_LEVEL])).float(), (height, width))
        picture = F.pixel_shuffle(self.colours(F.silu(features[-1])).float(), 2)
        return picture, light.clamp(-MOST_LIGHT, MOST_LIGHT).exp()
