"""What the loss makes of flows that are right, nearly right and wrong: where it leads, and where astray.

    python benchmarks/loss_landscape.py --out docs      figures to the console, curves as docs/loss-*.svg
    python benchmarks/loss_landscape.py --quick         some seconds: that it runs, not what comes out

No network takes part. The flow of a layer is the exact one of synthetic people, disturbed by a known
distance; the loss and its gradient on the flow are compared with the end-point error and with the
direction back to the truth.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffusers import AutoencoderKL

from benchmarks.toy.curves import Panel, draw
from benchmarks.toy.models import BUNDLED
from leffa.config import LeffaLossConfig
from leffa.files import write_text
from leffa.model.flow import box_flow, coarse_flow, coordinates, resize_flow, warp
from leffa.model.losses import guide_error, warp_error
from leffa.synthetic.identity import Settings, Split, generator
from leffa.synthetic.paint.fabrics import Fabric
from leffa.synthetic.paint.patterns import Pattern
from leffa.synthetic.samples import draw_try_on_looks, load_banks, make_try_on
from leffa.synthetic.scene import make_try_on_scene
from leffa.weights.models import CHECKPOINTS

SIZE = (128, 96)
LAYERS = {"1/8": (16, 12), "1/16": (8, 6), "1/32": (4, 3)}
DISTANCES = (1.0, 2.0, 4.0, 7.0, 10.0, 15.0, 20.0)  # % of the width
PLAIN = (Pattern.SOLID, Pattern.KNIT, Pattern.DENIM, Pattern.OMBRE)
PRINTED = (Pattern.FLORAL, Pattern.BLOBS, Pattern.BLOCKS, Pattern.PICTURE)
PIXELS = torch.tensor([SIZE[1] / 2, SIZE[0] / 2])  # from units of half a side to pixels
PER_CENT = 100 / SIZE[1]
GUIDED = LeffaLossConfig(guide=3000.0)  # as in benchmarks/proof.py


@dataclass(frozen=True)
class Pictures:
    """Pairs of one kind of cloth; see ``Sample``, with a leading B."""

    person: Tensor
    reference: Tensor
    loss_mask: Tensor
    reference_mask: Tensor
    flow: Tensor
    visible: Tensor

    def __getitem__(self, rows: slice | Tensor) -> "Pictures":
        return Pictures(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.person)


Loss = Callable[[Tensor, Pictures], Tensor]
"""A flow (B, h, w, 2) and the pictures it belongs to -> scalar."""


def kind_of(cloth: Fabric) -> str:
    if cloth.print_ >= 0 or cloth.pattern in PRINTED:
        return "print"
    return "plain" if cloth.pattern in PLAIN else "stripes"


def render(scenes: int, most: int) -> dict[str, Pictures]:
    """People by the kind of their cloth, at most so many of each, all of them seen well enough."""
    settings = Settings(split=Split.VALIDATION, size=SIZE)
    banks, found = load_banks(settings.split), {"plain": [], "stripes": [], "print": []}
    for number in range(scenes):
        scene = make_try_on_scene(number, settings)
        for index in range(number * settings.reuse, (number + 1) * settings.reuse):
            rng = generator(settings.seed, settings.split, 3, index)
            cloth = draw_try_on_looks(rng, scene, settings, banks)[1].fabrics[0]
            sample = make_try_on(index, settings, scene)
            seen = all(
                coarse_flow(sample.flow[None], sample.visible[None], grid)[1].any()
                for grid in LAYERS.values()
            )
            if seen and len(found[kind_of(cloth)]) < most:
                found[kind_of(cloth)].append([getattr(sample, field.name) for field in fields(Pictures)])
    return {
        kind: Pictures(*(torch.stack(column) for column in zip(*rows, strict=True)))
        for kind, rows in found.items()
        if rows
    }


# Flows


def true_flow(pictures: Pictures, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The exact flow on a layer's grid and where it is known; elsewhere it goes on from its neighbours."""
    flow, known = coarse_flow(pictures.flow, pictures.visible, grid)
    return spread_out(flow, known), known


