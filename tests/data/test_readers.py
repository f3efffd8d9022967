from dataclasses import fields

import drawn_sets
import numpy as np
import pytest
import torch
from drawn_sets import CLOTH, HEIGHT, PERSON, WIDTH, boxed
from PIL import Image

from leffa.config import DensePoseEncoding, Garment, Task
from leffa.data.deep_fashion import DeepFashion
from leffa.data.dress_code import DressCode
from leffa.data.sample import Sample
from leffa.data.sources import Source
from leffa.data.viton_hd import VitonHD
from leffa.errors import LeffaError

SIZE = (HEIGHT, WIDTH)


def colour(picture):
    """Mean (R, G, B) of a picture in [-1, 1], 0 to 255."""
    return tuple(((picture.mean(dim=(1, 2)) + 1) * 127.5).round().int().tolist())


def near(a, b):
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= 3


def check_sample(sample, size):
    """What every reader must give, whatever it read."""
    assert isinstance(sample, Sample)
    for field in fields(Sample):
        value = getattr(sample, field.name)
        if isinstance(value, torch.Tensor):
            assert value.shape[-2:] == size, field.name
            assert value.dtype == torch.float32, field.name
    for name in ("person", "reference", "densepose"):
        picture = getattr(sample, name)
        assert picture.shape[0] == 3 and picture.min() >= -1 and picture.max() <= 1
    for name in ("mask", "loss_mask", "reference_mask"):
        mask = getattr(sample, name)
        assert mask is None or set(mask.unique().tolist()) <= {0.0, 1.0}


@pytest.fixture
def viton(tmp_path):
    return drawn_sets.viton_hd(tmp_path)


@pytest.fixture
def dress(tmp_path):
    return drawn_sets.dress_code(tmp_path)


