"""Face detectors behind one seam: picture -> faces. InsightFace's SCRFD, or MediaPipe's landmarker (Apache-2.0).

Every detector's box is brought to one convention, the landmark box of `models.face.face`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.face.face import Face, landmark_box, outline_box
from models.face.landmarker import media_pipe
from models.formats.onnx import one_thread, providers
from models.formats.tflite import quiet_native_stderr

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MIN_SCORE = 0.5
BROWS_AND_JAW = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
                 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356]
EYE_CORNERS = ([33, 133], [362, 263])
NOSE_TIP, MOUTH_CORNERS = 1, (61, 291)


def pad_twice(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture with half its size in black around it, and the offset [2] to take off again."""
    height, width = image.shape[:2]
    y, x = height // 2, width // 2
    return cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_CONSTANT), np.array([x, y], np.float64)


class InsightFaceDetector:
    """SCRFD of an InsightFace pack, run by its `FaceAnalysis` at `size_px`; a picture without a face is looked at again
    with a margin, because faces that fill the picture are missed."""

    def __init__(self, model: Path, size_px: int, landmarks: Path | None = None, device: str = "cpu"):
        """`model`: the `det_*.onnx` of a pack (buffalo_l's det_10g.onnx), or SCRFD of any one input size; `landmarks`:
        its `2d106det.onnx`, where faces are to have outlines. Raises ValueError where `device` is `cuda` and this ONNX
        Runtime computes on a core all the same."""
        options = one_thread()
        from insightface.app import FaceAnalysis

        with tempfile.TemporaryDirectory() as pack:
            _place(model, Path(pack) / f"det_{size_px}.onnx", size_px)
            analysis = FaceAnalysis(name=pack, allowed_modules=["detection"], providers=providers(device),
                                    sess_options=options)
            # inside, because it opens the file again
            analysis.prepare(ctx_id=0 if device == "cuda" else -1, det_thresh=MIN_SCORE, det_size=(size_px, size_px))
        self._network, self._size = analysis.det_model, (size_px, size_px)
        _check(self._network.session, device)
        self._landmarks = None if landmarks is None else _landmark_network(landmarks, options, device)

    def detect(self, image: np.ndarray) -> list[Face]:
        found = self._look(image, np.zeros(2))
        return found or self._look(*pad_twice(image))

    def _look(self, image: np.ndarray, offset: np.ndarray) -> list[Face]:
        boxes, points = self._network.detect(np.ascontiguousarray(image[:, :, ::-1]), input_size=self._size)
        faces = [self._face(image, box, eyes_to_mouth, offset)
                 for box, eyes_to_mouth in zip(boxes.astype(np.float64), points.astype(np.float64), strict=True)]
        return sorted(faces, key=lambda face: (-face.score, *face.box))

    def _face(self, image: np.ndarray, box: np.ndarray, points: np.ndarray, offset: np.ndarray) -> Face:
        outline = self._outline(image, box[:4], offset)
        around = landmark_box(box[:4] - np.tile(offset, 2)) if outline is None else outline_box(outline)
        return Face(around, float(box[4]), points - offset, outline)

    def _outline(self, image: np.ndarray, box: np.ndarray, offset: np.ndarray) -> np.ndarray | None:
        if self._landmarks is None:
            return None
        from insightface.app.common import Face as Found

        return self._landmarks.get(np.ascontiguousarray(image[:, :, ::-1]), Found(bbox=box)).astype(np.float64) - offset


def _check(session: InferenceSession, device: str) -> None:
    """A runtime that does not know the device, or not its libraries, takes a core without an error."""
    if device == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        raise ValueError("the detector was given a GPU, and this environment's ONNX Runtime computes on a core: it "
                         "wants the extra `gpu` and CUDA's libraries (docs/cluster.md)")


def _landmark_network(path: Path, options, device: str):
    """InsightFace's 106 landmarks, with its own crop and decode."""
    import onnxruntime
    from insightface.model_zoo.landmark import Landmark

    session = onnxruntime.InferenceSession(str(path), options, providers=providers(device))
    _check(session, device)
    return Landmark(str(path), session)


