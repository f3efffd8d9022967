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


def silhouette_of(working: Working, refined: Refined, lands: NDArray[np.bool_] | None = None) -> Maps:
    """(H, W) in [0, 1] at the working size: the garment, with an edge as sharp as the photo's own.

    lands  (H, W): where the flow ends on the garment; elsewhere there is nothing to be laid
    """
    logits = working.unframed(refined.shows[0])
    others = np.log(np.exp(logits[..., 1:]).sum(-1) + 1e-9)
    covered = logits[..., Shows.GARMENT] > others
    if lands is not None:
        both = (covered & lands).astype(np.uint8)
        covered = cv2.morphologyEx(both, cv2.MORPH_OPEN, disc(SLIVER * working.zoom)) > 0
    return outlined(working, covered, OUTLINE)


def outlined(working: Working, covered: NDArray[np.bool_], outline: float) -> Maps:
    """(H, W) in [0, 1]: what is covered, without waves shorter than ``outline`` px of the frame."""
    smooth = cv2.GaussianBlur(covered.astype(np.float32), (0, 0), outline * working.zoom)
    slope = max(1.0, EDGE * working.zoom * outline / OUTLINE)  # as steep as without the smoothing
    return np.clip((smooth - 0.5) * slope + 0.5, 0, 1)


def field_at(working: Working, scene: Scene, places: Maps, silhouette: Maps) -> FlowField:
    flow = torch.from_numpy(working.whole(places, scene.mask.shape))
    cover = torch.from_numpy(silhouette)
    return FlowField(flow, torch.zeros_like(cover), torch.ones_like(cover), cover)
