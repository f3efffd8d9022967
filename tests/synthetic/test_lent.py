"""Photographs as product shots: a known warp is recovered, and what the flow fetches is what is worn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from stage import plain_look, smooth_banks
from torch.nn.functional import grid_sample

from leffa.config import Garment
from leffa.errors import LeffaError, PictureError
from leffa.synthetic.identity import Settings, Split
from leffa.synthetic.lent import catalogue as catalogues
from leffa.synthetic.lent import shot as shots
from leffa.synthetic.lent.cutouts import Cut, cut_out, cuts_of, extend
from leffa.synthetic.lent.registration import GRID, NODES, REACH, Frame, enter, judge, leave, move, register
from leffa.synthetic.lent.shot import draw_shot, dress, on_photograph, sample
from leffa.synthetic.observation import pixel_flow
from leffa.synthetic.render.shading import shade
from leffa.synthetic.samples import make_try_on
from leffa.synthetic.scene import make_lent_scene

SIZE = (256, 192)
FEW = {Cut.SHORT: 3, Cut.LONG: 1, Cut.LEGS: 2, Cut.SKIRT: 1, Cut.DRESS: 1}


def shirt(height: int = 256, width: int = 192) -> np.ndarray:
    """A drawn T-shirt, (h, w) bool."""
    outline = np.array(
        [(70, 50), (122, 50), (176, 90), (158, 116), (136, 100), (136, 210), (56, 210), (56, 100), (34, 116),
         (16, 90)]
    )  # fmt: skip
    return cv2.fillPoly(np.zeros((height, width), np.uint8), [outline.astype(np.int32)], 1) > 0


def bend(points: np.ndarray) -> np.ndarray:
    """A smooth known warp of pixels: sheared, wider below, the sleeves lifted."""
    x, y = points[..., 0], points[..., 1]
    away = (x - 96) / 80
    return np.stack([x * 0.8 + 12 + 0.04 * (y - 130) * away, y * 0.9 + 8 - 9 * away**2], -1)


def bent(silhouette: np.ndarray) -> np.ndarray:
    """The silhouette moved by ``bend``: its outline is."""
    contours, _ = cv2.findContours(silhouette.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = bend(max(contours, key=len)[:, 0].astype(float))
    return cv2.fillPoly(np.zeros_like(silhouette, np.uint8), [np.round(outline).astype(np.int32)], 1) > 0


def test_a_known_warp_is_recovered_without_folds():
    start = shirt()
    end = bent(start)
    first, second = Frame.of(start), Frame.of(end)
    found = register(first.draw(start, 2 * GRID), second.draw(end, 2 * GRID))
    assert found.overlap > 0.97 and found.least > 0.3
    # Within a silhouette only its outline tells; along it a point may slide.
    y, x = np.mgrid[110:200:10, 66:130:8].astype(float)
    points = np.stack([x.ravel(), y.ravel()], 1)
    moved = leave(move(enter(points, first), found.shift), second)
    affine = leave(enter(points, first), second)
    error, before = (np.abs(place - bend(points)).mean() for place in (moved, affine))
    assert error < 3 and error < before + 0.5
    contours, _ = cv2.findContours(start.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = leave(move(enter(contours[0][:, 0] + 0.5, first), found.shift), second)
    outside = cv2.distanceTransform(1 - end.astype(np.uint8), cv2.DIST_L2, 5)
    inside = cv2.distanceTransform(end.astype(np.uint8), cv2.DIST_L2, 5)
    assert sample((inside + outside)[..., None], rim - 0.5).mean() < 2.2


def test_no_shift_is_the_identity_and_a_fold_is_told():
    start = Frame.of(shirt()).draw(shirt(), 2 * GRID)
    still = judge(np.zeros((NODES, NODES, 2), np.float32), start, start)
    assert still.overlap == 1 and still.least == pytest.approx(1, abs=1e-4)
    folded = np.zeros((NODES, NODES, 2), np.float32)
    folded[:, :, 0] = np.where(np.arange(NODES) > NODES // 2, -0.8, 0)
    assert judge(folded, start, start).least < 0


def test_frames_are_entered_and_left():
    frame = Frame.of(shirt())
    points = np.random.default_rng(0).uniform(0, 200, (20, 2))
    assert np.allclose(leave(enter(points, frame), frame), points)
    grid = np.stack(np.meshgrid(*[np.linspace(-REACH, REACH, 9)] * 2), -1).reshape(-1, 2)
    assert np.allclose(move(grid, np.full((NODES, NODES, 2), 0.25)), grid + 0.25)


def photograph(rng: np.random.Generator, silhouette: np.ndarray) -> np.ndarray:
    """A smooth colourful garment on a plain grey ground."""
    height, width = silhouette.shape
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.cos(x / 17 + number) * np.cos(y / 23 - number) for number in range(3)]
    cloth = 120 + 100 * np.stack(waves, -1)
    return (
        np.where(silhouette[..., None], cloth, 205 + rng.normal(0, 1, (height, width, 3)))
        .round()
        .astype(np.uint8)
    )


@pytest.fixture(scope="module")
def wardrobe(tmp_path_factory):
    """A folder of drawn photographs and its catalogue, made with few garments."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(1)
    shapes = {
        "t-shirt": catalogues.draw_template(Split.TRAIN, Cut.SHORT, 1),
        "pants": catalogues.draw_template(Split.TRAIN, Cut.LEGS, 0),
    }
    for name, template in shapes.items():
        outline = catalogues.silhouette(template.meshes())
        small = cv2.resize(outline.astype(np.uint8), (150, 210), interpolation=cv2.INTER_AREA) > 0
        framed = np.pad(small, ((25, 21), (20, 22)))
        cv2.imwrite(str(folder / f"{name}_1.png"), photograph(rng, framed)[..., ::-1])
        if name == "t-shirt":  # twice as long: no garment of ours is like it, however well the outlines fit
            long = cv2.resize(framed.astype(np.uint8), None, fx=0.8, fy=1.6) > 0
            cv2.imwrite(str(folder / "t-shirt_2.png"), photograph(rng, long)[..., ::-1])
    cv2.imwrite(str(folder / "tractor_1.png"), np.zeros((64, 64, 3), np.uint8))
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    patch.setattr(catalogues, "TEMPLATES", FEW)
    yield folder, catalogues.load_catalogue(str(folder), Split.TRAIN)
    catalogues.load_catalogue.cache_clear()
    patch.undo()


