"""Where a model runs: the next smaller way when memory runs out, and weights of 8 bits."""

from dataclasses import replace

import pytest
import torch

from leffa.errors import LeffaError
from leffa.model import presets
from leffa.model.pipeline import LeffaPipeline
from leffa.run import placement
from leffa.run.findings import Findings
from leffa.run.pipelines import Pipelines
from leffa.weights import models

INTO = {"output_type": "pt", "num_inference_steps": 2, "return_flow": True}


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    presets.pipeline("toy").save_pretrained(tmp_path)
    return replace(models.BUNDLED, folder=tmp_path, size=(64, 48))


@pytest.fixture
def run(model, inputs):
    def run(pipelines):
        generator = torch.Generator().manual_seed(0)
        return pipelines.run(model, 1, lambda: {**inputs, **INTO, "generator": generator}, Findings())

    return run


@pytest.fixture
def short_of_memory(monkeypatch):
    """``short_of_memory(n)``: the next n runs end for want of memory."""
    left = [0]
    call = LeffaPipeline.__call__

    def failing(self, *arguments, **options):
        if left[0]:
            left[0] -= 1
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] can't allocate memory: you tried to")
        return call(self, *arguments, **options)

    monkeypatch.setattr(LeffaPipeline, "__call__", failing)

    def set_left(count):
        left[0] = count

    return set_left


def test_out_of_memory_falls_to_the_next_smaller_way_and_says_so(model, run, short_of_memory, monkeypatch):
    monkeypatch.setattr(placement, "has_eight_bit", lambda: False)
    pipelines = Pipelines("cpu")
    whole, notes = run(pipelines)
    assert notes == [] and str(pipelines.placement(model)) == "cpu, float32, plain"
    short_of_memory(1)
    tiled, notes = run(pipelines)
    assert notes == [
        "Memory ran out on cpu in the mode 'plain'; "
        "the picture was made in cpu, float32, tiled, which is slower."
    ]
    assert torch.allclose(tiled.images, whole.images, atol=1e-5)  # one tile holds so small a picture
    assert str(pipelines.placement(model)) == "cpu, float32, tiled"
    short_of_memory(1)
    half, notes = run(pipelines)
    assert "cpu, bfloat16, tiled" in notes[0]
    assert 0 < (half.images - whole.images).abs().max() < 0.3
    short_of_memory(1)
    with pytest.raises(LeffaError, match="too little memory for bundled on cpu: close other programs"):
        run(pipelines)
    assert run(pipelines)[1] == []  # nothing is left of the failure


def test_other_failures_are_not_taken_for_memory(run, monkeypatch):
    def failing(*arguments, **options):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(LeffaPipeline, "__call__", failing)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(Pipelines("cpu"))


def test_weights_of_eight_bits_paint_nearly_the_same(model, run, short_of_memory):
    pytest.importorskip("torchao")
    whole, _ = run(Pipelines("cpu"))
    pipelines = Pipelines("cpu", "8-bit")
    small, notes = run(pipelines)
    assert notes == [] and str(pipelines.placement(model)) == "cpu, bfloat16, 8-bit"
    assert 0 < (small.images - whole.images).abs().max() < 0.3
    assert (small.flow[0].merged.flow - whole.flow[0].merged.flow).abs().max() < 0.05
    unet = pipelines._loaded[model.name].pipeline.unet
    weight = unet.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q").weight
    held = [getattr(weight, name).dtype for name in weight.__tensor_flatten__()[0]]
    assert torch.int8 in held
    short_of_memory(1)
    with pytest.raises(LeffaError, match="too little memory"):
        run(pipelines)


def test_eight_bits_come_last_and_ask_for_their_library(monkeypatch):
    monkeypatch.setattr(placement, "has_eight_bit", lambda: True)
    assert [str(way) for way in placement.ways("mps", "float16")][-1] == "mps, float16, 8-bit"
    assert "8-bit" not in str(placement.ways("cuda", "float16"))
    asked = placement.Placement("cuda", "float16", placement.Memory.EIGHT_BIT)
    assert str(asked.smaller()) == "cuda, float16, offload"
    monkeypatch.setattr(placement, "has_eight_bit", lambda: False)
    with pytest.raises(LeffaError, match=r"pip install -e '\.\[eight-bit\]'"):
        Pipelines("cpu", "8-bit").placement(models.BUNDLED)
