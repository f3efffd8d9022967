"""Does the Leffa loss do what the paper claims? Three models, with and without, and the paper's ablations.

    python benchmarks/proof.py                three models; killed, the same again goes on with the next arm
    python benchmarks/proof.py --long         the same with more people and steps, and the paper's ablations
    python benchmarks/proof.py --converged    from the bundled weights
    python benchmarks/proof.py --pilot        how the guide's strength was chosen
    python benchmarks/proof.py --quick        a minute: that all three run, not what comes out

Each toy model is trained at toy size on synthetic pairs at 64x48, whose cloth is rich in pattern. A warm
start, the same for all its arms, teaches it to denoise and points its flow roughly the right way (garment
box to garment box; from uniform attention the loss has no gradient to follow). No exact flow is used
anywhere in training. Then arms branch off with the same batches, timesteps and noise for a seed, and differ
only in the loss. The judge is the end-point error against the exact flow of held-out people, never the loss
value: a flow that collapses onto the garment's middle lowers the loss too.

With --long each seed has a warm start of its own, and any cloth. With --converged there is no warm
start: the arms branch off from the bundled weights at 256x192.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.toy import data, evaluation, sheet, tables
from benchmarks.toy.models import BUNDLED, MODELS, TOYS, bundled_pipeline
from benchmarks.toy.training import (
    BRANCH,
    CONVERGED,
    WARM,
    Arm,
    branch,
    branch_seed,
    pulls,
    warm_start,
)
from leffa.config import TEMPERATURE, LeffaLossConfig
from leffa.data.packed import PackedDataset
from leffa.errors import LeffaError
from leffa.synthetic.identity import Split
from leffa.training.settings import TrainingSettings

PAPER = LeffaLossConfig()
GUIDED = replace(PAPER, weight=1e-2, guide=3000.0)
MAIN: dict[str, LeffaLossConfig | None] = {
    tables.START: None,
    "without": None,
    "with": PAPER,
    "lambda 1e-2": replace(PAPER, weight=1e-2),
    "lambda 1e-1": replace(PAPER, weight=1e-1),
    "lambda 1": replace(PAPER, weight=1.0),
    "guide 300": replace(GUIDED, guide=300.0, guide_slack=0.1),
    "guide 1000": replace(GUIDED, guide=1000.0, guide_slack=0.1),
    "guided": GUIDED,
    "guide alone": replace(GUIDED, weight=1e-8, guide=3e9),
}
ABLATIONS: dict[str, LeffaLossConfig] = {
    "per head": replace(PAPER, mean_over_heads=False),
    "tau 0.1": replace(PAPER, temperature=0.1),
    "tau 1": replace(PAPER, temperature=1.0),
    "tau 5": replace(PAPER, temperature=5.0),
    "t under 250": replace(PAPER, max_timestep=250),
    "t under 1000": replace(PAPER, max_timestep=1000),
    "layers at 1/8 only": replace(PAPER, min_resolution=1 / 8),
    "flow not upsampled": replace(PAPER, upsample_flow=False),
}
LOSSES = MAIN | ABLATIONS
SEEDS = (0, 1, 2)
PULLED = 8  # batches whose gradients are compared at the branching
SHOWN = 3  # people of the sheet


@dataclass(frozen=True)
class Plan:
    """One experiment: what branches off from where, and how much of it.

    names         arms of every model
    later, later_models  arms that run when those of all seeds are done, and of which models
    warm          None: the branches start from the weights the models come with
    start         seed of the warm start that all seeds share; None: each has its own
    patterned     size at which people are rendered whose cloth is rich in pattern; None: any cloth
    train, held_out, painted  people; ``painted`` of the held-out ones are painted, in ``paint_steps``
    judges        split of the held-out people
    """

    models: tuple[str, ...]
    names: tuple[str, ...]
    later: tuple[str, ...]
    later_models: tuple[str, ...]
    warm: TrainingSettings | None
    start: int | None
    branch: TrainingSettings
    patterned: tuple[int, int] | None
    train: int
    held_out: int
    painted: int
    paint_steps: int
    seeds: tuple[int, ...] = SEEDS
    judges: Split = Split.TEST

    @property
    def converged(self) -> bool:
        return self.models == (BUNDLED,)

    def arms(self) -> list[Arm]:
        """All arms, the main comparison first, seed by seed."""
        return [
            Arm(model, seed, name, LOSSES[name])
            for models, names in ((self.models, self.names), (self.later_models, self.later))
            for seed in self.seeds
            for model in models
            for name in names
        ]

    def start_seed(self, seed: int) -> int:
        """Seed of the warm start that a seed's arms branch off from."""
        return seed if self.start is None else self.start

    def quick(self) -> "Plan":
        """The same in seconds: that it runs, not what comes out."""
        return replace(
            self,
            names=tuple(name for name in self.names if name in QUICK),
            later=self.later[:1],
            warm=self.warm and replace(self.warm, steps=3),
            branch=replace(self.branch, steps=2, batch=2),
            train=4,
            held_out=2,
            painted=2,
            paint_steps=2,
            seeds=self.seeds[:1],
        )


