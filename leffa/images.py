"""The one border between PIL / uint8 pictures and tensors: reading, framing, blending, writing.

Sizes are (height, width) everywhere; PIL's reverse order does not leave this module.
"""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from leffa import __version__, files
from leffa.errors import FileError, PictureError

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SIDE = 64  # px: below it there is no body to be made out
LARGEST_SIDE = 20_000
MOST_PIXELS = 80_000_000  # 240 MB as RGB

_WHITE = (255, 255, 255)
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    KeyError,
    struct.error,
    zlib.error,
)
_WRITE_OPTIONS: dict[str, tuple[str, dict[str, object]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
    ".bmp": ("BMP", {}),
}
SUFFIXES = tuple(_WRITE_OPTIONS)
"""Of pictures, in lower case."""


PictureSource = str | os.PathLike[str] | IO[bytes] | Image.Image | NDArray[Any]
"""A file, a PIL picture, or an array: see ``load_image``."""


def load_image(source: PictureSource, smallest: int = SMALLEST_SIDE) -> Image.Image:
    """Read a picture as upright 8-bit sRGB, whatever it is: EXIF turned, transparency laid on white.

    source    a path, an open binary file, a PIL picture; or an array (H, W), or (H, W, C) with 1, 3 or 4
              channels, RGB: uint8, uint16, or float in [0, 1]
    smallest  sides shorter than this are refused, px

    Raises ``PictureError`` with one sentence if it is missing, no picture, truncated, or too small or too
    large to work with.
    """
    image = open_upright(source, smallest)
    try:
        return _as_rgb(image)
    except _UNREADABLE:
        raise PictureError(
            f"{_name_of(source)} has colours of the kind {image.mode!r} that cannot be turned into RGB: "
            "save it as PNG."
        ) from None


def open_upright(source: PictureSource, smallest: int = SMALLEST_SIDE) -> Image.Image:
    """The same with the picture's own mode and channels, for what is not to be seen, such as masks."""
    name = _name_of(source)
    if isinstance(source, Image.Image):
        return _upright(source, name, smallest)
    if isinstance(source, np.ndarray) or not (
        isinstance(source, (str, os.PathLike)) or hasattr(source, "read")
    ):
        return _upright(_of_array(source), name, smallest)
    try:
        opened = Image.open(source)
    except FileNotFoundError:
        raise PictureError(f"There is no picture at {str(source)!r}: check the path.") from None
    except Image.DecompressionBombError:
        raise PictureError(_too_large(name)) from None
    except UnidentifiedImageError:
        raise PictureError(f"{name} is not a picture that can be read: use JPEG, PNG or WebP.") from None
    except _UNREADABLE:
        raise PictureError(f"{name} cannot be read as a picture: use an intact JPEG, PNG or WebP.") from None
    with opened:
        return _upright(opened, name, smallest)


def _name_of(source: Any) -> str:
    return f"{Path(source).name!r}" if isinstance(source, (str, os.PathLike)) else "The picture"


def _of_array(source: Any) -> Image.Image:
    """A picture from an array, or from what can become one, such as a tensor on the CPU."""
    values = np.asarray(source.detach().cpu() if hasattr(source, "detach") else source)
    wanted = "give (height, width, 3) RGB, uint8 or float in [0, 1]"
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)) or not values.size:
        raise PictureError(f"An array of shape {values.shape} is no picture: {wanted}.")
    if values.dtype.kind == "f":
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if not (np.isfinite(values).all() and low >= 0 and high <= 1):
            raise PictureError(f"A picture in float must be in [0, 1], got {low:g} to {high:g}: {wanted}.")
        values = np.rint(values * 255)
    elif values.dtype == np.uint16:
        values = values // 257
    elif values.dtype == np.bool_:
        values = values * 255
    elif values.dtype.kind not in "ui" or values.min() < 0 or values.max() > 255:
        raise PictureError(f"An array of {values.dtype} is no picture: {wanted}.")
    return Image.fromarray(np.ascontiguousarray(values.astype(np.uint8)))


def _too_large(name: str) -> str:
    most = f"{LARGEST_SIDE} pixels a side and {MOST_PIXELS // 1_000_000} million in all"
    return f"{name} is too large: scale it down to at most {most}."


