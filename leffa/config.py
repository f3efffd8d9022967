"""Enums of the domain and the frozen settings shared by pipeline, engine, app and training."""

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
