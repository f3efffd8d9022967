"""Pictures that explain a result or an input, beyond those of the flow."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def difference(before: Image.Image, after: Image.Image) -> Image.Image:
    """How much each pixel has changed: black where it is the photo's own, to yellow for the full range."""
    if before.size != after.size:
        before = before.resize(after.size)
    pixels = np.asarray(before.convert("RGB"), np.int16) - np.asarray(after.convert("RGB"), np.int16)
    share = np.abs(pixels).max(-1).astype(np.float32) / 255
    share = np.sqrt(share)[..., None]  # faint changes shall show
    glow = np.concatenate([share * 255, share**1.5 * 220, share**4 * 90], -1)
    return Image.fromarray(glow.round().clip(0, 255).astype(np.uint8))


def part_colours(iuv: NDArray[np.uint8]) -> Image.Image:
    """(H, W, 3) uint8 I, U, V as a picture: a hue for each part, darker towards its far end; grey ground."""
    label, along = iuv[..., 0].astype(np.int32), iuv[..., 2].astype(np.float32) / 255
    hue = (label * 97 % 256).astype(np.uint8)
    hsv = np.stack([hue, np.full_like(hue, 150), (245 - 90 * along).astype(np.uint8)], -1)
    picture = np.array(Image.fromarray(hsv, "HSV").convert("RGB"))
    picture[label == 0] = (92, 98, 107)
    return Image.fromarray(picture)
