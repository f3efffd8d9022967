"""``leffa evaluate`` on folders and on a model; a stand-in plays the network of FID and KID."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leffa import cli
from leffa.config import Task
from leffa.data.packed import PackedDataset, PackedWriter
from leffa.errors import PersonError
from leffa.images import to_pil
from leffa.metrics import composed
from leffa.metrics.command import table
from leffa.metrics.composed import Composed
from leffa.metrics.folders import evaluate_folders
from leffa.metrics.model import (
    COLOUR,
    COMPOSED,
    CONSTANT,
    IDENTITY,
    MODEL,
    STRETCHED,
    UNCHANGED,
    evaluate_model,
)
from leffa.metrics.pictures import psnr
from leffa.metrics.sheet import Worst
from leffa.model import presets
from leffa.run.settings import Settings as RunSettings
from leffa.synthetic.identity import Split
from leffa.synthetic.samples import Settings, make_pose_pair, make_redressed, make_try_on
from leffa.weights import models
from leffa.weights.models import BUNDLED

HERE = Path(__file__).resolve().parent


def draw(path, seed, size=(96, 128)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def folders(tmp_path):
    for name in "abc":
        draw(tmp_path / f"truth/{name}.jpg", ord(name), (192, 256))
        with Image.open(tmp_path / f"truth/{name}.jpg") as truth:
            (tmp_path / "same").mkdir(exist_ok=True)
            truth.resize((96, 128), Image.Resampling.LANCZOS).save(tmp_path / f"same/{name}.png")
        draw(tmp_path / f"other/{name}.png", 1000 + ord(name))
    draw(tmp_path / "truth/unused.jpg", 5)
    return tmp_path


@pytest.fixture(autouse=True)
def bare(tmp_path_factory, monkeypatch):
    """A machine without the networks of FID, KID and LPIPS."""
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path_factory.mktemp("checkpoints"))


def test_truth_is_brought_to_the_results_size(folders):
    figures, notes = evaluate_folders(folders / "same", folders / "truth")
    assert figures["SSIM"] == pytest.approx(1) and figures["PSNR"] == float("inf")
    others, _ = evaluate_folders(folders / "other", folders / "truth")
    assert others["SSIM"] < 0.5 and others["PSNR"] < 20
    assert len(notes) == 2 and all("`leffa download --what metrics` fetches it" in note for note in notes)
    assert notes[0].startswith("LPIPS: ") and notes[1].startswith("FID, clean FID and KID: ")


def test_unpaired_has_no_paired_figures_and_needs_no_names(folders):
    draw(folders / "other/new.png", 3)
    figures, notes = evaluate_folders(folders / "other", folders / "truth", paired=False)
    assert figures == {} and len(notes) == 1
    with pytest.raises(ValueError, match=r"1 of 4 results have no picture of that name .*: new"):
        evaluate_folders(folders / "other", folders / "truth")
    with pytest.raises(ValueError, match="no pictures in"):
        evaluate_folders(folders / "nowhere", folders / "truth")


def most_memory(count, folder):
    """MiB that this process has held at most, after so many pairs were judged."""
    for side in ("results", "truth"):
        draw(folder / f"{count}/{side}/0.png", len(side))
        for number in range(1, count):
            os.link(folder / f"{count}/{side}/0.png", folder / f"{count}/{side}/{number}.png")
    worst = Worst()
    evaluate_folders(folder / f"{count}/results", folder / f"{count}/truth", each=worst.add)
    assert len(worst.pairs()) == min(count, 40)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def test_memory_is_flat_in_the_number_of_pictures(tmp_path):
    """In a process of its own: the most that another test needed would hide it."""
    line = (
        "from test_evaluate import *; print([most_memory(count, Path(sys.argv[2])) for count in (40, 160)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {line}", HERE, tmp_path],
        env={**os.environ, "PYTHONPATH": str(HERE.parent)}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    few, many = json.loads(done.stdout.splitlines()[-1])
    assert many < few + 10, (few, many)  # 120 pairs are 34 MiB as they are compared


@pytest.fixture
def inception(monkeypatch):
    """A stand-in that notes what it is shown, and finds little in it."""
    seen = []

    def see(pictures):
        seen.append(pictures)
        return torch.nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1)

    monkeypatch.setattr("leffa.metrics.folders.Inception", lambda device: see)
    return seen


def test_distances_are_of_the_judged_pictures_at_the_results_size(folders, inception):
    figures, notes = evaluate_folders(folders / "same", folders / "truth")
    assert figures["FID"] == pytest.approx(0, abs=1e-6) and figures["clean FID"] == pytest.approx(0, abs=1e-6)
    assert [len(pictures) for pictures in inception] == [3] * 4  # without the truth that has no result
    assert torch.equal(inception[0], inception[1])  # scaled from twice the size, as the results were
    assert any("FID of 3 pictures" in note for note in notes)


def test_distances_may_be_against_other_pictures(folders, inception):
    draw(folders / "all/d.png", 17)
    draw(folders / "all/e.png", 18)
    usual, _ = evaluate_folders(folders / "same", folders / "truth", paired=False)
    other, _ = evaluate_folders(folders / "same", folders / "truth", paired=False, against=folders / "all")
    assert list(usual) == list(other) == ["FID", "clean FID", "KID x1000"]
    assert other["FID"] > usual["FID"] and other["KID x1000"] > usual["KID x1000"]
    assert [len(pictures) for pictures in inception] == [3, 4] * 2 + [
        3,
        2,
    ] * 2  # all true ones, or all of those


def test_a_set_of_one_has_no_distance(folders, inception):
    draw(folders / "one/a.png", 3)
    figures, notes = evaluate_folders(folders / "one", folders / "truth")
    assert "FID" not in figures and any("at least two pictures" in note for note in notes)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Four try-ons and two pose pairs at 64x48."""
    folder = tmp_path_factory.mktemp("packed")
    settings = Settings(split=Split.TEST, size=(64, 48), reuse=1)
    writer = PackedWriter(folder, 6, settings.size)
    for row in range(6):
        writer.write(row, make_pose_pair(row, settings) if row in (2, 3) else make_try_on(row, settings))
    return PackedDataset(folder)


