"""What is kept of finished runs stays within its budget, and comes back as it was."""

import dataclasses

import numpy as np
import pytest
import torch

from demo.kept_runs import Kept, KeptRuns, RunGoneError, bytes_of
from demo.sessions import Session
from demo.slots import Picked, Slots
from leffa.config import Task
from leffa.engine import Engine
from leffa.run.settings import Settings


@pytest.fixture(scope="module")
def kept(toy_model, person, garment) -> Kept:
    engine = Engine("cpu")
    prepared = engine.prepare(person)
    result = engine.try_on(prepared, garment, "upper", settings=Settings(seed=1, steps=4))
    pictures = {"photo": Picked(person, "a", "1", prepared), "garment": Picked(garment, "b", "2")}
    return Kept(result, Slots(pictures, {"kind": "upper"}, result.mask), prepared)


def same(one, other):
    """Whether two structures hold the same pictures and numbers."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "getbands"):
        return one.mode == other.mode and np.array_equal(np.asarray(one), np.asarray(other))
    if isinstance(one, dict):
        one, other = list(one.items()), list(other.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    return one is other or one == other


def test_a_packed_run_comes_back_bit_for_bit(kept):
    shelf = KeptRuns(1)  # room for the latest one only in any form: the other is packed, then let go of
    roomy = KeptRuns(bytes_of(kept) * 2)  # a third is less than one run
    first = roomy.put(kept)
    roomy.put(dataclasses.replace(kept))
    assert first.kept is None and first.packed and len(first.packed) < 0.5 * bytes_of(kept)
    assert same(first.get(), kept)
    assert first.get().person.preprocessor is kept.person.preprocessor
    gone = shelf.put(kept)
    shelf.put(kept)
    with pytest.raises(RunGoneError, match="not kept any more"):
        gone.get()


def test_the_budget_holds_for_everybody_together(kept):
    most = 4 * bytes_of(kept)
    shelf = KeptRuns(most)
    places = [shelf.put(kept) for _ in range(24)]
    assert shelf.bytes <= most
    assert places[-1] in shelf and places[-1].kept is not None
    assert places[0] not in shelf
    there = [place in shelf for place in places]
    assert there == sorted(there) and sum(there) > 4  # packed ones take less


def test_a_visit_that_ends_takes_its_runs_along(kept, monkeypatch):
    from demo import history

    shelf = KeptRuns(10 * bytes_of(kept))  # the process's own would pack what other tests left there
    monkeypatch.setattr(history, "SHELF", shelf)
    session = Session()
    run = history.Run(kept.result, kept.slots, kept.person, 1.0)
    session.remember(Task.TRY_ON.value, run)
    assert shelf.bytes > 0 and session.current("try_on") is run
    session.end()
    assert shelf.bytes == 0 and session.current("try_on") is None
    late = history.Run(kept.result, kept.slots, kept.person, 1.0)
    session.remember(Task.TRY_ON.value, late)  # was still painting when the visitor left
    assert shelf.bytes == 0
