"""A person in another pose: the reference warped at its own size, cut sharply, on its own ground.

A flow tears what is small and known to everybody: faces, hands, feet. Where both part maps show such a piece
and one is nearly the other turned and scaled, it is carried as one piece, outline and all.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.composition.canvas import Maps, Working, sized, warped
from leffa.composition.cloth import ROUGH_RIM, extended, sure_cloth
from leffa.composition.flows import field_at, from_nearest, silhouette_of
from leffa.composition.scene import Composition, Scene
from leffa.model.refinement import Refined
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.drawing import disc, grown

FIT = 0.1  # of a piece's size in the reference: a piece that turns more than this is not carried as one
LEAST_PAIRS, LEAST_FITTING = 6, 0.6
LEAST_UPRIGHT = 0.8  # cosine of the turn: a foot that points elsewhere is another picture
CELL = 24  # of U and V, 0 to 255: places that are taken for the same
OUTER = 3.0  # px of the frame that a person may reach beyond where the flow lands well inside them
CLOTHED = tuple(part for part in Part if "TORSO" in part.name or "LEG" in part.name)
LOOSE = 7.0  # px of the frame that clothes reach beyond a body
LEAST_PIXELS = 4  # of a piece in such a cell


@dataclass(frozen=True)
class Piece:
    """What is carried in one piece: its parts, and how far around them it reaches, in its own size."""

    parts: tuple[Part, ...]
    reach: float


HEAD = (Part.HEAD_LEFT, Part.HEAD_RIGHT)
PIECES = (
    Piece(HEAD, 0.45),  # with the hair
    Piece((Part.LEFT_HAND,), 0.25),
    Piece((Part.RIGHT_HAND,), 0.25),
    Piece((Part.LEFT_FOOT,), 0.3),  # with the shoe
    Piece((Part.RIGHT_FOOT,), 0.3),
)


def pose_transfer(scene: Scene, working: Working, refined: Refined) -> Composition:
    """The person of the reference in the new pose, cut sharply, on the reference's own ground."""
    silhouette = silhouette_of(working, refined)
    places = scene.reference_region.places(working.unframed(refined.flow[0].movedim(-1, 0)))
    deep = warped(cv2.erode(sure_cloth(scene.shown, ROUGH_RIM), disc(1)).astype(np.float32), places) > 0.5
    if (sure := deep & (silhouette > 0.5)).any():
        places = from_nearest(working, places, sure, deep)
        silhouette *= grown(sure, OUTER * working.zoom)  # the rest shows nobody
    for piece in PIECES:
        places, silhouette = _in_one_piece(scene, working, piece, places, silhouette)
    size = scene.region.size
    cloth = extended(np.asarray(scene.reference), scene.shown, ROUGH_RIM)
    person = warped(cloth, sized(places, size))
    whole = working.whole(silhouette, scene.mask.shape)
    result = np.empty((*scene.mask.shape, 3), np.float32)
    result[:] = _ground(scene.reference, scene.shown)
    left, top, right, bottom = scene.region.box
    inner = result[top:bottom, left:right]
    inner += whole[top:bottom, left:right, None] * (person - inner)
    return Composition(
        Image.fromarray(result.round().clip(0, 255).astype(np.uint8)),
        np.full(scene.mask.shape, 255, np.uint8),
        whole,
        field_at(working, scene, places, whole),
    )


def _ground(reference: Image.Image, shown: NDArray[np.uint8]) -> Maps:
    """(1, 1, 3): colour of the reference's ground."""
    pixels = np.asarray(reference)[shown < 128]
    if not len(pixels):
        return np.full((1, 1, 3), 255, np.float32)
    return np.median(pixels, axis=0).astype(np.float32)[None, None]


def _in_one_piece(
    scene: Scene, working: Working, piece: Piece, places: Maps, silhouette: Maps
) -> tuple[Maps, Maps]:
    """The flow (H, W, 2) and silhouette (H, W) with a piece carried by a turn in the plane, if it is one."""
    if scene.reference_parts is None:
        return places, silhouette
    fit = similarity(scene.reading.parts, scene.reference_parts, piece)
    if fit is None:
        return places, silhouette
    own = np.isin(scene.reading.parts[..., 0], piece.parts)
    others = (scene.reading.parts[..., 0] > 0) & ~own
    around = grown(own, piece.reach * float(np.sqrt(own.sum())))
    zone = working.cut(around & ~others)
    share = np.minimum(1, 1.6 * cv2.GaussianBlur(zone, (0, 0), 1.5 * working.zoom)) * (zone > 0)
    left, top, right, bottom = scene.region.box
    y, x = np.mgrid[: places.shape[0], : places.shape[1]].astype(np.float32)
    x, y = (
        left + (x + 0.5) * (right - left) / places.shape[1] - 0.5,
        top + (y + 0.5) * (bottom - top) / places.shape[0] - 0.5,
    )
    height, width = scene.shown.shape
    there = np.stack([x, y, np.ones_like(x)], -1) @ fit.T
    carried = ((there + 0.5) / np.array([width, height]) * 2 - 1).astype(np.float32)
    inside = np.abs(carried).max(-1) <= 1  # what the reference does not show is not made up
    cover = np.clip(2 * warped(scene.shown.astype(np.float32) / 255, carried) - 0.5, 0, 1) * inside
    cut = silhouette + share * (cover - silhouette)
    trunk = np.isin(scene.reading.parts[..., 0], CLOTHED)
    clothes = grown(working.cut(trunk) > 0.5, LOOSE * working.zoom)
    # a hand lies on loose clothes, which are wider than the body; beside a head there are none
    behind = clothes & (silhouette > cut) & (piece.parts != HEAD)
    share = np.where(behind, share * cover, share)
    return places + share[..., None] * (carried - places), np.where(behind, silhouette, cut)


def similarity(target: NDArray[np.uint8], reference: NDArray[np.uint8], piece: Piece) -> Maps | None:
    """(2, 3) from pixels (x, y) of one part map to those of the other; None where a piece is not one turned.

    target, reference  (H, W, 3) uint8 I, U, V
    """
    here, there = (_cells(parts, piece) for parts in (target, reference))
    shared = sorted(here.keys() & there.keys())
    if len(shared) < LEAST_PAIRS:
        return None
    source, aim = (np.stack([cells[key] for key in shared]).astype(np.float32) for cells in (here, there))
    size = float(np.linalg.norm(np.ptp(aim, axis=0)))
    fit, fitting = cv2.estimateAffinePartial2D(source, aim, ransacReprojThreshold=FIT * size)
    if fit is None or fitting.mean() < LEAST_FITTING or fit[0, 0] < LEAST_UPRIGHT * np.hypot(*fit[:, 0]):
        return None
    return fit.astype(np.float32)


def _cells(parts: NDArray[np.uint8], piece: Piece) -> dict[int, NDArray[np.float64]]:
    """Mean (x, y) of a piece's pixels by their place on the body."""
    rows, columns = np.nonzero(np.isin(parts[..., 0], piece.parts))
    along, across = (parts[rows, columns, 1:].astype(np.int64) // CELL).T
    keys, number, count = np.unique(along * 256 + across, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(number, values, len(keys)) for values in (columns, rows)], -1)
    means = means / count[:, None]
    return {int(keys[i]): means[i] for i in np.flatnonzero(count >= LEAST_PIXELS)}