@pytest.fixture(scope="module")
def pipeline():
    torch.manual_seed(0)
    made = presets.pipeline("toy")
    made.set_progress_bar_config(disable=True)
    return made


def test_a_model_is_judged_beside_the_bars(packed, pipeline, tmp_path):
    tables = evaluate_model(pipeline, BUNDLED, packed, (64, 48), 6, pictures=tmp_path, batch=3)
    assert list(tables) == [Task.TRY_ON, Task.POSE_TRANSFER]
    for arms in tables.values():
        assert list(arms) == [MODEL, UNCHANGED, COLOUR, STRETCHED, IDENTITY, CONSTANT]
        for name, figures in arms.items():
            assert ("SSIM" in figures) == (name not in (IDENTITY, CONSTANT))
            assert ("flow error, %" in figures) == (name not in (UNCHANGED, COLOUR))
        for name in (MODEL, UNCHANGED, COLOUR, STRETCHED):
            assert 0 < arms[name]["SSIM in the mask"] < arms[name]["SSIM"] + 1e-9 < 1
    assert tables[Task.TRY_ON][STRETCHED]["flow error, %"] < tables[Task.TRY_ON][MODEL]["flow error, %"]
    assert len(list(tmp_path.iterdir())) == 6
    with Image.open(tmp_path / f"{packed[0].name}.png") as picture:
        kept = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
    sample = packed[0]
    outside = psnr(kept, sample.person[None] / 2 + 0.5, 1 - sample.mask[None])
    assert outside > 45  # the person is kept outside the mask, to within 8 bits


