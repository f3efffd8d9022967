"""A dressed, posed person as meshes, and a garment alone as its product shot."""

from dataclasses import dataclass, field, replace

import numpy as np

from leffa.preprocess.labels import Parse
from leffa.synthetic.body.anatomy import load_anatomy
from leffa.synthetic.body.baked import RestBody, load_body
from leffa.synthetic.body.hair import HairShape, hair, shoes
from leffa.synthetic.body.mesh import Material, Mesh
from leffa.synthetic.body.poses import Arm, Leg, Pose, rotations
from leffa.synthetic.cloth.drape import Drape
from leffa.synthetic.cloth.garments import Garment
from leffa.synthetic.cloth.meshes import limbs_of
from leffa.synthetic.cloth.outfit import Worn, bare, covering, wear

SKIN_MASKS = ("lips", "ears", "fingernails", "eyelids")
BODY_BIAS = 0.003
SAG = 0.75
CHEST = 0.16  # metres under the shoulders from which on a garment lies as wide as its girth lets it
SECTIONS, SECTION = 40, 0.015  # of a garment from above to below, and half the height of one, metres


@dataclass(frozen=True)
class Figure:
    """Who stands there, in what and how.

    coefficients  (K,) shape of the body
    garments      inner to outer
    expression    facial action -> amount in [0, 1]
    """

    coefficients: np.ndarray
    garments: tuple[Garment, ...]
    pose: Pose = field(default_factory=Pose)
    hair: HairShape | None = None
    shoe: float | None = 0.03
    expression: dict[str, float] = field(default_factory=dict)
    drape: Drape = field(default_factory=lambda: Drape(0))


@dataclass(frozen=True)
class Posed:
    """A figure as meshes. ``meshes[first[g]:first[g + 1]]`` are garment ``g``'s; the body comes first.

    vertices   (V, 3) of the bare body, posed
    landmarks  (33, 3) BlazePose points, metres
    """

    meshes: list[Mesh]
    first: tuple[int, ...]
    vertices: np.ndarray
    landmarks: np.ndarray


def body_mesh(vertices: np.ndarray, shown: np.ndarray | None = None) -> Mesh:
    """The bare body; ``shown`` (V,) drops faces none of whose vertices are shown."""
    anatomy, masks = load_anatomy(), load_body().skin_masks
    keep = np.ones(len(anatomy.faces), bool) if shown is None else shown[anatomy.faces].any(1)
    keep |= anatomy.eye
    faces = anatomy.faces[keep]
    material = np.full(len(faces), Material.SKIN, np.uint8)
    material[anatomy.eye[keep]] = Material.EYE
    material[anatomy.teeth[keep]] = Material.TEETH
    return Mesh(
        points=vertices,
        canonical=load_body().mean.vertices,
        faces=faces,
        uv=anatomy.coordinates[keep],
        chart=anatomy.part[keep],
        label=anatomy.label[keep],
        material=material,
        field=np.full(len(vertices), -1, np.float32),
        skin=np.stack([masks[name] for name in SKIN_MASKS], 1).astype(np.float32),
        bias=BODY_BIAS,
        one_sided=True,
    )


def piece_mesh(worn: Worn, points: np.ndarray, material: int, bias: float = 0.0) -> Mesh:
    """A worn piece with its posed points."""
    piece = worn.piece
    count = len(piece.faces)
    return Mesh(
        points=points,
        canonical=piece.cloth.points,
        faces=piece.faces,
        uv=piece.uv,
        chart=piece.chart,
        label=np.full(count, piece.label, np.uint8),
        material=np.full(count, material, np.uint8),
        field=worn.field,
        sleeve=piece.sleeve,
        bias=bias,
    )


def pose_figure(figure: Figure) -> Posed:
    """Dress, pose and mesh a figure. Feet stand at y = 0."""
    body = load_body()
    rest = body.rest(figure.coefficients, figure.expression)
    transforms = body.transforms(rest.heads, rotations(figure.pose, body, rest.heads))
    vertices = body.skin(rest.vertices, body.weights, transforms)
    ground = vertices[np.unique(load_anatomy().faces)][:, 1].min()
    transforms[:, 1, 3] -= ground
    vertices[:, 1] -= ground

    pose = figure.pose
    bends = (
        ("arm.L", pose.left_arm.elbow), ("arm.R", pose.right_arm.elbow),
        ("leg.L", pose.left_leg.knee), ("leg.R", pose.right_leg.knee),
    )  # fmt: skip
    worn = wear(list(figure.garments), rest, replace(figure.drape, bends=bends))
    shown = bare(worn)
    extras: list[tuple[Worn, int, float]] = []
    if figure.shoe is not None:
        piece = shoes(figure.shoe)
        shoe = Worn(piece, piece.shape(piece, rest, figure.drape), piece.field, -1)
        shown &= covering("body", shoe) > -0.02
        extras.append((shoe, Material.SHOE, 0.006))
    if figure.hair is not None:
        for piece in hair(figure.hair):
            extras.append(
                (Worn(piece, piece.shape(piece, rest, figure.drape), piece.field, -1), Material.HAIR, 0.0)
            )

    meshes = [body_mesh(vertices, shown)]
    first = [1]
    for layer in range(len(figure.garments)):
        for item in worn:
            if item.layer == layer:
                points = body.skin(item.points, item.piece.cloth.weights, transforms)
                if item.slack is not None:
                    points[:, 1] -= SAG * item.slack
                meshes.append(piece_mesh(item, points, Material.GARMENT + layer))
        first.append(len(meshes))
    for item, material, bias in extras:
        mesh = piece_mesh(item, body.skin(item.points, item.piece.cloth.weights, transforms), material, bias)
        if material == Material.SHOE:
            left = item.piece.cloth.points[mesh.faces][:, :, 0].mean(1) > 0
            mesh.label = np.where(left, Parse.LEFT_SHOE, Parse.RIGHT_SHOE).astype(np.uint8)
        meshes.append(mesh)
    landmarks = body.landmarks(vertices, body.joints(rest.heads, transforms))
    return Posed(meshes, tuple(first), vertices, landmarks)


