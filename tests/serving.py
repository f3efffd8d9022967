"""The app on toy weights and a free port, with pictures of synthetic people: for client and browser tests."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageOps


@dataclass(frozen=True)
class Pictures:
    """Files to upload: two people, a garment on a plain ground, and things that are no use."""

    person: Path
    other: Path
    garment: Path
    nobody: Path
    broken: Path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory, person, garment) -> Pictures:
    folder = tmp_path_factory.mktemp("pictures")
    person.save(folder / "person.png")
    ImageOps.mirror(person).save(folder / "other.png")
    garment.save(folder / "garment.png")
    Image.new("RGB", (256, 320), (120, 160, 90)).save(folder / "nobody.png")
    (folder / "broken.png").write_bytes((folder / "person.png").read_bytes()[:5000])
    return Pictures(*(folder / f"{field.name}.png" for field in dataclasses.fields(Pictures)))


@pytest.fixture(scope="module")
def toy_model(tmp_path_factory):
    """The registry's only model, replaced by an untrained toy."""
    import torch

    from leffa.model import presets
    from leffa.weights import models

    folder = tmp_path_factory.mktemp("toy")
    torch.manual_seed(0)
    presets.pipeline("toy").save_pretrained(folder)
    toy = dataclasses.replace(models.BUNDLED, folder=folder, size=(64, 48), steps=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "MODELS", {toy.name: toy})
        yield toy


@pytest.fixture(scope="module")
def app(toy_model, tmp_path_factory) -> Iterator[str]:
    """Address of a running app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        from demo.launch import Options, launch

        page = launch(Options(port=free_port()), wait=False)
        yield page.local_url
        page.close()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
