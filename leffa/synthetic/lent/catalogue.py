"""Which photograph lends itself to which garment of our own: found once for a folder of photographs, kept.

For every photograph, as it is and mirrored, the garment whose product shot has the likest outline is taken
from some hundred random ones, and registered. What folds, or does not fit after all, is left out.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from leffa.config import Garment as Kind
from leffa.errors import PictureError
from leffa.files import write_arrays
from leffa.synthetic.body.figure import Layout, draw_layout, extent, lay_out
from leffa.synthetic.body.mesh import Mesh, join
from leffa.synthetic.cloth.garments import Garment, LegShape, TopShape, legs
from leffa.synthetic.cloth.wardrobe import draw_bottom, draw_dress, draw_long, draw_top
from leffa.synthetic.identity import WOMEN, Split, draw_person, generator
from leffa.synthetic.lent.cutouts import CUTS, Cut, cut_out, cuts_of, read_photograph
from leffa.synthetic.lent.registration import GRID, Frame, judge, register
from leffa.synthetic.paint.photographs import split_paths
from leffa.synthetic.processes import spread
from leffa.synthetic.render.camera import Camera
from leffa.synthetic.render.gbuffer import draw
from leffa.synthetic.render.raster import EMPTY

TEMPLATES = {Cut.SHORT: 220, Cut.LONG: 260, Cut.LEGS: 140, Cut.SKIRT: 80, Cut.DRESS: 180}
STYLES = {Cut.SHORT: ("t_shirt", "t_shirt", "polo", "shirt"), Cut.LONG: ("long_sleeve", "sweater", "shirt")}
SMALL = 40
LEAST_LIKENESS = 0.82  # overlap before the registration
LEAST_OVERLAP = 0.955  # and after it
LEAST_AREA = 0.15  # of an area anywhere on the garment: what is pressed more is no cloth
MOST_STRETCH = 0.25  # of the logarithm of height to width: a coat is no jacket
SHAPE_WEIGHT = 0.5  # what a difference of height to width costs in likeness
VERSION = 5


@dataclass(frozen=True)
class Template:
    """A garment of our own as product shots show it. ``female``: only women wear it."""

    garment: Garment
    layout: Layout
    coefficients: np.ndarray
    female: bool

    def meshes(self) -> list[Mesh]:
        """The garment laid out."""
        return lay_out(self.garment, self.layout, self.coefficients)


def draw_template(split: Split, cut: Cut, number: int) -> Template:
    """Template number ``number`` of a split and a cut."""
    rng = generator(0, split, 11, list(Cut).index(cut), number)
    person, _ = draw_person(rng, split, WOMEN[cut.kind])
    layout = draw_layout(rng)
    if cut is Cut.DRESS:
        garment = draw_dress(rng)
    elif cut is Cut.SKIRT:
        garment = draw_bottom(rng, "skirt")
    elif cut is Cut.LEGS:
        garment = _draw_legs(rng)
        layout = replace(layout, legs=float(rng.uniform(0, 8)))
    else:
        garment = draw_top(rng, str(rng.choice(STYLES[cut])), partial(_lay_flat, rng, cut))
        if cut is Cut.LONG:
            arms = rng.uniform(2, 20) if rng.random() < 0.7 else rng.uniform(20, 55)
            layout = replace(layout, arms=float(arms), flat=float(rng.uniform(0.25, 0.95)))
    coefficients = person.coefficients * rng.uniform(0, 1)
    return Template(garment, layout, coefficients, cut in (Cut.DRESS, Cut.SKIRT))


def _lay_flat(rng: np.random.Generator, cut: Cut, shape: TopShape) -> TopShape:
    """Cloth that lies flat is wider than it is on a limb."""
    sleeve = draw_long(rng) if cut is Cut.LONG else rng.uniform(0.35, 0.95)
    return replace(
        shape,
        sleeve=float(sleeve),
        width=float(rng.uniform(0.045, 0.105)),
        loose=float(rng.uniform(0.4, 1)),
    )


def _draw_legs(rng: np.random.Generator) -> Garment:
    long = rng.random() < 0.8
    thigh = rng.uniform(0.07, 0.125)
    shape = LegShape(
        length=float(draw_long(rng) if long else rng.uniform(0.3, 0.95)),
        rise=float(rng.uniform(0.04, 0.17)),
        thigh=float(thigh),
        ankle=float(thigh * rng.uniform(0.45, 1.1)),
    )
    return Garment(Kind.LOWER, "trousers" if long else "shorts", [legs(shape)])


def front_camera(meshes: list[Mesh], size: tuple[int, int]) -> Camera:
    """The camera that registrations are made for: straight and far away, the garment whole."""
    low, high = extent(meshes)
    middle = (low + high) / 2
    span = max(high[1] - low[1], (high[0] - low[0]) * size[0] / size[1]) * 1.1
    return Camera((float(middle[0]), float(middle[1]), float(middle[2])), float(span), distance=20.0)


def silhouette(meshes: list[Mesh]) -> np.ndarray:
    """(256, 192) bool of a garment laid out."""
    size = (128, 96)
    return draw(join(meshes), front_camera(meshes, size), *size).fragments.face != EMPTY


@dataclass(frozen=True)
class Loan:
    """A photograph that stands for the product shot of a template.

    path      the photograph
    mirrored  whether it is turned left to right before anything else
    garment   (h, w) bool its cut-out, not mirrored
    cut, template  whose product shot it stands for, see ``draw_template``
    shift     registration of the template's product shot with the photograph, see ``registration``
    """

    path: Path
    mirrored: bool
    garment: np.ndarray
    cut: Cut
    template: int
    shift: np.ndarray

    def photograph(self) -> tuple[np.ndarray, np.ndarray]:
        """Picture (h, w, 3) uint8 and cut-out (h, w) bool, mirrored where the loan says so."""
        picture = _read(self.path)
        turn = slice(None, None, -1 if self.mirrored else 1)
        return np.ascontiguousarray(picture[:, turn]), np.ascontiguousarray(self.garment[:, turn])


@lru_cache(maxsize=64)
def _read(path: Path) -> np.ndarray:
    picture = read_photograph(path)
    if picture is None:
        raise PictureError(f"The photograph {os.fspath(path)!r} cannot be read any more.")
    return picture


@dataclass(frozen=True)
class Catalogue:
    """All loans of a folder and a split, grouped by kind and photograph: ``loans[kind][photograph]``."""

    loans: dict[Kind, list[list[Loan]]]

    def draw(self, rng: np.random.Generator, kind: Kind) -> Loan | None:
        """A loan of a kind, every photograph as likely as another; None if there is none."""
        photographs = self.loans.get(kind, [])
        if not photographs:
            return None
        own = photographs[int(rng.integers(len(photographs)))]
        return own[int(rng.integers(len(own)))]


def catalogue_path(folder: Path, split: Split) -> Path:
    """Where the catalogue of a folder and a split is kept: in the user's cache, by the folder's content."""
    paths = split_paths(folder, split)
    told = repr((VERSION, split.value, TEMPLATES, [(path.name, path.stat().st_size) for path in paths]))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "leffa" / f"lent-{split.value}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"


@lru_cache(maxsize=3)
def load_catalogue(folder: str, split: Split) -> Catalogue:
    """The catalogue of a folder, found first if it has not been yet (minutes for a thousand photographs).

    Raises PictureError if no photograph lends itself.
    """
    path = prepare_catalogue(Path(folder), split)
    loans: dict[Kind, list[list[Loan]]] = {}
    with np.load(path, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    owners, cuts, mirrored = stored["owners"], stored["cuts"], stored["mirrored"]
    first = 0
    for number, (name, (height, width)) in enumerate(zip(stored["names"], stored["shapes"], strict=True)):
        last = first + -(-int(height) * int(width) // 8)
        bits = np.unpackbits(stored["outlines"][first:last], count=int(height) * int(width))
        garment, first = bits.reshape(height, width) > 0, last
        own = [
            Loan(Path(folder) / str(name), bool(mirrored[row]), garment, Cut(str(cuts[row])),
                 int(stored["templates"][row]), stored["shifts"][row])
            for row in np.flatnonzero(owners == number)
        ]  # fmt: skip
        loans.setdefault(own[0].cut.kind, []).append(own)
    return Catalogue(loans)


def prepare_catalogue(folder: Path, split: Split, processes: int = 1) -> Path:
    """Path of the catalogue of a folder, found first if it has not been yet."""
    path = catalogue_path(folder, split)
    return path if path.is_file() else find_loans(folder, split, processes)


def find_loans(folder: Path, split: Split, processes: int = 1) -> Path:
    """Make the catalogue of a folder's photographs and return its path.

    The names of the photographs tell the kind of garment, see ``cutouts.CUTS``.
    Raises PictureError if none of them lends itself.
    """
    numbers = [(split, cut, number) for cut, count in TEMPLATES.items() for number in range(count)]
    paths = [path for path in split_paths(folder, split) if cuts_of(path)]
    outlines = list(tqdm(spread(_outline, numbers, processes, 8), total=len(numbers), desc="garments"))
    matches = spread(_match, paths, processes, 4, _keep_bank, (numbers, outlines))
    found = list(tqdm(matches, total=len(paths), desc="photographs"))
    kept = [(path, *item) for path, item in zip(paths, found, strict=True) if item is not None and item[1]]
    if not kept:
        raise PictureError(
            f"None of the photographs in {os.fspath(folder)!r} lends itself as a product shot: each must "
            f"show one whole garment on a ground of another colour, and its name begin with one of "
            f"{', '.join(CUTS)}."
        )
    path = catalogue_path(folder, split)
    _save(path, kept)
    return path


def _save(path: Path, kept: list[tuple[Path, np.ndarray, "list[Entry]"]]) -> None:
    """Write photographs, cut-outs and loans; the file appears under its name only when it is whole."""
    entries = [(owner, *entry) for owner, (_, _, own) in enumerate(kept) for entry in own]
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = dict(
        names=np.array([path.name for path, _, _ in kept]),
        shapes=np.array([garment.shape for _, garment, _ in kept], np.int32),
        outlines=np.concatenate([np.packbits(garment.ravel()) for _, garment, _ in kept]),
        owners=np.array([entry[0] for entry in entries], np.int32),
        mirrored=np.array([entry[1] for entry in entries], bool),
        cuts=np.array([entry[2].value for entry in entries]),
        templates=np.array([entry[3] for entry in entries], np.int32),
        shifts=np.stack([entry[4] for entry in entries]).astype(np.float16).astype(np.float32),
    )
    write_arrays(path, **arrays)


def _tile(shown: np.ndarray) -> tuple[np.ndarray, float]:
    """What likeness is measured on: the silhouette in the common frame, small, and its height to width."""
    frame = Frame.of(shown)
    small = cv2.resize(frame.draw(shown, 2 * GRID), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    return small.ravel(), float(np.log(frame.spread[1] / frame.spread[0]))


def _outline(number: tuple[Split, Cut, int]) -> np.ndarray:
    return silhouette(draw_template(*number).meshes())


@dataclass(frozen=True)
class _Bank:
    """The templates of one cut: outlines (k, 256, 192) bool, tiles (k, n) and shapes (k,), see ``_tile``."""

    outlines: np.ndarray
    tiles: np.ndarray
    shapes: np.ndarray


_BANKS: dict[Cut, _Bank] = {}


def _keep_bank(numbers: list[tuple[Split, Cut, int]], outlines: list[np.ndarray]) -> None:
    """What every process that matches photographs keeps at hand."""
    for cut in TEMPLATES:
        own = [outline for outline, number in zip(outlines, numbers, strict=True) if number[1] == cut]
        tiles, shapes = zip(*map(_tile, own), strict=True)
        _BANKS[cut] = _Bank(np.stack(own), np.stack(tiles), np.array(shapes))


Entry = tuple[bool, Cut, int, np.ndarray]


def _match(path: Path) -> tuple[np.ndarray, list[Entry]] | None:
    """Cut-out of a photograph and the entries of its loans, as it is and mirrored."""
    picture = read_photograph(path)
    garment = None if picture is None else cut_out(picture)
    return None if garment is None else (garment, find_entries(garment, cuts_of(path)))


def find_entries(garment: np.ndarray, cuts: tuple[Cut, ...]) -> list[Entry]:
    """The loans of a cut-out: with the likest template of the cuts, as it is and mirrored, if they fit."""
    tile, shape = _tile(garment)
    best = max((_likeness(tile, shape, cut) for cut in cuts), key=lambda found: found[0])
    rank, likeness, number, cut = best
    if rank < 0 or likeness < LEAST_LIKENESS:
        return []
    own = _BANKS[cut].outlines[number]
    start, end = Frame.of(own).draw(own, 2 * GRID), Frame.of(garment).draw(garment, 2 * GRID)
    shift = register(start, end).shift
    entries: list[Entry] = []
    for mirrored in (False, True):  # garments are alike on both sides, nearly: the map is mirrored too
        turned = shift[:, ::-1] * np.array([-1, 1], np.float32) if mirrored else shift
        turned = turned.astype(np.float16).astype(np.float32)
        fit = judge(turned, start, end[:, ::-1] if mirrored else end)
        if fit.overlap >= LEAST_OVERLAP and fit.least >= LEAST_AREA:
            entries.append((mirrored, cut, number, turned))
    return entries


def _likeness(tile: np.ndarray, shape: float, cut: Cut) -> tuple[float, float, int, Cut]:
    """Rank, overlap and number of the likest template of a cut."""
    bank = _BANKS[cut]
    overlap = np.minimum(bank.tiles, tile).sum(1) / np.maximum(bank.tiles, tile).sum(1)
    stretch = np.abs(bank.shapes - shape)
    rank = np.where(stretch <= MOST_STRETCH, overlap, 0) - SHAPE_WEIGHT * stretch
    best = int(rank.argmax())
    return float(rank[best]), float(overlap[best]), best, cut