def spread_out(flow: Tensor, known: Tensor) -> Tensor:
    """A flow (B, h, w, 2) that goes on from the known places (B, h, w) to their neighbours."""
    share, total = known.float()[:, None], torch.where(known[..., None], flow, 0).movedim(-1, 1)
    for _ in range(max(flow.shape[1:3])):
        around = F.avg_pool2d(share, 3, 1, 1)
        new = (share == 0) & (around > 0)
        total = torch.where(new, F.avg_pool2d(total, 3, 1, 1) / around.clamp_min(1e-6), total)
        share = torch.where(new, 1.0, share)
    return total.movedim(1, -1)


def inverse(flow: Tensor, worn: Tensor) -> Tensor:
    """(B, h, w, 2): which place of the person looks at a place of the reference, on the flow's own grid.

    The mean of those that land in its cell; where none does, as ``spread_out`` has it.
    worn  (B, 1, H, W): places that count
    """
    fine = resize_flow(flow, SIZE)
    height, width = flow.shape[1:3]
    column, row = (
        ((fine[..., axis] + 1) / 2 * side).long().clamp(0, side - 1)
        for axis, side in ((0, width), (1, height))
    )
    cell = (row * width + column).flatten(1)
    share = worn.flatten(1)
    places = coordinates(*SIZE).reshape(1, -1, 2) * share[..., None]
    count = torch.zeros(len(flow), height * width).scatter_add(1, cell, share)
    total = torch.zeros(len(flow), height * width, 2).scatter_add(
        1, cell[..., None].expand_as(places), places
    )
    found = (total / count.clamp_min(1)[..., None]).unflatten(1, (height, width))
    return spread_out(found, count.unflatten(1, (height, width)) > 0)


def middle(pictures: Pictures, like: Tensor) -> Tensor:
    """Every place looks at the garment's middle."""
    places = coordinates(*SIZE)
    share = pictures.reference_mask.movedim(1, -1)
    centre = (places * share).sum((1, 2)) / share.sum((1, 2)).clamp_min(1)
    return centre[:, None, None].expand_as(like)


def best_patch(pictures: Pictures, like: Tensor) -> Tensor:
    """Every place looks at the place of the garment whose colour is nearest to the worn garment's mean."""
    worn = pictures.loss_mask
    mean = (pictures.person * worn).sum((2, 3), keepdim=True) / worn.sum((2, 3), keepdim=True).clamp_min(1)
    away = (pictures.reference - mean).square().sum(1) + 100 * (1 - pictures.reference_mask[:, 0])
    chosen = coordinates(*SIZE).reshape(-1, 2)[away.flatten(1).argmin(1)]
    return chosen[:, None, None].expand_as(like)


def directions(kind: str, truth: Tensor, pictures: Pictures, seed: int = 0) -> Tensor:
    """(B, h, w, 2): how a kind of disturbance moves the flow, of any length."""
    draw_from = torch.Generator().manual_seed(seed)
    if kind == "shift":
        turn = 2 * math.pi * torch.rand(len(truth), generator=draw_from)
        return (torch.stack([turn.cos(), turn.sin()], -1)[:, None, None] / PIXELS).expand_as(truth)
    if kind == "smooth noise":
        coarse = torch.randn(len(truth), 2, 4, 3, generator=draw_from)
        return F.interpolate(coarse, truth.shape[1:3], mode="bicubic").movedim(1, -1) / PIXELS
    ends = {"towards the middle": middle, "towards one patch": best_patch}
    return ends[kind](pictures, truth) - truth


KINDS = ("shift", "smooth noise", "towards the middle", "towards one patch")


