"""From flow to picture: what is real stays real, the garment is laid sharply, and only the rest is painted.

The final picture is the photo, except where the new garment lies and where the old one was and the new one is
not. So the photo is read (``PhotoParser``), the attention flow is refined to the pixel and the new silhouette
decided (``Refinement``), what neither covers is painted (``Filling``), and all of it is put together at the
photo's own size. Ours, not the paper's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.config import Garment
from leffa.framing import Region
from leffa.images import Letterbox, to_tensor
from leffa.model.flow import FlowField
from leffa.model.refinement import Refined, Shows
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.parsing import REPLACED, SKIN, Seen
from leffa.preprocess.offline.parts import body_coordinates
from leffa.run.networks import Networks

Maps = NDArray[np.float32]

FRAME = (256, 192)
"""(height, width) that the networks were trained at."""
WORKING_SIDE = 1280  # px: silhouettes need no more; cloth is warped at the photo's own size
OUTLINE = 0.7  # px of the frame: waves of a silhouette's outline that are shorter are smoothed away
EDGE = 0.9  # slope of the outline, smoothed so, per px of the frame: it then ends within two of the photo's
KEPT = 0.6  # share of what is surely not the old garment, above which a pixel of the photo stays
RIM = 1.6  # px of the frame: the old garment's edge is mixed with what lies beside it
NEAR = 16.0  # px of the frame around a mask within which the old garment is looked for
AWAY = (5.0, 6.5)  # px of the frame from the person: from here on all is ground, whatever the parser says
OPEN = 0.25  # share of a frame's pixel that has to go before it counts as open to the filling
SURE_SKIN = 0.7
LEAST_SKIN = 98  # px of the frame: fewer do not tell a skin's tone
GUIDE_RADIUS, GUIDE_EDGE = (
    2.0,
    0.02,
)  # of the guided filter: px of the frame; contrast of an edge worth keeping
MOST_SHADE, MEAN_SHARE = 0.45, 0.2  # of the log gain: how far folds may go; how much of its mean is believed
HEAD_ROOM = 1.3  # of the head's size: hair that lies further from it is no hair
TONE_REACH = (60.0, 22.0)  # in Lab, lightness and colour: what is further from the face's is no bare skin
PLAIN, ALIKE = 8.0, 0.45  # spread in Lab of cloth of one colour; how much of its chroma a rim may lose
LEAST_FACE = 60  # px of the frame: fewer do not tell a face's colour
HEAD = (Part.HEAD_LEFT, Part.HEAD_RIGHT)
HAIR_REACH = 0.15  # of the head's size
AROUND = 7.0  # px of a product shot 512 px long
BESIDE = 0.03  # of a product shot's height: a flow that ends further from the cloth shows none
FRINGE, ONE_COLOUR = (
    8,
    14.0,
)  # px of a product shot 512 px long, and a distance in Lab: cloth mixed with its ground
FACE_FIT = 0.06  # of the reference's width: a head that turns more than this is not carried as one piece


@dataclass(frozen=True)
class Composition:
    """A picture put together.

    image       at the photo's size
    repainted   (H, W) uint8, 255 = differs from the photo
    silhouette  (H, W) float32 in [0, 1]: where the new garment (or person) lies
    field       the refined flow at the photo's size; its occupancy is the silhouette
    """

    image: Image.Image
    repainted: NDArray[np.uint8]
    silhouette: Maps
    field: FlowField


@dataclass(frozen=True)
class Scene:
    """What a composition is made of. H, W are the photo's.

    photo       to put the garment on, or the picture whose pose is wanted
    mask        (H, W) uint8, 255 = may be repainted
    by_hand     (H, W) bool: what its user painted, which is repainted whatever it shows
    reading     what the photo shows
    region, reference_region  how photo and reference lie in the model's frame
    reference, shown   the product shot or source photo and its (h, w) uint8 garment or person, 255
    garment     kind; None in pose transfer
    """

    photo: Image.Image
    mask: NDArray[np.uint8]
    by_hand: NDArray[np.bool_]
    reading: "Reading"
    region: Region
    reference: Image.Image
    shown: NDArray[np.uint8]
    reference_region: Region
    garment: Garment | None


@dataclass(frozen=True)
class Reading:
    """What a photo shows in a region of it.

    seen        (1, 10, 256, 192) float32, shares of ``Seen`` in the networks' frame
    body        (1, 3, 256, 192) in [-1, 1], body coordinates there
    silhouette  (H, W) uint8, 255 = the person, at the photo's size
    on_body     (H, W) bool: where the part map has a part: not a bag, not a wide skirt's end
    head        (H, W) bool: the head as the part map has it
    """

    seen: Tensor
    body: Tensor
    silhouette: NDArray[np.uint8]
    on_body: NDArray[np.bool_]
    head: NDArray[np.bool_]


@torch.no_grad()
def read_photo(
    photo: Image.Image,
    region: Region,
    silhouette: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    networks: Networks,
) -> Reading:
    """Read a region of a photo.

    silhouette  (H, W) uint8, 255 = the person; ``parts`` (H, W, 3) uint8 I, U, V of the offline part map
    """
    small = replace(region, letterbox=Letterbox.fit(region.size, FRAME))
    body = torch.from_numpy(body_coordinates(small.labels(parts))).permute(2, 0, 1)[None]
    person = _framed_mask(silhouette, region)
    picture = _framed_picture(photo, region)
    seen = networks.parser(picture, person, body).softmax(1)
    head = np.isin(parts[..., 0], HEAD)
    seen = _hair_on_heads(seen, _framed_mask(np.where(head, 255, 0).astype(np.uint8), region))
    seen = _cloth_of_one_colour(_skin_like_the_face(seen, picture), picture)
    return Reading(seen, body, silhouette, parts[..., 0] > 0, head)


def _hair_on_heads(seen: Tensor, head: Tensor) -> Tensor:
    """Hair hangs together with the head and is near it: a dark print on a chest is cloth."""
    if not head.any():
        return seen
    near = cv2.dilate(head[0, 0].numpy(), _disc(HEAD_ROOM * float(head.sum()) ** 0.5))
    hair = (seen[0, [Seen.HAIR, Seen.FACE]].sum(0) > 0.5).numpy() | (head[0, 0].numpy() > 0)
    _, labels = cv2.connectedComponents(hair.astype(np.uint8))
    own = np.isin(labels, np.unique(labels[(head[0, 0].numpy() > 0) & hair])) & hair & (near > 0)
    for part in (Seen.HAIR, Seen.FACE):
        seen = _moved(seen, part, torch.from_numpy(~own))
    return seen


def _skin_like_the_face(seen: Tensor, picture: Tensor) -> Tensor:
    """Bare arms and legs have the face's colour, lighter or darker: what has another is cloth."""
    lab = _lab(picture)
    tone = _face_tone(seen, lab)
    if tone is None:
        return seen
    away = np.abs(lab - tone)
    other = (away[..., 0] > TONE_REACH[0]) | (np.hypot(away[..., 1], away[..., 2]) > TONE_REACH[1])
    for limb in (Seen.ARM, Seen.LEG):
        seen = _moved(seen, limb, torch.from_numpy(other))
    return seen


