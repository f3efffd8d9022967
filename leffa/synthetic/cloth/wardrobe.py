"""Random garments, haircuts and outfits: which parameters make a T-shirt, a tank top, a pencil skirt."""

from collections.abc import Callable

import numpy as np

from leffa.config import Garment as Kind
from leffa.synthetic.body.hair import HairShape
from leffa.synthetic.cloth.collars import collar
from leffa.synthetic.cloth.garments import Garment, LegShape, SkirtShape, TopShape, dress, legs, skirt, top
from leffa.synthetic.identity import weighted

Draw = Callable[[np.random.Generator], TopShape]


def _neck(rng: np.random.Generator, *names: str) -> dict:
    name = str(rng.choice(names))
    depth = {"v": rng.uniform(0.03, 0.13), "scoop": rng.uniform(0.01, 0.1), "strap": rng.uniform(0.0, 0.07)}
    return {"neck": name, "depth": float(depth.get(name, 0.0))}


def draw_long(rng: np.random.Generator) -> float:
    """End of a long sleeve or a trouser leg, see ``TopShape``: most are worn to the wrist and the ankle."""
    return float(rng.uniform(1.82, 2.0) if rng.random() < 0.65 else rng.uniform(1.3, 1.85))


def _t_shirt(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=rng.uniform(0.25, 0.95),
        hem=rng.uniform(-0.11, 0.08),
        loose=rng.uniform(0.2, 1),
        ease=0.004,
        width=rng.uniform(0.05, 0.095),
        **_neck(rng, "crew", "crew", "v", "scoop"),
    )


def _long_sleeve(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=draw_long(rng),
        hem=rng.uniform(-0.1, 0.06),
        loose=rng.uniform(0.1, 0.9),
        ease=0.004,
        width=rng.uniform(0.035, 0.06),
        **_neck(rng, "crew", "v", "boat", "turtle", "scoop"),
    )


def _shirt(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=rng.choice([rng.uniform(0.6, 0.95), rng.uniform(1.8, 1.96)]),
        hem=rng.uniform(-0.1, 0.0),
        loose=rng.uniform(0.4, 1),
        ease=0.006,
        width=rng.uniform(0.05, 0.07),
        neck="v",
        depth=rng.uniform(0.0, 0.05),
    )


def _polo(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=rng.uniform(0.5, 0.9),
        hem=rng.uniform(-0.08, 0.02),
        loose=rng.uniform(0.2, 0.8),
        ease=0.005,
        width=rng.uniform(0.05, 0.07),
        neck="v",
        depth=rng.uniform(-0.02, 0.02),
    )


def _sweater(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=rng.uniform(1.8, 1.97),
        hem=rng.uniform(-0.06, 0.05),
        loose=rng.uniform(0.5, 1),
        ease=rng.uniform(0.009, 0.016),
        width=rng.uniform(0.055, 0.08),
        **_neck(rng, "crew", "turtle", "v"),
    )


def _tank(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=0.0,
        hem=rng.uniform(-0.06, 0.07),
        loose=rng.uniform(0.0, 0.9),
        ease=0.003,
        **_neck(rng, "strap", "strap", "scoop", "crew", "v"),
    )


def _crop(rng: np.random.Generator) -> TopShape:
    return TopShape(
        sleeve=rng.choice([0.0, rng.uniform(0.3, 0.9), rng.uniform(1.6, 1.95)]),
        hem=rng.uniform(0.12, 0.22),
        loose=rng.uniform(0.0, 0.7),
        ease=0.004,
        width=rng.uniform(0.045, 0.075),
        **_neck(rng, "crew", "scoop", "boat", "v"),
    )


def _jacket(rng: np.random.Generator) -> TopShape:
    opening = None
    neck = _neck(rng, "crew", "turtle", "v")
    if rng.random() < 0.6:
        opening = (rng.uniform(0.02, 0.11), rng.uniform(0.02, 0.08))
        neck = {"neck": "v", "depth": rng.uniform(0.0, 0.06)}
    return TopShape(
        sleeve=rng.uniform(1.8, 1.97),
        hem=rng.uniform(-0.14, 0.03),
        loose=rng.uniform(0.5, 1),
        ease=rng.uniform(0.012, 0.02),
        width=rng.uniform(0.06, 0.078),
        opening=opening,
        **neck,
    )


