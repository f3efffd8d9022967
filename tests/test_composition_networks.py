"""The small networks: what they give, what they are blind to, and files that do not fit."""

from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file, save_file

from leffa.composition import networks
from leffa.composition.networks import Networks
from leffa.errors import WeightsError
from leffa.model.filling import MOST_LIGHT, Filling
from leffa.model.flow import FlowField, coordinates
from leffa.model.pyramid import Pyramid, places, resize, resize_offsets
from leffa.model.refinement import Refinement, Shows
from leffa.preprocess.garment.parsing import ShotParser
from leffa.preprocess.offline.parsing import PhotoParser, Seen

SIZE = (64, 96)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_places_are_the_coordinates_of_flows():
    assert torch.allclose(places((5, 7), torch.zeros(1)).movedim(0, -1), coordinates(5, 7))


def test_a_flow_keeps_its_places_at_any_size():
    here = places((8, 12), torch.zeros(1))[None]
    for size in ((32, 48), (4, 6), (8, 12)):
        assert torch.allclose(resize_offsets(here, size), places(size, torch.zeros(1))[None], atol=1e-6)
    moved = resize_offsets(here + 0.1, (32, 48)) - places((32, 48), torch.zeros(1))
    assert torch.allclose(moved, torch.tensor(0.1), atol=1e-6)


def test_shrinking_keeps_the_mean():
    values = noise(1, 2, 32, 48)
    assert torch.allclose(resize(values, (8, 12)).mean((2, 3)), values.mean((2, 3)), atol=1e-6)


def test_a_pyramid_comes_back_to_half_the_size():
    torch.manual_seed(0)
    pyramid = Pyramid(5, (8, 16, 16, 24, 24), (24, 16, 16, 8))
    features = pyramid(noise(2, 5, *SIZE))
    shapes = [tuple(level.shape) for level in features]
    assert shapes == [(2, 24, 4, 6), (2, 16, 8, 12), (2, 16, 16, 24), (2, 8, 32, 48)]
    x = noise(1, 5, *SIZE)
    far = x.clone()
    far[..., :8, :8] = 1  # the whole picture is heard everywhere
    assert not torch.equal(pyramid(x)[-1][..., -1, -1], pyramid(far)[-1][..., -1, -1])


# ---------------------------------------------------------------------------------------- refinement


def given(count=2):
    mask = torch.zeros(count, 1, *SIZE)
    mask[..., 16:56, 20:80] = 1
    start = coordinates(8, 12).expand(count, -1, -1, -1)
    field = FlowField(
        start, torch.full((count, 8, 12), 0.1), torch.ones(count, 8, 12), torch.ones(count, 8, 12)
    )
    return {
        "reference": noise(count, 3, *SIZE),
        "reference_mask": (noise(count, 1, *SIZE, seed=1) > 0).float(),
        "person": noise(count, 3, *SIZE, seed=2),
        "mask": mask,
        "densepose": noise(count, 3, *SIZE, seed=3),
        "start": field,
    }


@pytest.fixture
def refinement():
    torch.manual_seed(0)
    return Refinement().eval()


@torch.no_grad()
def test_the_refinement_is_blind_to_the_old_garment(refinement):
    inputs = given()
    other = {**inputs, "person": torch.where(inputs["mask"] > 0, -inputs["person"], inputs["person"])}
    first, second = refinement(**inputs), refinement(**other)
    assert torch.equal(first.flow, second.flow) and torch.equal(first.shows, second.shows)
    beside = {**inputs, "person": torch.where(inputs["mask"] > 0, inputs["person"], -inputs["person"])}
    assert not torch.equal(first.shows, refinement(**beside).shows)
    ground = torch.where(inputs["reference_mask"] > 0, inputs["reference"], -inputs["reference"])
    assert torch.equal(first.flow, refinement(**{**inputs, "reference": ground}).flow)


@torch.no_grad()
def test_the_refinement_begins_as_its_matching(refinement):
    refined = refinement(**given())
    assert [tuple(flow.shape[-2:]) for flow in refined.flows] == [(4, 6), (4, 6), (8, 12), (16, 24)]
    for coarse, fine in pairwise(refined.flows):
        assert torch.allclose(fine, resize_offsets(coarse, fine.shape[-2:]), atol=1e-5)
    assert refined.flow.shape == (2, *SIZE, 2) and refined.shows.shape == (2, len(Shows), *SIZE)
    assert refined.shows.dtype == torch.float32


