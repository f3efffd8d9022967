"""Cloth as a function of texture coordinates: weaves, patterns and prints, anti-aliased exactly where simple.

A ``Fabric`` is a handful of numbers. Many fabrics are evaluated together: ``FabricTable`` stacks them, and
``albedo`` colours any number of surfels, each with its own fabric, on any torch device.
"""

import colorsys
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from leffa.synthetic.identity import weighted
from leffa.synthetic.paint.details import Detail, draw_details, sew
from leffa.synthetic.paint.patterns import (
    PAINTERS,
    FabricTable,
    Pattern,
    Points,
    Weave,
    edge,
    mix,
    other_tile,
)
from leffa.synthetic.paint.textures import NoiseBank, Pyramid

FREQUENCY = {
    Pattern.SOLID: 0.34, Pattern.STRIPES_ACROSS: 0.13, Pattern.STRIPES_ALONG: 0.05, Pattern.GINGHAM: 0.04,
    Pattern.TARTAN: 0.06, Pattern.DOTS: 0.05, Pattern.BLOBS: 0.06, Pattern.FLORAL: 0.06, Pattern.DENIM: 0.05,
    Pattern.KNIT: 0.05, Pattern.OMBRE: 0.03, Pattern.BLOCKS: 0.04, Pattern.ARGYLE: 0.01,
    Pattern.CHEVRON: 0.02, Pattern.LACE: 0.01,
}  # fmt: skip
PICTURE_SHARE = 0.4
LEATHER = ((0.05, 0.05, 0.055), (0.93, 0.92, 0.9), (0.3, 0.19, 0.12), (0.55, 0.42, 0.3), (0.4, 0.4, 0.42))
CHEST = 0.4  # metres: height of its middle on the mean body
PRINTABLE = (Pattern.SOLID, Pattern.KNIT, Pattern.OMBRE, Pattern.BLOCKS)


@dataclass(frozen=True)
class Fabric:
    """One cloth. Colours are sRGB in [0, 1], lengths metres.

    colours   (4, 3); period, duty, turn (radians) of the pattern
    bands     (5, 4) of offset, width, colour index and strength of tartan and stripes
    noise     which noise tile; phase (2,) where on it
    weave     strength of the fine grain; wrinkle of the bump; gloss of the highlight
    trim      whether hems carry a band of the fourth colour
    print_    index of the placed print in the picture bank, -1 = none; print_box centre x, y and size
    picture   index of the all-over picture, -1 = none; period is its size
    details   what is sewn on
    """

    pattern: Pattern
    colours: np.ndarray
    period: float
    duty: float
    turn: float
    bands: np.ndarray
    noise: int
    phase: np.ndarray
    weave: float
    wrinkle: float
    gloss: float
    trim: bool
    print_: int = -1
    print_box: tuple[float, float, float] = (0.0, 0.4, 0.2)
    picture: int = -1
    details: Detail = Detail.NONE


def draw_colour(rng: np.random.Generator) -> np.ndarray:
    """A garment colour: greys and near-blacks, blues, earth tones, and the rest of the wheel."""
    kind = rng.random()
    if kind < 0.26:
        value = rng.choice([0.03, 0.06, 0.1, 0.16, 0.3, 0.5, 0.72, 0.86, 0.93, 0.96])
        return np.clip(value + rng.normal(0, 0.02) + rng.normal(0, 0.012, 3), 0.01, 0.99)
    if kind < 0.42:
        hue, saturation, value = 0.58 + 0.07 * rng.random(), rng.uniform(0.3, 0.85), rng.uniform(0.1, 0.6)
    elif kind < 0.55:
        hue, saturation, value = rng.uniform(0.03, 0.13), rng.uniform(0.15, 0.65), rng.uniform(0.25, 0.9)
    elif kind < 0.65:
        hue, saturation, value = rng.random(), rng.uniform(0.08, 0.3), rng.uniform(0.75, 0.97)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.25, 0.95), rng.uniform(0.15, 0.97)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value))


def draw_palette(rng: np.random.Generator) -> np.ndarray:
    """(4, 3) colours that can be told apart; the first is the ground."""
    palette = [draw_colour(rng)]
    while len(palette) < 4:
        for _ in range(6):
            colour = draw_colour(rng)
            if rng.random() < 0.3:
                colour = (
                    np.array([0.94, 0.93, 0.9]) if palette[0].mean() < 0.5 else np.array([0.06, 0.06, 0.08])
                )
            if np.abs(colour - palette[0]).sum() > 0.45:
                break
        palette.append(colour)
    return np.stack(palette).astype(np.float32)


