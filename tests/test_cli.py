"""The command line as a user runs it: subprocesses with toy weights."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from leffa import cli
from leffa.model import presets

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, person, garment):
    """Toy weights under the bundled name, and pictures to work on."""
    root = tmp_path_factory.mktemp("cli")
    torch.manual_seed(0)
    presets.pipeline("toy").save_pretrained(root / "checkpoints" / "bundled")
    person.save(root / "person.jpg")
    garment.save(root / "garment.png")
    return root


def leffa(folder, *arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LEFFA_CHECKPOINTS": str(folder / "checkpoints"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "leffa.cli", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_long_runs_are_announced_where_no_graphics_card_is(monkeypatch, capsys):
    from leffa.engine import Engine
    from leffa.run import speed
    from leffa.run.placement import Memory, Needs, Placement
    from leffa.run.settings import Settings
    from leffa.weights import models, published

    model = models.VITON_HD
    needs = Needs.of_published(published.VITON_HD, model.size)
    monkeypatch.setattr(speed, "measure", lambda machine, dtype: 5e10)
    monkeypatch.setattr(Needs, "of", lambda folder, size: needs)
    engine = Engine("cpu")
    monkeypatch.setattr(
        engine.pipelines, "placement", lambda model: Placement("cpu", "float32", Memory.PLAIN)
    )
    cli._warn_of_long_runs(engine, model, Settings())
    said = capsys.readouterr().err
    assert "this picture takes about 2.5 h, one with --size 512x384 --pace fast about" in said
    assert said.rstrip().endswith("min.")
    cli._warn_of_long_runs(engine, model, Settings(size=(512, 384)))
    cli._warn_of_long_runs(engine, models.BUNDLED, Settings())
    assert capsys.readouterr().err == ""


def test_tryon_writes_picture_settings_and_flow_and_repeats(folder):
    command = (
        "tryon",
        "person.jpg",
        "garment.png",
        "-o",
        "one.png",
        "--steps",
        "4",
        "--seed",
        "7",
        "--flow",
        "flow",
    )
    done = leffa(folder, *command)
    assert done.returncode == 0, done.stderr
    assert "seed 7, 4 steps, model bundled" in done.stdout
    assert "100%" in done.stderr and "Traceback" not in done.stderr
    assert Image.open(folder / "one.png").size == Image.open(folder / "person.jpg").size
    record = json.loads((folder / "one.json").read_text())
    assert record["seed"] == 7 and record["inputs"]["garment"] == "upper"
    names = {path.stem for path in (folder / "flow").iterdir()}
    assert {"overlay", "warped", "arrows", "spread", "mass", "legend"} <= names
    assert "no graphics card" not in done.stderr  # which the bundled weights do not miss
    leffa(folder, "tryon", "person.jpg", "garment.png", "-o", "two.png", "--steps", "4", "--seed", "7")
    assert (folder / "one.png").read_bytes() == (folder / "two.png").read_bytes()
    assert not list(folder.glob(".*part")) and not list(folder.glob("*.tmp"))


def test_mask_then_tryon_with_it(folder):
    done = leffa(folder, "mask", "person.jpg", "--garment", "upper", "--sleeve", "elbow", "-o", "mask.png")
    assert done.returncode == 0, done.stderr
    mask = np.asarray(Image.open(folder / "mask.png"))
    assert set(np.unique(mask)) == {0, 255} and "% of the picture" in done.stdout
    done = leffa(
        folder, "tryon", "person.jpg", "garment.png", "-o", "masked.png", "--mask", "mask.png", "--steps", "4"
    )
    assert done.returncode == 0, done.stderr
    before = np.asarray(Image.open(folder / "person.jpg"))
    after = np.asarray(Image.open(folder / "masked.png"))
    assert np.array_equal(before[mask == 0], after[mask == 0])


def test_pose(folder):
    done = leffa(folder, "pose", "person.jpg", "person.jpg", "-o", "pose.png", "--steps", "4", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert (folder / "pose.png").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tryon", "nobody.jpg", "garment.png", "-o", "x.png"), "nobody.jpg"),
        (("tryon", "person.jpg", "garment.png", "-o", "x.doc"), "end the name in one of"),
        (("tryon", "person.jpg", "garment.png", "-o", "no/such/x.png"), "does not exist"),
        (("tryon", "person.jpg", "garment.png", "-o", "x.png", "--steps", "0"), "steps must be"),
        (("tryon", "person.jpg", "garment.png", "-o", "x.png", "--model", "best"), "unknown model"),
        (
            ("tryon", "person.jpg", "garment.png", "-o", "x.png", "--mask", "garment.png"),
            "'garment.png' is no mask",
        ),
        (
            ("tryon", "person.jpg", "garment.png", "-o", "x.png", "--who", "5"),
            "person 5",
        ),
        (("tryon", "text.jpg", "garment.png", "-o", "x.png"), "text.jpg"),
        (("pose", "person.jpg", "cut.png", "-o", "x.png"), "cut.png"),
        (("tryon", "person.jpg", "garment.png", "-o", "x.png", "--garment", "hat"), "invalid choice: 'hat'"),
        (("tryon", "person.jpg", "garment.png", "-o", "x.png", "--colour", "red"), "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(folder, arguments, sentence):
    (folder / "text.jpg").write_text("not a picture")
    (folder / "cut.png").write_bytes((folder / "garment.png").read_bytes()[:2000])
    done = leffa(folder, *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "x.png").exists()


@pytest.mark.parametrize("command", ["tryon", "pose", "mask"])
def test_a_wrong_path_is_told_before_torch_is_loaded(folder, command):
    """Which takes seconds. The second picture is looked at as well."""
    asked = [command, "person.jpg", "nobody.jpg", "-o", "x.png"]
    if command == "mask":
        asked = [command, "person.jpg", "--garment", "upper", "--reference", "nobody.jpg", "-o", "x.png"]
    script = f"import sys; from leffa import cli; print(cli.main({asked!r}), 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["2", "False"] and "nobody.jpg" in done.stderr


def test_missing_and_corrupt_weights(folder, tmp_path):
    for name in ("person.jpg", "garment.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    done = leffa(tmp_path, "tryon", "person.jpg", "garment.png", "-o", "x.png")
    assert done.returncode == 2 and "leffa download" in done.stderr
    torch.manual_seed(0)
    presets.pipeline("toy").save_pretrained(tmp_path / "checkpoints" / "bundled")
    (tmp_path / "checkpoints/bundled/unet/diffusion_pytorch_model.safetensors").write_bytes(
        b"\x40" + bytes(30)
    )
    done = leffa(tmp_path, "tryon", "person.jpg", "garment.png", "-o", "x.png")
    assert done.returncode == 2 and "Traceback" not in done.stderr and "cut short" in done.stderr


def test_help_has_examples():
    commands = next(action for action in cli._parser()._actions if action.choices).choices
    assert len(commands) > 10
    for name, parser in commands.items():
        assert f"leffa {name}" in parser.format_help().split("examples:")[1]


def test_names_that_the_terminal_cannot_show_are_no_trace(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    told = SimpleNamespace(run=lambda options: cli._tell([], "衣 \udcff.png: 44 %"))
    monkeypatch.setattr(cli, "_parser", lambda: SimpleNamespace(parse_args=lambda arguments: told))
    assert cli.main([]) == 0
    assert terminal.buffer.getvalue() == b"\\u8863 \\udcff.png: 44 %\n"


def test_importing_the_package_is_quick():
    script = "import time; t = time.perf_counter(); import leffa; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    names = ("torch", "cv2", "gradio", "mediapipe")
    heavy = f"import sys, leffa, leffa.cli; print([m for m in {names} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", heavy], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.strip() == "[]"
    assert float(done.stdout) < 0.5
