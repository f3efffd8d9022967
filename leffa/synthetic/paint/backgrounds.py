"""What stands behind people: studio paper, walls, rooms, streets and greenery, all drawn from numbers.

Drawn with OpenCV on the CPU, a few milliseconds a picture; sRGB float32 (H, W, 3) in [0, 1].
"""

import cv2
import numpy as np

from leffa.config import Garment
from leffa.synthetic.identity import weighted
from leffa.synthetic.paint.fabrics import draw_colour

KINDS = {"studio": 0.36, "wall": 0.2, "room": 0.17, "street": 0.13, "green": 0.08, "clutter": 0.06}


def cloud(rng: np.random.Generator, height: int, width: int, coarse: float, octaves: int = 4) -> np.ndarray:
    """(H, W) smooth noise of about unit variance; ``coarse`` = cells across the larger side."""
    total = np.zeros((height, width), np.float32)
    strength, weight = 1.0, 0.0
    for octave in range(octaves):
        cells = max(int(coarse * 2**octave), 2)
        grid = rng.standard_normal((cells + 2, max(int(cells * width / height), 2) + 2)).astype(np.float32)
        total += strength * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weight += strength**2
        strength *= 0.55
    return total / np.sqrt(weight)


def muted(rng: np.random.Generator, amount: float = 0.35) -> np.ndarray:
    """A wall or furniture colour: a garment colour drawn towards its own grey."""
    colour = draw_colour(rng)
    return (colour * amount + colour.mean() * (1 - amount)).astype(np.float32)


def draw_background(rng: np.random.Generator, height: int, width: int, kind: str | None = None) -> np.ndarray:
    """A background (H, W, 3). ``kind`` is one of ``KINDS``, drawn if not given."""
    if kind is None:
        kind = weighted(rng, KINDS)
    picture = _DRAWERS[kind](rng, height, width)
    return np.clip(picture, 0, 1).astype(np.float32)


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (y + 0.5) / height, (x + 0.5) / width


