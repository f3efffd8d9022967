"""Filling a packed folder with synthetic people: both tasks, every garment kind, all cores."""

import json
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from leffa.data.packed import PackedWriter
from leffa.errors import LeffaError
from leffa.files import write_text
from leffa.synthetic.identity import Settings
from leffa.synthetic.processes import spread
from leffa.synthetic.samples import is_pose_pair, make_pose_pair, make_try_on

RECIPE = "synthetic.json"


def pack(
    folder: Path,
    count: int,
    settings: Settings,
    pose_share: float,
    processes: int = 1,
    first: int = 0,
) -> None:
    """Write ``count`` samples; rows that are there already are kept, so a cut-off run goes on.

    Rows come in blocks of ``settings.reuse``, one scene each; ``pose_share`` of the blocks are pose pairs.
    ``first`` is the number of the first block's scene: give another for a folder with other people.
    Raises LeffaError if the folder was begun with other settings.
    """
    PackedWriter(folder, count, settings.size, settings.redressed)
    _keep_recipe(folder / RECIPE, {**asdict(settings), "pose_share": pose_share, "first": first})
    blocks = [
        (folder, count, settings, pose_share, first, block) for block in range(-(-count // settings.reuse))
    ]
    for _ in tqdm(spread(_write_block, blocks, processes, chunk=4), total=len(blocks), desc=folder.name):
        pass


def _keep_recipe(path: Path, recipe: dict) -> None:
    told = json.dumps(recipe, default=str, indent=1)
    if path.exists() and path.read_text() != told:
        raise LeffaError(f"{path.parent} was begun with other settings, see {path.name}: give another folder")
    write_text(path, told)


def _write_block(arguments: tuple[Path, int, Settings, float, int, int]) -> None:
    folder, count, settings, pose_share, first, block = arguments
    writer = PackedWriter(folder, count, settings.size, settings.redressed)
    make = make_pose_pair if is_pose_pair(block, pose_share) else make_try_on
    for look in range(settings.reuse):
        row = block * settings.reuse + look
        if row < count and row not in writer:
            writer.write(row, make((first + block) * settings.reuse + look, settings))
