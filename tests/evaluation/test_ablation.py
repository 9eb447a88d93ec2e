from __future__ import annotations

from evaluation.ablation import Setting, guidance_grid, table


def test_the_grid_is_table_2s():
    grid = guidance_grid([1.0, 1.5, 2.0], [1.5, 2.0], chosen_audio=1.5)
    assert [(s.audio_scale, s.emotion_scale) for s in grid] == [(1, None), (1.5, None), (2, None), (1.5, 1.5), (1.5, 2)]


def test_rows_are_averaged_per_setting_and_missing_settings_left_out():
    rows = [{"clip_id": c, "w_a": 1.0, "w_e": e, "mouth_r": r} for c, e, r in
            (("a", None, 0.2), ("b", None, 0.4), ("a", 1.5, 1.0))]
    lines = table(rows, [Setting(1.0, None), Setting(1.0, 1.5), Setting(9.0, None)])
    found = [(line["w_e"], round(line["mouth_r"], 9), line["clips"]) for line in lines]
    assert found == [(None, 0.3, 2), (1.5, 1.0, 1)]
