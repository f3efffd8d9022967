"""Single files from the hub: looked up, and fetched with a resume that outlives the process.

The transport, its retries, its progress bar and its environment variables are huggingface_hub's
(``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_TOKEN``, proxies). Only the keeping of what has arrived is ours:
its own ``hf_hub_download`` throws a partial file away, which hurts with 20 GB.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from leffa.errors import WeightsError
from leffa.files import system_error
from leffa.weights.published import REPOSITORY

_DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota error
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it.

    name  path in the repository
    url   where it is
    size  bytes
    etag  what the hub knows the content by: for large files their SHA-256
    """

    name: str
    url: str
    size: int
    etag: str

    @property
    def sha256(self) -> str | None:
        is_digest = len(self.etag) == _SHA256_DIGITS and set(self.etag) <= set("0123456789abcdef")
        return self.etag if is_digest else None


def endpoint() -> str:
    """The hub that is asked: huggingface.co, or the mirror that ``HF_ENDPOINT`` names."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def is_official() -> bool:
    """Whether the hub itself is asked, and no mirror."""
    return endpoint() == "https://huggingface.co"


def look_up(name: str, revision: str) -> RemoteFile:
    """Ask the hub for a file's size and checksum. Raises WeightsError with one sentence."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(REPOSITORY, name, revision=revision, endpoint=endpoint())
    with _in_a_sentence(name, revision):
        found = get_hf_file_metadata(url, endpoint=endpoint(), retry_on_errors=False)
    if found.size is None or not found.etag or not found.commit_hash:
        raise WeightsError(f"{endpoint()} does not speak as the hub does: check HF_ENDPOINT")
    return RemoteFile(name, url, found.size, found.etag)


def cached(name: str, revision: str) -> Path | None:
    """The file in huggingface_hub's own cache, if another program has fetched it."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(REPOSITORY, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def fetch(remote: RemoteFile, revision: str, target: Path) -> Path:
    """Bring a file to ``target``, going on from what an earlier try has left; returns ``target``.

    The content is not checked here. Raises WeightsError; what has arrived is kept for the next try.
    """
    part = _part(remote, target)
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists() and part.stat().st_size > remote.size:
        part.unlink()
    with _in_a_sentence(remote.name, revision, part):
        while not _fetched(remote, part):
            pass
    part.replace(target)
    return target


def remaining(remote: RemoteFile, target: Path) -> int:
    """Bytes that ``fetch`` would still transfer."""
    part = _part(remote, target)
    return remote.size - (part.stat().st_size if part.exists() else 0)


def _part(remote: RemoteFile, target: Path) -> Path:
    """Named by content, so that pieces of two versions are never put together."""
    return target.with_name(f"{target.name}.{remote.etag[:12]}.part")


def _fetched(remote: RemoteFile, part: Path) -> bool:
    """One go, with huggingface_hub's own retries; False if it was cut but has brought something."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    with part.open("ab") as file:
        before = file.tell()
        try:
            http_get(
                remote.url,
                file,
                resume_size=before,
                headers=build_hf_headers(),
                expected_size=remote.size,
                displayed_filename=remote.name,
            )
        except http_client().TransportError:
            file.flush()
            if file.tell() <= before:
                raise
            return False
    return True


def http_client() -> ModuleType:
    """The library whose errors huggingface_hub raises: httpx2; before its version 2 (Python 3.10) httpx."""
    try:
        return import_module("httpx2")
    except ModuleNotFoundError:
        return import_module("httpx")


@contextmanager
def _in_a_sentence(name: str, revision: str, part: Path | None = None) -> Iterator[None]:
    """Turn what the network and the disk can do into WeightsErrors."""
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise WeightsError(f"{name} is not here and HF_HUB_OFFLINE forbids fetching it: unset it") from None
    except errors.GatedRepoError:
        raise WeightsError(
            f"{endpoint()} wants an account that may read {REPOSITORY}: accept its terms on its page, and "
            "log in with `hf auth login` or set HF_TOKEN"
        ) from None
    except errors.RepositoryNotFoundError:
        raise WeightsError(
            f"{endpoint()} shows no repository {REPOSITORY}: check HF_ENDPOINT, or, if it is private there, "
            "log in with `hf auth login` or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise WeightsError(f"{endpoint()} has no commit {revision} of {REPOSITORY}: try --revision") from None
    except errors.RemoteEntryNotFoundError:
        raise WeightsError(f"{endpoint()} has no file {name} in commit {revision} of {REPOSITORY}") from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "with an error")
        if status in (401, 403):
            raise WeightsError(
                f"{endpoint()} refuses {name} ({status}): log in with `hf auth login`, or set HF_TOKEN"
            ) from None
        raise WeightsError(f"{endpoint()} answered {status} when asked for {name}: try again later") from None
    except http_client().HTTPError as error:
        raise WeightsError(_unreachable(name, error, part)) from None
    except OSError as error:
        if is_disk_full(error):
            raise WeightsError(disk_full(part.parent if part else Path())) from None
        raise WeightsError(
            f"{name} could not be fetched ({error}): run the same command again to go on"
        ) from None


def _unreachable(name: str, error: Exception, part: Path | None) -> str:
    if part is not None and part.exists() and part.stat().st_size:
        arrived = part.stat().st_size / 1e6
        return (
            f"the connection broke off while {name} was fetched ({type(error).__name__}); {arrived:,.1f} MB "
            "have arrived and are kept: run the same command again to go on"
        )
    return (
        f"no connection to {endpoint()} ({type(error).__name__}): check the network, or name a mirror "
        "in HF_ENDPOINT"
    )


def disk_full(folder: Path) -> str:
    """The sentence for a disk that ran full while something was written to ``folder``."""
    return f"the disk of {folder} is full: make room and run the same command again; it goes on where it was"


def is_disk_full(error: Exception) -> bool:
    """Whether this is how Python, or safetensors, says that the disk is full."""
    told = system_error(error)
    return told is not None and told.errno in _DISK_FULL
