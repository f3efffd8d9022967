"""The named endpoints on the page: their inputs and outputs, and how their errors read."""

import logging
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

import gradio as gr

from demo import parts
from demo.endpoints import Endpoints
from demo.mask_choices import HEMS, KINDS, PROTECTED, SLEEVES
from demo.sessions import Sessions
from demo.texts import problem, say
from leffa.config import Task
from leffa.errors import LeffaError

LOG = logging.getLogger("leffa.demo")


def add_endpoints(sessions: Sessions) -> None:
    """Add the endpoints to the page that is being built; they show nothing on it."""
    endpoints = Endpoints(sessions)
    with gr.Row(visible=False):
        person = parts.picture(label="person")
        reference = parts.picture(label="reference")
        other = parts.picture(label="mask or pose")
        garment = parts.Choice(("auto", *KINDS), value="auto", label="garment")
        sleeve = parts.Choice(SLEEVES, value="auto", label="sleeve")
        hem = parts.Choice(HEMS, value="auto", label="hem")
        protect = parts.Choices(PROTECTED, value=list(PROTECTED), label="protect")
        steps = parts.Number(None, precision=0, label="steps")
        guidance = parts.Number(None, label="guidance")
        rescale = parts.Number(None, label="rescale")
        seed = parts.Number(-1, precision=0, label="seed")
        samples = parts.Number(1, precision=0, label="samples")
        result, flow = parts.picture(label="result"), parts.picture(label="flow")
        picture = parts.picture(label="picture")
        gallery = gr.Gallery(label="pictures")
        task = parts.Choice([one.value for one in Task], value=Task.TRY_ON.value, label="task")
        side = parts.Choice(["result", "reference"], value="result", label="side")
        x, y = parts.Number(0.5, label="x"), parts.Number(0.5, label="y")
        layer = parts.Text(None, label="layer")
        timestep = parts.Number(None, precision=0, label="timestep")
        run = parts.Text(None, label="run")
        details = gr.JSON(label="details")
        settings = [steps, guidance, rescale, seed, samples]
        mask_choices = [garment, sleeve, hem, protect]
        painted = [result, flow, gallery, details]
        for name, function, inputs, outputs in (
            ("try_on", endpoints.try_on, [person, reference, *mask_choices, other, *settings], painted),
            ("pose_transfer", endpoints.pose_transfer, [reference, other, *settings], painted),
            ("mask", endpoints.mask, [person, *mask_choices, reference], [picture, details]),
            ("parts", endpoints.parts, [person], [picture, details]),
            ("measure_garment", endpoints.measure_garment, [reference, garment], [details]),
            ("trace", endpoints.trace, [x, y, side, task, layer, timestep, run], [details]),
            ("views", endpoints.views, [task, layer, timestep, run], [gallery, details]),
            ("read_settings", endpoints.read_settings, [picture], [details]),
            ("models", endpoints.models, [], [details]),
        ):
            gr.Button(visible=False).click(
                spoken(function), inputs, outputs, api_name=name, concurrency_limit=None
            )


def spoken(function: Callable[..., Any]) -> Callable[..., Any]:
    """Errors as one sentence; what was not foreseen goes to the log, not to the caller."""

    @wraps(function)
    def speak(*values: Any, **named: Any) -> Any:
        try:
            return function(*values, **named)
        except LeffaError as wrong:
            raise gr.Error(problem("en", wrong), print_exception=False) from None
        except gr.Error:
            raise
        except Exception:
            LOG.exception("%s failed", function.__name__)
            raise gr.Error(say("en", "failed"), print_exception=False) from None

    return speak


def speak_in_sentences(page: gr.Blocks) -> None:
    """Let every event of the page, not only the endpoints, tell its errors so: a page can be forged."""
    for event in page.fns.values():
        function = event.fn
        if callable(function) and not (isgeneratorfunction(function) or hasattr(function, "__wrapped__")):
            event.fn = spoken(function)
