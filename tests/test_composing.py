"""From flow to picture: what is real stays real, what is painted by hand goes, nothing of the old remains."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from leak import leaked_share, rarest_garish
from PIL import Image, ImageOps

from leffa.composition import Reading, Scene, compose, networks, read_photo, with_worn
from leffa.composition.bare import beside_bare_arms
from leffa.composition.behind import Behind
from leffa.composition.canvas import FRAME, Working, mirrored
from leffa.composition.cloth import LONGEST, ROUGH_RIM, extended
from leffa.composition.edges import by_colours
from leffa.composition.flows import HEM, Lands, Said, evened, from_nearest, landed, refine
from leffa.composition.labels import without_label
from leffa.composition.laying import (
    MEAN_SHARE,
    MOST_SHADE,
    _overstretched,
    anchored,
)
from leffa.composition.length import of_its_length
from leffa.composition.limbs import continued
from leffa.composition.necks import neck_opening
from leffa.composition.networks import Networks
from leffa.composition.pose import PIECES, similarity
from leffa.composition.product import front_of
from leffa.composition.reading import (
    _bare_beside_tops,
    _cloth_beside_hands,
    _divided_at_the_waist,
    _hair_of_one_colour,
    _held_in_hands,
    _limbs_like_cloth,
    _neck_like_the_face,
)
from leffa.composition.waists import at_the_waist, up_to_the_waist
from leffa.composition.wearer import worn_garment
from leffa.composition.width import of_its_width
from leffa.config import Garment
from leffa.framing import Region
from leffa.images import to_pil, to_tensor
from leffa.model.filling import Filling
from leffa.model.flow import FlowField, coordinates
from leffa.model.pipeline import LeffaPipeline
from leffa.model.refinement import Refined, Refinement, Shows
from leffa.preprocess.garment.parsing import ShotParser, ShotPart
from leffa.preprocess.garment.product import foreground, trimmed
from leffa.preprocess.labels import Part
from leffa.preprocess.offline.parsing import REPLACED, SKIN, PhotoParser, Seen
from leffa.synthetic.identity import Split
from leffa.synthetic.samples import Settings, make_redressed
from leffa.training.composition_rows import attention_of, field_of
from leffa.weights import models

SIZE = (310, 214)  # no multiple of anything, and of another shape than the frame
FILLED = (0.5, -0.5, 0.0)
BOX = (slice(120, 180), slice(70, 140))


def biased(layer, channel, value=20.0):
    """Make a layer that is unshuffled say one thing everywhere."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.bias.view(-1, 4)[channel] = value


def untrained(shows, seen=Seen.GROUND):
    """Networks that cover everything with ``shows``, read ``seen`` everywhere, and fill with one colour."""
    torch.manual_seed(0)
    made = Networks(*(network().eval() for network in (Refinement, Filling, PhotoParser, ShotParser)))
    biased(made.refinement.shows, shows)
    biased(made.parser.seen, seen)
    for channel, value in enumerate(FILLED):
        with torch.no_grad():
            made.filling.colours.weight.zero_()
            made.filling.colours.bias.view(3, 4)[channel] = value
    return made


def reading_of(seen, head=None, person=True, part=Part.TORSO_FRONT):
    shares = torch.zeros(1, len(Seen), *FRAME)
    shares[:, seen] = 1
    silhouette = np.full(SIZE, 255 if person else 0, np.uint8)
    parts = np.zeros((*SIZE, 3), np.uint8)
    parts[..., 0] = part
    if head is not None:
        parts[head] = Part.HEAD_LEFT
    return Reading(shares, torch.zeros(1, 3, *FRAME), silhouette, parts, torch.zeros(*FRAME))


@pytest.fixture
def scene():
    """A photo of noise, its mask a box, a reference of noise."""
    rng = np.random.default_rng(0)
    photo, reference = (rng.integers(0, 255, (*size, 3), dtype=np.uint8) for size in (SIZE, (200, 150)))
    mask = np.zeros(SIZE, np.uint8)
    mask[80:220, 40:170] = 255
    return Scene(
        photo=Image.fromarray(photo),
        mask=mask,
        by_hand=np.zeros(SIZE, bool),
        reading=reading_of(Seen.UPPER),
        region=Region.whole(SIZE, FRAME),
        reference=Image.fromarray(reference),
        shown=np.full((200, 150), 255, np.uint8),
        reference_region=Region.whole((200, 150), FRAME),
        garment=Garment.UPPER,
    )


@pytest.fixture
def attention():
    flow = coordinates(32, 24)
    ones = torch.ones(32, 24)
    return FlowField(flow, 0.1 * ones, 0.5 * ones, ones)


def changed(scene, composed):
    return (np.asarray(scene.photo) != np.asarray(composed.image)).any(-1)


# ---------------------------------------------------------------------------------------- what stays


@pytest.mark.parametrize("shows", Shows)
@pytest.mark.parametrize("paints", [False, True])
def test_nothing_changes_outside_the_mask(scene, attention, shows, paints):
    painted = Image.fromarray(255 - np.asarray(scene.photo)) if paints else None
    composed = compose(scene, attention, untrained(shows), painted)
    assert not changed(scene, composed)[scene.mask < 128].any()
    assert changed(scene, composed)[100:200, 60:150].mean() > 0.9  # the old garment's place does
    assert np.array_equal(composed.repainted > 0, changed(scene, composed))
    covered = float(composed.silhouette[100:200, 60:150].mean())
    assert covered == pytest.approx(float(shows is Shows.GARMENT), abs=0.01)


@pytest.mark.parametrize("seen", [Seen.FACE, Seen.HAIR, Seen.ARM, Seen.LOWER, Seen.SHOE])
def test_what_is_not_the_old_garment_stays_where_the_new_one_is_not(scene, attention, seen):
    scene = replace(scene, reading=reading_of(seen))
    assert not changed(scene, compose(scene, attention, untrained(Shows.SKIN))).any()


@pytest.mark.parametrize("seen", [Seen.FACE, Seen.HAIR])
def test_no_garment_is_laid_over_a_face(scene, attention, seen):
    scene = replace(scene, reading=reading_of(seen, head=np.ones(SIZE, bool)))
    assert not changed(scene, compose(scene, attention, untrained(Shows.GARMENT))).any()


def test_on_a_bare_neck_the_neckline_decides(scene, attention):
    scene = replace(scene, reading=reading_of(Seen.FACE))  # the part map has no head there
    assert changed(scene, compose(scene, attention, untrained(Shows.GARMENT)))[100:200, 60:150].all()


@pytest.mark.parametrize("seen", [Seen.FACE, Seen.ARM, Seen.GROUND])
def test_what_is_painted_by_hand_is_repainted_whatever_it_shows(scene, attention, seen):
    by_hand = np.zeros(SIZE, bool)
    by_hand[BOX] = True
    reading = reading_of(seen, part=Part.BACKGROUND)  # on the body there is no ground
    scene = replace(scene, reading=reading, by_hand=by_hand)
    composed = compose(scene, attention, untrained(Shows.GROUND))
    inner = np.asarray(composed.image)[130:170, 80:130].mean((0, 1))  # in the photo's grain
    assert np.abs(inner - (np.array(FILLED) + 1) * 127.5).max() <= 4
    assert not changed(scene, composed)[85:110].any()  # the rest of the mask stays


def test_the_old_garment_goes_and_the_ground_beside_it_stays(scene, attention):
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[:, Seen.GROUND] = 1
    seen[:, :, 110:150, 80:110] = 0
    seen[:, Seen.UPPER, 110:150, 80:110] = 1
    reading = reading_of(Seen.GROUND, part=Part.BACKGROUND)
    scene = replace(scene, reading=replace(reading, seen=seen))
    composed = compose(scene, attention, untrained(Shows.GROUND))
    repainted = composed.repainted > 0
    assert repainted.any() and repainted.sum() < 0.5 * (scene.mask > 0).sum()
    rows, columns = np.nonzero(repainted)
    row, column = int(rows.mean()), int(columns.mean())
    middle = np.asarray(composed.image)[row - 9 : row + 9, column - 9 : column + 9].mean((0, 1))
    assert np.abs(middle - (np.array(FILLED) + 1) * 127.5).max() <= 4


