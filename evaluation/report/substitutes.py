"""How each metric on a substitute network was validated: a recorded measurement on real clips, shown by the report.

`substitutes.json` is written by `python -m benchmarks.substitutes`; it is no result of the model in use.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluation.report.text import markdown_table

PATH = Path(__file__).with_name("substitutes.json")
# metric of the table -> what stands in for what
STANDS_FOR = {
    "csim_mobilefacenet": ("CSIM (ArcFace)", "MobileFaceNet, 192 numbers"),
    "lpips_alexnet": ("LPIPS", "the published network itself (AlexNet, v0.1)"),
    "fd_efficientnet_lite0": ("FID (Inception)", "EfficientNet-Lite0, 1280 ImageNet features"),
    "mouth_sync_c": ("Sync-C (SyncNet)", "ridge regression from speech features to the mouth opening"),
    "mouth_sync_offset_frames": ("SyncNet's offset", "the lag of that regression's peak"),
    "mouth_r": ("(none)", "correlation of mouth openings by MediaPipe's landmarks"),
    "blinks_per_min": ("(none)", "lid gaps by MediaPipe's landmarks"),
    "emo_facex": ("Emo-A (HSEmotion)", "facex, seven classes on grey faces"),
}


def validation() -> dict[str, Any]:
    """`films`, `frames` and `rows`, each row with what the metric stands for."""
    value = json.loads(PATH.read_text())
    rows = [row | dict(zip(("stands_for", "network"), STANDS_FOR[row["metric"]], strict=True)) for row in value["rows"]]
    return value | {"rows": rows}


def markdown(value: dict[str, Any]) -> str:
    """The table as Markdown."""
    def spread(cell: dict[str, float]) -> str:
        return f"{cell['mean']:.3g} ({cell['low']:.3g} to {cell['high']:.3g})"

    return markdown_table(["metric", "right against wrong", "right", "wrong", "in order"], [
        [f"`{row['metric']}`", row["question"], spread(row["right"]), spread(row["wrong"]),
         f"{row['in_order']} of {row['of']}"] for row in value["rows"]])
