"""What a visitor chooses of the mask, the mask that follows, and the mask doctor's advice."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from demo import parts
from demo.painting import engine
from demo.photos import boxes
from demo.pictures import EDITOR_SIDE, mask_url, part_colours, photo_url
from demo.sessions import Session
from demo.slots import Slots
from demo.texts import say
from leffa.config import Garment, Hem, Sleeve
from leffa.errors import PersonError
from leffa.preprocess.advice import Advice, of_kind, of_lengths, of_person
from leffa.preprocess.garment.kind import guess_kind
from leffa.preprocess.garment.measure import GarmentMeasure, Shortfall, shortfall
from leffa.preprocess.garment.product import foreground
from leffa.preprocess.offline.masks import MaskOptions

KINDS = tuple(kind.value for kind in Garment)
SLEEVES = ("auto", *(sleeve.value for sleeve in Sleeve))
HEMS = ("auto", *(hem.value for hem in Hem))
GUESS, WORN = "guess", "worn"  # beside the kinds in ``Picked.measure``
PROTECTED = ("hands", "hair", "face", "bag")


@dataclass(frozen=True)
class MaskChoices:
    """The values of the four widgets, one of the known ones each."""

    kind: str = KINDS[0]
    sleeve: str = "auto"
    hem: str = "auto"
    protect: tuple[str, ...] = PROTECTED

    @classmethod
    def given(cls, kind: Any, sleeve: Any, hem: Any, protect: Any) -> "MaskChoices":
        """The widgets' values, as a page sends them: whatever it is, what comes out is known."""
        return cls.sound({"kind": kind, "sleeve": sleeve, "hem": hem, "protect": protect})

    @classmethod
    def sound(cls, choices: dict[str, Any]) -> "MaskChoices":
        """MaskChoices from outside, with what the widgets do not know replaced by their defaults."""

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

    def options(self) -> MaskOptions:
        """For the engine."""
        return MaskOptions(
            sleeve=None if self.sleeve == "auto" else Sleeve(self.sleeve),
            hem=None if self.hem == "auto" else Hem(self.hem),
            **{f"protect_{name}": name in self.protect for name in PROTECTED},
        )


def mask_value(session: Session, slots: Slots, mask_choices: MaskChoices) -> dict:
    """The automatic mask for the choices, kept in the slots; returns the mask editor's value."""
    slots.choices = mask_choices.choices()
    picked = slots.pictures.get("photo")
    if picked is None or picked.prepared is None:
        slots.automatic = None
        return {}
    prepared = picked.prepared
    slots.automatic = engine(session.findings).mask(prepared, mask_choices.garment, mask_choices.options())
    return {
        "photo": photo_url(prepared.photo, EDITOR_SIDE),
        "mask": mask_url(slots.automatic),
        "parts": photo_url(part_colours(engine().parts(prepared)), EDITOR_SIDE),
        "strokes": [stroke.as_dict() for stroke in slots.strokes],
        "people": boxes(picked),
        "chosen": prepared.chosen,
    }


def measured(session: Session, slots: Slots, mask_choices: MaskChoices) -> GarmentMeasure | None:
    """The garment's lengths, measured once for each kind; None where there is none or it cannot be told."""
    picked = slots.pictures.get("garment")
    if picked is None:
        return None
    if mask_choices.kind not in picked.measure:
        shot = engine(session.findings).shot(picked.image, mask_choices.garment)
        picked.measure[mask_choices.kind], picked.measure[WORN] = (
            shot.measure(mask_choices.garment),
            shot.is_worn,
        )
    return picked.measure[mask_choices.kind]


def lacking(session: Session, slots: Slots, mask_choices: MaskChoices) -> Shortfall | None:
    """Where the garment is longer than the mask; None where it is not, or cannot be told."""
    measure = measured(session, slots, mask_choices)
    if measure is None or "photo" not in slots.pictures:
        return None
    return shortfall(measure, mask_choices.garment, mask_choices.options())


def advice(session: Session, slots: Slots, mask_choices: MaskChoices) -> dict:
    """The mask doctor's line: what stands against photo or garment, and an offer to mend what can be."""
    language = session.language
    try:
        found = _found(session, slots, mask_choices)
    except PersonError:
        return parts.error(say(language, "doctor_no_legs"))
    if not found:
        return parts.quiet("")
    told = " ".join(_said(language, one) for one in found)
    mends = {"kind_other": "doctor_change_kind", "sleeve": "doctor_mend", "hem": "doctor_mend"}
    act = next((mends[one.key] for one in found if one.key in mends), None)
    return parts.warn(told, say(language, act) if act else "")


def _found(session: Session, slots: Slots, mask_choices: MaskChoices) -> list[Advice]:
    """What should be told of the visitor's pictures."""
    photo = slots.pictures.get("photo")
    found = []
    if photo is not None and photo.prepared is not None:
        found += of_person(photo.prepared.parts_in_frame()[..., 0], mask_choices.garment)
    measure = measured(session, slots, mask_choices)
    picked = slots.pictures.get("garment")
    if picked is not None and picked.measure[WORN]:
        return [*found, Advice("worn", {"kind": mask_choices.kind})]
    found += of_kind(mask_choices.garment, guessed(slots))
    if lacking(session, slots, mask_choices) is not None:
        found += of_lengths(measure, mask_choices.garment, mask_choices.options())
    return found


def _said(language: str, found: Advice) -> str:
    """In the visitor's words: kinds and lengths have names of their own there."""
    names = {"length": "length_", "kind": "kind_", "other": "kind_"}
    values = {
        name: say(language, names[name] + value) if name in names else value
        for name, value in found.values.items()
    }
    if "looks" in values:
        values["looks"] = say(language, f"looks_{found.values['other']}")
    return say(language, f"doctor_{found.key}", **values)


def guessed(slots: Slots) -> Garment | None:
    """What kind the garment's outline shows, told once; None where there is none or it cannot be told."""
    picked = slots.pictures.get("garment")
    if picked is None:
        return None
    if GUESS not in picked.measure:
        picked.measure[GUESS] = guess_kind(foreground(np.asarray(picked.image)) > 127)
    return picked.measure[GUESS]


def mended(session: Session, slots: Slots, mask_choices: MaskChoices) -> MaskChoices:
    """The choices with the kind that the garment has, or with the room that it needs."""
    picked = slots.pictures.get("garment")
    looks = None if picked is None or picked.measure.get(WORN) else guessed(slots)
    if looks is not None and of_kind(mask_choices.garment, looks):
        return replace(mask_choices, kind=looks.value)
    short = lacking(session, slots, mask_choices)
    if short is None:
        return mask_choices
    sleeve = short.sleeve.value if short.sleeve else mask_choices.sleeve
    hem = short.hem.value if short.hem else mask_choices.hem
    return MaskChoices(mask_choices.kind, sleeve, hem, mask_choices.protect)
