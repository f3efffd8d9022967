"""The rasteriser against arithmetic done pixel by pixel, poses, layers, and shading alone and in batches."""

import numpy as np
import pytest
import torch

from leffa.config import Garment
from leffa.synthetic.body.baked import load_body
from leffa.synthetic.body.pose_library import POSES
from leffa.synthetic.body.poses import Arm, Pose, rotations
from leffa.synthetic.cloth.drape import Drape
from leffa.synthetic.cloth.garments import Garment as Worn
from leffa.synthetic.cloth.garments import LegShape, TopShape, legs, top
from leffa.synthetic.cloth.outfit import wear
from leffa.synthetic.identity import Settings, Split
from leffa.synthetic.paint.fabrics import Pattern, draw_fabric
from leffa.synthetic.paint.looks import Look, draw_complexion, draw_lighting
from leffa.synthetic.paint.patterns import stepped
from leffa.synthetic.render.raster import rasterise
from leffa.synthetic.render.shading import shade
from leffa.synthetic.samples import load_banks
from leffa.synthetic.scene import make_try_on_scene


def slow_raster(points, faces, height, width, field):
    """Every triangle against every pixel, in float64."""
    best = np.full((height, width), np.inf)
    owner = np.full((height, width), -1)
    for number, (a, b, c) in enumerate(points[faces].astype(np.float64)):
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        for y in range(height):
            for x in range(width):
                p = np.array([x + 0.5, y + 0.5])
                u = ((p[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (p[1] - a[1])) / area
                v = ((b[0] - a[0]) * (p[1] - a[1]) - (p[0] - a[0]) * (b[1] - a[1])) / area
                if min(u, v, 1 - u - v) < 0:
                    continue
                inverse = np.array([(1 - u - v) / a[2], u / b[2], v / c[2]])
                depth = 1 / inverse.sum()
                if (inverse * depth) @ field[faces[number]] <= 0 and depth < best[y, x]:
                    best[y, x], owner[y, x] = depth, number
    return owner, best


def test_rasteriser_equals_pixel_by_pixel_arithmetic():
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-4, 24, 30), rng.uniform(-4, 20, 30), rng.uniform(1, 3, 30)].astype(np.float32)
    faces = rng.permuted(np.tile(np.arange(30), (12, 1)), axis=1)[:, :3].astype(np.int32)
    field = rng.normal(-0.3, 1, 30).astype(np.float32)
    owner, depth = slow_raster(points, faces, 16, 20, field)
    drawn = rasterise(points, faces, 16, 20, field=field)
    assert (drawn.face != owner).mean() < 0.01
    both = (drawn.face == owner) & (owner >= 0)
    assert both.sum() > 50
    assert np.abs(drawn.depth[both] - depth[both]).max() < 1e-4
    assert np.abs(drawn.weights[both].sum(1) - 1).max() < 1e-5


def test_nothing_in_sight_is_an_empty_picture():
    points = np.array([[50, 50, 1], [60, 50, 1], [50, 60, 1]], np.float32)
    drawn = rasterise(points, np.array([[0, 1, 2]], np.int32), 8, 8)
    assert (drawn.face == -1).all() and np.isinf(drawn.depth).all()


def joints_of(pose: Pose) -> dict[str, np.ndarray]:
    body = load_body()
    heads = body.mean.heads
    placed = body.joints(heads, body.transforms(heads, rotations(pose, body, heads)))
    return {name: placed[index] for name, index in body.bones.items()}


@pytest.mark.parametrize(("abduct", "forward"), [(10, 0), (90, 0), (30, 40), (150, 0)])
def test_arms_point_where_the_angles_say(abduct, forward):
    arm = Arm(abduct=abduct, forward=forward)
    joints = joints_of(Pose(left_arm=arm, right_arm=arm))
    for side, sign in (("L", 1), ("R", -1)):
        upper = joints[f"lowerarm01.{side}"] - joints[f"upperarm01.{side}"]
        upper /= np.linalg.norm(upper)
        lift = np.radians(abduct)
        expected = [
            sign * np.sin(lift),
            -np.cos(lift) * np.cos(np.radians(forward)),
            np.cos(lift) * np.sin(np.radians(forward)),
        ]
        assert np.degrees(np.arccos(np.clip(upper @ expected, -1, 1))) < 3


