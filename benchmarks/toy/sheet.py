"""What the arms paint, side by side: a column for each, and those of what they were given."""

from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from benchmarks.toy.data import Rows
from leffa.images import to_pil

GIVEN = ("product shot", "the person")
"""Columns that are the same for all arms; see ``write_given``."""
NAMES = {"without": "weight 0", "with": "weight 1e-3", "lambda 1e-2": "weight 1e-2", "lambda 1": "weight 1"}
HEADER = 22  # px


def write_column(path: Path, upper: Tensor, lower: Tensor) -> None:
    """A column as a picture: for each person one picture above the other. Both (N, 3, H, W) in [-1, 1]."""
    pairs = torch.stack([upper, lower], dim=1).flatten(0, 1)
    to_pil(torch.cat(list(pairs), dim=-2)).save(path)


def write_given(rows: Rows, count: int, folder: Path) -> None:
    """The product shot; the person masked and whole."""
    batch = rows.batch(slice(0, count))
    masked = batch["person"] * (batch["mask"] < 0.5)
    for name, upper, lower in zip(
        GIVEN, (batch["reference"], batch["person"]), (torch.ones_like(masked), masked), strict=True
    ):
        write_column(folder / f"{name}.png", upper, lower)


def draw(columns: dict[str, Path], path: Path) -> None:
    """Columns by their titles, as one JPEG."""
    pictures = {NAMES.get(name, name): Image.open(place) for name, place in columns.items()}
    width, height = next(iter(pictures.values())).size
    sheet = Image.new("RGB", (width * len(pictures), HEADER + height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, (title, picture) in enumerate(pictures.items()):
        sheet.paste(picture, (number * width, HEADER))
        pen.text((number * width + 4, 2), title, fill="black", font=font)
    sheet.save(path, quality=80)
