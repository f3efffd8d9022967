"""People drawn from a few joints, with everything about them known: no photo needed.

Drawn with thick lines on their own terms, not with the code under test.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np

from leffa.preprocess.labels import Landmark

HEIGHT, WIDTH = 256, 192
SKIN, HAIR, TOP, BOTTOM, SHOES, WALL = (
    (224, 172, 140),
    (60, 40, 30),
    (40, 90, 190),
    (120, 115, 60),
    (250, 250, 250),
    (200, 205, 200),
)

# Left side of somebody facing the camera, in shoulder widths from the middle of the hips: x to the image
# right, y down. The right side is mirrored.
_STANDING = {
    "SHOULDER": (0.5, -1.45),
    "ELBOW": (0.72, -0.72),
    "WRIST": (0.86, -0.08),
    "PINKY": (0.92, 0.12),
    "INDEX": (0.86, 0.16),
    "THUMB": (0.80, 0.10),
    "HIP": (0.28, 0.0),
    "KNEE": (0.32, 1.1),
    "ANKLE": (0.34, 2.1),
    "HEEL": (0.33, 2.2),
    "FOOT_INDEX": (0.42, 2.32),
    "EYE_INNER": (0.06, -2.1),
    "EYE": (0.10, -2.1),
    "EYE_OUTER": (0.14, -2.1),
    "EAR": (0.22, -2.06),
}
_MOUTH, _NOSE = (0.07, -1.90), (0.0, -2.0)

ARMS = {
    "down": {},
    "up": {"ELBOW": (0.85, -1.95), "WRIST": (0.95, -2.55), "INDEX": (0.97, -2.8), "PINKY": (1.02, -2.78)},
    "akimbo": {"ELBOW": (1.0, -0.75), "WRIST": (0.50, -0.1), "INDEX": (0.36, 0.0), "PINKY": (0.40, 0.06)},
    "wide": {"ELBOW": (1.2, -1.35), "WRIST": (1.75, -1.25), "INDEX": (1.97, -1.2), "PINKY": (1.95, -1.14)},
}


@dataclass
class Figure:
    """A drawn person: landmarks, silhouette, picture, and where each thing is, all (256, 192)."""

    landmarks: np.ndarray
    silhouette: np.ndarray
    image: np.ndarray
    where: dict[str, np.ndarray] = field(default_factory=dict)


def landmarks_of(
    arms: str = "down", scale: float = 42.0, facing: int = 1, centre=(96.0, 128.0)
) -> np.ndarray:
    """(33, 4) landmarks; ``facing`` -1 shows the back: left and right change sides."""
    places = {**_STANDING, **ARMS[arms]}
    result = np.zeros((33, 4), np.float32)
    result[:, 3] = 1
    for landmark in Landmark:
        name = landmark.name
        if landmark is Landmark.NOSE:
            x, y = _NOSE
        elif name.startswith("MOUTH"):
            x, y = _MOUTH if name.endswith("LEFT") else (-_MOUTH[0], _MOUTH[1])
        else:
            side, joint = name.split("_", 1)
            x, y = places[joint]
            x = x if side == "LEFT" else -x
        result[landmark, :2] = x * facing * scale + centre[0], y * scale + centre[1]
    return result


class _Painter:
    """Paints named things over one another and remembers what of each is still seen."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.image = np.full((HEIGHT, WIDTH, 3), WALL, np.uint8)
        self.where: dict[str, np.ndarray] = {}

    def area(self, name: str, colour: tuple[int, int, int], area: np.ndarray) -> None:
        self.image[area] = colour
        for other in self.where:
            self.where[other] = self.where[other] & ~area
        self.where[name] = self.where.get(name, np.zeros((HEIGHT, WIDTH), bool)) | area

    def stroke(self, name: str, colour: tuple[int, int, int], line, thickness: float) -> None:
        canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
        corners = [np.rint(point).astype(int).tolist() for point in line]
        for start, end in pairwise(corners):
            cv2.line(canvas, start, end, 1, max(round(thickness * self.scale), 1))
        self.area(name, colour, canvas > 0)

    def polygon(self, name: str, colour: tuple[int, int, int], corners) -> None:
        canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 1)
        self.area(name, colour, canvas > 0)

    def oval(self, name: str, colour: tuple[int, int, int], centre, half_sizes: tuple[float, float]) -> None:
        canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
        axes = tuple(round(size * self.scale) for size in half_sizes)
        cv2.ellipse(canvas, np.rint(centre).astype(int).tolist(), axes, 0, 0, 360, 1, -1)
        self.area(name, colour, canvas > 0)


