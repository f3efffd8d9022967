"""The named endpoints, for programs and agents: what the page can do, without the page."""

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from typing import Any

import gradio as gr

from demo import painting, parts
from demo.files import keep
from demo.painting import Work, engine
from demo.sessions import Session, Sessions
from demo.texts import problem, say
from demo.try_on import HEMS, KINDS, PROTECTED, SLEEVES, mask_options
from leffa.config import Garment, Task
from leffa.errors import LeffaError

LOG = logging.getLogger("leffa.demo")
_PROGRESS = gr.Progress()  # the mark by which Gradio knows the argument


def add_endpoints(sessions: Sessions) -> None:
    """Add the endpoints to the page that is being built; they show nothing on it."""
    endpoints = Endpoints(sessions)
    with gr.Row(visible=False):
        person = parts.picture(label="person")
        reference = parts.picture(label="reference")
        other = parts.picture(label="mask or pose")
        garment = gr.Dropdown(KINDS, value="upper", label="garment")
        sleeve = gr.Dropdown(SLEEVES, value="auto", label="sleeve")
        hem = gr.Dropdown(HEMS, value="auto", label="hem")
        protect = gr.CheckboxGroup(PROTECTED, value=list(PROTECTED), label="protect")
        steps = gr.Number(None, precision=0, label="steps")
        guidance = gr.Number(None, label="guidance")
        rescale = gr.Number(None, label="rescale")
        seed = gr.Number(-1, precision=0, label="seed")
        samples = gr.Number(1, precision=0, label="samples")
        result, flow, picture = (
            parts.picture(label="result"),
            parts.picture(label="flow"),
            parts.picture(label="picture"),
        )
        details = gr.JSON(label="details")
        settings = [steps, guidance, rescale, seed, samples]
        wishes = [garment, sleeve, hem, protect]
        for name, function, inputs, outputs in (
            (
                "try_on",
                endpoints.try_on,
                [person, reference, *wishes, other, *settings],
                [result, flow, details],
            ),
            (
                "pose_transfer",
                endpoints.pose_transfer,
                [reference, other, *settings],
                [result, flow, details],
            ),
            ("mask", endpoints.mask, [person, *wishes], [picture, details]),
            ("parts", endpoints.parts, [person], [picture, details]),
        ):
            gr.Button(visible=False).click(
                _spoken(function), inputs, outputs, api_name=name, concurrency_limit=None
            )


def _spoken(function: Callable[..., Any]) -> Callable[..., Any]:
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
            LOG.exception("an endpoint failed")
            raise gr.Error(say("en", "failed"), print_exception=False) from None

    return speak


