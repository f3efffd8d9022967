"""The whole page."""

from typing import Any

import gradio as gr

from demo import parts
from demo.api import add_endpoints
from demo.change_pose import ChangePose
from demo.files import keep
from demo.labels import Labels
from demo.sessions import Sessions
from demo.texts import preferred, say
from demo.try_on import TryOn

CACHE_SECONDS = (600, 6 * 3600)  # how often, and older than what, forgotten files are deleted

_LOGO = (
    '<svg viewBox="0 0 26 26" fill="none" aria-hidden="true"><path d="M5 4c7 1 8 17 16 18" stroke="#4f5fe0" '
    'stroke-width="2.4" stroke-linecap="round"/><path d="M5 13c5 .5 8 8 16 9" stroke="#12a594" '
    'stroke-width="2.4" stroke-linecap="round" opacity=".8"/><circle cx="5" cy="4" r="2.6" fill="#4f5fe0"/>'
    '<circle cx="5" cy="13" r="2.6" fill="#12a594"/><circle cx="21" cy="22" r="3" fill="#e0218a"/></svg>'
)


def build(sessions: Sessions) -> gr.Blocks:
    """The page with all its events; ``sessions`` will hold its visitors."""
    labels = Labels()
    with gr.Blocks(
        title=say("en", "title"), analytics_enabled=False, fill_width=True, delete_cache=CACHE_SECONDS
    ) as page:
        with gr.Row(elem_classes="lf-top"):
            labels.add(
                parts.panel,
                lambda spoken: {"value": _head(spoken)},
                markup='<header class="lf-head"><h1>' + _LOGO + "Leffa</h1><p>{{value.tagline}}</p>"
                '<span class="lf-model {{value.state}}">{{value.model}}</span></header>',
                elem_id="head",
            )
            language = labels.say(gr.Button, {"value": "language"}, size="sm", elem_id="language")
            dark = gr.Button("◐", size="sm", elem_id="theme")
        with gr.Tabs(elem_id="tabs") as tabs:
            with labels.say(gr.Tab, {"label": "tab_try_on"}, id="try_on", render_children=True):
                try_on = TryOn(sessions, labels)
            with labels.say(gr.Tab, {"label": "tab_change_pose"}, id="change_pose", render_children=True):
                change_pose = ChangePose(sessions, labels)
        _hand_over(sessions, tabs, try_on, change_pose)
        labels.add(
            parts.panel,
            lambda spoken: {"value": {"text": say(spoken, "privacy")}},
            markup='<p class="lf-foot">{{value.text}}</p>',
        )
        add_endpoints(sessions)

        def speak(spoken: str, request: gr.Request) -> list[dict]:
            sessions.of(request.session_hash).language = spoken
            return labels.updates(spoken)

        def leave(request: gr.Request) -> None:
            sessions.end(request.session_hash)

        def greet(request: gr.Request) -> list[dict]:
            spoken = preferred(request.headers.get("accept-language"))
            return speak(spoken, request) if spoken != "en" else [gr.skip() for _ in labels.components]

        def switch(request: gr.Request) -> list[dict]:
            now = sessions.of(request.session_hash).language
            return speak("en" if now == "zh" else "zh", request)

        page.load(greet, None, labels.components, show_progress="hidden", api_visibility="private")
        language.click(switch, None, labels.components, show_progress="hidden", api_visibility="private")
        dark.click(None, None, None, js="() => { document.body.classList.toggle('dark'); }")
        page.unload(leave)
    return page


def _hand_over(sessions: Sessions, tabs: gr.Tabs, try_on: TryOn, change_pose: ChangePose) -> None:
    """A result of one tab becomes the picture of the other, which comes to the front."""

    def to(other: TryOn | ChangePose, name: str, tab: str, width: int) -> Any:
        def take(request: gr.Request) -> tuple:
            session = sessions.of(request.session_hash)
            run = session.shown.get(tab)
            if run is None:
                return (gr.skip(),) * (width + 1)
            path = keep(session, run.result.images[run.sample])
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
            show_progress="hidden",
            api_visibility="private",
        ).then(
            step.state,
            step.inputs,
            [step.go, step.reason],
            js="(...values) => { window.scrollTo({ top: 0 }); return values; }",
            show_progress="hidden",
            api_visibility="private",
        )


def _head(language: str) -> dict[str, str]:
    from leffa.models import MODELS

    present = [model for model in MODELS.values() if model.is_present]
    told = say(language, "model_bundled" if present else "model_missing")
    return {"tagline": say(language, "tagline"), "model": told, "state": "" if present else "lf-missing"}
