"""``leffa doctor``: what is installed, found and missing, what will run how fast, under which licences."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from leffa import __version__
from leffa.config import Task
from leffa.errors import LeffaError, WeightsError
from leffa.intactness import faults_in, how_to_mend
from leffa.report import report
from leffa.run import speed
from leffa.run.placement import Memory
from leffa.run.settings import as_options, quickest
from leffa.weights import models, pose_models, published
from leffa.weights.checksums import Checksums

if TYPE_CHECKING:
    from leffa.run.machine import Machine

SUMMARY = "tell what is here, what is missing, and what will run how fast"
EXAMPLES = "leffa doctor\nleffa doctor --thorough\nleffa doctor --device cpu --memory tiled"

PACKAGES = {
    "torch": "nothing runs without it",
    "diffusers": "nothing runs without it",
    "safetensors": "weights cannot be read without it",
    "huggingface_hub": "`leffa download` needs it",
    "accelerate": "the memory modes offload and sequential need it",
    "onnxruntime": "human parsing, and so the published try-on masks, need it",
    (
        "mediapipe" if sys.version_info < (3, 13) else "ai-edge-litert"
    ): "people are found by it where the published networks are not fetched",
    "gradio": "the app needs it",
}
"""What is told of a package that is not installed."""

Speed = Callable[[str], float]
"""Operations a second by the name of the dtype."""

VARIABLES = ("LEFFA_CHECKPOINTS", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HOME", "CUDA_VISIBLE_DEVICES")
_COMMANDS = {
    Task.TRY_ON: "leffa tryon PERSON GARMENT -o OUT",
    Task.POSE_TRANSFER: "leffa pose REFERENCE POSE -o OUT",
}
_OFFLINE_LICENCE = f"MediaPipe's models of pose, silhouette and faces: {pose_models.LICENCE}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--thorough", action="store_true", help="read every byte of the weights and compare checksums"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the best present)")
    parser.add_argument(
        "--memory",
        default="auto",
        choices=["auto", *(mode.value for mode in Memory)],
        help="as for tryon and pose (default: what fits)",
    )


def run(options: argparse.Namespace) -> None:
    """Print the findings. Raises WeightsError at the end if weights are damaged, or there are none to run."""
    report(f"leffa {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    _section("installed", _packages())
    given = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    if given:
        _section("environment", [f"{name}={value}" for name, value in given.items()])
    findings = [_look(name, options.thorough) for name in (*published.SETS, models.BUNDLED.name)]
    _section(f"weights in {models.CHECKPOINTS}", [line for finding in findings for line in finding.lines()])
    if missing := _missing_essentials():
        raise LeffaError(f"{' and '.join(missing)} cannot be loaded: install them with `pip install leffa`")
    _section("this machine", *_machine_and_runs(options))
    damaged = [finding for finding in findings if finding.faults]
    if damaged:
        raise WeightsError(
            "damaged weights: "
            + "; ".join(f"{finding.name}: {how_to_mend(finding.fetch is None)}" for finding in damaged)
        )
    if not any(model.is_present for model in models.MODELS.values()):
        raise WeightsError(
            f"there is nothing to run in {models.CHECKPOINTS}: the repository ships small weights, clone it "
            "again, or fetch the published ones with `leffa download`"
        )


def _section(title: str, lines: list[str], *more: tuple[str, list[str]]) -> None:
    for name, content in ((title, lines), *more):
        report(f"\n{name}")
        for line in content:
            report(f"  {line}")


# ------------------------------------------------------------------------------ packages


def _packages() -> list[str]:
    pins = _pins()
    lines = []
    for name, purpose in PACKAGES.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wanted = f"{name}=={pins[name]}" if name in pins else name
            lines.append(f"{name:<17}MISSING: {purpose}; `pip install {wanted}`")
            continue
        pin = pins.get(name)
        other = f"   (made and tested with {pin})" if pin and version.split("+")[0] != pin else ""
        lines.append(f"{name:<17}{version}{other}")
    return lines


def _pins() -> dict[str, str]:
    """Versions that this release was made with, by package; empty when leffa itself is not installed."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in metadata.requires("leffa") or []]
    except metadata.PackageNotFoundError:
        return {}
    met = [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})]
    return {item.name: next(iter(item.specifier)).version for item in met if item.specifier}


def _missing_essentials() -> list[str]:
    found = []
    for name in ("torch", "diffusers", "safetensors"):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(name)
    return found


# ------------------------------------------------------------------------------ weights


@dataclass(frozen=True)
class Finding:
    """A set of weights: where it should be, its licence, and what is wrong with it.

    origin  repository and commit, dtype; as recorded when it was fetched
    fetch   value of ``leffa download --what`` that brings it
    """

    name: str
    title: str
    licence: str
    files: list[Path]
    faults: list[str]
    origin: str
    fetch: str | None
    download: int = 0

    @property
    def is_here(self) -> bool:
        return bool(self.files)

    def lines(self) -> list[str]:
        if self.faults:
            state = f"DAMAGED: {', '.join(self.faults)}"
        elif self.is_here:
            size = sum(path.stat().st_size for path in self.files)
            state = f"here, {size / 1e9:.2f} GB, {self.origin}"
        elif self.fetch:
            state = f"missing: `leffa download --what {self.fetch}` fetches {self.download / 1e9:.1f} GB"
        else:
            state = "missing: it comes with the repository"
        lines = [f"{self.name:<17}{state}", f"{'':<17}{self.title}", f"{'':<17}licence: {self.licence}"]
        return lines + [f"{'':<17}  {path.relative_to(models.CHECKPOINTS)}" for path in self.files]


