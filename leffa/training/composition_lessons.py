"""What each of the composition's networks learns: its batches, its loss, its held-out figures."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leffa.errors import LeffaError
from leffa.images import SUFFIXES, load_image, to_tensor
from leffa.model.filling import Filling
from leffa.model.pyramid import places, resize, resize_offsets
from leffa.model.refinement import Refined, Refinement, Shows
from leffa.preprocess.garment.parsing import NECK_WIDE, ShotParser, ShotPart
from leffa.preprocess.offline.parsing import PhotoParser, Seen
from leffa.synthetic.shots import UNKNOWN, Shots
from leffa.training.augmentation import (
    Batch,
    Draw,
    grown,
    looked_at,
    necks_of,
    parser_batch,
    recoloured,
    refinement_batch,
    shot_batch,
)
from leffa.training.composition_rows import Rows, field_of

LEVELS = (0.3, 0.4, 0.6, 1.0)  # what the flows after matching and after each refinement count
SMOOTH, SILHOUETTE, OUTLINE = 0.3, 0.5, 1.0  # weights beside the flow's
REACHES = (1, 3, 9)  # of the finest flow's cells: how far off an outline is still felt
PCK = 5.0  # % of the reference's width
PART_WEIGHTS = {Seen.FACE: 1.5, Seen.ARM: 2.0, Seen.LEG: 2.0}  # skin is rare, and taking it for cloth shows
INSIDE_WEIGHT = 2.0  # of the inside of a garment on its product shot, which is rare
SKIN_WEIGHT, GRADIENT, DARKNESS = 1.5, 0.5, 0.02  # of the filling
LIGHT_SHARE = 16  # of the width: light is compared over windows of this part of it
SEEN_SKIN = 0.002  # share of a picture above which its skin tone is known


Data = Rows | Shots
"""What a lesson's batches are taken from."""


class Lesson(ABC):
    """What one network learns.

    batch    (rows, numbers) -> a batch on the CPU, as it was stored
    prepare  what the network is given: disturbed with a ``Draw``, as it is with None
    run      what the network gives for a prepared batch
    loss     of that, a scalar
    figures  of that, one number a sample for each name; nan where a sample has none
    """

    network: nn.Module

    @abstractmethod
    def batch(self, rows: Any, numbers: Sequence[int]) -> Batch: ...

    @abstractmethod
    def prepare(self, batch: Batch, draw: Draw | None) -> Batch: ...

    @abstractmethod
    def run(self, network: nn.Module, batch: Batch) -> Any: ...

    @abstractmethod
    def loss(self, given: Any, batch: Batch) -> Tensor: ...

    @abstractmethod
    def figures(self, given: Any, batch: Batch) -> dict[str, Tensor]: ...


# ---------------------------------------------------------------------------------------- refinement


class RefinementLesson(Lesson):
    """Flow to the pixel, and the silhouette."""

    def __init__(self) -> None:
        self.network = Refinement()

    def batch(self, rows: Rows, numbers: Sequence[int]) -> Batch:
        return rows.correspondence(numbers)

    def prepare(self, batch: Batch, draw: Draw | None) -> Batch:
        return batch if draw is None else refinement_batch(batch, draw)

    def run(self, network: nn.Module, batch: Batch) -> Refined:
        names = ("reference", "reference_mask", "person", "mask", "densepose")
        refined: Refined = network(*(batch[name] for name in names), field_of(batch["start"]))
        return refined

    def loss(self, refined: Refined, batch: Batch) -> Tensor:
        total = torch.zeros((), device=batch["flow"].device)
        for flow, weight in zip(refined.flows, LEVELS, strict=True):
            size = (flow.shape[-2], flow.shape[-1])
            share = F.adaptive_avg_pool2d(batch["visible"], size)
            truth = F.adaptive_avg_pool2d(batch["flow"] * batch["visible"], size)
            known = (share > 0.5).float()
            off = flow_distance(flow.float(), truth / share.clamp_min(1e-3), _aspect(batch))
            total = total + weight * (off * known[:, 0]).sum() / known.sum().clamp_min(1)
        shows = F.cross_entropy(refined.shows, batch["shows"], reduction="none")
        return (
            total
            + SMOOTH * _bending(refined.flows[-1].float(), batch["mask"])
            + SILHOUETTE * _mean(shows[:, None], batch["mask"])
            + OUTLINE * _outline_error(refined.flows[-1].float(), batch)
        )

    def figures(self, refined: Refined, batch: Batch) -> dict[str, Tensor]:
        size = batch["flow"].shape[-2:]
        covers = (refined.shows.argmax(1) == Shows.GARMENT) & (batch["mask"][:, 0] > 0.5)
        truth = (batch["shows"] == Shows.GARMENT) & (batch["mask"][:, 0] > 0.5)
        off = self._off(resize_offsets(refined.flows[-1].float(), size), batch)
        near = torch.where(off.isnan(), torch.nan, 100.0 * (off < PCK))
        both, either = (covers & truth).sum((1, 2)), (covers | truth).sum((1, 2))
        figures = {
            "start's flow error, %": self._off(resize_offsets(batch["start"][:, :2], size), batch),
            "flow error, %": off,
            "PCK@5 %": near,
            "silhouette IoU": both / either.clamp_min(1),
        }
        averaged = {
            name: values.flatten(1).nanmean(1) if values.ndim > 1 else values
            for name, values in figures.items()
        }
        return _by_task(averaged, batch["try_on"].flatten() > 0)

    @staticmethod
    def _off(flow: Tensor, batch: Batch) -> Tensor:
        """(B, h, w) distance to the truth in % of the width; nan where it is not known."""
        off = flow_distance(flow, batch["flow"], _aspect(batch)) * 50
        return torch.where(batch["visible"][:, 0] > 0.5, off, torch.nan)


