"""Shared GPUs of Spaces: asked for tightly there, and nothing at all anywhere else."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from demo.examples import ASSETS
from demo.gpu import gpu
from demo.painting import Work, _seconds_on_gpu
from leffa.config import Task
from leffa.preprocess.known_poses import known_pose
from leffa.run.settings import Settings


def test_elsewhere_the_function_is_itself(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert gpu(lambda: 1)(print) is print


def test_on_a_space_it_is_wrapped_with_its_duration(monkeypatch):
    asked = {}

    def wrap(function, duration):
        asked[function] = duration
        return function

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=wrap))
    assert gpu(_seconds_on_gpu)(print) is print
    assert asked == {print: _seconds_on_gpu}


@pytest.fixture
def work():
    pose = known_pose(ASSETS / "poses" / "wave.jpg")
    return Work(Task.POSE_TRANSFER, person=pose, reference=pose, settings=Settings(steps=10))


def test_the_duration_follows_steps_samples_and_guidance(work, toy_model):
    def seconds(**changes):
        return _seconds_on_gpu(Work(work.task, work.person, work.reference, Settings(**changes)), None)

    assert 0 < seconds(steps=10) < seconds(steps=30) < seconds(steps=30, samples=4)
    assert seconds(steps=10) < seconds(steps=10, guidance_scale=2.5)


def test_work_reaches_the_process_that_has_the_gpu(work):
    there = pickle.loads(pickle.dumps(work))
    assert np.array_equal(there.person.parts_in_frame(), work.person.parts_in_frame())
    assert there.settings == work.settings