def _look(name: str, thorough: bool) -> Finding:
    folder = models.CHECKPOINTS / name
    weights = published.SETS.get(name)
    record = Checksums(models.CHECKPOINTS)
    about = record.about(name)
    origin = "checksums were not recorded"
    if about:
        origin = f"{about.get('repository')} at {about.get('revision', '')[:12]}, {about.get('dtype')}, "
        origin += "every byte as recorded" if thorough else "sizes as recorded"
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".onnx"))
    is_there = folder.is_dir()
    return Finding(
        name=name,
        title=weights.title if weights else models.BUNDLED.title,
        licence=weights.licence if weights else models.BUNDLED.licence,
        files=files,
        faults=[*faults_in(folder), *record.faults(name, thorough)] if is_there else [],
        origin=origin,
        fetch=_fetch(name) if weights else None,
        download=weights.download_size if weights else 0,
    )


def _fetch(name: str) -> str:
    """The smallest choice of ``leffa download`` that brings a set."""
    able = [what for what, sets in published.CHOICES.items() if name in {item.name for item in sets}]
    return min(able, key=lambda what: sum(item.download_size for item in published.CHOICES[what]))


# ------------------------------------------------------------------------------ what will run


def _machine_and_runs(options: argparse.Namespace) -> tuple[list[str], tuple[str, list[str]]]:
    from leffa.run.machine import inspect
    from leffa.run.placement import best_dtype

    machine = inspect(options.device)
    dtype = best_dtype(machine)

    @cache
    def operations(dtype: str) -> float:
        return speed.measure(machine, dtype)

    place = next(folder for folder in (models.CHECKPOINTS, *models.CHECKPOINTS.parents) if folder.exists())
    lines = [
        f"device           {machine.device}, {machine.name}, {machine.cores} cores",
        f"its memory       {_gigabytes(machine.total)}, {_gigabytes(machine.free)} of it free",
        f"speed            {speed.rate(operations(dtype))}, measured just now in {dtype}",
        f"disk             {_gigabytes(shutil.disk_usage(place).free)} free for weights",
    ]
    if machine.kind != "cpu":
        lines.insert(
            2, f"main memory      {_gigabytes(machine.ram_total)}, {_gigabytes(machine.ram_free)} free"
        )
    runs = [line for task in Task for line in _task(task, machine, operations, options.memory)]
    return lines, ("what will run", [*runs, "", *_people_finders()])


def _task(task: Task, machine: "Machine", operations: Speed, memory: str) -> list[str]:
    """The model that is taken for a task, and how the published ones would run that are not here."""
    try:
        taken = models.find(task)
    except WeightsError:
        taken = None
    lines = [f"{task.value:<17}{'nothing: no weights are here' if taken is None else ''}"]
    for model in (model for model in models.MODELS.values() if task in model.tasks):
        if not model.is_present and model is models.BUNDLED:
            continue
        if model.is_present and faults_in(model.folder):
            lines.append(f"  {model.name:<15}damaged, see above")
            continue
        state = "is taken" if model is taken else "on request" if model.is_present else "once fetched"
        told = _how_it_runs(model, task, machine, operations, memory)
        lines += [f"  {model.name:<15}{state}: {told[0]}", *(f"  {'':<15}{line}" for line in told[1:])]
    lines[0] = lines[0].rstrip()
    return lines


def _how_it_runs(
    model: models.Model, task: Task, machine: "Machine", operations: Speed, memory: str
) -> list[str]:
    """A line; another where the model would keep a machine without a graphics card busy for long."""
    from leffa.run.placement import Needs, choose
    from leffa.run.settings import Settings

    weights = published.SETS.get(model.name)
    if model.is_present:
        needs = Needs.of(model.folder, model.size)
    elif weights is not None:
        needs = Needs.of_published(weights, model.size)
    else:
        return ["it cannot be told how"]
    placement = choose(machine, needs, memory)
    wanted = needs.memory(placement)
    room = "" if wanted <= machine.free else ", MORE THAN IS FREE"

    def time(settings: Settings) -> str:
        resolved = settings.resolved(model)
        return speed.duration_text(
            speed.seconds(model, resolved, placement, needs, operations(placement.dtype))
        )

    lines = [
        f"{placement}; {_gigabytes(wanted)} of memory{room}; about {time(Settings())} "
        f"for a picture of {model.size[0]}x{model.size[1]} in {model.steps} steps"
    ]
    if machine.kind == "cpu" and model.smaller:
        quick = quickest(model)
        lines.append(f"about {time(quick)} with `{_COMMANDS[task]} {as_options(quick)}`")
    return lines


def _people_finders() -> list[str]:
    from leffa.preprocess.official.preprocessor import OfficialNetworks

    missing = OfficialNetworks.missing(models.CHECKPOINTS)
    if not missing:
        return ["people are found by DensePose, OpenPose and human parsing for the published weights"]
    names = ", ".join(item.name for item in missing)
    if not pose_models.is_here():
        return [f"people CANNOT be found: `{pose_models.COMMAND}` fetches MediaPipe's models"]
    return [
        f"people are found by MediaPipe ({names} not fetched: `leffa download --what preprocess`)",
        _OFFLINE_LICENCE,
    ]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
