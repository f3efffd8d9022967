"""A photo with the people found in it, by whichever preprocessor a model wants."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Garment
from leffa.errors import LeffaError
from leffa.framing import Box
from leffa.images import Letterbox, PictureSource, load_image, within
from leffa.preprocess import Preprocessor
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.offline.preprocessor import OfflinePreprocessor
from leffa.weights import models
from leffa.weights.models import Model
from leffa.weights.published import CHOICES, PREPROCESS

if TYPE_CHECKING:
    from leffa.preprocess.official.preprocessor import OfficialNetworks

ANALYSIS_SIDE = 1024  # px: the offline preprocessor sees a photo no longer than this
_BODY_MARGIN = 0.015  # clothes and hair around the body that DensePose sees, of the longer side

NO_OFFICIAL_CONDITIONS = (
    "The published weights were trained with DensePose, OpenPose and human parsing, which are not here: the "
    "body is found in another way, and the picture suffers. `leffa download --what preprocess` fetches them."
)


@dataclass(frozen=True)
class Prepared:
    """A photo with the people found in it.

    photo    upright RGB
    people   boxes of everybody found, largest first, in photo pixels
    chosen   number of the one that is taken
    frame    how the photo lies in ``analysis``, the picture that was looked at
    found    everybody, as ``preprocessor`` knows them
    remarks  what the user should know of how they were found
    """

    photo: Image.Image
    people: list[Box]
    chosen: int
    frame: Letterbox
    analysis: NDArray[np.uint8] = field(repr=False)
    found: Sequence[Any] = field(repr=False)
    preprocessor: Preprocessor[Any] = field(repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the photo."""
        return self.photo.height, self.photo.width

    @property
    def person(self) -> Any:
        """The chosen one, as ``preprocessor`` knows them."""
        return self.found[self.chosen]

    @property
    def box(self) -> Box:
        """Of the chosen person."""
        return self.people[self.chosen]

    @property
    def is_official(self) -> bool:
        """Whether DensePose and its companions found them, in the released demo's frame."""
        return self.frame.is_official

    @property
    def notes(self) -> list[str]:
        """What the user should know of the choice."""
        if len(self.people) < 2:
            return list(self.remarks)
        taken = "the largest" if self.chosen == 0 else f"number {self.chosen + 1} by size"
        return [*self.remarks, f"{len(self.people)} people in the picture; {taken} is taken."]

    def silhouette(self) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 = the chosen person, at the photo's size."""
        if not self.is_official:
            return self.enlarged(np.asarray(self.person.silhouette * 255, np.uint8))
        body = np.where(self.parts_in_frame()[..., 0] > 0, 255, 0).astype(np.uint8)
        reach = 1 + 2 * round(_BODY_MARGIN * max(self.frame.frame))
        grown = cv2.dilate(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
        return self.enlarged(grown)

    def parts_in_frame(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 I, U, V of the chosen person, in the analysis picture; not to be written to."""
        return self._parts

    @cached_property
    def _parts(self) -> NDArray[np.uint8]:
        return self.preprocessor.iuv(self.analysis, self.person)

    def mask_in_frame(self, garment: Garment, options: MaskOptions | None = None) -> NDArray[np.uint8]:
        """(h, w) uint8, 255 = repaint, in the analysis picture."""
        return self.preprocessor.mask(self.analysis, self.person, garment, options)

    def enlarged(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A 0 / 255 mask of the analysis picture at the photo's size, with smooth edges."""
        smooth = self.frame.invert_map(mask.astype(np.float32))
        return np.where(smooth > 127, 255, 0).astype(np.uint8)


class Preparation:
    """Both preprocessors, each loaded when first needed. Serves any number of threads.

    checkpoints  folder of weights
    device       for the official networks
    """

    def __init__(self, checkpoints: Path | None = None, device: str = "cpu"):
        self._checkpoints = checkpoints or models.CHECKPOINTS
        self._device = device
        self._lock = threading.Lock()
        self._offline: OfflinePreprocessor | None = None
        self._networks: OfficialNetworks | None = None

    def prepare(self, photo: PictureSource, person: int, model: Model) -> Prepared:
        """Find the people in a photo as the model wants it, and choose one by number, 0 = the largest.

        Raises PersonError if there is nobody, LeffaError if there are not that many.
        """
        prepared = self._find(load_image(photo), model if self._is_official(model) else None)
        if not 0 <= person < len(prepared.people):
            raise LeffaError(f"there is no person {person}: {len(prepared.people)} found, counted from 0")
        return replace(prepared, chosen=person, remarks=self._remarks(model))

    def fit(self, prepared: Prepared, model: Model) -> Prepared:
        """``prepared`` as the model wants it: as it is, or the same photo and person found anew."""
        official = self._is_official(model)
        if prepared.is_official != official:
            prepared = _same_person(self._find(prepared.photo, model if official else None), prepared.box)
        elif official:  # found once for all of them, but the recipes of their masks differ
            prepared = replace(prepared, preprocessor=self._official(model))
        remarks = self._remarks(model)
        return prepared if prepared.remarks == remarks else replace(prepared, remarks=remarks)

    def offline(self, prepared: Prepared) -> Prepared:
        """The same photo and person, found by the offline preprocessor."""
        if not prepared.is_official:
            return prepared
        return _same_person(self._find(prepared.photo, None), prepared.box)

    def take_off(self, image: NDArray[np.uint8], garment: Garment) -> NDArray[np.uint8] | None:
        """The garment that somebody wears on its picture, see ``shot.TakeOff``."""
        return self._get_offline().take_off(image, garment)

    def _find(self, photo: Image.Image, official: Model | None) -> Prepared:
        if official is None:
            return self._found(photo, *self._analysis(photo), self._get_offline())
        frame = Letterbox.official((photo.height, photo.width), official.size)
        return self._found(photo, frame, np.asarray(frame.apply(photo)), self._official(official))

    @staticmethod
    def _analysis(photo: Image.Image) -> tuple[Letterbox, NDArray[np.uint8]]:
        """How the offline preprocessor sees a photo: the frame, and the picture in it."""
        size = (photo.height, photo.width)
        smaller = within(size, ANALYSIS_SIDE)
        frame = Letterbox(size, smaller, 0, 0, *smaller)
        return frame, np.asarray(frame.apply(photo))

    @staticmethod
    def _found(
        photo: Image.Image, frame: Letterbox, analysis: NDArray[np.uint8], preprocessor: Preprocessor[Any]
    ) -> Prepared:
        found = preprocessor.people(analysis)
        boxes = [_on_photo(somebody.box, frame) for somebody in found]
        return Prepared(photo, boxes, 0, frame, analysis, found, preprocessor)

    def _is_official(self, model: Model) -> bool:
        """Whether the model wants the official conditions and the networks for its task are here."""
        from leffa.preprocess.official.preprocessor import OfficialNetworks

        wanted = tuple(item for item in CHOICES.get(model.fetch or "", PREPROCESS) if item in PREPROCESS)
        return model.official_conditions and not OfficialNetworks.missing(self._checkpoints, wanted)

    def _remarks(self, model: Model) -> tuple[str, ...]:
        if model.official_conditions and not self._is_official(model):
            return (NO_OFFICIAL_CONDITIONS,)
        return ()

    def _get_offline(self) -> OfflinePreprocessor:
        with self._lock:
            self._offline = self._offline or OfflinePreprocessor()
            return self._offline

    def _official(self, model: Model) -> Preprocessor[Any]:
        from leffa.preprocess.official.preprocessor import OfficialNetworks, OfficialPreprocessor

        with self._lock:
            self._networks = self._networks or OfficialNetworks(self._checkpoints, device=self._device)
            return OfficialPreprocessor(self._networks, model.mask_recipe)


def _on_photo(box: Box, frame: Letterbox) -> Box:
    corners = frame.points_to_photo(np.array(box, np.float32).reshape(2, 2))
    limits = [frame.photo[1], frame.photo[0]]
    (left, top), (right, bottom) = np.clip(np.rint(corners), 0, limits).astype(int).tolist()
    return Box(left, top, right, bottom)


def _same_person(prepared: Prepared, wanted: Box) -> Prepared:
    """With the person chosen whose box is most like the wanted one."""
    overlaps = [box.iou(wanted) for box in prepared.people]
    return replace(prepared, chosen=int(np.argmax(overlaps)))
