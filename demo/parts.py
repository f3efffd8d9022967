"""The page's own components. Their markup is here, their hands are in ``static/*.js``."""

from abc import ABCMeta
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.data_classes import ImageData as GradioImageData
from pydantic import model_validator

from demo.texts import problem
from demo.uploads import NotUploadedError, checked

STATIC = Path(__file__).parent / "static"
QUIETLY: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
LAST: dict[str, Any] = {"trigger_mode": "always_last", **QUIETLY}
"""Options of the page's own events."""


@cache
def static_text(name: str) -> str:
    """A file of ``static/``."""
    return (STATIC / name).read_text(encoding="utf-8")


class _Quiet(ComponentMeta):
    """Gradio's metaclass writes a stub beside the source of every component; a page has no business to."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> type:
        return ABCMeta.__new__(cls, name, bases, attributes)


class ImageData(GradioImageData):
    """What a picture comes as. Whatever else comes instead is taken for a file that was refused."""

    @model_validator(mode="before")
    @classmethod
    def _take_files_only(cls, value: Any) -> Any:
        if isinstance(value, GradioImageData):
            return value
        path = value.get("path") if isinstance(value, dict) else None
        if not isinstance(path, str):
            return {"path": None}
        named = {key: value.get(key) for key in ("url", "orig_name", "mime_type")}
        return {"path": path, **{key: one for key, one in named.items() if isinstance(one, str)}}


class Picture(gr.Image, metaclass=_Quiet):
    """A picture input that hands over the uploaded file itself, so that the library reads it and nobody else.

    Gradio's own reading would turn a damaged file into a stack trace and drop what a PNG says of itself.
    """

    is_template = True  # looks like gr.Image
    data_model = ImageData

    def preprocess(self, payload: ImageData | None) -> str | None:
        return uploaded(payload)

    def postprocess(self, value: str | Path | None) -> ImageData | None:
        return ImageData(path=str(value), orig_name=Path(value).name) if value else None


class Upload(gr.UploadButton, metaclass=_Quiet):
    """A button that takes one file and hands over its path."""

    is_template = True
    data_model = ImageData  # Gradio's own would answer a payload that it does not like with a stack trace

    def preprocess(self, payload: ImageData | None) -> str | None:
        return uploaded(payload)


def _as_it_came(self: Any, payload: Any) -> Any:
    """What a program or a page sent, of whatever kind. The functions say what is wrong with it, in one
    sentence; Gradio's components would answer a wrong kind with a stack trace in the log.
    """
    return payload


def _trusting(component: type) -> Any:
    """A component of Gradio, by its looks, that hands over what comes ``_as_it_came``."""
    return _Quiet(component.__name__, (component,), {"is_template": True, "preprocess": _as_it_came})


Choice, Choices, Buttons = map(_trusting, (gr.Dropdown, gr.CheckboxGroup, gr.Radio))
Number, Slider, Tick, Text = map(_trusting, (gr.Number, gr.Slider, gr.Checkbox, gr.Textbox))


def uploaded(payload: ImageData | None) -> str | None:
    """The path of an upload as it came from outside. Raises gr.Error with one sentence for anything else."""
    if payload is None:
        return None
    try:
        return str(checked(payload.path))
    except NotUploadedError as wrong:
        raise gr.Error(problem("en", wrong), print_exception=False) from None


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


def head(value: dict, **options: Any) -> gr.HTML:
    """The head of the page. Event ``language``: the visitor wants the other one."""
    return panel(value, static_text("head.html"), "head.js", **options)


def strip(value: list, chosen: str = "", only: str = "", **options: Any) -> gr.HTML:
    """Pictures to pick from, see ``static/strip.js``. Event ``pick`` carries ``name``."""
    return panel(value, '<div class="lf-strip"></div>', "strip.js", chosen=chosen, only=only, **options)


def mask_editor(words: dict, fixed: bool = False, **options: Any) -> gr.HTML:
    """The photo with its mask, see ``static/mask.js``.

    Events ``edit`` (``strokes``), ``choose`` (``person``).

    fixed  shows the parts of the body only: nothing to paint
    """
    return panel({}, static_text("mask.html"), "mask.js", words=words, fixed=fixed, **options)


def viewer(words: dict, **options: Any) -> gr.HTML:
    """Progress, preview and result, see ``static/viewer.js``.

    Events ``sample`` (``sample``), ``download``, ``hand_over``.
    """
    return panel(
        {"state": "empty"}, static_text("viewer.html"), "viewer.js", words=words, file=None, **options
    )


def inspector(words: dict, **options: Any) -> gr.HTML:
    """Result and reference with what leads from one to the other, see ``static/inspector.js``.

    Events ``trace`` (``side``, ``x``, ``y``, ``layer``, ``step``) and ``scrub`` (``layer``, ``step``).
    """
    return panel({}, static_text("inspector.html"), "inspector.js", words=words, marks=None, **options)
