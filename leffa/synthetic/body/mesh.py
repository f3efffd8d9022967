"""Posed meshes ready to be drawn, and their concatenation."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from leffa.synthetic.cloth.meshes import vertex_normals


class Material(IntEnum):
    """What a surface is made of; garments count on from ``GARMENT``, inner to outer."""

    SKIN = 0
    EYE = 1
    TEETH = 2
    HAIR = 3
    SHOE = 4
    BAG = 5
    GARMENT = 6


@dataclass
class Mesh:
    """One posed surface.

    points     (V, 3) posed, canonical (V, 3) on the mean body
    faces      (F, 3); uv (F, 3, 2) metres; chart, label, material (F,) uint8
    sleeve     where its (V,) ``split`` is positive the cloth belongs to a second chart: its coordinates
               (F, 3, 2) and number (F,), so that a seam may cross faces
    field      (V,) cut-out field, negative = there
    skin       (V, 4) lips, ears, nails, eyelids in [0, 1]
    bias       metres behind everything else for the depth test
    one_sided  drop faces turned away
    """

    points: np.ndarray
    canonical: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    chart: np.ndarray
    label: np.ndarray
    material: np.ndarray
    field: np.ndarray
    sleeve: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    skin: np.ndarray | None = None
    bias: float = 0.0
    one_sided: bool = False


@dataclass(frozen=True)
class Surface:
    """Several meshes as one. Arrays as in ``Mesh``; ``vertex`` (V, 15) holds what is interpolated: position
    0-2, canonical 3-5, normal 6-8, field 9, skin 10-13, split 14; uv (F, 3, 4) and chart (F, 2) hold both
    charts; ``mesh`` (F,) tells where a face is from."""

    vertex: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    chart: np.ndarray
    label: np.ndarray
    material: np.ndarray
    bias: np.ndarray
    one_sided: np.ndarray
    mesh: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """(V, 3) posed positions."""
        return self.vertex[:, :3]


def second_uv(mesh: Mesh) -> np.ndarray:
    """Texture coordinates of the second chart; the first's where there is none."""
    return mesh.uv if mesh.sleeve is None else mesh.sleeve[1]


def second_chart(mesh: Mesh) -> np.ndarray:
    """Number of the second chart; the first's where there is none."""
    return mesh.chart if mesh.sleeve is None else mesh.sleeve[2]


def join(meshes: list[Mesh]) -> Surface:
    """Concatenate meshes; face indices are shifted."""
    vertices, faces = [], []
    offset = 0
    for mesh in meshes:
        skin = np.zeros((len(mesh.points), 4), np.float32) if mesh.skin is None else mesh.skin
        normals = vertex_normals(mesh.points, mesh.faces)
        split = np.full(len(mesh.points), -1, np.float32) if mesh.sleeve is None else mesh.sleeve[0]
        vertices.append(
            np.c_[mesh.points, mesh.canonical, normals, mesh.field, skin, split].astype(np.float32)
        )
        faces.append(mesh.faces + offset)
        offset += len(mesh.points)

    def per_face(values: list) -> np.ndarray:
        return np.concatenate([np.broadcast_to(v, len(m.faces)) for v, m in zip(values, meshes, strict=True)])

    return Surface(
        vertex=np.concatenate(vertices),
        faces=np.concatenate(faces),
        uv=np.concatenate([np.concatenate([mesh.uv, second_uv(mesh)], -1) for mesh in meshes]),
        chart=np.concatenate([np.stack([mesh.chart, second_chart(mesh)], 1) for mesh in meshes]),
        label=np.concatenate([mesh.label for mesh in meshes]),
        material=np.concatenate([mesh.material for mesh in meshes]),
        bias=per_face([np.float32(mesh.bias) for mesh in meshes]),
        one_sided=per_face([mesh.one_sided for mesh in meshes]),
        mesh=per_face([np.uint8(i) for i in range(len(meshes))]),
    )
