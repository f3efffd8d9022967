"""What the authors published: the files, their sizes, checksums and licences, and what is made of them.

Sizes and SHA-256 are those that the hub's own pages of the repository state (read from a stored copy of
those pages); a file that has none here is checked against what the hub says while it is downloaded.
"""

from dataclasses import dataclass
from typing import Any

from leffa.config import DensePoseEncoding

REPOSITORY = "franciszzj/Leffa"
REVISION = "e90e94fc85e4cc8efa35b40cc1b502451a42a583"
"""The commit that is downloaded: of January 2025, the newest one known when this was written.

To move on: take the full hash of a later commit from the hub's page "Files and versions", put it here, and
compare ``SHA256`` below with the pages of the large files. ``leffa download --revision`` tries one out.
"""

_VITON_HD = "published under MIT; trained on VITON-HD, whose pictures are for non-commercial use only"
_DRESS_CODE = "published under MIT; trained on DressCode, whose pictures are for non-commercial use only"
_DEEP_FASHION = "published under MIT; trained on DeepFashion, which is for non-commercial research only"
_SD = "; made from Stable Diffusion 1.5 inpainting (CreativeML OpenRAIL-M)"
_SDXL = "; made from Stable Diffusion XL inpainting 0.1 (CreativeML OpenRAIL++-M)"
_DETECTRON = "CC BY-SA 3.0 (detectron2 model zoo)"
_OPENPOSE = "CMU OpenPose licence: non-commercial use only"
_PARSING = "self-correction human parsing, ATR and LIP data; no licence is stated with the files"


@dataclass(frozen=True)
class PublishedFile:
    """A file of the repository.

    name    path in the repository
    size    bytes; about, where the pages round it
    sha256  as the hub's pages state it; None where it is not known or the file is too small to have one
    """

    name: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class WeightSet:
    """What one folder of ours is made from.

    name      of the folder
    title     what it is, for people
    files     what is downloaded for it
    kept      bytes that stay on the disk, in float16 where that is a choice; about
    licence   what is known of it
    base      repository folder of the configs, for a generator
    encoding  body-part condition that a generator wants
    parameters  of a generator: of its reference UNet, generative UNet and VAE, as they are kept
    linear    of them in the linear layers of the two UNets
    has_float32_vae  whether a generator's VAE overflows in half precision
    """

    name: str
    title: str
    files: tuple[PublishedFile, ...]
    kept: int
    licence: str
    base: str | None = None
    encoding: DensePoseEncoding | None = None
    parameters: tuple[int, int, int] = (0, 0, 0)
    linear: int = 0
    has_float32_vae: bool = False

    @property
    def download_size(self) -> int:
        """Bytes to fetch, about."""
        return sum(file.size for file in self.files)

    @property
    def weights(self) -> PublishedFile:
        """The largest file."""
        return max(self.files, key=lambda file: file.size)


SHA256 = {
    "virtual_tryon_dc.pth": "c42a83129b885528457a49f9bb9bcb02b5c96e8c7d007421e29e45c73ce626bf",
    "pose_transfer.pth": "3d8c4acf1e6737a846a67690ac4e109fc7cf4bc7a8186fe4f73115274182a766",
    "densepose/model_final_162be9.pkl": "b8a7382001b16e453bad95ca9dbc68ae8f2b839b304cf90eaf5c27fbdb4dae91",
    "openpose/body_pose_model.pth": "25a948c16078b0f08e236bda51a385d855ef4c153598947c28c0d47ed94bb746",
    "humanparsing/parsing_atr.onnx": "04c7d1d070d0e0ae943d86b18cb5aaaea9e278d97462e9cfb270cbbe4cd977f4",
    "humanparsing/parsing_lip.onnx": "8436e1dae96e2601c373d1ace29c8f0978b16357d9038c17a8ba756cca376dbc",
}
"""Of the large files, as the hub's pages state it."""


def _large(name: str, size: int) -> PublishedFile:
    return PublishedFile(name, size, SHA256.get(name))


def _base(folder: str) -> tuple[PublishedFile, ...]:
    names = ("scheduler/scheduler_config.json", "unet/config.json", "vae/config.json")
    return tuple(PublishedFile(f"{folder}/{name}", 1000) for name in names)


_SD_FOLDER = "stable-diffusion-inpainting"
_SDXL_FOLDER = "stable-diffusion-xl-1.0-inpainting-0.1"
_SD_SHAPE: dict[str, Any] = {
    "kept": 3_610_000_000,
    "base": _SD_FOLDER,
    "parameters": (859_520_964, 859_544_004, 83_653_863),
    "linear": 2 * 270_049_280,
}

VITON_HD = WeightSet(
    "viton-hd",
    "try-on of tops, trained on VITON-HD",
    (*_base(_SD_FOLDER), _large("virtual_tryon.pth", 7_211_000_000)),
    licence=_VITON_HD + _SD,
    encoding=DensePoseEncoding.VITON_HD,
    **_SD_SHAPE,
)
DRESS_CODE = WeightSet(
    "dress-code",
    "try-on of tops, lower garments and dresses, trained on DressCode",
    (*_base(_SD_FOLDER), _large("virtual_tryon_dc.pth", 7_211_000_000)),
    licence=_DRESS_CODE + _SD,
    encoding=DensePoseEncoding.DRESS_CODE,
    **_SD_SHAPE,
)
DEEP_FASHION = WeightSet(
    "deep-fashion",
    "pose transfer, trained on DeepFashion",
    (*_base(_SDXL_FOLDER), _large("pose_transfer.pth", 20_876_062_782)),
    kept=10_600_000_000,
    licence=_DEEP_FASHION + _SDXL,
    base=_SDXL_FOLDER,
    encoding=DensePoseEncoding.POSE_DEMO,
    parameters=(2_562_218_244, 2_562_241_284, 83_653_863),
    linear=2 * 2_227_404_800,
    has_float32_vae=True,
)
DENSEPOSE = WeightSet(
    "densepose",
    "body parts (DensePose R50-FPN s1x)",
    (_large("densepose/model_final_162be9.pkl", 256_000_000),),
    kept=256_000_000,
    licence=_DETECTRON,
)
OPENPOSE = WeightSet(
    "openpose",
    "joints (OpenPose body)",
    (_large("openpose/body_pose_model.pth", 209_267_595),),
    kept=209_300_000,
    licence=_OPENPOSE,
)
PARSING = WeightSet(
    "parsing",
    "clothes and skin (human parsing, ATR and LIP)",
    (
        _large("humanparsing/parsing_atr.onnx", 266_859_305),
        _large("humanparsing/parsing_lip.onnx", 266_863_411),
    ),
    kept=533_800_000,
    licence=_PARSING,
)

PREPROCESS = (DENSEPOSE, OPENPOSE, PARSING)

CHOICES: dict[str, tuple[WeightSet, ...]] = {
    "tryon": (VITON_HD, *PREPROCESS),
    "tryon-dresscode": (DRESS_CODE, *PREPROCESS),
    "pose": (DEEP_FASHION, DENSEPOSE),  # there is no mask to be found: no joints, no parsing
    "preprocess": PREPROCESS,
    "all": (VITON_HD, DRESS_CODE, DEEP_FASHION, *PREPROCESS),
}
"""What ``leffa download --what`` knows, and the sets that each task needs, no more."""

SETS: dict[str, WeightSet] = {item.name: item for item in CHOICES["all"]}
