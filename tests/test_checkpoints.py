"""``leffa download`` against a stand-in hub: fetch, verify, convert, and everything that can go wrong."""

import inspect
import json
import os
import pickle
import resource
import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from official_stand_ins import LARGE, Eyes, joints_of
from safetensors.torch import load_file
from stand_in_hub import StandInHub, saved, tiny_files

from leffa.engine import Engine
from leffa.errors import WeightsError
from leffa.model.pipeline import LeffaPipeline
from leffa.run.settings import Settings
from leffa.weights import conversion, downloads, hub, models
from leffa.weights.checksums import Checksums
from leffa.weights.downloads import Request, download
from leffa.weights.published import CHOICES, OPENPOSE, REVISION, VITON_HD

WEIGHTS = "virtual_tryon.pth"
JOINTS = "openpose/body_pose_model.pth"
PARTS = "densepose/model_final_162be9.pkl"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_files(tmp_path_factory.mktemp("published"))


@pytest.fixture
def server(tiny, monkeypatch, tmp_path):
    """The stand-in, serving, named by HF_ENDPOINT; huggingface_hub is online and has an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with StandInHub(dict(tiny)).serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def wish(tmp_path):
    return Request(tmp_path / "weights")


@pytest.fixture
def small_chunks(monkeypatch):
    """What arrives is written every kilobyte and not every 10 MB, and retries do not wait."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)


@pytest.fixture
def said():
    return []


