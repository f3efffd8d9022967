"""A preparation that reads every photo and every garment once."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Garment
from leffa.errors import PersonError
from leffa.files import digest
from leffa.framing import Box
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.offline.pose import Person
from leffa.preprocess.offline.preprocessor import OfflinePreprocessor
from leffa.preprocess.prepared import Preparation, Prepared
from leffa.run.findings import Arrays, Findings
from leffa.weights.models import Model

if TYPE_CHECKING:
    from leffa.preprocess import Preprocessor


class RememberingPreparation(Preparation):
    """Finds people as another ``Preparation`` does, bit for bit, each photo once.

    What the networks of the published weights find is kept in this process only.
    """

    def __init__(self, findings: Findings, usual: Preparation):
        super().__init__(usual._checkpoints, usual._device)
        self._findings, self._usual = findings, usual

    def take_off(self, image: NDArray[np.uint8], garment: Garment) -> NDArray[np.uint8] | None:
        """As ``Preparation.take_off``, remembered by the picture's pixels."""

        def find() -> Arrays:
            worn = self._usual.take_off(image, garment)
            return {} if worn is None else {"worn": np.packbits(worn > 127, axis=1)}

        name = f"garment {garment.value} {digest(image)}"
        kept = self._findings.remember_arrays(name, find, counts=True)
        if "worn" not in kept:
            return None
        return np.unpackbits(kept["worn"], axis=1, count=image.shape[1]) * np.uint8(255)

    def _find(self, photo: Image.Image, official: Model | None) -> Prepared:
        name = f"person {digest(np.asarray(photo))}"
        if official is not None:
            usual = super()._find
            found = self._findings.remember(f"{name} {official.name}", lambda: usual(photo, official))
            return replace(found, photo=photo)  # the same, but the caller's own
        preprocessor = _RememberingPreprocessor(self._findings, self._get_offline(), name)
        return self._found(photo, *self._analysis(photo), preprocessor)

    def _get_offline(self) -> OfflinePreprocessor:
        return self._usual._get_offline()

    def _official(self, model: Model) -> "Preprocessor[Any]":
        return self._usual._official(model)


class _RememberingPreprocessor:
    """Fills ``leffa.preprocess.Preprocessor`` for one photo."""

    def __init__(self, findings: Findings, usual: OfflinePreprocessor, name: str):
        self._findings, self._usual, self._name = findings, usual, name

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        kept = self._findings.remember_arrays(self._name, lambda: self._look(image), counts=True)
        if "nobody" in kept:
            raise PersonError(str(kept["nobody"]))
        return [
            Person(landmarks, silhouette, Box(*box.tolist()))
            for landmarks, silhouette, box in zip(
                kept["landmarks"], kept["silhouettes"], kept["boxes"], strict=True
            )
        ]

    def _look(self, image: NDArray[np.uint8]) -> Arrays:
        try:
            found = self._usual.people(image)
        except PersonError as error:
            return {"nobody": np.array(str(error))}
        return {
            "landmarks": np.stack([person.landmarks for person in found]),
            "silhouettes": np.stack([person.silhouette for person in found]),
            "boxes": np.array([person.box for person in found]),
        }

    def iuv(self, image: NDArray[np.uint8], person: Person) -> NDArray[np.uint8]:
        return self._kept(f"parts {person.box}", lambda: self._usual.iuv(image, person))

    def mask(
        self,
        image: NDArray[np.uint8],
        person: Person,
        garment: Garment,
        options: MaskOptions | None = None,
    ) -> NDArray[np.uint8]:
        what = f"mask {person.box} {garment.value} {options or MaskOptions()!r}"
        return self._kept(what, lambda: self._usual.mask(image, person, garment, options))

    def _kept(self, what: str, find: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        return self._findings.remember_arrays(f"{self._name} {what}", lambda: {"map": find()})["map"]
