"""What a visitor wishes of the mask, the mask that follows, and the mask doctor's advice."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demo import parts
from demo.painting import engine
from demo.pictures import EDITOR_SIDE, mask_url, photo_url
from demo.reading import boxes
from demo.sessions import Session, Slots
from demo.texts import say
from demo.views import part_colours
from leffa.config import Garment, Hem, Sleeve

if TYPE_CHECKING:
    from leffa.preprocess.garment.measure import GarmentMeasure, Shortfall
    from leffa.preprocess.offline.masks import MaskOptions

KINDS = tuple(kind.value for kind in Garment)
SLEEVES = ("auto", *(sleeve.value for sleeve in Sleeve))
HEMS = ("auto", *(hem.value for hem in Hem))
PROTECTED = ("hands", "hair", "face", "bag")


@dataclass(frozen=True)
class Wishes:
    """The values of the four widgets, one of the known ones each."""

    kind: str = KINDS[0]
    sleeve: str = "auto"
    hem: str = "auto"
    protect: tuple[str, ...] = PROTECTED

    @classmethod
    def given(cls, kind: Any, sleeve: Any, hem: Any, protect: Any) -> "Wishes":
        """The widgets' values, as a page sends them: whatever it is, what comes out is known."""
        return cls.sound({"kind": kind, "sleeve": sleeve, "hem": hem, "protect": protect})

    @classmethod
    def sound(cls, choices: dict[str, Any]) -> "Wishes":
        """Wishes from outside, with what the widgets do not know replaced by their defaults."""

        def one_of(name: str, known: tuple[str, ...]) -> str:
            value = choices.get(name)
            return value if value in known else known[0]

        given = choices.get("protect", PROTECTED)
        protect = tuple(name for name in PROTECTED if isinstance(given, (list, tuple)) and name in given)
        return cls(one_of("kind", KINDS), one_of("sleeve", SLEEVES), one_of("hem", HEMS), protect)

    @property
    def garment(self) -> Garment:
        return Garment(self.kind)

    @property
    def values(self) -> tuple[str, str, str, list[str]]:
        """For the widgets again."""
        return self.kind, self.sleeve, self.hem, list(self.protect)

    def choices(self) -> dict[str, Any]:
        """For a record, as JSON can carry it."""
        return {**asdict(self), "protect": list(self.protect)}

    def options(self) -> "MaskOptions":
        """For the engine."""
        from leffa.preprocess.offline.masks import MaskOptions

        return MaskOptions(
            sleeve=None if self.sleeve == "auto" else Sleeve(self.sleeve),
            hem=None if self.hem == "auto" else Hem(self.hem),
            **{f"protect_{name}": name in self.protect for name in PROTECTED},
        )


def mask_value(slots: Slots, wishes: Wishes) -> dict:
    """The automatic mask for the wishes, kept in the slots; returns the mask editor's value."""
    slots.choices = wishes.choices()
    picked = slots.pictures.get("photo")
    if picked is None or picked.prepared is None:
        slots.automatic = None
        return {}
    prepared = picked.prepared
    slots.automatic = engine().mask(prepared, wishes.garment, wishes.options(), measured(slots, wishes))
    return {
        "photo": photo_url(prepared.photo, EDITOR_SIDE),
        "mask": mask_url(slots.automatic),
        "parts": photo_url(part_colours(engine().parts(prepared)), EDITOR_SIDE),
        "strokes": [stroke.as_dict() for stroke in slots.strokes],
        "people": boxes(picked),
        "chosen": prepared.chosen,
    }


def measured(slots: Slots, wishes: Wishes) -> "GarmentMeasure | None":
    """The garment's lengths, measured once for each kind; None where there is none or it cannot be told."""
    from leffa.preprocess.garment.measure import measure_garment

    picked = slots.pictures.get("garment")
    if picked is None:
        return None
    if wishes.kind not in picked.measure:
        picked.measure[wishes.kind] = measure_garment(np.asarray(picked.image), wishes.garment)
    return picked.measure[wishes.kind]


def lacking(slots: Slots, wishes: Wishes) -> "Shortfall | None":
    """Where the garment is longer than the mask; None where it is not, or cannot be told."""
    from leffa.preprocess.garment.measure import shortfall

    measure = measured(slots, wishes)
    if measure is None or "photo" not in slots.pictures:
        return None
    return shortfall(measure, wishes.garment, wishes.options())


def is_fitted(slots: Slots, wishes: Wishes) -> bool:
    """Whether the automatic mask is smaller for this garment than for any."""
    from leffa.preprocess.garment.measure import fitted

    photo = slots.pictures.get("photo")
    if photo is None or photo.prepared is None or photo.prepared.is_official:
        return False
    wished = wishes.options()
    return fitted(wished, measured(slots, wishes), wishes.garment) != wished


def advice(session: Session, slots: Slots, wishes: Wishes) -> dict:
    """The mask doctor's line: what is too short, and an offer to mend it; or what the mask follows."""
    short = lacking(slots, wishes)
    if short is None:
        cut = is_fitted(slots, wishes)
        return parts.quiet(say(session.language, "doctor_fitted") if cut else "")
    what, length = ("sleeve", short.sleeve) if short.sleeve else ("hem", short.hem)
    reached = say(session.language, f"length_{length.value}") if length else ""
    told = say(session.language, f"doctor_{what}", length=reached)
    return parts.warn(told, say(session.language, "doctor_mend"))


def mended(slots: Slots, wishes: Wishes) -> Wishes:
    """The wishes with the room that the garment needs."""
    short = lacking(slots, wishes)
    if short is None:
        return wishes
    sleeve = short.sleeve.value if short.sleeve else wishes.sleeve
    hem = short.hem.value if short.hem else wishes.hem
    return Wishes(wishes.kind, sleeve, hem, wishes.protect)
