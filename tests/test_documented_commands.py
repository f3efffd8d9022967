"""README and guides do what they say: commands and snippets run, in a folder a page, in the page's order.

What stands in for pictures, data sets and weights is made by ``workshop``; what is made smaller, and what is
not run at all and why, stands in the tables. A command that does not run and is not listed is a failure.
"""

import argparse
import ast
import json
import runpy
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from documents import PAGES, ROOT, inline, steps
from PIL import Image
from serving import app, toy_model  # noqa: F401
from stand_in_hub import StandInHub, tiny_files

from leffa import cli
from leffa.errors import LeffaError
from leffa.training.command import changed
from leffa.training.settings import PRESETS

sys.path.insert(0, str(Path(__file__).parent / "data"))
import drawn_sets

EXAMPLES = ROOT / "assets" / "examples"
PICTURES = {
    "person.jpg": "people/01-woman-t-shirt.jpg",
    "me.jpg": "people/02-man-t-shirt.jpg",
    "pose.jpg": "people/04-man-shirt.jpg",
    "shirt.jpg": "garments/upper/02-shirt.jpg",
    "dress.jpg": "garments/dress/01-dress.jpg",
}
"""What stands in for the pages' pictures, at half its size."""

SMALLER = {
    "synth": "--count 2 --size 128x96 --processes 1",
    "train": "--set steps=1 --set batch=1 --set accumulate=1 --set size=[64,48] --set precision=no",
    "train-vae": "--steps 1 --batch 1",
    "train-composition": "--minutes 0.001",
    "generate": "--count 1",
    "evaluate": "--count 1",
}
"""Options added to a command: the last of two counts, so the documented ones are read and outvoted."""

REPLACED = {
    "shots:2200": "shots:2",
    "shots:60": "shots:1",
    "http://127.0.0.1:7860": "",  # the app of the test
}
"""Words of commands and snippets."""

HOURS = "takes hours; `make bench` runs it in its quickest form"
HALF_AN_HOUR = "takes half an hour of a core; `make bench` runs it in its quickest form"
RAY = "needs Ray, and a cluster for --address: tests/batch runs the workers where Ray is installed"
FEATURES = "FID and KID need networks that are fetched: tests/test_evaluate.py has them with stand-ins"
SERVES = "serves until it is stopped: tests/demo runs the app with these options"
PARSED = {
    "make app": "installs from the net, then serves",
    "make test": "installs from the net, then runs this",
    "make quickstart": "minutes: its commands are those of the other lines",
    "leffa batch catalogue.csv --out results --workers 4": RAY,
    "leffa batch catalogue.csv --out /shared/results --workers 16 --address auto": RAY,
    "leffa download --what metrics": "145 MB; tests/test_metric_networks.py has small ones",
    "leffa evaluate --results out/ --truth VITON-HD/test/image --unpaired": FEATURES,
    "python app.py --host 0.0.0.0 --allow-host try.example.org --auth passwords.txt": SERVES,
    "python app.py --root-path /fitting --allow-host www.example.org": SERVES,
    "python app.py --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem": SERVES,
    "python benchmarks/loss_landscape.py --out docs": HOURS,
    "python benchmarks/proof.py --out runs/proof": HOURS,
    "python benchmarks/proof.py --pilot --out runs/pilot": HALF_AN_HOUR,
    "python benchmarks/proof.py --converged --out runs/converged": HALF_AN_HOUR,
    "python benchmarks/proof.py --long --data people-256 --held-out held-out-256 --out runs/long": HOURS,
    "accelerate launch --num_processes 8 -m leffa.cli train --preset paper-tryon-1 --data viton-hd:VITON-HD "
    "--start stable-diffusion-inpainting --run runs/one --set batch=8 --set accumulate=4 "
    "--set checkpointing=true": "eight GPUs",
}
"""Commands that are not run, and why. Their own parser reads them."""

IMPORTED = {
    "from leffa.preprocess.official import": "the published networks' files are fetched: tests/preprocess "
    "runs each network on drawn ones",
}
"""Snippets of which only the imports are run, by how they begin, and why."""