def _cloth_of_one_colour(seen: Tensor, picture: Tensor) -> Tensor:
    """Rims and specks beside a garment of one colour, and of that colour, are the garment's."""
    lab = _lab(picture)
    tone = _face_tone(seen, lab)
    for cloth in (Seen.UPPER, Seen.LOWER, Seen.DRESS):
        own = (seen[0, cloth] > SURE_SKIN).numpy()
        if own.sum() < LEAST_SKIN:
            continue
        colour = np.median(lab[own], axis=0)[1:]
        is_plain = np.median(np.linalg.norm(lab[own][:, 1:] - colour, axis=-1)) < PLAIN
        is_skin = tone is None or np.linalg.norm(colour - tone[1:]) < 2 * TONE_REACH[1]
        if not is_plain or is_skin or np.linalg.norm(colour) < 2 * TONE_REACH[1]:
            continue
        near = cv2.dilate(own.astype(np.uint8), _disc(NEAR / 2)) > 0
        alike = np.linalg.norm(lab[..., 1:] - colour, axis=-1) < ALIKE * np.linalg.norm(colour)
        taken = torch.from_numpy(near & alike)
        seen = torch.where(
            taken, F.one_hot(torch.tensor(cloth), len(Seen))[None, :, None, None].float(), seen
        )
    return seen


