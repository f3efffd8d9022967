"""Weights that are damaged, or hold no numbers, are refused with one sentence that names what is wrong."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from leffa.errors import WeightsError
from leffa.model import presets
from leffa.run.findings import Findings
from leffa.run.pipelines import Pipelines
from leffa.weights import models


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    torch.manual_seed(0)
    presets.pipeline("toy").save_pretrained(folder)
    return folder


@pytest.fixture
def copy(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "copy")


def load(folder):
    model = dataclasses.replace(models.BUNDLED, folder=folder, size=(64, 48))
    with pytest.raises(WeightsError) as raised:
        Pipelines("cpu").run(model, 1, dict, Findings())
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400
    return str(raised.value)


def changed(file, change):
    values = load_file(file)
    change(values)
    save_file(values, file, metadata={"format": "pt"})


@pytest.mark.parametrize("name", ["unet", "reference_unet", "vae"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_named(copy, name, value):
    spoilt = []

    def spoil(values):
        spoilt.append(sorted(key for key in values if values[key].ndim > 1)[3])
        values[spoilt[0]].view(-1)[7] = value

    changed(next((copy / name).glob("*.safetensors")), spoil)
    said = load(copy)
    assert f"{name}.{spoilt[0]}" in said and "not finite" in said


def test_empty_networks_are_refused(copy):
    file = next((copy / "unet").glob("*.safetensors"))
    changed(file, lambda values: [value.zero_() for value in values.values()])
    assert "all zero" in load(copy)


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "vae/config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"_class_name": 5}'])
def test_a_broken_description_is_one_sentence(copy, file, content):
    (copy / file).write_text(content)
    load(copy)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("unet/config.json", {"block_out_channels": "many"}),
        ("unet/config.json", {"block_out_channels": [7, 7]}),
        ("unet/config.json", {"sample_size": None, "in_channels": -1}),
        ("unet/config.json", {"attention_head_dim": 0}),
        ("vae/config.json", {"latent_channels": 99}),
        ("vae/config.json", {"down_block_types": ["Nonsense"]}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": "long"}),
    ],
)
def test_a_description_of_nonsense_is_one_sentence(copy, file, change):
    told = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps(told | change))
    load(copy)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"version https://git-lfs", b"<html>", None])
def test_a_broken_file_of_numbers_is_one_sentence(copy, content):
    file = next((copy / "unet").glob("*.safetensors"))
    if content is None:
        content = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(content)
    load(copy)
