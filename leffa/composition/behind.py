"""What is seen where the old garment was and the new one is not: ground, skin and the clothes that stay.

Each is a layer of its own, carried on from what the photo shows of it, so that its edges are as sharp as the
photo's and its colours are this photo's: the ground from the ground, skin in this person's
tone, clothes from the clothes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.bare import beside_bare_arms
from leffa.composition.canvas import Maps, Working, mirrored, sized
from leffa.composition.cloth import carried_on
from leffa.composition.edges import by_colours, share_of
from leffa.composition.flows import outlined
from leffa.composition.length import TORSO
from leffa.composition.limbs import continued
from leffa.composition.reading import ARMS, FEET, HANDS, HEAD, LEAST_SKIN, LEGS, RIM, SURE_SKIN
from leffa.composition.scene import Scene
from leffa.config import Garment
from leffa.model.refinement import Refined, Shows
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.drawing import closed as shut
from leffa.preprocess.offline.drawing import disc, grown
from leffa.preprocess.offline.parsing import CLOTHES, REPLACED, SKIN, Seen

LIMB = 1.6  # px of the frame: an arm's outline has no waves that are shorter
JOINT = 5.0  # px of the frame: so near to what is seen of a limb outlines are smoother
SURE = 0.9  # share of a part in a pixel that its colours are taken from
HALVINGS = 8  # of the picture, until the widest hole is closed
TEXTURE = 12.0  # px of the frame over which the ground's texture is carried on; further off it is smooth
CLEAR = 3.0  # px of the frame between the person and the ground that the ground's colours are taken from
FACE_WEIGHT = 0.2  # of all of a face beside all that is seen of limbs: hands alone are often in the shade
STRIP = 14.0  # px of the frame: the widest gap between two garments that is taken for cloth
TRUNK = (
    Part.TORSO_FRONT,
    Part.TORSO_BACK,
    Part.LEFT_UPPER_LEG_FRONT,
    Part.RIGHT_UPPER_LEG_FRONT,
    Part.LEFT_UPPER_LEG_BACK,
    Part.RIGHT_UPPER_LEG_BACK,
)
LIMBS = (*ARMS, *HANDS, *LEGS, *FEET)
LOOSE = 2.5  # px of the frame that a sleeve may be wider, on each side, than the part map to tell an arm
SLIT = 2.0  # px of the frame: half the width of a slit between an arm and a garment that is none
SLACK = 1.4  # px of the frame that an arm is thinner, on each side, than the sleeve that hid it
FAR = 28.0  # px of the frame that clothes reach beyond what is seen of them
THICK = 9.0  # px of the frame: about a limb's half width
SHADOW, UNDER = 0.22, 5.0  # of its brightness that a limb loses under a hem; px of the frame that it reaches
ROUND = 0.38  # of its brightness that a limb loses at its edge; in 26 photographs 0.14 (median) to 0.6
SHADED = np.array([0.78, 1.13, 1.4], np.float32)  # in the shade skin is redder: powers of its brightness
OTHER_LIMBS = 0.1  # of all of the legs beside all that is seen of the arms, and the other way round
MOTTLED = ((0.5, 0.006), (1.2, 0.01))  # px of the frame, and of its brightness: skin is nowhere even
DARKEST = 0.4  # brightness that no painted skin falls below
LIT = 0.24  # of its brightness that a limb's side gains towards the light, and loses away from it
ABOVE, SIDEWAYS = 0.3, 3.0  # light from above, of all; how much of it comes from a side that is lighter
ALIKE = 6.0  # px of the frame over which the colours of what is seen of a limb become the usual ones
TOLD = 0.05  # of what is around: less of a colour tells nothing
MOST_OFF = 0.35  # of the log brightness: more is a shadow
BEYOND = 1.5  # px of the frame that a limb may reach beyond the part map
GRAIN = 1.0  # px of the photo that its grain is taken over


@dataclass(frozen=True)
class Behind:
    """What the photo shows beside the garment. H, W are the working size.

    photo   (H, W, 3) in [0, 255]
    garment, gone  (H, W) in [0, 1], where the new one lies, and what has to go
    filled  (H, W, 3) in [0, 255], what the filling network painted
    """

    scene: Scene
    working: Working
    refined: Refined
    photo: Maps
    garment: Maps
    gone: Maps
    filled: Maps

    def picture(self) -> Maps:
        """(H, W, 3) in [0, 255]: the layers, one over the other."""
        clothes = self._clothes()
        what = self._shown(clothes)
        result = self._ground()
        skin = self._limbs(what == Shows.SKIN)
        result += skin[..., None] * (self._skin(skin) - result)
        if clothes is not None:
            cover = outlined(self.working, what == Shows.OTHER, LIMB / 2)
            result += cover[..., None] * (carried_on(self.photo, clothes) - result)
        return result + self._grain()

    def _shown(self, clothes: NDArray[np.uint8] | None) -> NDArray[np.int64]:
        """(H, W) ``Shows``: what the refinement says, as far as a body and its clothes allow it."""
        logits = self.working.unframed(self.refined.shows[0])
        logits[..., Shows.GARMENT] = -np.inf
        parts = self.scene.reading.parts[..., 0]
        on_body, arms = (self.working.cut(where) > 0.5 for where in (parts > 0, np.isin(parts, ARMS)))
        on_body |= self._in_sleeves(arms)
        logits[..., Shows.GROUND][self._inner(on_body)] = -np.inf  # nobody has a hole
        if on_body.any():
            logits[..., Shows.SKIN][~grown(on_body, BEYOND * self.working.zoom)] = -np.inf
        sleeve = arms & ~self._inner(on_body, SLACK) & (self.gone > 0.5)
        beside = self._beside_arms()
        bare_ground = sleeve | self._beside_the_trunk() | beside
        logits[..., Shows.SKIN][bare_ground], logits[..., Shows.GROUND][bare_ground] = -np.inf, 0
        no_cloth = self._away(clothes) | self._below_tops(clothes)
        logits[..., Shows.OTHER][no_cloth] = -np.inf
        what: NDArray[np.int64] = np.where(
            self._waist(clothes) & ~bare_ground & ~no_cloth, Shows.OTHER, logits.argmax(-1)
        )
        what[self._between(what) & ~beside] = Shows.SKIN
        return what

    def _limbs(self, painted: NDArray[np.bool_]) -> Maps:
        """(H, W) in [0, 1]: painted skin; where it meets a limb that is seen, it comes to its width."""
        seen, zoom = self._share(Seen.ARM, Seen.LEG) > 0.5, self.working.zoom
        if not seen.any():
            return outlined(self.working, painted, LIMB)
        away = cv2.distanceTransform((~seen).astype(np.uint8), cv2.DIST_L2, 5) / zoom
        parts = self.scene.reading.parts[..., 0]
        beside = grown(painted & (self.gone > 0.5), JOINT * zoom)
        sharp = self._by_colours(beside) > 0.5
        seen = np.where(beside, sharp, seen)
        painted = painted & ((self.gone > 0.5) | (away > JOINT))
        limbs = continued(parts, self.working, painted, seen, self.garment > 0.5, self.gone > 0.5)
        rough = painted
        if limbs is None:
            limbs = painted
        else:  # all that is told as an arm or a leg goes on from what is seen of it
            rough = painted & ~grown(self.working.cut(np.isin(parts, LIMBS)) > 0.5, RIM * zoom)
        usual, even = (outlined(self.working, seen | limbs, waves) for waves in (LIMB, 3 * LIMB))
        near = (away < JOINT) & grown(rough, JOINT * zoom)
        return usual + cv2.GaussianBlur(near.astype(np.float32), (0, 0), JOINT / 2 * zoom) * (even - usual)

    def _by_colours(self, within: NDArray[np.bool_]) -> Maps:
        """(H, W) in [0, 1]: arms and legs that are seen; the photo's colours tell where they end."""
        photo, reading, working = self.scene.photo, self.scene.reading, self.working
        told = [by_colours(photo, reading, working, part, within) for part in (Seen.ARM, Seen.LEG)]
        limbs: Maps = np.maximum(*told) * (1 - self.gone)
        return limbs

    def _in_sleeves(self, arms: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W): what the old sleeves hid: where they were tight, their outline is the arm's."""
        zoom = self.working.zoom
        limb = (self.gone > 0.5) | (self._share(Seen.ARM) > 0.5)
        trunk = self.working.cut(np.isin(self.scene.reading.parts[..., 0], TRUNK)) > 0.5
        near = grown(arms, LOOSE * zoom) & ~grown(trunk, 2 * LOOSE * zoom)
        return near & self._inner(limb, RIM) & (self.gone > 0.5)

    def _between(self, what: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(H, W): slits of ground between an arm and the garment: the arm lies against it."""
        skin = ((what == Shows.SKIN) & (self.gone > 0.5)) | (self._share(Seen.ARM) > 0.5)
        laid = self.garment > 0.5
        slits = shut(skin | laid, SLIT * self.working.zoom) & ~skin & ~laid
        return slits & (what == Shows.GROUND) & (self.gone > 0.05)

    def _beside_arms(self) -> NDArray[np.bool_]:
        """(H, W): beside arms that are seen; but below the garment a belly may be bare there.

        Old trousers and skirts hide hardly any arm: a hand is before them or in a pocket, and what was beside
        it is not more of it.
        """
        beside = beside_bare_arms(self.scene, self.working, self._share(Seen.ARM) > 0.5)
        if self.scene.garment is Garment.LOWER:
            limbs = self.working.cut(np.isin(self.scene.reading.parts[..., 0], (*ARMS, *HANDS))) > 0.5
            beside |= grown(limbs, 2 * BEYOND * self.working.zoom)
        trunk = self.working.cut(np.isin(self.scene.reading.parts[..., 0], TRUNK)) > 0.5
        return beside & (~trunk | (self.garment > 0.5).any(1, keepdims=True))

    def _beside_the_trunk(self) -> NDArray[np.bool_]:
        """(H, W): under the arms, where the old garment was wider than the new one: no skin, no hole."""
        trunk = self.working.cut(np.isin(self.scene.reading.parts[..., 0], TRUNK)) > 0.5
        laid = self.garment > 0.5
        below = np.maximum.accumulate(laid, axis=0)
        left = np.maximum.accumulate(laid & trunk, axis=1)
        right = np.maximum.accumulate((laid & trunk)[:, ::-1], axis=1)[:, ::-1]
        return trunk & ~laid & below & (left ^ right)

    def _below_tops(self, clothes: NDArray[np.uint8] | None) -> NDArray[np.bool_]:
        """(H, W): beside new trousers or a new skirt, and nothing of a top below: none goes on there."""
        if self.scene.garment is not Garment.LOWER or clothes is None:
            return np.zeros(self.working.size, bool)
        widths = (self.garment > 0.5).sum(1, keepdims=True)
        over = np.maximum.accumulate(clothes[::-1], axis=0)[::-1] > 0
        return (widths > widths.max() / 2) & ~over

    def _away(self, clothes: NDArray[np.uint8] | None) -> NDArray[np.bool_]:
        """(H, W): where none of the clothes that stay can be, so far from all that is seen of them."""
        if clothes is None:
            return np.ones(self.working.size, bool)
        return cv2.distanceTransform(1 - clothes, cv2.DIST_L2, 5) > FAR * self.working.zoom

    def _waist(self, clothes: NDArray[np.uint8] | None) -> NDArray[np.bool_]:
        """(H, W): the trunk beside the clothes that stay: a strip of skin between two garments is rare."""
        if clothes is None:
            return np.zeros(self.working.size, bool)
        trunk = self.working.cut(np.isin(self.scene.reading.parts[..., 0], TRUNK)) > 0.5
        skin = self._inner(self._share(*SKIN) > SURE).astype(np.uint8)
        to_clothes, to_skin = (cv2.distanceTransform(1 - kept, cv2.DIST_L2, 5) for kept in (clothes, skin))
        return trunk & (to_clothes < STRIP * self.working.zoom) & (to_clothes <= to_skin)

    def _share(self, *parts: Seen) -> Maps:
        return share_of(self.scene.photo, self.scene.reading, self.working, parts) * (1 - self.gone)

    def _ground(self) -> Maps:
        person = self.working.cut(self.scene.reading.silhouette) > 127
        known = (self._share(Seen.GROUND) > SURE) & ~grown(person, CLEAR * self.working.zoom)
        if known.sum() < LEAST_SKIN * self.working.zoom**2:
            return self.filled.copy()
        texture = self._near(known, TEXTURE)[..., None]
        smooth = closed(self.photo, known)
        return smooth + texture * (mirrored(self.photo, known) - smooth)

    def _skin(self, covers: Maps) -> Maps:
        """The colours of the bare limbs and the neck that are seen, else of the face, on round limbs."""
        least = LEAST_SKIN * self.working.zoom**2
        head = self.working.cut(self.scene.reading.head) > 0.5
        face = self._inner(self._share(Seen.FACE) > SURE)
        arms = self._inner(self._share(Seen.ARM) > SURE) | (face & ~head)
        legs = self._inner(self._share(Seen.LEG) > SURE)
        face &= head
        if face.sum() + arms.sum() + legs.sum() < least:
            return self.filled
        light = self._brightness(covers, face).clip(DARKEST, None)[..., None] ** SHADED
        told = self.photo.copy()
        if face.any():
            told[face] = np.median(self.photo[face], axis=0)  # without eyes and lips
        tones = []
        for own, others in ((arms, legs), (legs, arms)):
            most = max(own.sum(), least / 8)
            weights = FACE_WEIGHT, OTHER_LIMBS
            of_face, of_others = (
                weight * min(1.0, most / max(beside.sum(), 1))
                for weight, beside in zip(weights, (face, others), strict=True)
            )
            known = np.where(own, 1, np.where(others, of_others, of_face * face)).astype(np.float32)
            tones.append(closed(told, known))
        below = self.working.cut(np.isin(self.scene.reading.parts[..., 0], LEGS)) > 0.5
        of_legs = cv2.GaussianBlur(below.astype(np.float32), (0, 0), self.working.zoom)[..., None]
        even = (tones[0] + of_legs * (tones[1] - tones[0])) * light
        return even * self._as_seen(even, covers) * self._mottled()[..., None]

    def _as_seen(self, skin: Maps, covers: Maps) -> Maps:
        """(H, W, 3): what painted skin is multiplied by: where it meets a limb it has that one's colours."""
        seen = self._inner(self._share(Seen.ARM, Seen.LEG) > 0.5)
        means, sure = [], np.ones((*self.working.size, 1), np.float32)
        for colours, where in ((self.photo, seen), (skin, (covers > 0.5) & (self.gone > 0.5))):
            there = where[..., None].astype(np.float32)
            sums = cv2.GaussianBlur(
                np.dstack([colours * there, there]), (0, 0), ALIKE / 2 * self.working.zoom
            )
            means.append(sums[..., :3] / np.maximum(sums[..., 3:], 1e-4) + 1)
            sure = np.minimum(sure, sums[..., 3:] / TOLD)
        off = np.log(means[0] / means[1]).clip(-MOST_OFF, MOST_OFF)
        return np.exp(sure * self._near(seen, ALIKE)[..., None] * off)

    def _mottled(self) -> Maps:
        """(H, W) around 1: skin's own unevenness, wider than grain."""
        rng, result = np.random.default_rng(1), np.ones(self.working.size, np.float32)
        for width, depth in MOTTLED:
            sigma = width * self.working.zoom
            noise = rng.normal(0, 1, self.working.size).astype(np.float32)
            noise = cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 2 * sigma)
            result += depth * noise / max(float(noise.std()), 1e-6)
        return result

    def _brightness(self, covers: Maps, face: NDArray[np.bool_]) -> Maps:
        """(H, W): what painted skin is multiplied by: limbs are round, lit as the face, shaded by a hem."""
        parts = self.scene.reading.parts[..., 0]
        limb, trunk = (
            self.working.cut(where) > 0.5
            for where in ((parts > 0) & ~np.isin(parts, TRUNK), np.isin(parts, (*TORSO, *HEAD)))
        )
        bare = np.maximum(covers, self._share(*SKIN)) > 0.5
        bare = np.where(self.garment > 0.5, limb, bare)  # limbs go on under a hem
        thick = THICK * self.working.zoom
        depth = np.minimum(cv2.distanceTransform(bare.astype(np.uint8), cv2.DIST_L2, 5), 4 * thick)
        radius = cv2.dilate(depth, disc(thick))
        edge = 1 - depth / np.maximum(cv2.GaussianBlur(radius, (0, 0), thick / 2), 1)
        of_limbs = cv2.GaussianBlur((bare & ~trunk).astype(np.float32), (0, 0), thick / 4)
        edge = edge.clip(0, 1) * of_limbs
        soft = cv2.GaussianBlur(depth, (0, 0), thick / 4)
        across, down = (cv2.Sobel(soft, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
        from_left, from_above = self._light(face)
        turned = across * from_left + down * from_above  # depth rises away from the light
        turned /= np.maximum(np.hypot(across, down), 1e-3)
        shadow = self._near(self.garment > 0.5, UNDER) * of_limbs
        brightness: Maps = 1 - ROUND * edge**2 + LIT * edge * turned - SHADOW * shadow
        return brightness

    def _near(self, what: NDArray[np.bool_], reach: float) -> Maps:
        """(H, W) in [0, 1]: 1 on something, falling to 0 over a few times ``reach`` px of the frame."""
        away = cv2.distanceTransform((~what).astype(np.uint8), cv2.DIST_L2, 5) / (reach * self.working.zoom)
        near: Maps = np.exp(-(np.minimum(away, 9) ** 2))
        return near

    def _light(self, face: NDArray[np.bool_]) -> tuple[float, float]:
        """How much of the light comes from the left, as on the face, and from above."""
        if face.sum() < LEAST_SKIN * self.working.zoom**2:
            return 0.0, ABOVE
        columns = np.nonzero(face)[1]
        brightness = self.photo.mean(-1)[face]
        left, right = (
            brightness[side].mean() for side in (columns <= np.median(columns), columns >= np.median(columns))
        )
        return float(np.clip(SIDEWAYS * np.log((left + 1) / (right + 1)), -1, 1)), ABOVE

    def _inner(self, where: NDArray[np.bool_], rim: float = RIM) -> NDArray[np.bool_]:
        """Without its rim in px of the frame, whose colours are mixed with what lies beside."""
        return ~grown(~where, rim * self.working.zoom)

    def _clothes(self) -> NDArray[np.uint8] | None:
        """(H, W) in {0, 1}: clothes that stay to be seen; None where none are.

        Those of the other kinds; where none are read, whichever: two garments of one colour are easily taken
        for one, and what is outside of all that changes stays anyway.
        """
        if self.scene.garment is None or self.scene.garment is Garment.DRESS:
            return None
        others = [part for part in CLOTHES if part not in REPLACED[self.scene.garment]]
        for parts in (others, CLOTHES):
            kept = (self._share(*parts) > SURE_SKIN) & (self.gone < 0.05)
            solid = self._inner(kept & (self.garment < 0.05)).astype(np.uint8)
            if solid.sum() >= LEAST_SKIN * self.working.zoom**2:
                return solid
        return None

    def _grain(self) -> Maps:
        """The photo's own grain: what is painted without it looks like plastic."""
        gray = self.photo.mean(-1)
        fine = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), GRAIN))
        deviation = float(np.median(fine)) * 1.48  # of a normal distribution, from its median
        noise = np.random.default_rng(0).normal(0, deviation, gray.shape).astype(np.float32)
        return cv2.GaussianBlur(noise, (0, 0), 0.6)[..., None]


def closed(picture: Maps, known: Maps | NDArray[np.bool_]) -> Maps:
    """A picture (H, W, 3) carried on smoothly from its known pixels to the others.

    known  (H, W), a pixel's weight in [0, 1]

    From fine to coarse and back: near the border of what is known its own colours, further in their mean.
    """
    size = picture.shape[:2]
    weight = known.astype(np.float32)
    colours, share = picture * weight[..., None], weight
    levels = [(colours, share)]
    for _ in range(HALVINGS):
        if min(share.shape) < 2:
            break
        half = ((share.shape[0] + 1) // 2, (share.shape[1] + 1) // 2)
        colours, share = sized(colours, half), sized(share, half)
        levels.append((colours, share))
    mean = colours.sum((0, 1)) / max(float(share.sum()), 1e-6)
    result = np.broadcast_to(mean, colours.shape).astype(np.float32)
    for colours, share in reversed(levels):
        coarse = sized(result, share.shape)
        own = colours / np.maximum(share, 1e-6)[..., None]
        certainty = np.clip(2 * share, 0, 1)[..., None]
        result = coarse + certainty * (own - coarse)
    assert result.shape[:2] == size
    return result
