"""Skin, eyes and hair: painted from the canonical position, so that every identity has a face."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.synthetic.body.baked import load_body
from leffa.synthetic.paint.looks import Look
from leffa.synthetic.paint.textures import NoiseBank
from leffa.synthetic.render.gbuffer import Surfels

BLOOD = (1.04, 0.80, 0.77)
LIP = (0.93, 0.56, 0.55)


@lru_cache(maxsize=1)
def _face_points() -> tuple[np.ndarray, np.ndarray]:
    """Left eye and mouth centre on the mean body."""
    body = load_body()
    lips = body.skin_masks["lips"] > 0.5
    return body.mean.heads[body.bones["eye.L"]], body.mean.vertices[lips].mean(0)


def _of(looks: list[Look], name: str, scene: Tensor) -> Tensor:
    """A property of the complexions, for every surfel."""
    values = np.array([getattr(look.complexion, name) for look in looks], np.float32)
    return torch.as_tensor(values).to(scene.device)[scene]


def _noise(noise: NoiseBank, tile: int, place: Tensor) -> Tensor:
    return noise.at(torch.full((len(place),), tile, dtype=torch.long, device=place.device), place)


def _gauss(value: Tensor, width: float) -> Tensor:
    return torch.exp(-((value / width) ** 2))


def paint_skin(surfels: Surfels, looks: list[Look], noise: NoiseBank) -> tuple[Tensor, Tensor, Tensor]:
    """sRGB colour (n, 3), shift of the normal (n, 3) and gloss (n,) of skin."""
    tone = _of(looks, "skin", surfels.scene)
    place = surfels.canonical[:, :2] + surfels.canonical[:, 2:] * 0.7
    fine = _noise(noise, NoiseBank.GRAIN, place / 0.05) * (0.002 / surfels.footprint).clamp(max=1)
    colour = tone * (1 + 0.02 * _noise(noise, 4, place / 0.25) + 0.025 * fine)[:, None]
    blood = tone * torch.tensor(BLOOD, device=tone.device)
    lips, ears, nails, lids = surfels.skin.unbind(1)

    def blend(base: Tensor, other: Tensor, amount: Tensor) -> Tensor:
        return base + (other - base) * amount.clamp(0, 1)[:, None]

    colour = blend(colour, blood, 0.3 * ears)
    colour = blend(colour, tone * 1.08 + 0.03, 0.5 * nails)
    eye, mouth = _face_points()
    x, y, z = surfels.canonical.unbind(1)
    dx, dy = x.abs() - float(eye[0]), y - float(eye[1])
    front = (z > float(eye[2]) - 0.035).float() * (y > float(mouth[1]) - 0.08).float()
    hair = _of(looks, "hair", surfels.scene)
    arch = 0.0215 + 0.0045 * torch.cos((dx - 0.004) * 60)
    brow = _gauss(dy - arch, 0.0036) * torch.sigmoid((dx + 0.017) * 600) * torch.sigmoid((0.026 - dx) * 500)
    strands = 1 + 0.25 * _noise(noise, NoiseBank.STRANDS, torch.stack([x, y * 0.4], 1) / 0.012)
    colour = blend(colour, hair * 0.9, brow * strands * front * _of(looks, "brows", surfels.scene))
    # The lid's edge carries the lashes; the hollow above it is darker.
    rim = _gauss(torch.hypot(dx * 0.75, dy * 1.35) - 0.0125, 0.0024) * (0.35 + 0.65 * (dy > -0.001).float())
    colour = blend(colour, hair * 0.35, 0.62 * rim * front * (torch.hypot(dx, dy) < 0.021).float())
    hollow = _gauss(dx, 0.018) * _gauss(dy - 0.012, 0.008) * front
    colour = colour * (1 - 0.12 * hollow - 0.05 * lids * front)[:, None]
    cheek = _gauss(dx - 0.012, 0.022) * _gauss(dy + 0.038, 0.02) * front
    colour = blend(colour, blood, cheek * _of(looks, "cheeks", surfels.scene))
    nose = _gauss(x, 0.012) * _gauss(y - float(mouth[1]) - 0.035, 0.012) * front
    colour = blend(colour, blood, 0.25 * nose)
    my = y - float(mouth[1])
    beard = torch.maximum(_gauss(my + 0.025, 0.03), _gauss(my - 0.016, 0.008) * _gauss(x, 0.03))
    beard = torch.maximum(beard, _gauss(x.abs() - 0.06, 0.015) * _gauss(my - 0.01, 0.05))
    beard = beard * (z > 0.05).float() * (y > float(mouth[1]) - 0.075).float()
    colour = blend(colour, hair * 0.8, 0.75 * beard * (1 - lips) * _of(looks, "stubble", surfels.scene))
    lip = tone * torch.tensor(LIP, device=tone.device)
    colour = blend(colour, lip, lips * _of(looks, "lips", surfels.scene))
    parting = _gauss(my - 0.0005, 0.0012) * _gauss(x, 0.022) * lips
    colour = colour * (1 - 0.35 * parting)[:, None]
    gloss = 0.07 + 0.1 * lips
    return colour, torch.zeros_like(colour), gloss


def paint_eyes(surfels: Surfels, looks: list[Look], noise: NoiseBank) -> tuple[Tensor, Tensor, Tensor]:
    """Eyeballs: white, iris, pupil, and the upper lid's shade."""
    del noise
    eye, _ = _face_points()
    dx, dy = surfels.canonical[:, 0].abs() - float(eye[0]), surfels.canonical[:, 1] - float(eye[1])
    radius = torch.hypot(dx, dy)
    soft = surfels.footprint.clamp(min=0.0006)

    def inside(size: float) -> Tensor:
        return (0.5 - (radius - size) / soft).clamp(0, 1)[:, None]

    colour = torch.full_like(surfels.canonical, 0.66)
    colour = colour + (_of(looks, "eyes", surfels.scene) * 0.8 - colour) * inside(0.0066)
    colour = colour * (1 - 0.95 * inside(0.003))
    shade = 1 - 0.7 * ((dy - 0.0005) / 0.006).clamp(0, 1) - 0.15 * (dx.abs() / 0.012).clamp(0, 1)
    return colour * shade[:, None], torch.zeros_like(colour), torch.full_like(dx, 0.25)


def paint_hair(surfels: Surfels, looks: list[Look], noise: NoiseBank) -> tuple[Tensor, Tensor, Tensor]:
    """Hair: strands along v, darker towards the roots' shade, a broken highlight."""
    tone = _of(looks, "hair", surfels.scene)
    u, v = surfels.uv.unbind(1)
    coarse = _noise(noise, 7, torch.stack([u * 11, v * 0.8], 1))
    fine = _noise(noise, NoiseBank.STRANDS, torch.stack([u * 30, v * 1.2], 1)) * (
        0.004 / surfels.footprint
    ).clamp(max=1)
    strand = 0.3 * coarse + 0.7 * fine
    colour = (tone * (1 + 0.26 * strand)[:, None]).clamp(0, 1)
    side = F.normalize(
        torch.stack([surfels.normal[:, 2], torch.zeros_like(u), -surfels.normal[:, 0]], 1), dim=1
    )
    return colour, side * (0.25 * strand)[:, None], 0.12 + 0.08 * strand.clamp(-1, 1)
