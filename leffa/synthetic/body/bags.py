"""Bags: on a strap across the chest, on a shoulder, in a hand, or on the back; made on the posed body.

Nothing here is skinned: straps are laid over what the posed figure wears, as a taut band over its front.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from leffa.preprocess.labels import Landmark, Parse
from leffa.synthetic.body.mesh import Material, Mesh

CLEAR = 0.008  # metres between cloth and strap
TRUNK = 0.19  # metres from the middle of the mean body to where its arms begin
STEPS = 28


class Carry(str, Enum):
    """How a bag is carried."""

    ACROSS = "across"
    SHOULDER = "shoulder"
    HAND = "hand"
    BACK = "back"


@dataclass(frozen=True)
class Bag:
    """A bag. ``side`` is 1 for the person's left shoulder or hand, -1 for the right; ``size`` (3,) width,
    height and depth, ``strap`` the strap's width, ``drop`` how far below hip or hand it hangs, metres;
    ``turn`` degrees about the vertical; ``square`` 0 = a ball, 1 = a box."""

    carry: Carry
    side: int
    size: tuple[float, float, float]
    strap: float
    drop: float
    turn: float
    square: float


def draw_bag(rng: np.random.Generator) -> Bag:
    """A random bag."""
    carry = list(Carry)[int(rng.choice(4, p=[0.35, 0.25, 0.25, 0.15]))]
    size = (rng.uniform(0.18, 0.34), rng.uniform(0.13, 0.3), rng.uniform(0.05, 0.13))
    return Bag(
        carry=carry,
        side=int(rng.choice([-1, 1])),
        size=(float(size[0]), float(size[1]), float(size[2])),
        strap=float(rng.uniform(0.035, 0.06) if carry is Carry.BACK else rng.uniform(0.008, 0.045)),
        drop=float(rng.uniform(-0.05, 0.16)),
        turn=float(rng.normal(0, 25)),
        square=float(rng.uniform(0.6, 0.93)),
    )


def bag_meshes(bag: Bag, worn: list[Mesh], landmarks: np.ndarray) -> list[Mesh]:
    """The bag and its straps on a posed figure.

    worn       body and clothes, posed
    landmarks  (33, 3) of the figure, metres
    Returns no mesh where the bag cannot be carried, such as in a raised hand.
    """
    frame = _Frame(landmarks)
    if bag.carry is Carry.HAND:
        return _in_hand(bag, frame, landmarks)
    surface = frame.enter(_trunk(worn))
    shoulder, hip = (
        frame.enter(landmarks[list(_pair("SHOULDER"))]),
        frame.enter(landmarks[list(_pair("HIP"))]),
    )
    half, top = float(shoulder[0, 0] - shoulder[1, 0]) / 2, float(shoulder[:, 1].mean())
    low, wide = float(hip[:, 1].mean()), float(hip[0, 0] - hip[1, 0]) / 2
    start = np.array([0.62 * half, top + 0.05])
    if bag.carry is Carry.BACK:
        end = np.array([0.8 * half, top - 0.22])
        return [
            _band(frame, surface, start * [side, 1], end * [side, 1], bag.strap, bend=0.03 * side)
            for side in (-1, 1)
        ]
    if bag.carry is Carry.ACROSS:
        end = np.array([-(wide + 0.09), low - bag.drop])
        place = np.array([end[0] - 0.015, end[1] - bag.size[1] / 2, 0.03])
    else:
        start = np.array([0.86 * half, top + 0.04])
        end = np.array([0.86 * half + 0.05, low + 0.14 - bag.drop])
        place = np.array([end[0] + 0.03, end[1] - bag.size[1] / 2, -0.07])
    start, end, place = start * [bag.side, 1], end * [bag.side, 1], place * [bag.side, 1, 1]
    return [
        _band(frame, surface, start, end, bag.strap),
        _body(frame, place, bag),
    ]


def _pair(name: str) -> tuple[int, int]:
    return int(Landmark[f"LEFT_{name}"]), int(Landmark[f"RIGHT_{name}"])


class _Frame:
    """The person's own axes, upright: x to the left, y up, z ahead; the origin below the hips."""

    def __init__(self, landmarks: np.ndarray) -> None:
        left, right = landmarks[list(_pair("SHOULDER"))]
        hips = landmarks[list(_pair("HIP"))].mean(0)
        across = (left - right) * [1, 0, 1]
        x = across / max(float(np.linalg.norm(across)), 1e-6)
        y = np.array([0.0, 1.0, 0.0])
        self.axes = np.stack([x, y, np.cross(x, y)])
        self.origin = hips * [1, 0, 1]

    def enter(self, points: np.ndarray) -> np.ndarray:
        return (points - self.origin) @ self.axes.T

    def leave(self, points: np.ndarray) -> np.ndarray:
        return points @ self.axes + self.origin


def _trunk(worn: list[Mesh]) -> np.ndarray:
    """(n, 3) posed points of body and clothes without the arms."""
    dressed = [mesh for mesh in worn if not np.isin(mesh.material[:1], (Material.HAIR, Material.SHOE)).any()]
    near = [(mesh.field < 0) & (np.abs(mesh.canonical[:, 0]) < TRUNK) for mesh in dressed]
    return np.concatenate([mesh.points[own] for mesh, own in zip(dressed, near, strict=True)])


