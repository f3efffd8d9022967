"""Scenes drawn from numbers: who wears what, how they stand, where the camera is; and their G-buffers."""

from dataclasses import dataclass, replace

import numpy as np

from leffa.config import Garment as Kind
from leffa.preprocess.labels import Landmark
from leffa.synthetic.body.bags import Bag, bag_meshes, draw_bag
from leffa.synthetic.body.figure import (
    Figure,
    Layout,
    Posed,
    body_mesh,
    draw_layout,
    extent,
    lay_out,
    pose_figure,
)
from leffa.synthetic.body.landmarks import project_landmarks
from leffa.synthetic.body.mesh import Material, Mesh, join
from leffa.synthetic.body.pose_library import BACK_VIEWS, POSES, SEATED_VIEWS, SIDE_VIEWS, random_pose
from leffa.synthetic.body.poses import Pose
from leffa.synthetic.cloth.drape import Drape
from leffa.synthetic.cloth.garments import Garment
from leffa.synthetic.cloth.wardrobe import draw_expression, draw_former, draw_hair, draw_outfit
from leffa.synthetic.identity import DEFAULTS, WOMEN, Person, Settings, draw_person
from leffa.synthetic.lent.catalogue import Catalogue, Loan, draw_template, front_camera
from leffa.synthetic.render.camera import Camera
from leffa.synthetic.render.correspond import correspondence
from leffa.synthetic.render.gbuffer import GBuffer, View, draw, resolve
from leffa.synthetic.render.raster import EMPTY, rasterise

CATALOGUE = (
    "front", "catalogue", "arms_away", "hand_on_hip", "pocket", "pockets", "behind_back", "walking",
    "legs_crossed", "quarter_turn", "quarter_pocket",
)  # fmt: skip
PRODUCT_LIGHTS = np.array([[-0.35, 0.55, 0.76]], np.float32)
FRONTAL = tuple(pose.name for pose in POSES if pose.name not in BACK_VIEWS + SIDE_VIEWS + SEATED_VIEWS)


@dataclass(frozen=True)
class Picture:
    """One rendered figure.

    buffer      its G-buffer
    landmarks   (33, 4) float32: x, y pixels, z pixels relative to the hips (nearer = smaller), visibility
    parts       (H, W, 3) uint8 I, U, V of the body under the clothes
    """

    buffer: GBuffer
    landmarks: np.ndarray
    parts: np.ndarray


@dataclass(frozen=True)
class Former:
    """The same person, pose, camera and light before the garment was put on.

    gone    materials of the garments that had to go
    styles  of all garments worn, inner to outer
    """

    picture: Picture
    gone: tuple[int, ...]
    styles: tuple[str, ...]


@dataclass(frozen=True)
class TryOnScene:
    """A person in an outfit and the product shot of garment number ``main`` of it.

    ``varied`` scenes were drawn with ``Extras``. With a ``loan`` a photograph takes the product shot's place
    once the scene is shaded, see ``lent``.
    """

    name: str
    kind: Kind
    person: Picture
    product: GBuffer
    main: int
    styles: tuple[str, ...]
    wearer: Person
    snapshot: bool
    loan: Loan | None = None
    former: Former | None = None
    varied: bool = False

    @property
    def style(self) -> str:
        """Style of the garment to try on, see ``wardrobe``."""
        return self.styles[self.main]

    @property
    def material(self) -> int:
        """Material number of the garment to try on."""
        return Material.GARMENT + self.main


@dataclass(frozen=True)
class PosePairScene:
    """One dressed person in two poses; ``target.buffer.flow`` points into ``source``."""

    name: str
    target: Picture
    source: Picture
    styles: tuple[str, ...]
    wearer: Person
    snapshot: bool


