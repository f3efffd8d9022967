"""One person at working size: skeleton, silhouette and the body group of each pixel, for masks and cues."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.images import within
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.drawing import Array, Canvas, Mask
from leffa.preprocess.offline.parts import nearest_parts
from leffa.preprocess.offline.shape import LEFT, RIGHT, SHAPE, SIDES
from leffa.preprocess.offline.skeleton import Skeleton


class Group(IntEnum):
    """The 24 parts without left and right, front and back, inner and outer."""

    NOBODY = 0
    HEAD = 1
    TORSO = 2
    UPPER_ARM = 3
    LOWER_ARM = 4
    HAND = 5
    UPPER_LEG = 6
    LOWER_LEG = 7
    FOOT = 8


#: ``GROUP_OF_PART[part]`` is the part's ``Group``.
GROUP_OF_PART = np.array(
    [next((group for group in Group if group.name in part.name), Group.NOBODY) for part in Part], np.uint8
)


@dataclass(frozen=True)
class Figure:
    """What masks and colour cues are made from. All maps (H, W), all lengths in pixels of the maps.

    skeleton  where the joints are
    inside    bool, the silhouette
    group     uint8 ``Group`` of the nearest part, 0 outside the silhouette
    score     float32 distance from that part in its own radii, about 1 on the skin; large outside
    progress  float32 place along that part, 0 at its start (neck, shoulder, hip, wrist, ankle), 1 at its end
    rise      float32 height above the line of the hips along the body's axis
    lateral   float32 signed distance from the body's axis, > 0 to the person's left
    """

    skeleton: Skeleton
    inside: Mask
    group: NDArray[np.uint8]
    score: Array
    progress: Array
    rise: Array
    lateral: Array

    @classmethod
    def of(cls, landmarks: Array, silhouette: Array) -> "Figure":
        """``landmarks`` (33, 4) in pixels of ``silhouette`` (H, W), float32 in [0, 1] or bool."""
        skeleton = Skeleton.from_landmarks(landmarks)
        found = nearest_parts(skeleton, silhouette)
        group = np.zeros(silhouette.shape, np.uint8)
        score = np.full(silhouette.shape, 1e3, np.float32)
        group[found.rows, found.columns] = GROUP_OF_PART[found.label]
        score[found.rows, found.columns] = found.score
        progress = np.zeros(silhouette.shape, np.float32)
        progress[found.rows, found.columns] = found.along
        rise = _along_axis(silhouette.shape, skeleton.hips, skeleton.up)
        lateral = _along_axis(silhouette.shape, skeleton.hips, skeleton.left)
        return cls(skeleton, group > 0, group, score, progress, rise, lateral)

    @classmethod
    def at_most(
        cls, longest: int, landmarks: Array, silhouette: Array, image: NDArray[np.uint8] | None = None
    ) -> tuple["Figure", NDArray[np.uint8] | None]:
        """The same with maps no longer than so many pixels, and the picture (H, W, 3) at their size."""
        landmarks, silhouette = np.asarray(landmarks, np.float32), np.asarray(silhouette, np.float32)
        size = silhouette.shape[0], silhouette.shape[1]
        height, width = within(size, longest)
        if (height, width) != size:
            stretch = [width / size[1], height / size[0], longest / max(size), 1]
            landmarks = landmarks * np.array(stretch, np.float32)
            silhouette = cv2.resize(silhouette, (width, height), interpolation=cv2.INTER_AREA)
            if image is not None:
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        return cls.of(landmarks, silhouette), image

    def along(self, origin: Array, axis: Array) -> Array:
        """(H, W): signed distance of every pixel from ``origin`` (x, y) along the unit vector ``axis``."""
        return _along_axis(self.group.shape, origin, axis)

    def is_in(self, *groups: Group) -> Mask:
        """Pixels whose group is one of these."""
        chosen = np.zeros(len(Group), bool)
        chosen[list(groups)] = True
        return chosen[self.group]

    @cached_property
    def face(self) -> Mask:
        """From the brows to the chin, ear to ear: certain to be face and nothing else."""
        head = self.skeleton.head
        middle = head.centre - head.up * 0.75 * head.unit
        rise, side = self.along(middle, head.up), self.along(middle, head.left)
        return ((rise / (1.3 * head.unit)) ** 2 + (side / (0.75 * head.half_width)) ** 2 < 1) & self.inside

    @cached_property
    def wears_long_skirt(self) -> bool:
        """Much cloth beside the shins: a maxi skirt or a gown, under which most of the feet are hidden."""
        shins = self.is_in(Group.LOWER_LEG)
        size = np.count_nonzero(shins)
        return size > 0 and np.count_nonzero(self.score[shins] > 1.45) > 0.35 * size

    @cached_property
    def hands(self) -> Mask:
        """Where the hands are, from the heel of the hand on: a cuff or a bare wrist is not part of them."""
        skeleton, scale = self.skeleton, self.skeleton.scale
        trunk = skeleton.depth[[LEFT.shoulder, RIGHT.shoulder, LEFT.hip, RIGHT.hip]].mean()
        palms = Canvas(self.group.shape)
        for side in SIDES:
            # In front of the trunk a hand is one even where the trunk seems nearer.
            if skeleton.depth[side.wrist] - trunk < 0.5 * scale:
                palm = (skeleton[side.index] + skeleton[side.pinky]) / 2 - skeleton[side.wrist]
                start, end = (skeleton[side.wrist] + share * palm for share in (0.6, SHAPE.fingertips))
                palms.capsule(start, end, 1.1 * SHAPE.hand * scale, SHAPE.hand * scale)
        nearest = self.is_in(Group.HAND) & (self.score < 1.35) & (self.progress > 0)
        return nearest | (palms.mask & self.inside & ~self.face)

    @cached_property
    def feet(self) -> Mask:
        """Shoes, from below the ankle on."""
        return self.is_in(Group.FOOT) & (self.score < 1.5) & (self.progress > 0.08)


def _along_axis(size: tuple[int, ...], origin: Array, axis: Array) -> Array:
    rows = (np.arange(size[0], dtype=np.float32) + 0.5 - origin[1]) * axis[1]
    columns = (np.arange(size[1], dtype=np.float32) + 0.5 - origin[0]) * axis[0]
    return rows[:, None] + columns[None]
