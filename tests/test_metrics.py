import math

import pytest
import torch

from leffa.metrics import bars
from leffa.metrics.flow import FlowError
from leffa.metrics.pattern import high_pass, pattern_correlation, texture_error
from leffa.metrics.pictures import psnr, ssim, ssim_map
from leffa.metrics.running import RunningMean
from leffa.model.flow import box, box_flow, coordinates, warp


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 3, 40, 30, generator=generator)
    noise = torch.rand(2, 3, 40, 30, generator=generator)
    return 0.8 * truth + 0.2 * noise, truth


def test_ssim_is_that_of_torchmetrics(pictures):
    functional = pytest.importorskip("torchmetrics.functional.image")
    expected = functional.structural_similarity_index_measure(*pictures, data_range=1.0, reduction="none")
    assert torch.allclose(ssim(*pictures).float(), expected, atol=1e-5)


def test_ssim_of_flat_pictures_is_the_luminance_term():
    dark, bright = torch.full((1, 3, 16, 16), 0.25), torch.full((1, 3, 16, 16), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert abs(float(ssim(dark, bright)) - expected) < 1e-9
    assert float(ssim(dark, dark)) == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(dark[..., :8], dark[..., :8])
    with pytest.raises(ValueError, match="one shape"):
        ssim(dark, dark[:, :1])


def test_psnr_by_hand(pictures):
    truth = torch.zeros(2, 3, 4, 4)
    prediction = truth.clone()
    prediction[0] += 0.1  # squared error 0.01: 20 dB
    prediction[1, :, :2] += 0.1  # half of the rows: 3.01 dB more
    assert torch.allclose(
        psnr(prediction, truth), torch.tensor([20.0, 20 + 10 * math.log10(2)]).double(), atol=1e-4
    )
    assert math.isinf(float(psnr(truth[:1], truth[:1])))


def test_masked_figures_look_inside_the_mask_only(pictures):
    prediction, truth = pictures
    mask = torch.zeros(2, 1, 40, 30)
    mask[:, :, 10:30, 8:22] = 1
    inside = psnr(prediction, truth, mask)
    spoilt = torch.where(mask > 0, prediction, 1 - prediction)
    assert torch.equal(psnr(spoilt, truth, mask), inside)
    assert torch.allclose(
        inside,
        -10 * torch.log10((prediction - truth).double()[:, :, 10:30, 8:22].square().mean(dim=(1, 2, 3))),
    )
    values = ssim_map(prediction, truth).mean(dim=1)[:, 10:30, 8:22].mean(dim=(1, 2))
    assert torch.allclose(ssim(prediction, truth, mask), values)
    assert torch.isnan(psnr(prediction, truth, mask * 0)).all()


def striped(shift=0, width=4, height=64):
    columns = ((torch.arange(48) + shift) // width % 2).float()
    return (0.3 + 0.4 * columns).expand(1, 3, height, 48).clone()


def test_pattern_correlation_follows_the_stripes_not_the_colour():
    mask = torch.zeros(1, 1, 64, 48)
    mask[:, :, 8:56, 8:40] = 1
    truth = striped(width=2)
    assert float(pattern_correlation(truth, truth, mask)) == pytest.approx(1)
    assert float(pattern_correlation(truth * 0.5 + 0.4, truth, mask)) == pytest.approx(1)
    assert float(pattern_correlation(striped(shift=2, width=2), truth, mask)) == pytest.approx(-1, abs=1e-6)
    flat = torch.full_like(truth, 0.5)
    assert abs(float(pattern_correlation(flat, truth, mask))) < 1e-4  # rounding, which differs between CPUs
    assert math.isnan(float(pattern_correlation(truth, flat, mask)))  # a plain garment has no pattern
    outside = torch.where(mask > 0, truth, torch.rand(1, 3, 64, 48))
    assert float(pattern_correlation(outside, truth, mask)) == pytest.approx(1)


def test_the_outline_of_a_plain_garment_is_no_pattern():
    mask = torch.zeros(1, 1, 64, 48)
    mask[:, :, 20:44, 12:36] = 1
    white_on_black = mask.expand(1, 3, -1, -1)
    assert high_pass(white_on_black, mask).abs().max() < 1e-9
    assert math.isnan(float(pattern_correlation(white_on_black, white_on_black, mask)))


def test_texture_error_counts_textured_places_only():
    truth = torch.full((1, 3, 64, 48), 0.5)
    truth[..., :24] = striped(width=1)[..., :24]
    mask = torch.ones(1, 1, 64, 48)
    smooth_wrong = truth.clone()
    smooth_wrong[..., 32:] += 0.3  # far from the stripes
    assert float(texture_error(smooth_wrong, truth, mask)) == pytest.approx(0)
    texture_wrong = truth.clone()
    texture_wrong[..., :30] += 0.1
    assert float(texture_error(texture_wrong, truth, mask)) == pytest.approx(0.1, abs=1e-6)
    assert math.isnan(float(texture_error(truth, torch.full_like(truth, 0.5), mask)))


def test_flow_error_in_percent_of_the_width():
    truth = coordinates(8, 6)[None]
    visible = torch.zeros(1, 8, 6, dtype=torch.bool)
    visible[:, :4] = True
    error = FlowError()
    aside = truth + torch.tensor([0.2, 0.0])  # a tenth of the width
    error.update(torch.where(visible[..., None], aside, truth + 9), truth, visible, 0.75)
    assert error.end_point_error() == pytest.approx(10) and error.pck() == 0
    down = truth + torch.tensor([0.0, 0.06])  # 3 % of the height, 4 % of the width
    error.update(down, truth, visible, 0.75)
    assert error.end_point_error() == pytest.approx(7, rel=1e-5) and error.pck() == 50
    assert math.isnan(FlowError().end_point_error()) and math.isnan(FlowError().pck())


def test_running_mean_leaves_out_what_is_undefined():
    mean = RunningMean()
    assert math.isnan(mean.compute())
    mean.update(torch.tensor([1.0, math.nan]))
    mean.update(torch.tensor([4.0]))
    assert mean.compute() == 2.5


def test_boxes_and_the_flow_between_them():
    mask, reference_mask = torch.zeros(2, 1, 64, 48), torch.zeros(2, 1, 64, 48)
    mask[0, :, 16:48, 12:36] = 1
    reference_mask[0, :, 0:64, 24:48] = 1
    low, high = box(mask)
    assert low[0].tolist() == [-0.5, -0.5] and high[0].tolist() == [0.5, 0.5]
    assert low[1].tolist() == [-1, -1] and high[1].tolist() == [1, 1]  # empty: the whole picture
    flow = box_flow(mask, reference_mask, (64, 48))
    centre = coordinates(64, 48)
    inside = flow[0][mask[0, 0] > 0]
    assert torch.allclose(inside[:, 1], 2 * centre[mask[0, 0] > 0][:, 1])  # height doubled
    assert torch.allclose(inside[:, 0], centre[mask[0, 0] > 0][:, 0] + 0.5)  # moved right by a quarter
    assert torch.allclose(flow[1], centre, atol=1e-6)


def test_the_three_bars():
    generator = torch.Generator().manual_seed(0)
    person, reference = torch.rand(2, 1, 3, 64, 48, generator=generator) * 2 - 1
    mask, reference_mask = torch.zeros(2, 1, 1, 64, 48)
    mask[..., 16:48, 12:36] = 1
    reference_mask[..., 8:56, 8:40] = 1
    grey = bars.masked_person(person, mask)
    assert (grey[..., 16:48, 12:36] == 0).all() and torch.equal(grey[..., :16, :], person[..., :16, :])
    plain = bars.mean_colour(person, mask, reference, reference_mask)
    expected = reference[..., 8:56, 8:40].mean(dim=(2, 3))
    assert torch.allclose(plain[..., 20, 20], expected) and torch.equal(
        plain[..., :16, :], person[..., :16, :]
    )
    drawn = bars.stretched(person, mask, reference, reference_mask)
    assert torch.equal(drawn[..., :16, :], person[..., :16, :])
    assert torch.allclose(
        drawn, torch.where(mask > 0, warp(reference, box_flow(mask, reference_mask, (64, 48))), person)
    )
    corner = drawn[..., 16, 12], reference[..., 8:10, 8:10].mean(dim=(2, 3))
    assert (corner[0] - corner[1]).abs().max() < 0.6
