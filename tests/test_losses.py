from dataclasses import replace

import pytest
import torch

from leffa.config import GridConvention, LeffaLossConfig, Photometric, Task
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.model.flow import box_flow, coordinates
from leffa.model.losses import (
    AttentionStates,
    KnownCorrespondence,
    correspondence_losses,
    guide_error,
    leffa_loss,
)
from leffa.training.latents import PictureRows

GRID, SIZE = (8, 6), (64, 48)


def states(target: torch.Tensor, strength: float = 600.0, batch: int = 1) -> AttentionStates:
    """Attention of 8x6 tokens that looks at token target[i], the same in both heads."""
    basis = torch.eye(48)
    query = strength * basis[target].expand(batch, 2, -1, -1)
    return AttentionStates(query, basis.expand(batch, 2, -1, -1), GRID, GRID)


def smooth_picture(batch: int = 1) -> torch.Tensor:
    x = coordinates(*SIZE)
    waves = [torch.sin(3 * x[..., 0]), torch.cos(2 * x[..., 1]), torch.sin(2 * x.sum(-1))]
    return torch.stack(waves)[None].expand(batch, -1, -1, -1)


IDENTITY = torch.arange(48)
ALL = torch.ones(1, 1, *SIZE)
EARLY = torch.tensor([100])


def test_zero_for_perfect_correspondence_in_the_consistent_convention():
    image = smooth_picture()
    assert leffa_loss([states(IDENTITY)], image, image, ALL, EARLY) < 1e-6
    corners = LeffaLossConfig(convention=GridConvention.CORNERS)
    assert leffa_loss([states(IDENTITY)], image, image, ALL, EARLY, corners) > 1e-4
    assert leffa_loss([states(IDENTITY.flip(0))], image, image, ALL, EARLY) > 0.1


def test_equals_the_formula_written_out():
    """Eq. 5 with means: mean over layers of mean((I_tgt - I_warp)^2 * I_m), the map built explicitly."""
    generator = torch.Generator().manual_seed(0)
    reference, target = torch.rand((2, 1, 3, *SIZE), generator=generator)
    mask = (torch.rand((1, 1, *SIZE), generator=generator) > 0.5).float()
    layers = []
    for _ in range(2):
        query, key = torch.randn((2, 1, 2, 48, 16), generator=generator)
        layers.append(AttentionStates(query, key, GRID, GRID))
    expected = 0
    for layer in layers:
        weights = (layer.query @ layer.reference_key.transpose(-1, -2) / (2.0 * 16**0.5)).softmax(-1).mean(1)
        flow = (weights @ coordinates(*GRID).reshape(-1, 2)).reshape(1, *GRID, 2)
        offset = (flow - coordinates(*GRID)).permute(0, 3, 1, 2)
        offset = torch.nn.functional.interpolate(offset, SIZE, mode="bilinear").permute(0, 2, 3, 1)
        warped = torch.nn.functional.grid_sample(
            reference, offset + coordinates(*SIZE), padding_mode="border", align_corners=False
        )
        expected += ((target * mask - warped * mask) ** 2).mean() / 2
    assert torch.allclose(leffa_loss(layers, reference, target, mask, EARLY), expected, atol=1e-6)


def test_blind_outside_the_mask():
    image = smooth_picture()
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., :32, :] = 1
    changed = image.clone()
    changed[..., 40:, :] += 5
    layer = [states(IDENTITY.flip(0))]
    assert torch.equal(
        leffa_loss(layer, image, image, mask, EARLY), leffa_loss(layer, image, changed, mask, EARLY)
    )
    changed[..., :32, :] += 5
    assert leffa_loss(layer, image, changed, mask, EARLY) > leffa_loss(layer, image, image, mask, EARLY)


def test_the_gate_is_per_sample_and_starts_at_500():
    image = smooth_picture(2)
    layer, mask = [states(IDENTITY.flip(0), batch=2)], ALL.expand(2, -1, -1, -1)
    both, first, none = (
        leffa_loss(layer, image, image, mask, torch.tensor(t)) for t in ([499, 0], [499, 500], [500, 999])
    )
    assert none == 0 and torch.allclose(first, both / 2)


