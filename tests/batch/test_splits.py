"""``leffa generate``: the rows it makes of a data set, and the truth it lays beside the results."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from leffa import cli
from leffa.batch import painter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
import drawn_sets


class Copyist:
    """A stub painter: the person as it is, or the wanted pose."""

    def read(self, row):
        return 0, 0

    def paint(self, row):
        return Image.open(row.person or row.pose).convert("RGB")


@pytest.fixture
def rows(monkeypatch):
    seen = []
    monkeypatch.setattr(painter.EnginePainter, "__call__", lambda self: Copyist())
    usual = Copyist.paint
    monkeypatch.setattr(Copyist, "paint", lambda self, row: (seen.append(row), usual(self, row))[1])
    return seen


@pytest.mark.parametrize("kind", ["viton-hd", "dress-code", "deep-fashion"])
def test_a_split_is_painted_and_can_be_judged(tmp_path, rows, kind):
    root = getattr(drawn_sets, kind.replace("-", "_"))(tmp_path / "set")
    out = tmp_path / "out"
    assert cli.main(["generate", "--data", f"{kind}:{root}", "--out", str(out), "--model", "bundled"]) == 0
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert lines and all(line["status"] == "done" for line in lines)
    assert all(Path(name).is_file() for row in rows for name in row.inputs)
    assert all(bool(row.mask) != row.is_pose for row in rows)
    for line in lines:
        [truth] = (out / "truth").glob(f"{Path(line['output']).stem}.*")
        assert Image.open(truth).convert("RGB").tobytes() == Image.open(out / line["output"]).tobytes()


def test_synthetic_people_are_rendered_and_painted_with_their_own_kind(tmp_path, rows):
    out = tmp_path / "out"
    command = f"generate --data synthetic:0 --count 1 --out {out} --model bundled"
    assert cli.main(command.split()) == 0
    [row] = rows
    assert {row.kind} == set(json.loads((out / "people/test/kinds.json").read_text()).values())
    assert Path(row.mask).is_file() and (out / "truth" / f"{Path(row.person).name}").is_file()
    [line] = (out / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["status"] == "done"


def test_unpaired_takes_the_listed_garment_and_lays_no_truth(tmp_path, rows):
    root = drawn_sets.viton_hd(tmp_path / "set")
    command = f"generate --data viton-hd:{root} --out {tmp_path / 'out'} --unpaired --count 2 --model bundled"
    assert cli.main(command.split()) == 0
    pairs = sorted((Path(row.person).stem, Path(row.garment).stem) for row in rows)
    assert pairs == [("a_00", "b_00"), ("b_00", "c_00")] and not (tmp_path / "out/truth").exists()


def test_data_without_photos_is_a_sentence(tmp_path, capsys):
    assert cli.main(["generate", "--data", "packed:x", "--out", str(tmp_path / "out")]) == 2
    assert "has no photos" in capsys.readouterr().err