def test_a_pose_is_shown_on_the_references_own_ground(scene, attention):
    reference = np.full((200, 150, 3), (10, 200, 90), np.uint8)
    shown = np.zeros((200, 150), np.uint8)
    shown[50:150, 50:100] = 255
    scene = replace(scene, garment=None, reference=Image.fromarray(reference), shown=shown)
    composed = compose(scene, attention, untrained(Shows.GROUND))
    assert (np.asarray(composed.image) == (10, 200, 90)).all() and composed.repainted.min() == 255


# ---------------------------------------------------------------------------------------- what is read


def test_the_mask_grows_over_what_was_worn_and_never_over_the_head(scene):
    head = np.zeros(SIZE, bool)
    head[60:80, 80:130] = True  # right above the mask
    grown = with_worn(scene.mask, scene.region, reading_of(Seen.UPPER, head), Garment.UPPER)
    assert (grown >= scene.mask).all() and (grown > 0).sum() > 1.1 * (scene.mask > 0).sum()
    assert not grown[head].any() and grown[70, 60] and grown[225, 100]
    other = with_worn(scene.mask, scene.region, reading_of(Seen.LOWER, head), Garment.UPPER)
    assert np.array_equal(other, scene.mask)


def test_hair_far_from_the_head_is_cloth():
    photo = Image.new("RGB", SIZE[::-1], "grey")
    parts = np.zeros((*SIZE, 3), np.uint8)
    parts[20:50, 90:120, 0] = Part.HEAD_LEFT
    region = Region.whole(SIZE, FRAME)
    read = read_photo(photo, region, np.full(SIZE, 255, np.uint8), parts, untrained(Shows.SKIN, Seen.HAIR))
    assert read.head.sum() == 900 and read.head[25, 100]
    assert read.seen[0, Seen.HAIR, 28, 86] > 0.9  # on the head
    assert read.seen[0, Seen.HAIR, 200, 86] < 0.1 and read.seen[0, Seen.UPPER, 200, 86] > 0.9
    assert torch.allclose(read.seen.sum(1), torch.ones(1, *FRAME), atol=1e-4)


def test_a_limb_of_another_colour_than_the_face_is_cloth():
    """Upper half of the photo a face of skin colour, lower half an arm, left of skin colour, right blue."""
    pixels = np.full((*FRAME, 3), (205, 160, 135), np.uint8)
    pixels[128:, 96:] = (30, 60, 200)
    parser = untrained(Shows.SKIN).parser

    def halves(photo, silhouette, body):
        logits = torch.zeros(1, len(Seen), *FRAME)
        logits[:, Seen.FACE, :128] = 20
        logits[:, Seen.ARM, 128:] = 20
        return logits

    parser.forward = halves
    made = replace(untrained(Shows.SKIN), parser=parser)
    parts = np.zeros((*FRAME, 3), np.uint8)
    parts[:, :, 0] = Part.HEAD_LEFT
    parts[100:, :, 0] = 0
    read = read_photo(
        Image.fromarray(pixels), Region.whole(FRAME, FRAME), np.full(FRAME, 255, np.uint8), parts, made
    )
    assert read.seen[0, Seen.ARM, 200, 40] > 0.9
    assert read.seen[0, Seen.ARM, 200, 150] < 0.1 and read.seen[0, Seen.UPPER, 200, 150] > 0.9


@pytest.mark.parametrize(
    ("skin", "top", "is_sleeve"),
    [
        ((205, 160, 135), (130, 112, 65), True),  # brown
        ((140, 100, 72), (204, 172, 124), True),  # of a skin's hue, but lighter than this one
        ((205, 160, 135), (240, 238, 232), False),  # white
        ((205, 160, 135), (30, 60, 160), False),
    ],
)
def test_a_sleeve_of_nearly_a_skin_s_colour_is_told_by_the_top_it_belongs_to(skin, top, is_sleeve):
    """Rows of a face, a top, and what is read as arms: bare on the left, on the right as the top or pale."""
    lab = np.zeros((*FRAME, 3), np.float32)
    pixels = np.full((*FRAME, 3), skin, np.uint8)
    pixels[64:128] = top
    pixels[128:220, 96:] = top if is_sleeve else (225, 205, 195)
    lab[:] = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[:, Seen.FACE, :64], seen[:, Seen.UPPER, 64:128], seen[:, Seen.ARM, 128:] = 1, 1, 1
    parts = np.zeros(FRAME, np.uint8)
    parts[128:, :96], parts[128:, 96:] = Part.RIGHT_LOWER_ARM_OUTER, Part.LEFT_LOWER_ARM_OUTER
    parts[225:] = np.where(parts[225:] == Part.RIGHT_LOWER_ARM_OUTER, Part.RIGHT_HAND, Part.LEFT_HAND)
    read = _limbs_like_cloth(seen, lab, parts)
    assert (read[0, Seen.ARM, 200, 40] > 0.9) and (read[0, Seen.ARM, 200, 150] < 0.1) == is_sleeve
    assert (read[0, Seen.UPPER, 200, 150] > 0.9) == is_sleeve
    assert (read[0, Seen.ARM, 240, [40, 150]] > 0.9).all()  # the hands


def test_no_garment_replaces_what_is_bare():
    assert set(REPLACED) == set(Garment)
    assert all(not set(SKIN) & set(replaced) for replaced in REPLACED.values())


# ---------------------------------------------------------------------------------------- where it ends


WORKING = Working.of(Region.whole(FRAME, FRAME))


def _box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    box = np.zeros(FRAME, bool)
    box[top:bottom, left:right] = True
    return box