@torch.no_grad()
def test_the_surer_the_attention_flow_the_nearer_the_matching_stays(refinement):
    inputs = given()
    inputs["reference_mask"] = torch.ones_like(inputs["reference_mask"])
    start = inputs["start"]
    off = []
    for spread in (0.01, 0.3, 5.0):
        field = FlowField(start.flow, torch.full_like(start.spread, spread), start.mass, start.occupancy)
        flow = refinement(**{**inputs, "start": field}).flows[0]
        off.append(float((flow - resize_offsets(start.flow.movedim(-1, 1), (4, 6))).abs().mean()))
    assert off[0] < off[1] < off[2] and off[0] < 0.05


def test_a_flow_without_occupancy_is_refused(refinement):
    inputs = given()
    field = FlowField(inputs["start"].flow, inputs["start"].spread, inputs["start"].mass)
    with pytest.raises(ValueError, match="reference_mask"):
        refinement(**{**inputs, "start": field})


# ---------------------------------------------------------------------------------------- filling, parser


@torch.no_grad()
def test_the_filling_sees_no_hole_and_takes_an_unknown_tone():
    torch.manual_seed(0)
    filling = Filling().eval()
    person, hole = noise(2, 3, *SIZE), torch.zeros(2, 1, *SIZE)
    hole[..., 16:48, 24:72] = 1
    shows = torch.zeros(2, len(Shows), *SIZE)
    shows[:, Shows.SKIN] = 1
    others = (shows, noise(2, 3, *SIZE, seed=4), noise(2, 3, *SIZE, seed=5))
    tone = torch.tensor([[0.4, 0.1, -0.1], [torch.nan] * 3])
    picture, gain = filling(person, hole, *others, tone)
    assert picture.shape == gain.shape == (2, 3, *SIZE) and picture.isfinite().all()
    assert (gain == 1).all()  # before any training there is no light
    again, _ = filling(torch.where(hole > 0, 1.0, person), hole, *others, tone)
    assert torch.equal(picture, again)
    lighter, _ = filling(person, hole, *others, tone + 0.3)
    assert not torch.equal(picture[0], lighter[0]) and torch.equal(picture[1], lighter[1])
    filling.light.bias.fill_(9.0)
    _, gain = filling(person, hole, *others, tone)
    assert gain.max() == pytest.approx(torch.tensor(MOST_LIGHT).exp().item(), rel=1e-5)


@torch.no_grad()
def test_the_parser_reads_every_pixel():
    torch.manual_seed(0)
    logits = PhotoParser().eval()(noise(2, 3, *SIZE), torch.ones(2, 1, *SIZE), noise(2, 3, *SIZE, seed=1))
    assert logits.shape == (2, len(Seen), *SIZE) and logits.dtype == torch.float32


# ---------------------------------------------------------------------------------------- files


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    made = {"refinement": Refinement, "filling": Filling, "parser": PhotoParser, "shot": ShotParser}
    for name, network in made.items():
        networks.save(network(), tmp_path / "new" / f"{name}.safetensors")
    return tmp_path / "new"


def test_networks_come_back_as_they_were_saved_ready_to_be_used(folder):
    loaded = Networks.load(folder)
    torch.manual_seed(0)
    for name, value in Refinement().state_dict().items():
        assert torch.equal(loaded.refinement.state_dict()[name], value.half().float()), name
    for network in (loaded.refinement, loaded.filling, loaded.parser, loaded.shot):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert [path.name for path in folder.iterdir() if path.suffix != ".safetensors"] == []


@pytest.mark.parametrize("name", ["refinement", "filling", "parser", "shot"])
@pytest.mark.parametrize("fault", ["missing", "empty", "cut", "misfit", "lacking", "nan"])
def test_a_file_that_is_not_whole_is_refused_with_what_mends_it(folder, name, fault):
    path = folder / f"{name}.safetensors"
    weights = load_file(path)
    first = next(iter(weights))
    if fault == "missing":
        path.unlink()
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        if fault == "misfit":
            weights[first] = torch.zeros(3)
        elif fault == "lacking":
            del weights[first]
        else:
            weights[first] = weights[first] * torch.nan
        save_file(weights, path)
    with pytest.raises(WeightsError, match=rf"{name}\.safetensors"):
        Networks.load(folder)
