"""Pictures say that they are made, carry nothing of the photo's own metadata, and pass a host's check."""

import io
import types

import pytest
from PIL import Image

from demo import checking
from leffa.errors import LeffaError
from leffa.images import load_image, save_atomically
from leffa.provenance import png_bytes, read_record

WORD = "compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_results_say_that_they_are_made(tmp_path, suffix):
    picture = Image.new("RGB", (96, 128), (90, 120, 60))
    made, drawn = tmp_path / f"made{suffix}", tmp_path / f"drawn{suffix}"
    save_atomically(picture, made, is_made=True)
    save_atomically(picture, drawn)
    assert WORD.encode() in made.read_bytes() and Image.open(made).size == picture.size
    assert WORD.encode() not in drawn.read_bytes()


def test_the_apps_pictures_say_it_and_keep_their_record(tmp_path):
    told = {"format": 1, "settings": {}, "files": {}, "choices": {}}
    file = tmp_path / "result.png"
    file.write_bytes(png_bytes(Image.new("RGB", (96, 128)), told))
    assert WORD.encode() in file.read_bytes() and read_record(file) == told


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_nothing_of_the_photos_metadata_goes_on(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x010F], exif[0x9003] = "CameraOfAnn", "2020:01:01 00:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    buffer = io.BytesIO()
    Image.new("RGB", (96, 128), (9, 90, 200)).save(
        buffer, "JPEG", exif=exif, comment=b"HomeOfAnn", xmp=b"<x>NameOfAnn</x>"
    )
    assert all(word in buffer.getvalue() for word in (b"CameraOfAnn", b"HomeOfAnn", b"NameOfAnn"))
    buffer.seek(0)
    target = save_atomically(load_image(buffer), tmp_path / f"out{suffix}", is_made=True)
    content = target.read_bytes()
    assert b"OfAnn" not in content and b"2020:01:01" not in content
    with Image.open(target) as opened:
        assert not opened.getexif().get_ifd(0x8825)


@pytest.fixture
def plugged(monkeypatch):
    module = types.ModuleType("a_hosts_check")
    monkeypatch.setitem(__import__("sys").modules, "a_hosts_check", module)
    yield module
    checking.plug_in(None)


def test_a_hosts_check_refuses_with_its_sentence(plugged):
    seen = []

    def look(role, picture):
        seen.append((role, picture.size))
        return "no pictures of hats" if role == "garment" else None

    plugged.look = look
    checking.plug_in("a_hosts_check:look")
    checking.check("person", Image.new("RGB", (10, 20)))
    with pytest.raises(LeffaError, match="no pictures of hats"):
        checking.check("garment", Image.new("RGB", (10, 20)))
    assert seen == [("person", (10, 20)), ("garment", (10, 20))]


def test_a_check_that_fails_lets_nothing_pass(plugged):
    plugged.broken = lambda role, picture: 1 / 0
    checking.plug_in("a_hosts_check:broken")
    with pytest.raises(LeffaError, match="could not be checked"):
        checking.check("person", Image.new("RGB", (10, 20)))


@pytest.mark.parametrize("named", ["no.such.module:check", "a_hosts_check:absent", "a_hosts_check", ":"])
def test_a_check_that_is_not_there_is_one_sentence(plugged, named):
    with pytest.raises(LeffaError, match="content check"):
        checking.plug_in(named)
