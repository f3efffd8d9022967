"""A garment's picture in which somebody wears it: seen, said, and the garment taken off."""

import numpy as np
import pytest

from leffa import cli
from leffa.config import Garment
from leffa.engine import Engine
from leffa.preprocess.labels import Parse


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu")


@pytest.fixture(scope="module")
def labels(synthetic_sample):
    return synthetic_sample.labels.numpy()


def test_a_product_shot_is_worn_by_nobody(engine, garment):
    shot = engine.shot(garment, "upper")
    assert not shot.is_worn and np.array_equal(np.asarray(shot.picture), np.asarray(garment))
    assert shot.measure(Garment.UPPER) is not None


@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        (
            "upper",
            (Parse.UPPER_CLOTHES,),
            (Parse.PANTS, Parse.SKIRT, Parse.HEAD, Parse.HAIR, Parse.LEFT_SHOE),
        ),
        ("lower", (Parse.PANTS, Parse.SKIRT), (Parse.UPPER_CLOTHES, Parse.HEAD, Parse.HAIR, Parse.LEFT_SHOE)),
    ],
)
def test_only_the_worn_garment_is_taken(engine, person, labels, kind, own, others):
    shot = engine.shot(person, kind)
    taken, wanted = shot.shown > 127, np.isin(labels, own)
    assert shot.is_worn and shot.measure(Garment(kind)) is None
    assert wanted.any() and taken[wanted].mean() > 0.7
    assert taken[np.isin(labels, others)].mean() < 0.15
    assert (taken & ~wanted).sum() < 0.3 * taken.sum()
    assert (np.asarray(shot.picture)[~taken] == 255).all()
    assert np.array_equal(np.asarray(shot.picture)[taken], np.asarray(person)[taken])


def test_it_is_said_on_every_road(engine, person, tmp_path, monkeypatch, capsys):
    told = engine.advise(engine.prepare(person), "upper", person)[1]
    assert [one.key for one in told] == ["worn"]
    monkeypatch.chdir(tmp_path)
    person.save("person.png")
    assert cli.main(["mask", "person.png", "--reference", "person.png", "-o", "mask.png"]) == 0
    assert "Somebody wears the garment on its picture" in capsys.readouterr().err