def _lab(picture: Tensor) -> Maps:
    """(h, w, 3) CIE Lab of (1, 3, h, w) in [-1, 1]."""
    colours = ((picture[0].permute(1, 2, 0).numpy() + 1) / 2).clip(0, 1).astype(np.float32)
    return cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)


def _face_tone(seen: Tensor, lab: Maps) -> Maps | None:
    face = (seen[0, Seen.FACE] > SURE_SKIN).numpy()
    return None if face.sum() < LEAST_FACE else np.median(lab[face], axis=0)


def _moved(seen: Tensor, part: Seen, where: Tensor) -> Tensor:
    """``seen`` with the share of one part given to the garments there, in their shares."""
    clothes = [Seen.UPPER, Seen.LOWER, Seen.DRESS]
    share = seen[:, part] * where
    held = seen[:, clothes] + 1e-6 * torch.tensor([1.0, 0, 0])[None, :, None, None]
    result = seen.clone()
    result[:, part] -= share
    result[:, clothes] += share[:, None] * held / held.sum(1, keepdim=True)
    return result


def with_worn(
    mask: NDArray[np.uint8], region: Region, reading: Reading, garment: Garment
) -> NDArray[np.uint8]:
    """A mask (H, W) uint8 grown over what the reading says is the old garment, as far as it is near."""
    worn = [part for part in REPLACED[garment] if garment is Garment.DRESS or part is not Seen.DRESS]
    working = _Working(region, min(1.0, WORKING_SIDE / max(region.size)))
    likely = working.unframed(reading.seen[0, worn].sum(0, keepdim=True))[..., 0] > 0.5
    near = cv2.dilate((working.cut(mask) > 127).astype(np.uint8), _disc(NEAR * working.zoom)) > 0
    body = (
        cv2.dilate((working.cut(reading.on_body) > 0.5).astype(np.uint8), _disc(2 * RIM * working.zoom)) > 0
    )
    grown = cv2.dilate((likely & near & body).astype(np.uint8), _disc(2 * RIM * working.zoom)).astype(
        np.float32
    )
    grown *= 1 - working.cut(reading.head)
    return np.where(working.whole(grown, mask.shape) > 0.5, 255, mask).astype(np.uint8)


def _disc(radius: float) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(radius)) + 1,) * 2)


def compose(
    scene: Scene, attention: FlowField, networks: Networks, painted: Image.Image | None = None
) -> Composition:
    """Put the picture together.

    attention  merged flow of the run, (h, w) in the model's frame, with occupancy
    painted    at the photo's size: a painter's picture to take the repainted area from; None lays the warped
               reference and fills the rest
    """
    working = _Working.of(scene)
    refined = _refine(scene, working, attention, networks)
    if scene.garment is None:
        return _pose(scene, working, refined)
    return _try_on(scene, working, refined, networks, painted)


class _Working:
    """The region at the size that silhouettes are made at, and its way to the networks' frame and back."""

    def __init__(self, region: Region, scale: float):
        self.region = region
        height, width = region.size
        self.size = (max(1, round(height * scale)), max(1, round(width * scale)))
        self.letterbox = Letterbox.fit(region.size, FRAME)
        self.zoom = self.size[0] / self.letterbox.height  # px of the working size in one of the frame's

    @classmethod
    def of(cls, scene: Scene) -> "_Working":
        return cls(scene.region, min(1.0, WORKING_SIDE / max(scene.region.size)))

    def cut(self, values: NDArray) -> NDArray:
        """A map or picture of the photo, cut to the region at the working size; float32."""
        left, top, right, bottom = self.region.box
        inner = values[top:bottom, left:right].astype(np.float32)
        return _sized(inner, self.size)

    def unframed(self, values: Tensor) -> Maps:
        """(C, h, w) in the frame -> (H, W, C) at the working size."""
        box = self.letterbox
        inner = values[:, box.top : box.top + box.height, box.left : box.left + box.width]
        return np.dstack([_sized(channel, self.size, cv2.INTER_CUBIC) for channel in inner.float().numpy()])

    def framed(self, values: Maps) -> Tensor:
        """(H, W, C) at the working size -> (1, C, h, w) in the frame, zero around it."""
        box, channels = self.letterbox, np.atleast_3d(values)
        framed = torch.zeros(1, channels.shape[2], *FRAME)
        inner = np.stack(
            [_sized(channels[..., i], (box.height, box.width)) for i in range(channels.shape[2])]
        )
        framed[0, :, box.top : box.top + box.height, box.left : box.left + box.width] = torch.from_numpy(
            inner
        )
        return framed

    def whole(self, values: Maps, photo: Sequence[int], outside: float = 0.0) -> Maps:
        """(H, W) at the working size laid into one of the photo's size."""
        left, top, right, bottom = self.region.box
        result = np.full((*photo, *values.shape[2:]), outside, np.float32)
        result[top:bottom, left:right] = _sized(values, (bottom - top, right - left))
        return result


