"""What the named endpoints do, for programs and agents."""

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import LocalContext
from PIL import Image

from demo import painting
from demo.gate import PASSING
from demo.history import Run
from demo.mask_choices import HEMS, KINDS, PROTECTED, SLEEVES, MaskChoices
from demo.painting import Work, engine
from demo.photos import LOOKING, opened
from demo.pictures import difference, part_colours
from demo.sessions import PASSING_SECONDS, Session, Sessions, address_of
from demo.slots import Picked, Slots
from leffa.config import Garment, Task, sample_seed
from leffa.errors import LeffaError
from leffa.files import sha256
from leffa.preprocess.garment.kind import guess_kind
from leffa.preprocess.garment.product import foreground
from leffa.preprocess.given_mask import read_mask
from leffa.preprocess.prepared import Prepared
from leffa.provenance import read_record
from leffa.run.settings import Settings
from leffa.weights import models

PROGRESS = gr.Progress()  # the mark by which Gradio knows the argument


class Endpoints:
    """What the endpoints do. Their docstrings are their documentation, and what an agent reads."""

    def __init__(self, sessions: Sessions):
        self._sessions = sessions

    def try_on(
        self,
        person: str,
        reference: str,
        garment: str = "auto",
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
            garment: Its kind: upper (tops, shirts, jackets), lower (trousers, skirts) or dress; auto tells it
                by the garment's outline and notes it in the details.
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
        session = self._session(request)
        garment_picture = _picked(session, reference, "reference")
        area = _mask_of(session, mask)
        photo = _picked(session, person, "person", 0)  # last: looking for people takes the longest
        prepared = photo.prepared
        assert prepared is not None  # a person was asked for
        mask_choices, told = _mask_choices(
            session, prepared, garment_picture.image, garment, sleeve, hem, protect
        )
        choices = mask_choices.choices()
        if area is None:
            area = engine(session.findings).mask(prepared, mask_choices.garment, mask_choices.options())
        else:
            choices["mask_sha256"] = sha256(str(mask))
        settings = _settings(steps, guidance, rescale, seed, samples)
        work = Work(
            Task.TRY_ON,
            prepared,
            garment_picture.image,
            settings,
            mask_choices.kind,
            area,
            findings=session.findings,
        )
        pictures = {"photo": photo, "garment": garment_picture}
        return self._paint(session, work, pictures, choices, progress, address_of(request), told)

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
        session = self._session(request)
        target = _picked(session, pose, "pose", 0, Task.POSE_TRANSFER)
        look = _picked(session, reference, "reference", 0, Task.POSE_TRANSFER)
        work = Work(
            Task.POSE_TRANSFER,
            target.prepared,
            look.prepared,
            _settings(steps, guidance, rescale, seed, samples),
            findings=session.findings,
        )
        pictures = {"person": look, "pose": target}
        return self._paint(session, work, pictures, {"mirror": False}, progress, address_of(request))

    def mask(
        self,
        person: str,
        garment: str = "auto",
        sleeve: str = "auto",
        hem: str = "auto",
        protect: list[str] | None = None,
        reference: str | None = None,
        request: gr.Request | None = None,
    ) -> tuple:
        """Find the area that try-on would repaint. Quick; run it before try_on to check or correct the mask.

        Args:
            person: Photo of a person, clearly visible.
            garment: Kind of the garment: upper, lower or dress; auto tells it by the outline.
            sleeve: How far down the arms to repaint: auto, none, elbow or wrist.
            hem: How far down the body to repaint: auto, waist, hip, knee or ankle.
            protect: What must not be repainted, any of hands, hair, face, bag.
            reference: Picture of the garment: its kind is told by it, and noted if it needs more room.

        Returns:
            The mask at the photo's size, white = repaint, and details: share painted and people found.
        """
        session = self._session(request)
        prepared = _prepared(session, _picture(session, person, "person"))
        shot = _picture(session, reference, "reference") if reference else None
        mask_choices, told = _mask_choices(session, prepared, shot, garment, sleeve, hem, protect)
        area = engine(session.findings).mask(prepared, mask_choices.garment, mask_choices.options())
        details = {
            "painted": round(float((area > 0).mean()), 4),
            "people": prepared.people,
            "garment": mask_choices.kind,
            "notes": [*prepared.notes, *told],
        }
        return session.keep(Image.fromarray(area)), details

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
        session = self._session(request)
        prepared = _prepared(session, _picture(session, person, "person"))
        picture = part_colours(engine().parts(prepared))
        return session.keep(picture), {"people": prepared.people, "notes": prepared.notes}

    def measure_garment(
        self, reference: str, garment: str = "auto", request: gr.Request | None = None
    ) -> dict:
        """Read off a garment picture how long its sleeves and hem are, to choose a mask with room for them.

        Args:
            reference: Picture of the garment on a plain background.
            garment: Its kind: upper, lower or dress; auto tells it by the outline.

        Returns:
            garment (the kind), sleeve (none, elbow, wrist or null), hem (waist, hip, knee, ankle), and both
            lengths in widths of the garment's body; or found = false where no garment stands out.
        """
        session = self._session(request)
        shot = _picture(session, reference, "reference")
        if garment == "auto":
            garment = (_guessed(shot) or Garment.UPPER).value
        found = _measured(session, shot, _kind(garment))
        return {"found": False} if found is None else {"found": True, "garment": garment, **asdict(found)}

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

        _one_of("side", side, ("result", "reference"))
        found_run = self._run(run, task, request)
        follow = trace.to_reference if side == "result" else trace.to_result
        place = _figure("x", x), _figure("y", y)
        step, named = _timestep(timestep), _word("layer", layer)
        found = follow(found_run.result, *place, found_run.sample, named, step)
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
        from leffa.explain.trace import field_on_photo
        from leffa.explain.views import flow_pictures

        found = self._run(run, task, request)
        fields = list(found.result.fields)
        fields[found.sample] = field_on_photo(
            found.result, found.sample, _word("layer", layer), _timestep(timestep)
        )
        result = replace(found.result, fields=fields)
        pictures = flow_pictures(result, found.sample)
        pictures["difference"] = difference(result.photo, result.images[found.sample])
        session, flows = self._session(request), result.flows[found.sample]
        files = [(session.keep(picture), name) for name, picture in pictures.items()]
        return files, {"layers": flows.layers, "timesteps": flows.timesteps}

    def read_settings(self, picture: str, request: gr.Request | None = None) -> dict:
        """Read from a PNG made here how it was made: settings, choices, hashes of its files and of the model.

        Args:
            picture: A PNG that this app returned or downloaded.

        Returns:
            The record; found = false for any other picture.
        """
        record = read_record(self._session(request).own(picture)) if picture else None
        return {"found": False} if record is None else {"found": True, **record}

    def models(self) -> dict:
        """List the models that are installed, what they are good for, and their defaults.

        Returns:
            For each model its name, what it is good for, its tasks, the size it paints at and default steps.
        """
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
                for model in models.MODELS.values()
            ]
        }

    # ------------------------------------------------------------------------------ shared

    def _session(self, request: gr.Request | None) -> Session:
        """The caller's session; a new one for whoever does not say which is theirs.

        Agents do not: behind the tool server all of them come as one and the same client. Neither do programs
        that call without a session; the gate says which address those come from. Both may hand an upload on
        more than once, so all of one kind own it together: its path, drawn at random, is what keeps others
        out.
        """
        if request is None or _is_agent(request):
            key, address = secrets.token_urlsafe(12), address_of(request)
            return self._sessions.of(key, "agents", PASSING_SECONDS, address)
        passing = request.headers.get(PASSING)
        if passing:
            return self._sessions.visit(request, f"passing {passing}", PASSING_SECONDS)
        return self._sessions.visit(request)

    def _run(self, key: str | None, task: str, request: gr.Request | None) -> Run:
        """The run of a key, in whatever session: agents have none, and who knows the key made the run."""
        if key := _word("run", key):
            found = self._sessions.run(key)
            if found is None:
                raise LeffaError("there is no such run, or not any more: run try_on or pose_transfer again")
            return found
        _one_of("task", task, (one.value for one in Task))
        run = None if _is_agent(request) else self._session(request).current(task)
        if run is None:
            raise LeffaError(
                f"there is no result of {task} in this session: run it first, or give the run of its details"
            )
        return run

    def _paint(
        self,
        session: Session,
        work: Work,
        pictures: dict[str, Picked],
        choices: dict[str, Any],
        progress: gr.Progress,
        visitor: str,
        told: Sequence[str] = (),
    ) -> tuple:
        from leffa.explain.views import flow_pictures

        task = work.task.value
        started, result = time.monotonic(), None
        with session.stoppable(LocalContext.event_id.get(None) or secrets.token_urlsafe(6)) as stop:
            for event in painting.run(work, stop, visitor):
                if isinstance(event, painting.Step):
                    progress(event.share, desc=_progress_text(event))
                else:
                    result = event
        assert result is not None  # run ends with a result or raises
        run = Run(result, Slots(pictures, choices), work.person, time.monotonic() - started)
        session.remember(task, run)
        details = {
            "run": run.key,
            "task": task,
            "model": result.model,
            **asdict(result.settings),
            "scores": [round(score, 4) for score in run.scores],
            "seeds": [sample_seed(result.settings.seed, sample) for sample, _ in run.ranked],
            "scattered": {one.part: round(one.share, 3) for one in run.scatter()},
            "notes": list(dict.fromkeys([*result.notes, *told])),
        }
        files = []
        for place in range(len(run.ranked)):
            run.chosen = place
            files.append(session.keep(run.png()))
        run.chosen = 0
        flow = flow_pictures(result, run.sample)["overlay"]
        return files[0], session.keep(flow), files, details


