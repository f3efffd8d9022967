"""The loss and the flow probe on models that are not ours."""

import copy

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel

from leffa.integrations import flux
from leffa.integrations.canvas import CanvasAttention
from leffa.integrations.sequence import Beside, SequenceObserver, one_after_the_other, side_by_side
from leffa.model.attention import SkipCrossAttention, install_processors
from leffa.model.losses import leffa_loss
from leffa.model.recorder import FlowOptions, FlowRecorder
from leffa.training.model import StateCollector

GRID = (8, 6)
PICTURE = (64, 48)


def tokens_of(maps):
    """(B, C, h, w) -> (B, 1 head, h * w, C), row by row."""
    return maps.flatten(2).transpose(1, 2)[:, None]


@pytest.mark.parametrize("beside", list(Beside))
@pytest.mark.parametrize("halvings", [0, 1])
def test_a_canvas_is_split_into_its_pictures(beside, halvings):
    height, width = (side >> halvings for side in GRID)
    person, reference = torch.rand(2, 2, 5, height, width)
    dim = -1 if beside is Beside.WIDTH else -2
    canvas = tokens_of(torch.cat([person, reference], dim=dim))
    text = torch.rand(2, 1, 4, 5)
    size = (GRID[0], 2 * GRID[1]) if beside is Beside.WIDTH else (2 * GRID[0], GRID[1])
    for tokens, before in ((canvas, 0), (torch.cat([text, canvas], dim=2), 4)):
        own, other = side_by_side(size, beside, before)(tokens)
        assert torch.equal(own, tokens_of(person)) and torch.equal(other, tokens_of(reference))


def test_a_sequence_is_split_from_its_end():
    tokens = torch.arange(10.0).view(1, 1, 10, 1)
    own, reference = one_after_the_other(3, 4)(tokens)
    assert own.flatten().tolist() == [3, 4, 5] and reference.flatten().tolist() == [6, 7, 8, 9]
    with pytest.raises(ValueError, match="cannot hold"):
        one_after_the_other(6, 6)(tokens)
    with pytest.raises(ValueError, match="two halves"):
        side_by_side((8, 5))(torch.zeros(1, 1, 40, 2))


def canvas_unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        in_channels=9,
        out_channels=4,
        block_out_channels=(16, 16),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=8,
        cross_attention_dim=8,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
    )


def flux_transformer():
    torch.manual_seed(0)
    return FluxTransformer2DModel(
        patch_size=1,
        in_channels=9,
        out_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=(4, 6, 6),
    )


def run_canvas(unet, person, reference, observer=None):
    watch = observer and SequenceObserver(observer, side_by_side((GRID[0], 2 * GRID[1])))
    canvas = torch.cat([person, reference], dim=-1)
    return unet(canvas, 3, None, cross_attention_kwargs={"observer": watch}).sample[..., : GRID[1]]


def run_flux(transformer, person, reference, observer=None):
    count = GRID[0] * GRID[1]
    watch = observer and SequenceObserver(observer, one_after_the_other(count, count))
    ids = torch.cat([flux.position_ids(*GRID, picture=picture) for picture in (0, 1)])
    sequence = torch.cat([x.flatten(2).transpose(1, 2) for x in (person, reference)], dim=1)
    painted = transformer(
        hidden_states=sequence,
        encoder_hidden_states=torch.ones(len(person), 5, 8),
        pooled_projections=torch.ones(len(person), 8),
        timestep=torch.full((len(person),), 0.2),
        img_ids=ids,
        txt_ids=torch.zeros(5, 3),
        joint_attention_kwargs={"observer": watch} if watch else None,
    ).sample
    return painted[:, :count].transpose(1, 2).unflatten(2, GRID)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 2, 9, *GRID, generator=generator)


def test_flux_computes_the_same_with_our_processor(pair):
    stock = flux_transformer()
    ours = copy.deepcopy(stock)
    flux.install(ours)
    with torch.no_grad():
        assert torch.equal(run_flux(stock, *pair), run_flux(ours, *pair))
        assert torch.equal(run_flux(ours, *pair), run_flux(ours, *pair, observer=lambda *_: None))


def test_the_canvas_unet_computes_stock_self_attention(pair):
    stock = canvas_unet()
    ours = copy.deepcopy(stock)
    install_processors(ours, CanvasAttention)
    processors = {n: SkipCrossAttention() if ".attn2." in n else p for n, p in stock.attn_processors.items()}
    stock.set_attn_processor(processors)
    with torch.no_grad():
        canvas = torch.cat(list(pair), dim=-1)
        expected = stock(canvas, 3, None).sample[..., : GRID[1]]
        assert torch.allclose(expected, run_canvas(ours, *pair), atol=1e-6)


MODELS = {"canvas": (canvas_unet, run_canvas), "flux": (flux_transformer, run_flux)}


def made(name):
    make, run = MODELS[name]
    model = make()
    if name == "flux":
        flux.install(model)
    else:
        install_processors(model, CanvasAttention)
    return model, run


@pytest.mark.parametrize("name", list(MODELS))
def test_keys_belong_to_the_picture_they_are_said_to(name, pair):
    """A change of the reference alone, in the first layer, changes its keys and nothing of the person's."""
    model, run = made(name)
    seen = []

    def observer(layer, query, own_key, reference_key):
        seen.append((query, own_key, reference_key))

    person, reference = pair
    other = reference.clone()
    other[:, :, 2, 3] += 1
    with torch.no_grad():
        if name == "flux":
            run(model, person, reference, observer)
            first = seen[0]
            seen.clear()
            run(model, person, other, observer)
            query, own_key, reference_key = seen[0]
            assert torch.equal(query, first[0]) and torch.equal(own_key, first[1])
            changed = (reference_key - first[2]).abs().sum(dim=(0, 1, 3)) > 0
            assert changed.nonzero().flatten().tolist() == [2 * GRID[1] + 3]
        else:  # norms and convolutions mix the halves, so only the places can be told
            run(model, person, reference, observer)
            first = seen[0]
            seen.clear()
            run(model, person, other, observer)
            query, own_key, reference_key = seen[0]
            own, ref = (
                (a - b).abs().sum(dim=(0, 1, 3)) for a, b in ((own_key, first[1]), (reference_key, first[2]))
            )
            row, column = divmod(int(ref.argmax()), GRID[1])
            assert abs(row - 2) <= 1 and abs(column - 3) <= 1 and ref.max() > 3 * own.max()


@pytest.mark.parametrize("name", list(MODELS))
def test_loss_and_probe_attach_unchanged(name, pair):
    model, run = made(name)
    collector = StateCollector(GRID, PICTURE[0], 1 / 32)
    run(model, *pair, observer=collector)
    states = collector.close()
    assert len(states) == (2 if name == "flux" else 6)
    pictures = torch.rand(2, 2, 3, *PICTURE)
    leffa_loss(states, *pictures, torch.ones(2, 1, *PICTURE), torch.tensor([100, 700])).backward()
    key = (
        model.transformer_blocks[0].attn.to_k
        if name == "flux"
        else model.down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_k
    )
    assert key.weight.grad.abs().sum() > 0

    recorder = FlowRecorder(FlowOptions(), {200}, 2, GRID, PICTURE)
    with torch.no_grad():
        run(model, *pair, observer=recorder.observer(200))
    field = recorder.merged()
    assert field.flow.shape == (2, *PICTURE, 2) and 0 < field.mass.mean() < 1