def distance(flow: Tensor, truth: Tensor) -> Tensor:
    """(B, h, w) end-point errors in % of the width."""
    return torch.linalg.vector_norm((flow - truth) * PIXELS, dim=-1) * PER_CENT


def disturbed(kind: str, far: float, truth: Tensor, known: Tensor, pictures: Pictures) -> Tensor:
    """The truth, moved so that each sample's end-point error over the known places is ``far``."""
    move = directions(kind, truth, pictures)
    lengths = (distance(move, torch.zeros(())) * known).sum((1, 2)) / known.sum((1, 2))
    return truth + move * (far / lengths.clamp_min(1e-6))[:, None, None, None]


# Losses: the two of the library, and what was tried beside them


def paper(flow: Tensor, pictures: Pictures) -> Tensor:
    return warp_error(flow, pictures.reference, pictures.person, pictures.loss_mask, LeffaLossConfig())


def guide(flow: Tensor, pictures: Pictures) -> Tensor:
    return guide_error(
        flow, pictures.loss_mask, pictures.reference_mask, pictures.loss_mask, GUIDED.guide_slack
    )


def guided(flow: Tensor, pictures: Pictures) -> Tensor:
    return paper(flow, pictures) + GUIDED.guide * guide(flow, pictures)


def gaussian(maps: Tensor, sigma: float) -> Tensor:
    """Blur of (B, C, H, W), zeros beyond the border."""
    reach = math.ceil(2.5 * sigma)
    kernel = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, -1, 1).expand(maps.shape[1], -1, -1, -1)
    maps = F.conv2d(maps, kernel, padding=(reach, 0), groups=maps.shape[1])
    return F.conv2d(maps, kernel.transpose(2, 3), padding=(0, reach), groups=maps.shape[1])


def inside(maps: Tensor, mask: Tensor, sigma: float) -> Tensor:
    """Blur that sees the garment only, and goes on beyond its edge."""
    return gaussian(maps * mask, sigma) / gaussian(mask, sigma).clamp_min(1e-4)


def blurred(sigma: float) -> Loss:
    """Eq. 5 on blurred pictures."""

    def loss(flow: Tensor, p: Pictures) -> Tensor:
        soft = replace(p, person=gaussian(p.person, sigma), reference=gaussian(p.reference, sigma))
        return paper(flow, soft)

    return loss


def without_ground(sigma: float) -> Loss:
    """Eq. 5 on pictures blurred inside the garment, whose colours go on over the ground."""

    def loss(flow: Tensor, p: Pictures) -> Tensor:
        person = inside(p.person, p.loss_mask, sigma)
        return paper(flow, replace(p, person=person, reference=inside(p.reference, p.reference_mask, sigma)))

    return loss


def robust(flow: Tensor, p: Pictures) -> Tensor:
    """Charbonnier's penalty in place of the square."""
    error = (warp(p.reference, resize_flow(flow, SIZE)) - p.person).square().sum(1, keepdim=True)
    return ((error + 0.05**2).sqrt() * p.loss_mask).mean()


def contrast(flow: Tensor, p: Pictures) -> Tensor:
    """Local contrast in place of colours: what a small blur leaves of a wide one, over its deviation."""

    def features(picture: Tensor, mask: Tensor) -> Tensor:
        fine = inside(picture, mask, 1.0) - inside(picture, mask, 4.0)
        return fine / (inside(fine.square().mean(1, keepdim=True), mask, 4.0) + 1e-3).sqrt()

    p = replace(
        p,
        person=features(p.person, p.loss_mask),
        reference=features(p.reference, p.reference_mask),
    )
    return paper(flow, p)


def silhouette(flow: Tensor, p: Pictures) -> Tensor:
    """What is worn should land on the garment."""
    landed = warp(gaussian(p.reference_mask, 4.0), resize_flow(flow, SIZE), "zeros")
    return ((1 - landed).square() * p.loss_mask).mean()


