"""The tables of benchmarks/proof.py: what may be said of arms that are there, and of those that are not."""

import pytest

from benchmarks.toy import tables

FIGURES = {"epe": 10.0, "pck": 30.0, "ssim": 0.7, "psnr": 16.0, "pattern": 0.1, "texture error": 0.2}
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
    assert "| two-unets | +25.0 | not run | not run | not run |" in text
