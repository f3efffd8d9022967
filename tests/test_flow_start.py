import numpy as np
import pytest
import torch

from leffa.model.flow import FlowField, coordinates
from leffa.model.flow_start import FlowStart
from leffa.model.recorder import FlowOptions


def field(occupancy, size=(8, 6)):
    flow = coordinates(*size)[None].flip(2)  # looks at the mirror image
    ones = torch.ones(1, *size)
    return FlowField(flow, ones * 0.1, ones, occupancy)


def test_timesteps_read_above_and_paint_below():
    assert FlowStart(2, (500,)).stretches(7) == [[999, 750], [500, 400, 300, 200, 100]]
    assert FlowStart(1, (300,)).stretches(4) == [[999], [300, 200, 100]]
    assert FlowStart(1, (500, 100)).stretches(4) == [[999], [500], [100, 50]]
    for start in (FlowStart(levels=(500, 60)), FlowStart(3, (999 - 3, 4, 1)), FlowStart(1, (7,))):
        for count in range(start.least_steps, min(start.most_steps, 300) + 1):
            found = [step for stretch in start.stretches(count) for step in stretch]
            assert len(found) == count and found == sorted(set(found), reverse=True) and min(found) > 0
    with pytest.raises(ValueError, match="at most 502"):
        FlowStart(levels=(500, 60)).stretches(503)
    with pytest.raises(ValueError, match="at least 4"):
        FlowStart(3).stretches(3)
    for wrong in ({"read_steps": 0}, {"levels": ()}, {"levels": (100, 500)}, {"levels": (1000,)}):
        with pytest.raises(ValueError, match="falling levels"):
            FlowStart(**wrong)


def test_composite_takes_warp_prediction_and_person_each_in_its_place():
    reference = torch.arange(6.0).expand(1, 3, 8, 6)
    predicted, person = torch.full((1, 3, 8, 6), 10.0), torch.full((1, 3, 8, 6), 20.0)
    mask = torch.zeros(1, 1, 8, 6)
    mask[..., :4, :] = 1
    occupancy = torch.zeros(1, 8, 6)
    occupancy[:, :2] = 1
    garment = torch.ones(1, 1, 8, 6)
    garment[..., 1, :3] = 0  # ground of the product shot, which the flow (mirrored) shows on the other side
    result = FlowStart().composite(reference, predicted, person, mask, field(occupancy), garment)
    assert torch.allclose(result[0, 0, 0], reference[0, 0, 0].flip(-1), atol=1e-4)
    assert torch.allclose(result[0, 0, 1, :3], reference[0, 0, 1].flip(-1)[:3], atol=1e-4)
    assert torch.allclose(result[0, :, 1, 3:], torch.tensor(10.0), atol=1e-3)
    assert (result[0, :, 2:4] == 10).all() and (result[0, :, 4:] == 20).all()


def test_occupancy_is_needed():
    with pytest.raises(ValueError, match="reference_mask"):
        FlowStart().alpha(field(None))


@pytest.fixture
def call(toy, inputs):
    toy.set_progress_bar_config(disable=True)
    reference_mask = torch.zeros(2, 1, 64, 48)
    reference_mask[..., 16:48, :] = 1

    def run(**options):
        settings = {
            "num_inference_steps": 4,
            "generator": torch.Generator().manual_seed(0),
            "output_type": "np",
            "reference_mask": reference_mask,
        }
        return toy(**inputs, **{**settings, **options})

    return run


def test_the_pipeline_goes_on_from_the_composite(call):
    plain, started = call(), call(flow_start=FlowStart(read_steps=1))
    assert not np.allclose(plain.images, started.images, atol=1e-3)
    assert np.array_equal(started.images, call(flow_start=FlowStart(read_steps=1)).images)
    other = call(flow_start=FlowStart(read_steps=1), generator=torch.Generator().manual_seed(1))
    assert not np.allclose(other.images, started.images, atol=1e-3)
    with pytest.raises(ValueError, match="reference_mask"):
        call(flow_start=FlowStart(), reference_mask=None)


def test_late_enough_a_start_is_the_composite_itself(toy, inputs, call):
    """Brought to almost no noise, sampling has nothing left to change: the warp can be seen in the result."""
    seen = []
    original = FlowStart.composite

    def spy(self, *arguments):
        seen.append(original(self, *arguments))
        return seen[-1]

    FlowStart.composite = spy
    try:
        result = call(flow_start=FlowStart(read_steps=3, levels=(1,)), output_type="latent")
    finally:
        FlowStart.composite = original
    both = torch.stack([result.images.flatten(), toy.encode(seen[0]).flatten().detach()])
    assert torch.corrcoef(both)[0, 1] > 0.95


def test_every_level_lays_the_garment_anew(call, monkeypatch):
    predictions = []
    original = FlowStart.composite

    def spy(self, reference, predicted, *rest):
        predictions.append(predicted)
        return original(self, reference, predicted, *rest)

    monkeypatch.setattr(FlowStart, "composite", spy)
    once = call(flow_start=FlowStart(1, (500,)))
    assert len(predictions) == 1
    twice = call(flow_start=FlowStart(1, (500, 100)))
    assert len(predictions) == 3 and not torch.equal(predictions[1], predictions[2])
    assert not np.allclose(once.images, twice.images, atol=1e-3)


def test_occupancy_comes_with_the_flow_when_a_mask_is_given(call):
    shown = call(return_flow=FlowOptions(steps=1)).flow[0]
    assert shown.merged.occupancy.shape == (64, 48)
    assert shown.merged.occupancy.min() >= 0 and shown.merged.occupancy.max() <= 1
    assert call(return_flow=True, reference_mask=None).flow[0].merged.occupancy is None