@pytest.fixture
def fashion(tmp_path):
    return drawn_sets.deep_fashion(tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_viton_hd_pairs_a_person_with_the_own_garment_not_with_the_listed_one(viton, split):
    data = VitonHD(viton, split, size=SIZE)
    assert len(data) == 3
    for index, name in enumerate(PERSON):
        sample = data[index]
        check_sample(sample, SIZE)
        assert sample.name == f"{name}_00" and sample.garment is Garment.UPPER
        assert near(colour(sample.person), PERSON[name]) and near(colour(sample.reference), CLOTH[name])


def test_viton_hd_unpaired_takes_the_listed_garment(viton):
    sample = VitonHD(viton, "test", paired=False, size=SIZE)[0]
    assert near(colour(sample.person), PERSON["a"]) and near(colour(sample.reference), CLOTH["b"])


def test_viton_hd_masks_and_densepose(viton):
    sample = VitonHD(viton, size=SIZE)[0]
    assert np.array_equal(sample.loss_mask[0].numpy(), boxed(1))  # labels 5 and 7, not the face
    assert np.array_equal(sample.mask[0].numpy(), boxed(1, (5, 15, 45, 55)))
    assert np.array_equal(sample.reference_mask[0].numpy(), boxed(1))
    inside = (sample.densepose[:, 35, 25] + 1) * 127.5
    assert near(inside.tolist(), (20, 80, 194))  # the PARULA colour of part 2, in R, G, B
    assert near(((sample.densepose[:, 2, 45] + 1) * 127.5).tolist(), (0, 0, 0))
    numbers = VitonHD(viton, size=SIZE, encoding=DensePoseEncoding.DRESS_CODE)[0].densepose
    assert torch.allclose((numbers[:, 35, 25] + 1) * 127.5, torch.full((3,), 2.0))


def test_readers_bring_everything_to_the_size_asked_for(viton):
    check_sample(VitonHD(viton, size=(32, 24))[0], (32, 24))


def test_viton_hd_refuses_an_encoding_it_cannot_give(viton):
    with pytest.raises(LeffaError, match="no surface coordinates"):
        VitonHD(viton, encoding=DensePoseEncoding.POSE_TRAINING)


@pytest.mark.parametrize(
    "file",
    ["cloth/b_00.jpg", "agnostic-mask/c_00_mask.png", "image-parse-v3/a_00.png", "image-densepose/b_00.jpg"],
)
def test_a_missing_file_is_named_before_anything_is_read(viton, file):
    (viton / "train" / file).unlink()
    with pytest.raises(LeffaError) as error:
        VitonHD(viton, size=SIZE)
    assert file in str(error.value) and "1 of 15 files" in str(error.value) and "Expected" in str(error.value)


def test_a_missing_folder_lists_a_few_files_and_counts_the_rest(viton):
    for path in (viton / "train" / "image-densepose").iterdir():
        path.unlink()
    (viton / "train" / "image-densepose").rmdir()
    with pytest.raises(LeffaError, match="3 of 15 files are missing"):
        VitonHD(viton)
    (viton / "train_pairs.txt").unlink()
    with pytest.raises(LeffaError, match=r"train_pairs\.txt is missing"):
        VitonHD(viton)


def test_unpaired_needs_the_listed_cloth_and_paired_does_not(viton):
    (viton / "test_pairs.txt").write_text("a_00.jpg elsewhere.jpg\n")
    assert len(VitonHD(viton, "test")) == 1
    with pytest.raises(LeffaError, match=r"cloth/elsewhere\.jpg"):
        VitonHD(viton, "test", paired=False)


def test_dress_code_reads_every_kind(dress):
    data = DressCode(dress, size=SIZE)
    assert [data[i].garment for i in range(len(data))] == [kind for kind in Garment for _ in range(2)]
    for index in range(len(data)):
        sample = data[index]
        check_sample(sample, SIZE)
        shade = "ab"[index % 2]
        assert near(colour(sample.person), PERSON[shade]) and near(colour(sample.reference), CLOTH[shade])
        assert np.array_equal(sample.loss_mask[0].numpy(), boxed(1)), sample.garment
        assert torch.allclose((sample.densepose[:, 35, 25] + 1) * 127.5, torch.full((3,), 2.0))
    assert len(DressCode(dress, garments=(Garment.LOWER,))) == 2


def test_dress_code_unpaired_is_for_testing_only(dress):
    sample = DressCode(dress, "test", paired=False, size=SIZE)[0]
    assert near(colour(sample.person), PERSON["a"]) and near(colour(sample.reference), CLOTH["b"])
    with pytest.raises(LeffaError, match="train on pairs"):
        DressCode(dress, "train", paired=False)


def test_dress_code_gives_surface_coordinates(dress):
    sample = DressCode(dress, size=SIZE, encoding=DensePoseEncoding.POSE_TRAINING)[0]
    u, v, part = sample.densepose[:, 35, 25].tolist()
    assert abs((u + 1) / 2 - 0.25) < 0.01 and abs((v + 1) / 2 - 0.75) < 0.01
    assert abs((part + 1) / 2 * 24 - 2) < 1e-3


def test_dress_code_names_what_is_wrong(dress, tmp_path_factory):
    np.savez(dress / "dresses/dense/000002_5_uv.npz", wrong=np.zeros(3))
    data = DressCode(dress, size=SIZE)
    with pytest.raises(LeffaError, match=r"000002_5_uv\.npz"):
        data[5]
    (dress / "dresses/dense/000002_5_uv.npz").unlink()
    with pytest.raises(LeffaError, match=r"1 of 36 files .* dresses/dense/000002_5_uv\.npz"):
        DressCode(dress)
    with pytest.raises(LeffaError, match="none of DressCode's folders"):
        DressCode(tmp_path_factory.mktemp("empty"))


def test_deep_fashion_paints_the_second_from_the_first(fashion):
    data = DeepFashion(fashion, size=SIZE)
    assert len(data) == 2
    sample = data[0]
    check_sample(sample, SIZE)
    assert sample.task is Task.POSE_TRANSFER and sample.garment is None
    assert near(colour(sample.reference), PERSON["a"]) and near(colour(sample.person), PERSON["b"])
    assert sample.mask.min() == 1
    u, v, part = ((sample.densepose[:, 35, 25] + 1) / 2).tolist()
    assert abs(u * 255 - 64) < 0.5 and abs(v * 255 - 192) < 0.5 and abs(part * 24 - 2) < 1e-3


def test_deep_fashion_dilates_the_person(fashion):
    shown = DeepFashion(fashion, size=SIZE)[0].loss_mask[0].numpy()
    body = boxed(1)
    assert (shown >= body).all() and body.sum() < shown.sum() < 1.6 * body.sum()
    assert shown[2, 2] == 0


def test_deep_fashion_names_what_is_missing(fashion):
    next((fashion / "test_densepose").iterdir()).unlink()
    assert len(DeepFashion(fashion, "train")) == 2
    with pytest.raises(LeffaError, match="test_densepose/fashionWOMEN"):
        DeepFashion(fashion, "test")
    (fashion / "fasion-resize-pairs-test.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LeffaError, match="columns from,to"):
        DeepFashion(fashion, "test")


def test_sources_are_told_by_their_kind(viton):
    assert len(Source.parse(f"viton-hd:{viton}").open(SIZE, "viton-hd")) == 3
    for text in ("viton-hd", "nothing:here", "synthetic:many", "packed:"):
        with pytest.raises(LeffaError):
            Source.parse(text)
    with pytest.raises(LeffaError, match="the model wants 'viton-hd'"):
        Source.parse("synthetic:3").open(SIZE, "viton-hd")
    with pytest.raises(LeffaError, match="no mismatched pairs"):
        Source.parse("synthetic:3").open(SIZE, "body", paired=False)


def test_synthetic_people_stream_without_disk():
    data = Source.parse("synthetic:3").open(SIZE, "body", count=10)
    assert len(data) == 10
    again = Source.parse("synthetic:3").open(SIZE, "body", count=10)
    sample = data[1]
    check_sample(
        sample.__class__(
            **{
                **sample.__dict__,
                "labels": None,
                "parts": None,
                "visible": None,
                "flow": None,
                "landmarks": None,
            }
        ),
        SIZE,
    )
    assert torch.equal(sample.person, again[1].person) and not torch.equal(sample.person, data[2].person)
    assert [data[i].task is Task.POSE_TRANSFER for i in range(10)].count(True) == 3
    other = Source.parse("synthetic:3").open(SIZE, "body", split="test", count=10)
    assert not torch.equal(sample.person, other[1].person)


# ------------------------------------------------------------------------------ what people bring


def with_suffix(part, suffix):
    """All of a folder's JPEG files under another suffix, and in the format that it names."""
    for path in list(part.rglob("*.jpg")):
        image = Image.open(path)
        image.load()
        path.unlink()
        image.save(path.with_suffix(suffix))


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".webp"])
def test_pictures_are_found_whatever_their_suffix(viton, dress, suffix):
    for part in (viton / "train", dress / "dresses"):
        with_suffix(part, suffix)
    assert near(colour(VitonHD(viton, size=SIZE)[0].person), PERSON["a"])
    assert near(colour(DressCode(dress, garments=(Garment.DRESS,), size=SIZE)[0].person), PERSON["a"])


