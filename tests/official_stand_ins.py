"""DensePose, OpenPose and parsing that see what a test wants them to see."""

from dataclasses import dataclass, field

import numpy as np
import torch

from leffa.errors import PersonError
from leffa.preprocess.labels import Joint, Parse, Part
from leffa.preprocess.official.densepose import Detection
from leffa.preprocess.official.densepose.charts import iuv_picture
from leffa.preprocess.official.densepose.network import Charts
from leffa.preprocess.official.preprocessor import FRAME


def charts(upper: Part = Part.TORSO_FRONT, lower: Part = Part.LEFT_LOWER_LEG_FRONT) -> Charts:
    """One part above another in the middle of the box, u from left to right, v from top to bottom."""
    labels = torch.zeros(112, 112, dtype=torch.long)
    labels[8:56, 16:96], labels[56:104, 16:96] = int(upper), int(lower)
    fine = 10 * torch.nn.functional.one_hot(labels, 25).permute(2, 0, 1).float()
    body = (labels > 0).float()
    ramp = torch.linspace(0.1, 0.9, 112)
    u, v = ramp.expand(25, 112, 112), ramp[:, None].expand(25, 112, 112)
    return Charts(10 * torch.stack([1 - body, body]), fine, u, v)


SMALL = Detection((40.0, 200.0, 240.0, 700.0), 0.99, charts(lower=Part.RIGHT_LOWER_LEG_FRONT))
LARGE = Detection((300.0, 100.0, 700.0, 1000.0), 0.80, charts())


@dataclass
class Eyes:
    """Stands for ``OfficialNetworks``: the three networks in one.

    people  what DensePose finds, best score first
    joints  (18, 2) in 384 x 512, or None: OpenPose finds nobody
    parse_labels  (512, 384)
    asked   what was looked for, in order
    """

    people: list[Detection] = field(default_factory=lambda: [SMALL, LARGE])
    joints: np.ndarray | None = None
    parse_labels: np.ndarray = field(default_factory=lambda: parse_of_two())  # noqa: PLW0108 - defined below
    asked: list[str] = field(default_factory=list)
    fails_once: Exception | None = None

    @property
    def densepose(self):
        return self

    openpose = parser = densepose

    def move_to_cpu(self) -> bool:
        self.asked.append("move")
        return self.asked.count("move") == 1

    def detect(self, image):
        self.asked.append("detect")
        if self.fails_once:
            error, self.fails_once = self.fails_once, None
            raise error
        assert image.shape == (*FRAME, 3)
        return self.people

    def iuv(self, image):
        return iuv_picture(self.people[0].charts, self.people[0].box, FRAME)

    def keypoints(self, image, box=None):
        self.asked.append("keypoints")
        assert image.shape == (512, 384, 3)
        if self.joints is None:
            raise PersonError("nobody")
        return self.joints

    def parse(self, image):
        self.asked.append("parse")
        assert image.shape == (512, 384, 3)
        return self.parse_labels


def parse_of_two() -> np.ndarray:
    """Clothes of the two people above: tops over trousers, at half of the frame's size."""
    labels = np.zeros((512, 384), np.uint8)
    for detection in (SMALL, LARGE):
        left, top, right, bottom = (int(side / 2) for side in detection.box)
        middle = (top + bottom) // 2
        labels[top + 40 : middle, left + 20 : right - 20] = Parse.UPPER_CLOTHES
        labels[middle : bottom - 20, left + 20 : right - 20] = Parse.PANTS
        labels[top : top + 30, (left + right) // 2 - 15 : (left + right) // 2 + 15] = Parse.HEAD
    return labels


def joints_of(detection: Detection) -> np.ndarray:
    """Shoulders, elbows and wrists at the sides of a person, in 384 x 512."""
    left, top, right, bottom = (side / 2 for side in detection.box)
    joints = np.zeros((18, 2))
    arms = (
        (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, left + 25),
        (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST, right - 25),
    )
    for shoulder, elbow, wrist, x in arms:
        for i, joint in enumerate((shoulder, elbow, wrist)):
            joints[joint] = x, top + 50 + i * (bottom - top) / 5
    return joints
