"""The one border between PIL / uint8 pictures and tensors: reading, framing, blending, writing.

Sizes are (height, width) everywhere; PIL's reverse order does not leave this module.
"""

import io
import os
import stat
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
from leffa.intactness import foreign

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SIDE = 64  # px: below it there is no body to be made out
LARGEST_SIDE = 20_000
MOST_PIXELS = 80_000_000  # 240 MB as RGB
MOST_BYTES = 500_000_000  # of a file; 80 million pixels of 16 bits in three colours are 480 MB
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM")
"""What is opened, told by content and never by name. Pillow knows more kinds, one of which runs programs."""

_WHITE = (255, 255, 255)
_XMP_OF_TIFF = 0x02BC
_MADE = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
    'compositeWithTrainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
"""What IPTC calls a photograph in which a trained model painted: its Digital Source Type."""
_ORIENTATION = 0x0112  # EXIF
_UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError, struct.error, zlib.error,
)  # fmt: skip
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

    What a file says beside its pixels (place, camera, comments) is not kept; of several pictures in it the
    first is taken. Raises ``PictureError`` with one sentence if it is missing, no picture, truncated, or too
    small or too large to work with; before it is decoded, where its head tells.
    """
    image = open_upright(source, smallest)
    try:
        rgb = _as_rgb(image)
    except _UNREADABLE:
        raise PictureError(
            f"{_name_of(source)} has colours of the kind {image.mode!r} that cannot be turned into RGB: "
            "save it as PNG."
        ) from None
    rgb.info = {}  # a comment would be written into every JPEG that is made of it
    return rgb


def open_upright(source: PictureSource, smallest: int = SMALLEST_SIDE) -> Image.Image:
    """The same with the picture's own mode and channels, for what is not to be seen, such as masks."""
    name = _name_of(source)
    if isinstance(source, Image.Image):
        return _upright(source, name, smallest)
    if isinstance(source, (str, os.PathLike)):
        with _opened_file(source) as file:
            return _read(file, name, smallest)
    if not isinstance(source, np.ndarray) and hasattr(source, "read"):
        return _read(source, name, smallest)
    return _upright(_of_array(source), name, smallest)


def _opened_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """The file, if it is a regular one of sensible size: a pipe or a device would never end."""
    text = os.fspath(path)
    if isinstance(text, str) and text.lower().startswith(("http://", "https://", "ftp://", "file:", "data:")):
        raise PictureError(
            f"{text[:80]!r} is an address, and nothing is fetched: save the picture, give its path."
        )
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise PictureError(f"{Path(path).name!r} is not a file: give the path of a picture.")
        if found.st_size > MOST_BYTES:
            raise PictureError(_too_large(repr(Path(path).name)))
        return open(path, "rb")
    except FileNotFoundError:
        raise PictureError(f"There is no picture at {str(path)!r}: check the path.") from None
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "there is no such name"
        raise PictureError(f"{Path(path).name!r} cannot be opened ({why}): check the path.") from None


def _read(file: IO[bytes], name: str, smallest: int) -> Image.Image:
    start = file.tell()
    try:
        opened = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise PictureError(_too_large(name)) from None
    except UnidentifiedImageError:
        file.seek(start)
        raise PictureError(_no_picture(name, file.read(512))) from None
    except _UNREADABLE:
        raise PictureError(f"{name} cannot be read as a picture: use an intact JPEG, PNG or WebP.") from None
    with opened:
        _check_size(opened, name, smallest)
        if opened.format == "PNG":
            _check_png_is_whole(file, start, name)
        return _upright(opened, name, smallest, is_ours=True)


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


def _no_picture(name: str, head: bytes) -> str:
    """What to say of a file that is none of our formats."""
    if b"<svg" in head.lower():
        return f"{name} is an SVG drawing, which is not read: save it as PNG."
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheim"):
        return f"{name} is a HEIC photo, which is not read: save it as JPEG."
    if other := foreign(head, "a picture"):
        return f"{name} {other}: get the picture itself, as JPEG, PNG or WebP."
    return f"{name} is not a picture that can be read: use JPEG, PNG or WebP."


def _check_png_is_whole(file: IO[bytes], start: int, name: str) -> None:
    """Refuse a PNG whose data end early in good order: Pillow would fill the rest with black.

    Takes what is decompressed in small pieces, and no more of it than the picture needs.
    """
    position, inflate, needed, got = file.tell(), zlib.decompressobj(), None, 0
    file.seek(start + 8)
    try:
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IHDR":
                needed = _png_length(file.read(min(length, 13)))
                file.seek(length - 13 + 4, os.SEEK_CUR)
            elif kind == b"IDAT":
                while length > 0 and needed is not None and got < needed:
                    data = file.read(min(length, 1 << 16))
                    if not data:
                        break
                    length -= len(data)
                    while data and got < needed:
                        got += len(inflate.decompress(data, 1 << 18))
                        data = inflate.unconsumed_tail
                file.seek(length + 4, os.SEEK_CUR)
            elif kind == b"IEND":
                break
            else:
                file.seek(length + 4, os.SEEK_CUR)
    except (*_UNREADABLE, OverflowError):
        got = -1
    file.seek(position)
    if needed is None or got < needed:
        raise PictureError(f"{name} is damaged or cut short: save or download it again.")


