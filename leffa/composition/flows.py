"""The attention flow refined to the pixel, and the silhouette that goes with it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from leffa.composition.canvas import FRAME, Maps, Working, framed_mask, framed_picture, mirrored
from leffa.composition.networks import Networks
from leffa.composition.scene import Scene
from leffa.model.flow import FlowField
from leffa.model.refinement import Refined, Shows
from leffa.preprocess.offline.drawing import closed, grown, joined_to, opened

OUTLINE = 0.7  # px of the frame: waves of a silhouette's outline that are shorter are smoothed away
GAP = 4.0  # px of the frame: half the width of what the flow may miss within a garment
STRIP = 2.0  # px of the frame: half the width of a strip of skin that nobody shows beside a garment
LEGS_APART = 7.0  # px of the frame: half of the widest gap between legs that touch
BUMP = 9.0  # px of the frame: how far a shoulder may rise above the garment that covers it
SLIVER = 1.2  # px of the frame: what is narrower is no part of a garment
TORN, LONG = 2.0, 3.0  # px of the frame: waves of an outline that no garment has; of them, a side of what has
HEM = 2.5  # px of the frame: a garment's outermost strip may be a hem's or a collar's, and goes on alone
FRAYED = 0.8  # px of the frame over which the places along an outline are smoothed
EDGE = 0.9  # slope of the outline, smoothed so, per px of the frame: it then ends within two of the photo's


@torch.no_grad()
def refine(scene: Scene, attention: FlowField, networks: Networks) -> Refined:
    """The mean of what the network says of the scene and of the scene in a mirror."""
    mask = torch.ones(1, 1, *FRAME) if scene.garment is None else framed_mask(scene.mask, scene.region)
    given = (
        framed_picture(scene.reference, scene.reference_region),
        framed_mask(scene.shown, scene.reference_region),
        framed_picture(scene.photo, scene.region),
        mask,
        scene.reading.body,
    )
    start = attention.map(lambda values: values[None].float())
    *pictures, body = (values.flip(3) for values in given)
    own = networks.refinement(*given, start)
    other = networks.refinement(*pictures, body * _TURNED[:, None, None], _mirrored(start))
    flows = [
        (flow + turned.flip(3) * _TURNED[:2, None, None]) / 2
        for flow, turned in zip(own.flows, other.flows, strict=True)
    ]
    return Refined(flows, (own.shows + other.shows.flip(3)) / 2)


_TURNED = torch.tensor([-1.0, 1, 1])
"""Of body coordinates, and of places: x points the other way in a mirror."""


def _mirrored(field: FlowField) -> FlowField:
    turned = field.map(lambda values: values.flip(2))
    return replace(turned, flow=turned.flow * _TURNED[:2])


def silhouette_of(working: Working, refined: Refined) -> Maps:
    """(H, W) in [0, 1] at the working size: the garment, with an edge as sharp as the photo's own."""
    return outlined(working, covered_by(working, refined), OUTLINE)


def covered_by(working: Working, refined: Refined) -> NDArray[np.bool_]:
    """(H, W) at the working size: where the garment is likelier than all else together."""
    logits = working.unframed(refined.shows[0])
    others = np.log(np.exp(logits[..., 1:]).sum(-1) + 1e-9)
    covered: NDArray[np.bool_] = logits[..., Shows.GARMENT] > others
    return covered


@dataclass(frozen=True)
class Said:
    """What the refinement says of where the garment is. All (H, W) at the working size.

    covered   where it is
    possible  where it may be if the flow carries it there
    worn      trunk and upper arms without the throat: no skin is seen in strips there
    person    the person in the photo, with what they wore
    legs      of somebody who is to wear trousers: with the garment on both sides they are under it
    """

    covered: NDArray[np.bool_]
    possible: NDArray[np.bool_]
    worn: NDArray[np.bool_]
    person: NDArray[np.bool_]
    legs: NDArray[np.bool_]


@dataclass(frozen=True)
class Lands:
    """Where the flow ends on the product shot, (H, W) each.

    deep, on_cloth, near_cloth  well inside the garment, on it, or near it
    drawn     on it by the flow without its own short waves: the shot's outline alone, with its corners
    opening   in the opening of its neck
    """

    deep: NDArray[np.bool_]
    on_cloth: NDArray[np.bool_]
    near_cloth: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    opening: NDArray[np.bool_]


