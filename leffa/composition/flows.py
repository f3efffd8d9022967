"""The attention flow refined to the pixel, and the silhouette that goes with it."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from leffa.composition.canvas import FRAME, Maps, Working, disc, framed_mask, framed_picture
from leffa.composition.networks import Networks
from leffa.composition.scene import Scene
from leffa.model.flow import FlowField
from leffa.model.refinement import Refined, Shows

OUTLINE = 0.7  # px of the frame: waves of a silhouette's outline that are shorter are smoothed away
GAP = 3.0  # px of the frame: half the width of what the flow may miss within a garment
SLIVER = 1.2  # px of the frame: what is narrower is no part of a garment
EDGE = 0.9  # slope of the outline, smoothed so, per px of the frame: it then ends within two of the photo's


@torch.no_grad()
def refine(scene: Scene, attention: FlowField, networks: Networks) -> Refined:
    mask = torch.ones(1, 1, *FRAME) if scene.garment is None else framed_mask(scene.mask, scene.region)
    return networks.refinement(
        framed_picture(scene.reference, scene.reference_region),
        framed_mask(scene.shown, scene.reference_region),
        framed_picture(scene.photo, scene.region),
        mask,
        scene.reading.body,
        attention.map(lambda values: values[None].float()),
    )


def silhouette_of(working: Working, refined: Refined) -> Maps:
    """(H, W) in [0, 1] at the working size: the garment, with an edge as sharp as the photo's own."""
    return outlined(working, covered_by(working, refined), OUTLINE)


def covered_by(working: Working, refined: Refined) -> NDArray[np.bool_]:
    """(H, W) at the working size: where the garment is likelier than all else together."""
    logits = working.unframed(refined.shows[0])
    others = np.log(np.exp(logits[..., 1:]).sum(-1) + 1e-9)
    covered: NDArray[np.bool_] = logits[..., Shows.GARMENT] > others
    return covered


def landed(
    working: Working, covered: NDArray[np.bool_], lands: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered, and its flow (H, W, 2), so that all of it shows cloth.

    lands  (H, W): where the flow ends on the garment

    Where it misses the cloth over an area, nothing is covered; along a line the flow beside it holds.
    """
    missed = (covered & ~lands).astype(np.uint8)
    area = cv2.morphologyEx(missed, cv2.MORPH_OPEN, disc(GAP * working.zoom)) > 0
    kept = (
        cv2.morphologyEx((covered & ~area).astype(np.uint8), cv2.MORPH_OPEN, disc(SLIVER * working.zoom)) > 0
    )
    if not (kept & lands).any():
        return kept & lands, places
    _, labels = cv2.distanceTransformWithLabels(
        1 - (kept & lands).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((labels.max() + 1, 2), np.float32)
    nearest[labels[kept & lands]] = places[kept & lands]
    return kept, np.where(lands[..., None], places, nearest[labels]).astype(np.float32)


def outlined(working: Working, covered: NDArray[np.bool_], outline: float) -> Maps:
    """(H, W) in [0, 1]: what is covered, without waves shorter than ``outline`` px of the frame."""
    smooth = cv2.GaussianBlur(covered.astype(np.float32), (0, 0), outline * working.zoom)
    slope = max(1.0, EDGE * working.zoom * outline / OUTLINE)  # as steep as without the smoothing
    return np.clip((smooth - 0.5) * slope + 0.5, 0, 1)


def field_at(working: Working, scene: Scene, places: Maps, silhouette: Maps) -> FlowField:
    flow = torch.from_numpy(working.whole(places, scene.mask.shape))
    cover = torch.from_numpy(silhouette)
    return FlowField(flow, torch.zeros_like(cover), torch.ones_like(cover), cover)
