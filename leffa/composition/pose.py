"""A person in another pose: the reference warped at its own size, cut sharply, on its own ground."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.composition.canvas import Maps, Working, disc, sized, warped
from leffa.composition.cloth import extended
from leffa.composition.flows import field_at, silhouette_of
from leffa.composition.scene import Composition, Scene
from leffa.model.refinement import Refined

HAIR_REACH = 0.15  # of the head's size
FACE_FIT = 0.06  # of the reference's width: a head that turns more than this is not carried as one piece


def pose_transfer(scene: Scene, working: Working, refined: Refined) -> Composition:
    """The person of the reference in the new pose, cut sharply, on the reference's own ground."""
    silhouette = silhouette_of(working, refined)
    places = scene.reference_region.places(working.unframed(refined.flow[0].movedim(-1, 0)))
    places = _head_in_one_piece(scene, working, places, silhouette)
    size = scene.region.size
    cloth = extended(np.asarray(scene.reference), scene.shown)
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


def _head_in_one_piece(scene: Scene, working: Working, places: Maps, silhouette: Maps) -> Maps:
    """A face is never torn: where the head's flow is nearly a turn in the plane, the head is carried by one.

    The similarity that fits the flow over the head replaces it there, with a soft edge at the neck.
    """
    head = _head(scene, working) * (silhouette > 0.5)
    rows, columns = np.nonzero(head > 0.5)
    if len(rows) < 50:
        return places
    width, height = scene.reference.size
    target = (places[rows, columns] + 1) / 2 * np.array([width, height], np.float32)
    source = np.stack([columns, rows], -1).astype(np.float32)
    chosen = np.random.default_rng(0).permutation(len(rows))[:4000]
    fit, inliers = cv2.estimateAffinePartial2D(
        source[chosen], target[chosen], ransacReprojThreshold=FACE_FIT * width
    )
    if fit is None or inliers.mean() < 0.5:
        return places
    y, x = np.mgrid[: places.shape[0], : places.shape[1]].astype(np.float32)
    carried = np.stack([x, y, np.ones_like(x)], -1) @ fit.T.astype(np.float32)
    carried = carried / np.array([width, height], np.float32) * 2 - 1
    share = cv2.GaussianBlur(head.astype(np.float32), (0, 0), 2.5 * working.zoom)[..., None]
    return (places + np.clip(1.6 * share, 0, 1) * (carried - places)).astype(np.float32)


def _head(scene: Scene, working: Working) -> Maps:
    """(H, W) in [0, 1] at the working size: the head, and the hair around it."""
    head = scene.reading.head.astype(np.uint8)
    return working.cut(cv2.dilate(head, disc(HAIR_REACH * np.sqrt(head.sum()))))
