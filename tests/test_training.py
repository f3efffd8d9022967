import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from torch.utils.data import Dataset

from leffa import cli
from leffa.config import LeffaLossConfig, Photometric
from leffa.errors import LeffaError, WeightsError
from leffa.model import presets
from leffa.model.flow import coordinates
from leffa.model.pipeline import LeffaPipeline
from leffa.training import checkpoint
from leffa.training.batches import StepSampler, step_seed
from leffa.training.command import changed, condition_of, start
from leffa.training.evaluation import flow_errors, sample_grid
from leffa.training.loop import train
from leffa.training.objective import compute_losses
from leffa.training.settings import PRESETS, TrainingSettings

TOY = TrainingSettings(
    size=(64, 48),
    steps=4,
    batch=2,
    learning_rate=1e-3,
    ema=0.9,
    leffa=LeffaLossConfig(weight=1.0),
    flow_weight=0.5,
    occupancy_weight=0.1,
    densepose_dropout=0.2,
    save_every=1,
    log_every=1,
    evaluate_every=4,
)


class Rows(Dataset):
    """Twelve encoded rows in which the person is the reference moved by a row-dependent shift."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        reference = torch.nn.functional.interpolate(
            torch.rand((1, 3, 8, 6), generator=generator) * 2 - 1, size=(64, 48), mode="bicubic"
        )[0].clamp(-1, 1)
        shift = 8 * (index % 3 - 1)
        person = torch.roll(reference, shift, dims=-1)
        flow = coordinates(8, 6) - torch.tensor([2 * shift / 48, 0.0])
        mask = torch.zeros(1, 64, 48)
        mask[:, 16:48, 12:36] = 1

        def small(maps):
            return torch.nn.functional.adaptive_avg_pool2d(maps, (8, 6))

        def latents(picture):
            return small(torch.cat([picture, picture[:1]]))

        return {
            "latents": latents(person),
            "reference_latents": latents(reference),
            "condition": torch.cat([small(mask), latents(person * (1 - mask)), torch.zeros(3, 8, 6)]),
            "person": person,
            "reference": reference,
            "loss_mask": mask,
            "flow": flow,
            "visible": torch.ones(8, 6, dtype=torch.bool),
            "worn": small(mask),
            "reference_mask": small(mask),
        }


def pipeline():
    torch.manual_seed(0)
    return presets.pipeline("toy")


def weights(folder):
    return {
        name: value
        for name, value in LeffaPipeline.from_pretrained(folder).official_state_dict().items()
        if name.startswith("unet")
    }


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_two_and_two_steps_are_four_bit_for_bit(tmp_path):
    straight = weights(train(pipeline(), Rows(), tmp_path / "straight", TOY))
    assert train(pipeline(), Rows(), tmp_path / "parts", TOY, stop_at=2) is None
    assert not (tmp_path / "parts" / "model").exists()
    resumed = weights(train(pipeline(), Rows(), tmp_path / "parts", TOY))
    assert same(straight, resumed)
    other = weights(train(pipeline(), Rows(), tmp_path / "other", replace(TOY, seed=1)))
    assert not same(straight, other)
    assert json.loads((tmp_path / "parts" / "settings.json").read_text())["learning_rate"] == 1e-3


def test_training_moves_what_it_should_and_nothing_else(tmp_path):
    start = pipeline()
    before = {name: value.clone() for name, value in start.official_state_dict().items()}
    settings = replace(TOY, freeze=("unet.down_blocks.0.",), steps=2, densepose_dropout=0)
    train(start, Rows(), tmp_path, settings)
    after = start.official_state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith(("vae.", "unet.down_blocks.0.")) for name in moved)
    assert not any(".attn2." in name for name in moved)
    assert any(name.startswith("unet_encoder.down_blocks.0") for name in moved)
    assert any(name.startswith("unet.up_blocks") for name in moved)
    with pytest.raises(ValueError, match="no parameter starts with"):
        train(pipeline(), Rows(), tmp_path / "x", replace(TOY, freeze=("nothing.",)))


def test_accumulation_and_checkpointing_run(tmp_path):
    settings = replace(TOY, steps=2, accumulate=2, checkpointing=True)
    assert train(pipeline(), Rows(), tmp_path, settings)


def test_in_mixed_precision_the_model_is_rounded_and_the_losses_are_not(tmp_path, monkeypatch):
    seen = {}

    def spied(model, *rest):
        seen["losses"] = torch.is_autocast_enabled("cpu")
        losses = compute_losses(model, *rest)
        seen["flow"] = losses.flow.dtype
        return losses

    start = pipeline()
    start.unet.register_forward_hook(lambda *_: seen.update(model=torch.is_autocast_enabled("cpu")))
    monkeypatch.setattr("leffa.training.loop.compute_losses", spied)
    AcceleratorState._reset_state(reset_partial_state=True)  # one precision per process
    try:
        train(start, Rows(), tmp_path, replace(TOY, steps=1, precision="bf16"))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert seen == {"losses": False, "model": True, "flow": torch.float32}


def test_a_run_is_not_resumed_with_other_settings(tmp_path):
    train(pipeline(), Rows(), tmp_path, TOY, stop_at=1)
    with pytest.raises(LeffaError, match=r"begun with learning_rate=0\.001, seed=0"):
        train(pipeline(), Rows(), tmp_path, replace(TOY, seed=5, learning_rate=1e-4))
    assert train(pipeline(), Rows(), tmp_path, replace(TOY, steps=2))
    assert json.loads((tmp_path / "settings.json").read_text())["steps"] == 2


def test_a_run_is_not_resumed_with_other_data_or_another_start(tmp_path, capsys):
    begun = {"data": ["packed:a"], "start": "bundled"}
    train(pipeline(), Rows(), tmp_path, TOY, stop_at=1, origin=begun)
    with pytest.raises(LeffaError, match=r'begun with data=\["packed:a"\]'):
        train(pipeline(), Rows(), tmp_path, TOY, origin={**begun, "data": ["packed:b"]})
    with pytest.raises(LeffaError, match='begun with start="bundled"'):
        train(pipeline(), Rows(), tmp_path, TOY, origin={**begun, "start": "nothing"})
    train(pipeline(), Rows(), tmp_path, replace(TOY, log_every=1), stop_at=2, origin=begun)
    assert json.loads((tmp_path / "settings.json").read_text())["data"] == ["packed:a"]
    assert "lr 0.001" in capsys.readouterr().out


def test_a_vae_is_not_trained_on_with_other_pictures(tmp_path):
    checkpoint.keep_origin(tmp_path, {"data": [], "pictures": "/cloth", "crop": 32}, ("vae",))
    checkpoint.keep_origin(tmp_path, {"data": [], "pictures": "/cloth", "crop": 32}, ("vae",))
    with pytest.raises(LeffaError, match="begun with crop=32"):
        checkpoint.keep_origin(tmp_path, {"data": [], "pictures": "/cloth", "crop": 64}, ("vae",))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--start", "nothing"], "needs --vae"),
        (["--start", "nothing", "--vae", "nowhere"], "no config.json there"),
        (["--start", "bundled", "--set", "size=[256]"], "size is [height, width]"),
        (["--start", "bundled", "--set", "learning_rate=-1"], "must be more than 0"),
        (["--start", "nowhere"], "not a diffusers folder"),
        (["--start", "bundled", "--data", "films:x"], "unknown data"),
    ],
)
def test_bad_options_are_one_sentence_before_anything_is_trained(tmp_path, arguments, sentence, capsys):
    common = ["train", "--preset", "tiny-1", "--data", "packed:nowhere", "--run", str(tmp_path / "run")]
    assert cli.main([*common, *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_base_folder_gets_the_densepose_condition_of_its_data(tmp_path):
    pipeline().save_pretrained(tmp_path)
    shutil.rmtree(tmp_path / "reference_unet")  # what is left is a base folder
    for kind, encoding in (("dress-code:d", "dress-code"), ("deep-fashion:d", "pose-training")):
        started = start(str(tmp_path), None, None, condition_of([kind]))
        assert started.config.densepose_encoding == encoding
    with pytest.raises(LeffaError, match="one kind at a time"):
        condition_of(["viton-hd:v", "dress-code:d"])


@pytest.mark.parametrize("part", ["leffa", "flow_weight", "occupancy_weight", "none"])
def test_every_loss_can_stand_alone(tmp_path, part):
    off = {"leffa": None, "flow_weight": 0.0, "occupancy_weight": 0.0}
    on = {part: getattr(TOY, part)} if part != "none" else {}
    assert train(pipeline(), Rows(), tmp_path, replace(TOY, steps=1, **{**off, **on}))


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import torch
from PIL import Image
torch.set_num_threads(1)
from test_training import TOY, Rows, pipeline
from dataclasses import replace
from leffa.training import checkpoint
import leffa.training.loop as loop
real = torch.save
written = []
def slow(state, file):
    # die in the middle of writing the checkpoint of step 3
    written.append(file)
    if len(written) == 3:
        file.write(b"half a checkpoint")
        file.flush()
        print("WRITING", flush=True)
        import time
        time.sleep(60)
    real(state, file)
torch.save = slow
loop.train(pipeline(), Rows(), Path(sys.argv[1]), TOY)
"""


