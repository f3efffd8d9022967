"""Label sets as enums: one place that knows what the numbers in parse, part and landmark maps mean."""

from enum import IntEnum


class Parse(IntEnum):
    """Human-parsing labels: the 18 of ATR, and 18 = neck as the official merge with LIP adds it."""

    BACKGROUND = 0
    HAT = 1
    HAIR = 2
    SUNGLASSES = 3
    UPPER_CLOTHES = 4
    SKIRT = 5
    PANTS = 6
    DRESS = 7
    BELT = 8
    LEFT_SHOE = 9
    RIGHT_SHOE = 10
    HEAD = 11
    LEFT_LEG = 12
    RIGHT_LEG = 13
    LEFT_ARM = 14
    RIGHT_ARM = 15
    BAG = 16
    SCARF = 17
    NECK = 18


class Lip(IntEnum):
    """Human-parsing labels of LIP, the second network of the official parser."""

    BACKGROUND = 0
    HAT = 1
    HAIR = 2
    GLOVE = 3
    SUNGLASSES = 4
    UPPER_CLOTHES = 5
    DRESS = 6
    COAT = 7
    SOCKS = 8
    PANTS = 9
    JUMPSUIT = 10
    SCARF = 11
    SKIRT = 12
    FACE = 13
    LEFT_ARM = 14
    RIGHT_ARM = 15
    LEFT_LEG = 16
    RIGHT_LEG = 17
    LEFT_SHOE = 18
    RIGHT_SHOE = 19


class Part(IntEnum):
    """DensePose fine parts (the I channel of an IUV map). Left and right are the person's own.

    Legs and torso are halved into front and back, arms into the half next to the body and the outer one.
    """

    BACKGROUND = 0
    TORSO_BACK = 1
    TORSO_FRONT = 2
    RIGHT_HAND = 3
    LEFT_HAND = 4
    LEFT_FOOT = 5
    RIGHT_FOOT = 6
    RIGHT_UPPER_LEG_BACK = 7
    LEFT_UPPER_LEG_BACK = 8
    RIGHT_UPPER_LEG_FRONT = 9
    LEFT_UPPER_LEG_FRONT = 10
    RIGHT_LOWER_LEG_BACK = 11
    LEFT_LOWER_LEG_BACK = 12
    RIGHT_LOWER_LEG_FRONT = 13
    LEFT_LOWER_LEG_FRONT = 14
    LEFT_UPPER_ARM_INNER = 15
    RIGHT_UPPER_ARM_INNER = 16
    LEFT_UPPER_ARM_OUTER = 17
    RIGHT_UPPER_ARM_OUTER = 18
    LEFT_LOWER_ARM_INNER = 19
    RIGHT_LOWER_ARM_INNER = 20
    LEFT_LOWER_ARM_OUTER = 21
    RIGHT_LOWER_ARM_OUTER = 22
    HEAD_RIGHT = 23
    HEAD_LEFT = 24


def parts_named(*words: str) -> tuple[Part, ...]:
    """The parts whose names have all of these words in them, such as "LEFT" and "ARM"."""
    return tuple(part for part in Part if all(word in part.name for word in words))


# RGB of each ``Part`` in the picture that the released VITON-HD weights were trained with: OpenCV's PARULA
# map (not viridis, which looks alike) at trunc(part * 255 / 24), and black for the background.
PARULA: tuple[tuple[int, int, int], ...] = (
    (0, 0, 0), (37, 60, 163), (20, 80, 194), (4, 97, 223), (8, 110, 221),
    (14, 122, 216), (20, 132, 212), (15, 144, 208), (11, 156, 203), (6, 166, 198),
    (22, 173, 185), (38, 179, 172), (55, 185, 159), (86, 187, 144), (114, 189, 130),
    (145, 191, 116), (170, 189, 105), (192, 188, 96), (216, 186, 86), (228, 192, 74),
    (240, 199, 60), (252, 206, 46), (251, 220, 36), (250, 235, 25), (249, 251, 14),
)  # fmt: skip


class Landmark(IntEnum):
    """BlazePose landmarks, the order of mediapipe's pose. Left and right are the person's own."""

    NOSE = 0
    LEFT_EYE_INNER = 1
    LEFT_EYE = 2
    LEFT_EYE_OUTER = 3
    RIGHT_EYE_INNER = 4
    RIGHT_EYE = 5
    RIGHT_EYE_OUTER = 6
    LEFT_EAR = 7
    RIGHT_EAR = 8
    MOUTH_LEFT = 9
    MOUTH_RIGHT = 10
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_PINKY = 17
    RIGHT_PINKY = 18
    LEFT_INDEX = 19
    RIGHT_INDEX = 20
    LEFT_THUMB = 21
    RIGHT_THUMB = 22
    LEFT_HIP = 23
    RIGHT_HIP = 24
    LEFT_KNEE = 25
    RIGHT_KNEE = 26
    LEFT_ANKLE = 27
    RIGHT_ANKLE = 28
    LEFT_HEEL = 29
    RIGHT_HEEL = 30
    LEFT_FOOT_INDEX = 31
    RIGHT_FOOT_INDEX = 32


def _other_side(name: str) -> str:
    return name.replace("LEFT", "RIGHT") if "LEFT" in name else name.replace("RIGHT", "LEFT")


MIRRORED = tuple(int(Landmark[_other_side(landmark.name)]) for landmark in Landmark)
"""For each landmark the one that takes its place in a mirror."""


class Joint(IntEnum):
    """OpenPose body-18 joints, the order the official masks use. (0, 0) marks a missing joint."""

    NOSE = 0
    NECK = 1
    RIGHT_SHOULDER = 2
    RIGHT_ELBOW = 3
    RIGHT_WRIST = 4
    LEFT_SHOULDER = 5
    LEFT_ELBOW = 6
    LEFT_WRIST = 7
    RIGHT_HIP = 8
    RIGHT_KNEE = 9
    RIGHT_ANKLE = 10
    LEFT_HIP = 11
    LEFT_KNEE = 12
    LEFT_ANKLE = 13
    RIGHT_EYE = 14
    LEFT_EYE = 15
    RIGHT_EAR = 16
    LEFT_EAR = 17
