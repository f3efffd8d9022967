"""What a photo shows: the parser's answer, joined with landmarks, the face's tone and plain colours."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from leffa.composition.canvas import FRAME, Maps, Working, framed_mask, framed_picture
from leffa.composition.networks import Networks
from leffa.config import Garment
from leffa.framing import Region
from leffa.images import Letterbox
from leffa.preprocess.labels import Part, parts_named
from leffa.preprocess.offline.drawing import closed, connected, disc, grown, joined_to, opened, without_tiny
from leffa.preprocess.offline.parsing import REPLACED, SKIN, Seen
from leffa.preprocess.offline.parts import body_coordinates

RIM = 1.6  # px of the frame: the old garment's edge is mixed with what lies beside it
NEAR = 16.0  # px of the frame around a mask within which the old garment is looked for
SURE_SKIN = 0.7
LEAST_SKIN = 98  # px of the frame: fewer do not tell a skin's tone
HEAD_ROOM = 1.3  # of the head's size: hair that lies further from it is no hair
HAIR_NEAR, LEAST_HAIR = 0.1, 40  # of the head's size; px of the frame: fewer do not tell a hair's colour
HAIR_REACH, HAIR_SPREAD = 22.0, 2.5  # in Lab; of the median distance from the median colour
TONE_REACH = (60.0, 22.0)  # in Lab, lightness and colour: what is further from the face's is no bare skin
NECK_REACH = (25.0, 18.0)  # in Lab, lighter and other in colour: no neck is so far from its face
PALE = 0.6  # of a face's chroma: skin in the light has more
LIKELIER = 2.0  # times: a colour that is so much likelier a garment's is no hair's
ANY_SKIN = np.array([15.0, 18.0], np.float32)  # a and b of CIE Lab: about the middle of all skins
IN_SHADE = np.array([0.3, 1, 1], np.float32)  # of Lab: folds and shade change lightness more than colour
LIKE_FACE = 21.0  # in Lab, so weighed: as near to a face's colour skin is
SHADES = 3.0  # bins of lightness that skin or cloth is lighter or darker on another side of a body
LEAST_LIMB, LIMB_TOLD = 60, 0.2  # px of the frame: fewer tell nothing; mean logarithm that tells a sleeve
CUFF = 5.0  # px of the frame that a sleeve reaches beyond its arm
PLAIN, ALIKE = 8.0, 0.45  # spread in Lab of cloth of one colour; how much of its chroma a rim may lose
LEAST_CLOTH = 400  # px of the frame: fewer do not tell the colours of a garment
WAIST_OFF, NARROW = 28.0, 7.0  # px of the frame: how far off a waist may be read; what is that near is unsure
COLOUR_BIN, BINS = 4.0, 32  # of a histogram: width in Lab, and number along each axis
MOST_TOLD, TOLD_AROUND = 3.0, 2.0  # logarithm that one pixel's colour tells at most; px of the frame
TOLD_WEIGHT = 1.5  # of colours beside the parser's own answer
WAISTS = range(-8, 49, 8)  # px of the frame above the hips
TOLD_APART = 0.9  # share of each half of a dress whose colours must be its own, or it is one garment
PALM, LEAST_HAND = 8.0, 40  # px of the frame: how far a hand reaches beyond its part; fewer are none
GRASP = 32.0  # px of the frame that what is held may reach from the hand
HANGS, BESIDE = 80.0, 4.0  # px of the frame: beside the body what hangs may reach further
REACHES = 12.0  # px of the frame that a bag of a colour of its own reaches beyond what is surely one
LEAST_HELD, MOST_HELD = 80, 0.4  # px of the frame; share of the garment near the hands
LEAST_ALONE = 0.4  # of what lies near the hands: so much must lie away from them to know its colours
HELD_EDGE = 10.0  # in Lab
SAME_HUE = 0.96  # cosine
DEEPEST = 0.4  # of its lightness that cloth has left in a fold
LIKE_SKIN = 12.0  # in Lab: fingers are no bag
FOREIGN = 2.3  # logarithm: how much less likely than its usual ones a colour is that is not a garment's own
TINY = 0.03  # of the largest piece of a garment: what is smaller is none of it
LEAST_FACE = 60  # px of the frame: fewer do not tell a face's colour
HEAD = (Part.HEAD_LEFT, Part.HEAD_RIGHT)
HANDS = (Part.LEFT_HAND, Part.RIGHT_HAND)
FEET = (Part.LEFT_FOOT, Part.RIGHT_FOOT)
LOWER_ARMS = parts_named("LOWER_ARM")
ARMS = parts_named("_ARM_")
LEGS = parts_named("LEG")


@dataclass(frozen=True)
class Reading:
    """What a photo shows in a region of it.

    seen        (1, 10, 256, 192) float32, shares of ``Seen`` in the networks' frame
    body        (1, 3, 256, 192) in [-1, 1], body coordinates there
    silhouette  (H, W) uint8, 255 = the person, at the photo's size
    parts       (H, W, 3) uint8 I, U, V of the part map: not of a bag, nor of a wide skirt's end
    held        (256, 192) float32 in {0, 1} in the networks' frame: a bag in a hand
    """

    seen: Tensor
    body: Tensor
    silhouette: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    held: Tensor

    @property
    def on_body(self) -> NDArray[np.bool_]:
        """(H, W): where the part map has a part."""
        on_body: NDArray[np.bool_] = self.parts[..., 0] > 0
        return on_body

    @property
    def head(self) -> NDArray[np.bool_]:
        """(H, W): the head, as the part map has it."""
        return np.isin(self.parts[..., 0], HEAD)


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
    framed = small.labels(parts)
    body = torch.from_numpy(body_coordinates(framed)).permute(2, 0, 1)[None]
    person = framed_mask(silhouette, region)
    picture = framed_picture(photo, region)
    seen = networks.parser(picture, person, body).softmax(1)
    head = np.where(np.isin(parts[..., 0], HEAD), 255, 0).astype(np.uint8)
    seen = _hair_on_heads(seen, framed_mask(head, region))
    lab = _lab(picture)
    seen = _hair_of_one_colour(seen, lab, framed_mask(head, region)[0, 0].numpy() > 0)
    seen = _neck_like_the_face(seen, lab, np.isin(framed[..., 0], HEAD))
    seen = _limbs_like_cloth(_skin_like_the_face(seen, lab), lab, framed[..., 0])
    seen = _bare_beside_tops(seen, lab)
    seen = _cloth_of_one_colour(seen, lab)
    seen = _divided_at_the_waist(seen, lab, np.isin(framed[..., 0], LEGS))
    seen = _cloth_beside_hands(seen, lab, np.isin(framed[..., 0], HANDS))
    held = torch.from_numpy(_held_in_hands(seen, lab, framed[..., 0])).float()
    return Reading(seen, body, silhouette, parts, held)


def _hair_on_heads(seen: Tensor, head: Tensor) -> Tensor:
    """Hair hangs together with the head and is near it: a dark print on a chest is cloth."""
    if not head.any():
        return seen
    near = cv2.dilate(head[0, 0].numpy(), disc(HEAD_ROOM * float(head.sum()) ** 0.5))
    hair = (seen[0, [Seen.HAIR, Seen.FACE]].sum(0) > 0.5).numpy() | (head[0, 0].numpy() > 0)
    _, labels = cv2.connectedComponents(hair.astype(np.uint8))
    own = np.isin(labels, np.unique(labels[(head[0, 0].numpy() > 0) & hair])) & hair & (near > 0)
    for part in (Seen.HAIR, Seen.FACE):
        seen = _moved(seen, part, torch.from_numpy(~own))
    return seen


def _hair_of_one_colour(seen: Tensor, lab: Maps, head: NDArray[np.bool_]) -> Tensor:
    """Hair away from the head has the colours that it has there and no garment's: else it is a lapel."""
    if not head.any():
        return seen
    near = grown(head, HAIR_NEAR * float(head.sum()) ** 0.5)
    sure = (seen[0, Seen.HAIR] > SURE_SKIN).numpy() & near
    other = ~near
    if sure.sum() >= LEAST_HAIR:
        off = np.linalg.norm(lab - np.median(lab[sure], axis=0), axis=-1)
        other &= off > max(HAIR_REACH, HAIR_SPREAD * float(np.median(off[sure])))
        cloth = (seen[0, [Seen.UPPER, Seen.DRESS]].sum(0) > SURE_SKIN).numpy()
        if cloth.sum() >= LEAST_CLOTH:
            likelier = _likelihood(lab, cloth) > LIKELIER * _likelihood(lab, sure)
            other |= ~near & opened(likelier, 1)
    return _moved(seen, Seen.HAIR, torch.from_numpy(other))


