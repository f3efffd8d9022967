"""The table of the proof, and in words what agrees with the paper."""

import statistics

COLUMNS = {
    "epe": ("EPE, % of width", 2, -1),
    "pck": ("PCK@5 %", 1, 1),
    "warp error": ("warp error", 4, -1),
    "ssim": ("SSIM", 4, 1),
    "psnr": ("PSNR, dB", 2, 1),
    "pattern": ("pattern correlation", 3, 1),
    "texture error": ("texture error", 4, -1),
}
"""figure -> (title, digits, +1 if more is better)"""

START = "at the branching"
LOSSES = (
    "with",
    "lambda 1e-2",
    "lambda 1e-1",
    "lambda 1",
    "guide 300",
    "guide 1000",
    "guided",
    "guide alone",
)
"""Arms with a loss that every model has; "with" is the paper's weight, 1e-3."""
GUIDE_AGAINST = ("with", "lambda 1e-2", "guide alone", "without", START)

Figures = dict[tuple[str, str], dict[int, dict[str, float]]]
"""(model, arm) -> seed -> figures"""


def report(results: list[dict], facts: dict) -> str:
    """Markdown of what is there: the comparison, the ablations, and the paper's claims one by one."""
    grouped: Figures = {}
    for result in results:
        grouped.setdefault((result["model"], result["arm"]), {})[result["seed"]] = result["figures"]
    models = list(dict.fromkeys(model for model, _ in grouped))
    height, width = facts["data"]["size"]
    lines = [
        f"{facts['data']['train']} training pairs, {facts['data']['held out']} held-out, {height}x{width}; "
        "mean over the seeds ± standard deviation.",
        "",
        _row(["model", "loss", "seeds", *(title for title, _, _ in COLUMNS.values())]),
        _row(["---"] * (3 + len(COLUMNS))),
    ]
    for name, bar in facts["bars"].items():
        lines.append(_row([f"*{name}*", "", "", *_cells({0: bar})[1:]]))
    for model in models:
        for arm in (START, "without", *LOSSES):
            if (model, arm) in grouped:
                lines.append(_row([model, arm, *_cells(grouped[model, arm])]))
    lines += ["", *_differences(grouped, models)]
    pulled = [result for result in results if "pulls" in result]
    if pulled:
        lines += ["", *_pulls(pulled)]
    if any(arm == "guided" for _, arm in grouped):
        lines += ["", *_guide(grouped, models)]
    ablations = [key for key in grouped if key[1] not in (START, "without", *LOSSES)]
    if ablations:
        model = ablations[0][0]
        lines += ["", f"Ablations of {model}:", ""]
        lines.append(_row(["arm", "seeds", *(title for title, _, _ in COLUMNS.values())]))
        lines.append(_row(["---"] * (2 + len(COLUMNS))))
        arms = [(model, START), (model, "without"), (model, "with"), *ablations]
        lines += [_row([arm, *_cells(grouped[model, arm])]) for _, arm in arms if (model, arm) in grouped]
        lines += ["", *_claims(grouped, model)]
    return "\n".join(lines) + "\n"


def _cells(by_seed: dict[int, dict[str, float]]) -> list[str]:
    """Seeds, then mean and deviation of every column; empty where an arm has no such figure."""
    cells = [str(len(by_seed))]
    for name, (_, digits, _) in COLUMNS.items():
        values = [figures[name] for figures in by_seed.values() if name in figures]
        cells.append(_spread(values, digits) if values else "")
    return cells


def _spread(values: list[float], digits: int, sign: str = "") -> str:
    mean = f"{statistics.fmean(values):{sign}.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def gains(grouped: Figures, model: str, better: str, worse: str, figure: str) -> list[float]:
    """By how much the first arm is better, for every seed that both arms have."""
    first, second = grouped.get((model, better), {}), grouped.get((model, worse), {})
    sign = COLUMNS[figure][2]
    return [sign * (first[seed][figure] - second[seed][figure]) for seed in sorted(first.keys() & second)]


def verdict(found: list[float], figure: str = "epe") -> str:
    """Is it better? "yes" or "no" if two seeds or more agree in the digits that are shown."""
    if len(found) < 2:
        return "one seed" if found else "not run"
    shown = [round(gain, COLUMNS[figure][1]) for gain in found]
    if all(gain > 0 for gain in shown):
        return "yes"
    return "no" if all(gain < 0 for gain in shown) else "not told apart"