def _upright(image: Image.Image, name: str, smallest: int) -> Image.Image:
    width, height = image.size
    if max(width, height) > LARGEST_SIDE or width * height > MOST_PIXELS:
        raise PictureError(_too_large(name))
    if min(width, height) < smallest:
        raise PictureError(
            f"{name} has only {width} x {height} pixels: use one with at least {smallest} on each side."
        )
    try:
        image.load()
    except (*_UNREADABLE, Image.DecompressionBombError):
        raise PictureError(f"{name} is damaged or cut short: save or download it again.") from None
    try:
        return ImageOps.exif_transpose(image)
    except _UNREADABLE:  # a broken EXIF block is no reason to refuse the pixels
        return image.copy()


def _as_rgb(image: Image.Image) -> Image.Image:
    """RGB on white. A new picture always, never the caller's own."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float32)
        highest = float(values.max(initial=0.0))
        # Not told by the file: 0..1 only as float, 8 bits if it fits, else 16 bits.
        full = 1.0 if image.mode == "F" and highest <= 1 else 255.0 if highest <= 255 else 65535.0
        if image.mode.startswith("I;16"):
            full = 65535.0
        grey = np.rint(np.clip(values / full, 0, 1) * 255).astype(np.uint8)
        return Image.fromarray(grey, "L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        solid = _in_srgb(image.convert("RGBA"), image.info.get("icc_profile"))
        ground = Image.new("RGBA", solid.size, (*_WHITE, 255))
        return Image.alpha_composite(ground, solid).convert("RGB")
    if image.mode == "LAB":
        profile = ImageCms.createProfile("LAB")
        turned = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if turned is None:
            raise ValueError("no conversion from LAB")
        return turned
    if image.mode == "CMYK":
        return _in_srgb(image, image.info.get("icc_profile")).convert("RGB")
    rgb = image.convert("RGB")
    return _in_srgb(rgb.copy() if rgb is image else rgb, image.info.get("icc_profile"))


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours of a wide-gamut phone or a print file as sRGB; left alone where the profile makes no sense."""
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        mode = "RGB" if image.mode == "CMYK" else image.mode
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, *_UNREADABLE):
        return image
    return image if turned is None else turned


