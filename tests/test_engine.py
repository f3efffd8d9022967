"""The whole road with a toy model on a synthetic person: pictures in, result out."""

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from leffa.config import Garment, Task
from leffa.engine import Engine
from leffa.errors import LeffaError, PersonError, PictureError, WeightsError
from leffa.explain import FLOW_PICTURES
from leffa.explain.views import flow_pictures
from leffa.model import presets
from leffa.run.findings import Findings
from leffa.run.result import StoppedError
from leffa.run.settings import Settings
from leffa.weights import models

TOY = replace(models.BUNDLED, size=(64, 48), steps=4)


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    presets.pipeline("toy").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def engine(toy_folder):
    patch = pytest.MonkeyPatch()
    patch.setitem(models.MODELS, "bundled", replace(TOY, folder=toy_folder))
    yield Engine("cpu")
    patch.undo()


@pytest.fixture(scope="module")
def prepared(engine, person):
    return engine.prepare(person)


def test_the_result_is_the_photo_outside_the_mask(engine, prepared, garment):
    result = engine.try_on(prepared, garment, "upper", settings=Settings(seed=3))
    before, after = np.asarray(result.photo), np.asarray(result.images[0])
    assert before.shape == after.shape == (*result.mask.shape, 3)
    outside = result.mask == 0
    assert np.array_equal(before[outside], after[outside])
    assert (before[~outside] != after[~outside]).any()
    assert 0.02 < (~outside).mean() < 0.8


def test_the_seed_repeats_and_minus_one_draws(engine, prepared, garment):
    def run(seed, **options):
        return engine.try_on(prepared, garment, "upper", settings=Settings(seed=seed, **options))

    first = run(5)
    assert first.images[0].tobytes() == run(5).images[0].tobytes()
    assert first.images[0].tobytes() != run(6).images[0].tobytes()
    drawn = run(-1)
    assert drawn.settings.seed >= 0
    repeated = engine.try_on(prepared, garment, "upper", settings=drawn.settings.again())
    assert repeated.images[0].tobytes() == drawn.images[0].tobytes()
    both = run(5, samples=2)
    assert len(both.images) == len(both.fields) == 2
    for together, alone in zip(both.images, (first.images[0], run(6).images[0]), strict=True):
        apart = np.abs(np.asarray(together, int) - np.asarray(alone, int)).max(-1)
        assert (apart > 1).mean() < 1e-3  # rounding may move an outline by a pixel


def test_flow_pictures_have_the_sizes_of_what_they_show(engine, prepared, garment):
    result = engine.try_on(prepared, garment, Garment.UPPER, settings=Settings(seed=1))
    height, width = result.mask.shape
    assert result.fields[0].flow.shape == (height, width, 2)
    pictures = flow_pictures(result)
    # all that may come are looked for before a run, so that nothing is written over
    assert [name for name in FLOW_PICTURES if name in pictures or name != "refined"] == list(pictures)
    for name in ("overlay", "warped", "spread", "mass"):
        assert pictures[name].size == (width, height), name
    assert pictures["legend"].size == garment.size
    assert pictures["arrows"].width > width
    assert len(result.flows[0].timesteps) > 1 and result.flows[0].layers


def test_pose_transfer_has_the_size_of_the_pose_picture(engine, person, prepared):
    pose = person.resize((300, 400))
    result = engine.pose_transfer(prepared, pose, Settings(seed=1))
    assert result.task is Task.POSE_TRANSFER
    assert result.images[0].size == (300, 400)
    assert (result.mask == 255).all()


def test_a_given_mask_is_used_and_checked(engine, prepared, garment):
    mask = np.zeros(prepared.size, np.uint8)
    mask[100:160, 80:140] = 255
    result = engine.try_on(prepared, garment, "upper", mask, Settings(seed=1))
    changed = (np.asarray(result.photo) != np.asarray(result.images[0])).any(-1)
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 100 and rows.max() < 160 and columns.min() >= 80 and columns.max() < 140
    with pytest.raises(PictureError, match="both must agree"):
        engine.try_on(prepared, garment, "upper", mask[:-1])
    with pytest.raises(PictureError, match="mask is empty"):
        engine.try_on(prepared, garment, "upper", mask * 0)