@dataclass(frozen=True)
class Layout:
    """How a product shot is laid out.

    arms     degrees the sleeves stand off the body
    folds    degrees the left and the right sleeve are bent at the elbow, across the front
    flat     0 = as on an invisible mannequin, 1 = lying flat
    legs     degrees the legs are apart
    """

    arms: float = 38.0
    flat: float = 0.3
    legs: float = 4.0
    drape: Drape = field(default_factory=lambda: Drape(0, 0.6))
    folds: tuple[float, float] = (4.0, 4.0)


def lay_out(garment: Garment, layout: Layout, coefficients: np.ndarray | None = None) -> list[Mesh]:
    """A garment alone, front up: the same pieces, faces and texture coordinates as when it is worn."""
    body = load_body()
    shape = np.zeros(body.coefficients.shape[1]) if coefficients is None else coefficients
    rest = body.rest(shape)
    arms = [
        Arm(abduct=layout.arms, elbow=4, inward=10)
        if bend <= 4
        else Arm(abduct=layout.arms, forward=8, elbow=bend, inward=84)
        for bend in layout.folds
    ]
    leg = Leg(spread=layout.legs, turn=0, knee=0)
    pose = Pose("product", arms[0], arms[1], leg, leg)
    transforms = body.transforms(rest.heads, rotations(pose, body, rest.heads))
    meshes = []
    for item in wear([garment], rest, layout.drape):
        points = body.skin(_spread(item, layout.flat, rest), item.piece.cloth.weights, transforms)
        points = points * np.array([1, 1, 1 - 0.75 * layout.flat], np.float32)
        meshes.append(piece_mesh(item, points, Material.GARMENT))
    return meshes


def _spread(item: Worn, flat: float, rest: RestBody) -> np.ndarray:
    """The points of a piece (n, 3), as much wider as cloth is that lies flat: its girth stays what it is.

    Across the shoulders it lies as it is worn.
    """
    cloth, body = item.piece.cloth, load_body()
    shoulders = float(rest.heads[[body.bones[f"upperarm01.{side}"] for side in "LR"], 1].mean())
    below = np.clip((shoulders - item.points[:, 1]) / CHEST, 0, 1)
    wider = 1 + flat * below * (_flat_width(item.points, (cloth.arm < 0.3) & (item.field < 0.02)) - 1)
    torso = np.stack([wider, np.ones_like(wider), np.ones_like(wider)], 1)
    points = item.points * torso
    if cloth.name != "skirt":
        round_limb = np.array([*[1 + flat * (np.pi / 2 - 1)] * 2, 1])
        for name, limb in limbs_of(item.points, rest.heads, body).items():
            own = cloth.left if name.endswith("L") else ~cloth.left
            around = (item.points - limb.foot) * round_limb
            if name.startswith("arm"):
                laid, share = limb.foot + around, np.clip(2 * cloth.arm - 0.6, 0, 1)
            else:
                laid, share = limb.foot * torso + around, np.clip(3 * limb.along, 0, 1) * (cloth.arm < 0.3)
            points = points + (share * own)[:, None] * (laid - points)
    return points.astype(np.float32)


def _flat_width(points: np.ndarray, on_torso: np.ndarray) -> np.ndarray:
    """(n,) how much wider the section of a garment is at each point's height once it lies flat."""
    if not on_torso.any():
        return np.ones(len(points))
    heights = points[on_torso, 1]
    levels = np.linspace(heights.min(), heights.max(), SECTIONS)
    ratios = []
    for level in levels:
        near = points[on_torso & (np.abs(points[:, 1] - level) < SECTION)]
        across, deep = np.ptp(near[:, [0, 2]], axis=0) / 2 if len(near) else (1.0, 1.0)
        girth = np.pi * (3 * (across + deep) - np.sqrt((3 * across + deep) * (across + 3 * deep)))
        ratios.append(np.clip(girth / 4 / max(across, 1e-3), 1, np.pi / 2))
    smooth = np.convolve(np.pad(ratios, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    return np.interp(points[:, 1], levels, smooth)


def extent(meshes: list[Mesh]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of what the meshes' fields leave standing."""
    corners = []
    for mesh in meshes:
        used = np.unique(mesh.faces[(mesh.field[mesh.faces] < 0).all(1)])
        corners.append(mesh.points[used])
    points = np.concatenate(corners)
    return points.min(0), points.max(0)


def draw_layout(rng: np.random.Generator) -> Layout:
    """How a product shot is laid out: on an invisible mannequin or flat, sleeves down, angled or out."""
    arms = float(
        rng.choice([rng.uniform(10, 22), rng.uniform(28, 48), rng.uniform(60, 88)], p=[0.35, 0.5, 0.15])
    )
    flat = 0.0 if rng.random() < 0.35 else float(rng.uniform(0.2, 1))
    drape = Drape(int(rng.integers(2**31)), float(rng.uniform(0.15, 0.8)))
    return Layout(arms, flat, float(rng.uniform(2, 9)), drape)
