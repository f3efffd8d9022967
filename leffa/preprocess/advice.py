"""What a user is told of photo, garment and mask before anything is painted: the same words on every road.

The app, the command line, the Python interface and the endpoints all say these sentences; the app has them in
its other languages by their keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.errors import PersonError
from leffa.preprocess.garment.kind import guess_kind
from leffa.preprocess.garment.measure import GarmentMeasure, shortfall
from leffa.preprocess.garment.shot import Shot
from leffa.preprocess.labels import Part, parts_named
from leffa.preprocess.offline.masks import MaskOptions

TEXTS = {
    "sleeve": "This garment's sleeves reach the {length}, the mask ends above.",
    "hem": "This garment reaches the {length}, the mask ends above.",
    "kind_guessed": "By its outline the garment is {looks}: it is taken for the kind {kind}.",
    "kind_open": "The kind of the garment cannot be told from its picture: it is taken for the kind {kind}.",
    "kind_other": "By its outline the garment is {looks}, but it is taken for {kind}: choose {other}.",
    "worn": "Somebody wears the garment on its picture: what is of the kind {kind} is taken off them.",
    "on_side": "The person lies on the side: if the photo should be upright, turn it first.",
    "upside_down": "The person is upside down: if the photo should be upright, turn it first.",
    "cut_at_hips": "The photo ends above the hips: only the top of the dress can be painted.",
    "sits": "The person sits, or their legs point at the camera: legs are painted poorly then.",
    "cut_at_knees": "The photo ends at the knees or above: the garment is painted as far as legs are seen.",
}
"""English, by key."""

NO_LEGS = (
    "The photo shows neither hips nor legs: for trousers, skirts and shorts use one that shows them, or "
    "choose another kind of garment."
)
LOOKS = {Garment.UPPER: "a top", Garment.LOWER: "trousers, shorts or a skirt", Garment.DRESS: "a dress"}

_HEAD, _TORSO, _UPPER_LEGS, _LOWER_LEGS = map(parts_named, ("HEAD", "TORSO", "UPPER_LEG", "LOWER_LEG"))
_SEATED = 0.2  # of the torso's height from its end to the thighs' middle: 0.21 to 0.39 of 30 people who stand
_FORESHORTENED = (
    1.3  # shins to thighs: at most 1.1 of those who stand, 1.25 in a lunge, 1.4 of who is perched
)
_CUT_SHORT = 0.3  # of the torso's height: shins of 0.5 to 0.7 are seen whole
_LEAST = 0.01  # share of the person that a part must have to count as seen


@dataclass(frozen=True)
class Advice:
    """One sentence a user should read.

    key     of ``TEXTS``
    values  what stands in its braces
    """

    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return TEXTS[self.key].format(**self.values)


# ------------------------------------------------------------------------------ the garment


def settle(
    garment: Garment | str | None, shot_of: Callable[[Garment], Shot]
) -> tuple[Garment, Shot, list[Advice]]:
    """The kind of garment to paint, its picture, and what is to be said of both.

    garment  as it was given; None = by its outline
    shot_of  the garment's picture, with a garment of this kind taken off if somebody wears it there
    """
    shot = shot_of(Garment(garment or Garment.UPPER))
    if shot.is_worn:
        kind = Garment(garment or Garment.UPPER)
        told = [Advice("worn", {"kind": kind.value})]
        return kind, shot, told if garment else [Advice("kind_open", {"kind": kind.value}), *told]
    kind, told = settle_kind(garment, shot.shown > 127)
    return kind, shot, told


def settle_kind(garment: Garment | str | None, shown: NDArray[np.bool_]) -> tuple[Garment, list[Advice]]:
    """The kind of a garment that nobody wears, and what is to be said of it.

    garment  as it was given; None = by its outline
    shown    (H, W) where the garment is on its picture
    """
    looks = guess_kind(shown)
    if garment is None:
        if looks is None:
            return Garment.UPPER, [Advice("kind_open", {"kind": Garment.UPPER.value})]
        return looks, [Advice("kind_guessed", {"looks": LOOKS[looks], "kind": looks.value})]
    return Garment(garment), of_kind(Garment(garment), looks)


def of_kind(garment: Garment, looks: Garment | None) -> list[Advice]:
    """What is to be said if a garment looks like another kind; a short outline may be a folded anything."""
    if looks in (None, garment, Garment.UPPER):
        return []
    values = {"looks": LOOKS[looks], "kind": garment.value, "other": looks.value}
    return [Advice("kind_other", values)]


def of_lengths(measure: GarmentMeasure | None, garment: Garment, options: MaskOptions) -> list[Advice]:
    """What is to be said if the garment is longer than a mask of these options."""
    short = None if measure is None else shortfall(measure, garment, options)
    if short is None:
        return []
    if short.sleeve:
        return [Advice("sleeve", {"length": short.sleeve.value})]
    assert short.hem
    return [Advice("hem", {"length": short.hem.value})]


# ------------------------------------------------------------------------------ the person


def of_person(part: NDArray[np.uint8], garment: Garment) -> list[Advice]:
    """What is to be said of a person for a kind of garment, by their ``labels.Part`` (h, w).

    Raises PersonError for a lower garment where neither hips nor legs are seen.
    """
    told = of_pose(part, garment)
    if garment is Garment.UPPER:
        return told
    if not _is_seen(part, _UPPER_LEGS) and not _is_seen(part, _LOWER_LEGS):
        if garment is Garment.LOWER:
            raise PersonError(NO_LEGS)
        return [*told, Advice("cut_at_hips")]
    legs = _Legs.of(part)
    is_short = not _is_seen(part, _LOWER_LEGS) or (legs is not None and legs.end_at_knees)
    return [*told, Advice("cut_at_knees")] if is_short and _is_cut(part) else told


def of_pose(part: NDArray[np.uint8], garment: Garment) -> list[Advice]:
    """What is to be said of who does not stand upright, also where the mask is their own."""
    told, legs = _of_head(part), _Legs.of(part)
    if told or garment is Garment.UPPER or legs is None:
        return told
    return [Advice("sits")] if legs.are_bent else []


def _of_head(part: NDArray[np.uint8]) -> list[Advice]:
    """What is to be said of somebody whose head is not above their body."""
    head, torso, thighs, calves = (
        _middle(part, parts) for parts in (_HEAD, _TORSO, _UPPER_LEGS, _LOWER_LEGS)
    )
    legs = thighs if calves is None else calves  # of who sits, thighs are beside the torso
    above, below = (head, torso) if head is not None else (torso, legs)
    if above is None or below is None:
        return []
    x, y = above - below
    if abs(x) > 1.5 * abs(y):
        return [Advice("on_side")]
    return [Advice("upside_down")] if y > 1.5 * abs(x) else []


def _is_seen(part: NDArray[np.uint8], parts: tuple[Part, ...]) -> bool:
    body = np.count_nonzero(part)
    return bool(body) and np.count_nonzero(np.isin(part, parts)) > _LEAST * body


@dataclass(frozen=True)
class _Legs:
    """How the legs are seen, in heights of the torso.

    drop    of the thighs' middle below the torso's end
    thighs  from the torso's end to the knees
    shins   height of the lower legs
    is_cut  whether the person runs off the picture at its lower edge
    """

    drop: float
    thighs: float
    shins: float
    is_cut: bool

    @classmethod
    def of(cls, part: NDArray[np.uint8]) -> "_Legs | None":
        """None where torso, upper or lower legs are not seen."""
        if not all(_is_seen(part, parts) for parts in (_TORSO, _UPPER_LEGS, _LOWER_LEGS)):
            return None
        torso, upper, lower = (
            np.percentile(np.nonzero(np.isin(part, parts))[0], [2, 50, 98])
            for parts in (_TORSO, _UPPER_LEGS, _LOWER_LEGS)
        )
        height = max(1.0, torso[2] - torso[0])
        drop, thighs = (upper[1:] - torso[2]) / height
        return cls(drop, thighs, (lower[2] - lower[0]) / height, _is_cut(part))

    @property
    def end_at_knees(self) -> bool:
        """Whether thighs that seem short may as well run off a picture that ends where the knees would be."""
        return self.is_cut and 0 <= self.drop < _SEATED and self.shins < _CUT_SHORT

    @property
    def are_bent(self) -> bool:
        """Whether the thighs lie at the height of the hips, or are seen shortened."""
        is_short = self.drop < _SEATED or self.shins > _FORESHORTENED * self.thighs
        return is_short and not self.end_at_knees


def _is_cut(part: NDArray[np.uint8]) -> bool:
    """Whether the person runs off the picture at its lower edge."""
    return bool((part[-max(1, len(part) // 50) :] > 0).any())


def _middle(part: NDArray[np.uint8], parts: tuple[Part, ...]) -> NDArray[np.float64] | None:
    """(x, y) of the middle of some parts, px; None if they are not seen."""
    if not _is_seen(part, parts):
        return None
    rows, columns = np.nonzero(np.isin(part, parts))
    return np.array([columns.mean(), rows.mean()])
