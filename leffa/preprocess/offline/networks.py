"""The models that find people and faces, by mediapipe or, where that cannot be installed, by LiteRT.

Both run the same files. mediapipe 0.10.21 wants Python below 3.13 and NumPy below 2; LiteRT wants neither.
"""

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.errors import LeffaError
from leffa.imports import used_later
from leffa.preprocess.offline import blazepose
from leffa.preprocess.offline.blazepose import Square
from leffa.weights import pose_models

Array = NDArray[np.float32]

LEAST_SURE = 0.3  # score of a body that is believed
_SURE_FACE = 0.6  # mediapipe keeps to its own, whatever is asked: its graph does not read the option
_SEEN = 0.5  # from here on there is a body in the crop


class Networks(Protocol):
    """What the estimator asks of the models, for pictures (H, W, 3) uint8 RGB."""

    def pose(self, image: NDArray[np.uint8]) -> tuple[Array, Array] | None:
        """Landmarks (33, 4), see ``pose.Person``, and silhouette (H, W) in [0, 1] of the clearest person."""

    def faces(self, image: NDArray[np.uint8]) -> list[Array]:
        """Boxes (4,) float32: left, top, right, bottom in pixels."""

    def close(self) -> None:
        """Free the models."""


def load() -> Networks:
    """mediapipe's where that is installed with its models, else LiteRT's. LeffaError if neither is."""
    if pose_models.packaged() is not None:
        return MediapipeNetworks()
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise LeffaError(
            "people are found by the package mediapipe 0.10.21 or by ai-edge-litert, and neither is "
            "installed: install the requirements again, `pip install -r requirements.txt`"
        )
    return LitertNetworks()


class MediapipeNetworks:
    """``mediapipe.solutions``, whose wheel carries the models."""

    def __init__(self) -> None:
        with used_later(
            "matplotlib", "pyplot"
        ):  # mediapipe's own drawing wants it, and it takes longer to load
            import mediapipe

        self._pose = mediapipe.solutions.pose.Pose(
            static_image_mode=True,
            model_complexity=1,  # the one whose model is in the wheel
            enable_segmentation=True,
            min_detection_confidence=LEAST_SURE,
        )
        self._faces = mediapipe.solutions.face_detection.FaceDetection(
            model_selection=1, min_detection_confidence=_SURE_FACE
        )

    def pose(self, image: NDArray[np.uint8]) -> tuple[Array, Array] | None:
        result = self._pose.process(image)
        if result.pose_landmarks is None:
            return None
        height, width = image.shape[:2]
        marks = result.pose_landmarks.landmark
        landmarks = [[mark.x * width, mark.y * height, mark.z * width, mark.visibility] for mark in marks]
        return np.array(landmarks, np.float32), result.segmentation_mask.astype(np.float32)

    def faces(self, image: NDArray[np.uint8]) -> list[Array]:
        height, width = image.shape[:2]
        boxes = []
        for found in self._faces.process(image).detections or []:
            box = found.location_data.relative_bounding_box
            sides = [box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height]
            boxes.append(np.array(sides, np.float32) * np.array([width, height, width, height], np.float32))
        return boxes

    def close(self) -> None:
        self._pose.close()
        self._faces.close()


class LitertNetworks:
    """The same models run by ai-edge-litert. Raises WeightsError if their files are not here."""

    _BODIES, _LANDMARKS, _FACES = 224, 256, 192  # px that the three models see
    _POINTS = 39  # landmarks and six that only mediapipe's tracking of films uses
    _OURS = 33

    def __init__(self) -> None:
        files = pose_models.paths()
        self._bodies = _Model(files["pose_detection.tflite"])
        self._landmarks = _Model(files["pose_landmark_full.tflite"])
        self._faces = _Model(files["face_detection_full_range_sparse.tflite"])
        self._body_anchors = blazepose.anchors(self._BODIES, ((8, 2), (16, 2), (32, 6)))
        self._face_anchors = blazepose.anchors(self._FACES, ((4, 1),))

    def pose(self, image: NDArray[np.uint8]) -> tuple[Array, Array] | None:
        whole = Square.around(image)
        found = self._detect(self._bodies, image, self._BODIES, self._body_anchors, LEAST_SURE)
        if not len(found.scores):
            return None
        hips, reach = whole.to_picture(found.points[0, :2])
        body = Square.of_body(hips, reach)
        if not 0 < body.side < np.inf:
            return None
        cut = body.cut(image, self._LANDMARKS, cv2.BORDER_REPLICATE)
        values, seen, mask, heat, _ = self._landmarks(cut.astype(np.float32) / 255)
        if not seen.item() > _SEEN:
            return None
        marks = values.reshape(self._POINTS, 5)[: self._OURS]
        places = blazepose.refined(marks[:, :2] / self._LANDMARKS, heat[0, :, :, : self._OURS])
        depth = marks[:, 2:3] / self._LANDMARKS * body.side
        landmarks = np.hstack([body.to_picture(places), depth, blazepose.sigmoid(marks[:, 3:4])])
        silhouette = body.lay_back(blazepose.sigmoid(mask[0, :, :, 0]), *image.shape[:2])
        return landmarks.astype(np.float32), silhouette

    def faces(self, image: NDArray[np.uint8]) -> list[Array]:
        found = self._detect(self._faces, image, self._FACES, self._face_anchors, _SURE_FACE)
        corners = Square.around(image).to_picture(found.boxes.reshape(-1, 2, 2))
        return list(corners.reshape(-1, 4))

    @staticmethod
    def _detect(
        model: "_Model", image: NDArray[np.uint8], pixels: int, middles: Array, least: float
    ) -> blazepose.Detections:
        """Found in the whole picture, in [0, 1] of the square around it."""
        cut = Square.around(image).cut(image, pixels, cv2.BORDER_CONSTANT)
        raw, logits = model(cut.astype(np.float32) / 127.5 - 1)
        return blazepose.merge(blazepose.decode(raw[0], logits[0, :, 0], middles, pixels, least))

    def close(self) -> None:
        del self._bodies, self._landmarks, self._faces


class _Model:
    """A .tflite file, loaded: a picture (N, N, 3) float32 in, its outputs by their names' order out."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        details = sorted(self._interpreter.get_output_details(), key=lambda detail: detail["name"])
        self._outputs = [detail["index"] for detail in details]

    def __call__(self, picture: Array) -> list[Array]:
        self._interpreter.set_tensor(self._input, picture[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