def _landed(
    covered: np.ndarray,
    on_cloth: np.ndarray,
    worn: np.ndarray | None = None,
    person: np.ndarray | None = None,
    legs: np.ndarray | None = None,
    opening: np.ndarray | None = None,
) -> np.ndarray:
    nowhere = np.zeros(FRAME, bool)
    near = cv2.dilate(covered.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    near_cloth = cv2.dilate(on_cloth.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    worn, legs, opening = (nowhere if where is None else where for where in (worn, legs, opening))
    said = Said(covered, near, worn, ~nowhere if person is None else person, legs)
    lands = Lands(on_cloth, on_cloth, near_cloth, on_cloth, opening)
    return landed(WORKING, said, lands, np.zeros((*FRAME, 2), np.float32))[0]


def test_a_hem_ends_where_the_flow_leaves_the_cloth():
    covered = _box(50, 150, 50, 140)
    for end in (140, 156):
        kept = _landed(covered, _box(50, end, 50, 140))
        assert kept[51 : end - 1, 51:139].all()  # with its corners
        assert not kept[end:].any()


def test_trousers_have_no_gap_where_the_legs_that_wear_them_meet():
    """Of legs 10 px apart by the flow, down to row 140; nor do they become one with 40 px between them."""
    trousers = _box(50, 80, 50, 140) | _box(80, 220, 50, 90) | _box(80, 220, 100, 140)
    kept = _landed(trousers, trousers, legs=_box(50, 140, 50, 140))
    assert kept[82:138, 52:138].all() and not kept[146:, 93:97].any()
    wide = _box(50, 80, 50, 140) | _box(80, 220, 50, 75) | _box(80, 220, 115, 140)
    assert not _landed(wide, wide, legs=_box(50, 220, 50, 140))[100:, 80:110].any()


def test_a_neck_stays_open_though_it_is_narrower_than_the_gaps_that_are_closed():
    covered, neck = _box(50, 150, 50, 140), _box(50, 60, 92, 98)
    for opening, is_open in ((neck, True), (None, False)):
        kept = _landed(covered, covered & ~neck, opening=opening)
        assert bool(kept[52:57, 93:97].any()) != is_open and kept[70:, 52:138][:78].all()


def test_the_opening_of_a_neck_is_between_the_shoulders_and_open_above():
    dress = (
        _box(20, 230, 60, 130) & ~_box(20, 50, 80, 110) & ~_box(60, 70, 80, 110) & ~_box(120, 230, 90, 100)
    )
    assert np.array_equal(neck_opening(dress.astype(np.uint8)) > 0, _box(20, 50, 80, 110))


@pytest.mark.parametrize("garment", Garment)
def test_a_product_shot_too_thin_to_have_a_neck_is_no_fault(scene, attention, garment):
    shown = np.zeros_like(scene.shown)
    for thread in (shown, np.where(np.arange(150) == 70, 255, shown).astype(np.uint8)):
        composed = compose(replace(scene, shown=thread, garment=garment), attention, untrained(Shows.GARMENT))
        assert not composed.silhouette.any()


def test_cloth_far_from_what_is_said_to_be_covered_is_not_laid():
    covered, there = _box(50, 150, 50, 140), _box(50, 150, 50, 140) | _box(200, 240, 50, 140)
    assert not _landed(covered, there)[200:].any()


def test_what_the_flow_misses_within_the_garment_is_covered_all_the_same():
    covered = _box(50, 150, 50, 140)
    assert _landed(covered, covered & ~_box(80, 110, 80, 110))[52:148, 52:138].all()


def test_between_the_legs_of_somebody_nothing_is_covered_that_the_flow_misses():
    covered, gap = _box(50, 150, 50, 140), _box(100, 150, 92, 98)
    assert _landed(covered, covered & ~gap)[101:140, 93:97].all()
    assert not _landed(covered, covered & ~gap, person=covered & ~gap)[110:140, 94:96].any()


def test_an_outline_loses_bites_and_bumps_and_keeps_straps():
    strap, whole = _box(20, 60, 60, 64), _box(50, 150, 50, 140)
    torn = (whole | _box(100, 103, 137, 144) | strap) & ~_box(120, 123, 50, 54)
    even = evened(torn, 1.0)
    assert not even[:, 142:].any() and even[121, 52:138].all() and even[24:50, 62].all()


def test_a_top_that_is_tucked_in_has_no_rounded_corners_and_one_that_hangs_out_is_left_alone(scene):
    """A waistband from row 150 on; the top's lower corners are cut off."""
    skirt, top = _box(150, 256, 40, 150), _box(50, 150, 50, 140) & ~_box(142, 150, 50, 58)
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[0, Seen.LOWER] = torch.from_numpy(skirt).float()
    photo = Image.fromarray(np.where(skirt[..., None], 40, 200).repeat(3, -1).astype(np.uint8))
    whole = Region.whole(FRAME, FRAME)
    scene = replace(scene, photo=photo, reading=replace(scene.reading, seen=seen), region=whole)
    tucked, waist = at_the_waist(scene, WORKING, top, _box(50, 150, 50, 140))
    assert tucked[143:148, 52:57].all() and not tucked[152:].any() and (waist[151, 52:138] > 0.9).all()
    over = top | _box(150, 180, 50, 140)
    kept, waist = at_the_waist(scene, WORKING, over, _box(50, 150, 50, 140))
    assert np.array_equal(kept, over) and not waist.any()


def beside(scene, arm: np.ndarray, laid: np.ndarray, gone: np.ndarray, photo: np.ndarray) -> Behind:
    """What lies behind a garment ``laid`` over somebody's trunk and beside an ``arm`` that is seen but where
    it is ``gone``; the refinement says ground everywhere.

    photo  (H, W, 3) uint8
    """
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[0, Seen.ARM], seen[0, Seen.GROUND] = torch.from_numpy(arm).float(), torch.from_numpy(~arm).float()
    parts = np.zeros((*FRAME, 3), np.uint8)
    parts[laid, 0], parts[arm, 0] = Part.TORSO_FRONT, Part.RIGHT_LOWER_ARM_INNER
    reading = replace(
        scene.reading, seen=seen, parts=parts, silhouette=np.where(arm | laid, 255, 0).astype(np.uint8)
    )
    scene = replace(scene, photo=Image.fromarray(photo), reading=reading, region=Region.whole(FRAME, FRAME))
    shows = torch.zeros(1, len(Shows), *FRAME)
    shows[:, Shows.GROUND] = 9
    pixels = photo.astype(np.float32)
    hidden = gone.astype(np.float32)
    return Behind(
        scene, Working.of(scene.region), Refined([], shows), pixels, laid.astype(np.float32), hidden, pixels
    )


def arms(scene, *bare: np.ndarray):
    """Somebody with an arm on each side, 20 px wide, from row 40 to its hand's end in row 200.

    bare  (H, W) of the frame: what is seen of them
    """
    parts = np.zeros((*FRAME, 3), np.uint8)
    for name, left in (("RIGHT", 20), ("LEFT", 140)):
        for part, top, bottom in (("UPPER_ARM_OUTER", 40, 100), ("LOWER_ARM_OUTER", 100, 170)):
            parts[_box(top, bottom, left, left + 20), 0] = Part[f"{name}_{part}"]
        parts[_box(170, 200, left, left + 20), 0] = Part[f"{name}_HAND"]
    scene = replace(scene, reading=replace(scene.reading, parts=parts), region=Region.whole(FRAME, FRAME))
    return beside_bare_arms(scene, WORKING, np.any(bare, axis=0))


def test_no_skin_is_painted_beside_an_arm_that_is_seen_whole(scene):
    """Nor beside its hand; but a shoulder goes on beside it, and an arm goes on above what is seen of it."""
    right, left = _box(40, 200, 20, 40), _box(40, 200, 140, 160)
    found = arms(scene, right, left)
    assert found[85:195, 43:48].all() and found[85:195, 132:137].all()
    assert not found[40:60].any() and not (found & (right | left)).any()
    assert not arms(scene, right & ~_box(0, 120, 0, 192), left)[70:110, 20:48].any()


def test_skin_goes_on_beside_an_arm_as_far_as_the_other_is_wider(scene):
    """Half of the right arm is hidden."""
    found = arms(scene, _box(40, 200, 20, 30), _box(40, 200, 140, 160))
    assert not found[85:195, 30:37].any() and found[85:195, 42:47].all()
    alone = arms(scene, _box(40, 200, 20, 30))
    assert alone[85:195, 32:40].all()


@pytest.mark.parametrize(("garment", "shown"), [(Garment.LOWER, Shows.GROUND), (Garment.UPPER, Shows.SKIN)])
def test_where_old_trousers_were_beside_a_hand_is_no_more_of_it(scene, garment, shown):
    """The refinement says skin; the part map's arm is wider than what is seen of it."""
    arm, laid = _box(80, 200, 20, 50), _box(50, 220, 70, 140)
    photo = np.where(arm[..., None], 90, 220).repeat(3, -1).astype(np.uint8)
    behind = beside(replace(scene, garment=garment), arm, laid, _box(60, 210, 36, 145), photo)
    behind.refined.shows[:, Shows.SKIN] = 19
    assert (behind._shown(None)[90:190, 38:48] == shown).all()


def test_a_slit_of_ground_between_an_arm_and_the_garment_is_the_arm_s(scene):
    """An arm from column 20 on, a slit of 2 px, the garment; and the open ground on the arm's other side."""
    arm, laid = _box(80, 200, 20, 50), _box(50, 220, 52, 140)
    photo = np.where(arm[..., None], 90, 220).repeat(3, -1).astype(np.uint8)
    what = beside(scene, arm, laid, _box(60, 210, 48, 145) | _box(60, 210, 2, 12), photo)._shown(None)
    assert (what[90:190, 50:52] == Shows.SKIN).all() and (what[90:190, 2:12] == Shows.GROUND).all()


def test_a_painted_arm_beside_a_garment_is_round_and_has_the_hand_s_colour(scene):
    """Lightest in its middle, though it lies against the garment; and there as light as what is seen."""
    arm, laid = _box(80, 220, 20, 46), _box(50, 220, 46, 140)
    photo = np.where(arm[..., None], (200, 150, 120), 230).astype(np.uint8)
    behind = beside(scene, arm, laid, _box(80, 190, 10, 145), photo)
    lit = behind._skin(arm.astype(np.float32))[150, 20:46, 0]
    assert lit[10:16].min() > 1.1 * max(lit[1], lit[-2]) and abs(lit[12] - 200) < 12


def test_the_shaded_side_of_a_painted_limb_is_redder_than_its_middle(scene):
    arm, laid = _box(80, 220, 20, 46), _box(50, 220, 46, 140)
    photo = np.where(arm[..., None], (200, 150, 120), 230).astype(np.uint8)
    behind = beside(scene, arm, laid, _box(80, 190, 10, 145), photo)
    lit = behind._skin(behind._limbs(arm))[110:170, 20:46].mean(0)
    assert lit[1, 0] / lit[1, 2] > 1.08 * lit[12, 0] / lit[12, 2]


def test_painted_arms_have_the_colour_of_hands_and_not_of_dark_legs(scene):
    """A small light hand beside a long painted arm, and large dark legs below."""
    hand, legs, laid = _box(100, 116, 20, 46), _box(150, 250, 20, 140), _box(30, 140, 60, 140)
    photo = np.where(hand[..., None], (220, 170, 140), np.where(legs[..., None], (120, 80, 60), 230))
    behind = beside(scene, hand | legs, laid, _box(40, 100, 20, 46), photo.astype(np.uint8))
    seen = behind.scene.reading.seen
    seen[0, Seen.LEG], seen[0, Seen.ARM] = torch.from_numpy(legs).float(), torch.from_numpy(hand).float()
    behind.scene.reading.parts[legs, 0] = Part.LEFT_UPPER_LEG_FRONT
    arm = behind._skin(_box(40, 100, 20, 46).astype(np.float32))[45:60, 30:36]
    assert np.median(arm[..., 0]) > 195


def test_the_ground_s_texture_goes_on_beside_a_garment():
    """Stripes of 4 px go on over the first pixels of a gap; what is known stays."""
    stripes = np.where(np.arange(FRAME[0])[:, None, None] // 2 % 2, 200.0, 60.0) * np.ones((1, FRAME[1], 3))
    known = ~_box(0, 256, 80, 110)
    carried = mirrored(stripes.astype(np.float32), known)
    assert np.array_equal(carried, stripes.astype(np.float32))


def _arm_parts(bent: bool = False) -> np.ndarray:
    """(H, W) of the frame: an upper arm from row 40, the lower one straight on or across, a hand."""
    parts = np.zeros(FRAME, np.uint8)
    parts[_box(40, 100, 20, 40)] = Part.RIGHT_UPPER_ARM_OUTER
    parts[_box(80, 100, 40, 90) if bent else _box(100, 150, 20, 40)] = Part.RIGHT_LOWER_ARM_OUTER
    parts[_box(80, 100, 90, 110) if bent else _box(150, 170, 20, 40)] = Part.RIGHT_HAND
    return parts


def test_a_painted_arm_has_no_waves_and_begins_as_wide_as_what_is_seen_of_it():
    """Bare from row 110 on, 16 px wide; above it painted 24 px wide, with waves of 8 px on its left."""
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]]
    seen, gone = _box(110, 170, 22, 38), _box(30, 110, 0, 80)
    painted = (columns >= 18 + 2 * np.sin(rows * np.pi / 4)) & (columns < 42) & _box(44, 110, 0, 80)
    nowhere = np.zeros(FRAME, bool)
    result = continued(_arm_parts(), WORKING, painted, seen, nowhere, gone)
    left = result.argmax(1)[48:108]
    assert np.abs(np.diff(left, 2)).max() <= 1 < np.abs(np.diff(painted.argmax(1)[48:108], 2)).max()
    assert abs(int(result[107].sum()) - 16) <= 2 and painted[107].sum() >= 22
    assert (result.sum(1)[48:108] > 12).all()


def test_a_thin_arm_has_no_step_where_it_is_painted():
    """14 px wide and wider below; above row 110 painted 24 px wide, as arms of its length usually are."""
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]]
    seen = (np.abs(columns - 29.5) < 7 + 0.1 * (rows - 110)) & _box(110, 170, 0, 80)
    painted, gone = _box(44, 110, 18, 42), _box(30, 110, 0, 80)
    result = continued(_arm_parts(), WORKING, painted, seen, np.zeros(FRAME, bool), gone)
    assert abs(int(result[108].sum()) - 14) <= 2
    assert (result.sum(1)[60:90] >= 17).all()