def _sized(values: NDArray, size: Sequence[int], enlarging: int = cv2.INTER_LINEAR) -> NDArray:
    if values.shape[:2] == tuple(size):
        return values
    shrinks = size[0] < values.shape[0]
    way = cv2.INTER_AREA if shrinks else enlarging
    return cv2.resize(np.ascontiguousarray(values), size[::-1], interpolation=way)


def _framed_picture(photo: Image.Image, region: Region) -> Tensor:
    """(1, 3, h, w) in [-1, 1]: the region in the networks' frame, on white."""
    letterbox = Letterbox.fit(region.size, FRAME)
    return to_tensor(letterbox.apply(photo.crop(region.box)))[None]


def _framed_mask(mask: NDArray[np.uint8], region: Region) -> Tensor:
    small = replace(region, letterbox=Letterbox.fit(region.size, FRAME))
    return torch.from_numpy((small.mask(mask) > 127).astype(np.float32))[None, None]


@torch.no_grad()
def _refine(scene: Scene, working: _Working, attention: FlowField, networks: Networks) -> Refined:
    mask = torch.ones(1, 1, *FRAME) if scene.garment is None else _framed_mask(scene.mask, scene.region)
    return networks.refinement(
        _framed_picture(scene.reference, scene.reference_region),
        _framed_mask(scene.shown, scene.reference_region),
        _framed_picture(scene.photo, scene.region),
        mask,
        scene.reading.body,
        attention.map(lambda values: values[None].float()),
    )


def _share(scene: Scene, working: _Working, parts: Sequence[Seen]) -> Maps:
    """(H, W) in [0, 1] at the working size: share of these in a pixel, with the photo's own edges."""
    rough = working.unframed(scene.reading.seen[0, list(parts)].sum(0, keepdim=True))[..., 0].clip(0, 1)
    guide = working.cut(np.asarray(scene.photo)).astype(np.uint8)
    radius = max(2, round(GUIDE_RADIUS * working.zoom))
    return cv2.ximgproc.guidedFilter(guide, rough, radius, (255 * GUIDE_EDGE) ** 2).clip(0, 1)


def _silhouette(working: _Working, refined: Refined) -> Maps:
    """(H, W) in [0, 1] at the working size: the garment, with an edge as sharp as the photo's own."""
    logits = working.unframed(refined.shows[0])
    others = np.log(np.exp(logits[..., 1:]).sum(-1) + 1e-9)
    covered = (logits[..., Shows.GARMENT] > others).astype(np.float32)
    smooth = cv2.GaussianBlur(covered, (0, 0), OUTLINE * working.zoom)
    return np.clip((smooth - 0.5) * EDGE * working.zoom + 0.5, 0, 1)


def _lands_on_cloth(scene: Scene, places: Maps) -> Maps:
    """(H, W) in [0, 1]: where the flow ends on the garment or just beside it."""
    height, width = scene.shown.shape[:2]
    scale = min(256 / height, 2048 / width)  # OpenCV reads from at most 32766 px a side
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    wide = cv2.dilate(_sized(scene.shown, size).astype(np.float32) / 255, _disc(BESIDE * size[0]))
    return np.clip(2 * _warped(wide, places) - 0.5, 0, 1)


