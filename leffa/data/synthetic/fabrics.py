"""Cloth as a function of texture coordinates: weaves, patterns and prints, anti-aliased exactly where simple.

A ``Fabric`` is a handful of numbers. Many fabrics are evaluated together: ``FabricTable`` stacks them, and
``albedo`` colours any number of surfels, each with its own fabric, on any torch device.
"""

import colorsys
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from leffa.data.synthetic.details import Detail, draw_details, sew
from leffa.data.synthetic.textures import NoiseBank, Pyramid


class Pattern(IntEnum):
    """What is woven, knitted or printed all over a fabric."""

    SOLID = 0
    STRIPES_ACROSS = 1
    STRIPES_ALONG = 2
    GINGHAM = 3
    TARTAN = 4
    DOTS = 5
    BLOBS = 6
    FLORAL = 7
    DENIM = 8
    KNIT = 9
    OMBRE = 10
    BLOCKS = 11
    PICTURE = 12
    ARGYLE = 13
    CHEVRON = 14
    LACE = 15


FREQUENCY = {
    Pattern.SOLID: 0.34, Pattern.STRIPES_ACROSS: 0.13, Pattern.STRIPES_ALONG: 0.05, Pattern.GINGHAM: 0.04,
    Pattern.TARTAN: 0.06, Pattern.DOTS: 0.05, Pattern.BLOBS: 0.06, Pattern.FLORAL: 0.06, Pattern.DENIM: 0.05,
    Pattern.KNIT: 0.05, Pattern.OMBRE: 0.03, Pattern.BLOCKS: 0.04, Pattern.ARGYLE: 0.01, Pattern.CHEVRON: 0.02,
    Pattern.LACE: 0.01,
}  # fmt: skip
PICTURE_SHARE = 0.4
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
    chest: float = 0.40,
) -> Fabric:
    """Draw a fabric for a style of garment (see ``wardrobe``).

    ``prints`` and ``pictures`` are how many of each the bank holds (see ``textures``).
    """
    palette = draw_palette(rng)
    if patterns is None:
        names, chances = list(FREQUENCY), np.array(list(FREQUENCY.values()))
        pattern = names[int(rng.choice(len(names), p=chances / chances.sum()))]
        if pictures and rng.random() < PICTURE_SHARE:
            pattern = Pattern.PICTURE
    else:
        pattern = patterns[int(rng.integers(len(patterns)))]
    period = float(np.exp(rng.uniform(np.log(0.012), np.log(0.12))))
    turn = rng.normal(0, 0.02)
    phase = rng.random(2)
    if pattern == Pattern.PICTURE:
        # About true to scale, and its middle on the middle of the chest, where a photographed print belongs.
        period = float(rng.uniform(0.18, 0.4))
        phase = np.array([0.5, 0.5 + (chest - 0.08) / period])
    elif pattern == Pattern.BLOBS:
        period = float(rng.uniform(0.2, 0.7))
    elif pattern == Pattern.TARTAN:
        period = float(rng.uniform(0.06, 0.26))
    elif pattern == Pattern.DENIM:
        shade = rng.uniform(0.5, 2.0)
        palette[0] = np.clip(np.array([0.16, 0.22, 0.36]) * shade + rng.normal(0, 0.015, 3), 0.02, 0.9)
    if rng.random() < 0.06:
        turn = float(rng.uniform(-0.8, 0.8))
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
            chest + float(rng.uniform(-0.06, 0.03)),
            float(rng.uniform(0.06, 0.1)) if side else float(rng.uniform(0.14, 0.32)),
        ),
        picture=picture,
        details=Detail.NONE if style is None else draw_details(rng, style),
    )


def draw_leather(rng: np.random.Generator) -> Fabric:
    """What shoes are made of: plain, mostly black, white, brown or grey."""
    fabric = draw_fabric(rng, patterns=(Pattern.SOLID,))
    colours = fabric.colours.copy()
    if rng.random() < 0.8:
        ground = [
            (0.05, 0.05, 0.055),
            (0.93, 0.92, 0.9),
            (0.3, 0.19, 0.12),
            (0.55, 0.42, 0.3),
            (0.4, 0.4, 0.42),
        ]
        colours[0] = np.array(ground[int(rng.integers(5))]) * rng.uniform(0.8, 1.05)
        colours[3] = colours[0] * 0.6
    return replace(
        fabric, colours=colours, gloss=float(rng.uniform(0.02, 0.2)), trim=bool(rng.random() < 0.3)
    )