def _skin_like_the_face(seen: Tensor, lab: Maps) -> Tensor:
    """Bare arms and legs have the face's colour, lighter or darker: what has another is cloth."""
    tone = _face_tone(seen, lab)
    if tone is None:
        other = np.hypot(*(lab[..., 1:] - ANY_SKIN).transpose(2, 0, 1)) > 2 * TONE_REACH[1]
    else:
        away = np.abs(lab - tone)
        other = (away[..., 0] > TONE_REACH[0]) | (np.hypot(away[..., 1], away[..., 2]) > TONE_REACH[1])
    for bare in SKIN if tone is None else (Seen.ARM, Seen.LEG):
        seen = _moved(seen, bare, torch.from_numpy(other))
    return seen


def _neck_like_the_face(seen: Tensor, lab: Maps, head: NDArray[np.bool_]) -> Tensor:
    """A neck has the face's colour: what is lighter and paler, or of another hue, is a collar."""
    tone = _face_tone(seen, lab)
    if tone is None or not head.any():
        return seen
    away = lab - tone
    pale = np.linalg.norm(lab[..., 1:], axis=-1) < PALE * np.linalg.norm(tone[1:])
    other = (away[..., 0] > NECK_REACH[0]) & pale
    other |= np.hypot(away[..., 1], away[..., 2]) > NECK_REACH[1]
    rows = np.arange(len(head))[:, None]
    chin = np.flatnonzero(head.any(1))[-1]
    return _moved(seen, Seen.FACE, torch.from_numpy(opened(other & ~head & (rows > chin - NEAR / 2), 1)))


