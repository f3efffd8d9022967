"""What is seen at every pixel before any light or colour: the G-buffer.

A scene is drawn at twice the resolution, then every pixel keeps one *surfel* per surface that it shows, with
the share of the pixel it covers. Most pixels have one surfel, so shading costs about as much as without
anti-aliasing, and edges are exact to a quarter of a pixel.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from leffa.synthetic.body.mesh import Material, Surface
from leffa.synthetic.render.camera import Camera
from leffa.synthetic.render.raster import EMPTY, Fragments, cast_shadows, rasterise

SUPERSAMPLING = 2
PER_PIXEL = SUPERSAMPLING * SUPERSAMPLING
TEXTURE_TEAR = 0.03


@dataclass(frozen=True)
class View:
    """A surface drawn at the fine resolution: fragments (2 H, 2 W) and the camera."""

    surface: Surface
    camera: Camera
    fragments: Fragments
    height: int
    width: int


@dataclass(frozen=True)
class GBuffer:
    """Surfels of one picture of ``height`` x ``width`` pixels, in pixel order. n surfels.

    pixel      (n,) int32 row-major index
    weight     (n,) float32 share of the pixel, in quarters
    material   (n,) uint8 ``Material``, garments from ``GARMENT`` on
    chart      (n,) uint8 chart of the garment, part of the skin
    label      (n,) uint8 ``Parse``
    back       (n,) bool: the inside of the cloth
    uv         (n, 2) float32 metres on the cloth; part coordinates on the skin
    canonical  (n, 3) float32 metres on the mean body
    normal     (n, 3) float32 towards the camera
    position   (n, 3) float32 metres in the world
    depth      (n,) float32 metres from the camera
    hem        (n,) float32 metres from the cut, 0 at a hem, for cloth
    skin       (n, 4) float32 lips, ears, nails, eyelids
    shadow     (n, lights) float32, 1 = lit; ambient (n,) float32, 1 = open
    flow       (n, 2) float32 pixels on the reference, NaN where there is none; visible (n,) bool
    footprint  (n,) float32 metres that a pixel spans on a surface facing the camera
    lights     (lights, 3) float32 unit vectors towards the lights of ``shadow``
    eye        (3,) float32 where the camera stands
    """

    height: int
    width: int
    pixel: np.ndarray
    weight: np.ndarray
    material: np.ndarray
    chart: np.ndarray
    label: np.ndarray
    back: np.ndarray
    uv: np.ndarray
    canonical: np.ndarray
    normal: np.ndarray
    position: np.ndarray
    depth: np.ndarray
    hem: np.ndarray
    skin: np.ndarray
    shadow: np.ndarray
    ambient: np.ndarray
    flow: np.ndarray
    visible: np.ndarray
    footprint: np.ndarray
    lights: np.ndarray
    eye: np.ndarray

    def coverage(self) -> np.ndarray:
        """(H, W) float32 share of each pixel that is covered at all."""
        total = np.bincount(self.pixel, self.weight, self.height * self.width)
        return total.reshape(self.height, self.width).astype(np.float32)

    def dominant(self, chosen: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the surfel with the largest share, among ``chosen`` (n,) bool if given.

        Returns (H, W) int32 surfel index (-1 = none) and (H, W) float32 its share.
        """
        index = np.arange(len(self.pixel)) if chosen is None else np.nonzero(chosen)[0]
        order = index[np.argsort(self.weight[index], kind="stable")]
        best = np.full(self.height * self.width, -1, np.int32)
        best[self.pixel[order]] = order
        share = np.where(best >= 0, self.weight[np.maximum(best, 0)], 0).astype(np.float32)
        shape = (self.height, self.width)
        return best.reshape(shape), share.reshape(shape)

    def labels(self) -> np.ndarray:
        """(H, W) uint8 ``Parse`` map; background where less than half of the pixel is covered."""
        best, _ = self.dominant()
        label = np.where(best >= 0, self.label[np.maximum(best, 0)], 0)
        return np.where(self.coverage() >= 0.5, label, 0).astype(np.uint8)


def draw(surface: Surface, camera: Camera, height: int, width: int) -> View:
    """Rasterise a surface at the fine resolution."""
    fine = (height * SUPERSAMPLING, width * SUPERSAMPLING)
    projected = camera.project(surface.points, *fine)
    fragments = rasterise(
        projected,
        surface.faces,
        *fine,
        field=surface.vertex[:, 9],
        bias=surface.bias,
        one_sided=surface.one_sided,
    )
    return View(surface, camera, fragments, height, width)


# Columns of the values that are found at every fine sample and averaged over a surfel.
UV, POSITION, CANONICAL, NORMAL = slice(0, 2), slice(2, 5), slice(5, 8), slice(8, 11)
HEM, SKIN, DEPTH, BACK, LIT = 11, slice(12, 16), 16, 17, 18


