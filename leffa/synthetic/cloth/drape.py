"""How cloth leaves the body: hanging, wide sleeves, folds."""

import copy
import zlib
from dataclasses import dataclass

import numpy as np

from leffa.synthetic.cloth.meshes import AXIS_DEPTH, Cloth, Limb

COLUMNS = 48  # of an envelope, around the body


@dataclass(frozen=True)
class Drape:
    """One way for a garment to fold: every fold is drawn from the seed and scaled by ``amount``.

    ``bends`` are degrees by which joints are bent, named arm.L, arm.R, leg.L, leg.R: cloth piles up there.
    """

    seed: int
    amount: float = 1.0
    bends: tuple[tuple[str, float], ...] = ()

    def generator(self, name: str) -> np.random.Generator:
        """An own stream for each named set of folds, so that they do not depend on each other."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


class Envelope:
    """The largest radius of a surface about the body's vertical axis, by height and angle."""

    def __init__(self, points: np.ndarray, low: float, high: float, rows: int = 40) -> None:
        self._low, self._high = low, high
        self._shape = (rows, COLUMNS)
        angle, radius = polar(points)
        row, column = self._bin(points[:, 1], angle)
        inside = (points[:, 1] >= low) & (points[:, 1] <= high)
        grid = np.zeros(self._shape, np.float32)
        np.maximum.at(grid, (row[inside], column[inside]), radius[inside])
        for shift in (1, -1):
            grid = np.where(grid > 0, grid, np.roll(grid, shift, 1))
        self.grid = grid

    def _bin(self, height: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = self._shape
        row = np.clip((self._high - height) / (self._high - self._low) * (rows - 1), 0, rows - 1)
        return row.astype(int), ((angle + np.pi) / (2 * np.pi) * columns).astype(int) % columns

    def smoothed(self) -> "Envelope":
        """A softened copy, for cloth that bridges hollows."""
        grid = (self.grid + np.roll(self.grid, 1, 1) + np.roll(self.grid, -1, 1)) / 3
        for _ in range(2):
            grid[1:-1] = (grid[:-2] + grid[1:-1] + grid[2:]) / 3
        return self._with(grid)

    def falling(self) -> "Envelope":
        """A copy that never narrows downwards: what hanging cloth does below its widest point."""
        return self._with(np.maximum.accumulate(self.grid, 0))

    def _with(self, grid: np.ndarray) -> "Envelope":
        result = copy.copy(self)
        result.grid = grid
        return result

    def radius(self, points: np.ndarray) -> np.ndarray:
        """Radius of the surface at the points' height and angle; 0 outside its range of heights."""
        angle, _ = polar(points)
        inside = (points[:, 1] >= self._low) & (points[:, 1] <= self._high)
        return np.where(inside, self.grid[self._bin(points[:, 1], angle)], 0)


def polar(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angle and radius of points (n, 3) about the body's vertical axis."""
    across, along = points[:, 0], points[:, 2] - AXIS_DEPTH
    return np.arctan2(across, along), np.hypot(across, along)


def set_radius(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The points moved to these radii about the body's vertical axis."""
    return at_polar(polar(points)[0], points[:, 1], radius)


def at_polar(angle: np.ndarray, height: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Points (n, 3) at these angles, heights and radii about the body's vertical axis."""
    places = [np.sin(angle) * radius, height, AXIS_DEPTH + np.cos(angle) * radius]
    return np.stack(places, 1).astype(np.float32)


def hang(
    points: np.ndarray, on_torso: np.ndarray, high: float, low: float, loose: float, drape: Drape
) -> np.ndarray:
    """Let the torso's cloth fall from the chest and fold towards the hem."""
    envelope = Envelope(points[on_torso], low, high).falling().smoothed()
    angle, radius = polar(points)
    height = points[:, 1]
    wider = np.where(on_torso & (height <= high), np.clip(envelope.radius(points) - radius, 0, 0.2), 0)
    below = on_torso & (height < low)
    wider = np.where(below, np.clip(envelope.grid[-1].mean() - radius, 0, 0.05), wider)
    grow = np.clip((high - height) / (high - low), 0, 1) * on_torso
    rng = drape.generator("hang")
    phase = rng.random(5) * 2 * np.pi
    count = 4 + rng.integers(5)
    drift = rng.normal(0, 3)
    folds = np.sin(count * angle + phase[0] + drift * (height - high))
    folds = folds + 0.6 * np.sin((count + 3) * angle + phase[1] - drift * (height - high))
    folds = folds + 0.5 * np.sin(2 * angle + phase[2] + 20 * height)
    folds = folds + 0.4 * np.sin(5 * angle * np.sign(points[:, 0]) + 34 * height + phase[3])
    pull = np.hypot((np.abs(points[:, 0]) - 0.15) / 0.1, (height - high) / 0.12)
    rays = np.sin(95 * (height - high) + 70 * np.abs(points[:, 0]) + phase[4])
    folds = folds + 0.9 * rays * np.exp(-(pull**2))
    radius = radius + loose * wider + drape.amount * (0.003 + 0.007 * loose) * grow * folds
    return np.where(on_torso[:, None], set_radius(points, radius), points)


def slip(points: np.ndarray, on_torso: np.ndarray, high: float, low: float, drape: Drape) -> np.ndarray:
    """Let the torso's cloth slide on the body: a little around it and up and down, more towards the hem."""
    rng = drape.generator("slip")
    strength, phase = rng.normal(0, 1, 4), rng.random(4) * 2 * np.pi
    angle, radius = polar(points)
    grow = np.clip((high - points[:, 1]) / (high - low), 0, 1.2) * on_torso * drape.amount
    around = 0.035 * (strength[0] * np.sin(angle + phase[0]) + strength[1] * np.sin(3 * angle + phase[1]))
    along = 0.010 * (strength[2] * np.sin(angle + phase[2]) + strength[3] * np.sin(2 * angle + phase[3]))
    moved = at_polar(angle + around * grow, points[:, 1] + along * grow, radius)
    return np.where(on_torso[:, None], moved, points).astype(np.float32)


def slide(points: np.ndarray, limb: Limb, drape: Drape, name: str, most: float) -> np.ndarray:
    """Displacement (n, 3) of cloth that slides along and turns about a limb, more towards its end."""
    rng = drape.generator(f"slide.{name}")
    start = limb.foot[limb.along.argmin()]
    axis = limb.foot - start
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-6)
    turn = np.cross(axis, points - limb.foot) * (drape.amount * rng.normal(0, 0.09))
    wave = rng.normal(0, 0.6) + 0.5 * np.sin(limb.angle + rng.random() * 6.3)
    along = axis * (drape.amount * most * wave)[:, None]
    return (turn + along) * np.clip(limb.along, 0, 1.5)[:, None]


def ring_folds(limb: Limb, drape: Drape, name: str, height: float) -> np.ndarray:
    """Folds around a limb (n,), metres: rings that wander, densest at the middle joint."""
    rng = drape.generator(name)
    phase = rng.random(4) * 2 * np.pi
    rate = rng.uniform(10, 18)
    bent = 0.6 + dict(drape.bends).get(name, 0.0) / 45
    near_joint = bent * np.exp(-(((limb.along - 1) / 0.28) ** 2))
    near_end = np.exp(-(((limb.along - 1.9) / 0.2) ** 2))
    rings = np.sin(rate * limb.along + 2 * np.sin(limb.angle + phase[0]) + phase[1])
    rings = rings + 0.6 * np.sin(1.7 * rate * limb.along - 1.5 * np.sin(limb.angle + phase[2]) + phase[3])
    return drape.amount * height * (0.45 + 1.0 * near_joint + 0.8 * near_end) * rings


def inflate_arms(
    points: np.ndarray, cloth: Cloth, limbs: dict[str, Limb], width: float, drape: Drape
) -> np.ndarray:
    """Widen sleeves towards a radius and fold them."""
    for side, own in (("L", cloth.left), ("R", ~cloth.left)):
        limb = limbs[f"arm.{side}"]
        share = np.clip(cloth.arm * 2 - 0.6, 0, 1) * own
        taper = width * (1 - 0.12 * np.clip(limb.along, 0, 2))
        extra = np.clip(taper - limb.distance, 0, 0.06) * np.clip(limb.along * 2.5, 0.1, 1)
        extra = extra + 0.003 + ring_folds(limb, drape, f"arm.{side}", 0.0035) * np.clip(limb.along * 2, 0, 1)
        outward = (points - limb.foot) / np.maximum(limb.distance, 0.015)[:, None]
        slid = slide(points, limb, drape, f"arm.{side}", 0.008) * share[:, None]
        points = points + outward * (share * extra)[:, None] + slid
    return points.astype(np.float32)
