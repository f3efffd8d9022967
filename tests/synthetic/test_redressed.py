"""The same person before and after: all but the garment is the same, and what must go is known exactly."""

from dataclasses import replace

import pytest
import torch
from leak import GARISH, leaked_share, rarest_garish

from leffa.config import Garment
from leffa.data.packed import PackedDataset
from leffa.preprocess.labels import Parse
from leffa.synthetic.identity import Split
from leffa.synthetic.pack import pack
from leffa.synthetic.samples import Settings, make_redressed, make_try_on

PLAIN = Settings(seed=4, reuse=1, damage=False)


@pytest.mark.parametrize("kind", Garment)
def test_old_pixels_are_garish_and_the_truth_is_clean(kind):
    settings = replace(PLAIN, kind=kind)
    for index in range(2):
        colour = rarest_garish(make_redressed(index, settings).person)
        sample = make_redressed(index, settings, colour)
        assert sample.garment is kind and sample.old_mask.sum() > 500
        assert leaked_share(sample.old_person, sample.old_mask, colour) > 0.95
        assert leaked_share(sample.person, sample.old_mask, colour) < 0.005
        assert (sample.old_mask <= sample.mask).all() and (sample.loss_mask <= sample.mask).all()
        some = (sample.old_mask * torch.arange(192) % 4 == 1).float()
        mixed = torch.where(some > 0, sample.old_person, sample.person)
        assert leaked_share(mixed, sample.old_mask, colour) == pytest.approx(0.25, abs=0.04)


def test_the_rarest_garish_colour_is_the_one_that_is_not_shown():
    picture = torch.zeros(3, 8, 8)
    for number, colour in enumerate(GARISH):
        if number != 2:
            picture[:, number] = torch.tensor(colour)[:, None] * 2 - 1
    assert rarest_garish(picture) == GARISH[2]
    everywhere = torch.ones(8, 8)
    assert leaked_share(picture, everywhere, GARISH[0]) == pytest.approx(1 / 8)
    assert leaked_share(picture, everywhere, GARISH[0], picture) == 0


def test_the_new_picture_is_the_ordinary_sample():
    ordinary, redressed = make_try_on(3, PLAIN), make_redressed(3, PLAIN)
    assert ordinary.old_person is None and ordinary.old_mask is None
    for name in ("person", "reference", "flow", "labels", "landmarks", "reference_mask"):
        assert torch.equal(getattr(ordinary, name), getattr(redressed, name)), name


def test_whatever_is_not_dressed_stays():
    sample = make_redressed(1, replace(PLAIN, kind=Garment.UPPER))
    same = (sample.labels == sample.old_labels) & (sample.labels == Parse.HEAD)
    assert same.sum() > 50
    difference = (sample.person - sample.old_person).abs().amax(0)
    assert difference[same].median() < 0.02
    assert difference[sample.old_mask[0] > 0.5].median() > 0.1
    head = sample.old_labels == Parse.HEAD
    assert (sample.mask[0][head] == 0).all()


def test_redressed_people_are_packed(tmp_path):
    settings = replace(PLAIN, size=(64, 48), redressed=True, split=Split.VALIDATION)
    pack(tmp_path, 4, settings, pose_share=0.5)
    people = PackedDataset(tmp_path)
    kinds = [people[row].garment for row in range(4)]
    assert None in kinds and any(kinds)
    for row, kind in enumerate(kinds):
        stored = people[row]
        if kind is None:
            assert stored.old_person is None
            continue
        fresh = make_try_on(row, settings)
        assert torch.equal(stored.old_mask, fresh.old_mask)
        assert torch.equal(stored.old_labels, fresh.old_labels)
        assert (stored.old_person - fresh.old_person).abs().max() < 0.01