def _old_garment(scene: Scene, working: _Working, mask: Maps) -> Maps:
    """(H, W) in [0, 1] at the working size: what has to go."""
    assert scene.garment is not None
    going = (*REPLACED[scene.garment], Seen.OTHER)
    kept = _share(scene, working, [part for part in Seen if part not in going])
    person = (working.cut(scene.reading.silhouette) > 127).astype(np.uint8)
    distance = cv2.distanceTransform(1 - person, cv2.DIST_L2, 5) / working.zoom
    away = np.clip((distance - AWAY[0]) / (AWAY[1] - AWAY[0]), 0, 1)
    gone = cv2.dilate((np.maximum(kept, away) < KEPT).astype(np.float32), _disc(RIM * working.zoom))
    gone = np.maximum(gone, working.cut(scene.by_hand))
    return cv2.GaussianBlur(gone, (0, 0), 0.4 * working.zoom) * mask


def _try_on(
    scene: Scene, working: _Working, refined: Refined, networks: Networks, painted: Image.Image | None
) -> Composition:
    mask = (working.cut(scene.mask) > 127).astype(np.float32)
    by_hand = working.cut(scene.by_hand)
    front = _share(scene, working, (Seen.HAIR, Seen.FACE))
    front = np.clip(4 * (front - 0.5) + 0.5, 0, 1) * (1 - by_hand)
    garment = _silhouette(working, refined) * mask * (1 - front)
    gone = _old_garment(scene, working, mask) * (1 - front)
    places = scene.reference_region.places(working.unframed(refined.flow[0].movedim(-1, 0)))
    garment *= _lands_on_cloth(scene, places)
    if painted is None:
        new, rest = _laid_and_filled(scene, working, refined, networks, garment, gone, places)
    else:
        new = rest = _pixels(painted)
    silhouette = working.whole(garment, scene.mask.shape)
    hole = working.whole(gone, scene.mask.shape)
    open_to_change = scene.mask > 127
    alpha, beta = (np.where(open_to_change, values, 0)[..., None] for values in (silhouette, hole))
    photo = _pixels(scene.photo)
    under = photo + beta * (rest - photo)
    result = (under + alpha * (new - under)).round().clip(0, 255).astype(np.uint8)
    repainted = np.where((result != np.asarray(scene.photo)).any(-1), 255, 0).astype(np.uint8)
    return Composition(
        Image.fromarray(result), repainted, silhouette, _field(working, scene, places, silhouette)
    )


def _laid_and_filled(
    scene: Scene,
    working: _Working,
    refined: Refined,
    networks: Networks,
    garment: Maps,
    gone: Maps,
    places: Maps,
) -> tuple[Maps, Maps]:
    """The lit garment and the filling, both (H, W, 3) in [0, 255] at the photo's size."""
    cloth = extended(np.asarray(scene.reference), scene.shown)
    person = _framed_picture(scene.photo, scene.region)
    hole = (working.framed(np.maximum(gone, garment)) > OPEN).float()
    logits = refined.shows.clone()
    logits[:, Shows.GARMENT][working.framed(garment)[:, 0] < 0.5] = -torch.inf
    shows = F.one_hot(logits.argmax(1), len(Shows)).permute(0, 3, 1, 2).float()
    skin = (scene.reading.seen[:, list(SKIN)].sum(1, keepdim=True) > SURE_SKIN).float() * (1 - hole)
    tone = torch.full((1, 3), torch.nan)
    if skin.sum() >= LEAST_SKIN:
        tone = (person * skin).sum((2, 3)) / skin.sum()
    small = working.framed(_warped(cloth, places) / 127.5 - 1)
    with torch.no_grad():
        picture, gain = networks.filling(person, hole, shows, scene.reading.body, small, tone)
    size = scene.region.size
    light = anchored(working.unframed(gain[0]), garment)
    lit = _warped(cloth, _sized(places, size)) * _sized(light, size)
    filled = (working.unframed(picture[0]) + 1) * 127.5
    other = working.unframed(refined.shows.softmax(1)[0, Shows.OTHER :])
    filled = _sized(filled + other * (_other_clothes(scene, working, gone, filled) - filled), size)
    left, top, right, bottom = scene.region.box
    new, rest = _pixels(scene.photo), _pixels(scene.photo)
    new[top:bottom, left:right], rest[top:bottom, left:right] = lit, filled
    return new, rest


