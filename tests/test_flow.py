import pytest
import torch

from leffa.config import GridConvention
from leffa.model.flow import (
    FlowField,
    attended_map,
    attention_flow,
    coarse_flow,
    coordinates,
    end_point_error,
    grid_of,
    merge,
    observe_flow,
    resize_flow,
    warp,
)

GRID = (6, 4)  # not square, so that swapped axes show


def sharp_keys(target: torch.Tensor, keys: int, width: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Query and key (1, 2, N, width) whose attention puts all weight of query i on key target[i]."""
    basis = torch.eye(width)[:keys]
    return 400 * basis[target].expand(1, 2, -1, -1), basis.expand(1, 2, -1, -1)


def picture(height: int, width: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return torch.stack([x, y, x * y / 50])[None]


def test_coordinates_are_x_y_row_major_from_the_top_left():
    centers = coordinates(2, 4)
    assert centers[0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert centers[:, 0, 1].tolist() == [-0.5, 0.5]
    corners = coordinates(2, 4, GridConvention.CORNERS)
    assert corners[0, 0].tolist() == [-1, -1] and corners[1, 3].tolist() == [1, 1]


def test_identity_attention_is_the_identity_warp_at_every_scale():
    count = GRID[0] * GRID[1]
    query, key = sharp_keys(torch.arange(count), count)
    flow = attention_flow(query, key, GRID, GRID, temperature=1.0)
    assert torch.allclose(flow[0], coordinates(*GRID), atol=1e-5)
    image = picture(48, 32)
    assert torch.allclose(warp(image, resize_flow(flow, (48, 32))), image, atol=1e-3)


def test_the_corner_convention_displaces_a_perfect_correspondence():
    """docs/method.md, section 4: 3 / 6 / 12 px on average at 1/8, 1/16, 1/32 of 1024x768."""
    for scale, expected in ((8, 3), (16, 6), (32, 12)):
        grid = (1024 // scale, 768 // scale)
        size = (1024, 768)
        flow = coordinates(*grid, GridConvention.CORNERS)[None]
        moved = resize_flow(flow, size, GridConvention.CORNERS) - coordinates(*size)
        distance = (moved * torch.tensor([384.0, 512.0])).norm(dim=-1).mean()
        assert abs(distance - expected) < 1.5
        still = resize_flow(coordinates(*grid)[None], size) - coordinates(*size)
        assert still.abs().max() < 1e-5


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, 1), (-1, 2)])
def test_a_shift_of_tokens_shifts_the_warp(dx, dy):
    """Every token looks at its neighbour at (+dx, +dy); inside, the warp is the moved picture."""
    height, width = 8, 6
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    target = (rows + dy).clamp(0, height - 1) * width + (columns + dx).clamp(0, width - 1)
    query, key = sharp_keys(target.flatten(), height * width)
    flow = attention_flow(query, key, (height, width), (height, width), temperature=1.0)
    image = picture(height, width)
    warped = warp(image, flow)
    inside = slice(2, 5)
    expected = image[:, :, 2 + dy : 5 + dy, 2 + dx : 5 + dx]
    assert torch.allclose(warped[:, :, inside, inside], expected, atol=1e-3)


def test_a_flip_flips():
    height, width = GRID
    target = torch.arange(height * width).reshape(GRID).flip(1).flatten()
    query, key = sharp_keys(target, height * width)
    flow = attention_flow(query, key, GRID, GRID, temperature=1.0)
    image = picture(*GRID)
    assert torch.allclose(warp(image, flow), image.flip(-1), atol=1e-3)


def test_reference_of_another_shape():
    query, key = sharp_keys(torch.tensor([0, 2]), 3)
    flow = attention_flow(query, key, (1, 2), (3, 1), temperature=1.0)
    assert torch.allclose(flow[0, 0], torch.tensor([[0, -2 / 3], [0, 2 / 3]]), atol=1e-5)
    with pytest.raises(ValueError, match="grid"):
        attention_flow(query, key, (1, 2), (2, 2))


@pytest.fixture
def states():
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn((2, 3, 24, 8), generator=generator, dtype=torch.float32)  # noqa: E731
    return draw(), draw(), draw()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_flow_equals_the_explicit_softmax_map(states, temperature):
    query, _, key = states
    weights = (query @ key.transpose(-1, -2) / (temperature * 8**0.5)).softmax(-1).mean(1)
    expected = (weights @ coordinates(*GRID).reshape(-1, 2)).unflatten(1, GRID)
    flow = attention_flow(query, key, GRID, GRID, temperature)
    assert torch.allclose(flow, expected, atol=1e-6)
    heads = attention_flow(query, key, GRID, GRID, temperature, mean_over_heads=False)
    assert heads.shape == (2, 3, *GRID, 2)
    assert torch.allclose(heads.mean(1), expected, atol=1e-6)


def test_observed_moments_equal_the_explicit_joint_softmax(states):
    query, own, key = states
    temperature = 2.0
    joint = (query @ torch.cat([own, key], 2).transpose(-1, -2) / (temperature * 8**0.5)).softmax(-1)
    to_reference = joint[..., 24:]
    grid = coordinates(*GRID).reshape(-1, 2)
    mass = to_reference.sum(-1)
    conditional = (to_reference / mass[..., None]).mean(1)
    mean = conditional @ grid
    variance = conditional @ grid.square().sum(-1) - mean.square().sum(-1)

    field = observe_flow(query, own, key, GRID, GRID, temperature)
    assert torch.allclose(field.flow.flatten(1, 2), mean, atol=1e-5)
    assert torch.allclose(field.spread.flatten(1), variance.sqrt(), atol=1e-4)
    assert torch.allclose(field.mass.flatten(1), mass.mean(1), atol=1e-5)
    assert torch.allclose(field.flow, attention_flow(query, key, GRID, GRID, temperature), atol=1e-5)


def test_spread_and_mass_at_their_ends():
    count = GRID[0] * GRID[1]
    query, key = sharp_keys(torch.arange(count), count)
    sharp = observe_flow(query, -key, key, GRID, GRID)
    assert sharp.spread.max() < 1e-2 and sharp.mass.min() > 0.99
    blind = observe_flow(query * 0, key, key, GRID, GRID)
    assert torch.allclose(blind.mass, torch.full_like(blind.mass, 0.5))
    spread = coordinates(*GRID).reshape(-1, 2).square().sum(-1).mean().sqrt()
    assert torch.allclose(blind.spread, spread.expand_as(blind.spread), atol=1e-4)


def test_attended_map_of_the_coordinates_is_the_flow(states):
    query, _, key = states
    maps = coordinates(*GRID).movedim(-1, 0).expand(2, -1, -1, -1)
    seen = attended_map(query, key, maps, GRID)
    assert torch.allclose(seen.movedim(1, -1), attention_flow(query, key, GRID, GRID), atol=1e-6)


def test_flow_gradcheck():
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn((2, 1, 2, 6, 4), generator=generator, dtype=torch.float32)
    # the flow itself is float32 by contract; a central difference at a wide step checks its gradient
    query.requires_grad_(True)

    def summed(states):
        return (attention_flow(states, key, (3, 2), (2, 3)) * torch.arange(12.0).reshape(1, 3, 2, 2)).sum()

    (gradient,) = torch.autograd.grad(summed(query), query)
    for index in ((0, 0, 0, 0), (0, 1, 5, 3), (0, 0, 3, 1)):
        step = torch.zeros_like(query)
        step[index] = 1e-2
        numeric = (summed(query + step) - summed(query - step)) / 2e-2
        assert abs(numeric - gradient[index]) < 1e-3 * max(1, abs(gradient[index]))


def test_grid_of():
    assert grid_of(32 * 24, (32, 24)) == (32, 24)
    assert grid_of(8 * 6, (32, 24)) == (8, 6)
    assert grid_of(5 * 3, (17, 9)) == (5, 3)  # 17x9 -> 9x5 -> 5x3
    with pytest.raises(ValueError, match="no halving"):
        grid_of(7, (4, 4))


def test_merge_prefers_the_sure_field_and_takes_its_size():
    flow = coordinates(4, 4)[None]
    sure = FlowField(flow, torch.full((1, 4, 4), 0.01), torch.ones(1, 4, 4))
    lost = FlowField(torch.zeros_like(flow), torch.full((1, 4, 4), 0.8), torch.full((1, 4, 4), 0.2))
    merged = merge([sure, lost], (8, 8))
    assert (merged.flow[0] - coordinates(8, 8)).abs().max() < 0.01
    with pytest.raises(ValueError, match="no flow"):
        merge([], (8, 8))


def test_coarse_flow_averages_what_is_visible():
    flow = torch.full((1, 4, 4, 2), float("nan"))
    visible = torch.zeros(1, 4, 4, dtype=torch.bool)
    flow[0, :2, :2], visible[0, :2, :2] = 0.5, True
    flow[0, 0, 2], visible[0, 0, 2] = -0.5, True  # one pixel of four: not enough
    reduced, known = coarse_flow(flow, visible, (2, 2))
    assert known.tolist() == [[[True, False], [False, False]]]
    assert torch.allclose(reduced[0, 0, 0], torch.tensor([0.5, 0.5]))
    assert not reduced.isnan().any()


def test_end_point_error_is_in_percent_of_the_width():
    truth = coordinates(4, 3)[None]
    visible = torch.ones(1, 4, 3, dtype=torch.bool)
    right = end_point_error(truth + torch.tensor([0.2, 0.0]), truth, visible, 0.75)
    down = end_point_error(truth + torch.tensor([0.0, 0.15]), truth, visible, 0.75)
    assert abs(right - 10) < 1e-4 and abs(down - 10) < 1e-4


def test_the_flow_stays_float32_under_autocast():
    """Rounded to bfloat16 it would be off by pixels at 1024x768."""
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 2, 48, 8, generator=generator) for _ in "qk")
    plain = attention_flow(query, key, (8, 6), (8, 6))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attention_flow(query, key, (8, 6), (8, 6))
    assert mixed.dtype == torch.float32 and torch.equal(mixed, plain)


def test_the_flow_of_shapes_alone_can_be_counted():
    """The meta device, on which full size is counted, knows no autocast."""
    query, key = (torch.empty(1, 2, 48, 8, device="meta") for _ in "qk")
    assert attention_flow(query, key, (8, 6), (8, 6)).shape == (1, 8, 6, 2)
