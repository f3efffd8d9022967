"""The last step of both tabs: quality, settings, the button, the run and its result."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from demo import painting, parts
from demo.history import Run
from demo.inspector import Inspector
from demo.labels import Labels
from demo.painting import SPEED, Work
from demo.parts import LAST, QUIETLY
from demo.pictures import photo_url, png_url
from demo.sessions import Session, Sessions, address_of
from demo.texts import doing, problem, say
from leffa.config import Task
from leffa.errors import LeffaError
from leffa.run.pace import RECIPES, Pace, recipe
from leffa.run.result import StoppedError
from leffa.run.settings import Settings
from leffa.weights.models import BUNDLED, Model, find

LOG = logging.getLogger("leffa.demo")
PACES = tuple(pace.value for pace in Pace)
_VIEWS = ("result", "flow", "warped", "confidence", "difference")
_VIEWER_WORDS = {
    **{f"view_{name}": f"view_{name}" for name in _VIEWS},
    **{f"hint_{name}": f"viewhint_{name}" for name in _VIEWS},
    **{f"alt_{name}": f"alt_{name}" for name in _VIEWS},
    "alt_preview": "alt_preview",
    "alt_before": "alt_before",
    "before": "before",
    "after": "after",
    "slider": "slider",
    "views": "views",
    "progress": "progress",
    "large": "large",
    "empty": "result_empty",
    "download": "download",
}
HANDS_OVER = {Task.TRY_ON: "pass_change_pose", Task.POSE_TRANSFER: "pass_try_on"}


def default_steps(task: Task, pace: Any) -> int:
    """Sampling steps of a pace for the model at hand; of an unknown one as of quality."""
    own = _model(task).steps
    return recipe(Pace(pace) if pace in PACES else Pace.QUALITY, own).steps or own


def has_paces(task: Task) -> bool:
    """Whether haste saves the model at hand anything: one of few steps is as quick in every pace."""
    own = _model(task).steps
    return any(used.steps is not None and used.fits(own) for used in RECIPES.values())


def _model(task: Task) -> Model:
    """The one at hand, whose defaults the widgets show."""
    try:
        return find(task)
    except LeffaError:
        return BUNDLED


class GenerateStep:
    """The widgets of the step, and what happens when the button is pressed.

    task     of the tab
    missing  the key of the text that says what is still missing for a run, or None
    prepare  the work for a run from the visitor's session and the settings
    """

    def __init__(
        self,
        task: Task,
        sessions: Sessions,
        labels: Labels,
        missing: Callable[[Session], str | None],
        prepare: Callable[[Session, Any], Work],
    ):
        self.task, self._sessions = task, sessions
        self._missing, self._prepare = missing, prepare
        self._build(labels)

    def build_below(self, labels: Labels) -> None:
        """The inspector and the visitor's runs, which lie under the steps."""
        self.inspector = Inspector(self.task, self._sessions, labels)
        with gr.Column(elem_classes="lf-history"):
            with gr.Row(elem_classes="lf-history-head"):
                labels.add(
                    parts.panel,
                    lambda language: {
                        "value": {"title": say(language, "history"), "hint": say(language, "history_hint")}
                    },
                    markup="<h2>{{value.title}}</h2><p>{{value.hint}}</p>",
                )
                self.upload = labels.say(
                    parts.Upload,
                    {"label": "restore_png"},
                    file_types=[".png"],
                    size="sm",
                    scale=0,
                    elem_id=f"{self.tab}-restore",
                )
            self.history = parts.strip([], elem_id=f"{self.tab}-history")
            self.history_note = parts.note(elem_id=f"{self.tab}-history-note")

    @property
    def tab(self) -> str:
        return self.task.value

    def _build(self, labels: Labels) -> None:
        name, model = self.tab, _model(self.task)
        self.viewer = labels.words(
            parts.viewer, "", _VIEWER_WORDS | {"hand_over": HANDS_OVER[self.task]}, elem_id=f"{name}-viewer"
        )
        paces = has_paces(self.task)
        self.pace = labels.segments("pace", PACES, Pace.QUALITY.value, f"{name}-pace", visible=paces)
        button: dict[str, Any] = {"size": "lg", "elem_classes": "lf-go"}
        self.go = labels.say(
            gr.Button,
            {"value": "generate"},
            variant="primary",
            interactive=False,
            elem_id=f"{name}-go",
            **button,
        )
        self.halt = labels.say(
            gr.Button, {"value": "stop"}, variant="stop", visible=False, elem_id=f"{name}-stop", **button
        )
        self.reason = parts.note(elem_id=f"{name}-reason")
        with labels.say(gr.Accordion, {"label": "advanced"}, open=False, elem_classes="lf-more"):
            self.steps = self._slider(labels, "steps", 1, 100, model.steps, 1)
            self.guidance = self._slider(labels, "guidance", 0, 10, model.guidance_scale, 0.1)
            rescale = model.guidance_scale if model.guidance_rescale is None else model.guidance_rescale
            self.rescale = self._slider(labels, "rescale", 0, 10, rescale, 0.1)
            with gr.Row(elem_classes="lf-seed"):
                self.seed = labels.say(
                    parts.Number,
                    {"label": "seed", "info": "seed_info"},
                    value=-1,
                    precision=0,
                    minimum=-1,
                    elem_id=f"{name}-seed",
                )
                self.dice = labels.say(
                    gr.Button, {"value": "dice"}, size="sm", min_width=60, scale=0, elem_id=f"{name}-dice"
                )
            self.samples = self._slider(labels, "samples", 1, 4, 1, 1)
        self.inputs = [self.steps, self.guidance, self.rescale, self.seed, self.samples, self.pace]

    def _slider(self, labels: Labels, name: str, low: float, high: float, value: float, step: float) -> Any:
        return labels.say(
            parts.Slider,
            {"label": name, "info": f"{name}_info"},
            minimum=low,
            maximum=high,
            value=value,
            step=step,
            elem_id=f"{self.tab}-{name}",
        )

    def connect(self) -> None:
        """Wire the step's own events."""
        self.pace.input(
            lambda pace: default_steps(self.task, pace), self.pace, self.steps, api_visibility="private"
        ).then(self.state, self.inputs, [self.go, self.reason], **QUIETLY)
        for setting in (self.steps, self.guidance, self.samples):
            setting.change(self.state, self.inputs, [self.go, self.reason], **LAST)
        self.dice.click(lambda: -1, None, self.seed, **QUIETLY)
        self.go.click(
            self.run,
            self.inputs,
            [self.viewer, self.go, self.halt, self.reason, self.inspector.widget, self.history],
            concurrency_limit=None,
            **QUIETLY,
        )
        self.halt.click(self.stop, queue=False, **QUIETLY)
        self.viewer.sample(self.choose_sample, None, [self.viewer, self.inspector.widget], **QUIETLY)
        self.viewer.download(self.download, None, self.viewer, **QUIETLY)

    def state(
        self, steps: float, guidance: float, rescale: float, seed: float, samples: float, pace: str,
        request: gr.Request,
    ) -> tuple[dict, dict]:  # fmt: skip
        """Whether the button may be pressed, and why not, or how long it will take."""
        session = self._sessions.visit(request)
        return self.updates(session, steps, guidance, rescale, seed, samples, pace)

    def updates(self, session: Session, *values: Any) -> tuple[dict, dict]:
        """Updates of the button and of the line below it."""
        missing = self._missing(session)
        if missing:
            return gr.update(interactive=False), parts.quiet(say(session.language, missing))
        if not values:
            return gr.update(interactive=True), parts.quiet("")
        try:
            weight = Work(self.task, None, None, settings_of(*values)).weight
        except LeffaError as wrong:
            return gr.update(interactive=False), parts.error(problem(session.language, wrong))
        seconds = max(1, round(SPEED.seconds(weight)))
        return gr.update(interactive=True), parts.quiet(say(session.language, "ready", seconds=seconds))

    @property
    def spoken(self) -> list[Any]:
        """What says something beside its labels; ``speak`` says it in the visitor's language."""
        return [self.viewer, self.reason, self.inspector.widget, self.history]

    def speak(self, session: Session) -> list[Any]:
        """Values of ``spoken``: all of them, for what is not on the page yet must not get half an update."""
        run = session.current(self.tab)
        shown = run.shown(session.language) if run else {"state": "empty"}
        missing = self._missing(session)
        reason = parts.quiet(say(session.language, missing) if missing else "")
        return [shown, reason, self.inspector.value(session), history_strip(session, self.tab)["value"]]

    def stop(self, request: gr.Request) -> None:
        """End the visitor's run at its next step."""
        if stop := self._sessions.visit(request).stops.get(self.tab):
            stop.set()

    def run(
        self, steps: float, guidance: float, rescale: float, seed: float, samples: float, pace: str,
        request: gr.Request,
    ) -> Iterator[tuple]:  # fmt: skip
        """Paint, and show how it goes. Errors become a sentence in the frame, never a trace."""
        session = self._sessions.visit(request)
        language = session.language
        stop = session.stops[self.tab] = threading.Event()
        stay = (gr.skip(), gr.skip())
        busy = (gr.update(visible=False), gr.update(visible=True), parts.quiet(""))
        idle = (gr.update(visible=True), gr.update(visible=False), parts.quiet(""))
        started = time.monotonic()
        yield {"state": "running", "share": 0.0, "message": doing(language, "finding")}, *busy, *stay
        try:
            missing = self._missing(session)
            if missing:
                raise LeffaError(say(language, missing))
            work = self._prepare(session, settings_of(steps, guidance, rescale, seed, samples, pace))
            slots, preview = session.slots(self.tab).copy(), None
            for event in painting.run(work, stop, address_of(request)):
                if isinstance(event, painting.Step):
                    preview = photo_url(event.preview) if event.preview else preview
                    yield _progress(language, event, preview), *busy, *stay
                else:
                    run = Run(event, slots, work.person, time.monotonic() - started)
                    session.remember(self.tab, run)
                    yield run.shown(language), *idle, *stay
                    run.draw_views()
                    below = self.inspector.value(session), gr.update(**history_strip(session, self.tab))
                    yield run.shown(language), *idle, *below
        except StoppedError:
            yield {"state": "stopped", "message": say(language, "stopped")}, *idle, *stay
        except LeffaError as wrong:
            yield {"state": "error", "message": problem(language, wrong)}, *idle, *stay
        except Exception:
            LOG.exception("a run failed")
            yield {"state": "error", "message": say(language, "failed")}, *idle, *stay

    def download(self, request: gr.Request) -> Any:
        """Hand the shown picture over at full size, with all that repeats its run written into it."""
        run = self._sessions.visit(request).current(self.tab)
        if run is None:
            return gr.skip()
        name = f"leffa-{run.result.task.value.replace('_', '-')}-{run.seed}.png"
        return gr.update(file={"name": name, "address": png_url(run.png()), "time": time.time()})

    def choose_sample(self, event: gr.EventData, request: gr.Request) -> tuple:
        """Show another picture of the same run."""
        session = self._sessions.visit(request)
        run = session.current(self.tab)
        if run is None:
            return gr.skip(), gr.skip()
        run.choose(int(event.sample))
        return run.shown(session.language), self.inspector.value(session)


