"""Light and colour for a batch of G-buffers with torch: the same code on the CPU and on a GPU."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.synthetic.body.mesh import Material
from leffa.synthetic.paint.fabrics import Fabric, albedo, bump
from leffa.synthetic.paint.looks import Look
from leffa.synthetic.paint.patterns import FabricTable, Points
from leffa.synthetic.paint.skin import paint_eyes, paint_hair, paint_skin
from leffa.synthetic.paint.textures import NoiseBank, Pyramid
from leffa.synthetic.render.gbuffer import GBuffer, Surfels

GAMMA = 2.2


@dataclass
class Banks:
    """Noise, prints and pictures that the fabrics of a batch refer to, on one device."""

    noise: NoiseBank
    prints: Pyramid | None = None
    pictures: Pyramid | None = None


def shade(
    buffers: list[GBuffer],
    looks: list[Look],
    banks: Banks,
    device: torch.device | str = "cpu",
    unlit: bool = False,
    dyed: np.ndarray | None = None,
) -> Tensor:
    """Pictures (B, 3, H, W) float32 sRGB in [0, 1] of G-buffers of one size, each with its look.

    ``dyed`` (n, 3) sRGB takes the place of the surfels' colours, one G-buffer after another, where it is not
    NaN; they are lit and wrinkled as their fabric is.
    ``unlit`` shows colours as they are: no light, shadow or wrinkle; for tests of exactness.
    """
    surfels = Surfels.join(buffers, device)
    fabric_row, table = _fabrics(looks, surfels, device)
    colour, normal, gloss = _surface(surfels, fabric_row, table, looks, banks)
    if dyed is not None:
        own = torch.as_tensor(dyed, device=device)
        own = torch.where(surfels.back[:, None], own * 0.62, own)
        colour = torch.where(torch.isnan(own), colour, own)
    if not unlit:
        colour = _light(surfels, colour, normal, gloss, buffers, looks)
    height, width = buffers[0].height, buffers[0].width
    ground = torch.as_tensor(np.stack([look.background for look in looks])).to(device)
    return _composite(surfels, colour, ground, looks, height, width, unlit)


def _fabrics(looks: list[Look], surfels: Surfels, device: torch.device | str) -> tuple[Tensor, FabricTable]:
    """Row of the fabric table for every surfel (-1 = not cloth) and the table."""
    fabrics: list[Fabric] = []
    rows = torch.full((len(looks), 256), -1, dtype=torch.long)
    for scene, look in enumerate(looks):
        garments = [(Material.GARMENT + number, fabric) for number, fabric in enumerate(look.fabrics)]
        for material, fabric in (*garments, (Material.SHOE, look.shoes), (Material.BAG, look.bag)):
            if fabric is not None:
                rows[scene, material] = len(fabrics)
                fabrics.append(fabric)
    return rows.to(device)[surfels.scene, surfels.material], FabricTable(fabrics, device)


def _surface(
    surfels: Surfels, row: Tensor, table: FabricTable, looks: list[Look], banks: Banks
) -> tuple[Tensor, Tensor, Tensor]:
    """sRGB colour (n, 3), bumped normal (n, 3) and gloss (n,) of every surfel."""
    colour = torch.zeros_like(surfels.normal)
    normal = surfels.normal.clone()
    gloss = torch.zeros_like(surfels.hem)
    for material, paint in (
        (Material.SKIN, paint_skin),
        (Material.EYE, paint_eyes),
        (Material.HAIR, paint_hair),
    ):
        chosen = torch.nonzero(surfels.material == material)[:, 0]
        if len(chosen):
            colour[chosen], shift, gloss[chosen] = paint(surfels.take(chosen), looks, banks.noise)
            normal[chosen] = normal[chosen] + shift
    colour[surfels.material == Material.TEETH] = torch.tensor([0.82, 0.78, 0.72], device=colour.device)

    chosen = torch.nonzero(row >= 0)[:, 0]
    if len(chosen):
        part = surfels.take(chosen)
        torso = (part.chart == 0) & (part.material >= Material.GARMENT)
        points = Points(part.uv, part.canonical, part.hem, part.footprint, torso, row[chosen])
        cloth = albedo(table, points, banks.noise, banks.prints, banks.pictures)
        colour[chosen] = torch.where(part.back[:, None], cloth * 0.62, cloth)
        slope = bump(table, points, banks.noise)
        side = torch.stack([part.normal[:, 2], torch.zeros_like(part.hem), -part.normal[:, 0]], 1)
        side = F.normalize(side, dim=1)
        up = torch.linalg.cross(part.normal, side)
        normal[chosen] = part.normal - side * slope[:, :1] - up * slope[:, 1:]
        gloss[chosen] = table.gloss[row[chosen]]
    return colour, F.normalize(normal, dim=1), gloss


def harmonics(normal: Tensor) -> Tensor:
    """(n, 9) real spherical harmonics to order 2: 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 (unscaled)."""
    x, y, z = normal.unbind(1)
    one = torch.ones_like(x)
    return torch.stack([one, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)


def _light(
    surfels: Surfels, colour: Tensor, normal: Tensor, gloss: Tensor, buffers: list[GBuffer], looks: list[Look]
) -> Tensor:
    """sRGB colour under the lights of each look."""
    device = colour.device

    def stacked(arrays: list[np.ndarray]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=torch.float32).to(device)

    ambient = stacked([look.lighting.ambient for look in looks])
    exposure = torch.tensor([look.lighting.exposure for look in looks], device=device)
    keys, directions = (
        stacked([look.lighting.keys for look in looks]),
        stacked([item.lights for item in buffers]),
    )
    eye = stacked([buffer.eye for buffer in buffers])
    scene = surfels.scene

    basis = harmonics(normal)
    irradiance = torch.stack([(basis * ambient[scene, :, channel]).sum(1) for channel in range(3)], 1)
    light = irradiance.clamp(min=0.02) * surfels.ambient[:, None]
    wrap = torch.where(surfels.material == Material.SKIN, 0.25, 0.1)
    towards = F.normalize(eye[scene] - surfels.position, dim=1)
    shine = torch.zeros_like(colour)
    for number in range(surfels.shadow.shape[1]):
        direction = directions[scene, number]
        facing = (normal * direction).sum(1)
        diffuse = ((facing + wrap) / (1 + wrap)).clamp(min=0) * surfels.shadow[:, number]
        key = keys[scene, number]
        light = light + key * (diffuse * (0.6 + 0.4 * surfels.ambient))[:, None]
        half = F.normalize(direction + towards, dim=1)
        highlight = (normal * half).sum(1).clamp(min=0) ** 18 * gloss * surfels.shadow[:, number]
        shine = shine + key * highlight[:, None]
    rim = (1 - (normal * towards).sum(1).clamp(0, 1)) ** 3 * 0.05
    linear = colour.clamp(min=0) ** GAMMA
    linear = linear * light + shine + rim[:, None] * irradiance.clamp(min=0) * surfels.ambient[:, None]
    # A soft shoulder instead of clipping, as cameras have.
    linear = linear * exposure[scene][:, None]
    linear = torch.where(linear > 0.75, 0.75 + 0.25 * torch.tanh((linear - 0.75) / 0.25), linear)
    return linear.clamp(min=0) ** (1 / GAMMA)


def _composite(
    surfels: Surfels, colour: Tensor, ground: Tensor, looks: list[Look], height: int, width: int, unlit: bool
) -> Tensor:
    """(B, 3, H, W): surfels over the background, with the shadow that the figure throws on it."""
    count = len(looks)
    flat = surfels.scene * (height * width) + surfels.pixel
    total = torch.zeros(count * height * width, 4, device=colour.device)
    total.index_add_(
        0, flat, torch.cat([colour, torch.ones_like(colour[:, :1])], 1) * surfels.weight[:, None]
    )
    total = total.view(count, height, width, 4).permute(0, 3, 1, 2)
    cover = total[:, 3:].clamp(max=1)
    back = ground.permute(0, 3, 1, 2)
    if not unlit:
        strength = torch.tensor([look.contact for look in looks], device=colour.device).view(-1, 1, 1, 1)
        small = F.avg_pool2d(cover, 8, ceil_mode=True)
        soft = F.avg_pool2d(small, 3, stride=1, padding=1, count_include_pad=False)
        soft = F.interpolate(soft, size=(height, width), mode="bilinear", align_corners=False)
        down, right = max(height // 90, 1), max(width // 120, 1)
        moved = F.pad(soft, (right, 0, down, 0), mode="replicate")[:, :, :height, :width]
        back = back * (1 - strength * moved)
    return (total[:, :3] + (1 - cover) * back).clamp(0, 1)
