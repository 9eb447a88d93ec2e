"""Yaw from five points, boxes of one convention, and both detectors on the same picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.face.detectors import InsightFaceDetector, MediaPipeDetector, pad_twice, tiles
from models.face.driving_crop import driving_square
from models.face.face import YAW_SLOPE, landmark_box, outline_box, yaw_deg
from models.face.scrfd import ScrfdDetector, distinct
from models.formats.onnx import OnnxNetwork, providers
from tests.models.liveportrait.test_crop import landmarks
from tests.needs import weight


def five_points(yaw: float, roll: float = 0.0) -> np.ndarray:
    """Eyes at +-30, nose tip 30 / YAW_SLOPE in front of them and 20 below, turned and seen from the front."""
    yaw, roll = np.radians([yaw, roll])
    nose = 30 / YAW_SLOPE * np.sin(yaw)
    points = np.array([[-30 * np.cos(yaw), 0], [30 * np.cos(yaw), 0], [nose, 20], [-15, 45], [15, 45]])
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    return points @ turn + [300, 200]


@pytest.mark.parametrize("yaw", [-60, -20, 0, 5, 45, 80])
@pytest.mark.parametrize("roll", [0, 20, -35])
def test_yaw_of_a_turned_model(yaw, roll):
    turned = five_points(yaw, roll)
    # the nose's offset down the face leans on the eye line under roll only, which the projection takes out
    assert yaw_deg(turned) == pytest.approx(yaw, abs=1e-6)


def test_yaw_of_a_profile_with_both_eyes_in_one_place():
    assert yaw_deg(np.zeros((5, 2))) == 90.0


def test_landmark_box_by_hand():
    # larger side 200: landmark side 153, centre 23.6 below (150, 200)
    assert landmark_box(np.array([75.0, 100, 225, 300])) == pytest.approx([73.5, 147.1, 226.5, 300.1])


def test_padding():
    padded, offset = pad_twice(np.full((10, 20, 3), 9, np.uint8))
    assert padded.shape == (20, 40, 3) and tuple(offset) == (10, 5)
    assert (padded[5:15, 10:30] == 9).all() and padded.sum() == 10 * 20 * 3 * 9


def test_one_thread_a_network():
    """The option's name is the library's; a wrong one is ignored in silence."""
    network = InsightFaceDetector(weight("scrfd"), 320)._network
    assert network.session.get_session_options().intra_op_num_threads == 1


def astronaut() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture(scope="module", params=["insightface 320", "insightface 640", "mediapipe"])
def detector(request):
    if request.param == "mediapipe":
        pytest.importorskip("mediapipe")
        found = MediaPipeDetector(weight("face_landmarker"))
        yield found
        found.close()
    else:
        yield InsightFaceDetector(weight("scrfd"), int(request.param.split()[1]))


def test_detectors_agree_on_a_real_face(detector):
    [face] = detector.detect(astronaut())
    assert np.abs(face.box - [169, 78, 279, 188]).max() < 25      # brows to chin, in 512 x 512
    assert face.points[0, 0] < face.points[2, 0] < face.points[1, 0] and face.points[3, 1] > face.points[2, 1]
    assert abs(yaw_deg(face.points)) < 35


def test_a_face_that_fills_the_picture_and_none(detector):
    assert len(detector.detect(np.ascontiguousarray(astronaut()[60:210, 150:300]))) == 1
    assert detector.detect(np.full((200, 300, 3), 128, np.uint8)) == []


@pytest.mark.media
def test_scrfd_alone_is_insightfaces_number_for_number():
    """Pictures wide and high, with a margin and without a face, with many faces, and faces that hide each other."""
    faces = astronaut()
    near = faces.copy()
    near[:, 40:] = np.where(np.arange(472)[:, None] > 160, faces[:, :-40], near[:, 40:])
    pictures = [faces, np.hstack([faces, faces[:, ::-1]]), np.tile(cv2.resize(faces, (150, 150)), (4, 3, 1)), near,
                np.ascontiguousarray(faces[60:210, 150:300]), np.full((200, 300, 3), 128, np.uint8)]
    theirs, ours = InsightFaceDetector(weight("scrfd"), 640), ScrfdDetector(weight("scrfd"), 640)
    for picture, count in zip(pictures, (1, 2, 12, 1, 1, 0), strict=True):
        wanted, found = theirs.detect(picture), ours.detect(picture)
        assert len(found) == len(wanted) == count
        for face, other in zip(found, wanted, strict=True):
            assert np.array_equal(face.box, other.box) and np.array_equal(face.points, other.points)
            assert face.score == other.score


def test_of_two_boxes_in_one_place_the_more_certain_one_is_kept_by_hand():
    """10 x 10 pixels, ends included: 6 x 10 of them shared are 60 of 140 (0.43), 5 x 10 are 50 of 150 (0.33)."""
    boxes = np.float32([[0, 0, 9, 9], [4, 0, 13, 9], [5, 0, 14, 9], [40, 40, 49, 49]])
    assert distinct(boxes) == [0, 2, 3] and distinct(boxes[:0]) == []


def test_scrfd_of_another_size_is_refused():
    with pytest.raises(ValueError, match="wanted is an SCRFD of 320 px"):
        ScrfdDetector(weight("scrfd"), 320)


def test_a_face_that_is_small_in_its_picture(detector):
    """A thirteenth of the longer side, as a speaker in a wide shot."""
    picture = np.full((320, 213, 3), 128, np.uint8)
    picture[200:310, 10:120] = cv2.resize(astronaut(), (110, 110), interpolation=cv2.INTER_AREA)
    [face] = detector.detect(picture)
    middle = (face.box[:2] + face.box[2:]) / 2
    assert np.abs(middle - [10 + 224 * 110 / 512, 200 + 133 * 110 / 512]).max() < 5


def test_tiles_by_hand_cover_the_picture():
    assert tiles(180, 320) == [(top, left, 160) for top in (0, 20) for left in (0, 80, 160)]
    for height, width in ((1, 1), (2, 9), (33, 47), (320, 213)):
        seen = np.zeros((height, width), bool)
        for top, left, side in tiles(height, width):
            seen[top:top + side, left:left + side] = True
        assert seen.all()


def landmark_network(path):
    """A network of 2d106det's shapes that always answers four corners, 58 x 96 px of its picture's 192, and their
    middle, all moved right by a quarter of it."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    answer = np.tile(np.float32([0.5, 0.0]), (106, 1))
    answer[:4] += np.float32([[-0.3, -0.5], [0.3, -0.5], [-0.3, 0.5], [0.3, 0.5]])
    answer = answer.reshape(1, 212)
    nodes = [helper.make_node("Flatten", ["data"], ["flat"]), helper.make_node("Mul", ["flat", "zero"], ["nothing"]),
             helper.make_node("ReduceSum", ["nothing"], ["sum"], keepdims=1),
             helper.make_node("Add", ["sum", "answer"], ["fc1"])]
    graph = helper.make_graph(
        nodes, "landmarks", [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 192, 192])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 212])],
        [onnx.numpy_helper.from_array(answer, "answer"), onnx.numpy_helper.from_array(np.float32([0]), "zero")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9), str(path))
    return path


