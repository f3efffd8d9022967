"""Garments worn together: the outer is pushed outside the inner, what is covered is cut away.

Everything happens on the rest body, before posing. No depth tricks are needed afterwards.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from leffa.synthetic.body.baked import ARM_BONES, RestBody, load_body
from leffa.synthetic.cloth.drape import Drape, Envelope, polar, set_radius
from leffa.synthetic.cloth.garments import OPEN, Garment, Piece
from leffa.synthetic.cloth.meshes import load_cloth

GAP = 0.006
SEAM_GAP = 0.002
MARGIN = 0.03
FAR = 0.13
NEAR = 0.07


@dataclass
class Worn:
    """One piece on one rest body: ``points`` (n, 3), its own copy of the cut-out ``field`` and its layer.

    ``slack`` (n,) metres of air under sleeves, which gravity takes to the lower side once the arm is posed.
    """

    piece: Piece
    points: np.ndarray
    field: np.ndarray
    layer: int
    slack: np.ndarray | None = None


@lru_cache(maxsize=16)
def _nearest(source: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """For every point of one mesh the nearest point of another, and its distance, on the mean body."""
    points = load_body().mean.vertices if source == "body" else load_cloth(source).points
    distance, index = cKDTree(load_cloth(target).points).query(points)
    return index, distance


def covering(source: str, outer: Worn) -> np.ndarray:
    """The outer piece's field at the nearest of its points; ``OPEN`` where it is far. Negative = covered."""
    index, distance = _nearest(source, outer.piece.cloth.name)
    value = np.where(distance < (NEAR if source == "body" else FAR), outer.field[index], OPEN)
    if source == "body":
        value = np.where(_body_share("head", "eye") > 0.5, OPEN, value)
    if outer.piece.cloth.name == "skirt" and source in ("tights", "body"):
        arm = load_cloth("tights").arm if source == "tights" else _body_share(*ARM_BONES)
        value = np.where(arm > 0.25, OPEN, value)
    return value


@lru_cache(maxsize=4)
def _body_share(*bones: str) -> np.ndarray:
    return load_body().bone_share(*bones)


def wear(garments: list[Garment], rest: RestBody, drape: Drape) -> list[Worn]:
    """Put garments (inner to outer) on a rest body."""
    worn: list[Worn] = []
    for layer, garment in enumerate(garments):
        own = replace(drape, seed=drape.seed + 101 * layer)
        for number, piece in enumerate(garment.pieces):
            new = Worn(piece, piece.shape(piece, rest, own), piece.field.copy(), layer)
            gap = SEAM_GAP if number else GAP
            for inner in worn:
                _push_out(new, inner, gap)
            for inner in worn:
                hidden = -covering(inner.piece.cloth.name, new) - MARGIN
                inner.field = np.maximum(inner.field, hidden).astype(np.float32)
            new.slack = _slack(new, rest)
            worn.append(new)
    return worn


def _slack(item: Worn, rest: RestBody) -> np.ndarray | None:
    cloth = item.piece.cloth
    if cloth.name != "tights":
        return None
    air = np.einsum("nc,nc->n", item.points - cloth.fit(rest.vertices), cloth.normals) - 0.006
    return (np.clip(air, 0, 0.05) * np.clip(cloth.arm * 2 - 0.8, 0, 1)).astype(np.float32)


def _push_out(outer: Worn, inner: Worn, gap: float) -> None:
    """Move the outer piece's points outside the inner piece."""
    cloth = outer.piece.cloth
    if cloth.name == inner.piece.cloth.name:
        apart = np.einsum("nc,nc->n", outer.points - inner.points, cloth.normals)
        lack = np.where(inner.field < 0.02, np.clip(gap - apart, 0, 0.1), 0)
        outer.points = (outer.points + cloth.normals * lack[:, None]).astype(np.float32)
        return
    on_torso = inner.piece.cloth.arm < 0.3
    there = inner.points[on_torso & (inner.field < 0.02)]
    mine = (cloth.arm < 0.3) & (outer.field < 0.05)
    if not len(there) or not mine.any():
        return
    low = max(there[:, 1].min(), outer.points[mine, 1].min())
    high = min(there[:, 1].max(), outer.points[mine, 1].max())
    if high - low < 0.005:
        return
    envelope = Envelope(there, low, high, rows=max(int((high - low) / 0.012), 2))
    wanted = envelope.radius(outer.points) + gap
    moved = set_radius(outer.points, np.maximum(polar(outer.points)[1], wanted))
    outer.points = np.where(mine[:, None], moved, outer.points)


def bare(worn: list[Worn]) -> np.ndarray:
    """(V,) bool: body vertices that some garment does not surely hide."""
    shown = np.ones(load_body().count, bool)
    for item in worn:
        shown &= covering("body", item) > -MARGIN
    return shown
