"""Collars and lapels: a second layer of cloth around the neck, cut from the same tights."""

import numpy as np

from leffa.preprocess.labels import Parse
from leffa.synthetic.body.baked import RestBody, load_body
from leffa.synthetic.cloth.drape import Drape
from leffa.synthetic.cloth.garments import OPEN, Piece, TopShape, level
from leffa.synthetic.cloth.meshes import load_cloth, torso_chart

COLLAR_CHART = 3
STAND = 0.009


def _around_neck(points: np.ndarray, point: float, spread: float) -> np.ndarray:
    """Field of a turned-down collar: ``point`` metres its tips hang down, ``spread`` how far they part."""
    body = load_body()
    x, y = np.abs(points[:, 0]), points[:, 1]
    base = level(body, "neck01")
    front = points[:, 2] > body.mean.heads[body.bones["neck01"], 2]
    tip = 0.035 + 0.35 * spread
    lower = base - 0.016 - np.where(front, point * np.exp(-(((x - tip) / 0.03) ** 2)), 0.012)
    knot = base - 0.025
    gap = 0.008 + np.where(y < knot, (knot - y) * (0.3 + 6 * spread), (y - knot) * 0.35)
    cut = np.maximum(y - (base + 0.03), lower - y)
    neck = body.mean.heads[body.bones["neck01"]]
    away = np.hypot(x, 0.9 * (points[:, 2] - neck[2] + 0.01)) - np.where(front, 0.125, 0.105)
    return np.maximum(np.maximum(cut, np.where(front, gap - x, -OPEN)), np.maximum(away, x - 0.1))


def _beside_opening(points: np.ndarray, shape: TopShape, width: float, low: float) -> np.ndarray:
    """Field of lapels along an open front, from height ``low`` to the neck, ``width`` metres at the top."""
    body = load_body()
    x, y = np.abs(points[:, 0]), points[:, 1]
    hem = level(body, "upperleg01.L") + shape.hem
    bottom, chest = shape.opening or (0.0, 0.0)
    gap = bottom + (chest - bottom) * np.clip((y - hem) / 0.5, 0, 1)
    high = level(body, "neck01") - 0.03
    grown = np.clip((y - low) / (high - low), 0, 1)
    notch = np.where(np.abs(y - (high - 0.06)) < 0.012, 0.015, 0.0)
    leaf = np.maximum(x - gap - 0.008 - width * grown**0.8 + notch, gap - x - 0.001)
    return np.where(points[:, 2] > 0.02, np.maximum(np.maximum(leaf, low - y), y - high - 0.02), OPEN)


def collar(
    shape: TopShape, point: float = 0.045, spread: float = 0.03, lapel: float = 0.0, low: float = 0.2
) -> Piece:
    """A collar that goes with a top; ``lapel`` > 0 adds lapels of that width along an open front."""
    cloth = load_cloth("tights")
    cut = _around_neck(cloth.points, point, spread)
    if lapel > 0 and shape.opening is not None:
        cut = np.minimum(cut, _beside_opening(cloth.points, shape, lapel, low))
    cut = np.where(cloth.arm > 0.4, OPEN, cut)
    # Cut across the weave, as collars are: the texture is turned by a right angle.
    uv = torso_chart(cloth)[..., ::-1] + np.array([0.37, 0.21])

    def stand_off(piece: Piece, rest: RestBody, _: Drape) -> np.ndarray:
        away = shape.ease + STAND
        return (piece.cloth.fit(rest.vertices) + away * piece.cloth.normals).astype(np.float32)

    return Piece(cloth, cut, np.full(len(cloth.faces), COLLAR_CHART), uv, Parse.UPPER_CLOTHES, stand_off)
