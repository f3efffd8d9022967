"""What each colour cue of the offline masks is worth, on synthetic people nobody was trained on.

    python benchmarks/masks.py            200 people
    python benchmarks/masks.py --quick    4 people

Every person is drawn in an old garment of the kind that is asked for, photographed, and found as a detector
would find them (with its errors). The mask is made with all cues, with each of them off, and with none; once
as the colours leave it, once as ``Engine.mask`` grows it by the photo's parse. Shares of pixels, in %:

    covered   of the old garment, inside the mask
    whole     of the people, whose old garment is covered to the last 1 %
    wasted    of the mask, not on the old garment: room for the new one too
    IoU       of mask and old garment
    head, hands, shoes, other, bag    of each, inside the mask: what should have been left alone
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leffa.composition import networks, read_photo, with_worn
from leffa.composition.networks import Networks
from leffa.config import Garment
from leffa.framing import Region
from leffa.preprocess.labels import Parse
from leffa.preprocess.offline.colour_cues import Cues, find_cues
from leffa.preprocess.offline.figure import Figure
from leffa.preprocess.offline.masks import area_to_repaint
from leffa.preprocess.offline.parts import part_map
from leffa.synthetic.identity import Settings, Split, generator
from leffa.synthetic.observation import HANDS, observe
from leffa.synthetic.samples import make_try_on, to_bytes
from leffa.synthetic.scene import make_try_on_scene

Area = NDArray[np.bool_]
SEED = 5
WHOLE = 0.99
HEAD = (Parse.HAIR, Parse.HEAD)
ARMS = (Parse.LEFT_ARM, Parse.RIGHT_ARM)
CLOTHES = (Parse.UPPER_CLOTHES, Parse.SKIRT, Parse.PANTS, Parse.DRESS)
SHOES = (Parse.LEFT_SHOE, Parse.RIGHT_SHOE)
COLUMNS = ("covered", "whole", "wasted", "IoU", "head", "hands", "shoes", "other", "bag")


@dataclass(frozen=True)
class Case:
    """A photo (H, W, 3) uint8 and what is known of it; areas are (H, W) bool."""

    garment: Garment
    photo: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    silhouette: NDArray[np.float32]
    old: Area
    keep: dict[str, Area]


def cases(count: int) -> Iterator[Case]:
    """People in the garment that is to go."""
    for index in range(count):
        settings = Settings(SEED, Split.TEST, reuse=1, redressed=True)
        scene = make_try_on_scene(index, settings, varied=index % 3 == 0)
        sample = make_try_on(index, settings, scene)
        old = sample.old_mask[0].numpy() > 0
        if not old.any():
            continue
        former = scene.former.picture
        labels = former.buffer.labels()
        keep = {
            "head": np.isin(labels, HEAD),
            "hands": np.isin(labels, ARMS) & np.isin(former.parts[..., 0], HANDS),
            "shoes": np.isin(labels, SHOES),
            "other": np.isin(labels, CLOTHES) & ~old,
            "bag": labels == Parse.BAG,
        }
        landmarks, silhouette = observe(generator(SEED, Split.TEST, 31, index), former, 1.0)
        yield Case(scene.kind, to_bytes(sample.old_person), landmarks, silhouette, old, keep)


def variants(cues: Cues) -> dict[str, Cues]:
    """All cues, each of them off, and none."""
    named = {"all": cues}
    named |= {f"no {cue.name}": replace(cues, **{cue.name: None}) for cue in fields(Cues)}
    return named | {"none": Cues()}


def measured(mask: Area, case: Case) -> dict[str, float]:
    """Shares in [0, 1]; NaN of what is not in the picture."""
    spoilt = {name: mask[area].mean() if area.any() else np.nan for name, area in case.keep.items()}
    covered = mask[case.old].mean()
    wasted = (mask & ~case.old).sum() / mask.sum() if mask.any() else 0.0
    iou = (mask & case.old).sum() / (mask | case.old).sum()
    return {"covered": covered, "whole": covered >= WHOLE, "wasted": wasted, "IoU": iou, **spoilt}


def grown(mask: Area, case: Case, small: Networks) -> Area:
    """As ``Engine.mask`` makes it of the colours' mask."""
    if not mask.any():
        return mask
    bytes_ = np.where(mask, 255, 0).astype(np.uint8)
    region = Region.whole(mask.shape, mask.shape)
    silhouette = np.where(case.silhouette > 0.5, 255, 0).astype(np.uint8)
    parts = part_map(case.landmarks, case.silhouette)
    reading = read_photo(Image.fromarray(case.photo), region, silhouette, parts, small)
    return with_worn(bytes_, region, reading, case.garment) > 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--people", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    small = Networks.load(networks.find())
    rows: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for case in cases(4 if args.quick else args.people):
        figure = Figure.of(case.landmarks, case.silhouette)
        for name, cues in variants(find_cues(figure, case.photo)).items():
            mask = area_to_repaint(figure, cues, case.garment)
            rows["by colours", name].append(measured(mask, case))
            rows["with the parse", name].append(measured(grown(mask, case, small), case))
    print(f"{'%':>15} {'':10}" + "".join(f"{column:>9}" for column in COLUMNS))
    for (how, name), found in rows.items():
        means = [100 * np.nanmean([row[column] for row in found]) for column in COLUMNS]
        print(f"{how:>15} {name:10}" + "".join(f"{mean:9.2f}" for mean in means))


if __name__ == "__main__":
    main()
