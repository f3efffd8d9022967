"""Arms and legs along their axes: where one is painted, its outline goes on as that of what is seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working
from leffa.composition.reading import HANDS, HEAD
from leffa.preprocess.labels import parts_named
from leffa.preprocess.offline.drawing import grown

Where = NDArray[np.bool_]
Along = NDArray[np.float64]
"""Something of every section of a limb, one for each px of the frame along its axis."""

CHAINS = (("UPPER_ARM", "LOWER_ARM", "HAND"), ("UPPER_LEG", "LOWER_LEG", "FOOT"))
LENGTHS = {"UPPER_ARM": 30.0, "LOWER_ARM": 25.0, "UPPER_LEG": 42.0, "LOWER_LEG": 38.0}  # cm of a part
HEAD_AREA = 259.0  # cm^2: an ellipse 22 high and 15 wide
TALLEST = 80  # percentile of what the parts say of the scale: those that point at us look shorter
WIDTHS = {  # cm, at so many parts from the beginning of the limb: shoulder, elbow, wrist; hip, knee, ankle
    "UPPER_ARM": ((0, 16.0), (0.25, 11.0), (0.5, 9.5), (0.95, 8.5), (1.25, 9.0), (1.9, 6.0), (2.3, 8.0)),
    "UPPER_LEG": ((0, 26.0), (0.3, 18.0), (0.95, 12.5), (1.3, 12.0), (1.9, 7.5), (2.3, 9.0)),
}
BULK = (0.75, 1.33)  # how much thinner and bigger than these people are
MISREAD = (0.6, 1.7)  # whoever seems thinner or bigger than this was misread
ROOM = 1.1  # times this width that a painted limb may have
LEAST = 0.85  # of the usual width, below which no limb is thinned
LEAST_PART = 60  # px of the frame: of a part of a limb; fewer tell no direction
BEND = 5.0  # px of the frame: axes bend no sharper
SHARPEST = 0.4  # cosine of the angle at an elbow or a knee
ONWARDS = 8.0  # px of the frame that an axis goes on into the hand or the foot
ACROSS = 4  # samples of a section for each px of the frame
REACH = 26.0  # cm: half the length of a section
BESIDE = 1.0  # px of the frame beyond an edge: what lies there tells which edge it is
WAVES = 2.2  # cm: stiffness of an outline, about a sixth of the shortest wave that it has
SEEN, PAINTED, HIDDEN, UNKNOWN = 20.0, 1.0, 0.1, 0.02  # weights of an edge
UNDER = 2.0  # px of the frame that a limb goes on under what hides it
BLURRED = 1  # sections beside a seam, where what is seen fades
STRIP = 5.0  # cm of skin between an arm and a garment that hides the rest of it: it is the arm's
ONTO = 5  # sections that a painted limb goes on under what hides it
STRAIGHT = 8.0  # sections from a seam over which an outline becomes free to bend away from what is seen
SEAM = 5  # sections on either side of a seam between seen and painted that are compared
TAPER = 14.0  # cm from the seam over which what they are off by fades
HAND_TAPER = 4.0  # cm from a hand, whose outline says little of the arm's


@dataclass(frozen=True)
class Limb:
    """An arm or a leg.

    own, others  (H, W), by the part map: with its hand or foot; all else of the body
    axis, normal  (S, 2) x, y: a point for each px of the frame along it; unit vectors to its right
    widths  (S,) cm that a limb is wide there, of somebody of a usual size
    zoom    px of the working size in one of the frame's
    """

    own: Where
    others: Where
    axis: Along
    normal: Along
    widths: Along
    zoom: float

    def unrolled(self, values: NDArray, reach: float) -> Maps:
        """(S, U) of a map (H, W): its sections, from ``-reach`` to ``reach`` px of the frame."""
        across = self.offsets(reach) * self.zoom
        places = (self.axis[:, None] + across[None, :, None] * self.normal[:, None]).astype(np.float32)
        return cv2.remap(values.astype(np.float32), places[..., 0], places[..., 1], cv2.INTER_LINEAR)

    @staticmethod
    def offsets(reach: float) -> Along:
        half = round(reach * ACROSS)
        return np.arange(-half, half + 1) / ACROSS

    def filled(self, low: Along, high: Along, where: Where) -> Where:
        """(H, W): between two edges (S,), px of the frame from the axis, in the sections ``where``."""
        result = np.zeros(self.own.shape, np.uint8)
        left, right = (
            self.axis + edge[:, None] * self.zoom * self.normal for edge in (low, np.maximum(low, high))
        )
        for i in np.flatnonzero(where[:-1] & where[1:]):
            corners = np.array([left[i], right[i], right[i + 1], left[i + 1]])
            cv2.fillConvexPoly(result, np.rint(16 * corners).astype(np.int32), 1, cv2.LINE_8, 4)
        return result > 0


def limbs_of(parts: NDArray[np.uint8], working: Working) -> list[Limb]:
    """Those that a part map (photo's H, W) tells, each as far as it does."""
    body = working.cut(parts > 0) > 0.5
    found = []
    for chain in CHAINS:
        for side in ("LEFT", "RIGHT"):
            pieces = [working.cut(np.isin(parts, parts_named(side, name))) > 0.5 for name in chain]
            axis = axis_of(pieces, working.zoom)
            if axis is None:
                continue
            points, at = axis
            along = np.gradient(points, axis=0)
            along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
            normal = np.stack([-along[:, 1], along[:, 0]], 1)
            own = np.any(pieces, axis=0)
            widths = np.interp(at, *np.transpose(WIDTHS[chain[0]]))
            found.append(Limb(own, body & ~own, points, normal, widths, working.zoom))
    return found


def axis_of(pieces: Sequence[Where], zoom: float, sharpest: float = SHARPEST) -> tuple[Along, Along] | None:
    """Points (S, 2) along the middle of a limb, and where on it they are: 0, 1 at the joint, 2 at its end.

    pieces    (H, W) its upper part, its lower one, and its hand or foot
    sharpest  cosine of the angle at its joint; None of one that is bent more sharply
    """
    upper, lower, end = pieces
    lines = [_line(piece, zoom) for piece in (upper, lower)]
    if lines[0] is None and lines[1] is None:
        return None
    joint, wrist = _border(upper, lower, zoom), _border(lower, end, zoom)
    knots: list[tuple[float, Along]] = []
    for number, line in enumerate(lines):
        if line is None:
            continue
        borders = [None, joint, wrist][number : number + 2]
        for place, border in zip((number, number + 1), borders, strict=True):
            if any(at == place for at, _ in knots):
                continue
            other = next((knot for knot in (*borders, joint, wrist) if knot is not None), None)
            point = _end(line, other, downwards=place > number) if border is None else border
            knots.append((place, point))
    ats, points = np.array([at for at, _ in knots], float), np.array([point for _, point in knots])
    bones = np.diff(points, axis=0)
    steps = np.linalg.norm(bones, axis=1) / zoom
    if len(bones) == 2 and float(bones[0] @ bones[1]) < sharpest * zoom**2 * float(steps.prod()):
        return None  # sections beside its joint would cross each other
    length = np.concatenate([[0], np.cumsum(steps)])
    if length[-1] < 2 * BEND:
        return None
    ways = np.arange(0, length[-1] + ONWARDS)
    last = (points[-1] - points[-2]) / max(float(steps[-1]), 1e-6)
    length, ats = np.append(length, length[-1] + 4 * BEND + ONWARDS), np.append(ats, 2.3)
    points = np.vstack([points, points[-1] + (4 * BEND + ONWARDS) * last])
    bent = np.stack([_smoothed(np.interp(ways, length, points[:, i]), BEND) for i in (0, 1)], 1)
    return bent, np.interp(ways, length, ats)


def _line(piece: Where, zoom: float) -> tuple[Along, Along] | None:
    """Both ends (x, y) of a part's longer axis, the higher first; None of one that is not seen."""
    if piece.sum() < LEAST_PART * zoom**2:
        return None
    places = np.argwhere(piece)[:, ::-1].astype(np.float64)
    spreads, axes = np.linalg.eigh(np.cov(places.T))
    half = axes[:, 1] * np.sqrt(3 * max(float(spreads[1]), 1e-6))  # of a rectangle
    ends = places.mean(0) - half, places.mean(0) + half
    return ends if ends[0][1] <= ends[1][1] else ends[::-1]


def _border(piece: Where, beside: Where, zoom: float) -> Along | None:
    """The middle (x, y) of where two parts meet."""
    meet = grown(piece, zoom) & grown(beside, zoom)
    return np.argwhere(meet)[:, ::-1].mean(0) if piece.any() and meet.any() else None


def _end(line: tuple[Along, Along], other: Along | None, downwards: bool) -> Along:
    """The end of a part away from its joint, or the lower or upper of one that has none."""
    if other is None:
        return line[1] if downwards else line[0]
    return max(line, key=lambda end: float(np.linalg.norm(end - other)))


def scale_of(parts: NDArray[np.uint8], working: Working) -> float | None:
    """Px of the frame in a cm of the body, by the lengths of the parts that are seen whole, and the head."""
    told = []
    inner = np.zeros(working.size, bool)
    inner[2:-2, 2:-2] = True
    for name, length in LENGTHS.items():
        for side in ("LEFT", "RIGHT"):
            piece = working.cut(np.isin(parts, parts_named(side, name))) > 0.5
            line = _line(piece, working.zoom)
            if line is not None and not (piece & ~inner).any():
                told.append(float(np.linalg.norm(line[1] - line[0])) / working.zoom / length)
    head = working.cut(np.isin(parts, HEAD)) > 0.5
    if head.sum() > LEAST_PART * working.zoom**2 and not (head & ~inner).any():
        told.append(float(np.sqrt(head.sum() / HEAD_AREA)) / working.zoom)
    return float(np.percentile(told, TALLEST)) if told else None


@dataclass(frozen=True)
class Side:
    """One side of a limb, (S,) each.

    edge    px of the frame from the axis, positive to this side
    middle  of the limb by the part map, counted so
    seen, painted, hidden  what of the limb ends there; none of them where it cannot be told
    """

    edge: Along
    middle: Along
    seen: Where
    painted: Where
    hidden: Where

    @property
    def told(self) -> Where:
        return self.seen | self.painted | self.hidden


def continued(
    parts: NDArray[np.uint8], working: Working, painted: Where, seen: Where, hides: Where, gone: Where
) -> Where | None:
    """Painted skin (H, W), its limbs with the outline that goes on from what is seen of them.

    None where no limb of a known size is told.

    parts  the photo's (H, W) uint8 ``Part``
    seen   (H, W): arms and legs in the photo; ``hides``: what lies before them; ``gone``: what is painted
    """
    scale = scale_of(parts, working)
    limbs = limbs_of(parts, working)
    if scale is None or not limbs:
        return None
    hands = working.cut(np.isin(parts, HANDS)) > 0.5
    sides = [_sides(limb, scale, painted & gone, seen, hides, gone) for limb in limbs]
    bulk = _bulk(limbs, sides, hands, scale)
    if bulk is None:
        return None
    added, removed = np.zeros_like(painted), np.zeros_like(painted)
    for limb, both in zip(limbs, sides, strict=True):
        here = both[0].painted | both[1].painted
        if not here.any():
            continue
        on_hand = limb.unrolled(hands, 0)[:, 0] > 0.5
        low, high = _edges(both, bulk * scale * limb.widths, on_hand, scale)
        here = grown_along(here, ONTO)
        limb_painted = limb.filled(low, high, here)
        whole = both[0].told & both[1].told & ~grown_along(both[0].seen | both[1].seen, BLURRED)
        before = limb.filled(-both[0].edge, both[1].edge, whole)
        added |= limb_painted
        removed |= before & ~limb_painted & ~limb.others
    result: Where = (painted & ~removed) | added
    return result


def _sides(
    limb: Limb, scale: float, painted: Where, seen: Where, hides: Where, gone: Where
) -> tuple[Side, Side]:
    """The left side of a limb and its right."""
    own, other = (
        cv2.distanceTransform((~where).astype(np.uint8), cv2.DIST_L2, 5) for where in (limb.own, limb.others)
    )
    reach = REACH * scale
    offsets = limb.offsets(reach)
    looks = [
        limb.unrolled(where, reach) > 0.5
        for where in ((painted | seen) & ~hides, seen, hides, (other < own) & limb.others, gone, limb.own)
    ]
    middle = _middle(looks.pop(), offsets)
    rows, found = np.arange(len(middle)), []
    for way in (-1, 1):
        bare, is_seen, hidden, foreign, is_gone = (look[:, ::way] for look in looks)
        edge, any_bare = _outermost(bare & ~foreign, hidden & ~foreign, way * middle, offsets)
        further, _ = _outermost(bare, hidden & ~foreign, way * middle, offsets)
        strip = hidden[rows, _read_at(further + BESIDE, offsets)] & (further - edge < STRIP * scale)
        edge = np.where(strip, further, edge)
        inside, beyond = (_read_at(edge + step, offsets) for step in (-BESIDE, BESIDE))
        covered = any_bare & hidden[rows, beyond]
        free = any_bare & ~covered & ~foreign[rows, beyond]
        in_photo = is_seen[rows, inside] & ~is_gone[rows, beyond]
        seen_edge = free & in_photo & ~grown_along(free & ~in_photo, BLURRED)
        found.append(Side(edge, way * middle, seen_edge, free & ~seen_edge, covered))
    return found[0], found[1]


def _middle(part: Where, offsets: Along) -> Along:
    """(S,): of a limb by the part map, px of the frame from its axis."""
    count = part.sum(1)
    known = count > 0
    if not known.any():
        return np.zeros(len(part))
    middle = (part * offsets).sum(1)[known] / count[known]
    return _smoothed(np.interp(np.arange(len(part)), np.flatnonzero(known), middle), BEND)


def _outermost(bare: Where, hidden: Where, middle: Along, offsets: Along) -> tuple[Along, Where]:
    """How far outwards from its middle each section of a limb is bare, and whether it is at all."""
    columns = np.arange(len(offsets))[None]
    start = _read_at(middle, offsets)[:, None]
    stops = ~(bare | hidden) & (columns > start)
    end = np.where(stops.any(1), stops.argmax(1), len(offsets) - 1)[:, None]
    own = bare & (columns >= start) & (columns <= end)
    last = len(offsets) - 1 - own[:, ::-1].argmax(1)
    return offsets[last] + 0.5 / ACROSS, own.any(1)


def _read_at(places: Along, offsets: Along) -> NDArray[np.int_]:
    return np.clip(np.rint((places - offsets[0]) * ACROSS), 0, len(offsets) - 1).astype(int)


def _bulk(
    limbs: Sequence[Limb], sides: Sequence[tuple[Side, Side]], hands: Where, scale: float
) -> float | None:
    """How big somebody is beside the usual, by the arms and legs that are seen; None of no possible body."""
    told = [np.empty(0)]
    for limb, (left, right) in zip(limbs, sides, strict=True):
        whole = left.seen & right.seen & ~(limb.unrolled(hands, 0)[:, 0] > 0.5)
        told.append(((left.edge + right.edge) / (scale * limb.widths))[whole])
    widths = np.concatenate(told)
    if not len(widths):
        return 1.0
    bulk = float(np.median(widths))
    return float(np.clip(bulk, *BULK)) if MISREAD[0] < bulk < MISREAD[1] else None


def _edges(sides: tuple[Side, Side], widths: Along, on_hand: Where, scale: float) -> tuple[Along, Along]:
    """(S,) each: the outline of a limb, px of the frame to the right of its axis.

    widths  (S,): px of the frame that it is usually wide
    """
    usual = [side.middle + widths / 2 for side in sides]
    offs = [
        _towards_seen(side, np.where(side.told, side.edge - own, 0), on_hand, scale)
        for side, own in zip(sides, usual, strict=True)
    ]
    excess = np.maximum(offs[0] + offs[1] - (ROOM - 1) * widths, 0)
    excess *= ~(sides[0].seen | sides[1].seen)  # beside one that is seen, what is thinned off is a gap
    free = [side.painted.astype(float) for side in sides]
    low, high = (
        own + _evened(side, off - excess * share / np.maximum(free[0] + free[1], 1), on_hand, scale)
        for side, own, off, share in zip(sides, usual, offs, free, strict=True)
    )
    before = np.minimum(sides[0].edge + sides[1].edge, LEAST * widths)
    lacks = np.maximum(before - low - high, 0) * (sides[0].told & sides[1].told)
    lacks *= _away(sides[0].seen | sides[1].seen)
    low, high = (
        edge + lacks * share / np.maximum(free[0] + free[1], 1)
        for edge, share in zip((low, high), free, strict=True)
    )
    return -low, high


def _towards_seen(side: Side, off: Along, on_hand: Where, scale: float) -> Along:
    """(S,): how far an edge lies outside of the usual, near a seam as far as where it is seen."""
    rows = np.arange(len(off))
    told, shares, rest = np.zeros(len(off)), np.full(len(off), 1e-6), np.ones(len(off))
    for seen in (side.seen & ~on_hand, side.seen & on_hand):
        taper = (TAPER if not (seen & on_hand).any() else HAND_TAPER) * scale
        known = np.flatnonzero(seen)
        if not len(known):
            continue
        near = np.array([np.median(off[known[np.abs(known - place) < SEAM]]) for place in known])
        for before in (np.searchsorted(known, rows) - 1, np.searchsorted(known, rows, "right")):
            valid = (before >= 0) & (before < len(known))
            nearest = known[np.clip(before, 0, len(known) - 1)]
            share = np.where(valid, np.exp(-(((rows - nearest) / taper) ** 2)), 0)
            told += share * near[np.clip(before, 0, len(known) - 1)]
            shares += share
            rest *= 1 - share
    mean = told / shares
    return np.where(side.painted, mean + rest * (off - mean), off)


def _evened(side: Side, off: Along, on_hand: Where, scale: float) -> Along:
    """(S,): an edge without short waves, through where it is seen."""
    wanted = np.select([side.hidden, side.seen | side.painted], [off + UNDER, off], 0.0)
    seen = side.seen & (~on_hand | grown_along(side.painted, 2))
    weights = np.select([seen, side.painted, side.hidden], [SEEN, PAINTED, HIDDEN], UNKNOWN)
    weights *= np.where(seen, 1, _away(seen) ** 2)  # beside a seam it goes straight on
    return _stiff(wanted, weights, WAVES * scale)


def _away(seen: Where) -> Along:
    """(S,) in [0, 1]: 0 where a limb is seen, 1 so far from it that it is as free as where none is seen."""
    if not seen.any():
        return np.ones(len(seen))
    sections = np.abs(np.arange(len(seen))[:, None] - np.flatnonzero(seen)).min(1)
    return np.minimum(sections / STRAIGHT, 1.0)


def grown_along(where: Where, reach: int) -> Where:
    result: Where = np.convolve(where, np.ones(2 * reach + 1), "same") > 0
    return result


def _stiff(values: Along, weights: Along, waves: float) -> Along:
    """The curve near to values (S,) by their weights that bends least: no shorter waves than six times."""
    bends = np.diff(np.eye(len(values)), 2, axis=0)
    result: Along = np.linalg.solve(np.diag(weights) + waves**4 * bends.T @ bends, weights * values)
    return result


def _smoothed(values: Along, sigma: float) -> Along:
    """Without waves shorter than ``sigma``, straight on at both ends."""
    reach = round(3 * sigma)
    head, tail = 2 * values[0] - values[reach:0:-1], 2 * values[-1] - values[-2 : -reach - 2 : -1]
    kernel = cv2.getGaussianKernel(2 * reach + 1, sigma)[:, 0]
    return np.convolve(np.concatenate([head, values, tail]), kernel, "same")[
        len(head) : len(head) + len(values)
    ]
