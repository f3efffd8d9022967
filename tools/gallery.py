"""Example people, garments and poses for the app and the README, drawn from the held-out split.

    python tools/gallery.py              into this checkout, or one that is named
    python tools/gallery.py --quick      one of each kind, nothing kept: that it runs

writes ``assets/examples/people``, ``assets/examples/garments/{upper,lower,dress}``, ``assets/poses`` and
``docs/synthetic.jpg``, a sheet of 64 unselected samples.
Everything is generated, so there is no licence to observe; the same call writes the same pictures.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Garment as Kind
from leffa.preprocess.labels import Landmark
from leffa.synthetic.body.figure import Figure, Layout, Posed, extent, lay_out, pose_figure
from leffa.synthetic.body.mesh import join
from leffa.synthetic.body.pose_library import POSES
from leffa.synthetic.cloth.drape import Drape
from leffa.synthetic.cloth.garments import Garment
from leffa.synthetic.cloth.wardrobe import draw_bottom, draw_dress, draw_expression, draw_hair, draw_top
from leffa.synthetic.identity import Split, draw_person, generator
from leffa.synthetic.paint.backgrounds import draw_background, draw_product_ground
from leffa.synthetic.paint.damage import Damage, apply_damage
from leffa.synthetic.paint.fabrics import Fabric, Pattern, draw_fabric, draw_leather
from leffa.synthetic.paint.looks import Look, draw_complexion, draw_lighting, product_lighting
from leffa.synthetic.render.camera import Camera
from leffa.synthetic.render.gbuffer import draw, resolve
from leffa.synthetic.render.shading import shade
from leffa.synthetic.samples import Settings, load_banks, make_try_on, to_bytes
from leffa.synthetic.scene import draw_lights, take_picture

SIZE = (1024, 768)
POSE_SIZE = (512, 384)
TILE = (192, 144)
PLAIN = (Pattern.SOLID, Pattern.DENIM, Pattern.KNIT, Pattern.STRIPES_ACROSS, Pattern.GINGHAM)
QUALITY = 84
LARGEST_FILE = 60_000


@dataclass(frozen=True)
class Example:
    """One example person: number of the draw, sex, pose, style of the top (or dress) and of the bottom."""

    number: int
    female: bool
    pose: str
    top: str
    bottom: str | None
    full: bool
    background: str


PEOPLE = (
    Example(1, True, "catalogue", "t_shirt", "trousers", False, "studio"),
    Example(2, False, "front", "t_shirt", "trousers", False, "studio"),
    Example(3, True, "hand_on_hip", "dress", None, True, "wall"),
    Example(4, False, "pocket", "shirt", "trousers", True, "street"),
    Example(5, True, "arms_away", "tank", "shorts", False, "green"),
    Example(6, False, "walking_quarter", "sweater", "trousers", True, "room"),
    Example(7, True, "front", "long_sleeve", "skirt", True, "studio"),
    Example(8, False, "hands_on_hips", "polo", "shorts", False, "wall"),
    Example(9, True, "quarter_turn", "dress", None, True, "street"),
    Example(10, False, "catalogue", "jacket", "trousers", False, "room"),
    Example(11, True, "pockets", "sweater", "trousers", False, "street"),
    Example(12, False, "arms_away", "long_sleeve", "shorts", True, "studio"),
)

GARMENTS: dict[Kind, tuple[tuple[str, int, Pattern], ...]] = {
    Kind.UPPER: (
        ("t_shirt", 1, Pattern.SOLID), ("shirt", 2, Pattern.TARTAN), ("sweater", 3, Pattern.KNIT),
        ("long_sleeve", 4, Pattern.STRIPES_ACROSS), ("tank", 5, Pattern.FLORAL), ("jacket", 6, Pattern.DENIM),
        ("t_shirt", 7, Pattern.BLOCKS), ("polo", 8, Pattern.SOLID),
    ),
    Kind.LOWER: (
        ("trousers", 1, Pattern.DENIM), ("skirt", 2, Pattern.GINGHAM), ("shorts", 3, Pattern.SOLID),
        ("trousers", 4, Pattern.SOLID), ("skirt", 5, Pattern.FLORAL), ("shorts", 6, Pattern.STRIPES_ALONG),
    ),
    Kind.DRESS: (
        ("dress", 1, Pattern.FLORAL), ("dress", 2, Pattern.SOLID), ("dress", 3, Pattern.STRIPES_ACROSS),
        ("dress", 4, Pattern.DOTS), ("dress", 5, Pattern.OMBRE), ("dress", 6, Pattern.TARTAN),
    ),
}  # fmt: skip


def _as_picture(shaded, damage: Damage | None = None) -> NDArray[np.uint8]:
    picture = apply_damage(shaded.permute(1, 2, 0).numpy(), damage or Damage())
    return np.round(picture * 255).astype(np.uint8)


def _garment(rng: np.random.Generator, style: str, female: bool) -> Garment:
    if style == "dress":
        return draw_dress(rng)
    if style in ("trousers", "shorts", "skirt"):
        return draw_bottom(rng, style, female)
    return draw_top(rng, style)


def _frame(posed: Posed, full: bool) -> Camera:
    low, high = posed.vertices.min(0), posed.vertices.max(0)
    hips = posed.landmarks[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP]].mean(0)
    top = high[1] + 0.09
    bottom = low[1] - 0.09 if full else hips[1] - 0.24
    span = max(top - bottom, 1.08 * (high[0] - low[0]) / 0.75)
    centre = ((low[0] + high[0]) / 2, (top + bottom) / 2, hips[2])
    return Camera((float(centre[0]), float(centre[1]), float(centre[2])), float(span), 3.6)


def draw_example(example: Example) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of an example person."""
    rng = generator(example.number, Split.TEST, 20)
    person, _ = draw_person(rng, Split.TEST, float(example.female))
    garments = [_garment(rng, example.top, example.female)]
    if example.top == "jacket":
        garments.insert(0, _garment(rng, "t_shirt", example.female))
    if example.bottom is not None:
        garments.insert(0, _garment(rng, example.bottom, example.female))
    pose = next(pose for pose in POSES if pose.name == example.pose)
    figure = Figure(
        person.coefficients, tuple(garments), pose.jittered(rng, 0.5), draw_hair(rng, example.female), 0.03,
        draw_expression(rng), Drape(int(rng.integers(2**31)), 1.0),
    )  # fmt: skip
    posed = pose_figure(figure)
    picture = take_picture(posed, _frame(posed, example.full), SIZE, draw_lights(rng))
    banks = load_banks(Split.TEST)
    cloth = tuple(
        draw_fabric(rng, prints=0, patterns=PLAIN if number else None, style=garment.style)
        for number, garment in enumerate(reversed(garments))
    )[::-1]
    look = Look(
        cloth,
        draw_complexion(rng, person.female, person.older),
        draw_lighting(rng, 2),
        draw_background(rng, *SIZE, example.background),
        draw_leather(rng),
        0.12,
    )
    shaded = shade([picture.buffer], [look], banks)[0]
    return _as_picture(shaded, Damage(blur=0.12, grain=0.004, vignette=0.05, seed=example.number))


