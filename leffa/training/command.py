"""``leffa train`` and ``leffa train-vae``: from arguments to a run."""

import argparse
import json
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leffa.config import DensePoseEncoding, GridConvention, LeffaLossConfig, Photometric
from leffa.data.sources import HELP, KINDS, Source
from leffa.errors import LeffaError
from leffa.report import report
from leffa.training.settings import PRESETS, TrainingSettings
from leffa.weights import models

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from leffa.model.pipeline import LeffaPipeline
    from leffa.training.composition_lessons import Data

EXAMPLES = (
    "leffa train --preset tiny-1 --data packed:people --start nothing --vae runs/vae/vae --run runs/one\n"
    "leffa train --preset paper-tryon-3 --data viton-hd:data/VITON-HD --start official:virtual_tryon.pth \\\n"
    "      --base stable-diffusion-inpainting --run runs/fine\n"
    "leffa train --preset tiny-3 --data packed:people --start runs/one/model --set steps=500 --run runs/two"
)
SHOT_SIZE = (512, 384)  # of product shots that are drawn: twice what their reader sees, which looks from near
LENT_SHOTS = 0.35  # share of the product shots that are photographs
WORDS = ("nothing", "bundled")  # starts that are no paths
NETWORKS = ("refinement", "parser", "filling", "shot")
COMPOSITION_EXAMPLES = (
    "leffa train-composition refinement --data packed:people --held-out packed:held-out --minutes 60 \\\n"
    "      --run runs/refinement\n"
    "leffa train-composition parser --data packed:redressed --start bundled --minutes 20 --run runs/parser\n"
    "leffa train-composition shot --data shots:2200 --held-out shots:60 --minutes 22 --run runs/shot"
)
VAE_EXAMPLES = "leffa train-vae --data packed:people --pictures cloth/ --steps 3000 --run runs/vae"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    start_from = (
        "nothing (needs --vae), bundled, a saved pipeline's folder, an inpainting base folder, or "
        "official:FILE (needs --base)"
    )
    add("--preset", choices=list(PRESETS), required=True, help="stage of the schedule")
    add("--data", action="append", required=True, metavar="KIND:WHERE", help=f"{HELP}; may be repeated")
    add("--held-out", metavar="KIND:WHERE", help="data to look at while training (its test split)")
    add("--start", required=True, metavar="FROM", help=start_from)
    add("--vae", metavar="DIR", help="trained VAE, for --start nothing")
    add("--base", metavar="DIR", help="base folder that gives official weights their shape")
    add("--run", required=True, metavar="DIR", dest="folder", help="the same again resumes")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting of the preset")
    add("--cache-latents", action="store_true", help="encode packed data once, beside it")
    add("--workers", type=int, default=0, help="processes that read data")
    add("--dry-run", action="store_true", help="two steps that leave nothing behind")


def run(options: argparse.Namespace) -> None:
    """Train as the options say; resumes where the run's folder holds a checkpoint."""
    import tempfile

    from leffa.training.loop import check_run, train

    settings = changed(PRESETS[options.preset], options.set)
    if Path(options.folder).exists() and not Path(options.folder).is_dir():
        raise LeffaError(f"--run {options.folder} is no folder")
    if not options.dry_run:
        check_run(Path(options.folder))
    encoding = condition_of(options.data)
    pipeline = start(options.start, options.vae, options.base, encoding)
    cached = options.cache_latents and not options.dry_run
    rows = open_rows(options.data, pipeline, settings, cached)
    held_out = None
    if options.held_out:
        held_out = open_rows([options.held_out], pipeline, settings, cached, split="test")
    size = sum(parameter.numel() for parameter in pipeline.unet.parameters()) / 1e6
    report(f"{len(rows)} samples at {settings.size[0]}x{settings.size[1]}, {size:.1f} M parameters per UNet")  # type: ignore[arg-type]
    if options.dry_run:
        short = replace(settings, steps=2, warmup=0, cooldown=0, log_every=1, save_every=2, evaluate_every=2)
        with tempfile.TemporaryDirectory() as folder:
            train(pipeline, rows, Path(folder), short, held_out, options.workers)
        report("dry run: two steps done, nothing kept")
        return
    model = train(
        pipeline,
        rows,
        Path(options.folder),
        settings,
        held_out,
        options.workers,
        origin={"data": [_absolute(source) for source in options.data], "start": _absolute(options.start)},
    )
    report(f"finished: {model}")