class Stub:
    """A road that gives the truth moved by some pixels, and refuses the samples that it is told to."""

    def __init__(self, shift=0, refusing=()):
        self.shift, self.refusing, self.refused = shift, refusing, []

    def take(self, sample, number):
        if number in self.refusing:
            self.refused.append(sample.name)
            return None
        size = tuple(sample.person.shape[-2:])
        flow = torch.nn.functional.interpolate(sample.flow.movedim(-1, 0)[None], size=size)[0].movedim(0, -1)
        is_pose = sample.task is Task.POSE_TRANSFER
        worn = sample.labels > 0 if is_pose else sample.loss_mask[0] > 0.5
        picture, flow, worn = (
            values.roll(self.shift, dims) for values, dims in ((sample.person, -1), (flow, 1), (worn, -1))
        )
        return Composed(picture, flow, worn, 0.5)


def test_the_composed_picture_is_a_row_of_its_own(packed, pipeline, tmp_path):
    def row(task=Task.TRY_ON, **options):
        tables = evaluate_model(
            pipeline, BUNDLED, packed, (64, 48), 6, road=Stub(**options), pictures=tmp_path
        )
        assert next(iter(tables[task])) == COMPOSED
        return tables[task][COMPOSED]

    for task in Task:
        perfect, moved = row(task), row(task, shift=1)
        assert perfect["SSIM in the mask"] == pytest.approx(1) and perfect["PSNR"] == float("inf")
        assert perfect["flow error, %"] < 0.1 and perfect["PCK@5 %"] == 100
        assert perfect["silhouette IoU"] == 1 and perfect["repainted, % of the mask"] == 50
        assert moved["SSIM in the mask"] < 0.95 and moved["PSNR in the mask"] < 35
        assert moved["flow error, %"] > 1 and moved["silhouette IoU"] < 0.97
    with Image.open(tmp_path / f"{packed[0].name}.png") as kept:  # the composed one, not the painter's
        moved = torch.from_numpy(np.array(kept)).permute(2, 0, 1).roll(-1, -1) / 127.5 - 1
    assert (moved - packed[0].person).abs().max() < 0.01


def test_what_the_road_refuses_is_in_no_row(packed, pipeline):
    def tables(road):
        return evaluate_model(pipeline, BUNDLED, packed, (64, 48), 2, road=road)[Task.TRY_ON]

    road = Stub(refusing=(1,))
    without, alone = tables(road), evaluate_model(pipeline, BUNDLED, packed, (64, 48), 1)[Task.TRY_ON]
    assert road.refused == [packed[1].name]
    for name in (MODEL, COLOUR):
        assert without[name]["PSNR"] == pytest.approx(alone[name]["PSNR"])
    assert tables(Stub(refusing=(0, 1))) == {}


def test_the_road_is_the_engines(monkeypatch):
    """A person in the former outfit, the seed of the run plus the number; no person is a refusal."""
    asked = []

    class Engine:
        def __init__(self, device):
            pass

        def try_on(self, photo, reference, garment, settings, model):
            asked.append((np.asarray(photo), settings.seed, settings.steps, model))
            raise PersonError("nobody is here")

    monkeypatch.setattr(composed, "Engine", Engine)
    sample = make_redressed(0, Settings(split=Split.TEST, size=(64, 48), reuse=1))
    road = composed.Road("bundled", RunSettings(steps=3, seed=5))
    assert road.take(sample, 2) is None and road.refused == [f"{sample.name}: nobody is here"]
    photo, seed, steps, model = asked[0]
    assert (photo == np.asarray(to_pil(sample.old_person))).all()
    assert (seed, steps, model) == (7, 3, "bundled")


def test_figures_do_not_depend_on_the_batch(packed, pipeline):
    one, three = (evaluate_model(pipeline, BUNDLED, packed, (64, 48), 4, batch=batch) for batch in (1, 3))
    for name, value in one[Task.TRY_ON][MODEL].items():
        assert value == pytest.approx(three[Task.TRY_ON][MODEL][name], rel=1e-4), name


