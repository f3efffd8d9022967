"""What was found in pictures is kept within bounds, and gives the same pictures, bit for bit."""

import pickle

import numpy as np
import pytest
from PIL import Image

from leffa.engine import Engine
from leffa.errors import PersonError
from leffa.run.findings import LARGEST, Findings
from leffa.run.settings import Settings


class Finder:
    """Finds arrays of 1000 bytes, and counts how often."""

    def __init__(self, findings):
        self.findings, self.looked = findings, []

    def __call__(self, name, size=1000):
        def find():
            self.looked.append(name)
            return np.zeros(size, np.uint8)

        return self.findings.remember(name, find)


def test_the_longest_unasked_goes_first():
    findings = Findings(most_bytes=10_500)
    find = Finder(findings)  # of 1000 bytes, and as much for each entry
    for name in "abcde":
        find(name)
    assert 5000 <= findings.bytes <= 10_500
    find("a"), find("f"), find("a"), find("b")
    assert find.looked == [*"abcdef", "b"]
    assert findings.bytes <= 10_500


def test_what_alone_would_drive_out_the_rest_is_not_kept():
    findings = Findings(most_bytes=20_000)
    find = Finder(findings)
    find("small"), find("large", int(20_000 * LARGEST) + 1), find("small")
    find("large", int(20_000 * LARGEST) + 1)
    assert find.looked == ["small", "large", "large"]


def test_nothing_is_kept_after_the_end_not_even_what_comes_late():
    findings = Findings()
    find = Finder(findings)
    find("early")
    findings.close()
    find("late"), find("early"), find("late")
    assert find.looked == ["early", "late", "early", "late"] and findings.bytes == 0
    findings.remember("nothing", lambda: None)
    assert findings.bytes == 0


def test_none_is_remembered_too():
    findings, looked = Findings(), []
    for _ in range(2):
        assert findings.remember("nothing", lambda: looked.append(1)) is None
    assert looked == [1]


def test_in_another_process_it_begins_empty():
    findings = Findings(most_bytes=12_345)
    findings.remember("photo", lambda: np.ones(9))
    other = pickle.loads(pickle.dumps(findings))
    assert other.bytes == 0 and other.remember("photo", lambda: 7) == 7


def test_files_are_shared_by_content_and_mend_themselves(tmp_path):
    made = []

    def find():
        made.append(1)
        return {"map": np.arange(5)}

    for _ in range(2):  # two processes
        findings = Findings(tmp_path)
        assert (findings.remember_arrays("x", find, counts=True)["map"] == np.arange(5)).all()
    assert len(made) == 1 and (findings.hits, findings.misses) == (1, 0)
    next(tmp_path.rglob("*.npz")).write_bytes(b"torn")
    Findings(tmp_path).remember_arrays("x", find)
    assert len(made) == 2


def test_arrays_that_are_everybodys_cannot_be_written_to():
    kept = Findings().remember_arrays("map", lambda: {"map": np.zeros(3)})
    with pytest.raises(ValueError, match="read-only"):
        kept["map"][0] = 1


def test_a_remembered_photo_gives_the_same_picture(tmp_path, person, garment):
    settings = Settings(steps=4, seed=3)

    def paint(findings):
        engine = Engine("cpu", findings=findings)
        return engine.try_on(person, garment, "upper", settings=settings, model="bundled").images[0]

    plain = paint(Findings(most_bytes=0))
    for known in (0, 2):  # the second time by another process
        findings = Findings(tmp_path)
        assert paint(findings).tobytes() == plain.tobytes()
        assert findings.hits == known


def test_that_nobody_is_there_is_remembered_too(tmp_path):
    empty = Image.fromarray(np.full((128, 96, 3), 200, np.uint8))
    said = []
    for _ in range(2):
        findings = Findings(tmp_path)
        with pytest.raises(PersonError) as caught:
            Engine("cpu", findings=findings).prepare(empty, model="bundled")
        said.append(str(caught.value))
    assert said[0] == said[1] and findings.hits == 1