def draw_fabric(
    rng: np.random.Generator,
    prints: int = 0,
    pictures: int = 0,
    patterns: tuple[Pattern, ...] | None = None,
    style: str | None = None,
) -> Fabric:
    """Draw a fabric for a style of garment (see ``wardrobe``).

    ``prints`` and ``pictures`` are how many of each the bank holds (see ``textures``).
    """
    palette = draw_palette(rng)
    pattern = _draw_pattern(rng, pictures > 0, patterns)
    period, turn, phase = _draw_repeat(rng, pattern, palette)
    bands = np.stack(
        [rng.random(5), rng.uniform(0.03, 0.22, 5), rng.integers(1, 4, 5), rng.uniform(0.3, 0.95, 5)], 1
    )
    printed = prints > 0 and pattern in PRINTABLE and rng.random() < 0.55
    picture = int(rng.integers(pictures)) if pattern == Pattern.PICTURE and pictures else -1
    if pattern == Pattern.PICTURE and not pictures:
        pattern = Pattern.BLOBS
    side = rng.random() < 0.2
    return Fabric(
        pattern=pattern,
        colours=palette,
        period=period,
        duty=float(rng.uniform(0.15, 0.65)),
        turn=turn,
        bands=bands.astype(np.float32),
        noise=int(rng.integers(NoiseBank.SMOOTH, NoiseBank.COUNT)),
        phase=phase.astype(np.float32),
        weave=float(rng.uniform(0.004, 0.03)),
        wrinkle=float(rng.uniform(0.1, 0.5)) * (0.6 if pattern in (Pattern.KNIT, Pattern.DENIM) else 1),
        gloss=float(rng.choice([0.0, 0.015, 0.04, 0.1], p=[0.5, 0.3, 0.16, 0.04])),
        trim=bool(rng.random() < 0.25),
        print_=int(rng.integers(prints)) if printed else -1,
        print_box=(
            float(rng.uniform(0.04, 0.09)) if side else float(rng.normal(0, 0.006)),
            CHEST + float(rng.uniform(-0.06, 0.03)),
            float(rng.uniform(0.06, 0.1)) if side else float(rng.uniform(0.14, 0.32)),
        ),
        picture=picture,
        details=Detail.NONE if style is None else draw_details(rng, style),
    )


def _draw_pattern(
    rng: np.random.Generator, has_pictures: bool, patterns: tuple[Pattern, ...] | None
) -> Pattern:
    if patterns is not None:
        return patterns[int(rng.integers(len(patterns)))]
    pattern = weighted(rng, FREQUENCY)
    return Pattern.PICTURE if has_pictures and rng.random() < PICTURE_SHARE else pattern


