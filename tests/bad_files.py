"""Bad and odd files, made by this script: what people and their enemies bring where a picture is wanted.

``files(person)`` gives name -> bytes. Nothing of it is stored: each is made from a photo of a synthetic
person.
"""

import io
import random
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin


def files(photo: Image.Image) -> dict[str, bytes]:
    """Some sixty files, by a name that says what is wrong or odd."""
    made = {**_no_pictures(), **_broken(photo), **_png_by_hand(), **_sizes(photo), **_odd_but_sound(photo)}
    return {name: content for name, content in made.items() if content is not None}


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, rows: int, depth: int = 8, colour: int = 2, level: int = 9) -> bytes:
    """A PNG of black rows, of which it may have fewer than its head says."""
    row = b"\0" * (1 + width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] // 8)
    packer, data = zlib.compressobj(level), b""
    for _ in range(rows):
        data += packer.compress(row)
    data += packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _no_pictures() -> dict[str, bytes]:
    ghost = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n%%EndComments\n{} loop\nshowpage\n"
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"><script>1</script></svg>'
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aa">]>' + drawing
    dds = b"DDS " + struct.pack("<18I", 124, 0x1007, 200, 200, *[0] * 14) + b"\0" * 300
    return {
        "empty": b"",
        "one byte": b"\0",
        "text": b"not a picture at all\n" * 10,
        "html": b"<!DOCTYPE html><html><body>404</body></html>",
        "postscript": ghost,
        "postscript behind a preview": b"\xc5\xd0\xd3\xc6"
        + struct.pack("<6I", 30, len(ghost), 0, 0, 0, 0)
        + ghost,
        "svg": drawing,
        "svg with entities": entity,
        "pdf": b"%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj\ntrailer <</Root 1 0 R>>\n",
        "dds": dds,
        "fits": b"SIMPLE  =                    T".ljust(2880),
        "hdf5": b"\x89HDF\r\n\x1a\n" + b"\0" * 100,
        "wmf": b"\xd7\xcd\xc6\x9a" + b"\0" * 60,
        "icon": b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0\xff\xff\xff\x7f\x16\0\0\0",
        "psd": b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", 3, 200, 200, 8, 3) + b"\0" * 40,
        "heic": struct.pack(">I", 24) + b"ftypheic" + b"\0" * 40,
        "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "zip": b"PK\3\4" + b"\0" * 60,
        "pickle": b"\x80\4cos\nsystem\n(S'true'\ntR.",
        "elf": b"\x7fELF" + b"\0" * 60,
        "zeros": b"\0" * 5000,
        "noise": random.Random(0).randbytes(5000),
    }


def _broken(photo: Image.Image) -> dict[str, bytes]:
    jpeg, whole = saved(photo, "JPEG"), saved(photo, "PNG")
    webp, tiff = saved(photo, "WEBP"), saved(photo, "TIFF", compression="tiff_deflate")
    rotten = {}
    for kind, content in (("jpeg", jpeg), ("png", whole), ("webp", webp), ("tiff", tiff)):
        half = len(content) // 2
        rotten[f"{kind} cut to half"] = content[:half]
        rotten[f"{kind} cut in its head"] = content[:20]
        dice = random.Random(kind)
        spoilt = bytearray(content)
        for _ in range(40):
            spoilt[dice.randrange(30, len(spoilt))] = dice.randrange(256)
        rotten[f"{kind} with wrong bytes"] = bytes(spoilt)
    return rotten | {
        "jpeg of another name": jpeg,
        "jpeg with a huge segment": jpeg[:2] + b"\xff\xe1\xff\xff" + jpeg[2:],
        "jpeg with a tail": jpeg + b"PK\3\4" + b"\0" * 500,
        "png with a wrong checksum": whole.replace(b"IEND", b"IEND", 1)[:-1] + b"\0",
        "tiff of not a number": _tiff(np.full((128, 96), np.nan, np.float32)),
        "tiff without end": _tiff(np.full((128, 96), np.inf, np.float32)),
    }


def _tiff(values: np.ndarray) -> bytes:
    return saved(Image.fromarray(values, "F"), "TIFF")