QUICK = (tables.START, "without", "lambda 1e-2", "guided")
SHORT = Plan(
    TOYS,
    ("with", "lambda 1e-2", "guided"),
    later=(tables.START, "without", "guide alone"),
    later_models=TOYS,
    warm=replace(WARM, steps=800),
    start=0,
    branch=replace(BRANCH, steps=120, learning_rate=WARM.learning_rate),
    patterned=(128, 96),
    train=400,
    held_out=64,
    painted=16,
    paint_steps=12,
)
PILOT = replace(
    SHORT,
    names=("lambda 1e-2", "guide 300", "guide 1000", "guided"),
    later=(),
    branch=replace(SHORT.branch, steps=100),
    seeds=(9,),
    judges=Split.VALIDATION,
)
LONG = Plan(
    TOYS,
    (tables.START, "without", "with", "lambda 1e-2", "lambda 1e-1"),
    later=tuple(ABLATIONS),
    later_models=TOYS[:1],
    warm=WARM,
    start=None,
    branch=BRANCH,
    patterned=None,
    train=2000,
    held_out=200,
    painted=64,
    paint_steps=12,
)
FROM_BUNDLED = Plan(
    (BUNDLED,),
    (tables.START, "without", "with", "lambda 1e-2", "lambda 1"),
    later=(),
    later_models=(),
    warm=None,
    start=0,
    branch=CONVERGED,
    patterned=CONVERGED.size,
    train=240,
    held_out=32,
    painted=12,
    paint_steps=6,
)


def run_arm(arm: Arm, rows: data.Rows, held_out: data.Rows, plan: Plan, folder: Path) -> dict:
    """Train one arm and return its figures; of ``tables.START`` those of the flow before any branch."""
    start = warm_start(arm.model, plan.start_seed(arm.seed), rows, folder, plan.warm)
    result: dict = {"model": arm.model, "seed": arm.seed, "arm": arm.name}
    if arm.name == tables.START:
        model = MODELS[arm.model]()
        model.load_state_dict(start)
        result["seconds"] = 0.0
        settings = replace(plan.branch, seed=branch_seed(arm.seed))
        result["pulls"] = pulls(model.train(), rows, settings, min(PULLED, plan.branch.steps))
        model.eval()
    else:
        model, result["seconds"] = branch(arm, start, rows, plan.branch)
    figures = evaluation.flow_figures(model, held_out)
    if arm.leffa and arm.leffa.temperature != TEMPERATURE:
        figures["epe at its tau"] = evaluation.flow_figures(model, held_out, arm.leffa.temperature)["epe"]
    painted = evaluation.paint(model, held_out, plan.painted, plan.paint_steps)
    figures |= evaluation.picture_figures(painted, held_out)
    if plan.converged and arm.seed == plan.seeds[0]:
        shown = min(SHOWN, plan.painted)
        laid = evaluation.warped(model, held_out, shown)
        sheet.write_column(folder / f"{arm.file}.png", painted[:shown], laid)
    return result | {"figures": figures}


