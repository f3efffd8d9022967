"""The preprocessor of the released demo, for the published weights: DensePose, OpenPose and human parsing."""

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Garment
from leffa.errors import LeffaError, PersonError, is_out_of_memory
from leffa.framing import Box
from leffa.images import Letterbox
from leffa.preprocess.official.densepose import DensePose, Detection
from leffa.preprocess.official.densepose.charts import iuv_picture
from leffa.preprocess.official.masks import HEIGHT, WIDTH, Recipe, official_mask
from leffa.preprocess.official.openpose import OpenPoseBody
from leffa.preprocess.official.parsing import HumanParser
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.picture import NO_PERSON, require_rgb, size_of
from leffa.weights import published
from leffa.weights.published import WeightSet

FRAME = (1024, 768)
"""(height, width) of the released demo: photos are letterboxed to it before anything is looked for."""

_TO_MASK = WIDTH / FRAME[1]
_ROOM = 0.05  # around the chosen person's box where others stand near, of its longer side


class OfficialNetworks:
    """The networks of ``leffa download``, each loaded when it is first used. Serves any number of threads.

    folder  where the weights are kept
    device  for DensePose and OpenPose; the parsing networks run on the CPU. Short of memory there, they move
            to the CPU by themselves
    """

    def __init__(self, folder: Path, device: str = "cpu"):
        self._folder, self._device = folder, device
        self._loaded: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["OfficialNetworks"], tuple[Path, str]]:
        """In another process the networks load when they are needed."""
        return OfficialNetworks, (self._folder, self._device)

    @staticmethod
    def missing(folder: Path, sets: tuple[WeightSet, ...] = published.PREPROCESS) -> list[WeightSet]:
        """Which of the weight sets are not in ``folder``."""
        return [item for item in sets if not (folder / item.name).is_dir()]

    @property
    def densepose(self) -> DensePose:
        path = self._folder / published.DENSEPOSE.name / "densepose.safetensors"
        return self._get("densepose", lambda: DensePose.from_file(path, False, self._device))

    @property
    def openpose(self) -> OpenPoseBody:
        path = self._folder / published.OPENPOSE.name / "openpose.safetensors"
        return self._get("openpose", lambda: OpenPoseBody.from_file(path, False, self._device))

    @property
    def parser(self) -> HumanParser:
        folder = self._folder / published.PARSING.name
        files = (folder / "parsing_atr.onnx", folder / "parsing_lip.onnx")
        return self._get("parser", lambda: HumanParser.from_files(*files))

    def move_to_cpu(self) -> bool:
        """Leave the device; False if the networks were on the CPU already."""
        with self._lock:
            moved, self._device = self._device != "cpu", "cpu"
            for name in ("densepose", "openpose"):
                if name in self._loaded:
                    self._loaded[name].network.to("cpu")
        return moved

    def _get(self, name: str, load: Any) -> Any:
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load()
            return self._loaded[name]


@dataclass(frozen=True)
class OfficialPerson:
    """One person of a photo.

    box        in whole photo pixels
    detection  what DensePose found, in pixels of the frame
    look       the photo in its frame, and what else was found in it
    """

    box: Box
    detection: Detection
    look: "_Look" = field(repr=False)

    @property
    def area(self) -> float:
        """Share of the photo that the body covers."""
        covered = np.count_nonzero(self.iuv[..., 0])
        return covered / (self.look.letterbox.height * self.look.letterbox.width)

    @cached_property
    def iuv(self) -> NDArray[np.uint8]:
        """(1024, 768, 3) uint8 I, U, V in the frame."""
        official_order = iuv_picture(self.detection.charts, self.detection.box, FRAME)
        return np.ascontiguousarray(official_order[..., [0, 2, 1]])  # from I, V, U


