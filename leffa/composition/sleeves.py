"""Sleeves end on an arm as they end on the product shot: with its outline, and straight cuffs.

The flow is right about where a sleeve lies on an arm, and wavy at its end. On a piece of an arm a sleeve
hangs as it lies on its shot, so an affine map that its flow agrees on carries the shot's own outline there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working, on_picture, warped
from leffa.composition.cloth import LONGEST, sure_cloth
from leffa.composition.flows import evened, from_nearest
from leffa.composition.scene import Scene
from leffa.composition.shot import ShotSleeve, sleeves_of
from leffa.composition.steady import steady
from leffa.preprocess.labels import Part, parts_named
from leffa.preprocess.offline.drawing import disc, grown, signed_distance

LEAST_ARM = 60  # px of the frame: of a part of an arm; fewer tell no direction
LEAST_SLEEVE = 120  # px of the frame that land on a sleeve: fewer tell no map
DEEP = 3.0  # px of a shot ``LONGEST`` px long: nearer to its outline a flow may be off the cloth
SOFT = 1.0  # px of such a shot: shorter waves of its outline are the cut-out's
MOST_OFF = 0.5  # of half an arm's width: a sleeve whose flow is further from any affine map is not mended
LONG_END = 5.0  # times half an arm's width: so much of a long sleeve tells how its end hangs
AROUND = 10.0  # px of the frame that a mended sleeve may lie beside what it was
WIDEST = 3.0  # times half an arm's width from its axis that a sleeve's end is looked for
STEEPEST, ASKEW = 1.2, 0.2  # px along the arm per px across it that an end is found askew, and stays
SIDES = 0.4  # of a sleeve's length above its end: about here its width is compared
ROOM, NARROWEST = 2.0, 0.5  # px of the frame that its sides may move out; of its map's width that is left
BODY = 6.0  # px of the frame that an arm reaches beyond its part map
HEM = 1.5  # px of the frame above a sleeve's end down to which an arm is surely in it
MENDED, AS_IT_WAS = 0.25, 0.7  # of a sleeve's length above its end: from all mended to nothing
EVEN = 1.5  # px of the frame over which the one gives way to the other
LONGER = 1.2  # times the trunk's scale across, which is seen around a body, that a short sleeve is laid along
SURELY_SHORT = 0.75  # of an upper arm: a short sleeve that ends here is not too long


@dataclass(frozen=True)
class Arm:
    """Part of an arm: its middle, the direction (x, y) to the hand, half its length and width; px."""

    middle: NDArray[np.float64]
    along: NDArray[np.float64]
    length: float
    width: float

    @classmethod
    def of(cls, part: NDArray[np.bool_], below: NDArray[np.bool_], zoom: float) -> "Arm | None":
        """Of a part of an arm (H, W) and what is ``below`` it; None where either is not seen."""
        if part.sum() < LEAST_ARM * zoom**2 or not below.any():
            return None
        places, hand = np.argwhere(part)[:, ::-1].astype(np.float64), np.argwhere(below)[:, ::-1].mean(0)
        middle = places.mean(0)
        spreads, axes = np.linalg.eigh(np.cov((places - middle).T))
        along = axes[:, 1] if (hand - middle) @ axes[:, 1] >= 0 else -axes[:, 1]
        width, length = np.sqrt(3 * np.maximum(spreads, 1e-6))  # of a rectangle
        return cls(middle, along, float(length), float(width))

    def around(self, room: float, size: Sequence[int]) -> tuple[slice, slice]:
        """The box of a map of this ``size`` that has all within ``room`` px of it."""
        reach = np.abs(self.along) * self.length + room
        last = np.array(size[1::-1]) - 1
        low, high = (np.clip(self.middle + way * reach, 0, last).astype(int) for way in (-1, 1))
        return slice(low[1], high[1] + 1), slice(low[0], high[0] + 1)

    def frame(self, size: Sequence[int]) -> tuple[Maps, Maps]:
        """How far ``down`` the arm and ``across`` it from its middle each px of a map of this size is."""
        rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
        x, y = columns - np.float32(self.middle[0]), rows - np.float32(self.middle[1])
        to_x, to_y = self.along.astype(np.float32)
        return x * to_x + y * to_y, y * to_x - x * to_y


@dataclass(frozen=True)
class Sleeve:
    """A sleeve on an arm of the photo. Maps are (H, W) at the working size.

    arm, part     the upper arm or, of a long sleeve, the lower one; where it is seen
    down, across  px along the arm and across it, see ``Arm.frame``
    own           what lands on this sleeve of the shot, or nearer to it than to the rest
    around, near  what is about it; where in it the mended sleeve may lie
    flow          (H, W, 2) the affine map
    outline       (h, w) of the shot in [0, 1]: the sleeve, smooth, and the trunk beside it
    start, end    px down the arm
    slope         px down per px across, of its end
    """

    arm: Arm
    part: NDArray[np.bool_]
    down: Maps
    across: Maps
    own: NDArray[np.bool_]
    around: NDArray[np.bool_]
    near: NDArray[np.bool_]
    flow: Maps
    outline: Maps
    start: float
    end: float
    slope: float

    @property
    def reaches(self) -> float:
        """Share of the part of the arm above the end."""
        return (self.end / self.arm.length + 1) / 2

    @cached_property
    def laid(self) -> NDArray[np.bool_]:
        """Where the map lands on its cloth."""
        laid: NDArray[np.bool_] = self.near & on_picture(self.flow) & (warped(self.outline, self.flow) > 0.5)
        return laid

    @property
    def along(self) -> NDArray[np.float64]:
        """(2,): how far the map goes on the shot, of [-1, 1], per px down the arm."""
        by_x, by_y = self.flow[0, 1] - self.flow[0, 0], self.flow[1, 0] - self.flow[0, 0]
        return np.asarray(self.arm.along[0] * by_x + self.arm.along[1] * by_y, np.float64)

    def no_wider(self, covered: NDArray[np.bool_], room: float) -> "Sleeve":
        """The same sleeve drawn across the arm so that it is ``room`` px wider than it was at most."""
        middle = np.abs((self.end - self.down) / (self.end - self.start) - SIDES) < SIDES / 2
        was, new = self.own & covered & middle, self.laid & middle
        if not was.any() or not new.any():
            return self
        (low, high), (was_low, was_high) = (
            np.percentile(self.across[where], (1, 99)) for where in (new, was)
        )
        to_low, to_high = max(low, was_low - room), min(high, was_high + room)
        if to_high - to_low < NARROWEST * (high - low):
            return self
        source = low + (self.across - to_low) * (high - low) / (to_high - to_low)
        by_x, by_y = self.flow[0, 1] - self.flow[0, 0], self.flow[1, 0] - self.flow[0, 0]
        sideways = self.arm.along[0] * by_y - self.arm.along[1] * by_x
        return replace(
            self, flow=(self.flow + (source - self.across)[..., None] * sideways).astype(np.float32)
        )

    def across_its_arm(self) -> "Sleeve":
        """The same sleeve with an end that is hardly askew: cloth is not sheared along an arm."""
        slope = float(np.clip(self.slope, -ASKEW, ASKEW))
        most = WIDEST * self.arm.width
        moved = ((self.slope - slope) * np.clip(self.across, -most, most))[..., None] * self.along
        return replace(self, flow=(self.flow + moved).astype(np.float32), slope=slope)

    def ending_at(self, end: float) -> "Sleeve":
        """The same sleeve drawn along the arm from its start to another end."""
        stretch = (self.end - self.start) / (end - self.start) - 1
        moved = (stretch * (self.down - self.start))[..., None] * self.along
        return replace(self, flow=(self.flow + moved).astype(np.float32), end=end)


def with_sleeves(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the ends of sleeves as the shot has them.

    Stays as it is where the shot does not tell its sleeves, or somebody wears the garment there.
    """
    cloth = sure_cloth(scene.shown) > 0
    on_shot = [] if scene.is_worn else sleeves_of(cloth)
    trunk = cloth & ~np.any([np.zeros_like(cloth), *(sleeve.cloth for sleeve in on_shot)], axis=0)
    deep, on_trunk = (covered & _well_inside(part, places) for part in (cloth, trunk))
    found = [(one.is_short, _on_arm(scene, working, one, trunk, deep, places)) for one in on_shot]
    short, long = (
        [sleeve for is_short, sleeve in found if sleeve and is_short is kind] for kind in (True, False)
    )
    sleeves = _not_too_long(short, on_trunk, places, cloth.shape) + long
    if not sleeves:
        return covered, places
    beside = grown(on_trunk, HEM * working.zoom)
    person = working.cut(scene.reading.silhouette) > 127
    kept, flow, sure = covered, places, np.zeros_like(covered)
    for sleeve in sleeves:
        fitting = sleeve.no_wider(kept, ROOM * working.zoom)
        kept, flow, mended = _laid(fitting, working.zoom, person, beside, kept, flow)
        sure |= mended
    changed = grown(kept != covered, HEM * working.zoom) & ~sure
    kept = np.where(changed, evened(kept, working.zoom), kept)
    good = kept & (sure | _well_inside(cloth, flow))
    touched = np.any([sleeve.around & (sleeve.own | ~covered) for sleeve in sleeves], axis=0)
    return kept, np.where(touched[..., None], from_nearest(working, flow, good, good), flow)