def settings_of(steps: float, guidance: float, rescale: float, seed: float, samples: float, pace: Any) -> Any:
    """The engine's settings from the widgets' values. Raises LeffaError for what is no number, or no pace."""
    given: tuple[Any, ...] = (
        steps,
        guidance,
        rescale,
        -1 if seed is None else seed,
        1 if samples is None else samples,
    )
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in given):
        raise LeffaError("steps, guidance, rescale, seed and pictures must be numbers")
    return replace(Settings(*given), pace=pace)


def _progress(language: str, step: painting.Step, preview: str | None) -> dict:
    if step.ahead:
        seconds = max(1, round(step.ahead * SPEED.seconds(12)))
        message = say(language, "waiting", ahead=step.ahead, seconds=seconds)
        return {"state": "waiting", "share": 0.0, "message": message}
    message = doing(language, step.what)
    if step.remaining and step.remaining >= 1:
        message = say(language, "remaining", what=message, seconds=round(step.remaining))
    return {"state": "running", "share": step.share, "message": message, "preview": preview}


def history_strip(session: Session, tab: str) -> dict[str, Any]:
    """Properties of the strip that shows the runs of a tab, newest first."""
    runs = [run for run in session.runs if run.task.value == tab and run.is_kept]
    shown = session.current(tab)
    items = [
        {
            "name": run.key,
            "src": run.thumb,
            "alt": f"{say(session.language, 'seed')} {run.seed}",
            "note": f"{round(100 * run.scores[run.chosen])}",
        }
        for run in runs
    ]
    value = [{"name": "", "title": say(session.language, "history"), "items": items}] if items else []
    return {"value": value, "chosen": shown.key if shown else ""}
