"""Masks as people bring them: one reader for every road, which believes nothing that only may be a mask.

White, or opaque, is what is to be repainted. What cannot be told is refused with a sentence that says what
the file looks like; a mask the wrong way round is never turned in silence.
"""

import os
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.errors import PictureError
from leffa.images import open_upright
from leffa.preprocess.labels import Part, parts_named

MaskSource = str | os.PathLike[str] | IO[bytes] | Image.Image | NDArray[Any] | Any
"""A file, a PIL picture, or whatever numpy takes for an array."""

MOST = 0.9  # share of the picture: a mask of more leaves nothing to go by

_NARROW = 32  # of 255: what varies less is one tone, as JPEG keeps it
_RINGING = 16  # of 255: how far JPEG takes the pixels of an even area from their tone
_EDGES = 0.03  # share of the picture: pixels at the border of two even areas
_MOST_MID = 0.25  # share of the picture between black and white: a soft edge has less
_MOST_COLOURED = 0.05  # the same if it is coloured: a photo has more
_COLOURED = 24  # of 255, between the channels
_FLAT = 40  # of 255: a brush is of one colour to within this
_EDGE_OF_HOLE = 0.5  # share of the border that is opaque around a hole
_FLAT_PATCH = 0.03  # share of the picture in one mid-tone: an area that was greyed out, or a third label
_HEAD, _TORSO = parts_named("HEAD"), parts_named("TORSO")
_WHAT_WOULD_DO = "a mask is white where to repaint and black elsewhere"


# ------------------------------------------------------------------------------ reading


def read_mask(source: MaskSource, name: str | None = None, invert: bool = False) -> NDArray[np.uint8]:
    """A mask (H, W) uint8, 255 = repaint, 0 = keep, from whatever it is kept in.

    source  a file or PIL picture: black and white, 0 and 1, any bit depth, with a palette, or in the alpha
            channel: strokes on a transparent ground, or a transparent hole in the picture (as ComfyUI
            writes it). An array, or what numpy makes one of: bool, 0 and 1, 0 and 255, or [0, 1], of shape
            (H, W), or with one, three or four channels last
    name    what an error calls it
    invert  repaint what is black

    Raises PictureError for what does not look like a mask.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or f"{os.path.basename(os.fspath(source))!r}"
    name = name or "The mask"
    if isinstance(source, (str, os.PathLike, Image.Image)) or hasattr(source, "read"):
        values = _of_picture(open_upright(source, smallest=1))
    else:
        values = _of_array(source, name)
    mask = _decide(values, name)
    return np.where(mask > 0, 0, 255).astype(np.uint8) if invert else mask


def _of_picture(image: Image.Image) -> NDArray[np.float32]:
    """(H, W, C) float32 in [0, 255] with 1 to 4 channels: grey, grey and alpha, RGB, RGB and alpha."""
    if image.mode == "1":
        return np.asarray(image, np.float32)[..., None] * 255
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _full_range(np.asarray(image)[..., None])
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"), np.float32)
    if image.mode == "L":
        return _full_range(np.asarray(image)[..., None])
    return np.asarray(image.convert("RGB"), np.float32)


def _of_array(source: Any, name: str) -> NDArray[np.float32]:
    if hasattr(source, "detach"):  # a torch tensor
        source = source.detach().cpu().numpy()
    values = np.asarray(source)
    if values.dtype.kind not in "buif":
        raise PictureError(f"{name} is an array of {values.dtype}: give numbers or bool, (height, width).")
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] > 4 or not values.size:
        raise PictureError(f"{name} has the shape {np.shape(source)}: give (height, width).")
    if not np.isfinite(values).all():
        raise PictureError(f"{name} holds values that are no numbers: {_WHAT_WOULD_DO}.")
    return _full_range(values)


def _full_range(values: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers of any kind as float32 in [0, 255]: 0 to 1, 0 to 255, or all that the type holds."""
    if values.dtype == np.bool_:
        return values.astype(np.float32) * 255
    highest, lowest = float(values.max()), float(values.min())
    if lowest < 0:  # [-1, 1], as networks have it
        values, highest = values - lowest, highest - lowest
    full = 1.0 if highest <= 1 else 255.0 if highest <= 255 else 65535.0 if highest <= 65535 else highest
    return (values / full * 255).astype(np.float32)


