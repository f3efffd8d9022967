"""``leffa train-composition``: what is disturbed stays true, and each network runs, resumes and learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from leffa import cli
from leffa.composition import networks
from leffa.data.packed import PackedDataset
from leffa.errors import LeffaError
from leffa.model.flow import warp
from leffa.model.pyramid import places
from leffa.model.refinement import Shows
from leffa.preprocess.garment.parsing import ShotPart
from leffa.preprocess.labels import Parse
from leffa.preprocess.offline.parsing import Seen
from leffa.synthetic.pack import pack
from leffa.synthetic.samples import Settings
from leffa.synthetic.shots import UNKNOWN, Shots
from leffa.training import composition_rows
from leffa.training.augmentation import (
    Draw,
    bent_reference,
    draw_bend,
    parser_batch,
    refinement_batch,
    widened,
)
from leffa.training.composition import Schedule, evaluate, train
from leffa.training.composition_lessons import (
    LESSONS,
    FillingLesson,
    RefinementLesson,
    ShotLesson,
    grown_colours,
)
from leffa.training.composition_rows import Rows, attention_starts, halved, seen_of

HURRIED = Schedule(minutes=6e8, batch=2, small=0.0, warmup=2)  # so long that no time spent is any share of it


def draw(count, seed=0):
    return Draw(torch.Generator().manual_seed(seed), count)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four synthetic samples of 64x64, the first three try-ons of redressed people."""
    path = tmp_path_factory.mktemp("people")
    pack(path, 4, Settings(size=(64, 64), reuse=1, redressed=True, damage=False), pose_share=0.25)
    return path


@pytest.fixture
def rows(folder):
    return Rows.open([folder], None)


def test_a_bent_product_shot_is_looked_at_in_the_same_place():
    """The reference shows its own coordinates, so what a flow reads is where it looked before."""
    size, count = (128, 96), 16
    read = places(size, torch.zeros(1)).expand(count, -1, -1, -1)
    flow = 0.9 * draw(count, 3).waves((5, 4), (64, 48), 2).clamp(-1, 1)
    batch = {
        "reference": read,
        "reference_mask": torch.ones(count, 1, *size),
        "flow": flow,
        "visible": torch.ones(count, 1, 64, 48),
        "start": torch.cat([flow[..., ::4, ::4], torch.zeros(count, 3, 16, 12)], 1),
    }
    bent = bent_reference(batch, draw_bend(draw(count), size, share=1.0))
    assert (bent["flow"] - flow).abs().mean() > 0.05  # it has been moved at all
    for name in ("flow", "start"):
        new = bent[name][:, :2]
        seen = warp(bent["reference"], new.movedim(1, -1))
        # bilinear reading at borders knows nothing beyond the middle of the last pixel
        inner = (new.abs().amax(1) < 0.95) & (batch[name][:, :2].abs().amax(1) < 0.95)
        off = (seen - batch[name][:, :2]).abs().amax(1)[inner]
        assert inner.float().mean() > 0.4 and off.quantile(0.99) < 0.01, name
    gone = bent["flow"].abs().amax(1, keepdim=True) > 1
    assert gone.any() and (bent["visible"] == (~gone).float()).all()


def test_disturbing_leaves_the_batch_as_it_was_and_follows_the_seed(rows):
    batch = rows.correspondence(range(4))
    before = {name: values.clone() for name, values in batch.items()}
    first, again, other = (refinement_batch(batch, draw(4, seed)) for seed in (1, 1, 2))
    assert all(torch.equal(batch[name], before[name]) for name in before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["reference"], other["reference"])
    assert set(first["mask"].unique().tolist()) <= {0, 1}
    assert set(first["reference_mask"].unique().tolist()) <= {0, 1}


def test_masks_only_grow_and_only_where_they_may():
    mask = torch.zeros(32, 1, 64, 64)
    mask[:, :, 20:40, 24:40] = 1
    may = torch.arange(32)[:, None, None, None] % 2 == 0
    wide = widened(mask, draw(32), may)
    assert (wide >= mask).all() and torch.equal(wide[1::2], mask[1::2])
    assert (wide[::2] > mask[::2]).any()


def test_photos_to_be_read_keep_their_labels_in_place(rows):
    """The labels are moved with the picture: ground that is put in lies where the labels say ground."""
    photos = rows.photos(range(4))
    disturbed = parser_batch(photos, photos["photo"], draw(4))
    assert disturbed["photo"].shape == (4, 3, 64, 64) and disturbed["photo"].abs().max() <= 1
    assert disturbed["seen"].dtype == torch.long and disturbed["seen"].max() < len(Seen)
    assert set(disturbed["silhouette"].unique().tolist()) <= {0, 1}
    assert disturbed["silhouette"].mean() > 0


