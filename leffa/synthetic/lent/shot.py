"""A lent photograph as product shot, on its own ground or a plain one; and its colours on the wearer."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from leffa.synthetic.lent.catalogue import Loan
from leffa.synthetic.lent.cutouts import extend
from leffa.synthetic.lent.registration import Frame, enter, leave, move
from leffa.synthetic.paint.backgrounds import draw_product_ground
from leffa.synthetic.render.gbuffer import GBuffer

OWN_GROUND = 0.6  # share of product shots that keep the photograph's ground
MOST_MISSING = 0.25  # of the frame may lie beyond the photograph; else the ground is replaced


@dataclass(frozen=True)
class Shot:
    """A product shot made of a photograph.

    picture   (H, W, 3) float32 sRGB in [0, 1]
    cover     (H, W) float32 share of each pixel that shows the garment
    colours   (h, w, 3) float32 sRGB: the photograph, with the garment's colours carried on beyond its outline
    matrix    (2, 3) from pixels of ``colours`` to pixels of ``picture``
    """

    picture: np.ndarray
    cover: np.ndarray
    colours: np.ndarray
    matrix: np.ndarray

    def place(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, 2) of the photograph -> pixels of the product shot."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def dye(self, points: np.ndarray, spread: float) -> np.ndarray:
        """(n, 3) sRGB in [0, 1] at pixels (n, 2) of the photograph.

        ``spread`` is how many of its pixels lie between neighbouring points; more than one are averaged.
        """
        colours = self.colours
        scale = min(1.0, 1 / max(spread, 1e-3))
        if scale < 0.9:
            size = (max(round(colours.shape[1] * scale), 1), max(round(colours.shape[0] * scale), 1))
            colours = cv2.resize(colours, size, interpolation=cv2.INTER_AREA)
        ratio = np.array([colours.shape[1] / self.colours.shape[1], colours.shape[0] / self.colours.shape[0]])
        place = (points * ratio - 0.5).astype(np.float32)
        return sample(colours, place)


def sample(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Bilinear values (n, C) of a picture at places (n, 2), whole at pixel centres; edges are carried on."""
    height, width = picture.shape[:2]
    place = place.clip(0, (width - 1, height - 1))
    low = np.minimum(place.astype(int), (max(width - 2, 0), max(height - 2, 0)))
    share = (place - low)[..., None]
    x, y = low[:, 0], low[:, 1]
    right, below = np.minimum(x + 1, width - 1), np.minimum(y + 1, height - 1)
    top = picture[y, x] * (1 - share[:, 0]) + picture[y, right] * share[:, 0]
    bottom = picture[below, x] * (1 - share[:, 0]) + picture[below, right] * share[:, 0]
    return top * (1 - share[:, 1]) + bottom * share[:, 1]


