"""OpenPose on a picture: the 18 body joints of one person."""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from leffa.errors import PersonError
from leffa.preprocess.labels import Joint
from leffa.preprocess.official.openpose.network import STRIDE, OpenPoseNetwork
from leffa.preprocess.official.openpose.people import Body, find_peaks, find_people
from leffa.preprocess.picture import NO_PERSON, require_rgb
from leffa.safe_pickle import load_state
from leffa.weights.load import fill

HEIGHT, WIDTH = 512, 384  # the frame that key points are counted in
_NETWORK_SCALE = 0.5 * 368 / HEIGHT
_PADDING = 128


def network_input(image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """(512, 384, 3) uint8 RGB -> (3, h, w) float32 BGR in [-0.5, 0.5), and its size before padding."""
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    small = cv2.resize(bgr, (0, 0), fx=_NETWORK_SCALE, fy=_NETWORK_SCALE, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    padding = ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
    padded = np.pad(small, padding, constant_values=_PADDING)
    return padded.transpose(2, 0, 1).astype(np.float32) / 256 - 0.5, (height, width)


def full_size_maps(maps: np.ndarray, inner_size: tuple[int, int]) -> np.ndarray:
    """Network maps (C, h, w) float32 -> (512, 384, C) float64; ``inner_size`` cuts the padding off."""
    height, width = inner_size
    full = np.empty((HEIGHT, WIDTH, len(maps)))
    for channel, small in enumerate(maps):  # OpenCV resizes at most four channels at once
        padded = cv2.resize(small, (0, 0), fx=STRIDE, fy=STRIDE, interpolation=cv2.INTER_LANCZOS4)
        inner = np.ascontiguousarray(padded[:height, :width])
        full[:, :, channel] = cv2.resize(inner, (WIDTH, HEIGHT), interpolation=cv2.INTER_LANCZOS4)
    return full


class OpenPoseBody:
    """OpenPose with the published body weights (CMU, non-commercial).

    ``strict`` repeats the released code, which takes the person with the best link from neck to right
    shoulder and then renumbers the joints in a way that is right for a single person only. The default of
    the engine (``strict=False``) takes the largest person and looks each joint up.
    """

    def __init__(self, network: OpenPoseNetwork, *, strict: bool = True) -> None:
        self.network = network
        self.strict = strict

    @classmethod
    def from_file(
        cls, path: str | Path, strict: bool = True, device: torch.device | str = "cpu"
    ) -> "OpenPoseBody":
        """Load the published ``body_pose_model.pth`` or our ``.safetensors`` of it; executes nothing in it.

        Raises WeightsError if the file is missing or does not fit.
        """
        with torch.device("meta"):
            network = OpenPoseNetwork()
        return cls(fill(network, load_state(path), path).to(device), strict=strict)

    def keypoints(
        self, image: np.ndarray, box: tuple[float, float, float, float] | None = None
    ) -> np.ndarray:
        """The 18 ``Joint`` places (18, 2) float64 as x, y in a frame of 384 x 512 pixels; (0, 0) = missing.

        image  (H, W, 3) uint8 RGB; brought to 384 x 512 by PIL's bicubic resize, as the official app does,
               so letterbox it to 3:4 first
        box    (x1, y1, x2, y2) in the same frame: take the person with most joints inside, instead of the
               one that the class says

        Raises PersonError if nobody is found.
        """
        image = require_rgb(image)
        if image.shape[:2] != (HEIGHT, WIDTH):
            resized = Image.fromarray(image).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            image = np.asarray(resized)
        fields, heats = self.maps(image)
        return keypoints_from_maps(fields, heats, strict=self.strict, box=box)

    @torch.inference_mode()
    def maps(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(512, 384, 3) uint8 RGB -> fields (512, 384, 38) and heat maps (512, 384, 19), float64."""
        pixels, inner_size = network_input(image)
        device = next(self.network.parameters()).device
        fields, heats = self.network(torch.from_numpy(pixels)[None].to(device))
        return full_size_maps(fields.cpu().numpy(), inner_size), full_size_maps(
            heats.cpu().numpy(), inner_size
        )


def keypoints_from_maps(
    fields: np.ndarray,
    heats: np.ndarray,
    *,
    strict: bool,
    box: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """(512, 384, 38) and (512, 384, 19) float64 -> (18, 2) float64, as ``OpenPoseBody.keypoints``."""
    peaks, indices = find_peaks(heats)
    bodies = find_people(peaks, indices, fields)
    if not bodies:
        raise PersonError(NO_PERSON)
    if strict and box is None:
        return _renumbered(peaks, bodies[0])
    people = [_looked_up(peaks, body) for body in bodies]
    if box is None:
        return max(people, key=_extent)
    return max(people, key=lambda points: (_joints_inside(points, box), _extent(points)))


def _looked_up(peaks: np.ndarray, body: Body) -> np.ndarray:
    found = body.joints >= 0
    points = np.zeros((len(Joint), 2))
    points[found] = peaks[body.joints[found], :2]
    return points


def _renumbered(peaks: np.ndarray, body: Body) -> np.ndarray:
    """The released code's way: edit the list of *all* peaks until the first 18 should be the joints.

    A missing joint gets a (0, 0) put in; a surplus peak in front of a joint is taken out, but one a joint
    only, so with more than one person the rest goes out of step.
    """
    points = [tuple(point) for point in peaks[:, :2]]
    places = body.joints.copy()
    for joint in range(len(Joint)):
        if places[joint] == -1:
            points.insert(joint, (0.0, 0.0))
            step = 1
        elif places[joint] != joint and joint < len(points):
            points.pop(joint)
            step = -1
        else:
            continue
        later = places[joint:]
        later[later != -1] += step
    points = points[: len(Joint)]
    return np.array(points + [(0.0, 0.0)] * (len(Joint) - len(points)))


def _extent(points: np.ndarray) -> float:
    """Area of the bounding box of the joints found."""
    found = points[points.any(axis=1)]
    return float(np.prod(found.max(0) - found.min(0)))


def _joints_inside(points: np.ndarray, box: tuple[float, float, float, float]) -> int:
    x1, y1, x2, y2 = box
    x, y = points[points.any(axis=1)].T
    return int(((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).sum())
