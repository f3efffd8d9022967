"""An engine that reads every photo and every garment once."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.batch.memory import Arrays, Memory, digest
from leffa.config import Garment
from leffa.engine import Engine
from leffa.errors import PersonError
from leffa.framing import Box
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.offline.pose import Person
from leffa.preprocess.offline.preprocessor import OfflinePreprocessor
from leffa.preprocess.prepared import Preparation, Prepared
from leffa.weights.models import Model


class CachingEngine(Engine):
    """Paints what ``Engine`` paints, bit for bit; what it finds in pictures comes from ``memory`` if known.

    The networks of the published weights are remembered within this process only.
    """

    def __init__(self, memory: Memory, device: str = "auto", placement: str = "auto"):
        super().__init__(device, placement)
        self._memory = memory

    @cached_property
    def _preparation(self) -> Preparation:
        usual = super()._preparation
        return _RememberingPreparation(self._memory, usual)


class _RememberingPreparation(Preparation):
    """Finds people as another ``Preparation`` does, each photo once."""

    def __init__(self, memory: Memory, usual: Preparation):
        super().__init__(usual._checkpoints, usual._device)
        self._memory, self._usual = memory, usual
        self._last: tuple[str, Prepared] | None = None

    def take_off(self, picture: NDArray[np.uint8], garment: Garment) -> NDArray[np.uint8] | None:
        """As ``Preparation.take_off``, remembered by the picture's pixels."""

        def find() -> Arrays:
            worn = self._usual.take_off(picture, garment)
            return {} if worn is None else {"worn": np.packbits(worn > 127, axis=1)}

        kept = self._memory.remember(f"garment {garment.value} {digest(picture)}", find, counts=True)
        if "worn" not in kept:
            return None
        return np.unpackbits(kept["worn"], axis=1, count=picture.shape[1]) * np.uint8(255)

    def _find(self, photo: Image.Image, official: Model | None) -> Prepared:
        name = f"person {digest(np.asarray(photo))}"
        if official is not None:
            name += f" {official.name}"
            if self._last is None or self._last[0] != name:
                self._last = (name, super()._find(photo, official))
            return self._last[1]
        preprocessor = _RememberingPreprocessor(self._memory, self._get_offline(), name)
        frame, analysis = self._analysis(photo)
        return self._found(photo, frame, analysis, preprocessor)


class _RememberingPreprocessor:
    """Fills ``leffa.preprocess.Preprocessor`` for one photo."""

    def __init__(self, memory: Memory, usual: OfflinePreprocessor, name: str):
        self._memory, self._usual, self._name = memory, usual, name

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        kept = self._memory.remember(self._name, lambda: self._look(image), counts=True)
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

    def _kept(self, what: str, find: Any) -> NDArray[np.uint8]:
        return self._memory.remember(f"{self._name} {what}", lambda: {"map": find()})["map"]
