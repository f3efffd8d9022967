"""The forward and the whole sampler against recordings of the official implementation."""

import json
import zlib

import pytest
import torch
from safetensors.torch import load_file

from leffa.model.pipeline import LeffaPipeline

SHAPES = ("sd15", "sdxl")


def weight(name: str, like: torch.Tensor) -> torch.Tensor:
    """The golden weight rule: every parameter drawn by its official name."""
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if like.dim() > 1:
        return drawn * 0.7 / like[0].numel() ** 0.5
    return drawn * 0.05 if name.endswith("bias") else 1 + 0.1 * drawn


@pytest.fixture(scope="module", params=SHAPES)
def golden(request, shared, tmp_path_factory):
    folder = shared / "golden" / "model"
    pipeline = LeffaPipeline.from_base(folder / request.param)
    pipeline.set_progress_bar_config(disable=True)
    state = {name: weight(name, value) for name, value in pipeline.official_state_dict().items()}
    shapes = json.loads((folder / f"{request.param}_state_dict_shapes.json").read_text())
    assert {name: list(value.shape) for name, value in state.items()} == shapes
    path = tmp_path_factory.mktemp("golden") / "weights.pth"
    torch.save(state, path)
    pipeline.load_official(path)
    return pipeline, load_file(folder / f"{request.param}_golden.safetensors")


def relative(result: torch.Tensor, expected: torch.Tensor) -> float:
    return float((result - expected).abs().max() / expected.abs().max())


@torch.no_grad()
def test_one_forward(golden):
    pipeline, data = golden
    result = pipeline.predict_noise(data["unet_in"], data["timestep"], data["ref_in"])
    assert relative(result, data["unet_out"]) < 1e-4
    bank = pipeline.read_reference(data["ref_in"], data["timestep"])
    recorded = [data[name] for name in sorted(data) if name.startswith("feat")]
    assert len(bank) == len(recorded)
    for features, expected in zip(bank.values(), recorded, strict=True):
        assert relative(features, expected) < 1e-4


def sample(pipeline, data, reuse_reference, **options):
    return pipeline(
        person=data["src"],
        reference=data["ref"],
        mask=data["mask"],
        densepose=data["densepose"],
        num_inference_steps=6,
        latents=data[f"init_noise_acc{int(reuse_reference)}"],
        generator=torch.Generator().manual_seed(4),
        reuse_reference=reuse_reference,
        **options,
    ).images


@pytest.mark.parametrize("reuse_reference", [False, True])
def test_the_whole_sampler(golden, reuse_reference):
    pipeline, data = golden
    number = int(reuse_reference)
    latents = sample(pipeline, data, reuse_reference, output_type="latent")
    assert relative(latents, data[f"final_latent_acc{number}"]) < 1e-4
    pictures = sample(pipeline, data, reuse_reference, output_type="np")
    difference = (pictures * 255).round() - data[f"image_acc{number}"].numpy()
    assert abs(difference).max() <= 1
    # the two ways differ, so neither passes for the other
    assert relative(latents, data[f"final_latent_acc{1 - number}"]) > 1e-3


@torch.no_grad()
@pytest.mark.parametrize(
    "mutation", ["no norm2", "swapped layers", "no bank", "reference at t = 0", "attn2 on"]
)
def test_mutations_leave_the_golden(golden, mutation):
    pipeline, data = golden
    step = data["timestep"]
    bank = pipeline.read_reference(data["ref_in"], 0 if mutation == "reference at t = 0" else step)
    undo = []
    if mutation == "no bank":
        bank = {name: features[:, :0] for name, features in bank.items()}
    elif mutation == "swapped layers":
        first, second = [name for name in bank if name.startswith("up_blocks.1.")][:2]
        bank[first], bank[second] = bank[second], bank[first]
    elif mutation == "no norm2":
        for name, module in pipeline.unet.named_modules():
            if name.endswith("norm2") and "transformer_blocks" in name:
                undo.append(module.register_forward_hook(lambda module, args, output: output * 0))
    elif mutation == "attn2 on":
        for name, module in pipeline.unet.named_modules():
            if name.endswith("attn2"):
                undo.append(
                    module.register_forward_hook(lambda module, args, output: module.to_out[0](output))
                )
    result = pipeline.paint(data["unet_in"], step, bank)
    for hook in undo:
        hook.remove()
    assert relative(result, data["unet_out"]) > 1e-3