@dataclass(frozen=True)
class Letterbox:
    """Puts a photo of any size into the middle of a frame on white, and takes it out again.

    photo, frame  (height, width)
    top, left, height, width  where the photo lies in the frame, whole pixels
    is_official   ``apply`` resizes as the released demo does: bicubic, without smoothing when it shrinks
    """

    photo: tuple[int, int]
    frame: tuple[int, int]
    top: int
    left: int
    height: int
    width: int
    is_official: bool = False

    @classmethod
    def fit(cls, photo: tuple[int, int], frame: tuple[int, int]) -> "Letterbox":
        """The largest placement that keeps the photo's shape; both sizes are (height, width)."""
        scale = min(frame[0] / photo[0], frame[1] / photo[1])
        height = min(max(round(photo[0] * scale), 1), frame[0])
        width = min(max(round(photo[1] * scale), 1), frame[1])
        return cls(photo, frame, (frame[0] - height) // 2, (frame[1] - width) // 2, height, width)

    @classmethod
    def official(cls, photo: tuple[int, int], frame: tuple[int, int]) -> "Letterbox":
        """The placement of the released demo's ``resize_and_center``: as ``fit``, but rounded down.

        Raises PictureError for a photo so thin that nothing of it would be left.
        """
        scale = min(frame[0] / photo[0], frame[1] / photo[1])
        height, width = int(photo[0] * scale), int(photo[1] * scale)
        if min(height, width) < 1:
            raise PictureError(
                f"A picture of {photo[1]} x {photo[0]} pixels cannot be fitted into {frame[1]} x {frame[0]}: "
                "cut it to a less extreme shape."
            )
        return cls(photo, frame, (frame[0] - height) // 2, (frame[1] - width) // 2, height, width, True)

    @classmethod
    def of(cls, image: Image.Image, frame: tuple[int, int]) -> "Letterbox":
        """``fit`` for a PIL picture."""
        return cls.fit((image.height, image.width), frame)

    def apply(self, image: Image.Image) -> Image.Image:
        """The RGB photo in its frame."""
        self._check((image.height, image.width), self.photo, "photo")
        if self.is_official:
            size = (self.width, self.height)
            inner = Image.fromarray(cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_CUBIC))
        else:
            inner = _resize(image, self.height, self.width)
        framed = Image.new("RGB", (self.frame[1], self.frame[0]), _WHITE)
        framed.paste(inner, (self.left, self.top))
        return framed

    def apply_mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A 0 / 255 mask (H, W) of the photo in its frame; the white border is 0 = kept."""
        self._check(mask.shape, self.photo, "mask")
        inner = self._resize_map(mask, self.height, self.width)
        framed = np.zeros(self.frame, np.uint8)
        framed[self._box] = np.where(inner >= 128, 255, 0)
        return framed

    def apply_map(self, values: NDArray) -> NDArray:
        """A map (h, w) or (h, w, C) of the photo, at any resolution, in its frame; the border is 0.

        Float smoothly, bool and integers as labels (nearest).
        """
        framed = np.zeros((*self.frame, *values.shape[2:]), values.dtype)
        framed[self._box] = self._resize_map(values, self.height, self.width)
        return framed

    def invert(self, picture: Image.Image) -> Image.Image:
        """The photo's part of a frame-sized picture, at the photo's size."""
        self._check((picture.height, picture.width), self.frame, "picture")
        box = (self.left, self.top, self.left + self.width, self.top + self.height)
        return _resize(picture.crop(box), *self.photo)

    def invert_map(self, values: NDArray) -> NDArray:
        """The same for a map (H, W) or (H, W, C): float smoothly, bool and integers as labels (nearest)."""
        self._check(values.shape[:2], self.frame, "map")
        return self._resize_map(values[self._box], *self.photo)

    def points_to_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Places (..., 2) on the photo, x and y in pixels (first pixel's middle at 0.5), in frame pixels."""
        stretch = np.array([self.width / self.photo[1], self.height / self.photo[0]], np.float32)
        return np.asarray(points, np.float32) * stretch + np.array([self.left, self.top], np.float32)

    def points_to_photo(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse of ``points_to_frame``."""
        stretch = np.array([self.photo[1] / self.width, self.photo[0] / self.height], np.float32)
        return (np.asarray(points, np.float32) - np.array([self.left, self.top], np.float32)) * stretch

    @property
    def _box(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @staticmethod
    def _check(size: tuple[int, ...], expected: tuple[int, int], what: str) -> None:
        if size != expected:
            raise PictureError(
                f"The {what} is {size[1]} x {size[0]} pixels, it must be {expected[1]} x {expected[0]} "
                "like the picture that the frame was made for."
            )

    @staticmethod
    def _resize_map(values: NDArray, height: int, width: int) -> NDArray:
        if values.shape[:2] == (height, width):
            return values.copy()
        if np.issubdtype(values.dtype, np.floating):
            shrinking = height < values.shape[0]
            method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
            return cv2.resize(values, (width, height), interpolation=method)
        whole = values.astype(np.uint8) if values.dtype == np.bool_ else values
        resized = cv2.resize(whole, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return resized.astype(values.dtype)


def _resize(image: Image.Image, height: int, width: int) -> Image.Image:
    if (image.height, image.width) == (height, width):
        return image.copy()
    return image.resize((width, height), Image.Resampling.LANCZOS)


def to_tensor(image: "Image.Image | NDArray[np.uint8]") -> "Tensor":
    """(3, H, W) float32 in [-1, 1] from an RGB picture or (H, W, 3) uint8."""
    import torch

    pixels = np.array(image, np.uint8)  # a copy: PIL's memory is read-only
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise PictureError(f"A picture must be RGB, got an array of shape {pixels.shape}.")
    return torch.from_numpy(pixels).permute(2, 0, 1).to(torch.float32).div(127.5).sub(1.0).contiguous()


def to_pil(tensor: "Tensor") -> Image.Image:
    """RGB picture from (3, H, W) in [-1, 1]; the exact inverse of ``to_tensor``."""
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ValueError(f"tensor must be (3, H, W), got {tuple(tensor.shape)}.")
    pixels = tensor.detach().cpu().float().add(1.0).mul(127.5).round().clamp(0, 255).byte()
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy(), "RGB")


def mask_to_tensor(mask: "Image.Image | NDArray") -> "Tensor":
    """(1, H, W) float32 in {0, 1} from a picture, uint8 (128 and more = 1), bool or float mask (H, W)."""
    import torch

    values = np.array(mask.convert("L")) if isinstance(mask, Image.Image) else np.asarray(mask)
    if values.ndim != 2:
        raise PictureError(f"A mask must have one channel (H, W), got an array of shape {values.shape}.")
    threshold = 128 if values.dtype == np.uint8 else 0.5
    return torch.from_numpy((values >= threshold).astype(np.float32))[None]


def blend(
    photo: Image.Image, painted: Image.Image, mask: NDArray[np.uint8], softness: float = 0.0
) -> Image.Image:
    """``painted`` inside the mask, the photo outside, with a soft seam that lies inside the mask.

    ``mask`` (H, W) uint8, 255 = painted; all three have one size. ``softness`` is the width of the seam
    in pixels. Outside the mask every pixel of the result is bit for bit the photo's own.
    """
    size = (photo.height, photo.width)
    for other, what in (((painted.height, painted.width), "painted picture"), (mask.shape, "mask")):
        if other != size:
            raise PictureError(
                f"The {what} must have the photo's size {size[1]} x {size[0]}, got {other[1]} x {other[0]}."
            )
    result = np.array(photo.convert("RGB"))
    inside = mask >= 128
    if not inside.any():
        return Image.fromarray(result, "RGB")
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    weight = _seam(inside, softness)[box][..., None]
    kept = result[box]
    new = np.asarray(painted.convert("RGB"))[box]
    mixed = np.rint(kept + weight * (new.astype(np.float32) - kept)).astype(np.uint8)
    result[box] = np.where(inside[box][..., None], mixed, kept)
    return Image.fromarray(result, "RGB")


def _seam(inside: NDArray[np.bool_], softness: float) -> NDArray[np.float32]:
    """(H, W) float32 weights: 0 at the mask's edge, rising to 1 within ``softness`` pixels inside it."""
    if softness < 1:
        return inside.astype(np.float32)
    # The photo's own border is no edge of the mask: the distance is taken on a padded copy.
    padded = np.pad(inside.astype(np.uint8), 1, mode="edge")
    if padded.all():
        return np.ones(inside.shape, np.float32)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    ramp = np.clip(distance / softness, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def check_output(path: str | os.PathLike[str]) -> Path:
    """The path, if a picture could be written there; to be asked before long work.

    Raises ``PictureError`` for an unknown suffix, ``FileError`` for a place that takes no file.
    """
    target = Path(path)
    if target.suffix.lower() not in _WRITE_OPTIONS:
        known = ", ".join(sorted(_WRITE_OPTIONS))
        raise PictureError(f"Cannot write {target.name!r}: end the name in one of {known}.")
    files.check_place(target)
    if not target.parent.is_dir():
        raise FileError(f"Cannot write {target.name!r}: the folder {str(target.parent)!r} does not exist.")
    return target


def save_atomically(image: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write a picture in the format of the path's suffix; a reader never sees half a file.

    The file says that leffa wrote it, except as BMP, which has no place for that. Returns the path. Raises as
    ``check_output``.
    """
    target = check_output(path)
    kind, options = _WRITE_OPTIONS[target.suffix.lower()]
    with files.written(target) as file:
        image.save(file, kind, **options, **_signature(kind))
    return target


def _signature(kind: str) -> dict[str, object]:
    """Options of PIL's ``save`` by which a file of this format names its maker."""
    if kind == "PNG":
        text = PngInfo()
        text.add_text("Software", f"{files.MARK} {__version__}")
        return {"pnginfo": text}
    if kind in ("JPEG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[ExifTags.Base.Software] = f"{files.MARK} {__version__}"
        return {"exif": exif}
    return {}
