"""The meshes garments are cut from, with everything about them that does not depend on the wearer.

MakeHuman's base mesh carries two helper surfaces, tights around the whole body and a skirt. Each is refined
by Loop subdivision; as sparse matrices those work for every body shape at once. A garment is a part of such
a mesh, cut out by a scalar field.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from leffa.synthetic.body.baked import ARM_BONES, HEAD_BONES, Body, load_body

ARM_RADIUS = 0.055
LEG_RADIUS = 0.08
AXIS_DEPTH = 0.02


@dataclass(frozen=True)
class Limb:
    """Where points lie along one arm or leg.

    along     0 at shoulder or hip, 1 at elbow or knee, 2 at wrist or ankle
    angle     about the bone, 0 = front, radians
    length    metres along the bones from shoulder or hip
    distance  metres from the bone axis
    foot      (n, 3) the nearest point of the axis
    """

    along: np.ndarray
    angle: np.ndarray
    length: np.ndarray
    distance: np.ndarray
    foot: np.ndarray


@dataclass(frozen=True)
class Cloth:
    """A mesh to cut garments from. Arrays are on the mean body in rest pose.

    source    indices of the body's vertices it is made of
    refine    sparse (n, len(source)): its points from theirs
    faces     (F, 3)
    points    (n, 3), normals (n, 3): near enough for a few millimetres on any other body
    weights   sparse (n, J) skin weights
    arm       (n,) share of the skin weight on the arms
    limbs     "arm.L", "arm.R", "leg.L", "leg.R" -> ``Limb`` of its points
    """

    name: str
    source: np.ndarray
    refine: sparse.csr_matrix
    faces: np.ndarray
    points: np.ndarray
    normals: np.ndarray
    weights: sparse.csr_matrix
    arm: np.ndarray
    limbs: dict[str, Limb]

    def fit(self, vertices: np.ndarray) -> np.ndarray:
        """Its points (n, 3) on a body with these rest vertices."""
        return np.asarray(self.refine @ vertices[self.source], np.float32)

    @property
    def left(self) -> np.ndarray:
        """(n,) bool: points on the person's left."""
        return self.points[:, 0] > 0

    def limb(self, name: str) -> Limb:
        """``Limb`` coordinates with the person's own side taken for every point: name is arm or leg."""
        one, other = self.limbs[f"{name}.L"], self.limbs[f"{name}.R"]
        left = self.left
        merged = [
            np.where(left if a.ndim == 1 else left[:, None], a, b)
            for a, b in ((getattr(one, key), getattr(other, key)) for key in Limb.__dataclass_fields__)
        ]
        return Limb(*merged)


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (n, 3)."""
    corner = points[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    flat = faces.ravel()
    summed = np.stack([np.bincount(flat, np.repeat(normal[:, axis], 3), len(points)) for axis in range(3)], 1)
    return (summed / (np.linalg.norm(summed, axis=1, keepdims=True) + 1e-12)).astype(np.float32)


def limb_coordinates(points: np.ndarray, chain: list[np.ndarray]) -> Limb:
    """``Limb`` coordinates of points about a chain of three joints."""
    candidates = []
    offset = 0.0
    for k in range(2):
        direction = chain[k + 1] - chain[k]
        length = float(np.linalg.norm(direction))
        direction = direction / length
        along = (points - chain[k]) @ direction / length
        along = np.minimum(along, 1) if k == 0 else np.maximum(along, 0)
        foot = chain[k] + along[:, None] * length * direction
        across = points - foot
        side = np.cross(direction, [0, 0, 1.0])
        side /= np.linalg.norm(side)
        front = np.cross(side, direction)
        angle = np.arctan2(across @ side, across @ front)
        distance = np.linalg.norm(across, axis=1)
        candidates.append((along + k, angle, along * length + offset, distance, foot))
        offset += length
    nearer = candidates[1][3] < candidates[0][3]
    merged = [
        np.where(nearer if a.ndim == 1 else nearer[:, None], b, a).astype(np.float32)
        for a, b in zip(*candidates, strict=True)
    ]
    return Limb(*merged)


CHAINS = {
    "arm": ("upperarm01", "lowerarm01", "wrist"),
    "leg": ("upperleg01", "lowerleg01", "foot"),
}


def limbs_of(
    points: np.ndarray, heads: np.ndarray, body: Body, names: tuple[str, ...] = ("arm", "leg")
) -> dict[str, Limb]:
    """``Limb`` coordinates of points about the arms and legs of a rest skeleton."""
    return {
        f"{name}.{side}": limb_coordinates(
            points, [heads[body.bones[f"{bone}.{side}"]] for bone in CHAINS[name]]
        )
        for name in names
        for side in "LR"
    }


def loop_subdivision(faces: np.ndarray, count: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """One step of Loop subdivision as a matrix (finer, count) and the finer faces."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    opposite = faces[:, [2, 0, 1]].ravel()
    unique, owner, uses = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    owner = owner.ravel()
    number = len(unique)
    inner = uses == 2

    rows = np.arange(number)
    near = np.where(inner, 3 / 8, 1 / 2)
    midpoints = sparse.coo_matrix(
        (np.r_[near, near], (np.r_[rows, rows], np.r_[unique[:, 0], unique[:, 1]])), (number, count)
    ).tocsr()
    shared = inner[owner]
    midpoints = midpoints + sparse.coo_matrix(
        (np.full(int(shared.sum()), 1 / 8), (owner[shared], opposite[shared])), (number, count)
    )

    border = np.zeros(count, bool)
    border[unique[~inner].ravel()] = True
    adjacency = sparse.coo_matrix(
        (np.ones(2 * number), (np.r_[unique[:, 0], unique[:, 1]], np.r_[unique[:, 1], unique[:, 0]])),
        (count, count),
    ).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    beta = np.where(degree > 3, 3 / (8 * degree), 3 / 16)
    beta[border] = 0
    moved = sparse.diags(1 - degree * beta) + sparse.diags(beta) @ adjacency
    rim = unique[~inner]
    if len(rim):
        moved = moved + sparse.coo_matrix(
            (np.full(2 * len(rim), 1 / 8), (np.r_[rim[:, 0], rim[:, 1]], np.r_[rim[:, 1], rim[:, 0]])),
            (count, count),
        )
        moved = moved - sparse.diags(np.where(border, 0.25, 0.0))

    middle = owner.reshape(-1, 3) + count
    finer = np.concatenate(
        [
            np.c_[faces[:, 0], middle[:, 0], middle[:, 2]],
            np.c_[faces[:, 1], middle[:, 1], middle[:, 0]],
            np.c_[faces[:, 2], middle[:, 2], middle[:, 1]],
            middle,
        ]
    )
    return sparse.vstack([moved, midpoints]).tocsr(), finer.astype(np.int32)


