"""Human parsing: two onnx networks, ATR for the clothes and LIP for the face, merged as officially."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from leffa.errors import WeightsError
from leffa.preprocess.labels import Lip, Parse
from leffa.preprocess.picture import require_rgb, size_of

# of B, G, R
_MEAN = np.array([0.406, 0.456, 0.485], np.float32)
_DEVIATION = np.array([0.225, 0.224, 0.229], np.float32)
_FUSION_OUTPUT = 1  # of (parsing, fusion, edge)
_ATR = (len(Parse) - 1, 512)  # classes (ATR knows no neck) and side of the input
_LIP = (len(Lip), 473)
_ARMS = (Parse.LEFT_ARM, Parse.RIGHT_ARM)
_LARGE_HOLE = 2000  # pixels


class HumanParser:
    """The released parsing networks (``parsing_atr.onnx``, ``parsing_lip.onnx``) through onnxruntime."""

    def __init__(self, atr, lip) -> None:
        """Take two onnxruntime sessions, or anything with their ``run``, ``get_inputs``, ``get_outputs``."""
        self._networks = (_ParsingNetwork(atr, *_ATR), _ParsingNetwork(lip, *_LIP))

    @classmethod
    def from_files(
        cls, atr: str | Path, lip: str | Path, providers: Sequence[str] = ("CPUExecutionProvider",)
    ) -> "HumanParser":
        """Load both networks. Raises WeightsError if a file is missing, damaged, or another network."""
        import onnxruntime

        sessions = []
        for path in (Path(atr), Path(lip)):
            if not path.is_file():
                raise WeightsError(f"There is no weights file {path}; fetch it with `leffa download`.")
            try:
                sessions.append(onnxruntime.InferenceSession(str(path), providers=list(providers)))
            except Exception as error:  # onnxruntime has no common base class for a file it cannot read
                raise WeightsError(
                    f"{path} is damaged or no onnx network; fetch it again with `leffa download`."
                ) from error
        return cls(*sessions)

    def parse(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (H, W) uint8 ``Parse`` labels, 0 .. 18."""
        require_rgb(image)
        atr, lip = (network.logits(image).argmax(axis=2).astype(np.uint8) for network in self._networks)
        return merge_labels(atr, lip)


def merge_labels(atr: np.ndarray, lip: np.ndarray) -> np.ndarray:
    """ATR labels with holes closed, and NECK where ATR sees a head but LIP no face; all (H, W) uint8."""
    labels = close_holes(atr)
    labels[(labels == Parse.HEAD) & (lip != Lip.FACE)] = Parse.NECK
    return labels


def close_holes(labels: np.ndarray) -> np.ndarray:
    """Turn small holes in the upper clothes, and between them and the arms, into upper clothes.

    Holes of more than 2000 pixels keep their labels, and so do the arms, except where a large hole's outline
    covers them: there the released code's 8-bit sum overflows to 0 and the arm becomes clothes as well.
    """
    original = np.pad(labels, 1)
    is_arm = np.isin(original, _ARMS)
    is_upper = is_arm | (original == Parse.UPPER_CLOTHES)
    filled = fill_holes(is_upper)

    holes = (filled & ~is_upper).astype(np.int32) * 255
    contours, _ = cv2.findContours(holes, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    large = np.zeros(original.shape, np.uint8)
    for contour in contours:
        if abs(cv2.contourArea(contour, oriented=True)) > _LARGE_HOLE:
            cv2.drawContours(large, [contour], 0, color=(1,), thickness=-1)
    is_kept = (large > 0) ^ is_arm
    closed = np.where(filled & ~is_kept, np.uint8(Parse.UPPER_CLOTHES), original)
    return closed[1:-1, 1:-1].copy()


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool with everything set that cannot be reached from the top left corner over unset pixels."""
    outside = mask.astype(np.uint8)
    border = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    cv2.floodFill(outside, border, (0, 0), (2,))
    return mask | (outside != 2)


class _ParsingNetwork:
    """One network with the crop it wants: the picture in the middle of a black square."""

    def __init__(self, session, classes: int, side: int) -> None:
        self._session = session
        self._side = side
        outputs = session.get_outputs()
        found = outputs[_FUSION_OUTPUT].shape[1] if len(outputs) > _FUSION_OUTPUT else 0
        if isinstance(found, int) and found != classes:  # a name instead of a number: any size is taken
            raise WeightsError(
                f"A parsing network of {classes} classes is needed here, and this one has {found}; "
                "the order is ATR, then LIP."
            )

    def logits(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (H, W, classes) float32; 0 where the network saw nothing."""
        outputs = self._session.run(
            [self._session.get_outputs()[_FUSION_OUTPUT].name],
            {self._session.get_inputs()[0].name: network_input(image, self._side)[None]},
        )
        return full_size_logits(outputs[0][0], size_of(image), self._side)


def network_input(image: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (3, side, side) float32, normalised, in B, G, R order."""
    to_square = cv2.getAffineTransform(*_corresponding_points(size_of(image), side))
    square = cv2.warpAffine(np.ascontiguousarray(image[:, :, ::-1]), to_square, (side, side))
    normalised = (square.astype(np.float32) / 255 - _MEAN) / _DEVIATION
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def full_size_logits(logits: np.ndarray, size: tuple[int, int], side: int) -> np.ndarray:
    """(C, h, w) network output -> (height, width, C) float32 over the picture of ``size``."""
    import torch
    from torch.nn.functional import interpolate

    square = interpolate(torch.from_numpy(logits)[None], (side, side), mode="bilinear", align_corners=True)[0]
    in_picture, in_square = _corresponding_points(size, side)
    to_picture = cv2.getAffineTransform(in_square, in_picture)
    full = np.empty((*size, len(logits)), np.float32)
    for channel, plane in enumerate(square.numpy()):
        full[:, :, channel] = cv2.warpAffine(plane, to_picture, size[::-1])
    return full


def _corresponding_points(size: tuple[int, int], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre, top middle and top left of the square: in the picture and in itself, (3, 2) float32 each."""
    height, width = size
    reach = max(width - 1, height - 1) / 2
    return _three_points((width - 1) / 2, (height - 1) / 2, reach), _three_points(
        (side - 1) / 2, (side - 1) / 2, (side - 1) / 2
    )


def _three_points(x: float, y: float, reach: float) -> np.ndarray:
    return np.array([(x, y), (x, y - reach), (x - reach, y - reach)], np.float32)
