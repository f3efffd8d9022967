"""A visitor's file becomes a picture the engine can work with; what is wrong with it becomes a sentence."""

import logging
from pathlib import Path

from demo import parts
from demo.generate import digest_of
from demo.painting import engine
from demo.sessions import Picked, Session
from demo.texts import problem, say
from leffa.errors import LeffaError

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
    slots = session.slots(tab)
    slots.pictures.pop(slot, None)
    if path is None:
        return parts.quiet("")
    if example is None:
        session.files.add(Path(path))
    try:
        from leffa.images import load_image

        picked = Picked(load_image(path), digest_of(path), example=example)
        if person is not None:
            picked.prepared = engine().prepare(picked.image, person)
    except LeffaError as wrong:
        return parts.error(problem(session.language, wrong))
    except Exception:
        LOG.exception("a picture could not be read")
        return parts.error(say(session.language, "failed"))
    slots.pictures[slot] = picked
    return found(session, picked)


def found(session: Session, picked: Picked) -> dict:
    """The line beside a picture that was read."""
    if picked.prepared is None:
        return parts.good(say(session.language, "garment_found"))
    count = len(picked.prepared.people)
    if count > 1:
        return parts.warn(say(session.language, "people", count=count))
    return parts.good(say(session.language, "person_found"))


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
