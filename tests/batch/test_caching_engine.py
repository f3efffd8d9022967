"""What is remembered of photos and garments gives the pictures of ``Engine``, bit for bit."""

import numpy as np
import pytest
from PIL import Image

from leffa.batch.caching_engine import CachingEngine
from leffa.batch.memory import Memory
from leffa.engine import Engine
from leffa.errors import PersonError
from leffa.run.settings import Settings


def test_a_remembered_photo_gives_the_same_picture(tmp_path, person, garment):
    settings = Settings(steps=4, seed=3)
    plain = Engine("cpu").try_on(person, garment, "upper", settings=settings, model="bundled").images[0]
    for known in (0, 2):  # the second time by another process
        memory = Memory(tmp_path)
        engine = CachingEngine(memory, "cpu")
        result = engine.try_on(person, garment, "upper", settings=settings, model="bundled").images[0]
        assert result.tobytes() == plain.tobytes()
        assert memory.hits == known


def test_that_nobody_is_there_is_remembered_too(tmp_path):
    empty = Image.fromarray(np.full((128, 96, 3), 200, np.uint8))
    said = []
    for _ in range(2):
        memory = Memory(tmp_path)
        with pytest.raises(PersonError) as caught:
            CachingEngine(memory, "cpu").prepare(empty, model="bundled")
        said.append(str(caught.value))
    assert said[0] == said[1] and memory.hits == 1