def _bare_beside_tops(seen: Tensor, lab: Maps) -> Tensor:
    """What is read as a top, joins skin and has its colours and not the top's is skin: a chest, an arm."""
    tone = _face_tone(seen, lab)
    if tone is None:
        return seen
    near_skin = np.linalg.norm((lab - tone) * IN_SHADE, axis=-1) < LIKE_FACE
    for cloth in (Seen.UPPER, Seen.DRESS):
        skin, own = ((seen[0, list(parts)].sum(0) > SURE_SKIN).numpy() for parts in (SKIN, (cloth,)))
        if own.sum() < LEAST_CLOTH:
            continue
        likelier = _likelihood(lab, skin) > LIKELIER * _likelihood(lab, own)
        bare = opened(likelier & near_skin & own, RIM)
        face, arm = ((seen[0, part] > 0.5).numpy() for part in (Seen.FACE, Seen.ARM))
        _, pieces = cv2.connectedComponents((bare | face | arm).astype(np.uint8))
        seen = seen.clone()
        for part, joined in ((Seen.FACE, face), (Seen.ARM, arm & ~face)):
            share = seen[0, cloth] * torch.from_numpy(bare & np.isin(pieces, np.unique(pieces[joined])))
            seen[0, cloth] -= share
            seen[0, part] += share
    return seen


def _limbs_like_cloth(seen: Tensor, lab: Maps, parts: NDArray[np.uint8]) -> Tensor:
    """An arm or a leg of the colours of a garment, and not of the skin seen elsewhere, is a sleeve of it.

    parts  (h, w) uint8 ``Part``
    """
    arms, legs = (seen[0, limb].numpy() > SURE_SKIN for limb in (Seen.ARM, Seen.LEG))
    bare = (seen[0, Seen.FACE] > SURE_SKIN).numpy() | (arms & np.isin(parts, HANDS))
    for limb, cloth, skin, name, ends in (
        (Seen.ARM, Seen.UPPER, bare | legs, "_ARM_", HANDS),
        (Seen.ARM, Seen.DRESS, bare | legs, "_ARM_", HANDS),
        (Seen.LEG, Seen.LOWER, bare, "_LEG_", FEET),
        (Seen.LEG, Seen.DRESS, bare, "_LEG_", FEET),
    ):
        own, share = (seen[0, cloth] > SURE_SKIN).numpy(), seen[0, limb].numpy()
        if own.sum() < LEAST_CLOTH or skin.sum() < LEAST_SKIN:
            continue
        told = np.log(_likelihood(lab, own, SHADES) / _likelihood(lab, skin, SHADES))
        sleeves = np.zeros_like(own)
        for side in ("LEFT", "RIGHT"):
            here = np.isin(parts, parts_named(side, name))
            sleeves |= _sleeve(share, here, np.isin(parts, ends), told.clip(-MOST_TOLD, MOST_TOLD))
        moved = seen[0, limb] * torch.from_numpy(sleeves)
        seen = seen.clone()
        seen[0, limb] -= moved
        seen[0, cloth] += moved
    return seen