def test_every_clean_photograph_of_a_garment_lends_itself(wardrobe):
    folder, catalogue = wardrobe
    assert {kind: len(own) for kind, own in catalogue.loans.items()} == {Garment.LOWER: 1, Garment.UPPER: 1}
    assert catalogue.draw(np.random.default_rng(0), Garment.DRESS) is None
    loans = catalogue.loans[Garment.UPPER][0]
    assert {loan.mirrored for loan in loans} == {False, True}
    plain, turned = (loan.photograph() for loan in sorted(loans, key=lambda loan: loan.mirrored))
    assert (plain[0][:, ::-1] == turned[0]).all() and (plain[1][:, ::-1] == turned[1]).all()
    assert cuts_of(folder / "tractor_1.png") == () and cuts_of(folder / "pants_1.png") == (Cut.LEGS,)


@pytest.mark.parametrize("kind", [Garment.UPPER, Garment.LOWER])
def test_the_worn_garment_is_the_photograph_at_the_flow(wardrobe, kind):
    scene = make_lent_scene(0, Settings(5, size=SIZE, kind=kind), wardrobe[1])
    buffer = scene.person.buffer
    shot = draw_shot(np.random.default_rng(3), scene.loan, SIZE)
    worn = buffer.material == scene.material
    moved, dyed = dress(buffer, worn, scene.loan, scene.product.coverage(), shot)
    assert np.isfinite(dyed[worn]).all() and np.isnan(dyed[~worn]).all()
    person = shade([moved], [plain_look(len(scene.styles), SIZE, 2)], smooth_banks(), unlit=True, dyed=dyed)[
        0
    ]
    flow, visible = pixel_flow(replace(scene.person, buffer=moved), worn, shot.cover)
    reference = torch.from_numpy(shot.picture.transpose(2, 0, 1))
    _, share = moved.dominant(worn)
    inside = torch.from_numpy(visible & (share > 0.99))
    assert inside.sum() > 800

    def error(shift: float) -> float:
        place = torch.from_numpy(flow) + torch.tensor([2 * shift / SIZE[1], 0])
        fetched = grid_sample(reference[None], place[None], align_corners=False)[0]
        return float((fetched - person).abs().mean(0)[inside].mean()) * 255

    assert error(0) < 3 < error(4)


def test_no_garment_is_mirrored_into_the_ground(wardrobe, monkeypatch):
    """A garment that ends close to the photograph's edge."""
    garment = shirt()[45:214]
    picture = np.where(garment[..., None], np.array([200, 20, 20]), np.array([90, 90, 90])).astype(np.uint8)
    loan = wardrobe[1].loans[Garment.UPPER][0][0]
    monkeypatch.setattr(catalogues.Loan, "photograph", lambda self: (picture, garment))
    monkeypatch.setattr(shots, "_recolour", lambda rng, colours: colours)
    for seed in range(16):
        shot = draw_shot(np.random.default_rng(seed), loan, SIZE)
        away = cv2.dilate((shot.cover > 0).astype(np.uint8), np.ones((9, 9))) == 0
        assert not ((shot.picture[..., 0] > 0.6) & (shot.picture[..., 1] < 0.3))[away].any()