def draw_product(style: str, number: int, pattern: Pattern) -> NDArray[np.uint8]:
    """The product shot (H, W, 3) of an example garment."""
    rng = generator(number, Split.TEST, 21, sum(map(ord, style)))
    garment = _garment(rng, style, True)
    layout = Layout(float(rng.uniform(20, 45)), float(rng.uniform(0.2, 0.8)), 5.0, Drape(number, 0.5))
    meshes = lay_out(garment, layout)
    low, high = extent(meshes)
    height, width = SIZE
    span = max(high[1] - low[1], (high[0] - low[0]) * height / width) * 1.14
    centre = (low + high) / 2
    camera = Camera((float(centre[0]), float(centre[1]), float(centre[2])), float(span), 20.0)
    buffer = resolve(draw(join(meshes), camera, *SIZE), np.array([[-0.35, 0.55, 0.76]], np.float32))
    fabric: Fabric = draw_fabric(rng, prints=40, patterns=(pattern,), style=garment.style)
    fabric = replace(fabric, gloss=min(fabric.gloss, 0.02))
    look = Look(
        (fabric,),
        draw_complexion(rng, True),
        product_lighting(rng, 1),
        draw_product_ground(rng, *SIZE),
        None,
        0.25,
    )
    return _as_picture(shade([buffer], [look], load_banks(Split.TEST))[0])