def draw(
    landmarks: np.ndarray,
    *,
    sleeve: float = 2.0,
    hem: float = 0.1,
    top: tuple[int, int, int] = TOP,
    bottom: tuple[int, int, int] = BOTTOM,
    hair_length: float = 0.0,
    loose: float = 0.0,
    skirt: float = 0.0,
) -> Figure:
    """Paint the person; lengths in shoulder widths.

    ``sleeve`` 0 none, 1 to the elbow, 2 to the wrist; ``hem`` of the top above (> 0) the hips;
    ``hair_length`` below the ears; ``loose`` widens the top; ``skirt`` is how far a skirt reaches below the
    hips (0: trousers).
    """
    point = {mark.name: landmarks[mark, :2] for mark in Landmark}
    left, right = point["LEFT_SHOULDER"], point["RIGHT_SHOULDER"]
    shoulders, hips = (left + right) / 2, (point["LEFT_HIP"] + point["RIGHT_HIP"]) / 2
    head = (point["LEFT_EYE"] + point["RIGHT_EYE"]) / 2
    scale = float(np.linalg.norm(left - right))
    painter = _Painter(scale)
    down = np.array([0.0, scale])

    _paint_legs(painter, point, skirt, bottom)
    if skirt:
        side, low = np.array([scale, 0.0]), hips + skirt * down
        half = 0.45 + 0.25 * skirt
        waist = hips - 0.3 * down
        ends = [waist - 0.5 * side, waist + 0.5 * side, low + half * side, low - half * side]
        painter.polygon("bottom", bottom, ends)
    painter.stroke("skin", SKIN, [shoulders, head], 0.24)
    for name, colour, lower, extra in (
        ("bottom", bottom, -0.25, 0.0),
        ("top", top, hem, 0.5 * loose),
    ):
        spread = (left - shoulders) * 0.92 + (left - right) * extra
        low = hips - lower * down
        box = [left - 0.05 * down, right - 0.05 * down, low - spread, low + spread]
        painter.polygon(name, colour, box)
    _paint_arms(painter, point, sleeve, loose, top)
    if hair_length:
        for ear in (point["LEFT_EAR"], point["RIGHT_EAR"]):
            strand = ear + (ear - head) * 0.35
            painter.stroke("hair", HAIR, [strand, strand + hair_length * down], 0.16)
    painter.oval("hair", HAIR, head - 0.10 * down, (0.27, 0.33))
    painter.oval("face", SKIN, head + 0.08 * down, (0.20, 0.29))
    silhouette = np.any(list(painter.where.values()), axis=0).astype(np.float32)
    return Figure(landmarks.astype(np.float32), silhouette, painter.image, painter.where)


def _paint_legs(painter: _Painter, point: dict[str, np.ndarray], skirt: float, bottom) -> None:
    name, colour = ("skin", SKIN) if skirt else ("bottom", bottom)
    for side in ("LEFT", "RIGHT"):
        hip, knee, ankle = (point[f"{side}_{joint}"] for joint in ("HIP", "KNEE", "ANKLE"))
        painter.stroke("feet", SHOES, [ankle, point[f"{side}_FOOT_INDEX"]], 0.17)
        painter.stroke(name, colour, [hip, knee], 0.42)
        painter.stroke(name, colour, [knee, ankle], 0.27)


def _paint_arms(painter: _Painter, point: dict[str, np.ndarray], sleeve: float, loose: float, top) -> None:
    for side in ("LEFT", "RIGHT"):
        shoulder, elbow, wrist = (point[f"{side}_{joint}"] for joint in ("SHOULDER", "ELBOW", "WRIST"))
        fingers = (point[f"{side}_INDEX"] + point[f"{side}_PINKY"]) / 2 - wrist
        painter.stroke("skin", SKIN, [shoulder, elbow, wrist], 0.2)
        painter.stroke("hands", SKIN, [wrist + 0.8 * fingers, wrist + 1.3 * fingers], 0.16)
        if sleeve > 0:
            end = shoulder + min(sleeve, 1) * (elbow - shoulder)
            painter.stroke("top", top, [shoulder, end], 0.25 + loose * 0.3)
        if sleeve > 1:
            end = elbow + (sleeve - 1) * 0.9 * (wrist - elbow)
            painter.stroke("top", top, [elbow, end], 0.24 + loose * 0.3)


def mirrored(landmarks: np.ndarray) -> np.ndarray:
    """The same person in a mirror: x turned round, left and right exchanged."""
    swap = [
        Landmark[mark.name.replace("LEFT", "#").replace("RIGHT", "LEFT").replace("#", "RIGHT")]
        for mark in Landmark
    ]
    result = landmarks[swap].copy()
    result[:, 0] = WIDTH - result[:, 0]
    return result
