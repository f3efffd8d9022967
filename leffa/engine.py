"""Pictures in, result out: what the command line, the app and scripts share."""

import copy
import threading
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leffa.composition import Composition, Reading, Scene, compose, networks, read_photo, with_worn
from leffa.composition.canvas import framed_mask
from leffa.composition.networks import Networks
from leffa.composition.product import front_of
from leffa.composition.wearer import joined, known_start, worn_garment
from leffa.config import DensePoseEncoding, Garment, Task
from leffa.errors import LeffaError, PersonError, PictureError, WeightsError
from leffa.files import digest
from leffa.framing import Box, Region
from leffa.images import PictureSource, load_image
from leffa.model.flow import FlowField
from leffa.preprocess import advice
from leffa.preprocess.advice import Advice
from leffa.preprocess.encoding import encode_densepose
from leffa.preprocess.garment.shot import Shot
from leffa.preprocess.given_mask import MaskSource, check_mask, read_mask
from leffa.preprocess.offline.masks import MaskOptions
from leffa.preprocess.offline.parts import body_coordinates
from leffa.preprocess.prepared import Preparation, Prepared
from leffa.run.findings import Findings
from leffa.run.job import Job, Watch
from leffa.run.pipelines import Pipelines
from leffa.run.remembering import RememberingPreparation
from leffa.run.result import Progress, Result, StoppedError
from leffa.run.settings import Settings
from leffa.weights import models
from leffa.weights.models import Model

__all__ = ["Engine", "Prepared"]

PERSON_MARGIN = 0.06  # room left around what is painted and around a reference, of the longer side
LEAST_READ = 0.3  # of a worn garment as colours tell it: with less of it read, colours are believed
LEAST_PAINTED = 0.001  # share of the photo
ROOM_FOR_NETWORKS = 8_000_000_000  # bytes: smaller graphics cards are left to the generator
_NOTHING = {
    Garment.UPPER: "no upper body to dress was found",
    Garment.LOWER: "no legs or hips to dress were found",
    Garment.DRESS: "no body to dress was found",
}
_POSE_ENCODINGS = (DensePoseEncoding.POSE_DEMO, DensePoseEncoding.POSE_TRAINING)


class _Loaded:
    """What is loaded once, whoever's pictures it looks at."""

    def __init__(self, device: str, memory: str):
        self.pipelines = Pipelines(device, memory)

    @cached_property
    def preparation(self) -> Preparation:
        machine = self.pipelines.machine()
        on_card = machine.kind == "cuda" and machine.total >= ROOM_FOR_NETWORKS
        return Preparation(models.CHECKPOINTS, machine.device if on_card else "cpu")

    @cached_property
    def networks(self) -> Networks:
        return Networks.load(networks.find())