def _studio(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = _grid(height, width)
    if rng.random() < 0.35:
        colour = np.full(3, rng.uniform(0.93, 1.0)) + rng.normal(0, 0.006, 3)
    elif rng.random() < 0.6:
        colour = np.full(3, rng.uniform(0.55, 0.93)) + rng.normal(0, 0.015, 3)
    else:
        colour = muted(rng, 0.8) * 0.6 + 0.35
    centre = rng.uniform(0.25, 0.75), rng.uniform(0.1, 0.6)
    fall = np.hypot(x - centre[0], y - centre[1]) * rng.uniform(0, 0.28)
    picture = colour[None, None] * (1.03 - fall)[..., None]
    if rng.random() < 0.5:
        floor = 1 / (1 + np.exp(-(y - rng.uniform(0.8, 0.95)) * rng.uniform(8, 60)))
        picture = picture * (1 - rng.uniform(-0.05, 0.14) * floor)[..., None]
    if rng.random() < 0.2:
        angle = rng.uniform(-0.6, 0.6)
        shade = 1 / (1 + np.exp(-((x - rng.uniform(0, 1)) + angle * y) * rng.uniform(4, 40)))
        picture = picture * (1 - rng.uniform(0.03, 0.15) * shade)[..., None]
    return picture


def _bricks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W) factor of a brick or tile wall."""
    y, x = _grid(height, width)
    rows = rng.uniform(8, 40)
    ratio = rng.choice([1.0, 2.4, 3.0])
    row = np.floor(y * rows)
    shifted = x * width / height * rows / ratio + (0.5 * (row % 2) if ratio > 1 else 0)
    column = np.floor(shifted)
    chance = np.modf(np.abs(np.sin(row * 12.9898 + column * 78.233) * 43758.5453))[0]
    gap = (np.modf(y * rows)[0] < 0.08) | (shifted - column < 0.08 / ratio)
    return 1 + 0.2 * (chance - 0.5) - 0.22 * gap


def _wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = _grid(height, width)
    picture = np.broadcast_to(muted(rng) * 0.7 + 0.2, (height, width, 3)).astype(np.float32)
    picture = (
        picture * (1 + rng.uniform(0.01, 0.09) * cloud(rng, height, width, rng.uniform(2, 12)))[..., None]
    )
    kind = rng.random()
    if kind < 0.25:
        picture = picture * _bricks(rng, height, width)[..., None]
    elif kind < 0.4:
        panel = np.abs(np.modf(x * rng.uniform(3, 9))[0] - 0.5) > 0.485
        picture = picture * (1 - 0.25 * panel)[..., None]
    picture = (
        picture * (1 + rng.uniform(-0.25, 0.25) * (x - 0.5) + rng.uniform(-0.2, 0.1) * (y - 0.5))[..., None]
    )
    if rng.random() < 0.6:
        picture = _with_floor(rng, picture)
    return _soft(rng, picture, 1.2)


def _with_floor(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """A floor below a horizon, boards or tiles in perspective or plain."""
    height, width = picture.shape[:2]
    y, x = _grid(height, width)
    horizon = rng.uniform(0.62, 0.93)
    near = 1 / np.maximum(y - horizon + 0.12, 0.03)
    colour = muted(rng, 0.5) * 0.6 + 0.15
    factor = 1 + 0.06 * cloud(rng, height, width, 8)
    if rng.random() < 0.6:
        board = np.modf(np.abs((x - rng.uniform(0.2, 0.8)) * near * rng.uniform(1, 4)) + 50)[0]
        factor = factor * (1 - 0.3 * (board < 0.06)) * (1 + 0.12 * (board - 0.5))
    if rng.random() < 0.4:
        tile = np.modf(near * rng.uniform(1, 3))[0]
        factor = factor * (1 - 0.25 * (tile < 0.08))
    floor = colour[None, None] * factor[..., None]
    edge = np.clip((y - horizon) * height / 1.5, 0, 1)[..., None]
    skirting = (np.abs(y - horizon + 0.012) < 0.01)[..., None] * (rng.random() < 0.5)
    picture = np.where(skirting, rng.uniform(0.5, 0.95), picture)
    return picture * (1 - edge) + floor * edge


def _box(
    picture: np.ndarray, left: float, top: float, right: float, bottom: float, colour: np.ndarray
) -> None:
    height, width = picture.shape[:2]
    corner = (int(left * width), int(top * height)), (int(right * width), int(bottom * height))
    cv2.rectangle(picture, *corner, [float(v) for v in colour], -1)


def _room(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    picture = np.ascontiguousarray(_wall(rng, height, width), dtype=np.float32)
    for _ in range(int(rng.integers(1, 5))):
        left, top = rng.uniform(-0.1, 0.9), rng.uniform(-0.1, 0.5)
        wide, tall = rng.uniform(0.12, 0.5), rng.uniform(0.15, 0.6)
        kind = rng.random()
        frame = muted(rng) * 0.6 + 0.3 * rng.random()
        _box(picture, left, top, left + wide, top + tall, frame)
        inner = 0.015 + 0.02 * rng.random()
        if kind < 0.4:
            light = np.array([0.85, 0.92, 1.0]) * rng.uniform(0.75, 1.1)
            _box(picture, left + inner, top + inner, left + wide - inner, top + tall - inner, light)
            _box(picture, left + wide / 2 - 0.005, top, left + wide / 2 + 0.005, top + tall, frame)
        elif kind < 0.7:
            for _ in range(int(rng.integers(1, 4))):
                _box(picture, left + inner + rng.uniform(0, wide / 2), top + inner + rng.uniform(0, tall / 2),
                     left + wide - inner, top + tall - inner, muted(rng, 0.8))  # fmt: skip
        else:
            shelf = top + inner
            while shelf < top + tall - 0.05:
                spine = left + inner
                while spine < left + wide - inner:
                    thick = rng.uniform(0.008, 0.03)
                    _box(
                        picture,
                        spine,
                        shelf + rng.uniform(0, 0.03),
                        spine + thick * 0.9,
                        shelf + 0.1,
                        muted(rng, 0.9),
                    )
                    spine += thick
                shelf += 0.12
    for _ in range(int(rng.integers(0, 3))):
        left, wide, top = rng.uniform(-0.2, 0.9), rng.uniform(0.15, 0.6), rng.uniform(0.55, 0.8)
        colour = muted(rng, 0.6) * rng.uniform(0.4, 0.9)
        _box(picture, left, top, left + wide, top + 0.12, colour)
        _box(picture, left, top + 0.12, left + wide, 0.97, colour * 0.75)
    return _soft(rng, _light_patch(rng, picture), 3.2)


def _street(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, _ = _grid(height, width)
    sky = np.array([0.75, 0.85, 0.97]) * rng.uniform(0.75, 1.1) + rng.normal(0, 0.02, 3)
    picture = np.ascontiguousarray(
        np.broadcast_to(sky, (height, width, 3)) * (1 + 0.1 * y[..., None]), np.float32
    )
    left = -0.1
    horizon = rng.uniform(0.6, 0.85)
    while left < 1:
        wide, top = rng.uniform(0.15, 0.5), rng.uniform(-0.3, 0.35)
        wall = muted(rng, 0.5) * rng.uniform(0.5, 1)
        _box(picture, left, top, left + wide, horizon, wall)
        pane = wall * rng.uniform(0.3, 0.8) if rng.random() < 0.7 else np.array([0.9, 0.85, 0.6])
        step_x, step_y = rng.uniform(0.05, 0.12), rng.uniform(0.06, 0.14)
        for row in np.arange(top + 0.03, horizon - 0.08, step_y):
            for column in np.arange(left + 0.02, left + wide - 0.03, step_x):
                _box(
                    picture,
                    column,
                    row,
                    column + 0.55 * step_x,
                    row + 0.6 * step_y,
                    pane * rng.uniform(0.8, 1.2),
                )
        left += wide
    picture = _with_ground(rng, picture, horizon)
    return _soft(rng, _light_patch(rng, picture), 4.0)


def _with_ground(rng: np.random.Generator, picture: np.ndarray, horizon: float) -> np.ndarray:
    height, width = picture.shape[:2]
    y, _ = _grid(height, width)
    ground = muted(rng, 0.2) * 0.5 + 0.2
    texture = 1 + 0.07 * cloud(rng, height, width, 30, 2) + 0.06 * cloud(rng, height, width, 4)
    mask = (y > horizon)[..., None]
    return np.where(mask, ground * texture[..., None], picture).astype(np.float32)


def _green(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    hue = np.array([rng.uniform(0.18, 0.42), rng.uniform(0.3, 0.45), rng.uniform(0.12, 0.24)])
    leaves = cloud(rng, height, width, rng.uniform(6, 20), 5)
    picture = hue * (0.9 + 0.35 * leaves[..., None]) + 0.12 * np.clip(leaves, 0.6, 3)[..., None]
    if rng.random() < 0.6:
        sky = np.array([0.8, 0.88, 0.97])
        open_sky = 1 / (1 + np.exp(-(0.4 * cloud(rng, height, width, 4) + rng.uniform(0.1, 0.5)
                                     - 2 * _grid(height, width)[0]) * 9))  # fmt: skip
        picture = picture * (1 - open_sky[..., None]) + sky * open_sky[..., None]
    picture = _with_ground(rng, picture.astype(np.float32), rng.uniform(0.7, 0.95))
    return _soft(rng, picture, 4.0)


def _clutter(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    picture = np.ascontiguousarray(_wall(rng, height, width), dtype=np.float32)
    for _ in range(int(rng.integers(5, 22))):
        colour = [float(v) for v in np.clip(muted(rng, rng.uniform(0.3, 1)) * rng.uniform(0.5, 1.2), 0, 1)]
        if rng.random() < 0.5:
            centre = (int(rng.random() * width), int(rng.random() * height))
            size = (int(rng.uniform(0.02, 0.25) * width), int(rng.uniform(0.02, 0.25) * height))
            cv2.ellipse(picture, centre, size, float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            corners = rng.random((4, 2)) * 0.4 + rng.random(2) * 1.2 - 0.3
            hull = cv2.convexHull((corners * [width, height]).astype(np.int32))
            cv2.fillConvexPoly(picture, hull, colour)
    picture = picture * (1 + 0.08 * cloud(rng, height, width, 10))[..., None]
    return _soft(rng, picture, 4.0)


def _light_patch(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    y, x = _grid(height, width)
    glow = np.exp(-(((x - rng.random()) / 0.5) ** 2) - (((y - rng.random()) / 0.5) ** 2))
    picture = picture * (1 + rng.uniform(-0.3, 0.4) * glow)[..., None]
    return picture * (1 + 0.04 * cloud(rng, height, width, 5))[..., None]


def _soft(rng: np.random.Generator, picture: np.ndarray, most: float) -> np.ndarray:
    """Out of focus by a random amount, in pixels of a 256-pixel-high picture."""
    sigma = rng.uniform(0.0, most) * picture.shape[0] / 256
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma) if sigma > 0.3 else picture


_DRAWERS = {
    "studio": _studio,
    "wall": _wall,
    "room": _room,
    "street": _street,
    "green": _green,
    "clutter": _clutter,
}


def draw_product_ground(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """The ground of a product shot: mostly near-white, some grey, coloured or a table top."""
    kind = rng.random()
    y, x = _grid(height, width)
    if kind < 0.66:
        colour = np.full(3, rng.uniform(0.93, 1.0)) + rng.normal(0, 0.004, 3)
    elif kind < 0.82:
        colour = np.full(3, rng.uniform(0.6, 0.93)) + rng.normal(0, 0.01, 3)
    elif kind < 0.93:
        colour = muted(rng, 0.8) * 0.5 + 0.42
    else:
        wood = muted(rng, 0.5) * 0.5 + np.array([0.35, 0.27, 0.2])
        grain = cloud(rng, height, width, 3, 5)
        return np.clip(wood * (1 + 0.08 * grain + 0.05 * np.sin(x * 60 + 3 * grain))[..., None], 0, 1).astype(
            np.float32
        )
    fall = rng.uniform(0, 0.06) * np.hypot(x - 0.5, y - 0.5)
    return np.clip(colour * (1 - fall)[..., None], 0, 1).astype(np.float32)


def hang_up(rng: np.random.Generator, ground: np.ndarray, cover: np.ndarray, kind: Garment) -> np.ndarray:
    """The ground of a product shot with the hanger that the garment hangs on.

    cover  (H, W) share of each pixel that the garment covers
    """
    rows, columns = np.nonzero(cover > 0.5)
    if not len(rows):
        return ground
    height = len(ground)
    picture = np.array(ground, np.float32, order="C")
    colour = [float(value) for value in muted(rng, 0.6) * rng.uniform(0.3, 1)]
    thick = max(round(rng.uniform(0.006, 0.014) * height), 1)
    middle, top = float(columns.min() + columns.max()) / 2, float(rows.min())
    if kind is Garment.LOWER:
        waist = columns[rows < top + 0.03 * height]
        bar = top - rng.uniform(0.01, 0.03) * height
        ends = [(float(waist.min()) + 2, bar), (float(waist.max()) - 2, bar)]
        for x, y in ends:
            _stroke(picture, [(x, y), (x, top + 2)], colour, 2 * thick)
        _stroke(picture, ends, colour, thick)
        neck = bar
    else:
        inside = cover[:, round(middle)] > 0.5
        neck = float(np.flatnonzero(inside).min()) if inside.any() else top
        slope = rng.uniform(0.15, 0.3)
        wide = 0.22 * float(columns.max() - columns.min())
        arms = [
            (middle - wide, neck + slope * wide),
            (middle, neck - thick),
            (middle + wide, neck + slope * wide),
        ]
        _stroke(picture, arms, colour, 2 * thick)
    size = rng.uniform(0.02, 0.035) * height
    side = float(rng.choice([-1, 1]))
    angle = np.linspace(-0.5 * np.pi, 0.85 * np.pi, 14)
    stem = neck - rng.uniform(1.5, 2.5) * size
    hook = [(middle, neck), (middle, stem)]
    hook += [(middle + side * size * np.cos(a), stem - size - size * np.sin(a)) for a in angle]
    metal = [float(rng.uniform(0.3, 0.8))] * 3
    _stroke(picture, hook, metal, max(thick // 2, 1))
    return picture


def _stroke(
    picture: np.ndarray, points: list[tuple[float, float]], colour: list[float], thickness: int
) -> None:
    line = np.round(np.array(points) * 16).astype(np.int32)
    cv2.polylines(picture, [line], False, colour, thickness, cv2.LINE_AA, shift=4)
