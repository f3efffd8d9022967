"""The flow inspector below a result: which place looks where, in which layer and step, and how surely."""

import base64
import io
import logging
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from PIL import Image

from demo import parts
from demo.labels import Labels
from demo.parts import LAST
from demo.pictures import photo_url
from demo.sessions import Session, Sessions
from demo.texts import problem, say
from leffa.config import MAX_TIMESTEP, Task
from leffa.errors import LeffaError

if TYPE_CHECKING:
    from demo.history import Run
    from leffa.explain.trace import Trace
    from leffa.model.flow import FlowField

LOG = logging.getLogger("leffa.demo")
_NAMES = ("result", "flow", "refined", "confidence", "mass", "arrows")
_WORDS = {
    **{f"view_{name}": f"view_{name}" for name in _NAMES},
    **{f"hint_{name}": f"inspect_{name}" for name in _NAMES},
    "title": "inspect_title",
    "invite": "inspect_invite",
    "views": "views",
    "layer": "inspect_layer",
    "step": "inspect_step",
    "all_layers": "inspect_all_layers",
    "all_steps": "inspect_all_steps",
    "alt_result": "alt_result",
    "alt_reference": "inspect_alt_reference",
    "pane_result": "inspect_pane_result",
    "pane_reference": "inspect_pane_reference",
}
ARROWS = 70


class Inspector:
    """The widget and its events, one for each tab."""

    def __init__(self, task: Task, sessions: Sessions, labels: Labels):
        self._sessions, self._tab = sessions, task.value
        self.widget = labels.words(parts.inspector, "", _WORDS, elem_id=f"{task.value}-inspector")
        self.widget.trace(self.follow, None, self.widget, **LAST)
        self.widget.scrub(self.scrub, None, self.widget, **LAST)

    def value(self, session: Session, layer: str | None = None, step: int | None = None) -> dict:
        """What the widget shows of the tab's shown run."""
        run = session.current(self._tab)
        if run is None:
            return {}
        from leffa.explain.trace import field_on_photo

        result, sample, language = run.result, run.sample, session.language
        field = field_on_photo(result, sample, layer, step)
        return {
            "run": f"{run.key} {sample}",
            "result": photo_url(result.images[sample]),
            "reference": photo_url(result.reference),
            "views": pictures_of(run, field),
            "arrows": _arrows(run, field),
            "layers": _layers(run),
            "steps": _steps(run, language),
            "text": scatter_text(run, language),
            "score": say(language, "score", score=round(100 * run.scores[run.chosen])),
        }

    def scrub(self, event: gr.EventData, request: gr.Request) -> Any:
        """The pictures of another layer or step."""
        session = self._sessions.visit(request)
        try:
            return self.value(session, event.layer, _whole(event.step))
        except LeffaError as wrong:
            LOG.info("scrub: %s", wrong)
            return gr.skip()

    def follow(self, event: gr.EventData, request: gr.Request) -> Any:
        """Follow a clicked place to the other picture."""
        session = self._sessions.visit(request)
        run = session.current(self._tab)
        if run is None:
            return gr.skip()
        from leffa.explain import trace

        forward = event.side == "result"
        look = trace.to_reference if forward else trace.to_result
        marks: dict[str, Any] = {
            "run": f"{run.key} {run.sample}",
            "side": "result" if forward else "reference",
            "from": [float(event.x), float(event.y)],
            "places": [],
        }
        try:
            found = look(
                run.result, float(event.x), float(event.y), run.sample, event.layer, _whole(event.step)
            )
        except LeffaError as wrong:
            return gr.update(marks=marks | {"text": problem(session.language, wrong)})
        return gr.update(marks=marks | _marks(found, forward, session.language))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _marks(found: "Trace", forward: bool, language: str) -> dict[str, Any]:
    places = [{"x": place.x, "y": place.y, "weight": place.weight} for place in found.places]
    marks: dict[str, Any] = {"places": places}
    if found.middle is not None:
        marks["middle"] = [found.middle.x, found.middle.y]
    if forward:
        if not places:
            return marks | {"text": say(language, "trace_outside")}
        spread, mass = round(100 * found.spread), round(100 * found.mass)
        return marks | {
            "spread": found.spread,
            "text": say(language, "trace_found", spread=spread, mass=mass),
        }
    if found.heat is not None:
        marks["heat"] = _heat_url(found.heat)
    if not places:
        return marks | {"text": say(language, "trace_unused")}
    return marks | {"text": say(language, "trace_landed", share=round(100 * places[0]["weight"]))}


