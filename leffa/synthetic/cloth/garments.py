"""Garments as cut-out fields and shapes on the cloth meshes.

A field is negative where there is cloth, in metres from the hem, so every hem, sleeve and neckline is a
continuous parameter. A shape function moves the cloth off the rest body: ease, looseness and folds. The folds
come from a drape seed, so the worn garment and its product shot can fold differently at the same texture
coordinates.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from leffa.config import Garment as Kind
from leffa.preprocess.labels import Parse
from leffa.synthetic.body.baked import Body, RestBody, load_body
from leffa.synthetic.cloth.drape import Drape, at_polar, hang, inflate_arms, polar, ring_folds, slide, slip
from leffa.synthetic.cloth.meshes import (
    ARM_RADIUS,
    AXIS_DEPTH,
    LEG_RADIUS,
    Cloth,
    limb_chart,
    limbs_of,
    load_cloth,
    torso_chart,
)

TORSO_CHART, LEFT_CHART, RIGHT_CHART = 0, 1, 2
OPEN = 0.2


@dataclass
class Piece:
    """One cut mesh of a garment.

    field   (n,) cut-out field on the cloth's points, negative = cloth
    faces   (F, 3) the faces that carry any cloth
    chart   (F,) which chart the texture coordinates belong to
    uv      (F, 3, 2) texture coordinates in metres
    label   Parse label
    shape   (piece, rest body, drape) -> (n, 3) points off the rest body
    sleeve  split (n,), texture coordinates (F, 3, 2) and chart (F,) of the second chart, see ``Mesh``
    """

    cloth: Cloth
    field: np.ndarray
    chart: np.ndarray
    uv: np.ndarray
    label: Parse
    shape: Callable[["Piece", RestBody, Drape], np.ndarray]
    sleeve: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    faces: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        keep = self.field[self.cloth.faces].min(1) <= 0
        self.faces, self.chart = self.cloth.faces[keep], self.chart[keep].astype(np.uint8)
        self.uv, self.field = self.uv[keep].astype(np.float32), self.field.astype(np.float32)
        if self.sleeve is not None:
            split, uv, chart = self.sleeve
            self.sleeve = (
                split.astype(np.float32),
                uv[keep].astype(np.float32),
                chart[keep].astype(np.uint8),
            )


@dataclass
class Garment:
    """What is worn as one: pieces that share one fabric. ``style`` is a word such as t_shirt."""

    kind: Kind
    style: str
    pieces: list[Piece]


@dataclass(frozen=True)
class TopShape:
    """Parameters of everything worn on the upper body.

    sleeve      end of the sleeve: 0 = none, 1 = elbow, 2 = wrist
    hem         metres above the hip joint
    neck        crew, v, scoop, boat, turtle or strap
    depth       metres by which v, scoop and strap necks go down
    loose       0 = follows the body, 1 = hangs straight from the chest
    ease        metres off the body everywhere
    width       radius in metres a sleeve wants to have, 0 = tight
    opening     half width in metres of an open front at hem and chest, None = closed
    """

    sleeve: float = 0.6
    hem: float = 0.0
    neck: str = "crew"
    depth: float = 0.08
    loose: float = 0.6
    ease: float = 0.005
    width: float = 0.06
    opening: tuple[float, float] | None = None


@dataclass(frozen=True)
class LegShape:
    """Parameters of trousers and shorts: ``length`` as a sleeve's, ``rise`` metres above the hip joint,
    radius in metres the leg wants at the thigh and at the ankle."""

    length: float = 1.95
    rise: float = 0.1
    thigh: float = 0.09
    ankle: float = 0.07


@dataclass(frozen=True)
class SkirtShape:
    """Parameters of skirts: ``length`` 0 = hip, 1 = ankle; ``flare`` relative widening at the ankle."""

    length: float = 0.5
    rise: float = 0.1
    flare: float = 0.3
    pleats: int = 9


def level(body: Body, bone: str, heads: np.ndarray | None = None) -> float:
    """Height of a bone's head, on the mean body unless other heads are given."""
    return float((body.mean.heads if heads is None else heads)[body.bones[bone]][1])