def on_photograph(loan: Loan, product: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pixels (n, 2) of the rendered product shot -> pixels of the photograph.

    ``product`` (H, W) is the rendered product shot's coverage.
    """
    _, garment = loan.photograph()
    moved = move(enter(points, Frame.of(product >= 0.5)), loan.shift)
    return leave(moved, Frame.of(garment))


def draw_shot(rng: np.random.Generator, loan: Loan, size: tuple[int, int]) -> Shot:
    """Frame a lent photograph as a product shot of ``size``, in slightly other colours each time."""
    picture, garment = loan.photograph()
    colours = _recolour(rng, picture.astype(np.float32) / 255)
    matrix = _draw_frame(rng, garment, size)
    height, width = size
    cover = _warp(garment.astype(np.float32), matrix, size, 0.0)
    there = _warp(np.ones(garment.shape, np.float32), matrix, size, 0.0)
    extended = extend(colours, garment)
    # beyond its edge a photograph is mirrored, which must not show the garment once more
    twice = (_warp(garment.astype(np.float32), matrix, size, None) > cover + 0.1).any()
    if rng.random() < OWN_GROUND and (there < 0.5).mean() < MOST_MISSING and not twice:
        shot = _warp(colours, matrix, size, None)
    else:
        ground = draw_product_ground(rng, height, width)
        ground = _with_shadow(rng, ground, cover)
        alpha = cv2.GaussianBlur(cover, (0, 0), 0.5)
        alpha = np.minimum(alpha, cover)[..., None]
        shot = _warp(extended, matrix, size, None) * alpha + ground * (1 - alpha)
    return Shot(shot.clip(0, 1).astype(np.float32), cover, extended.astype(np.float32), matrix)


def dress(
    buffer: GBuffer, worn: np.ndarray, loan: Loan, product: np.ndarray, shot: Shot
) -> tuple[GBuffer, np.ndarray]:
    """Move a person's flow from the rendered product shot onto the photograph.

    buffer   the person's; its flow points into the rendered product shot of coverage ``product`` (H, W)
    worn     (n,) bool: the surfels of the garment
    Returns the buffer with the new flow, and (n, 3) sRGB colours of the surfels, NaN where none is lent.
    """
    chosen = np.flatnonzero(worn & np.isfinite(buffer.flow).all(1))
    dyed = np.full((len(buffer.pixel), 3), np.nan, np.float32)
    flow = buffer.flow.copy()
    if len(chosen):
        points = on_photograph(loan, product, buffer.flow[chosen].astype(np.float64))
        flow[chosen] = shot.place(points)
        dyed[chosen] = shot.dye(points, _spread(buffer, chosen, points))
    return replace(buffer, flow=flow), dyed


def _spread(buffer: GBuffer, chosen: np.ndarray, points: np.ndarray) -> float:
    """Median distance on the photograph between horizontal neighbours on the person."""
    pixel = buffer.pixel[chosen]
    beside = np.flatnonzero(np.diff(pixel) == 1)
    if not len(beside):
        return 1.0
    return float(np.median(np.linalg.norm(points[beside + 1] - points[beside], axis=1)))


def _recolour(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Another exposure and white balance; now and then another hue."""
    if rng.random() < 0.3:
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + rng.uniform(-180, 180)) % 360
        hsv[..., 1] *= rng.uniform(0.7, 1.1)
        picture = cv2.cvtColor(hsv.clip(0, (360, 1, 1)).astype(np.float32), cv2.COLOR_HSV2RGB)
    gain = np.exp(rng.normal(0, 0.03, 3)) * np.exp(rng.normal(0.06, 0.08))
    return (picture ** np.exp(rng.normal(-0.03, 0.08)) * gain).clip(0, 1).astype(np.float32)


def _draw_frame(rng: np.random.Generator, garment: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(2, 3) from the photograph to a product shot that shows the garment whole."""
    height, width = size
    rows, columns = np.flatnonzero(garment.any(1)), np.flatnonzero(garment.any(0))
    tall, wide = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    fill = min(height / tall, width / wide)
    scale = fill / rng.uniform(1.02, 1.3)
    free = np.array([width - wide * scale, height - tall * scale])
    corner = free * (0.5 + rng.uniform(-0.25, 0.25, 2))
    shift = corner - scale * np.array([columns[0], rows[0]])
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _warp(
    picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int], outside: float | None
) -> np.ndarray:
    """A picture of the photograph's size framed; ``outside`` its border is carried on, or has a value."""
    height, width = size
    scale = matrix[0, 0]
    if scale < 0.9:  # average before taking fewer pixels
        small = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
        ratio = np.array([small[0] / picture.shape[1], small[1] / picture.shape[0]])
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        matrix = np.c_[matrix[:, :2] / ratio, matrix[:, 2]]
    centred = matrix.copy()
    centred[:, 2] += 0.5 * matrix[:, :2].sum(1) - 0.5
    return cv2.warpAffine(
        picture, centred, (width, height), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101 if outside is None else cv2.BORDER_CONSTANT,
        borderValue=outside or 0.0,
    )  # fmt: skip


def _with_shadow(rng: np.random.Generator, ground: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """The ground with the soft shadow of what lies on it or hangs before it."""
    height = len(ground)
    strength = rng.uniform(0, 0.4)
    away = rng.normal(0, 0.012), abs(rng.normal(0, 0.012))
    shift = np.array([[1, 0, away[0] * height], [0, 1, away[1] * height]], np.float32)
    soft = cv2.warpAffine(cover, shift, cover.shape[::-1])
    soft = cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.006, 0.03) * height)
    return ground * (1 - strength * soft[..., None])