def _decide(values: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    channels = values.shape[2]
    alpha = values[..., -1] if channels in (2, 4) else None
    colours = values[..., : 3 if channels >= 3 else 1]
    if alpha is not None and np.ptp(alpha) >= _NARROW:
        return _of_alpha(alpha, colours, name)
    tones = np.rint(colours.mean(-1)).astype(np.uint8)
    levels = np.flatnonzero(np.bincount(tones.ravel(), minlength=256))
    if len(levels) == 2 and levels[0] == 0:  # 0 and 1, or a label and nothing
        return _over(tones, levels[1])
    if 0 < levels[-1] < _NARROW:
        raise PictureError(
            f"{name} is no mask, its brightest tone is {levels[-1]} of 255, as in a map of labels: "
            f"{_WHAT_WOULD_DO}."
        )
    low, high = np.percentile(tones, [1, 99])
    between = (tones > low + _RINGING) & (tones < high - _RINGING)
    if (
        high - low >= _NARROW and between.mean() < _EDGES
    ):  # two colours, also as JPEG has them: the brighter one
        return _over(tones, (low + high) / 2)
    _refuse_picture(tones, np.ptp(colours, axis=-1), name)
    return _over(tones, 128)


def _of_alpha(alpha: NDArray[np.float32], colours: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """From what is opaque and what is not: strokes are opaque, a hole is transparent."""
    _refuse_picture(_stretched(alpha), np.zeros_like(alpha), name)
    opaque = alpha > (float(alpha.max()) + float(alpha.min())) / 2
    drawn = colours[opaque]
    is_flat = bool((np.percentile(drawn, 98, axis=0) - np.percentile(drawn, 2, axis=0)).max() < _FLAT)
    tones = drawn.mean(-1)
    is_black_and_white = ((tones < 64) | (tones > 191)).mean() > 1 - _MOST_COLOURED
    around = np.concatenate([opaque[0], opaque[-1], opaque[:, 0], opaque[:, -1]]).mean()
    if not is_flat and is_black_and_white and np.ptp(drawn, axis=-1).mean() < _COLOURED:
        return _over(np.where(opaque, colours.mean(-1), 0), 128)  # a mask with a transparent rim
    if around > _EDGE_OF_HOLE:
        return np.where(opaque, 0, 255).astype(np.uint8)
    if is_flat:
        return np.where(opaque, 255, 0).astype(np.uint8)
    raise PictureError(
        f"{name} looks like a cut-out, a picture on a transparent ground, not like a mask: {_WHAT_WOULD_DO}."
    )


def _refuse_picture(tones: NDArray[Any], colouring: NDArray[np.float32], name: str) -> None:
    """Raise PictureError where there are more mid-tones than soft edges have."""
    middle = (tones > 48) & (tones < 207)
    share = float(middle.mean())
    coloured = float((middle & (colouring > _COLOURED)).mean())
    counts = np.bincount(np.rint(tones[middle]).astype(int).clip(0, 255), minlength=256)
    patch = float(counts.max() / tones.size)
    if share <= _MOST_MID and coloured <= _MOST_COLOURED and patch <= _FLAT_PATCH:
        return
    if patch > 0.9 * share:
        like = f"{_percent(patch)} of it are one tone between black and white"
    elif patch > _FLAT_PATCH:
        like = "it looks like a photo, perhaps with an area greyed out"
    else:
        like = "it looks like a photo" if coloured > _MOST_COLOURED else "it looks like a picture in greys"
    raise PictureError(f"{name} is no mask, {like} ({_percent(share)} mid-tones): {_WHAT_WOULD_DO}.")


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    return (values - low) * (255 / (high - low))


def _over(values: NDArray[Any], threshold: float) -> NDArray[np.uint8]:
    return np.where(values >= threshold, 255, 0).astype(np.uint8)


# ------------------------------------------------------------------------------ against the photo


@dataclass(frozen=True)
class Covered:
    """Shares that a mask covers, in [0, 1]: of the picture, the head, the torso, and what is no person."""

    picture: float
    head: float
    torso: float
    ground: float

    @classmethod
    def of(cls, mask: NDArray[np.uint8], part: NDArray[np.uint8]) -> "Covered":
        """Of a mask (H, W), 255 = repaint, by the ``labels.Part`` (H, W) of the person."""
        painted = mask > 127

        def share(where: NDArray[np.bool_]) -> float:
            return float(painted[where].mean()) if where.any() else 0.0

        return cls(
            float(painted.mean()),
            share(np.isin(part, _HEAD)),
            share(np.isin(part, _TORSO)),
            share(part == Part.BACKGROUND),
        )

    @property
    def looks_inverted(self) -> bool:
        """Whether the ground would be repainted, and the person would not."""
        return self.ground > 0.8 and self.torso < 0.5

    @property
    def hides_face(self) -> bool:
        return self.head > 0.5


INVERT = "invert it (on the command line --invert-mask does): white is what is repainted"


def check_mask(mask: NDArray[np.uint8], size: tuple[int, int], part: NDArray[np.uint8]) -> list[str]:
    """Raise PictureError unless this mask can be meant for this photo; returns what should be told of it.

    mask  (H, W) uint8, 255 = repaint
    size  (height, width) of the photo
    part  (H, W) uint8, ``labels.Part`` of the person at the photo's size
    """
    if mask.shape != size:
        on_its_side = " It lies on its side: turn it." if mask.shape == size[::-1] else ""
        raise PictureError(
            f"the mask is {mask.shape[1]}x{mask.shape[0]}, the photo {size[1]}x{size[0]}: both must agree."
            + on_its_side
        )
    covered = Covered.of(mask, part)
    if covered.looks_inverted:
        ground, body = _percent(covered.ground), _percent(covered.torso)
        raise PictureError(
            f"the mask covers {ground} of the ground and {body} of the body, as if it were the wrong way "
            f"round: {INVERT}"
        )
    if covered.picture > MOST:
        raise PictureError(
            f"the mask covers {_percent(covered.picture)} of the picture and leaves nothing to go by: cover "
            f"what the garment covers; or {INVERT}"
        )
    if covered.hides_face:
        return [
            f"The mask covers {_percent(covered.head)} of the head, which will be somebody else's: leave the "
            f"face out; or, if the mask is the wrong way round, {INVERT}."
        ]
    return []


def check_worn(mask: NDArray[np.uint8], worn: NDArray[np.bool_], name: str) -> None:
    """Raise PictureError unless a training mask covers the worn garment rather than all but it.

    mask  (H, W) uint8, 255 = repaint
    worn  (H, W) bool, the garment by its labels
    """
    painted = mask > 127
    if not worn.any():
        return
    if painted.mean() > MOST:
        raise PictureError(
            f"{name} covers {_percent(float(painted.mean()))} of the picture: {_WHAT_WOULD_DO}"
        )
    on, off = float(painted[worn].mean()), float(painted[~worn].mean()) if not worn.all() else 0.0
    if on < 0.5 < off:
        raise PictureError(
            f"{name} covers {_percent(on)} of the worn garment and {_percent(off)} of the rest: it is the "
            "wrong way round; white is what is repainted"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
