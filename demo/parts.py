"""The page's own components. Their markup is here, their hands are in ``static/*.js``."""

from abc import ABCMeta
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.components.image import ImageData

STATIC = Path(__file__).parent / "static"


@cache
def static_text(name: str) -> str:
    """A file of ``static/``."""
    return (STATIC / name).read_text(encoding="utf-8")


class _Quiet(ComponentMeta):
    """Gradio's metaclass writes a stub beside the source of every component; a page has no business to."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> type:
        return ABCMeta.__new__(cls, name, bases, attributes)


class Picture(gr.Image, metaclass=_Quiet):
    """A picture input that hands over the uploaded file itself, so that the library reads it and nobody else.

    Gradio's own reading would turn a damaged file into a stack trace and drop what a PNG says of itself.
    """

    is_template = True  # looks like gr.Image

    def preprocess(self, payload: ImageData | None) -> str | None:
        return payload.path if payload else None

    def postprocess(self, value: str | Path | None) -> ImageData | None:
        return ImageData(path=str(value), orig_name=Path(value).name) if value else None


def picture(**options: Any) -> Picture:
    """A place to drop, paste, upload or photograph a picture."""
    return Picture(
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
        buttons=["fullscreen"],
        show_label=False,
        container=False,
        elem_classes="lf-picture",
        **options,
    )


def panel(value: Any, markup: str, script: str | None = None, **options: Any) -> gr.HTML:
    """One of our own: markup once, then the script changes it. No default looks, no prose styles."""
    return gr.HTML(
        value,
        html_template=" ".join(markup.split("\n")),
        js_on_load=static_text(script) if script else None,
        apply_default_css=False,
        **options,
    )


def note(value: dict | None = None, **options: Any) -> gr.HTML:
    """One line beside what it is about. value: what ``quiet``, ``good``, ``warn`` and ``error`` make.

    Event ``act``: the visitor takes up what the line offers.
    """
    markup = (
        '<p class="lf-note lf-{{value.tone}}" role="status">{{value.text}}'
        '{{#if value.act}}<button type="button">{{value.act}}</button>{{/if}}</p>'
    )
    return panel(value or quiet(""), markup, "note.js", **options)


def quiet(text: str) -> dict[str, str]:
    return {"tone": "quiet", "text": text, "act": ""}


def good(text: str) -> dict[str, str]:
    return {"tone": "good", "text": text, "act": ""}


def warn(text: str, act: str = "") -> dict[str, str]:
    return {"tone": "warn", "text": text, "act": act}


def error(text: str) -> dict[str, str]:
    return {"tone": "error", "text": text, "act": ""}


def heading(value: dict, **options: Any) -> gr.HTML:
    """A step's number and name. value: {"number": int, "title": str, "hint": str}"""
    markup = (
        '<div class="lf-heading"><span class="lf-number" aria-hidden="true">{{value.number}}</span>'
        '<h2>{{value.title}}</h2><span class="lf-hint">{{value.hint}}</span></div>'
    )
    return panel(value, markup, **options)


def strip(value: list, chosen: str = "", only: str = "", **options: Any) -> gr.HTML:
    """Pictures to pick from, see ``static/strip.js``. Event ``pick`` carries ``name``."""
    return panel(value, '<div class="lf-strip"></div>', "strip.js", chosen=chosen, only=only, **options)


def mask_editor(words: dict, fixed: bool = False, **options: Any) -> gr.HTML:
    """The photo with its mask, see ``static/mask.js``. Events ``edit`` (``strokes``), ``choose`` (``person``).

    fixed  shows the parts of the body only: nothing to paint
    """
    return panel({}, _MASK, "mask.js", words=words, fixed=fixed, **options)


def viewer(words: dict, **options: Any) -> gr.HTML:
    """Progress, preview and result, see ``static/viewer.js``.

    Events ``sample`` (``sample``), ``download``, ``hand_over``.
    """
    return panel({"state": "empty"}, _VIEWER, "viewer.js", words=words, file=None, **options)


