"""Enums of the domain and the frozen settings shared by pipeline, engine, app and training."""

from dataclasses import dataclass
from enum import Enum


class Task(str, Enum):
    """What is to be done with the two pictures."""

    TRY_ON = "try_on"
    POSE_TRANSFER = "pose_transfer"


class Garment(str, Enum):
    """Kind of garment to try on. Accepts the data sets' spellings too: ``Garment("upper_body")``."""

    UPPER = "upper"
    LOWER = "lower"
    DRESS = "dress"

    @classmethod
    def _missing_(cls, value: object) -> "Garment | None":
        return {"upper_body": cls.UPPER, "lower_body": cls.LOWER, "dresses": cls.DRESS}.get(str(value))

    @property
    def dataset_name(self) -> str:
        """Spelling of the DressCode folders: upper_body, lower_body, dresses."""
        return {"upper": "upper_body", "lower": "lower_body", "dress": "dresses"}[self.value]


class Sleeve(str, Enum):
    """How far down the arm the mask reaches."""

    NONE = "none"
    ELBOW = "elbow"
    WRIST = "wrist"


class Hem(str, Enum):
    """How far down the body the mask reaches."""

    WAIST = "waist"
    HIP = "hip"
    KNEE = "knee"
    ANKLE = "ankle"


class DensePoseEncoding(str, Enum):
    """How an IUV map becomes the three condition channels of the generative UNet.

    VITON_HD       RGB of the 24-part PARULA picture (the released VITON-HD weights)
    DRESS_CODE     part index repeated on three channels (the released DressCode weights)
    POSE_DEMO      U, V, I picture through the ordinary image normalisation (what the official demo does)
    POSE_TRAINING  U, V / 255 and I / 24, then * 2 - 1 (what the pose-transfer weights were trained with)
    BODY           smooth body coordinates: x, y on a standing body and facing (the bundled weights)
    """

    VITON_HD = "viton-hd"
    DRESS_CODE = "dress-code"
    POSE_DEMO = "pose-demo"
    POSE_TRAINING = "pose-training"
    BODY = "body"


TEMPERATURE = 2.0
"""tau of the loss (paper, section 3.3 and ablation); the flow is read at the temperature it is trained at."""


SEEDS = 2**32
"""How many seeds there are: 0 and up."""


def sample_seed(seed: int, sample: int) -> int:
    """Of a run's samples each is the picture of a run of its own with this seed."""
    return (seed + sample) % SEEDS


MIN_RESOLUTION = 1 / 32
"""theta_resolution: layers whose height is a smaller share of the picture's are not trained, and not read."""

MAX_TIMESTEP = 500
"""theta_timestep, of 1000: what is noisier is not trained, and does not enter the flow that is shown."""


class GridConvention(str, Enum):
    """Where the coordinates -1 and 1 lie.

    CENTERS  on the outer edges of the picture; token i of n stands at (2 i + 1) / n - 1, the centre of its
             cell, and pixels likewise. Identity attention is the identity warp, at every scale. Default.
    CORNERS  the literal text of the paper: the first token at -1, the last at 1, then ordinary bilinear
             upsampling and ``grid_sample``, which think in cell centres. A perfect self-correspondence is
             displaced by about half a cell on average. For parity with such implementations.
    """

    CENTERS = "centers"
    CORNERS = "corners"


class Photometric(str, Enum):
    """How the warped reference is compared with the target: squared error (the paper's) or smooth L1."""

    SQUARED = "squared"
    SMOOTH_L1 = "smooth-l1"


@dataclass(frozen=True)
class LeffaLossConfig:
    """Settings of the Leffa loss; the defaults are the paper's (section 3.3 and ablations).

    weight           lambda in L = L_diffusion + lambda * L_leffa; presumes means over pixels and layers
    temperature      tau
    max_timestep     theta_timestep: a sample counts only if its t is below
    min_resolution   theta_resolution: layers with h / H below do not count
    photometric, convention, mean_over_heads  see their types; False is the paper's per-head ablation
    upsample_flow    False compares at the layer's size with downsampled pictures (ablation)
    guide            weight of the guide beside the photometric term, 0 = the paper's loss. It holds a flow
                     near the one that stretches the garment by its box; ours, needs the reference's mask.
                     With a weight of 1e-2, 3000 is felt beside the diffusion loss (docs/proof.md)
    guide_slack      how far from that flow the guide begins, in units of half a side
    """

    weight: float = 1e-3
    temperature: float = TEMPERATURE
    max_timestep: int = MAX_TIMESTEP
    min_resolution: float = MIN_RESOLUTION
    photometric: Photometric = Photometric.SQUARED
    convention: GridConvention = GridConvention.CENTERS
    mean_over_heads: bool = True
    upsample_flow: bool = True
    guide: float = 0.0
    guide_slack: float = 0.05