def _png_length(header: bytes) -> int:
    """Bytes of the pixels, with a byte for each row, from the 13 bytes of IHDR (PNG specification, 8.2)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _too_large(name: str) -> str:
    most = f"{LARGEST_SIDE} pixels a side and {MOST_PIXELS // 1_000_000} million in all"
    return f"{name} is too large: scale it down to at most {most}."


def _check_size(image: Image.Image, name: str, smallest: int) -> None:
    width, height = image.size
    if max(width, height) > LARGEST_SIDE or width * height > MOST_PIXELS:
        raise PictureError(_too_large(name))
    if min(width, height) < smallest:
        raise PictureError(
            f"{name} has only {width} x {height} pixels: use one with at least {smallest} on each side."
        )


def _upright(image: Image.Image, name: str, smallest: int, is_ours: bool = False) -> Image.Image:
    """is_ours  nobody else has the picture: it need not be copied"""
    _check_size(image, name, smallest)
    try:
        image.load()
    except (*_UNREADABLE, Image.DecompressionBombError):
        raise PictureError(f"{name} is damaged or cut short: save or download it again.") from None
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise PictureError(f"{name} has pixels that are no numbers: save it as PNG.")
    try:
        turned = image.getexif().get(_ORIENTATION, 1) != 1
        if turned:
            return ImageOps.exif_transpose(image)
    except _UNREADABLE:  # a broken EXIF block is no reason to refuse the pixels
        pass
    return image if is_ours else image.copy()


def _as_rgb(image: Image.Image) -> Image.Image:
    """RGB on white. A new picture always, never the caller's own."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_grey(image), "L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_white(image)
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


_STRIP = 256  # rows that are turned at a time, so that a large picture does not take its size many times over


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W) uint8 of a picture of 16 or 32 bits."""
    values = np.asarray(image)
    highest = float(values.max(initial=0))
    # Not told by the file: 0..1 only as float, 8 bits if it fits, else 16 bits.
    full = 1.0 if image.mode == "F" and highest <= 1 else 255.0 if highest <= 255 else 65535.0
    if image.mode.startswith("I;16"):
        full = 65535.0
    grey = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), _STRIP):
        strip = values[row : row + _STRIP].astype(np.float32)
        grey[row : row + _STRIP] = np.rint(np.clip(strip / full, 0, 1) * 255)
    return grey


def _on_white(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    rgb = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP):
        box = (0, top, image.width, min(top + _STRIP, image.height))
        piece = image.crop(box)
        piece.info = dict(image.info)  # what a palette says of its transparent colour
        solid = _in_srgb(piece.convert("RGBA"), profile)
        ground = Image.new("RGBA", solid.size, (*_WHITE, 255))
        rgb.paste(Image.alpha_composite(ground, solid).convert("RGB"), box)
    return rgb


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


def within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(height, width) of the same shape, the longer side at most ``longest`` pixels, none below one."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrunk(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """A picture (H, W, C), its pixels averaged, ``within`` so many pixels; itself where it is no longer."""
    height, width = within((image.shape[0], image.shape[1]), longest)
    if (height, width) == image.shape[:2]:
        return image
    smaller: NDArray[np.uint8] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return smaller


def to_tensor(image: "Image.Image | NDArray[np.uint8]") -> "Tensor":
    """(3, H, W) float32 in [-1, 1] from an RGB picture or (H, W, 3) uint8."""
    import torch

    pixels = np.array(image, np.uint8)  # a copy: PIL's memory is read-only
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise PictureError(f"A picture must be RGB, got an array of shape {pixels.shape}.")
    return torch.from_numpy(pixels).permute(2, 0, 1).to(torch.float32).div(127.5).sub(1.0).contiguous()


def planes(values: NDArray) -> "Tensor":
    """(C, H, W) from a map or picture (H, W, C), its values as they are."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


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


def save_atomically(image: Image.Image, path: str | os.PathLike[str], is_made: bool = False) -> Path:
    """Write a picture in the format of the path's suffix; a reader never sees half a file.

    The file says that leffa wrote it and, where ``is_made``, that a model painted in it, as IPTC wants that
    said; except as BMP, which has no place for either. Returns the path. Raises as ``check_output``.
    """
    target = check_output(path)
    kind, options = _WRITE_OPTIONS[target.suffix.lower()]
    with files.written(target) as file:
        image.save(file, kind, **options, **signature(kind, is_made))
    return target


def signature(kind: str, is_made: bool = False) -> dict[str, Any]:
    """Options of PIL's ``save`` by which a file of this format names its maker, and says that it is made."""
    if kind == "PNG":
        text = PngInfo()
        text.add_text("Software", f"{files.MARK} {__version__}")
        if is_made:
            text.add_itxt("XML:com.adobe.xmp", _MADE)
        return {"pnginfo": text}
    if kind in ("JPEG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[ExifTags.Base.Software] = f"{files.MARK} {__version__}"
        if is_made and kind == "TIFF":
            exif[_XMP_OF_TIFF] = _MADE.encode()
        return {"exif": exif, **({"xmp": _MADE.encode()} if is_made and kind != "TIFF" else {})}
    return {}