def inspector(words: dict, **options: Any) -> gr.HTML:
    """Result and reference with what leads from one to the other, see ``static/inspector.js``.

    Events ``trace`` (``side``, ``x``, ``y``, ``layer``, ``step``) and ``scrub`` (``layer``, ``step``).
    """
    return panel({}, _INSPECTOR, "inspector.js", words=words, marks=None, **options)


def _icon(do: str, path: str) -> str:
    return (
        f'<button type="button" data-do="{do}" class="lf-icon"><svg viewBox="0 0 20 20" aria-hidden="true">'
        f'<path d="{path}"/></svg></button>'
    )


_MASK = (
    '<div class="lf-frame lf-is-empty"><canvas tabindex="0" role="img" hidden></canvas>'
    '<div class="lf-people"></div><div class="lf-cursor" hidden></div><p class="lf-empty"></p></div>'
    '<div class="lf-tools" role="toolbar" hidden>'
    + _icon(
        "brush",
        "M3 17c3 0 4-1 4-3 0-1.5-1-2.5-2.3-2.5C2.5 11.5 4 15 3 17zM7.5 11 15 3.2c.8-.8 2.6.9 1.8 1.8L9.5 13z",
    )
    + _icon("eraser", "M7 16.5 2.8 12.3 11.5 3.5l5 5-8 8zM6.8 8.2l5 5M8.5 16.5H17")
    + '<label class="lf-size-label"><input class="lf-size" type="range" min="1" max="12" step="0.5" value="4"></label>'
    + _icon("undo", "M7 4 3 8l4 4M3 8h9a5 5 0 0 1 0 9H8")
    + _icon("reset", "m5 5 10 10M15 5 5 15")
    + '<button type="button" data-do="parts" class="lf-chip"></button></div>'
    '<p class="lf-share" aria-live="polite"></p>'
)

_VIEWER = """<div class="lf-frame lf-result"><div class="lf-stage"><img class="lf-after" alt="" hidden>
<img class="lf-before" alt="" hidden><input type="range" min="0" max="100" value="50" step="0.5" hidden>
<div class="lf-handle" hidden aria-hidden="true"></div></div>
<span class="lf-tag lf-tag-before" hidden></span><span class="lf-tag lf-tag-after" hidden></span>
<div class="lf-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" hidden><div class="lf-line"></div></div>
<p class="lf-message" role="status" aria-live="polite"></p>
<button type="button" class="lf-large lf-icon" hidden><svg viewBox="0 0 20 20" aria-hidden="true"><path
 d="M3 8V3h5M12 3h5v5M17 12v5h-5M8 17H3v-5"/></svg></button></div>
<div class="lf-views" role="tablist" hidden></div><div class="lf-samples" hidden></div><p class="lf-share lf-caption" hidden></p>
<div class="lf-acts" hidden><button type="button" data-act="download"></button>
<button type="button" data-act="hand_over"></button></div>"""

_INSPECTOR = """<section class="lf-inspect" hidden><div class="lf-inspect-head"><h2></h2>
<span class="lf-score"></span><p class="lf-told" role="status" aria-live="polite"></p></div>
<div class="lf-inspect-tools"><div class="lf-views" role="group"></div>
<label><span class="lf-layer-title"></span><input type="range" class="lf-layer" min="0" max="0" value="0" step="1">
<output class="lf-layer-name"></output></label>
<label><span class="lf-step-title"></span><input type="range" class="lf-step-range" min="0" max="0" value="0" step="1">
<output class="lf-step-name"></output></label></div>
<div class="lf-panes"><div class="lf-pane" data-side="result" tabindex="0" role="button"><img alt="">
<img class="lf-heat" alt="" hidden></div>
<div class="lf-pane" data-side="reference" tabindex="0" role="button"><img alt=""></div>
<svg class="lf-lines" aria-hidden="true"></svg></div><p class="lf-legend"></p></section>"""
