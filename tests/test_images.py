"""The border between pictures and tensors: whatever comes in is upright RGB, what goes out is whole."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from leffa.errors import FileError, LeffaError, PictureError
from leffa.images import (
    Letterbox,
    blend,
    load_image,
    mask_to_tensor,
    save_atomically,
    to_pil,
    to_tensor,
)

ODD_SIZES = [(101, 67), (67, 101), (333, 128), (1024, 768), (75, 1999), (640, 64)]


@pytest.fixture
def picture() -> Image.Image:
    """A picture without symmetry, 120 x 80."""
    y, x = np.mgrid[0:80, 0:120]
    return Image.fromarray(np.stack([x * 2, y * 3, (x * y) % 251], -1).astype(np.uint8), "RGB")


def stored(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


class TestLoad:
    def test_reads_path_file_and_picture_alike(self, picture: Image.Image, tmp_path: Path) -> None:
        path = tmp_path / "picture.png"
        picture.save(path)
        with path.open("rb") as file:
            for source in (path, str(path), file, picture):
                assert np.array_equal(np.array(load_image(source)), np.array(picture))

    def test_never_hands_out_the_callers_own_picture(self, picture: Image.Image) -> None:
        before = np.array(picture)
        load_image(picture).paste((0, 0, 0), (0, 0, 50, 50))
        assert np.array_equal(np.array(picture), before)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turns_as_exif_says(self, picture: Image.Image, orientation: int) -> None:
        turns = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,  # stored turned the other way round
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        sensor = picture.transpose(turns[orientation]) if orientation > 1 else picture
        exif = Image.Exif()
        exif[0x0112] = orientation
        loaded = load_image(stored(sensor, exif=exif))
        assert np.array_equal(np.array(loaded), np.array(picture))

    def test_broken_exif_is_no_reason_to_refuse(self, picture: Image.Image) -> None:
        loaded = load_image(stored(picture, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage"))
        assert loaded.size == picture.size

    def test_transparency_lies_on_white(self) -> None:
        clear = Image.new("RGBA", (80, 80), (200, 0, 0, 0))
        clear.paste((200, 0, 0, 255), (0, 0, 40, 80))
        clear.paste((0, 0, 0, 128), (0, 0, 80, 10))
        loaded = load_image(stored(clear))
        assert loaded.mode == "RGB"
        assert loaded.getpixel((10, 40)) == (200, 0, 0)
        assert loaded.getpixel((60, 40)) == (255, 255, 255)
        assert all(abs(value - 127) <= 1 for value in loaded.getpixel((60, 5)))

    def test_grey_with_alpha(self) -> None:
        image = Image.new("LA", (80, 80), (40, 255))
        image.paste((40, 0), (40, 0, 80, 80))
        loaded = load_image(stored(image))
        assert loaded.getpixel((10, 10)) == (40, 40, 40)
        assert loaded.getpixel((60, 10)) == (255, 255, 255)

    def test_palette_with_a_transparent_index(self) -> None:
        image = Image.new("P", (80, 80), 1)
        image.putpalette([10, 20, 30, 250, 120, 0])
        image.paste(0, (40, 0, 80, 80))
        loaded = load_image(stored(image, transparency=0))
        assert loaded.getpixel((10, 10)) == (250, 120, 0)
        assert loaded.getpixel((60, 10)) == (255, 255, 255)

    def test_rgb_with_a_transparent_colour(self, picture: Image.Image) -> None:
        colour = picture.getpixel((3, 3))
        loaded = load_image(stored(picture, transparency=colour))
        assert loaded.getpixel((3, 3)) == (255, 255, 255)
        assert loaded.getpixel((90, 60)) == picture.getpixel((90, 60))

    @pytest.mark.parametrize("mode", ["L", "1", "P"])
    def test_plain_modes(self, picture: Image.Image, mode: str) -> None:
        image = picture.convert(mode)
        assert np.array_equal(np.array(load_image(stored(image))), np.array(image.convert("RGB")))

    def test_cmyk_jpeg(self) -> None:
        image = Image.new("CMYK", (80, 80), (0, 255, 255, 0))
        red, green, blue = load_image(stored(image, "JPEG", quality=95)).getpixel((40, 40))
        assert red > 240
        assert green < 15
        assert blue < 15

    def test_sixteen_bits_keep_their_shades(self) -> None:
        ramp = np.tile(np.linspace(0, 65535, 100).astype(np.uint16), (80, 1))
        loaded = np.array(load_image(stored(Image.fromarray(ramp, "I;16"))))
        assert loaded[0, 0, 0] == 0
        assert loaded[0, -1, 0] == 255
        assert np.all(np.diff(loaded[0, :, 0].astype(int)) >= 2)

    def test_dark_sixteen_bits_stay_dark(self) -> None:
        dark = np.full((80, 80), 200, np.uint16)  # of 65535: all but black
        assert load_image(stored(Image.fromarray(dark, "I;16"))).getpixel((0, 0)) == (1, 1, 1)

    def test_float_pictures(self) -> None:
        half = Image.fromarray(np.full((80, 80), 0.5, np.float32), "F")
        assert load_image(half).getpixel((0, 0)) == (128, 128, 128)

    def test_wide_gamut_is_brought_to_srgb(self, picture: Image.Image) -> None:
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
        assert load_image(stored(picture, icc_profile=lab)).mode == "RGB"  # a profile that does not fit
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        same = load_image(stored(picture, icc_profile=srgb))
        assert np.array_equal(np.array(same), np.array(picture))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_truncated(self, picture: Image.Image, kind: str) -> None:
        whole = stored(picture, kind).getvalue()
        for share in (0.02, 0.3, 0.7):
            with pytest.raises(PictureError) as error:
                load_image(io.BytesIO(whole[: int(len(whole) * share)]))
            assert_one_sentence(error.value)

    def test_no_picture(self, tmp_path: Path) -> None:
        text = tmp_path / "notes.txt"
        text.write_text("no picture at all")
        empty = tmp_path / "empty.png"
        empty.touch()
        for source in (text, empty, tmp_path, tmp_path / "missing.png"):
            with pytest.raises(PictureError, match=source.name) as error:
                load_image(source)
            assert_one_sentence(error.value)

    @pytest.mark.parametrize("size", [(1, 1), (63, 500), (500, 63)])
    def test_too_small(self, size: tuple[int, int]) -> None:
        with pytest.raises(PictureError, match="at least 64") as error:
            load_image(stored(Image.new("RGB", size)))
        assert_one_sentence(error.value)

    @pytest.mark.parametrize("size", [(20_001, 100), (20_000, 20_000), (60_000, 60_000)])
    def test_too_large_is_told_from_the_header(self, size: tuple[int, int]) -> None:
        header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        png = (
            b"\x89PNG\r\n\x1a\n"
            + struct.pack(">I", len(header))
            + chunk
            + struct.pack(">I", zlib.crc32(chunk))
        )
        with pytest.raises(PictureError, match="too large") as error:
            load_image(io.BytesIO(png + struct.pack(">I", 10) + b"IDAT" + b"\0" * 14))
        assert_one_sentence(error.value)

    def test_twenty_thousand_pixels_a_side_pass_if_narrow(self) -> None:
        assert load_image(Image.new("RGB", (20_000, 64))).size == (20_000, 64)


def assert_one_sentence(error: Exception) -> None:
    text = str(error)
    assert text.endswith((".", "path."))
    assert "\n" not in text
    assert "Traceback" not in text
    assert len(text) < 200


class TestLetterbox:
    @pytest.mark.parametrize("size", ODD_SIZES)
    @pytest.mark.parametrize("frame", [(1024, 768), (256, 192), (255, 193)])
    def test_inverse_restores_the_photos_size(self, size: tuple[int, int], frame: tuple[int, int]) -> None:
        box = Letterbox.fit(size, frame)
        photo = Image.new("RGB", size[::-1], (10, 200, 30))
        framed = box.apply(photo)
        assert framed.size == frame[::-1]
        restored = box.invert(framed)
        assert restored.size == photo.size
        assert np.abs(np.array(restored).astype(int) - [10, 200, 30]).max() <= 1  # no white crept in

    @pytest.mark.parametrize("size", ODD_SIZES)
    def test_points_come_back_exactly(self, size: tuple[int, int]) -> None:
        box = Letterbox.fit(size, (256, 192))
        corners = np.array([[0, 0], [size[1], size[0]], [size[1] / 3, size[0] / 7]], np.float32)
        there = box.points_to_frame(corners)
        assert np.allclose(there[0], [box.left, box.top])
        assert np.allclose(there[1], [box.left + box.width, box.top + box.height])
        assert np.allclose(box.points_to_photo(there), corners, atol=1e-3)

    def test_same_shape_is_lossless(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (128, 96, 3), np.uint8)
        photo = Image.fromarray(noise, "RGB")
        for frame in ((128, 96), (128, 201), (333, 96)):
            box = Letterbox.fit((128, 96), frame)
            assert np.array_equal(np.array(box.invert(box.apply(photo))), noise)

    def test_border_is_white_and_even(self) -> None:
        framed = np.array(Letterbox.fit((100, 100), (200, 101)).apply(Image.new("RGB", (100, 100))))
        dark_rows = np.flatnonzero((framed < 250).all(-1).any(1))
        above, below = dark_rows[0], 200 - 1 - dark_rows[-1]
        assert abs(above - below) <= 1
        assert (framed[:above] == 255).all()

    def test_keeps_the_shape_of_things(self) -> None:
        box = Letterbox.fit((1999, 75), (256, 192))
        assert box.height == 256
        assert abs(box.width / box.height - 75 / 1999) < 0.5 / 256 + 1e-9

    def test_masks_stay_masks(self) -> None:
        mask = np.zeros((333, 128), np.uint8)
        mask[100:200, 20:90] = 255
        box = Letterbox.fit(mask.shape, (256, 192))
        framed = box.apply_mask(mask)
        assert set(np.unique(framed)) == {0, 255}
        assert framed[:, : box.left].max() == 0
        restored = box.invert_map(framed)
        assert restored.shape == mask.shape
        assert set(np.unique(restored)) == {0, 255}
        assert np.mean(restored != mask) < 0.01

    def test_float_maps_come_back_smooth(self) -> None:
        box = Letterbox.fit((301, 203), (256, 192))
        ramp = np.tile(np.linspace(0, 1, 192, dtype=np.float32), (256, 1))
        restored = box.invert_map(np.stack([ramp, ramp], -1))
        assert restored.shape == (301, 203, 2)
        assert np.all(np.diff(restored[150, :, 0]) >= 0)

    @pytest.mark.parametrize("case", range(4))
    def test_the_official_one_is_the_released_demos(self, shared: Path, case: int) -> None:
        golden = np.load(shared / "golden" / "preprocess" / "masks" / "resize_and_center_96x128.npz")
        pixels = golden[f"in_{case}"]
        pixels = np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels[..., :3]
        box = Letterbox.official(pixels.shape[:2], (128, 96))
        framed = np.array(box.apply(Image.fromarray(np.ascontiguousarray(pixels))))
        difference = np.abs(framed.astype(int) - golden[f"out_{case}"])
        assert difference.max() <= 1 and (difference > 0).sum() <= 2  # between releases of OpenCV

    @pytest.mark.parametrize("size", ODD_SIZES)
    def test_the_official_one_rounds_down_and_finds_its_way_back(self, size: tuple[int, int]) -> None:
        frame = (1024, 768)
        box = Letterbox.official(size, frame)
        scale = min(1024 / size[0], 768 / size[1])
        assert (box.height, box.width) == (int(size[0] * scale), int(size[1] * scale))
        photo = Image.new("RGB", size[::-1], (10, 200, 30))
        assert box.invert(box.apply(photo)).size == photo.size
        assert np.abs(np.array(box.invert(box.apply(photo))).astype(int) - [10, 200, 30]).max() <= 1

    def test_the_official_one_leaves_a_framed_picture_alone(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
        box = Letterbox.official((64, 48), (64, 48))
        assert np.array_equal(np.array(box.apply(Image.fromarray(noise))), noise)

    def test_the_official_one_refuses_a_thread(self) -> None:
        with pytest.raises(PictureError, match="less extreme shape"):
            Letterbox.official((1, 5000), (1024, 768))

    def test_refuses_another_size(self, picture: Image.Image) -> None:
        box = Letterbox.fit((80, 121), (256, 192))
        with pytest.raises(PictureError, match="120 x 80"):
            box.apply(picture)
        with pytest.raises(PictureError, match="mask"):
            box.apply_mask(np.zeros((80, 120), np.uint8))


class TestTensors:
    def test_round_trip_is_exact(self) -> None:
        values = np.arange(256, dtype=np.uint8).reshape(16, 16)
        picture = np.stack([values, values.T, 255 - values], -1)
        tensor = to_tensor(Image.fromarray(picture, "RGB"))
        assert tensor.shape == (3, 16, 16)
        assert tensor.dtype == torch.float32
        assert tensor.min() == -1
        assert tensor.max() == 1
        assert np.array_equal(np.array(to_pil(tensor)), picture)
        assert torch.equal(to_tensor(picture), tensor)

    def test_out_of_range_is_clamped(self) -> None:
        assert np.array(to_pil(torch.full((3, 4, 4), 7.0))).min() == 255
        assert np.array(to_pil(torch.full((3, 4, 4), -7.0))).max() == 0

    def test_masks(self) -> None:
        mask = np.array([[0, 127], [128, 255]], np.uint8)
        expected = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
        for source in (mask, Image.fromarray(mask, "L"), mask > 127, mask / 255.0):
            assert torch.equal(mask_to_tensor(source), expected)

    def test_wrong_channels_are_told(self) -> None:
        with pytest.raises(PictureError, match="RGB"):
            to_tensor(np.zeros((8, 8), np.uint8))
        with pytest.raises(PictureError, match="one channel"):
            mask_to_tensor(np.zeros((8, 8, 3), np.uint8))


class TestBlend:
    @pytest.mark.parametrize("softness", [0, 1, 7.5, 40])
    def test_outside_the_mask_the_photo_is_untouched(self, softness: float) -> None:
        rng = np.random.default_rng(1)
        photo = rng.integers(0, 256, (90, 130, 3), np.uint8)
        painted = rng.integers(0, 256, (90, 130, 3), np.uint8)
        mask = np.zeros((90, 130), np.uint8)
        mask[20:70, 30:130] = 255
        result = np.array(blend(Image.fromarray(photo), Image.fromarray(painted), mask, softness))
        assert np.array_equal(result[mask == 0], photo[mask == 0])
        deep = np.zeros_like(mask, bool)
        depth = int(softness) + 2
        deep[20 + depth : 70 - depth, 30 + depth : 130] = True  # the picture's own border is no seam
        assert np.array_equal(result[deep], painted[deep])

    def test_seam_rises_smoothly(self) -> None:
        photo, painted = Image.new("RGB", (100, 100)), Image.new("RGB", (100, 100), (255, 255, 255))
        mask = np.zeros((100, 100), np.uint8)
        mask[:, 40:] = 255
        row = np.array(blend(photo, painted, mask, softness=20))[50, :, 0].astype(int)
        assert np.all(np.diff(row) >= 0)
        assert np.diff(row).max() < 30

    def test_whole_and_empty_masks(self) -> None:
        photo, painted = Image.new("RGB", (70, 70), (1, 2, 3)), Image.new("RGB", (70, 70), (9, 8, 7))
        full = np.full((70, 70), 255, np.uint8)
        assert np.array_equal(np.array(blend(photo, painted, full, 10)), np.array(painted))
        assert np.array_equal(np.array(blend(photo, painted, full * 0, 10)), np.array(photo))

    def test_sizes_must_agree(self) -> None:
        photo = Image.new("RGB", (70, 80))
        with pytest.raises(PictureError, match="mask"):
            blend(photo, photo, np.zeros((70, 80), np.uint8))
        with pytest.raises(PictureError, match="painted"):
            blend(photo, Image.new("RGB", (80, 70)), np.zeros((80, 70), np.uint8))


class TestSave:
    @pytest.mark.parametrize("suffix", [".png", ".PNG", ".webp", ".tif", ".bmp"])
    def test_lossless_formats_by_suffix(self, picture: Image.Image, tmp_path: Path, suffix: str) -> None:
        path = save_atomically(picture, tmp_path / f"out{suffix}")
        assert np.array_equal(np.array(Image.open(path).convert("RGB")), np.array(picture))
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]

    def test_jpeg(self, picture: Image.Image, tmp_path: Path) -> None:
        assert Image.open(save_atomically(picture, tmp_path / "out.jpg")).format == "JPEG"

    def test_unknown_suffix_and_missing_folder(self, picture: Image.Image, tmp_path: Path) -> None:
        for path in (tmp_path / "out.xyz", tmp_path / "out", tmp_path / "no" / "out.png"):
            with pytest.raises(LeffaError) as error:
                save_atomically(picture, path)
            assert_one_sentence(error.value)
        assert not list(tmp_path.iterdir())

    def test_a_failed_write_leaves_the_old_file(
        self, picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save_atomically(picture, tmp_path / "out.png")
        before = path.read_bytes()

        def half(self: Image.Image, file: io.BufferedWriter, *args: object, **options: object) -> None:
            file.write(b"half")
            raise OSError("disk full")

        monkeypatch.setattr(Image.Image, "save", half)
        with pytest.raises(FileError, match="disk full"):
            save_atomically(Image.new("RGB", (64, 64)), path)
        assert path.read_bytes() == before
        assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]
