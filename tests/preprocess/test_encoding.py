"""The conditions made of part maps: order and range of the channels of each encoding."""

import numpy as np
import pytest

from leffa.config import DensePoseEncoding
from leffa.errors import PictureError
from leffa.preprocess.encoding import Order, encode_densepose, parula_picture
from leffa.preprocess.labels import PARULA, Part

# one pixel of the left foot, one of the background
IUV = np.array([[[5, 51, 204], [0, 255, 0]]], np.uint8)


@pytest.mark.parametrize(
    ("encoding", "foot", "background"),
    [
        ("viton-hd", [14 / 255, 122 / 255, 216 / 255], [0, 0, 0]),
        ("dress-code", [5 / 255, 5 / 255, 5 / 255], [0, 0, 0]),
        ("pose-demo", [0.2, 0.8, 5 / 255], [1, 0, 0]),
        ("pose-training", [0.2, 0.8, 5 / 24], [1, 0, 0]),
    ],
)
def test_channels_of_each_encoding(encoding: str, foot: list[float], background: list[float]) -> None:
    condition = encode_densepose(IUV, encoding)
    assert condition.dtype == np.float32 and condition.shape == IUV.shape
    np.testing.assert_allclose(condition[0, 0], np.array(foot) * 2 - 1, atol=1e-6)
    np.testing.assert_allclose(condition[0, 1], np.array(background) * 2 - 1, atol=1e-6)
    official_order = IUV[:, :, [0, 2, 1]]
    np.testing.assert_array_equal(encode_densepose(official_order, encoding, Order.IVU), condition)


def test_the_body_encoding_is_not_made_here() -> None:
    with pytest.raises(ValueError, match="body"):
        encode_densepose(IUV, DensePoseEncoding.BODY)


def test_a_wrong_order_is_noticed() -> None:
    with pytest.raises(ValueError, match="order"):
        encode_densepose(IUV[:, :, ::-1], "dress-code")
    with pytest.raises(PictureError):
        encode_densepose(IUV[..., 0], "dress-code")


def test_parula_has_one_colour_for_each_part() -> None:
    """As OpenCV's own map at trunc(part * 255 / 24), with a black background."""
    import cv2

    assert len(PARULA) == len(Part) and len(set(PARULA)) == len(Part)
    parts = np.arange(len(Part), dtype=np.uint8)[None]
    picture = parula_picture(parts)
    indices = (parts.astype(np.float32) * 255 / 24).astype(np.uint8)
    official = cv2.applyColorMap(indices, cv2.COLORMAP_PARULA)[:, :, ::-1]
    np.testing.assert_array_equal(picture[:, 1:], official[:, 1:])
    assert (picture[0, 0] == 0).all()
