"""A garment on a photo: laid sharply by the refined flow; painted where only the old one was."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from leffa.composition.behind import Behind
from leffa.composition.bent import along_bent_arms
from leffa.composition.canvas import Maps, Working, framed_picture, pixels, sized, warped
from leffa.composition.cloth import LONGEST, extended, sure_cloth
from leffa.composition.edges import SPECK, at_edges, by_colours, share_of
from leffa.composition.flows import (
    OUTLINE,
    TORN,
    Lands,
    Said,
    covered_by,
    field_at,
    landed,
    outlined,
    share_shown,
)
from leffa.composition.hems import with_its_hem
from leffa.composition.labels import without_label
from leffa.composition.legs import straight_legs
from leffa.composition.length import TORSO, UPPER_LEGS
from leffa.composition.necks import neck_opening, throat_of, with_its_neck
from leffa.composition.networks import Networks
from leffa.composition.reading import HANDS, LEAST_SKIN, LEGS, RIM, SURE_SKIN
from leffa.composition.scene import Composition, Scene
from leffa.composition.sleeves import with_sleeves
from leffa.composition.waists import at_the_waist, up_to_the_waist
from leffa.config import Garment
from leffa.model.refinement import Refined, Shows
from leffa.preprocess.labels import parts_named
from leffa.preprocess.offline.drawing import closed, disc, grown, opened, without_tiny
from leffa.preprocess.offline.parsing import CLOTHES, REPLACED, SKIN, Seen

KEPT = 0.6  # share of what is surely not the old garment, above which a pixel of the photo stays
SPOT, AMIDST = 0.02, 0.5  # of the largest piece; share of what stays around a spot in a garment that stays
TINY = 0.004  # of the largest piece of what has to go: what is smaller was misread
AWAY = (5.0, 6.5)  # px of the frame from the person: from here on all is ground, whatever the parser says
OPEN = 0.25  # share of a frame's pixel that has to go before it counts as open to the filling
MOST_SHADE, MEAN_SHARE = 0.45, 0.2  # of the log gain: how far folds may go; how much of its mean is believed
NECK = 0.4  # of the head's width: a disc of this radius fits into a head and not into a neck
HEAD_PAD = 1
UPPER_ARMS = tuple(parts_named(side, "UPPER_ARM") for side in ("LEFT", "RIGHT"))
SLEEVED = 0.4  # share of an upper arm that a garment with a sleeve covers
RAGGED = 2.0  # px of a shot ``LONGEST`` px long: shorter waves of its outline are the cut-out's
DEEP = 3.0  # px of such a shot: nearer to its outline a colour is mixed with the ground's
BESIDE = 6.0  # px of such a shot: a flow that ends further from the cloth shows none
REACH = 8.0  # px of the frame: how far the flow may carry the garment beyond what is said to be covered
MOST_STRETCH = 4.0  # times the usual area that a piece of cloth may cover
SURE_OTHER = 0.8  # share of what else somebody wears, above which no garment is laid on it
AROUND = 6.0  # px of the frame that a body reaches beyond its part map


def try_on(
    scene: Scene, working: Working, refined: Refined, networks: Networks, painted: Image.Image | None
) -> Composition:
    mask = (working.cut(scene.mask) > 127).astype(np.float32)
    by_hand = working.cut(scene.by_hand)
    front = _in_front(scene, working) * (1 - by_hand)
    gone = _old_garment(scene, working, mask) * (1 - front)
    places = scene.reference_region.places(working.unframed(refined.flow[0].movedim(-1, 0)))
    lands = _lands(scene, working, places)
    covered, places = landed(working, _said(scene, working, refined, places), lands, places)
    if scene.garment is Garment.LOWER:
        covered, places = straight_legs(scene, working, covered, places)
        covered, places = up_to_the_waist(scene, working, covered, places, gone)
    else:
        covered, places = with_its_neck(scene, working, covered, places)
        covered, places = with_sleeves(scene, working, covered, places)
        covered, places = with_its_hem(scene, working, covered, places)
        covered, places = along_bent_arms(scene, working, covered, places)
    if scene.garment is not Garment.DRESS:
        covered, waist = at_the_waist(scene, working, covered, gone > 0.5)
        waist *= 1 - by_hand
        front, gone = np.maximum(front, waist), gone * (1 - waist)
    garment = outlined(working, covered, OUTLINE) * mask * (1 - front)
    if painted is None:
        new, rest = _laid_and_filled(scene, working, refined, networks, garment, gone, places)
    else:
        new = rest = pixels(painted)
    silhouette = working.whole(garment, scene.mask.shape)
    hole = working.whole(gone, scene.mask.shape)
    open_to_change = scene.mask > 127
    alpha, beta = (np.where(open_to_change, values, 0)[..., None] for values in (silhouette, hole))
    photo = pixels(scene.photo)
    under = photo + beta * (rest - photo)
    result = (under + alpha * (new - under)).round().clip(0, 255).astype(np.uint8)
    repainted = np.where((result != np.asarray(scene.photo)).any(-1), 255, 0).astype(np.uint8)
    return Composition(
        Image.fromarray(result), repainted, silhouette, field_at(working, scene, places, silhouette)
    )


def _in_front(scene: Scene, working: Working) -> Maps:
    """(H, W) in [0, 1]: what no garment covers: hair, face, hands, bags. On a bare neck its line decides."""
    hair, face = (share_of(scene.photo, scene.reading, working, (part,)) for part in (Seen.HAIR, Seen.FACE))
    hair = cv2.morphologyEx(hair, cv2.MORPH_OPEN, disc(SPECK * working.zoom))  # a strap is no hair
    head = working.cut(scene.reading.head) > 0.5
    neck = NECK * float(head.sum(1).max())
    face = face * opened(np.pad(head, HEAD_PAD), neck)[HEAD_PAD:-HEAD_PAD, HEAD_PAD:-HEAD_PAD]
    held = at_edges(scene.photo, working, scene.reading.held)
    seen = np.ones(working.size, bool)
    if scene.garment is not Garment.LOWER:  # that no arm is under; sleeves end at the hands
        hands = working.cut(np.isin(scene.reading.parts[..., 0], HANDS)) > 0.5
        seen = grown(hands, RIM * working.zoom)
    arms = by_colours(scene.photo, scene.reading, working, Seen.ARM, seen)
    bag = held > 0.5
    gripped = closed(bag | (arms > 0.5), 2 * RIM * working.zoom) & grown(bag, 2 * RIM * working.zoom)
    held = np.maximum(held, gripped)
    return np.clip(4 * (hair + face + held + arms - 0.5) + 0.5, 0, 1)


def _said(scene: Scene, working: Working, refined: Refined, places: Maps) -> Said:
    """Where the refinement says that the garment is, and where the flow may carry it beyond that."""
    said = covered_by(working, refined)
    near = grown(said, REACH * working.zoom)
    throat = throat_of(scene, working)
    of_shoulders = np.isin(scene.reading.parts[..., 0], TORSO)
    for side in UPPER_ARMS:
        arm = np.isin(scene.reading.parts[..., 0], side)
        seen = working.cut(arm) > 0.5
        if said[seen].sum() > SLEEVED * seen.sum():
            of_shoulders |= arm
    shoulders, others = (
        grown(working.cut(parts) > 0.5, AROUND * working.zoom)
        for parts in (of_shoulders, scene.reading.on_body & ~of_shoulders)
    )
    person = working.cut(scene.reading.silhouette) > 127
    worn = shoulders & ~others & person
    possible = near & (share_shown(working, refined, Shows.OTHER) < SURE_OTHER)
    possible &= ~_overstretched(working, places, said)
    if scene.garment is Garment.UPPER:  # tucked in, it ends where it is said to end
        skirt = share_of(scene.photo, scene.reading, working, (Seen.LOWER,)) > 0.5
        possible &= ~skirt | grown(said, RIM * working.zoom)
    return Said(said, possible & ~throat, worn & ~throat, person, _legs(scene, working) & person)


def _legs(scene: Scene, working: Working) -> NDArray[np.bool_]:
    """(H, W): legs that trousers are to be put on: by the part map, and thighs where the old ones meet."""
    if scene.garment is not Garment.LOWER:
        return np.zeros(working.size, bool)
    legs, thighs = (
        working.cut(np.isin(scene.reading.parts[..., 0], parts)) > 0.5 for parts in (LEGS, UPPER_LEGS)
    )
    old = share_of(scene.photo, scene.reading, working, (Seen.LOWER,)) > 0.5
    old &= np.maximum.accumulate(thighs[::-1].any(1))[::-1, None]
    return legs | old


def _overstretched(working: Working, places: Maps, said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): where so little of the product shot would be drawn over so much that it is a gap."""
    smooth = cv2.GaussianBlur(places, (0, 0), working.zoom)
    down, across = np.gradient(smooth, axis=(0, 1))
    shown = np.abs(across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0])
    usual = float(np.median(shown[said])) if said.any() else 0.0
    stretched: NDArray[np.bool_] = shown < usual / MOST_STRETCH
    return stretched