def test_elbow_bends_by_its_angle():
    joints = joints_of(Pose(left_arm=Arm(elbow=80), right_arm=Arm(elbow=20)))
    for side, angle in (("L", 80), ("R", 20)):
        upper = joints[f"lowerarm01.{side}"] - joints[f"upperarm01.{side}"]
        lower = joints[f"wrist.{side}"] - joints[f"lowerarm01.{side}"]
        cosine = upper @ lower / np.linalg.norm(upper) / np.linalg.norm(lower)
        assert abs(np.degrees(np.arccos(cosine)) - angle) < 2


def test_mirrored_pose_is_the_mirror_image():
    pose = next(pose for pose in POSES if pose.name == "hand_at_hair")
    one, other = joints_of(pose), joints_of(pose.mirrored())
    for name in ("wrist", "lowerleg01", "upperarm01"):
        assert np.abs(one[f"{name}.L"] * [-1, 1, 1] - other[f"{name}.R"]).max() < 0.012


def test_pose_library_is_large_and_its_names_differ():
    assert len({pose.name for pose in POSES}) == len(POSES) >= 24


@pytest.mark.parametrize("tucked", [False, True])
def test_the_outer_garment_lies_outside_the_inner(tucked):
    shirt = Worn(Garment.UPPER, "t_shirt", [top(TopShape(hem=-0.05, loose=0.2))])
    jeans = Worn(Garment.LOWER, "trousers", [legs(LegShape(rise=0.12, thigh=0.1))])
    inner, outer = wear([shirt, jeans] if tucked else [jeans, shirt], load_body().mean, Drape(3))
    normals = inner.piece.cloth.normals
    both = (inner.field < 0) & (outer.field < 0)
    assert both.sum() > 20, "they overlap by a margin below the hem"
    apart = np.einsum("nc,nc->n", outer.points - inner.points, normals)[both]
    assert apart.min() > 0.004


def test_stripes_are_filtered_exactly():
    x, width = torch.linspace(0, 3, 50), torch.full((50,), 0.37)
    fine = torch.linspace(-0.5, 0.5, 4001)
    expected = (((x[:, None] + 0.37 * fine) % 1) < 0.3).float().mean(1)
    assert (stepped(x, 0.3, width) - expected).abs().max() < 2e-3


def test_a_batch_is_shaded_as_each_alone():
    scenes = [make_try_on_scene(index, Settings(9, size=(128, 96))).person.buffer for index in range(3)]
    banks, looks = load_banks(Split.TRAIN), []
    for number in range(3):
        rng = np.random.default_rng(number)
        cloth = tuple(
            draw_fabric(rng, 20, patterns=(Pattern.TARTAN, Pattern.SOLID), style="shirt") for _ in range(3)
        )
        ground = np.full((128, 96, 3), 0.2 * number, np.float32)
        looks.append(Look(cloth, draw_complexion(rng, True), draw_lighting(rng, 2), ground, cloth[0]))
    together = shade(scenes, looks, banks)
    for number in range(3):
        alone = shade([scenes[number]], [looks[number]], banks)[0]
        assert (together[number] - alone).abs().max() < 1e-4


@pytest.mark.gpu
def test_gpu_shades_as_the_cpu_does():
    buffer = make_try_on_scene(0, Settings(9, size=(128, 96))).person.buffer
    rng = np.random.default_rng(0)
    cloth = tuple(draw_fabric(rng, 20, style="shirt") for _ in range(3))
    ground = np.ones((128, 96, 3), np.float32)
    look = Look(cloth, draw_complexion(rng, True), draw_lighting(rng, 2), ground, cloth[0])
    there = shade([buffer], [look], load_banks(Split.TRAIN, None, "cuda"), "cuda").cpu()
    assert (there - shade([buffer], [look], load_banks(Split.TRAIN))).abs().mean() < 2e-3
