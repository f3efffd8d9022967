"""``leffa evaluate``: folders of results against the truth, or a model on held-out samples."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from leffa import __version__
from leffa.data.sources import HELP, Source
from leffa.errors import LeffaError, WeightsError
from leffa.files import MARK, check_outputs, write_json, write_text
from leffa.report import report
from leffa.synthetic.command import parse_size

if TYPE_CHECKING:
    from leffa.weights.models import Model

EXAMPLES = (
    "leffa evaluate --results out/ --truth VITON-HD/test/image --sheet sheet.html --table table.md\n"
    "leffa evaluate --results out/ --truth VITON-HD/test/image --unpaired\n"
    "leffa evaluate --model bundled --data packed:held-out --count 500\n"
    "leffa evaluate --model runs/one/model --data viton-hd:VITON-HD --unpaired --pictures out/"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    folders = parser.add_argument_group("folders of pictures")
    folders.add_argument("--results", type=Path, metavar="DIR", help="what a model painted")
    folders.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="true pictures of the same names (default: truth/ in --results)",
    )
    folders.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="pictures for FID and KID, if not those of --truth: pose transfer takes all of training",
    )
    folders.add_argument(
        "--sheet", type=Path, metavar="FILE", help="HTML: the worst pairs first, paired only"
    )
    folders.add_argument("--table", type=Path, metavar="FILE", help="the figures and conventions in Markdown")
    models = parser.add_argument_group("a model")
    models.add_argument("--model", metavar="NAME", help="name of a model, or a saved pipeline's folder")
    models.add_argument("--data", metavar="KIND:WHERE", help=f"{HELP}; its test split")
    models.add_argument("--count", type=int, default=500, help="samples (default: %(default)s)")
    models.add_argument("--size", type=parse_size, metavar="HxW", help="to paint at (default: the model's)")
    models.add_argument("--steps", type=int, help="sampling steps (default: the model's)")
    models.add_argument("--guidance", type=float, help="guidance scale (default: the model's)")
    models.add_argument(
        "--seed", type=int, default=0, help="sample i has this seed + i (default: %(default)s)"
    )
    models.add_argument("--pictures", type=Path, metavar="DIR", help="keep the painted pictures here")
    parser.add_argument(
        "--lpips",
        choices=["alex", "vgg", "squeeze"],
        default="alex",
        help="network of LPIPS; Leffa's paper reports squeeze (default: %(default)s)",
    )
    parser.add_argument("--unpaired", action="store_true", help="another garment than the person's own")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the best present)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--force", action="store_true", help="write over files that leffa has not written")


def run(options: argparse.Namespace) -> None:
    """Evaluate as the options say. Raises LeffaError for options that do not go together."""
    if bool(options.results) == bool(options.model):
        raise LeffaError("give either --results and --truth, or --model and --data")
    for name in ("output", "sheet", "table"):
        path = getattr(options, name)
        if path and (path.is_dir() or not path.parent.is_dir()):
            raise LeffaError(f"--{name} {path}: give a file in a folder that exists")
    if (options.sheet or options.table) and not options.results:
        raise LeffaError("--sheet and --table are written of --results")
    check_outputs([options.output, options.sheet, options.table], force=options.force)
    if options.pictures and options.pictures.exists() and not options.pictures.is_dir():
        raise LeffaError(f"--pictures {options.pictures} is no folder")
    figures = _folders(options) if options.results else _model(options)
    if options.output:
        write_json(options.output, {"software": f"{MARK} {__version__}", **figures})


def _folders(options: argparse.Namespace) -> dict:
    from leffa.metrics.folders import CONVENTIONS, compare_names, evaluate_folders
    from leffa.metrics.sheet import Worst, write_sheet

    truth = options.truth or options.results / "truth"
    if not options.truth and not truth.is_dir():
        raise LeffaError("--results needs --truth, the folder of true pictures")
    paired = not options.unpaired
    told = compare_names(options.results, truth) if paired else []
    for sentence in told:
        report(sentence)
    worst = Worst()
    figures, notes = evaluate_folders(
        options.results, truth, paired, options.against, _measuring_device(options), worst.add, options.lpips
    )
    for note in notes:
        report(f"note: {note}")
    if not figures:
        raise LeffaError(
            "no figure could be computed: fetch what the notes name; paired there are SSIM and PSNR"
        )
    shown = table({str(options.results): figures})
    used = {name: text for name, text in CONVENTIONS.items() if name in figures or name == "sizes"}
    report(shown)
    for name, text in used.items():
        report(f"{name}: {text}")
    if options.table:
        lines = [shown, "", *(f"* {name}: {text}" for name, text in used.items()), *told, *notes]
        write_text(options.table, "\n".join([*lines, "", f"<!-- {MARK} {__version__} -->", ""]))
    if options.sheet:
        write_sheet(options.sheet, f"{options.results} against {truth}", shown, worst)
    return {**figures, "conventions": used, "told": [*told, *notes]}


def _model(options: argparse.Namespace) -> dict:
    from leffa.data.packed import PackedDataset
    from leffa.metrics.composed import Road
    from leffa.metrics.lpips import Lpips
    from leffa.metrics.model import MODEL, evaluate_model
    from leffa.model.pipeline import LeffaPipeline
    from leffa.run.settings import Settings
    from leffa.weights.models import MODELS

    if not options.data:
        raise LeffaError("--model needs --data, such as packed:DIR")
    if options.count < 1:
        raise LeffaError(f"--count must be at least 1, got {options.count}")
    source = Source.parse(options.data)
    model = chosen(options)
    device = _device(options)
    pipeline = LeffaPipeline.from_pretrained(model.folder).to(device)
    pipeline.set_progress_bar_config(disable=True)
    encoding = pipeline.config.densepose_encoding
    size = options.size or model.size
    samples = source.open(size, encoding, "test", not options.unpaired, options.count)
    if isinstance(samples, PackedDataset) and not options.size and Path(options.model) == model.folder:
        size = samples.size  # a model of one's own has no size but that of its data
    lpips, notes = None, []
    try:
        lpips = Lpips(options.lpips, _measuring_device(options))
    except WeightsError as error:
        notes.append(f"LPIPS: {error}")
    if options.pictures:
        for picture in sorted(options.pictures.glob("*.png")):
            check_outputs([picture], force=options.force)
        options.pictures.mkdir(parents=True, exist_ok=True)
    road = None
    if model.compose and options.model in MODELS:
        settings = Settings(options.steps, options.guidance, seed=options.seed)
        road = Road(options.model, settings, options.device)
    tables = evaluate_model(
        pipeline,
        model,
        samples,
        size,
        options.count,
        options.seed,
        lpips=lpips,
        pictures=options.pictures,
        road=road,
    )
    if road and road.refused:
        notes.append(f"{len(road.refused)} samples are in no row, as the engine refuses their pictures: ")
        notes[-1] += "; ".join(road.refused[:5])
    if options.unpaired:
        report("unpaired: the person's own picture is not what should come out; compare by --results and FID")
    for note in notes:
        report(f"note: {note}")
    figures = {}
    for task, by_arm in tables.items():
        shown = {options.model if name == MODEL else name: values for name, values in by_arm.items()}
        figures[task.value] = shown
        report(
            f"\n{task.value}, {size[0]}x{size[1]}, {model.steps} steps, guidance {model.guidance_scale:g}\n"
        )
        report(table(shown))
    return figures


def chosen(options: argparse.Namespace) -> "Model":
    """The named model; or a folder with the settings of the bundled or published one of its kind."""
    from dataclasses import replace

    from leffa.config import DensePoseEncoding, Task
    from leffa.weights.models import BUNDLED, MODELS, VITON_HD

    if options.model in MODELS:
        model = MODELS[options.model]
    else:
        model = replace(BUNDLED, name=options.model, folder=Path(options.model))
    if not model.is_present and model.fetch:
        raise LeffaError(f"{model.name!r} is not in {model.folder}: `leffa download --what {model.fetch}`")
    if not model.is_present:
        raise LeffaError(
            f"there is no model {options.model!r}: give {', '.join(MODELS)} or a saved pipeline's folder"
        )
    if options.model not in MODELS:
        if model.densepose_encoding is not DensePoseEncoding.BODY:  # not of the bundled one's kind
            model = replace(VITON_HD, name=options.model, folder=model.folder, tasks=tuple(Task))
        model = replace(model, size=_trained_size(model.folder) or model.size)
    changes = {"steps": options.steps, "guidance_scale": options.guidance}
    model = replace(model, **{name: value for name, value in changes.items() if value is not None})
    if not 1 <= model.steps <= 1000:  # the timesteps there are
        raise LeffaError(f"--steps must be from 1 to 1000, got {model.steps}")
    return model


def _trained_size(folder: Path) -> tuple[int, int] | None:
    """(height, width) that ``leffa train`` noted beside a finished model; None for one from elsewhere."""
    try:
        height, width = json.loads((folder.parent / "settings.json").read_text())["size"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return height, width


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown with a line for each row and a column for each figure; what is undefined is left empty."""
    columns = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    lines = [["", *columns], ["---"] * (1 + len(columns))]
    for name, figures in rows.items():
        lines.append([name, *(_number(figures.get(column, math.nan)) for column in columns)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def _device(options: argparse.Namespace) -> str:
    import torch

    if options.device.partition(":")[0] not in ("auto", "cpu", "cuda", "mps"):
        raise LeffaError(f"--device {options.device}: give auto, cpu, cuda or mps")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise LeffaError(f"--device {options.device}: torch sees no CUDA GPU here; leave it out, or give cpu")
    has_mps = torch.backends.mps.is_available()
    if options.device == "mps" and not has_mps:
        raise LeffaError("--device mps: torch sees no Apple GPU here; leave it out, or give cpu")
    if options.device != "auto":
        return options.device
    return "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"


def _measuring_device(options: argparse.Namespace) -> str:
    """Where the figures are computed: they sum up in float64, which Apple's GPUs do not have."""
    device = _device(options)
    return "cpu" if device == "mps" else device
