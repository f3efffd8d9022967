"""What is told before a picture is painted: of the garment's kind and length, of how the person is seen."""

import cv2
import numpy as np
import pytest
from PIL import Image

from leffa import cli
from leffa.config import Garment
from leffa.engine import Engine
from leffa.errors import PersonError
from leffa.preprocess.advice import LOOKS, TEXTS, of_kind, of_lengths, of_person, settle_kind
from leffa.preprocess.garment.kind import guess_kind
from leffa.preprocess.garment.measure import measure_silhouette
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.masks import MaskOptions

HEIGHT, WIDTH = 400, 320


def shape(*polygons) -> np.ndarray:
    """(H, W) bool from polygons in a field of 32 x 40."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [np.array(polygon, np.int32) * 10], 1)
    return canvas > 0


T_SHIRT = [
    (8, 4),
    (13, 3),
    (16, 5),
    (19, 3),
    (24, 4),
    (30, 12),
    (25, 15),
    (23, 12),
    (23, 32),
    (9, 32),
    (9, 12),
]
GARMENTS = {
    "T-shirt": (Garment.UPPER, shape([*T_SHIRT, (7, 15), (2, 12)])),
    "long sleeves": (
        Garment.UPPER,
        shape(
            [(9, 4), (14, 3), (16, 5), (18, 3), (23, 4), (23, 31), (9, 31)],
            [(9, 4), (6, 6), (1, 30), (4, 31), (9, 14)],
            [(23, 4), (26, 6), (31, 30), (28, 31), (23, 14)],
        ),
    ),
    "trousers": (
        Garment.LOWER,
        shape([(10, 2), (22, 2), (24, 38), (18, 38), (16, 14), (14, 38), (8, 38)]),
    ),
    "shorts": (Garment.LOWER, shape([(6, 10), (26, 10), (29, 30), (18, 30), (16, 19), (14, 30), (3, 30)])),
    "skirt": (Garment.LOWER, shape([(11, 4), (21, 4), (26, 36), (6, 36)])),
    "dress": (
        Garment.DRESS,
        shape([(12, 1), (14, 1), (15, 4), (17, 4), (18, 1), (20, 1), (19, 12), (24, 39), (8, 39), (13, 12)]),
    ),
}


@pytest.mark.parametrize("name", GARMENTS)
def test_the_kind_is_told_by_the_outline(name):
    kind, shown = GARMENTS[name]
    assert guess_kind(shown) is kind
    settled, told = settle_kind(None, shown)
    assert settled is kind and [one.key for one in told] == ["kind_guessed"]
    assert LOOKS[kind] in str(told[0]) and kind.value in str(told[0])
    assert settle_kind(kind, shown) == (kind, [])


def test_what_tells_nothing_is_taken_for_a_top_and_that_is_said():
    for shown in (np.ones((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)):
        kind, told = settle_kind(None, shown)
        assert kind is Garment.UPPER and [one.key for one in told] == ["kind_open"]


def test_another_kind_than_the_outline_shows_is_told():
    _, told = settle_kind("upper", GARMENTS["dress"][1])
    assert str(told[0]) == "By its outline the garment is a dress, but it is taken for upper: choose dress."
    assert of_kind(Garment.LOWER, Garment.UPPER) == [] == of_kind(Garment.LOWER, None)


def test_a_garment_longer_than_the_mask_is_told():
    shown = GARMENTS["long sleeves"][1]
    measure = measure_silhouette(shown, Garment.UPPER)
    assert of_lengths(measure, Garment.UPPER, MaskOptions()) == []
    told = of_lengths(measure, Garment.UPPER, MaskOptions(sleeve="elbow"))
    assert str(told[0]) == "This garment's sleeves reach the wrist, the mask ends above."
    trousers = measure_silhouette(GARMENTS["trousers"][1], Garment.LOWER)
    told = of_lengths(trousers, Garment.LOWER, MaskOptions(hem="knee"))
    assert str(told[0]) == "This garment reaches the ankle, the mask ends above."


# ------------------------------------------------------------------------------ the person


def body(lower: int = 400, turn: int = 0) -> np.ndarray:
    """(h, w) parts of somebody upright, 600 high, of whom the photo shows the rows above ``lower``."""
    part = np.zeros((600, 320), np.uint8)
    part[20:90, 130:190] = Part.HEAD_LEFT
    part[90:280, 100:220] = Part.TORSO_FRONT
    part[280:430, 100:220] = Part.LEFT_UPPER_LEG_FRONT
    part[430:580, 100:220] = Part.LEFT_LOWER_LEG_FRONT
    return np.rot90(part[:lower], turn).copy()


def keys(part: np.ndarray, garment: Garment) -> list[str]:
    return [one.key for one in of_person(part, garment)]


def test_half_a_person_is_told_or_refused():
    whole, to_the_knees, selfie = body(600), body(400), body(260)
    for garment in Garment:
        assert keys(whole, garment) == []
    assert keys(to_the_knees, Garment.UPPER) == [] == keys(selfie, Garment.UPPER)
    assert keys(to_the_knees, Garment.LOWER) == ["cut_at_knees"] == keys(to_the_knees, Garment.DRESS)
    assert keys(selfie, Garment.DRESS) == ["cut_at_hips"]
    with pytest.raises(PersonError, match="neither hips nor legs"):
        of_person(selfie, Garment.LOWER)


@pytest.mark.parametrize("top", [200, 270])  # seen from the front, and half from the side
def test_somebody_who_sits_is_told(top):
    part = np.pad(body(280), ((0, 120), (0, 0)))
    part[top : top + 70, 20:110] = Part.LEFT_UPPER_LEG_FRONT
    part[top + 70 : top + 100, 20:60] = Part.LEFT_LOWER_LEG_FRONT
    assert keys(part, Garment.LOWER) == ["sits"] and keys(part, Garment.UPPER) == []


def test_who_is_perched_is_told_by_thighs_that_look_short():
    part = body(280)
    part = np.pad(part, ((0, 320), (0, 0)))
    part[280:380, 100:220] = Part.LEFT_UPPER_LEG_FRONT
    part[380:540, 100:220] = Part.LEFT_LOWER_LEG_FRONT
    assert keys(part, Garment.DRESS) == ["sits"] == keys(part, Garment.LOWER)
    assert keys(body(600), Garment.LOWER) == []


@pytest.mark.parametrize(("knees", "key"), [(330, "cut_at_knees"), (275, "sits")])
def test_thighs_that_run_off_the_picture_are_not_taken_for_bent_ones(knees, key):
    """The landmarks of legs that are not seen are guesses: a photo of who stands ends at the hips."""
    part = body(knees + 40)
    part = np.pad(part, ((0, max(0, knees + 40 - len(part))), (0, 0)))
    part[min(knees, 280) - 20 : knees, 20:100] = Part.LEFT_UPPER_LEG_FRONT
    part[knees:, 20:220] = Part.LEFT_LOWER_LEG_FRONT
    assert keys(part, Garment.LOWER) == [key] == keys(part, Garment.DRESS)


def test_who_lies_is_not_said_to_sit():
    assert keys(body(600, 1), Garment.LOWER) == ["on_side"]


def test_who_sits_and_is_cut_below_the_face_does_not_lie():
    part = body(280)
    part[part == Part.HEAD_LEFT] = 0
    part[200:260, 220:320] = Part.LEFT_UPPER_LEG_FRONT
    part = np.pad(part, ((0, 160), (0, 40)))
    part[260:420, 300:340] = Part.LEFT_LOWER_LEG_FRONT
    assert keys(part, Garment.UPPER) == [] and keys(part, Garment.LOWER) == ["sits"]


def test_a_photo_that_lost_its_orientation_is_told():
    for turn, key in ((1, "on_side"), (2, "upside_down"), (3, "on_side")):
        assert keys(body(600, turn), Garment.UPPER) == [key]
        headless = np.where(np.isin(body(600, turn), (Part.HEAD_LEFT,)), 0, body(600, turn))
        assert keys(headless, Garment.UPPER) == [key]


# ------------------------------------------------------------------------------ every road


def test_the_engine_says_what_it_guessed_and_refuses_what_cannot_be_done(person, garment):
    engine = Engine()
    prepared = engine.prepare(person)
    kind, told = engine.advise(prepared, None, garment)
    assert kind is Garment.UPPER and [one.key for one in told] == ["kind_guessed"]
    selfie = engine.prepare(person.crop((80, 20, 300, 240)))
    assert [one.key for one in engine.advise(selfie, "dress")[1]] == ["cut_at_hips"]
    with pytest.raises(PersonError, match="neither hips nor legs"):
        engine.try_on(selfie, garment, "lower")


def test_who_sits_is_told_with_a_mask_of_their_own_too(monkeypatch, seated_person, garment):
    class Noted(Exception):  # noqa: N818
        """What would be said beside the picture."""

    def run(self, job, scene, notes, progress, stop, start=None):
        raise Noted(notes)

    monkeypatch.setattr(Engine, "_run", run)
    mask = np.zeros((512, 384), np.uint8)
    mask[250:420, 100:300] = 255
    engine = Engine("cpu")
    for kind, expected in (("lower", 1), ("upper", 0)):
        with pytest.raises(Noted) as noted:
            engine.try_on(seated_person, garment, kind, mask)
        assert noted.value.args[0].count(TEXTS["sits"]) == expected


def test_the_command_line_says_what_the_app_says(tmp_path, monkeypatch, person, garment, capsys):
    monkeypatch.chdir(tmp_path)
    person.save("person.png")
    garment.save("garment.png")
    person.rotate(90, expand=True).save("side.png")
    person.rotate(180).save("upside.png")
    person.crop((80, 20, 300, 240)).save("selfie.png")
    Image.fromarray(np.where(GARMENTS["dress"][1], 40, 255).astype(np.uint8)).save("dress.png")
    cases = (
        ("person.png --reference garment.png", 0, "taken for the kind upper"),
        ("person.png --reference dress.png", 0, "is a dress: it is taken for the kind dress"),
        ("person.png --reference dress.png --garment upper", 0, "but it is taken for upper: choose dress"),
        ("person.png --reference garment.png --sleeve none", 0, "the mask ends above"),
        ("side.png --garment upper", 0, TEXTS["on_side"]),
        ("upside.png --garment upper", 0, TEXTS["upside_down"]),
        ("selfie.png --garment dress", 0, TEXTS["cut_at_hips"]),
        ("selfie.png --garment lower", 2, "neither hips nor legs"),
    )
    for command, status, sentence in cases:
        assert cli.main(["mask", *command.split(), "-o", "mask.png"]) == status, command
        assert sentence in capsys.readouterr().err, command


def test_the_app_has_every_sentence_in_its_languages():
    from demo import texts

    for key, text in TEXTS.items():
        if key not in ("kind_guessed", "kind_open"):  # its kind is always given
            english, other = texts.TEXTS[f"doctor_{key}"]
            assert english == text and other != text
