"""The picture that a user gets: a sample sent through the engine whole, as a photo and a reference."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from leffa.config import Task, sample_seed
from leffa.data.sample import Sample
from leffa.engine import Engine
from leffa.errors import PersonError, PictureError
from leffa.images import to_pil, to_tensor
from leffa.run.result import Result
from leffa.run.settings import Settings


@dataclass(frozen=True)
class Composed:
    """What became of one sample.

    picture     (3, H, W) float32 in [-1, 1], at the sample's size
    flow        (H, W, 2) float32: the refined flow, absolute (x, y) in [-1, 1] on the reference
    silhouette  (H, W) bool: where the garment, or the person, was laid
    share       of the mask that was repainted, in [0, 1]
    """

    picture: Tensor
    flow: Tensor
    silhouette: Tensor
    share: float


class Road:
    """Everything from the photo on, as ``Engine.try_on`` and ``pose_transfer`` do it: people are found, the
    photo is read and the mask made from the pictures alone; of a sample only these and the kind are used.

    A redressed person is given in the former outfit, any other in the very garment.

    model   a named one that composes; sample i has the seed of ``settings`` + i
    device  as for ``Engine``

    refused  a sentence for each sample that the engine would not take
    """

    def __init__(self, model: str, settings: Settings, device: str = "auto"):
        self._engine = Engine(device)
        self._model, self._settings = model, settings
        self.refused: list[str] = []

    def take(self, sample: Sample, number: int) -> Composed | None:
        """Sample ``number`` of a data set; None where the engine refuses its pictures."""
        try:
            result = self._run(sample, number)
        except (PersonError, PictureError) as error:
            self.refused.append(f"{sample.name}: {error}")
            return None
        made = result.compositions[0]
        return Composed(
            to_tensor(result.images[0]),
            made.field.flow,
            torch.from_numpy(made.silhouette > 0.5),
            float((made.repainted > 127).sum() / (result.mask > 127).sum()),
        )

    def _run(self, sample: Sample, number: int) -> Result:
        settings = replace(self._settings, seed=sample_seed(self._settings.seed, number))
        photo = to_pil(sample.person if sample.old_person is None else sample.old_person)
        reference = to_pil(sample.reference)
        if sample.task is Task.TRY_ON:
            return self._engine.try_on(photo, reference, sample.garment, settings=settings, model=self._model)
        return self._engine.pose_transfer(reference, photo, settings, self._model)