def draw_pose(name: str) -> tuple[NDArray[np.uint8], dict[str, NDArray]]:
    """A library pose worn by a plain figure: its picture, and ``parts``, ``silhouette``, ``landmarks``."""
    rng = generator(0, Split.TEST, 22)
    pose = next(pose for pose in POSES if pose.name == name)
    person, _ = draw_person(rng, Split.TEST, float(sum(map(ord, name)) % 2))
    garments = (draw_bottom(rng, "trousers"), draw_top(rng, "t_shirt"))
    figure = Figure(
        person.coefficients, garments, pose, draw_hair(rng, person.female), 0.03, {}, Drape(1, 0.8)
    )
    posed = pose_figure(figure)
    picture = take_picture(posed, _frame(posed, True), POSE_SIZE, draw_lights(rng))
    cloth = tuple(
        replace(draw_fabric(rng, patterns=(Pattern.SOLID,)), gloss=0.0, trim=False) for _ in garments
    )
    cloth = tuple(
        replace(fabric, colours=np.full((4, 3), tone, np.float32))
        for fabric, tone in zip(cloth, (0.3, 0.6), strict=True)
    )
    ground = np.full((*POSE_SIZE, 3), 0.93, np.float32)
    look = Look(
        cloth, draw_complexion(rng, person.female), draw_lighting(rng, 2), ground, draw_leather(rng), 0.1
    )
    truths = {
        "parts": picture.parts,
        "silhouette": (picture.buffer.coverage() * 255).round().astype(np.uint8),
        "landmarks": picture.landmarks,
    }
    return _as_picture(shade([picture.buffer], [look], load_banks(Split.TEST))[0]), truths


def _save(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a JPEG that stays under ``LARGEST_FILE``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = QUALITY
    while True:
        Image.fromarray(picture).save(path, quality=quality, optimize=True)
        if path.stat().st_size <= LARGEST_FILE or quality <= 50:
            return
        quality -= 6


def draw_sheet(rows: int = 8, columns: int = 8) -> NDArray[np.uint8]:
    """Random samples side by side, unselected: product shot and person, ``rows`` x ``columns`` of them."""
    height, width = TILE
    settings = Settings(seed=64, split=Split.TEST, reuse=1)
    tiles = []
    for index in range(rows * columns):
        sample = make_try_on(index, settings)
        pair = np.concatenate([to_bytes(sample.reference), to_bytes(sample.person)], 1)
        tiles.append(cv2.resize(pair, (2 * width, height), interpolation=cv2.INTER_AREA))
    return np.concatenate(
        [np.concatenate(tiles[row * columns : (row + 1) * columns], 1) for row in range(rows)]
    )


def write_gallery(root: Path) -> None:
    """Write all examples, the pose library and the sheet into a checkout."""
    assets = root / "assets"
    for example in PEOPLE:
        name = (
            f"{example.number:02d}-{'woman' if example.female else 'man'}-{example.top.replace('_', '-')}.jpg"
        )
        _save(draw_example(example), assets / "examples" / "people" / name)
    for kind, garments in GARMENTS.items():
        for place, (style, number, pattern) in enumerate(garments):
            name = f"{place + 1:02d}-{style.replace('_', '-')}.jpg"
            _save(draw_product(style, number, pattern), assets / "examples" / "garments" / kind.value / name)
    Image.fromarray(draw_sheet()).save(root / "docs" / "synthetic.jpg", quality=80)
    poses = assets / "poses"
    index = []
    for pose in POSES:
        picture, truths = draw_pose(pose.name)
        _save(picture, poses / f"{pose.name}.jpg")
        Image.fromarray(truths["parts"]).save(poses / f"{pose.name}.parts.png", optimize=True)
        Image.fromarray(truths["silhouette"]).save(poses / f"{pose.name}.silhouette.png", optimize=True)
        index.append({"name": pose.name, "landmarks": np.round(truths["landmarks"], 2).tolist()})
    record = {"height": POSE_SIZE[0], "width": POSE_SIZE[1], "poses": index}
    (poses / "poses.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1], metavar="CHECKOUT"
    )
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        draw_example(PEOPLE[0])
        draw_product(*GARMENTS[Kind.UPPER][0])
        draw_pose(POSES[0].name)
        draw_sheet(1, 1)
    else:
        write_gallery(options.root)