def _draw_repeat(
    rng: np.random.Generator, pattern: Pattern, palette: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Period, turn and phase of a pattern; of denim the ground too, which goes into the palette."""
    period = float(np.exp(rng.uniform(np.log(0.012), np.log(0.12))))
    turn = rng.normal(0, 0.02)
    phase = rng.random(2)
    if pattern == Pattern.PICTURE:
        # About true to scale, and its middle on the middle of the chest, where a photographed print belongs.
        period = float(rng.uniform(0.18, 0.4))
        phase = np.array([0.5, 0.5 + (CHEST - 0.08) / period])
    elif pattern == Pattern.BLOBS:
        period = float(rng.uniform(0.2, 0.7))
    elif pattern == Pattern.TARTAN:
        period = float(rng.uniform(0.06, 0.26))
    elif pattern == Pattern.DENIM:
        shade = rng.uniform(0.5, 2.0)
        palette[0] = np.clip(np.array([0.16, 0.22, 0.36]) * shade + rng.normal(0, 0.015, 3), 0.02, 0.9)
    if rng.random() < 0.06:
        turn = float(rng.uniform(-0.8, 0.8))
    return period, turn, phase


def draw_leather(rng: np.random.Generator) -> Fabric:
    """What shoes are made of: plain, mostly black, white, brown or grey."""
    fabric = draw_fabric(rng, patterns=(Pattern.SOLID,))
    colours = fabric.colours.copy()
    if rng.random() < 0.8:
        colours[0] = np.array(LEATHER[int(rng.integers(5))]) * rng.uniform(0.8, 1.05)
        colours[3] = colours[0] * 0.6
    return replace(
        fabric, colours=colours, gloss=float(rng.uniform(0.02, 0.2)), trim=bool(rng.random() < 0.3)
    )


def albedo(
    table: FabricTable,
    points: Points,
    noise: NoiseBank,
    prints: Pyramid | None,
    pictures: Pyramid | None,
) -> Tensor:
    """sRGB colour (n, 3) in [0, 1] of every surfel's cloth, without light."""
    result = table.colours[points.fabric, 0].clone()
    kinds = table.pattern[points.fabric]
    for pattern in torch.unique(kinds).tolist():
        painter = PAINTERS.get(Pattern(pattern))
        if painter is None and pattern != Pattern.PICTURE:
            continue
        chosen = torch.nonzero(kinds == pattern)[:, 0]
        part = Points(*(getattr(points, name)[chosen] for name in Points.__dataclass_fields__))
        if pattern == Pattern.PICTURE:
            if pictures is not None:
                result[chosen] = _picture(table, part, pictures)
        elif painter is not None:
            result[chosen] = painter(Weave(table, part, noise))
    result = _placed_print(result, table, points, prints)
    fabric = points.fabric
    trim = table.trim[fabric] * edge((points.hem - 0.014), points.footprint) * (points.hem > -0.002)
    result = sew(mix(result, table.colours[fabric, 3], trim), table, points)
    seam = (
        torch.exp(-(((points.hem - 0.014) / 0.0018) ** 2)) * 0.22
        + torch.exp(-((points.hem / 0.002) ** 2)) * 0.18
    )
    grain = noise.at(torch.zeros_like(fabric) + NoiseBank.GRAIN, points.uv / 0.09)
    fade = (0.004 / points.footprint).clamp(max=1)
    blotch = noise.at(other_tile(table.noise[fabric], 1), points.uv / 0.4)
    tone = 1 + (table.weave[fabric] * grain * fade) + 0.02 * blotch - seam * fade
    return (result * tone[:, None]).clamp(0, 1)


def _picture(table: FabricTable, points: Points, pictures: Pyramid) -> Tensor:
    size = table.period[points.fabric]
    place = table.phase[points.fabric] + points.uv / size[:, None] * torch.tensor(
        [1.0, -1.0], device=size.device
    )
    return pictures.at(table.picture[points.fabric], place, points.footprint / size)[:, :3]


def _placed_print(base: Tensor, table: FabricTable, points: Points, prints: Pyramid | None) -> Tensor:
    """The print on the front, laid on by the canonical position, so that it crosses no seam."""
    which = table.print_[points.fabric]
    box = table.print_box[points.fabric]
    place = (
        torch.stack([points.canonical[:, 0] - box[:, 0], box[:, 1] - points.canonical[:, 1]], 1) / box[:, 2:]
        + 0.5
    )
    inside = (
        ((place > 0) & (place < 1)).all(1) & (points.canonical[:, 2] > 0.02) & points.torso & (which >= 0)
    )
    if prints is None or not bool(inside.any()):
        return base
    chosen = torch.nonzero(inside)[:, 0]
    size = box[chosen, 2]
    ink = prints.at(which[chosen], place[chosen], points.footprint[chosen] / size)
    fabric = points.fabric[chosen]
    one = mix(table.colours[fabric, 1], table.colours[fabric, 2], ink[:, 1])
    result = base.clone()
    result[chosen] = mix(base[chosen], one, ink[:, 0])
    return result


def bump(table: FabricTable, points: Points, noise: NoiseBank) -> Tensor:
    """(n, 2) slope of the fine wrinkles along u and v."""
    fabric = points.fabric
    tile = NoiseBank.COUNT - 3 + table.noise[fabric] % 3
    place = points.uv / 0.55 + table.phase[fabric]
    step = 0.012
    here = noise.at(tile, place)
    over = noise.at(tile, place + torch.tensor([step, 0.0], device=place.device))
    up = noise.at(tile, place + torch.tensor([0.0, step], device=place.device))
    return torch.stack([over - here, up - here], 1) * (1.1 * table.wrinkle[fabric])[:, None]
