"""How a body-part map becomes the condition that each of the released weights was trained with."""

from enum import Enum

import numpy as np

from leffa.config import DensePoseEncoding
from leffa.preprocess.labels import PARULA, Part
from leffa.preprocess.picture import require_rgb


class Order(str, Enum):
    """Order of the channels of a part map: part index I and surface coordinates U, V."""

    IUV = "IUV"
    IVU = "IVU"  # what ``DensePose.iuv`` returns, the official order


def parula_picture(parts: np.ndarray) -> np.ndarray:
    """(H, W) uint8 ``Part`` labels -> (H, W, 3) uint8 RGB in PARULA colours, background black."""
    return np.array(PARULA, np.uint8)[_checked_parts(parts)]


def encode_densepose(
    iuv: np.ndarray, encoding: DensePoseEncoding | str, order: Order | str = Order.IUV
) -> np.ndarray:
    """A part map -> the condition channels of the generative UNet, (H, W, 3) float32 in [-1, 1].

    iuv    (H, W, 3) uint8: I a ``Part`` 0 .. 24; U and V 0 .. 255
    order  which channel is which: pass ``Order.IVU`` for what ``DensePose.iuv`` returns

    The channels of the result:

    VITON_HD       R, G, B of ``parula_picture`` of I. (The official demo draws ``predict_seg`` in B, G, R and
                   reverses it; with several people it shows another person than ``predict_iuv``.)
    DRESS_CODE     I, I, I as a picture: 0 .. 24 of 255, i.e. all values within [-1, -0.81]
    POSE_DEMO      U, V, I (``predict_iuv``'s I, V, U reversed) as a picture: all three over 255
    POSE_TRAINING  U, V, I with U and V over 255 and I over 24, as in training

    Raises ValueError for an encoding that needs more than a part map.
    """
    encoding, order = DensePoseEncoding(encoding), Order(order)
    require_rgb(iuv)
    channels = dict(zip(order.value, np.moveaxis(iuv, 2, 0), strict=True))
    part, u, v = _checked_parts(channels["I"]), channels["U"], channels["V"]
    if encoding is DensePoseEncoding.VITON_HD:
        return _to_unit(parula_picture(part))
    if encoding is DensePoseEncoding.DRESS_CODE:
        return _to_unit(np.stack([part, part, part], axis=-1))
    if encoding is DensePoseEncoding.POSE_DEMO:
        return _to_unit(np.stack([u, v, part], axis=-1))
    if encoding is DensePoseEncoding.POSE_TRAINING:
        return np.stack([_to_unit(u), _to_unit(v), _to_unit(part, max(Part))], axis=-1)
    raise ValueError(f"The encoding {encoding.value!r} is not made from a part map alone.")


def _to_unit(values: np.ndarray, largest: int = 255) -> np.ndarray:
    return values.astype(np.float32) / int(largest) * 2 - 1  # by a Part, NumPy 2 would make float64 of it


def _checked_parts(parts: np.ndarray) -> np.ndarray:
    if parts.size and parts.max() > max(Part):
        raise ValueError(
            f"A part index of {parts.max()} was found where 0 .. {max(Part):d} are known; "
            "is the order of the channels right?"
        )
    return parts
