"""What people really bring: a corpus of inputs, drawn by a script, with what is to be said of each.

Nothing here is a photograph: the people and the garments are synthetic. ``table`` makes what docs/inputs.md
shows of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter


@dataclass(frozen=True)
class Case:
    """One input.

    role     what it is given as: person, garment or mask
    name     what it is
    file     its name in the corpus' folder
    refused  part of the sentence that refuses it; None = it is taken
    noted    part of a sentence that is said of it while it is taken
    before   what became of it before any of this was read for what it is, where that was tried
    kind     the kind of garment that is asked for; None = none
    """

    role: str
    name: str
    file: str
    refused: str | None = None
    noted: str | None = None
    before: str = ""
    kind: str | None = "upper"


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Markdown of rows: the input, what became of it before, what is said now."""
    lines = (" | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join(["| input | before | now |", "| --- | --- | --- |", *(f"| {line} |" for line in lines)])


def make(
    folder: Path, person: Image.Image, seated: Image.Image, garment: Image.Image, mask: NDArray[np.uint8]
) -> list[Case]:
    """Write the corpus; ``mask`` (H, W) 0 / 255 is a good one for ``person``. Returns the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    person.save(folder / "person.png")
    garment.save(folder / "garment.png")
    Image.fromarray(mask).save(folder / "mask.png")
    return [
        *_masks(folder, person, mask),
        *_arrays(folder, mask),
        *_garments(folder, person, garment),
        *_people(folder, person, seated),
    ]


_GROTESQUE = "exit 0 and a grotesque picture"
_MASKS_BEFORE = {
    "0 and 1": '"empty"',
    "white strokes in alpha": _GROTESQUE,
    "black strokes in alpha": _GROTESQUE,
    "hole as ComfyUI writes it": _GROTESQUE,
    "photo with greyed torso": _GROTESQUE,
    "inverted": _GROTESQUE,
}


def _masks(folder: Path, person: Image.Image, mask: NDArray[np.uint8]) -> list[Case]:
    photo, inside = np.asarray(person), mask > 0
    size = mask.shape

    def layer(colour: object, alpha: NDArray[np.uint8]) -> Image.Image:
        return Image.fromarray(np.dstack([np.broadcast_to(colour, (*size, 3)).astype(np.uint8), alpha]))

    palette = Image.fromarray(mask // 255)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    pictures: dict[str, tuple[Image.Image, str | None]] = {
        "black and white": (Image.fromarray(mask), None),
        "0 and 1": (Image.fromarray(mask // 255), None),
        "one bit": (Image.fromarray(inside), None),
        "16 bits": (Image.fromarray(mask.astype(np.uint16) * 257), None),
        "red in a palette": (palette, None),
        "white strokes in alpha": (layer((255, 255, 255), mask), None),
        "black strokes in alpha": (layer((0, 0, 0), mask), None),
        "hole as ComfyUI writes it": (layer(photo, 255 - mask), None),
        "soft edge": (Image.fromarray(mask).filter(ImageFilter.GaussianBlur(3)), None),
        "photo with greyed torso": (
            Image.fromarray(np.where(inside[..., None], 128, photo).astype(np.uint8)),
            "is no mask",
        ),
        "the photo itself": (person, "is no mask"),
        "cut-out of the person": (layer(photo, mask), "cut-out"),
        "inverted": (Image.fromarray(255 - mask), "wrong way"),
        "everything": (Image.fromarray(np.full_like(mask, 255)), "leaves nothing to go by"),
        "nothing": (Image.fromarray(np.zeros_like(mask)), "the mask is empty"),
        "another size": (Image.fromarray(mask).resize((100, 100)), "both must agree"),
        "on its side": (Image.fromarray(np.rot90(mask).copy()), "lies on its side"),
    }
    cases = []
    for name, (picture, refused) in pictures.items():
        file = f"mask {name}.png"
        picture.save(folder / file)
        cases.append(Case("mask", name, file, refused, before=_MASKS_BEFORE.get(name, "")))
    (folder / "mask of text.png").write_text("white on black")
    return [*cases, Case("mask", "text", "mask of text.png", "is a text")]


def _arrays(folder: Path, mask: NDArray[np.uint8]) -> list[Case]:
    """Masks that only Python can give; kept as NumPy keeps arrays."""
    empty = '"empty"'
    cases = []
    for name, array, refused, before in (
        ("bool", mask > 0, None, empty),
        ("0 to 1 in float", (mask / 255).astype(np.float32), None, empty),
        ("0 and 1", mask // 255, None, empty),
        ("of shape (H, W, 1)", mask[..., None], None, '"768x1024 vs 768x1024: both must agree"'),
        ("of shape (1, H, W)", mask[None], None, ""),
        ("with NaN", np.where(mask > 0, np.nan, 0), "no numbers", ""),
    ):
        file = f"mask {name}.npy"
        np.save(folder / file, array)
        cases.append(Case("array", name, file, refused, before=before))
    return cases


def _garments(folder: Path, person: Image.Image, garment: Image.Image) -> list[Case]:
    pixels = np.asarray(garment)
    ground = (np.abs(pixels.astype(int) - pixels[0, 0]).max(-1) < 12).astype(np.uint8) * 255
    Image.fromarray(np.dstack([pixels, 255 - ground])).save(folder / "garment cut out.png")
    garment.convert("CMYK").save(folder / "garment for print.jpg", quality=95)
    garment.convert("P").save(folder / "garment.gif")
    exif = Image.Exif()
    exif[0x0112] = 6
    garment.rotate(90, expand=True).save(folder / "garment of a phone.jpg", exif=exif, quality=95)
    person.save(folder / "garment worn.jpg", quality=95)
    (folder / "garment pointer.png").write_text("version https://git-lfs.github.com/spec/v1\nsize 1\n")
    (folder / "garment page.jpg").write_text("<!DOCTYPE html><html><title>403</title></html>")
    (folder / "garment half.png").write_bytes((folder / "garment.png").read_bytes()[:3000])
    dress = Image.new("RGB", (320, 400), "white")
    outline = (12, 1, 14, 1, 15, 4, 17, 4, 18, 1, 20, 1, 19, 12, 24, 39, 8, 39, 13, 12)
    ImageDraw.Draw(dress).polygon([10 * place for place in outline], "maroon")
    dress.save(folder / "dress.png")
    return [
        Case("garment", "cut out, transparent", "garment cut out.png"),
        Case("garment", "CMYK", "garment for print.jpg"),
        Case("garment", "GIF", "garment.gif"),
        Case("garment", "turned by EXIF", "garment of a phone.jpg"),
        Case(
            "garment",
            "worn by somebody",
            "garment worn.jpg",
            noted="Somebody wears the garment",
            before="the wearer's neck and shorts were brought along",
        ),
        Case(
            "garment",
            "a dress, given as upper",
            "dress.png",
            noted="choose dress",
            before="cut to a top, in silence",
        ),
        Case("garment", "a dress, no kind given", "dress.png", noted="is a dress: it is taken", kind=None),
        Case("garment", "a top, no kind given", "garment.png", noted="is a top: it is taken", kind=None),
        Case("garment", "Git LFS pointer", "garment pointer.png", "is a Git LFS pointer"),
        Case("garment", "a page of a shop", "garment page.jpg", "is a web page"),
        Case("garment", "half a file", "garment half.png", "damaged or cut short"),
    ]


def _people(folder: Path, person: Image.Image, seated: Image.Image) -> list[Case]:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = person.rotate(90, expand=True)
    turned.save(folder / "person of a phone.jpg", exif=exif, quality=95)
    turned.save(folder / "person on the side.jpg", quality=95)
    person.rotate(180).save(folder / "person upside down.jpg", quality=95)
    Image.new("RGB", person.size, "white").save(folder / "nobody.jpg")
    person.crop((80, 20, 300, 240)).save(folder / "selfie.jpg", quality=95)
    seated.save(folder / "seated.jpg", quality=95)
    return [
        Case("person", "turned by EXIF", "person of a phone.jpg"),
        Case(
            "person",
            "EXIF lost, on the side",
            "person on the side.jpg",
            noted="lies on the side",
            before="painted, in silence",
        ),
        Case("person", "upside down", "person upside down.jpg", noted="upside down"),
        Case(
            "person",
            "a selfie, to wear a dress",
            "selfie.jpg",
            noted="only the top of the dress",
            before="painted as a top, in silence",
            kind="dress",
        ),
        Case("person", "a selfie, to wear trousers", "selfie.jpg", "neither hips nor legs", kind="lower"),
        Case(
            "person",
            "seated, to wear trousers",
            "seated.jpg",
            noted="The person sits",
            before='"2 people", one leg smeared away',
            kind="lower",
        ),
        Case("person", "nobody", "nobody.jpg", "No person was found"),
        Case("person", "missing", "there is none.jpg", "There is no picture"),
    ]
