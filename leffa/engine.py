"""Pictures in, result out: what the command line, the app and scripts share."""

import threading
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import DensePoseEncoding, Garment, Task
from leffa.errors import LeffaError, PictureError, WeightsError
from leffa.images import load_image
from leffa.preprocess.encoding import encode_densepose
from leffa.preprocess.garment.measure import GarmentMeasure, fitted, measure_silhouette
from leffa.preprocess.garment.product import foreground
from leffa.preprocess.given_mask import MaskSource, check_mask, read_mask
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.offline.parts import body_coordinates
from leffa.preprocess.prepared import Preparation, Prepared
from leffa.run.job import Job, Watch
from leffa.run.pipelines import Pipelines
from leffa.run.region import Box, Region
from leffa.run.result import Progress, Result, StoppedError
from leffa.run.settings import Settings
from leffa.weights import models
from leffa.weights.models import Model

__all__ = ["Engine", "Prepared"]

PERSON_MARGIN = 0.06  # room left around what is painted and around a reference, of the longer side
LEAST_PAINTED = 0.001  # share of the photo
ROOM_FOR_NETWORKS = 8_000_000_000  # bytes: smaller graphics cards are left to the generator
_NOTHING = {
    Garment.UPPER: "no upper body to dress was found",
    Garment.LOWER: "no legs or hips to dress were found",
    Garment.DRESS: "no body to dress was found",
}
_POSE_ENCODINGS = (DensePoseEncoding.POSE_DEMO, DensePoseEncoding.POSE_TRAINING)


