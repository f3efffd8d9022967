"""benchmarks/proof.py: what may be said of the arms that are there, and how an arm is judged."""

import math

import pytest
import torch
from PIL import Image

from benchmarks import proof
from benchmarks.toy import evaluation, sheet, tables
from leffa.model.flow import coordinates, warp

FIGURES = {
    "epe": 10.0,
    "pck": 30.0,
    "warp error": 0.2,
    "ssim": 0.7,
    "psnr": 16.0,
    "pattern": 0.1,
    "texture error": 0.2,
}
FACTS = {
    "bars": {"identity": {"epe": 20.0, "pck": 5.0}},
    "data": {"train": 40, "held out": 8, "size": [64, 48]},
}


def result(arm, seed, **changes):
    return {"model": "two-unets", "arm": arm, "seed": seed, "figures": FIGURES | changes}


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ([], "not run"),
        ([1.0], "one seed"),
        ([1.0, 2.0], "yes"),
        ([-1.0, -2.0], "no"),
        ([1.0, -1.0], "not told apart"),
        ([1.0, 0.001], "not told apart"),
    ],
)
def test_a_verdict_needs_seeds_that_agree(gains, said):
    assert tables.verdict(gains) == said


def test_gains_are_positive_where_better_and_only_of_common_seeds():
    grouped = {
        ("m", "with"): {0: FIGURES | {"epe": 8.0, "pck": 40.0}, 1: FIGURES},
        ("m", "without"): {0: FIGURES, 2: FIGURES},
    }
    assert tables.gains(grouped, "m", "with", "without", "epe") == [2.0]
    assert tables.gains(grouped, "m", "with", "without", "pck") == [10.0]
    assert tables.gains(grouped, "m", "with", "never run", "epe") == []


def test_a_report_of_half_a_run():
    results = [
        result(tables.START, 0),
        result("without", 0),
        result("with", 0, epe=9.0),
        result("without", 1),
        result("tau 5", 0, epe=12.0),
    ]
    text = tables.report(results, FACTS)
    assert "| *identity* |  |  | 20.00 | 5.0 |" in text
    assert "| two-unets | without | 2 | 10.00 ± 0.00 |" in text and "| two-unets | with | 1 | 9.00 |" in text
    assert "| two-unets | with | +1.00: one seed |" in text
    assert "| tau 2 is better than 5 | +3.00 | one seed |" in text
    assert "| tau 2 is better than 0.1 |  | not run |" in text


def test_the_guide_is_told_in_per_cent_of_the_others():
    results = [result("lambda 1e-2", 0), result("guided", 0, epe=7.5), result("guided", 1, epe=7.0)]
    text = tables.report(results, FACTS)
    assert "| two-unets | not run | +25.0 | not run | not run | not run |" in text


def pulled(seed, share, leffa, diffusion):
    return result(tables.START, seed) | {"pulls": {"share": share, "leffa": leffa, "diffusion": diffusion}}


def test_the_pull_of_the_loss_is_told_at_the_weight_of_the_paper():
    text = tables.report([pulled(0, 0.2, 0.1, 0.3), pulled(1, 0.4, -0.1, 0.1)], FACTS)
    assert "| two-unets | 2 | 0.03 ± 0.01 | +0.000 ± 0.141 | +0.200 ± 0.141 |" in text
    assert "Gradients" not in tables.report([result("without", 0)], FACTS)


def test_a_bar_without_a_flow_fills_the_columns_of_pictures_alone():
    bar = {name: FIGURES[name] for name in ("ssim", "psnr", "pattern", "texture error")}
    text = tables.report([result("without", 0)], FACTS | {"bars": {"a copy": bar}})
    assert "| *a copy* |  |  |  |  |  | 0.7000 | 16.00 | 0.100 | 0.2000 |" in text


def batch(worn=slice(8, 24)):
    """A reference of noise, and the same moved right by a quarter of the width as the person."""
    size = (32, 24)
    reference = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    flow = coordinates(*size)[None] - torch.tensor([0.5, 0.0])
    mask = torch.zeros(1, 1, *size)
    mask[..., worn, 8:22] = 1
    person = warp(reference, flow)
    return {
        "person": person,
        "reference": reference,
        "loss_mask": mask,
        "true_flow": flow,
        "true_visible": mask[:, 0] > 0.5,
    }


def test_the_exact_flow_has_no_error_and_one_that_is_off_has():
    pair = batch()
    exact, off = evaluation.FlowFigures(), evaluation.FlowFigures()
    exact.update(pair["true_flow"], pair)
    assert exact.compute()["epe"] == 0 and exact.compute()["pck"] == 100
    assert exact.compute()["warp error"] < 1e-6
    off.update(pair["true_flow"] + torch.tensor([0.2, 0.0]), pair)
    assert off.compute()["epe"] == pytest.approx(10, rel=1e-4)  # half a side is 50 % of the width
    assert off.compute()["warp error"] > 0.1


def test_no_visible_cloth_has_no_warp_error():
    pair, figures = batch(slice(0, 0)), evaluation.FlowFigures()
    figures.update(pair["true_flow"], pair)
    assert math.isnan(figures.compute()["warp error"])


def test_the_rim_of_the_cloth_does_not_count():
    pair, figures = batch(), evaluation.FlowFigures()
    pair["person"] = pair["person"].clone()
    pair["person"][..., 8, :], pair["person"][..., 8] = 1.0, 1.0  # upper row and left column of the cloth
    figures.update(pair["true_flow"], pair)
    assert figures.compute()["warp error"] < 1e-6


def test_arms_of_a_plan_share_their_seeds_and_a_quick_one_is_a_part_of_it():
    for plan in (proof.SHORT, proof.PILOT, proof.LONG, proof.FROM_BUNDLED):
        arms, quick = plan.arms(), plan.quick().arms()
        assert len({arm.file for arm in arms}) == len(arms)
        assert {arm.file for arm in quick} < {arm.file for arm in arms}
        by_seed = [{(a.model, a.name) for a in arms if a.seed == seed} for seed in plan.seeds]
        assert all(names == by_seed[0] for names in by_seed)
    assert [proof.LONG.start_seed(seed) for seed in (0, 9)] == [0, 9]
    assert [proof.PILOT.start_seed(seed) for seed in (0, 9)] == [0, 0]
    assert not set(proof.PILOT.seeds) & set(proof.SHORT.seeds) and proof.PILOT.judges != proof.SHORT.judges
    settings = proof.FROM_BUNDLED.branch
    assert settings.flow_weight == settings.occupancy_weight == 0 and settings.leffa is None


def test_a_sheet_has_a_column_for_each_of_the_arms(tmp_path):
    for number, name in enumerate(("without", "with")):
        upper = torch.full((2, 3, 16, 12), float(number))
        sheet.write_column(tmp_path / f"{name}.png", upper, -upper)
    sheet.draw({name: tmp_path / f"{name}.png" for name in ("without", "with")}, tmp_path / "sheet.jpg")
    drawn = Image.open(tmp_path / "sheet.jpg")
    assert drawn.size == (2 * 12, sheet.HEADER + 4 * 16)
    left, right = (drawn.getpixel((x, sheet.HEADER + 4))[0] for x in (4, 18))
    assert left < 140 and right > 240