def _place(source: Path, target: Path, size_px: int) -> None:
    """Link the network into a pack folder; one with a fixed input size is rewritten to `size_px` (same weights)."""
    import onnx

    network = onnx.load(str(source), load_external_data=False)
    sides = network.graph.input[0].type.tensor_type.shape.dim[2:]
    fixed = [side.dim_value for side in sides]
    if fixed in ([0, 0], [size_px, size_px]):
        os.symlink(source.resolve(), target)
        return
    del network.graph.value_info[:]
    for side in sides:
        side.dim_value = size_px
    for output in network.graph.output:
        output.type.tensor_type.ClearField("shape")
    tensors = {tensor.name: tensor for tensor in network.graph.initializer}
    for node in network.graph.node:
        if node.op_type == "Resize" and len(node.input) > 3:  # its target size is a constant [1, C, H, W]
            size = onnx.numpy_helper.to_array(tensors[node.input[3]]).copy()
            size[2:] = size[2:] * size_px // fixed[0]
            tensors[node.input[3]].CopyFrom(onnx.numpy_helper.from_array(size, node.input[3]))
    onnx.save(network, str(target))


class MediaPipeDetector:
    """Up to `faces` faces by MediaPipe's landmarker on single pictures: the option without InsightFace's licence.

    Its detector sees 128 x 128 pixels and misses what is small there: a picture without a face is looked at again with
    a margin, then in overlapping tiles.
    """

    def __init__(self, model: Path, faces: int = 4):
        vision = media_pipe()
        with quiet_native_stderr():
            self._task = vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
                base_options=vision.base_options_lib.BaseOptions(model_asset_path=str(model)), num_faces=faces,
                running_mode=vision.running_mode_lib.VisionTaskRunningMode.IMAGE,
                min_face_detection_confidence=MIN_SCORE, min_face_presence_confidence=MIN_SCORE))
            self._look(np.zeros((64, 64, 3), np.uint8), np.zeros(2))   # its networks start with the first picture

    def detect(self, image: np.ndarray) -> list[Face]:
        found = self._look(image, np.zeros(2))
        return found or self._look(*pad_twice(image)) or self._in_tiles(image)

    def _in_tiles(self, image: np.ndarray) -> list[Face]:
        faces: list[Face] = []
        for top, left, side in tiles(*image.shape[:2]):
            seen = self._look(image[top:top + side, left:left + side], np.array([-left, -top], np.float64))
            faces += [face for face in seen if not any(_is_same(face, other) for other in faces)]
        return faces

    def _look(self, image: np.ndarray, offset: np.ndarray) -> list[Face]:
        pictures = media_pipe().image_lib
        result = self._task.detect(pictures.Image(pictures.ImageFormat.SRGB, np.ascontiguousarray(image)))
        size = np.array([image.shape[1], image.shape[0]], np.float64)
        clouds = [np.array([(p.x, p.y) for p in face]) * size - offset for face in result.face_landmarks]
        return [_face_of_landmarks(cloud) for cloud in clouds]

    def close(self) -> None:
        self._task.close()


def tiles(height: int, width: int) -> list[tuple[int, int, int]]:
    """(top, left, side) of squares of half the longer side, half of each overlapping the next one."""
    side = max(1, max(height, width) // 2)
    rows, columns = ([*range(0, max(1, length - side), max(1, side // 2)), max(0, length - side)]
                     for length in (height, width))
    return [(top, left, side) for top in dict.fromkeys(rows) for left in dict.fromkeys(columns)]


def _is_same(a: Face, b: Face) -> bool:
    """Whether two boxes' centres are less than half a face apart."""
    apart = (a.box[:2] + a.box[2:] - b.box[:2] - b.box[2:]) / 2
    return float(np.hypot(*apart)) < np.max(b.box[2:] - b.box[:2]) / 2


def _face_of_landmarks(points: np.ndarray) -> Face:
    outline = points[BROWS_AND_JAW]
    eyes = [points[corners].mean(0) for corners in EYE_CORNERS]
    five = np.array([*eyes, points[NOSE_TIP], *points[list(MOUTH_CORNERS)]])
    return Face(np.concatenate([outline.min(0), outline.max(0)]), 1.0, five, outline)