def _lands(scene: Scene, working: Working, places: Maps) -> Lands:
    """Where the flow ends on the garment's product shot."""
    outline = sure_cloth(scene.shown)
    px = max(outline.shape) / LONGEST
    smooth = cv2.GaussianBlur(outline.astype(np.float32), (0, 0), RAGGED * px)
    wide, deep = cv2.dilate(smooth, disc(BESIDE * px)), cv2.erode(outline, disc(DEEP * px)).astype(np.float32)
    even = cv2.GaussianBlur(places, (0, 0), TORN * working.zoom)
    neck = np.zeros_like(smooth) if scene.garment is Garment.LOWER else neck_opening(outline)
    ends = ((deep, places), (smooth, places), (wide, places), (smooth, even), (neck, even))
    return Lands(*(warped(where, flow) > 0.5 for where, flow in ends))


def _old_garment(scene: Scene, working: Working, mask: Maps) -> Maps:
    """(H, W) in [0, 1] at the working size: what has to go."""
    assert scene.garment is not None
    going = (*REPLACED[scene.garment], Seen.OTHER)
    kept = share_of(scene.photo, scene.reading, working, [part for part in Seen if part not in going])
    person = (working.cut(scene.reading.silhouette) > 127).astype(np.uint8)
    distance = cv2.distanceTransform(1 - person, cv2.DIST_L2, 5) / working.zoom
    away = np.clip((distance - AWAY[0]) / (AWAY[1] - AWAY[0]), 0, 1)
    likely = without_tiny(opened(np.maximum(kept, away) < KEPT, SPECK * working.zoom), TINY)
    stays = (
        share_of(scene.photo, scene.reading, working, [part for part in CLOTHES if part not in going]) > 0.5
    )
    likely &= ~_spots(likely, stays, working.zoom)
    gone = np.maximum(grown(likely, RIM * working.zoom), working.cut(scene.by_hand))
    return cv2.GaussianBlur(gone, (0, 0), 0.4 * working.zoom) * mask


