"""Disturbing packed samples for the networks of the composition, on whatever device the batch is.

A ``Batch`` is a dict of float32 tensors, see ``leffa.training.composition_rows``. Every function gives a new
one and leaves the old one as it is; all that is drawn comes from a ``Draw``.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from leffa.model.flow import warp
from leffa.model.pyramid import places, resize
from leffa.model.refinement import Shows
from leffa.preprocess.garment.parsing import ABOVE_NECK
from leffa.preprocess.offline.parsing import CLOTHES, SKIN, Seen

Batch = dict[str, Tensor]

INVERSIONS = 6  # fixed-point steps: waves are gentle, so each leaves a fifth of the error or less
CLOSE = 0.6  # share of product shots that are looked at from near
NEAR = (0.45, 1.0)  # of the garment's width: what is looked at then


@dataclass(frozen=True)
class Draw:
    """Random numbers for a batch of ``count`` samples; the generator's device is that of the batch."""

    generator: torch.Generator
    count: int

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        """(B, channels, 1, 1) in [low, high)."""
        share = torch.rand(self.count, channels, 1, 1, generator=self.generator, device=self.generator.device)
        return low + (high - low) * share

    def normal(self, deviation: float, channels: int = 1) -> Tensor:
        """(B, channels, 1, 1) around 0."""
        return self.waves((1, 1), (1, 1), channels) * deviation

    def chance(self, share: float) -> Tensor:
        """(B, 1, 1, 1) bool, true in so many of the samples."""
        return self.uniform(0, 1) < share

    def once(self, low: float, high: float) -> float:
        """One number in [low, high) for the whole batch."""
        return low + (high - low) * float(
            torch.rand((), generator=self.generator, device=self.generator.device)
        )

    def waves(self, nodes: tuple[int, int], size: tuple[int, int], channels: int = 1) -> Tensor:
        """(B, channels, *size): normal numbers at (rows, columns) of nodes, smoothly between them."""
        drawn = torch.randn(
            self.count, channels, *nodes, generator=self.generator, device=self.generator.device
        )
        if nodes == size:
            return drawn
        return F.interpolate(drawn, size=size, mode="bicubic", align_corners=False)

    def others(self, values: Tensor) -> Tensor:
        """``values`` (N, ...) of rows drawn for each of the batch: (B, ...)."""
        rows = torch.randint(
            len(values), (self.count,), generator=self.generator, device=self.generator.device
        )
        return values[rows.to(values.device)].to(rows.device)


def recoloured(picture: Tensor, draw: Draw, strength: float = 1.0) -> Tensor:
    """A picture (B, 3, H, W) in [-1, 1] in other light: contrast, tint and gamma, each sample its own."""
    contrast = 1 + strength * draw.uniform(-0.4, 0.2, 3)
    picture = picture * contrast + strength * draw.uniform(-0.2, 0.2, 3)
    gamma = (strength * draw.uniform(-0.4, 0.4)).exp()
    return ((picture.clamp(-1, 1) + 1) / 2 + 1e-4) ** gamma * 2 - 1


# ---------------------------------------------------------------------------------------- geometry


@dataclass(frozen=True)
class Bend:
    """Where every place of a new picture comes from in the old one: linear, and smooth waves on top.

    matrix  (B, 2, 2);  shift  (B, 2);  waves  (B, 2, H, W): all in coordinates (x, y) in [-1, 1]
    """

    matrix: Tensor
    shift: Tensor
    waves: Tensor

    @property
    def sources(self) -> Tensor:
        """(B, H, W, 2) absolute places in the old picture."""
        new = places(self.waves.shape[-2:], self.waves)
        linear = torch.einsum("bij,jhw->bihw", self.matrix, new) + self.shift[:, :, None, None]
        return (linear + self.waves).movedim(1, -1)

    def moved(self, old: Tensor) -> Tensor:
        """Where places (B, 2, h, w) of the old picture lie in the new one, by fixed-point inversion."""
        back = torch.linalg.inv(self.matrix)
        aim = old - self.shift[:, :, None, None]
        new = torch.einsum("bij,bjhw->bihw", back, aim)
        for _ in range(INVERSIONS):
            off = warp(self.waves, new.movedim(1, -1).clamp(-1, 1))
            new = torch.einsum("bij,bjhw->bihw", back, aim - off)
        return new