def _absolute(named: str) -> str:
    """A source or a start by what it means, from whatever folder it is named: ``packed:/where/it/lies``."""
    kind, _, where = named.partition(":")
    if kind in (*KINDS, "official"):
        return f"{kind}:{Path(where).resolve()}" if Path(where).exists() else named
    return str(Path(named).resolve()) if Path(named).exists() and named not in WORDS else named


def add_vae_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", action="append", default=[], metavar="packed:DIR", help="may be repeated")
    parser.add_argument("--pictures", metavar="DIR", help="folder of further pictures, such as cloth")
    parser.add_argument("--shape", default="tiny", choices=("tiny", "toy"), help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=96, help="side of the training crops in px")
    parser.add_argument("--run", required=True, metavar="DIR", dest="folder", help="the same again resumes")


def run_vae(options: argparse.Namespace) -> None:
    from leffa.data.packed import PackedDataset
    from leffa.images import SUFFIXES
    from leffa.model import presets
    from leffa.training import checkpoint
    from leffa.training.colour_path import lay_colour_path
    from leffa.training.vae import Crops, train_vae

    for name in ("steps", "batch", "crop"):
        if getattr(options, name) < 1:
            raise LeffaError(f"--{name} must be at least 1, got {getattr(options, name)}")
    packed = [PackedDataset(data.removeprefix("packed:")) for data in options.data]
    pictures = []
    if options.pictures and not Path(options.pictures).is_dir():
        raise LeffaError(f"--pictures {options.pictures} is no folder")
    if options.pictures:
        found = sorted(Path(options.pictures).iterdir())
        pictures = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not packed and not pictures:
        raise LeffaError("nothing to train on: give --data packed:DIR, --pictures DIR, or both")
    rows, run = Crops(packed, pictures, options.crop), Path(options.folder)
    checkpoint.keep_origin(
        run,
        {
            "data": [str(data.folder.resolve()) for data in packed],
            "pictures": str(Path(options.pictures).resolve()) if options.pictures else None,
            **{name: getattr(options, name) for name in ("shape", "batch", "crop")},
        },
        ("vae",),
    )
    train_vae(lay_colour_path(presets.vae(options.shape)), rows, run, options.steps, options.batch)
    report(f"finished: {run / 'vae'}")


def add_composition_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("network", choices=NETWORKS, help="which of the four")
    data = "may be repeated; for shot shots:N, so many product shots drawn for it"
    add("--data", action="append", required=True, metavar="packed:DIR", help=data)
    add("--held-out", metavar="packed:DIR", help="what to tell figures of while training")
    add("--minutes", type=float, required=True, metavar="N", help="of training in all")
    add("--run", required=True, metavar="DIR", dest="folder", help="the same again resumes")
    weights = "weights to begin with: none, or the shipped ones (default: %(default)s)"
    add("--start", choices=WORDS, default="nothing", help=weights)
    flat = "refinement: from a flow that says nothing, to see what the attention flow is worth"
    add("--flat-start", action="store_true", help=flat)
    add("--grounds", metavar="DIR", help="parser: folder of pictures to put people before")
    shots = f"shot: folder of product shots, {LENT_SHOTS:.0%}% of the data"
    add("--textures", metavar="DIR", help=shots)


