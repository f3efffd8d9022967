"""Samples for training and evaluation: scenes with fresh colours, light and camera each time."""

import os
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from leffa.config import Task
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.images import planes
from leffa.synthetic import POSE_SHARE
from leffa.synthetic.body.mesh import Material
from leffa.synthetic.identity import DEFAULTS, Settings, Split
from leffa.synthetic.lent.catalogue import Catalogue, load_catalogue
from leffa.synthetic.lent.shot import draw_shot, dress
from leffa.synthetic.observation import (
    condition,
    garment_pixels,
    observe,
    pixel_flow,
    try_on_mask,
    untouchable,
)
from leffa.synthetic.paint.backgrounds import draw_background, draw_product_ground, hang_up
from leffa.synthetic.paint.damage import Damage, apply_damage, draw_damage
from leffa.synthetic.paint.fabrics import Fabric, draw_fabric, draw_leather
from leffa.synthetic.paint.looks import Look, draw_complexion, draw_lighting, product_lighting
from leffa.synthetic.paint.photographs import load_pictures
from leffa.synthetic.paint.textures import NoiseBank, Pyramid, draw_print
from leffa.synthetic.render.shading import Banks, shade
from leffa.synthetic.scene import (
    Former,
    Picture,
    TryOnScene,
    make_lent_scene,
    make_pose_pair_scene,
    make_try_on_scene,
)

PRINTS = 160
MANY = 1 << 20