def draw_bend(draw: Draw, size: tuple[int, int], share: float = 0.85) -> Bend:
    """Zoom, stretch, shift, turn, shear and a smooth warp; the rest of the samples stay as they are."""
    aspect = size[0] / size[1]
    zoom = torch.where(draw.chance(0.5), draw.uniform(1, 1.3), 1 / draw.uniform(1, 1.15)).flatten()
    stretch, shear = draw.uniform(0.88, 1.12).flatten(), draw.normal(0.04).flatten()
    angle = (draw.normal(0.05) * torch.where(draw.chance(0.1), 3.0, 1.0)).flatten()
    cosine, sine = angle.cos(), angle.sin()
    matrix = torch.stack(
        [
            zoom * stretch * cosine,
            zoom * stretch * (shear - sine * aspect),
            zoom * sine / aspect,
            zoom * cosine,
        ],
        -1,
    ).unflatten(1, (2, 2))
    shift = draw.uniform(-0.08, 0.08, 2).flatten(1)
    waves = 0.05 * draw.waves((4, 3), size, 2) * draw.chance(0.6)
    waves = waves + 0.012 * draw.waves((8, 6), size, 2) * draw.chance(0.5)
    bent = draw.chance(share)
    straight = torch.eye(2, device=matrix.device)
    matrix = torch.where(bent[:, 0], matrix, straight)
    return Bend(matrix, shift * bent.flatten(1), waves * bent)


def bent_reference(batch: Batch, bend: Bend) -> Batch:
    """The product shot bent; flow, visibility and the attention flow's places follow it exactly."""
    reference = warp(batch["reference"], bend.sources)
    mask = (warp(batch["reference_mask"], bend.sources, padding="zeros") > 0.5).float()
    flow = bend.moved(batch["flow"])
    inside = (flow.abs().amax(1, keepdim=True) <= 1).float()
    start = torch.cat([bend.moved(batch["start"][:, :2]), batch["start"][:, 2:]], 1)
    changed = {"reference": reference, "reference_mask": mask, "flow": flow, "start": start}
    return {**batch, **changed, "visible": batch["visible"] * inside}


def bent_person(batch: Batch, bend: Bend) -> Batch:
    """The person bent: everything that lies on its pixels goes along, the flow still says the same places."""

    def at(values: Tensor, mode: str, padding: str) -> Tensor:
        sources = resize(bend.sources.movedim(-1, 1), values.shape[-2:]).movedim(1, -1)
        return F.grid_sample(values, sources, mode=mode, padding_mode=padding, align_corners=False)

    shows = at(batch["shows"].float()[:, None] - int(Shows.GROUND), "nearest", "zeros")[:, 0]
    return {
        **batch,
        "person": at(batch["person"], "bilinear", "border"),
        "mask": (at(batch["mask"], "bilinear", "zeros") > 0.5).float(),
        "densepose": at(batch["densepose"], "nearest", "zeros"),
        "shows": (shows + int(Shows.GROUND)).round().long(),
        "flow": at(batch["flow"], "bilinear", "border"),
        "visible": (at(batch["visible"], "bilinear", "zeros") > 0.99).float(),
        "start": at(batch["start"], "bilinear", "border"),
    }


# ---------------------------------------------------------------------------------------- masks


def grown(mask: Tensor, radius: int) -> Tensor:
    """A mask (B, 1, H, W) grown by a square of so many pixels: first along rows, then along columns."""
    side = 2 * radius + 1
    along: Tensor = F.max_pool2d(mask, (1, side), 1, (0, radius))
    return F.max_pool2d(along, (side, 1), 1, (radius, 0))


def nibbled(mask: Tensor, draw: Draw, share: float = 0.25) -> Tensor:
    """A silhouette (B, 1, H, W) in {0, 1} with pieces of its outline gone or too many, in some samples."""
    size = (mask.shape[-2], mask.shape[-1])
    rim = grown(mask, 4) * grown(1 - mask, 4)
    hit = (draw.waves((24, 18), size) > 1.0) & (rim > 0) & draw.chance(share)
    return torch.where(hit, 1 - mask, mask)