def run_composition(options: argparse.Namespace) -> None:
    """Train one network of the composition; resumes where the run's folder holds a checkpoint."""
    from leffa.composition import networks
    from leffa.training import checkpoint
    from leffa.training.composition import Schedule, train
    from leffa.training.composition_lessons import LESSONS, ParserLesson, load_grounds

    if not 0 < options.minutes < float("inf"):
        raise LeffaError(f"--minutes must be above 0, got {options.minutes:g}")
    if options.grounds and not Path(options.grounds).is_dir():
        raise LeffaError(f"--grounds {options.grounds} is no folder")
    if options.textures and not Path(options.textures).is_dir():
        raise LeffaError(f"--textures {options.textures} is no folder")
    run = Path(options.folder)
    file = f"{options.network}.safetensors"
    rows, held_out, data = _rows(options)
    lesson = LESSONS[options.network]()
    if options.grounds and isinstance(lesson, ParserLesson):
        lesson.grounds = load_grounds(Path(options.grounds))
    if options.start == "bundled":
        networks.load(lesson.network, networks.find() / file)
        lesson.network.requires_grad_(True)
    origin = {
        "network": options.network,
        "data": data,
        "start": options.start,
        "flat_start": options.flat_start,
        "minutes": options.minutes,
    }
    checkpoint.keep_origin(run, origin, (file,))
    train(lesson, rows, run / file, Schedule(options.minutes), held_out)
    report(f"finished: {run / file}")


def _rows(options: argparse.Namespace) -> "tuple[Data, Data | None, list[str]]":
    """The data, what is held out, and what the first is called."""
    from leffa.synthetic.identity import Split
    from leffa.synthetic.samples import Settings
    from leffa.synthetic.shots import Shots
    from leffa.training.composition_rows import Rows

    if options.network == "shot":
        if len(options.data) > 1:
            raise LeffaError("--data shots:N is given once")
        lent = LENT_SHOTS if options.textures else 0.0
        drawn = Settings(size=SHOT_SIZE, textures=options.textures, lent=lent)
        held = replace(drawn, split=Split.TEST, textures=None, lent=0.0)
        looked_at = Shots(_count(options.held_out), held) if options.held_out else None
        return Shots(_count(options.data[0]), drawn), looked_at, [*options.data, str(options.textures)]
    places = [_packed(data) for data in options.data]
    attends = options.network == "refinement" and not options.flat_start
    pipeline = start("bundled", None, None, DensePoseEncoding.POSE_TRAINING) if attends else None
    held_out = Rows.open([_packed(options.held_out)], pipeline) if options.held_out else None
    return Rows.open(places, pipeline), held_out, [str(place.resolve()) for place in places]


def _count(source: str) -> int:
    kind, _, count = source.partition(":")
    if kind != "shots" or not count.isdecimal() or int(count) < 1:
        raise LeffaError(f"{source!r}: give shots:N, a number of product shots to be drawn")
    return int(count)


def _packed(source: str) -> Path:
    kind, _, where = source.partition(":")
    if kind != "packed" or not where:
        raise LeffaError(f"{source!r}: give packed:DIR, a folder that `leffa synth --packed` made")
    return Path(where)


def changed(settings: TrainingSettings, changes: list[str]) -> TrainingSettings:
    """Settings with ``NAME=VALUE`` changes; values are JSON, or plain words.

    ``leffa=null`` trains without the Leffa loss, ``leffa={"weight": 0.01}`` with it, the rest the paper's.
    Raises LeffaError for an unknown name or a value of another type.
    """
    known = {field.name: getattr(settings, field.name) for field in fields(settings)}
    values: dict[str, Any] = {}
    for change in changes:
        name, _, text = change.partition("=")
        if name not in known or not text:
            raise LeffaError(f"--set {change}: give NAME=VALUE with one of {', '.join(known)}")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        if name == "leffa":
            value = _leffa_loss(value, change)
        elif isinstance(known[name], tuple) and isinstance(value, (str, list)):
            value = (value,) if isinstance(value, str) else tuple(value)
        elif isinstance(known[name], float) and isinstance(value, int):
            value = float(value)
        if name != "leffa" and type(value) is not type(known[name]):
            raise LeffaError(f"--set {change}: {name} is of type {type(known[name]).__name__}")
        values[name] = value
    return replace(settings, **values)