def test_results_of_several_sizes_are_told_and_no_figure_is_an_error(tmp_path, capsys):
    for folder in ("ours", "true"):
        (tmp_path / folder).mkdir()
        for name, size in (("a", (64, 80)), ("b", (72, 80))):
            Image.new("RGB", size, (90, 90, 90)).save(tmp_path / folder / f"{name}.png")
    command = ["evaluate", "--results", str(tmp_path / "ours"), "--truth", str(tmp_path / "true")]
    assert cli.main(command) == 0
    assert "the results are of 2 sizes (64x80, 72x80)" in capsys.readouterr().out
    assert cli.main([*command, "--unpaired"]) == 2
    assert "no figure could be computed" in capsys.readouterr().err
    assert cli.main([*command, "--device", "tpu"]) == 2
    assert "auto, cpu, cuda or mps" in capsys.readouterr().err


def test_the_command_writes_what_it_prints(packed, pipeline, tmp_path, capsys):
    pipeline.save_pretrained(tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--data", f"packed:{packed.folder}", "--count", "2"]
    assert cli.main(["evaluate", *arguments, "--steps", "4", "-o", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr().out
    assert "try_on, 64x48, 4 steps" in printed and STRETCHED in printed
    figures = json.loads((tmp_path / "figures.json").read_text())["try_on"]
    assert f"{figures[STRETCHED]['PSNR']:.2f}" in printed
    assert cli.main(["evaluate", *arguments, "--steps", "0"]) == 2
    assert "--steps must be from 1 to 1000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give either --results"),
        (["--results", "x"], "needs --truth"),
        (["--model", "nobody", "--data", "packed:x"], "there is no model 'nobody'"),
        (["--model", "bundled"], "needs --data"),
        (["--model", "bundled", "--data", "films:x"], "unknown data"),
        (["--model", "bundled", "--data", "packed:x", "--count", "0"], "--count must be at least 1"),
        (["--model", "bundled", "--data", "packed:x", "--steps", "5000"], "--steps must be from"),
        (["--model", "bundled", "--data", "packed:x", "--device", "tpu"], "give auto, cpu, cuda or mps"),
        (["--model", "bundled", "--data", "packed:x", "-o", "no/such/x.json"], "in a folder that exists"),
    ],
)
def test_bad_options_are_one_sentence(arguments, sentence, capsys):
    assert cli.main(["evaluate", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_tables_leave_empty_what_is_undefined():
    lines = table({"a": {"x": 0.12345, "y": float("nan")}, "b": {"y": 12.345}}).splitlines()
    assert lines[0] == "|  | x | y |" and lines[2] == "| a | 0.1235 |  |" and lines[3] == "| b |  | 12.35 |"


def test_what_is_missing_or_doubled_is_told(folders, capsys):
    assert cli.main(["evaluate", "--results", str(folders / "same"), "--truth", str(folders / "truth")]) == 0
    assert "1 of 4 true pictures have no result and are not judged: unused" in capsys.readouterr().out
    draw(folders / "same/a.jpg", 1)
    assert cli.main(["evaluate", "--results", str(folders / "same"), "--truth", str(folders / "truth")]) == 2
    assert "have the name of another one there: a.png" in capsys.readouterr().err


def test_the_sheet_shows_the_worst_first_and_the_table_names_conventions(folders, capsys):
    draw(folders / "same/b.png", 99)  # spoilt
    (folders / "same/truth").symlink_to(folders / "truth")  # as `leffa generate` lays it
    sheet, markdown = folders / "sheet.html", folders / "table.md"
    output = folders / "figures.json"
    command = ["evaluate", "--results", folders / "same", "--sheet", sheet, "--table", markdown, "-o", output]
    assert cli.main([str(part) for part in command]) == 0
    captions = sheet.read_text().split("<figcaption>")[1:]
    assert captions[0].startswith("b: ") and len(captions) == 3
    assert "http" not in sheet.read_text()
    assert "* SSIM: Gaussian window" in markdown.read_text()
    assert "PSNR" in json.loads(output.read_text())["conventions"]


def test_only_the_worst_are_kept(tmp_path):
    worst = Worst(3)
    for number in range(100):
        worst.add(str(number), tmp_path, tmp_path, {"SSIM": (number * 37 % 100) / 100})
    assert [figures["SSIM"] for *_, figures in worst.pairs()] == [0, 0.01, 0.02]