def moments(flow: Tensor, p: Pictures) -> Tensor:
    """Mean and deviation of where the worn places land should be those of the garment's places."""

    def mean_and_deviation(places: Tensor, mask: Tensor) -> Tensor:
        share = mask.movedim(1, -1) / mask.sum((2, 3))[..., None, None].clamp_min(1)
        mean = (places * share).sum((1, 2), keepdim=True)
        deviation = ((places - mean).square() * share).sum((1, 2)).add(1e-6).sqrt()
        return torch.cat([mean.flatten(1), deviation], dim=1)

    landed = mean_and_deviation(resize_flow(flow, SIZE), p.loss_mask)
    return (landed - mean_and_deviation(coordinates(*SIZE)[None], p.reference_mask)).square().mean()


@lru_cache
def encoder() -> AutoencoderKL:
    """The VAE of the bundled weights, frozen."""
    return AutoencoderKL.from_pretrained(CHECKPOINTS / BUNDLED / "vae").requires_grad_(False).eval()


def features(level: int) -> Loss:
    """Eq. 5 on features of a VAE: those of its first blocks, 1/2 and 1/4 of the picture, or its latents (3).

    Each channel counts by its deviation over the worn garment.
    """

    def seen(pictures: Tensor) -> Tensor:
        if level == 3:
            return encoder().encode(pictures).latent_dist.mean
        maps = encoder().encoder.conv_in(pictures)
        for block in encoder().encoder.down_blocks[:level]:
            maps = block(maps)
        return maps

    def loss(flow: Tensor, p: Pictures) -> Tensor:
        with torch.no_grad():
            person, reference = seen(p.person), seen(p.reference)
        mask = F.adaptive_avg_pool2d(p.loss_mask, (person.shape[-2], person.shape[-1]))
        weight = mask / mask.sum((0, 2, 3), keepdim=True)
        mean = (person * weight).sum((0, 2, 3), keepdim=True)
        scale = ((person - mean).square() * weight).sum((0, 2, 3), keepdim=True).sqrt()
        return paper(flow, replace(p, person=person / scale, reference=reference / scale, loss_mask=mask))

    return loss


def there_and_back(flow: Tensor, p: Pictures, own: bool) -> Tensor:
    """(B, 1, H, W): squared distance of where a place comes back to from itself.

    The way back, from reference to person, is off by as much as the flow: it inverts the flow's ``own``
    error, as if one attention gave both, or has an error that is independent of it.
    """
    grid = (flow.shape[1], flow.shape[2])
    if own:
        back = inverse(flow.detach(), p.loss_mask)
    else:
        truth, known = true_flow(p, grid)
        back = inverse(truth, p.loss_mask)
        off = (distance(flow.detach(), truth) * known).sum((1, 2)) / known.sum((1, 2))
        move = directions("smooth noise", back, p, seed=1)
        lengths = distance(move, torch.zeros(())).mean((1, 2))
        back = back + move * (off / lengths)[:, None, None, None]
    returned = warp(resize_flow(back, SIZE).movedim(-1, 1), resize_flow(flow, SIZE))
    return (returned - coordinates(*SIZE).movedim(-1, 0)).square().sum(1, keepdim=True)


def agreement(own: bool) -> Loss:
    """Forward and backward flow should undo each other."""
    return lambda flow, p: (there_and_back(flow, p, own) * p.loss_mask).mean()


def where_they_agree(flow: Tensor, p: Pictures) -> Tensor:
    """Eq. 5 where forward and backward flow undo each other within 5 % of the width, softly."""
    agrees = torch.exp(-there_and_back(flow, p, own=False).detach() / (2 * 0.1**2))
    return paper(flow, replace(p, loss_mask=p.loss_mask * agrees.sqrt()))


def box_square(flow: Tensor, p: Pictures) -> Tensor:
    """Squared distance from the flow of the boxes, without slack, beside Eq. 5."""
    offset = resize_flow(flow, SIZE) - box_flow(p.loss_mask, p.reference_mask, SIZE)
    return paper(flow, p) + 5 * (offset.square().sum(-1)[:, None] * p.loss_mask).mean()