def _progress_text(step: painting.Step) -> str:
    return f"busy, position {step.ahead} in line" if step.ahead else step.what


def _is_agent(request: gr.Request | None) -> bool:
    """Whether the tool server passes a call on."""
    return request is not None and request.headers.get("x-gradio-user") == "mcp"


def _picked(
    session: Session, path: str | None, name: str, person: int | None = None, task: Task = Task.TRY_ON
) -> Picked:
    image = _picture(session, path, name)
    assert path is not None  # or the line above had raised
    prepared = None if person is None else _prepared(session, image, person, task)
    return Picked(prepared.photo if prepared else image, path, sha256(path), prepared)


def _picture(session: Session, path: str | None, name: str) -> Any:
    if not path:
        raise LeffaError(f"{name} is missing: give a picture")
    return opened(session.own(path), {"reference": "garment"}.get(name, name))


def _prepared(session: Session, image: Any, person: int = 0, task: Task = Task.TRY_ON) -> Prepared:
    with LOOKING:
        return engine(session.findings).prepare(image, person, task)


def _measured(session: Session, picture: Any, garment: Garment) -> Any:
    return engine(session.findings).shot(picture, garment).measure(garment)


def _guessed(picture: Any) -> Garment | None:
    return guess_kind(foreground(np.asarray(picture)) > 127)