def test_a_kill_in_the_middle_of_a_checkpoint_loses_nothing(tmp_path):
    script = textwrap.dedent(SCRIPT.format(tests=os.path.dirname(__file__)))
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    for line in process.stdout:
        if "WRITING" in line or time.monotonic() > deadline:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert any(name.endswith(".part") for name in left), left
    straight = weights(train(pipeline(), Rows(), tmp_path / "straight", TOY))
    resumed = weights(train(pipeline(), Rows(), tmp_path / "run", TOY))
    assert same(straight, resumed)
    assert not list((tmp_path / "run" / "checkpoints").glob("*.part"))


def test_checkpoints_keep_the_last_two_and_refuse_foreign_pickles(tmp_path):
    for step in (1, 2, 10):
        checkpoint.save(tmp_path, step, {"x": torch.tensor(step)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002.pt", "step-00000010.pt"]
    assert checkpoint.load_latest(tmp_path)[0] == 10
    (tmp_path / "step-00000011.pt").write_bytes(b"cut off")
    with pytest.raises(WeightsError, match="delete it"):
        checkpoint.load_latest(tmp_path)
    assert checkpoint.load_latest(tmp_path / "nothing") is None


def test_batches_depend_on_seed_and_step_alone_and_deal_every_row_once():
    def take(count, **options):
        sampler = iter(StepSampler(10, 3, **options))
        return [next(sampler) for _ in range(count)]

    all_steps = take(10, seed=0)
    assert take(4, seed=0, first_step=6) == all_steps[6:]
    flat = [row for batch in all_steps for row in batch]
    assert sorted(flat[:10]) == sorted(flat[10:20]) == list(range(10))
    assert flat[:10] != flat[10:20]
    assert take(10, seed=1) != all_steps
    ranks = [take(5, seed=0, rank=rank, world=2) for rank in (0, 1)]
    interleaved = [batch for pair in zip(*ranks, strict=True) for batch in pair]
    assert interleaved == all_steps


def test_step_seeds_differ():
    seeds = {step_seed(a, b, c, d) for a in range(3) for b in range(20) for c in range(3) for d in range(2)}
    assert len(seeds) == 3 * 20 * 3 * 2


def test_learning_rate_rises_stays_and_falls():
    settings = TrainingSettings(steps=100, learning_rate=1.0, warmup=10, cooldown=20)
    rates = [settings.learning_rate_at(step) for step in range(100)]
    assert rates[0] == 0.1 and rates[9] == 1 and rates[50] == 1 and rates[80] == 1 and rates[99] == 0.05
    assert TrainingSettings().learning_rate_at(0) == TrainingSettings().learning_rate_at(9_999) == 1e-5


def test_settings_refuse_nonsense_and_presets_follow_the_paper():
    for change in ({"steps": 0}, {"reference_dropout": 2}, {"precision": "fp8"}):
        with pytest.raises(LeffaError):
            TrainingSettings(**change)
    assert PRESETS["paper-tryon-2"].leffa is None
    final = PRESETS["paper-tryon-3"]
    assert final.size == (1024, 768) and final.leffa.weight == 1e-3 and final.leffa.temperature == 2.0
    assert final.leffa.max_timestep == 500 and final.leffa.min_resolution == 1 / 32


def test_settings_are_changed_by_name():
    final = PRESETS["paper-tryon-3"]
    more = changed(
        final, ["size=[256,192]", "learning_rate=1", "freeze=reference_unet.", 'leffa={"weight": 0.01}']
    )
    assert more.size == (256, 192) and more.learning_rate == 1.0 and more.freeze == ("reference_unet.",)
    assert more.leffa == LeffaLossConfig(weight=0.01)
    assert changed(final, ["leffa=null"]).leffa is None
    smooth = changed(PRESETS["tiny-1"], ['leffa={"photometric": "smooth-l1"}']).leffa
    assert smooth is not None and smooth.photometric is Photometric.SMOOTH_L1
    for wrong in (
        "step=3",
        "steps",
        "steps=many",
        "leffa=on",
        'leffa={"tau": 1}',
        'leffa={"convention": "x"}',
    ):
        with pytest.raises(LeffaError, match="--set"):
            changed(final, [wrong])


def test_the_flow_is_learnt_in_a_minute(tmp_path):
    """The end-to-end check of processors, grid order, flow and loss: error under 10 % of the width.

    A swapped x and y, or a flow taken as an offset, does not get there.
    """
    settings = TrainingSettings(
        size=(64, 48),
        steps=150,
        batch=12,
        learning_rate=3e-3,
        ema=0.9,
        flow_weight=1.0,
        save_every=1000,
        log_every=50,
    )
    trained = pipeline()
    before = flow_errors(trained, Rows())["mean"]
    train(trained, Rows(), tmp_path, settings)
    after = flow_errors(trained, Rows())
    assert before > 20
    assert min(value for name, value in after.items() if name != "mean") < 10, after


class Pictures(Dataset):
    """Rows not encoded yet, with no known correspondence, as real data sets give them."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        row = Rows()[index]
        return {name: row[name] for name in ("person", "reference", "loss_mask")} | {
            "mask": row["loss_mask"],
            "densepose": torch.zeros(3, 64, 48),
        }


def test_held_out_pictures_are_looked_at_without_a_cache(tmp_path):
    settings = replace(TOY, flow_weight=0, occupancy_weight=0, steps=1, evaluate_every=1)
    train(pipeline(), Pictures(), tmp_path, settings, held_out=Pictures())
    sheet = Image.open(tmp_path / "samples" / "step-00000001.png")
    assert sheet.size == (3 * 48, 5 * 64)  # reference, masked person, result, truth, warped reference
    assert flow_errors(pipeline(), Pictures()) == {}


def test_the_sheet_shows_where_the_model_looks():
    known = sample_grid(pipeline(), Rows(), count=2)
    assert known.shape == (3, 6 * 64, 2 * 48) and known.min() >= 0 and known.max() <= 1
    warped, truth = known[:, 4 * 64 : 5 * 64], known[:, 5 * 64 :]
    assert not torch.equal(warped, truth)
