"""The corpus of what people bring, over the roads that lead to a picture."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import brought
import brought_files
import numpy as np
import pytest
from PIL import Image

from demo import endpoints
from demo.sessions import Session, Sessions
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
    "array": (
        "bool", "0 to 1 in float", "0 and 1", "of shape (H, W, 1)", "of shape (1, H, W)", "with NaN",
    ),
    "garment": (
        "cut out, transparent", "CMYK", "GIF", "turned by EXIF", "worn by somebody",
        "a dress, given as upper", "a dress, no kind given", "a top, no kind given",
        "Git LFS pointer", "a page of a shop", "half a file",
    ),
    "person": (
        "turned by EXIF", "EXIF lost, on the side", "upside down", "a selfie, to wear a dress",
        "a selfie, to wear trousers", "seated, to wear trousers", "nobody", "missing",
    ),
}  # fmt: skip
CASES = [(role, name) for role, names in NAMES.items() for name in names]
FILES = [(role, name) for role, name in CASES if role != "array"]
TAKEN = "*taken*"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "inputs.md"


class Painted(Exception):  # noqa: N818
    """The run got as far as painting, which is left out here."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, person, seated_person, garment):
    engine = Engine("cpu")
    good = engine.mask(engine.prepare(person), "upper")
    folder = tmp_path_factory.mktemp("brought")
    cases = brought.make(folder, person, seated_person, garment, good)
    assert [(case.role, case.name) for case in cases] == CASES
    return folder, dict(zip(CASES, cases, strict=True)), good


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu")


@contextmanager
def unpainted_runs() -> Iterator[list]:
    """Runs end before anything is painted; what they were given is kept."""
    kept = []

    def run(self, job, scene, notes, progress, stop, start=None):
        kept.append((job, notes))
        raise Painted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_run", run)
        yield kept


@pytest.fixture
def unpainted():
    with unpainted_runs() as kept:
        yield kept


@pytest.fixture(scope="module")
def outcome(corpus, engine):
    """Of a role and a name: what Python's road refuses it with, or None, and what came as far as painting."""
    folder, cases, _ = corpus

    @cache
    def of(role: str, name: str) -> tuple[str | None, list]:
        case = cases[role, name]
        files = given(folder, case)
        mask = np.load(files["mask"]) if role == "array" else files["mask"]
        refusal = None
        with unpainted_runs() as kept:
            try:
                engine.try_on(files["person"], files["garment"], case.kind, mask)
            except LeffaError as error:
                refusal = str(error)
            except Painted:
                pass
        return refusal, kept

    return of


def given(folder: Path, case: brought.Case) -> dict[str, Path | None]:
    files = {"person": folder / "person.png", "garment": folder / "garment.png", "mask": None}
    return {**files, "mask" if case.role == "array" else case.role: folder / case.file}


def check(case: brought.Case, refusal: str | None, kept: list, good: np.ndarray) -> None:
    if case.refused is not None:
        assert refusal is not None and case.refused in refusal, refusal
        assert not kept and refusal.count("\n") == 0 and "Traceback" not in refusal
        return
    assert refusal is None, refusal
    job, notes = kept[0]
    assert case.noted is None or any(case.noted in note for note in notes), notes
    if case.role in ("mask", "array"):
        assert ((job.mask > 0) != (good > 0)).mean() < 0.01


@pytest.mark.parametrize(("role", "name"), FILES)
def test_on_the_command_line(corpus, unpainted, capsys, role, name):
    folder, cases, good = corpus
    case = cases[role, name]
    files = given(folder, case)
    words = ["tryon", str(files["person"]), str(files["garment"])]
    words += ["--garment", case.kind] if case.kind else []
    words += ["-o", str(folder / "out.png")] + (["--mask", str(files["mask"])] if files["mask"] else [])
    refusal = None
    try:
        assert cli.main(words) == 2
        refusal = capsys.readouterr().err.splitlines()[-1]
    except Painted:
        pass
    check(case, refusal, unpainted, good)
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize(("role", "name"), CASES)
def test_in_python(corpus, outcome, role, name):
    _, cases, good = corpus
    check(cases[role, name], *outcome(role, name), good)


@pytest.mark.parametrize(("role", "name"), FILES)
def test_in_the_app(corpus, engine, unpainted, monkeypatch, role, name):
    folder, cases, good = corpus
    case = cases[role, name]
    files = {slot: None if path is None else str(path) for slot, path in given(folder, case).items()}
    told: list[str] = []

    def paint(self, session, work, pictures, choices, progress, visitor, notes):
        told.extend(notes)
        engine.try_on(work.person, work.reference, work.garment, work.mask)

    monkeypatch.setattr(endpoints, "engine", lambda findings=None: engine)
    monkeypatch.setattr(Session, "own", lambda self, path: path)  # as if it had been uploaded
    monkeypatch.setattr(endpoints.Endpoints, "_paint", paint)
    app, refusal = endpoints.Endpoints(Sessions()), None
    try:
        app.try_on(files["person"], files["garment"], case.kind or "auto", mask=files["mask"])
    except LeffaError as error:
        refusal = str(error)
    except Painted:
        unpainted[0][1].extend(told)
    check(case, refusal, unpainted, good)


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


def check_page(rows: list[tuple[str, str, str]], folder: Path) -> None:
    """The page has these rows; figures may differ between processors by a per cent."""
    table = re.sub(rf"{re.escape(str(folder))}\S*/", "", brought.table(rows))
    shown, wanted = (re.sub(r"\d+", "0", text) for text in (PAGE.read_text(), table))
    assert wanted in shown, f"{PAGE.name} is stale; this table is now\n{table}"


@pytest.mark.timeout(900)  # alone it has to run them all
def test_the_page_says_what_is_said_of_pictures(corpus, outcome):
    folder, cases, _ = corpus
    rows = []
    for (role, name), case in cases.items():
        refusal, kept = outcome(role, name)
        rows.append((f"{role}: {name}", case.before, refusal or " ".join(kept[0][1]) or TAKEN))
    check_page(rows, folder)


def test_the_page_says_what_is_said_of_files(tmp_path, person, garment):
    rows = []
    for name, before, do in brought_files.deeds(tmp_path, person, garment):
        said = TAKEN
        try:
            do()
        except LeffaError as error:
            said = str(error)
        rows.append((name, before, said))
    assert sum(said == TAKEN for _, _, said in rows) == 5
    check_page(rows, tmp_path)