class Engine:
    """Runs try-on and pose transfer with whatever weights are present. One per process; thread-safe.

    device    "auto", or a torch device such as "cpu", "cuda", "mps"
    memory    "auto", or how sparingly to use it: "plain", "tiled", "offload", "sequential", "8-bit"; see
              ``placement``
    findings  what was found in photos and garments, kept by their content: seen again they cost the painting
              alone, and the results are the same, bit for bit. None = in memory, as long as this object, and
              no more than ``findings.MOST_BYTES``. ``Findings(most_bytes=0)`` keeps nothing
    """

    def __init__(self, device: str = "auto", memory: str = "auto", findings: Findings | None = None):
        self._loaded = _Loaded(device, memory)
        self._findings = Findings() if findings is None else findings

    @property
    def pipelines(self) -> Pipelines:
        """The models in memory."""
        return self._loaded.pipelines

    def apart(self, findings: Findings) -> "Engine":
        """The same networks with findings of their own: for pictures of which nobody else may learn."""
        other = copy.copy(self)
        other.__dict__.pop("_finder", None)
        other._findings = findings
        return other

    @property
    def _preparation(self) -> Preparation:
        return self._loaded.preparation

    @cached_property
    def _finder(self) -> RememberingPreparation:
        return RememberingPreparation(self._findings, self._preparation)

    @property
    def _networks(self) -> Networks:
        return self._loaded.networks

    # ------------------------------------------------------------------------------ before painting

    def prepare(
        self, photo: PictureSource, person: int = 0, task: Task = Task.TRY_ON, model: str | None = None
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
        return self._finder.prepare(photo, person, chosen)

    def mask(
        self,
        prepared: Prepared,
        garment: Garment | str,
        options: MaskOptions | None = None,
    ) -> NDArray[np.uint8]:
        """(H, W) uint8 at the photo's size, 255 = repaint, for a kind of garment.

        The masks of the released demo know no garment and no wishes: with ``options`` other than the defaults
        the mask is made as for the bundled weights. Those cover what is read to be the old garment.
        """
        if options not in (None, MaskOptions()):
            prepared = self._finder.offline(prepared)
        garment = Garment(garment)
        area = prepared.enlarged(prepared.mask_in_frame(garment, options))
        if prepared.is_official or not area.any() or not networks.find().is_dir():
            return area
        region = _around(prepared, area, models.BUNDLED)
        return with_worn(area, region, self._read(prepared, region), garment)

    def parts(self, prepared: Prepared) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 I, U, V of the chosen person, at the photo's size."""
        return prepared.frame.invert_map(prepared.parts_in_frame())

    def advise(
        self,
        prepared: Prepared,
        garment: Garment | str | None,
        reference: PictureSource | None = None,
        options: MaskOptions | None = None,
    ) -> tuple[Garment, list[Advice]]:
        """The kind of garment, and what should be told of photo and garment; ``try_on`` notes the same.

        garment    None = by its outline on ``reference``
        reference  picture of the garment, if there is one yet
        options    of the mask that is to be painted

        Raises PersonError for what cannot be done at all.
        """
        if reference is None:
            kind = Garment(garment or Garment.UPPER)
            told: list[Advice] = []
        else:
            kind, shot, told = self._settle(garment, load_image(reference))
            told += advice.of_lengths(shot.measure(kind), kind, options or MaskOptions())
        return kind, [*advice.of_person(prepared.parts_in_frame()[..., 0], kind), *told]

    # ------------------------------------------------------------------------------ painting

    @overload
    def try_on(
        self,
        person: PictureSource | Prepared,
        reference: PictureSource,
        garment: Garment | str | None = None,
        mask: MaskSource | None = None,
        settings: Settings | None = None,
        model: str | None = None,
        progress: Progress | None = None,
        stop: threading.Event | None = None,
    ) -> Result: ...

    @overload
    def try_on(
        self,
        person: list[PictureSource | Prepared],
        reference: PictureSource | list[PictureSource],
        garment: Garment | str | None = None,
        mask: list[MaskSource | None] | None = None,
        settings: Settings | None = None,
        model: str | None = None,
        progress: Progress | None = None,
        stop: threading.Event | None = None,
    ) -> list[Result]: ...

    def try_on(
        self,
        person: Any,
        reference: Any,
        garment: Garment | str | None = None,
        mask: Any = None,
        settings: Settings | None = None,
        model: str | None = None,
        progress: Progress | None = None,
        stop: threading.Event | None = None,
    ) -> Any:
        """Put the garment of ``reference`` on the person.

        person, reference  pictures as ``images.load_image`` takes them: files, PIL pictures or arrays
        garment   its kind; None = told by its outline, and said in the result's notes
        mask      what to repaint, at the photo's size, however it is kept: see ``given_mask.read_mask``; None
                  = automatic
        progress  see ``Progress``; with it, previews are made
        stop      set it from another thread to end the run with ``StoppedError``

        A list of people gives a list of results, one after the other, with one reference for all of them or a
        list of as many, and so the masks.

        The result has the photo's size, and outside the mask its pixels are the photo's own. Raises
        LeffaError (PersonError, PictureError, WeightsError) with one sentence for the user.
        """
        if isinstance(person, (list, tuple)):
            shared = {"settings": settings, "model": model, "progress": progress, "stop": stop}
            return self._try_on_each(person, reference, garment, mask, shared)
        picture = load_image(reference)
        garment, shot, told = self._settle(garment, picture)
        chosen = models.find(Task.TRY_ON, model, garment)
        resolved = (settings or Settings()).resolved(chosen)
        given = None if mask is None else read_mask(mask)

        (progress or _silent)(0.0, "finding the person", None)
        prepared = self._prepared(person, chosen)
        part = prepared.parts_in_frame()[..., 0]
        told += advice.of_person(part, garment) if given is None else advice.of_pose(part, garment)
        notes = [*prepared.notes, *map(str, told), *_unfamiliar(chosen, garment)]

        automatic = self.mask(prepared, garment)
        if given is None:
            notes += map(str, advice.of_lengths(shot.measure(garment), garment, MaskOptions()))
            area = _painted(automatic, _NOTHING[garment])
        else:
            notes += check_mask(given, prepared.size, self.parts(prepared)[..., 0])
            area = _painted(given, "the mask is empty")

        chosen = chosen.at(resolved.size)
        whole = Region.whole(prepared.size, chosen.size, chosen.official_conditions)
        region = _around(prepared, area, chosen) if chosen.focus else whole
        # An automatic mask in the model's own frame is used as it was made.
        is_framed = given is None and prepared.frame == region.letterbox
        job = Job(
            task=Task.TRY_ON,
            model=chosen,
            settings=resolved,
            photo=prepared.photo,
            mask=area,
            framed_mask=prepared.mask_in_frame(garment) if is_framed else region.mask(area),
            region=region,
            densepose=_condition(prepared, region, chosen, resolved.encoding),
            reference=shot.picture,
            reference_shown=shot.shown,
            reference_region=_reference_region(shot.shown, chosen),
        )
        scene = start = None
        if resolved.compose:
            by_hand = (area > 127) & (automatic <= 127)  # the brush: it is repainted whatever it shows
            scene = replace(_scene(job, self._read(prepared, region), garment, by_hand), is_worn=shot.is_worn)
            start = self._start(scene, picture) if shot.is_worn else None
        return replace(self._run(job, scene, notes, progress, stop, start), garment=garment)

    def _try_on_each(
        self, people: Any, reference: Any, garment: Garment | str | None, mask: Any, shared: dict[str, Any]
    ) -> list[Result]:
        """One after the other; ``shared`` are the other arguments of ``try_on``."""
        references = reference if isinstance(reference, (list, tuple)) else [reference] * len(people)
        masks = [None] * len(people) if mask is None else mask
        for name, values in (("references", references), ("masks", masks)):
            if len(values) != len(people):
                raise LeffaError(f"{len(people)} people and {len(values)} {name}: give as many of them")
        return [
            self.try_on(one, its_reference, garment, its_mask, **shared)
            for one, its_reference, its_mask in zip(people, references, masks, strict=True)
        ]

    def pose_transfer(
        self,
        reference: PictureSource | Prepared,
        pose: PictureSource | Prepared,
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
        chosen = chosen.at(resolved.size)
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
        notes = list(dict.fromkeys(source.notes + target.notes))
        if not resolved.compose:
            return self._run(job, None, notes, progress, stop)
        scene = _scene(job, self._read(target, region), None, np.zeros(target.size, bool))
        scene = replace(scene, reference_parts=self.parts(source))
        body = self._read(source, job.reference_region).body
        start = known_start(scene.reading.body, body, framed_mask(shown, job.reference_region))
        return self._run(job, scene, notes, progress, stop, start)

    def _settle(
        self, garment: Garment | str | None, picture: Image.Image
    ) -> tuple[Garment, Shot, list[Advice]]:
        content = digest(np.asarray(picture))

        def settle() -> tuple[Garment, Shot, list[Advice]]:
            kind, shot, told = advice.settle(garment, partial(self._whole_shot, picture, content))
            return kind, self._front(shot, content, kind), told

        given = Garment(garment).value if garment else "open"
        kind, shot, told = self._findings.remember(f"settled {given} {content}", settle)
        return kind, shot.copy(), list(told)

    def shot(self, reference: PictureSource, garment: Garment | str) -> Shot:
        """A garment's picture as a run takes it: what somebody wears there is taken off them."""
        kind, picture = Garment(garment), load_image(reference)
        content = digest(np.asarray(picture))
        return self._front(self._whole_shot(picture, content, kind), content, kind).copy()

    def _whole_shot(self, picture: Image.Image, content: str, garment: Garment) -> Shot:
        """With what a body would hide. ``content`` is the picture's digest."""
        name = f"whole shot {garment.value} {content}"
        return self._findings.remember(
            name, lambda: Shot.of(picture.copy(), garment, self._take_off), counts=True
        )

    def _front(self, shot: Shot, content: str, garment: Garment) -> Shot:
        """Without what a body hides, where the networks that tell it are here."""
        if shot.is_worn or not networks.find().is_dir():
            return shot

        def front() -> Shot:
            return replace(shot, shown=front_of(shot.picture, shot.shown, garment, self._networks.shot))

        return self._findings.remember(f"front {garment.value} {content}", front)

    def _take_off(self, picture: NDArray[np.uint8], garment: Garment) -> NDArray[np.uint8] | None:
        """See ``shot.TakeOff``: by the photo's reading, or by colours where its networks are not here."""
        by_colours = self._finder.take_off(picture, garment)
        if by_colours is None or not networks.find().is_dir():
            return by_colours
        try:
            wearer = self._wearer(Image.fromarray(picture))
        except PersonError:
            return by_colours
        region = Region.around(wearer.box, wearer.size, models.BUNDLED.size, PERSON_MARGIN)
        worn = worn_garment(wearer.photo, region, self._read(wearer, region), garment)
        return worn if np.count_nonzero(worn) > LEAST_READ * np.count_nonzero(by_colours) else by_colours

    def _wearer(self, picture: Image.Image) -> Prepared:
        return self._finder.prepare(picture, 0, models.BUNDLED)

    def _start(self, scene: Scene, picture: Image.Image) -> FlowField | None:
        """The flow that the bodies of person and wearer tell, see ``known_start``."""
        try:
            wearer = self._wearer(picture)
        except PersonError:
            return None
        region = scene.reference_region
        body = self._read(wearer, region).body
        return known_start(scene.reading.body, body, framed_mask(scene.shown, region))

    def _prepared(self, person: PictureSource | Prepared, model: Model) -> Prepared:
        if isinstance(person, Prepared):
            return self._finder.fit(person, model)
        return self._finder.prepare(person, 0, model)

    def _read(self, prepared: Prepared, region: Region) -> Reading:
        """What the photo shows, by the person as the offline preprocessor finds them."""
        found = self._finder.offline(prepared)
        person = found.person

        def read() -> Reading:
            return read_photo(found.photo, region, found.silhouette(), self.parts(found), self._networks)

        content = digest(np.asarray(found.photo), person.landmarks, person.silhouette)
        return self._findings.remember(f"reading {content} {region}", read)

    def _run(
        self,
        job: Job,
        scene: Scene | None,
        notes: list[str],
        progress: Progress | None,
        stop: threading.Event | None,
        start: FlowField | None = None,
    ) -> Result:
        """``start`` is what is known of the flow beforehand, (h, w) in the networks' frame."""
        report = progress or _silent
        report(0.05, "loading the model", None)
        paints = scene is None or job.model.official_conditions  # else its flow is all that is used
        watch = Watch(job, report, stop, previews=getattr(progress, "previews", progress is not None))

        def inputs() -> dict:
            return {
                **job.inputs(),
                "output_type": "pt" if paints else "latent",
                "return_flow": True,
                "callback_on_step_end": watch,
            }

        output, remarks = self.pipelines.run(job.model, job.settings.samples, inputs, self._findings)
        if stop is not None and stop.is_set():
            raise StoppedError("The run was stopped.")
        report(0.97, "finishing", None)
        flows = output.flow or []
        fields = [job.field_on_photo(flow.merged) for flow in flows]
        painted = [job.laid_back(torch.as_tensor(picture)) for picture in output.images] if paints else []
        composed: list[Composition] = []
        if scene is not None:
            composed = [
                compose(
                    scene,
                    flow.merged if start is None else joined(flow.merged, start),
                    self._networks,
                    painted[i] if paints else None,
                )
                for i, flow in enumerate(flows)
            ]
        report(1.0, "done", None)
        return Result(
            task=job.task,
            model=job.model.name,
            settings=job.settings,
            photo=job.photo,
            reference=job.reference,
            images=[composition.image for composition in composed] or painted,
            mask=job.mask,
            densepose=Image.fromarray(((job.densepose + 1) * 127.5).round().astype(np.uint8)),
            fields=fields,
            compositions=composed,
            flows=flows,
            region=job.region,
            reference_region=job.reference_region,
            notes=[*notes, *remarks],
        )


def _scene(job: Job, reading: Reading, garment: Garment | None, by_hand: NDArray[np.bool_]) -> Scene:
    return Scene(
        photo=job.photo,
        mask=job.mask,
        by_hand=by_hand,
        reading=reading,
        region=job.region,
        reference=job.reference,
        shown=job.reference_shown,
        reference_region=job.reference_region,
        garment=garment,
    )


def _condition(
    prepared: Prepared, region: Region, model: Model, wanted: DensePoseEncoding | None
) -> NDArray[np.float32]:
    """(h, w, 3) in [-1, 1] in the model's frame: the chosen person's parts as the weights want them."""
    encoding = _encoding(model, wanted)
    iuv = prepared.parts_in_frame()
    if prepared.frame != region.letterbox:  # else the weights get what DensePose said, resized by nobody
        iuv = region.labels(prepared.frame.invert_map(iuv))
    if encoding is DensePoseEncoding.BODY:
        return body_coordinates(iuv)
    return encode_densepose(iuv, encoding)


def _encoding(model: Model, wanted: DensePoseEncoding | None) -> DensePoseEncoding:
    saved = model.densepose_encoding
    if wanted in (None, saved):
        return saved
    if saved in _POSE_ENCODINGS and wanted in _POSE_ENCODINGS:
        return DensePoseEncoding(wanted)
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


def _around(prepared: Prepared, area: NDArray[np.uint8], model: Model) -> Region:
    """The region that a model with ``focus`` looks at: what is painted, and what is seen of the person."""
    inner = Box.of(area).union(_visible_box(prepared.box, area))
    return Region.around(inner, prepared.size, model.size, PERSON_MARGIN)


def _visible_box(person: Box, area: NDArray[np.uint8]) -> Box:
    """The person's box, cut to a little above and below the painted area: context, not the whole body."""
    _, top, _, bottom = Box.of(area)
    reach = round(0.35 * (bottom - top))
    return person._replace(top=max(person.top, top - reach), bottom=min(person.bottom, bottom + reach // 2))


def _reference_region(shown: NDArray[np.uint8], model: Model) -> Region:
    size = (shown.shape[0], shown.shape[1])
    if not model.focus or not shown.any():
        return Region.whole(size, model.size, model.official_conditions)
    return Region.around(Box.of(shown), size, model.size, PERSON_MARGIN)