CANDIDATES: dict[str, Loss] = {
    "paper": paper,
    "robust penalty": robust,
    "blurred, 2 px": blurred(2),
    "blurred, 8 px": blurred(8),
    "pyramid of 1, 2, 4, 8 px": lambda flow, p: sum(
        (blurred(s)(flow, p) for s in (1, 2, 4, 8)), torch.zeros(())
    ),
    "ground masked out, 2 px": without_ground(2),
    "ground masked out, 8 px": without_ground(8),
    "local contrast": contrast,
    "VAE, features at 1/2": features(1),
    "VAE, features at 1/4": features(2),
    "VAE, latents": features(3),
    "forward and backward agree": agreement(own=False),
    "the same, both off alike": agreement(own=True),
    "paper where they agree": where_they_agree,
    "silhouette": silhouette,
    "moments": moments,
    "paper and box, squared": box_square,
    "contrast and guide": lambda flow, p: 0.1 * contrast(flow, p) + guide(flow, p),
    "guided (in the library)": guided,
}


# Figures


def cosine(loss: Loss, flow: Tensor, truth: Tensor, known: Tensor, pictures: Pictures) -> float:
    """Of the loss's pull on each known place with the way to the truth; mean, 0 where it does not pull."""
    flow = flow.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(flow, pictures), flow)
    pull, way = -gradient / PIXELS, (truth - flow.detach()) * PIXELS
    return float(F.cosine_similarity(pull[known], way[known], dim=-1, eps=1e-20).mean())


def mean_cosine(
    loss: Loss, far: float, cloths: Iterable[Pictures], grid: tuple[int, int] = LAYERS["1/8"]
) -> float:
    """Over the kinds of cloth, and the disturbances that lead to no particular place."""
    found = []
    for pictures in cloths:
        truth, known = true_flow(pictures, grid)
        for kind in KINDS[:2]:
            flow = disturbed(kind, far, truth, known, pictures)
            found.append(cosine(loss, flow, truth, known, pictures))
    return sum(found) / len(found)


def values(cloths: dict[str, Pictures]) -> list[Panel]:
    """The paper's loss against the end-point error, as a share of its value at the truth."""
    panels = []
    for cloth, pictures in cloths.items():
        truth, known = true_flow(pictures, LAYERS["1/8"])
        least = float(paper(truth, pictures))
        curves = {}
        for kind in KINDS:
            found = [
                float(paper(disturbed(kind, far, truth, known, pictures), pictures)) for far in DISTANCES
            ]
            curves[kind] = [
                (0.0, 1.0),
                *((far, value / least) for far, value in zip(DISTANCES, found, strict=True)),
            ]
        panels.append(Panel(cloth, curves))
    return panels


def pulls(cloths: dict[str, Pictures]) -> list[Panel]:
    """Cosine against distance, by cloth at 1/8 of the picture; then by layer over all cloths."""
    panels = [
        Panel(
            f"{cloth}, layer at 1/8",
            {
                name: [(far, mean_cosine(loss, far, [pictures])) for far in DISTANCES]
                for name, loss in (("paper", paper), ("guided", guided))
            },
        )
        for cloth, pictures in cloths.items()
    ]
    coarse = {
        f"{name}, layer at {layer}": [
            (far, mean_cosine(loss, far, cloths.values(), LAYERS[layer])) for far in DISTANCES
        ]
        for name, loss in (("paper", paper), ("guided", guided))
        for layer in list(LAYERS)[1:]
    }
    return [*panels, Panel("all cloth, coarser layers", coarse)]


