"""How fast synthetic people are made: G-buffers and shaded samples a second on one core.

    python benchmarks/synthetic.py            all sizes
    python benchmarks/synthetic.py --quick    one person at the smallest size
    python benchmarks/synthetic.py --device cuda

Times are process times of one thread, so that a busy machine does not disturb them; multiply by the cores.
"""

import argparse
import time

import torch

from leffa.synthetic.identity import Settings, Split, generator
from leffa.synthetic.render.shading import shade
from leffa.synthetic.samples import draw_try_on_looks, load_banks, make_try_on
from leffa.synthetic.scene import make_try_on_scene


def seconds_each(work, count: int) -> float:
    """CPU seconds of one call, after one call to warm up."""
    work(0)
    start = time.process_time()
    for index in range(1, count + 1):
        work(index)
    return (time.process_time() - start) / count


def measure(size: tuple[int, int], count: int) -> None:
    settings = Settings(size=size, reuse=1)
    scenes = []
    scene_time = seconds_each(lambda index: scenes.append(make_try_on_scene(index, settings)), count)
    banks = load_banks(Split.TRAIN)

    def shade_one(index: int) -> None:
        scene = scenes[index % len(scenes)]
        looks = draw_try_on_looks(generator(0, Split.TRAIN, 3, index), scene, settings, banks)
        shade([scene.person.buffer], [looks[0]], banks)

    shade_time = seconds_each(shade_one, 2 * count)
    sample_time = seconds_each(
        lambda index: make_try_on(index, settings, scenes[index % len(scenes)]), 2 * count
    )
    print(
        f"{size[0]}x{size[1]}: G-buffers (person and product) {1 / scene_time:.2f}/s a core, "
        f"person shaded {1 / shade_time:.1f}/s, whole fresh sample from a G-buffer {1 / sample_time:.1f}/s, "
        f"with 5 shadings a scene {1 / (sample_time + scene_time / 5):.1f}/s"
    )


def measure_gpu(size: tuple[int, int], batch: int = 32) -> None:
    banks = load_banks(Split.TRAIN, None, "cuda")
    settings = Settings(size=size)
    scenes = [make_try_on_scene(index, settings) for index in range(4)] * (batch // 4)
    looks = [
        draw_try_on_looks(generator(0, Split.TRAIN, 3, i), s, settings, banks)[0]
        for i, s in enumerate(scenes)
    ]
    buffers = [scene.person.buffer for scene in scenes]
    shade(buffers, looks, banks, "cuda")
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(5):
        shade(buffers, looks, banks, "cuda")
    torch.cuda.synchronize()
    rate = 5 * batch / (time.perf_counter() - start)
    print(f"{size[0]}x{size[1]}: {rate:.0f} shaded/s on the GPU, batch {batch}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for size, count in [((128, 96), 1)] if args.quick else [((256, 192), 8), ((512, 384), 4)]:
        if args.device == "cuda":
            measure_gpu(size)
        else:
            measure(size, count)


if __name__ == "__main__":
    main()
