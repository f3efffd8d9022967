"""The whole page."""

from contextlib import suppress
from typing import Any

import gradio as gr

from demo import parts
from demo.api import add_endpoints, speak_in_sentences
from demo.change_pose import ChangePose
from demo.labels import Labels
from demo.parts import QUIETLY
from demo.sessions import Sessions
from demo.texts import preferred, say
from demo.try_on import TryOn
from leffa.config import Garment, Task
from leffa.errors import WeightsError
from leffa.weights.models import find

CACHE_SECONDS = (600, 6 * 3600)  # how often, and older than what, forgotten files are deleted


def build(sessions: Sessions) -> gr.Blocks:
    """The page with all its events; ``sessions`` will hold its visitors."""
    labels = Labels()
    with gr.Blocks(
        title=say("en", "title"), analytics_enabled=False, fill_width=True, delete_cache=CACHE_SECONDS
    ) as page:
        head = labels.add(parts.head, lambda spoken: {"value": _head(spoken)}, elem_id="head")
        with gr.Tabs(elem_id="tabs") as tabs:
            with labels.say(gr.Tab, {"label": "tab_try_on"}, id="try_on"):
                try_on = TryOn(sessions, labels)
            with labels.say(gr.Tab, {"label": "tab_change_pose"}, id="change_pose"):
                change_pose = ChangePose(sessions, labels)
        _hand_over(sessions, tabs, try_on, change_pose)
        labels.add(
            parts.panel,
            lambda spoken: {"value": _foot(spoken)},
            markup='<p class="lf-foot">{{value.privacy}} {{value.more}}</p>',
        )
        add_endpoints(sessions)

        def leave(request: gr.Request) -> None:
            sessions.end(request.session_hash)

        _speaking(page, head.language, sessions, labels, (try_on, change_pose))
        page.unload(leave)
    speak_in_sentences(page)
    return page


def _speaking(
    page: gr.Blocks, switch: Any, sessions: Sessions, labels: Labels, tabs: tuple[TryOn | ChangePose, ...]
) -> None:
    """The page speaks the language of the visitor's browser, and the other one at the event ``switch``.

    The language is a state that changes: whoever reads the first one is sent nothing. An update that skips
    would cost the components of a tab that was not opened yet their properties (Gradio 6.31).
    """
    spoken = gr.State("en")

    def greet(request: gr.Request) -> str:
        return preferred(request.headers.get("accept-language"))

    def speak(language: str, request: gr.Request) -> list[Any]:
        session = sessions.visit(request)
        session.language = language
        return [*labels.updates(language), *(value for tab in tabs for value in tab.speak(session))]

    page.load(greet, None, spoken, **QUIETLY)
    switch(lambda language: "en" if language == "zh" else "zh", spoken, spoken, **QUIETLY)
    outputs = [*labels.components, *(component for tab in tabs for component in tab.spoken)]
    spoken.change(speak, spoken, outputs, **QUIETLY)


def _hand_over(sessions: Sessions, tabs: gr.Tabs, try_on: TryOn, change_pose: ChangePose) -> None:
    """A result of one tab becomes the picture of the other, which comes to the front."""

    def to(other: TryOn | ChangePose, name: str, tab: str, width: int) -> Any:
        def take(request: gr.Request) -> tuple:
            session = sessions.visit(request)
            run = session.current(tab)
            if run is None:
                return (gr.skip(),) * (width + 1)
            path = session.keep(run.result.images[run.sample])
            return gr.update(selected=name), *other.accept(session, path)

        return take

    for source, target, name, outputs in (
        (try_on, change_pose, "change_pose", change_pose.pictures[:3]),
        (change_pose, try_on, "try_on", [*try_on.pictures[:3], try_on.mask, try_on.doctor]),
    ):
        step = target.generate
        source.generate.viewer.hand_over(
            to(target, name, source.generate.tab, len(outputs)),
            None,
            [tabs, *outputs],
            **QUIETLY,
        ).then(
            step.state,
            step.inputs,
            [step.go, step.reason],
            js="(...values) => { window.scrollTo({ top: 0 }); return values; }",
            **QUIETLY,
        )


def _head(language: str) -> dict[str, str]:
    names = _loaded()
    told = " · ".join(say(language, f"model_{name}") for name in names) or say(language, "model_missing")
    said = {key: say(language, key) for key in ("tagline", "language", "language_hint", "theme")}
    other = "en" if language == "zh" else "zh"
    return {**said, "other": other, "model": told, "state": "" if names else "lf-missing"}


def _foot(language: str) -> dict[str, str]:
    more = say(language, "model_more") if "bundled" in _loaded() else ""
    return {"privacy": say(language, "privacy"), "more": more}


def _loaded() -> list[str]:
    """Names of the models that runs of this page will use."""
    names = []
    for task, garment in (*((Task.TRY_ON, kind) for kind in Garment), (Task.POSE_TRANSFER, None)):
        with suppress(WeightsError):
            names.append(find(task, garment=garment).name)
    return list(dict.fromkeys(names))