def test_a_painted_arm_goes_on_to_its_end_where_hardly_anything_is_seen_of_it():
    """Else its outline is rounded off before the cuff or the shoe. 20 px wide, painted beyond the hole."""
    painted, seen, gone = _box(44, 168, 20, 40), _box(165, 168, 24, 36), _box(30, 150, 0, 80)
    result = continued(_arm_parts(), WORKING, painted, seen, np.zeros(FRAME, bool), gone)
    assert (result.sum(1)[140:160] > 12).all()


def test_a_sharply_bent_arm_stays_as_it_was_painted():
    painted, nowhere = _box(60, 100, 14, 46), np.zeros(FRAME, bool)
    seen, gone = _box(80, 100, 60, 110), _box(30, 110, 0, 60)
    result = continued(_arm_parts(bent=True), WORKING, painted, seen, nowhere, gone)
    assert result is None
    assert not np.array_equal(continued(_arm_parts(), WORKING, painted, seen, nowhere, gone), painted)


def test_a_label_in_the_neck_is_filled_with_the_cloth_around_it():
    """A plain top with a white rectangle in the middle of its neck's edge; one on the chest is its print."""
    top = _box(40, 240, 30, 160)
    plain = np.where(top[..., None], (40, 70, 120), 250).astype(np.uint8)
    label, chest = _box(46, 56, 86, 104), _box(120, 130, 86, 104)
    printed = np.where((label | chest)[..., None], (235, 235, 230), plain).astype(np.uint8)
    shown = np.where(top, 255, 0).astype(np.uint8)
    filled = without_label(printed, shown).astype(int)
    assert np.abs(filled - plain)[label].max() < 12
    assert np.array_equal(filled[chest], printed[chest])
    assert np.array_equal(without_label(plain, shown), plain)


def test_a_painted_limb_comes_to_the_width_of_the_one_that_is_seen(scene):
    """A hand of 20 px on a painted arm of 28: just above the hand the arm is narrower than further up."""
    hand, arm = _box(200, 240, 24, 44), _box(80, 200, 20, 48)
    photo = np.full((*FRAME, 3), 150, np.uint8)
    limb = beside(scene, hand, _box(50, 220, 60, 140), arm, photo)._limbs(arm) > 0.5
    assert limb[198].sum() < limb[150].sum() - 1 and limb[150].sum() >= 27


def test_painted_skin_begins_in_the_colours_of_what_is_seen_of_the_limb(scene):
    """A hand in the shade, hardly told as one; the other arm is in the light: darker only by the hand."""
    hand, other, arm = _box(200, 240, 20, 48), _box(80, 200, 150, 178), _box(80, 200, 20, 48)
    photo = np.repeat(np.where(hand, 140, 190)[..., None], 3, -1)
    behind = beside(scene, hand | other, _box(50, 220, 60, 140), arm, photo.astype(np.uint8))
    behind.scene.reading.seen[0, Seen.ARM][torch.from_numpy(hand)] = 0.7
    middle = behind._skin(arm.astype(np.float32))[:, 30:38, 0].mean(1)
    assert middle[198:200].mean() < 160 and middle[140:180].mean() > 180


def test_a_collar_beside_a_neck_is_cloth_and_the_neck_is_not():
    """Rows of a head, of a neck with a white collar on its right, of a dark top alone read as such."""
    pixels = np.full((*FRAME, 3), (205, 160, 135), np.uint8)
    pixels[100:130, 60:100], pixels[100:130, 100:140] = (180, 135, 112), (245, 242, 236)
    head, seen = _box(20, 100, 60, 140), torch.zeros(1, len(Seen), *FRAME)
    seen[:, Seen.FACE, :130], seen[:, Seen.UPPER, 130:] = 1, 1
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    read = _neck_like_the_face(seen, lab, head)[0, Seen.FACE]
    assert read[105:125, 62:98].min() > 0.9 and read[105:125, 103:137].max() < 0.1
    assert read[:100].min() > 0.9


def test_skin_that_is_read_as_a_top_and_joins_skin_is_skin():
    """Rows of a face, of bare chest and dotted top: all below the face read as the top."""
    pixels = np.full((*FRAME, 3), (205, 160, 135), np.uint8)
    pixels[140:] = (30, 60, 150)
    pixels[140::6, ::6] = 240
    pixels[200:220, 100:130] = (205, 160, 135)  # a patch of that colour that joins no skin
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[:, Seen.FACE, :100], seen[:, Seen.UPPER, 100:] = 1, 1
    read = _bare_beside_tops(seen, lab)[0]
    assert read[Seen.FACE, 102:136].min() > 0.9 and read[Seen.UPPER, 144:].min() > 0.9
    assert torch.allclose(read.sum(0), torch.ones(FRAME))


def test_a_flow_goes_on_beyond_the_sure_as_in_a_mirror():
    """After the strip over which the outermost goes on alone."""
    places = coordinates(*FRAME).numpy().astype(np.float32)
    sure = _box(0, 256, 0, 100)
    beyond = from_nearest(WORKING, places, sure, sure)
    assert np.array_equal(beyond[:, :100], places[:, :100])
    step = places[0, 1, 0] - places[0, 0, 0]
    assert np.allclose(beyond[50:200, 100, 0], places[50:200, 99, 0], atol=step)
    assert np.allclose(beyond[50:200, 110, 0], places[50:200, 99, 0] - (11 - HEM) * step, atol=step)