def _heat_url(heat: np.ndarray) -> str:
    glow = np.zeros((*heat.shape, 4), np.uint8)
    glow[..., :3] = (224, 33, 138)
    glow[..., 3] = (heat * 215).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(glow, "RGBA").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def pictures_of(run: "Run", field: "FlowField") -> dict[str, str]:
    from leffa.explain import pictures
    from leffa.explain.views import laid_flow, painted, shown_flow
    from leffa.model.confidence import confidence

    result, sample = run.result, run.sample
    image, inside, weight = result.images[sample], painted(result), shown_flow(result, sample, field)

    def laid(values: np.ndarray, low: float, high: float) -> str:
        return photo_url(pictures.painted_area(result.photo, pictures.heat(values, low, high), inside))

    return {
        "flow": photo_url(pictures.overlay(image, field, weight)),
        "refined": photo_url(pictures.overlay(image, *laid_flow(result, sample))),
        "legend": photo_url(pictures.legend(result.reference)),
        "confidence": laid(confidence(field), 0, 1),
        "mass": laid(field.mass.numpy(), 0, 1),
    }


def _arrows(run: "Run", field: "FlowField") -> list[list[float]]:
    from leffa.explain.views import shown_flow

    weight = shown_flow(run.result, run.sample)
    height, width = weight.shape
    stride = max(1, int((float((weight > 0.4).sum()) / ARROWS) ** 0.5))
    flow = field.flow.numpy()
    return [
        [(column + 0.5) / width, (row + 0.5) / height, *((flow[row, column] + 1) / 2).round(4).tolist()]
        for row in range(stride // 2, height, stride)
        for column in range(stride // 2, width, stride)
        if weight[row, column] > 0.4
    ]


def _layers(run: "Run") -> list[dict[str, str]]:
    """The captured layers: those of the loss, for no others are captured."""
    flows = run.result.flows[run.sample]
    named = []
    for number, layer in enumerate(flows.layers, start=1):
        field = flows.fields[layer, flows.timesteps[-1]]
        height, width = field.spread.shape
        side = layer.split("_")[0]
        named.append({"name": layer, "label": f"{number} · {side} {width}×{height} ●"})
    return named


def _steps(run: "Run", language: str) -> list[dict[str, Any]]:
    trained = f" ● {say(language, 'inspect_trained')}"
    return [
        {
            "step": step,
            "trained": step < MAX_TIMESTEP,
            "label": f"t = {step}" + (trained if step < MAX_TIMESTEP else ""),
        }
        for step in run.result.flows[run.sample].timesteps
    ]


def scatter_text(run: "Run", language: str) -> str:
    """A sentence where attention is scattered over a part of the body; empty where it is not."""
    worst = run.scatter()[:2]
    if not worst:
        return ""
    garment = run.slots.choices.get("kind", "upper")
    named = [
        say(
            language,
            "scatter_part",
            part=say(language, f"{_word_for(garment, one.part)}_{one.part}"),
            share=round(100 * one.share),
        )
        for one in worst
    ]
    return say(language, "scatter", parts=say(language, "and").join(named))


def _word_for(garment: str, part: str) -> str:
    return "cloth" if garment in ("upper", "dress") or "leg" in part else "body"
