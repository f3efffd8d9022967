"""Where a surface point seen in one picture lies in another: exact, by the mesh."""

import numpy as np

from leffa.synthetic.render.gbuffer import SUPERSAMPLING, View
from leffa.synthetic.render.raster import EMPTY

TOLERANCE = 0.008


def correspondence(view: View, reference: View, meshes: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Follow every fine sample of a view to the reference.

    meshes  mesh index in the view's surface -> index of the same mesh in the reference's surface; the two
            must have the same faces in the same order
    Returns (2 H, 2 W, 2) float32 pixels on the reference (NaN where the sample is on no such mesh) and
    (2 H, 2 W) bool: the same side of the surface is what the reference shows there, and around it.
    """
    face = view.fragments.face
    flow = np.full((*face.shape, 2), np.nan, np.float32)
    visible = np.zeros(face.shape, bool)
    row, column = np.nonzero(face != EMPTY)
    of_mesh = view.surface.mesh[face[row, column]]
    fine = reference.fragments.face.shape
    projected = reference.camera.project(reference.surface.points, *fine)
    own_projected = view.camera.project(view.surface.points, *face.shape)
    for own, other in meshes.items():
        here = of_mesh == own
        r, c = row[here], column[here]
        start = int(np.searchsorted(view.surface.mesh, own))
        other_start = int(np.searchsorted(reference.surface.mesh, other))
        target_face = face[r, c] - start + other_start
        corners = projected[reference.surface.faces[target_face]]
        weights = view.fragments.weights[r, c]
        # Perspective: interpolate in space, which divides x and y by the interpolated depth.
        depth = np.einsum("nk,nk->n", weights, corners[:, :, 2])
        point = np.einsum("nk,nkc->nc", weights * corners[:, :, 2], corners[:, :, :2]) / depth[:, None]
        flow[r, c] = point / SUPERSAMPLING
        same_side = _winding(own_projected[view.surface.faces[face[r, c]]]) == _winding(corners)
        visible[r, c] = same_side & _seen(point, depth, other, reference)
    return flow, visible


def _winding(corners: np.ndarray) -> np.ndarray:
    """Which side of projected triangles (n, 3, 3) faces the camera: the sign of their area."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return first[:, 0] * second[:, 1] > first[:, 1] * second[:, 0]


def _seen(point: np.ndarray, depth: np.ndarray, mesh: int, reference: View) -> np.ndarray:
    """Whether points (n, 2), fine pixels, at these depths are what the reference shows there."""
    height, width = reference.fragments.face.shape
    inside = (point >= 1).all(1) & (point[:, 0] < width - 1) & (point[:, 1] < height - 1)
    seen = inside.copy()
    # All four fine samples around the point must show the same mesh near the same depth.
    base = np.floor(np.nan_to_num(point) - 0.5).astype(np.int32)
    for dx in (0, 1):
        for dy in (0, 1):
            column = np.clip(base[:, 0] + dx, 0, width - 1)
            row = np.clip(base[:, 1] + dy, 0, height - 1)
            face = reference.fragments.face[row, column]
            same = (face != EMPTY) & (reference.surface.mesh[np.maximum(face, 0)] == mesh)
            gap = np.abs(reference.fragments.depth[row, column] - depth)
            seen &= same & (gap < TOLERANCE * (1 if dx == dy == 0 else 2.5))
    return seen
