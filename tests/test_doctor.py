"""``leffa doctor`` on a bare machine, on one with everything, and on graphics cards of several sizes."""

from dataclasses import replace
from importlib import metadata
from time import perf_counter

import pytest
import torch

from leffa import cli
from leffa.errors import LeffaError
from leffa.model import presets
from leffa.run import speed
from leffa.run.machine import Machine, inspect
from leffa.run.placement import Memory, Needs, Placement, choose
from leffa.run.settings import Settings, as_options, quickest
from leffa.weights import models, pose_models, published
from leffa.weights.checksums import Checksums

HEADER = b'{"__metadata__":{"for":"tests"}}'
EMPTY = len(HEADER).to_bytes(8, "little") + HEADER  # a safetensors file without tensors
GENERATORS = {
    "viton-hd": "viton-hd",
    "dress-code": "dress-code",
    "deep-fashion": "pose-demo",
    "bundled": "body",
}


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """An empty folder of weights that the whole registry looks at; the speed of the machine is given."""
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path)
    for name, model in models.MODELS.items():
        monkeypatch.setitem(models.MODELS, name, replace(model, folder=tmp_path / name))
    monkeypatch.setattr(speed, "measure", lambda machine, dtype: 1e12)
    return tmp_path


@pytest.fixture
def everything(checkpoints):
    """Toy weights under every name, their checksums recorded as after ``leffa download``."""
    toy = presets.pipeline("toy")
    for name, encoding in GENERATORS.items():
        toy.register_to_config(densepose_encoding=encoding)
        toy.save_pretrained(checkpoints / name)
    for name in ("densepose", "openpose", "parsing"):
        (checkpoints / name).mkdir()
        (checkpoints / name / f"{name}.safetensors").write_bytes(EMPTY)
    record = {"repository": published.REPOSITORY, "revision": published.REVISION, "dtype": "float16"}
    for name in published.SETS:
        Checksums(checkpoints).record_kept(name, record)
    return checkpoints


