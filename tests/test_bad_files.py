"""Every bad or odd file in every role, by the command line's functions and by the app's endpoints.

What comes of each is a picture or one sentence: no trace, no hang, and memory that stays within bounds. At
the end the figures are printed: `python -m pytest -q tests/test_bad_files.py`.
"""

import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import bad_files
import numpy as np
import pytest
from PIL import Image
from serving import app, toy_model  # noqa: F401

from leffa.cli import main

ROLES = ("person", "garment", "mask")
NAMES = tuple(bad_files.files(Image.new("RGB", (96, 128), (200, 180, 160))))
MOST_SECONDS = 120  # on a machine that does much else; each takes a fraction of a second
MOST_MEGABYTES = 1500  # above what stood before


SMALL = (144, 192)  # of the sound pictures: it is not about painting


@pytest.fixture(scope="module")
def sound(person, garment) -> dict[str, bytes]:
    """Files of a person and a garment."""
    return {
        role: bad_files.saved(picture.resize(SMALL), "PNG")
        for role, picture in (("person", person), ("garment", garment))
    }


@pytest.fixture(scope="module")
def corpus(person) -> dict[str, bytes]:
    return bad_files.files(person.resize(SMALL))


@dataclass
class Figures:
    """How many cases there were by each road, what came of them, and the longest of them in seconds."""

    cases: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0

    @contextmanager
    def case(self, road: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        self.cases[road], self.longest = self.cases[road] + 1, max(self.longest, seconds)
        assert seconds < MOST_SECONDS


@pytest.fixture(scope="module")
def figures(request) -> Iterator[Figures]:
    found = Figures()
    yield found
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        roads = ", ".join(f"{count} by {road}" for road, count in found.cases.items())
        print(f"\nbad files: {roads}; the longest took {found.longest:.1f} s; peak {peak():.0f} MB")


@pytest.fixture(scope="module", autouse=True)
def one_engine(toy_model):  # noqa: F811
    """A command loads the person finder anew, and paints; 200 commands in one process need not.

    What has been painted of a photo, a garment and a mask is not painted again of files that hold the same.
    """
    from demo import painting
    from leffa import engine

    whole = engine.Engine("cpu")
    paint, painted = whole._run, {}

    def paint_once(job, scene, notes, *others):
        key = tuple(np.asarray(one).tobytes() for one in (job.photo, job.reference, job.mask))
        painted[key] = painted.get(key) or paint(job, scene, notes, *others)
        return replace(painted[key], settings=job.settings, notes=notes)

    whole._run = paint_once
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Engine", lambda *values, **named: whole)
        painting._engine_once.cache_clear()
        yield
    painting._engine_once.cache_clear()  # the app of another module paints for itself


def peak() -> float:
    """Most memory of this process so far, MB."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told / (1e6 if sys.platform == "darwin" else 1e3)


def is_sentence(text: str) -> bool:
    return bool(text.strip()) and "Traceback" not in text and "\n" not in text.strip() and len(text) < 400


def test_the_corpus_is_large():
    assert len(NAMES) * len(ROLES) >= 150


@pytest.mark.parametrize("name", NAMES)
def test_by_the_command_line(name, corpus, sound, figures, tmp_path, capsys):
    file = tmp_path / "given.png"
    file.write_bytes(corpus[name])
    for role, content in sound.items():
        (tmp_path / f"sound-{role}.png").write_bytes(content)
    before = peak()
    for role in ROLES:
        given = {one: tmp_path / f"sound-{one}.png" for one in sound} | {role: file}
        command = ["tryon", str(given["person"]), str(given["garment"]), "-o", str(tmp_path / f"{role}.png")]
        command += ["--garment", "upper", "--steps", "4"]
        command += ["--mask", str(file)] if role == "mask" else []
        with figures.case("the command line"):
            status = main(command)
        told = capsys.readouterr()
        lines = [line for line in told.err.splitlines() if line.startswith("leffa: ")]
        assert "Traceback" not in told.err, role
        assert (status == 0 and (tmp_path / f"{role}.png").is_file()) or (
            status == 2 and len(lines) == 1 and is_sentence(lines[0])
        ), (role, status, told.err[-400:])
    assert peak() - before < MOST_MEGABYTES
    assert Path(tmp_path / "given.png").read_bytes() == corpus[name]


@pytest.mark.parametrize("name", NAMES)
def test_by_the_app(name, corpus, sound, figures, app, capfd):  # noqa: F811
    sys.path.insert(0, str(Path(__file__).parent / "demo"))
    from asking import META, ask, upload

    address, before = app.rstrip("/"), peak()
    for role in ROLES:
        content = sound | {role: corpus[name]}
        files = {key: {"path": upload(address, one), "meta": META} for key, one in content.items()}
        choices = ["upper", "auto", "auto", None, files.get("mask")]
        data = [files["person"], files["garment"], *choices, 4, None, None, 1, 1]
        with figures.case("the app's API"):
            succeeded, answer = ask(address, "try_on", data, f"bad-{role}")
        assert succeeded or is_sentence(answer), (role, answer)
        assert succeeded or "went wrong" not in answer, role
    assert "Traceback" not in capfd.readouterr().err
    assert peak() - before < MOST_MEGABYTES