def flow_distance(flow: Tensor, truth: Tensor, aspect: float) -> Tensor:
    """(B, h, w) distance of flows (B, 2, h, w) in half widths; ``aspect`` is height over width."""
    difference = flow - truth
    squared: Tensor = difference[:, 0].square() + (aspect * difference[:, 1]).square()
    return (squared + 1e-6).sqrt()


def _aspect(batch: Batch) -> float:
    return batch["reference"].shape[-2] / batch["reference"].shape[-1]


def _bending(flow: Tensor, mask: Tensor) -> Tensor:
    """Mean second difference of a flow (B, 2, h, w) inside the mask: cloth folds, it does not wriggle."""
    inside = F.adaptive_max_pool2d(mask, flow.shape[-2:])
    across = (flow[..., 2:] - 2 * flow[..., 1:-1] + flow[..., :-2]).abs() * inside[..., 1:-1]
    down = (flow[:, :, 2:] - 2 * flow[:, :, 1:-1] + flow[:, :, :-2]).abs() * inside[:, :, 1:-1]
    return (across.sum() + down.sum()) / inside.sum().clamp_min(1)


def _outline_error(flow: Tensor, batch: Batch) -> Tensor:
    """Where a flow (B, 2, h, w) lands on the garment is where the garment is: its ends are ends of cloth.

    The flow's distance is known only where cloth is seen; this says where it has to leave it.
    """
    size = (flow.shape[-2], flow.shape[-1])
    shown = resize(batch["reference_mask"], size)
    garment = resize((batch["shows"] == Shows.GARMENT).float()[:, None], size)
    mask = F.adaptive_max_pool2d(batch["mask"], size)
    error = torch.zeros((), device=flow.device)
    for reach in REACHES:
        lands = F.grid_sample(_blurred(shown, reach), flow.movedim(1, -1), align_corners=False)
        error = error + _mean((lands - _blurred(garment, reach)).abs(), mask) / len(REACHES)
    return error


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1)


def _by_task(figures: dict[str, Tensor], try_on: Tensor) -> dict[str, Tensor]:
    named = {}
    for name, values in figures.items():
        named[name] = torch.where(try_on, values, torch.nan)
        named[f"pose, {name}"] = torch.where(try_on, torch.nan, values)
    return named


# ---------------------------------------------------------------------------------------- parser