class Endpoints:
    """What the endpoints do. Their docstrings are their documentation, and what an agent reads."""

    def __init__(self, sessions: Sessions):
        self._sessions = sessions

    def try_on(
        self,
        person: str,
        reference: str,
        garment: str = "upper",
        sleeve: str = "auto",
        hem: str = "auto",
        protect: list[str] | None = None,
        mask: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        rescale: float | None = None,
        seed: int = -1,
        samples: int = 1,
        progress: gr.Progress = _PROGRESS,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> tuple:
        """Put the garment of one picture on the person of another.

        Args:
            person: Photo of a person, clearly visible. The result has its size.
            reference: Picture of the garment, best on a plain background.
            garment: Its kind: upper (tops, shirts, jackets), lower (trousers, skirts) or dress.
            sleeve: How far down the arms to repaint: auto, none, elbow or wrist.
            hem: How far down the body to repaint: auto, waist, hip, knee or ankle.
            protect: What must not be repainted, any of hands, hair, face, bag.
            mask: Own mask instead of the automatic one: white = repaint, at the photo's size.
            steps: Sampling steps; leave out for the model's default. More is cleaner and slower.
            guidance: How strongly the garment is followed; 1 is off. Leave out for the model's default.
            rescale: Guidance rescale; 0 is off. Leave out for the model's default.
            seed: The same seed gives the same picture; -1 draws one and reports it in the details.
            samples: 1 to 4 pictures; the first one returned is the best by flow score.

        Returns:
            The finished picture, its attention flow as colours, and details with the seed and settings used.
        """
        prepared = engine().prepare(_picture(person, "person"))
        area = _mask_of(mask, prepared.size)
        if area is None:
            area = engine().mask(prepared, _kind(garment), _wishes(sleeve, hem, protect))
        work = Work(
            Task.TRY_ON,
            prepared,
            _picture(reference, "reference"),
            _settings(steps, guidance, rescale, seed, samples),
            _kind(garment).value,
            area,
        )
        return self._paint(work, progress, request)

    def pose_transfer(
        self,
        reference: str,
        pose: str,
        steps: int | None = None,
        guidance: float | None = None,
        rescale: float | None = None,
        seed: int = -1,
        samples: int = 1,
        progress: gr.Progress = _PROGRESS,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> tuple:
        """Show the person of one picture in the pose of the person in another.

        Args:
            reference: Photo of the person whose look and clothes are kept.
            pose: Picture of anybody in the wanted pose. The result has its size.
            steps: Sampling steps; leave out for the model's default. More is cleaner and slower.
            guidance: How strongly the reference is followed; 1 is off. Leave out for the model's default.
            rescale: Guidance rescale; 0 is off. Leave out for the model's default.
            seed: The same seed gives the same picture; -1 draws one and reports it in the details.
            samples: 1 to 4 pictures; the first one returned is the best by flow score.

        Returns:
            The finished picture, its attention flow as colours, and details with the seed and settings used.
        """
        work = Work(
            Task.POSE_TRANSFER,
            engine().prepare(_picture(pose, "pose")),
            engine().prepare(_picture(reference, "reference")),
            _settings(steps, guidance, rescale, seed, samples),
        )
        return self._paint(work, progress, request)

    def mask(
        self,
        person: str,
        garment: str = "upper",
        sleeve: str = "auto",
        hem: str = "auto",
        protect: list[str] | None = None,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> tuple:
        """Find the area that try-on would repaint. Quick; run it before try_on to check or correct the mask.

        Args:
            person: Photo of a person, clearly visible.
            garment: Kind of the garment: upper, lower or dress.
            sleeve: How far down the arms to repaint: auto, none, elbow or wrist.
            hem: How far down the body to repaint: auto, waist, hip, knee or ankle.
            protect: What must not be repainted, any of hands, hair, face, bag.

        Returns:
            The mask at the photo's size, white = repaint, and details: share painted and people found.
        """
        from PIL import Image

        prepared = engine().prepare(_picture(person, "person"))
        area = engine().mask(prepared, _kind(garment), _wishes(sleeve, hem, protect))
        details = {
            "painted": round(float((area > 0).mean()), 4),
            "people": prepared.people,
            "notes": prepared.notes,
        }
        return keep(self._session(request), Image.fromarray(area)), details

    def parts(
        self,
        person: str,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> tuple:
        """Show the parts of a person's body as the model is told them.

        Args:
            person: Photo of a person, clearly visible.

        Returns:
            A picture with a colour for each part of the body, and details: the people found.
        """
        from demo.views import part_colours

        prepared = engine().prepare(_picture(person, "person"))
        picture = part_colours(engine().parts(prepared))
        return keep(self._session(request), picture), {"people": prepared.people, "notes": prepared.notes}

    # ------------------------------------------------------------------------------ shared

    def _session(self, request: gr.Request | None) -> Session:
        key = getattr(request, "session_hash", None)
        return self._sessions.of(key or "no session")

    def _paint(self, work: Work, progress: gr.Progress, request: gr.Request | None) -> tuple:
        session = self._session(request)
        stop = session.stops[f"api {work.task.value}"] = threading.Event()
        result = None
        for event in painting.run(work, stop):
            if isinstance(event, painting.Step):
                progress(event.share, desc=event.what)
            else:
                result = event
        assert result is not None  # run ends with a result or raises
        flow = result.flow_pictures(0)["overlay"]
        details = {
            "task": result.task.value,
            "model": result.model,
            **asdict(result.settings),
            "notes": result.notes,
        }
        return keep(session, result.images[0]), keep(session, flow), details


def _picture(path: str | None, name: str) -> Any:
    from leffa.images import load_image

    if not path:
        raise LeffaError(f"{name} is missing: give a picture")
    return load_image(path)


def _mask_of(path: str | None, size: tuple[int, int]) -> Any:
    import numpy as np

    return np.asarray(_picture(path, "mask").convert("L")) if path else None


def _kind(garment: str) -> Garment:
    try:
        return Garment(garment)
    except ValueError:
        raise LeffaError(f"garment must be one of {', '.join(KINDS)}, got {garment!r}") from None


def _wishes(sleeve: str, hem: str, protect: list[str] | None) -> Any:
    kept = list(PROTECTED) if protect is None else protect
    for name, value, allowed in (("sleeve", sleeve, SLEEVES), ("hem", hem, HEMS)):
        if value not in allowed:
            raise LeffaError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    if unknown := set(kept) - set(PROTECTED):
        raise LeffaError(f"protect knows {', '.join(PROTECTED)}, not {', '.join(sorted(unknown))}")
    return mask_options(sleeve, hem, kept)


def _settings(
    steps: int | None, guidance: float | None, rescale: float | None, seed: int, samples: int
) -> Any:
    from leffa.result import Settings

    return Settings(steps, guidance, rescale, int(seed), int(samples))
