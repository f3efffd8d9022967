"""``leffa synth``: write synthetic samples, as a folder of pictures or as arrays for training."""

import argparse
import os
import re
from pathlib import Path

from leffa.config import Garment
from leffa.errors import LeffaError
from leffa.synthetic import POSE_SHARE

SUMMARY = "write synthetic people with exact ground truth, in VITON-HD's layout or packed for training"
EXAMPLES = """leffa synth --count 200 --out people
leffa synth --count 2000 --out people --size 256x192    # the same command again goes on where it stopped
leffa synth --count 50 --out held-out --split test --kind dress --size 1024x768
leffa synth --count 100 --out people --textures garment-photographs
leffa synth --count 100 --out people --textures garment-photographs --lent 0.5
leffa synth --count 6000 --out packed --packed --reuse 5 --size 256x192"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``leffa synth``."""
    add = parser.add_argument
    add("--count", type=int, required=True, help="number of samples")
    add("--out", type=Path, required=True, help="folder to write; a cut-off run goes on there")
    add("--seed", type=int, default=0, help="everything is drawn from it (default 0)")
    add("--size", type=parse_size, default=(512, 384), metavar="HxW", help="default 512x384")
    splits, kinds = ("train", "validation", "test"), ("all", "upper", "lower", "dress")
    disjoint = "disjoint by person, garment, cloth and pose (default train)"
    add("--split", choices=splits, default="train", help=disjoint)
    add("--kind", choices=kinds, default="all", help="kind of garment to try on (default all)")
    fresh = "fresh colours, lights and grounds for each posed person (default 1)"
    add("--reuse", type=int, default=1, help=fresh)
    cloth = "folder of garment photographs whose cloth some garments are made of"
    add("--textures", type=Path, metavar="DIR", help=cloth)
    lent = "share of product shots that are photographs of --textures themselves (default 0)"
    add("--lent", type=float, default=0.0, metavar="SHARE", help=lent)
    varied = "share of scenes with bags, pictures cut anywhere, hangers, folded sleeves (default 0)"
    add("--varied", type=float, default=0.0, metavar="SHARE", help=varied)
    former = "with --packed: every try-on sample also holds the same person in a former outfit"
    add("--redressed", action="store_true", help=former)
    add("--clean", action="store_true", help="no blur, grain or JPEG damage of a camera")
    arrays = "arrays that `leffa train` reads fast, try-on and pose pairs"
    add("--packed", action="store_true", help=arrays)
    pairs = "share of pose pairs among packed samples (default: %(default)s)"
    add("--pose-share", type=float, default=POSE_SHARE, help=pairs)
    add("--processes", type=int, help="default: one per core")


def parse_size(text: str) -> tuple[int, int]:
    """``512x384`` -> (512, 384)."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(size) < 64 or max(size) > 2048 or size[0] % 8 or size[1] % 8:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: give HxW, both multiples of 8 between 64 and 2048, such as 512x384"
        )
    return size


def run(args: argparse.Namespace) -> None:
    """Write the folder. Raises ``LeffaError`` with a sentence for the user."""
    from leffa.synthetic.folder import FolderJob, write_folder
    from leffa.synthetic.identity import Settings, Split

    for name in ("count", "reuse"):
        if getattr(args, name) < 1:
            raise LeffaError(f"--{name} must be at least 1, got {getattr(args, name)}.")
    if args.seed < 0:
        raise LeffaError(f"--seed must not be negative, got {args.seed}.")
    if not 0 <= args.pose_share <= 1:
        raise LeffaError(f"--pose-share must be between 0 and 1, got {args.pose_share}.")
    if args.textures is not None and not args.textures.is_dir():
        raise LeffaError(f"There is no folder {str(args.textures)!r} for --textures.")
    for name in ("lent", "varied"):
        if not 0 <= getattr(args, name) <= 1:
            raise LeffaError(f"--{name} must be between 0 and 1, got {getattr(args, name)}.")
    if args.lent and args.textures is None:
        raise LeffaError("--lent needs the photographs' folder: give --textures DIR too.")
    if args.redressed and not args.packed:
        raise LeffaError("--redressed writes arrays only: give --packed too.")
    settings = Settings(
        seed=args.seed,
        split=Split(args.split),
        size=args.size,
        reuse=args.reuse,
        damage=not args.clean,
        textures=None if args.textures is None else str(args.textures),
        lent=args.lent,
        varied=args.varied,
        redressed=args.redressed,
        kind=None if args.kind == "all" else Garment(args.kind),
    )
    processes = args.processes or os.cpu_count() or 1
    if args.lent:
        from leffa.synthetic.lent.catalogue import prepare_catalogue

        prepare_catalogue(args.textures, settings.split, processes)
    if args.packed:
        from leffa.synthetic.pack import pack

        pack(args.out, args.count, settings, args.pose_share, processes)
    else:
        write_folder(FolderJob(args.out, args.count, settings), processes)