class Engine:
    """Runs try-on and pose transfer with whatever weights are present. One per process; thread-safe.

    device  "auto", or a torch device such as "cpu", "cuda", "mps"
    memory  "auto", or how sparingly to use it: "plain", "tiled", "offload", "sequential", "8-bit"; see
            ``placement``
    """

    def __init__(self, device: str = "auto", memory: str = "auto"):
        self.pipelines = Pipelines(device, memory)

    @cached_property
    def _preparation(self) -> Preparation:
        machine = self.pipelines.machine()
        on_card = machine.kind == "cuda" and machine.total >= ROOM_FOR_NETWORKS
        return Preparation(models.CHECKPOINTS, machine.device if on_card else "cpu")

    # ------------------------------------------------------------------------------ before painting

    def prepare(
        self, photo: Image.Image, person: int = 0, task: Task = Task.TRY_ON, model: str | None = None
    ) -> Prepared:
        """Find the people in a photo and choose one by number, 0 = the largest.

        ``task`` and ``model`` say what it is for: the published weights want other eyes than the bundled
        ones. What was prepared for one model can be used with any other; the same person is then found anew.
        Raises PersonError if there is nobody, LeffaError if there are not that many.
        """
        try:
            chosen = models.find(task, model)
        except WeightsError:
            if model is not None:
                raise
            chosen = models.BUNDLED  # a mask can be had without weights
        return self._preparation.prepare(photo, person, chosen)

    def mask(
        self,
        prepared: Prepared,
        garment: Garment | str,
        options: MaskOptions | None = None,
        measure: GarmentMeasure | None = None,
    ) -> NDArray[np.uint8]:
        """(H, W) uint8 at the photo's size, 255 = repaint, for a kind of garment.

        measure  of the garment that is to be worn: what the options leave open follows it

        The masks of the released demo know no garment and no wishes: with ``options`` other than the defaults
        the mask is made as for the bundled weights.
        """
        if options not in (None, MaskOptions()):
            prepared = self._preparation.offline(prepared)
        return prepared.enlarged(_mask_in_frame(prepared, Garment(garment), options, measure))

    def parts(self, prepared: Prepared) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 I, U, V of the chosen person, at the photo's size."""
        return prepared.frame.invert_map(prepared.parts_in_frame())

    def silhouette(self, reference: Image.Image) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 = garment, of an RGB product shot."""
        return foreground(np.asarray(reference))

    # ------------------------------------------------------------------------------ painting

    def try_on(
        self,
        person: Image.Image | Prepared,
        reference: Image.Image,
        garment: Garment | str,
        mask: MaskSource | None = None,
        settings: Settings | None = None,
        model: str | None = None,
        progress: Progress | None = None,
        stop: threading.Event | None = None,
    ) -> Result:
        """Put the garment of ``reference`` on the person.

        mask      what to repaint, at the photo's size, however it is kept: see ``given_mask.read_mask``; None
                  = automatic
        progress  see ``Progress``; with it, previews are made
        stop      set it from another thread to end the run with ``StoppedError``

        The result has the photo's size, and outside the mask its pixels are the photo's own. Raises
        LeffaError (PersonError, PictureError, WeightsError) with one sentence for the user.
        """
        garment = Garment(garment)
        chosen = models.find(Task.TRY_ON, model, garment)
        resolved = (settings or Settings()).resolved(chosen)
        given = None if mask is None else read_mask(mask)
        (progress or _silent)(0.0, "finding the person", None)
        prepared = self._prepared(person, chosen)
        reference = load_image(reference)
        shown = self.silhouette(reference)
        region = Region.whole(prepared.size, chosen.size, chosen.official_conditions)
        told: list[str] = []
        if given is None:
            measure = measure_silhouette(shown > 127, garment)
            framed = _mask_in_frame(prepared, garment, None, measure)
            area = _painted(prepared.enlarged(framed), _NOTHING[garment])
        else:
            told = check_mask(given, prepared.size, self.parts(prepared)[..., 0])
            area = _painted(given, "the mask is empty")
        if chosen.focus:
            inner = _union(_box_of(area), _visible_box(prepared.box, area))
            region = Region.around(inner, prepared.size, chosen.size, PERSON_MARGIN)
        # An automatic mask in the model's own frame is used as it was made.
        framed = framed if given is None and prepared.frame == region.letterbox else region.mask(area)
        job = Job(
            task=Task.TRY_ON,
            model=chosen,
            settings=resolved,
            photo=prepared.photo,
            mask=area,
            framed_mask=framed,
            region=region,
            densepose=_condition(prepared, region, chosen, resolved.encoding),
            reference=reference,
            reference_shown=shown,
            reference_region=_reference_region(shown, chosen),
        )
        notes = [*prepared.notes, *told, *_unfamiliar(chosen, garment)]
        return self._run(job, notes, progress, stop)

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
        source, target = self._prepared(reference, chosen), self._prepared(pose, chosen)
        shown = source.silhouette()
        region = Region.whole(target.size, chosen.size, chosen.official_conditions)
        job = Job(
            task=Task.POSE_TRANSFER,
            model=chosen,
            settings=resolved,
            photo=target.photo,
            mask=np.full(target.size, 255, np.uint8),
            framed_mask=np.full(chosen.size, 255, np.uint8),  # the border too: there is nothing to keep
            region=region,
            densepose=_condition(target, region, chosen, resolved.encoding),
            reference=source.photo,
            reference_shown=shown,
            reference_region=_reference_region(shown, chosen),
        )
        return self._run(job, list(dict.fromkeys(source.notes + target.notes)), progress, stop)

    def _prepared(self, person: Image.Image | Prepared, model: Model) -> Prepared:
        if isinstance(person, Prepared):
            return self._preparation.fit(person, model)
        return self._preparation.prepare(person, 0, model)

    def _run(
        self, job: Job, notes: list[str], progress: Progress | None, stop: threading.Event | None
    ) -> Result:
        report = progress or _silent
        report(0.05, "loading the model", None)
        watch = Watch(job, report, stop, previews=progress is not None)

        def inputs() -> dict:
            return {
                **job.inputs(),
                "output_type": "pt",
                "return_flow": True,
                "callback_on_step_end": watch,
            }

        output, remarks = self.pipelines.run(job.model, job.settings.samples, inputs)
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
            notes=[*notes, *remarks],
        )


def _mask_in_frame(
    prepared: Prepared, garment: Garment, options: MaskOptions | None, measure: GarmentMeasure | None
) -> NDArray[np.uint8]:
    if not prepared.is_official:
        options = fitted(options or MaskOptions(), measure, garment)
    return prepared.mask_in_frame(garment, options)


def _condition(
    prepared: Prepared, region: Region, model: Model, wish: DensePoseEncoding | None
) -> NDArray[np.float32]:
    """(h, w, 3) in [-1, 1] in the model's frame: the chosen person's parts as the weights want them."""
    encoding = _encoding(model, wish)
    iuv = prepared.parts_in_frame()
    if prepared.frame != region.letterbox:  # else the weights get what DensePose said, resized by nobody
        iuv = region.labels(prepared.frame.invert_map(iuv))
    if encoding is DensePoseEncoding.BODY:
        return body_coordinates(iuv)
    return encode_densepose(iuv, encoding)


def _encoding(model: Model, wish: DensePoseEncoding | None) -> DensePoseEncoding:
    saved = model.densepose_encoding
    if wish in (None, saved):
        return saved
    if saved in _POSE_ENCODINGS and wish in _POSE_ENCODINGS:
        return DensePoseEncoding(wish)
    raise LeffaError(
        f"{model.name} was trained with the body parts as {saved.value!r}: leave the encoding open"
    )


def _unfamiliar(model: Model, garment: Garment) -> list[str]:
    """A note if the weights have never seen such garments."""
    if garment in model.garments:
        return []
    known = " and ".join(kind.value for kind in model.garments)
    return [
        f"{model.name} was trained on {known} garments only; `leffa download --what tryon-dresscode` fetches "
        "weights that know all kinds."
    ]


def _silent(share: float, what: str, preview: Image.Image | None) -> None:
    pass


def _painted(mask: NDArray[np.uint8], if_empty: str) -> NDArray[np.uint8]:
    """The mask; raises PictureError if it is as good as empty."""
    if (mask > 0).mean() < LEAST_PAINTED:
        raise PictureError(f"{if_empty}: mark in white what is to be repainted")
    return mask


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
        return Region.whole(size, model.size, model.official_conditions)
    return Region.around(_box_of(shown), size, model.size, PERSON_MARGIN)