def _spots(likely: NDArray[np.bool_], stays: NDArray[np.bool_], zoom: float) -> NDArray[np.bool_]:
    """(H, W): small pieces of what has to go that lie in the midst of a garment that stays: its pockets."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(likely.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0
    spots = np.zeros_like(likely)
    for number in np.flatnonzero((areas > 0) & (areas < SPOT * areas.max())):
        piece = pieces == number
        around = grown(piece, 2 * RIM * zoom) & ~piece
        if stays[around].mean() > AMIDST:
            spots |= piece
    return spots


def _laid_and_filled(
    scene: Scene,
    working: Working,
    refined: Refined,
    networks: Networks,
    garment: Maps,
    gone: Maps,
    places: Maps,
) -> tuple[Maps, Maps]:
    """The lit garment and the filling, both (H, W, 3) in [0, 255] at the photo's size."""
    shot = np.asarray(scene.reference)
    if scene.garment is not Garment.LOWER and not scene.is_worn:
        shot = without_label(shot, scene.shown)
    cloth = extended(shot, scene.shown)
    person = framed_picture(scene.photo, scene.region)
    hole = (working.framed(np.maximum(gone, garment)) > OPEN).float()
    logits = refined.shows.clone()
    logits[:, Shows.GARMENT][working.framed(garment)[:, 0] < 0.5] = -torch.inf
    shows = F.one_hot(logits.argmax(1), len(Shows)).permute(0, 3, 1, 2).float()
    skin = (scene.reading.seen[:, list(SKIN)].sum(1, keepdim=True) > SURE_SKIN).float() * (1 - hole)
    tone = torch.full((1, 3), torch.nan)
    if skin.sum() >= LEAST_SKIN:
        tone = (person * skin).sum((2, 3)) / skin.sum()
    small = working.framed(warped(cloth, places) / 127.5 - 1)
    with torch.no_grad():
        picture, gain = networks.filling(person, hole, shows, scene.reading.body, small, tone)
    size = scene.region.size
    light = anchored(working.unframed(gain[0]), garment)
    lit = warped(cloth, sized(places, size)) * sized(light, size)
    photo = working.cut(np.asarray(scene.photo))
    behind = Behind(scene, working, refined, photo, garment, gone, (working.unframed(picture[0]) + 1) * 127.5)
    filled = sized(behind.picture(), size)
    left, top, right, bottom = scene.region.box
    new, rest = pixels(scene.photo), pixels(scene.photo)
    new[top:bottom, left:right], rest[top:bottom, left:right] = lit, filled
    return new, rest


def anchored(gain: Maps, garment: Maps) -> Maps:
    """The light's changes over the garment, and only a part of its mean: a white shirt stays white.

    gain     (H, W, 3), what each colour is multiplied by
    garment  (H, W) in [0, 1]
    """
    logs = np.log(gain)
    mean = (logs * garment[..., None]).sum((0, 1)) / max(float(garment.sum()), 1.0)
    change = np.clip(logs - mean, -MOST_SHADE, MOST_SHADE)
    return np.exp(change + MEAN_SHARE * mean).astype(np.float32)