def resolve(
    view: View, lights: np.ndarray | None = None, flow: tuple[np.ndarray, np.ndarray] | None = None
) -> GBuffer:
    """Turn a view into surfels.

    lights  (lights, 3) unit vectors for which shadows are found
    flow    at the fine resolution: (2 H, 2 W, 2) pixels on the reference and (2 H, 2 W) visible
    """
    face = _by_pixel(view.fragments.face)
    shown = np.nonzero((face != EMPTY).any(1))[0]
    face = face[shown]
    hit = face != EMPTY
    lights = np.zeros((0, 3), np.float32) if lights is None else np.asarray(lights, np.float32)
    values, key = _fine_values(view, shown, face, hit, lights)
    if flow is not None:
        extra = np.concatenate([np.nan_to_num(_by_pixel(flow[0])), _by_pixel(flow[1])[..., None]], -1)[shown]
        values = np.concatenate([values, extra.astype(np.float32)], -1)
    index, members = _group(key, hit)
    share = members / members.sum(1, keepdims=True, dtype=np.float32)
    mean = np.einsum("ns,nsd->nd", share, values[index])
    lead = members.argmax(1)
    # Texture coordinates may tear inside a pixel (a seam); a mean across the tear would be nonsense.
    leading = values[index, lead]
    away = np.abs(values[index][:, :, UV] - leading[:, None, UV]).max(2) * members
    torn = away.max(1) > TEXTURE_TEAR
    mean[torn, UV] = leading[torn, UV]

    chosen = face[index, lead]
    back = leading[:, BACK] > 0
    material = view.surface.material[chosen]
    normal = mean[:, NORMAL] / (np.linalg.norm(mean[:, NORMAL], axis=1, keepdims=True) + 1e-9)
    buffer = GBuffer(
        height=view.height,
        width=view.width,
        pixel=shown[index].astype(np.int32),
        weight=(members.sum(1) / PER_PIXEL).astype(np.float32),
        material=material,
        chart=np.where(
            material >= Material.GARMENT, key[index, lead] // 2 % 32, view.surface.chart[chosen, 0]
        ).astype(np.uint8),
        label=view.surface.label[chosen],
        back=back,
        uv=mean[:, UV],
        canonical=mean[:, CANONICAL],
        normal=normal.astype(np.float32),
        position=mean[:, POSITION],
        depth=mean[:, DEPTH],
        hem=-mean[:, HEM],
        skin=mean[:, SKIN],
        shadow=mean[:, LIT : LIT + len(lights)],
        ambient=np.ones(len(index), np.float32),
        flow=mean[:, -3:-1] if flow is not None else np.full((len(index), 2), np.nan, np.float32),
        visible=mean[:, -1] > 0.99 if flow is not None else np.zeros(len(index), bool),
        footprint=_footprint(mean, normal, view),
        lights=lights,
        eye=view.camera.position.astype(np.float32),
    )
    return replace(buffer, ambient=ambient_openness(buffer, view.camera))


def _footprint(mean: np.ndarray, normal: np.ndarray, view: View) -> np.ndarray:
    """Metres per pixel, more where the surface turns away (up to four times, as texture filters do)."""
    plain = mean[:, DEPTH] / view.camera.distance / view.camera.pixels_per_metre(view.height)
    towards = view.camera.position - mean[:, POSITION]
    facing = np.einsum("nc,nc->n", normal, towards) / (np.linalg.norm(towards, axis=1) + 1e-9)
    return (plain / np.sqrt(np.clip(facing, 0.06, 1))).astype(np.float32)


def _by_pixel(fine: np.ndarray) -> np.ndarray:
    """(2 H, 2 W, ...) -> (H * W, 4, ...): the four fine samples of every pixel."""
    height, width = fine.shape[0] // SUPERSAMPLING, fine.shape[1] // SUPERSAMPLING
    rest = fine.shape[2:]
    split = fine.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, *rest)
    return np.swapaxes(split, 1, 2).reshape(height * width, PER_PIXEL, *rest)


