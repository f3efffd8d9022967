"""How far the strict preprocessors are from recordings of the official ones, through their public contract.

python benchmarks/preprocess_goldens.py           all pictures
python benchmarks/preprocess_goldens.py --quick   one picture a network

The recordings may not enter the repository: they lie in shared/golden/preprocess beside the checkout, or
where LEFFA_SHARED says. Without them there is nothing to do. Weights are drawn by name, as they were then.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests" / "preprocess"))

from drawn_weights import draw_densepose, draw_openpose

from leffa.errors import PersonError
from leffa.preprocess.labels import Joint
from leffa.preprocess.official.densepose import DensePose
from leffa.preprocess.official.densepose.network import DensePoseNetwork
from leffa.preprocess.official.masks import _NECK_LINE, HEIGHT, WIDTH, official_mask
from leffa.preprocess.official.openpose import OpenPoseBody
from leffa.preprocess.official.openpose.body import full_size_maps, keypoints_from_maps, network_input
from leffa.preprocess.official.openpose.network import OpenPoseNetwork
from leffa.preprocess.official.parsing import HumanParser

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = Path(os.environ.get("LEFFA_SHARED", ROOT.parent / "shared")) / "golden" / "preprocess"
INNER = (184, 138)  # OpenPose's maps before they are enlarged


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one picture a network")
    quick = parser.parse_args().quick
    if not GOLDENS.is_dir():
        print(f"no recordings in {GOLDENS}: nothing to compare")
        return 0
    torch.set_num_threads(1)
    good = [
        *densepose(["astronaut"] if quick else ["astronaut", "figure", "photo"]),
        *openpose(),
        *parsing(["onnx_front"] if quick else ["onnx_front", "onnx_walk"]),
        *masks(),
    ]
    print("all within the gates" if all(good) else "NOT within the gates")
    return 0 if all(good) else 1


def most(what: str, value: float, gate: float) -> bool:
    """Print a difference and the gate it has to stay under; whether it does."""
    print(f"  {what:<52}{value:<12.3g}gate {gate:g}{'' if value <= gate else '   <-- FAILS'}", flush=True)
    return bool(value <= gate)


def share(what: str, equal: np.ndarray) -> bool:
    """Print how much differs, in per cent; whether at most one pixel in a thousand does."""
    return most(f"{what}, % of pixels", 100 * (1 - float(equal.mean())), 0.1)


def densepose(cases: list[str]) -> list[bool]:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in DensePoseNetwork().state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model_final_162be9.pth"
        torch.save(draw_densepose(shapes), path)
        network = DensePose.from_file(path, strict=True)
    good = []
    for case in cases:
        image, golden = read(f"densepose/{case}.input.png"), np.load(GOLDENS / "densepose" / f"{case}.npz")
        start = time.perf_counter()
        found = network.detect(image)
        print(f"DensePose, {case}, {image.shape[0]}x{image.shape[1]}, {time.perf_counter() - start:.1f} s")
        charts = found[0].charts
        good.append(most("boxes, px", farthest([one.box for one in found], golden["det_boxes_img"]), 0.05))
        good.append(most("scores", farthest([one.score for one in found], golden["det_scores"]), 1e-3))
        for name in ("coarse_segm", "fine_segm", "u", "v"):
            recorded = golden[f"{name}_0"]
            step = 112 // recorded.shape[-1]
            ours = getattr(charts, name.removesuffix("_segm"))[:, ::step, ::step]
            good.append(most(f"charts, {name}", farthest(ours, recorded), 1e-3))
        iuv, official = network.iuv(image), read(f"densepose/{case}.predict_iuv.png")
        good.append(share("labels", iuv[..., 0] == official[..., 0]))
        close = (np.abs(iuv[..., 1:].astype(int) - official[..., 1:]) <= 1).all(axis=2)
        good.append(share("uv off by more than 1/255", close))
        segmentation = network.segmentation(image)
        same = (segmentation == read(f"densepose/{case}.predict_seg.png")).all(axis=2)
        good.append(share("segmentation picture", same))
    return good


def openpose() -> list[bool]:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in OpenPoseNetwork().state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body_pose_model.pth"
        torch.save(draw_openpose(shapes), path)
        network = OpenPoseBody.from_file(path, strict=True)
    golden, image = np.load(GOLDENS / "openpose" / "openpose.npz"), read("openpose/net_input.png")
    print("OpenPose")
    with torch.inference_mode():
        fields, heats = network.network(torch.from_numpy(network_input(image)[0])[None])
    good = [
        most("maps, limbs", farthest(fields, golden["net_L1"]), 1e-4),
        most("maps, joints", farthest(heats, golden["net_L2"]), 1e-4),
    ]
    try:
        network.keypoints(image)
        good.append(most("somebody where the official code finds nobody", 1, 0))
    except PersonError:
        pass
    for name in sorted(name for name in golden.files if name.endswith("_keypoints")):
        case = name.removesuffix("_keypoints")
        maps = [full_size_maps(golden[f"{case}_{branch}"], INNER) for branch in ("L1", "L2")]
        good.append(
            most(f"key points, {case}", farthest(keypoints_from_maps(*maps, strict=True), golden[name]), 0)
        )
    return good


def parsing(cases: list[str]) -> list[bool]:
    folder = GOLDENS / "parsing"
    parser = HumanParser.from_files(folder / "mini_atr.onnx", folder / "mini_lip.onnx")
    print("Parsing")
    return [
        share(case, parser.parse(read(f"parsing/{case}.input.png")) == read(f"parsing/{case}.parse.png", "L"))
        for case in cases
    ]


def masks() -> list[bool]:
    golden = np.load(GOLDENS / "masks" / "masks.npz")
    print("Masks")
    good = []
    for recipe, key in (("viton-hd", "hd"), ("dress-code", "dc")):
        different = compared = 0
        for case in range(len(golden["names"])):
            for index, garment in enumerate(golden["categories"]):
                official = np.unpackbits(golden[key][case, index], axis=1) * 255
                arguments = golden["parse"][case], golden["keypoints"][case]
                ours = official_mask(*arguments, garment=str(garment), recipe=recipe, strict=True)
                decided = ~on_a_tie(arguments[1]) if recipe == "dress-code" else True
                different += int(((ours != official) & decided).sum())
                compared += 1
        good.append(most(f"{recipe}, pixels of {compared} masks", different, 0))
    return good


def on_a_tie(joints: np.ndarray) -> np.ndarray:
    """(512, 384) bool: the last row above DressCode's neck line, where that line meets a row exactly.

    There the last bit of a least-squares solver decides, which depends on the processor.
    """
    tied = np.zeros((HEIGHT, WIDTH), bool)
    (left, upper), (right, lower) = joints[Joint.RIGHT_SHOULDER], joints[Joint.LEFT_SHOULDER]
    if left == right:
        return tied
    columns = np.arange(WIDTH)
    line = upper + (lower - upper) * (columns - left) / (right - left) - _NECK_LINE
    rows = np.rint(line).astype(int)
    meets = (np.abs(line - rows) < 1e-6) & (rows > 0) & (rows <= HEIGHT)
    tied[rows[meets] - 1, columns[meets]] = True
    return tied


def farthest(ours: object, recorded: np.ndarray) -> float:
    return float(np.abs(np.asarray(ours, np.float64) - recorded).max())


def read(name: str, mode: str = "RGB") -> np.ndarray:
    return np.asarray(Image.open(GOLDENS / name).convert(mode))


if __name__ == "__main__":
    sys.exit(main())