TOPS: dict[str, tuple[float, Draw]] = {
    "t_shirt": (0.3, _t_shirt),
    "long_sleeve": (0.16, _long_sleeve),
    "shirt": (0.12, _shirt),
    "polo": (0.06, _polo),
    "sweater": (0.12, _sweater),
    "tank": (0.12, _tank),
    "crop": (0.07, _crop),
    "jacket": (0.11, _jacket),
}


def draw_top(
    rng: np.random.Generator,
    style: str | None = None,
    alter: Callable[[TopShape], TopShape] = lambda shape: shape,
) -> Garment:
    """An upper garment of one of the styles in ``TOPS``, its shape altered."""
    if style is None:
        style = weighted(rng, {name: chance for name, (chance, _) in TOPS.items()})
    shape = alter(TOPS[style][1](rng))
    pieces = [top(shape)]
    if style in ("shirt", "polo"):
        pieces.append(collar(shape, rng.uniform(0.02, 0.06), rng.uniform(0.0, 0.08)))
    elif style == "jacket" and (shape.opening is not None or rng.random() < 0.4):
        lapel = rng.uniform(0.03, 0.075) if rng.random() < 0.7 else 0.0
        pieces.append(collar(shape, rng.uniform(0.02, 0.06), 0.08, lapel, rng.uniform(0.1, 0.32)))
    return Garment(Kind.UPPER, style, pieces)


BOTTOMS = {"trousers": 0.5, "shorts": 0.2, "skirt": 0.3}


def draw_bottom(rng: np.random.Generator, style: str | None = None, female: bool = True) -> Garment:
    """A lower garment of one of the styles in ``BOTTOMS``."""
    if style is None:
        style = weighted(rng, BOTTOMS if female else {**BOTTOMS, "skirt": BOTTOMS["skirt"] * 0.03})
    rise = rng.uniform(0.04, 0.17)
    if style == "skirt":
        shape = SkirtShape(
            length=rng.uniform(0.22, 0.95),
            rise=min(rise, 0.105),
            flare=rng.uniform(0.0, 0.75) ** 1.2,
            pleats=int(rng.integers(5, 18)),
        )
        return Garment(Kind.LOWER, style, [skirt(shape)])
    if style == "shorts":
        thigh = rng.uniform(0.08, 0.115)
        cut = LegShape(
            length=rng.uniform(0.3, 0.95), rise=rise, thigh=thigh, ankle=thigh * rng.uniform(0.85, 1.1)
        )
        return Garment(Kind.LOWER, style, [legs(cut)])
    thigh = rng.uniform(0.07, 0.11)
    ankle = {
        "tapered": rng.uniform(0.035, 0.05),
        "straight": thigh * rng.uniform(0.65, 1.0),
        "flared": rng.uniform(0.08, 0.13),
    }[str(rng.choice(["tapered", "straight", "flared"], p=[0.35, 0.45, 0.2]))]
    cut = LegShape(length=draw_long(rng), rise=rise, thigh=thigh, ankle=float(ankle))
    return Garment(Kind.LOWER, style, [legs(cut)])


def draw_dress(rng: np.random.Generator) -> Garment:
    """A one-piece dress, short or long."""
    upper = TopShape(
        sleeve=rng.choice([0.0, 0.0, rng.uniform(0.2, 0.95), draw_long(rng), draw_long(rng)]),
        loose=rng.uniform(0, 0.35),
        ease=0.004,
        width=rng.uniform(0.04, 0.095),
        **_neck(rng, "crew", "v", "scoop", "boat", "strap"),
    )
    lower = SkirtShape(
        length=rng.uniform(0.28, 0.65) if rng.random() < 0.45 else rng.uniform(0.6, 0.97),
        rise=rng.uniform(0.05, 0.1),
        flare=rng.uniform(0.0, 0.8),
        pleats=int(rng.integers(4, 16)),
    )
    return dress(upper, lower)


