"""Weight files that are something else, or half of themselves: what is said of them, on every road."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from leffa import cli
from leffa.composition import networks
from leffa.engine import Engine
from leffa.errors import WeightsError
from leffa.intactness import fault_of
from leffa.model import presets
from leffa.model.filling import Filling
from leffa.model.refinement import Refinement
from leffa.preprocess.garment.parsing import ShotParser
from leffa.preprocess.offline.parsing import PhotoParser
from leffa.run import speed
from leffa.safe_pickle import load_state
from leffa.weights import models

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html><html><head><title>404</title></head></html>"
BROKEN = {
    "pointer": (POINTER, "is a Git LFS pointer"),
    "page": (PAGE, "is a web page"),
    "error": (b'{"error": "not found"}', "is a text"),
    "words": (b"404: Not Found", "is a text"),
    "annexed": (b"/annex/objects/SHA256E-s123--4d7a21.safetensors\n", "is a text"),
    "empty": (b"", "is empty"),
}


@pytest.fixture(params=[".safetensors", ".pth", ".pkl"])
def intact(request, tmp_path):
    path = tmp_path / f"weights{request.param}"
    values = {"weight": torch.arange(5000.0)}
    if request.param == ".safetensors":
        save_file(values, path)
    elif request.param == ".pth":
        torch.save(values, path)
    else:
        path.write_bytes(pickle.dumps({"weight": np.arange(5000.0, dtype=np.float32)}))
    return path


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_weights_is_called_what_it_is(intact, kind):
    content, sentence = BROKEN[kind]
    assert fault_of(intact) is None
    intact.write_bytes(content)
    with pytest.raises(WeightsError, match=f"{sentence}.*leffa download"):
        load_state(intact)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_half_a_file_is_cut_short(intact, share):
    content = intact.read_bytes()
    intact.write_bytes(content[: max(9, int(share * len(content)))])
    assert "cut short" in str(fault_of(intact)), fault_of(intact)
    with pytest.raises(WeightsError, match="cut short"):
        load_state(intact)


@pytest.mark.parametrize("content", ["<!DOCTYPE html>".encode("utf-16"), bytes(1000)])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_what_is_of_no_known_kind_asks_for_no_code(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="its first bytes are n"):
        load_state(path)


def test_safetensors_under_another_name(tmp_path):
    save_file({"weight": torch.zeros(10)}, tmp_path / "x.safetensors")
    renamed = (tmp_path / "x.safetensors").rename(tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"name end in \.safetensors"):
        load_state(renamed)


def test_headers_that_do_not_add_up(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"weight": torch.zeros(10)}, path)
    path.write_bytes(path.read_bytes() + bytes(3))
    assert fault_of(path) == "has 3 bytes more than its header says"
    path.write_bytes(b"\xff" * 100)
    assert "no length of a header" in str(fault_of(path))
    path.write_bytes((4).to_bytes(8, "little") + b"[1]{")
    assert "header cannot be read" in str(fault_of(path))
    assert "cannot be read" in str(fault_of(tmp_path / "nothing.pth"))


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """Toy weights as the bundled ones."""
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path)
    for name, model in models.MODELS.items():
        monkeypatch.setitem(models.MODELS, name, replace(model, folder=tmp_path / name))
    monkeypatch.setattr(speed, "measure", lambda machine, dtype: 1e12)
    presets.pipeline("toy").save_pretrained(tmp_path / "bundled")
    return tmp_path / "bundled"


@pytest.mark.parametrize("kind", ["pointer", "half", "config"])
def test_doctor_and_engine_say_what_is_wrong_with_the_bundled_weights(bundled, kind, capsys, person, garment):
    path = bundled / "unet" / "diffusion_pytorch_model.safetensors"
    content = path.read_bytes()
    if kind == "config":
        (bundled / "unet" / "config.json").write_bytes(POINTER)
    else:
        path.write_bytes(POINTER if kind == "pointer" else content[: len(content) // 2])
    sentence = "is cut short" if kind == "half" else "is a Git LFS pointer"
    assert cli.main(["doctor"]) == 2
    printed = capsys.readouterr()
    assert "DAMAGED" in printed.out and sentence in printed.out and "bundled        damaged" in printed.out
    assert "`git lfs pull` or a fresh clone" in printed.err and "Traceback" not in printed.err
    with pytest.raises(WeightsError, match=f"{sentence}.*git lfs pull"):
        Engine("cpu").try_on(person, garment, "upper")


@pytest.mark.parametrize("name", ["refinement", "filling", "parser", "shot"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [(POINTER, "is a Git LFS pointer"), (None, "is cut short"), ({"a": torch.zeros(3)}, "cannot be read")],
    ids=["pointer", "half", "another"],
)
def test_what_composes_a_picture_is_read_as_strictly(tmp_path, name, content, sentence):
    known = {"refinement": Refinement, "filling": Filling, "parser": PhotoParser, "shot": ShotParser}
    for file, network in known.items():
        networks.save(network(), tmp_path / f"{file}.safetensors")
    networks.Networks.load(tmp_path)
    broken = tmp_path / f"{name}.safetensors"
    if isinstance(content, dict):
        save_file(content, broken)
    else:
        broken.write_bytes(content or broken.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=f"{name}.safetensors {sentence}.*git lfs pull"):
        networks.Networks.load(tmp_path)


def test_doctor_ends_quietly_when_nobody_reads_on(bundled):
    environment = {**os.environ, "LEFFA_CHECKPOINTS": str(bundled.parent)}
    done = subprocess.run(
        f"{sys.executable} -m leffa.cli doctor | head -n 1",
        shell=True,
        cwd=Path(__file__).resolve().parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.stdout.startswith("leffa ") and "Traceback" not in done.stderr and "Broken" not in done.stderr
