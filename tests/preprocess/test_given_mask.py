"""Masks as people bring them, through the one reader, and through every road that takes a mask."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from leffa import cli
from leffa.errors import PictureError
from leffa.preprocess.given_mask import Covered, check_mask, check_worn, read_mask
from leffa.preprocess.labels import Part

HEIGHT, WIDTH = 256, 192
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[80:180, 50:140] = 255


def photo() -> np.ndarray:
    """Something of many colours, as photos are."""
    coarse = np.random.default_rng(0).integers(0, 255, (16, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT)))


def with_alpha(colour, alpha: np.ndarray) -> Image.Image:
    colours = np.broadcast_to(np.asarray(colour), (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return Image.fromarray(np.dstack([colours, alpha]))


def as_rgb(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, -1)


def palette(colour: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(MASK // 255)
    image.putpalette([0, 0, 0, *colour])
    return image


def jpeg(values: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=60)
    file.seek(0)
    return file


RIM = np.zeros((HEIGHT, WIDTH), np.uint8)
RIM[20:230, 20:170] = 255
ACCEPTED = {
    "black and white": Image.fromarray(MASK),
    "0 and 1": Image.fromarray(MASK // 255),
    "0 and 1 in RGB": Image.fromarray(as_rgb(MASK // 255)),
    "labels 0 and 15": Image.fromarray(MASK // 17),
    "one bit": Image.fromarray(MASK > 0),
    "16 bits": Image.fromarray(MASK.astype(np.uint16) * 257),
    "float picture": Image.fromarray(MASK.astype(np.float32) / 255),
    "red in a palette": palette((255, 0, 0)),
    "dark in a palette": palette((40, 0, 0)),
    "JPEG": jpeg(MASK),
    "grey as JPEG": jpeg(MASK // 2),
    "blue as JPEG": jpeg(np.dstack([np.zeros((HEIGHT, WIDTH, 2), np.uint8), MASK])),
    "white strokes in alpha": with_alpha((255, 255, 255), MASK),
    "black strokes in alpha": with_alpha((0, 0, 0), MASK),
    "red half-transparent strokes": with_alpha((255, 0, 0), MASK // 2),
    "a hole, as ComfyUI writes it": with_alpha(photo(), 255 - MASK),
    "a hole in black": with_alpha((0, 0, 0), 255 - MASK),
    "a mask with a transparent rim": with_alpha(as_rgb(MASK), RIM),
    "alpha that says nothing": with_alpha(as_rgb(MASK), np.full((HEIGHT, WIDTH), 255, np.uint8)),
    "grey and alpha": Image.fromarray(MASK).convert("LA"),
    "CMYK": Image.fromarray(as_rgb(MASK)).convert("CMYK"),
    "bool": MASK > 0,
    "uint8 0 and 1": MASK // 255,
    "float 0 to 1": MASK / 255.0,
    "float 0 to 255": MASK.astype(np.float32),
    "-1 to 1": MASK / 127.5 - 1,
    "int64": MASK.astype(np.int64),
    "uint16": MASK.astype(np.uint16) * 257,
    "one channel": MASK[..., None],
    "channel first": MASK[None],
    "three channels": as_rgb(MASK),
    "a list": (MASK > 0).tolist(),
    "a tensor": torch.from_numpy(MASK)[None, None] / 255,
}
REFUSED = {
    "the photo greyed out": (
        Image.fromarray(np.where(MASK[..., None] > 0, 128, photo()).astype(np.uint8)),
        "greyed out",
    ),
    "the photo": (Image.fromarray(photo()), "looks like a photo"),
    "the photo in greys": (Image.fromarray(photo()).convert("L"), "picture in greys"),
    "red strokes on the photo": (
        Image.fromarray(np.where(MASK[..., None] > 0, (255, 0, 0), photo()).astype(np.uint8)),
        "looks like a photo",
    ),
    "a cut-out": (with_alpha(photo(), MASK), "cut-out"),
    "three tones": (np.where(RIM > MASK, 128, MASK).astype(np.uint8), "one tone between black and white"),
    "a map of labels": ((MASK // 255 + RIM // 255).astype(np.uint8), "map of labels"),
    "one grey": (np.full((HEIGHT, WIDTH), 128, np.uint8), "one tone between black and white"),
    "a gradient": (np.tile(np.linspace(0, 255, WIDTH), (HEIGHT, 1)), "mid-tones"),
    "NaN": (np.where(MASK > 0, np.nan, 0), "no numbers"),
    "words": (np.array([["a", "b"]]), "numbers or bool"),
    "four dimensions": (np.zeros((2, 3, HEIGHT, WIDTH)), "shape"),
    "nothing": (np.zeros((0, 5)), "shape"),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_mask_is_read_however_it_is_kept(kind):
    mask = read_mask(ACCEPTED[kind])
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
    assert (mask != MASK).mean() < (0.01 if "JPEG" in kind else 1e-9)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_mask_is_refused_with_what_it_looks_like(kind):
    source, sentence = REFUSED[kind]
    with pytest.raises(PictureError, match=sentence):
        read_mask(source)


def test_files_are_named_turned_and_inverted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    Image.fromarray(np.rot90(MASK)).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "turned.png"), MASK)
    assert np.array_equal(read_mask(MASK, invert=True), 255 - MASK)
    Image.fromarray(photo()).save(tmp_path / "photo.png")
    with pytest.raises(PictureError, match=r"'photo\.png' is no mask"):
        read_mask(tmp_path / "photo.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(PictureError, match=r"text\.png"):
        read_mask(tmp_path / "text.png")


def test_soft_edges_are_no_mid_tones():
    soft = read_mask(Image.fromarray(MASK).filter(ImageFilter.GaussianBlur(8)))
    assert (soft != MASK).mean() < 0.02


PART = np.zeros((HEIGHT, WIDTH), np.uint8)
PART[20:70, 80:110] = Part.HEAD_LEFT
PART[70:180, 60:130] = Part.TORSO_FRONT


def test_a_mask_is_held_against_the_photo():
    size = (HEIGHT, WIDTH)
    assert check_mask(MASK, size, PART) == []
    covered = Covered.of(MASK, PART)
    assert covered.head == 0 and covered.torso > 0.8 and covered.picture == pytest.approx((MASK > 0).mean())
    with pytest.raises(PictureError, match="wrong way round: invert it"):
        check_mask(255 - MASK, size, PART)
    with pytest.raises(PictureError, match="100 % of the picture"):
        check_mask(np.full(size, 255, np.uint8), size, PART)
    with pytest.raises(PictureError, match="lies on its side"):
        check_mask(MASK.T.copy(), size, PART)
    with pytest.raises(PictureError, match="both must agree"):
        check_mask(MASK[:-1], size, PART)
    face = MASK.copy()
    face[10:80, 70:120] = 255
    assert "of the head" in check_mask(face, size, PART)[0]


def test_a_training_mask_is_held_against_the_worn_garment():
    worn = MASK > 0
    check_worn(MASK, worn, "mask.png")
    check_worn(MASK, np.zeros_like(worn), "mask.png")
    with pytest.raises(PictureError, match=r"mask\.png covers 0 % of the worn garment and 100 % of the rest"):
        check_worn(255 - MASK, worn, "mask.png")
    with pytest.raises(PictureError, match="100 % of the picture"):
        check_worn(np.full_like(MASK, 255), worn, "mask.png")


# ------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("inverted", "wrong way round"), ("photo", "looks like a photo"), ("full", "leaves nothing to go by")],
)
def test_the_command_line_refuses_what_is_no_mask(
    tmp_path, person, garment, capsys, monkeypatch, kind, sentence
):
    monkeypatch.chdir(tmp_path)
    person.save("person.png")
    garment.save("garment.png")
    assert cli.main(["mask", "person.png", "-o", "good.png"]) == 0
    good = np.asarray(Image.open("good.png"))
    given = {"inverted": 255 - good, "photo": np.asarray(person), "full": np.full_like(good, 255)}[kind]
    Image.fromarray(given).save("mask.png")
    assert (
        cli.main(
            ["tryon", "person.png", "garment.png", "--mask", "mask.png", "-o", "out.png", "--steps", "4"]
        )
        == 2
    )
    assert sentence in capsys.readouterr().err and not (tmp_path / "out.png").exists()