def astray(cloths: dict[str, Pictures]) -> list[str]:
    """How often a wrong flow scores no worse than the truth, by cloth, and how far it is from it."""
    lines = [
        _row(["flow", *(f"{cloth}: EPE, %" for cloth in cloths), *(f"{c}: scores better" for c in cloths)])
    ]
    lines.append(_row(["---"] * (1 + 2 * len(cloths))))

    def wrong(name: str, truth: Tensor, known: Tensor, p: Pictures) -> Tensor:
        if name == "box to box":
            return box_flow(p.loss_mask, p.reference_mask, LAYERS["1/8"])
        whole = {"all at the garment's middle": middle, "all at one patch": best_patch}
        if name in whole:
            return whole[name](p, truth)
        return disturbed("smooth noise", float(name.split()[-2]), truth, known, p)

    names = ("smooth noise, 2 %", "smooth noise, 4 %", "smooth noise, 10 %")
    for name in (*names, "box to box", "all at the garment's middle", "all at one patch"):
        errors, better = [], []
        for pictures in cloths.values():
            truth, known = true_flow(pictures, LAYERS["1/8"])
            flow = wrong(name, truth, known, pictures)
            errors.append(f"{float(distance(flow, truth)[known].mean()):.1f}")
            wins = [
                float(paper(flow[i : i + 1], pictures[i : i + 1]))
                <= float(paper(truth[i : i + 1], pictures[i : i + 1]))
                for i in range(len(pictures))
            ]
            better.append(f"{100 * sum(wins) / len(wins):.0f} %")
        lines.append(_row([name, *errors, *better]))
    return lines


def edge(cloths: dict[str, Pictures]) -> str:
    """What the garment's rim, 3 % of the width inside its outline, has of the loss at the truth."""
    rim, whole, area = 0.0, 0.0, 0.0
    for p in cloths.values():
        truth, _ = true_flow(p, LAYERS["1/8"])
        error = (warp(p.reference, resize_flow(truth, SIZE)) - p.person).square().mean(1, keepdim=True)
        reach = round(0.03 * SIZE[1])
        inner = 1 - F.max_pool2d(1 - p.loss_mask, 2 * reach + 1, 1, reach)
        outer = p.loss_mask - p.loss_mask * inner
        rim += float((error * outer).sum())
        whole += float((error * p.loss_mask).sum())
        area += float(outer.sum() / p.loss_mask.sum()) / len(cloths)
    share = f"{100 * rim / whole:.0f} % of the loss lie on the rim, {100 * area:.0f} % of the garment."
    return f"At the truth {share}"


def candidates(cloths: dict[str, Pictures], few: bool) -> None:
    """Print the mean cosine by distance of everything that was tried."""
    distances = (2.0, 4.0, 10.0, 20.0)
    print(_row(["loss", *(f"{far:.0f} %" for far in distances)]))
    print(_row(["---"] * (1 + len(distances))))
    for name in list(CANDIDATES)[:: len(CANDIDATES) - 1 if few else 1]:
        found = [mean_cosine(CANDIDATES[name], far, cloths.values()) for far in distances]
        print(_row([name, *(f"{value:.2f}" for value in found)]), flush=True)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="folder for the curves (default: a temporary one)")
    parser.add_argument("--quick", action="store_true", help="a few people")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cloths = render(*((3, 1) if options.quick else (16, 12)))
    out = options.out or Path(tempfile.mkdtemp(prefix="landscape-"))
    out.mkdir(parents=True, exist_ok=True)
    print(", ".join(f"{len(pictures)} {cloth}" for cloth, pictures in cloths.items()), flush=True)
    print("\n".join(["", edge(cloths), "", *astray(cloths), ""]), flush=True)
    far = "end-point error, % of the width"
    write_text(out / "loss-value.svg", draw(values(cloths), far, "loss / loss at the truth"))
    write_text(out / "loss-pull.svg", draw(pulls(cloths), far, "cosine with the way to the truth"))
    candidates(cloths, options.quick)
    print(f"\ncurves: {out}")


if __name__ == "__main__":
    main()
