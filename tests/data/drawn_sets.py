"""Tiny data sets drawn into a folder, in the layouts of the published ones."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from leffa.preprocess.encoding import parula_picture

HEIGHT, WIDTH = 64, 48
PERSON = {"a": (200, 30, 30), "b": (30, 200, 30), "c": (30, 30, 200)}
CLOTH = {"a": (250, 0, 0), "b": (0, 250, 0), "c": (0, 0, 250)}


def plain(colour) -> Image.Image:
    return Image.new("RGB", (WIDTH, HEIGHT), colour)


def boxed(value: int, box=(10, 20, 40, 50), ground: int = 0) -> np.ndarray:
    """(H, W) uint8: ``value`` inside the box (left, top, right, bottom), ``ground`` elsewhere."""
    array = np.full((HEIGHT, WIDTH), ground, np.uint8)
    array[box[1] : box[3], box[0] : box[2]] = value
    return array


def palette(labels: np.ndarray) -> Image.Image:
    """A palette picture, as parse maps are: the numbers count, not the colours."""
    image = Image.fromarray(labels)
    image.putpalette([(7 * i) % 256 for i in range(768)])
    return image


def write(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
    image.save(path, **options)


def viton_hd(root: Path) -> Path:
    """Three people; the pairs file gives each the next one's garment."""
    for split in ("train", "test"):
        for name, colour in PERSON.items():
            part = root / split
            write(part / f"image/{name}_00.jpg", plain(colour))
            write(part / f"cloth/{name}_00.jpg", plain(CLOTH[name]))
            write(part / f"cloth-mask/{name}_00.jpg", Image.fromarray(boxed(255)))
            parse = boxed(5) + boxed(1, (0, 0, 5, 5)) * 13  # garment, and a face in the corner
            parse[30:32, 20:22] = 7
            write(part / f"image-parse-v3/{name}_00.png", palette(parse))
            write(part / f"agnostic-mask/{name}_00_mask.png", Image.fromarray(boxed(255, (5, 15, 45, 55))))
            write(part / f"image-densepose/{name}_00.jpg", Image.fromarray(parula_picture(boxed(2))))
            joints = [{"pose_keypoints_2d": [0.0] * 75}]
            (part / "openpose_json").mkdir(exist_ok=True)
            (part / f"openpose_json/{name}_00_keypoints.json").write_text(json.dumps({"people": joints}))
        (root / f"{split}_pairs.txt").write_text("a_00.jpg b_00.jpg\nb_00.jpg c_00.jpg\nc_00.jpg a_00.jpg\n")
    return root


def dress_code(root: Path) -> Path:
    """Two people in each kind of garment."""
    for kind, label in (("upper_body", 4), ("lower_body", 6), ("dresses", 7)):
        part = root / kind
        for name in ("000001", "000002"):
            shade = "a" if name == "000001" else "b"
            write(part / f"images/{name}_0.jpg", plain(PERSON[shade]))
            write(part / f"images/{name}_1.jpg", plain(CLOTH[shade]))
            write(part / f"label_maps/{name}_4.png", palette(boxed(label) + boxed(11, (0, 0, 5, 5))))
            write(part / f"agnostic_masks/{name}_0.png", Image.fromarray(boxed(255, (5, 15, 45, 55))))
            write(part / f"dense/{name}_5.png", Image.fromarray(boxed(2)))
            uv = np.stack([np.full((2 * HEIGHT, 2 * WIDTH), 0.25), np.full((2 * HEIGHT, 2 * WIDTH), 0.75)])
            np.savez(part / f"dense/{name}_5_uv.npz", uv=uv.astype(np.float32))
            (part / "keypoints").mkdir(exist_ok=True)
            (part / f"keypoints/{name}_2.json").write_text(json.dumps({"keypoints": [[0, 0, 0, 0]] * 18}))
        own = "000001_0.jpg\t000001_1.jpg\n000002_0.jpg\t000002_1.jpg\n"
        (part / "train_pairs.txt").write_text(own)
        (part / "test_pairs_paired.txt").write_text(own)
        (part / "test_pairs_unpaired.txt").write_text(
            "000001_0.jpg\t000002_1.jpg\n000002_0.jpg\t000001_1.jpg\n"
        )
    return root


def deep_fashion(root: Path) -> Path:
    """One person in two poses."""
    for split in ("train", "test"):
        for pose, colour in (("front", "a"), ("side", "b")):
            name = f"fashionWOMENTees_Tanksid0000637003_1{pose}"
            write(root / f"{split}_highres/{name}.jpg", plain(PERSON[colour]))
            iuv = np.stack([boxed(2), boxed(64), boxed(192)], axis=-1)
            write(root / f"{split}_densepose/{name}.png", Image.fromarray(iuv))
        first, second = (f"fashionWOMENTees_Tanksid0000637003_1{pose}.jpg" for pose in ("front", "side"))
        (root / f"fasion-resize-pairs-{split}.csv").write_text(
            f"from,to\n{first},{second}\n{second},{first}\n"
        )
        (root / f"fasion-resize-annotation-{split}.csv").write_text(
            f"name:keypoints_y:keypoints_x\n{first}:[0]:[0]\n"
        )
    return root