@pytest.mark.parametrize("separator", [" ", "\t", ",", "; "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_names_with_blanks_and_marks_in_lists_of_any_kind(viton, separator, encoding, quote):
    names = ("Jörg am Meer.jpg", "my red shirt.jpg")
    for folder in ("image", "cloth", "cloth-mask", "image-parse-v3", "agnostic-mask", "image-densepose"):
        for old, new in zip("ab", names, strict=True):
            path = next((viton / "train" / folder).glob(f"{old}_00*"))
            path.rename(path.with_name(path.name.replace(f"{old}_00", new.removesuffix(".jpg"))))
    text = (
        separator.join(names)
        + "\r\n"
        + separator.join(f"{quote}{name}{quote}" for name in names[::-1])
        + "\r\n"
    )
    (viton / "train_pairs.txt").write_bytes(text.encode(encoding))
    data = VitonHD(viton, size=SIZE)
    assert [data[i].name for i in range(len(data))] == ["Jörg am Meer", "my red shirt"]


def test_a_list_in_another_encoding_is_a_sentence(viton, fashion):
    (viton / "train_pairs.txt").write_bytes("Jörg.jpg b.jpg\n".encode("cp1252"))
    with pytest.raises(LeffaError, match="UTF-8"):
        VitonHD(viton)
    path = fashion / "fasion-resize-pairs-train.csv"
    text = path.read_text()
    path.write_bytes(text.replace(",", ";").encode("utf-8-sig"))  # as a spreadsheet saves it
    assert len(DeepFashion(fashion, size=SIZE)) == 2
    path.write_bytes(text.encode() + b"\xe4")
    with pytest.raises(LeffaError, match="UTF-8"):
        DeepFashion(fashion)


def test_a_photo_is_turned_as_at_inference(viton):
    """A phone's photo: its pixels lie on their side, the maps were made of what one sees."""
    upright = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    upright[: HEIGHT // 2] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    path = viton / "train/image/a_00.jpg"
    Image.fromarray(np.rot90(upright).copy()).save(path, exif=exif, quality=95)
    person = VitonHD(viton, size=SIZE)[0].person
    assert person[:, :20].mean() > 0.9 and person[:, -20:].mean() < -0.9
    Image.fromarray(np.rot90(upright).copy()).save(path, quality=95)  # without the tag the maps do not fit
    with pytest.raises(LeffaError, match=r"48x64 and its picture a_00\.jpg 64x48"):
        VitonHD(viton, size=SIZE)[0]


def test_transparency_is_white_and_landscape_is_not_squashed(viton):
    part = viton / "train"
    (part / "cloth/a_00.jpg").unlink()
    Image.new("RGBA", (96, 48), (255, 0, 0, 0)).save(part / "cloth/a_00.png")
    Image.fromarray(np.full((48, 96), 255, np.uint8)).save(part / "cloth-mask/a_00.jpg")
    sample = VitonHD(viton, size=SIZE)[0]
    assert torch.equal(sample.reference, torch.ones(3, HEIGHT, WIDTH))
    shown = sample.reference_mask[0]
    assert shown.sum() == 24 * 48 and shown[20:44].all()  # 96x48 in 48x64: the whole width, in the middle


def test_what_lies_in_the_frame_lies_there_together(viton):
    """A landscape photo with its mask, labels and body parts, each at a resolution of its own."""
    part, box = viton / "train", np.zeros((48, 96), np.uint8)
    box[16:32, 32:64] = 1
    Image.fromarray(np.repeat(box[..., None] * 255, 3, -1)).save(part / "image/a_00.jpg", quality=95)
    Image.fromarray(box * 255).resize((192, 96), 0).save(part / "agnostic-mask/a_00_mask.png")
    drawn_sets.palette(box * 5).resize((192, 96), 0).save(part / "image-parse-v3/a_00.png")
    Image.fromarray(drawn_sets.parula_picture(box * 2)).save(part / "image-densepose/a_00.jpg", quality=95)
    sample = VitonHD(viton, size=SIZE)[0]
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[28:36, 16:32] = 1
    assert torch.equal(sample.mask[0], expected) and torch.equal(sample.loss_mask[0], expected)
    assert sample.person[:, :20].min() == 1  # the frame's border is white
    assert (sample.person[0] > 0)[20:44].sum() == pytest.approx(8 * 16, abs=30)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("agnostic picture", "looks like a photo|one tone"),
        ("inverted", "0 % of the worn garment"),
        ("everything", "100 % of the picture"),
    ],
)
def test_what_is_no_mask_ends_a_run_instead_of_spoiling_it(viton, dress, kind, sentence):
    mask = boxed(255, (5, 15, 45, 55))
    coarse = np.random.default_rng(0).integers(0, 255, (16, 12, 3), dtype=np.uint8)
    colours = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT)))
    given = {
        "agnostic picture": np.where(mask[..., None] > 0, 128, colours).astype(np.uint8),
        "inverted": 255 - mask,
        "everything": np.full_like(mask, 255),
    }[kind]
    Image.fromarray(given).save(viton / "train/agnostic-mask/a_00_mask.png")
    Image.fromarray(given).save(dress / "upper_body/agnostic_masks/000001_0.png")
    for data in (VitonHD(viton, size=SIZE), DressCode(dress, size=SIZE)):
        with pytest.raises(LeffaError, match=sentence):
            data[0]


def test_a_mask_of_zeros_and_ones_is_a_mask(viton):
    Image.fromarray(boxed(1, (5, 15, 45, 55))).save(viton / "train/agnostic-mask/a_00_mask.png")
    assert np.array_equal(VitonHD(viton, size=SIZE)[0].mask[0].numpy(), boxed(1, (5, 15, 45, 55)))
