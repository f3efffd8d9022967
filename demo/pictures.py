"""Pictures on their way to the browser, as data addresses: nothing of them is written to disk."""

import base64
import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN_SIDE = 1280  # px: no picture on the page is sent larger
EDITOR_SIDE = 900
THUMB_SIDE = 224


def shrunk(picture: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side at most ``side`` pixels."""
    scale = min(1.0, side / max(picture.size))
    if scale == 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def photo_url(picture: Image.Image, side: int = SHOWN_SIDE, quality: int = 90) -> str:
    """A JPEG data address of the picture, shrunk to ``side``."""
    buffer = io.BytesIO()
    shrunk(picture, side).convert("RGB").save(buffer, "JPEG", quality=quality, subsampling=0)
    return _address("jpeg", buffer.getvalue())


def thumb_url(picture: Image.Image) -> str:
    """A small JPEG data address for strips of pictures."""
    return photo_url(picture, THUMB_SIDE, 84)


def mask_url(mask: "NDArray[np.uint8]") -> str:
    """A PNG data address of a 0 / 255 map (H, W), shrunk for the editor."""
    picture = Image.fromarray(mask)
    scale = min(1.0, EDITOR_SIDE / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.BILINEAR).save(buffer, "PNG")
    return _address("png", buffer.getvalue())


def png_url(content: bytes) -> str:
    """A data address of a PNG file."""
    return _address("png", content)


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
