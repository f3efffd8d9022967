"""Does the Leffa loss do what the paper claims? Three models, with and without, and the paper's ablations.

    python benchmarks/proof.py                    everything; killed, the same again goes on with the next arm
    python benchmarks/proof.py --quick            a minute: that it runs, not what comes out

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
from leffa.metrics.flow import FlowError

PAPER = LeffaLossConfig()
ABLATIONS: dict[str, LeffaLossConfig] = {
    "per head": replace(PAPER, mean_over_heads=False),
    "tau 0.1": replace(PAPER, temperature=0.1),
    "tau 1": replace(PAPER, temperature=1.0),
    "tau 5": replace(PAPER, temperature=5.0),
    "t < 250": replace(PAPER, max_timestep=250),
    "t < 1000": replace(PAPER, max_timestep=1000),
    "fine layers only": replace(PAPER, min_resolution=1 / 4),
    "flow not upsampled": replace(PAPER, upsample_flow=False),
    "lambda 1e-2": replace(PAPER, weight=1e-2),
    "lambda 1e-1": replace(PAPER, weight=1e-1),
}
SEEDS = (0, 1, 2)
ABLATED = "two-unets"


def arms(seeds: tuple[int, ...], ablations: bool) -> list[Arm]:
    """All arms, the main comparison first."""
    main = [
        Arm(model, seed, name, leffa)
        for seed in seeds
        for model in MODELS
        for name, leffa in (("without", None), ("with", PAPER))
    ]
    more = [Arm(ABLATED, seed, name, leffa) for seed in seeds for name, leffa in ABLATIONS.items()]
    return main + more if ablations else main


def run_arm(arm: Arm, rows: data.Rows, held_out: data.Rows, options: argparse.Namespace) -> dict:
    """Train one arm and return its figures."""
    start = warm_start(arm.model, arm.seed, rows, options.out, options.warm_steps)
    model, seconds = branch(arm, start, rows, options.steps)
    figures = evaluation.flow_figures(model, held_out, options.judged)
    if arm.leffa and arm.leffa.temperature != TEMPERATURE:
        own = evaluation.flow_figures(model, held_out, options.judged, arm.leffa.temperature)
        figures["epe at its tau"] = own["epe"]
    figures |= evaluation.picture_figures(evaluation.paint(model, held_out, options.painted), held_out)
    return {"model": arm.model, "seed": arm.seed, "arm": arm.name, "seconds": seconds, "figures": figures}


def warm_figures(rows: data.Rows, held_out: data.Rows, options: argparse.Namespace) -> dict:
    """Flow error where the arms branch off, by model: mean over the seeds."""
    found = {}
    for name, make in MODELS.items():
        errors = []
        for seed in options.seeds:
            model = make()
            model.load_state_dict(warm_start(name, seed, rows, options.out, options.warm_steps))
            errors.append(evaluation.flow_figures(model.eval(), held_out, options.judged)["epe"])
        found[name] = errors
    return found


def box_figures(held_out: data.Rows) -> dict[str, float]:
    """What the pseudo flow of the warm start is worth itself."""
    error = FlowError()
    fields = held_out.fields
    error.update(fields["flow"], fields["true_flow"], fields["true_visible"], evaluation.ASPECT)
    return {"epe": error.end_point_error(), "pck": error.pck()}


def write(path: Path, text: str) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/proof"), help="data, weights, results")
    parser.add_argument("--quick", action="store_true", help="a minute, in a temporary folder")
    options = parser.parse_args()
    options.seeds, options.ablations = SEEDS, True
    options.warm_steps, options.steps = WARM.steps, BRANCH.steps
    options.train, options.held_out, options.judged, options.painted = 2000, 200, 200, 64
    if options.quick:
        options.out = Path(tempfile.mkdtemp(prefix="proof-"))
        options.seeds, options.ablations = SEEDS[:1], False
        options.warm_steps, options.steps = 6, 3
        options.train, options.held_out, options.judged, options.painted = 40, 8, 8, 4
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    packed, packed_held_out = data.make(options.out / "data", options.train, options.held_out)
    rows = data.Rows(packed)
    held_out = data.Rows(packed_held_out, rows.latents)

    results = []
    todo = arms(options.seeds, options.ablations)
    for number, arm in enumerate(todo, start=1):
        path = options.out / f"{arm.file}.json"
        if not path.exists():
            since = time.process_time()
            result = run_arm(arm, rows, held_out, options)
            write(path, json.dumps(result, indent=1))
            figures = "  ".join(f"{name} {value:.4g}" for name, value in result["figures"].items())
            print(
                f"{number}/{len(todo)} {arm.file}: {figures}  ({time.process_time() - since:.0f} s)",
                flush=True,
            )
        results.append(json.loads(path.read_text()))

    facts = {
        "box flow": box_figures(held_out),
        "warm start": warm_figures(rows, held_out, options),
        "settings": {"warm start": asdict(WARM), "branch": asdict(BRANCH), "loss": asdict(PAPER)},
        "data": {"train": len(rows), "held out": len(held_out), "size": data.SIZE},
    }
    text = tables.report(results, facts)
    write(options.out / "proof.md", text)
    write(options.out / "proof.json", json.dumps({"facts": facts, "arms": results}, indent=1))
    print(text)


if __name__ == "__main__":
    main()
