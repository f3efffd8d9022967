"""What the named endpoints do, for programs and agents."""

import secrets
import threading
import time
from dataclasses import asdict
from typing import Any

import gradio as gr

from demo import painting
from demo.files import keep
from demo.history import Run, remember
from demo.painting import Work, engine
from demo.sessions import Picked, Session, Sessions, Slots
from demo.wishes import HEMS, KINDS, PROTECTED, SLEEVES, Wishes
from leffa.config import Garment, Task
from leffa.errors import LeffaError
from leffa.files import sha256

PROGRESS = gr.Progress()  # the mark by which Gradio knows the argument


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
        progress: gr.Progress = PROGRESS,
        request: gr.Request | None = None,
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
            The finished picture, its attention flow as colours, all pictures best first, and details: the
            run for trace and views, the seed and settings used, flow scores, and parts of the body over which
            attention is scattered.
        """
        photo, garment_picture = _picked(person, "person", 0), _picked(reference, "reference")
        prepared = photo.prepared
        assert prepared is not None  # a person was asked for
        wishes = _wishes(garment, sleeve, hem, protect)
        choices, area = wishes.choices(), _mask_of(mask)
        if area is None:
            measure = _measured(garment_picture.image, wishes.garment)
            area = engine().mask(prepared, wishes.garment, wishes.options(), measure)
        else:
            choices["mask_sha256"] = sha256(str(mask))
        settings = _settings(steps, guidance, rescale, seed, samples)
        work = Work(Task.TRY_ON, prepared, garment_picture.image, settings, wishes.kind, area)
        return self._paint(work, {"photo": photo, "garment": garment_picture}, choices, progress, request)

    def pose_transfer(
        self,
        reference: str,
        pose: str,
        steps: int | None = None,
        guidance: float | None = None,
        rescale: float | None = None,
        seed: int = -1,
        samples: int = 1,
        progress: gr.Progress = PROGRESS,
        request: gr.Request | None = None,
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
            The finished picture, its attention flow as colours, all pictures best first, and details: the
            run for trace and views, the seed and settings used, flow scores, and parts of the body over which
            attention is scattered.
        """
        target = _picked(pose, "pose", 0, Task.POSE_TRANSFER)
        look = _picked(reference, "reference", 0, Task.POSE_TRANSFER)
        work = Work(
            Task.POSE_TRANSFER,
            target.prepared,
            look.prepared,
            _settings(steps, guidance, rescale, seed, samples),
        )
        return self._paint(work, {"person": look, "pose": target}, {"mirror": False}, progress, request)

    def mask(
        self,
        person: str,
        garment: str = "upper",
        sleeve: str = "auto",
        hem: str = "auto",
        protect: list[str] | None = None,
        reference: str | None = None,
        request: gr.Request | None = None,
    ) -> tuple:
        """Find the area that try-on would repaint. Quick; run it before try_on to check or correct the mask.

        Args:
            person: Photo of a person, clearly visible.
            garment: Kind of the garment: upper, lower or dress.
            sleeve: How far down the arms to repaint: auto, none, elbow or wrist.
            hem: How far down the body to repaint: auto, waist, hip, knee or ankle.
            protect: What must not be repainted, any of hands, hair, face, bag.
            reference: Picture of the garment, to leave bare what it leaves bare; without one, room for any.

        Returns:
            The mask at the photo's size, white = repaint, and details: share painted and people found.
        """
        from PIL import Image

        prepared = engine().prepare(_picture(person, "person"))
        wishes = _wishes(garment, sleeve, hem, protect)
        measure = _measured(_picture(reference, "reference"), wishes.garment) if reference else None
        area = engine().mask(prepared, wishes.garment, wishes.options(), measure)
        details = {
            "painted": round(float((area > 0).mean()), 4),
            "people": prepared.people,
            "notes": prepared.notes,
        }
        return keep(self._session(request), Image.fromarray(area)), details

    def parts(
        self,
        person: str,
        request: gr.Request | None = None,
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

    def measure_garment(self, reference: str, garment: str = "upper") -> dict:
        """Read off a garment picture how long its sleeves and hem are, to choose a mask with room for them.

        Args:
            reference: Picture of the garment on a plain background.
            garment: Its kind: upper, lower or dress.

        Returns:
            sleeve (none, elbow, wrist or null), hem (waist, hip, knee, ankle), and both lengths in widths of
            the garment's body; or found = false where no garment stands out from the background.
        """
        found = _measured(_picture(reference, "reference"), _kind(garment))
        return {"found": False} if found is None else {"found": True, **asdict(found)}

    def trace(
        self,
        x: float,
        y: float,
        side: str = "result",
        task: str = "try_on",
        layer: str | None = None,
        timestep: int | None = None,
        run: str | None = None,
        request: gr.Request | None = None,
    ) -> dict:
        """Follow a place of a result to the reference it was painted from, or the other way.

        Run try_on or pose_transfer first.

        Args:
            x: Place from the left, in [0, 1] of the picture's width.
            y: Place from the top, in [0, 1] of the picture's height.
            side: Where the place is: result or reference.
            task: Without a run: the last of this session, of try_on or pose_transfer.
            layer: Only this attention layer, as views lists them; leave out for all.
            timestep: Only this sampling timestep, as views lists them; leave out for all of the loss.
            run: The run to look at, from the details of try_on or pose_transfer.

        Returns:
            places on the other picture with weights, heaviest first, their middle, and for a look at the
            reference how scattered it is (in widths of the reference) and how much attention goes there.
        """
        from leffa.explain import trace

        if side not in ("result", "reference"):
            raise LeffaError(f"side must be result or reference, got {side!r}")
        found_run = self._run(run, task, request)
        follow = trace.to_reference if side == "result" else trace.to_result
        found = follow(found_run.result, float(x), float(y), found_run.sample, layer or None, timestep)
        return {
            "places": [asdict(place) for place in found.places],
            "middle": asdict(found.middle) if found.middle else None,
            "spread": found.spread if side == "result" and found.places else None,
            "mass": found.mass if side == "result" and found.places else None,
        }

    def views(
        self,
        task: str = "try_on",
        layer: str | None = None,
        timestep: int | None = None,
        run: str | None = None,
        request: gr.Request | None = None,
    ) -> tuple:
        """Explain a result in pictures: flow, its legend, warped reference, confidence, spread, mass, arrows.

        Run try_on or pose_transfer first.

        Args:
            task: Without a run: the last of this session, of try_on or pose_transfer.
            layer: Only this attention layer; leave out for all.
            timestep: Only this sampling timestep; leave out for all that the loss trains.
            run: The run to look at, from the details of try_on or pose_transfer.

        Returns:
            The pictures with their names, and details: the layers and timesteps there are.
        """
        from dataclasses import replace

        from demo.views import difference
        from leffa.explain.trace import field_on_photo

        found = self._run(run, task, request)
        fields = list(found.result.fields)
        fields[found.sample] = field_on_photo(found.result, found.sample, layer or None, timestep)
        result = replace(found.result, fields=fields)
        pictures = result.flow_pictures(found.sample)
        pictures["difference"] = difference(result.photo, result.images[found.sample])
        session, flows = self._session(request), result.flows[found.sample]
        files = [(keep(session, picture), name) for name, picture in pictures.items()]
        return files, {"layers": flows.layers, "timesteps": flows.timesteps}

    def read_settings(self, picture: str) -> dict:
        """Read from a PNG made here how it was made: settings, choices, hashes of its files and of the model.

        Args:
            picture: A PNG that this app returned or downloaded.

        Returns:
            The record; found = false for any other picture.
        """
        from leffa.record import read_record

        record = read_record(picture) if picture else None
        return {"found": False} if record is None else {"found": True, **record}

    def models(self) -> dict:
        """List the models that are installed, what they are good for, and their defaults.

        Returns:
            For each model its name, what it is good for, its tasks, the size it paints at and default steps.
        """
        from leffa.weights.models import MODELS

        return {
            "models": [
                {
                    "name": model.name,
                    "title": model.title,
                    "tasks": [task.value for task in model.tasks],
                    "size": list(model.size),
                    "steps": model.steps,
                    "present": model.is_present,
                }
                for model in MODELS.values()
            ]
        }

    # ------------------------------------------------------------------------------ shared

    def _session(self, request: gr.Request | None) -> Session:
        """The caller's session; a new one for whoever does not say which is theirs.

        Agents do not: behind the tool server all of them come as one and the same client.
        """
        key = None if _is_agent(request) else getattr(request, "session_hash", None)
        return self._sessions.of(key or secrets.token_urlsafe(12))

    def _run(self, key: str | None, task: str, request: gr.Request | None) -> Run:
        """The run of a key, in whatever session: agents have none, and who knows the key made the run."""
        if key:
            found = self._sessions.run(key)
            if found is None:
                raise LeffaError("there is no such run, or not any more: run try_on or pose_transfer again")
            return found
        if task not in {one.value for one in Task}:
            raise LeffaError(f"task must be try_on or pose_transfer, got {task!r}")
        run = None if _is_agent(request) else self._session(request).shown.get(task)
        if run is None:
            raise LeffaError(
                f"there is no result of {task} in this session: run it first, or give the run of its details"
            )
        return run

    def _paint(
        self,
        work: Work,
        pictures: dict[str, Picked],
        choices: dict[str, Any],
        progress: gr.Progress,
        request: gr.Request | None,
    ) -> tuple:
        session, task = self._session(request), work.task.value
        stop = session.stops[f"api {task}"] = threading.Event()
        started, result = time.monotonic(), None
        for event in painting.run(work, stop):
            if isinstance(event, painting.Step):
                progress(event.share, desc=event.what)
            else:
                result = event
        assert result is not None  # run ends with a result or raises
        run = Run(result, Slots(pictures, choices), work.person, time.monotonic() - started)
        remember(session, task, run)
        details = {
            "run": run.key,
            "task": task,
            "model": result.model,
            **asdict(result.settings),
            "scores": [round(score, 4) for score in run.scores],
            "seeds": [(result.settings.seed + sample) % 2**32 for sample, _ in run.ranked],
            "scattered": {one.part: round(one.share, 3) for one in run.scatter()},
            "notes": result.notes,
        }
        files = []
        for place in range(len(run.ranked)):
            run.chosen = place
            files.append(keep(session, run.png()))
        run.chosen = 0
        flow = result.flow_pictures(run.sample)["overlay"]
        return files[0], keep(session, flow), files, details


def _is_agent(request: gr.Request | None) -> bool:
    """Whether the tool server passes a call on."""
    return request is not None and request.headers.get("x-gradio-user") == "mcp"


def _picked(path: str | None, name: str, person: int | None = None, task: Task = Task.TRY_ON) -> Picked:
    image = _picture(path, name)
    assert path is not None  # or the line above had raised
    prepared = None if person is None else engine().prepare(image, person, task)
    return Picked(image, path, sha256(path), prepared)


def _picture(path: str | None, name: str) -> Any:
    from leffa.images import load_image

    if not path:
        raise LeffaError(f"{name} is missing: give a picture")
    return load_image(path)


def _measured(picture: Any, garment: Garment) -> Any:
    import numpy as np

    from leffa.preprocess.garment.measure import measure_garment

    return measure_garment(np.asarray(picture), garment)


def _mask_of(path: str | None) -> Any:
    from leffa.preprocess.given_mask import read_mask

    return read_mask(path) if path else None


def _kind(garment: str) -> Garment:
    try:
        return Garment(garment)
    except ValueError:
        raise LeffaError(f"garment must be one of {', '.join(KINDS)}, got {garment!r}") from None


def _wishes(garment: str, sleeve: str, hem: str, protect: list[str] | None) -> Wishes:
    kept = tuple(PROTECTED if protect is None else protect)
    for name, value, allowed in (("sleeve", sleeve, SLEEVES), ("hem", hem, HEMS)):
        if value not in allowed:
            raise LeffaError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    if unknown := set(kept) - set(PROTECTED):
        raise LeffaError(f"protect knows {', '.join(PROTECTED)}, not {', '.join(sorted(unknown))}")
    return Wishes(_kind(garment).value, sleeve, hem, kept)


def _settings(
    steps: int | None, guidance: float | None, rescale: float | None, seed: int, samples: int
) -> Any:
    from leffa.run.settings import Settings

    return Settings(steps, guidance, rescale, int(seed), int(samples))
