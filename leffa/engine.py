"""Pictures in, result out: what the command line, the app and scripts share."""

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError

from leffa import models
from leffa.config import Garment, Task
from leffa.errors import LeffaError, PictureError, WeightsError
from leffa.images import load_image
from leffa.job import Job, Watch
from leffa.models import Model
from leffa.preprocess.masks import MaskOptions
from leffa.preprocess.parts import body_coordinates
from leffa.preprocess.product import foreground
from leffa.region import Box, Region
from leffa.result import Progress, Result, Settings, StoppedError

if TYPE_CHECKING:
    from leffa.pipeline import LeffaPipeline
    from leffa.preprocess.offline import OfflinePreprocessor
    from leffa.preprocess.pose import Person

ANALYSIS_SIDE = 1024  # px: bodies are found on a photo no longer than this
PERSON_MARGIN = 0.06  # room left around what is painted and around a reference, of the longer side
LEAST_PAINTED = 0.001  # share of the photo


@dataclass(frozen=True)
class Prepared:
    """A photo with the people found in it.

    photo   upright RGB
    people  boxes of everybody found, largest first, in photo pixels
    chosen  number of the one that is taken
    """

    photo: Image.Image
    people: list[Box]
    chosen: int
    analysis: NDArray[np.uint8]
    person: "Person"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the photo."""
        return self.photo.height, self.photo.width

    @property
    def notes(self) -> list[str]:
        """What the user should know of the choice."""
        if len(self.people) < 2:
            return []
        taken = "the largest" if self.chosen == 0 else f"number {self.chosen + 1} by size"
        return [f"{len(self.people)} people in the picture; {taken} is taken."]

    def silhouette(self) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 = the chosen person, at the photo's size."""
        return _enlarged_mask(np.asarray(self.person.silhouette * 255, np.uint8), self.size)


