"""Long sleeves on bent arms: each laid anew along its arm where the flow swirls.

Around a sharp elbow the refinement turns a sleeve inside out, and fills what is between the arm and the
trunk. There a sleeve is laid by a map that can do neither: along it the arm's own way from shoulder to wrist,
across it one scale about the middles of the arm and of the product shot's sleeve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working, mirrored, warped
from leffa.composition.cloth import LONGEST, sure_cloth
from leffa.composition.flows import from_nearest
from leffa.composition.length import TORSO
from leffa.composition.limbs import axis_of
from leffa.composition.scene import Scene
from leffa.composition.shot import sleeves_of
from leffa.composition.sleeves import arm_under, nearer_to
from leffa.composition.steady import steady
from leffa.preprocess.offline.drawing import closed, disc, grown

Where = NDArray[np.bool_]

SHARPEST = -0.7  # cosine of the angle at an elbow: with sharper ones the arm hides itself
LEAST = 120  # px of the frame that land on a sleeve: fewer tell no map
SWIRLED = 0.2  # share of a sleeve that is turned inside out or all but a thread, from which it is laid anew
THREAD = 8.0  # times the usual area over which a piece of cloth is drawn there
SMOOTH = 1.0  # px of the frame over which a flow is smoothed to tell so
AROUND = 6.0  # px of the frame that an arm reaches beyond its part map
ROOMY = 1.15  # times as wide as its arm a sleeve lies
WIDEST = 2.0  # times half an arm's width from its middle that its sleeve may reach
TO_WRIST = 0.8  # of the way to the wrist: a sleeve that ends beyond is one to the wrist
SHOULDER = 0.3  # of the way to the elbow: a sleeve begins above
RAMP = 10.0  # px of the frame beside the trunk over which its flow becomes the sleeve's
SOFT = 1.0  # px of a shot ``LONGEST`` px long: shorter waves of its outline are the cut-out's
DEEP = 3.0  # px of such a shot: nearer to its outline a flow may be off the cloth


@dataclass(frozen=True)
class Line:
    """The middle of a sleeve on its product shot, in px of its ``sure_cloth``.

    centre, along, across  a point of it; unit vectors (x, y) towards the cuff and across it
    middle   px across by px along
    top, cuff, width  px along where it begins and ends; half of how wide it is
    """

    centre: NDArray[np.float64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    middle: Polynomial
    top: float
    cuff: float
    width: float

    @classmethod
    def of(cls, cloth: Where) -> "Line":
        """Of a sleeve (h, w) that hangs or stands off."""
        places = np.argwhere(cloth)[:, ::-1].astype(np.float64)
        centre = places.mean(0)
        _, axes = np.linalg.eigh(np.cov((places - centre).T))
        along = axes[:, 1] if axes[1, 1] > 0 else -axes[:, 1]
        across = np.array([-along[1], along[0]])
        u, v = (places - centre) @ along, (places - centre) @ across
        top, cuff = np.percentile(u, (0.5, 99.5))
        width = len(u) / (2 * (cuff - top))
        return cls(centre, along, across, Polynomial.fit(u, v, 2), float(top), float(cuff), float(width))

    def place(self, u: NDArray, off: NDArray) -> NDArray[np.float64]:
        """(..., 2) x, y of what is so far along and off its middle."""
        aside = self.middle(u) + off
        place: NDArray[np.float64] = self.centre + u[..., None] * self.along + aside[..., None] * self.across
        return place


@dataclass(frozen=True)
class OnArm:
    """An arm of the photo, unrolled along its axis. Maps are (H, W) at the working size, in px of it.

    way, off   along the axis from the shoulder, and off it to its right
    at         where on the arm: 0 at the shoulder, 1 at the elbow, 2 at the wrist
    to_arm, to_others, to_torso   distances to it, to the rest of the body, to the trunk
    person     (H, W): the person
    reaches    (H, W): what is of this arm
    half       half of how wide it is
    wrist      how far along its wrist is
    """

    way: Maps
    off: Maps
    at: Maps
    to_arm: Maps
    to_others: Maps
    to_torso: Maps
    person: Where
    reaches: Where
    half: float
    wrist: float

    @classmethod
    def of(cls, scene: Scene, working: Working, own: Where) -> "OnArm | None":
        """The one that most of a sleeve (H, W) lies on; None of one whose hand or direction is not told."""
        parts, zoom = scene.reading.parts[..., 0], working.zoom
        pieces = arm_under(scene, working, own)
        axis = axis_of(pieces, zoom, SHARPEST) if pieces[2].any() else None
        if axis is None:
            return None
        arm = pieces[0] | pieces[1]
        body, torso = (working.cut(where) > 0.5 for where in (parts > 0, np.isin(parts, TORSO)))
        to_arm, to_others, to_torso = (
            cv2.distanceTransform((~where).astype(np.uint8), cv2.DIST_L2, 5)
            for where in (arm, body & ~arm, torso)
        )
        way, off, at = _unrolled(axis, own.shape, zoom)
        person = working.cut(scene.reading.silhouette) > 127
        reaches = (to_arm < AROUND * zoom) & (to_arm <= to_others) & (at > 0) & (at < 2)
        half = (person & reaches).sum() / (2 * zoom * ((axis[1] > 0) & (axis[1] < 2)).sum())
        wrist = float((axis[1] < 2).sum() * zoom)
        return cls(way, off, at, to_arm, to_others, to_torso, person, reaches, float(half), wrist)


@dataclass(frozen=True)
class LaidSleeve:
    """A sleeve laid anew. (H, W) each: what was its, where it may be, where its cloth is, what is in it.

    flow  (H, W, 2): as it was, and in the sleeve along the arm
    """

    own: Where
    zone: Where
    on: Where
    in_it: Where
    flow: Maps


def along_bent_arms(scene: Scene, working: Working, covered: Where, places: Maps) -> tuple[Where, Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the long sleeves laid anew whose flow swirls."""
    if scene.is_worn:
        return covered, places
    cloth = sure_cloth(scene.shown) > 0
    for sleeve in sleeves_of(cloth):
        if not sleeve.is_short:
            covered, places = _along_its_arm(scene, working, sleeve.cloth, cloth, covered, places)
    return covered, places


