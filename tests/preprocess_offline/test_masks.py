"""The masks: all of the old garment inside, face, hair and hands outside, the worn cut not to be read off."""

import numpy as np
import pytest
from drawn_figures import ARMS, BOTTOM, SKIN, TOP, WIDTH, Figure, draw, landmarks_of, mirrored

from leffa.config import Garment
from leffa.preprocess.labels import Landmark
from leffa.preprocess.offline.colour_cues import find_cues
from leffa.preprocess.offline.colours import Colours
from leffa.preprocess.offline.figure import Figure as Body
from leffa.preprocess.offline.hem import find_hem
from leffa.preprocess.offline.masks import Hem, MaskOptions, Sleeve, agnostic_mask

OUTFITS = {
    "tee and trousers": {"sleeve": 0.7},
    "tight": {"sleeve": 2.0, "hem": 0.3},
    "loose": {"sleeve": 2.0, "loose": 0.3, "hem": -0.1},
    "skirt": {"sleeve": 0.0, "skirt": 0.9},
    "maxi skirt": {"skirt": 2.1},
    "long hair": {"hair_length": 0.9},
}


def mask_of(
    figure: Figure, garment: Garment, options: MaskOptions | None = None, with_image: bool = True
) -> np.ndarray:
    image = figure.image if with_image else None
    mask = agnostic_mask(figure.landmarks, figure.silhouette, garment, image, options or MaskOptions())
    assert mask.dtype == np.uint8
    assert mask.shape == figure.silhouette.shape
    assert set(np.unique(mask)) <= {0, 255}
    return mask > 0


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.count_nonzero(first & second) / np.count_nonzero(first | second))


@pytest.mark.parametrize("garment", Garment)
@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("outfit", OUTFITS)
def test_keeps_face_hair_and_hands_and_covers_the_old_garment(
    garment: Garment, arms: str, outfit: str
) -> None:
    figure = draw(landmarks_of(arms), **OUTFITS[outfit])
    mask = mask_of(figure, garment)
    assert not mask[figure.where["face"]].any()
    assert np.mean(mask[figure.where["hair"]]) < 0.03  # ragged pixels where strands meet the top
    hands = figure.where["hands"]
    assert np.count_nonzero(mask & hands) <= 0.02 * np.count_nonzero(hands) + 6  # pixels shared with a cuff
    worn = {
        Garment.UPPER: figure.where["top"],
        Garment.LOWER: figure.where["bottom"],
        Garment.DRESS: figure.where["top"] | figure.where["bottom"],
    }[garment]
    # What touches the feet may be taken for a shoe; hands laid on trousers keep a rim of them.
    assert np.mean(mask[worn]) > (0.99 if garment is Garment.UPPER else 0.94)


@pytest.mark.parametrize("garment", Garment)
@pytest.mark.parametrize("arms", ARMS)
def test_without_a_picture_it_works_too(garment: Garment, arms: str) -> None:
    figure = draw(landmarks_of(arms), sleeve=0.7)
    mask = mask_of(figure, garment, with_image=False)
    for protected in ("face", "hair", "hands"):
        assert not mask[figure.where[protected]].any(), protected
    worn = figure.where["bottom" if garment is Garment.LOWER else "top"]
    assert np.mean(mask[worn]) > 0.92  # arms laid over the trousers keep a rim of them


def test_only_the_asked_garment_is_repainted() -> None:
    figure = draw(landmarks_of())
    upper, lower, dress = (mask_of(figure, garment) for garment in Garment)
    assert np.mean(upper[figure.where["bottom"]]) < 0.12  # a sleeve's room beside the hips
    assert np.mean(lower[figure.where["top"]]) < 0.04  # the border itself
    assert np.mean(dress[upper | lower]) > 0.97
    assert np.mean(dress[figure.where["feet"]]) < 0.3


@pytest.mark.parametrize("garment", Garment)
@pytest.mark.parametrize("facing", [1, -1])
def test_a_mirrored_person_has_the_mirrored_mask(garment: Garment, facing: int) -> None:
    figure = draw(landmarks_of("akimbo", centre=(92.0, 127.0), facing=facing), hair_length=0.5, sleeve=0.7)
    there = mask_of(figure, garment)
    twin = Figure(mirrored(figure.landmarks), figure.silhouette[:, ::-1], figure.image[:, ::-1].copy())
    assert overlap(there, mask_of(twin, garment)[:, ::-1]) > 0.99