def test_a_shoulder_beside_the_cloth_is_covered_as_far_as_it_is_said():
    covered, on_cloth = _box(50, 150, 50, 140), _box(54, 150, 50, 140)
    assert not _landed(covered, on_cloth)[50:53].any()
    assert _landed(covered, on_cloth, worn=_box(0, 100, 0, 192))[51, 60:130].all()


def test_places_of_what_is_covered_are_places_on_cloth():
    covered, on_cloth = _box(50, 150, 50, 140), _box(54, 150, 50, 140)
    places = np.where(on_cloth[..., None], 0.25, 0.75).astype(np.float32).repeat(2, -1)
    said = Said(covered, covered, covered, covered, covered)
    kept, mended = landed(WORKING, said, Lands(on_cloth, on_cloth, covered, on_cloth, ~covered), places)
    assert (mended[kept] == 0.25).all() and (kept & ~on_cloth).any()


def test_a_scene_and_its_mirror_image_are_refined_alike(scene):
    """What one says of the left the other says of the right; the network itself is anything but symmetric."""
    untaught = replace(untrained(Shows.SKIN), refinement=Refinement().eval())
    whole, rng = Region.whole(FRAME, FRAME), np.random.default_rng(1)
    photo, reference = (rng.integers(0, 255, (*FRAME, 3), dtype=np.uint8) for _ in range(2))
    body = torch.rand(1, 3, *FRAME)
    mask = np.where(_box(50, 200, 30, 100), 255, 0).astype(np.uint8)
    scene = replace(
        scene, photo=Image.fromarray(photo), mask=mask, region=whole, reference_region=whole,
        reference=Image.fromarray(reference), shown=mask, reading=replace(scene.reading, body=body),
    )  # fmt: skip
    turned = replace(
        scene, photo=ImageOps.mirror(scene.photo), reference=ImageOps.mirror(scene.reference),
        mask=mask[:, ::-1], shown=mask[:, ::-1],
        reading=replace(scene.reading, body=body.flip(3) * torch.tensor([-1.0, 1, 1])[:, None, None]),
    )  # fmt: skip
    start = FlowField(torch.rand(32, 24, 2) - 0.5, torch.rand(32, 24), torch.ones(32, 24), torch.rand(32, 24))
    turn = torch.tensor([-1.0, 1])
    mirror = start.map(lambda values: values.flip(1))
    mirror = replace(mirror, flow=mirror.flow * turn)
    one, other = refine(scene, start, untaught), refine(turned, mirror, untaught)
    assert torch.allclose(one.shows, other.shows.flip(3), atol=1e-4)
    assert torch.allclose(one.flow, other.flow.flip(2) * turn, atol=1e-4)


def _seen_hair(where: np.ndarray) -> torch.Tensor:
    seen = torch.zeros(1, len(Seen), *FRAME)
    seen[0, Seen.UPPER] = 1
    seen[0, Seen.UPPER, torch.from_numpy(where)] = 0
    seen[0, Seen.HAIR, torch.from_numpy(where)] = 1
    return seen


@pytest.mark.parametrize(("lightness", "is_hair"), [(30.0, True), (70.0, False)])
def test_hair_away_from_the_head_has_the_colour_of_the_head_s(lightness, is_hair):
    head, strand = _box(20, 60, 70, 120), _box(110, 150, 90, 96)
    lab = np.full((*FRAME, 3), (30, 5, 5), np.float32)
    lab[strand] = (lightness, 5, 5)
    seen = _hair_of_one_colour(_seen_hair(head | strand), lab, head)
    assert (seen[0, Seen.HAIR].numpy()[strand] > 0.5).all() == is_hair
    assert (seen[0, Seen.HAIR].numpy()[head] == 1).all()
    assert torch.allclose(seen.sum(1), torch.ones(1, *FRAME))


def test_what_is_read_as_hair_and_has_the_garment_s_colour_is_a_lapel():
    """A colour within the reach of the hair's, but the garment's own."""
    head, lapel = _box(20, 60, 70, 120), _box(110, 150, 90, 96)
    lab = np.full((*FRAME, 3), (30, 5, -12), np.float32)
    lab[_box(0, 70, 0, 192)] = (30, 5, 5)
    seen = _hair_of_one_colour(_seen_hair(head | lapel), lab, head)
    assert (seen[0, Seen.HAIR].numpy()[lapel] < 0.5).all() and (seen[0, Seen.HAIR].numpy()[head] == 1).all()


def test_a_strip_of_skin_beside_a_garment_is_covered_and_an_arm_is_not():
    garment, strip, arm = _box(50, 150, 60, 130), _box(60, 140, 130, 133), _box(60, 140, 30, 60)
    body = garment | strip | arm
    kept = _landed(garment, garment, worn=body)
    assert kept[70:130, 131].all() and not kept[70:130, 35:55].any()


def test_a_shoulder_that_rises_above_the_garment_is_covered_but_not_a_neck():
    garment, bump, neck = _box(60, 150, 60, 130), _box(54, 60, 62, 80), _box(20, 60, 90, 105)
    kept = _landed(garment, garment, worn=garment | bump | neck)
    assert kept[56:60, 64:78].all() and not kept[30:52, 92:103].any()


def test_cloth_that_would_be_drawn_over_too_much_is_a_gap():
    places = coordinates(*FRAME).numpy().astype(np.float32)
    places[:, 80:120, 0] = places[:, 80:81, 0]  # forty columns of one
    gap = _overstretched(WORKING, places, np.ones(FRAME, bool))
    inner = gap[10:-10]  # beyond a picture's edge there is nothing to draw
    assert inner[:, 90:110].all() and not inner[:, 10:70].any() and not inner[:, 130:-10].any()


# ---------------------------------------------------------------------------------------- waists and bags


def cloths(upper, lower, dress=None):
    """(1, 10, h, w) shares: these garments on ground."""
    shares = torch.zeros(1, len(Seen), *FRAME)
    for part, where in ((Seen.UPPER, upper), (Seen.LOWER, lower), (Seen.DRESS, dress)):
        if where is not None:
            shares[0, part] = torch.from_numpy(where.astype(np.float32))
    shares[0, Seen.GROUND] = 1 - shares.sum(1)[0]
    return shares


RED, BLUE = (50.0, 60.0, 40.0), (40.0, 10.0, -50.0)


def two_colours(waist):
    """(h, w, 3) Lab: red above a row, blue below."""
    lab = np.empty((*FRAME, 3), np.float32)
    lab[:waist], lab[waist:] = RED, BLUE
    return lab


LEGS = _box(140, 250, 60, 140)


def test_a_waist_that_is_read_too_low_is_put_where_the_colours_change():
    seen = cloths(_box(40, 130, 60, 140), _box(130, 240, 60, 140))
    divided = _divided_at_the_waist(seen, two_colours(115), LEGS)
    assert (divided[0, Seen.UPPER, 40:112, 60:140] > 0.5).all()
    assert (divided[0, Seen.LOWER, 118:240, 60:140] > 0.5).all()
    assert torch.allclose(divided.sum(1), seen.sum(1))


@pytest.mark.parametrize(("waist", "is_one"), [(115, False), (0, True)])
def test_a_dress_of_two_colours_is_two_garments(waist, is_one):
    seen = cloths(None, None, _box(40, 240, 60, 140))
    divided = _divided_at_the_waist(seen, two_colours(waist), LEGS)
    assert torch.equal(divided, seen) == is_one
    if not is_one:
        assert (divided[0, Seen.UPPER, 40:112, 60:140] > 0.5).all()
        assert (divided[0, Seen.LOWER, 118:240, 60:140] > 0.5).all()


@pytest.mark.parametrize(("colour", "is_held"), [(RED, True), (BLUE, False)])
def test_what_lies_in_a_hand_and_has_another_colour_than_the_skirt_is_held(colour, is_held):
    lab = two_colours(0)
    bag = _box(150, 170, 60, 80)
    lab[bag] = colour
    parts = np.zeros(FRAME, np.uint8)
    parts[140:152, 52:62] = Part.RIGHT_HAND
    held = _held_in_hands(cloths(None, _box(120, 250, 60, 140)), lab, parts)
    assert (held[bag].mean() > 0.6) == is_held
    assert not held[180:].any()  # and the skirt stays a skirt


