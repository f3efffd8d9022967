"""What a tailor adds: plackets, buttons, pockets, flies, waistbands, ribs, seams, as lines on the cloth."""

from enum import IntFlag

import numpy as np
import torch
from torch import Tensor

from leffa.synthetic.paint.patterns import FabricTable, Points

BUTTON_STEP = 0.075
LINE = 0.0013


class Detail(IntFlag):
    """Details of one garment; any of them together."""

    NONE = 0
    PLACKET = 1
    SHORT_PLACKET = 2
    CHEST_POCKET = 4
    FLY = 8
    HIP_POCKETS = 16
    WAISTBAND = 32
    RIB = 64
    SIDE_SEAMS = 128
    ZIP = 256
    PATCH_POCKETS = 512
    DRAWSTRING = 1024
    DARTS = 2048


DETAILS_OF_STYLE: dict[str, tuple[Detail, dict[Detail, float]]] = {
    "t_shirt": (Detail.NONE, {Detail.CHEST_POCKET: 0.08, Detail.SIDE_SEAMS: 0.6, Detail.RIB: 0.15}),
    "long_sleeve": (Detail.NONE, {Detail.SIDE_SEAMS: 0.6, Detail.RIB: 0.3}),
    "tank": (Detail.NONE, {Detail.SIDE_SEAMS: 0.6}),
    "crop": (Detail.NONE, {Detail.SIDE_SEAMS: 0.5, Detail.RIB: 0.2}),
    "shirt": (Detail.PLACKET | Detail.SIDE_SEAMS, {Detail.CHEST_POCKET: 0.5}),
    "polo": (Detail.SHORT_PLACKET, {Detail.RIB: 0.6}),
    "jacket": (Detail.SIDE_SEAMS, {Detail.PATCH_POCKETS: 0.6, Detail.RIB: 0.4}),
    "sweater": (Detail.NONE, {Detail.RIB: 0.85}),
    "trousers": (Detail.WAISTBAND, {Detail.HIP_POCKETS: 0.8}),
    "shorts": (Detail.WAISTBAND, {Detail.HIP_POCKETS: 0.8}),
    "skirt": (Detail.NONE, {Detail.WAISTBAND: 0.7, Detail.PLACKET: 0.15, Detail.PATCH_POCKETS: 0.15}),
    "dress": (Detail.NONE, {Detail.PLACKET: 0.2, Detail.DARTS: 0.3, Detail.SIDE_SEAMS: 0.5}),
}


def draw_details(rng: np.random.Generator, style: str) -> Detail:
    """Details that go with a style of garment (see ``wardrobe``)."""
    sure, perhaps = DETAILS_OF_STYLE.get(style, (Detail.NONE, {}))
    for detail, chance in perhaps.items():
        if rng.random() < chance:
            sure |= detail
    if style == "jacket":
        sure |= Detail.ZIP if rng.random() < 0.5 else Detail.PLACKET
    if style in ("trousers", "shorts"):
        soft = rng.random() < 0.3
        sure |= Detail.DRAWSTRING if soft else Detail.FLY | Detail.SIDE_SEAMS
    return sure


def sew(base: Tensor, table: FabricTable, points: Points) -> Tensor:
    """Colours (n, 3) with every fabric's details drawn on them."""
    kinds = table.details[points.fabric]
    if not bool((kinds > 0).any()):
        return base
    pen = _Pen(table, points)
    for detail, draw in _DRAWERS.items():
        pen.where = ((kinds & int(detail)) > 0).float()
        if bool(pen.where.any()):
            draw(pen)
    lined = base * (1 - 0.42 * pen.dark.clamp(0, 1))[:, None] * (1 + 0.1 * pen.light.clamp(0, 1))[:, None]
    button = table.colours[points.fabric, 3]
    return lined + (button - lined) * pen.button.clamp(0, 1)[:, None]