@pytest.mark.parametrize("with_image", [True, False])
def test_the_worn_cut_cannot_be_read_off(with_image: bool) -> None:
    """Sleeveless, tight and loose tops of one length leave nearly the same mask behind."""
    cuts = [
        mask_of(draw(landmarks_of(), **cut), Garment.UPPER, with_image=with_image)
        for cut in ({"sleeve": 0.0}, {"sleeve": 0.7}, {"sleeve": 2.0}, {"sleeve": 2.0, "loose": 0.2})
    ]
    for other in cuts[1:]:
        assert overlap(cuts[0], other) > 0.93


def test_sleeve_wishes() -> None:
    bare = draw(landmarks_of(), sleeve=0.0)
    none, elbow, wrist, automatic = (
        mask_of(bare, Garment.UPPER, MaskOptions(sleeve=sleeve))
        for sleeve in (Sleeve.NONE, Sleeve.ELBOW, Sleeve.WRIST, None)
    )
    assert np.array_equal(wrist, automatic)
    assert none.sum() < elbow.sum() < wrist.sum()
    middle = bare.landmarks[[Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST], :2].mean(0).astype(int)
    assert wrist[middle[1], middle[0]]
    assert not elbow[middle[1], middle[0]]
    # A wish shorter than what is worn would leave half of the old sleeve there: it is included.
    clothed = draw(landmarks_of(), sleeve=2.0)
    mask = mask_of(clothed, Garment.UPPER, MaskOptions(sleeve="none"))
    assert np.mean(mask[clothed.where["top"]]) > 0.95


