"""Does the Leffa loss do what the paper claims? Three models, with and without, and the paper's ablations.

    python benchmarks/proof.py                    everything; killed, the same again goes on with the next arm
    python benchmarks/proof.py --short            the guide against the paper's loss, fewer people and steps
    python benchmarks/proof.py --quick            half a minute: that it runs, not what comes out

Each model is trained at toy size on synthetic pairs at 64x48. A warm start, the same for all arms of a
seed, teaches it to denoise and points its flow roughly the right way (garment box to garment box; from
uniform attention the loss has no gradient to follow). No exact flow is used anywhere in training. Then
arms branch off with the same batches, timesteps and noise, and differ only in the loss. The judge is the
end-point error against the exact flow of held-out people, never the loss value: a flow that collapses onto
the garment's middle lowers the loss too.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.toy import data, evaluation, tables
from benchmarks.toy.models import MODELS
from benchmarks.toy.training import BRANCH, WARM, Arm, branch, warm_start
from leffa.config import TEMPERATURE, LeffaLossConfig
from leffa.data.packed import PackedDataset
from leffa.errors import LeffaError

PAPER = LeffaLossConfig()
GUIDED = replace(PAPER, weight=1e-2, guide=100.0)
MAIN: dict[str, LeffaLossConfig | None] = {
    tables.START: None,
    "without": None,
    "with": PAPER,
    "lambda 1e-2": replace(PAPER, weight=1e-2),
    "lambda 1e-1": replace(PAPER, weight=1e-1),
    "guided": GUIDED,
    "guide alone": replace(GUIDED, weight=1e-8, guide=1e8),
}
SHORT = (tables.START, "without", "lambda 1e-2", "guided", "guide alone")
QUICK = (tables.START, "without", "guided")
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
SEEDS = (0, 1, 2)
ABLATED = "two-unets"


def arms(seeds: tuple[int, ...], names: tuple[str, ...], ablations: bool) -> list[Arm]:
    """All arms, the main comparison first."""
    main = [Arm(model, seed, name, MAIN[name]) for seed in seeds for model in MODELS for name in names]
    more = [Arm(ABLATED, seed, name, leffa) for seed in seeds for name, leffa in ABLATIONS.items()]
    return main + more if ablations else main


def run_arm(arm: Arm, rows: data.Rows, held_out: data.Rows, options: argparse.Namespace) -> dict:
    """Train one arm and return its figures."""
    start = warm_start(arm.model, arm.seed, rows, options.out, options.warm_steps)
    model, seconds = branch(arm, start, rows, options.steps)
    figures = evaluation.flow_figures(model, held_out)
    if arm.leffa and arm.leffa.temperature != TEMPERATURE:
        figures["epe at its tau"] = evaluation.flow_figures(model, held_out, arm.leffa.temperature)["epe"]
    figures |= evaluation.picture_figures(evaluation.paint(model, held_out, options.painted), held_out)
    return {"model": arm.model, "seed": arm.seed, "arm": arm.name, "seconds": seconds, "figures": figures}


def run_start(arm: Arm, rows: data.Rows, held_out: data.Rows, options: argparse.Namespace) -> dict:
    """Figures of the flow where the arms of a model and seed branch off."""
    model = MODELS[arm.model]()
    since = time.process_time()
    model.load_state_dict(warm_start(arm.model, arm.seed, rows, options.out, options.warm_steps))
    seconds = time.process_time() - since
    figures = evaluation.flow_figures(model.eval(), held_out)
    return {"model": arm.model, "seed": arm.seed, "arm": arm.name, "seconds": seconds, "figures": figures}


def open_rows(options: argparse.Namespace) -> tuple[data.Rows, data.Rows]:
    """Training and held-out samples, from packed folders or rendered now."""
    if options.data is None:
        options.data, options.held_out = data.make(
            options.out / "data", options.train_count, options.held_out_count
        )
    rows = data.Rows(data.first_try_ons(PackedDataset(options.data), options.train_count))
    samples = data.first_try_ons(PackedDataset(options.held_out), options.held_out_count)
    return rows, data.Rows(samples, rows.latents)


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
    parser.add_argument("--short", action="store_true", help="fewer people, steps and arms")
    parser.add_argument("--quick", action="store_true", help="half a minute, in a temporary folder")
    options = parser.parse_args()
    if (options.data is None) != (options.held_out is None):
        parser.error("--data and --held-out go together")
    options.seeds, options.names, options.ablations = SEEDS, tuple(MAIN), True
    options.warm_steps, options.steps = WARM.steps, BRANCH.steps
    options.train_count, options.held_out_count, options.painted = 2000, 200, 64
    if options.short:
        options.names, options.ablations = SHORT, False
        options.warm_steps, options.steps = 500, 300
        options.train_count, options.held_out_count, options.painted = 900, 160, 32
    if options.quick:
        options.out = Path(tempfile.mkdtemp(prefix="proof-"))
        options.seeds, options.names, options.ablations = SEEDS[:1], QUICK, False
        options.warm_steps, options.steps = 3, 2
        options.train_count, options.held_out_count, options.painted = 10, 4, 2
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    todo = arms(options.seeds, options.names, options.ablations)
    opened: tuple[data.Rows, data.Rows] | None = None
    for number, arm in enumerate(todo, start=1):
        path = options.out / f"{arm.file}.json"
        if path.exists():
            continue
        if opened is None:
            opened = open_rows(options)
            write_facts(*opened, options, options.out / "facts.json")
        since = time.process_time()
        result = (run_start if arm.name == tables.START else run_arm)(arm, *opened, options)
        write(path, json.dumps(result, indent=1))
        figures = "  ".join(f"{name} {value:.4g}" for name, value in result["figures"].items())
        seconds = time.process_time() - since
        print(f"{number}/{len(todo)} {arm.file}: {figures}  ({seconds:.0f} s)", flush=True)
        report(todo, options.out)
    print(report(todo, options.out))


def write_facts(rows: data.Rows, held_out: data.Rows, options: argparse.Namespace, path: Path) -> None:
    """What all arms of a folder share. Raises LeffaError if the folder has arms of something else."""
    warm, branches = replace(WARM, steps=options.warm_steps), replace(BRANCH, steps=options.steps)
    facts = {
        "bars": evaluation.bars(held_out),
        "settings": {"warm start": asdict(warm), "branch": asdict(branches), "loss": asdict(PAPER)},
        "data": {"train": len(rows), "held out": len(held_out), "size": list(data.SIZE)},
    }
    text = json.dumps(facts, indent=1)
    if path.exists() and path.read_text() != text:
        raise LeffaError(f"{path} tells of other settings or data: give another --out")
    write(path, text)


def report(todo: list[Arm], folder: Path) -> str:
    """The tables of the arms that are done, also written into the folder."""
    facts = json.loads((folder / "facts.json").read_text())
    done = [folder / f"{arm.file}.json" for arm in todo]
    results = [json.loads(path.read_text()) for path in done if path.exists()]
    text = tables.report(results, facts)
    write(folder / "proof.md", text)
    return text


if __name__ == "__main__":
    main()
