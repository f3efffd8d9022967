"""A folder of synthetic try-on samples in VITON-HD's layout, so that outside tools can read it.

DIR/train|test/image/NAME.jpg            the person
DIR/train|test/cloth/NAME.jpg            the product shot, cloth-mask/NAME.jpg its silhouette
DIR/train|test/image-parse-v3/NAME.png   parse labels in VITON-HD's numbers, with a palette
DIR/train|test/agnostic-mask/NAME_mask.png
DIR/train|test/image-densepose/NAME.jpg  the 24 parts in PARULA colours
DIR/train|test/openpose_json/NAME_keypoints.json
DIR/train|test/correspondence/NAME.npz   what only synthetic people have: flow, visible, I U V, landmarks
DIR/train_pairs.txt, test_pairs.txt      person and another's garment of the same kind
DIR/train|test/kinds.json                name -> kind of the garment
"""

import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from leffa import files
from leffa.config import Garment
from leffa.data.sample import Sample
from leffa.errors import LeffaError
from leffa.preprocess.encoding import parula_picture
from leffa.preprocess.labels import Landmark, Parse
from leffa.synthetic.identity import Settings, Split
from leffa.synthetic.processes import spread
from leffa.synthetic.samples import make_try_on, to_bytes
from leffa.synthetic.scene import draw_kind

FOLDERS = (
    "image", "cloth", "cloth-mask", "image-parse-v3", "agnostic-mask", "image-densepose", "openpose_json",
    "correspondence",
)  # fmt: skip
SETTINGS, KINDS = "settings.json", "kinds.json"

# VITON-HD's parse maps are LIP's, with 10 used for the neck.
LIP = {
    Parse.HAT: 1, Parse.HAIR: 2, Parse.SUNGLASSES: 4, Parse.UPPER_CLOTHES: 5, Parse.DRESS: 6, Parse.PANTS: 9,
    Parse.NECK: 10, Parse.SCARF: 11, Parse.SKIRT: 12, Parse.HEAD: 13, Parse.LEFT_ARM: 14, Parse.RIGHT_ARM: 15,
    Parse.LEFT_LEG: 16, Parse.RIGHT_LEG: 17, Parse.LEFT_SHOE: 18, Parse.RIGHT_SHOE: 19,
}  # fmt: skip

# OpenPose's 25 body points from BlazePose's 33; a pair is their middle.
BODY_25 = (
    ("NOSE",), ("LEFT_SHOULDER", "RIGHT_SHOULDER"),
    ("RIGHT_SHOULDER",), ("RIGHT_ELBOW",), ("RIGHT_WRIST",),
    ("LEFT_SHOULDER",), ("LEFT_ELBOW",), ("LEFT_WRIST",),
    ("LEFT_HIP", "RIGHT_HIP"),
    ("RIGHT_HIP",), ("RIGHT_KNEE",), ("RIGHT_ANKLE",), ("LEFT_HIP",), ("LEFT_KNEE",), ("LEFT_ANKLE",),
    ("RIGHT_EYE",), ("LEFT_EYE",), ("RIGHT_EAR",), ("LEFT_EAR",),
    ("LEFT_FOOT_INDEX",), ("LEFT_FOOT_INDEX",), ("LEFT_HEEL",),
    ("RIGHT_FOOT_INDEX",), ("RIGHT_FOOT_INDEX",), ("RIGHT_HEEL",),
)  # fmt: skip


@dataclass(frozen=True)
class FolderJob:
    """Everything that decides what a folder holds; written into it, and checked when a run goes on."""

    folder: Path
    count: int
    settings: Settings

    @property
    def part(self) -> Path:
        """The ``train`` or ``test`` folder."""
        return self.folder / ("train" if self.settings.split is Split.TRAIN else "test")

    def describe(self) -> dict:
        """The settings as they stand in ``settings.json``."""
        facts = asdict(self.settings) | {"split": self.settings.split.value}
        kind = self.settings.kind
        facts["kind"] = None if kind is None else kind.value
        facts["textures"] = None if self.settings.textures is None else Path(self.settings.textures).name
        return json.loads(json.dumps(facts))


def _is_ours(part: Path) -> bool:
    return files.holds_record(part / SETTINGS, ("split", "reuse", "damage"))


def sample_name(index: int) -> str:
    """Names as VITON-HD has them: 000017_00."""
    return f"{index:06d}_00"


