"""Bringing a run back: from the history, or from a PNG as far as its pictures are known here."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from demo import examples
from demo.history import Run
from demo.photos import prepare
from demo.sessions import Session
from demo.slots import Picked, Slots
from leffa.config import Task
from leffa.errors import LeffaError
from leffa.files import sha256
from leffa.images import load_image
from leffa.preprocess.strokes import parse_strokes
from leffa.provenance import model_hash, read_record
from leffa.run.pace import Pace
from leffa.weights import models

SLOTS = {Task.TRY_ON.value: ("photo", "garment"), Task.POSE_TRANSFER.value: ("person", "pose")}


@dataclass(frozen=True)
class Restored:
    """A run to be laid back onto the page.

    settings  steps, guidance, rescale, seed, samples, pace: the values of their widgets
    missing   slots whose picture is not known here
    same_weights  whether the weights it was made with are those that are here
    """

    slots: Slots
    settings: tuple[float, float, float, int, int, str]
    missing: list[str] = field(default_factory=list)
    same_weights: bool = True


def from_run(run: Run) -> Restored:
    """A run of this session."""
    used = run.settings
    return Restored(
        run.slots.copy(),
        (used.steps, used.guidance_scale, used.guidance_rescale, used.seed, used.samples, used.pace.value),
    )


def read_png(session: Session, tab: str, path: str | None) -> Restored | None:
    """The run a PNG tells of; None for any other file. Errors as in ``from_record``."""
    record = read_record(path) if path else None
    return None if record is None else from_record(session, tab, record)


def from_record(session: Session, tab: str, record: dict[str, Any]) -> Restored:
    """A run told by a PNG. Its pictures are looked for in this session and among the examples.

    Raises LeffaError if the record is of another task, or has values that make no sense.
    """
    if record.get("task") != tab:
        raise LeffaError("this PNG was made with the other tab: restore it there")
    used, choices, slots = record["settings"], dict(record["choices"]), Slots()
    try:
        settings = (
            int(used["steps"]),
            float(used["guidance_scale"]),
            float(used["guidance_rescale"]),
            int(used["seed"]),
            1,
            Pace(used["pace"]).value,
        )
    except (KeyError, TypeError, ValueError):
        raise LeffaError("the settings in this PNG are not complete: it was changed since") from None
    slots.strokes = parse_strokes(choices.pop("strokes", []))
    people = choices.pop("people", {})
    slots.choices = choices
    missing = []
    for slot in SLOTS[tab]:
        digest = str(record["files"].get(slot, ""))
        if picked := _known(session, digest):
            slots.pictures[slot] = _prepared(session, picked, tab, slot, people)
        else:
            slots.expected[slot] = digest
            missing.append(slot)
    return Restored(slots, settings, missing, _has_weights(record))


def _has_weights(record: dict[str, Any]) -> bool:
    model = models.MODELS.get(str(record.get("model")))
    return model is not None and model.is_present and model_hash(model) == record.get("model_sha256")


def _prepared(session: Session, picked: Picked, tab: str, slot: str, people: Any) -> Picked:
    """The picture with its people found and the same one chosen; garments as they are."""
    if slot == "garment":
        return picked

    person = people.get(slot) if isinstance(people, dict) else 0
    person = person if isinstance(person, int) else 0
    if picked.prepared is None or picked.prepared.chosen != person:
        picked.prepared = prepare(session, picked, tab, person)
    return picked


def _known(session: Session, digest: str) -> Picked | None:
    """The picture whose file has this SHA-256, if it is at hand."""
    told = [run.slots for run in session.runs if digest in run.digests.values() and run.is_kept]
    for slots in (*told, *session.tabs.values()):
        for picked in slots.pictures.values():
            if picked.digest == digest:
                return picked
    if example := _examples().get(digest):
        return Picked(load_image(example.path), str(example.path), digest, example=example.name)
    return None


@cache
def _examples() -> dict[str, examples.Example]:
    everything = (*examples.people(), *examples.garments(), *examples.poses())
    return {sha256(str(example.path)): example for example in everything}