def test_a_bag_that_hangs_far_below_a_hand_beside_the_legs_is_held_whole():
    """With a strap two px wide, and a lid of the skirt's colour."""
    lab, parts = two_colours(0), np.zeros(FRAME, np.uint8)
    strap, bag, lid = _box(150, 200, 40, 42), _box(200, 226, 30, 52), _box(208, 214, 34, 48)
    lab[strap | bag], lab[lid] = RED, lab[240, 100]
    parts[140:152, 38:46], parts[120:250, 70:130] = Part.RIGHT_HAND, Part.RIGHT_UPPER_LEG_FRONT
    seen = cloths(None, _box(120, 250, 66, 140) | strap | bag)
    held = _held_in_hands(seen, lab, parts)
    assert (
        held[bag].mean() > 0.95
        and held[strap & _box(154, 200, 0, 192)].mean() > 0.6
        and not held[:, 66:].any()
    )


def test_a_bag_is_held_where_it_lies_before_a_leg_and_up_to_the_hand():
    lab, parts = two_colours(0), np.zeros(FRAME, np.uint8)
    bag, hand = _box(156, 190, 40, 76), _box(140, 152, 50, 62)
    lab[bag] = RED
    parts[hand], parts[120:250, 64:130] = Part.RIGHT_HAND, Part.RIGHT_UPPER_LEG_FRONT
    held = _held_in_hands(cloths(None, _box(120, 250, 60, 140) | bag), lab, parts)
    assert held[bag].mean() > 0.95
    assert not held[:, 80:].any()


def test_what_is_read_as_a_hand_and_has_the_trousers_colour_is_theirs():
    lab, hand, wide = two_colours(0), _box(140, 160, 46, 60), _box(140, 160, 46, 66)
    lab[hand] = RED
    seen = cloths(None, _box(120, 250, 60, 140) & ~wide)
    seen[0, :, wide] = 0
    seen[0, Seen.ARM, wide] = 1
    told = _cloth_beside_hands(seen, lab, hand)
    assert (told[0, Seen.ARM][hand] == 1).all()
    assert told[0, Seen.LOWER][wide & ~hand].mean() > 0.95  # but for its corners


@pytest.mark.parametrize("misread", [-3, 3])
def test_a_hand_ends_where_its_colour_does(misread):
    """Read wider or narrower than it is by 1.5 px of the frame."""
    picture = np.full((512, 384, 3), (60, 70, 110), np.uint8)
    hand, read = (np.zeros((512, 384), bool) for _ in range(2))
    hand[200:280, 150:200] = True
    read[200 - misread : 280 + misread, 150 - misread : 200 + misread] = True
    picture[hand] = (220, 170, 140)
    shares = torch.zeros(1, len(Seen), *FRAME)
    shares[0, Seen.ARM] = torch.from_numpy(cv2.resize(read.astype(np.float32), FRAME[::-1], interpolation=3))
    shares[0, Seen.LOWER] = 1 - shares[0, Seen.ARM]
    reading = replace(reading_of(Seen.LOWER), seen=shares)
    working = Working(Region.whole((512, 384), FRAME), 1.0)
    told = by_colours(Image.fromarray(picture), reading, working, Seen.ARM, np.ones(working.size, bool))
    assert ((told > 0.5) != hand).sum() < 0.03 * hand.sum()


def test_what_is_held_lies_before_the_new_garment(scene, attention):
    bag = (slice(163, 176), slice(101, 116))
    assert changed(scene, compose(scene, attention, untrained(Shows.GARMENT)))[bag].mean() > 0.9
    there = torch.zeros(*FRAME)
    there[130:150, 85:110] = 1
    held = replace(scene, reading=replace(scene.reading, held=there))
    assert not changed(scene, compose(held, attention, untrained(Shows.GARMENT)))[bag].any()


def test_a_bag_before_somebody_s_trousers_is_not_taken_off_with_them(scene):
    photo, whole = Image.new("RGB", FRAME[::-1], "gray"), Region.whole(FRAME, FRAME)
    reading = replace(scene.reading, seen=cloths(None, _box(100, 240, 60, 140)))
    bag = _box(150, 180, 70, 100)
    taken = worn_garment(photo, whole, reading, Garment.LOWER)
    assert (taken[105:235, 65:135] == 255).all()
    without = worn_garment(photo, whole, replace(reading, held=torch.from_numpy(bag).float()), Garment.LOWER)
    assert not without[153:177, 73:97].any() and (without[190:235, 65:135] == 255).all()


def test_new_trousers_begin_where_the_old_ones_did(scene):
    old_legs = _box(100, 240, 60, 140)
    old = cloths(_box(40, 100, 60, 140), old_legs)
    reading = replace(scene.reading, seen=old, parts=np.zeros((*FRAME, 3), np.uint8))
    whole = Region.whole(FRAME, FRAME)
    photo = Image.new("RGB", FRAME[::-1], "gray")
    scene = replace(scene, photo=photo, reading=reading, region=whole, garment=Garment.LOWER)
    covered, places = _box(112, 240, 60, 140), coordinates(*FRAME).numpy().astype(np.float32)
    stays = np.zeros(FRAME, np.float32)
    drawn, moved = up_to_the_waist(scene, WORKING, covered, places, stays)
    assert drawn[102:240, 60:140].all() and not drawn[:96].any()
    assert np.abs(moved[101, 100] - places[112, 100]).max() < 3 * 2 / FRAME[0]  # three px from its own top
    assert np.array_equal(moved[200:], places[200:])  # the knees stay where they are
    _, far = up_to_the_waist(scene, WORKING, _box(180, 240, 60, 140), places, stays)
    assert np.array_equal(far, places)  # these are no trousers worn low, but something else
    top = _box(40, 108, 60, 140)  # read as a top, and going: a belt
    scene = replace(scene, reading=replace(reading, seen=cloths(top, old_legs & ~top)))
    for goes, is_covered in ((_box(98, 240, 50, 150), True), (np.zeros(FRAME, bool), False)):
        drawn, _ = up_to_the_waist(scene, WORKING, covered, places, goes.astype(np.float32))
        assert bool(drawn[110:112, 70:130].all()) and bool(drawn[107, 70:130].all()) == is_covered


# ---------------------------------------------------------------------------------------- how long it is

MIDDLE, KNEES, ANKLES = 70, 140, 200


def somebody(scene, ends, laid, garment=Garment.DRESS):
    """Somebody who stands, and what is said of a garment: it ends at row ``ends`` of its product shot, and is
    laid down to row ``laid``; down to the hips the one is the other."""
    parts = np.zeros((*FRAME, 3), np.uint8)
    parts[40:100, 76:116, 0] = Part.TORSO_FRONT
    parts[100:KNEES, 76:116, 0] = Part.LEFT_UPPER_LEG_FRONT
    parts[KNEES:ANKLES, 76:116, 0] = Part.LEFT_LOWER_LEG_FRONT
    whole = Region.whole(FRAME, FRAME)
    drawn = replace(
        scene,
        reading=replace(scene.reading, parts=parts),
        region=whole,
        reference=Image.new("RGB", FRAME[::-1]),
        shown=np.where(_box(40 if garment is Garment.DRESS else 100, ends, 70, 122), 255, 0).astype(np.uint8),
        reference_region=whole,
        garment=garment,
    )
    rows = np.interp(np.arange(FRAME[0]), (0, 100, laid, 256), (0, 100, ends, ends + 256 - laid))
    flow = coordinates(*FRAME).clone()
    flow[..., 1] = torch.from_numpy((rows + 0.5) / FRAME[0] * 2 - 1)[:, None].float()
    shows = torch.zeros(1, len(Shows), *FRAME)
    said = _box(40, laid, 70, 122)
    shows[0, Shows.GARMENT], shows[0, Shows.SKIN] = (
        torch.from_numpy(np.where(w, 9.0, -9.0)) for w in (said, ~said)
    )
    return drawn, Refined([flow.movedim(-1, 0)[None]], shows)


def hem_of(refined):
    return np.flatnonzero((refined.shows[0].argmax(0) == Shows.GARMENT).numpy().any(1))[-1] + 1


