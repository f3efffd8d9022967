"""The pinhole camera of a picture."""

from dataclasses import dataclass

import numpy as np

from leffa.synthetic.body.baked import rotation


@dataclass(frozen=True)
class Camera:
    """Looks at ``target`` from ``distance`` metres; ``span`` metres are visible vertically at the target.

    pitch > 0 looks down on the person, roll > 0 turns the picture clockwise, ``shift`` moves the target off
    the picture's centre, in picture heights (x to the right, y down).
    """

    target: tuple[float, float, float]
    span: float
    distance: float = 3.2
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) from world to camera axes (x right, y up, z towards the camera)."""
        return rotation((0, 0, 1), -self.roll) @ rotation((1, 0, 0), self.pitch)

    @property
    def position(self) -> np.ndarray:
        """(3,) where the camera stands in the world."""
        return np.asarray(self.target) + self.rotation.T @ np.array([0, 0, self.distance])

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """World points (n, 3) -> (n, 3) of x and y in pixels and depth in metres along the view."""
        seen = (points - np.asarray(self.target, np.float32)) @ self.rotation.T.astype(np.float32)
        depth = self.distance - seen[:, 2]
        focal = height * self.distance / self.span / np.maximum(depth, 0.05)
        x = width / 2 + height * self.shift[0] + focal * seen[:, 0]
        y = height / 2 + height * self.shift[1] - focal * seen[:, 1]
        return np.stack([x, y, depth], 1).astype(np.float32)

    def pixels_per_metre(self, height: int) -> float:
        """Scale at the target's depth."""
        return height / self.span
