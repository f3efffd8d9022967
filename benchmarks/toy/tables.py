"""The table of the proof, and in words what agrees with the paper."""

import math
import statistics
from collections.abc import Callable

COLUMNS = {
    "epe": ("EPE, % of width", 2, -1),
    "pck": ("PCK@5 %", 1, 1),
    "ssim": ("SSIM", 4, 1),
    "psnr": ("PSNR, dB", 2, 1),
    "pattern": ("pattern correlation", 3, 1),
    "texture error": ("texture error", 4, -1),
}
"""figure -> (title, digits, +1 if more is better)"""

Figures = dict[tuple[str, str], list[dict[str, float]]]
"""(model, arm) -> figures by seed"""


def report(results: list[dict], facts: dict) -> str:
    """Markdown: the comparison, the ablations, and the paper's claims one by one."""
    grouped: Figures = {}
    for result in sorted(results, key=lambda result: result["seed"]):
        grouped.setdefault((result["model"], result["arm"]), []).append(result["figures"])
    models = list(dict.fromkeys(model for model, _ in grouped))
    seeds = len(next(iter(grouped.values())))
    lines = [
        f"Mean of {seeds} seeds ± standard deviation; held-out people, "
        f"{facts['data']['size'][0]}x{facts['data']['size'][1]}.",
        "",
        _row(["model", "loss", *(title for title, _, _ in COLUMNS.values())]),
        _row(["---"] * (2 + len(COLUMNS))),
    ]
    for model in models:
        warm = facts["warm start"][model]
        lines.append(_row([model, "at the branching", _spread(warm, 2), *["" for _ in list(COLUMNS)[1:]]]))
        lines += [_row([model, arm, *_cells(grouped[model, arm])]) for arm in ("without", "with")]
    box = facts["box flow"]
    lines += [
        "",
        f"The pseudo flow of the warm start itself: EPE {box['epe']:.2f}, PCK@5 % {box['pck']:.1f}.",
        "",
    ]
    lines += _sure(grouped, models)
    ablations = [(model, arm) for model, arm in grouped if arm not in ("with", "without")]
    if ablations:
        model = ablations[0][0]
        lines += ["", f"Ablations of {model}:", ""]
        lines += [
            _row(["arm", *(title for title, _, _ in COLUMNS.values())]),
            _row(["---"] * (1 + len(COLUMNS))),
        ]
        arms = [(model, "without"), (model, "with"), *ablations]
        lines += [_row([arm, *_cells(grouped[model, arm])]) for _, arm in arms]
        lines += ["", *_claims(grouped, model)]
    return "\n".join(lines) + "\n"


def _cells(by_seed: list[dict[str, float]]) -> list[str]:
    return [_spread([f[name] for f in by_seed], digits) for name, (_, digits, _) in COLUMNS.items()]


def _spread(values: list[float], digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    return f"{statistics.fmean(values):.{digits}f} ± {deviation:.{digits}f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def verdict(better: list[dict[str, float]], worse: list[dict[str, float]], figure: str = "epe") -> str:
    """Is a figure better in the first arm? "yes" or "no" if all seeds agree, else "not told apart"."""
    sign = COLUMNS[figure][2]
    gains = [sign * (a[figure] - b[figure]) for a, b in zip(better, worse, strict=True)]
    if all(gain > 0 for gain in gains):
        return "yes"
    return "no" if all(gain < 0 for gain in gains) else "not told apart"


def _sure(grouped: Figures, models: list[str]) -> list[str]:
    lines = ["Is the arm with the loss better, in every seed?", ""]
    lines += [
        _row(["model", *(title for title, _, _ in COLUMNS.values())]),
        _row(["---"] * (1 + len(COLUMNS))),
    ]
    for model in models:
        cells = [verdict(grouped[model, "with"], grouped[model, "without"], name) for name in COLUMNS]
        lines.append(_row([model, *cells]))
    return lines


def _claims(grouped: Figures, model: str) -> list[str]:
    """The paper's ablations as claims about end-point error, and whether they hold here."""
    arms: Callable[[str], list[dict[str, float]]] = lambda name: grouped[model, name]  # noqa: E731
    claims = [
        ("the loss helps", "with", "without"),
        ("the mean over heads is better than a loss per head", "with", "per head"),
        ("tau 2 is better than 0.1", "with", "tau 0.1"),
        ("tau 2 is better than 1", "with", "tau 1"),
        ("tau 2 is better than 5", "with", "tau 5"),
        ("t < 500 is better than t < 250", "with", "t < 250"),
        ("t < 500 is better than all t", "with", "t < 1000"),
        ("all t is worse than no loss", "without", "t < 1000"),
        ("coarser layers belong in the loss", "with", "fine layers only"),
        ("upsampling the flow is better than shrinking the pictures", "with", "flow not upsampled"),
        ("lambda 1e-3 is better than 1e-2", "with", "lambda 1e-2"),
        ("lambda 1e-3 is better than 1e-1", "with", "lambda 1e-1"),
    ]
    lines = [_row(["the paper's claim", "holds here, by EPE", "EPE of the two", "holds here, by SSIM"])]
    lines.append(_row(["---"] * 4))
    for claim, better, worse in claims:
        pair = " / ".join(f"{statistics.fmean(f['epe'] for f in arms(name)):.2f}" for name in (better, worse))
        lines.append(
            _row(
                [claim, verdict(arms(better), arms(worse)), pair, verdict(arms(better), arms(worse), "ssim")]
            )
        )
    return lines
