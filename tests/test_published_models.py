"""The engine with published models: which one it takes, what the weights are given, and what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from official_stand_ins import LARGE, SMALL, Eyes, joints_of
from PIL import Image

from leffa.config import DensePoseEncoding, Garment, Task
from leffa.engine import Engine
from leffa.errors import LeffaError, PictureError, WeightsError
from leffa.explain.views import flow_pictures
from leffa.images import Letterbox, to_tensor
from leffa.model import presets
from leffa.preprocess.encoding import encode_densepose
from leffa.preprocess.official.densepose.charts import iuv_picture
from leffa.preprocess.official.masks import official_mask
from leffa.preprocess.official.preprocessor import FRAME
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.prepared import NO_OFFICIAL_CONDITIONS
from leffa.run.settings import Settings
from leffa.weights import models

NETWORKS = ("densepose", "openpose", "parsing")


class Captured(Exception):  # noqa: N818
    """Carries what the pipeline would have been called with."""


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """An empty folder of weights that the whole registry looks at."""
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path)
    for name, model in models.MODELS.items():
        monkeypatch.setitem(models.MODELS, name, replace(model, folder=tmp_path / name))
    return tmp_path


def save_toy(checkpoints, name):
    encodings = {"viton-hd": "viton-hd", "dress-code": "dress-code", "deep-fashion": "pose-demo"}
    torch.manual_seed(0)
    toy = presets.pipeline("toy")
    toy.register_to_config(densepose_encoding=encodings.get(name, "body"))
    toy.save_pretrained(checkpoints / name)


@pytest.fixture
def engine(checkpoints, monkeypatch):
    """An engine whose official networks see two people, and whose pipelines only tell what they are given."""
    for name in NETWORKS:
        (checkpoints / name).mkdir()
    engine = Engine("cpu")
    engine._preparation._networks = Eyes(joints=joints_of(LARGE))

    def capture(model, samples, inputs, findings):
        raise Captured(inputs())

    monkeypatch.setattr(engine.pipelines, "run", capture)
    return engine


@pytest.fixture
def photo():
    pixels = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)
    return Image.fromarray(pixels)


def given(call, *arguments, **options):
    with pytest.raises(Captured) as caught:
        call(*arguments, **options)
    return caught.value.args[0]


def test_the_best_present_model_is_taken(checkpoints):
    with pytest.raises(WeightsError, match="leffa download"):
        models.find(Task.TRY_ON)
    advice = r"'viton-hd' are not in .*: fetch them with `leffa download --what tryon`"
    with pytest.raises(WeightsError, match=advice):
        models.find(Task.TRY_ON, "viton-hd")
    for name, best in (("bundled", "bundled"), ("viton-hd", "viton-hd"), ("dress-code", "viton-hd")):
        save_toy(checkpoints, name)
        assert models.find(Task.TRY_ON).name == best
    assert models.find(Task.TRY_ON, garment=Garment.UPPER).name == "viton-hd"
    assert models.find(Task.TRY_ON, garment=Garment.DRESS).name == "dress-code"
    assert models.find(Task.POSE_TRANSFER).name == "bundled"
    save_toy(checkpoints, "deep-fashion")
    assert models.find(Task.POSE_TRANSFER).name == "deep-fashion"
    (checkpoints / "dress-code" / "model_index.json").unlink()
    assert models.find(Task.TRY_ON, garment=Garment.DRESS).name == "viton-hd"  # still better than bundled


@pytest.mark.parametrize("name", ["viton-hd", "dress-code"])
def test_try_on_is_given_what_the_demo_gives_bit_for_bit(engine, checkpoints, photo, garment, name):
    save_toy(checkpoints, name)
    inputs = given(engine.try_on, photo, garment, "upper", model=name)
    assert torch.equal(inputs["person"][0], to_tensor(photo))
    framed_garment = Letterbox.official((garment.height, garment.width), FRAME).apply(garment)
    assert torch.equal(inputs["reference"][0], to_tensor(framed_garment))
    iuv = iuv_picture(LARGE.charts, LARGE.box, FRAME)
    condition = torch.from_numpy(encode_densepose(iuv, name, "IVU")).permute(2, 0, 1)
    assert torch.equal(inputs["densepose"][0], condition)
    eyes = engine._preparation._networks
    left, _, right, _ = (side / 2 for side in LARGE.box)
    columns = np.arange(384)
    room = 0.05 * 450
    near = (columns >= left - room) & (columns < right + room)
    clothes = np.where(near, eyes.parse_labels, 0)
    small = official_mask(clothes, eyes.joints, "upper_body", name, strict=False)
    mask = np.asarray(Image.fromarray(small).resize((768, 1024))) / 255 >= 0.5
    assert np.array_equal(inputs["mask"][0, 0].numpy() > 0, mask)
    assert inputs["guidance_rescale"] == inputs["guidance_scale"] == 2.5
    assert inputs["num_inference_steps"] == 30


def test_any_photo_is_letterboxed_as_by_the_demo(engine, checkpoints, person, garment):
    save_toy(checkpoints, "viton-hd")
    odd = person.resize((333, 517))
    inputs = given(engine.try_on, odd, garment, Garment.LOWER)
    assert torch.equal(inputs["person"][0], to_tensor(Letterbox.official((517, 333), FRAME).apply(odd)))


@pytest.mark.parametrize("encoding", [None, "pose-demo", "pose-training"])
def test_pose_transfer_takes_the_named_encoding(engine, checkpoints, photo, encoding):
    save_toy(checkpoints, "deep-fashion")
    reference = photo.transpose(Image.Transpose.FLIP_TOP_BOTTOM)  # the same one would be looked at once
    inputs = given(engine.pose_transfer, reference, photo, Settings(encoding=encoding))
    iuv = iuv_picture(LARGE.charts, LARGE.box, FRAME)
    expected = encode_densepose(iuv, encoding or "pose-demo", "IVU")
    assert np.array_equal(inputs["densepose"][0].permute(1, 2, 0).numpy(), expected)
    assert inputs["mask"].min() == 1
    other = encode_densepose(iuv, "pose-training" if encoding != "pose-training" else "pose-demo", "IVU")
    assert not np.allclose(expected, other)
    assert engine._preparation._networks.asked == ["detect", "detect"]  # neither joints nor parsing


def test_pose_transfer_needs_densepose_only(engine, checkpoints, photo):
    save_toy(checkpoints, "deep-fashion")
    for name in ("openpose", "parsing"):
        (checkpoints / name).rmdir()
    assert engine.prepare(photo, task=Task.POSE_TRANSFER).is_official
    assert engine.prepare(photo, task=Task.POSE_TRANSFER).remarks == ()


def test_an_encoding_that_the_weights_do_not_know_is_refused(engine, checkpoints, photo, garment):
    save_toy(checkpoints, "viton-hd")
    settings = Settings(encoding=DensePoseEncoding.POSE_TRAINING)
    with pytest.raises(LeffaError, match="viton-hd was trained with the body parts as 'viton-hd'"):
        engine.try_on(photo, garment, "upper", settings=settings)


def test_the_chosen_person_stays_chosen_whatever_the_model(engine, checkpoints, photo, garment):
    for name in ("viton-hd", "dress-code", "bundled"):
        save_toy(checkpoints, name)
    prepared = engine.prepare(photo, person=1)
    assert prepared.people == [(300, 100, 700, 1000), (40, 200, 240, 700)] and prepared.chosen == 1
    assert prepared.notes == ["2 people in the picture; number 2 by size is taken."]
    before = engine._preparation._networks.asked.count("detect")
    inputs = given(engine.try_on, prepared, garment, "lower", model="dress-code")
    assert engine._preparation._networks.asked.count("detect") == before
    small = iuv_picture(SMALL.charts, SMALL.box, FRAME)[..., 0] > 0
    part_is_told = inputs["densepose"][0, 0].numpy() > -1
    assert np.array_equal(part_is_told, small)


def test_without_the_official_networks_the_offline_ones_stand_in_and_it_is_said(
    engine, checkpoints, person, garment
):
    save_toy(checkpoints, "viton-hd")
    (checkpoints / "parsing").rmdir()
    prepared = engine.prepare(person)
    assert prepared.notes == [NO_OFFICIAL_CONDITIONS] and not prepared.is_official
    inputs = given(engine.try_on, prepared, garment, "upper")
    assert inputs["densepose"].shape[-2:] == FRAME and len(inputs["densepose"].unique()) > 5
    # What was prepared so is found anew once the networks are here, and the remark goes.
    (checkpoints / "parsing").mkdir()
    again = engine._preparation.fit(prepared, models.MODELS["viton-hd"])
    assert again.is_official and NO_OFFICIAL_CONDITIONS not in again.notes
    assert again.box == tuple(round(side / 2) for side in LARGE.box)


def test_wishes_for_the_mask_are_met_by_the_offline_one(engine, checkpoints, person):
    save_toy(checkpoints, "viton-hd")
    prepared = engine.prepare(person)
    assert prepared.is_official
    official = engine.mask(prepared, "lower")
    wished = engine.mask(prepared, "lower", MaskOptions(hem="knee"))
    offline = engine._preparation.offline(prepared)
    in_frame = offline.mask_in_frame(Garment.LOWER, MaskOptions(hem="knee"))
    roomy = offline.enlarged(in_frame)
    assert (wished >= roomy).all() and (wished > roomy).mean() < 0.05  # and what is read to be worn
    assert wished.shape == official.shape == prepared.size and not np.array_equal(wished, official)


def test_a_mask_with_nothing_in_it_is_told(engine, checkpoints, photo, garment):
    save_toy(checkpoints, "viton-hd")
    engine._preparation._networks.parse_labels = np.full((512, 384), 2, np.uint8)  # nothing but hair
    with pytest.raises(PictureError, match="no legs or hips"):
        engine.try_on(photo, garment, "lower")


def test_a_whole_run_in_the_official_frame(checkpoints, person, garment, monkeypatch):
    """At toy size: the frame is 64x48, the networks still see 1024x768."""
    save_toy(checkpoints, "viton-hd")
    toy = replace(models.MODELS["viton-hd"], size=(64, 48), steps=2)
    monkeypatch.setitem(models.MODELS, "viton-hd", toy)
    for name in NETWORKS:
        (checkpoints / name).mkdir()
    engine = Engine("cpu")
    engine._preparation._networks = Eyes(joints=joints_of(LARGE))
    result = engine.try_on(person, garment, "lower", settings=Settings(seed=3))
    assert result.model == "viton-hd" and result.settings.guidance_rescale == 2.5
    assert result.notes == [
        "2 people in the picture; the largest is taken.",
        "viton-hd was trained on upper garments only; `leffa download --what tryon-dresscode` fetches "
        "weights that know all kinds.",
    ]
    before, after = np.asarray(result.photo), np.asarray(result.images[0])
    outside = result.mask == 0
    assert np.array_equal(before[outside], after[outside]) and (before[~outside] != after[~outside]).any()
    pictures = flow_pictures(result)
    assert pictures["overlay"].size == person.size
    silhouette = engine.prepare(person).silhouette()
    body = engine.parts(engine.prepare(person))[..., 0] > 0
    assert silhouette[body].min() == 255 and 1 < (silhouette > 0).sum() / body.sum() < 1.4
