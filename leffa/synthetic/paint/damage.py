"""What a camera and a file format do to a picture: blur, exposure, colour cast, grain, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Damage:
    """Amounts of everything a camera adds. ``blur`` is in pixels of a 256-pixel-high picture, ``grain`` in
    [0, 1] of full scale, ``quality`` of the JPEG (0 = none)."""

    blur: float = 0.0
    cast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    vignette: float = 0.0
    grain: float = 0.0
    quality: int = 0
    seed: int = 0


def draw_damage(rng: np.random.Generator, strong: bool) -> Damage:
    """Camera damage of a catalogue picture, or the stronger one of a snapshot."""
    scale = 1.0 if strong else 0.45
    cast = 1 + rng.normal(0, 0.04 * scale, 3)
    return Damage(
        blur=float(min(abs(rng.normal(0, 0.5 * scale)), 0.9)),
        cast=(float(cast[0]), float(cast[1]), float(cast[2])),
        gamma=float(np.exp(rng.normal(0, 0.14 * scale))),
        contrast=float(np.exp(rng.normal(0, 0.1 * scale))),
        vignette=float(max(rng.normal(0, 0.15 * scale), 0)),
        grain=float(rng.uniform(0, 0.022 * scale)),
        quality=int(rng.integers(60, 97)) if rng.random() < 0.6 else 0,
        seed=int(rng.integers(2**31)),
    )


def apply_damage(picture: np.ndarray, damage: Damage) -> np.ndarray:
    """Picture (H, W, 3) float32 in [0, 1] -> the same after the camera. No pixel moves."""
    height, width = picture.shape[:2]
    sigma = damage.blur * height / 256
    if sigma > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    picture = np.clip(picture * np.asarray(damage.cast, np.float32), 0, 1) ** damage.gamma
    picture = (picture - 0.5) * damage.contrast + 0.5
    if damage.vignette > 0.01:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        away = np.hypot(x / width - 0.5, y / height - 0.5)
        picture = picture * (1 - damage.vignette * away**2)[..., None]
    if damage.grain > 0.002:
        rng = np.random.default_rng(damage.seed)
        picture = picture + damage.grain * rng.standard_normal(picture.shape, np.float32)
    picture = np.clip(picture, 0, 1).astype(np.float32)
    if damage.quality:
        coded = cv2.imencode(
            ".jpg",
            np.round(picture[..., ::-1] * 255).astype(np.uint8),
            [cv2.IMWRITE_JPEG_QUALITY, damage.quality],
        )[1]
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255
    return picture
