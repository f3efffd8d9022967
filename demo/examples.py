"""The pictures that come with the app: people, garments by kind, poses."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from demo.pictures import thumb_url
from demo.texts import say
from leffa.config import Garment

ASSETS = Path(__file__).resolve().parents[1] / "assets"
PEOPLE, GARMENTS, POSES = "examples/people", "examples/garments", "poses"
SUFFIXES = (".jpg", ".jpeg", ".webp")  # beside them lie maps as PNG


@dataclass(frozen=True)
class Example:
    """A picture under ``assets/``, known by its path there."""

    name: str
    garment: Garment | None = None

    @property
    def path(self) -> Path:
        return ASSETS / self.name

    @property
    def title(self) -> str:
        return Path(self.name).stem.replace("_", " ").replace("-", " ")


@cache
def people() -> tuple[Example, ...]:
    return _folder(PEOPLE)


@cache
def poses() -> tuple[Example, ...]:
    return _folder(POSES)


@cache
def garments() -> tuple[Example, ...]:
    """All garments, tops first."""
    return tuple(example for kind in Garment for example in _folder(f"{GARMENTS}/{kind.value}", kind))


def find(name: str) -> Example:
    """The example of this name. Raises KeyError for anything else."""
    return {example.name: example for example in (*people(), *garments(), *poses())}[name]


def partner(garment: Garment | None = None) -> Example | None:
    """Somebody to try a garment on, or a garment to begin with, where a newcomer picked only one."""
    chosen = people() if garment is not None else garments()
    return chosen[0] if chosen else None


def strip(examples: tuple[Example, ...], title: str, name: str = "") -> list[dict]:
    """Examples as a group of a ``Strip``; no group if there are none."""
    items = [{"name": e.name, "src": _thumb(e.name), "alt": e.title} for e in examples]
    return [{"name": name, "title": title, "items": items}] if items else []


def garment_strips(language: str) -> list[dict]:
    """The garments, a group for each kind, named after it."""
    groups: list[dict] = []
    for kind in Garment:
        chosen = tuple(example for example in garments() if example.garment is kind)
        groups += strip(chosen, say(language, f"examples_{kind.value}"), kind.value)
    return groups


def _folder(name: str, garment: Garment | None = None) -> tuple[Example, ...]:
    folder = ASSETS / name
    if not folder.is_dir():
        return ()
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    return tuple(Example(f"{name}/{file.name}", garment) for file in files)


@cache
def _thumb(name: str) -> str:
    with Image.open(ASSETS / name) as picture:
        return thumb_url(picture.convert("RGB"))
