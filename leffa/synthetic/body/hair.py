"""Hair and shoes: pieces cut from the scalp, the mane and the feet."""

from dataclasses import dataclass

import numpy as np

from leffa.preprocess.labels import Parse
from leffa.synthetic.body.baked import RestBody, load_body
from leffa.synthetic.cloth.drape import Drape
from leffa.synthetic.cloth.garments import Piece, level
from leffa.synthetic.cloth.meshes import load_cloth, unwrap


@dataclass(frozen=True)
class HairShape:
    """A haircut.

    thickness  metres off the scalp
    fringe     metres of forehead left free above the eyes
    nape       lengthens (negative) or shortens the back; sides the same at the temples
    crown      extra volume on top
    mane       height of the ends of long hair relative to the shoulder joint, None = short hair
    seed       of the strands
    """

    thickness: float = 0.014
    fringe: float = 0.055
    nape: float = 0.0
    sides: float = 0.0
    mane: float | None = None
    crown: float = 0.5
    seed: int = 0


def hair(shape: HairShape) -> list[Piece]:
    """The pieces of a haircut: the cap, and long hair behind and beside it."""
    pieces = [_cap(shape, 0.72), _cap(shape, 1.0, tufted=True)]
    if shape.mane is not None:
        pieces.append(_mane(shape))
    return pieces


def _eyes() -> np.ndarray:
    """The middle between the eyes of the mean body."""
    body = load_body()
    return (body.mean.heads[body.bones["eye.L"]] + body.mean.heads[body.bones["eye.R"]]) / 2


def _scalp_chart(points: np.ndarray, faces: np.ndarray, centre: np.ndarray) -> np.ndarray:
    angle = np.arctan2(points[:, 0], points[:, 2] - centre[2])
    return np.stack([unwrap(angle[faces]) * 0.09, points[:, 1][faces]], -1)


def _cap(shape: HairShape, share: float, tufted: bool = False) -> Piece:
    """Hair on the skull at a share of its thickness; the tufted outer shell breaks up the outline."""
    body, cloth = load_body(), load_cloth("head")
    eyes = _eyes()
    rng = np.random.default_rng(shape.seed)
    x, y, z = (cloth.points - eyes * [0, 1, 1]).T
    phase = rng.random(3) * 6.3
    ragged = 0.005 * np.sin(60 * x + phase[0]) + 0.004 * np.sin(131 * x + phase[1])
    line = shape.fringe + ragged + rng.uniform(-0.012, 0.014) * np.cos(x * 18)
    behind = np.maximum(z + 0.095 - shape.sides, -0.055 + shape.nape - y)
    temples = np.maximum(z + 0.04 - shape.sides + 0.5 * ragged, -0.012 - y)
    cut = np.minimum(np.minimum(line - y, behind), temples)
    ear = (np.hypot(z + 0.105, y + 0.012) < 0.034) & (np.abs(x) > 0.055)
    cut = np.where(ear, 0.02, cut)
    if tufted:
        cut = np.maximum(cut + 0.006, 0.02 * rng.standard_normal(len(cut)) - 0.012)
    centre = eyes - [0, 0, 0.09]

    def lift(piece: Piece, rest: RestBody, _: Drape) -> np.ndarray:
        points = piece.cloth.fit(rest.vertices)
        heads = rest.heads
        middle = (heads[body.bones["head"]] + heads[body.bones["eye.L"]] * [0, 1, 1]) / 2 * [0, 1, 1]
        outward = points - middle
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        grown = np.clip(-piece.field / 0.03, 0, 1)
        tufts = 0.8 + 0.2 * np.sin(25 * x + phase[0]) * np.sin(22 * y + phase[1])
        crown = 1 + 0.9 * shape.crown * np.clip((y - 0.05) / 0.06, 0, 1)
        lift_by = 0.003 + share * shape.thickness * grown * tufts * crown
        return (points + outward * lift_by[:, None]).astype(np.float32)

    chart = np.zeros(len(cloth.faces))
    return Piece(cloth, cut, chart, _scalp_chart(cloth.points, cloth.faces, centre), Parse.HAIR, lift)


def _mane(shape: HairShape) -> Piece:
    body, cloth = load_body(), load_cloth("mane")
    ends = level(body, "upperarm01.L") + float(shape.mane or 0)
    rng = np.random.default_rng([shape.seed, 1])
    phase = rng.random(4) * 6.3
    angle = np.arctan2(cloth.points[:, 0], cloth.points[:, 2])
    strands = 0.02 * np.sin(40 * angle + phase[0]) + 0.012 * np.sin(97 * angle + phase[1])
    eyes = _eyes()
    x, y, z = (cloth.points - eyes * [0, 1, 1]).T
    face = 1 - np.hypot(
        x / (0.07 + 0.006 * np.sin(50 * y + phase[0])), (y + 0.045) / (0.105 + shape.fringe / 2)
    )
    front = np.where(z > -0.07, np.minimum(face * 0.07, z + 0.07), -0.1)
    below = np.where((y < -0.1) & (z > -0.02), 0.075 - np.abs(x), -0.1)
    cut = np.maximum(np.maximum(ends + strands - cloth.points[:, 1], front), below)

    def fall(piece: Piece, rest: RestBody, _: Drape) -> np.ndarray:
        points = piece.cloth.fit(rest.vertices)
        down = np.clip(0.75 - piece.cloth.points[:, 1], 0, 0.5)
        wave = 0.004 * np.sin(30 * angle + phase[2]) + 0.012 * down * np.sin(26 * points[:, 1] + phase[3])
        return (points + piece.cloth.normals * wave[:, None]).astype(np.float32)

    uv = np.stack([unwrap(angle[cloth.faces]) * 0.1, cloth.points[:, 1][cloth.faces]], -1)
    return Piece(cloth, cut, np.zeros(len(cloth.faces)), uv, Parse.HAIR, fall)


def shoes(height: float = 0.03) -> Piece:
    """Shoes: the foot of the tights, a little larger, with a flat sole. ``height`` is above the ankle."""
    body, cloth = load_body(), load_cloth("feet")
    cut = cloth.points[:, 1] - (level(body, "foot.L") + height)

    def form(piece: Piece, rest: RestBody, _: Drape) -> np.ndarray:
        points = piece.cloth.fit(rest.vertices)
        low = points[:, 1].min()
        near = points[:, 1] < level(body, "foot.L", rest.heads) + 0.05
        for side in (piece.cloth.left, ~piece.cloth.left):
            own = near & side
            centre = points[own].mean(0)
            points[own] = centre + (points[own] - centre) * [1.12, 1.03, 1.06]
        sole = points[:, 1] < low + 0.022
        points[sole, 1] = np.minimum(points[sole, 1], low + 0.004)
        return points

    uv = cloth.points[cloth.faces][..., [2, 1]]
    return Piece(cloth, cut, np.zeros(len(cloth.faces)), uv, Parse.LEFT_SHOE, form)
