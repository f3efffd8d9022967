"""Pictures on their way to the browser, as data addresses: nothing of them is written to disk; and those that
explain a result or an input, beyond the flow's."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.images import within

SHOWN_SIDE = 1280  # px: no picture on the page is sent larger
EDITOR_SIDE = 900
THUMB_SIDE = 224


def photo_url(picture: Image.Image, side: int = SHOWN_SIDE, quality: int = 90) -> str:
    """A JPEG data address of the picture, shrunk to ``side``."""
    buffer, (height, width) = io.BytesIO(), within((picture.height, picture.width), side)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture.convert("RGB").save(buffer, "JPEG", quality=quality, subsampling=0)
    return _address("jpeg", buffer.getvalue())


def thumb_url(picture: Image.Image) -> str:
    """A small JPEG data address for strips of pictures."""
    return photo_url(picture, THUMB_SIDE, 84)


def mask_url(mask: NDArray[np.uint8]) -> str:
    """A PNG data address of a 0 / 255 map (H, W), shrunk for the editor."""
    buffer, (height, width) = io.BytesIO(), within((mask.shape[0], mask.shape[1]), EDITOR_SIDE)
    Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR).save(buffer, "PNG")
    return _address("png", buffer.getvalue())


def png_url(content: bytes) -> str:
    """A data address of a PNG file."""
    return _address("png", content)


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


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
