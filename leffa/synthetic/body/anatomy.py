"""Which DensePose-like part, part coordinates and parse label every face of the body has."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from leffa.preprocess.labels import Parse, Part
from leffa.synthetic.body.baked import HEAD_BONES, load_body
from leffa.synthetic.cloth.meshes import limbs_of, unwrap, vertex_normals

# Region -> (part seen from behind, part seen from the front), DensePose numbers.
REGION_PARTS = {
    "torso": (Part.TORSO_BACK, Part.TORSO_FRONT),
    "hand.R": (Part.RIGHT_HAND, Part.RIGHT_HAND),
    "hand.L": (Part.LEFT_HAND, Part.LEFT_HAND),
    "foot.L": (Part.LEFT_FOOT, Part.LEFT_FOOT),
    "foot.R": (Part.RIGHT_FOOT, Part.RIGHT_FOOT),
    "upperleg.R": (Part.RIGHT_UPPER_LEG_BACK, Part.RIGHT_UPPER_LEG_FRONT),
    "upperleg.L": (Part.LEFT_UPPER_LEG_BACK, Part.LEFT_UPPER_LEG_FRONT),
    "lowerleg.R": (Part.RIGHT_LOWER_LEG_BACK, Part.RIGHT_LOWER_LEG_FRONT),
    "lowerleg.L": (Part.LEFT_LOWER_LEG_BACK, Part.LEFT_LOWER_LEG_FRONT),
    "upperarm.L": (Part.LEFT_UPPER_ARM_INNER, Part.LEFT_UPPER_ARM_OUTER),
    "upperarm.R": (Part.RIGHT_UPPER_ARM_INNER, Part.RIGHT_UPPER_ARM_OUTER),
    "lowerarm.L": (Part.LEFT_LOWER_ARM_INNER, Part.LEFT_LOWER_ARM_OUTER),
    "lowerarm.R": (Part.RIGHT_LOWER_ARM_INNER, Part.RIGHT_LOWER_ARM_OUTER),
    "head": (Part.HEAD_RIGHT, Part.HEAD_LEFT),
}
REGIONS = list(REGION_PARTS)


@dataclass(frozen=True)
class Anatomy:
    """The drawn faces of the body and what they are.

    faces  (F, 3) vertex indices: skin, eyes, upper teeth
    part   (F,) uint8 ``Part``; coordinates (F, 3, 2) in [0, 1] within the part
    label  (F,) uint8 ``Parse``
    eye    (F,) bool, teeth (F,) bool
    """

    faces: np.ndarray
    part: np.ndarray
    coordinates: np.ndarray
    label: np.ndarray
    eye: np.ndarray
    teeth: np.ndarray


def _region(bone: str) -> str:
    """Region of a bone by its name, e.g. ``finger2-1.L`` -> ``hand.L``."""
    side = bone[-2:] if bone[-2:] in (".L", ".R") else ""
    if bone.startswith(("wrist", "finger", "metacarpal")):
        return "hand" + side
    if bone.startswith(("foot", "toe")):
        return "foot" + side
    for limb in ("upperarm", "lowerarm", "upperleg", "lowerleg"):
        if bone.startswith(limb):
            return limb + side
    return "head" if bone.startswith(HEAD_BONES) else "torso"


@lru_cache(maxsize=1)
def load_anatomy() -> Anatomy:
    """The body's parts and labels; computed once per process."""
    body = load_body()
    eye_group = body.group("helper-l-eye", "helper-r-eye")
    teeth_group = body.group("helper-upper-teeth")
    chosen = body.group("body") | eye_group | teeth_group
    faces = body.faces[chosen]
    vertices = body.mean.vertices
    share = np.zeros((body.count, len(REGIONS)), np.float32)
    for bone, index in body.bones.items():
        share[:, REGIONS.index(_region(bone))] += np.asarray(body.weights[:, [index]].todense()).ravel()
    of_vertex = share.argmax(1)
    corners = of_vertex[faces]
    region = np.where(corners[:, 1] == corners[:, 2], corners[:, 1], corners[:, 0])

    normals = vertex_normals(vertices, faces)[faces].mean(1)
    centre = vertices[faces].mean(1)
    front, left = normals[:, 2] > 0, centre[:, 0] > 0
    part = np.zeros(len(faces), np.uint8)
    for index, name in enumerate(REGIONS):
        behind, ahead = REGION_PARTS[name]
        second = left if name == "head" else front
        here = region == index
        part[here] = np.where(second[here], ahead, behind)
    label = np.full(len(faces), Parse.NECK, np.uint8)
    for index, name in enumerate(REGIONS):
        here = region == index
        if name == "head":
            label[here] = Parse.HEAD
        elif name.startswith(("hand", "upperarm", "lowerarm")):
            label[here] = Parse.LEFT_ARM if name.endswith("L") else Parse.RIGHT_ARM
        elif name != "torso":
            label[here] = Parse.LEFT_LEG if name.endswith("L") else Parse.RIGHT_LEG
    return Anatomy(
        faces, part, _part_coordinates(part, region, faces), label, eye_group[chosen], teeth_group[chosen]
    )


def _part_coordinates(part: np.ndarray, region: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """u around and v along every part, each stretched to [0, 1]."""
    body = load_body()
    vertices = body.mean.vertices
    limbs = limbs_of(vertices, body.mean.heads, body)
    result = np.zeros((len(faces), 3, 2), np.float32)
    for value in range(1, 25):
        here = part == value
        if not here.any():
            continue
        corner = faces[here]
        name = REGIONS[np.bincount(region[here]).argmax()]
        if name in ("torso", "head") or name.startswith("foot"):
            u = vertices[corner][..., 2 if name == "head" else 0]
            v = vertices[corner][..., 2 if name.startswith("foot") else 1]
        else:
            limb = limbs[("leg" if "leg" in name else "arm") + name[-2:]]
            u = unwrap(limb.angle[corner])
            v = vertices[corner][..., 1] if name.startswith("hand") else limb.along[corner]
        for axis, values in enumerate((u, v)):
            low, high = np.quantile(values, [0.01, 0.99])
            result[here, :, axis] = np.clip((values - low) / (high - low + 1e-9), 0, 1)
    return result
