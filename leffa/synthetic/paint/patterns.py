"""Patterns of cloth as functions of texture coordinates, anti-aliased over a pixel's footprint.

They are drawn from places on cloth, and many fabrics' numbers in columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from leffa.synthetic.paint.textures import NoiseBank


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
    """Fabrics (``fabrics.Fabric``) stacked for evaluation on a device."""

    def __init__(self, fabrics: Sequence[object], device: torch.device | str = "cpu") -> None:
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
    """A wave that is 1 for a share ``duty`` of each unit of ``x``, box-filtered exactly over ``width``."""

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


def other_tile(tile: Tensor, step: int) -> Tensor:
    """Another of the smooth tiles."""
    count = NoiseBank.COUNT - NoiseBank.SMOOTH
    return NoiseBank.SMOOTH + (tile - NoiseBank.SMOOTH + step) % count


class Weave:
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
        """The fabrics' colour of this number (n, 3)."""
        return self.colours[:, index]


def _stripes(along: bool) -> Callable[[Weave], Tensor]:
    def paint(cloth: Weave) -> Tensor:
        x, width = (cloth.u if along else cloth.v) / cloth.period, cloth.width / cloth.period
        result = mix(cloth.colour(0), cloth.colour(1), stepped(x, cloth.duty, width))
        second = stepped(x + cloth.bands[:, 0, 0], 0.09 * torch.ones_like(x), width) * (
            cloth.bands[:, 1, 0] > 0.5
        )
        return mix(result, cloth.colour(2), second)

    return paint


def _gingham(cloth: Weave) -> Tensor:
    width = cloth.width / cloth.period
    across, along = stepped(cloth.u / cloth.period, 0.5, width), stepped(cloth.v / cloth.period, 0.5, width)
    return mix(cloth.colour(0), cloth.colour(1), (across + along) / 2)


def _tartan(cloth: Weave) -> Tensor:
    result, width = cloth.colour(0), cloth.width / cloth.period
    rows = torch.arange(len(cloth.u), device=cloth.u.device)
    for number in range(5):
        offset, size, which, strength = cloth.bands[:, number].T
        across = stepped(cloth.u / cloth.period + offset, size, width)
        along = stepped(cloth.v / cloth.period + offset, size, width)
        result = mix(result, cloth.colours[rows, which.long()], (across + along) / 2 * strength)
    return result


def _dots(cloth: Weave) -> Tensor:
    row = torch.floor(cloth.v / cloth.period)
    x = cloth.u / cloth.period + 0.5 * torch.remainder(row, 2)
    radius = torch.hypot(torch.frac(x - torch.floor(x)) - 0.5, cloth.v / cloth.period - row - 0.5)
    size = 0.15 + 0.3 * cloth.duty
    return mix(cloth.colour(0), cloth.colour(1), edge(radius - size, cloth.width / cloth.period))


def _blobs(cloth: Weave) -> Tensor:
    scale = cloth.period[:, None]
    first = cloth.noise.at(cloth.tile, cloth.uv / scale)
    second = cloth.noise.at(other_tile(cloth.tile, 2), cloth.uv / scale * 1.3 + 0.5)
    soft = (8 * cloth.width / cloth.period).clamp(min=0.05)
    result = mix(cloth.colour(0), cloth.colour(1), edge(0.3 - first, soft))
    result = mix(result, cloth.colour(2), edge(0.8 - second, soft))
    return mix(result, cloth.colour(3), edge(first + 1.1, soft) * (cloth.bands[:, 0, 0] > 0.5))


def _floral(cloth: Weave) -> Tensor:
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


def _denim(cloth: Weave) -> Tensor:
    grain = cloth.noise.at(torch.zeros_like(cloth.tile) + NoiseBank.GRAIN, cloth.uv / 0.06) * (
        0.003 / cloth.width
    ).clamp(max=1)
    faded = cloth.noise.at(other_tile(cloth.tile, 3), cloth.uv / 0.7)
    return cloth.colour(0) * (1 + 0.1 * grain + 0.14 * faded)[:, None]


def _knit(cloth: Weave) -> Tensor:
    size = 0.005 + 0.05 * cloth.duty * cloth.period
    fade = torch.exp(-((cloth.width / size) ** 2) * 2)
    stitch = torch.cos(2 * np.pi * cloth.u / size + 1.5 * torch.cos(2 * np.pi * cloth.v / (1.3 * size)))
    cable = torch.cos(2 * np.pi * cloth.u / 0.06) * (cloth.bands[:, 0, 0] > 0.6)
    return cloth.colour(0) * (1 + 0.13 * fade * stitch + 0.07 * cable)[:, None]


def _ombre(cloth: Weave) -> Tensor:
    amount = ((cloth.canonical[:, 1] - 0.42 + 0.45 * cloth.duty + 0.4) / 0.6).clamp(0, 1)
    return mix(cloth.colour(0), cloth.colour(1), amount)


def _blocks(cloth: Weave) -> Tensor:
    height = cloth.canonical[:, 1] + cloth.canonical[:, 0].abs() * (cloth.bands[:, 3, 0] - 0.5)
    result = mix(cloth.colour(0), cloth.colour(1), edge(0.25 + 0.25 * cloth.duty - height, cloth.width))
    stripe = edge((height - 0.24 - 0.25 * cloth.duty).abs() - 0.02, cloth.width)
    return mix(result, cloth.colour(2), stripe * (cloth.bands[:, 1, 0] > 0.5))


def _argyle(cloth: Weave) -> Tensor:
    size = cloth.period.clamp(min=0.05)
    a, b = (cloth.u + 0.6 * cloth.v) / size, (cloth.u - 0.6 * cloth.v) / size
    width = 1.3 * cloth.width / size
    diamond = stepped(a, 0.5, width) * stepped(b, 0.5, width)
    result = mix(cloth.colour(0), cloth.colour(1), diamond)
    line = (stepped(a + 0.26, 0.05, width) + stepped(b + 0.26, 0.05, width)).clamp(max=1)
    return mix(result, cloth.colour(2), line * 0.8)


def _chevron(cloth: Weave) -> Tensor:
    size = cloth.period.clamp(min=0.02)
    wave = torch.abs(torch.remainder(cloth.u / (2 * size), 1) - 0.5) * 2
    return mix(
        cloth.colour(0), cloth.colour(1), stepped(cloth.v / size + wave, 0.5, 1.5 * cloth.width / size)
    )


def _lace(cloth: Weave) -> Tensor:
    size = cloth.period.clamp(0.012, 0.04)
    width = cloth.width / size
    grid = torch.maximum(
        stepped((cloth.u + cloth.v) / size, 0.35, width), stepped((cloth.u - cloth.v) / size, 0.35, width)
    )
    flower = _dots(cloth)
    return mix(0.55 * cloth.colour(0), flower, grid)


PAINTERS = {
    Pattern.STRIPES_ACROSS: _stripes(False), Pattern.STRIPES_ALONG: _stripes(True), Pattern.GINGHAM: _gingham,
    Pattern.TARTAN: _tartan, Pattern.DOTS: _dots, Pattern.BLOBS: _blobs, Pattern.FLORAL: _floral,
    Pattern.DENIM: _denim, Pattern.KNIT: _knit, Pattern.OMBRE: _ombre, Pattern.BLOCKS: _blocks,
    Pattern.ARGYLE: _argyle, Pattern.CHEVRON: _chevron, Pattern.LACE: _lace,
}  # fmt: skip