def open_rows(plan: Plan, options: argparse.Namespace, folder: Path) -> tuple[data.Rows, data.Rows]:
    """Training and held-out samples, from packed folders or rendered now."""
    places = (options.data, options.held_out)
    if options.data is None:
        places = data.make(folder / "data", plan.train, plan.held_out, plan.patterned, plan.judges)
    size, codec = (plan.branch.size, bundled_pipeline()) if plan.converged else (data.SIZE, None)
    train, held_out = (
        data.first_try_ons(PackedDataset(place), count, size)
        for place, count in zip(places, (plan.train, plan.held_out), strict=True)
    )
    rows = data.Rows(train, codec)
    return rows, data.Rows(held_out, rows.latents)


def write(path: Path, text: str) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/proof"), help="data, weights, results")
    parser.add_argument("--data", type=Path, help="packed training people (default: rendered now)")
    parser.add_argument("--held-out", type=Path, help="packed held-out people, with --data")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--long", action="store_true", help="more people and steps, the paper's ablations")
    which.add_argument("--converged", action="store_true", help="from the bundled weights")
    which.add_argument("--pilot", action="store_true", help="how the guide's strength was chosen")
    which.add_argument("--quick", action="store_true", help="a minute, in a temporary folder")
    options = parser.parse_args()
    if (options.data is None) != (options.held_out is None):
        parser.error("--data and --held-out go together")
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    if options.quick:
        folder = Path(tempfile.mkdtemp(prefix="proof-"))
        for name, plan in (("short", SHORT), ("long", LONG), ("converged", FROM_BUNDLED)):
            run(plan.quick(), options, folder / name)
    else:
        chosen = ((options.long, LONG), (options.converged, FROM_BUNDLED), (options.pilot, PILOT))
        run(next((plan for asked, plan in chosen if asked), SHORT), options, options.out)


def run(plan: Plan, options: argparse.Namespace, folder: Path) -> None:
    """All arms of a plan that the folder does not hold yet, then the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.backends.mkldnn.set_flags(plan.converged)  # at toy size its set-up costs more than it saves
    todo = plan.arms()
    opened: tuple[data.Rows, data.Rows] | None = None
    for number, arm in enumerate(todo, start=1):
        path = folder / f"{arm.file}.json"
        if path.exists():
            continue
        if opened is None:
            opened = open_rows(plan, options, folder)
            write_facts(*opened, plan, folder / "facts.json")
            if plan.converged:
                sheet.write_given(opened[1], min(SHOWN, plan.painted), folder)
        since = time.process_time()
        result = run_arm(arm, *opened, plan, folder)
        write(path, json.dumps(result, indent=1))
        figures = "  ".join(f"{name} {value:.4g}" for name, value in result["figures"].items())
        seconds = time.process_time() - since
        print(f"{number}/{len(todo)} {arm.file}: {figures}  ({seconds:.0f} s)", flush=True)
        report(todo, folder)
    print(report(todo, folder))


def write_facts(rows: data.Rows, held_out: data.Rows, plan: Plan, path: Path) -> None:
    """What all arms of a folder share. Raises LeffaError if the folder has arms of something else."""
    warm = plan.warm and asdict(plan.warm)
    facts = {
        "bars": evaluation.bars(held_out),
        "settings": {"warm start": warm, "branch": asdict(plan.branch), "loss": asdict(PAPER)},
        "data": {"train": len(rows), "held out": len(held_out), "size": list(rows.size)},
    }
    text = json.dumps(facts, indent=1)
    if path.exists() and path.read_text() != text:
        raise LeffaError(f"{path} tells of other settings or data: give another --out")
    write(path, text)


def report(todo: list[Arm], folder: Path) -> str:
    """The tables of the arms that are done, also written into the folder, and the sheet of their pictures."""
    facts = json.loads((folder / "facts.json").read_text())
    done = [folder / f"{arm.file}.json" for arm in todo]
    results = [json.loads(path.read_text()) for path in done if path.exists()]
    text = tables.report(results, facts)
    write(folder / "proof.md", text)
    columns = {name: folder / f"{name}.png" for name in sheet.GIVEN}
    columns |= {arm.name: folder / f"{arm.file}.png" for arm in todo if arm.seed == todo[0].seed}
    there = {name: path for name, path in columns.items() if path.exists()}
    if there:
        sheet.draw(there, folder / "arms.jpg")
    return text


if __name__ == "__main__":
    main()