def landed(working: Working, said: Said, lands: Lands, places: Maps) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered, and its flow (H, W, 2), so that all of it shows cloth.

    What a pixel shows says where the garment is; where exactly it ends, the flow says, which carries the
    product shot's own outline: its hems are straight and its corners are corners. Where the flow misses the
    cloth inside the garment, or just beside it on a shoulder, and along the outline, whose colours are mixed
    with the ground's, the nearest that is well inside holds.
    """
    solid = joined_to(lands.on_cloth & (said.covered | said.possible), said.covered)
    filled = closed(solid, GAP * working.zoom) & said.person
    kept = solid | (said.covered & (filled | _holes(solid) | (lands.near_cloth & said.worn)))
    kept |= _beside(working, kept, said.worn) | (
        said.legs & between(kept) & closed(kept, LEGS_APART * working.zoom)
    )
    kept = opened(kept & ~opened(lands.opening, SLIVER * working.zoom), SLIVER * working.zoom)
    kept = evened(kept, working.zoom) | (kept & _corners(lands.drawn, working.zoom))
    sure = kept & lands.deep
    if not sure.any():
        return sure, places
    return kept, from_nearest(working, places, sure, lands.deep)


def evened(covered: NDArray[np.bool_], zoom: float) -> NDArray[np.bool_]:
    """A silhouette (H, W) without bites and bumps shorter than ``TORN`` px of the frame; straps stay."""
    smooth = covered
    for _ in range(2):
        smooth = cv2.GaussianBlur(smooth.astype(np.float32), (0, 0), TORN * zoom) > 0.5
    thin = covered & ~smooth
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8))
    long = stats[:, cv2.CC_STAT_AREA] > (LONG * TORN * zoom) ** 2
    long[0] = False
    evened: NDArray[np.bool_] = smooth | long[pieces]
    return evened


def _corners(drawn: NDArray[np.bool_], zoom: float) -> NDArray[np.bool_]:
    """(H, W): what smoothing would round off the product shot's own outline."""
    return drawn & grown(~drawn, 2 * TORN * zoom)


def from_nearest(working: Working, places: Maps, sure: NDArray[np.bool_], good: NDArray[np.bool_]) -> Maps:
    """A flow (H, W, 2) kept where it is ``good``; elsewhere that of the ``sure`` pixels beyond the nearest,
    as in a mirror, smoothed: the nearest's alone would draw threads."""
    beyond = mirrored(places, sure, HEM * working.zoom)
    whole = np.where(good[..., None], places, beyond).astype(np.float32)
    return np.where(good[..., None], whole, cv2.GaussianBlur(whole, (0, 0), FRAYED * working.zoom))


def _beside(working: Working, kept: NDArray[np.bool_], worn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): slivers of the body that would look out beside the garment, and low bumps above a shoulder."""
    bare = worn & ~kept
    wide, near = opened(bare, STRIP * working.zoom), grown(kept, 2 * STRIP * working.zoom)
    rise = max(1, round(BUMP * working.zoom))
    upwards = np.ones((rise, 1), np.uint8)
    above = cv2.dilate(kept.astype(np.uint8), upwards, anchor=(0, 0)) > 0
    high = cv2.morphologyEx(bare.astype(np.uint8), cv2.MORPH_OPEN, upwards) > 0
    return bare & ((near & ~wide) | (above & ~high))


def between(kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): what has some of what is kept in its row on either side."""
    left, right = (np.maximum.accumulate(kept[:, ::way], axis=1)[:, ::way] for way in (1, -1))
    found: NDArray[np.bool_] = left & right & ~kept
    return found


def _holes(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): what is not solid and shut in by what is."""
    _, labels = cv2.connectedComponents(np.pad(~solid, 1, constant_values=True).astype(np.uint8))
    holes: NDArray[np.bool_] = (labels != labels[0, 0])[1:-1, 1:-1] & ~solid
    return holes


def share_shown(working: Working, refined: Refined, what: Shows) -> Maps:
    """(H, W) in [0, 1] at the working size: how sure it is that a pixel shows this."""
    share: Maps = working.unframed(refined.shows[0].softmax(0))[..., what]
    return share


def outlined(working: Working, covered: NDArray[np.bool_], outline: float) -> Maps:
    """(H, W) in [0, 1]: what is covered, without waves shorter than ``outline`` px of the frame."""
    smooth = cv2.GaussianBlur(covered.astype(np.float32), (0, 0), outline * working.zoom)
    slope = max(1.0, EDGE * working.zoom * outline / OUTLINE)  # as steep as without the smoothing
    return np.clip((smooth - 0.5) * slope + 0.5, 0, 1)


def field_at(working: Working, scene: Scene, places: Maps, silhouette: Maps) -> FlowField:
    flow = torch.from_numpy(working.whole(places, scene.mask.shape))
    cover = torch.from_numpy(silhouette)
    return FlowField(flow, torch.zeros_like(cover), torch.ones_like(cover), cover)