def _mask_of(session: Session, path: str | None) -> Any:
    if not path:
        return None
    with LOOKING:
        return read_mask(session.own(path))


def _one_of(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Raises LeffaError for what is not among them."""
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise LeffaError(f"{name} must be one of {', '.join(allowed)}, got {_shortly(value)}")
    return value


def _word(name: str, value: Any) -> str | None:
    """A text, or None where it is left out. Raises LeffaError for anything else."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 200:
        raise LeffaError(f"{name} must be a word, got {_shortly(value)}")
    return value


def _figure(name: str, value: Any) -> float:
    """Raises LeffaError for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        raise LeffaError(f"{name} must be a number, got {_shortly(value)}")
    return float(value)


def _timestep(value: Any) -> int | None:
    return None if value is None else round(_figure("timestep", value))


def _shortly(value: Any) -> str:
    return repr(value)[:60]


def _kind(garment: Any) -> Garment:
    return Garment(_one_of("garment", garment, KINDS))


def _mask_choices(
    session: Session, prepared: Prepared, shot: Any, garment: Any, sleeve: Any, hem: Any, protect: Any
) -> tuple[MaskChoices, list[str]]:
    """What was asked for, with the kind of garment settled, and what should be told of it."""
    kept = PROTECTED if protect is None else protect
    if not isinstance(kept, (list, tuple)):
        raise LeffaError(f"protect must be a list of {', '.join(PROTECTED)}, got {_shortly(kept)}")
    for name in kept:
        _one_of("protect", name, PROTECTED)
    given = None if garment == "auto" else _kind(garment)
    mask_choices = MaskChoices(
        (given or Garment.UPPER).value,
        _one_of("sleeve", sleeve, SLEEVES),
        _one_of("hem", hem, HEMS),
        tuple(dict.fromkeys(kept)),
    )
    kind, told = engine(session.findings).advise(prepared, given, shot, mask_choices.options())
    return replace(mask_choices, kind=kind.value), [str(advice) for advice in told]


def _settings(steps: Any, guidance: Any, rescale: Any, seed: Any, samples: Any) -> Any:
    """As ``Settings`` wants them; those left empty are the model's, or drawn."""
    return Settings(steps, guidance, rescale, -1 if seed is None else seed, 1 if samples is None else samples)