def _band(
    frame: _Frame, surface: np.ndarray, start: np.ndarray, end: np.ndarray, width: float, bend: float = 0.0
) -> Mesh:
    """A strap from ``start`` to ``end`` (x, y), taut over the trunk's front; ``bend`` metres to the side."""
    share = np.linspace(0, 1, STEPS)
    path = start + (end - start) * share[:, None]
    path[:, 0] += bend * np.sin(np.pi * share)
    height = np.full(STEPS, np.nan)
    for step, place in enumerate(path):
        near = np.hypot(*(surface[:, :2] - place).T) < 0.025
        if near.any():
            height[step] = surface[near, 2].max()
    known = ~np.isnan(height)
    height = np.interp(share, share[known], height[known]) if known.any() else np.full(STEPS, 0.12)
    taut = _envelope(share, height) + CLEAR
    taut[0] = min(taut[0], height[1])  # over the shoulder
    along = np.gradient(np.c_[path, taut], axis=0)
    across = np.cross(along, [0, 0, 1])
    across *= 0.5 * width / np.linalg.norm(across, axis=1, keepdims=True)
    middle = np.c_[path, taut]
    points = np.concatenate([middle - across, middle + across])
    faces = np.concatenate(_ribbon(np.arange(STEPS - 1), STEPS))
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))]
    uv = np.concatenate([np.c_[np.zeros(STEPS), length], np.c_[np.full(STEPS, width), length]])
    return _mesh(frame.leave(points), faces, uv)


def _envelope(share: np.ndarray, height: np.ndarray) -> np.ndarray:
    """The lowest concave curve above the heights: how a taut band lies."""
    kept: list[int] = []
    for index in range(len(share)):
        while len(kept) > 1:
            a, b = kept[-2:]
            line = height[a] + (height[index] - height[a]) * (share[b] - share[a]) / (share[index] - share[a])
            if height[b] > line:
                break
            kept.pop()
        kept.append(index)
    return np.interp(share, share[kept], height[kept])


def _body(frame: _Frame, place: np.ndarray, bag: Bag) -> Mesh:
    """The bag itself at ``place`` of the frame: a rounded box."""
    rows, columns = 13, 25
    latitude, longitude = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, rows), np.linspace(-np.pi, np.pi, columns), indexing="ij"
    )
    power = 1 - bag.square

    def rounded(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** power

    x = rounded(np.cos(latitude)) * rounded(np.cos(longitude))
    z = rounded(np.cos(latitude)) * rounded(np.sin(longitude))
    points = np.stack([x, rounded(np.sin(latitude)), z], -1).reshape(-1, 3) * np.array(bag.size) / 2
    corner = np.arange((rows - 1) * columns).reshape(rows - 1, columns)[:, :-1].ravel()
    faces = np.concatenate(_ribbon(corner, columns))
    uv = np.stack([longitude * bag.size[0] / 2, latitude * bag.size[1] / 2], -1).reshape(-1, 2)
    return _mesh(frame.leave(points @ _turn(bag) + place), faces[:, ::-1], uv)


def _in_hand(bag: Bag, frame: _Frame, landmarks: np.ndarray) -> list[Mesh]:
    name = "LEFT" if bag.side > 0 else "RIGHT"
    at = frame.enter(landmarks)
    wrist, elbow = at[Landmark[f"{name}_WRIST"]], at[Landmark[f"{name}_ELBOW"]]
    hand = (at[Landmark[f"{name}_INDEX"]] + at[Landmark[f"{name}_PINKY"]]) / 2
    hip = at[list(_pair("HIP")), 1].mean()
    if wrist[1] > elbow[1] - 0.1 or wrist[1] > hip + 0.15:
        return []
    drop = 0.1 + 0.5 * max(bag.drop, 0)
    place = hand - [0, drop + bag.size[1] / 2, 0]
    if place[1] < bag.size[1] / 2:
        return []
    angle = np.linspace(0, np.pi, STEPS)
    handle = np.stack([0.32 * bag.size[0] * np.cos(angle), (drop + 0.01) * np.sin(angle), 0 * angle], -1)
    turned = _turn(bag)
    middle = handle @ turned + hand - [0, drop, 0]
    depth = np.array([0, 0, bag.strap / 2]) @ turned
    wide = np.gradient(handle, axis=0) @ turned
    wide = np.cross(wide, np.array([0, 0, 1]) @ turned)
    wide *= 0.007 / np.linalg.norm(wide, axis=1, keepdims=True)
    ring = [middle - depth - wide, middle + depth - wide, middle + depth + wide, middle - depth + wide]
    points = np.concatenate(ring)
    faces = []
    for number in range(4):
        faces += _ribbon(np.arange(STEPS - 1) + number * STEPS, ((number + 1) % 4 - number) * STEPS)
    uv = np.tile(np.c_[np.zeros(STEPS), angle * 0.1], (4, 1))
    return [_mesh(frame.leave(points), np.concatenate(faces), uv), _body(frame, place, bag)]


def _ribbon(here: np.ndarray, step: int) -> list[np.ndarray]:
    """The faces (n, 3), twice, between each vertex of a row, the next one, and those ``step`` further on."""
    there = here + step
    return [np.stack([here, here + 1, there], 1), np.stack([here + 1, there + 1, there], 1)]


def _turn(bag: Bag) -> np.ndarray:
    """(3, 3), for rows of points, about the vertical."""
    turn = np.deg2rad(bag.turn)
    return np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])


def _mesh(points: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> Mesh:
    count = len(faces)
    return Mesh(
        points=points.astype(np.float32),
        canonical=points.astype(np.float32),
        faces=faces,
        uv=uv[faces].astype(np.float32),
        chart=np.zeros(count, np.uint8),
        label=np.full(count, Parse.BAG, np.uint8),
        material=np.full(count, Material.BAG, np.uint8),
        field=np.full(len(points), -1, np.float32),
    )
