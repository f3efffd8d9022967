"""Every bad or odd file in every role, by the command line's functions and by the app's endpoints.

What comes of each is a picture or one sentence: no trace, no hang, and memory that stays within bounds.
"""

import resource
import sys
import time
from pathlib import Path

import bad_files
import pytest
from PIL import Image
from serving import app, pictures, toy_model  # noqa: F401

from leffa.cli import main

ROLES = ("person", "garment", "mask")
NAMES = tuple(bad_files.files(Image.new("RGB", (96, 128), (200, 180, 160))))
MOST_SECONDS = 120  # on a machine that does much else; each takes a fraction of a second
MOST_MEGABYTES = 1500  # above what stood before


@pytest.fixture(scope="module")
def corpus(person) -> dict[str, bytes]:
    return bad_files.files(person)


@pytest.fixture(scope="module", autouse=True)
def one_engine(toy_model):  # noqa: F811
    """A command loads the person finder anew; 200 commands in one process need not."""
    from leffa import engine

    whole = engine.Engine("cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Engine", lambda *values, **named: whole)
        yield


def peak() -> float:
    """Most memory of this process so far, MB."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told / (1e6 if sys.platform == "darwin" else 1e3)


def is_sentence(text: str) -> bool:
    return bool(text.strip()) and "Traceback" not in text and "\n" not in text.strip() and len(text) < 400


def test_the_corpus_is_large():
    assert len(NAMES) * len(ROLES) >= 150


@pytest.mark.parametrize("name", NAMES)
def test_by_the_command_line(name, corpus, pictures, toy_model, tmp_path, capsys):  # noqa: F811
    file = tmp_path / "given.png"
    file.write_bytes(corpus[name])
    before = peak()
    for role in ROLES:
        given = {"person": pictures.person, "garment": pictures.garment} | {role: file}
        command = ["tryon", str(given["person"]), str(given["garment"]), "-o", str(tmp_path / f"{role}.png")]
        command += ["--garment", "upper", "--steps", "4"]
        command += ["--mask", str(file)] if role == "mask" else []
        started = time.monotonic()
        status = main(command)
        assert time.monotonic() - started < MOST_SECONDS, role
        told = capsys.readouterr()
        lines = [line for line in told.err.splitlines() if line.startswith("leffa: ")]
        assert "Traceback" not in told.err, role
        assert (status == 0 and (tmp_path / f"{role}.png").is_file()) or (
            status == 2 and len(lines) == 1 and is_sentence(lines[0])
        ), (role, status, told.err[-400:])
    assert peak() - before < MOST_MEGABYTES
    assert Path(tmp_path / "given.png").read_bytes() == corpus[name]


@pytest.mark.parametrize("name", NAMES)
def test_by_the_app(name, corpus, pictures, app, capfd):  # noqa: F811
    sys.path.insert(0, str(Path(__file__).parent / "demo"))
    from asking import META, ask, upload

    address, before = app.rstrip("/"), peak()
    for role in ROLES:
        content = {"person": pictures.person.read_bytes(), "garment": pictures.garment.read_bytes()}
        content[role] = corpus[name]
        files = {key: {"path": upload(address, one), "meta": META} for key, one in content.items()}
        choices = ["upper", "auto", "auto", ["face"], files.get("mask")]
        data = [files["person"], files["garment"], *choices, 4, None, None, 1, 1]
        started = time.monotonic()
        succeeded, answer = ask(address, "try_on", data, f"bad-{role}")
        assert time.monotonic() - started < MOST_SECONDS, role
        assert succeeded or is_sentence(answer), (role, answer)
        assert succeeded or "went wrong" not in answer, role
    assert "Traceback" not in capfd.readouterr().err
    assert peak() - before < MOST_MEGABYTES