def test_try_on_is_fetched_verified_converted_and_cleaned_up(server, wish, said, tiny, tmp_path):
    assert download("tryon", wish, tell=said.append) == ["viton-hd", "densepose", "openpose", "parsing"]
    assert {path.name for path in wish.folder.iterdir() if path.is_dir()} == {
        "viton-hd",
        "densepose",
        "openpose",
        "parsing",
    }
    assert not list(wish.folder.rglob("*.pth")) and not list(wish.folder.rglob("*.pkl"))
    asked = {name for _, name, _ in server.requests}
    assert "pose_transfer.pth" not in asked and "virtual_tryon_dc.pth" not in asked
    assert any("licence" in line and "non-commercial" in line for line in said)

    pipeline = LeffaPipeline.from_pretrained(wish.folder / "viton-hd", use_safetensors=True)
    assert pipeline.config.densepose_encoding == "viton-hd"
    assert not pipeline.scheduler.config.rescale_betas_zero_snr
    (tmp_path / WEIGHTS).write_bytes(tiny[WEIGHTS])
    official = torch.load(tmp_path / WEIGHTS, weights_only=True)
    for name, value in pipeline.official_state_dict().items():
        assert torch.equal(value, official[name].half().float()), name
    stored = load_file(wish.folder / "viton-hd" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    densepose = load_file(wish.folder / "densepose" / "densepose.safetensors")
    assert torch.equal(densepose["backbone.weight"], torch.ones(64, 64))
    assert (wish.folder / "parsing" / "parsing_lip.onnx").read_bytes() == tiny[
        "humanparsing/parsing_lip.onnx"
    ]

    # The second time everything is here, and nobody is asked.
    server.requests.clear()
    said.clear()
    assert download("tryon", wish, tell=said.append) == []
    assert server.requests == [] and "viton-hd is here and whole" in said


def test_from_the_hub_to_a_picture(server, wish, monkeypatch, person, garment):
    """Fetch, verify, convert, generate; only the frame is smaller, and the eyes are a stand-in."""
    download("tryon", wish)
    fetched = replace(models.VITON_HD, folder=wish.folder / "viton-hd", size=(64, 48), steps=2)
    monkeypatch.setattr(models, "CHECKPOINTS", wish.folder)
    monkeypatch.setitem(models.MODELS, "viton-hd", fetched)
    monkeypatch.setitem(models.MODELS, "bundled", replace(models.BUNDLED, folder=wish.folder / "bundled"))
    engine = Engine("cpu")
    engine._preparation._networks = Eyes(joints=joints_of(LARGE))
    result = engine.try_on(person, garment, "upper", settings=Settings(seed=1))
    assert result.model == "viton-hd" and result.images[0].size == person.size
    assert result.notes == ["2 people in the picture; the largest is taken."]
    before, after = np.asarray(result.photo), np.asarray(result.images[0])
    changed = (before != after).any(axis=2)
    assert changed.any() and not (changed & (result.mask == 0)).any()


def test_pose_transfer_takes_densepose_only_and_keeps_its_vae_in_float32(server, wish):
    assert download("pose", wish) == ["deep-fashion", "densepose"]
    pipeline = LeffaPipeline.from_pretrained(wish.folder / "deep-fashion")
    assert pipeline.config.densepose_encoding == "pose-demo"
    assert pipeline.scheduler.config.rescale_betas_zero_snr and pipeline.vae.config.force_upcast
    assert float(pipeline.scheduler.alphas_cumprod[-1]) < 1e-6
    vae = load_file(wish.folder / "deep-fashion" / "vae" / "diffusion_pytorch_model.safetensors")
    unet = load_file(wish.folder / "deep-fashion" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in vae.values()} == {torch.float32}
    assert {value.dtype for value in unet.values()} == {torch.float16}
    assert not any("add_embedding" in name for name in unet)


def test_float32_keeps_every_bit(server, wish, tiny, tmp_path):
    wish = replace(wish, dtype="float32", keep_raw=True)
    download("tryon-dresscode", wish)
    raw = wish.raw / "virtual_tryon_dc.pth"
    official = torch.load(raw, weights_only=True)
    converted = LeffaPipeline.from_pretrained(wish.folder / "dress-code")
    assert converted.config.densepose_encoding == "dress-code"
    assert all(torch.equal(value, official[name]) for name, value in converted.official_state_dict().items())
    plain = LeffaPipeline.from_base(wish.raw / VITON_HD.base).load_official(raw)
    for scheduler in (plain.scheduler, converted.scheduler):
        scheduler.set_timesteps(7)
    assert torch.equal(plain.scheduler.timesteps, converted.scheduler.timesteps)
    assert torch.equal(plain.scheduler.alphas_cumprod, converted.scheduler.alphas_cumprod)


def test_a_cut_connection_is_taken_up_again_within_the_run(server, wish, tiny, small_chunks):
    server.cut_after, server.cuts = len(tiny[PARTS]) // 3, 2
    download("preprocess", wish)
    starts = [first for method, name, first in server.requests if (method, name) == ("GET", PARTS)]
    assert len(starts) == 3 and starts[0] == 0 < starts[1] < starts[2]
    assert load_file(wish.folder / "densepose" / "densepose.safetensors")["backbone.weight"].sum() == 64 * 64


def test_a_cut_connection_is_taken_up_again_by_the_next_run(server, wish, tiny, small_chunks, monkeypatch):
    server.cut_after, server.die = len(tiny[PARTS]) // 3, True
    with pytest.raises(WeightsError, match=r"broke off while .* are kept: run the same command again"):
        download("preprocess", wish)
    assert list(wish.folder.rglob("*.part")) and not (wish.folder / "densepose").exists()
    server.gone.clear()
    server.cut_after = None
    server.requests.clear()
    download("preprocess", wish)
    (start,) = [first for method, name, first in server.requests if (method, name) == ("GET", PARTS)]
    assert 0 < start <= len(tiny[PARTS]) // 3
    assert not list(wish.folder.rglob("*.part"))


def test_a_file_that_is_not_what_the_hub_announced_is_refused_and_thrown_away(server, wish):
    server.lie.add(JOINTS)
    with pytest.raises(WeightsError, match=r"body_pose_model\.pth is not what http.* announced"):
        download("preprocess", wish)
    assert not list(wish.folder.rglob("body_pose_model.pth")) and not (wish.folder / "openpose").exists()
    server.lie.clear()
    assert "openpose" in download("preprocess", wish)


def test_a_file_that_is_not_the_one_of_the_first_use_is_refused(server, wish):
    download("preprocess", wish)
    shutil.rmtree(wish.folder / "openpose")
    server.files[JOINTS] = saved({"conv1_1.weight": torch.zeros(64, 64)})
    with pytest.raises(WeightsError, match="not the file that was recorded at first use"):
        download("preprocess", wish)
    assert not (wish.folder / "openpose").exists()


def test_a_damaged_kept_file_is_noticed_and_fetched_again(server, wish, said):
    download("preprocess", wish)
    path = wish.folder / "densepose" / "densepose.safetensors"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert Checksums(wish.folder).faults("densepose", thorough=False) == []
    assert download("preprocess", wish, tell=said.append) == ["densepose"]
    assert any("densepose is damaged (densepose/densepose.safetensors has changed" in line for line in said)
    assert path.read_bytes() == good


def test_the_published_checksums_bind_the_hub_and_are_told_of_a_mirror(server, wish, said, monkeypatch):
    download("preprocess", wish, tell=said.append)
    assert any("body_pose_model.pth: NOT the published file" in line for line in said)
    shutil.rmtree(wish.folder)
    monkeypatch.setattr(hub, "is_official", lambda: True)
    with pytest.raises(WeightsError, match=r"model_final_162be9\.pkl is not the published file"):
        download("preprocess", wish)
    assert next(file.sha256 for file in OPENPOSE.files).startswith("25a948c1")


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(server, wish, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    with pytest.raises(WeightsError, match=r"MB of disk are needed in .* and 0\.10 MB are free"):
        download("tryon", wish)
    assert not any(method == "GET" for method, _, _ in server.requests)


@contextmanager
def largest_file(size):
    """The system refuses to let any file of this process grow beyond ``size`` bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("moment", ["fetching", "converting"])
def test_a_disk_that_runs_full_is_a_sentence_and_the_next_run_goes_on(server, wish, monkeypatch, moment):
    step = {"fetching": hub.fetch, "converting": conversion.convert}[moment]

    def with_little_room(*arguments):
        with largest_file(9000):
            return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(inspect.getmodule(step), step.__name__, with_little_room)
        with pytest.raises(WeightsError, match=r"disk of .* is full: make room"):
            download("preprocess", wish)
    assert not (wish.folder / "densepose").exists() and not list(wish.folder.glob(".densepose*"))
    server.requests.clear()
    download("preprocess", wish)
    asked = [first for method, name, first in server.requests if (method, name) == ("GET", PARTS)]
    assert asked == ([9000] if moment == "fetching" else [])


def test_without_a_network(wish, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match=r"no connection to http://127\.0\.0\.1:9 .*HF_ENDPOINT"):
        download("tryon", wish)
    assert not list(wish.folder.glob("*/*"))


def test_offline_what_is_here_is_enough_and_what_is_not_is_named(server, wish, said, monkeypatch):
    from huggingface_hub import constants

    download("preprocess", wish)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    server.requests.clear()
    assert download("preprocess", wish, tell=said.append) == []
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE forbids"):
        download("pose", wish)
    assert server.requests == []


def test_a_private_repository_wants_a_token(server, wish, monkeypatch):
    server.token = "hf_right"
    for given in ("", "hf_wrong"):
        monkeypatch.setenv("HF_TOKEN", given)
        with pytest.raises(WeightsError, match=r"shows no repository .* private .* `hf auth login`"):
            download("preprocess", wish)
    server.is_gated = True
    with pytest.raises(WeightsError, match=r"wants an account .* accept its terms"):
        download("preprocess", wish)
    assert not any(wish.folder.glob("*/*"))
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert download("preprocess", wish) == ["densepose", "openpose", "parsing"]


def test_a_byte_that_flips_on_the_way_is_noticed(server, wish):
    server.flip.add(PARTS)
    with pytest.raises(WeightsError, match=r"model_final_162be9\.pkl is not what http.* announced"):
        download("preprocess", wish)
    assert not list(wish.folder.rglob("*.pkl*")) and not (wish.folder / "densepose").exists()
    server.flip.clear()
    assert "densepose" in download("preprocess", wish)


class Bomb:
    """A pickle of it makes the file ``canary`` where it is read by an ordinary unpickler."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("tryon", WEIGHTS),
        ("pose", "pose_transfer.pth"),
        ("preprocess", PARTS),
        ("preprocess", JOINTS),
    ],
)
@pytest.mark.parametrize("write", [saved, pickle.dumps])
def test_a_malicious_file_is_refused_by_name_and_not_run(server, wish, tmp_path, what, name, write, tiny):
    canary = tmp_path / "canary"
    server.files[name] = write({"weight": Bomb(canary), "padding": "x" * 5000})
    with pytest.raises(
        WeightsError, match=rf"{name.split('/')[-1]} was not loaded: it .* was not run"
    ) as told:
        download(what, wish)
    if write is saved:
        assert f"it asks for {os.system.__module__}.system" in str(told.value)
    assert not canary.exists()
    kept = {path.name for path in wish.folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert not kept & {"viton-hd", "deep-fashion", "densepose" if name == PARTS else "openpose"}
    server.files[name] = tiny[name]  # the repository is mended: the same command goes through
    assert download(what, wish)
    pickle.loads(pickle.dumps({"weight": Bomb(canary)}))  # the bomb is real
    assert canary.exists()


def test_errors_of_the_hub_are_sentences(server, wish, monkeypatch):
    with pytest.raises(WeightsError, match="has no commit 0000"):
        download("tryon", replace(wish, revision="0" * 40))
    del server.files["openpose/body_pose_model.pth"]
    with pytest.raises(WeightsError, match=r"has no file openpose/body_pose_model\.pth"):
        download("tryon", wish)
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/elsewhere")
    with pytest.raises(WeightsError, match="shows no repository"):
        download("tryon", wish)


def test_from_a_folder_that_has_the_files_nothing_is_fetched_or_taken_away(wish, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    source = tmp_path / "ckpts"
    for name, content in tiny.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    wanted = [item.name for item in CHOICES["tryon-dresscode"]]
    assert download("tryon-dresscode", replace(wish, source=source)) == wanted
    assert all((source / name).read_bytes() == content for name, content in tiny.items())
    assert (
        json.loads((wish.folder / "checksums.json").read_text())["kept"]["dress-code"]["revision"] == REVISION
    )


def test_a_dry_run_fetches_nothing(server, wish, said):
    assert download("all", wish, dry_run=True, tell=said.append) == []
    assert all(method == "HEAD" for method, _, _ in server.requests)
    assert any(line.startswith("deep-fashion: pose transfer") for line in said)
    assert not (wish.folder / "viton-hd").exists()


def test_a_broken_record_is_named(server, wish):
    wish.folder.mkdir()
    (wish.folder / "checksums.json").write_text("{")
    with pytest.raises(WeightsError, match=r"checksums\.json cannot be read .*delete it"):
        download("preprocess", wish)


def test_weights_that_do_not_fit_leave_nothing_behind(server, wish):
    server.files[WEIGHTS] = saved({"unet.conv_in.weight": torch.zeros(2, 2000)})
    with pytest.raises(WeightsError, match="does not fit this model"):
        download("tryon", wish)
    assert not (wish.folder / "viton-hd").exists() and not list(wish.folder.glob(".viton-hd*"))


def test_every_choice_holds_what_its_task_needs():
    names = {what: {item.name for item in sets} for what, sets in CHOICES.items()}
    assert names["all"] == set().union(*names.values())
    assert "parsing" not in names["pose"] and names["preprocess"] < names["tryon"]
    assert np.all([len(file.sha256) == 64 for s in CHOICES["all"] for file in s.files if file.sha256])
    assert downloads.is_complete(VITON_HD, downloads.Path("/nowhere")) is False
