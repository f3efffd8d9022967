"""The flow is exact: what it fetches from the product shot is what the person shows."""

import numpy as np
import pytest
import torch
from stage import STYLES, plain_look, scene_of, smooth_banks
from torch.nn.functional import grid_sample

from leffa.synthetic.identity import Settings
from leffa.synthetic.observation import pixel_flow
from leffa.synthetic.render.shading import shade
from leffa.synthetic.scene import make_pose_pair_scene

SIZE = (384, 288)
ALLOWED = 2.0


def fetch_error(picture, buffer, reference, flow, visible, material=None) -> float:
    """Mean absolute error, of 255, between visible pixels and what the flow fetches from the reference."""
    chosen = np.ones(len(buffer.pixel), bool) if material is None else buffer.material == material
    _, share = buffer.dominant(chosen)
    inside = torch.from_numpy(visible & (share > 0.99))
    fetched = grid_sample(reference[None], torch.from_numpy(flow)[None], align_corners=False)[0]
    return float((fetched - picture).abs().mean(0)[inside].mean()) * 255


def try_on_error(style: str, index: int, shift: float = 0.0) -> float:
    """Error of one scene with the flow shifted by pixels."""
    scene = scene_of(style, index)
    banks = smooth_banks()
    person = shade([scene.person.buffer], [plain_look(len(scene.styles), SIZE, 2)], banks, unlit=True)[0]
    product = shade([scene.product], [plain_look(1, SIZE, 1)], banks, unlit=True)[0]
    worn = scene.person.buffer.material == scene.material
    flow, visible = pixel_flow(scene.person, worn, scene.product.coverage())
    flow[..., 0] += 2 * shift / SIZE[1]
    return fetch_error(person, scene.person.buffer, product, flow, visible, scene.material)


@pytest.mark.parametrize("style", STYLES)
def test_flow_reproduces_the_worn_garment(style):
    assert try_on_error(style, 0) < ALLOWED


def test_a_shifted_flow_is_caught():
    assert try_on_error("t_shirt", 0) < ALLOWED < try_on_error("t_shirt", 0, shift=4)


@pytest.mark.parametrize("index", [0, 1])
def test_pose_pairs_are_exact_too(index):
    scene = make_pose_pair_scene(index, Settings(5, size=SIZE))
    looks = [plain_look(len(scene.styles), SIZE, 2)] * 2
    target, source = shade([scene.target.buffer, scene.source.buffer], looks, smooth_banks(), unlit=True)
    everything = np.ones(len(scene.target.buffer.pixel), bool)
    flow, visible = pixel_flow(scene.target, everything, scene.source.buffer.coverage())
    error = fetch_error(target, scene.target.buffer, source, flow, visible)
    assert visible.sum() > 500
    assert error < ALLOWED
    flow[..., 1] += 8 / SIZE[0]
    assert fetch_error(target, scene.target.buffer, source, flow, visible) > error + 1


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("index", range(1, 9))
def test_flow_reproduces_many_garments(style, index):
    assert try_on_error(style, index) < ALLOWED