class Engine:
    """Runs try-on and pose transfer with whatever weights are present. One per process; thread-safe.

    device  "auto", or a torch device such as "cpu", "cuda", "mps"
    """

    def __init__(self, device: str = "auto"):
        self._device = device
        self._pipelines: dict[str, LeffaPipeline] = {}
        self._lock = threading.Lock()  # a pipeline's scheduler holds the state of one run

    @cached_property
    def _offline(self) -> "OfflinePreprocessor":
        from leffa.preprocess.offline import OfflinePreprocessor

        return OfflinePreprocessor()

    # ------------------------------------------------------------------------------ before painting

    def prepare(self, photo: Image.Image, person: int = 0) -> Prepared:
        """Find the people in a photo and choose one by number, 0 = the largest.

        Raises PersonError if there is nobody, LeffaError if there are not that many.
        """
        photo = load_image(photo)
        scale = min(1.0, ANALYSIS_SIDE / max(photo.size))
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        analysis = np.asarray(photo if scale == 1 else photo.resize(size, Image.Resampling.LANCZOS))
        people = self._offline.people(analysis)
        if not 0 <= person < len(people):
            raise LeffaError(f"there is no person {person}: {len(people)} found, counted from 0")
        boxes = [_scaled(found.box, photo.width / size[0], photo.height / size[1]) for found in people]
        return Prepared(photo, boxes, person, analysis, people[person])

    def mask(
        self, prepared: Prepared, garment: Garment | str, options: MaskOptions | None = None
    ) -> NDArray[np.uint8]:
        """(H, W) uint8 at the photo's size, 255 = repaint, for a kind of garment."""
        small = self._offline.mask(prepared.analysis, prepared.person, Garment(garment), options)
        return _enlarged_mask(small, prepared.size)

    def parts(self, prepared: Prepared) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 I, U, V of the chosen person, at the photo's size."""
        iuv = self._offline.iuv(prepared.analysis, prepared.person)
        height, width = prepared.size
        return cv2.resize(iuv, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)

    # ------------------------------------------------------------------------------ painting

    def try_on(
        self,
        person: Image.Image | Prepared,
        reference: Image.Image,
        garment: Garment | str,
        mask: NDArray[np.uint8] | None = None,
        settings: Settings | None = None,
        model: str | None = None,
        progress: Progress | None = None,
        stop: threading.Event | None = None,
    ) -> Result:
        """Put the garment of ``reference`` on the person.

        mask      (H, W) uint8 at the photo's size, 255 = repaint; None = automatic
        progress  see ``Progress``; with it, previews are made
        stop      set it from another thread to end the run with ``StoppedError``

        The result has the photo's size, and outside the mask its pixels are the photo's own. Raises
        LeffaError (PersonError, PictureError, WeightsError) with one sentence for the user.
        """
        chosen = models.find(Task.TRY_ON, model)
        resolved = (settings or Settings()).resolved(chosen)
        report = progress or _silent
        report(0.0, "finding the person", None)
        prepared = person if isinstance(person, Prepared) else self.prepare(person)
        reference = load_image(reference)
        area = self.mask(prepared, garment) if mask is None else _checked_mask(mask, prepared.size)
        shown = foreground(np.asarray(reference))
        region = Region.whole(prepared.size, chosen.size)
        if chosen.focus:
            inner = _union(_box_of(area), _visible_box(prepared.people[prepared.chosen], area))
            region = Region.around(inner, prepared.size, chosen.size, PERSON_MARGIN)
        densepose = self._condition(prepared, region, chosen)
        job = Job(
            task=Task.TRY_ON,
            model=chosen,
            settings=resolved,
            photo=prepared.photo,
            mask=area,
            region=region,
            densepose=densepose,
            reference=reference,
            reference_shown=shown,
            reference_region=_reference_region(shown, chosen),
        )
        return self._run(job, prepared.notes, progress, stop)

    def pose_transfer(
        self,
        reference: Image.Image | Prepared,
        pose: Image.Image | Prepared,
        settings: Settings | None = None,
        model: str | None = None,
        progress: Progress | None = None,
        stop: threading.Event | None = None,
    ) -> Result:
        """Show the person of ``reference`` in the pose of the person in ``pose``, at that picture's size.

        ``progress``, ``stop`` and errors as in ``try_on``.
        """
        chosen = models.find(Task.POSE_TRANSFER, model)
        resolved = (settings or Settings()).resolved(chosen)
        (progress or _silent)(0.0, "finding the people", None)
        source = reference if isinstance(reference, Prepared) else self.prepare(reference)
        target = pose if isinstance(pose, Prepared) else self.prepare(pose)
        shown = source.silhouette()
        region = Region.whole(target.size, chosen.size)
        job = Job(
            task=Task.POSE_TRANSFER,
            model=chosen,
            settings=resolved,
            photo=target.photo,
            mask=np.full(target.size, 255, np.uint8),
            region=region,
            densepose=self._condition(target, region, chosen),
            reference=source.photo,
            reference_shown=shown,
            reference_region=_reference_region(shown, chosen),
        )
        return self._run(job, source.notes + target.notes, progress, stop)

    def _condition(self, prepared: Prepared, region: Region, model: Model) -> NDArray[np.float32]:
        """(h, w, 3) in [-1, 1] in the model's frame: the chosen person's parts as the weights want them."""
        return body_coordinates(region.labels(self.parts(prepared)))

    def _run(
        self, job: Job, notes: list[str], progress: Progress | None, stop: threading.Event | None
    ) -> Result:
        report = progress or _silent
        report(0.05, "loading the model", None)
        with self._lock:
            pipeline = self._pipeline(job.model)
            output = pipeline(
                **job.inputs(),
                output_type="pt",
                return_flow=True,
                callback_on_step_end=Watch(job, report, stop, previews=progress is not None),
            )
        if stop is not None and stop.is_set():
            raise StoppedError("The run was stopped.")
        report(0.97, "finishing", None)
        flows = output.flow or []
        finished = [
            job.finish(picture, flow.merged) for picture, flow in zip(output.images, flows, strict=True)
        ]
        report(1.0, "done", None)
        return Result(
            task=job.task,
            model=job.model.name,
            settings=job.settings,
            photo=job.photo,
            reference=job.reference,
            images=[image for image, _ in finished],
            mask=job.mask,
            densepose=Image.fromarray(((job.densepose + 1) * 127.5).round().astype(np.uint8)),
            fields=[field for _, field in finished],
            flows=flows,
            region=job.region,
            reference_region=job.reference_region,
            notes=notes,
        )

    def _pipeline(self, model: Model) -> "LeffaPipeline":
        if model.name not in self._pipelines:
            from leffa.pipeline import LeffaPipeline

            device = self._device
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            dtype = torch.float16 if device.startswith("cuda") else torch.float32
            try:
                pipeline = LeffaPipeline.from_pretrained(model.folder, torch_dtype=dtype).to(device)
            except (OSError, ValueError, KeyError, SafetensorError) as error:
                raise WeightsError(
                    f"the weights in {model.folder} cannot be read ({type(error).__name__}): fetch them again"
                ) from error
            pipeline.set_progress_bar_config(disable=True)
            self._pipelines[model.name] = pipeline
        return self._pipelines[model.name]


def _silent(share: float, what: str, preview: Image.Image | None) -> None:
    pass


def _scaled(box: Box, horizontal: float, vertical: float) -> Box:
    across, down = [round(x * horizontal) for x in box[::2]], [round(y * vertical) for y in box[1::2]]
    return across[0], down[0], across[1], down[1]


def _enlarged_mask(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A 0 / 255 mask at another (height, width), with smooth edges."""
    if mask.shape != size:
        mask = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.where(mask > 127, 255, 0).astype(np.uint8)


def _checked_mask(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if mask.shape != size:
        raise PictureError(
            f"the mask is {mask.shape[1]}x{mask.shape[0]}, the photo {size[1]}x{size[0]}: both must agree"
        )
    area = np.where(mask > 127, 255, 0).astype(np.uint8)
    if (area > 0).mean() < LEAST_PAINTED:
        raise PictureError("the mask is empty: mark in white what is to be repainted")
    return area


def _box_of(mask: NDArray[np.uint8]) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _visible_box(person: Box, area: NDArray[np.uint8]) -> Box:
    """The person's box, cut to a little above and below the painted area: context, not the whole body."""
    _, top, _, bottom = _box_of(area)
    reach = round(0.35 * (bottom - top))
    return person[0], max(person[1], top - reach), person[2], min(person[3], bottom + reach // 2)


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _reference_region(shown: NDArray[np.uint8], model: Model) -> Region:
    size = (shown.shape[0], shown.shape[1])
    if not model.focus or not shown.any():
        return Region.whole(size, model.size)
    return Region.around(_box_of(shown), size, model.size, PERSON_MARGIN)