def test_what_is_seen_comes_from_the_labels():
    labels = torch.tensor(
        [[Parse.NECK, Parse.PANTS, Parse.BAG], [Parse.BACKGROUND, Parse.LEFT_ARM, Parse.DRESS]]
    )
    wanted = [[Seen.FACE, Seen.LOWER, Seen.OTHER], [Seen.GROUND, Seen.ARM, Seen.DRESS]]
    assert seen_of(labels.byte()).tolist() == [[int(seen) for seen in row] for row in wanted]


def test_the_parser_reads_people_in_what_they_wore_before(rows, folder):
    packed = PackedDataset(folder)
    photos = rows.photos(range(4))
    redressed = [i for i in range(4) if packed[i].old_person is not None]
    assert redressed and len(redressed) < 4
    for i in range(4):
        sample = packed[i]
        worn = sample.old_person if i in redressed else sample.person
        assert torch.equal(photos["photo"][i], worn)


def test_the_garment_is_where_the_loss_mask_is(rows, folder):
    batch, packed = rows.correspondence(range(4)), PackedDataset(folder)
    for i in range(4):
        garment = batch["shows"][i] == Shows.GARMENT
        if batch["try_on"][i] > 0:
            assert torch.equal(garment, packed[i].loss_mask[0] > 0.5)
        else:
            assert torch.equal(garment, packed[i].labels > 0)
    half = halved(batch)
    assert half["person"].shape[-1] == 32 and half["shows"].shape[-1] == 32
    assert half["flow"].shape[-1] == 16 and torch.equal(half["start"], batch["start"])


def test_attention_starts_are_made_once_and_go_on(folder, toy, monkeypatch):
    packed, asked = PackedDataset(folder), []
    own = composition_rows.attention_of

    def watched(pipeline, samples, seed):
        asked.append(len(samples))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return own(pipeline, samples, seed)

    monkeypatch.setattr(composition_rows, "attention_of", watched)
    with pytest.raises(KeyboardInterrupt):
        attention_starts(packed, toy, batch=2)
    starts = attention_starts(packed, toy, batch=2)
    assert asked == [2, 2, 2]  # the first two rows are not computed again
    assert starts.shape == (4, 5, 8, 8) and np.isfinite(starts).all()
    assert np.abs(starts[:, :2]).max() <= 1 and starts[:, 4].min() >= 0 and starts[:, 4].max() <= 1
    attention_starts(packed, toy, batch=2)
    assert len(asked) == 3
    given = Rows.open([folder], toy).correspondence([2])["start"][0]
    assert torch.equal(given, torch.from_numpy(np.array(starts[2])).float())


@pytest.mark.parametrize("name", LESSONS)
def test_each_network_runs_two_steps_and_resumes(name, rows, tmp_path):
    rows = Shots(4, Settings(size=(128, 128))) if name == "shot" else rows
    result = tmp_path / f"{name}.safetensors"
    torch.manual_seed(0)
    one = LESSONS[name]()
    begun = {key: values.clone() for key, values in one.network.state_dict().items()}
    train(one, rows, result, replace(HURRIED, small=1.0), stop_at=2)  # at half size
    [kept] = sorted((tmp_path / "checkpoints").iterdir())
    state = torch.load(kept, weights_only=True)
    assert state["spent"] > 0
    assert any(not torch.equal(begun[key], values) for key, values in state["network"].items())

    torch.manual_seed(5)
    average = train(LESSONS[name](), rows, result, HURRIED, rows, 4, stop_at=4)
    newest = torch.load(sorted((tmp_path / "checkpoints").iterdir())[-1], weights_only=True)
    assert newest["spent"] > state["spent"]
    loaded = networks.load(LESSONS[name]().network, result)
    for key, values in loaded.state_dict().items():
        assert torch.equal(values, average.state_dict()[key].half().float()), key
    figures = evaluate(LESSONS[name](), average, rows, 4)
    assert figures and all(np.isfinite(value) for value in figures.values())


def test_two_legs_end_as_one(rows, tmp_path):
    """Both at the same rate, which on a slow machine differed by a last bit: no time is a share here."""
    for name, stops in (("one", [4]), ("two", [2, 4])):
        for stop in stops:
            torch.manual_seed(0)
            average = train(
                RefinementLesson(), rows, tmp_path / name / "x.safetensors", HURRIED, stop_at=stop
            )
        if name == "one":
            whole = average.state_dict()
    for key, values in average.state_dict().items():
        assert torch.allclose(values, whole[key], atol=1e-4), key


