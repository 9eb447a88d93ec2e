"""The key point list."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import GROUPS, KEYPOINTS, NUM_KEYPOINTS, RIGID_KEYPOINTS, positions


def test_key_points_are_distinct_and_within_the_mesh():
    assert len(set(KEYPOINTS)) == NUM_KEYPOINTS == 70
    assert max(KEYPOINTS) < 478 and min(KEYPOINTS) >= 0
    assert set(RIGID_KEYPOINTS) <= set(KEYPOINTS)


def test_positions_invert_the_list():
    for group in GROUPS.values():
        assert tuple(np.array(KEYPOINTS)[positions(group)]) == group
    with pytest.raises(ValueError, match="not in"):
        positions((1,))