def write_folder(job: FolderJob, processes: int | None = None) -> None:
    """Write ``job.count`` samples; those that are there already are kept, so the same call goes on.

    Raises ``LeffaError`` if the folder holds samples of other settings.
    """
    record = job.part / SETTINGS
    pairs = f"{job.part.name}_pairs.txt"
    files.check_folder(job.part, (*FOLDERS, SETTINGS, KINDS), _is_ours)
    files.check_folder(job.folder, [pairs], lambda folder: _is_ours(job.part))
    if record.exists() and json.loads(record.read_text()) != job.describe():
        raise LeffaError(f"{job.part} holds samples of other settings: choose another --out or delete it.")
    job.part.mkdir(parents=True, exist_ok=True)
    files.write_json(record, job.describe())  # first: it tells that the folder is ours
    for name in FOLDERS:
        (job.part / name).mkdir(exist_ok=True)
    missing = [index for index in range(job.count) if not _last_file(job, index).exists()]
    blocks: dict[int, list[int]] = defaultdict(list)
    for index in missing:
        blocks[index // job.settings.reuse].append(index)
    work = [(job, block) for block in blocks.values()]
    with tqdm(total=job.count, initial=job.count - len(missing), desc=str(job.part), unit="sample") as bar:
        processes = min(processes or os.cpu_count() or 1, max(len(work), 1))
        for done in spread(_write_block, work, processes):
            bar.update(done)
    _write_pairs(job)


def _last_file(job: FolderJob, index: int) -> Path:
    return job.part / "correspondence" / f"{sample_name(index)}.npz"


def _write_block(item: tuple[FolderJob, list[int]]) -> int:
    job, indices = item
    for index in indices:
        write_sample(make_try_on(index, job.settings), job.part, sample_name(index))
    return len(indices)


def write_sample(sample: Sample, part: Path, name: str) -> None:
    """Write one sample's files; the correspondence comes last and tells that the others are whole."""
    if sample.labels is None or sample.parts is None or sample.landmarks is None or sample.flow is None:
        raise ValueError(f"Sample {sample.name} is not a synthetic one: it has no labels or flow.")
    Image.fromarray(to_bytes(sample.person)).save(part / "image" / f"{name}.jpg", quality=95, subsampling=0)
    Image.fromarray(to_bytes(sample.reference)).save(
        part / "cloth" / f"{name}.jpg", quality=95, subsampling=0
    )
    if sample.reference_mask is not None:
        shown = (sample.reference_mask[0].numpy() * 255).astype(np.uint8)
        Image.fromarray(shown).save(part / "cloth-mask" / f"{name}.jpg", quality=95)
    mask = (sample.mask[0].numpy() * 255).astype(np.uint8)
    Image.fromarray(mask).save(part / "agnostic-mask" / f"{name}_mask.png")
    lip = np.zeros(256, np.uint8)
    for label, number in LIP.items():
        lip[label] = number
    parse = Image.fromarray(lip[sample.labels.numpy()])
    parse.putpalette(_palette())
    parse.save(part / "image-parse-v3" / f"{name}.png")
    Image.fromarray(parula_picture(sample.parts[0].numpy())).save(
        part / "image-densepose" / f"{name}.jpg", quality=95
    )
    people = [{"person_id": [-1], "pose_keypoints_2d": _body_25(sample.landmarks.numpy())}]
    (part / "openpose_json" / f"{name}_keypoints.json").write_text(
        json.dumps({"version": 1.3, "people": people})
    )
    visible = np.zeros(sample.labels.shape, bool) if sample.visible is None else sample.visible.numpy()
    files.write_arrays(
        part / "correspondence" / f"{name}.npz",
        flow=sample.flow.numpy().astype(np.float16), visible=visible, parts=sample.parts.numpy(),
        landmarks=sample.landmarks.numpy(), labels=sample.labels.numpy(),
        kind=np.array(sample.garment.value if sample.garment else ""),
    )  # fmt: skip


def _palette() -> list[int]:
    """The PASCAL VOC palette that parse maps are usually shown in."""
    bits = np.arange(256)[:, None] >> np.arange(9) & 1  # of red, green and blue in turn, the highest first
    return (bits.reshape(256, 3, 3) << np.array([7, 6, 5])[:, None]).sum(1).ravel().tolist()


def _body_25(landmarks: np.ndarray) -> list[float]:
    values: list[float] = []
    for names in BODY_25:
        points = landmarks[[Landmark[name] for name in names]]
        x, y = points[:, :2].mean(0)
        seen = float(points[:, 3].min())
        values += [round(float(x), 3), round(float(y), 3), round(seen, 3)] if seen >= 0.3 else [0.0, 0.0, 0.0]
    return values


def kinds_of(job: FolderJob) -> dict[str, str]:
    """Name of every sample -> kind of its garment, drawn again from the seed instead of being read."""
    kinds = {}
    for index in range(job.count):
        rng = job.settings.generator(1, index // job.settings.reuse)
        kind = job.settings.kind or draw_kind(rng)
        kinds[sample_name(index)] = kind.value
    return kinds


def _write_pairs(job: FolderJob) -> None:
    """Pairs of a person and another person's garment of the same kind: a rotation within each kind."""
    kinds = kinds_of(job)
    files.write_json(job.part / KINDS, kinds, indent=0)
    lines = []
    for kind in Garment:
        names = [name for name, own in kinds.items() if own == kind.value]
        step = job.settings.reuse % max(len(names), 1) or 1
        lines += [f"{name}.jpg {names[(i + step) % len(names)]}.jpg" for i, name in enumerate(names)]
    files.write_text(job.folder / f"{job.part.name}_pairs.txt", "\n".join(sorted(lines)) + "\n")
