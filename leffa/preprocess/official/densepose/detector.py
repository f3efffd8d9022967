"""DensePose on a picture: who is there, and which surface point of the body each pixel shows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from leffa.errors import PersonError, PictureError
from leffa.preprocess.official.densepose.boxes import clip_to, is_empty
from leffa.preprocess.official.densepose.charts import Box, iuv_picture, segmentation_picture
from leffa.preprocess.official.densepose.network import Charts, DensePoseNetwork
from leffa.preprocess.picture import NO_PERSON, require_rgb, size_of
from leffa.safe_pickle import load_state
from leffa.weights.load import fill

_SHORT_SIDE, _LONG_SIDE = 800, 1333
_STRIDE = 32
# Published as the means of B, G, R, but the official app hands over an RGB picture and the released try-on
# weights were trained with what comes of it: they are subtracted from R, G, B in this order.
_MEAN = (103.53, 116.28, 123.675)


@dataclass(frozen=True)
class Detection:
    """One person: box (x1, y1, x2, y2) in pixels of the picture, score in (0.5, 1], and the charts."""

    box: Box
    score: float
    charts: Charts


def largest(boxes: Sequence[Box]) -> int:
    """Index of the box with the largest area; of equal ones the first."""
    return max(range(len(boxes)), key=lambda i: (boxes[i][2] - boxes[i][0]) * (boxes[i][3] - boxes[i][1]))


class DensePose:
    """DensePose R50-FPN s1x with the published weights.

    People are listed by score, highest first, in ``detect`` and wherever a ``person`` is counted.
    Of several people the one with the ``largest`` box is taken (``strict=False``, what the engine uses).
    ``strict`` repeats what the official demo does: ``iuv`` shows the best-scored person, ``segmentation`` the
    last of the list, and a picture of nobody gives a black segmentation instead of an error.
    """

    def __init__(self, network: DensePoseNetwork, *, strict: bool = True) -> None:
        self.network = network
        self.strict = strict

    @classmethod
    def from_file(
        cls, path: str | Path, strict: bool = True, device: torch.device | str = "cpu"
    ) -> "DensePose":
        """Load the published ``model_final_162be9.pkl`` or our ``.safetensors`` of it.

        Nothing in the file is executed. Raises WeightsError if it is missing or does not fit.
        """
        with torch.device("meta"):
            network = DensePoseNetwork()
        return cls(fill(network, load_state(path), path).to(device), strict=strict)

    @torch.inference_mode()
    def detect(self, image: np.ndarray) -> list[Detection]:
        """Everybody in an RGB picture, (H, W, 3) uint8, highest score first; empty if there is nobody."""
        people = self._find(image)
        return self._detections(people, range(len(people.boxes)))

    @torch.inference_mode()
    def iuv(self, image: np.ndarray, person: int | Detection | None = None) -> np.ndarray:
        """Part and surface coordinates, (H, W, 3) uint8 in the official order **I, V, U**; 0 = background.

        I is a ``Part``; U and V are stretched together to 0..255 (see ``charts.iuv_picture``).
        ``person`` is an index into ``detect(image)`` or one of its detections, which saves the second look
        at the picture; left out, one is chosen as the class says. Raises PersonError if nobody is found.
        """
        chosen = self._choose(image, person, official=0)
        if chosen is None:
            raise PersonError(NO_PERSON)
        return iuv_picture(chosen.charts, chosen.box, size_of(image))

    @torch.inference_mode()
    def segmentation(self, image: np.ndarray, person: int | Detection | None = None) -> np.ndarray:
        """The 24 parts in PARULA colours on black, (H, W, 3) uint8 in the official order **B, G, R**.

        ``person`` as for ``iuv``. Raises PersonError if nobody is found; black in that case if ``strict``.
        """
        chosen = self._choose(image, person, official=-1)
        if chosen is not None:
            return segmentation_picture(chosen.charts, chosen.box, size_of(image))
        if self.strict:
            return np.zeros_like(image)
        raise PersonError(NO_PERSON)

    def _choose(self, image: np.ndarray, person: int | Detection | None, official: int) -> Detection | None:
        """The person asked for, with charts; None if none was asked for and nobody is there."""
        require_rgb(image)
        if isinstance(person, Detection):
            return person
        people = self._find(image)
        count = len(people.boxes)
        if person is None:
            if not count:
                return None
            person = official % count if self.strict else largest(people.boxes)
        elif not 0 <= person < count:
            raise PersonError(f"Person {person} was asked for, but 0 to {count - 1} were found.")
        return self._detections(people, [person])[0]

    def _find(self, image: np.ndarray) -> "_People":
        pixels, size = network_input(require_rgb(image))
        device = next(self.network.parameters()).device
        with _full_precision(device):
            pyramid = self.network.backbone(pixels.to(device))
            proposals, _ = self.network.proposals(pyramid, size)
            boxes, scores = self.network.people(pyramid, proposals, size)

        height, width = size_of(image)
        stretch = boxes.new_tensor([width / size[1], height / size[0]]).repeat(2)
        in_picture = clip_to(boxes * stretch, (height, width))
        solid = ~is_empty(in_picture)
        listed: list[Box] = [(x1, y1, x2, y2) for x1, y1, x2, y2 in in_picture[solid].tolist()]
        return _People(pyramid, boxes[solid], listed, scores[solid].tolist())

    def _detections(self, people: "_People", indices: Sequence[int]) -> list[Detection]:
        """Read the charts of some of the people; this is what costs time, so only for those needed."""
        if not indices:
            return []
        with _full_precision(people.network_boxes.device):
            decoded = self.network.roi_heads.decoder(people.pyramid[:4])
            charts = self.network.charts(decoded, people.network_boxes[list(indices)])
        return [
            Detection(people.boxes[index], people.scores[index], chart)
            for index, chart in zip(indices, charts, strict=True)
        ]


@dataclass(frozen=True)
class _People:
    """What the detector found: features p2..p6, boxes in network and in picture pixels, scores."""

    pyramid: list[Tensor]
    network_boxes: Tensor
    boxes: list[Box]
    scores: list[float]


def network_size(height: int, width: int) -> tuple[int, int]:
    """The size a picture is brought to: short side 800, unless the long one would then exceed 1333."""
    scale = _SHORT_SIDE / min(height, width)
    sides = [float(_SHORT_SIDE) if side == min(height, width) else side * scale for side in (height, width)]
    if max(sides) > _LONG_SIDE:
        shrink = _LONG_SIDE / max(sides)
        sides = [side * shrink for side in sides]
    return int(sides[0] + 0.5), int(sides[1] + 0.5)


def network_input(image: np.ndarray) -> tuple[Tensor, tuple[int, int]]:
    """(H, W, 3) uint8 -> (1, 3, h, w) float32 padded with 0 to multiples of 32, and the unpadded size."""
    height, width = network_size(*size_of(image))
    if min(height, width) < 1:
        raise PictureError(f"A picture of {image.shape[1]} x {image.shape[0]} pixels is too narrow.")
    resized = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    pixels = torch.zeros(1, 3, -(-height // _STRIDE) * _STRIDE, -(-width // _STRIDE) * _STRIDE)
    means = torch.tensor(_MEAN)[:, None, None]
    pixels[0, :, :height, :width] = torch.from_numpy(resized).float().permute(2, 0, 1) - means
    return pixels, (height, width)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """No TF32 in convolutions: its rounding moves boxes by a third of a pixel."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