def _along_its_arm(
    scene: Scene, working: Working, sleeve: Where, cloth: Where, covered: Where, places: Maps
) -> tuple[Where, Maps]:
    """The same with one sleeve (h, w) of the shot's cloth laid anew if it has to be."""
    zoom = working.zoom
    own = covered & (warped(nearer_to(sleeve, cloth & ~sleeve), places) > 0.5)
    if own.sum() < LEAST * zoom**2 or _swirled(places, own, covered & ~own, zoom) < SWIRLED:
        return covered, places
    arm, line = OnArm.of(scene, working, own), Line.of(sleeve)
    size = np.array(cloth.shape[::-1])
    ends = None if arm is None else _ends(line, (places + 1) * size / 2 - 0.5, own, arm)
    if arm is None or ends is None:
        return covered, places
    (first, u_first), (last, u_last) = ends
    along = u_first + (arm.way - first) * (u_last - u_first) / (last - first)
    on_shot = line.place(along, arm.off * line.width / (ROOMY * arm.half))
    laid = ((on_shot + 0.5) * 2 / size - 1).astype(np.float32)
    outline = cv2.GaussianBlur(cloth.astype(np.float32), (0, 0), SOFT * max(cloth.shape) / LONGEST)
    zone = (np.abs(arm.off) < WIDEST * arm.half) & (arm.to_arm <= arm.to_others) & (arm.way > 0)
    on = zone & (warped(outline, laid) > 0.5) & (along < line.cuff)
    in_it = arm.reaches & arm.person & (along < line.cuff)
    to_rest = cv2.distanceTransform((~(covered & ~own)).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(np.maximum(to_rest / (RAMP * zoom), (arm.at - SHOULDER) / SHOULDER), 0, 1)
    share = np.where(zone, share * share * (3 - 2 * share), 0)[..., None]
    flow = (places + share * (laid - places)).astype(np.float32)
    return _beside_it(working, arm, LaidSleeve(own, zone, on, in_it, flow), (sleeve, cloth), covered, places)


def _beside_it(
    working: Working, arm: OnArm, laid: LaidSleeve, shot: tuple[Where, Where], covered: Where, places: Maps
) -> tuple[Where, Maps]:
    """What is covered and its flow: beside a sleeve that was laid anew the trunk goes on by its steady flow.

    shot  (h, w) its sleeve and all its cloth; ``covered`` and ``places`` as they were before
    """
    sleeve, cloth = shot
    zoom = working.zoom
    shoulder, rest = arm.at < SHOULDER, covered & ~laid.own
    missed = closed(covered, AROUND * zoom) & ~covered & grown(laid.own, RAMP * zoom)
    beside = (arm.to_torso < arm.to_arm) & arm.person & ~laid.on & ~laid.in_it
    of_trunk = (laid.own | missed) & beside & ~shoulder
    kept = np.where(laid.own & ~shoulder, laid.on | laid.in_it, covered | laid.on | laid.in_it) | of_trunk
    aside = cv2.distanceTransform((~of_trunk).astype(np.uint8), cv2.DIST_L2, 5) / (RAMP * zoom)
    below = np.clip((arm.at - SHOULDER) / (SHOULDER / 2), 0, 1)
    share = np.where(of_trunk | (rest & beside), np.clip(2 - aside, 0, 1) * below, 0)
    deep, trunk = (
        cv2.erode(some.astype(np.uint8), disc(DEEP * max(cloth.shape) / LONGEST))
        for some in (cloth, cloth & ~sleeve)
    )
    flow = laid.flow + share[..., None] * (_turned_back(trunk, steady(places, rest)) - laid.flow)
    good = kept & (warped(deep.astype(np.float32), flow) > 0.5) & (~laid.own | shoulder | laid.on | of_trunk)
    touched = laid.own | laid.zone | (share > 0)
    return kept, np.where(touched[..., None], from_nearest(working, flow, good, good), flow)


def _turned_back(cloth: NDArray[np.uint8], places: Maps) -> Maps:
    """A flow (H, W, 2) that lands beyond some cloth (h, w) of the shot as far inside: as in a mirror."""
    height, width = cloth.shape
    x, y = ((np.arange(size) + 0.5) * 2 / size - 1 for size in (width, height))
    return warped(mirrored(np.stack(np.meshgrid(x, y), -1).astype(np.float32), cloth > 0), places)


def _unrolled(axis: tuple[NDArray, NDArray], size: Sequence[int], zoom: float) -> tuple[Maps, Maps, Maps]:
    """How far along an axis and off it to its right each px of a map is, in px; where on the arm."""
    steps = np.arange(0, len(axis[0]) - 1, 1 / zoom)
    points, at = (
        np.stack([np.interp(steps, np.arange(len(axis[0])), column) for column in np.transpose(values)], -1)
        for values in (axis[0], axis[1][:, None])
    )
    there = np.rint(points).astype(int)
    inside = ((there >= 0) & (there < np.array(size[::-1]))).all(1)
    free = np.ones(size, np.uint8)
    free[there[inside, 1], there[inside, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    number = np.zeros(labels.max() + 1, int)
    number[labels[there[inside, 1], there[inside, 0]]] = np.flatnonzero(inside)
    nearest = number[labels]
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    rows, columns = np.indices(size).astype(np.float64)
    away = np.stack([columns, rows], -1) - points[nearest]
    to = along[nearest]
    return (
        (nearest + (away * to).sum(-1)).astype(np.float32),
        (away[..., 1] * to[..., 0] - away[..., 0] * to[..., 1]).astype(np.float32),
        at[nearest, 0].astype(np.float32),
    )


def _ends(
    line: Line, on_shot: NDArray, own: Where, arm: OnArm
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Px along an arm, and along the sleeve on its shot, of two places that lie on each other.

    on_shot  (H, W, 2) px of the shot where the flow lands
    """
    seen = own & arm.reaches
    upper = seen & (arm.at < SHOULDER)
    if not upper.any():
        return None
    first = float(np.median(arm.way[upper])), float(np.median((on_shot[upper] - line.centre) @ line.along))
    end = float(np.percentile(arm.way[seen], 98))
    last = arm.wrist if end > TO_WRIST * arm.wrist else end
    return (first, (last, line.cuff)) if last > 2 * first[0] and line.cuff > first[1] else None


def _swirled(places: Maps, own: Where, others: Where, zoom: float) -> float:
    """Share of a sleeve's pixels that a flow turns inside out, or draws out to all but threads."""
    smooth = cv2.GaussianBlur(places, (0, 0), SMOOTH * zoom)
    down, across = np.gradient(smooth, axis=(0, 1))
    shown = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    usual = float(np.median(shown[others])) if others.any() else float(np.median(shown[own]))
    return float((shown[own] < usual / THREAD).mean())
