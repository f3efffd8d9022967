"""Shadows, found once per G-buffer because they do not depend on colours."""

import numpy as np

from leffa.synthetic.body.mesh import Surface
from leffa.synthetic.render.raster import rasterise

SHADOW_SIZE = 224
LIFT = 0.014
TOLERANCE = 0.016


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
