"""The preprocessors with weights drawn by name, loaded from files the way the published ones are."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_weights import draw_densepose, draw_openpose

from leffa.preprocess.official.densepose import DensePose
from leffa.preprocess.official.densepose.network import DensePoseNetwork
from leffa.preprocess.official.openpose import OpenPoseBody
from leffa.preprocess.official.openpose.network import OpenPoseNetwork


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def goldens(shared: Path) -> Path:
    return shared / "golden" / "preprocess"


def shapes_of(network_class: type[torch.nn.Module]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in network_class().state_dict().items()}


@pytest.fixture(scope="session")
def strict_densepose(tmp_path_factory: pytest.TempPathFactory) -> DensePose:
    """Strict DensePose from a file as the model zoo writes it, with what else such files carry."""
    state = {name: tensor.numpy() for name, tensor in draw_densepose(shapes_of(DensePoseNetwork)).items()}
    state["pixel_mean"] = np.zeros((3, 1, 1), np.float32)
    state["proposal_generator.anchor_generator.cell_anchors.0"] = np.zeros((3, 4), np.float32)
    path = tmp_path_factory.mktemp("densepose") / "model.pkl"
    with path.open("wb") as file:
        pickle.dump({"model": state, "__author__": "Detectron2 Model Zoo"}, file, protocol=4)
    densepose = DensePose.from_file(path, strict=True)
    path.unlink()  # a quarter of a gigabyte
    return densepose


@pytest.fixture(scope="session")
def densepose(strict_densepose: DensePose) -> DensePose:
    """The same with the slips mended."""
    return DensePose(strict_densepose.network, strict=False)


@pytest.fixture(scope="session")
def openpose(tmp_path_factory: pytest.TempPathFactory) -> OpenPoseBody:
    path = tmp_path_factory.mktemp("openpose") / "body_pose_model.pth"
    torch.save(draw_openpose(shapes_of(OpenPoseNetwork)), path)
    openpose = OpenPoseBody.from_file(path, strict=True)
    path.unlink()
    return openpose