@dataclass(frozen=True)
class Points:
    """Where surfels lie on their cloth: uv (n, 2), canonical (n, 3), hem (n,), footprint (n,) metres a pixel
    spans, torso (n,) bool: on the torso chart, fabric (n,) long row of the table."""

    uv: Tensor
    canonical: Tensor
    hem: Tensor
    footprint: Tensor
    torso: Tensor
    fabric: Tensor


class FabricTable:
    """Fabrics stacked for evaluation on a device."""

    def __init__(self, fabrics: list[Fabric], device: torch.device | str = "cpu") -> None:
        def stack(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.as_tensor(np.array([getattr(fabric, name) for fabric in fabrics]), dtype=dtype).to(
                device
            )

        self.pattern, self.noise = stack("pattern", torch.long), stack("noise", torch.long)
        self.print_, self.picture = stack("print_", torch.long), stack("picture", torch.long)
        self.colours, self.bands, self.print_box = stack("colours"), stack("bands"), stack("print_box")
        self.period, self.duty, self.turn = stack("period"), stack("duty"), stack("turn")
        self.phase, self.weave = stack("phase"), stack("weave")
        self.wrinkle, self.gloss, self.trim = stack("wrinkle"), stack("gloss"), stack("trim")
        self.details = stack("details", torch.long)


def stepped(x: Tensor, duty: Tensor | float, width: Tensor) -> Tensor:
    """A wave that is 1 for a share ``duty`` of each unit of ``x``, averaged over ``width`` (exact box filter)."""

    def integral(value: Tensor) -> Tensor:
        whole = torch.floor(value)
        part = value - whole
        return whole * duty + torch.minimum(
            part, torch.as_tensor(duty, dtype=value.dtype, device=value.device)
        )

    width = width.clamp(min=1e-4)
    return ((integral(x + width / 2) - integral(x - width / 2)) / width).clamp(0, 1)


def edge(distance: Tensor, width: Tensor) -> Tensor:
    """1 inside (distance < 0), 0 outside, a ramp of ``width`` between."""
    return (0.5 - distance / width.clamp(min=1e-5)).clamp(0, 1)


def mix(base: Tensor, other: Tensor, amount: Tensor) -> Tensor:
    """Blend colours (n, 3) by amounts (n,)."""
    return base + (other - base) * amount[:, None]


def albedo(table: FabricTable, points: Points, noise: NoiseBank, prints: Pyramid | None, pictures: Pyramid | None
           ) -> Tensor:  # fmt: skip
    """sRGB colour (n, 3) in [0, 1] of every surfel's cloth, without light."""
    result = table.colours[points.fabric, 0].clone()
    kinds = table.pattern[points.fabric]
    for pattern in torch.unique(kinds).tolist():
        painter = _PAINTERS.get(Pattern(pattern))
        if painter is None and pattern != Pattern.PICTURE:
            continue
        chosen = torch.nonzero(kinds == pattern)[:, 0]
        part = Points(*(getattr(points, name)[chosen] for name in Points.__dataclass_fields__))
        if pattern == Pattern.PICTURE:
            if pictures is not None:
                result[chosen] = _picture(table, part, pictures)
        elif painter is not None:
            result[chosen] = painter(_Cloth(table, part, noise))
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
    blotch = noise.at(_other(table.noise[fabric], 1), points.uv / 0.4)
    tone = 1 + (table.weave[fabric] * grain * fade) + 0.02 * blotch - seam * fade
    return (result * tone[:, None]).clamp(0, 1)


def _other(tile: Tensor, step: int) -> Tensor:
    """Another of the smooth tiles."""
    count = NoiseBank.COUNT - NoiseBank.SMOOTH
    return NoiseBank.SMOOTH + (tile - NoiseBank.SMOOTH + step) % count


class _Cloth:
    """What a painter needs: the surfels' own parameters, turned texture coordinates and pixel footprint."""

    def __init__(self, table: FabricTable, points: Points, noise: NoiseBank) -> None:
        fabric = points.fabric
        self.colours, self.bands = table.colours[fabric], table.bands[fabric]
        self.period, self.duty = table.period[fabric], table.duty[fabric]
        turn = table.turn[fabric]
        cos, sin = torch.cos(turn), torch.sin(turn)
        phase = table.phase[fabric]
        self.u = points.uv[:, 0] * cos + points.uv[:, 1] * sin + phase[:, 0] * self.period
        self.v = points.uv[:, 1] * cos - points.uv[:, 0] * sin + phase[:, 1] * self.period
        self.uv, self.canonical = points.uv, points.canonical
        self.width = points.footprint
        self.noise, self.tile = noise, table.noise[fabric]

    def colour(self, index: int) -> Tensor:
        return self.colours[:, index]


def _stripes(along: bool):
    def paint(cloth: _Cloth) -> Tensor:
        x, width = (cloth.u if along else cloth.v) / cloth.period, cloth.width / cloth.period
        result = mix(cloth.colour(0), cloth.colour(1), stepped(x, cloth.duty, width))
        second = stepped(x + cloth.bands[:, 0, 0], 0.09 * torch.ones_like(x), width) * (
            cloth.bands[:, 1, 0] > 0.5
        )
        return mix(result, cloth.colour(2), second)

    return paint


def _gingham(cloth: _Cloth) -> Tensor:
    width = cloth.width / cloth.period
    across, along = stepped(cloth.u / cloth.period, 0.5, width), stepped(cloth.v / cloth.period, 0.5, width)
    return mix(cloth.colour(0), cloth.colour(1), (across + along) / 2)


def _tartan(cloth: _Cloth) -> Tensor:
    result, width = cloth.colour(0), cloth.width / cloth.period
    rows = torch.arange(len(cloth.u), device=cloth.u.device)
    for number in range(5):
        offset, size, which, strength = cloth.bands[:, number].T
        across = stepped(cloth.u / cloth.period + offset, size, width)
        along = stepped(cloth.v / cloth.period + offset, size, width)
        result = mix(result, cloth.colours[rows, which.long()], (across + along) / 2 * strength)
    return result


def _dots(cloth: _Cloth) -> Tensor:
    row = torch.floor(cloth.v / cloth.period)
    x = cloth.u / cloth.period + 0.5 * torch.remainder(row, 2)
    radius = torch.hypot(torch.frac(x - torch.floor(x)) - 0.5, cloth.v / cloth.period - row - 0.5)
    size = 0.15 + 0.3 * cloth.duty
    return mix(cloth.colour(0), cloth.colour(1), edge(radius - size, cloth.width / cloth.period))


def _blobs(cloth: _Cloth) -> Tensor:
    scale = cloth.period[:, None]
    first = cloth.noise.at(cloth.tile, cloth.uv / scale)
    second = cloth.noise.at(_other(cloth.tile, 2), cloth.uv / scale * 1.3 + 0.5)
    soft = (8 * cloth.width / cloth.period).clamp(min=0.05)
    result = mix(cloth.colour(0), cloth.colour(1), edge(0.3 - first, soft))
    result = mix(result, cloth.colour(2), edge(0.8 - second, soft))
    return mix(result, cloth.colour(3), edge(first + 1.1, soft) * (cloth.bands[:, 0, 0] > 0.5))


def _floral(cloth: _Cloth) -> Tensor:
    cell = (cloth.period * 1.4).clamp(min=0.025)
    column, row = torch.floor(cloth.u / cell), torch.floor(cloth.v / cell)
    chance = torch.sin(column * 12.99 + row * 78.2) * 43758.5
    chance = chance - torch.floor(chance)
    other = chance * 7.1 - torch.floor(chance * 7.1)
    x = cloth.u / cell - column - 0.32 - 0.36 * chance
    y = cloth.v / cell - row - 0.32 - 0.36 * other
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    petal = (0.16 + 0.1 * other) * (0.65 + 0.35 * torch.cos(5 * angle + 6 * chance))
    width = cloth.width / cell
    flower = mix(cloth.colour(1), cloth.colour(3), (chance > 0.6).float())
    result = mix(cloth.colour(0), flower, edge(radius - petal, width))
    return mix(result, cloth.colour(2), edge(radius - 0.06, width))


def _denim(cloth: _Cloth) -> Tensor:
    grain = cloth.noise.at(torch.zeros_like(cloth.tile) + NoiseBank.GRAIN, cloth.uv / 0.06) * (
        0.003 / cloth.width
    ).clamp(max=1)
    faded = cloth.noise.at(_other(cloth.tile, 3), cloth.uv / 0.7)
    return cloth.colour(0) * (1 + 0.1 * grain + 0.14 * faded)[:, None]


def _knit(cloth: _Cloth) -> Tensor:
    size = 0.005 + 0.05 * cloth.duty * cloth.period
    fade = torch.exp(-((cloth.width / size) ** 2) * 2)
    stitch = torch.cos(2 * np.pi * cloth.u / size + 1.5 * torch.cos(2 * np.pi * cloth.v / (1.3 * size)))
    cable = torch.cos(2 * np.pi * cloth.u / 0.06) * (cloth.bands[:, 0, 0] > 0.6)
    return cloth.colour(0) * (1 + 0.13 * fade * stitch + 0.07 * cable)[:, None]


def _ombre(cloth: _Cloth) -> Tensor:
    amount = ((cloth.canonical[:, 1] - 0.42 + 0.45 * cloth.duty + 0.4) / 0.6).clamp(0, 1)
    return mix(cloth.colour(0), cloth.colour(1), amount)


def _blocks(cloth: _Cloth) -> Tensor:
    height = cloth.canonical[:, 1] + cloth.canonical[:, 0].abs() * (cloth.bands[:, 3, 0] - 0.5)
    result = mix(cloth.colour(0), cloth.colour(1), edge(0.25 + 0.25 * cloth.duty - height, cloth.width))
    stripe = edge((height - 0.24 - 0.25 * cloth.duty).abs() - 0.02, cloth.width)
    return mix(result, cloth.colour(2), stripe * (cloth.bands[:, 1, 0] > 0.5))


def _argyle(cloth: _Cloth) -> Tensor:
    size = cloth.period.clamp(min=0.05)
    a, b = (cloth.u + 0.6 * cloth.v) / size, (cloth.u - 0.6 * cloth.v) / size
    width = 1.3 * cloth.width / size
    diamond = stepped(a, 0.5, width) * stepped(b, 0.5, width)
    result = mix(cloth.colour(0), cloth.colour(1), diamond)
    line = (stepped(a + 0.26, 0.05, width) + stepped(b + 0.26, 0.05, width)).clamp(max=1)
    return mix(result, cloth.colour(2), line * 0.8)


def _chevron(cloth: _Cloth) -> Tensor:
    size = cloth.period.clamp(min=0.02)
    wave = torch.abs(torch.remainder(cloth.u / (2 * size), 1) - 0.5) * 2
    return mix(
        cloth.colour(0), cloth.colour(1), stepped(cloth.v / size + wave, 0.5, 1.5 * cloth.width / size)
    )


def _lace(cloth: _Cloth) -> Tensor:
    size = cloth.period.clamp(0.012, 0.04)
    width = cloth.width / size
    grid = torch.maximum(
        stepped((cloth.u + cloth.v) / size, 0.35, width), stepped((cloth.u - cloth.v) / size, 0.35, width)
    )
    flower = _dots(cloth)
    return mix(0.55 * cloth.colour(0), flower, grid)


_PAINTERS = {
    Pattern.STRIPES_ACROSS: _stripes(False), Pattern.STRIPES_ALONG: _stripes(True), Pattern.GINGHAM: _gingham,
    Pattern.TARTAN: _tartan, Pattern.DOTS: _dots, Pattern.BLOBS: _blobs, Pattern.FLORAL: _floral,
    Pattern.DENIM: _denim, Pattern.KNIT: _knit, Pattern.OMBRE: _ombre, Pattern.BLOCKS: _blocks,
    Pattern.ARGYLE: _argyle, Pattern.CHEVRON: _chevron, Pattern.LACE: _lace,
}  # fmt: skip


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
