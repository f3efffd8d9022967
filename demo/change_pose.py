"""The tab *Change pose*: person, pose, body, result."""

from dataclasses import replace
from typing import Any

import gradio as gr
from PIL import ImageOps

from demo import examples, parts
from demo.painting import Work, engine
from demo.parts import LAST
from demo.photos import boxes, person_chosen, prepare, read
from demo.pictures import EDITOR_SIDE, part_colours, photo_url
from demo.sessions import Session
from demo.tab import Tab
from demo.texts import problem, words
from demo.try_on import MASK_WORDS
from leffa.config import Task
from leffa.errors import LeffaError
from leffa.preprocess.known_poses import mirrored
from leffa.preprocess.prepared import Prepared

TAB = Task.POSE_TRANSFER.value
BODY_WORDS = {name: f"mask_{name}" for name in MASK_WORDS} | {"empty": "body_empty"}


class ChangePose(Tab):
    """Layout and events of the tab."""

    task = Task.POSE_TRANSFER

    def _build_steps(self) -> None:
        with self._step(1, "person"):
            self.person, self.person_note = self._picture("person", "photo_empty")
            self.people = self._examples(examples.people, "examples_photo", "pose-people")
        with self._step(2, "pose"):
            self.pose, self.pose_note = self._picture("pose", "pose_empty")
            self.poses = self._examples(examples.poses, "pose_gallery", "poses")
        with self._step(3, "body"):
            self.body = self._labels.add(
                parts.mask_editor,
                lambda language: {"words": words(language, BODY_WORDS), "fixed": True},
                elem_id="body",
            )
            self.mirror = self._labels.say(
                parts.Tick,
                {"label": "mirror"},
                value=False,
                container=False,
                elem_id="mirror",
                elem_classes="lf-protect",
            )

    def _connect(self) -> None:
        look_at_person = self.set_person, self.person, self.person_note
        look_at_pose = self.set_pose, [self.pose, self.mirror], [self.pose_note, self.body]
        self._connect_picture("person", self.person, self.person_note, look_at_person)
        self._connect_picture("pose", self.pose, self.pose_note, look_at_pose)
        for chooser in (self.people, self.poses):
            self._on(chooser.pick, self.pick, self.mirror, [*self.pictures, self.body], **LAST)
        told = [self.pose_note, self.body]
        self._on(self.mirror.input, self.set_mirror, self.mirror, told, **LAST)
        self._on(self.body.choose, self.choose_person, self.mirror, told, **LAST)

    @property
    def _chosen(self) -> list[Any]:
        return [self.mirror, self.body]

    @property
    def pictures(self) -> list[Any]:
        """The widgets of both pictures: picture, line, examples."""
        return [
            self.person, self.person_note, self.people, self.pose, self.pose_note, self.poses,
        ]  # fmt: skip

    def set_person(self, path: str | None, request: gr.Request) -> dict:
        """Read the person whose look is kept."""
        return read(self._session(request), path, TAB, "person", person=0)

    def set_pose(self, path: str | None, mirror: bool, request: gr.Request) -> tuple:
        """Read the picture that gives the pose."""
        session = self._session(request)
        read(session, path, TAB, "pose", person=0)
        body = self._body(session, mirror)
        return session.noted(TAB, "pose"), body

    def pick(self, mirror: bool, event: gr.EventData, request: gr.Request) -> tuple:
        """Take an example; a newcomer's first pick gets a partner."""
        session = self._session(request)
        slots = session.slots(TAB)
        try:
            example = examples.find(event.name)
        except KeyError:
            return (gr.skip(),) * 7
        slot, other = ("pose", "person") if example in examples.poses() else ("person", "pose")
        chosen = {slot: example}
        partners = examples.people() if other == "person" else examples.poses()
        if other not in slots.pictures and partners:
            chosen[other] = partners[0]
        pictures = self._take(session, chosen)
        body = self._body(session, mirror) if "pose" in chosen else gr.skip()
        return *pictures, body

    def accept(self, session: Session, path: str) -> tuple:
        """Take a picture from the other tab as the person; its picture, line and examples."""
        noted = read(session, path, TAB, "person", person=0, example="")
        return path, noted, gr.update(chosen="")

    def set_mirror(self, mirror: bool, request: gr.Request) -> tuple:
        """Turn the pose's left and right."""
        session = self._session(request)
        body = self._body(session, mirror)
        return session.noted(TAB, "pose") or parts.quiet(""), body

    def choose_person(self, mirror: bool, event: gr.EventData, request: gr.Request) -> tuple:
        """Take the pose of another of the people."""
        session = self._session(request)
        picked = session.slots(TAB).pictures.get("pose")
        if picked is None:
            return gr.skip(), gr.skip()
        picked.prepared = prepare(session, picked, TAB, int(event.person))
        return session.note(TAB, "pose", person_chosen(int(event.person))), self._body(session, mirror)

    @property
    def spoken(self) -> list[Any]:
        """What says something beside its labels; ``speak`` says it in the visitor's language."""
        return [self.person_note, self.pose_note, *self.generate.spoken]

    def speak(self, session: Session) -> list[Any]:
        """Values of ``spoken``."""
        return [*self._notes(session), *self.generate.speak(session)]

    # ------------------------------------------------------------------------------ what follows

    def _restored_choices(self, session: Session) -> tuple:
        mirror = bool(session.slots(TAB).choices.get("mirror"))
        return mirror, self._body(session, mirror)

    def _body(self, session: Session, mirror: bool) -> dict:
        """The body the model is told, and with it the pose as it will be used."""
        slots = session.slots(TAB)
        slots.choices, slots.automatic = {"mirror": bool(mirror)}, None
        picked = slots.pictures.get("pose")
        if picked is None or picked.prepared is None:
            return {}
        try:
            prepared = _turned(session, picked.prepared) if mirror else picked.prepared
        except LeffaError as error:  # the official networks may not find anybody in the mirror
            wrong = error
            session.note(TAB, "pose", lambda language: parts.error(problem(language, wrong)))
            return {}
        slots.automatic = prepared
        return {
            "photo": photo_url(prepared.photo, EDITOR_SIDE),
            "mask": "",
            "parts": photo_url(part_colours(engine().parts(prepared)), EDITOR_SIDE),
            "strokes": [],
            "people": [] if mirror else boxes(picked),
            "chosen": prepared.chosen,
        }

    def _missing(self, session: Session) -> str | None:
        slots = session.slots(TAB)
        return self._missing_picture(slots) or ("need_pose" if slots.automatic is None else None)

    def _work(self, session: Session, settings: Any) -> Work:
        slots = session.slots(TAB)
        return Work(
            Task.POSE_TRANSFER,
            person=slots.automatic,
            reference=slots.pictures["person"].prepared,
            settings=settings,
            findings=session.findings,
        )


def _turned(session: Session, prepared: Prepared) -> Prepared:
    """The pose with left and right exchanged; where the official networks look, they look again."""
    if not prepared.is_official:
        return mirrored(prepared)

    mirror = ImageOps.mirror(prepared.photo)
    anew = engine(session.findings).prepare(mirror, 0, Task.POSE_TRANSFER)
    left, top, right, bottom = prepared.box
    width = prepared.photo.width
    wanted = (width - right, top, width - left, bottom)

    def farness(number: int) -> int:
        return sum(abs(a - b) for a, b in zip(anew.people[number], wanted, strict=True))

    return replace(anew, chosen=min(range(len(anew.people)), key=farness))