class _Pen:
    """Collects lines and buttons; coordinates are canonical, ``front`` masks the wearer's front."""

    def __init__(self, table: FabricTable, points: Points) -> None:
        self.x, self.y, z = points.canonical.unbind(1)
        self.across = self.x.abs()
        self.front = (z > 0.02).float()
        self.behind = z
        self.hem, self.u = points.hem, points.uv[:, 0]
        self.torso = points.torso.float()
        self.width = points.footprint
        self.spread = table.duty[points.fabric]
        self.where = torch.ones_like(self.x)
        self.dark, self.light, self.button = (torch.zeros_like(self.x) for _ in range(3))

    def line(self, distance: Tensor, mask: Tensor | float = 1.0, thick: float = LINE) -> None:
        """A stitched line where ``distance`` is 0, thinned out where a pixel is wider than it."""
        reach = torch.clamp(self.width * 0.7, min=thick)
        ink = torch.exp(-((distance / reach) ** 2)) * (thick / reach) ** 0.7
        self.dark = torch.maximum(self.dark, ink * mask * self.where)

    def disc(self, distance: Tensor, size: float, mask: Tensor | float = 1.0) -> None:
        """A button."""
        ink = (0.5 - (distance - size) / self.width.clamp(min=1e-4)).clamp(0, 1)
        self.button = torch.maximum(self.button, ink * mask * self.where)
        self.line(distance - size, mask)

    def segment(self, x0: float, y0: float, x1: float, y1: float, mask: Tensor | float = 1.0) -> None:
        """A line between two places, on both sides of the body."""
        dx, dy = x1 - x0, y1 - y0
        along = (((self.across - x0) * dx + (self.y - y0) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
        self.line(torch.hypot(self.across - x0 - along * dx, self.y - y0 - along * dy), mask)

    def box(self, x: float, y: float, half_width: float, half_height: float, mask: Tensor | float) -> None:
        """The outline of a rectangle, on the wearer's side where ``x`` lies."""
        away = torch.maximum((self.x - x).abs() - half_width, (self.y - y).abs() - half_height)
        self.line(away, mask)


def _placket(pen: _Pen) -> None:
    front = pen.front * pen.torso
    pen.line(pen.across - 0.015, front)
    pen.light = torch.maximum(pen.light, (pen.across < 0.015).float() * front * pen.where)
    row = torch.remainder(pen.y, BUTTON_STEP) - BUTTON_STEP / 2
    pen.disc(torch.hypot(pen.x, row), 0.0052, front)


def _short_placket(pen: _Pen) -> None:
    front = pen.front * pen.torso * (pen.y > 0.43).float()
    pen.line(pen.across - 0.014, front)
    pen.line(pen.y - 0.432, front * (pen.across < 0.014).float())
    row = torch.remainder(pen.y, 0.05) - 0.025
    pen.disc(torch.hypot(pen.x, row), 0.005, front)


def _chest_pocket(pen: _Pen) -> None:
    front = pen.front * pen.torso
    pen.box(0.08, 0.37, 0.042, 0.05, front)
    pen.line(pen.y - 0.405, front * ((pen.x - 0.08).abs() < 0.042).float())


def _fly(pen: _Pen) -> None:
    front = pen.front
    pen.line(pen.x - 0.022 * (1 - ((0.02 - pen.y) / 0.05).clamp(0, 1) ** 2), front * (pen.y > -0.03).float())
    pen.line(pen.x, front * (pen.y > -0.06).float())


def _hip_pockets(pen: _Pen) -> None:
    pen.segment(0.085, 0.12, 0.15, 0.02, pen.front)
    back = 1 - pen.front
    pen.box(0.085, 0.0, 0.055, 0.06, back)
    pen.box(-0.085, 0.0, 0.055, 0.06, back)


def _waistband(pen: _Pen) -> None:
    pen.line(pen.hem - 0.036, (pen.y > 0.08).float())


def _drawstring(pen: _Pen) -> None:
    front = pen.front * (pen.y > 0.03).float()
    gathers = torch.sin(pen.u / 0.0035 * 2) * (pen.hem < 0.036).float() * (pen.y > 0.08).float()
    pen.dark = torch.maximum(
        pen.dark, 0.25 * gathers.clamp(min=0) * (0.002 / pen.width).clamp(max=1) * pen.where
    )
    ends = pen.across - 0.012 - 0.1 * (0.12 - pen.y)
    pen.line(ends, front * (pen.y < 0.15).float(), 0.002)


def _rib(pen: _Pen) -> None:
    inside = (pen.hem < 0.045).float()
    fade = (0.0025 / pen.width).clamp(max=1)
    pen.dark = torch.maximum(
        pen.dark, inside * (0.28 + 0.3 * fade * torch.sin(pen.u / 0.0011)) * 0.5 * pen.where
    )
    pen.line(pen.hem - 0.045)


def _side_seams(pen: _Pen) -> None:
    pen.line(pen.behind - 0.02, pen.torso * (pen.across > 0.06).float())
    pen.line(pen.u.abs() - 0.1257, 1 - pen.torso)


def _zip(pen: _Pen) -> None:
    front = pen.front * pen.torso
    pen.line(pen.across - 0.008, front)
    pen.line(pen.x, front, 0.0025)


def _patch_pockets(pen: _Pen) -> None:
    front = pen.front
    for side in (1, -1):
        pen.box(side * 0.1, 0.12, 0.06, 0.065, front)
    pen.line(pen.y - 0.165, front * ((pen.across - 0.1).abs() < 0.06).float())


def _darts(pen: _Pen) -> None:
    pen.segment(0.085, 0.2, 0.08, 0.36, pen.front)


_DRAWERS = {
    Detail.PLACKET: _placket, Detail.SHORT_PLACKET: _short_placket, Detail.CHEST_POCKET: _chest_pocket,
    Detail.FLY: _fly, Detail.HIP_POCKETS: _hip_pockets, Detail.WAISTBAND: _waistband,
    Detail.DRAWSTRING: _drawstring, Detail.RIB: _rib, Detail.SIDE_SEAMS: _side_seams, Detail.ZIP: _zip,
    Detail.PATCH_POCKETS: _patch_pockets, Detail.DARTS: _darts,
}  # fmt: skip