BEFORE = {
    "pipe = LeffaPipeline.from_base": """
import torch
from leffa import LeffaPipeline
from leffa.images import mask_to_tensor, to_tensor
from PIL import Image

person, garment, densepose = (
    to_tensor(Image.open(name).resize((48, 64)))[None] for name in ("person.jpg", "shirt.jpg", "pose.jpg")
)
mask = mask_to_tensor(Image.new("L", (48, 64), 255))[None]
"""
}
"""What a page takes for granted before a snippet, by how the snippet begins."""

PRINTED = {
    "other-models.md": [
        f"{name}: (1, 64, 48, 2)" for name in ("two UNets", "one canvas", "joint transformer")
    ]
}
"""Lines that a page's snippets must print."""

RESULTS = ("evaluate.md", "training.md")
"""Pages that judge results in ``out/`` which other pages painted."""

TRAIN = "train --preset tiny-3 --data packed:people --start bundled --run run"
"""What lines that begin with --set belong to."""

WRITES = ("-o", "--output", "--out", "--run", "--flow", "--sheet", "--table")


# ------------------------------------------------------------------------------ what stands in


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return tiny_files(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def workshop(published, tmp_path_factory):
    """A folder with everything that the pages name."""
    root = tmp_path_factory.mktemp("workshop")
    for name, source in PICTURES.items():
        with Image.open(EXAMPLES / source) as picture:
            picture.reduce(2).save(root / name)
    for cloth in ("DIR", "cloth"):
        (root / cloth).mkdir()
        for source in (EXAMPLES / "garments" / "upper").iterdir():
            shutil.copy(source, root / cloth / f"shirt_{source.name}")
    (root / "catalogue.csv").write_text("person,garment,kind\nperson.jpg,shirt.jpg,upper\n")
    for split in ("train", "test"):
        synthesise = f"synth --count 2 --split {split} --kind upper --processes 1 --out {root / 'VITON-HD'}"
        assert cli.main(synthesise.split()) == 0
    _dress(drawn_sets.dress_code(root / "DressCode"), root)
    for name, content in published.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def _dress(data: Path, pictures: Path) -> None:
    """A data set in DressCode's layout, with pictures of a person and a garment instead of plain ones."""
    for path in data.rglob("*_[01].*"):
        name = "person.jpg" if path.stem.endswith("_0") else "shirt.jpg"
        with Image.open(pictures / name) as picture, Image.open(path) as drawn:
            (drawn.resize(picture.size) if "masks" in path.parent.name else picture).save(path)


@pytest.fixture
def hub(published, tmp_path, monkeypatch):
    """The hub of the published weights, which come into a folder of the test."""
    from huggingface_hub import constants

    from leffa.weights import models

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path / "weights")
    with StandInHub(dict(published)).serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield


