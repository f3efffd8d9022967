"""Who gets which row, and what becomes of rows whose worker dies: with a stand-in for Ray."""

from collections import Counter, deque
from types import SimpleNamespace

import pytest

from leffa.batch.cluster import AHEAD, TRIES, _drive, _Lane
from leffa.batch.manifest import Row
from leffa.batch.plan import Outcome


class RayError(Exception):
    pass


class Task:
    def __init__(self, row):
        self.row, self.outcome = row, None


class Ray:
    """Does one row at a time; where one kills its worker, those behind it end with it, as with Ray."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, painters, kills=None):
        self.queues = [deque() for _ in range(painters)]
        self.kills = Counter(kills or {})
        self.painted = [[] for _ in range(painters)]
        self.most = 0
        self.turn = 0
        reader = self.actor(lambda row: row)
        self.lanes = [_Lane(self.actor(None, number), reader) for number in range(painters)]

    def actor(self, read, number=0):
        def paint(row, _):
            task = Task(row)
            self.queues[number].append(task)
            self.most = max(self.most, len(self.queues[number]))
            return task

        answer = SimpleNamespace(options=lambda max_task_retries: SimpleNamespace(remote=lambda: None))
        return SimpleNamespace(
            paint=SimpleNamespace(remote=paint), read=SimpleNamespace(remote=read), answer=answer
        )

    def wait(self, tasks, num_returns):
        done = [task for task in tasks if task.outcome is not None]
        while not done:
            self.turn += 1
            number = self.turn % len(self.queues)
            if self.queues[number]:
                self.work(number)
            done = [task for task in tasks if task.outcome is not None]
        return done[:1], []

    def work(self, number):
        row = self.queues[number][0].row
        self.painted[number].append(row.number)
        if not self.kills[row.number]:
            self.queues[number].popleft().outcome = Outcome(row.number, "done")
            return
        self.kills[row.number] -= 1
        while self.queues[number]:
            self.queues[number].popleft().outcome = RayError("the worker died")

    def get(self, task):
        if task is not None and isinstance(task.outcome, RayError):
            raise task.outcome
        return task and task.outcome


def run(ray, count=24, batch=4):
    return list(
        _drive(ray, (Row(number, output=f"{number}.png") for number in range(count)), ray.lanes, batch)
    )


def test_rows_of_a_batch_go_to_one_painter_and_few_wait():
    ray = Ray(3)
    assert sorted(outcome.number for outcome in run(ray)) == list(range(24))
    homes = {row: number for number, rows in enumerate(ray.painted) for row in rows}
    assert all(len({homes[row] for row in range(first, first + 4)}) == 1 for first in range(0, 24, 4))
    assert ray.most == AHEAD and all(len(rows) == 8 for rows in ray.painted)


@pytest.mark.parametrize("kills", [{5: 1, 6: 1, 17: 1}, {5: 2, 17: 2}])
def test_a_worker_that_dies_loses_no_row_and_doubles_none(kills):
    outcomes = run(Ray(2, kills))
    assert sorted(outcome.number for outcome in outcomes) == list(range(24))
    assert all(outcome.status == "done" for outcome in outcomes)


def test_a_row_that_always_kills_fails_and_takes_no_other_along():
    ray = Ray(2, {5: 99, 12: 99})
    outcomes = run(ray)
    assert sorted(outcome.number for outcome in outcomes) == list(range(24))
    failed = [outcome for outcome in outcomes if outcome.status != "done"]
    assert sorted(outcome.number for outcome in failed) == [5, 12]
    assert all(f"died {TRIES} times over it (RayError)" in outcome.reason for outcome in failed)
    tries = Counter(row for rows in ray.painted for row in rows)
    assert tries[5] == tries[12] == TRIES