def _fine_values(
    view: View, shown: np.ndarray, face: np.ndarray, hit: np.ndarray, lights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values (pixels, 4, D) at the fine samples of the shown pixels, and the key that groups them."""
    surface = view.surface
    weights = _by_pixel(view.fragments.weights)[shown][hit]
    own = face[hit]
    corners = surface.vertex[surface.faces[own]]
    vertex = (
        weights[:, 0:1] * corners[:, 0] + weights[:, 1:2] * corners[:, 1] + weights[:, 2:3] * corners[:, 2]
    )
    both = np.einsum("nk,nkc->nc", weights, surface.uv[own])
    second = vertex[:, 14] > 0
    uv = np.where(second[:, None], both[:, 2:], both[:, :2])
    position, normal = vertex[:, 0:3], vertex[:, 6:9]
    towards = view.camera.position.astype(np.float32) - position
    # The winding decides what is the inside of the cloth, not the interpolated normal.
    edge1, edge2 = corners[:, 1, :3] - corners[:, 0, :3], corners[:, 2, :3] - corners[:, 0, :3]
    back = np.einsum("nc,nc->n", np.cross(edge1, edge2), towards) < 0
    normal[back] *= -1
    lit = cast_shadows(surface, position, normal, lights)
    depth = _by_pixel(view.fragments.depth)[shown][hit]
    flat = np.c_[uv, vertex[:, :14], depth, back, lit].astype(np.float32)
    values = np.zeros((*hit.shape, flat.shape[1]), np.float32)
    values[hit] = flat

    key = np.full(hit.shape, -1, np.int32)
    chart = np.where(surface.material[own] >= Material.GARMENT, surface.chart[own, second.astype(int)], 0)
    key[hit] = surface.material[own].astype(np.int32) * 64 + chart * 2 + back
    return values, key


def _group(key: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group the four fine samples of every pixel by key.

    Returns (n,) row of ``key`` each surfel belongs to, ascending, and (n, 4) bool which samples it owns.
    """
    rows, members = [], []
    uniform = hit.all(1) & (key == key[:, :1]).all(1)
    whole = np.nonzero(uniform)[0]
    rows.append(whole)
    members.append(np.ones((len(whole), PER_PIXEL), bool))
    mixed = np.nonzero(~uniform)[0]
    for sample in range(PER_PIXEL):
        own = key[mixed, sample]
        first = hit[mixed, sample] & ~(key[mixed, :sample] == own[:, None]).any(1)
        rows.append(mixed[first])
        members.append((key[mixed[first]] == own[first][:, None]) & hit[mixed[first]])
    row, member = np.concatenate(rows), np.concatenate(members)
    order = np.argsort(row, kind="stable")
    return row[order], member[order]


def ambient_openness(buffer: GBuffer, camera: Camera) -> np.ndarray:
    """(n,) float32: 1 = open to the sky, less in creases and between limbs, from the depth picture."""
    index, _ = buffer.dominant()
    there = index >= 0
    depth = np.where(there, buffer.depth[np.maximum(index, 0)], 0).astype(np.float32)
    weight = there.astype(np.float32)
    closed = np.zeros(len(buffer.pixel), np.float32)
    scale = camera.pixels_per_metre(buffer.height)
    for radius, strength, reach in ((0.012, 0.5, 0.03), (0.04, 0.7, 0.06)):
        sigma = max(radius * scale, 0.7)
        blurred = cv2.GaussianBlur(depth, (0, 0), sigma)
        total = cv2.GaussianBlur(weight, (0, 0), sigma)
        mean = (blurred / np.maximum(total, 1e-3)).ravel()[buffer.pixel]
        closed += strength * np.clip((buffer.depth - mean) / reach, 0, 1)
    return np.clip(1 - closed, 0.3, 1).astype(np.float32)


@dataclass
class Surfels:
    """The surfels of several G-buffers one after another; ``scene`` (n,) tells whose they are."""

    scene: Tensor
    pixel: Tensor
    weight: Tensor
    material: Tensor
    chart: Tensor
    back: Tensor
    uv: Tensor
    canonical: Tensor
    normal: Tensor
    position: Tensor
    hem: Tensor
    footprint: Tensor
    skin: Tensor
    shadow: Tensor
    ambient: Tensor

    @classmethod
    def join(cls, buffers: list[GBuffer], device: torch.device | str) -> "Surfels":
        """Concatenate G-buffers on a device."""

        def cat(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
            values = np.concatenate([getattr(buffer, name) for buffer in buffers])
            return torch.as_tensor(values).to(device=device, dtype=dtype)

        counts = torch.tensor([len(buffer.pixel) for buffer in buffers])
        scene = torch.repeat_interleave(torch.arange(len(buffers)), counts).to(device)
        return cls(
            scene=scene,
            **{name: cat(name, torch.long) for name in ("pixel", "material", "chart")},
            back=cat("back", torch.bool),
            **{name: cat(name) for name in (field.name for field in fields(cls))
               if name not in ("scene", "pixel", "material", "chart", "back")},
        )  # fmt: skip

    def take(self, chosen: Tensor) -> "Surfels":
        """The chosen ones (long indices)."""
        return Surfels(*(getattr(self, field.name)[chosen] for field in fields(self)))
