"""Bags, pictures cut anywhere and untidy product shots: drawn where asked for, and nothing else moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from leffa.config import Garment
from leffa.preprocess.labels import Landmark, Parse
from leffa.synthetic.body.bags import Bag, Carry, bag_meshes
from leffa.synthetic.body.figure import Figure, Layout, extent, lay_out, pose_figure
from leffa.synthetic.body.mesh import join
from leffa.synthetic.body.pose_library import POSES
from leffa.synthetic.body.poses import Pose
from leffa.synthetic.cloth.wardrobe import draw_bottom, draw_top
from leffa.synthetic.identity import Settings
from leffa.synthetic.paint.backgrounds import hang_up
from leffa.synthetic.render.camera import Camera
from leffa.synthetic.render.gbuffer import draw
from leffa.synthetic.samples import make_redressed, make_try_on
from leffa.synthetic.scene import crop, make_try_on_scene


@pytest.fixture(scope="module")
def posed():
    rng = np.random.default_rng(0)
    garments = (draw_bottom(rng, "trousers"), draw_top(rng, "t_shirt"))
    return pose_figure(Figure(np.zeros(32), garments, Pose("straight")))


def bag_of(carry: Carry, side: int) -> Bag:
    return Bag(carry, side, (0.28, 0.2, 0.09), 0.03, 0.05, 10.0, 0.8)


@pytest.mark.parametrize("carry", Carry)
@pytest.mark.parametrize("side", [-1, 1])
def test_a_bag_is_seen_where_it_is_carried(posed, carry, side):
    meshes = bag_meshes(bag_of(carry, side), posed.meshes, posed.landmarks)
    assert len(meshes) == 2
    surface = join([*posed.meshes, *meshes])
    view = draw(surface, Camera((0.0, 0.9, 0.0), 2.1), 128, 96)
    there = view.fragments.face >= 0
    bag = there & (surface.label[np.maximum(view.fragments.face, 0)] == Parse.BAG)
    assert bag.sum() > 60
    points = np.concatenate([mesh.points for mesh in meshes])
    assert points[:, 1].min() > -0.02 and np.isfinite(points).all()
    if carry is Carry.BACK:
        return
    heavy = meshes[1].points.mean(0)
    shoulder_side = np.sign(heavy[0])
    assert shoulder_side == (-side if carry is Carry.ACROSS else side)


def test_a_strap_lies_before_the_cloth(posed):
    strap = bag_meshes(bag_of(Carry.ACROSS, 1), posed.meshes, posed.landmarks)[0]
    chest = posed.landmarks[[Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER]].mean(0)
    cloth = np.concatenate([mesh.points[mesh.field < 0] for mesh in posed.meshes[1:]])
    for point in strap.points[(strap.points[:, 1] < chest[1] - 0.08)]:
        near = np.hypot(*(cloth[:, :2] - point[:2]).T) < 0.008
        if near.any():
            assert point[2] > cloth[near, 2].max() - 0.006


def test_nothing_hangs_from_a_raised_hand():
    figure = Figure(np.zeros(32), (), next(pose for pose in POSES if pose.name == "arms_up"))
    posed = pose_figure(figure)
    assert bag_meshes(bag_of(Carry.HAND, 1), posed.meshes, posed.landmarks) == []


@pytest.mark.parametrize("kind", Garment)
def test_a_cut_picture_still_shows_the_garments_place(posed, kind):
    rng = np.random.default_rng(3)
    camera = Camera((0.0, 0.9, 0.0), 2.1)
    wanted = {Garment.UPPER: "SHOULDER", Garment.LOWER: "HIP", Garment.DRESS: "HIP"}[kind]
    spans = set()
    for _ in range(8):
        own = crop(rng, camera, posed, kind)
        place = own.project(posed.landmarks[[Landmark[f"LEFT_{wanted}"]]], 256, 192)[0]
        assert 0 < place[0] < 192 and 0 < place[1] < 256
        spans.add(round(own.span, 2))
    assert len(spans) > 4


def test_sleeves_are_folded_across():
    shirt = draw_top(np.random.default_rng(1), "sweater")
    open_, folded = (
        extent(lay_out(shirt, Layout(arms=14, folds=folds))) for folds in ((4.0, 4.0), (120.0, 120.0))
    )
    assert folded[1][0] - folded[0][0] < 0.95 * (open_[1][0] - open_[0][0])


@pytest.mark.parametrize("kind", Garment)
def test_a_hanger_touches_the_ground_only_above_the_garment(kind):
    ground, cover = np.ones((128, 96, 3), np.float32), np.zeros((128, 96))
    cover[40:110, 20:70] = 1
    hung = hang_up(np.random.default_rng(0), ground, cover, kind)
    drawn = (hung != ground).any(-1)
    assert drawn[:40].sum() > 20 and not drawn[60:].any() and (ground == 1).all()
    assert (hang_up(np.random.default_rng(0), ground, np.zeros_like(cover), kind) == ground).all()


def test_scenes_vary_only_where_asked_for():
    plain, varied = (make_try_on_scene(1, Settings(1, size=(64, 48)), varied) for varied in (False, True))
    assert not plain.varied and varied.varied and plain.styles == varied.styles
    settings = Settings(seed=1, size=(64, 48), reuse=1)
    all_varied = replace(settings, varied=1.0)
    assert torch.equal(make_try_on(5, settings).person, make_try_on(5, replace(settings, varied=1e-9)).person)
    bags = 0
    for index in range(8):
        sample = make_redressed(index, all_varied)
        bag = sample.labels == Parse.BAG
        bags += bool(bag.any())
        assert not (sample.mask[0][sample.old_labels == Parse.BAG] > 0).any()
        assert (sample.loss_mask <= sample.mask).all()
    assert bags > 1
