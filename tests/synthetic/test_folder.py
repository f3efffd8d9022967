"""``leffa synth``: the folder, its going on, and its command line."""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leffa.config import Task
from leffa.data.packed import PackedDataset
from leffa.errors import LeffaError
from leffa.synthetic.command import add_arguments, run
from leffa.synthetic.folder import FOLDERS
from leffa.synthetic.samples import Settings, make_try_on, to_bytes


def synth(*words: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    run(parser.parse_args(words))


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".npz"
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("people")
    synth(
        "--count",
        "4",
        "--out",
        str(root),
        "--seed",
        "2",
        "--size",
        "128x96",
        "--reuse",
        "2",
        "--processes",
        "1",
    )
    return root


def test_layout_is_that_of_viton_hd(folder):
    for name in FOLDERS:
        assert len(list((folder / "train" / name).iterdir())) == 4, name
    pairs = [line.split() for line in (folder / "train_pairs.txt").read_text().splitlines()]
    assert sorted(person for person, _ in pairs) == [f"{index:06d}_00.jpg" for index in range(4)]
    kinds = json.loads((folder / "train" / "kinds.json").read_text())
    assert all(kinds[person[:-4]] == kinds[cloth[:-4]] for person, cloth in pairs)
    parse = Image.open(folder / "train" / "image-parse-v3" / "000000_00.png")
    assert parse.mode == "P" and parse.size == (96, 128)
    assert set(np.unique(np.asarray(parse))) <= set(range(20))
    points = json.loads((folder / "train" / "openpose_json" / "000000_00_keypoints.json").read_text())
    assert len(points["people"][0]["pose_keypoints_2d"]) == 75


def test_files_hold_the_samples(folder):
    sample = make_try_on(1, Settings(seed=2, size=(128, 96), reuse=2))
    written = np.asarray(Image.open(folder / "train" / "image" / "000001_00.jpg"), np.int16)
    assert np.abs(written - to_bytes(sample.person)).mean() < 3
    mask = np.asarray(Image.open(folder / "train" / "agnostic-mask" / "000001_00_mask.png")) > 0
    assert (mask == (sample.mask[0].numpy() > 0)).all()
    with np.load(folder / "train" / "correspondence" / "000001_00.npz") as file:
        assert (file["visible"] == sample.visible.numpy()).all()


def test_a_cut_off_run_goes_on(folder, tmp_path):
    words = ["--out", str(tmp_path), "--seed", "2", "--size", "128x96", "--reuse", "2"]
    synth("--count", "1", *words, "--processes", "1")
    before = (tmp_path / "train" / "image" / "000000_00.jpg").stat().st_mtime_ns
    synth("--count", "4", *words, "--processes", "2")
    assert (tmp_path / "train" / "image" / "000000_00.jpg").stat().st_mtime_ns == before
    assert digest(tmp_path) == digest(folder)


def test_other_settings_are_refused(folder):
    with pytest.raises(LeffaError, match="other settings"):
        synth("--count", "4", "--out", str(folder), "--seed", "3", "--size", "128x96", "--reuse", "2")


@pytest.mark.parametrize(
    "words",
    [["--count", "0"], ["--count", "1", "--seed", "-1"], ["--count", "1", "--textures", "no-such-folder"]],
)
def test_bad_options_end_in_one_sentence(tmp_path, words):
    with pytest.raises(LeffaError):
        synth(*words, "--out", str(tmp_path))


def test_bad_size_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        synth("--count", "1", "--out", str(tmp_path), "--size", "500by300")
    assert "512x384" in capsys.readouterr().err


def test_packed_rows_hold_the_samples_of_both_tasks(tmp_path):
    words = "--count 4 --packed --pose-share 0.5 --seed 2 --size 128x96 --reuse 2 --processes 1 --out"
    synth(*words.split(), str(tmp_path))
    rows = PackedDataset(tmp_path)
    assert [rows[i].task for i in range(4)] == [Task.TRY_ON] * 2 + [Task.POSE_TRANSFER] * 2
    sample = make_try_on(1, Settings(seed=2, size=(128, 96), reuse=2))
    assert (to_bytes(rows[1].person) == to_bytes(sample.person)).all()
    before = (tmp_path / "person.npy").stat().st_mtime_ns
    synth(*words.split(), str(tmp_path))
    assert (tmp_path / "person.npy").stat().st_mtime_ns == before
    with pytest.raises(LeffaError, match="other settings"):
        synth(*words.replace("--seed 2", "--seed 3").split(), str(tmp_path))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--lent", "0.5"], "--textures"),
        (["--lent", "1.5"], "between 0 and 1"),
        (["--varied", "-1"], "between 0 and 1"),
        (["--redressed"], "--packed"),
    ],
)
def test_options_that_do_not_go_together_are_told(words, told, tmp_path):
    with pytest.raises(LeffaError, match=told):
        synth("--count", "1", "--out", str(tmp_path / "people"), *words)
