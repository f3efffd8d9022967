import copy

import pytest
import torch

from leffa.model import presets
from leffa.model.attention import self_attention_layers
from leffa.training.model import TwoUNets, unused_parameters


def forward(pipeline, generative_input, reference_latents, timestep=10):
    return pipeline.predict_noise(generative_input, timestep, reference_latents)


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(3)
    return torch.randn((2, 12, 8, 6), generator=generator), torch.randn((2, 4, 8, 6), generator=generator)


def test_reader_equals_plain_attention_over_own_and_reference_tokens(toy, latents):
    """Re-derives one layer's output with an explicit softmax over [own ; reference], own rows only."""
    layer = toy.unet.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1")
    own, reference = torch.randn(2, 48, 16), torch.randn(2, 48, 16)
    result = layer(own, bank={"down_blocks.0.attentions.0.transformer_blocks.0.attn1": reference})

    tokens = torch.cat([own, reference], dim=1)
    heads = []
    for query, key, value in zip(
        layer.to_q(tokens).chunk(2, -1),
        layer.to_k(tokens).chunk(2, -1),
        layer.to_v(tokens).chunk(2, -1),
        strict=True,
    ):
        weights = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(-1)
        heads.append(weights @ value)
    expected = layer.to_out[0](torch.cat(heads, dim=-1))[:, : own.shape[1]]
    assert torch.allclose(result, expected, atol=1e-5)
    # and not attention to the own tokens alone
    alone = layer(own, bank={"down_blocks.0.attentions.0.transformer_blocks.0.attn1": reference[:, :0]})
    assert (alone - expected).abs().max() > 1e-3


def test_cross_attention_returns_its_input(toy):
    layer = toy.unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn2")
    states = torch.randn(1, 12, 32)
    assert layer(states, encoder_hidden_states=None, bank={}, observer=None) is states


def test_the_bank_holds_norm1_of_every_layer(toy, latents):
    bank = toy.read_reference(latents[1], 10)
    assert list(bank) == self_attention_layers(toy.reference_unet)
    seen = {}
    block = toy.reference_unet.get_submodule("up_blocks.1.attentions.0.transformer_blocks.0")
    block.norm1.register_forward_hook(lambda module, args, output: seen.update(output=output))
    bank = toy.read_reference(latents[1], 10)
    assert torch.equal(bank["up_blocks.1.attentions.0.transformer_blocks.0.attn1"], seen["output"])


@torch.no_grad()
def test_mutations_change_the_prediction(toy, latents):
    right = forward(toy, *latents)
    assert torch.equal(right, forward(toy, *latents))
    assert not torch.allclose(right, forward(toy, latents[0], latents[1] * 0), atol=1e-5), "reference ignored"

    bank = toy.read_reference(latents[1], 10)
    layers = [name for name in bank if name.startswith("up_blocks.2")]
    swapped = {**bank, layers[0]: bank[layers[1]], layers[1]: bank[layers[0]]}
    assert not torch.allclose(right, toy.paint(latents[0], 10, swapped), atol=1e-6), "layers may be swapped"
    zeroed = {name: features * 0 for name, features in bank.items()}
    assert not torch.allclose(right, toy.paint(latents[0], 10, zeroed), atol=1e-5), "bank ignored"

    dead = copy.deepcopy(toy.unet)
    for name, module in toy.unet.named_modules():
        if name.endswith("norm2") and "transformer_blocks" in name:
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    assert not torch.allclose(right, forward(toy, *latents), atol=1e-5), "x + norm2(x) is missing"
    toy.unet.load_state_dict(dead.state_dict())
    assert torch.equal(right, forward(toy, *latents))


def test_an_empty_or_missing_bank_is_an_error(toy, latents):
    with pytest.raises(ValueError, match="run the reference UNet first"):
        toy.paint(latents[0], 10, {})
    with pytest.raises(ValueError, match="bank"):
        toy.unet(latents[0], 10, encoder_hidden_states=None)
    bank = toy.read_reference(latents[1][:1], 10)
    with pytest.raises(ValueError, match="batch"):
        toy.paint(latents[0], 10, bank)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_reach_the_reference_unet_and_the_unused_set_is_exact(toy, latents, checkpointing):
    model = TwoUNets(toy)
    model.train()
    if checkpointing:
        model.enable_checkpointing()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model(latents[0], torch.tensor([5, 900]), latents[1]).square().mean().backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == unused_parameters(toy)
    assert any(
        name.startswith("reference_unet.down_blocks")
        for name, p in model.named_parameters()
        if p.grad is not None
    )


def test_checkpointing_changes_no_gradient(toy, latents):
    def gradients(model):
        model.zero_grad()
        model(latents[0], torch.tensor([5, 900]), latents[1]).square().mean().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    model = TwoUNets(toy).train()
    plain = gradients(model)
    model.enable_checkpointing()
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, plain[name], atol=1e-6), name


def test_two_forwards_then_one_backward(toy, latents):
    """The second forward must not overwrite what the first one's backward needs."""
    model = TwoUNets(toy).train()
    step = torch.tensor([5, 900])
    first = model(latents[0], step, latents[1])
    model(latents[0] + 1, step, latents[1] - 1)
    first.square().mean().backward()
    mixed = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    model(latents[0], step, latents[1]).square().mean().backward()
    alone = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(mixed, alone, strict=True))


def test_deepcopy_works_as_averaging_needs_it(toy, latents):
    clone = copy.deepcopy(toy.unet)
    bank = toy.read_reference(latents[1], 10)
    same = clone(latents[0], 10, encoder_hidden_states=None, cross_attention_kwargs={"bank": bank}).sample
    assert torch.equal(same, toy.paint(latents[0], 10, bank))


def test_unknown_preset_says_which_there_are():
    with pytest.raises(ValueError, match="tiny, toy"):
        presets.vae("huge")
