"""G-buffers on disk: render scenes once, shade them afresh every time they are read.

One ``.npz`` file a scene, quantised to what shading and flow need (a quarter of a millimetre on the cloth, a
hundredth of a pixel in the flow).
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from leffa.config import Garment, Task
from leffa.data.sample import Sample
from leffa.files import write_json, written
from leffa.synthetic.render.gbuffer import GBuffer
from leffa.synthetic.samples import DEFAULTS, Settings, make_pose_pair, make_try_on
from leffa.synthetic.scene import (
    Picture,
    PosePairScene,
    TryOnScene,
    make_pose_pair_scene,
    make_try_on_scene,
)

HALF = ("uv", "canonical", "position", "depth", "hem", "footprint")
BYTE = ("skin", "shadow", "ambient", "weight")
FLOW_STEPS = 128


def pack(buffer: GBuffer, prefix: str) -> dict[str, np.ndarray]:
    """Arrays of a G-buffer for ``numpy.savez``, small and named with a prefix."""
    packed: dict[str, np.ndarray] = {}
    for field in fields(buffer):
        value = np.asarray(getattr(buffer, field.name))
        if field.name in HALF:
            value = value.astype(np.float16)
        elif field.name in BYTE:
            value = np.round(value * 255).clip(0, 255).astype(np.uint8)
        elif field.name == "normal":
            value = np.round(value * 127).astype(np.int8)
        elif field.name == "pixel":
            value = np.diff(value, prepend=0).astype(np.int32)
        elif field.name == "flow":
            outside = ~np.isfinite(value) | (np.abs(value) > 32767 / FLOW_STEPS * 0.99)
            value = np.where(outside, -32768, np.round(np.nan_to_num(value) * FLOW_STEPS)).astype(np.int16)
        packed[prefix + field.name] = value
    return packed


def unpack(packed: dict[str, np.ndarray], prefix: str) -> GBuffer:
    """The G-buffer that ``pack`` was given, to within its quantisation."""
    values: dict = {}
    for field in fields(GBuffer):
        value = packed[prefix + field.name]
        if field.name in ("height", "width"):
            values[field.name] = int(value)
        elif field.name in BYTE:
            values[field.name] = value.astype(np.float32) / 255
        elif field.name == "normal":
            values[field.name] = value.astype(np.float32) / 127
        elif field.name == "pixel":
            values[field.name] = np.cumsum(value).astype(np.int32)
        elif field.name == "flow":
            flow = value.astype(np.float32) / FLOW_STEPS
            values[field.name] = np.where(value == -32768, np.nan, flow).astype(np.float32)
        else:
            values[field.name] = value.astype(np.float32) if field.name in HALF else value
    return GBuffer(**values)


def _pack_picture(picture: Picture, prefix: str) -> dict[str, np.ndarray]:
    return {
        **pack(picture.buffer, prefix),
        f"{prefix}landmarks": picture.landmarks,
        f"{prefix}parts": picture.parts,
    }


def _unpack_picture(packed: dict[str, np.ndarray], prefix: str) -> Picture:
    return Picture(unpack(packed, prefix), packed[f"{prefix}landmarks"], packed[f"{prefix}parts"])


def save_scene(scene: TryOnScene | PosePairScene, path: Path) -> None:
    """Write a scene; a file appears under its name only when it is whole."""
    facts = {
        field.name: getattr(scene, field.name)
        for field in fields(scene)
        if isinstance(getattr(scene, field.name), (str, int, bool, tuple))
    }
    if isinstance(scene, TryOnScene):
        facts["kind"] = scene.kind.value
        arrays = {**_pack_picture(scene.person, "person."), **pack(scene.product, "product.")}
    else:
        arrays = {**_pack_picture(scene.target, "target."), **_pack_picture(scene.source, "source.")}
    with written(path) as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)


def load_scene(path: Path) -> TryOnScene | PosePairScene:
    """Read what ``save_scene`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        packed = {name: file[name] for name in file.files}
    facts = json.loads(str(packed["facts"]))
    facts["styles"] = tuple(facts["styles"])
    if "kind" in facts:
        facts["kind"] = Garment(facts["kind"])
        return TryOnScene(
            person=_unpack_picture(packed, "person."), product=unpack(packed, "product."), **facts
        )
    return PosePairScene(
        target=_unpack_picture(packed, "target."), source=_unpack_picture(packed, "source."), **facts
    )


def write_scenes(
    folder: Path, count: int, settings: Settings = DEFAULTS, task: Task = Task.TRY_ON, start: int = 0
) -> None:
    """Render scenes ``start`` to ``start + count`` into a folder; those already there are left alone.

    Call it from several processes with different ``start`` to use several cores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = asdict(settings) | {"task": task.value, "split": settings.split.value}
    write_json(folder / "settings.json", facts, default=str)
    for index in range(start, start + count):
        path = folder / f"{index:06d}.npz"
        if path.exists():
            continue
        if task is Task.TRY_ON:
            save_scene(
                make_try_on_scene(
                    index, settings.seed, settings.split, settings.size, settings.kind, settings.style
                ),
                path,
            )
        else:
            save_scene(make_pose_pair_scene(index, settings.seed, settings.split, settings.size), path)


class SceneFolder:
    """Scenes of a folder as samples, shaded on reading: ``folder.sample(index, settings)``.

    Sample ``index`` is shading ``index % reuse`` of scene ``index // reuse``, the same as the stream's sample
    of that number to within the quantisation.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.paths = sorted(Path(folder).glob("[0-9]*.npz"))
        self._last: tuple[int, TryOnScene | PosePairScene] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def scene(self, number: int) -> TryOnScene | PosePairScene:
        """The scene in the file of this place; the last one is kept."""
        if self._last is None or self._last[0] != number:
            self._last = (number, load_scene(self.paths[number]))
        return self._last[1]

    def sample(self, index: int, settings: Settings = DEFAULTS) -> Sample:
        """A freshly shaded sample; any ``index`` works, beyond the folder's end with new looks."""
        number = index // settings.reuse % len(self)
        scene = self.scene(number)
        if isinstance(scene, TryOnScene):
            return make_try_on(index, settings, scene)
        return make_pose_pair(index, settings, scene)

    def samples(self, settings: Settings = DEFAULTS, start: int = 0) -> Iterator[Sample]:
        """Endless samples from ``start`` on."""
        index = start
        while True:
            yield self.sample(index, settings)
            index += 1