class _Look:
    """A photo in the frame; parse and joints are found once, when they are needed."""

    def __init__(self, networks: OfficialNetworks, image: NDArray[np.uint8]):
        self._networks = networks
        self.size = size_of(image)
        self.letterbox = Letterbox.official(self.size, FRAME)
        framed = self.letterbox.apply(Image.fromarray(image))
        self.framed = np.asarray(framed)
        self.small = np.asarray(framed.resize((WIDTH, HEIGHT)))  # PIL's default, as the demo has it
        self.people: list[OfficialPerson] = []

    @cached_property
    def parse(self) -> NDArray[np.uint8]:
        """(512, 384) uint8 ``Parse`` labels."""
        return self._networks.parser.parse(self.small)

    def to_photo(self, framed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A map of labels in the frame at the photo's size."""
        return self.letterbox.invert_map(framed)


class OfficialPreprocessor:
    """What the released demo finds in a photo. Fills ``leffa.preprocess.Preprocessor``.

    The photo is letterboxed to 768 x 1024 on white; DensePose sees it so, OpenPose and parsing at half of
    that. A picture of 768 x 1024 stays as it is, so the results for it are those of the demo, bit for bit.

    Of several people DensePose's list counts, largest box first; joints are those of the person in that box,
    and clothes outside of it are left alone. Where OpenPose finds no joints they count as missing: the arms
    are then taken from the parse.
    """

    def __init__(self, networks: OfficialNetworks, recipe: Recipe | str = Recipe.VITON_HD):
        self.networks = networks
        self.recipe = Recipe(recipe)

    def people(self, image: NDArray[np.uint8]) -> list[OfficialPerson]:
        """Everybody in ``image`` (H, W, 3) uint8 RGB, the largest first; ``PersonError`` if nobody."""
        look = _Look(self.networks, require_rgb(image))
        found = self._with_room(lambda: self.networks.densepose.detect(look.framed))
        if not found:
            raise PersonError(NO_PERSON)
        for detection in sorted(found, key=lambda item: _box_area(item.box), reverse=True):
            look.people.append(OfficialPerson(_photo_box(detection.box, look), detection, look))
        return look.people

    def iuv(self, image: NDArray[np.uint8], person: OfficialPerson) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 I, U, V of one of the ``people`` of this image."""
        return _look_of(image, person).to_photo(person.iuv)

    def mask(
        self,
        image: NDArray[np.uint8],
        person: OfficialPerson,
        garment: Garment,
        options: MaskOptions | None = None,
    ) -> NDArray[np.uint8]:
        """(H, W) uint8 mask of the released recipe for one of the ``people`` of this image, 255 = repaint.

        The recipes know no wishes: raises LeffaError for ``options`` other than the defaults.
        """
        if options not in (None, MaskOptions()):
            raise LeffaError(
                "the masks of the released demo have no sleeve, hem, margin or protection to choose: "
                "leave the options open, or draw the mask yourself"
            )
        look = _look_of(image, person)
        clothes, joints = self._clothes(look, person), self._joints(look, person, garment)
        small = official_mask(clothes, joints, garment, self.recipe, strict=False)
        framed = np.asarray(Image.fromarray(small).resize((FRAME[1], FRAME[0])))  # bicubic, as the demo
        smooth = look.letterbox.invert_map(framed.astype(np.float32))
        return np.where(smooth > 127.5, 255, 0).astype(np.uint8)

    def _clothes(self, look: _Look, person: OfficialPerson) -> NDArray[np.uint8]:
        """The parse; of several people only what is at the chosen one."""
        if len(look.people) < 2:
            return look.parse
        left, top, right, bottom = (side * _TO_MASK for side in person.detection.box)
        room = _ROOM * max(right - left, bottom - top)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        near = (columns >= left - room) & (columns < right + room)
        near &= (rows >= top - room) & (rows < bottom + room)
        return np.where(near, look.parse, 0).astype(np.uint8)

    def _joints(self, look: _Look, person: OfficialPerson, garment: Garment) -> NDArray[np.float64]:
        missing = np.zeros((18, 2))
        if garment is Garment.LOWER:  # its recipes look at no joint
            return missing
        left, top, right, bottom = (side * _TO_MASK for side in person.detection.box)
        box = (left, top, right, bottom)
        try:
            return self._with_room(lambda: self.networks.openpose.keypoints(look.small, box))
        except PersonError:
            return missing

    def _with_room(self, work: Any) -> Any:
        """Run; where the device has too little memory, once more on the CPU."""
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error) or not self.networks.move_to_cpu():
                raise
        return work()


def _box_area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _photo_box(box: tuple[float, float, float, float], look: _Look) -> Box:
    """A box in the frame as whole pixels of the photo, at least one each way."""
    corners = look.letterbox.points_to_photo(np.array(box, np.float32).reshape(2, 2))
    height, width = look.size
    left, top = (int(value) for value in np.clip(np.floor(corners[0]), 0, [width - 1, height - 1]))
    right, bottom = (int(value) for value in np.ceil(corners[1]))
    return Box(left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height))


def _look_of(image: NDArray[np.uint8], person: OfficialPerson) -> _Look:
    if size_of(image) != person.look.size:
        raise ValueError(
            f"person was found in a picture of {person.look.size}, image is {size_of(image)}: "
            "hand in the same picture."
        )
    return person.look
