"""``leffa batch`` with a painter that mixes colours instead of painting: contract, faults, resuming, Ray."""

import argparse
import csv
import errno
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leffa import cli
from leffa.batch import command
from leffa.batch.cluster import Workers
from leffa.batch.command import run_rows
from leffa.batch.manifest import BadRow, Row, read_manifest
from leffa.batch.painter import EnginePainter, _picture
from leffa.batch.plan import Outcome, Plan
from leffa.batch.progress import Progress
from leffa.errors import FileError, LeffaError
from leffa.run.pace import Pace

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mixer:
    """A stub: the mean of person and garment, shifted by the seed. ``log`` gets a line for each picture."""

    log: Path
    die_at: int = -1  # this row kills its process the first time, when its picture is half written
    always: bool = False  # it does so every time

    def __call__(self):
        return self

    def read(self, row):
        _picture(row.person)
        return 1, 1

    def paint(self, row):
        flag = self.log.with_suffix(".died")
        if row.number == self.die_at and (self.always or not flag.exists()):
            flag.touch()
            os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        with self.log.open("a") as file:
            file.write(f"{row.number}\n")
        pictures = [np.asarray(_picture(name), np.int32) for name in (row.person, row.garment)]
        return Image.fromarray(((sum(pictures) // 2 + row.seed) % 256).astype(np.uint8))


@pytest.fixture
def shop(tmp_path):
    """Three people, four garments, and a manifest of all pairs."""
    for number, name in enumerate([*"abc", *"1234"]):
        Image.new("RGB", (64, 80), (30 * number, 90, 200 - 20 * number)).save(tmp_path / f"{name}.png")
    lines = [{"person": f"{p}.png", "garment": f"{g}.png", "kind": "upper"} for p in "abc" for g in "1234"]
    write_csv(tmp_path / "m.csv", lines)
    return tmp_path


def write_csv(path, lines):
    names = list(dict.fromkeys(name for line in lines for name in line))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(lines)


def results(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def pictures(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def partial(folder):
    return list(folder.rglob("*.part"))


def paint(shop, out, manifest="m.csv", workers=None, **options):
    run_rows(read_manifest(str(shop / manifest)), shop / out, Mixer(shop / "log", **options), workers)
    return results(shop / out)


def run_here(line, folder):
    """A line in a process of its own that has imported this module; ``folder`` is its argument."""
    script = f"import sys; sys.path.insert(0, sys.argv[2]); from test_batch import *\n{line}"
    return subprocess.run(
        [sys.executable, "-c", script, str(folder), str(Path(__file__).parent)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=False, timeout=300,
    )  # fmt: skip


def painted(shop):
    return [int(line) for line in (shop / "log").read_text().split()]


def test_every_row_has_a_line_and_a_picture(shop):
    lines = paint(shop, "out")
    assert [line["row"] for line in lines] == list(range(12))
    assert all(line["status"] == "done" and line["reason"] == "" for line in lines)
    assert sorted(pictures(shop / "out")) == [line["output"] for line in lines]
    order = [divmod(number, 4) for number in painted(shop)]
    assert [garment for _, garment in order] == sorted(
        garment for _, garment in order
    )  # they travel together


def test_the_same_again_does_nothing_and_a_changed_row_only_that_row(shop):
    paint(shop, "out")
    paint(shop, "out")
    assert len(painted(shop)) == 12
    Image.new("RGB", (64, 80), (1, 2, 3)).save(shop / "1.png")
    (shop / "out/000001.png").unlink()
    paint(shop, "out")
    assert sorted(painted(shop)[12:]) == [0, 1, 4, 8]


def test_the_seed_alone_decides_not_the_order(shop):
    lines = [
        {"person": f"{p}.png", "garment": "1.png", "seed": seed, "output": f"{p}{seed}.png"}
        for p in "abc" for seed in (0, 7)
    ]  # fmt: skip
    write_csv(shop / "one.csv", lines)
    write_csv(shop / "two.csv", lines[::-1])
    paint(shop, "one", "one.csv")
    paint(shop, "two", "two.csv")
    assert pictures(shop / "one") == pictures(shop / "two")
    assert len(set(pictures(shop / "one").values())) == 6


def test_a_bad_row_is_a_row_with_a_reason(shop):
    (shop / "text.png").write_text("no picture")
    good = {"person": "a.png", "garment": "1.png", "kind": "upper"}
    lines = [
        good | {"person": "gone.png"},
        good | {"person": "text.png"},
        good | {"kind": "hat"},
        good | {"output": "../out.png"},
        good | {"output": "a.gif"},
        good | {"seed": "x"},
        good | {"output": "twice.png"},
        good | {"output": "TWICE.png"},
        good,
    ]
    write_csv(shop / "bad.csv", lines)
    found = paint(shop, "out", "bad.csv")
    sentences = [
        "no file",
        "not a picture",
        "unknown kind",
        "within",
        "must end",
        "seed must",
        "",
        "row 6",
        "",
    ]
    assert [line["status"] == "done" for line in found] == [not sentence for sentence in sentences]
    for line, sentence in zip(found, sentences, strict=True):
        assert sentence in line["reason"]
    assert len(pictures(shop / "out")) == 2 and not (shop / "out.png").exists()


def test_rows_that_the_engine_refuses_have_a_reason(tmp_path, person, garment):
    person.save(tmp_path / "person.png")
    garment.save(tmp_path / "garment.png")
    Image.new("RGB", (192, 256), "grey").save(tmp_path / "nobody.png")
    Image.new("L", (40, 40), 255).save(tmp_path / "mask.png")
    (tmp_path / "text.png").write_text("no picture")
    good = {"person": "person.png", "garment": "garment.png", "kind": "upper", "mask": ""}
    lines = [
        good | {"person": "nobody.png"}, good | {"person": "gone.png"}, good | {"garment": "text.png"},
        good | {"kind": "hat"}, good | {"mask": "mask.png"}, good,
    ]  # fmt: skip
    write_csv(tmp_path / "m.csv", lines)
    painter = EnginePainter(tmp_path / "cache", "bundled", "cpu", steps=1)
    run_rows(read_manifest(str(tmp_path / "m.csv")), tmp_path / "out", painter)
    found = results(tmp_path / "out")
    assert [line["status"] for line in found] == ["failed"] * 5 + ["done"]
    sentences = [
        "No person was found",
        "no file",
        "not a picture",
        "unknown kind",
        "the mask is 40x40, the photo 384x512",
        "",
    ]
    for line, sentence in zip(found, sentences, strict=True):
        assert sentence in line["reason"]
    assert list(pictures(tmp_path / "out")) == ["000005.png"]


class Refuser:
    """A stub that refuses every row, which costs next to nothing."""

    def __call__(self):
        return self

    def read(self, row):
        raise LeffaError(f"row {row.number} is refused")


NAME_KEPT = 64 if sys.version_info[:2] == (3, 12) else 0
"""Bytes of a file's name, which pathlib interns in Python 3.12, and what is interned there is never freed."""


def peak_of(count, folder):
    """Bytes that Python holds at most over a run of so many refused rows."""
    rows = (Row(number, "a.png", "1.png", output=f"{number}.png") for number in range(count))
    tracemalloc.start()
    run_rows(rows, folder / str(count), Refuser())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_flat_in_the_number_of_rows(tmp_path):
    done = run_here("print([peak_of(count, Path(sys.argv[1])) for count in (500, 4000)])", tmp_path)
    few, many = json.loads(done.stdout.splitlines()[-1])
    assert len(results(tmp_path / "4000")) == 4000 and many < 1.2 * few + 3500 * NAME_KEPT


def test_a_full_disk_stops_the_run_which_goes_on_later(shop, monkeypatch):
    fsync, written = os.fsync, []

    def fill(handle):
        written.append(handle)
        if len(written) > 5:  # from then on: not even results.jsonl can be written
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fill)
        with pytest.raises(FileError, match=r"\.png' cannot .* the disk is full\. The same command goes on"):
            paint(shop, "out")
    assert len(pictures(shop / "out")) == 5 and not partial(shop / "out")
    assert len(paint(shop, "out")) == 12 and len(painted(shop)) == 12 + 1  # that row a second time


def test_after_a_kill_no_row_is_lost_and_none_doubled(shop):
    paint(shop, "whole")
    done = run_here("paint(Path(sys.argv[1]), 'out', die_at=6)", shop)
    assert done.returncode == -signal.SIGKILL and not (shop / "out/results.jsonl").exists()
    assert len(partial(shop / "out")) == 1
    (shop / "log").unlink()
    assert len(paint(shop, "out")) == 12 and len(painted(shop)) < 12 and not partial(shop / "out")
    assert pictures(shop / "out") == pictures(shop / "whole")


def test_foreign_pictures_and_folders_are_left_alone(shop):
    (shop / "out").mkdir()
    Image.new("RGB", (9, 9)).save(shop / "out/000003.png")
    before = (shop / "out/000003.png").read_bytes()
    line = paint(shop, "out")[3]
    assert line["status"] == "failed" and "--force" in line["reason"]
    assert (shop / "out/000003.png").read_bytes() == before
    (shop / "mine").mkdir()
    (shop / "mine/results.jsonl").write_text("mine")
    with pytest.raises(FileError, match=r"holds 'results\.jsonl'"):
        paint(shop, "mine")


def test_two_runs_in_one_folder_are_refused(shop):
    with Plan(shop / "out"), pytest.raises(LeffaError, match="another run is at work"):
        Plan(shop / "out")


def test_all_formats_say_the_same(shop):
    rows = list(read_manifest(str(shop / "m.csv")))
    lines = [{"person": row.person, "garment": row.garment, "kind": "upper"} for row in rows]
    (shop / "m.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert list(read_manifest(str(shop / "m.jsonl"))) == rows
    arrow = pytest.importorskip("pyarrow")
    table = arrow.Table.from_pylist([line | {"seed": None} for line in lines])
    pytest.importorskip("pyarrow.parquet").write_table(table, shop / "m.parquet")
    assert list(read_manifest(str(shop / "m.parquet"))) == rows


def test_addresses_are_read_through_fsspec(shop):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/shop/a.png", (shop / "a.png").read_bytes())
    memory.pipe("/shop/m.csv", f"person,garment\nmemory://shop/a.png,{shop / '1.png'}\n".encode())
    run_rows(read_manifest("memory://shop/m.csv"), shop / "out", Mixer(shop / "log"))
    assert results(shop / "out")[0]["status"] == "done"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("m.txt", "", "must end in"),
        ("m.csv", "person,shirt\n", "unknown columns shirt"),
        ("m.csv", "person,kind\n", "needs the columns"),
        ("m.csv", "person,garment\n", "has no rows"),
        ("gone.jsonl", None, "no file at"),
    ],
)
def test_a_bad_manifest_is_a_sentence(tmp_path, capsys, name, text, sentence):
    if text is not None:
        (tmp_path / name).write_text(text)
    assert (
        cli.main(["batch", str(tmp_path / name), "--out", str(tmp_path / "out"), "--model", "bundled"]) == 2
    )
    assert sentence in capsys.readouterr().err


def test_pose_rows_and_broken_lines(tmp_path):
    lines = ['{"reference": "a.png", "pose": "b.png", "seed": 3}', "{", "[]", '{"person": "a.png"}']
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    first, *others = read_manifest(str(tmp_path / "m.jsonl"))
    assert isinstance(first, Row) and first.is_pose and first.seed == 3
    assert [type(row) for row in others] == [BadRow] * 3
    assert "reference and pose" in others[2].reason


def test_progress_tells_speed_and_what_was_known():
    progress = Progress(10, 4)
    progress.count(Outcome(4, "done", "", 3, 1))
    progress.count(Outcome(5, "failed", "why"))
    assert progress.line().startswith("6 of 10 rows, ")
    assert "3 of 4 pictures known (75 %), 1 failed" in progress.line()


@pytest.mark.slow
def test_a_row_that_kills_its_workers_takes_no_other_along(shop):
    pytest.importorskip("ray").cloudpickle.register_pickle_by_value(sys.modules[__name__])
    lines = paint(shop, "out", workers=Workers(2, batch=4), die_at=5, always=True)
    assert [line["row"] for line in lines if line["status"] != "done"] == [5]
    assert "its worker died 3 times over it" in lines[5]["reason"]
    assert painted(shop).count(5) == 3 and len(pictures(shop / "out")) == 11


@pytest.mark.slow
def test_ray_gives_the_same_even_if_a_worker_is_killed(shop):
    pytest.importorskip("ray").cloudpickle.register_pickle_by_value(sys.modules[__name__])
    alone = paint(shop, "alone")
    together = paint(shop, "together", workers=Workers(2, batch=2), die_at=6)
    assert (shop / "log.died").exists()
    assert together == alone and pictures(shop / "together") == pictures(shop / "alone")


def test_a_pace_is_for_every_row_and_makes_another_run(shop, tmp_path):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = ["manifest.csv", "--out", str(tmp_path / "out"), "--model", "bundled"]
    hasty, usual = (command.painter(parser.parse_args([*given, *more])) for more in (["--pace", "fast"], []))
    assert hasty.settings(Row(0)).pace is Pace.FAST and usual.settings(Row(0)).pace is None
    assert hasty.deciding() != usual.deciding() and json.dumps(hasty.deciding())
