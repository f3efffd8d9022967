"""Curves as an SVG picture: panels side by side, one y axis, a legend below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#1f5fa8", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93", "#777777")
PANEL, HEIGHT, MARGIN, GAP = 210, 170, 46, 22

Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """title, and the curves by name, each a row of (x, y)."""

    title: str
    curves: Mapping[str, Curve]


def draw(panels: Sequence[Panel], across: str, up: str, low: float = 0.0) -> str:
    """The SVG. All panels share their axes, whose names are ``across`` and ``up``; y begins at ``low``."""
    points = [point for panel in panels for curve in panel.curves.values() for point in curve]
    right, top = max(x for x, _ in points), max(y for _, y in points) * 1.05
    low = min(low, *(y for _, y in points))
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    width, height = MARGIN + len(panels) * (PANEL + GAP), HEIGHT + 92
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text transform="translate(12,{28 + HEIGHT / 2}) rotate(-90)" text-anchor="middle">',
        f"{escape(up)}</text>",
    ]
    for number, panel in enumerate(panels):
        left = MARGIN + number * (PANEL + GAP)
        parts.append(f'<text x="{left + PANEL / 2}" y="18" text-anchor="middle">{escape(panel.title)}</text>')
        parts += _axes(left, right, low, top, labelled=number == 0)
        for name, curve in panel.curves.items():
            places = " ".join(
                f"{left + x / right * PANEL:.1f},{28 + (top - y) / (top - low) * HEIGHT:.1f}"
                for x, y in curve
            )
            colour = COLOURS[names.index(name) % len(COLOURS)]
            parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    parts.append(f'<text x="{width / 2}" y="{HEIGHT + 58}" text-anchor="middle">{escape(across)}</text>')
    step = (width - MARGIN) / len(names)
    for number, name in enumerate(names):
        x, colour = MARGIN + number * step, COLOURS[number % len(COLOURS)]
        parts.append(f'<rect x="{x:.0f}" y="{HEIGHT + 72}" width="14" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{x + 19:.0f}" y="{HEIGHT + 78}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(left: float, right: float, low: float, top: float, labelled: bool) -> list[str]:
    lines = [f'<rect x="{left}" y="28" width="{PANEL}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for part in range(5):
        x = left + part / 4 * PANEL
        lines.append(f'<text x="{x}" y="{HEIGHT + 42}" text-anchor="middle">{right * part / 4:.3g}</text>')
        y, value = 28 + HEIGHT - part / 4 * HEIGHT, low + (top - low) * part / 4
        lines.append(f'<path d="M{left} {y}h{PANEL}" stroke="#eee"/>')
        if labelled:
            lines.append(f'<text x="{left - 5}" y="{y + 4}" text-anchor="end">{value:.2g}</text>')
    return lines
