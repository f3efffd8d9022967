"""A z-buffer rasteriser in numpy: exact, without a compiler, fast where triangles are small; and shadow maps.

Shadows do not depend on colours: they are found once per G-buffer.
"""

from dataclasses import dataclass

import numpy as np

from leffa.synthetic.body.mesh import Surface

NEAR = 0.05
EMPTY = -1
SHADOW_SIZE = 224
LIFT = 0.014
TOLERANCE = 0.016


@dataclass(frozen=True)
class Fragments:
    """What is seen at every pixel.

    face    (H, W) int32 index of the nearest triangle, -1 where there is none
    weights (H, W, 3) float32 perspective-correct barycentric coordinates, 0 where there is none
    depth   (H, W) float32 metres from the camera, infinite where there is none
    """

    face: np.ndarray
    weights: np.ndarray
    depth: np.ndarray


def rasterise(
    points: np.ndarray,
    faces: np.ndarray,
    height: int,
    width: int,
    field: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    one_sided: np.ndarray | None = None,
) -> Fragments:
    """Draw triangles with a z-buffer.

    points     (V, 3) x, y in pixels and depth in metres
    faces      (F, 3) vertex indices
    field      (V,) cut-out field: a fragment is dropped where the interpolated field is positive, so the
               zero line is a clean hem at any mesh resolution
    bias       (F,) metres added to a face's depth for the comparison only
    one_sided  (F,) bool: drop faces turned away from the camera
    """
    kept, corner, area = _set_up(points, faces, height, width, field, one_sided)
    face = np.full(height * width, EMPTY, np.int32)
    depth = np.full(height * width, np.inf, np.float32)
    weights = np.zeros((height * width, 3), np.float32)
    empty = Fragments(
        face.reshape(height, width), weights.reshape(height, width, 3), depth.reshape(height, width)
    )
    if not len(kept):
        return empty

    owner, pixel, (a, b, c), distance = _inside(corner, area, height, width)
    if field is not None:
        value = field[faces[kept]].astype(np.float32)[owner]
        inside = a * value[:, 0] + b * value[:, 1] + c * value[:, 2] <= 0
        owner, pixel, a, b, c, distance = (item[inside] for item in (owner, pixel, a, b, c, distance))
    compared = distance if bias is None else distance + bias[kept].astype(np.float32)[owner]
    nearest = np.full(height * width, np.inf, np.float32)
    np.minimum.at(nearest, pixel, compared)
    won = compared == nearest[pixel]
    pixel = pixel[won]
    face[pixel] = kept[owner[won]]
    depth[pixel] = distance[won]
    weights[pixel] = np.stack([a[won], b[won], c[won]], 1)
    return empty