def _other_clothes(scene: Scene, working: _Working, gone: Maps, filled: Maps) -> Maps:
    """(H, W, 3): the garments that stay, carried on into what is open beside them."""
    assert scene.garment is not None
    stay = [part for part in (Seen.UPPER, Seen.LOWER) if part not in REPLACED[scene.garment]]
    if not stay:
        return filled
    kept = (_share(scene, working, stay) > SURE_SKIN) & (gone < 0.05)
    solid = cv2.erode(kept.astype(np.uint8), _disc(RIM * working.zoom))
    if solid.sum() < LEAST_SKIN * working.zoom**2:
        return filled
    return _carried_on(working.cut(np.asarray(scene.photo)), solid)


def anchored(gain: Maps, garment: Maps) -> Maps:
    """The light's changes over the garment, and only a part of its mean: a white shirt stays white.

    gain     (H, W, 3), what each colour is multiplied by
    garment  (H, W) in [0, 1]
    """
    logs = np.log(gain)
    mean = (logs * garment[..., None]).sum((0, 1)) / max(float(garment.sum()), 1.0)
    change = np.clip(logs - mean, -MOST_SHADE, MOST_SHADE)
    return np.exp(change + MEAN_SHARE * mean).astype(np.float32)


def _field(working: _Working, scene: Scene, places: Maps, silhouette: Maps) -> FlowField:
    flow = torch.from_numpy(working.whole(places, scene.mask.shape))
    cover = torch.from_numpy(silhouette)
    return FlowField(flow, torch.zeros_like(cover), torch.ones_like(cover), cover)


def _pixels(picture: Image.Image) -> Maps:
    return np.asarray(picture.convert("RGB")).astype(np.float32)


def _warped(picture: Maps, places: Maps) -> Maps:
    """(H, W, 3): a picture read at absolute places (H, W, 2) on it."""
    height, width = picture.shape[:2]
    columns = ((places[..., 0] + 1) * width / 2 - 0.5).astype(np.float32)
    rows = ((places[..., 1] + 1) * height / 2 - 0.5).astype(np.float32)
    return cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


# ---------------------------------------------------------------------------------------- pose transfer


def _pose(scene: Scene, working: _Working, refined: Refined) -> Composition:
    """The person of the reference in the new pose, cut sharply, on the reference's own ground."""
    silhouette = _silhouette(working, refined)
    places = scene.reference_region.places(working.unframed(refined.flow[0].movedim(-1, 0)))
    places = _head_in_one_piece(scene, working, places, silhouette)
    size = scene.region.size
    cloth = extended(np.asarray(scene.reference), scene.shown)
    person = _warped(cloth, _sized(places, size))
    whole = working.whole(silhouette, scene.mask.shape)
    result = np.empty((*scene.mask.shape, 3), np.float32)
    result[:] = _ground(scene.reference, scene.shown)
    left, top, right, bottom = scene.region.box
    inner = result[top:bottom, left:right]
    inner += whole[top:bottom, left:right, None] * (person - inner)
    return Composition(
        Image.fromarray(result.round().clip(0, 255).astype(np.uint8)),
        np.full(scene.mask.shape, 255, np.uint8),
        whole,
        _field(working, scene, places, whole),
    )


def _ground(reference: Image.Image, shown: NDArray[np.uint8]) -> Maps:
    """(1, 1, 3): colour of the reference's ground."""
    pixels = np.asarray(reference)[shown < 128]
    if not len(pixels):
        return np.full((1, 1, 3), 255, np.float32)
    return np.median(pixels, axis=0).astype(np.float32)[None, None]