def neckline(points: np.ndarray, shape: TopShape) -> np.ndarray:
    """Field of the neck opening on the mean body."""
    body = load_body()
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    base = level(body, "neck01")
    front = z > body.mean.heads[body.bones["neck01"], 2]

    def ellipse(width: float, low_front: float, low_back: float) -> np.ndarray:
        return (1 - np.hypot(x / width, (y - base - 0.012) / np.where(front, low_front, low_back))) * 0.06

    if shape.neck == "turtle":
        return y - (base + 0.045)
    if shape.neck == "v":
        cut = np.where(front, y - (base - 0.05 - shape.depth + 1.5 * x), -OPEN)
        result = np.maximum(ellipse(0.078, 0.03, 0.03), cut)
    elif shape.neck == "scoop":
        result = ellipse(0.1, 0.06 + shape.depth, 0.045)
    elif shape.neck == "boat":
        result = ellipse(0.125, 0.06, 0.045)
    elif shape.neck == "strap":
        result = ellipse(0.105, 0.1 + shape.depth, 0.09 + 0.6 * shape.depth)
    else:
        result = ellipse(0.078, 0.068, 0.03)
    return np.maximum(result, np.where(x < 0.11, y - (base + 0.004), -OPEN))


def armholes(cloth: Cloth, shape: TopShape) -> np.ndarray:
    """Field of the sleeve ends, or of the armholes where there are no sleeves."""
    along = cloth.limb("arm").along
    if shape.sleeve > 0.05:
        return np.where(cloth.arm > 0.3, (along - shape.sleeve) * 0.3, -OPEN)
    body = load_body()
    joint = body.mean.heads[body.bones["upperarm01.L"]]
    x, y = np.abs(cloth.points[:, 0]), cloth.points[:, 1]
    inset = 0.045 if shape.neck == "strap" else 0.0
    hole = 1 - np.hypot((x - joint[0] - 0.02) / (0.045 + inset), (y - joint[1] + 0.02) / 0.105)
    return np.maximum(hole * 0.06, (cloth.arm - 0.35) * 0.2)


def top(shape: TopShape, label: Parse = Parse.UPPER_CLOTHES) -> Piece:
    """A top cut from the tights."""
    body, cloth = load_body(), load_cloth("tights")
    points, on_arm = cloth.points, cloth.arm > 0.5
    hem_level = level(body, "upperleg01.L") + shape.hem
    hem = np.where(on_arm, -OPEN, hem_level - points[:, 1])
    neck = np.where(on_arm, -OPEN, neckline(points, shape))
    cut = np.maximum(np.maximum(hem, armholes(cloth, shape)), neck)
    if shape.opening is not None:
        low, high = shape.opening
        rise = np.clip((points[:, 1] - hem_level) / 0.5, 0, 1)
        gap = low + (high - low) * rise
        cut = np.maximum(cut, np.where(points[:, 2] > AXIS_DEPTH, gap - np.abs(points[:, 0]), -OPEN))

    left_face = points[:, 0][cloth.faces].mean(1) > 0
    arm_uv = np.where(
        left_face[:, None, None],
        limb_chart(cloth, "arm.L", ARM_RADIUS),
        limb_chart(cloth, "arm.R", ARM_RADIUS),
    )
    sleeve = (cloth.arm - 0.5, arm_uv, np.where(left_face, LEFT_CHART, RIGHT_CHART))
    chart = np.full(len(cloth.faces), TORSO_CHART)

    def drape_top(piece: Piece, rest: RestBody, drape: Drape) -> np.ndarray:
        fitted = piece.cloth.fit(rest.vertices) + shape.ease * piece.cloth.normals
        chest = level(body, "spine01", rest.heads) - 0.02
        scale = (level(body, "neck01", rest.heads) - level(body, "foot.L", rest.heads)) / 1.375
        low = min(level(body, "upperleg01.L", rest.heads) + (shape.hem - 0.05) * scale, chest - 0.15)
        draped = hang(fitted, ~on_arm, chest, low, shape.loose, drape)
        draped = slip(draped, ~on_arm, chest, low, drape)
        return inflate_arms(
            draped, piece.cloth, limbs_of(draped, rest.heads, body, ("arm",)), shape.width, drape
        )

    return Piece(cloth, cut, chart, torso_chart(cloth), label, drape_top, sleeve)


