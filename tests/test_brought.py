"""The corpus of what people bring, over the roads that lead to a picture."""

from pathlib import Path

import brought
import numpy as np
import pytest
from PIL import Image

from leffa import cli
from leffa.engine import Engine
from leffa.errors import LeffaError

NAMES = {
    "mask": (
        "black and white", "0 and 1", "one bit", "16 bits", "red in a palette", "white strokes in alpha",
        "black strokes in alpha", "hole as ComfyUI writes it", "soft edge", "photo with greyed torso",
        "the photo itself", "cut-out of the person", "inverted", "everything", "nothing", "another size",
        "on its side", "text",
    ),
    "garment": (
        "cut out, transparent", "CMYK", "GIF", "turned by EXIF", "worn by somebody", "Git LFS pointer",
        "half a file",
    ),
    "person": ("turned by EXIF", "EXIF lost, on the side", "upside down", "nobody", "missing"),
}  # fmt: skip
CASES = [(role, name) for role, names in NAMES.items() for name in names]


class Painted(Exception):  # noqa: N818
    """The run got as far as painting, which is left out here."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, person, garment):
    engine = Engine("cpu")
    good = engine.mask(engine.prepare(person), "upper")
    folder = tmp_path_factory.mktemp("brought")
    cases = {(case.role, case.name): case for case in brought.make(folder, person, garment, good)}
    assert set(cases) == set(CASES)
    return folder, cases, good


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu")


@pytest.fixture
def unpainted(monkeypatch):
    """Runs end before anything is painted; what they were given is kept."""
    kept = []

    def run(self, job, scene, notes, progress, stop, start=None):
        kept.append((job, notes))
        raise Painted

    monkeypatch.setattr(Engine, "_run", run)
    return kept


def given(folder: Path, case: brought.Case) -> dict[str, Path | None]:
    files = {"person": folder / "person.png", "garment": folder / "garment.png", "mask": None}
    return {**files, case.role: folder / case.file}


def check(case: brought.Case, refusal: str | None, kept: list, good: np.ndarray) -> None:
    if case.refused is not None:
        assert refusal is not None and case.refused in refusal, refusal
        assert not kept and refusal.count("\n") == 0 and "Traceback" not in refusal
        return
    assert refusal is None, refusal
    job, notes = kept[0]
    assert case.noted is None or any(case.noted in note for note in notes), notes
    if case.role == "mask":
        assert ((job.mask > 0) != (good > 0)).mean() < 0.01


@pytest.mark.parametrize(("role", "name"), CASES)
def test_on_the_command_line(corpus, unpainted, capsys, role, name):
    folder, cases, good = corpus
    files = given(folder, cases[role, name])
    words = ["tryon", str(files["person"]), str(files["garment"]), "--garment", "upper"]
    words += ["-o", str(folder / "out.png")] + (["--mask", str(files["mask"])] if files["mask"] else [])
    refusal = None
    try:
        assert cli.main(words) == 2
        refusal = capsys.readouterr().err.splitlines()[-1]
    except Painted:
        pass
    check(cases[role, name], refusal, unpainted, good)
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize(("role", "name"), CASES)
def test_in_python(corpus, engine, unpainted, role, name):
    folder, cases, good = corpus
    files = given(folder, cases[role, name])
    refusal = None
    try:
        engine.try_on(files["person"], files["garment"], "upper", files["mask"])
    except LeffaError as error:
        refusal = str(error)
    except Painted:
        pass
    check(cases[role, name], refusal, unpainted, good)


@pytest.mark.parametrize("name", NAMES["mask"])
def test_masks_as_pil_pictures(corpus, engine, unpainted, person, garment, name):
    folder, cases, good = corpus
    if name == "text":
        pytest.skip("text is no PIL picture")
    with Image.open(folder / cases["mask", name].file) as picture:
        picture.load()
    refusal = None
    try:
        engine.try_on(person, garment, "upper", picture)
    except LeffaError as error:
        refusal = str(error)
    except Painted:
        pass
    check(cases["mask", name], refusal, unpainted, good)