def _differences(grouped: Figures, models: list[str]) -> list[str]:
    lines = ["What the loss gains, seed by seed, and whether all seeds agree that it is better:", ""]
    lines.append(_row(["model", "loss", *(title for title, _, _ in COLUMNS.values())]))
    lines.append(_row(["---"] * (2 + len(COLUMNS))))
    for model, arm in ((model, arm) for model in models for arm in LOSSES if (model, arm) in grouped):
        cells = []
        for name, (_, digits, _) in COLUMNS.items():
            found = gains(grouped, model, arm, "without", name)
            cells.append(f"{', '.join(f'{gain:+.{digits}f}' for gain in found)}: {verdict(found, name)}")
        lines.append(_row([model, arm, *cells]))
    return lines


def _pulls(results: list[dict]) -> list[str]:
    """What the losses pull queries and keys to where the arms branch off, over the seeds."""
    lines = [
        "Gradients on queries and keys at the branching, see `pulls` in `benchmarks/toy/training.py`:",
        "",
    ]
    titles = (
        "the loss's at λ = 1e-3, % of the diffusion loss's",
        "its cosine with the way to the exact flow",
    )
    lines.append(_row(["model", "seeds", *titles, "the diffusion loss's cosine"]))
    lines.append(_row(["---"] * 5))
    for model in dict.fromkeys(result["model"] for result in results):
        found = [result["pulls"] for result in results if result["model"] == model]
        share = _spread([0.1 * pulled["share"] for pulled in found], 2)
        cosines = [_spread([pulled[name] for pulled in found], 3, "+") for name in ("leffa", "diffusion")]
        lines.append(_row([model, str(len(found)), share, *cosines]))
    return lines


def _guide(grouped: Figures, models: list[str]) -> list[str]:
    """By how many per cent the guided loss lowers the end-point error of other arms, seed by seed."""
    lines = ["End-point error of the guided loss, per cent below that of other arms, seed by seed:", ""]
    lines.append(_row(["model", *GUIDE_AGAINST]))
    lines.append(_row(["---"] * (1 + len(GUIDE_AGAINST))))
    for model in models:
        cells = []
        for other in GUIDE_AGAINST:
            ours, theirs = (grouped.get((model, arm), {}) for arm in ("guided", other))
            lower = [100 * (1 - ours[s]["epe"] / theirs[s]["epe"]) for s in sorted(ours.keys() & theirs)]
            cells.append(", ".join(f"{value:+.1f}" for value in lower) or "not run")
        lines.append(_row([model, *cells]))
    return lines


def _claims(grouped: Figures, model: str) -> list[str]:
    """The paper's ablations as claims about end-point error, and whether they hold here."""
    claims = [
        ("the loss helps", "with", "without"),
        ("the mean over heads is better than a loss per head", "with", "per head"),
        ("tau 2 is better than 0.1", "with", "tau 0.1"),
        ("tau 2 is better than 1", "with", "tau 1"),
        ("tau 2 is better than 5", "with", "tau 5"),
        ("t < 500 is better than t < 250", "with", "t under 250"),
        ("t < 500 is better than all t", "with", "t under 1000"),
        ("all t is worse than no loss", "without", "t under 1000"),
        ("coarser layers belong in the loss", "with", "layers at 1/8 only"),
        ("upsampling the flow is better than shrinking the pictures", "with", "flow not upsampled"),
        ("lambda 1e-3 is better than 1e-2", "with", "lambda 1e-2"),
        ("lambda 1e-3 is better than 1e-1", "with", "lambda 1e-1"),
    ]
    lines = [_row(["the paper's claim", "gain in EPE, by seed", "holds here", "holds by SSIM"])]
    lines.append(_row(["---"] * 4))
    for claim, better, worse in claims:
        found, pictures = (gains(grouped, model, better, worse, name) for name in ("epe", "ssim"))
        by_seed = ", ".join(f"{gain:+.2f}" for gain in found)
        lines.append(_row([claim, by_seed, verdict(found), verdict(pictures, "ssim")]))
    return lines