def _leffa_loss(value: Any, change: str) -> LeffaLossConfig | None:
    """The loss of ``--set leffa=VALUE``: None, or the paper's with some settings changed."""
    if value is None:
        return None
    known = {field.name for field in fields(LeffaLossConfig)}
    if not isinstance(value, dict) or not value.keys() <= known:
        raise LeffaError(f"--set {change}: give null, or an object with some of {', '.join(sorted(known))}")
    enums = {"photometric": Photometric, "convention": GridConvention}
    try:
        return LeffaLossConfig(**{k: enums[k](v) if k in enums else v for k, v in value.items()})
    except ValueError as error:
        raise LeffaError(f"--set {change}: {error}") from error


def condition_of(sources: list[str]) -> DensePoseEncoding:
    """The densepose encoding a model without one is given: that of its data.

    Raises LeffaError for sources that have none in common.
    """
    found = dict.fromkeys(Source.parse(source).encoding for source in sources)
    if len(found) > 1:
        raise LeffaError(
            f"{' and '.join(sources)} have different densepose conditions "
            f"({', '.join(encoding.value for encoding in found)}): train on one kind at a time"
        )
    return next(iter(found))


def start(source: str, vae: str | None, base: str | None, encoding: DensePoseEncoding) -> "LeffaPipeline":
    """The pipeline to train, see ``--start``; ``encoding`` for base folders and official weights."""
    import torch

    from leffa.model import presets
    from leffa.model.library import AutoencoderKL
    from leffa.model.pipeline import LeffaPipeline

    if source == "nothing":
        if vae is None:
            raise LeffaError("--start nothing needs --vae: `leffa train-vae` makes one")
        if not (Path(vae) / "config.json").is_file():
            raise LeffaError(f"--vae {vae}: no config.json there; give the folder `leffa train-vae` wrote")
        pipeline = presets.pipeline("tiny", AutoencoderKL.from_pretrained(vae, local_files_only=True))
        for parameter in pipeline.unet.conv_out.parameters():
            torch.nn.init.zeros_(parameter)  # the first prediction is no worse than none
        return pipeline
    pipeline_of = partial(LeffaPipeline.from_base, densepose_encoding=encoding.value)
    if source.startswith("official:"):
        if base is None:
            raise LeffaError("--start official:FILE needs --base, the inpainting folder that gives its shape")
        return pipeline_of(base).load_official(source.removeprefix("official:"))
    folder = models.BUNDLED.folder if source == "bundled" else Path(source)
    if (folder / "model_index.json").is_file() and (folder / "reference_unet").is_dir():
        saved: LeffaPipeline = LeffaPipeline.from_pretrained(folder)
        return saved
    return pipeline_of(folder)


def open_rows(
    sources: list[str],
    pipeline: "LeffaPipeline",
    settings: TrainingSettings,
    cached: bool,
    split: str = "train",
) -> "Dataset[Any]":
    """One data set of training rows from ``KIND:WHERE`` sources; every file is looked for now.

    Raises LeffaError where the settings ask for known correspondence that a source does not have.
    """
    from torch.utils.data import ConcatDataset

    from leffa.data.packed import PackedDataset
    from leffa.training.latents import LatentRows, PictureRows

    named = [Source.parse(source) for source in sources]
    for source in named:
        if split == "train" and (settings.flow_weight or settings.occupancy_weight) and not source.knows_flow:
            raise LeffaError(
                f"the exact flow of {source.kind} pictures is not known: "
                "switch its losses off with --set flow_weight=0 --set occupancy_weight=0"
            )
    correspondence = all(source.knows_flow for source in named)
    parts: list[Dataset[Any]] = []
    for source in named:
        samples = source.open(settings.size, pipeline.config.densepose_encoding, split)
        if cached and isinstance(samples, PackedDataset):
            parts.append(LatentRows(samples, pipeline, settings.size, pictures=settings.leffa is not None))
        elif cached:
            raise LeffaError(f"--cache-latents keeps latents beside packed data, not beside {source.kind}")
        else:
            guide = settings.leffa is not None and settings.leffa.guide > 0
            parts.append(PictureRows(samples, settings.size, pipeline.downscale, correspondence, guide))
    return ConcatDataset(parts)
