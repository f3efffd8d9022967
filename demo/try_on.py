"""The tab *Try on*: photo, garment, mask, result."""

from typing import Any

import gradio as gr

from demo import examples, parts
from demo.mask_choices import HEMS, KINDS, PROTECTED, SLEEVES, MaskChoices, advice, mask_value, mended
from demo.painting import Work
from demo.parts import LAST, QUIETLY
from demo.photos import person_chosen, prepare, read
from demo.sessions import Session
from demo.slots import Slots
from demo.tab import Tab
from leffa.config import Task
from leffa.preprocess.strokes import paint_strokes, parse_strokes

TAB = Task.TRY_ON.value
_NAMES = "empty alt alt_parts share brush eraser undo reset size parts tools person"
MASK_WORDS = {name: name for name in _NAMES.split()}


class TryOn(Tab):
    """Layout and events of the tab."""

    task = Task.TRY_ON

    def _build_steps(self) -> None:
        with self._step(1, "photo"):
            self.photo, self.photo_note = self._picture("photo", "photo_empty")
            self.people = self._examples(examples.people, "examples_photo", "people")
        with self._step(2, "garment"):
            self.garment, self.garment_note = self._picture("garment", "garment_empty")
            self.kind = self._labels.segments("kind", KINDS, "upper", "kind")
            self.garments = self._labels.add(
                parts.strip,
                lambda language: {"value": examples.garment_strips(language)},
                only="upper",
                elem_id="garments",
            )
        with self._step(3, "mask"):
            self.mask = self._labels.words(parts.mask_editor, "mask_", MASK_WORDS, elem_id="mask")
            self.doctor = parts.note(elem_id="doctor")
            self.sleeve = self._labels.segments("sleeve", SLEEVES, "auto", "sleeve")
            self.hem = self._labels.segments("hem", HEMS, "auto", "hem")
            self.protect = self._labels.choices(
                parts.Choices,
                "protect",
                "protect_",
                PROTECTED,
                value=list(PROTECTED),
                elem_classes="lf-protect",
                elem_id="protect",
            )

    # ------------------------------------------------------------------------------ events

    def _connect(self) -> None:
        mask_choices, seen = self._mask_choices, [self.mask, self.doctor]
        follow = self.set_photo, [self.photo, *mask_choices], [self.photo_note, *seen]
        self._connect_picture("photo", self.photo, self.photo_note, follow)
        for event in (self.garment.upload, self.garment.clear):
            self._on(event, self.set_garment, [self.garment, *mask_choices], [self.garment_note, *seen])
        for chooser in (self.people, self.garments):
            self._on(chooser.pick, self.pick, mask_choices, [*self.pictures, self.kind, *seen], **LAST)
        self.kind.input(self.show_kind, self.kind, self.garments, queue=False, **QUIETLY)
        for choice in mask_choices:
            self._on(choice.input, self.set_choices, mask_choices, seen, **LAST)
        self._on(self.doctor.act, self.mend, mask_choices, [self.kind, self.sleeve, self.hem, *seen])
        self._on(self.mask.choose, self.choose_person, mask_choices, [self.photo_note, *seen], **LAST)
        at_once: dict[str, Any] = {"queue": False, "trigger_mode": "multiple", **QUIETLY}
        self._on(self.mask.edit, self.edit, None, None, **at_once)
        self._on(self.photo_note.act, self.restore_photo, None, self._restorable)

    @property
    def _mask_choices(self) -> list[Any]:
        return [self.kind, self.sleeve, self.hem, self.protect]

    @property
    def _chosen(self) -> list[Any]:
        return [*self._mask_choices, self.mask, self.doctor]

    @property
    def pictures(self) -> list[Any]:
        """The widgets of both pictures: picture, line, examples."""
        return [
            self.photo, self.photo_note, self.people, self.garment, self.garment_note, self.garments,
        ]  # fmt: skip

    def set_photo(
        self, path: str | None, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request
    ) -> tuple:
        """Read the photo, find its people, propose a mask."""
        session = self._session(request)
        slots = session.slots(TAB)
        if "photo" not in slots.expected:
            slots.strokes = []
        noted = read(session, path, TAB, "photo", person=0)
        return noted, *self._seen(session, MaskChoices.given(kind, sleeve, hem, protect))

    def set_garment(
        self, path: str | None, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request
    ) -> tuple:
        """Read the garment; the mask stays, but it may be too short for this one."""
        session = self._session(request)
        noted = read(session, path, TAB, "garment")
        return noted, *self._seen(session, MaskChoices.given(kind, sleeve, hem, protect))

    def pick(
        self, kind: str, sleeve: str, hem: str, protect: list[str], event: gr.EventData, request: gr.Request
    ) -> tuple:
        """Take an example; a newcomer's first pick gets a partner, so that two clicks make a result."""
        session = self._session(request)
        slots = session.slots(TAB)
        try:
            example = examples.find(event.name)
        except KeyError:
            return (gr.skip(),) * 9
        chosen = {"garment" if example.garment else "photo": example}
        other = "photo" if example.garment else "garment"
        if other not in slots.pictures and (partner := examples.partner(example.garment)):
            chosen[other] = partner
        if "photo" in chosen:
            slots.strokes = []
        if "garment" in chosen and chosen["garment"].garment:
            kind = chosen["garment"].garment.value
        mask_choices = MaskChoices.given(kind, sleeve, hem, protect)
        slots.choices = mask_choices.choices()
        return *self._take(session, chosen), kind, *self._seen(session, mask_choices)

    def accept(self, session: Session, path: str) -> tuple:
        """Take a picture from the other tab as the photo; values of ``pictures`` and of the mask."""
        slots = session.slots(TAB)
        slots.strokes = []
        noted = read(session, path, TAB, "photo", person=0, example="")
        seen = self._seen(session, MaskChoices.sound(slots.choices))
        return path, noted, gr.update(chosen=""), *seen

    def show_kind(self, kind: str, request: gr.Request) -> dict:
        """Show the example garments of a kind."""
        picked = self._session(request).slots(TAB).pictures.get("garment")
        return gr.update(only=kind, chosen=(picked and picked.example) or "")

    def set_choices(self, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request) -> tuple:
        """A new mask for another kind or length; the visitor's strokes stay."""
        return self._seen(self._session(request), MaskChoices.given(kind, sleeve, hem, protect))

    def mend(self, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request) -> tuple:
        """Give the mask the room that the garment needs."""
        session = self._session(request)
        mask_choices = mended(session, session.slots(TAB), MaskChoices.given(kind, sleeve, hem, protect))
        return mask_choices.kind, mask_choices.sleeve, mask_choices.hem, *self._seen(session, mask_choices)

    def choose_person(
        self, kind: str, sleeve: str, hem: str, protect: list[str], event: gr.EventData, request: gr.Request
    ) -> tuple:
        """Take another of the people in the photo."""
        session = self._session(request)
        slots = session.slots(TAB)
        picked = slots.pictures.get("photo")
        if picked is None:
            return (gr.skip(),) * 3
        slots.strokes = []
        picked.prepared = prepare(session, picked, TAB, int(event.person))
        return session.note(TAB, "photo", person_chosen(int(event.person))), *self._seen(
            session, MaskChoices.given(kind, sleeve, hem, protect)
        )

    def edit(self, event: gr.EventData, request: gr.Request) -> None:
        """Take the visitor's strokes over."""
        self._session(request).slots(TAB).strokes = parse_strokes(event.strokes)

    @property
    def spoken(self) -> list[Any]:
        """What says something beside its labels; ``speak`` says it in the visitor's language."""
        return [self.photo_note, self.garment_note, self.doctor, *self.generate.spoken]

    def speak(self, session: Session) -> list[Any]:
        """Values of ``spoken``."""
        slots = session.slots(TAB)
        doctor = advice(session, slots, MaskChoices.sound(slots.choices))
        return [*self._notes(session), doctor, *self.generate.speak(session)]

    # ------------------------------------------------------------------------------ bringing a run back

    def restore_photo(self, request: gr.Request) -> tuple:
        """Bring back the run of the PNG that was given as a photo."""
        picked = self._session(request).slots(TAB).pictures.get("photo")
        return self.restore_png(picked.path if picked else None, request)

    def _restored_choices(self, session: Session) -> tuple:
        mask_choices = MaskChoices.sound(session.slots(TAB).choices)
        return *mask_choices.values, *self._seen(session, mask_choices)

    def _strip_changes(self, slot: str, slots: Slots) -> dict[str, Any]:
        return {"only": MaskChoices.sound(slots.choices).kind if slot == "garment" else ""}

    # ------------------------------------------------------------------------------ what follows

    def _seen(self, session: Session, mask_choices: MaskChoices) -> tuple[dict, dict]:
        """The editor's value and the mask doctor's line."""
        slots = session.slots(TAB)
        return mask_value(session, slots, mask_choices), advice(session, slots, mask_choices)

    def _missing(self, session: Session) -> str | None:
        slots = session.slots(TAB)
        if missing := self._missing_picture(slots):
            return missing
        return None if self._area(slots).any() else "need_mask"

    def _area(self, slots: Slots) -> Any:
        """The mask with the visitor's strokes."""
        return paint_strokes(slots.automatic, slots.strokes)

    def _work(self, session: Session, settings: Any) -> Work:
        slots = session.slots(TAB)
        return Work(
            Task.TRY_ON,
            person=slots.pictures["photo"].prepared,
            reference=slots.pictures["garment"].image,
            settings=settings,
            garment=slots.choices["kind"],
            mask=self._area(slots),
            findings=session.findings,
        )
