"""Product shots with their parts, to learn to read them from: cloth, the inside that shows, the ground."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from leffa.images import planes
from leffa.preprocess.garment.parsing import ShotPart
from leffa.synthetic.body.figure import draw_layout, extent, lay_out
from leffa.synthetic.body.mesh import join
from leffa.synthetic.cloth.wardrobe import draw_outfit
from leffa.synthetic.identity import DEFAULTS, WOMEN, Settings, draw_person
from leffa.synthetic.lent.shot import draw_shot
from leffa.synthetic.paint.backgrounds import draw_product_ground, hang_up
from leffa.synthetic.paint.damage import draw_damage
from leffa.synthetic.paint.looks import Look, draw_complexion, product_lighting
from leffa.synthetic.render.gbuffer import GBuffer, draw, resolve
from leffa.synthetic.render.shading import shade
from leffa.synthetic.samples import catalogue, draw_garment_fabric, own_banks, photographed
from leffa.synthetic.scene import PRODUCT_LIGHTS, draw_extras, draw_kind, frame_product

UNKNOWN = 255
"""Cloth or the inside: a photograph's outline does not tell them apart."""
LABELLED, TAPED, HUNG = 0.5, 0.4, 0.12  # shares of shots with a label at the neck, a tape, on a hanger
RINGED, SMUDGED = 0.4, 0.35  # shares with a neck's ring of another colour; with blots on the front


def make_shot(index: int, settings: Settings = DEFAULTS) -> tuple[Tensor, np.ndarray]:
    """Product shot number ``index``: (3, H, W) float32 in [-1, 1], and its ``ShotPart`` (H, W) uint8.

    A share ``settings.lent`` are photographs; their garment is ``UNKNOWN``. The same number and settings give
    the same shot.
    """
    rng = settings.generator(13, index)
    if rng.random() < settings.lent:
        picture, parts = _lent(rng, settings)
    else:
        picture, parts = _drawn(rng, settings)
    return photographed(picture, settings, draw_damage(rng, False)), parts


def _drawn(rng: np.random.Generator, settings: Settings) -> tuple[Tensor, np.ndarray]:
    kind = settings.kind or draw_kind(rng)
    person, _ = draw_person(rng, settings.split, WOMEN[kind])
    garments, main = draw_outfit(rng, kind, person.female, settings.style)
    extras, layout = draw_extras(rng), draw_layout(rng)
    meshes = lay_out(garments[main], extras.fold(layout), person.coefficients * rng.uniform(0, 1))
    camera = replace(frame_product(rng, *extent(meshes), settings.size), roll=extras.tilt / 2)
    buffer = resolve(draw(join(meshes), camera, *settings.size), PRODUCT_LIGHTS)
    banks = own_banks(settings)
    cover = buffer.coverage()
    ground = draw_product_ground(rng, *settings.size)
    if rng.random() < HUNG:
        ground = hang_up(rng, ground, cover, kind)
    look = Look(
        (draw_garment_fabric(rng, banks, garments[main].style),),
        draw_complexion(rng, person.female, person.older),
        product_lighting(rng, len(buffer.lights)),
        ground,
        None,
        float(rng.uniform(0, 0.35)),
    )
    picture = shade([buffer], [look], banks)[0]
    inside = _inside(buffer)
    parts = np.where(cover >= 0.5, ShotPart.CLOTH, ShotPart.GROUND)
    parts = np.where((inside > 0.5 * cover) & (cover >= 0.5), ShotPart.INSIDE, parts)
    return torch.from_numpy(_lined(rng, picture.numpy(), inside, cover)), parts.astype(np.uint8)


def _lent(rng: np.random.Generator, settings: Settings) -> tuple[Tensor, np.ndarray]:
    """A photograph as a product shot. Raises LeffaError where ``settings`` names no folder of them."""
    loan = catalogue(settings).draw(rng, settings.kind or draw_kind(rng))
    if loan is None:
        return _drawn(rng, settings)
    shot = draw_shot(rng, loan, settings.size)
    picture = planes(shot.picture)
    return picture, np.where(shot.cover >= 0.5, UNKNOWN, ShotPart.GROUND).astype(np.uint8)


def _inside(buffer: GBuffer) -> np.ndarray:
    """(H, W) share of each pixel that shows the inside of the cloth."""
    total = np.bincount(buffer.pixel, buffer.weight * buffer.back, buffer.height * buffer.width)
    return total.reshape(buffer.height, buffer.width).astype(np.float32)


