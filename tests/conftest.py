"""Fixtures shared by all tests: toy components on the CPU, and the golden data where it lies."""

import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of what the tests start
torch.set_num_threads(1)  # small tensors: a second thread costs more than it gives


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout with golden data and photographs that may not enter the repository."""
    root = Path(os.environ.get("LEFFA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not root.is_dir():
        pytest.skip("needs the golden data beside the checkout")
    return root


@pytest.fixture
def toy():
    """An untrained toy pipeline with fixed weights; 64x48 pictures have 8x6 latents."""
    from leffa.model import presets

    torch.manual_seed(0)
    return presets.pipeline("toy")


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    """A batch of two 64x48 inputs for a call of the toy pipeline."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand((3, 2, 3, 64, 48), generator=generator) * 2 - 1
    mask = torch.zeros(2, 1, 64, 48)
    mask[:, :, 16:48, 8:40] = 1
    return {"person": pictures[0], "reference": pictures[1], "densepose": pictures[2], "mask": mask}


@pytest.fixture(scope="session")
def synthetic_sample():
    """A synthetic person in a top, seen from the front, that mediapipe finds; 512x384."""
    from leffa.config import Garment
    from leffa.synthetic.identity import Split
    from leffa.synthetic.samples import Settings, make_try_on

    return make_try_on(
        14, Settings(split=Split.TEST, size=(512, 384), kind=Garment.UPPER, reuse=1, damage=False)
    )


@pytest.fixture(scope="session")
def person(synthetic_sample):
    """PIL photo of a synthetic person, 384x512."""
    from leffa.images import to_pil

    return to_pil(synthetic_sample.person)


@pytest.fixture(scope="session")
def garment(synthetic_sample):
    """PIL product shot of a synthetic top, 384x512."""
    from leffa.images import to_pil

    return to_pil(synthetic_sample.reference)


@pytest.fixture(scope="session")
def seated_person():
    """PIL photo of a synthetic person who sits, 384x512."""
    from leffa.config import Garment
    from leffa.images import to_pil
    from leffa.synthetic import scene
    from leffa.synthetic.body.pose_library import POSES
    from leffa.synthetic.identity import Split
    from leffa.synthetic.samples import Settings, make_try_on

    seated = next(pose for pose in POSES if pose.name == "seated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene, "_draw_pose", lambda rng, from_behind=True: seated)
        settings = Settings(split=Split.TEST, size=(512, 384), kind=Garment.LOWER, reuse=1, damage=False)
        return to_pil(make_try_on(14, settings).person)
