"""What people really bring besides pictures: names for results, folders of training data, files of weights.

Each is a deed: what it is, what became of it before, and a function that raises LeffaError or does it.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from leffa import cli
from leffa.data.viton_hd import VitonHD
from leffa.safe_pickle import load_state

sys.path.append(str(Path(__file__).parent / "data"))
import drawn_sets

Deed = tuple[str, str, Callable[[], object]]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
PAGE = b"<!DOCTYPE html><html><head><title>404</title></head></html>"
MASK = "train/agnostic-mask/a_00_mask.png"
LIST = "train_pairs.txt"


def deeds(folder: Path, photo: Image.Image, garment: Image.Image) -> list[Deed]:
    """All of them, each in a place of its own below ``folder``."""
    return [
        *_results(folder / "results", photo, garment),
        *_data(folder / "data"),
        *_weights(folder / "weights"),
    ]


def _results(folder: Path, photo: Image.Image, garment: Image.Image) -> list[Deed]:
    folder.mkdir(parents=True)
    photo.save(folder / "photo.png")
    garment.save(folder / "garment.png")
    (folder / "result.json").write_text('{"mine": true}')

    def command(*words: str) -> Callable[[], object]:
        options = cli._parser().parse_args([str(folder / word) if "." in word else word for word in words])
        return lambda: options.run(options)

    over = command("mask", "photo.png", "-o", "photo.png")
    beside = command("tryon", "photo.png", "garment.png", "-o", "result.png")
    return [
        ("`leffa mask photo.png -o photo.png`", "the photo was replaced", over),
        ("`-o result.png` beside a `result.json` of one's own", "it was taken along", beside),
    ]


def _data(folder: Path) -> list[Deed]:
    drawn = drawn_sets.viton_hd(folder / "drawn")
    mask = drawn_sets.boxed(255, (5, 15, 45, 55))
    noise = np.random.default_rng(0).integers(0, 255, (16, 12, 3), dtype=np.uint8)
    colours = np.asarray(Image.fromarray(noise).resize(mask.shape[::-1]))
    greyed = np.where(mask[..., None] > 0, 128, colours).astype(np.uint8)

    def draw(values: np.ndarray) -> Callable[[Path], object]:
        return lambda root: Image.fromarray(values).save(root / MASK)

    def write(text: bytes) -> Callable[[Path], object]:
        return lambda root: (root / LIST).write_bytes(text)

    def rename(old: str, new: str) -> Callable[[Path], object]:
        return lambda root: [
            path.rename(path.with_name(path.name.replace(old, new))) for path in root.rglob(f"*{old}*")
        ]

    def blanks(root: Path) -> None:
        rename("a_00", "in a red shirt")(root)
        (root / LIST).write_text("in a red shirt.jpg b_00.jpg\n")

    def deed(number: int, name: str, before: str, change: Callable[[Path], object]) -> Deed:
        def read() -> object:
            root = shutil.copytree(drawn, folder / str(number))
            change(root)
            return VitonHD(root)[0]

        return (f"training data: {name}", before, read)

    changes = (
        ("pictures with a greyed torso as masks", "93 % masked: the run was spoilt in silence", draw(greyed)),
        ("inverted masks", "80 % masked: the run was spoilt in silence", draw(255 - mask)),
        ("masks of 0 and 1", "0 % masked: the run was spoilt in silence", draw(mask // 255)),
        ("`.JPG` where the list says `.jpg`", '"missing"', rename(".jpg", ".JPG")),
        ("names with blanks", "split", blanks),
        (
            "a list with a byte-order mark",
            "it became part of a name",
            write(b"\xef\xbb\xbfa_00.jpg b_00.jpg\n"),
        ),
        ("a list in UTF-16", "a traceback", write("a_00.jpg b_00.jpg\r\n".encode("utf-16"))),
        ("a list in Latin-1", "a traceback", write("Jörg.jpg b_00.jpg\n".encode("latin-1"))),
    )
    return [deed(number, *change) for number, change in enumerate(changes)]


def _weights(folder: Path) -> list[Deed]:
    folder.mkdir(parents=True)
    save_file({"weight": torch.zeros(1000)}, folder / "whole.safetensors")
    half = (folder / "whole.safetensors").read_bytes()[:2000]
    found = []
    for file, name, before, content in (
        ("pointer.safetensors", "a Git LFS pointer", '"here", then a traceback', POINTER),
        ("half.safetensors", "half a file", '"here", "is taken, 4.9 s"', half),
        ("page.pth", "a web page", "accused of asking for code to be run", PAGE),
        ("pointer.pth", "a Git LFS pointer as `.pth`", "accused of asking for code to be run", POINTER),
    ):
        path = folder / file
        path.write_bytes(content)
        found.append((f"weights: {name}", before, lambda path=path: load_state(path)))
    return found