def widened(mask: Tensor, draw: Draw, widened_too: Tensor) -> Tensor:
    """A mask (B, 1, H, W) grown all around, or by blobs; only of samples in ``widened_too`` (B, 1, 1, 1)."""
    size = (mask.shape[-2], mask.shape[-1])
    all_around = grown(mask, int(draw.once(0, 4)))
    mask = torch.where(widened_too & draw.chance(0.4), all_around, mask)
    blobs = (draw.waves((6, 5), size) > 0.6).float() * grown(mask, size[0] // 16)
    return torch.where(widened_too & draw.chance(0.25), torch.maximum(mask, blobs), mask)


def refinement_batch(batch: Batch, draw: Draw) -> Batch:
    """All of it for the refinement: colours of each picture apart, geometry, masks, and what is lacking."""
    batch = dict(batch)
    batch["reference"] = recoloured(batch["reference"], draw)
    batch["person"] = recoloured(batch["person"], draw)
    size = (batch["reference"].shape[-2], batch["reference"].shape[-1])
    batch = bent_person(bent_reference(batch, draw_bend(draw, size)), draw_bend(draw, size))
    grid = (batch["start"].shape[-2], batch["start"].shape[-1])
    off = 0.02 * draw.waves((6, 4), grid, 2) * draw.uniform(0, 1)
    batch["start"] = torch.cat([batch["start"][:, :2] + off, batch["start"][:, 2:]], 1)
    batch["reference_mask"] = nibbled(batch["reference_mask"], draw)
    batch["mask"] = widened(batch["mask"], draw, batch["try_on"] > 0)
    batch["densepose"] = batch["densepose"] * ~draw.chance(0.03)
    grain = draw.waves(size, size, 3)
    batch["person"] = batch["person"] + 0.06 * draw.uniform(0, 1) * grain
    return batch


# ---------------------------------------------------------------------------------------- photos to be read


def redyed(photo: Tensor, seen: Tensor, draw: Draw) -> Tensor:
    """A photo (B, 3, H, W) whose clothes have other colours, a third of them the person's own skin's.

    seen  (B, H, W) long, ``Seen``
    """
    bare = torch.isin(seen, torch.tensor([int(part) for part in SKIN], device=seen.device)).float()[:, None]
    tone = (photo * bare).sum((2, 3), keepdim=True) / bare.sum((2, 3), keepdim=True).clamp_min(1)
    light = (photo.mean(1, keepdim=True) + 1) / 2
    for part in CLOTHES:
        cloth = (seen == part).float()[:, None]
        mean = (light * cloth).sum((2, 3), keepdim=True) / cloth.sum((2, 3), keepdim=True).clamp_min(1)
        like_skin = (tone + 1) / 2 + draw.normal(0.05, 3)
        colour = torch.where(draw.chance(0.35), like_skin, draw.uniform(0.05, 0.95, 3))
        dyed = (light / mean.clamp_min(0.05)).clamp(0.3, 1.7) * colour * 2 - 1
        share = F.avg_pool2d(cloth, 3, 1, 1) * draw.chance(0.35) * draw.uniform(0.4, 1)
        photo = photo + share * (dyed - photo)
    return photo


def other_ground(photo: Tensor, seen: Tensor, grounds: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """The photo before other grounds in some samples, and the pictures (B, 3, H, W) that were drawn for it.

    grounds  (N, 3, h, w) in [-1, 1]: pieces of these, or a flat colour
    """
    size = (photo.shape[-2], photo.shape[-1])
    zoom = draw.uniform(0.4, 1).flatten()
    shift = draw.uniform(-0.5, 0.5, 2).flatten(1) * (1 - zoom)[:, None]
    still = torch.zeros(draw.count, 2, *size, device=photo.device)
    piece = Bend(torch.eye(2, device=photo.device) * zoom[:, None, None], shift, still)
    ground = F.grid_sample(
        draw.others(grounds), piece.sources, padding_mode="reflection", align_corners=False
    )
    flat = draw.uniform(-1, 1, 3) + 0.1 * draw.waves((3, 2), size, 3)
    ground = torch.where(draw.chance(0.4), flat, ground).clamp(-1, 1)
    share = F.avg_pool2d((seen == Seen.GROUND).float()[:, None], 3, 1, 1) * draw.chance(0.45)
    return photo + share * (ground - photo), ground


def framed_anew(batch: Batch, draw: Draw) -> Batch:
    """Photo, body parts and labels turned, zoomed and shifted: nobody stands where synthetic people do."""
    size = (batch["photo"].shape[-2], batch["photo"].shape[-1])
    aspect = size[0] / size[1]
    angle, zoom = draw.normal(0.06).flatten(), draw.normal(0.15).exp().flatten()
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    matrix = torch.stack([cosine, -sine * aspect, sine / aspect, cosine], -1).unflatten(1, (2, 2))
    still = torch.zeros(draw.count, 2, *size, device=matrix.device)
    sources = Bend(matrix, draw.uniform(-0.125, 0.125, 2).flatten(1), still).sources

    def nearest(values: Tensor, padding: str) -> Tensor:
        return F.grid_sample(values, sources, mode="nearest", padding_mode=padding, align_corners=False)

    return {
        "photo": warp(batch["photo"], sources),
        "densepose": nearest(batch["densepose"], "zeros"),
        "seen": nearest(batch["seen"].float()[:, None], "border")[:, 0].long(),
    }


def rough_silhouette(seen: Tensor, draw: Draw) -> Tensor:
    """What a finder of people would say of them: (B, 1, H, W) in {0, 1}, ragged, holed, or nothing at all."""
    size = (seen.shape[-2], seen.shape[-1])
    person = F.avg_pool2d((seen > 0).float()[:, None], 5, 1, 2)
    ragged = (person + 0.35 * draw.uniform(0, 1) * draw.waves((24, 18), size) > 0.5) & (person > 0.02)
    holes = (draw.waves((5, 4), size) > 1.6) & draw.chance(0.25)
    return (ragged & ~holes & ~draw.chance(0.1)).float()


def parser_batch(batch: Batch, grounds: Tensor, draw: Draw) -> Batch:
    """All of it for the parser: dyes, grounds, framing, things in front, light, blur, grain, and silhouettes.

    batch    photo (B, 3, H, W), densepose (B, 3, H, W), seen (B, H, W) long
    grounds  see ``other_ground``
    """
    size = (batch["photo"].shape[-2], batch["photo"].shape[-1])
    photo, ground = other_ground(redyed(batch["photo"], batch["seen"], draw), batch["seen"], grounds, draw)
    batch = framed_anew({**batch, "photo": photo}, draw)
    photo, seen = batch["photo"], batch["seen"]
    near = grown((seen > 0).float()[:, None], 2) > 0  # a bag, or somebody else's arm
    thing = (draw.waves((7, 5), size) > 1.5) & near & draw.chance(0.2)
    photo = torch.where(thing, ground.roll(1, 0), photo)
    seen = torch.where(thing[:, 0], int(Seen.OTHER), seen)
    photo = recoloured(photo * draw.uniform(0.7, 1.2), draw, 0.7)
    photo = (photo + 1) * (1 + 0.12 * draw.waves((3, 2), size)) - 1
    soft = resize(resize(photo, (size[0] // 2, size[1] // 2)), size)
    photo = torch.where(draw.chance(0.3), soft, photo) + 0.08 * draw.uniform(0, 1) * draw.waves(size, size, 3)
    return {
        "photo": photo.clamp(-1, 1),
        "densepose": batch["densepose"] * ~draw.chance(0.08),
        "seen": seen,
        "silhouette": rough_silhouette(seen, draw),
    }


# ---------------------------------------------------------------------------------------- product shots


def shot_batch(batch: Batch, draw: Draw) -> Batch:
    """Product shots bent, in other light, blurred and grained; most of them from near, at their necks.

    batch    photo (B, 3, H, W), seen (B, H, W) long

    Returns both at half their size.
    """
    height, width = batch["photo"].shape[-2:]
    size = (height // 2, width // 2)
    sources = draw_bend(draw, size).sources
    near = necks_of(batch["seen"], draw.uniform(*NEAR), draw.uniform(-0.08, 0.08, 2))
    sources = torch.where(draw.chance(CLOSE), near.scale * sources + near.middle, sources)
    batch = looked_at(batch, sources)
    photo = recoloured(batch["photo"], draw, 0.7)
    soft = resize(resize(photo, (size[0] // 2, size[1] // 2)), size)
    photo = torch.where(draw.chance(0.3), soft, photo) + 0.04 * draw.uniform(0, 1) * draw.waves(size, size, 3)
    return {**batch, "photo": photo.clamp(-1, 1)}


def looked_at(batch: Batch, sources: Tensor) -> Batch:
    """Product shots read at places (B, h, w, 2) on them."""
    seen = F.grid_sample(
        batch["seen"].float()[:, None], sources, mode="nearest", padding_mode="border", align_corners=False
    )
    return {"photo": warp(batch["photo"], sources), "seen": seen[:, 0].long()}


@dataclass(frozen=True)
class Near:
    """A look at a part of a picture: what is (x, y) there is ``scale`` * (x, y) + ``middle`` on the whole.

    scale  (B, 1, 1, 1);  middle (B, 1, 1, 2)
    """

    scale: Tensor
    middle: Tensor


def necks_of(seen: Tensor, wide: Tensor, off: Tensor) -> Near:
    """Where a shot is looked at from near: about the middle of the garment, from a little above its top.

    seen  (B, H, W) long, 0 = ground
    wide  (B, 1, 1, 1), of the garment's width;  off (B, 2, 1, 1), of the look's half width
    """
    garment = seen != 0
    columns, rows = places(seen.shape[-2:], seen)[0, 0], places(seen.shape[-2:], seen)[1, :, 0]
    across, down = garment.any(1), garment.any(2)
    left = torch.where(across, columns, 1.0).amin(1)
    right = torch.where(across, columns, -1.0).amax(1)
    top = torch.where(down, rows, 1.0).amin(1)
    scale = wide * (right - left).clamp_min(0.1)[:, None, None, None] / 2
    middle = torch.stack([(left + right) / 2, top], -1)[:, None, None]
    below = scale * (1 - 2 * ABOVE_NECK) * torch.tensor([0.0, 1.0], device=seen.device)
    return Near(scale, middle + below + scale * off.movedim(1, -1))