def test_the_refinement_learns(rows):
    """A few samples, undisturbed: the loss falls, and the flow comes nearer to the truth."""
    torch.manual_seed(0)
    lesson = RefinementLesson()
    batch = lesson.prepare(rows.correspondence(range(3)), None)
    optimizer = torch.optim.AdamW(lesson.network.parameters(), 1e-3)
    before = evaluate(lesson, lesson.network, rows, 3)
    losses = []
    for _ in range(40):
        loss = lesson.loss(lesson.run(lesson.network, batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = evaluate(lesson, lesson.network, rows, 3)
    assert losses[-1] < 0.6 * losses[0], losses
    assert after["flow error, %"] < before["flow error, %"]
    assert after["silhouette IoU"] > before["silhouette IoU"]


def test_the_filling_is_told_nothing_of_what_lies_in_the_hole(rows):
    """With the truth changed inside the hole and the cloth kept, the network's answer stays the same."""
    lesson = FillingLesson()
    batch = lesson.prepare(rows.correspondence(range(3)), None)
    other = {**batch, "person": torch.where(batch["hole"] > 0, -batch["person"], batch["person"])}
    lesson.network.eval()
    with torch.no_grad():
        mine, theirs = lesson.run(lesson.network, batch), lesson.run(lesson.network, other)
    assert torch.equal(mine[0], theirs[0]) and torch.equal(mine[1], theirs[1])


def test_colours_grow_beyond_the_garment():
    shown = torch.zeros(1, 1, 64, 64)
    shown[..., 20:44, 24:40] = 1
    picture = torch.where(shown > 0, torch.tensor([0.5, -0.5, 0.2])[:, None, None], 1.0)
    grown = grown_colours(picture, shown)
    assert torch.equal(grown * shown, picture * shown)
    assert (grown - torch.tensor([0.5, -0.5, 0.2])[:, None, None]).abs().max() < 1e-3


def test_the_command_trains_and_says_what_is_wrong(folder, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train-composition", "parser", "--data", f"packed:{folder}", "--minutes", "0.0001"]
    assert cli.main([*words, "--run", str(run)]) == 0
    assert "finished" in capsys.readouterr().out and (run / "parser.safetensors").is_file()
    assert json.loads((run / "settings.json").read_text())["network"] == "parser"
    assert cli.main([*words, "--run", str(run)]) == 0  # the time is spent: nothing more is done
    assert len(list((run / "checkpoints").iterdir())) == 1
    for change, sentence in (
        (["--start", "bundled"], "begun with start"),
        (["--minutes", "0"], "--minutes must be above 0"),
        (["--data", "viton-hd:x"], "give packed:DIR"),
        (["--grounds", str(tmp_path / "none")], "is no folder"),
    ):
        assert cli.main([*words, *change, "--run", str(run)]) == cli.EXIT_BAD_INPUT
        assert sentence in capsys.readouterr().err


def test_the_command_draws_product_shots_by_itself(tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train-composition", "shot", "--data", "shots:2", "--minutes", "0.0001", "--run", str(run)]
    assert cli.main(words) == 0
    assert "finished" in capsys.readouterr().out and (run / "shot.safetensors").is_file()
    for change, sentence in (
        (["--data", "packed:x"], "given once"),
        (["--held-out", "shots:0"], "give shots:N"),
        (["--textures", str(tmp_path / "none")], "is no folder"),
    ):
        assert cli.main([*words, *change]) == cli.EXIT_BAD_INPUT
        assert sentence in capsys.readouterr().err


def test_of_a_photograph_only_garment_and_ground_are_told():
    """Whether a pixel is front or inside changes nothing where that is not known."""
    lesson, unknown = ShotLesson(), {"seen": torch.full((1, 8, 8), UNKNOWN)}
    ground, cloth, inside = (torch.zeros(1, len(ShotPart), 8, 8) for _ in ShotPart)
    ground[:, ShotPart.GROUND], cloth[:, ShotPart.CLOTH], inside[:, ShotPart.INSIDE] = 4, 4, 4
    assert float(lesson.loss(cloth, unknown)) == pytest.approx(float(lesson.loss(inside, unknown)))
    assert lesson.loss(cloth, unknown) < 0.1 and lesson.loss(ground, unknown) > 3
    known = {"seen": torch.full((1, 8, 8), int(ShotPart.INSIDE))}
    assert lesson.loss(inside, known) < 0.1 and lesson.loss(cloth, known) > 3


def test_a_flow_kept_too_coarsely_is_refused(folder, tmp_path):
    coarse = tmp_path / "coarse"
    coarse.mkdir()
    for file in folder.glob("*.npy"):
        array = np.load(file)
        np.save(coarse / file.name, array[:, ::2, ::2] if file.stem in ("flow", "visible") else array)
    header = json.loads((folder / "packed.json").read_text())
    del header["flow_stride"]
    (coarse / "packed.json").write_text(json.dumps(header))
    assert PackedDataset(coarse)[0].flow.shape == (16, 16, 2)  # it is still read
    with pytest.raises(LeffaError, match="too coarsely"):
        Rows.open([coarse], None)
