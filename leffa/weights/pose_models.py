"""The models that find people: where mediapipe's files lie, and how they come where it cannot be installed.

They are in the wheel of mediapipe 0.10.21, which Python from 3.13 on cannot install; later wheels have none.
There the wheel is fetched once and only its models are kept. Every file is the one that its SHA-256 names, or
it is refused. Licence: Apache 2.0.
"""

import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from leffa.errors import WeightsError
from leffa.files import in_words, replaced, sha256
from leffa.report import report
from leffa.weights import models
from leffa.weights.packages import PackageFile, obtain

LICENCE = "Apache 2.0"
COMMAND = "leffa download --what people"
NAME = "people"
"""Value of ``leffa download --what`` that brings them."""

SHA256 = {
    "pose_detection/pose_detection.tflite": (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
    ),
    "pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
    "face_detection/face_detection_full_range_sparse.tflite": (
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1"
    ),
}
"""The models, by their place in the package's folder ``modules``."""

WHEEL = PackageFile(
    "https://files.pythonhosted.org/packages/9f/99/"
    "5da7ae7f7e25847383bc2fe5a9adc7ce150dd371682f486c0666b407cad7/mediapipe-0.10.21-cp312-cp312-manylinux_2_28_x86_64.whl",
    "956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5",
    35_627_340,
)
"""Any wheel of this version would do: the models do not depend on the system."""


def packaged() -> Path | None:
    """Folder of the models in an installed mediapipe that has them and can run them; it is not imported."""
    found = importlib.util.find_spec("mediapipe")
    for place in (found and found.submodule_search_locations) or ():
        modules = Path(place) / "modules"
        if (Path(place) / "python" / "solutions").is_dir() and all(
            (modules / name).is_file() for name in SHA256
        ):
            return modules
    return None


def fetched() -> Path:
    """Folder for the models that were fetched: beside the other weights, or where the repository has them."""
    places = [folder / "mediapipe" for folder in (models.CHECKPOINTS, models.SHIPPED)]
    return next((place for place in places if _are_in(place)), places[0])


def _are_in(folder: Path) -> bool:
    return all((folder / Path(name).name).is_file() for name in SHA256)


def is_here() -> bool:
    """Whether the models are in an installed mediapipe or were fetched; they are not read."""
    return packaged() is not None or _are_in(fetched())


def paths() -> dict[str, Path]:
    """The models by file name, each read and found whole. Raises WeightsError with what mends it."""
    package = packaged()
    found = {}
    for name, digest in SHA256.items():
        path = fetched() / Path(name).name if package is None else package / name
        if not path.is_file():
            raise WeightsError(
                f"the models that find people are not here ({path} is missing): `{COMMAND}` fetches them, "
                f"36 MB from PyPI"
            )
        if sha256(path) != digest:
            mend = f"`{COMMAND}` fetches it again" if package is None else "install mediapipe again"
            raise WeightsError(f"{path} is damaged: {mend}")
        found[path.name] = path
    return found


def fetch(source: Path | None = None, say: Callable[[str], None] = report, dry_run: bool = False) -> None:
    """Bring the models to ``fetched()``, unless they are here and whole.

    source  folder that already has the wheel, None = fetch it from PyPI

    Raises WeightsError, or FileError where the folder cannot be written.
    """
    try:
        folder = next(iter(paths().values())).parent
        return say(f"{NAME}: the models that find people are here and whole, {folder}")
    except WeightsError:
        pass
    say(f"{NAME}: models that find people, out of a wheel of mediapipe, 36 MB")
    say(f"  licence: {LICENCE}")
    if dry_run:
        return None
    with TemporaryDirectory() as scratch:
        _unpack(obtain(WHEEL, source, Path(scratch), COMMAND))
    return say(f"  kept in {fetched()}")


def _unpack(wheel: Path) -> None:
    """Take the models out of the wheel."""
    with in_words(fetched()):
        fetched().mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in SHA256:
            with replaced(fetched() / Path(name).name) as partial:
                partial.write_bytes(archive.read(f"mediapipe/modules/{name}"))