def draw_camera(rng: np.random.Generator, posed: Posed, kind: Kind | None, snapshot: bool) -> Camera:
    """Frame a figure: full body, half body or waist down, as a catalogue or a snapshot would."""
    points = posed.vertices
    low, high = points.min(0), points.max(0)
    height = high[1] - low[1]
    hips = posed.landmarks[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP]].mean(0)
    shoulders = posed.landmarks[[Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER]].mean(0)
    # photos are cut to what is painted before they are framed, so most pictures are close
    full = {Kind.UPPER: 0.12, Kind.LOWER: 0.25, Kind.DRESS: 0.65, None: 0.7}[kind]
    centre_x = 0.5 * (low[0] + high[0]) * 0.4 + 0.3 * (hips[0] + shoulders[0])
    if rng.random() < full:
        span = height * rng.uniform(1.04, 1.25)
        centre_y = (low[1] + high[1]) / 2 + rng.uniform(-0.03, 0.03) * height
    elif kind is Kind.LOWER:
        bottom, top = (
            low[1] - 0.03 * height,
            shoulders[1] - rng.uniform(-0.1, 0.25) * (shoulders[1] - hips[1]),
        )
        span = (top - bottom) * rng.uniform(1.0, 1.1)
        centre_y = (top + bottom) / 2
    else:
        top = high[1] + rng.uniform(0.02, 0.1) * height
        if snapshot and rng.random() < 0.25:
            top = shoulders[1] + rng.uniform(0.1, 0.25)
        bottom = hips[1] - rng.uniform(0.02, 0.42) * height * (1.5 if kind is Kind.DRESS else 1)
        span, centre_y = top - bottom, (top + bottom) / 2
    # Stretched arms and sitting legs must fit: the frame is narrower than high.
    wide = np.abs(
        points[(points[:, 1] > centre_y - span / 2) & (points[:, 1] < centre_y + span / 2), 0] - centre_x
    )
    if len(wide) and rng.random() < 0.8:
        span = max(span, 2 * float(np.quantile(wide, 0.995)) / 0.75 * 1.02)
    depth = float(hips[2])
    if snapshot:
        distance = max(rng.uniform(1.5, 3.0), 0.9 * span)
        pitch, roll = rng.normal(3, 7), rng.normal(0, 2.5)
        shift = (float(rng.normal(0, 0.05)), float(rng.normal(0, 0.02)))
    else:
        distance = rng.uniform(2.6, 6)
        pitch, roll = rng.normal(0, 2), 0.0
        shift = (float(rng.normal(0, 0.012)), 0.0)
    target = (float(centre_x), float(centre_y), depth)
    return Camera(target, float(span), float(distance), float(pitch), float(roll), shift)


def draw_lights(rng: np.random.Generator) -> np.ndarray:
    """(2, 3) unit vectors towards the lights: before and above the person, spread to both sides."""
    lights = []
    for number in range(2):
        side = rng.uniform(0.1, 1.3) * (1 if number % 2 else -1)
        up = rng.uniform(0.1, 1.0)
        lights.append([np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)])
    return np.array(lights, np.float32)


def take_picture(
    posed: Posed,
    camera: Camera,
    size: tuple[int, int],
    lights: np.ndarray,
    view: View | None = None,
    flow: tuple[np.ndarray, np.ndarray] | None = None,
) -> Picture:
    """Render a posed figure, its landmarks and its part map."""
    height, width = size
    view = view or draw(join(posed.meshes), camera, height, width)
    buffer = resolve(view, lights, flow)
    nude = body_mesh(posed.vertices)
    projected = camera.project(nude.points, height, width)
    fragments = rasterise(projected, nude.faces, height, width, one_sided=np.ones(len(nude.faces), bool))
    there = fragments.face != EMPTY
    parts = np.zeros((height, width, 3), np.uint8)
    face = fragments.face[there]
    coordinates = np.einsum("nk,nkc->nc", fragments.weights[there], nude.uv[face])
    parts[there] = np.c_[nude.chart[face], np.round(coordinates * 255).clip(0, 255)].astype(np.uint8)
    return Picture(buffer, project_landmarks(posed.landmarks, camera, parts[..., 0], fragments.depth), parts)


def _draw_pose(rng: np.random.Generator, from_behind: bool = True) -> Pose:
    kind = rng.random() * (1 if from_behind else 0.95)
    if kind < 0.86:
        return random_pose(rng, CATALOGUE if kind < 0.5 else FRONTAL)
    return random_pose(rng, SEATED_VIEWS if kind < 0.9 else SIDE_VIEWS if kind < 0.95 else BACK_VIEWS)


def _draw_figure(
    rng: np.random.Generator,
    person: Person,
    kind: Kind,
    style: str | None,
    garment: Garment | None = None,
    from_behind: bool = True,
) -> tuple[Figure, int]:
    garments, main = draw_outfit(rng, kind, person.female, style, garment)
    hair = draw_hair(rng, person.female)
    pose = _draw_pose(rng, from_behind)
    figure = Figure(
        coefficients=person.coefficients,
        garments=tuple(garments),
        pose=pose,
        hair=hair,
        shoe=float(rng.uniform(0.0, 0.06)) if rng.random() < 0.94 else None,
        expression=draw_expression(rng),
        drape=Drape(int(rng.integers(2**31)), float(rng.uniform(0.5, 1.5))),
    )
    return figure, main


def draw_kind(rng: np.random.Generator) -> Kind:
    """Kind of the garment to try on, upper garments twice as often as the others."""
    return (Kind.UPPER, Kind.UPPER, Kind.LOWER, Kind.DRESS)[int(rng.integers(4))]