def _lined(
    rng: np.random.Generator, picture: np.ndarray, inside: np.ndarray, cover: np.ndarray
) -> np.ndarray:
    """A shot (3, H, W) in [0, 1] with another lining, light inside, tape and label, all drawn at random."""
    seen = inside > 0.5
    if not seen.any():
        return picture
    if rng.random() < SMUDGED:
        picture = _blotted(rng, picture, (1 - inside) * cover)
    if rng.random() < RINGED:  # on the front; often of the colour that the inside shows
        picture = _ringed(rng, picture, seen, cover)
    lined = picture.transpose(1, 2, 0) * np.exp(rng.normal(0.25, 0.35))
    if rng.random() < 0.25:
        lined = lined.mean(-1, keepdims=True) * rng.uniform(0.3, 1.6, 3)
    stats = cv2.connectedComponentsWithStats(seen.astype(np.uint8))[2]
    x, y, wide, tall = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))][:4]
    if rng.random() < TAPED:
        ground = cover < 0.5
        height = max(1, round(rng.uniform(0.1, 0.3) * tall))
        near = cv2.dilate(ground.astype(np.uint8), np.ones((2 * height + 1, 1), np.uint8)) > 0
        lined[near] = (
            rng.uniform(0, 1, 3) if rng.random() < 0.5 else picture.transpose(1, 2, 0)[cover > inside].mean(0)
        )
    if rng.random() < LABELLED:
        lined = _with_label(rng, lined, (x + wide / 2, y + tall * rng.uniform(0, 0.6)), wide)
    share = inside[..., None]
    result = picture.transpose(1, 2, 0) * (1 - share) + lined.clip(0, 1) * share
    return np.ascontiguousarray(result.transpose(2, 0, 1)).astype(np.float32)


def _blotted(rng: np.random.Generator, picture: np.ndarray, front: np.ndarray) -> np.ndarray:
    """A shot (3, H, W) with blots of any colours on its ``front`` (H, W) in [0, 1]: a bold print."""
    blotted = picture.transpose(1, 2, 0).copy()
    height, width = blotted.shape[:2]
    for _ in range(rng.integers(2, 9)):
        middle = (int(rng.integers(width)), int(rng.integers(height)))
        axes = tuple(int(side) for side in rng.uniform(0.02, 0.14, 2) * height)
        cv2.ellipse(
            blotted, middle, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0, 1, 3).tolist(), cv2.FILLED
        )
    blotted = picture + front * (blotted.transpose(2, 0, 1) - picture)
    return blotted.astype(np.float32)


def _ringed(rng: np.random.Generator, picture: np.ndarray, seen: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """A shot (3, H, W) whose cloth around the inside ``seen`` is a ring of another colour."""
    width = max(2, round(rng.uniform(0.012, 0.04) * picture.shape[1]))
    ring = cv2.dilate(seen.astype(np.uint8), np.ones((2 * width + 1,) * 2, np.uint8)) > 0
    inner = picture[:, seen].mean(1) if rng.random() < 0.5 else rng.uniform(0, 1, 3)
    weight = (ring & ~seen)[None] * cover[None]
    shade = picture.mean(0, keepdims=True) / max(float(picture.mean()), 1e-3)
    ringed: np.ndarray = picture + weight * ((inner[:, None, None] * shade).clip(0, 1) - picture)
    return ringed.astype(np.float32)


def _with_label(
    rng: np.random.Generator, picture: np.ndarray, middle: tuple[float, float], room: float
) -> np.ndarray:
    """A picture (H, W, 3) with a label around ``middle`` (x, y), and lines of something on it."""
    wide = room * rng.uniform(0.08, 0.4)
    tall = wide * rng.uniform(0.3, 1.2)
    left, top = round(middle[0] - wide / 2), round(middle[1])
    right, bottom = round(middle[0] + wide / 2), round(middle[1] + tall)
    paper, ink = (
        rng.uniform(0, 1, (2, 3)) if rng.random() < 0.5 else rng.permutation([[0.05] * 3, [0.95] * 3])
    )
    picture = np.ascontiguousarray(picture, np.float32)
    cv2.rectangle(picture, (left, top), (right, bottom), paper.tolist(), cv2.FILLED)
    for line in np.arange(top + 1, bottom, max(2, round(tall / 4))):
        start = left + round(wide * rng.uniform(0.1, 0.4))
        cv2.line(picture, (start, int(line)), (right - round(0.1 * wide), int(line)), ink.tolist(), 1)
    return picture


class Shots:
    """Product shots by number, each made once and kept: they are read again and again."""

    def __init__(self, count: int, settings: Settings = DEFAULTS):
        self.count, self.settings = count, settings
        self._kept = lru_cache(maxsize=count)(self._made)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures."""
        return self.settings.size

    def __len__(self) -> int:
        return self.count

    def _made(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        picture, parts = make_shot(number, self.settings)
        return ((picture + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy(), parts

    def shots(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """photo (B, 3, H, W) in [-1, 1];  seen (B, H, W) long, ``ShotPart`` or ``UNKNOWN``."""
        pictures, parts = zip(*(self._kept(number) for number in numbers), strict=True)
        return {
            "photo": torch.from_numpy(np.stack(pictures)).float() / 127.5 - 1,
            "seen": torch.from_numpy(np.stack(parts)).long(),
        }