def _sleeve(share: Maps, limb: NDArray[np.bool_], ends: NDArray[np.bool_], told: Maps) -> NDArray[np.bool_]:
    """(h, w): nothing, or all of a limb that is no skin; it ends where skin joins a hand or a foot.

    share  (h, w) in [0, 1], how likely the parser took it for skin
    told   (h, w), logarithm of how much likelier a colour is the garment's than skin's
    """
    sure = limb & (share > SURE_SKIN)
    if sure.sum() < LEAST_LIMB or told[sure].mean() < LIMB_TOLD:
        return np.zeros_like(limb)
    even = cv2.GaussianBlur(told, (0, 0), TOLD_AROUND)
    bare = joined_to(opened((even < -LIMB_TOLD) & (share > 0.5), 2 * RIM), ends)
    return grown(limb, CUFF) & ~bare


def _cloth_of_one_colour(seen: Tensor, lab: Maps) -> Tensor:
    """Rims and specks beside a garment of one colour, and of that colour, are the garment's."""
    tone = _face_tone(seen, lab)
    for cloth in (Seen.UPPER, Seen.LOWER, Seen.DRESS):
        own = (seen[0, cloth] > SURE_SKIN).numpy()
        if own.sum() < LEAST_SKIN:
            continue
        colour = np.median(lab[own], axis=0)[1:]
        is_plain = np.median(np.linalg.norm(lab[own][:, 1:] - colour, axis=-1)) < PLAIN
        skin = ANY_SKIN if tone is None else tone[1:]
        is_skin = np.linalg.norm(colour - skin) < 2 * TONE_REACH[1]
        if not is_plain or is_skin or np.linalg.norm(colour) < 2 * TONE_REACH[1]:
            continue
        near = grown(own, 2 * NEAR)
        alike = np.linalg.norm(lab[..., 1:] - colour, axis=-1) < ALIKE * np.linalg.norm(colour)
        _, pieces = cv2.connectedComponents((own | (near & alike)).astype(np.uint8))
        joined = np.isin(pieces, np.unique(pieces[own]))
        taken = torch.from_numpy(joined & near & alike)
        seen = torch.where(
            taken, F.one_hot(torch.tensor(cloth), len(Seen))[None, :, None, None].float(), seen
        )
    return seen


def _divided_at_the_waist(seen: Tensor, lab: Maps, legs: NDArray[np.bool_]) -> Tensor:
    """The line between upper and lower clothes lies where their colours change.

    What is read as a dress is two garments where all below the hips has other colours than all above.

    lab   (h, w, 3) CIE Lab
    legs  (h, w): legs by the part map
    """
    shares = seen[0, [Seen.UPPER, Seen.LOWER]].numpy()
    dress = seen[0, Seen.DRESS].numpy()
    halves = _halves(shares, dress, lab, legs)
    if halves is not None:
        shares, dress = halves, 0 * dress
    cloths = shares > 0.5
    if all(cloth.sum() > LEAST_CLOTH for cloth in cloths):
        away = [cv2.distanceTransform(1 - cloth.astype(np.uint8), cv2.DIST_L2, 5) for cloth in cloths]
        both = shares.sum(0)
        near = (both > 0.5) & (np.maximum(*away) < WAIST_OFF)
        logit = np.log((shares[0] + 1e-3) / (shares[1] + 1e-3)).clip(-2, 2)
        logit = logit + TOLD_WEIGHT * _likelier_upper(cloths, lab, NARROW)
        upper = np.where(near, both / (1 + np.exp(-logit)), shares[0])
        shares = np.stack([upper, both - upper])
    divided = seen.clone()
    divided[0, [Seen.UPPER, Seen.LOWER, Seen.DRESS]] = torch.from_numpy(np.stack([*shares, dress])).float()
    return _without_specks(divided, Seen.UPPER)