def test_layers_below_the_resolution_do_not_count():
    image = smooth_picture()
    fine = states(IDENTITY.flip(0))
    coarse = AttentionStates(torch.randn(1, 2, 2, 4), torch.randn(1, 2, 2, 4), (1, 2), (1, 2))
    alone = leffa_loss([fine], image, image, ALL, EARLY)
    assert torch.equal(leffa_loss([fine, coarse], image, image, ALL, EARLY), alone)
    with pytest.raises(ValueError, match="min_resolution"):
        leffa_loss([coarse], image, image, ALL, EARLY)


def test_ablation_options_differ_and_temperature_divides():
    image = smooth_picture()
    generator = torch.Generator().manual_seed(2)
    query, key = 4 * torch.randn((2, 1, 2, 48, 16), generator=generator)
    layer = [AttentionStates(query, key, GRID, GRID)]
    base = LeffaLossConfig()
    variants = [
        base,
        replace(base, temperature=0.5),
        replace(base, photometric=Photometric.SMOOTH_L1),
        replace(base, mean_over_heads=False),
        replace(base, upsample_flow=False),
        replace(base, convention=GridConvention.CORNERS),
    ]
    values = [float(leffa_loss(layer, image, image, ALL, EARLY, variant)) for variant in variants]
    assert len({round(value, 6) for value in values}) == len(variants)
    softer = [AttentionStates(query / 2, key, GRID, GRID)]
    halved = leffa_loss(softer, image, image, ALL, EARLY, replace(base, temperature=1.0))
    assert torch.allclose(halved, leffa_loss(layer, image, image, ALL, EARLY))


def test_no_gradient_is_stopped():
    image = smooth_picture()
    generator = torch.Generator().manual_seed(2)
    query, key = torch.randn((2, 1, 2, 48, 16), generator=generator)
    query.requires_grad_(True)
    key.requires_grad_(True)
    leffa_loss([AttentionStates(query, key, GRID, GRID)], image, image, ALL, EARLY).backward()
    assert query.grad.abs().sum() > 0 and key.grad.abs().sum() > 0


def test_a_flow_optimised_by_the_loss_alone_recovers_a_known_shift():
    """The target is the reference moved by 6 px; started from the identity, the loss must find the shift."""
    shift = 6
    reference = smooth_picture()
    target = torch.roll(reference, shift, dims=-1)
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 8:-8, 12:-12] = 1
    grid = coordinates(*GRID).reshape(1, 1, -1, 2)
    # logits -(distance between token and looked-at place)^2, as a dot product of (p, |p|^2, 1) with keys
    place = grid.clone().requires_grad_(True)
    sharpness = 60.0
    key = torch.cat([2 * grid, -grid.square().sum(-1, keepdim=True), torch.ones_like(grid[..., :1])], -1)
    optimizer = torch.optim.Adam([place], lr=0.02)
    for _ in range(150):
        query = sharpness * torch.cat(
            [place, torch.ones_like(place[..., :1]), torch.zeros_like(place[..., :1])], -1
        )
        loss = leffa_loss([AttentionStates(query, key, GRID, GRID)], reference, target, mask, EARLY)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    moved = (place - grid).detach().reshape(*GRID, 2)[2:-2, 2:-2].mean((0, 1)) * 24  # to px: half of 48
    assert abs(moved[0] + shift) < 1.5 and abs(moved[1]) < 1.5


def worn_and_shown():
    """Masks (1, 1, H, W): worn in the lower left quarter, shown in the upper half of the reference."""
    worn, shown = torch.zeros(2, 1, 1, *SIZE)
    worn[..., 32:, :24] = 1
    shown[..., :32, :] = 1
    return worn, shown


GUIDED = LeffaLossConfig(guide=1.0, guide_slack=0.1)


def test_the_guide_is_the_distance_from_the_boxes_beyond_its_slack():
    worn, shown = worn_and_shown()
    exact = box_flow(worn, shown, GRID)
    assert torch.allclose(exact[0, 4, 0], torch.tensor([-2 / 3, -7 / 8])) and torch.allclose(
        exact[0, 7, 2], torch.tensor([2 / 3, -1 / 8])
    )
    assert guide_error(exact + 0.07, worn, shown, worn, 0.1) == 0  # its length is 0.099
    moved = exact + torch.tensor([0.3, 0.4])
    assert torch.isclose(
        guide_error(moved, worn, shown, worn, 0.1), torch.tensor(0.4 / 4)
    )  # a quarter is worn
    elsewhere = torch.where(torch.arange(8)[:, None, None] < 4, moved, exact)
    assert guide_error(elsewhere, worn, shown, worn, 0.1) == 0


