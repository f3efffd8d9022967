"""What a detector and the masking code make of a rendered person: landmarks, condition, mask, flow."""

import cv2
import numpy as np
from torch import Tensor

from leffa.config import Garment
from leffa.images import planes
from leffa.preprocess.labels import Landmark, Parse, Part
from leffa.preprocess.offline.jitter import damage_silhouette, jitter_landmarks
from leffa.preprocess.offline.masks import agnostic_mask
from leffa.preprocess.offline.parts import body_coordinates, part_map
from leffa.synthetic.scene import Picture

# BlazePose's depths are exaggerated and biased by limb: in torso lengths, measured on renderings.
DEPTH_HABIT = {
    "NOSE": -1.0, "EYE": -1.0, "MOUTH": -0.9, "EAR": -0.7, "SHOULDER": -0.4, "ELBOW": -0.4, "WRIST": -0.8,
    "PINKY": -0.9, "INDEX": -1.0, "THUMB": -0.8, "HIP": 0.0, "KNEE": -0.1, "ANKLE": 0.6, "HEEL": 0.5,
    "FOOT": 0.5,
}  # fmt: skip
HANDS = (Part.LEFT_HAND, Part.RIGHT_HAND)


def observe(rng: np.random.Generator, picture: Picture, jitter: float) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (33, 4) and silhouette (H, W) as a detector would find them.

    With its habits of depth, and with the errors measured on photos, ``jitter`` times as strong
    (``leffa.preprocess.offline.jitter``); 0 = the truth.
    """
    landmarks, silhouette = picture.landmarks.astype(np.float32), picture.buffer.coverage()
    if not jitter:
        return landmarks, silhouette
    shoulders = landmarks[[Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER], :2].mean(0)
    hips = landmarks[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP], :2].mean(0)
    torso = float(np.linalg.norm(shoulders - hips))
    bias = np.array([DEPTH_HABIT.get(_limb_of(landmark), 0.0) for landmark in Landmark], np.float32)
    landmarks[:, 2] = 2.2 * landmarks[:, 2] + torso * bias
    silhouette = damage_silhouette(silhouette, landmarks, rng, jitter)
    return jitter_landmarks(landmarks, rng, jitter), silhouette


def _limb_of(landmark: Landmark) -> str:
    """NOSE, EYE, SHOULDER ...: a landmark's name without its side."""
    words = [word for word in landmark.name.split("_") if word not in ("LEFT", "RIGHT", "INNER", "OUTER")]
    return words[0]


def condition(landmarks: np.ndarray, silhouette: np.ndarray) -> Tensor:
    """The densepose condition (3, H, W) by the code that photos go through."""
    coordinates = body_coordinates(part_map(landmarks, silhouette))
    return planes(coordinates)


def garment_pixels(picture: Picture, garment: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that mostly show the garment, given its surfels (n,) bool; never face or hand."""
    index, _ = picture.buffer.dominant()
    mostly = (index >= 0) & garment[np.maximum(index, 0)] & (picture.buffer.coverage() >= 0.5)
    return mostly & ~untouchable(picture)


def try_on_mask(
    picture: Picture,
    worn: np.ndarray,
    kind: Garment,
    landmarks: np.ndarray,
    silhouette: np.ndarray,
    image: np.ndarray | None,
) -> np.ndarray:
    """(H, W) bool: the photo code's mask, made to cover all of the worn garment and no face or hand."""
    mask = agnostic_mask(landmarks, silhouette, kind, image) > 0
    size = 2 * max(round(picture.buffer.height / 128), 1) + 1
    mask |= cv2.dilate(worn.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return mask & ~untouchable(picture)


def untouchable(picture: Picture) -> np.ndarray:
    """(H, W) bool: seen face, hands and bag."""
    labels = picture.buffer.labels()
    hand = np.isin(picture.parts[..., 0], HANDS) & np.isin(labels, (Parse.LEFT_ARM, Parse.RIGHT_ARM))
    return np.isin(labels, (Parse.HEAD, Parse.BAG)) | hand


def pixel_flow(
    picture: Picture, chosen: np.ndarray, reference_cover: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Flow (H, W, 2) in [-1, 1] and visibility (H, W) of the chosen surfels, one per pixel.

    A pixel counts as visible where the surfel owns most of it, its point is seen in the reference, and the
    four reference pixels that bilinear sampling would read are wholly covered.
    """
    buffer = picture.buffer
    index, share = buffer.dominant(chosen & np.isfinite(buffer.flow[:, 0]))
    there = index >= 0
    height, width = reference_cover.shape
    place = np.where(there[..., None], buffer.flow[np.maximum(index, 0)], 0)
    visible = there & (share >= 0.5) & buffer.visible[np.maximum(index, 0)]
    base = np.floor(place - 0.5).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            column, row = np.clip(base[..., 0] + dx, 0, width - 1), np.clip(base[..., 1] + dy, 0, height - 1)
            visible &= reference_cover[row, column] > 0.99
    flow = 2 * place / np.array([width, height], np.float32) - 1
    return np.where(there[..., None], flow, 0).astype(np.float32), visible