def _inside(
    corner: np.ndarray, area: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    """Of every pixel in every triangle: owner, index, perspective-correct weights, and depth."""
    owner, x, y = _cover(corner, height, width)
    # Barycentric numerators relative to the first corner keep float32 exact enough for slivers.
    first, second, third = corner[:, 0], corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    inverse = 1 / area
    planes = np.stack(
        [first[:, 0], first[:, 1], third[:, 1] * inverse, third[:, 0] * inverse,
         second[:, 1] * inverse, second[:, 0] * inverse], 1,
    ).astype(np.float32)[owner]  # fmt: skip
    dx = x.astype(np.float32) + np.float32(0.5) - planes[:, 0]
    dy = y.astype(np.float32) + np.float32(0.5) - planes[:, 1]
    b = dx * planes[:, 2] - dy * planes[:, 3]
    c = dy * planes[:, 5] - dx * planes[:, 4]
    inside = (b >= 0) & (c >= 0) & (b + c <= 1)
    owner, pixel, b, c = owner[inside], (y[inside] * width + x[inside]), b[inside], c[inside]

    inverse_depth = (1 / corner[:, :, 2]).astype(np.float32)[owner]
    a = (1 - b - c) * inverse_depth[:, 0]
    b = b * inverse_depth[:, 1]
    c = c * inverse_depth[:, 2]
    distance = 1 / (a + b + c)
    return owner, pixel, (a * distance, b * distance, c * distance), distance


def _set_up(
    points: np.ndarray,
    faces: np.ndarray,
    height: int,
    width: int,
    field: np.ndarray | None,
    one_sided: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces that can own a pixel centre: their indices, corners (n, 3, 3) and doubled signed areas."""
    kept = np.arange(len(faces))
    if field is not None:
        inside = field <= 0
        kept = np.nonzero(inside[faces[:, 0]] | inside[faces[:, 1]] | inside[faces[:, 2]])[0]
    first, second, third = (points[faces[kept, corner]] for corner in range(3))
    area = (second[:, 0] - first[:, 0]) * (third[:, 1] - first[:, 1])
    area -= (third[:, 0] - first[:, 0]) * (second[:, 1] - first[:, 1])
    keep = (area < 0) | ((area > 0) & ~one_sided[kept]) if one_sided is not None else area != 0
    for axis, size in ((0, width), (1, height)):
        low, high = _bounds(first[:, axis], second[:, axis], third[:, axis])
        keep &= (low <= high) & (high >= 0) & (low < size)
    keep &= (first[:, 2] > NEAR) & (second[:, 2] > NEAR) & (third[:, 2] > NEAR)
    return kept[keep], np.stack([first[keep], second[keep], third[keep]], 1), area[keep]


def _bounds(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last pixel along one axis whose centre lies within each triangle."""
    low = np.ceil(np.minimum(np.minimum(first, second), third) - 0.5)
    high = np.floor(np.maximum(np.maximum(first, second), third) - 0.5)
    return np.maximum(low, -30000), np.minimum(high, 30000)


def _cover(corner: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (triangle, pixel) pair of the triangles' boxes inside the picture: owner, x, y (int32)."""
    left, right = _bounds(corner[:, 0, 0], corner[:, 1, 0], corner[:, 2, 0])
    top, bottom = _bounds(corner[:, 0, 1], corner[:, 1, 1], corner[:, 2, 1])
    left, top = np.maximum(left, 0).astype(np.int32), np.maximum(top, 0).astype(np.int32)
    columns = np.minimum(right, width - 1).astype(np.int32) - left + 1
    rows = np.minimum(bottom, height - 1).astype(np.int32) - top + 1
    count = columns * rows
    owner = np.repeat(np.arange(len(corner), dtype=np.int32), count)
    index = np.arange(len(owner), dtype=np.int32) - np.repeat(
        (np.cumsum(count) - count).astype(np.int32), count
    )
    wide = columns[owner]
    row = index // wide
    return owner, left[owner] + index - row * wide, top[owner] + row


def cast_shadows(
    surface: Surface, position: np.ndarray, normal: np.ndarray, lights: np.ndarray
) -> np.ndarray:
    """(n, lights) float32: how much of each light reaches the points, by shadow maps with soft edges."""
    lit = np.ones((len(position), len(lights)), np.float32)
    for number, light in enumerate(lights):
        right = np.cross([0, 1, 0], light)
        right = right / (np.linalg.norm(right) + 1e-9)
        axes = np.stack([right, np.cross(light, right), -light]).astype(np.float32)
        seen = surface.points @ axes.T
        low, high = seen.min(0), seen.max(0)
        scale = (SHADOW_SIZE - 4) / max(high[0] - low[0], high[1] - low[1])
        projected = (seen - low) * np.array([scale, scale, 1], np.float32) + np.array([2, 2, 1], np.float32)
        depth = rasterise(
            projected, surface.faces, SHADOW_SIZE, SHADOW_SIZE, field=surface.vertex[:, 9]
        ).depth
        lifted = (position + LIFT * normal) @ axes.T - low
        x, y, z = lifted[:, 0] * scale + 2, lifted[:, 1] * scale + 2, lifted[:, 2] + 1 - TOLERANCE
        total = np.zeros(len(position), np.float32)
        for dx in (-1.2, 0.0, 1.2):
            for dy in (-1.2, 0.0, 1.2):
                column = np.clip((x + dx).astype(np.int32), 0, SHADOW_SIZE - 1)
                row = np.clip((y + dy).astype(np.int32), 0, SHADOW_SIZE - 1)
                total += depth[row, column] > z
        lit[:, number] = total / 9
    return lit