@pytest.fixture
def few_garments(tmp_path, monkeypatch):
    """Photographs are compared with a twentieth of the garments: all of them take most of a minute."""
    from leffa.synthetic.lent import catalogue

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(catalogue, "TEMPLATES", {cut: n // 20 for cut, n in catalogue.TEMPLATES.items()})


# ------------------------------------------------------------------------------ typing it


class Reader:
    """Somebody who types what a page says, in the current folder.

    address  () -> str, of a running app; asked only if a step wants one
    """

    def __init__(self, address=None):
        self._address = address
        self._known = {"__name__": "page"}  # by Python, from one snippet to the next

    def type(self, step):
        if step.is_snippet:
            self._run_snippet(step.text)
        elif step.text in PARSED or step.text.startswith("--set "):
            parse(step.text)
        else:
            self._run_command(step.text)

    def _run_snippet(self, text):
        exec(_of(BEFORE, text) or "", self._known)
        tree = ast.parse(self._replaced(text))
        if _of(IMPORTED, text):
            tree.body = [part for part in tree.body if isinstance(part, (ast.Import, ast.ImportFrom))]
        exec(compile(tree, "snippet", "exec"), self._known)

    def _run_command(self, text):
        words = shlex.split(self._replaced(text))
        assert words[0] == "leffa", f"`{text}` is neither run nor listed: see the tables of this test"
        assert cli.main([*words[1:], *shlex.split(SMALLER.get(words[1], ""))]) == 0, text
        for option, value in pairwise(words):
            if option in WRITES:
                assert Path(value).exists(), f"`{text}` wrote no {value}"
                assert _statuses(Path(value)) <= {"done"}, f"`{text}`: see {value}"

    def _replaced(self, text):
        for word, other in REPLACED.items():
            if word in text:
                text = text.replace(word, other or self._address())
        return text


def _of(table, snippet):
    return next((told for first, told in table.items() if snippet.startswith(first)), None)


def _statuses(folder):
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines() if results.is_file() else []
    return {json.loads(line)["status"] for line in lines}


class Understood(BaseException):
    """A script's arguments were understood."""


def parse(text):
    """Have a command line read by its own parser, and nothing done."""
    words = shlex.split(text)
    if words[0] == "--set":
        words = ["leffa", *shlex.split(TRAIN), *words]
    if words[0] == "accelerate":
        launch = pytest.importorskip("accelerate.commands.launch").launch_command_parser()
        launched = launch.parse_args(words[2:])
        assert (launched.module, launched.training_script) == (True, "leffa.cli")
        words = ["leffa", *launched.training_script_args]
    if words[0] == "leffa":
        options = cli._parser().parse_args(words[1:])
        if words[1] == "train":
            changed(PRESETS[options.preset], options.set)
    elif words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    else:
        assert words[0] == "python", f"`{text}` has no parser"
        _parse_script(words[1:])


def _parse_script(words):
    understand = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, *given):
        understand(parser, *given)
        raise Understood

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Understood):
        patch.setattr(sys, "argv", [str(ROOT / words[0]), *words[1:]])
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        patch.setattr(sys, "path", [str(ROOT / words[0]).rpartition("/")[0], *sys.path])
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")


TYPED = [page for page in PAGES if list(steps(page.read_text()))]


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
@pytest.mark.usefixtures("hub", "few_garments", "toy_model")
def test_a_page_does_what_it_says(page, workshop, tmp_path, monkeypatch, request, capsys):
    folder = tmp_path / "folder"
    shutil.copytree(workshop, folder)
    if page.name in RESULTS:
        shutil.copytree(folder / "VITON-HD" / "test" / "image", folder / "out")
    monkeypatch.chdir(folder)
    reader = Reader(lambda: request.getfixturevalue("app"))
    for step in steps(page.read_text()):
        reader.type(step)
    printed = capsys.readouterr().out.splitlines()
    assert set(PRINTED.get(page.name, ())) <= set(printed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences_are_understood(page):
    commands = cli._parser()._subparsers._group_actions[0].choices
    for text in inline(page.read_text()):
        program, *words = text.split()
        if program == "leffa" and words:  # often without what it must have
            assert words[0] in commands, text
            options = {word.partition("=")[0] for word in words if word.startswith("-")}
            assert options <= commands[words[0]]._option_string_actions.keys(), text
        elif program == "make" or (program == "python" and words[0].endswith(".py")):
            parse(text)


@pytest.mark.parametrize(
    "page",
    [
        "```\nleffa mask nobody.jpg --garment upper -o mask.png\n```",
        "```\nleffa mask --gone\n```",
        "```\npip install leffa\n```",
        "```\n--set colour=red\n```",
        "```python\nimport leffa\nleffa.gone\n```",
        "```fish\nleffa doctor\n```",
    ],
)
def test_what_does_not_run_and_is_not_listed_fails(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, AttributeError, LeffaError, SystemExit, ValueError)):
        for step in steps(page + "\n"):
            Reader().type(step)


def test_what_is_listed_is_still_written_somewhere():
    typed = [step for page in PAGES for step in steps(page.read_text())]
    commands = {step.text for step in typed if not step.is_snippet}
    snippets = [step.text for step in typed if step.is_snippet]
    assert PARSED.keys() <= commands
    assert all(any(text.startswith(first) for text in snippets) for first in (*IMPORTED, *BEFORE))
    assert all(any(word in text for text in (*commands, *snippets)) for word in REPLACED)
    assert set(SMALLER) <= {text.split()[1] for text in commands if text.startswith("leffa ")}