def test_light_falls_on_lent_colours(wardrobe):
    """Shading multiplies: where the dye is twice as dark, the lit cloth is darker all over."""
    scene = make_lent_scene(0, Settings(5, size=SIZE, kind=Garment.UPPER), wardrobe[1])
    buffer = scene.person.buffer
    worn = (buffer.material == scene.material)[:, None]
    look = [plain_look(len(scene.styles), SIZE, 2)]
    bright, dark = (
        shade([buffer], look, smooth_banks(), dyed=np.where(worn, value, np.nan).astype(np.float32))[0]
        for value in (0.8, 0.4)
    )
    index, share = buffer.dominant(worn[:, 0])
    inside = torch.from_numpy((share > 0.99) & ~buffer.back[np.maximum(index, 0)])
    linear = [(picture.mean(0)[inside] ** 2.2) for picture in (bright, dark)]
    assert float(bright.mean(0)[inside].std()) > 0.02
    ratio = (linear[1] / linear[0]).median()
    assert ratio == pytest.approx(0.5**2.2, abs=0.08)


def test_registered_places_lie_on_the_cut_out(wardrobe):
    loan = wardrobe[1].loans[Garment.UPPER][0][0]
    scene = make_lent_scene(0, Settings(5, size=SIZE, kind=Garment.UPPER), wardrobe[1])
    cover = scene.product.coverage()
    y, x = np.nonzero(cv2.erode((cover > 0.99).astype(np.uint8), np.ones((5, 5))))
    place = on_photograph(scene.loan, cover, np.stack([x, y], 1) + 0.5)
    _, garment = scene.loan.photograph()
    assert sample(garment[..., None].astype(float), place - 0.5).mean() > 0.99
    assert loan.cut is Cut.SHORT and loan.cut.kind is Garment.UPPER


def test_samples_are_pure_and_whole(wardrobe):
    settings = Settings(seed=2, textures=str(wardrobe[0]), lent=1.0, reuse=2, kind=Garment.LOWER)
    one, again = make_try_on(1, settings), make_try_on(1, settings)
    assert one.name.startswith("lent-") and torch.equal(one.person, again.person)
    assert torch.equal(one.reference, again.reference) and one.visible.sum() > 500
    assert one.reference_mask.mean() > 0.1 and (one.visible <= (one.mask[0] > 0.5)).all()
    other = make_try_on(0, settings)
    assert not torch.equal(one.reference, other.reference)
    every = replace(settings, kind=None, size=(64, 48), reuse=1)
    for index in range(6):  # the kind does not depend on who lends: folders tell it from the seed alone
        assert make_try_on(index, every).garment is make_try_on(index, replace(every, lent=0.0)).garment
    dress_ = make_try_on(0, replace(settings, kind=Garment.DRESS))  # no dress is lent: rendered as ever
    assert not dress_.name.startswith("lent-")


def test_a_garment_is_cut_out_and_carried_on():
    picture = photograph(np.random.default_rng(2), shirt())
    garment = cut_out(picture)
    assert (garment & shirt()).sum() > 0.93 * (garment | shirt()).sum()
    wide = extend(picture, garment)
    core = cv2.erode(garment.astype(np.uint8), np.ones((7, 7))) > 0
    assert (wide[core] == picture[core]).all()
    ground = np.abs(wide.astype(int) - 205).max(-1) < 8
    assert ground[~garment].mean() < 0.2  # the cloth has a few such greys of its own
    assert cut_out(np.full((120, 90, 3), 200, np.uint8)) is None


def test_ground_between_sleeve_and_body_is_no_cloth():
    """The sleeve's end touches the hem, so the gap is closed all around; a print of another colour stays."""
    sleeve = np.array([(146, 108), (176, 200), (130, 205)])
    closed = cv2.polylines(shirt().astype(np.uint8), [sleeve], False, 1, 16)
    outline, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(closed), outline, -1, 1, cv2.FILLED)
    closed, gap = closed > 0, filled > closed
    assert gap.sum() > 300
    picture = np.where(closed[..., None], np.array([40, 70, 150]), np.array([205, 200, 190])).astype(np.uint8)
    picture[130:160, 80:112] = (230, 40, 40)
    garment = cut_out(picture)
    assert garment[gap].mean() < 0.2 and garment[130:160, 80:112].all()
    assert garment[closed].mean() > 0.95


def test_errors_are_sentences(tmp_path):
    with pytest.raises(LeffaError, match="textures"):
        make_try_on(0, Settings(lent=1.0, size=(64, 48)))
    cv2.imwrite(str(tmp_path / "t-shirt_1.png"), np.full((64, 48, 3), 220, np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        patch.setattr(catalogues, "TEMPLATES", FEW)
        with pytest.raises(PictureError, match="lends itself"):
            catalogues.find_loans(tmp_path, Split.TRAIN)
