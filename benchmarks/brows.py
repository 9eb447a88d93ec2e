"""How much of what brows do comes through the `landmark` space? `python -m benchmarks.brows FILMS PORTRAITS`.

Films of people are drawn again from the motion that is extracted of them, on a frame of their own; the head within 4
degrees of that frame. Portraits are drawn with the corpora's brow actions and looked at again. What moves is told by
optical flow (DIS; Kroeger et al. 2016) against the corners of the eyes and the bridge of the nose, in face widths: it
asks no landmark network.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from models.face.points import BROW_LEFT, BROW_RIGHT, positions
from models.landmark.space import LandmarkFaceSpace, fill_gaps
from models.motion.camera import transform_head_keypoints
from models.motion.clock import FPS
from models.motion.face_space import FaceNotFound
from pipeline.media.container import open_media
from pipeline.weights.table import weight_path
from stages.corpora.expression import unit_actions

BROWS, STILL, SIDES = (*BROW_RIGHT, *BROW_LEFT), (33, 133, 362, 263, 168, 6, 197, 195), (234, 454)
SIDE_PX, FRAMES, EVERY, MAX_TURN_DEG, MAX_GAP = 512, 400, 3, 4.0, 20
ACTIONS, AMOUNTS = ("brow_inner_up", "brow_outer_up", "brow_down"), (0.02, 0.04, 0.06)


def main() -> None:
    """Print a row a film, and a row an action."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("portraits", type=Path)
    given = parser.parse_args()
    space = LandmarkFaceSpace(weight_path("face_landmarker"))
    print("| film | frames | brows move (deviation) | landmarks | key points | drawn again | correlation |\n"
          "|---|---|---|---|---|---|---|")
    for path in sorted(given.films.glob("*.mp4")):
        try:
            print(draw_again(space, path), flush=True)
        except (FaceNotFound, ValueError) as error:
            print(f"| {path.stem} | {error} |")
    shares = [seen_of(space, path) for path in sorted(given.portraits.iterdir()) if path.suffix in (".jpg", ".png")]
    print(f"{len(shares)} portraits, shares of what was asked for\n| action | by flow | landmarks | key points |\n"
          "|---|---|---|---|")
    for action, mean in zip(ACTIONS, np.mean(shares, axis=0), strict=True):
        print(f"| {action} | {' | '.join(f'{share:.2f}' for share in mean)} |")


def draw_again(space: LandmarkFaceSpace, path: Path) -> str:
    """Shares of the true movement by flow; raises FaceNotFound, or ValueError for a film whose head is never still."""
    frames = _read(path)
    landmarks = fill_gaps(space.landmarker.detect_video(frames, FPS), MAX_GAP)
    motion, points = space.motion(landmarks), _pixels(landmarks.points)
    height = motion.delta[:, positions(BROWS), 1].mean(1)
    still = int(np.abs(height - np.median(height)).argmin())
    turned_deg = np.abs(motion.angles_deg - motion.angles_deg[still]).max(1)
    near = np.flatnonzero((turned_deg < MAX_TURN_DEG) & (np.arange(len(frames)) % EVERY == 0))
    if len(near) < FPS:
        raise ValueError(f"{len(near)} frames near one pose")
    near = np.concatenate([[still], near])
    face = space.appearance(frames[still])
    own = face.motion
    delta = own.delta + motion.delta[near] - motion.delta[still]
    keypoints = transform_head_keypoints(own.x_c[None], delta, motion.rotation[near], motion.t[near], motion.s[near])
    drawn = space.render(face, space.keypoints(own)[0], keypoints)
    true, again = flow(frames[near], points[near]), flow(drawn, _pixels(space.landmarks(drawn).points))
    told = [_slope(true, one) for one in (height_of(points[near]), height[near], again)]
    return (f"| {path.stem} | {len(near)} | {true.std():.4f} | {' | '.join(f'{share:.2f}' for share in told)} | "
            f"{np.corrcoef(true, again)[0, 1]:.2f} |")


