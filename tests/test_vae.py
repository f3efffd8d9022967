import numpy as np
import pytest
import torch
from PIL import Image

from leffa.model import presets
from leffa.training.colour_path import lay_colour_path
from leffa.training.vae import Crops, center_latents, opponent, reconstruction_loss, train_vae


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(6):
        blocks = rng.integers(0, 255, (5, 4, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((80, 100), Image.Resampling.NEAREST).save(tmp_path / f"{i}.png")
    return sorted(tmp_path.iterdir())


def test_the_colour_path_carries_every_colour_before_any_training():
    torch.manual_seed(0)
    vae = presets.vae("tiny").eval()
    flat = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 0]])[:, :, None, None].expand(
        -1, -1, 64, 48
    )

    @torch.no_grad()
    def agreement():
        seen = vae.decode(vae.encode(flat).latent_dist.mode()).sample.mean(dim=(2, 3))
        return torch.corrcoef(torch.stack([seen.flatten(), flat[:, :, 0, 0].flatten()]))[0, 1]

    before = agreement()
    lay_colour_path(vae)
    assert agreement() > 0.95 and before < 0.7


def test_training_learns_resumes_and_centres(tmp_path, pictures):
    rows = Crops([], pictures, crop=32)

    def start():
        torch.manual_seed(0)
        return lay_colour_path(presets.vae("tiny"))

    train_vae(start(), rows, tmp_path / "parts", steps=2, batch=2, save_every=2)
    resumed = train_vae(start(), rows, tmp_path / "parts", steps=6, batch=2)
    latents = resumed.encode(torch.stack([rows[i] for i in range(128)])).latent_dist.mode()
    assert latents.mean().abs() < 0.05 and abs(latents.std() - 1) < 0.1
    assert (tmp_path / "parts" / "vae" / "config.json").exists()


@torch.no_grad()
def test_centring_changes_no_reconstruction():
    torch.manual_seed(0)
    vae = presets.vae("toy").eval()
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    before = vae.decode(vae.encode(pictures).latent_dist.mode()).sample
    center_latents(vae, pictures)
    latents = vae.encode(pictures).latent_dist.mode()
    assert torch.allclose(vae.decode(latents).sample, before, atol=1e-4)
    assert latents.mean(dim=(0, 2, 3)).abs().max() < 1e-4 and abs(latents.std() - 1) < 0.01


def test_crops_depend_on_the_row_alone(pictures):
    rows = Crops([], pictures, crop=48)
    assert torch.equal(rows[3], rows[3]) and not torch.equal(rows[3], rows[4])
    assert rows[0].shape == (3, 48, 48) and rows[0].abs().max() <= 1
    with pytest.raises(ValueError, match="no pictures"):
        Crops([], [], crop=48)


def test_the_loss_weighs_a_wrong_colour_more_than_a_wrong_lightness():
    grey = torch.zeros(1, 3, 32, 32)
    assert reconstruction_loss(grey, grey) == 0
    red = grey + torch.tensor([0.3, 0, -0.3])[:, None, None]
    lighter = grey + 0.1
    assert reconstruction_loss(red, grey) > reconstruction_loss(lighter, grey)
    assert opponent(lighter)[:, 1:].abs().max() < 1e-6
