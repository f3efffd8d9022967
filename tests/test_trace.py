"""Following a place from one picture to the other, on a made-up run whose flow is known exactly."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from leffa.config import Task
from leffa.errors import LeffaError
from leffa.explain import trace
from leffa.explain.score import flow_score, rank, scattered
from leffa.explain.views import flow_pictures
from leffa.framing import Box, Region
from leffa.model.flow import FlowField, coordinates
from leffa.model.recorder import SampleFlow
from leffa.preprocess.labels import Part
from leffa.run.result import Result
from leffa.run.settings import ResolvedSettings

PHOTO, REFERENCE, FRAME = (160, 120), (200, 100), (64, 48)
LAYERS = ("up_blocks.0", "up_blocks.1")


def field(flow, spread=0.05, mass=0.9):
    shape = flow.shape[:-1]
    return FlowField(flow, torch.full(shape, spread), torch.full(shape, mass), torch.ones(shape))


def made_up(shift=(0.0, 0.0), spread=0.05, images=1, seed=0):
    """A run whose every layer looks at its own place of the frame, moved by ``shift`` of half the frame."""
    region = Region.around(Box(20, 30, 100, 140), PHOTO, FRAME, 0.0)
    reference_region = Region.whole(REFERENCE, FRAME)
    moved = torch.tensor(shift)
    flows = {
        (layer, step): field(coordinates(*grid) + moved, spread)
        for layer, grid in zip(LAYERS, ((8, 6), (16, 12)), strict=True)
        for step in (700, 300, 0)
    }
    merged = field(coordinates(*FRAME) + moved, spread)
    on_photo = region.on_photo(region.unframed(merged, reference_region))
    mask = np.zeros(PHOTO, np.uint8)
    mask[40:130, 30:90] = 255
    generator = np.random.default_rng(seed)
    reference = Image.fromarray(generator.integers(0, 255, (*REFERENCE, 3), np.uint8)).resize((100, 200))
    photo = Image.new("RGB", (PHOTO[1], PHOTO[0]), "grey")
    return Result(
        task=Task.TRY_ON,
        model="toy",
        settings=ResolvedSettings(2, 1.0, 0.0, 0, images, False, False, (64, 48)),
        photo=photo,
        reference=reference,
        images=[photo] * images,
        mask=mask,
        densepose=photo,
        fields=[on_photo] * images,
        flows=[SampleFlow(flows, merged)] * images,
        region=region,
        reference_region=reference_region,
        notes=[],
    )


def expected(result, x, y):
    """Where on the reference an unmoved look at (x, y) falls, by the frames alone."""
    left, top, right, bottom = result.region.box
    inner = np.array([x * PHOTO[1] - left, y * PHOTO[0] - top], np.float32)
    place = result.reference_region.letterbox.points_to_photo(result.region.letterbox.points_to_frame(inner))
    assert right > left and bottom > top
    return place / np.array([REFERENCE[1], REFERENCE[0]])


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.4, 0.35), (0.6, 0.7)])
def test_a_place_of_the_result_leads_where_its_frame_says(place):
    result = made_up()
    found = trace.to_reference(result, *place)
    assert (found.middle.x, found.middle.y) == pytest.approx(expected(result, *place), abs=0.02)
    assert sum(one.weight for one in found.places) == pytest.approx(1)
    assert found.mass == pytest.approx(0.9, abs=1e-3)


def test_only_the_steps_of_the_loss_count_unless_one_is_asked_for():
    result = made_up()
    assert {place.timestep for place in trace.to_reference(result, 0.5, 0.5).places} == {300, 0}
    early = trace.to_reference(result, 0.5, 0.5, timestep=700, layer=LAYERS[1]).places
    assert [(place.layer, place.timestep) for place in early] == [(LAYERS[1], 700)]


def test_sure_layers_weigh_more():
    result = made_up()
    flows = dict(result.flows[0].fields)
    for key in [key for key in flows if key[0] == LAYERS[0]]:
        flows[key] = field(flows[key].flow, spread=0.6)
    unsure = trace.to_reference(
        Result(**{**result.__dict__, "flows": [SampleFlow(flows, result.flows[0].merged)]}), 0.5, 0.5
    )
    assert unsure.places[0].layer == LAYERS[1]
    assert unsure.places[0].weight > 10 * unsure.places[-1].weight


def test_there_and_back_again():
    result = made_up(shift=(0.1, -0.05))
    there = trace.to_reference(result, 0.5, 0.55).middle
    back = trace.to_result(result, there.x, there.y).middle
    assert (back.x, back.y) == pytest.approx((0.5, 0.55), abs=0.02)


def test_nothing_leads_out_of_the_mask_or_to_what_was_not_used():
    result = made_up()
    assert trace.to_reference(result, 0.05, 0.05).places == []
    elsewhere = trace.to_result(result, 0.01, 0.99)
    assert elsewhere.places == [] and elsewhere.heat.max() < trace.LEAST_HEAT


def test_one_layer_alone_gives_the_same_field_as_all_where_all_agree():
    result = made_up()
    inside = result.mask > 127
    alone = trace.field_on_photo(result, layer=LAYERS[0], timestep=0).flow.numpy()[inside]
    assert np.abs(alone - result.fields[0].flow.numpy()[inside]).max() < 0.05


@pytest.mark.parametrize(
    "asked",
    [{"x": 1.5}, {"sample": 3}, {"layer": "none such"}, {"timestep": 41}],
    ids=lambda asked: next(iter(asked)),
)
def test_what_cannot_be_asked_is_refused(asked):
    with pytest.raises(LeffaError):
        trace.to_reference(made_up(), **{"x": 0.5, "y": 0.5, **asked})


def test_the_score_rewards_a_picture_that_shows_what_it_looked_at():
    from leffa.explain import pictures

    result = made_up()
    warped = Image.fromarray(pictures.warped_reference(np.asarray(result.reference), result.fields[0]))
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 255, (*PHOTO, 3), np.uint8))
    both = Result(
        **{
            **result.__dict__,
            "images": [noise, warped],
            "fields": result.fields * 2,
            "flows": result.flows * 2,
        }
    )
    assert flow_score(both, 1) == pytest.approx(1, abs=1e-3)
    assert flow_score(both, 0) < 0.5
    assert [sample for sample, _ in rank(both)] == [1, 0]


def test_scattered_attention_is_told_by_its_part():
    result = made_up()
    parts = np.full(PHOTO, Part.TORSO_FRONT, np.uint8)
    parts[:, :45] = Part.RIGHT_UPPER_ARM_INNER
    assert scattered(result, parts) == []
    loose = result.fields[0].map(torch.clone)
    loose.spread[:, :45] = 0.5
    found = scattered(Result(**{**result.__dict__, "fields": [loose]}), parts)
    assert [(one.part, round(one.share, 2)) for one in found] == [("right_arm", 1.0)]


def gathered_on_the_left():
    """A run that looks at one place on the left of what is painted, and everywhere on the right."""
    result = made_up()
    uneven = result.fields[0].map(torch.clone)
    uneven.spread[:, 60:] = 0.6
    return Result(**{**result.__dict__, "fields": [uneven]})


def brightness(picture):
    """Mean of the left and of the right half of what is painted."""
    values = np.asarray(picture.convert("L"), np.float32)[50:120]
    return values[:, 35:55].mean(), values[:, 65:85].mean()


def test_confidence_is_bright_where_attention_is_gathered_and_spread_where_it_is_not():
    shown = flow_pictures(gathered_on_the_left())
    gathered, scattered_ = brightness(shown["confidence"])
    assert gathered > scattered_ + 50
    gathered, scattered_ = brightness(shown["spread"])
    assert gathered < scattered_ - 50


def test_viewer_and_inspector_of_the_app_show_that_confidence():
    from demo.history import Run
    from demo.inspector import pictures_of
    from demo.slots import Slots

    result = gathered_on_the_left()
    run = Run(result, Slots({}, {}), person=None, seconds=1.0)
    run.choose(0)
    for views in (run.shown("en")["views"], pictures_of(run, result.fields[0])):
        data = base64.b64decode(views["confidence"].split(",")[1])
        gathered, scattered_ = brightness(Image.open(io.BytesIO(data)))
        assert gathered > scattered_ + 50