def legs(shape: LegShape, label: Parse = Parse.PANTS) -> Piece:
    """Trousers or shorts cut from the tights."""
    body, cloth = load_body(), load_cloth("tights")
    points = cloth.points
    waist = level(body, "upperleg01.L") + shape.rise
    along = cloth.limb("leg").along
    cut = np.where(cloth.arm > 0.25, OPEN, np.maximum(points[:, 1] - waist, (along - shape.length) * 0.3))
    left_face = points[:, 0][cloth.faces].mean(1) > 0
    uv = np.where(
        left_face[:, None, None],
        limb_chart(cloth, "leg.L", LEG_RADIUS),
        limb_chart(cloth, "leg.R", LEG_RADIUS),
    )
    chart = np.where(left_face, LEFT_CHART, RIGHT_CHART)

    def drape_legs(piece: Piece, rest: RestBody, drape: Drape) -> np.ndarray:
        fitted = piece.cloth.fit(rest.vertices) + 0.004 * piece.cloth.normals
        limbs = limbs_of(fitted, rest.heads, body, ("leg",))
        for side, own in (("L", piece.cloth.left), ("R", ~piece.cloth.left)):
            limb = limbs[f"leg.{side}"]
            on_leg = own & (piece.cloth.arm < 0.3) & (limb.along > 0.1)
            wanted = shape.thigh + (shape.ankle - shape.thigh) * np.clip(limb.along / 2, 0, 1)
            start = np.clip((limb.along - 0.1) * 3, 0, 1)
            extra = np.clip(wanted - limb.distance, 0, 0.12) * start
            extra += ring_folds(limb, drape, f"leg.{side}", 0.0045) * start
            outward = (fitted - limb.foot) / np.maximum(limb.distance, 0.02)[:, None]
            slid = slide(fitted, limb, drape, f"leg.{side}", 0.008)
            fitted = np.where(on_leg[:, None], fitted + outward * extra[:, None] + slid, fitted)
        return fitted.astype(np.float32)

    return Piece(cloth, cut, chart, uv, label, drape_legs)


def skirt(shape: SkirtShape, label: Parse = Parse.SKIRT) -> Piece:
    """A skirt, or a dress's lower half, cut from the helper skirt."""
    body, cloth = load_body(), load_cloth("skirt")
    hip, ankle = level(body, "upperleg01.L"), level(body, "foot.L")
    hem = hip - shape.length * (hip - ankle)
    cut = np.maximum(cloth.points[:, 1] - (hip + shape.rise), hem - cloth.points[:, 1])

    def drape_skirt(piece: Piece, rest: RestBody, drape: Drape) -> np.ndarray:
        points = piece.cloth.fit(rest.vertices)
        high = level(body, "upperleg01.L", rest.heads) + shape.rise
        down = np.clip((high - points[:, 1]) / (high - level(body, "foot.L", rest.heads)), 0, 1)
        angle, radius = polar(points)
        rng = drape.generator("skirt")
        phase = rng.random(3) * 2 * np.pi
        wave = np.sin(shape.pleats * angle + phase[0] + 2 * down + 0.8 * np.sin(2 * angle + phase[1]))
        radius = radius * (1 + (shape.flare - 0.15) * down)
        radius += (
            drape.amount * (0.01 + 0.022 * max(shape.flare, 0.1)) * np.clip(down * 3, 0, 1) * wave + 0.004
        )
        points = at_polar(angle, points[:, 1], radius)
        return slip(points, np.ones(len(points), bool), high - 0.06, high - 0.7, drape)

    chart = np.full(len(cloth.faces), TORSO_CHART)
    return Piece(cloth, cut, chart, torso_chart(cloth), label, drape_skirt)


def dress(upper: TopShape, lower: SkirtShape) -> Garment:
    """A one-piece dress: a top to the waist and a skirt from there, in one fabric and one chart."""
    bodice = top(replace(upper, hem=lower.rise - 0.02), Parse.DRESS)
    return Garment(Kind.DRESS, "dress", [bodice, skirt(lower, Parse.DRESS)])
