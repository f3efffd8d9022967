"""The look of one shading: colours of skin, hair and cloth, lights, background. Drawn, never stored."""

from dataclasses import dataclass

import numpy as np

from leffa.synthetic.paint.fabrics import Fabric

SKIN_TONES = np.array(
    [(0.95, 0.80, 0.71), (0.91, 0.74, 0.63), (0.87, 0.68, 0.56), (0.80, 0.60, 0.47), (0.72, 0.52, 0.39),
     (0.60, 0.41, 0.29), (0.48, 0.31, 0.22), (0.36, 0.23, 0.16), (0.31, 0.2, 0.145)], np.float32,
)  # fmt: skip
HAIR_TONES = np.array(
    [(0.04, 0.035, 0.03), (0.07, 0.05, 0.04), (0.13, 0.085, 0.055), (0.2, 0.13, 0.08), (0.31, 0.2, 0.12),
     (0.5, 0.36, 0.2), (0.68, 0.55, 0.35), (0.42, 0.17, 0.08), (0.55, 0.53, 0.51), (0.78, 0.77, 0.75)],
    np.float32,
)  # fmt: skip
EYE_TONES = np.array(
    [(0.22, 0.13, 0.08), (0.3, 0.2, 0.12), (0.33, 0.42, 0.52), (0.3, 0.36, 0.22)], np.float32
)


@dataclass(frozen=True)
class Complexion:
    """What stays with a person: colours, and how strongly lips, cheeks, brows and stubble show."""

    skin: np.ndarray
    hair: np.ndarray
    eyes: np.ndarray
    lips: float
    cheeks: float
    brows: float
    stubble: float


def draw_complexion(rng: np.random.Generator, female: bool, older: bool = False) -> Complexion:
    """Draw skin, hair and eyes that go together."""
    place = rng.uniform(0, len(SKIN_TONES) - 1)
    low = int(place)
    tone = SKIN_TONES[low] + (SKIN_TONES[min(low + 1, len(SKIN_TONES) - 1)] - SKIN_TONES[low]) * (place - low)
    fair = place < 3.5
    hair = HAIR_TONES[int(rng.integers(len(HAIR_TONES) - (0 if older else 2)) if fair or rng.random() < 0.15
                          else rng.integers(4))]  # fmt: skip
    return Complexion(
        skin=np.clip(tone * rng.uniform(0.94, 1.04) + rng.normal(0, 0.008, 3), 0.03, 0.97).astype(np.float32),
        hair=np.clip(hair * rng.uniform(0.8, 1.2), 0.01, 0.95).astype(np.float32),
        eyes=EYE_TONES[int(rng.integers(len(EYE_TONES)) if fair else rng.integers(2))],
        lips=float(rng.uniform(0.35, 0.95) if female else rng.uniform(0.2, 0.5)),
        cheeks=float(rng.uniform(0.1, 0.4)),
        brows=float(rng.uniform(0.45, 0.9)),
        stubble=0.0 if female or rng.random() < 0.5 else float(rng.uniform(0.1, 0.7)),
    )


@dataclass(frozen=True)
class Lighting:
    """Light of one picture.

    ambient  (9, 3) order-2 spherical harmonics of the irradiance over pi
    keys     (lights, 3) linear colour of each of the G-buffer's lights
    exposure overall factor; haze lifts the blacks
    """

    ambient: np.ndarray
    keys: np.ndarray
    exposure: float = 1.0


def draw_lighting(rng: np.random.Generator, lights: int) -> Lighting:
    """Studio, window, sun or overcast, with one or two of the G-buffer's lights on."""
    ambient = np.zeros((9, 3), np.float32)
    level = rng.uniform(0.45, 1.0)
    tint = 1 + rng.normal(0, 0.05, 3)
    ambient[0] = level * tint
    ambient[1:4] = rng.normal(0, 0.14, (3, 1)) * level + rng.normal(0, 0.03, (3, 3))
    ambient[1] += 0.14 * level
    ambient[4:9] = rng.normal(0, 0.05, (5, 1)) * level + rng.normal(0, 0.015, (5, 3))
    keys = np.zeros((lights, 3), np.float32)
    order = rng.permutation(lights)
    warm = rng.normal(0, 0.07)
    for rank, index in enumerate(order[: 1 + int(rng.random() < 0.45)]):
        strength = rng.uniform(0.25, 1.15) * (1 if rank == 0 else 0.45) * (1.3 - level * 0.7)
        keys[index] = strength * (1 + np.array([warm, 0, -warm]) + rng.normal(0, 0.02, 3))
    # A camera sets its exposure by what it sees: the sum of the lights comes out about the same.
    total = level + 0.55 * float(keys.mean(1).sum())
    exposure = float(np.exp(rng.normal(0.0, 0.16))) * (1.02 / total) ** 0.8
    return Lighting(ambient.astype(np.float32), keys, exposure)


def product_lighting(rng: np.random.Generator, lights: int) -> Lighting:
    """Even light from above and before, as in catalogues."""
    ambient = np.zeros((9, 3), np.float32)
    level = rng.uniform(0.6, 0.9)
    ambient[0] = level * (1 + rng.normal(0, 0.015, 3))
    ambient[1:4] = rng.normal(0, 0.05, (3, 1))
    ambient[1] += rng.uniform(0.0, 0.12)
    keys = np.zeros((lights, 3), np.float32)
    if lights:
        keys[int(rng.integers(lights))] = rng.uniform(0.15, 0.5) * (1 + rng.normal(0, 0.015, 3))
    return Lighting(ambient.astype(np.float32), keys, float(np.exp(rng.normal(0.02, 0.06))))


@dataclass(frozen=True)
class Look:
    """Everything the shader adds to a G-buffer.

    fabrics     one per garment, inner to outer; in a product shot just one
    shoes, bag  fabrics of the shoes and of the bag
    background  (H, W, 3) float32 sRGB
    contact     strength of the shadow that the figure throws on the background
    """

    fabrics: tuple[Fabric, ...]
    complexion: Complexion
    lighting: Lighting
    background: np.ndarray
    shoes: Fabric | None = None
    contact: float = 0.1
    bag: Fabric | None = None