def frame_product(
    rng: np.random.Generator, low: np.ndarray, high: np.ndarray, size: tuple[int, int]
) -> Camera:
    """A camera far away that shows a garment of this extent whole, more or less centred."""
    height, width = size
    span = max(high[1] - low[1], (high[0] - low[0]) * height / width) * rng.uniform(1.04, 1.3)
    free = span - (high[1] - low[1])
    centre = (low + high) / 2
    shift = (float(rng.normal(0, 0.008)), float(rng.uniform(-0.25, 0.25) * free / span))
    target = (float(centre[0]), float(centre[1]), float(centre[2]))
    return Camera(target, float(span), distance=20.0, roll=float(rng.normal(0, 0.8)), shift=shift)


@dataclass(frozen=True)
class Extras:
    """What makes a scene less tidy.

    bag    carried by the person
    crop   the person's picture is cut at any height
    folds  the product shot's sleeves are laid across, see ``Layout``; tilt degrees that it is turned by
    """

    bag: Bag | None = None
    crop: bool = False
    folds: tuple[float, float] | None = None
    tilt: float = 0.0

    def fold(self, layout: Layout) -> Layout:
        """How the product shot is laid out then."""
        if self.folds is None:
            return layout
        return replace(layout, arms=min(layout.arms, 16.0), flat=0.5 * layout.flat, folds=self.folds)


NO_EXTRAS = Extras()


def draw_extras(rng: np.random.Generator) -> Extras:
    """A few of the extras."""
    bag = draw_bag(rng) if rng.random() < 0.45 else None
    folds = None
    if rng.random() < 0.35:
        bent = rng.uniform(95, 135, 2)
        folds = (float(bent[0]), float(bent[1]) if rng.random() < 0.7 else 4.0)
    tilt = float(rng.normal(0, 9)) if rng.random() < 0.4 else 0.0
    return Extras(bag, bool(rng.random() < 0.5), folds, tilt)


def crop(rng: np.random.Generator, camera: Camera, posed: Posed, kind: Kind) -> Camera:
    """Another frame of the same view: cut at any height that leaves most of the garment's place in it."""
    points = posed.landmarks
    top = float(posed.vertices[:, 1].max())
    eyes, shoulders, hips, knees, ankles = (
        float(points[[Landmark[f"LEFT_{name}"], Landmark[f"RIGHT_{name}"]], 1].mean())
        for name in ("EYE", "SHOULDER", "HIP", "KNEE", "ANKLE")
    )
    thigh = hips + 0.45 * (knees - hips)
    highest, lowest = {
        Kind.UPPER: ((shoulders + 0.06, top + 0.15), (thigh, hips + 0.06)),
        Kind.LOWER: ((hips + 0.1, eyes), (ankles - 0.12, knees)),
        Kind.DRESS: ((shoulders + 0.06, top + 0.15), (ankles - 0.1, thigh)),
    }[kind]
    upper, lower = (rng.uniform(min(ends), max(ends)) for ends in (highest, lowest))
    span = max(float(upper - lower), 0.35)
    target = (camera.target[0], float(upper + lower) / 2, camera.target[2])
    shift = (float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)), 0.0)
    return replace(camera, target=target, span=span, distance=max(camera.distance, 1.2 * span), shift=shift)


def make_try_on_scene(index: int, settings: Settings = DEFAULTS, varied: bool = False) -> TryOnScene:
    """Scene number ``index``: G-buffers of person and product shot, with exact flow between them.

    ``settings.redressed`` adds the person's former outfit and changes nothing else; ``varied`` draws
    ``Extras``.
    """
    rng = settings.generator(1, index)
    kind = settings.kind or draw_kind(rng)
    person, _ = draw_person(rng, settings.split, WOMEN[kind])
    figure, main = _draw_figure(rng, person, kind, settings.style)
    snapshot = bool(rng.random() < 0.4)
    posed = pose_figure(figure)
    camera = draw_camera(rng, posed, kind, snapshot)
    extras, camera = _extras(varied, camera, posed, kind, settings.generator(12, index))

    garment = figure.garments[main]
    shape = person.coefficients * rng.uniform(0, 1)
    meshes = lay_out(garment, extras.fold(draw_layout(rng)), shape)
    product_camera = frame_product(rng, *extent(meshes), settings.size)
    if extras.tilt:
        wider = 1 + 0.008 * abs(extras.tilt)
        product_camera = replace(product_camera, roll=extras.tilt, span=product_camera.span * wider)
    return _render(
        rng, index, settings, kind, person, (figure, posed, camera), main,
        (meshes, product_camera), snapshot, None, extras,
    )  # fmt: skip


