"""The tab *Try on*: photo, garment, mask, result."""

from typing import Any

import gradio as gr

from demo import examples, parts
from demo.generate import GenerateStep
from demo.history import history_strip
from demo.labels import Labels
from demo.painting import Work
from demo.reading import found, person_chosen, prepare, read, restored_note
from demo.restoring import SLOTS, Restored, from_run, read_png
from demo.sessions import Session, Sessions, Slots
from demo.texts import problem, say
from demo.wishes import HEMS, KINDS, PROTECTED, SLEEVES, Wishes, advice, mask_value, mended
from leffa.config import Task
from leffa.errors import LeffaError

TAB = Task.TRY_ON.value
_NAMES = "empty alt alt_parts share brush eraser undo reset size parts tools person"
MASK_WORDS = {name: name for name in _NAMES.split()}


class TryOn:
    """Layout and events of the tab."""

    def __init__(self, sessions: Sessions, labels: Labels):
        self._sessions, self._labels = sessions, labels
        with gr.Column(elem_classes="lf-road"):
            self._build_photo()
            self._build_garment()
            self._build_mask()
            with gr.Column(elem_classes="lf-step"):
                self._heading(4, "generate")
                self.generate = GenerateStep(Task.TRY_ON, sessions, labels, self._missing, self._work)
        with gr.Column(elem_classes="lf-below"):
            self.generate.build_below(labels)
        self._connect()

    def _heading(self, number: int, name: str) -> None:
        self._labels.add(
            parts.heading,
            lambda language: {
                "value": {
                    "number": number,
                    "title": say(language, f"step_{name}"),
                    "hint": say(language, f"hint_{name}"),
                }
            },
        )

    def _build_photo(self) -> None:
        with gr.Column(elem_classes="lf-step"):
            self._heading(1, "photo")
            self.photo = self._labels.say(
                parts.picture, {"placeholder": "photo_empty", "label": "step_photo"}, elem_id="photo"
            )
            self.photo_note = parts.note(elem_id="photo-note")
            self.people = self._labels.add(
                parts.strip,
                lambda language: {
                    "value": examples.strip(examples.people(), say(language, "examples_photo"))
                },
                elem_id="people",
            )

    def _build_garment(self) -> None:
        with gr.Column(elem_classes="lf-step"):
            self._heading(2, "garment")
            self.garment = self._labels.say(
                parts.picture, {"placeholder": "garment_empty", "label": "step_garment"}, elem_id="garment"
            )
            self.garment_note = parts.note(elem_id="garment-note")
            self.kind = self._labels.choices(
                gr.Radio,
                "kind",
                "kind_",
                KINDS,
                value="upper",
                elem_classes="lf-segments",
                elem_id="kind",
            )
            self.garments = self._labels.add(
                parts.strip,
                lambda language: {"value": examples.garment_strips(language)},
                only="upper",
                elem_id="garments",
            )

    def _build_mask(self) -> None:
        with gr.Column(elem_classes="lf-step"):
            self._heading(3, "mask")
            self.mask = self._labels.words(parts.mask_editor, "mask_", MASK_WORDS, elem_id="mask")
            self.doctor = parts.note(elem_id="doctor")
            self.sleeve = self._labels.choices(
                gr.Radio,
                "sleeve",
                "sleeve_",
                SLEEVES,
                value="auto",
                elem_classes="lf-segments",
                elem_id="sleeve",
            )
            self.hem = self._labels.choices(
                gr.Radio,
                "hem",
                "hem_",
                HEMS,
                value="auto",
                elem_classes="lf-segments",
                elem_id="hem",
            )
            self.protect = self._labels.choices(
                gr.CheckboxGroup,
                "protect",
                "protect_",
                PROTECTED,
                value=list(PROTECTED),
                elem_classes="lf-protect",
                elem_id="protect",
            )

    # ------------------------------------------------------------------------------ events

    def _connect(self) -> None:
        go = [self.generate.go, self.generate.reason]
        wishes = [self.kind, self.sleeve, self.hem, self.protect]
        seen = [self.mask, self.doctor]
        quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        ready = (self.generate.state, self.generate.inputs, go)
        for event in (self.photo.upload, self.photo.clear):
            event(self._look, None, [self.photo_note, *go], queue=False, **quietly).then(
                self.set_photo, [self.photo, *wishes], [self.photo_note, *seen], **quietly
            ).then(*ready, **quietly)
        for event in (self.garment.upload, self.garment.clear):
            event(self.set_garment, [self.garment, *wishes], [self.garment_note, *seen], **quietly).then(
                *ready, **quietly
            )
        for chooser in (self.people, self.garments):
            chooser.pick(
                self.pick, wishes, [*self.pictures, self.kind, *seen], trigger_mode="always_last", **quietly
            ).then(*ready, **quietly)
        self.kind.input(self.show_kind, self.kind, self.garments, queue=False, **quietly)
        last: dict[str, Any] = {"trigger_mode": "always_last", **quietly}
        for wish in wishes:
            wish.input(self.set_wishes, wishes, seen, **last).then(*ready, **quietly)
        self.doctor.act(self.mend, wishes, [self.sleeve, self.hem, *seen], **quietly).then(*ready, **quietly)
        self.mask.choose(self.choose_person, wishes, [self.photo_note, *seen], **last).then(*ready, **quietly)
        self.mask.edit(self.edit, None, None, queue=False, trigger_mode="multiple", **quietly).then(
            *ready, **quietly
        )
        self.generate.connect()
        restored = [
            *self.pictures, *wishes, *seen, *self.generate.inputs, self.generate.viewer,
            self.generate.inspector.widget, self.generate.history, self.generate.history_note,
        ]  # fmt: skip
        upload = self.generate.upload
        for event, function, inputs in (
            (self.generate.history.pick, self.restore_run, None),
            (upload.upload, self.restore_png, upload),
            (self.photo_note.act, self.restore_photo, None),
        ):
            event(function, inputs, restored, **quietly).then(*ready, **quietly)

    @property
    def pictures(self) -> list[Any]:
        """The widgets of both pictures: picture, line, examples."""
        return [
            self.photo, self.photo_note, self.people, self.garment, self.garment_note, self.garments,
        ]  # fmt: skip

    def _look(self, request: gr.Request) -> tuple[dict, dict, dict]:
        session = self._sessions.of(request.session_hash)
        session.slots(TAB).pictures.pop("photo", None)
        looking = parts.quiet(say(session.language, "looking"))
        return looking, gr.update(interactive=False), parts.quiet("")

    def set_photo(
        self, path: str | None, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request
    ) -> tuple:
        """Read the photo, find its people, propose a mask."""
        session = self._sessions.of(request.session_hash)
        slots = session.slots(TAB)
        if "photo" not in slots.expected:
            slots.strokes = []
        noted = read(session, path, TAB, "photo", person=0)
        return noted, *self._seen(session, Wishes(kind, sleeve, hem, tuple(protect)))

    def set_garment(
        self, path: str | None, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request
    ) -> tuple:
        """Read the garment; the mask stays, but it may be too short for this one."""
        session = self._sessions.of(request.session_hash)
        noted = read(session, path, TAB, "garment")
        return noted, *self._seen(session, Wishes(kind, sleeve, hem, tuple(protect)))

    def pick(
        self, kind: str, sleeve: str, hem: str, protect: list[str], event: gr.EventData, request: gr.Request
    ) -> tuple:
        """Take an example; a newcomer's first pick gets a partner, so that two clicks make a result."""
        session = self._sessions.of(request.session_hash)
        slots = session.slots(TAB)
        try:
            example = examples.find(event.name)
        except KeyError:
            return (gr.skip(),) * 9
        chosen = {"garment" if example.garment else "photo": example}
        other = "photo" if example.garment else "garment"
        if other not in slots.pictures and (partner := examples.partner(example.garment)):
            chosen[other] = partner
        shown: dict[str, Any] = {"photo": (gr.skip(),) * 3, "garment": (gr.skip(),) * 3}
        for slot, one in chosen.items():
            if slot == "photo":
                slots.strokes = []
            slots.expected.pop(slot, None)
            noted = read(session, str(one.path), TAB, slot, 0 if slot == "photo" else None, example=one.name)
            kind = one.garment.value if one.garment else kind
            only = kind if slot == "garment" else ""
            shown[slot] = (str(one.path), noted, gr.update(chosen=one.name, only=only))
        return (
            *shown["photo"],
            *shown["garment"],
            kind,
            *self._seen(session, Wishes(kind, sleeve, hem, tuple(protect))),
        )

    def accept(self, session: Session, path: str) -> tuple:
        """Take a picture from the other tab as the photo; values of ``pictures`` and of the mask."""
        slots = session.slots(TAB)
        slots.strokes = []
        noted = read(session, path, TAB, "photo", person=0, example="")
        seen = self._seen(session, Wishes.sound(slots.choices))
        return path, noted, gr.update(chosen=""), *seen

    def show_kind(self, kind: str, request: gr.Request) -> dict:
        """Show the example garments of a kind."""
        picked = self._sessions.of(request.session_hash).slots(TAB).pictures.get("garment")
        return gr.update(only=kind, chosen=(picked and picked.example) or "")

    def set_wishes(self, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request) -> tuple:
        """A new mask for another kind or length; the visitor's strokes stay."""
        return self._seen(self._sessions.of(request.session_hash), Wishes(kind, sleeve, hem, tuple(protect)))

    def mend(self, kind: str, sleeve: str, hem: str, protect: list[str], request: gr.Request) -> tuple:
        """Give the mask the room that the garment needs."""
        session = self._sessions.of(request.session_hash)
        wishes = mended(session.slots(TAB), Wishes(kind, sleeve, hem, tuple(protect)))
        return wishes.sleeve, wishes.hem, *self._seen(session, wishes)

    def choose_person(
        self, kind: str, sleeve: str, hem: str, protect: list[str], event: gr.EventData, request: gr.Request
    ) -> tuple:
        """Take another of the people in the photo."""
        session = self._sessions.of(request.session_hash)
        slots = session.slots(TAB)
        picked = slots.pictures.get("photo")
        if picked is None:
            return (gr.skip(),) * 3
        slots.strokes = []
        picked.prepared = prepare(picked, TAB, int(event.person))
        return session.note(TAB, "photo", person_chosen(int(event.person))), *self._seen(
            session, Wishes(kind, sleeve, hem, tuple(protect))
        )

    def edit(self, event: gr.EventData, request: gr.Request) -> None:
        """Take the visitor's strokes over."""
        from leffa.preprocess.strokes import parse_strokes

        self._sessions.of(request.session_hash).slots(TAB).strokes = parse_strokes(event.strokes)

    @property
    def spoken(self) -> list[Any]:
        """What says something beside its labels; ``speak`` says it in the visitor's language."""
        return [self.photo_note, self.garment_note, self.doctor, *self.generate.spoken]

    def speak(self, session: Session) -> list[Any]:
        """Values of ``spoken``."""
        slots = session.slots(TAB)
        noted = [session.noted(TAB, slot) or parts.quiet("") for slot in ("photo", "garment")]
        return [*noted, advice(session, slots, Wishes.sound(slots.choices)), *self.generate.speak(session)]

    # ------------------------------------------------------------------------------ bringing a run back

    def restore_run(self, event: gr.EventData, request: gr.Request) -> tuple:
        """Bring back a run of this session, with its result."""
        session = self._sessions.of(request.session_hash)
        run = next((run for run in session.runs if run.key == event.name), None)
        if run is None:
            return self._unrestored(parts.quiet(""))
        session.shown[TAB] = run
        return self._restored(session, from_run(run), run.shown(session.language))

    def restore_photo(self, request: gr.Request) -> tuple:
        """Bring back the run of the PNG that was given as a photo."""
        picked = self._sessions.of(request.session_hash).slots(TAB).pictures.get("photo")
        return self.restore_png(picked.path if picked else None, request)

    def restore_png(self, path: str | None, request: gr.Request) -> tuple:
        """Bring back the run that a PNG tells of."""
        session = self._sessions.of(request.session_hash)
        try:
            restored = read_png(session, TAB, path)
        except LeffaError as wrong:
            return self._unrestored(parts.error(problem(session.language, wrong)))
        if restored is None:
            return self._unrestored(parts.error(say(session.language, "no_record")))
        return self._restored(session, restored, {"state": "empty"})

    def _unrestored(self, noted: dict) -> tuple:
        return *((gr.skip(),) * 20), noted

    def _restored(self, session: Session, restored: Restored, shown: dict) -> tuple:
        session.tabs[TAB] = slots = restored.slots
        wishes = Wishes.sound(slots.choices)
        pictures: list[Any] = []
        for slot in SLOTS[TAB]:
            picked = slots.pictures.get(slot)
            noted = session.note(TAB, slot, found(picked) if picked else lambda language: parts.quiet(""))
            strip = gr.update(
                chosen=(picked and picked.example) or "", only=wishes.kind if slot == "garment" else ""
            )
            pictures += [picked.path if picked else None, noted, strip]
        told = restored_note(session, restored.missing, restored.same_weights)
        done = shown["state"] == "done"
        below = self.generate.inspector.value(session) if done else {}
        history = gr.update(**history_strip(session, TAB))
        return (
            *pictures,
            *wishes.values,
            *self._seen(session, wishes),
            *restored.settings,
            shown,
            below,
            history,
            told,
        )

    # ------------------------------------------------------------------------------ what follows

    def _seen(self, session: Session, wishes: Wishes) -> tuple[dict, dict]:
        """The editor's value and the mask doctor's line."""
        slots = session.slots(TAB)
        return mask_value(slots, wishes), advice(session, slots, wishes)

    def _missing(self, session: Session) -> str | None:
        slots = session.slots(TAB)
        if missing := next((f"need_{slot}" for slot in SLOTS[TAB] if slot not in slots.pictures), None):
            return missing
        return None if self._area(slots).any() else "need_mask"

    def _area(self, slots: Slots) -> Any:
        """The mask with the visitor's strokes."""
        from leffa.preprocess.strokes import paint_strokes

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
        )
