import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from leffa.errors import WeightsError
from leffa.model import presets
from leffa.model.pipeline import LeffaPipeline
from leffa.model.recorder import FlowOptions
from leffa.model.sampling import guide


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def run(pipeline, inputs, **options):
    pipeline.set_progress_bar_config(disable=True)
    settings = {"num_inference_steps": 2, "generator": seeded(0), "output_type": "np", **options}
    return pipeline(**inputs, **settings)


def test_the_seed_decides_the_picture(toy, inputs):
    first = run(toy, inputs).images
    assert np.array_equal(first, run(toy, inputs).images)
    assert not np.allclose(first, run(toy, inputs, generator=seeded(1)).images, atol=1e-4)
    torch.manual_seed(99)  # the global generator has no say
    assert np.array_equal(first, run(toy, inputs).images)


@pytest.mark.parametrize("reuse_reference", [False, True])
def test_a_batch_of_two_is_two_batches_of_one(toy, inputs, reuse_reference):
    options = {"reuse_reference": reuse_reference}
    both = run(toy, inputs, generator=[seeded(5), seeded(6)], **options).images
    for i, seed in enumerate((5, 6)):
        one = {name: value[i : i + 1] for name, value in inputs.items()}
        assert np.allclose(run(toy, one, generator=[seeded(seed)], **options).images[0], both[i], atol=1e-4)


def test_guidance_needs_two_branches_and_rescale_extrapolates():
    unconditional, conditional = torch.randn((2, 1, 4, 8, 6), generator=seeded(0))
    plain = guide(unconditional, conditional, 2.5, 0)
    assert torch.allclose(plain, unconditional + 2.5 * (conditional - unconditional))
    ratio = conditional.std() / plain.std()
    assert torch.allclose(guide(unconditional, conditional, 2.5, 2.5), plain * (2.5 * ratio - 1.5), atol=1e-5)


def test_guidance_rescale_none_means_the_guidance_scale(toy, inputs):
    default = run(toy, inputs).images
    assert np.array_equal(default, run(toy, inputs, guidance_rescale=2.5).images)
    assert not np.allclose(default, run(toy, inputs, guidance_rescale=0).images, atol=1e-4)


def test_the_mask_decides_what_is_seen(toy, inputs):
    hidden = {**inputs, "person": torch.where(inputs["mask"] > 0.5, 0.9, inputs["person"])}
    assert np.array_equal(run(toy, inputs).images, run(toy, hidden).images)
    shown = {**inputs, "person": torch.where(inputs["mask"] > 0.5, inputs["person"], 0.9)}
    assert not np.allclose(run(toy, inputs).images, run(toy, shown).images, atol=1e-4)


def test_flow_is_captured_while_painting_and_changes_nothing(toy, inputs):
    plain = run(toy, inputs, num_inference_steps=4)
    assert plain.flow is None
    result = run(toy, inputs, num_inference_steps=4, return_flow=FlowOptions(steps=2))
    assert np.array_equal(plain.images, result.images)
    assert len(result.flow) == 2
    flow = result.flow[0]
    assert flow.merged.flow.shape == (64, 48, 2) and flow.merged.mass.shape == (64, 48)
    assert len(flow.timesteps) == 2 and min(flow.timesteps) < 500
    grids = {tuple(field.flow.shape) for field in flow.fields.values()}
    assert grids == {(8, 6, 2), (4, 3, 2), (2, 2, 2)}
    assert not any("mid_block" in layer for layer in flow.layers)
    assert flow.merged.flow.abs().max() <= 1
    assert not torch.allclose(flow.merged.flow, result.flow[1].merged.flow)


def test_flow_of_guided_sampling_is_the_conditional_branch(toy, inputs):
    """The unconditional branch sees no reference; without guidance the same first-step flow must come out."""
    noise = torch.randn((2, 4, 8, 6), generator=seeded(3))
    options = {"num_inference_steps": 1, "latents": noise, "return_flow": True}
    guided = run(toy, inputs, guidance_scale=2.5, **options).flow[0]
    alone = run(toy, inputs, guidance_scale=1.0, **options).flow[0]
    assert torch.allclose(guided.merged.flow, alone.merged.flow, atol=1e-4)


def test_callback_sees_and_may_change_latents_and_interrupt_stops(toy, inputs):
    seen = []

    def callback(pipeline, step, timestep, values):
        seen.append((step, timestep))
        if step == 1:
            pipeline.interrupt()
        return {"latents": values["latents"] * 0}

    result = run(toy, inputs, num_inference_steps=6, callback_on_step_end=callback, output_type="latent")
    assert [step for step, _ in seen] == [0, 1] and seen[0][1] > seen[1][1]
    assert result.images.abs().max() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": torch.ones(2, 3, 64, 48)}, "mask must be a tensor"),
        ({"mask": torch.ones(2, 1, 32, 48)}, "batch and size must agree"),
        ({"reference": torch.ones(1, 3, 64, 48)}, "batch and size must agree"),
        ({"person": torch.ones(2, 3, 60, 48)}, "agree|multiples of 8"),
        ({"reference": torch.ones(2, 3, 60, 48)}, "multiples of 8"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"generator": [torch.Generator()]}, "generator is a list of 1"),
        ({"latents": torch.ones(2, 4, 4, 4)}, "latents must be"),
        ({"output_type": "jpeg"}, "output_type"),
        ({"person": "person.jpg"}, "person must be a tensor"),
    ],
)
def test_bad_arguments_are_named(toy, inputs, change, message):
    with pytest.raises(ValueError, match=message):
        run(
            toy,
            {**inputs, **{k: v for k, v in change.items() if k in inputs}},
            **{k: v for k, v in change.items() if k not in inputs},
        )