def test_a_pack_with_landmarks_gives_outlines(tmp_path):
    """All points lie where the network puts them in its crop, which is 1.5 times SCRFD's larger side wide, and the box
    is theirs: half as large as that crop."""
    scrfd = InsightFaceDetector(weight("scrfd"), 320)
    found = InsightFaceDetector(weight("scrfd"), 320, landmark_network(tmp_path / "2d106det.onnx"))
    for image in (astronaut(), np.ascontiguousarray(astronaut()[60:210, 150:300])):  # as it is, and with a margin
        [face] = found.detect(image)
        [plain] = scrfd.detect(image)
        assert face.outline.shape == (106, 2) and plain.outline is None
        side = (plain.box[2] - plain.box[0]) / 0.765
        middle = (plain.box[:2] + plain.box[2:]) / 2 - [0, 0.118 * side]
        # (0.5 + 1) * 96 = 144 px of 192: a quarter of the crop to the right of its middle
        there = middle + np.array([1.5 * side / 4, 0])
        assert face.outline[105] == pytest.approx(there, abs=2.0)
        half = 1.5 * side / 4
        assert face.box == pytest.approx(np.concatenate([there - half, there + half]), abs=2.0)


@pytest.mark.parametrize("turn_deg", [0.0, 25.0, -40.0])
def test_the_box_of_landmarks_does_not_grow_when_the_head_leans(turn_deg):
    """The driving square of LivePortrait by hand: 2.2 x 120 = 264, moved up by 26.4."""
    points = landmarks(106, np.radians(turn_deg))
    assert outline_box(points) == pytest.approx([440, 340, 560, 460])
    square = driving_square(outline_box(points)[None], 2.2, -0.1)
    assert (square.x, square.y, square.side) == pytest.approx((500, 400 - 26.4, 264))


def test_outlines_lie_in_the_box_of_mediapipe():
    pytest.importorskip("mediapipe")
    detector = MediaPipeDetector(weight("face_landmarker"))
    [face] = detector.detect(astronaut())
    detector.close()
    assert np.array_equal(np.concatenate([face.outline.min(0), face.outline.max(0)]), face.box)


def test_a_gpu_is_used_where_the_runtime_knows_it_and_never_silently_a_core(monkeypatch):
    import onnxruntime

    known = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: known)
    assert providers("cuda") == ["CPUExecutionProvider"]  # of judges: docs/cluster.md
    with pytest.raises(ValueError, match="was given a GPU, and this environment's ONNX Runtime computes on a core"):
        InsightFaceDetector(weight("scrfd"), 320, device="cuda")
    with pytest.warns(UserWarning, match="was given a GPU and computes on a core.*extra `gpu`"):
        OnnxNetwork(weight("scrfd"), "cuda")
    known.insert(0, "CUDAExecutionProvider")
    assert providers("cuda") == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert providers("cpu") == ["CPUExecutionProvider"]