def _png_by_hand() -> dict[str, bytes]:
    head = struct.pack(">IIBBBBB", 200, 200, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    black = zlib.compress(b"\0" * (601 * 200))
    bomb = zlib.compress(b"\0" * 40_000_000, 9)
    return {
        "png of 10 of 1,000 rows": png(100, 1000, 10),
        "png without rows": png(100, 100, 0),
        "png without data": start + chunk(b"IHDR", head) + chunk(b"IEND", b""),
        "png without head": start + chunk(b"IDAT", black) + chunk(b"IEND", b""),
        "png of no width": png(0, 100, 0),
        "png of negative size": start + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31, 2**31, 8, 2, 0, 0, 0)),
        "png of depth 7": start + chunk(b"IHDR", struct.pack(">IIBBBBB", 200, 200, 7, 2, 0, 0, 0)),
        "png of an unknown colour": start + chunk(b"IHDR", struct.pack(">IIBBBBB", 200, 200, 8, 9, 0, 0, 0)),
        "png with a long chunk": start
        + chunk(b"IHDR", head)
        + struct.pack(">I", 2**31 - 1)
        + b"IDAT"
        + black,
        "png that swells": start + chunk(b"IHDR", head) + chunk(b"IDAT", bomb) + chunk(b"IEND", b""),
        "png whose text swells": start
        + chunk(b"IHDR", head)
        + chunk(b"zTXt", b"leffa\0\0" + bomb)
        + chunk(b"IDAT", black)
        + chunk(b"IEND", b""),
        "png whose profile swells": start
        + chunk(b"IHDR", head)
        + chunk(b"iCCP", b"x\0\0" + bomb)
        + chunk(b"IDAT", black)
        + chunk(b"IEND", b""),
        "png of 400 million pixels": png(20_000, 20_000, 1, colour=0),
        "png of 81 million pixels": png(9_000, 9_001, 1, colour=0),
    }


def _sizes(photo: Image.Image) -> dict[str, bytes]:
    return {
        "one pixel": saved(Image.new("RGB", (1, 1)), "PNG"),
        "63 pixels": saved(photo.resize((63, 63)), "PNG"),
        "a line across": saved(Image.new("RGB", (9000, 64)), "PNG"),
        "a line down": saved(Image.new("RGB", (64, 9000)), "PNG"),
        "20,001 pixels": saved(Image.new("L", (20_001, 64)), "PNG"),
    }


def _odd_but_sound(photo: Image.Image) -> dict[str, bytes]:
    """What is a picture, however odd: it may be painted, or refused in a sentence."""
    width, height = photo.size
    grey = photo.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of somebody"
    many = [Image.new("P", (96, 128), i % 250) for i in range(300)]
    text = PngImagePlugin.PngInfo()
    text.add_itxt("leffa", '{"format": 1, "settings": [], "files": {}, "choices": {}}')
    deep = PngImagePlugin.PngInfo()
    deep.add_itxt("leffa", "[" * 50_000)
    dark = Image.fromarray((np.asarray(photo) // 24).astype(np.uint8))
    sixteen = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    alpha = photo.convert("RGBA")
    alpha.putalpha(Image.new("L", photo.size, 0))
    return {
        "turned by exif": saved(photo, "JPEG", exif=exif),
        "broken exif": saved(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        "cmyk": saved(photo.convert("CMYK"), "JPEG"),
        "lab": saved(photo.convert("LAB"), "TIFF"),
        "palette": saved(photo.convert("P"), "PNG"),
        "16 bits": saved(sixteen, "PNG"),
        "32 bits": saved(Image.fromarray(np.asarray(grey).astype(np.int32) * 9), "TIFF"),
        "float": _tiff(np.asarray(grey, np.float32) / 255),
        "black and white": saved(grey.convert("1"), "PNG"),
        "all transparent": saved(alpha, "PNG"),
        "grey with alpha": saved(grey.convert("LA"), "PNG"),
        "300 frames": saved(many[0], "GIF", save_all=True, append_images=many[1:]),
        "several pages": saved(photo, "TIFF", save_all=True, append_images=[photo, grey]),
        "interlaced": saved(photo, "PNG", interlace=1),
        "ppm": saved(photo, "PPM"),
        "bmp": saved(photo, "BMP"),
        "black": saved(Image.new("RGB", photo.size), "PNG"),
        "white": saved(Image.new("RGB", photo.size, "white"), "PNG"),
        "noise of colours": saved(
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)), "PNG"
        ),
        "dark photo": saved(dark, "PNG"),
        "head cut off": saved(photo.crop((0, height // 3, width, height)), "PNG"),
        "feet only": saved(photo.crop((0, 3 * height // 4, width, height)), "PNG"),
        "upside down": saved(photo.rotate(180), "PNG"),
        "a record of nonsense": saved(photo, "PNG", pnginfo=text),
        "a record without end": saved(photo, "PNG", pnginfo=deep),
        "profile of nonsense": saved(photo, "PNG", icc_profile=b"no profile" * 20),
    }