def _well_inside(cloth: NDArray[np.bool_], places: Maps) -> NDArray[np.bool_]:
    """(H, W): where a flow lands on some of a shot (h, w), away from its outline."""
    inner = cv2.erode(cloth.astype(np.uint8), disc(DEEP * max(cloth.shape) / LONGEST))
    inside: NDArray[np.bool_] = warped(inner.astype(np.float32), places) > 0.5
    return inside


def parts_of_arm(side: str) -> list[tuple[Part, ...]]:
    """Parts of the upper arm, the lower arm and the hand of a side."""
    return [parts_named(side, name) for name in ("UPPER_ARM", "LOWER_ARM", "HAND")]


def nearer_to(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Maps:
    """(h, w) in {0, 1}: what is nearer to one piece of a shot than to another."""
    to_one, to_other = (
        cv2.distanceTransform((~cloth).astype(np.uint8), cv2.DIST_L2, 5) for cloth in (one, other)
    )
    return (to_one < to_other).astype(np.float32)


def arm_under(scene: Scene, working: Working, sleeve: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Upper arm, lower arm and hand, (H, W) each, of the arm that most of a sleeve (H, W) lies on."""
    arms = [
        [working.cut(np.isin(scene.reading.parts[..., 0], parts)) > 0.5 for parts in parts_of_arm(side)]
        for side in ("LEFT", "RIGHT")
    ]
    return max(arms, key=lambda arm: (sleeve & (arm[0] | arm[1])).sum())


def _on_arm(
    scene: Scene,
    working: Working,
    on_shot: ShotSleeve,
    trunk: NDArray[np.bool_],
    deep: NDArray[np.bool_],
    places: Maps,
) -> Sleeve | None:
    """The affine map of one sleeve onto the arm that most of it lies on; None where nothing tells it.

    trunk  (h, w) the rest of the shot's cloth; ``deep`` (H, W) what is covered and lands well inside
    """
    zoom = working.zoom
    beside = nearer_to(on_shot.cloth, trunk)
    own = warped(beside, places) > 0.5
    told = deep & own
    upper, lower, hand = arm_under(scene, working, told)
    part, below = (upper, lower) if on_shot.is_short else (lower, hand)
    arm = Arm.of(part, below, zoom)
    if arm is None or told.sum() < LEAST_SLEEVE * zoom**2:
        return None
    down, across = arm.frame(own.shape)
    if not on_shot.is_short:
        told &= down > np.percentile(down[told], 98) - LONG_END * arm.width
    flow = steady(places, told, 1)
    around = grown(told, AROUND * zoom)
    near = around & (warped(beside, flow) > 0.5)
    whole = (on_shot.cloth | trunk).astype(np.float32)
    outline = cv2.GaussianBlur(whole, (0, 0), SOFT * max(whole.shape) / LONGEST)
    start = float(np.percentile(down[told], 2))
    sleeve = Sleeve(arm, part, down, across, own, around, near, flow, outline, start, start, 0.0)
    off = np.median(np.linalg.norm((flow - places)[told], axis=1)) / np.linalg.norm(sleeve.along)
    end, slope = _end(sleeve, zoom)
    if off > MOST_OFF * arm.width or not end > start:
        return None
    return replace(sleeve, end=end, slope=slope).across_its_arm()


def _end(sleeve: Sleeve, zoom: float) -> tuple[float, float]:
    """How far down the arm's axis a sleeve ends, and how much further per px across; NaN if nowhere."""
    strip = np.rint(sleeve.across / zoom).astype(int)
    most = int(WIDEST * sleeve.arm.width / zoom)
    here = sleeve.laid & (np.abs(strip) <= most)
    ends = np.full(2 * most + 1, -np.inf)
    np.maximum.at(ends, strip[here] + most, sleeve.down[here])
    known = np.isfinite(ends)
    if not known.any():
        return np.nan, 0.0
    middle = float(np.median(ends[known]))
    known &= np.abs(ends - middle) < sleeve.arm.width
    if known.sum() < 2:
        return np.nan, 0.0
    strips = zoom * np.arange(-most, most + 1)[known]
    slope = float(np.clip(np.polyfit(strips, ends[known], 1)[0], -STEEPEST, STEEPEST))
    return float(np.median(ends[known] - slope * strips)), slope


def _not_too_long(
    sleeves: list[Sleeve], trunk: NDArray[np.bool_], places: Maps, shot: Sequence[int]
) -> list[Sleeve]:
    """Short sleeves drawn up where the flow stretches them beyond the trunk's scale, alike on both arms.

    trunk  (H, W) what lands on the shot's trunk; ``shot`` the height and width of the shot
    """
    if not sleeves or not trunk.any():
        return sleeves
    half = np.array(shot[1::-1]) / 2
    flow = steady(places, trunk, 1)
    steps = np.stack([flow[0, 1] - flow[0, 0], flow[1, 0] - flow[0, 0]], 1) * half[:, None]  # shot px per px
    if abs(np.linalg.det(steps)) < 1e-6:
        return sleeves
    across = float(np.linalg.norm(np.linalg.inv(steps)[:, 0]))  # px per px of the shot
    longer = [1 / float(np.linalg.norm(sleeve.along * half) * across * LONGER) for sleeve in sleeves]
    wanted = [
        sleeve.start + (sleeve.end - sleeve.start) / max(1.0, by)
        for sleeve, by in zip(sleeves, longer, strict=True)
    ]
    most = min(replace(sleeve, end=end).reaches for sleeve, end in zip(sleeves, wanted, strict=True))
    most = 2 * max(most, SURELY_SHORT) - 1
    return [
        sleeve.ending_at(most * sleeve.arm.length)
        if sleeve.start < most * sleeve.arm.length < sleeve.end
        else sleeve
        for sleeve in sleeves
    ]


def _laid(
    sleeve: Sleeve,
    zoom: float,
    person: NDArray[np.bool_],
    trunk: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    places: Maps,
) -> tuple[NDArray[np.bool_], Maps, NDArray[np.bool_]]:
    """What is covered and the flow, with one sleeve mended; where its own cloth decides.

    trunk  (H, W) what is the rest of the garment: it stays beside the end of a sleeve
    """
    open_to_it = sleeve.near & (sleeve.own | ~covered)
    most = WIDEST * sleeve.arm.width
    line = sleeve.end + sleeve.slope * np.clip(sleeve.across, -most, most)
    laid = sleeve.laid
    in_it = sleeve.part | (grown(sleeve.part, BODY * zoom) & covered)
    in_it &= person & (sleeve.down < line - HEM * zoom)
    above = (line - sleeve.down) / (sleeve.end - sleeve.start)  # of its length
    share = np.clip((AS_IT_WAS - above) / (AS_IT_WAS - MENDED), 0, 1)
    share = np.where(open_to_it, share * share * (3 - 2 * share), 0).astype(np.float32)
    share = cv2.GaussianBlur(share, (0, 0), EVEN * zoom)
    mended = np.where(open_to_it, laid | in_it, covered)
    between: NDArray[np.bool_] = share * signed_distance(mended) + (1 - share) * signed_distance(covered) > 0
    between &= ~(sleeve.around & ~trunk & ~laid & (sleeve.down > line + HEM * zoom))
    share = np.where(open_to_it | (above > 0), share, 0)
    flow = (places + share[..., None] * (sleeve.flow - places)).astype(np.float32)
    return between, flow, open_to_it & laid & (above < MENDED)