def make_lent_scene(
    index: int, settings: Settings, catalogue: Catalogue, varied: bool = False
) -> TryOnScene | None:
    """Scene number ``index`` with a garment that a photograph can stand for; None if the kind has none.

    Nobody is seen from behind: a photograph shows but the front.
    """
    rng = settings.generator(5, index)
    kind = settings.kind or draw_kind(settings.generator(1, index))  # as in the scene whose place it takes
    loan = catalogue.draw(rng, kind)
    if loan is None:
        return None
    template = draw_template(settings.split, loan.cut, loan.template)
    person, _ = draw_person(rng, settings.split, 1.0 if template.female else WOMEN[kind])
    figure, main = _draw_figure(rng, person, kind, None, template.garment, from_behind=False)
    snapshot = bool(rng.random() < 0.4)
    posed = pose_figure(figure)
    camera = draw_camera(rng, posed, kind, snapshot)
    extras, camera = _extras(varied, camera, posed, kind, settings.generator(12, index))
    meshes = template.meshes()
    return _render(
        rng, index, settings, kind, person, (figure, posed, camera), main,
        (meshes, front_camera(meshes, settings.size)), snapshot, loan, extras,
    )  # fmt: skip


def _extras(
    varied: bool, camera: Camera, posed: Posed, kind: Kind, rng: np.random.Generator
) -> tuple[Extras, Camera]:
    if not varied:
        return NO_EXTRAS, camera
    extras = draw_extras(rng)
    return extras, crop(rng, camera, posed, kind) if extras.crop else camera


def _render(
    rng: np.random.Generator,
    index: int,
    settings: Settings,
    kind: Kind,
    person: Person,
    stage: tuple[Figure, Posed, Camera],
    main: int,
    laid_out: tuple[list[Mesh], Camera],
    snapshot: bool,
    loan: Loan | None,
    extras: Extras,
) -> TryOnScene:
    """Draw product shot and person, with the flow between them, and the former outfit if it is wanted.

    laid_out  the garment's meshes and the camera of its product shot
    """
    (figure, posed, camera), (meshes, product_camera) = stage, laid_out
    size = settings.size
    product_view = draw(join(meshes), product_camera, *size)
    product = resolve(product_view, PRODUCT_LIGHTS)

    carried = [] if extras.bag is None else bag_meshes(extras.bag, posed.meshes, posed.landmarks)
    posed = replace(posed, meshes=[*posed.meshes, *carried])
    view = draw(join(posed.meshes), camera, *size)
    pieces = range(posed.first[main], posed.first[main + 1])
    flow = correspondence(view, product_view, {own: number for number, own in enumerate(pieces)})
    lights = draw_lights(rng)
    picture = take_picture(posed, camera, size, lights, view, flow)
    former = None
    if settings.redressed:
        before = settings.generator(8, index)
        garments, gone = draw_former(before, kind, person.female, list(figure.garments), main)
        old = pose_figure(replace(figure, garments=tuple(garments)))
        old = replace(old, meshes=[*old.meshes, *carried])
        former = Former(
            take_picture(old, camera, size, lights),
            tuple(Material.GARMENT + number for number in gone),
            tuple(garment.style for garment in garments),
        )
    return TryOnScene(
        name=f"{'lent-' if loan else ''}{settings.split.value}-{settings.seed}-{index:06d}",
        kind=kind,
        person=picture,
        product=product,
        main=main,
        styles=tuple(garment.style for garment in figure.garments),
        wearer=person,
        snapshot=snapshot,
        loan=loan,
        former=former,
        varied=extras is not NO_EXTRAS,
    )


def make_pose_pair_scene(index: int, settings: Settings) -> PosePairScene:
    """Pose pair number ``index``: one person in one outfit, two poses and cameras, exact flow from the target
    to the source."""
    rng, size = settings.generator(2, index), settings.size
    kind = draw_kind(rng)
    person, _ = draw_person(rng, settings.split, WOMEN[kind])
    figure, _ = _draw_figure(rng, person, kind, None)
    snapshot = bool(rng.random() < 0.2)
    views, figures = [], []
    drape = figure.drape
    for number in range(2):
        moved = replace(figure, pose=_draw_pose(rng), drape=replace(drape, seed=drape.seed + 7 * number))
        posed = pose_figure(moved)
        camera = draw_camera(rng, posed, None, snapshot)
        figures.append((posed, camera))
        views.append(draw(join(posed.meshes), camera, *size))
    lights = draw_lights(rng)
    same = {number: number for number in range(len(figures[0][0].meshes))}
    flow = correspondence(views[0], views[1], same)
    target = take_picture(*figures[0], size, lights, views[0], flow)
    source = take_picture(*figures[1], size, lights, views[1])
    return PosePairScene(
        name=f"pair-{settings.split.value}-{settings.seed}-{index:06d}",
        target=target,
        source=source,
        styles=tuple(garment.style for garment in figure.garments),
        wearer=person,
        snapshot=snapshot,
    )
