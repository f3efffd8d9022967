"""What holds for every input, not only for those that somebody thought of."""

import io
import json
import string

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from demo.gate import Names, _files_checked
from demo.uploads import NotUploadedError, checked, local_path
from leffa.config import Garment
from leffa.data.files import read_text
from leffa.errors import LeffaError
from leffa.images import Letterbox, load_image
from leffa.preprocess.given_mask import read_mask
from leffa.preprocess.strokes import paint_strokes, parse_strokes
from leffa.run.settings import Settings
from leffa.safe_pickle import load_state
from leffa.weights.models import BUNDLED

anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
sides = some.integers(1, 400)
quick = settings(max_examples=80, deadline=None)


@quick
@given(anything, anything, anything, anything, anything)
def test_settings_are_resolved_or_refused_in_a_sentence(steps, guidance, rescale, seed, samples):
    try:
        found = Settings(steps, guidance, rescale, seed, samples).resolved(BUNDLED)
    except LeffaError as error:
        assert "\n" not in str(error) and len(str(error)) < 200
        return
    assert 4 <= found.steps <= 200 and 1 <= found.samples <= 4 and 0 <= found.seed < 2**32
    assert 0 <= found.guidance_scale <= 20 and 0 <= found.guidance_rescale <= 20
    json.dumps(found.__dict__, allow_nan=False)


@quick
@given(sides, sides, sides, sides)
def test_a_letterbox_fits_and_comes_back(height, width, rows, columns):
    box = Letterbox.fit((height, width), (rows, columns))
    assert box.top >= 0 and box.top + box.height <= rows and box.left >= 0 and box.left + box.width <= columns
    assert box.height == rows or box.width == columns or min(box.height, box.width) == 1
    values = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    assert box.invert_map(values).shape == (height, width)
    points = np.array([[0, 0], [width, height], [width / 3, height / 7]], np.float32)
    assert np.allclose(box.points_to_photo(box.points_to_frame(points)), points, atol=1e-2)


@quick
@given(arrays.arrays(some.sampled_from([np.uint8, np.bool_, np.float32, np.int64, np.uint16]),
                     arrays.array_shapes(min_dims=1, max_dims=4, max_side=12)))  # fmt: skip
def test_a_mask_is_black_and_white_or_refused(values):
    try:
        mask = read_mask(values)
    except LeffaError as error:
        assert "\n" not in str(error)
        return
    assert mask.dtype == np.uint8 and mask.ndim == 2 and set(np.unique(mask)) <= {0, 255}


@quick
@given(some.binary(max_size=400), some.sampled_from(["", "png", "jpeg", "tiff", "webp", "gif"]))
def test_bytes_are_a_picture_or_refused(content, like):
    heads = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff\xe0", "tiff": b"II*\0", "gif": b"GIF89a",
             "webp": b"RIFF\0\0\0\0WEBPVP8 "}  # fmt: skip
    try:
        load_image(io.BytesIO(heads.get(like, b"") + content))
    except LeffaError as error:
        assert "\n" not in str(error)


@quick
@given(anything)
def test_strokes_are_read_or_refused(value):
    try:
        strokes = parse_strokes(value)
    except LeffaError:
        return
    painted = paint_strokes(np.zeros((20, 30), np.uint8), strokes)
    assert set(np.unique(painted)) <= {0, 255}


@quick
@given(some.text(max_size=80) | anything)
def test_no_path_is_an_upload(tmp_path_factory, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.getbasetemp()))
        with pytest.raises(NotUploadedError):
            checked(local_path(value) if isinstance(value, str) else value)
        passed = _files_checked({"path": value, "meta": {"_type": "gradio.FileData"}})
        assert passed is None or passed["path"] is None


@quick
@given(some.text(string.ascii_letters + string.digits + ".-:[]@/\\%", max_size=40))
def test_only_our_own_names_are_held(host):
    names = Names({"localhost", "try.example.org"})
    if names.hold(host):
        name = host.lower().rsplit(":", 1)[0] if "[" not in host else host.lower()
        assert name.rstrip(".") in names.known or name.strip("[]").replace(".", "").replace(":", "").isalnum()
        assert "@" not in host and "/" not in host and "\\" not in host


@quick
@given(some.binary(max_size=300))
def test_a_list_of_any_bytes_is_text_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "list.txt"
    file.write_bytes(content)
    try:
        assert isinstance(read_text(file), str)
    except LeffaError as error:
        assert "list.txt" in str(error)


@quick
@given(some.binary(max_size=300), some.booleans())
def test_weights_of_any_bytes_are_refused(tmp_path_factory, content, as_zip):
    for suffix in (".pkl", ".pth"):
        file = tmp_path_factory.getbasetemp() / f"weights{suffix}"
        file.write_bytes((b"PK\3\4" if as_zip else b"") + content)
        with pytest.raises(LeffaError):
            load_state(file)


@quick
@given(anything, anything, anything, anything)
def test_wishes_of_any_kind_become_known_ones(kind, sleeve, hem, protect):
    from demo.mask_choices import HEMS, PROTECTED, SLEEVES, MaskChoices

    mask_choices = MaskChoices.given(kind, sleeve, hem, protect)
    assert mask_choices.garment in Garment and mask_choices.sleeve in SLEEVES and mask_choices.hem in HEMS
    assert set(mask_choices.protect) <= set(PROTECTED)
    mask_choices.options()


def test_pictures_of_any_mode_become_rgb():
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "I;16"):
        assert load_image(Image.new(mode, (70, 65))).mode == "RGB", mode