def test_save_and_load_give_the_same_picture(toy, inputs, tmp_path):
    toy.save_pretrained(tmp_path)
    again = LeffaPipeline.from_pretrained(tmp_path)
    assert again.config.densepose_encoding == "body"
    assert np.array_equal(run(toy, inputs).images, run(again, inputs).images)


def write_base(folder, unet_extra=None):
    """A diffusers folder of SD inpainting shape at toy size, configs only."""
    unet = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": 9,
        "out_channels": 4,
        "block_out_channels": [8, 16],
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "cross_attention_dim": 8,
        "norm_num_groups": 4,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        **(unet_extra or {}),
    }
    vae = dict(presets.vae("toy").config)
    scheduler = {
        "_class_name": "PNDMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
    }
    for part, name, config in (
        ("unet", "config.json", unet),
        ("vae", "config.json", vae),
        ("scheduler", "scheduler_config.json", scheduler),
    ):
        (folder / part).mkdir(parents=True)
        (folder / part / name).write_text(json.dumps(config))
    return folder


XL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 64,
}


def test_from_base_widens_and_tells_the_shapes_apart(tmp_path):
    small = LeffaPipeline.from_base(write_base(tmp_path / "sd"))
    assert small.unet.conv_in.in_channels == 12 and small.unet.conv_out.out_channels == 4
    assert small.reference_unet.conv_in.in_channels == 4
    assert not small.scheduler.config.rescale_betas_zero_snr
    large = LeffaPipeline.from_base(write_base(tmp_path / "xl", XL))
    assert large.scheduler.config.rescale_betas_zero_snr
    assert float(large.scheduler.alphas_cumprod[-1]) < 1e-6
    assert large.unet.config.addition_embed_type is None and hasattr(large.unet, "add_embedding")


def test_base_weights_are_widened_with_zeros(tmp_path):
    folder = write_base(tmp_path / "sd")
    donor = LeffaPipeline.from_base(folder)
    state = donor.unet.state_dict()
    state["conv_in.weight"] = torch.randn(8, 9, 3, 3)
    save_file(state, folder / "unet" / "diffusion_pytorch_model.safetensors")
    loaded = LeffaPipeline.from_base(folder)
    assert torch.equal(loaded.unet.conv_in.weight[:, :9], state["conv_in.weight"])
    assert loaded.unet.conv_in.weight[:, 9:].abs().max() == 0
    assert torch.equal(loaded.reference_unet.conv_in.weight, state["conv_in.weight"][:, :4])


def test_from_base_lists_what_is_missing(tmp_path):
    with pytest.raises(WeightsError, match=r"unet.config\.json.*vae.config\.json.*scheduler_config\.json"):
        LeffaPipeline.from_base(tmp_path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_official_weights_load_strictly(tmp_path, suffix):
    folder = write_base(tmp_path / "xl", XL)
    source, target = LeffaPipeline.from_base(folder), LeffaPipeline.from_base(folder)
    state = source.official_state_dict()
    assert {name.split(".")[0] for name in state} == {"unet", "unet_encoder", "vae"}

    def write(tensors):
        path = tmp_path / f"weights{suffix}"
        if suffix == ".pth":
            torch.save(tensors, path)
        else:
            save_file(tensors, path)
        return path

    target.load_official(write(state))
    assert all(torch.equal(value, target.official_state_dict()[name]) for name, value in state.items())

    broken = dict(state)
    del broken["unet.conv_in.weight"]
    broken["unet.extra"] = torch.zeros(1)
    broken["vae.encoder.conv_in.bias"] = torch.zeros(3)
    before = {name: value.clone() for name, value in target.official_state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        target.load_official(write({**broken, "unet.conv_out.bias": broken["unet.conv_out.bias"] + 1}))
    for part in (
        "1 missing: unet.conv_in.weight",
        "1 unexpected: unet.extra",
        "1 of another shape: vae.encoder",
    ):
        assert part in str(caught.value)
    assert all(torch.equal(value, target.official_state_dict()[name]) for name, value in before.items())


def test_a_pickle_that_runs_code_is_refused(tmp_path, toy):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"unet.conv_in.weight": Bomb()}))
    with pytest.raises(WeightsError, match=r"not loaded: it holds more than tensors, .* not run"):
        toy.load_official(path)
    torch.save({"unet.conv_in.weight": Bomb()}, path)
    with pytest.raises(WeightsError, match=r"not loaded: it asks for _?io\.open, .* not run"):
        toy.load_official(path)
    assert not (tmp_path / "boom").exists()
    with pytest.raises(WeightsError, match="leffa download"):
        toy.load_official(tmp_path / "nothing.pth")


def test_xl_save_drops_the_unused_embedding_and_keeps_it_in_memory(tmp_path, inputs):
    pipeline = LeffaPipeline.from_base(write_base(tmp_path / "xl", XL))
    pipeline.save_pretrained(tmp_path / "saved")
    assert hasattr(pipeline.unet, "add_embedding")
    again = LeffaPipeline.from_pretrained(tmp_path / "saved")
    assert not hasattr(again.unet, "add_embedding") or again.unet.add_embedding is None
    kept = pipeline.unet.state_dict()
    assert all(torch.equal(kept[name], values) for name, values in again.unet.state_dict().items())
    assert np.allclose(run(pipeline, inputs).images, run(again, inputs).images, rtol=0, atol=1e-5)