def _cut(body: Body, name: str, faces: np.ndarray, levels: int) -> Cloth:
    source = np.unique(faces)
    renumber = np.full(body.count, -1)
    renumber[source] = np.arange(len(source))
    faces = renumber[faces].astype(np.int32)
    refine = sparse.identity(len(source), format="csr")
    for _ in range(levels):
        step, faces = loop_subdivision(faces, refine.shape[0])
        refine = step @ refine
    refine = sparse.csr_matrix(refine.astype(np.float32))
    points = np.asarray(refine @ body.mean.vertices[source], np.float32)
    weights = sparse.csr_matrix(refine @ body.weights[source]).astype(np.float32)
    weights.data[weights.data < 0.004] = 0
    weights.eliminate_zeros()
    weights = sparse.csr_matrix(weights.multiply(1 / weights.sum(1))).astype(np.float32)
    return Cloth(
        name=name,
        source=source,
        refine=refine,
        faces=faces,
        points=points,
        normals=vertex_normals(points, faces),
        weights=weights,
        arm=np.asarray(refine @ body.bone_share(*ARM_BONES)[source], np.float32),
        limbs=limbs_of(points, body.mean.heads, body),
    )


@lru_cache(maxsize=8)
def load_cloth(name: str) -> Cloth:
    """One of ``tights`` (fine), ``feet`` (the coarse tights), ``skirt``, ``mane`` (long hair), ``head``."""
    body = load_body()
    if name == "head":
        faces = body.faces[body.group("body")]
        faces = faces[(body.bone_share(*HEAD_BONES)[faces] > 0.5).all(1)]
        return _cut(body, name, faces, 0)
    group, levels = {
        "tights": ("helper-tights", 1),
        "feet": ("helper-tights", 0),
        "skirt": ("helper-skirt", 2),
        "mane": ("helper-hair", 2),
    }[name]
    return _cut(body, name, body.faces[body.group(group)], levels)


def unwrap(angle: np.ndarray) -> np.ndarray:
    """Angles of face corners (F, 3) made continuous within each face."""
    torn = angle.max(1) - angle.min(1) > np.pi
    return np.where(torn[:, None] & (angle < 0), angle + 2 * np.pi, angle)


@lru_cache(maxsize=1)
def _girth() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights (k,), half width and half depth of the mean body's cross-sections, skirt included."""
    tights, skirt = load_cloth("tights"), load_cloth("skirt")
    points = np.concatenate([tights.points[tights.arm < 0.5], skirt.points])
    heights = np.linspace(points[:, 1].min(), points[:, 1].max(), 90)
    size = np.zeros((len(heights), 2))
    for row, height in enumerate(heights):
        near = points[np.abs(points[:, 1] - height) < 0.02]
        size[row] = np.abs(near[:, 0]).max(), np.ptp(near[:, 2]) / 2
    kernel = np.ones(5) / 5
    padded = np.pad(size, ((2, 2), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(2)], 1)
    return heights, smooth[:, 0], smooth[:, 1]


def _arc_length(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed metres around the body from the front's middle, and half the way round: on its girth's ellipse.

    Measured so, vertical stripes stay vertical over the chest and the shoulders.
    """
    heights, widths, depths = _girth()
    width, depth = (np.interp(points[:, 1], heights, size) for size in (widths, depths))
    angle = np.arctan2(points[:, 0] / width, (points[:, 2] - AXIS_DEPTH) / depth)
    steps = np.linspace(0, 1, 33)
    turn = np.abs(angle)[:, None] * (steps[:-1] + steps[1:]) / 2
    speed = np.hypot(width[:, None] * np.cos(turn), depth[:, None] * np.sin(turn))
    return np.sign(angle) * np.abs(angle) * speed.mean(1), np.pi * np.sqrt((width**2 + depth**2) / 2)


def torso_chart(cloth: Cloth) -> np.ndarray:
    """Texture coordinates (F, 3, 2) in metres: around the body from the front's middle, and height."""
    around, half = _arc_length(cloth.points)
    corner = around[cloth.faces]
    behind = cloth.points[cloth.faces][..., 2] < AXIS_DEPTH
    torn = (corner.max(1) > 0) & (corner.min(1) < 0) & behind.all(1)
    corner = np.where(torn[:, None] & (corner < 0), corner + 2 * half[cloth.faces], corner)
    return np.stack([corner, cloth.points[:, 1][cloth.faces]], -1)


def limb_chart(cloth: Cloth, name: str, radius: float) -> np.ndarray:
    """Texture coordinates (F, 3, 2) in metres about one arm or leg."""
    limb = cloth.limbs[name]
    return np.stack([unwrap(limb.angle[cloth.faces]) * radius, -limb.length[cloth.faces]], -1)