@lru_cache(maxsize=4)
def load_banks(split: Split, textures: str | None = None, device: str = "cpu") -> Banks:
    """Noise, prints and pictures of a split; drawn once per process."""
    rng = np.random.default_rng([7, split.stream])
    prints = np.stack([draw_print(rng) for _ in range(PRINTS if split is Split.TRAIN else PRINTS // 4)])
    pictures = None
    if textures is not None:
        pictures = Pyramid(load_pictures(textures, split), device, mirrored=True)
    return Banks(NoiseBank(device), Pyramid(prints, device), pictures)


def own_banks(settings: Settings) -> Banks:
    """The banks of these samples."""
    return load_banks(settings.split, _name(settings.textures))


@lru_cache(maxsize=3)
def _try_on_scene(index: int, settings: Settings) -> TryOnScene:
    lent, varied = settings.generator(6, index).random(2) < (settings.lent, settings.varied)
    scene = make_lent_scene(index, settings, catalogue(settings), bool(varied)) if lent else None
    return scene or make_try_on_scene(index, settings, bool(varied))


def catalogue(settings: Settings) -> Catalogue:
    """The photographs that lend themselves. Raises LeffaError where ``settings`` names no folder of them."""
    folder = _name(settings.textures)
    if folder is None:
        raise LeffaError("Product shots are lent by photographs: name their folder as textures.")
    return load_catalogue(folder, settings.split)


_pose_pair_scene = lru_cache(maxsize=3)(make_pose_pair_scene)


def make_try_on(index: int, settings: Settings = DEFAULTS, scene: TryOnScene | None = None) -> Sample:
    """Try-on sample number ``index``: a pure function of the number and the settings.

    ``scene`` may be given where it is there already; else it is rendered (and kept for the next call).
    """
    return _make_try_on(index, settings, scene or _try_on_scene(index // settings.reuse, settings))


def make_redressed(
    index: int, settings: Settings = DEFAULTS, garish: tuple[float, float, float] | None = None
) -> Sample:
    """Try-on sample number ``index`` with the same person in a former outfit as well.

    The picture of the person is the truth: the garment on the person whose photo is ``old_person``. Pose,
    camera, light, ground and all other garments are the same in both. Mask and condition are read from
    ``old_person``, as they are for a photo; the mask has room for both garments.

    garish  sRGB in [0, 1]: everything that has to go is of this one colour in ``old_person``, lit as cloth is
    """
    settings = replace(settings, redressed=True)
    return _make_try_on(index, settings, _try_on_scene(index // settings.reuse, settings), garish)


def _make_try_on(
    index: int,
    settings: Settings,
    scene: TryOnScene,
    garish: tuple[float, float, float] | None = None,
) -> Sample:
    rng = settings.generator(3, index)
    banks = own_banks(settings)
    look, product_look = draw_try_on_looks(rng, scene, settings, banks)
    dyed, cover = None, scene.product.coverage()
    if scene.loan is None:
        product = shade([scene.product], [product_look], banks)[0]
    else:
        scene, dyed, product, cover = _lend(rng, scene)
    damage = draw_damage(rng, scene.snapshot)
    person = photographed(shade([scene.person.buffer], [look], banks, dyed=dyed)[0], settings, damage)
    reference = photographed(product, settings, draw_damage(rng, False))

    garment = scene.person.buffer.material == scene.material
    worn = garment_pixels(scene.person, garment)
    seen, given, gone = scene.person, person, worn  # what is read off a photo is read off the former one
    old: dict[str, Tensor] = {}
    if settings.redressed and scene.former is not None:
        seen = scene.former.picture
        given = _old_person(index, scene.former, look, settings, banks, damage, garish)
        gone = garment_pixels(seen, np.isin(seen.buffer.material, scene.former.gone))
        worn = worn & ~untouchable(seen)
        old = {
            "old_person": given,
            "old_labels": torch.from_numpy(seen.buffer.labels()),
            "old_mask": torch.from_numpy(gone.astype(np.float32))[None],
        }
    landmarks, silhouette = observe(rng, seen, settings.jitter)
    image = to_bytes(given) if rng.random() < 0.5 else None
    mask = try_on_mask(seen, worn | gone, scene.kind, landmarks, silhouette, image)
    flow, visible = pixel_flow(scene.person, garment, cover)
    return Sample(
        name=f"{scene.name}-{index % settings.reuse}",
        task=Task.TRY_ON,
        garment=scene.kind,
        person=person,
        reference=reference,
        mask=torch.from_numpy(mask.astype(np.float32))[None],
        densepose=condition(landmarks, silhouette),
        loss_mask=torch.from_numpy(worn.astype(np.float32))[None],
        reference_mask=shown(cover),
        flow=torch.from_numpy(flow),
        visible=torch.from_numpy(visible & worn),
        **_truths(scene.person),
        **old,
    )


def _old_person(
    index: int,
    former: Former,
    look: Look,
    settings: Settings,
    banks: Banks,
    damage: Damage,
    garish: tuple[float, float, float] | None,
) -> Tensor:
    """(3, H, W) in [-1, 1]: the person in the former outfit, under the same light and through one camera."""
    rng = settings.generator(9, index)
    gone = [number - Material.GARMENT for number in former.gone]
    fabrics = [
        draw_garment_fabric(rng, banks, style) if number in gone else look.fabrics[number]
        for number, style in enumerate(former.styles)
    ]
    buffer, dyed = former.picture.buffer, None
    if garish is not None:
        dyed = np.full((len(buffer.pixel), 3), np.nan, np.float32)
        dyed[np.isin(buffer.material, former.gone)] = garish
    old = shade([buffer], [replace(look, fabrics=tuple(fabrics))], banks, dyed=dyed)[0]
    return photographed(old, settings, damage)


def make_pose_pair(index: int, settings: Settings = DEFAULTS) -> Sample:
    """Pose-transfer sample number ``index``: the target pose as person, the source picture as reference."""
    scene = _pose_pair_scene(index // settings.reuse, settings)
    rng = settings.generator(4, index)
    banks = own_banks(settings)
    complexion = draw_complexion(rng, scene.wearer.female, scene.wearer.older)
    fabrics = tuple(draw_garment_fabric(rng, banks, style) for style in scene.styles)
    shoes = draw_leather(rng)
    ground = draw_background(rng, *settings.size, "studio" if rng.random() < 0.75 else None)
    same_light = draw_lighting(rng, len(scene.target.buffer.lights))
    pictures = []
    for picture in (scene.target, scene.source):
        lighting = same_light if rng.random() < 0.7 else draw_lighting(rng, len(picture.buffer.lights))
        look = Look(fabrics, complexion, lighting, ground, shoes, float(rng.uniform(0, 0.2)))
        pictures.append(shade([picture.buffer], [look], banks)[0])
    camera_seed = int(rng.integers(2**31))
    damage = draw_damage(np.random.default_rng(camera_seed), scene.snapshot)
    shots = [photographed(shot, settings, damage) for shot in pictures]
    landmarks, silhouette = observe(rng, scene.target, settings.jitter)
    everything = np.ones(len(scene.target.buffer.pixel), bool)
    flow, visible = pixel_flow(scene.target, everything, scene.source.buffer.coverage())
    height, width = settings.size
    person = (scene.target.buffer.coverage() >= 0.5).astype(np.uint8)
    wide = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (height // 50) + 1,) * 2))
    return Sample(
        name=f"{scene.name}-{index % settings.reuse}",
        task=Task.POSE_TRANSFER,
        garment=None,
        person=shots[0],
        reference=shots[1],
        mask=torch.ones(1, height, width),
        densepose=condition(landmarks, silhouette),
        loss_mask=torch.from_numpy(wide.astype(np.float32))[None],
        reference_mask=shown(scene.source.buffer.coverage()),
        flow=torch.from_numpy(flow),
        visible=torch.from_numpy(visible),
        **_truths(scene.target),
    )


def shown(cover: np.ndarray) -> Tensor:
    """(1, H, W) float32 in {0, 1}: pixels that are mostly covered, given the share that is."""
    return torch.from_numpy((cover >= 0.5).astype(np.float32))[None]


def _lend(rng: np.random.Generator, scene: TryOnScene) -> tuple[TryOnScene, np.ndarray, Tensor, np.ndarray]:
    """Put the photograph in the product shot's place.

    Returns the scene with its flow into the photograph, the colours of the person's surfels, the product
    shot (3, H, W) in [0, 1] and the garment's share (H, W) of its pixels.
    """
    assert scene.loan is not None
    buffer = scene.person.buffer
    shot = draw_shot(rng, scene.loan, (buffer.height, buffer.width))
    worn = buffer.material == scene.material
    moved, dyed = dress(buffer, worn, scene.loan, scene.product.coverage(), shot)
    product = planes(shot.picture)
    return replace(scene, person=replace(scene.person, buffer=moved)), dyed, product, shot.cover


def _truths(picture: Picture) -> dict[str, Tensor]:
    return {
        "labels": torch.from_numpy(picture.buffer.labels()),
        "parts": planes(picture.parts),
        "landmarks": torch.from_numpy(picture.landmarks),
    }


def _name(textures: str | os.PathLike | None) -> str | None:
    return None if textures is None else os.fspath(textures)


def draw_garment_fabric(rng: np.random.Generator, banks: Banks, style: str) -> Fabric:
    """A fabric for a style of garment, see ``wardrobe``, with what the banks hold."""
    return draw_fabric(rng, len(banks.prints or ()), len(banks.pictures or ()), style=style)


def draw_try_on_looks(
    rng: np.random.Generator, scene: TryOnScene, settings: Settings, banks: Banks
) -> tuple[Look, Look]:
    """Fresh looks of a scene: the person's, and the product shot's with the same cloth."""
    aside = rng.spawn(1)[0]  # what only some scenes have must not shift the draws of the others
    fabrics = tuple(draw_garment_fabric(rng, banks, style) for style in scene.styles)
    complexion = draw_complexion(rng, scene.wearer.female, scene.wearer.older)
    lights = len(scene.person.buffer.lights)
    kind = None if scene.snapshot or rng.random() < 0.45 else "studio"
    person = Look(
        fabrics,
        complexion,
        draw_lighting(rng, lights),
        draw_background(rng, *settings.size, kind),
        draw_leather(rng),
        float(rng.uniform(0, 0.25)),
    )
    product = Look(
        (fabrics[scene.main],),
        complexion,
        product_lighting(rng, len(scene.product.lights)),
        draw_product_ground(rng, *settings.size),
        None,
        float(rng.uniform(0, 0.35)),
    )
    if scene.varied and aside.random() < 0.35:
        cover = scene.product.coverage()
        product = replace(product, background=hang_up(aside, product.background, cover, scene.kind))
    return replace(person, bag=draw_leather(aside)), product


def photographed(picture: Tensor, settings: Settings, damage: Damage) -> Tensor:
    """(3, H, W) in [0, 1] -> in [-1, 1], through a camera if the settings want one."""
    if settings.damage:
        shot = apply_damage(picture.permute(1, 2, 0).cpu().numpy(), damage)
        picture = planes(shot)
    return picture * 2 - 1


def to_bytes(picture: Tensor) -> np.ndarray:
    """(3, H, W) in [-1, 1] -> (H, W, 3) uint8."""
    values = ((picture + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(values.permute(1, 2, 0).numpy())


def is_pose_pair(number: int, share: float) -> bool:
    """Whether a sample is a pose pair, of which there are a ``share``: both tasks are spread evenly."""
    return int((number + 1) * share) > int(number * share)


class SyntheticPeople(Dataset):
    """Rows 0 .. ``count`` - 1, each a pure function of its number and the settings; nothing is kept on disk.

    With ``settings.reuse`` 1 every row is another person. A row takes a core a fraction of a second, so
    give a loader workers, or pack a folder once if the same people may come again.
    """

    def __init__(self, settings: Settings, count: int = MANY):
        self._settings, self._count = settings, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        return (make_pose_pair if is_pose_pair(index, POSE_SHARE) else make_try_on)(index, self._settings)
