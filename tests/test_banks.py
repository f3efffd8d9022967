"""What the reference UNet is asked for in a run, and that asking less gives the same picture."""

from collections import Counter

import numpy as np
import pytest
import torch

from leffa.errors import LeffaError
from leffa.model.banks import UnconditionalFeatures
from leffa.run.pace import RECIPES, Pace
from leffa.run.settings import Settings
from leffa.weights import models

STEPS = 4


@pytest.fixture
def run(toy, inputs):
    """Paints, and counts the rows that each UNet was given: {"reference_unet": .., "unet": ..}."""
    toy.set_progress_bar_config(disable=True)

    def paint(given=inputs, **options):
        rows = Counter()
        hooks = [
            getattr(toy, name).register_forward_pre_hook(
                lambda module, args, name=name: rows.update({name: len(args[0])})
            )
            for name in ("reference_unet", "unet")
        ]
        seeds = [torch.Generator().manual_seed(seed) for seed in range(len(given["person"]))]
        settings = {"num_inference_steps": STEPS, "generator": seeds, "output_type": "np", **options}
        images = toy(**given, **settings).images
        for hook in hooks:
            hook.remove()
        return images, rows

    return paint


def test_the_reference_unet_ends_where_nothing_more_is_read(toy):
    ran = []
    toy.reference_unet.conv_out.register_forward_hook(lambda *_: ran.append(True))
    latents = torch.zeros(1, 4, 8, 6)
    whole = toy.read_reference(latents, 10)
    assert ran
    ran.clear()
    with torch.no_grad():
        ended = toy.read_reference(latents, 10)
    assert not ran and list(ended) == list(whole)
    assert all(torch.equal(ended[layer], whole[layer]) for layer in whole)


def test_what_guidance_reads_is_kept_for_the_next_picture(run):
    plain, rows = run()
    assert rows["reference_unet"] == STEPS * (1 + 2)  # nothing at all is read once for both samples
    kept = UnconditionalFeatures(10**9)
    first, _ = run(unconditional=kept)
    second, rows = run(unconditional=kept)
    assert rows["reference_unet"] == STEPS * 2
    assert np.array_equal(first, plain) and np.array_equal(second, plain)
    _, rows = run(unconditional=kept, num_inference_steps=2)  # another run: other features
    assert rows["reference_unet"] == 2 * (1 + 2)


def test_what_is_kept_is_bounded(run):
    all_of_it = UnconditionalFeatures(10**9)
    plain, _ = run(unconditional=all_of_it)
    half = UnconditionalFeatures(all_of_it.taken // 2)
    run(unconditional=half)
    images, rows = run(unconditional=half)
    assert half.taken <= all_of_it.taken // 2
    assert rows["reference_unet"] == STEPS * 2 + STEPS // 2
    assert np.array_equal(images, plain)


def test_samples_of_one_picture_share_what_is_read(run, inputs):
    one = {name: value[:1].expand(2, -1, -1, -1) for name, value in inputs.items()}
    shared, rows = run(one)
    assert rows["reference_unet"] == STEPS * (1 + 1)
    dense, _ = run({name: value.clone() for name, value in one.items()})
    assert np.allclose(shared, dense, atol=1e-4)
    assert not np.allclose(shared[0], shared[1], atol=1e-4)


def test_guidance_stops_where_it_is_told_to(run):
    _, rows = run(guidance_interval=(0.0, 0.5))
    assert rows["unet"] == 2 * (2 * 2) + 2 * 2
    _, rows = run(guidance_interval=(0.0, 0.5), reuse_reference=True)
    assert rows["reference_unet"] == 1 + 2 and rows["unet"] == 2 * (2 * 2) + 2 * 2
    with pytest.raises(ValueError, match="interval"):
        run(guidance_interval=(0.5, 2.0))


def test_the_two_deterministic_solvers_agree(run, inputs):
    noise = torch.randn((2, 4, 8, 6), generator=torch.Generator().manual_seed(3))
    given = {"latents": noise, "num_inference_steps": 30, "guidance_scale": 1.0}
    results = {solver: run(solver=solver, **given)[0] for solver in ("dpm++", "unipc")}
    ancestral, _ = run(**given)
    apart = np.abs(results["dpm++"] - results["unipc"]).mean()
    assert apart < 0.2 * np.abs(results["dpm++"] - ancestral).mean()


def test_a_pace_saves_steps_where_there_are_some_to_save():
    fast = Settings(pace="fast").resolved(models.VITON_HD)
    assert fast.steps == RECIPES[Pace.FAST].steps and fast.reuse_reference
    assert fast.again().resolved(models.VITON_HD).recipe(models.VITON_HD) == RECIPES[Pace.FAST]
    assert Settings(pace="fast", steps=9).resolved(models.VITON_HD).steps == 9
    exact = Settings().resolved(models.VITON_HD)
    assert exact.steps == models.VITON_HD.steps and not exact.reuse_reference
    small = Settings(pace="fast").resolved(models.BUNDLED)
    assert small.steps == models.BUNDLED.steps and not small.reuse_reference
    with pytest.raises(LeffaError, match="fast, balanced, quality"):
        Settings(pace="soon").resolved(models.BUNDLED)


def test_what_follows_from_the_pictures_is_kept_for_the_next_picture(run, toy, inputs):
    kept, encoded = {}, []

    def remember(name, find):
        if name not in kept:
            kept[name] = find()
        return kept[name]

    toy.vae.encoder.register_forward_pre_hook(lambda *_: encoded.append(1))
    plain, _ = run()
    first, _ = run(remember=remember)
    encoded.clear()
    second, rows = run(remember=remember)
    assert rows["reference_unet"] == STEPS and not encoded  # only what guidance reads in nothing at all
    assert np.array_equal(plain, first) and np.array_equal(first, second)
    others = {**inputs, "reference": -inputs["reference"]}
    known, rows = run(others, remember=remember)
    assert rows["reference_unet"] == STEPS * (1 + 2) and len(encoded) == 1
    assert np.array_equal(known, run(others)[0])
