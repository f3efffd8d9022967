"""The paces on the page: offered where they save something, and part of a run that is brought back."""

from dataclasses import asdict, replace

import pytest

from demo.generate import default_steps, has_paces, settings_of
from demo.painting import Work, _affordable
from demo.restoring import from_record
from demo.sessions import Session
from leffa.config import Task
from leffa.errors import LeffaError
from leffa.run.pace import RECIPES, Pace
from leffa.run.settings import Settings
from leffa.weights import models

LARGE = replace(models.BUNDLED, steps=30, guidance_scale=2.5)


@pytest.fixture
def large(monkeypatch):
    """A model of many steps is at hand."""
    monkeypatch.setattr(models, "MODELS", {"bundled": LARGE})


def test_a_model_of_few_steps_is_offered_none_and_always_takes_its_own(monkeypatch):
    monkeypatch.setattr(models, "MODELS", {"bundled": models.BUNDLED})
    assert not has_paces(Task.TRY_ON)
    assert {default_steps(Task.TRY_ON, pace.value) for pace in Pace} == {models.BUNDLED.steps}


def test_the_steps_follow_the_pace(large):
    assert has_paces(Task.TRY_ON)
    steps = [default_steps(Task.TRY_ON, pace.value) for pace in Pace]
    assert steps == [RECIPES[Pace.FAST].steps, RECIPES[Pace.BALANCED].steps, 30]
    assert default_steps(Task.TRY_ON, "soon") == default_steps(Task.TRY_ON, ["fast"]) == 30


def test_haste_is_less_work(large):
    weights = [Work(Task.TRY_ON, None, None, Settings(pace=pace)).weight for pace in Pace]
    assert weights == sorted(weights) and weights[0] * 4 < weights[2] == 60
    ungated = Work(Task.TRY_ON, None, None, Settings(pace=Pace.FAST, guidance_scale=1)).weight
    assert ungated == RECIPES[Pace.FAST].steps < weights[0]


def test_without_a_graphics_card_the_published_weights_paint_small(monkeypatch):
    monkeypatch.setattr(
        models, "MODELS", {"viton-hd": replace(models.VITON_HD, folder=models.BUNDLED.folder)}
    )
    work = Work(Task.TRY_ON, None, None, Settings(steps=7))
    settings, remarks = _affordable(work, "cpu")
    assert settings == Settings(steps=7, size=(512, 384))
    assert "painted at 512x384 instead of 1024x768" in remarks[0]
    assert _affordable(work, "cuda") == (work.settings, [])
    asked = Work(Task.TRY_ON, None, None, Settings(size=(768, 576)))
    assert _affordable(asked, "cpu") == (asked.settings, [])
    monkeypatch.setattr(models, "MODELS", {"bundled": models.BUNDLED})
    assert _affordable(work, "cpu") == (work.settings, [])


def test_the_page_s_pace_reaches_the_run_and_comes_back_with_it(large):
    used = settings_of(6, 2.5, 2.5, 7, 1, "fast").resolved(LARGE)
    assert used.pace is Pace.FAST and used.reuse_reference
    record = {"task": "try_on", "settings": asdict(used), "choices": {}, "files": {}}
    assert from_record(Session("one"), "try_on", record).settings == (6, 2.5, 2.5, 7, 1, "fast")
    record["settings"] |= {"pace": "soon"}
    with pytest.raises(LeffaError, match="not complete"):
        from_record(Session("one"), "try_on", record)
    with pytest.raises(LeffaError, match="pace must be one of fast, balanced, quality, got 'soon'"):
        settings_of(6, 2.5, 2.5, 7, 1, "soon").resolved(LARGE)