def test_hem_wishes() -> None:
    figure = draw(landmarks_of(), hem=0.2)
    ends = []
    for hem in (Hem.WAIST, Hem.HIP, Hem.KNEE, Hem.ANKLE):
        mask = mask_of(figure, Garment.UPPER, MaskOptions(hem=hem))
        ends.append(np.flatnonzero(mask[:, WIDTH // 2]).max())
    assert ends[0] < ends[1] < ends[2] < ends[3]
    knee, ankle = (figure.landmarks[mark, 1] for mark in (Landmark.LEFT_KNEE, Landmark.LEFT_ANKLE))
    assert abs(ends[2] - knee) < 8
    shins = []
    for hem in (Hem.HIP, Hem.KNEE, Hem.ANKLE):
        mask = mask_of(draw(landmarks_of(), skirt=0.5), Garment.LOWER, MaskOptions(hem=hem))
        shins.append(np.flatnonzero(mask.any(1)).max())
    assert shins[0] < shins[1] < shins[2]
    assert shins[1] < (knee + ankle) / 2
    # Shorts wished, trousers worn: the trousers must go.
    trousers = draw(landmarks_of())
    mask = mask_of(trousers, Garment.LOWER, MaskOptions(hem="knee"))
    assert np.mean(mask[trousers.where["bottom"]]) > 0.93


def test_protections_can_be_lifted() -> None:
    figure = draw(landmarks_of(), hair_length=0.8)
    for name, place in (("protect_hands", "hands"), ("protect_hair", "hair")):
        kept = mask_of(figure, Garment.UPPER)
        lifted = mask_of(figure, Garment.UPPER, MaskOptions(**{name: False}))
        area = figure.where[place]
        assert np.mean(lifted[area]) > np.mean(kept[area]) + 0.2
    both = mask_of(figure, Garment.UPPER, MaskOptions(protect_face=False, protect_hair=False))
    assert both.sum() > mask_of(figure, Garment.UPPER, MaskOptions(protect_hair=False)).sum()


def test_margin_widens() -> None:
    figure = draw(landmarks_of())
    for garment in Garment:
        sizes = [mask_of(figure, garment, MaskOptions(margin=margin)).sum() for margin in (0, 0.5, 1, 2)]
        assert np.all(np.diff(sizes) > 100)


def test_a_bag_is_left_alone() -> None:
    figure = draw(landmarks_of("down"))
    hand = figure.landmarks[Landmark.RIGHT_INDEX, :2].astype(int)
    bag = np.zeros_like(figure.silhouette, bool)
    bag[hand[1] + 2 : hand[1] + 26, hand[0] - 20 : hand[0] + 4] = True
    figure.image[bag] = (180, 20, 30)
    figure.silhouette[bag] = 1
    lower = mask_of(figure, Garment.LOWER)
    assert np.mean(lower[bag]) < 0.25
    assert np.mean(mask_of(figure, Garment.LOWER, MaskOptions(protect_bag=False))[bag]) > 0.6
    assert np.mean(lower[figure.where["bottom"] & ~bag]) > 0.95


def test_a_hand_in_a_pocket_is_cloth() -> None:
    figure = draw(landmarks_of())
    pocket = figure.where["hands"].copy()
    figure.image[pocket] = BOTTOM
    assert np.mean(mask_of(figure, Garment.DRESS)[pocket]) > 0.9
    gloved = draw(landmarks_of())
    gloved.image[pocket] = (250, 240, 20)
    assert np.mean(mask_of(gloved, Garment.DRESS)[pocket]) < 0.1


@pytest.mark.parametrize("size", [(1024, 768), (333, 251), (97, 64), (200, 700)])
def test_any_size(size: tuple[int, int]) -> None:
    import cv2

    figure = draw(landmarks_of())
    ratio = size[0] / figure.silhouette.shape[0]
    stretch = np.array([size[1] / WIDTH, ratio, ratio, 1], np.float32)
    silhouette = cv2.resize(figure.silhouette, size[::-1])
    image = cv2.resize(figure.image, size[::-1])
    mask = agnostic_mask(figure.landmarks * stretch, silhouette, Garment.UPPER, image)
    assert mask.shape == size
    assert set(np.unique(mask)) == {0, 255}
    if size[1] / size[0] == 0.75:
        small = cv2.resize(mask, (WIDTH, 256), interpolation=cv2.INTER_AREA) > 127
        assert overlap(small, mask_of(figure, Garment.UPPER)) > 0.97


def test_cropped_people_and_nonsense() -> None:
    figure = draw(landmarks_of(scale=90.0, centre=(96.0, 230.0)))  # head and chest
    for garment in Garment:
        mask_of(figure, garment)
    nobody = np.zeros((64, 64), np.float32)
    assert agnostic_mask(landmarks_of() * 0, nobody, Garment.UPPER).shape == (64, 64)


def test_options_are_checked() -> None:
    assert MaskOptions(sleeve="elbow").sleeve is Sleeve.ELBOW
    for wrong in ({"sleeve": "shoulder"}, {"hem": "toe"}, {"margin": -1}, {"margin": 99}):
        with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
            MaskOptions(**wrong)


class TestHem:
    @staticmethod
    def height_found(figure: Figure) -> float | None:
        """Shoulder widths above the hips, where a top's mask would end."""
        body = Body.of(figure.landmarks, figure.silhouette)
        hem = find_cues(body, figure.image).hem
        return None if hem is None else hem.low / body.skeleton.scale

    @pytest.mark.parametrize("height", [-0.3, 0.0, 0.2, 0.5])
    def test_is_where_the_colour_changes(self, height: float) -> None:
        found = self.height_found(draw(landmarks_of(), hem=height))
        assert found is not None
        assert abs(found - height) < 0.06

    def test_one_colour_has_none(self) -> None:
        figure = draw(landmarks_of(), top=TOP, bottom=TOP)
        assert self.height_found(figure) is None
        # Not knowing, the mask reaches below where most tops end.
        row = int(figure.landmarks[Landmark.LEFT_HIP, 1])
        assert mask_of(figure, Garment.UPPER)[row + 8, WIDTH // 2]

    def test_a_line_between_two_of_one_colour_is_found(self) -> None:
        figure = draw(landmarks_of(), top=(30, 30, 34), bottom=(30, 30, 34))
        row = int(figure.landmarks[Landmark.LEFT_HIP, 1] - 0.3 * 42)
        figure.image[row : row + 2][figure.where["top"][row : row + 2]] = (48, 48, 52)
        found = self.height_found(figure)
        assert found is not None
        assert abs(found - 0.3) < 0.08

    def test_where_a_mini_dress_ends_on_bare_legs_is_no_hem(self) -> None:
        figure = draw(landmarks_of(), hem=-0.5, bottom=SKIN)
        assert self.height_found(figure) is None

    def test_stripes_are_no_hem(self) -> None:
        figure = draw(landmarks_of(), hem=0.0)
        stripes = figure.where["top"] & (np.arange(256)[:, None] // 4 % 2 == 0)
        figure.image[stripes] = (240, 240, 240)
        found = self.height_found(figure)
        assert found is not None
        assert abs(found) < 0.1

    def test_head_only_has_none(self) -> None:
        figure = draw(landmarks_of(scale=150.0, centre=(96.0, 480.0)))
        body = Body.of(figure.landmarks, figure.silhouette)
        assert find_hem(body, Colours(figure.image, 1.0), None) is None