def test_a_dress_that_is_laid_to_the_calf_ends_where_its_proportions_say(scene):
    drawn, refined = somebody(scene, ends=133, laid=152)  # by its bodice: 0.9 of the way to the knees
    short = of_its_length(drawn, refined)
    assert hem_of(short) == pytest.approx(MIDDLE + 0.9 * (KNEES - MIDDLE), abs=3)
    on_shot = (short.flow[0, :, 96, 1].numpy() + 1) / 2 * FRAME[0]
    assert on_shot[hem_of(short) - 1] == pytest.approx(
        133, abs=3
    )  # its own hem is there, not a piece from above
    assert np.allclose(short.flow[0, :65].numpy(), refined.flow[0, :65].numpy(), atol=1e-6)
    assert hem_of(of_its_length(replace(drawn, is_worn=True), refined)) == 152
    drawn.reading.parts[60:110, 70:76, 0] = Part.LEFT_LOWER_ARM_OUTER  # a long sleeve
    assert hem_of(of_its_length(drawn, refined)) == 152


def test_a_length_that_may_be_right_and_one_that_no_legs_tell_stay(scene):
    drawn, refined = somebody(scene, ends=133, laid=138)
    assert of_its_length(drawn, refined) is refined
    drawn, refined = somebody(scene, ends=133, laid=152)
    drawn.reading.parts[KNEES:] = 0
    assert of_its_length(drawn, refined) is refined


def test_long_trousers_reach_the_ankles_and_shorts_do_not(scene):
    drawn, refined = somebody(scene, ends=240, laid=190, garment=Garment.LOWER)
    assert hem_of(of_its_length(drawn, refined)) == pytest.approx(ANKLES, abs=2)
    drawn, refined = somebody(scene, ends=150, laid=190, garment=Garment.LOWER)
    assert of_its_length(drawn, refined) is refined


def test_each_leg_of_long_trousers_reaches_its_own_ankle(scene):
    drawn, refined = somebody(scene, ends=240, laid=190, garment=Garment.LOWER)
    parts = drawn.reading.parts
    parts[100:KNEES, 96:116, 0] = Part.RIGHT_UPPER_LEG_FRONT
    parts[KNEES : ANKLES - 6, 96:116, 0] = Part.RIGHT_LOWER_LEG_FRONT
    parts[ANKLES - 6 :, 96:] = 0  # the other stands further back
    laid = of_its_length(drawn, refined).shows[0].argmax(0) == Shows.GARMENT
    near, far = (np.flatnonzero(laid[:, side].any(1))[-1] + 1 for side in (slice(96), slice(96, None)))
    assert near == pytest.approx(ANKLES, abs=1) and far == pytest.approx(ANKLES - 6, abs=1)


# ---------------------------------------------------------------------------------------- how wide it falls


def flared(scene, wide):
    """Somebody in a tube down to row 180; its shot is ``wide`` times as wide at row 180 as at row 100."""
    drawn, refined = somebody(scene, ends=180, laid=180)
    drawn = replace(drawn, mask=np.where(_box(20, 230, 30, 162), 255, 0).astype(np.uint8))
    shown = np.zeros(FRAME, np.uint8)
    for row in range(40, 180):
        half = round(26 * (1 + (wide - 1) * max(0, row - 100) / 80))
        shown[row, 96 - half : 96 + half] = 255
    return replace(drawn, shown=shown), refined


def said_widths(refined):
    return (refined.shows[0].argmax(0) == Shows.GARMENT).numpy().sum(1)


def test_a_skirt_is_as_wide_at_its_hem_as_its_shot_says(scene):
    drawn, refined = flared(scene, 1.5)
    wide = of_its_width(drawn, refined)
    widths = said_widths(wide)
    assert widths[80] == said_widths(refined)[80] == 52 and widths[176] == pytest.approx(78, abs=5)
    assert (np.diff(widths[100:178]) >= 0).all()
    left = int(np.flatnonzero((wide.shows[0].argmax(0) == Shows.GARMENT).numpy()[176])[0])
    assert float(wide.flow[0, 176, left + 1, 0]) == pytest.approx(
        float(refined.flow[0, 176, 71, 0]), abs=0.03
    )


def test_a_skirt_falls_within_the_mask_and_one_that_is_straight_or_worn_stays(scene):
    drawn, refined = flared(scene, 1.6)
    narrow = replace(drawn, mask=np.where(_box(20, 230, 64, 128), 255, 0).astype(np.uint8))
    assert said_widths(of_its_width(narrow, refined)).max() <= 64
    assert of_its_width(replace(drawn, is_worn=True), refined) is refined
    straight, refined = flared(scene, 1)
    assert np.abs(said_widths(of_its_width(straight, refined)) - said_widths(refined)).max() <= 1


def test_trousers_do_not_flare_as_a_skirt_does(scene):
    drawn, refined = flared(scene, 1.6)
    legs = drawn.shown.copy()
    legs[110:, 80:112] = 0
    trousers = replace(drawn, shown=legs, garment=Garment.LOWER)
    assert of_its_width(trousers, refined) is refined


# ---------------------------------------------------------------------------------------- product shots


class ReadsColours(torch.nn.Module):
    """A reader of product shots, from near as well: what is white is ground, what is dark the inside."""

    def forward(self, shot):
        grey = (shot.mean(1) + 1) * 127.5
        said = torch.where(
            grey > 250, ShotPart.GROUND, torch.where(grey < 200, ShotPart.INSIDE, ShotPart.CLOTH)
        )
        return 18 * torch.nn.functional.one_hot(said.long(), len(ShotPart)).permute(0, 3, 1, 2).float() - 9


def shot_with(*dark):
    """A garment with dark places, and its outline."""
    picture = np.full((*FRAME, 3), 255, np.uint8)
    shown = np.where(_box(20, 230, 20, 172), 255, 0).astype(np.uint8)
    picture[shown > 0] = 240
    for where in dark:
        picture[where & (shown > 0)] = 90
    return Image.fromarray(picture), shown


def scoop(middle, half, depth):
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]]
    return rows < 20 + depth * (1 - ((columns - middle) / half) ** 2)


@pytest.mark.parametrize(("half", "depth"), [(24, 14), (34, 8), (20, 32)])
def test_a_neck_is_no_front_and_its_edge_is_smooth(half, depth):
    """Found though a label in it is read as cloth."""
    neck = scoop(96, half, depth)
    picture, shown = shot_with(neck & ~_box(22, 26, 92, 100))
    front = front_of(picture, shown, Garment.UPPER, ReadsColours()) > 0
    taken = (shown > 0) & ~front
    assert (taken & neck).sum() > 0.9 * (neck & (shown > 0)).sum() and (
        taken & ~neck
    ).sum() < 0.15 * neck.sum()
    edge = taken[:, 96 - half : 96 + half].sum(0)
    steepest = 1 + 2 * depth / half
    assert np.abs(np.diff(edge)).max() <= steepest and np.abs(edge - edge[::-1]).max() <= steepest