def seen_of(space: LandmarkFaceSpace, path: Path) -> np.ndarray:
    """Shares [actions, 3] of drawn brow movement by flow, in landmarks and in key points."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path}: no picture")
    face = space.appearance(_square(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
    own, shares = face.motion, []
    for action in ACTIONS:
        unit = unit_actions(own.x_c.astype(np.float64))[action]
        asked = np.array([0.0, *AMOUNTS]) * unit[positions(BROWS), 1].mean()
        delta = own.delta + np.array([0.0, *AMOUNTS], np.float32)[:, None, None] * unit.astype(np.float32)
        keypoints = transform_head_keypoints(own.x_c[None], delta, own.rotation, own.t, own.s)
        drawn = space.render(face, space.keypoints(own)[0], keypoints)
        seen = [space.landmarks(frame[None]) for frame in drawn]   # each alone: nothing is smoothed over time
        points = _pixels(np.concatenate([one.points for one in seen]))
        placed = [space.motion(one) for one in seen]
        heights = np.array([(one.x_c + one.delta[0])[positions(BROWS), 1].mean() for one in placed])
        # face widths of a picture are those between the ears, of key points the canonical face's
        wide = np.linalg.norm(np.diff(points[0, list(SIDES)], axis=0)) / (SIDE_PX / 2 * own.s[0, 0])
        shares.append([_slope(asked / wide, flow(drawn, points)), _slope(asked / wide, height_of(points)),
                       _slope(asked, heights)])
    return np.array(shares)


def flow(frames: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far down brows lie [T] in frames [T, S, S, 3] against the first; points [T, 478, 2] in pixels."""
    found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    first, moved = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY), []
    wide = np.linalg.norm(np.diff(points[0, list(SIDES)], axis=0))
    for frame, placed in zip(frames, _aligned(points), strict=True):
        grey = cv2.warpAffine(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), placed, first.shape[::-1])
        field = cv2.medianBlur(found.calc(first, grey, None)[..., 1], 5)
        brows, still = (np.mean([field[y, x] for x, y in points[0, list(group)].round().astype(int)])
                        for group in (BROWS, STILL))
        moved.append((brows - still) / wide)
    return np.array(moved)


def height_of(points: np.ndarray) -> np.ndarray:
    """The same [T] by landmarks [T, 478, 2]."""
    placed = np.stack([one @ matrix[:, :2].T + matrix[:, 2] for one, matrix in zip(points, _aligned(points),
                                                                                 strict=True)])
    wide = np.linalg.norm(np.diff(points[0, list(SIDES)], axis=0))
    return (placed[:, list(BROWS), 1].mean(1) - placed[:, list(STILL), 1].mean(1)) / wide


def _aligned(points: np.ndarray) -> list[np.ndarray]:
    """Similarity [2, 3] of every frame's still points to the first frame's."""
    first = points[0, list(STILL)].astype(np.float32)
    return [cv2.estimateAffinePartial2D(one[list(STILL)].astype(np.float32), first, method=cv2.LMEDS)[0]
            for one in points]


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(x, y, 1)[0])


def _pixels(points: np.ndarray) -> np.ndarray:
    """Crop coordinates [T, 478, 3] -> pixels [T, 478, 2]."""
    return (points[..., :2].astype(np.float64) + 1) * SIDE_PX / 2


def _read(path: Path) -> np.ndarray:
    with open_media(path) as container:
        return np.stack([_square(frame.to_ndarray(format="rgb24"))
                         for frame in islice(container.decode(video=0), FRAMES)])


def _square(picture: np.ndarray) -> np.ndarray:
    """The whole picture in the corner of a black square [512, 512, 3]."""
    height, width = picture.shape[:2]
    side = max(height, width)
    return cv2.resize(cv2.copyMakeBorder(picture, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT),
                      (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_CUBIC)


if __name__ == "__main__":
    main()
