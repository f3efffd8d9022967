"""Looks and scenes that several tests of the synthetic people share."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from leffa.config import Garment
from leffa.synthetic.identity import Settings
from leffa.synthetic.paint.fabrics import Fabric, Pattern, draw_fabric
from leffa.synthetic.paint.looks import Look, draw_complexion, draw_lighting
from leffa.synthetic.paint.textures import NoiseBank, Pyramid
from leffa.synthetic.render.shading import Banks
from leffa.synthetic.scene import make_try_on_scene

STYLES = {
    "t_shirt": Garment.UPPER, "long_sleeve": Garment.UPPER, "shirt": Garment.UPPER, "polo": Garment.UPPER,
    "sweater": Garment.UPPER, "tank": Garment.UPPER, "crop": Garment.UPPER, "jacket": Garment.UPPER,
    "trousers": Garment.LOWER, "shorts": Garment.LOWER, "skirt": Garment.LOWER, "dress": Garment.DRESS,
}  # fmt: skip


@lru_cache(maxsize=1)
def smooth_banks() -> Banks:
    """One colourful picture without sharp edges, so that a resampling cannot hide behind aliasing."""
    y, x = np.mgrid[0:64, 0:64] / 64 * np.pi
    waves = [np.cos(2 * x + y), np.cos(3 * y - x), np.cos(2 * x) * np.cos(2 * y)]
    picture = np.round(127.5 + 100 * np.stack(waves, -1)).astype(np.uint8)
    return Banks(NoiseBank(), None, Pyramid(picture[None], mirrored=True))


def smooth_fabric() -> Fabric:
    """Cloth that shows nothing but the smooth picture, 30 cm large."""
    fabric = draw_fabric(np.random.default_rng(0), patterns=(Pattern.SOLID,))
    return replace(
        fabric, pattern=Pattern.PICTURE, picture=0, period=0.3, weave=0.0, wrinkle=0.0, trim=False, print_=-1
    )


def plain_look(garments: int, size: tuple[int, int], lights: int) -> Look:
    """A look without anything random in it, white behind."""
    rng = np.random.default_rng(1)
    cloth = tuple(smooth_fabric() for _ in range(garments))
    white = np.ones((*size, 3), np.float32)
    return Look(cloth, draw_complexion(rng, True), draw_lighting(rng, lights), white, smooth_fabric())


@lru_cache(maxsize=32)
def scene_of(style: str, number: int = 0, size: tuple[int, int] = (384, 288)):
    """The ``number``-th scene with a garment of this style that is seen from the front."""
    kind = STYLES[style]
    settings = Settings(5, size=size, kind=kind, style=None if style == "dress" else style)
    index = -1
    while number >= 0:
        index += 1
        scene = make_try_on_scene(index, settings)
        worn = scene.person.buffer.material == scene.material
        if scene.person.buffer.visible[worn].mean() > 0.3:
            number -= 1
    return scene