def _without_specks(seen: Tensor, part: Seen) -> Tensor:
    """Pieces that are tiny beside the largest of a part are what they are likeliest else."""
    own = (seen[0, part] > 0.5).numpy()
    specks = torch.from_numpy(own & ~without_tiny(own, TINY))
    cleaned = torch.where(specks & (torch.arange(len(Seen)) == part)[:, None, None], 0.0, seen[0])
    return (cleaned / cleaned.sum(0).clamp_min(1e-6))[None]


def _halves(shares: Maps, dress: Maps, lab: Maps, legs: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """(2, h, w): shares of upper and lower clothes if a dress is two garments; None where it is one."""
    if not legs.any() or not (dress > 0.5).any():
        return None
    hips = np.median(legs.argmax(0)[legs.any(0)])
    rows = np.arange(len(legs))[:, None]
    best, found = TOLD_APART, None
    for rise in WAISTS:
        below = np.broadcast_to(rows > hips - rise, legs.shape)
        halves = shares + dress * np.stack([~below, below])
        cloths = halves > 0.5
        if any(cloth.sum() < LEAST_CLOTH for cloth in cloths):
            continue
        told = _likelier_upper(cloths, lab, NARROW)
        right = min(
            float((sign * told[cloth] > 0).mean()) for sign, cloth in zip((1, -1), cloths, strict=True)
        )
        if right > best:
            best, found = right, halves
    return found


def _likelier_upper(cloths: NDArray[np.bool_], lab: Maps, apart: float) -> Maps:
    """(h, w) how much likelier, as a logarithm, colours are of the upper clothes than of the lower.

    cloths  (2, h, w): both, as read; their colours are taken ``apart`` px from each other
    """
    likely = []
    for own, other in (cloths, cloths[::-1]):
        away = cv2.distanceTransform(1 - other.astype(np.uint8), cv2.DIST_L2, 5) > apart
        likely.append(_likelihood(lab, own & away))
    told = np.log(likely[0] / likely[1]).clip(-MOST_TOLD, MOST_TOLD)
    worn = cloths.any(0).astype(np.float32)
    told = cv2.GaussianBlur((told * worn).astype(np.float32), (0, 0), TOLD_AROUND)
    return told / np.maximum(cv2.GaussianBlur(worn, (0, 0), TOLD_AROUND), 0.05)


def _likelihood(lab: Maps, sure: NDArray[np.bool_], shades: float = 0.0) -> Maps:
    """(h, w): how likely every pixel's colour is where it is ``sure``, or some ``shades`` (bins) off that."""
    bins = tuple(
        ((lab[..., i] + low) / COLOUR_BIN).clip(0, BINS - 1).astype(int) for i, low in enumerate((0, 64, 64))
    )
    counts = np.zeros((BINS,) * 3, np.float32)
    np.add.at(counts, tuple(index[sure] for index in bins), 1)
    for axis in range(3):
        counts = (np.roll(counts, 1, axis) + 2 * counts + np.roll(counts, -1, axis)) / 4
    if shades:
        by_lightness = counts.reshape(BINS, -1)
        counts = cv2.GaussianBlur(by_lightness, (1, 0), sigmaX=1, sigmaY=shades).reshape(counts.shape)
    likely: Maps = counts[bins] / max(float(counts.sum()), 1.0) + 1e-4
    return likely


def _cloth_beside_hands(seen: Tensor, lab: Maps, hands: NDArray[np.bool_]) -> Tensor:
    """What is read as a hand's and has the colours of the skirt or trousers beside it is theirs."""
    bare = (seen[0, Seen.ARM] > 0.5).numpy()
    near = grown(hands, PALM) & bare
    if near.sum() < LEAST_HAND:
        return seen
    for cloth in (Seen.LOWER, Seen.DRESS):
        own = (seen[0, cloth] > SURE_SKIN).numpy()
        if own.sum() < LEAST_CLOTH:
            continue
        likelier = _likelihood(lab, own) > LIKELIER * _likelihood(lab, bare)
        taken = torch.from_numpy(opened(likelier & near, 1))
        seen = seen.clone()
        seen[0, cloth] += seen[0, Seen.ARM] * taken
        seen[0, Seen.ARM] *= ~taken
    return seen


def _held_in_hands(seen: Tensor, lab: Maps, parts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(h, w): a bag: what lies beside a hand before a skirt or trousers and has none of their colours.

    parts  (h, w) uint8 ``Part``; on an arm it is a cuff
    """
    held = np.zeros(parts.shape, bool)
    hands = np.isin(parts, HANDS)
    palms, arms = grown(hands, RIM), grown(np.isin(parts, LOWER_ARMS), 2 * RIM)
    beside = ~grown(parts > 0, BESIDE) & ((parts > 0) & ~hands).any(1, keepdims=True)
    near = grown(hands, GRASP) | (grown(hands, HANGS) & beside)
    bare = (seen[0, Seen.ARM] > SURE_SKIN).numpy()
    like_skin = np.zeros(parts.shape, bool)
    if bare.sum() >= LEAST_SKIN:
        like_skin = np.linalg.norm(lab - np.median(lab[bare], axis=0), axis=-1) < LIKE_SKIN
    for cloth in (Seen.LOWER, Seen.DRESS):
        own = (seen[0, cloth] > 0.5).numpy()
        alone = own & ~near
        if alone.sum() < max(LEAST_CLOTH, LEAST_ALONE * (own & near).sum()):
            continue
        likely = np.log(_likelihood(lab, alone))
        limit = np.median(likely[alone]) - FOREIGN
        likely[_shade_of(lab, np.median(lab[alone], axis=0))] = 0
        foreign = (likely < limit) & (cv2.GaussianBlur(likely, (0, 0), TOLD_AROUND) < limit)
        other = (seen[0, [cloth, Seen.OTHER]].sum(0) > 0.5).numpy()
        possible = other & near & ~like_skin & (likely < limit)
        piece = opened(closed(foreign & possible & ~arms & ~palms, RIM), 2 * RIM)
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(piece.astype(np.uint8))
        areas = stats[:, cv2.CC_STAT_AREA]
        sure = np.zeros(parts.shape, bool)
        most = MOST_HELD * (own & near).sum()
        for number in np.flatnonzero((areas > LEAST_HELD) & (areas < most)):
            if number and _stands_out(pieces == number, own & ~possible, lab):
                sure |= pieces == number
        _, joined = cv2.connectedComponents((sure | possible).astype(np.uint8))
        bag = np.isin(joined, np.unique(joined[sure])) & (joined > 0)
        bag |= closed(bag, 4 * RIM) & other & beside
        if bag.any():
            bag |= closed(bag | bare, 3 * RIM) & other & near & ~bare
            likelier = _likelihood(lab, bag) > LIKELIER * _likelihood(lab, alone & ~bag)
            joined = connected(bag | (opened(likelier, 1) & other & grown(bag, REACHES) & ~bare))
            bag = np.isin(joined, np.unique(joined[bag]))
        held |= bag
    return held


def _stands_out(piece: NDArray[np.bool_], cloth: NDArray[np.bool_], lab: Maps) -> bool:
    """Whether a piece ends at an edge of colours: faded cloth does not."""
    inner = piece & grown(~piece, 2)
    outer = grown(piece, 3) & ~grown(piece, 1) & cloth
    if not outer.any():
        return True
    return bool(np.linalg.norm(np.median(lab[inner], axis=0) - np.median(lab[outer], axis=0)) > HELD_EDGE)


def _shade_of(lab: Maps, colour: Maps) -> NDArray[np.bool_]:
    """(h, w): what may be a colour in the shade or, if it has a hue, in the light."""
    lightness = lab[..., 0] / max(float(colour[0]), 1.0)
    off = np.linalg.norm(lab[..., 1:] - lightness[..., None] * colour[1:], axis=-1)
    shade: NDArray[np.bool_] = (off < LIKE_SKIN) & (lightness > DEEPEST) & (lightness < 1.1)
    chroma = float(np.linalg.norm(colour[1:]))
    if chroma > TONE_REACH[1]:
        along = lab[..., 1:] @ (colour[1:] / chroma)
        own = np.linalg.norm(lab[..., 1:], axis=-1)
        shade |= (along > SAME_HUE * own) & (own > DEEPEST * chroma) & (own < chroma / DEEPEST)
    return shade


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
    working = Working.of(region)
    likely = working.unframed(reading.seen[0, worn].sum(0, keepdim=True))[..., 0] > 0.5
    near = grown(working.cut(mask) > 127, NEAR * working.zoom)
    body = grown(working.cut(reading.on_body) > 0.5, 2 * RIM * working.zoom)
    wider = grown(likely & near & body, 2 * RIM * working.zoom) * (1 - working.cut(reading.head))
    return np.where(working.whole(wider, mask.shape) > 0.5, 255, mask).astype(np.uint8)
