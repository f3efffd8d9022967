"""What both tabs share: the road of four steps, and the way back into a run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import gradio as gr

from demo import examples, parts
from demo.examples import Example
from demo.generate import GenerateStep, history_strip
from demo.labels import Labels
from demo.painting import Work
from demo.parts import QUIETLY
from demo.photos import found, read, restored_note
from demo.restoring import SLOTS, Restored, from_run, read_png
from demo.sessions import Session, Sessions
from demo.slots import Slots
from demo.texts import problem, say
from leffa.config import Task
from leffa.errors import LeffaError


class Tab(ABC):
    """Layout and events of a tab; its first three steps are the subclass's."""

    task: ClassVar[Task]

    def __init__(self, sessions: Sessions, labels: Labels):
        self._sessions, self._labels = sessions, labels
        with gr.Column(elem_classes="lf-road"):
            self._build_steps()
            with self._step(4, "generate"):
                self.generate = GenerateStep(self.task, sessions, labels, self._missing, self._work)
        with gr.Column(elem_classes="lf-below"):
            self.generate.build_below(labels)
        self._ready = (self.generate.state, self.generate.inputs, [self.generate.go, self.generate.reason])
        self._connect()
        self.generate.connect()
        self._connect_restoring()

    @property
    def _tab(self) -> str:
        """What the session calls it."""
        return self.task.value

    def _session(self, request: gr.Request) -> Session:
        return self._sessions.visit(request)

    # ------------------------------------------------------------------------------ what a tab brings

    @abstractmethod
    def _build_steps(self) -> None:
        """Steps 1 to 3, in columns of their own."""

    @abstractmethod
    def _connect(self) -> None:
        """Events of steps 1 to 3."""

    @property
    @abstractmethod
    def pictures(self) -> list[Any]:
        """The widgets of both pictures, in the order of the slots: picture, line, examples."""

    @property
    @abstractmethod
    def _chosen(self) -> list[Any]:
        """The widgets of step 3 and of the mask: what ``_restored_choices`` gives values to."""

    @abstractmethod
    def _restored_choices(self, session: Session) -> tuple:
        """Values of ``_chosen`` that the session's slots ask for."""

    def _strip_changes(self, slot: str, slots: Slots) -> dict[str, Any]:
        """What the examples of a slot show when a run is brought back, beside the chosen one."""
        return {}

    @abstractmethod
    def _missing(self, session: Session) -> str | None:
        """Name of the text that says what is missing for a run; None if nothing is."""

    @abstractmethod
    def _work(self, session: Session, settings: Any) -> Work:
        """What is to be painted."""

    # ------------------------------------------------------------------------------ shared steps

    @contextmanager
    def _step(self, number: int, name: str) -> Iterator[None]:
        """A column with a heading."""
        with gr.Column(elem_classes="lf-step"):
            self._heading(number, name)
            yield

    def _picture(self, slot: str, empty: str) -> tuple[Any, Any]:
        """A place for a picture, and the line beside it."""
        keys = {"placeholder": empty, "label": f"step_{slot}"}
        return self._labels.say(parts.picture, keys, elem_id=slot), parts.note(elem_id=f"{slot}-note")

    def _examples(self, those: Callable[[], tuple[Example, ...]], title: str, elem_id: str) -> Any:
        """A strip of examples of one kind."""
        return self._labels.add(
            parts.strip,
            lambda language: {"value": examples.strip(those(), say(language, title))},
            elem_id=elem_id,
        )

    def _connect_picture(self, slot: str, picture: Any, note: Any, follow: tuple[Any, Any, Any]) -> None:
        """A new picture is said to be looked at, then ``follow`` (function, inputs, outputs) looks at it."""

        def look(request: gr.Request) -> tuple:
            return self._look(request, slot)

        looking = [note, self.generate.go, self.generate.reason]
        for event in (picture.upload, picture.clear):
            self._on(event(look, None, looking, queue=False, **QUIETLY).then, *follow)

    def _on(self, event: Any, function: Any, inputs: Any, outputs: Any, **options: Any) -> None:
        """What an event of the steps does; then the button is told whether it may be pressed."""
        event(function, inputs, outputs, **(options or QUIETLY)).then(*self._ready, **QUIETLY)

    def _take(self, session: Session, chosen: dict[str, Example]) -> list[Any]:
        """Read examples into their slots; values of ``pictures``, of the others none."""
        slots, values = session.slots(self._tab), []
        for slot in SLOTS[self._tab]:
            if (example := chosen.get(slot)) is None:
                values += [gr.skip()] * 3
                continue
            slots.expected.pop(slot, None)
            path, person = str(example.path), None if slot == "garment" else 0
            noted = read(session, path, self._tab, slot, person, example=example.name)
            values += [path, noted, gr.update(chosen=example.name, **self._strip_changes(slot, slots))]
        return values

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

    def _look(self, request: gr.Request, slot: str) -> tuple[dict, dict, dict]:
        """A picture is being read: its line, the button, the reason below it."""
        session = self._session(request)
        session.slots(self._tab).pictures.pop(slot, None)
        return parts.quiet(say(session.language, "looking")), gr.update(interactive=False), parts.quiet("")

    def _missing_picture(self, slots: Slots) -> str | None:
        return next((f"need_{slot}" for slot in SLOTS[self._tab] if slot not in slots.pictures), None)

    def _notes(self, session: Session) -> list[dict]:
        """The lines beside both pictures, in the visitor's language."""
        return [session.noted(self._tab, slot) or parts.quiet("") for slot in SLOTS[self._tab]]

    # ------------------------------------------------------------------------------ bringing a run back

    @property
    def _restorable(self) -> list[Any]:
        return [
            *self.pictures, *self._chosen, *self.generate.inputs, self.generate.viewer,
            self.generate.inspector.widget, self.generate.history, self.generate.history_note,
        ]  # fmt: skip

    def _connect_restoring(self) -> None:
        upload = self.generate.upload
        for event, function, inputs in (
            (self.generate.history.pick, self.restore_run, None),
            (upload.upload, self.restore_png, upload),
        ):
            self._on(event, function, inputs, self._restorable)

    def restore_run(self, event: gr.EventData, request: gr.Request) -> tuple:
        """Bring back a run of this session, with its result."""
        session = self._session(request)
        run = next((run for run in session.runs if run.key == event.name), None)
        if run is None:
            return self._unrestored(parts.quiet(""))
        session.shown[self._tab] = run
        return self._restored(session, from_run(run), run.shown(session.language))

    def restore_png(self, path: str | None, request: gr.Request) -> tuple:
        """Bring back the run that a PNG tells of."""
        session = self._session(request)
        try:
            restored = read_png(session, self._tab, path and str(session.own(path)))
        except LeffaError as wrong:
            return self._unrestored(parts.error(problem(session.language, wrong)))
        if restored is None:
            return self._unrestored(parts.error(say(session.language, "no_record")))
        return self._restored(session, restored, {"state": "empty"})

    def _unrestored(self, noted: dict) -> tuple:
        return *((gr.skip(),) * (len(self._restorable) - 1)), noted

    def _restored(self, session: Session, restored: Restored, shown: dict) -> tuple:
        session.tabs[self._tab] = slots = restored.slots
        pictures: list[Any] = []
        for slot in SLOTS[self._tab]:
            picked = slots.pictures.get(slot)
            noted = session.note(
                self._tab, slot, found(picked) if picked else lambda language: parts.quiet("")
            )
            chosen = gr.update(chosen=(picked and picked.example) or "", **self._strip_changes(slot, slots))
            pictures += [picked.path if picked else None, noted, chosen]
        choices = self._restored_choices(session)
        told = restored_note(session, restored.missing, restored.same_weights)
        below = self.generate.inspector.value(session) if shown["state"] == "done" else {}
        history = gr.update(**history_strip(session, self._tab))
        return *pictures, *choices, *restored.settings, shown, below, history, told