def test_the_guide_adds_to_the_papers_loss_and_has_its_gate():
    image, (worn, shown) = smooth_picture(), worn_and_shown()
    layer = states(IDENTITY.flip(0))
    paper = leffa_loss([layer], image, image, worn, EARLY)
    added = leffa_loss([layer], image, image, worn, EARLY, GUIDED, shown) - paper
    flipped = coordinates(*GRID)[None].flip(1, 2)
    assert torch.isclose(added, guide_error(flipped, worn, shown, worn, 0.1), rtol=1e-3) and added > 0.05
    assert leffa_loss([layer], image, image, worn, torch.tensor([500]), GUIDED, shown) == 0
    per_head = replace(GUIDED, mean_over_heads=False)  # both heads look at the same places
    assert torch.isclose(
        leffa_loss([layer], image, image, worn, EARLY, per_head, shown), paper + added, rtol=1e-3
    )
    with pytest.raises(ValueError, match="reference_mask"):
        leffa_loss([layer], image, image, worn, EARLY, GUIDED)


def test_on_plain_cloth_only_the_guide_leads_anywhere():
    plain, (worn, shown) = torch.zeros(1, 3, *SIZE), worn_and_shown()
    generator = torch.Generator().manual_seed(2)
    key = torch.randn((1, 2, 48, 16), generator=generator)
    query = torch.randn((1, 2, 48, 16), generator=generator).requires_grad_()
    layer = AttentionStates(query, key, GRID, GRID)

    def pull(config):
        loss = leffa_loss([layer], plain, plain, worn, EARLY, config, shown)
        return torch.autograd.grad(loss, query)[0].abs().unflatten(2, GRID).sum((0, 1, 4))

    assert pull(LeffaLossConfig()).sum() == 0
    places = pull(replace(GUIDED, guide_slack=0.0))
    assert (places[4:, :3] > 0).all() and places[:4].sum() == 0 and places[:, 3:].sum() == 0


def known(**changes):
    garment = torch.zeros(1, 1, *SIZE)
    garment[..., :32, :] = 1
    fields = {
        "flow": coordinates(*SIZE)[None],
        "visible": torch.ones(1, *SIZE, dtype=torch.bool),
        "worn": garment,
        "reference_mask": garment,
        "region": ALL,
    }
    return KnownCorrespondence(**{**fields, **changes})


def test_correspondence_losses_are_least_at_the_truth():
    flow, occupancy = correspondence_losses([states(IDENTITY)], known())
    assert flow < 1e-4 and occupancy < 0.01
    flow, occupancy = correspondence_losses([states(IDENTITY.flip(0))], known())
    assert flow > 0.5 and occupancy > 5


def test_correspondence_losses_count_only_where_something_is_known():
    wrong = [states(IDENTITY.flip(0))]
    hidden = known(visible=torch.zeros(1, *SIZE, dtype=torch.bool), region=ALL * 0)
    assert [float(loss) for loss in correspondence_losses(wrong, hidden)] == [0, 0]


def test_flow_loss_equals_error_and_variance_written_out():
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn((2, 1, 2, 48, 16), generator=generator)
    weights = (query @ key.transpose(-1, -2) / (2.0 * 16**0.5)).softmax(-1).mean(1)[0]
    grid = coordinates(*GRID).reshape(-1, 2)
    mean = weights @ grid
    variance = weights @ grid.square().sum(-1) - mean.square().sum(-1)
    expected = (((mean - grid).square().sum(-1) + 0.1 * variance + 0.02**2).sqrt() - 0.02).mean()
    loss, _ = correspondence_losses([AttentionStates(query, key, GRID, GRID)], known())
    assert torch.allclose(loss, expected, atol=1e-5)


def test_rows_give_the_guide_its_mask_or_say_whose_is_missing():
    worn, shown = (mask[0] for mask in worn_and_shown())
    picture = smooth_picture()[0]
    sample = Sample("ada", Task.TRY_ON, None, picture, picture, worn, picture, worn, reference_mask=shown)
    half = (SIZE[0] // 2, SIZE[1] // 2)
    row = PictureRows([sample], half, 8, correspondence=False, guide=True)[0]
    assert row["reference_mask"].shape == (1, *half) and row["reference_mask"].mean() == 0.5
    assert "reference_mask" not in PictureRows([sample], half, 8, correspondence=False)[0]
    with pytest.raises(LeffaError, match="ada has none"):
        PictureRows([replace(sample, reference_mask=None)], half, 8, guide=True)[0]