def test_a_neck_that_is_faint_on_its_shot_is_found(shared):
    """Black in dark blue."""
    path = shared / "photos" / "paired" / "garment" / "06802_00.jpg"
    if not path.is_file() or not networks.find().is_dir():
        pytest.skip("needs the photographs and the bundled networks")
    picture = Image.open(path).convert("RGB")
    shown = foreground(np.asarray(picture))
    front = front_of(picture, shown, Garment.UPPER, Networks.load(networks.find()).shot)
    left, right = np.flatnonzero((shown > 0).any(0))[[0, -1]]
    middle, width = (left + right) // 2, right - left
    taken = ((shown > 0) & (front == 0))[: int(0.3 * len(shown)), middle - width // 4 : middle + width // 4]
    deep = np.flatnonzero(taken.sum(0) > 0.015 * len(shown))
    assert len(deep) > 0.1 * width and abs(deep.mean() - width // 4) < 0.05 * width


@pytest.mark.parametrize(
    "print_", [_box(60, 120, 70, 122), _box(20, 40, 130, 160), _box(20, 200, 90, 102), np.zeros(FRAME, bool)]
)
def test_a_print_a_shoulder_and_a_placket_are_no_neck(print_):
    picture, shown = shot_with(print_)
    assert np.array_equal(front_of(picture, shown, Garment.UPPER, ReadsColours()), shown)


def test_holes_that_are_surely_cloth_are_filled_and_legs_stay_apart():
    picture, whole = shot_with()
    shown = np.where(_box(100, 120, 90, 100), 0, whole).astype(np.uint8)
    assert np.array_equal(front_of(picture, shown, Garment.DRESS, ReadsColours()), whole)
    assert np.array_equal(front_of(picture, shown, Garment.LOWER, ReadsColours()), shown)


def test_a_shadow_above_the_gap_between_legs_is_ground_and_a_pale_print_is_not():
    """By its colour, whatever a reader says: here it takes all that is no white for cloth."""
    picture, whole = shot_with()
    gap, shadow, seam = _box(140, 230, 90, 102), _box(100, 140, 92, 100), _box(60, 90, 60, 68)
    seen, shown = np.asarray(picture).copy(), np.where(gap, 0, whole).astype(np.uint8)
    seen[whole > 0], seen[gap], seen[shadow | seam] = (90, 40, 40), 255, 232
    front = front_of(Image.fromarray(seen), shown, Garment.LOWER, ReadsColours()) > 0
    assert not front[shadow].any() and front[seam].all() and (front == (shown > 0))[~shadow].mean() > 0.99


def test_strips_of_ground_are_taken_off_and_white_cloth_is_not():
    """A wedge between legs; as much of a garment as a reader may take for ground if it is of one colour."""
    picture, shown = shot_with()
    wedge, half = _box(120, 230, 92, 98), _box(120, 180, 20, 80)
    for white, is_taken in ((wedge, True), (half, False)):
        seen = np.asarray(picture).copy()
        seen[white] = 255
        front = front_of(Image.fromarray(seen), shown, Garment.LOWER, ReadsColours())
        assert (
            bool((front[white] == 0).mean() > 0.9) == is_taken
            and (front[~white] == shown[~white]).mean() > 0.99
        )


# ---------------------------------------------------------------------------------------- cloth and light


@pytest.mark.parametrize("ground", [(255, 255, 255), (120, 120, 120), (0, 0, 0)])
def test_no_ground_is_left_near_the_cloth(ground):
    shown = np.zeros((400, 300), np.uint8)
    shown[100:300, 80:220] = 255
    picture = np.where(shown[..., None] > 0, (180, 30, 60), ground).astype(np.uint8)
    shown[96:100, 80:220] = 255  # the mask takes in a strip of ground, and beside it the edge's mixed pixels
    shown[100:300, 79] = 255
    picture[100:300, 79] = np.mean([ground, (180, 30, 60)], axis=0)
    grown = extended(picture, trimmed(picture, shown > 0))
    near = np.zeros((400, 300), bool)
    near[80:320, 60:240] = True
    assert np.abs(grown[near] - (180, 30, 60)).max() < 3
    pattern = picture.copy()
    pattern[150:250:10, 100:200] = 250
    inner = (slice(140, 260), slice(110, 190))
    assert np.abs(extended(pattern, shown)[inner] - pattern[inner]).max() < 1  # its own print stays


def test_a_person_s_hair_keeps_its_colour_nearly_to_the_outline():
    """A photo of LONGEST px: a strip of hair of 7 px around a head is there but for its outermost 3 px."""
    shown, inner = np.zeros((LONGEST, 384), np.uint8), np.zeros((LONGEST, 384), bool)
    shown[100:200, 100:180], inner[107:193, 107:173] = 255, True
    picture = np.where(inner[..., None], (200, 160, 140), (40, 30, 25)).astype(np.uint8)
    picture[shown == 0] = 240
    grown = extended(picture, shown, ROUGH_RIM)
    assert np.abs(grown[150, 104:107] - (40, 30, 25)).max() < 12


def test_white_stays_white_and_folds_stay():
    garment = np.zeros((40, 30), np.float32)
    garment[5:35, 5:25] = 1
    dark = anchored(np.full((40, 30, 3), 0.6, np.float32), garment)
    assert np.abs(dark - 0.6**MEAN_SHARE).max() < 1e-4 and dark.min() > 0.9
    fold = np.ones((40, 30, 3), np.float32)
    fold[:, :15] = 0.8
    fold[:, 15:] = 1.25
    kept = anchored(fold, garment)
    assert kept[10, 20, 0] / kept[10, 10, 0] == pytest.approx(1.25 / 0.8, rel=1e-4)
    wild = anchored(fold**8, garment)
    assert wild.max() / wild.min() <= np.exp(2 * MOST_SHADE) + 1e-4


# ---------------------------------------------------------------------------------------- no leak


def composed_try_on(index, kind, pipeline, made):
    """Share of the old garment of a synthetic person that is left after the bundled weights' composition."""
    settings = Settings(seed=21, split=Split.TEST, reuse=1, damage=False, kind=kind)
    colour = rarest_garish(make_redressed(index, settings).person)
    sample = make_redressed(index, settings, colour)
    size = tuple(sample.person.shape[-2:])
    region = Region.whole(size, FRAME)
    photo = to_pil(sample.old_person)
    silhouette = np.where(sample.old_labels.numpy() > 0, 255, 0).astype(np.uint8)
    reading = read_photo(photo, region, silhouette, sample.parts.permute(1, 2, 0).numpy(), made)
    mask = np.where(sample.mask[0].numpy() > 0.5, 255, 0).astype(np.uint8)
    scene = Scene(
        photo=photo,
        mask=with_worn(mask, region, reading, kind),
        by_hand=np.zeros(size, bool),
        reading=reading,
        region=region,
        reference=to_pil(sample.reference),
        shown=np.where(sample.reference_mask[0].numpy() > 0.5, 255, 0).astype(np.uint8),
        reference_region=region,
        garment=kind,
    )
    before = replace(sample, person=sample.old_person)
    attention = field_of(attention_of(pipeline, [before], index))[0]
    composed = compose(scene, attention, made)
    return leaked_share(to_tensor(composed.image), sample.old_mask, colour, sample.person)


def leaks(count):
    pipeline = LeffaPipeline.from_pretrained(models.BUNDLED.folder)
    made = Networks.load(networks.find())
    kinds = list(Garment)
    return [composed_try_on(i, kinds[i % len(kinds)], pipeline, made) for i in range(count)]


def test_nothing_of_the_old_garment_remains():
    found = leaks(8)
    assert np.mean(found) < 0.005, found


@pytest.mark.slow
def test_nothing_of_the_old_garment_remains_on_two_hundred_people():
    found = leaks(200)
    assert np.mean(found) < 0.005, sorted(found)[-20:]


# ---------------------------------------------------------------------------------------- pieces of a pose


def head_at(left, top, size):
    """A part map with nothing but a head of ``size`` px a side, every place of it with its own name."""
    parts = np.zeros((*SIZE, 3), np.uint8)
    steps = np.linspace(0, 255, size).astype(np.uint8)
    parts[top : top + size, left : left + size] = np.dstack(
        [np.full((size, size), Part.HEAD_LEFT), *np.meshgrid(steps, steps)]
    )
    return parts


def test_a_head_is_carried_by_the_turn_between_both_part_maps():
    fit = similarity(head_at(20, 30, 40), head_at(60, 100, 80), PIECES[0])
    assert np.allclose(fit @ [20, 30, 1], [60, 100], atol=2)
    assert np.allclose(fit @ [60, 70, 1], [140, 180], atol=2)
    assert similarity(head_at(20, 30, 40), np.zeros((*SIZE, 3), np.uint8), PIECES[0]) is None
    upside_down = head_at(60, 100, 80)[::-1, ::-1]
    assert similarity(head_at(20, 30, 40), upside_down, PIECES[0]) is None


def test_a_carried_piece_brings_its_own_outline(scene, attention):
    """The network covers nothing; where the reference's head lies its pixels are, all the same."""
    reference = np.full((*SIZE, 3), (200, 60, 10), np.uint8)
    parts = head_at(60, 100, 80)
    shown = np.where(parts[..., 0] > 0, 255, 0).astype(np.uint8)
    reading = replace(reading_of(Seen.FACE), parts=head_at(60, 100, 80))
    scene = replace(
        scene,
        garment=None,
        reading=reading,
        reference=Image.fromarray(reference),
        shown=shown,
        reference_region=Region.whole(SIZE, FRAME),
    )
    plain = compose(scene, attention, untrained(Shows.GROUND))
    carried = compose(replace(scene, reference_parts=parts), attention, untrained(Shows.GROUND))
    assert plain.silhouette.max() < 0.1
    assert carried.silhouette[120:160, 80:120].min() > 0.9 and carried.silhouette[:60].max() < 0.1
