from __future__ import annotations

import numpy as np
import pytest

from evaluation.ablation.grid import Measured, Setting, guidance_grid, table
from evaluation.metrics.frechet import frechet_of_features
from evaluation.metrics.judges import grid_metrics
from evaluation.results.rows import GridRow


def test_the_grid_is_table_2s():
    grid = guidance_grid([1.0, 1.5, 2.0], [1.5, 2.0], chosen_audio=1.5)
    assert [(s.audio_scale, s.emotion_scale) for s in grid] == [(1, None), (1.5, None), (2, None), (1.5, 1.5), (1.5, 2)]


def test_rows_are_averaged_per_setting_and_missing_settings_left_out():
    rows = [Measured(GridRow("in use", c, 1.0, e, {"mouth_r": r}), {}) for c, e, r in
            (("a", None, 0.2), ("b", None, 0.4), ("a", 1.5, 1.0))]
    lines = table(rows, [Setting(1.0, None), Setting(1.0, 1.5), Setting(9.0, None)])
    found = [(line.w_e, round(line.numbers["mouth_r"], 9), line.clips) for line in lines]
    assert found == [(None, 0.3, 2), (1.5, 1.0, 1)]


def test_a_distance_is_of_all_clips_together_and_not_a_mean():
    first, second = np.random.default_rng(0).normal(size=(2, 3, 4)), np.random.default_rng(1).normal(size=(2, 3, 4))
    found = [Measured(GridRow("in use", name, 1.0, None, {}), {"fid.true": first[i], "fid.made": second[i]})
             for i, name in enumerate("ab")]
    [line] = table(found, [Setting(1.0, None)])
    assert line.numbers["fid"] == pytest.approx(frechet_of_features(first.reshape(6, 4), second.reshape(6, 4)))
    assert "fid" not in table([Measured(found[0].row, {"fid.true": first[0, :1], "fid.made": second[0, :1]})],
                              [Setting(1.0, None)])[0].numbers  # one frame has no covariance


def test_clips_of_frames_are_asked_only_where_every_frame_is_rendered():
    metrics = ["mouth_sync", "csim", "fid", "fvd", "sync", "emo_facex"]
    assert grid_metrics(metrics, 2) == ("emo_facex", "csim", "fid")
    assert grid_metrics(metrics, 1) == ("emo_facex", "csim", "fid", "fvd", "sync")