def _head_in_one_piece(scene: Scene, working: _Working, places: Maps, silhouette: Maps) -> Maps:
    """A face is never torn: where the head's flow is nearly a turn in the plane, the head is carried by one.

    The similarity that fits the flow over the head replaces it there, with a soft edge at the neck.
    """
    head = _head(scene, working) * (silhouette > 0.5)
    rows, columns = np.nonzero(head > 0.5)
    if len(rows) < 50:
        return places
    width, height = scene.reference.size
    target = (places[rows, columns] + 1) / 2 * np.array([width, height], np.float32)
    source = np.stack([columns, rows], -1).astype(np.float32)
    chosen = np.random.default_rng(0).permutation(len(rows))[:4000]
    fit, inliers = cv2.estimateAffinePartial2D(
        source[chosen], target[chosen], ransacReprojThreshold=FACE_FIT * width
    )
    if fit is None or inliers.mean() < 0.5:
        return places
    y, x = np.mgrid[: places.shape[0], : places.shape[1]].astype(np.float32)
    carried = np.stack([x, y, np.ones_like(x)], -1) @ fit.T.astype(np.float32)
    carried = carried / np.array([width, height], np.float32) * 2 - 1
    share = cv2.GaussianBlur(head.astype(np.float32), (0, 0), 2.5 * working.zoom)[..., None]
    return (places + np.clip(1.6 * share, 0, 1) * (carried - places)).astype(np.float32)


def _head(scene: Scene, working: _Working) -> Maps:
    """(H, W) in [0, 1] at the working size: the head, and the hair around it."""
    head = scene.reading.head.astype(np.uint8)
    return working.cut(cv2.dilate(head, _disc(HAIR_REACH * np.sqrt(head.sum()))))


# ---------------------------------------------------------------------------------------- the product shot


def extended(picture: NDArray[np.uint8], shown: NDArray[np.uint8]) -> Maps:
    """The garment's colours grown beyond its outline, (h, w, 3) float32: a flow a little off lands on cloth.

    picture  (h, w, 3) uint8 RGB
    shown    (h, w) uint8, 255 = garment
    """
    scale = min(1.0, 512 / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale)))
    small = _sized(picture, size)
    solid = _sure_cloth(small, _sized(shown, size) > 250)
    if solid.sum() < 50:
        return picture.astype(np.float32)
    # beside its outline cloth has the colour of what is around: no trim or stripe is drawn out
    inside = cv2.erode(solid, _disc(3)) if solid.sum() > 2000 else solid
    held = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), AROUND)[..., None]
    mean = cv2.GaussianBlur(small * inside[..., None].astype(np.float32), (0, 0), AROUND) / np.maximum(
        held, 1e-4
    )
    near = _carried_on(mean, (held[..., 0] > 0.05).astype(np.uint8))
    near = _sized(near, (picture.shape[0], picture.shape[1]))
    own = cv2.GaussianBlur(_sized(solid.astype(np.float32), near.shape[:2]), (0, 0), 0.5 / scale)
    own = np.clip(2 * own - 1, 0, 1)[..., None]
    return near + own * (picture - near)


def _carried_on(picture: NDArray, solid: NDArray[np.uint8]) -> Maps:
    """(h, w, 3) float32: every pixel has the colour of the nearest ``solid`` one."""
    _, labels = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(solid)
    colours = np.zeros((labels.max() + 1, 3), np.float32)
    colours[labels[rows, columns]] = picture[rows, columns]
    return cv2.GaussianBlur(colours[labels], (0, 0), 1.5)


def _sure_cloth(small: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Cloth without the fringe of its ground: (h, w) uint8 in {0, 1}."""
    solid = cv2.erode(shown.astype(np.uint8), np.ones((3, 3), np.uint8))
    if shown.all() or not shown.any():
        return solid
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    ground = np.median(lab[~shown], axis=0)
    depth = cv2.distanceTransform(np.pad(shown.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    like_ground = np.linalg.norm(lab - ground, axis=-1) < ONE_COLOUR
    fringe = like_ground & (depth <= FRINGE) & ~_reach_inside(like_ground, depth)
    return np.where(fringe, 0, solid).astype(np.uint8)


def _reach_inside(like_ground: NDArray[np.bool_], depth: Maps) -> NDArray[np.bool_]:
    """Pixels of the ground's colour that hang together with cloth of that colour further in."""
    count, labels = cv2.connectedComponents(like_ground.astype(np.uint8))
    inside = np.zeros(count, bool)
    inside[np.unique(labels[(depth > 1.5 * FRINGE) & like_ground])] = True
    inside[0] = False
    return inside[labels]
