"""A visitor's file becomes a picture the engine can work with; what is wrong with it becomes a sentence."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from demo import parts
from demo.checking import check
from demo.examples import POSES
from demo.painting import engine
from demo.sessions import Session
from demo.slots import Picked
from demo.texts import problem, say
from leffa.config import Task
from leffa.errors import LeffaError
from leffa.files import sha256
from leffa.images import load_image
from leffa.preprocess.known_poses import known_pose
from leffa.preprocess.prepared import Prepared
from leffa.provenance import read_record

Told = Callable[[str], dict]
"""A line to show, in the language it is asked for."""
_ROLES = {"photo": "person"}  # of slots that are called otherwise for the content check
LOOKING = threading.BoundedSemaphore(2)
LOG = logging.getLogger("leffa.demo")


def read(
    session: Session,
    path: str | None,
    tab: str,
    slot: str,
    person: int | None = None,
    example: str | None = None,
) -> dict:
    """Read a file into a slot of the visitor's tab; returns the line to show beside it.

    person  find the people and take this one; None: the picture is a garment
    """
    return session.note(tab, slot, _read(session, path, tab, slot, person, example))


def _read(
    session: Session, path: str | None, tab: str, slot: str, person: int | None, example: str | None
) -> Told:
    slots = session.slots(tab)
    slots.pictures.pop(slot, None)
    if path is None:
        return lambda language: parts.quiet("")
    try:
        if example is None:
            session.own(path)
        picked = Picked(opened(path, _ROLES.get(slot, slot)), path, sha256(path), example=example)
        if person is not None:
            picked.prepared = prepare(session, picked, tab, person)
            picked.image = picked.prepared.photo  # once in memory, not twice
    except LeffaError as error:
        wrong = error
        return lambda language: parts.error(problem(language, wrong))
    except Exception:
        LOG.exception("a picture could not be read")
        return lambda language: parts.error(say(language, "failed"))
    slots.pictures[slot] = picked
    if expected := slots.expected.pop(slot, None):
        same = picked.digest == expected
        noted = parts.good if same else parts.warn
        return lambda language: noted(say(language, "restored_same" if same else "restored_other"))
    if example is None and has_record(path):
        return lambda language: parts.warn(say(language, "made_here"), say(language, "made_here_act"))
    return found(picked)


def prepare(session: Session, picked: Picked, tab: str, person: int = 0) -> Prepared:
    """The people in a picture, and one of them chosen; our own poses need not be searched for a body."""
    is_ours = picked.example is not None and picked.example.startswith(POSES)
    if is_ours and (known := known_pose(picked.path)):
        return known
    with LOOKING:
        return engine(session.findings).prepare(picked.image, person, Task(tab))


def opened(path: str | Path, role: str) -> Image.Image:
    """A file as a picture; not everybody's at once, for large ones take much memory to decode."""
    with LOOKING:
        picture = load_image(path)
    check(role, picture)
    return picture


def has_record(path: str) -> bool:
    """Whether a file is a PNG that tells of its run."""
    try:
        return read_record(path) is not None
    except LeffaError:
        return False


def found(picked: Picked) -> Told:
    """The line beside a picture that was read."""
    if picked.prepared is None:
        return lambda language: parts.good(say(language, "garment_found"))
    count = len(picked.prepared.people)
    if count > 1:
        return lambda language: parts.warn(say(language, "people", count=count))
    return lambda language: parts.good(say(language, "person_found"))


def person_chosen(number: int) -> Told:
    """The line beside a picture of several people, one of whom was chosen."""
    return lambda language: parts.good(say(language, "mask_person", number=number + 1))


def boxes(picked: Picked) -> list[list[float]]:
    """Boxes of the people in [0, 1], for the page."""
    prepared = picked.prepared
    if prepared is None:
        return []
    height, width = prepared.size
    return [
        [left / width, top / height, right / width, bottom / height]
        for left, top, right, bottom in prepared.people
    ]


def restored_note(session: Session, missing: list[str], same_weights: bool) -> dict:
    """The line about a run that was brought back, which pictures it still needs, and if it will differ."""
    language = session.language
    differs = "" if same_weights else " " + say(language, "restored_weights")
    if not missing:
        return (parts.good if same_weights else parts.warn)(say(language, "restored") + differs)
    named = ", ".join(say(language, f"slot_{slot}") for slot in missing)
    return parts.warn(say(language, "restored_missing", slots=named) + differs)