def told(capsys, *arguments):
    status = cli.main(["doctor", *arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return status, printed.out, printed.err


def test_a_bare_machine(checkpoints, capsys, monkeypatch):
    real = metadata.version

    def version(name):
        if name == "onnxruntime":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(pose_models, "fetched", lambda: checkpoints / "mediapipe")
    status, out, error = told(capsys)
    assert status == 2 and "there is nothing to run" in error and "leffa download" in error
    assert "onnxruntime      MISSING: human parsing" in out and "pip install onnxruntime" in out
    for name, command in (("viton-hd", "tryon"), ("densepose", "preprocess"), ("deep-fashion", "pose")):
        assert f"{name:<17}missing: `leffa download --what {command}` fetches" in out
    assert out.count("   licence: ") == len(published.SETS) + 1
    assert "try_on           nothing: no weights are here" in out
    assert "dress-code     once fetched: cpu, " in out
    assert ("found by MediaPipe" if pose_models.packaged() else pose_models.COMMAND) in out
    assert "cores" in out and "of it free" in out and "free for weights" in out and "1.0 TFLOP/s" in out


def test_without_torch_it_still_answers(checkpoints, capsys, monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    status, out, error = told(capsys)
    assert status == 2 and "torch and diffusers and safetensors cannot be loaded" in error
    assert "torch            MISSING: nothing runs without it" in out and "weights in" in out


def test_a_machine_with_everything(everything, capsys):
    status, out, error = told(capsys, "--thorough")
    assert (status, error) == (0, "")
    assert out.count("every byte as recorded") == len(published.SETS) and "missing" not in out
    assert f"{published.REPOSITORY} at {published.REVISION[:12]}, float16" in out
    assert "  viton-hd/unet/diffusion_pytorch_model.safetensors" in out
    assert "viton-hd       is taken: cpu, float32, plain; " in out
    assert "dress-code     on request: " in out and "deep-fashion   is taken" in out
    assert "found by DensePose, OpenPose and human parsing" in out
    for licence in ("VITON-HD, whose pictures are for non-commercial use", "CMU OpenPose", "licence: MIT"):
        assert licence in out


def test_a_flipped_byte_is_found_by_reading_and_a_missing_file_at_once(everything, capsys):
    path = everything / "openpose" / "openpose.safetensors"
    path.write_bytes(EMPTY.replace(b"tests", b"testz"))
    assert told(capsys)[0] == 0
    status, out, error = told(capsys, "--thorough")
    assert status == 2 and "damaged weights: openpose: `leffa download`" in error
    assert "DAMAGED: openpose/openpose.safetensors has changed since it was recorded" in out
    path.unlink()
    status, out, error = told(capsys)
    assert status == 2 and "openpose/openpose.safetensors is missing" in out


def card(free, name="a card"):
    return Machine("cuda", name, 24_000_000_000, free, 32_000_000_000, 30_000_000_000, 8)


@pytest.mark.parametrize(
    ("free", "try_on", "pose"),
    [
        (24e9, "float16, plain", "float16, plain"),
        (6e9, "float16, plain", "float16, sequential"),
        (4e9, "float16, offload", "float16, sequential"),
        (2e9, "float16, sequential", "float16, sequential"),
    ],
)
def test_graphics_cards_of_several_sizes(checkpoints, capsys, monkeypatch, free, try_on, pose):
    monkeypatch.setattr("leffa.run.machine.inspect", lambda device: card(int(free)))
    _, out, _ = told(capsys)
    assert f"viton-hd       once fetched: cuda, {try_on}; " in out
    assert f"deep-fashion   once fetched: cuda, {pose}; " in out
    assert "main memory" in out and ("MORE THAN IS FREE" in out) == (free < 1.7e9)


def test_the_memory_that_the_published_models_are_expected_to_take():
    """The aims: try-on under 6 GB plain and under 4 GB offloaded, pose transfer under 12 GB somehow."""
    try_on = Needs.of_published(published.VITON_HD, (1024, 768))
    pose = Needs.of_published(published.DEEP_FASHION, (1024, 768))
    sizes = {
        mode: [needs.memory(Placement("cuda", "float16", mode)) for needs in (try_on, pose)]
        for mode in Memory
    }
    assert 3.6e9 < sizes[Memory.PLAIN][0] < 6e9 and sizes[Memory.OFFLOAD][0] < 4e9
    assert sizes[Memory.PLAIN][1] > 10.5e9 and sizes[Memory.OFFLOAD][1] < 12e9
    for small in (0, 1):
        steps = [sizes[mode][small] for mode in Memory if mode is not Memory.EIGHT_BIT]
        assert steps == sorted(steps, reverse=True)
        assert sizes[Memory.TILED][small] > sizes[Memory.EIGHT_BIT][small] > sizes[Memory.OFFLOAD][small]
    assert choose(card(12_000_000_000, "GTX 1660"), try_on).dtype == "float32"


def test_memory_counts_what_is_saved(everything):
    """The estimate for weights on the disk knows their headers only."""
    model = models.MODELS["viton-hd"]
    toy = presets.pipeline("toy")
    needs = Needs.of(model.folder, model.size, samples=2)
    for counted, module in (
        (needs.reference, toy.reference_unet),
        (needs.unet, toy.unet),
        (needs.vae, toy.vae),
    ):
        assert counted == sum(parameter.numel() for parameter in module.parameters())
    linear = [
        layer.weight.numel()
        for net in (toy.reference_unet, toy.unet)
        for layer in net.modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    assert needs.linear == sum(linear) > 0
    assert needs.pixels == 1024 * 768 and needs.samples == 2


def test_seconds_follow_arithmetic_and_transport():
    model = models.VITON_HD
    needs = Needs.of_published(published.VITON_HD, model.size)
    plain, offload, sequential = (
        speed.seconds(model, Settings().resolved(model), Placement("cuda", "float16", mode), needs, 1e13)
        for mode in (Memory.PLAIN, Memory.OFFLOAD, Memory.SEQUENTIAL)
    )
    assert plain == pytest.approx((30 * 14.08 + 28.09) / 10 + 30 * 0.02)
    assert plain < offload < sequential
    assert [speed.duration_text(value) for value in (1.24, 42.2, 600, 7200)] == [
        "1.2 s",
        "42 s",
        "10 min",
        "2.0 h",
    ]
    assert speed.rate(5e12) == "5.0 TFLOP/s" and speed.rate(5e10) == "50.0 GFLOP/s"


def test_seconds_follow_size_and_pace():
    model, placement = models.VITON_HD, Placement("cpu", "float32", Memory.PLAIN)

    def estimate(**settings):
        resolved = Settings(**settings).resolved(model)
        needs = Needs.of_published(published.VITON_HD, resolved.size)
        return speed.seconds(model, resolved, placement, needs, 1e12) - resolved.steps * 0.02

    cost, small = model.cost, model.smaller[512, 384]
    assert estimate() == pytest.approx(30 * cost.step + cost.once)
    assert estimate(size=(512, 384), steps=10) == pytest.approx(10 * small.step + small.once)
    # six steps, guidance in the first 70 %: five of them
    assert estimate(pace="fast") == pytest.approx(cost.read + 5.5 * cost.paint + cost.once)
    assert estimate(reuse_reference=True, guidance_scale=1) == pytest.approx(
        cost.read + 15 * cost.paint + cost.once
    )
    assert estimate(size=(512, 384), pace="fast") < estimate() / 20


def test_a_size_is_one_of_the_models(everything):
    model = models.MODELS["viton-hd"]
    assert Settings().resolved(model).size == model.size == (1024, 768)
    small = Settings(size=[512, 384]).resolved(model)  # as a record brings it back
    assert small.size == (512, 384) and small.again().resolved(model) == small
    assert model.at(small.size).size == small.size and model.at(model.size) is model
    for wrong in ((256, 192), (512, 512), 512, "small"):
        with pytest.raises(LeffaError, match="viton-hd paints at 1024x768 or 768x576 or 512x384, not at"):
            Settings(size=wrong).resolved(model)
    with pytest.raises(LeffaError, match="bundled paints at 256x192, not at"):
        Settings(size=(512, 384)).resolved(models.MODELS["bundled"])


def test_a_machine_without_a_graphics_card_is_told_what_is_quicker(everything, capsys, monkeypatch):
    _, out, _ = told(capsys, "--device", "cpu")
    asked = "--size 512x384 --pace fast"
    assert as_options(quickest(models.VITON_HD)) == asked
    assert out.count(f"with `leffa tryon PERSON GARMENT -o OUT {asked}`") == 2
    assert out.count(f"with `leffa pose REFERENCE POSE -o OUT {asked}`") == 1
    monkeypatch.setattr("leffa.run.machine.inspect", lambda device: card(int(20e9)))
    assert asked not in told(capsys)[1]


def test_the_speed_is_that_of_this_machine(monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.01)
    found = speed.measure(inspect("cpu"), "float32")
    layer, picture = torch.nn.Conv2d(320, 320, 3, padding=1), torch.ones(1, 320, 64, 48)
    with torch.inference_mode():
        start = perf_counter()
        layer(picture)
        alone = 2 * 9 * 320**2 * 64 * 48 / (perf_counter() - start)
    assert alone / 100 < found < alone * 100


def test_a_slow_device_is_not_measured_at_full_size(monkeypatch):
    """Half precision without hardware for it: the trial alone tells, or the command would stand long."""
    seen = []
    monkeypatch.setattr(speed, "_PATIENCE", 0.0)
    whole = torch.nn.Conv2d.forward

    def forward(layer, inputs):
        seen.append(tuple(inputs.shape[-2:]))
        return whole(layer, inputs)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)
    assert 0 < speed.measure(inspect("cpu"), "float32") < float("inf")
    assert set(seen) == {speed._TRIAL}


def test_bad_choices_are_one_sentence(everything, capsys):
    assert told(capsys, "--device", "tpu")[0] == 2
    status, _, error = told(capsys, "--device", "cpu", "--memory", "offload")
    assert status == 2 and "'offload' needs a graphics card" in error
