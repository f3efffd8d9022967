"""Whether mediapipe and LiteRT, which run the same models of people, find the same in photographs.

    python benchmarks/finders.py FOLDER ... [--mirrored]     all pictures of these folders
    python benchmarks/finders.py --quick                     the people of the examples

Needs both: Python below 3.13, ``pip install mediapipe==0.10.21 ai-edge-litert==2.3.0``. With ``--mirrored``
each picture is looked at once more with left and right exchanged. Of each picture: whether as many people
are found; of every one of them the largest distance of a landmark that mediapipe takes for seen, in % of the
person's height; the largest difference of a visibility; the IoU of the silhouettes. Prints the share of
pictures that keep to the aim (as many people, landmarks within 1 %), then median and worst, and the time.
"""

import argparse
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leffa.errors import PersonError
from leffa.images import load_image
from leffa.preprocess.offline import networks
from leffa.preprocess.offline.pose import Person, PoseEstimator

EXAMPLES = Path(__file__).resolve().parents[1] / "assets" / "examples" / "people"
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
AIM = 1.0  # % of the person's height
SEEN = 0.5  # visibility


@dataclass(frozen=True)
class Difference:
    """Between the same person found in two ways; see the module."""

    landmarks: float
    visibility: float
    overlap: float

    @classmethod
    def of(cls, one: Person, other: Person) -> "Difference":
        seen = one.landmarks[:, 3] > SEEN
        apart = np.linalg.norm((one.landmarks - other.landmarks)[seen, :2], axis=1)
        height = one.box.bottom - one.box.top
        masks = one.silhouette > 0.5, other.silhouette > 0.5
        return cls(
            landmarks=100 * float(apart.max(initial=0)) / height,
            visibility=float(np.abs(one.landmarks - other.landmarks)[:, 3].max()),
            overlap=float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()),
        )


@dataclass(frozen=True)
class Compared:
    """One picture: how many people each way has found, and how they differ where it is as many."""

    name: str
    counts: tuple[int, int]
    differences: tuple[Difference, ...]

    @property
    def is_same(self) -> bool:
        return self.counts[0] == self.counts[1] and all(one.landmarks < AIM for one in self.differences)


def pictures(folders: list[Path], mirrored: bool) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and (H, W, 3) uint8 RGB."""
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in ENDINGS:
                picture = np.array(load_image(path))
                yield path.name, picture
                if mirrored:
                    yield f"{path.name}, mirrored", np.ascontiguousarray(picture[:, ::-1])


def found(estimator: PoseEstimator, picture: NDArray[np.uint8]) -> tuple[list[Person], float]:
    """Everybody in a picture, and the seconds it took."""
    began = time.perf_counter()
    try:
        people = estimator.estimate(picture)
    except PersonError:
        people = []
    return people, time.perf_counter() - began


def compare(first: list[Person], second: list[Person], name: str) -> Compared:
    same = len(first) == len(second)
    pairs = zip(first, second, strict=True) if same else ()
    return Compared(name, (len(first), len(second)), tuple(Difference.of(*pair) for pair in pairs))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--mirrored", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not options.folders and not options.quick:
        parser.error("name a folder of pictures, or --quick")
    lacking = [name for name in ("mediapipe", "ai_edge_litert") if importlib.util.find_spec(name) is None]
    if lacking:
        parser.exit(0 if options.quick else 2, f"not compared: {' and '.join(lacking)} not installed\n")
    rows, seconds = [], []
    with PoseEstimator(networks.MediapipeNetworks) as first, PoseEstimator(networks.LitertNetworks) as second:
        for name, picture in pictures(options.folders or [EXAMPLES], options.mirrored):
            (ours, one), (theirs, other) = found(first, picture), found(second, picture)
            rows.append(compare(ours, theirs, name))
            seconds.append((one, other))
    if not rows:
        parser.error("no pictures in these folders")
    report(rows, np.array(seconds))


def report(rows: list[Compared], seconds: NDArray[np.float64]) -> None:
    """``seconds`` (N, 2)."""
    for row in rows:
        if not row.is_same:
            worst = max((one.landmarks for one in row.differences), default=float("nan"))
            print(f"{row.name}: {row.counts[0]} and {row.counts[1]} people, landmarks {worst:.2f} % apart")
    differences = [one for row in rows for one in row.differences]
    nobody = sum(row.counts == (0, 0) for row in rows)
    same = sum(row.is_same for row in rows)
    print(f"{len(rows)} pictures, {len(differences)} people; both find nobody in {nobody}")
    print(f"the same, landmarks within {AIM:.0f} % of the height: {same} ({100 * same / len(rows):.1f} %)")
    for name, worst in (("landmarks", max), ("visibility", max), ("overlap", min)):
        values = [getattr(one, name) for one in differences]
        if values:
            print(f"{name:>12}: median {np.median(values):.4f}, worst {worst(values):.4f}")
    first, second = np.median(seconds[1:], axis=0) if len(seconds) > 1 else seconds[0]
    print(
        f"seconds a picture, median: mediapipe {first:.3f}, LiteRT {second:.3f} ({second / first:.2f} times)"
    )


if __name__ == "__main__":
    main()