class ParserLesson(Lesson):
    """What every pixel of a photo shows.

    grounds  (N, 3, h, w) in [-1, 1], pictures to put people before; None takes the batch's own people
    """

    def __init__(self, grounds: Tensor | None = None) -> None:
        self.network = PhotoParser()
        self.grounds = grounds
        self._weights = torch.tensor([PART_WEIGHTS.get(part, 1.0) for part in Seen])

    def batch(self, rows: Rows, numbers: Sequence[int]) -> Batch:
        return rows.photos(numbers)

    def prepare(self, batch: Batch, draw: Draw | None) -> Batch:
        if draw is None:
            return {**batch, "silhouette": (batch["seen"] > 0).float()[:, None]}
        grounds = batch["photo"] if self.grounds is None else self.grounds
        return parser_batch(batch, grounds, draw)

    def run(self, network: nn.Module, batch: Batch) -> Tensor:
        logits: Tensor = network(batch["photo"], batch["silhouette"], batch["densepose"])
        return logits

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits, batch["seen"], self._weights.to(logits.device))

    def figures(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        return _ious(logits.argmax(1), batch["seen"], Seen)


def _ious(said: Tensor, truth: Tensor, parts: type[IntEnum]) -> dict[str, Tensor]:
    """Overlap of every part of maps (B, H, W), (B,) each; nan where neither has it."""
    figures = {}
    for part in parts:
        ours, theirs = said == part, truth == part
        either = (ours | theirs).sum((1, 2))
        share = (ours & theirs).sum((1, 2)) / either.clamp_min(1)
        figures[f"IoU {part.name.lower()}"] = torch.where(either > 0, share, torch.nan)
    return figures


def load_grounds(folder: Path, size: tuple[int, int] = (256, 192)) -> Tensor:
    """The pictures of a folder as grounds, (N, 3, *size) in [-1, 1]. Raises LeffaError if it has none."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise LeffaError(f"there are no pictures in {folder}: give a folder of photographs")
    pictures = [load_image(path).convert("RGB").resize(size[::-1]) for path in paths]
    return torch.stack([to_tensor(picture) for picture in pictures])


# ---------------------------------------------------------------------------------------- product shots


class ShotLesson(Lesson):
    """What every pixel of a product shot shows."""

    def __init__(self) -> None:
        self.network = ShotParser()

    def batch(self, rows: Shots, numbers: Sequence[int]) -> Batch:
        return rows.shots(numbers)

    def prepare(self, batch: Batch, draw: Draw | None) -> Batch:
        """From near or whole; held-out ones from near, as a neck is read."""
        if draw is not None:
            return shot_batch(batch, draw)
        height, width = batch["photo"].shape[-2:]
        near = necks_of(batch["seen"], torch.full((1, 1, 1, 1), NECK_WIDE), torch.zeros(1, 2, 1, 1))
        whole = places((height // 2, width // 2), batch["photo"]).movedim(0, -1)
        return looked_at(batch, near.scale * whole + near.middle)

    def run(self, network: nn.Module, batch: Batch) -> Tensor:
        logits: Tensor = network(batch["photo"])
        return logits

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Cross entropy; of a photograph only garment against ground."""
        is_known = batch["seen"] != UNKNOWN
        seen = batch["seen"].masked_fill(~is_known, int(ShotPart.GROUND))
        known = F.cross_entropy(logits, seen, self._weights(logits), reduction="none")
        garment = logits[:, [ShotPart.CLOTH, ShotPart.INSIDE]].logsumexp(1)
        return torch.where(is_known, known, logits.logsumexp(1) - garment).mean()

    @staticmethod
    def _weights(logits: Tensor) -> Tensor:
        return torch.tensor([INSIDE_WEIGHT if part is ShotPart.INSIDE else 1.0 for part in ShotPart]).to(
            logits
        )

    def figures(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        return _ious(logits.argmax(1), batch["seen"], ShotPart)


# ---------------------------------------------------------------------------------------- filling


class FillingLesson(Lesson):
    """What the garment leaves open, and the light on the garment."""

    def __init__(self) -> None:
        self.network = Filling()

    def batch(self, rows: Rows, numbers: Sequence[int]) -> Batch:
        return rows.correspondence(numbers)

    def prepare(self, batch: Batch, draw: Draw | None) -> Batch:
        """The truth to be painted, the garment laid by the true flow, a hole, and what is told of it."""
        size = (batch["person"].shape[-2], batch["person"].shape[-1])
        cloth, person = grown_colours(batch["reference"], batch["reference_mask"]), batch["person"]
        if draw is not None:  # the light of the photo and that of the shop are not the same
            cloth, person = (
                recoloured(cloth, draw, 0.5).clamp(-1, 1),
                recoloured(person, draw, 0.5).clamp(-1, 1),
            )
        visible = F.interpolate(batch["visible"], size=size)
        flow = resize_offsets(batch["flow"], size).movedim(1, -1)
        mean = (cloth * batch["reference_mask"]).sum((2, 3), keepdim=True)
        mean = mean / batch["reference_mask"].sum((2, 3), keepdim=True).clamp_min(1)
        laid = F.grid_sample(cloth, flow, padding_mode="border", align_corners=False)
        laid = torch.where(visible > 0.5, laid, mean)
        shows = F.one_hot(batch["shows"], len(Shows)).movedim(-1, 1).float()
        hole, told = batch["mask"], shows
        if draw is not None:
            hole = _open_hole(batch["mask"], shows[:, : Shows.GARMENT + 1], draw)
            told = torch.where(draw.chance(0.5), _misjudged(shows, draw), shows)
            laid = laid + 0.02 * draw.waves(size, size, 3)
        bare = shows[:, Shows.SKIN : Shows.SKIN + 1] * (1 - hole)
        tone = (person * bare).sum((2, 3)) / bare.sum((2, 3)).clamp_min(1)
        known = bare.sum((2, 3)) >= SEEN_SKIN * size[0] * size[1]
        if draw is not None:
            known = known & ~draw.chance(0.1).flatten(1)
            tone = tone + draw.normal(0.03, 3).flatten(1)
        return {
            "person": person,
            "hole": hole,
            "told": told,
            "shows": shows,
            "densepose": batch["densepose"],
            "laid": laid,
            "tone": torch.where(known, tone, torch.nan),
            "visible": visible,
        }

    def run(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        names = ("person", "hole", "told", "densepose", "laid", "tone")
        picture, gain = network(*(batch[name] for name in names))
        return picture, gain

    def loss(self, given: tuple[Tensor, Tensor], batch: Batch) -> Tensor:
        picture, gain = given
        open_ = self._open(batch)
        weight = open_ * (1 + SKIN_WEIGHT * batch["shows"][:, Shows.SKIN : Shows.SKIN + 1])
        off = picture - batch["person"]
        across, down = off.diff(dim=-1).abs().mean(1, True), off.diff(dim=-2).abs().mean(1, True)
        slopes = _mean(across, weight[..., 1:]) + _mean(down, weight[..., 1:, :])
        return (
            _mean(off.abs().mean(1, True), weight)
            + GRADIENT * slopes
            + self._light_error(gain, batch).mean()
            + DARKNESS * gain.log().abs().mean()
        )

    def figures(self, given: tuple[Tensor, Tensor], batch: Batch) -> dict[str, Tensor]:
        picture, gain = given
        open_ = self._open(batch)
        count = open_.sum((1, 2, 3))
        error = ((picture.clamp(-1, 1) - batch["person"]) / 2).square().mean(1, True)
        error = (error * open_).sum((1, 2, 3)) / count.clamp_min(1)
        decibels = -10 * error.clamp_min(1e-6).log10()
        return {
            "PSNR of what is painted, dB": torch.where(count > 0, decibels, torch.nan),
            "light error": self._light_error(gain, batch),
        }

    @staticmethod
    def _open(batch: Batch) -> Tensor:
        """(B, 1, H, W): what has to be painted, by the truth and by what was told."""
        garment = slice(Shows.GARMENT, Shows.GARMENT + 1)
        return batch["hole"] * (1 - batch["told"][:, garment]) * (1 - batch["shows"][:, garment])

    @staticmethod
    def _light_error(gain: Tensor, batch: Batch) -> Tensor:
        """(B,) mean difference of lit cloth and photo, both blurred: its pattern does not count."""
        lit = ((batch["laid"] + 1) / 2 * gain).clamp(0, 1.2) * 2 - 1
        cloth = batch["shows"][:, Shows.GARMENT : Shows.GARMENT + 1] * batch["visible"] * batch["hole"]
        side = max(3, cloth.shape[-1] // LIGHT_SHARE // 2 * 2 + 1)
        difference = _blurred((lit - batch["person"]) * cloth, side)
        difference = (difference / _blurred(cloth, side).clamp_min(0.05)).abs().mean(1, True)
        return (difference * cloth).sum((1, 2, 3)) / cloth.sum((1, 2, 3)).clamp_min(1)


def _blurred(values: Tensor, side: int) -> Tensor:
    for _ in range(2):
        values = F.avg_pool2d(values, side, 1, side // 2, count_include_pad=False)
    return values


def _open_hole(mask: Tensor, garment: Tensor, draw: Draw) -> Tensor:
    """Part of a mask: about the garment, and blobs beside it; or all of it."""
    size = (mask.shape[-2], mask.shape[-1])
    radius = int(draw.once(1, 5))
    near = grown(garment, radius)
    blobs = (draw.waves((6, 5), size) > draw.normal(0.6)).float()
    return torch.where(draw.chance(0.4), mask, mask * torch.maximum(near, blobs))


def _misjudged(shows: Tensor, draw: Draw) -> Tensor:
    """Shares (B, 4, H, W) of ``Shows`` decided a little wrongly along their borders."""
    size = (shows.shape[-2], shows.shape[-1])
    soft = F.avg_pool2d(shows, 5, 1, 2)
    decided = (soft + 0.35 * draw.waves((24, 18), size) * soft.roll(1, 1)).argmax(1)
    return F.one_hot(decided, len(Shows)).movedim(-1, 1).float()


def grown_colours(picture: Tensor, shown: Tensor, halvings: int = 5) -> Tensor:
    """A garment's colours (B, 3, H, W) grown beyond its mask (B, 1, H, W), coarser the further away."""
    size = picture.shape[-2:]
    colours, share = picture * shown, shown
    result, covered = colours, shown
    for _ in range(halvings):
        colours, share = F.avg_pool2d(colours, 2), F.avg_pool2d(share, 2)
        reach = resize(share, size)
        near = resize(colours, size) / reach.clamp_min(1e-6)  # in this order: what is no cloth has no colour
        fresh = (1 - covered.clamp(0, 1)) * (reach > 1e-3).float()
        result, covered = result + near * fresh, covered + fresh
    return result / covered.clamp_min(1)


LESSONS: dict[str, type[Lesson]] = {
    "refinement": RefinementLesson,
    "parser": ParserLesson,
    "filling": FillingLesson,
    "shot": ShotLesson,
}