def test_pictures_come_as_arrays_files_or_lists_of_both(engine, prepared, person, garment, tmp_path):
    garment.save(tmp_path / "garment.png")
    array, shot = np.asarray(person), tmp_path / "garment.png"
    mask = np.zeros(prepared.size, np.uint8)
    mask[100:160, 80:140] = 255
    settings = Settings(seed=1)
    first = engine.try_on(array, shot, "upper", Image.fromarray(mask), settings)
    for kept in (mask > 0, mask // 255, mask[..., None], mask / 255.0):
        assert np.array_equal(engine.try_on(prepared, garment, "upper", kept, settings).mask, mask)
    both = engine.try_on([array / 255.0, person], shot, "upper", [mask, None], settings)
    assert [type(one) for one in both] == [type(first)] * 2
    assert np.array_equal(np.asarray(both[0].images[0]), np.asarray(first.images[0]))
    with pytest.raises(LeffaError, match="2 people and 1 references"):
        engine.try_on([array, person], [shot], "upper")
    with pytest.raises(PictureError, match="float must be in"):
        engine.try_on(array.astype(float), shot)
    with pytest.raises(PictureError, match=r"shape \(3, 512, 384\)"):
        engine.prepare(array.transpose(2, 0, 1))


def test_the_kind_is_guessed_and_said(engine, prepared, garment):
    result = engine.try_on(prepared, garment, settings=Settings(seed=1))
    assert result.garment is Garment.UPPER and any(
        "taken for the kind upper" in note for note in result.notes
    )
    assert not engine.try_on(prepared, garment, "upper", settings=Settings(seed=1)).notes


def test_a_run_has_room_for_any_garment(engine, prepared, garment):
    painted = engine.try_on(prepared, garment, "upper", settings=Settings(seed=1)).mask
    assert np.array_equal(painted, engine.mask(prepared, "upper"))


def test_progress_reaches_one_with_previews_and_stop_ends_it(engine, prepared, garment):
    seen = []
    engine.try_on(
        prepared, garment, "upper", settings=Settings(seed=1, steps=12), progress=lambda *a: seen.append(a)
    )
    shares = [share for share, _, _ in seen]
    assert shares == sorted(shares) and shares[-1] == 1
    previews = [np.asarray(preview) for _, _, preview in seen if preview is not None]
    assert len(previews) == 5
    photo, kept = np.asarray(prepared.photo), engine.mask(prepared, "upper") == 0
    assert all(np.array_equal(preview[kept], photo[kept]) for preview in previews)
    assert (previews[0] != previews[1]).any()

    stop = threading.Event()

    def watch(share, what, preview):
        if "step 3" in what:
            stop.set()

    with pytest.raises(StoppedError):
        engine.try_on(
            prepared, garment, "upper", settings=Settings(seed=1, steps=100), progress=watch, stop=stop
        )


def test_who_looks_at_no_previews_gets_the_same_picture_without(engine, prepared, garment):
    class Quiet:
        previews = False

        def __init__(self):
            self.seen = []

        def __call__(self, share, what, preview):
            self.seen.append(preview)

    settings, quiet = Settings(seed=1, steps=12), Quiet()
    plain = engine.try_on(prepared, garment, "upper", settings=settings, progress=quiet)
    assert len(quiet.seen) > 12 and set(quiet.seen) == {None}
    shown = engine.try_on(prepared, garment, "upper", settings=settings, progress=lambda *a: None)
    assert plain.images[0].tobytes() == shown.images[0].tobytes()


def test_a_smaller_size_paints_a_smaller_frame_and_a_larger_one_again(
    toy_folder, prepared, garment, monkeypatch
):
    published = replace(
        TOY,
        folder=toy_folder,
        size=(128, 96),
        smaller={(64, 48): models.Cost()},
        official_conditions=True,
        focus=False,
        compose=False,
    )
    monkeypatch.setitem(models.MODELS, "bundled", published)
    own = Engine("cpu")
    for size in ((64, 48), (128, 96), (64, 48)):
        result = own.try_on(prepared, garment, "upper", settings=Settings(seed=1, size=size))
        assert result.region.letterbox.frame == result.densepose.size[::-1] == size
        assert result.settings.size == size and result.images[0].size == result.photo.size
        assert own.pipelines._loaded["bundled"].needs.pixels >= size[0] * size[1]


def test_a_picture_without_people_says_what_would_do(engine, garment):
    noise = np.random.default_rng(0).integers(0, 255, (256, 192, 3), dtype=np.uint8)
    with pytest.raises(PersonError):
        engine.try_on(Image.fromarray(noise), garment, "upper")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be"),
        ({"guidance_scale": -1}, "guidance"),
        ({"samples": 9}, "samples"),
        ({"seed": -2}, "seed"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(LeffaError, match=message):
        Settings(**change).resolved(TOY)


def test_missing_and_unknown_models(monkeypatch, tmp_path):
    with pytest.raises(WeightsError, match="unknown model"):
        models.find(Task.TRY_ON, "best")
    monkeypatch.setitem(models.MODELS, "bundled", replace(TOY, folder=tmp_path))
    with pytest.raises(WeightsError, match="leffa download"):
        models.find(Task.TRY_ON)


def test_two_visitors_at_once_get_what_each_would_get_alone(engine, prepared, garment):
    alone = {seed: engine.try_on(prepared, garment, "upper", settings=Settings(seed=seed)) for seed in (1, 2)}
    together = {}

    def visit(seed):
        together[seed] = engine.try_on(prepared, garment, "upper", settings=Settings(seed=seed))

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, result in alone.items():
        assert together[seed].images[0].tobytes() == result.images[0].tobytes()


@pytest.fixture
def looks(monkeypatch):
    """What is looked at anew: names of the functions that read photos and garments, as they are called."""
    from leffa import engine as module
    from leffa.model.pipeline import LeffaPipeline
    from leffa.preprocess.offline.pose import PoseEstimator

    called = []

    def watch(place, name):
        whole = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given: (called.append(name), whole(*given))[1])

    watch(PoseEstimator, "estimate")
    watch(module, "read_photo")
    watch(module, "front_of")
    watch(LeffaPipeline, "read_reference")
    return called


def test_a_photo_and_a_garment_are_looked_at_once(engine, person, garment, looks):
    def mirrored(picture):
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

    def paint(by, *pictures):
        looks.clear()
        result = by.try_on(*pictures, "upper", settings=Settings(seed=3))
        return result.images[0].tobytes(), Counter(looks)

    remembering, forgetting = engine.apart(Findings()), engine.apart(Findings(most_bytes=0))
    _, first = paint(remembering, person, garment)
    assert set(first) == {"estimate", "read_photo", "front_of", "read_reference"}
    again, looked = paint(remembering, person, garment)
    assert not looked
    other_garment, looked = paint(remembering, person, mirrored(garment))
    assert looked == {"estimate": 1, "front_of": 1, "read_reference": TOY.steps}
    other_photo, looked = paint(remembering, mirrored(person), garment)
    assert set(looked) == {"estimate", "read_photo"}
    assert again == paint(forgetting, person, garment)[0]
    assert other_garment == paint(forgetting, person, mirrored(garment))[0]
    assert other_photo == paint(forgetting, mirrored(person), garment)[0]


def test_what_is_found_for_one_is_not_known_to_another(engine, person, looks):
    for visitor in (engine.apart(Findings()), engine.apart(Findings())):
        looks.clear()
        visitor.prepare(person)
        assert looks == ["estimate"]
        visitor.prepare(person)
        assert looks == ["estimate"]


def test_what_is_handed_out_may_be_drawn_on(engine, garment):
    view = engine.apart(Findings())
    first = view.shot(garment, "upper")
    before = first.picture.tobytes(), first.shown.tobytes()
    first.picture.paste((255, 0, 0), (0, 0, 50, 50))
    first.shown[:] = 0
    again = view.shot(garment, "upper")
    assert (again.picture.tobytes(), again.shown.tobytes()) == before