def draw_outfit(
    rng: np.random.Generator,
    kind: Kind,
    female: bool,
    style: str | None = None,
    main: Garment | None = None,
) -> tuple[list[Garment], int]:
    """Garments inner to outer with one of ``kind`` to try on; returns them and which one that is.

    ``main`` is the one to try on where it is given, else it is drawn.
    """
    if kind is Kind.DRESS:
        return [main or draw_dress(rng)], 0
    if main is None:
        main = draw_top(rng, style) if kind is Kind.UPPER else draw_bottom(rng, style, female)
    if kind is Kind.UPPER and main.style == "jacket":
        inner = draw_top(rng, str(rng.choice(["t_shirt", "long_sleeve", "tank"])))
        return [draw_bottom(rng, None, female), inner, main], 2
    if kind is Kind.UPPER:
        other = draw_bottom(rng, None, female)
        tucked = main.style in ("t_shirt", "shirt", "long_sleeve", "tank") and rng.random() < 0.3
        return ([main, other], 0) if tucked else ([other, main], 1)
    other = draw_top(rng, str(rng.choice(["t_shirt", "long_sleeve", "shirt", "sweater", "tank", "crop"])))
    tucked = other.style not in ("sweater", "crop") and rng.random() < 0.6
    return ([other, main], 1) if tucked else ([main, other], 0)


def draw_former(
    rng: np.random.Generator, kind: Kind, female: bool, garments: list[Garment], main: int
) -> tuple[list[Garment], tuple[int, ...]]:
    """What somebody wore before garment ``main`` of an outfit was put on, the rest unchanged.

    Returns the former outfit, in which the rest keeps its place, and which of it had to go.
    """
    former = list(garments)
    if kind is Kind.DRESS:
        if rng.random() < 0.7:
            return [draw_dress(rng)], (0,)
        top = draw_top(rng, str(rng.choice(["t_shirt", "long_sleeve", "shirt", "sweater", "tank"])))
        return [draw_bottom(rng, None, female), top], (0, 1)
    if kind is Kind.LOWER:
        former[main] = draw_bottom(rng, None, female)
        return former, (main,)
    if garments[main].style == "jacket":
        former[main] = draw_top(rng, "jacket")
        return former, (main,)
    if main == len(garments) - 1 and rng.random() < 0.15:
        inner = draw_top(rng, str(rng.choice(["t_shirt", "long_sleeve", "tank"])))
        return [*garments[:main], inner, draw_top(rng, "jacket")], (main, main + 1)
    styles = {style: chance for style, (chance, _) in TOPS.items() if style != "jacket"}
    former[main] = draw_top(rng, weighted(rng, styles))
    return former, (main,)


def draw_hair(rng: np.random.Generator, female: bool) -> HairShape | None:
    """A haircut, or none."""
    if rng.random() < (0.01 if female else 0.08):
        return None
    long = rng.random() < (0.7 if female else 0.06)
    return HairShape(
        thickness=rng.uniform(0.006, 0.024),
        fringe=rng.uniform(0.035, 0.07),
        nape=rng.uniform(-0.02, 0.02),
        sides=rng.uniform(-0.01, 0.01),
        mane=float(rng.uniform(-0.24, 0.12)) if long else None,
        crown=rng.uniform(0, 1.2),
        seed=int(rng.integers(2**31)),
    )


EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"mouthSmile": 0.45, "cheekSquint": 0.3, "eyeSquint": 0.25},
    {"mouthSmile": 0.8, "cheekSquint": 0.6, "eyeSquint": 0.4, "mouthUpperUp": 0.3, "mouthLowerDown": 0.2},
    {"mouthPress": 0.3, "browInnerUp": 0.3},
    {"mouthPucker": 0.25, "eyeSquint": 0.3},
    {"browDown": 0.4, "eyeSquint": 0.35},
    {"jawOpen": 0.14, "mouthSmile": 0.2},
    {"eyeBlink": 0.95, "mouthSmile": 0.2},
    {"mouthFrown": 0.25, "eyeSquint": 0.2},
)


def draw_expression(rng: np.random.Generator) -> dict[str, float]:
    """A facial expression; lids always a little lower than the base mesh's stare."""
    chosen = EXPRESSIONS[int(rng.integers(len(EXPRESSIONS)))]
    result = {"eyeBlinkLeft": 0.16, "eyeBlinkRight": 0.16}
    for name, amount in chosen.items():
        strength = float(np.clip(amount * rng.uniform(0.7, 1.3), 0, 1))
        names = (
            [name] if name in ("jawOpen", "mouthPucker", "browInnerUp") else [f"{name}Left", f"{name}Right"]
        )
        for one in names:
            result[one] = max(result.get(one, 0.0), strength)
    return result
