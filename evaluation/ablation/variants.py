"""Models trained anew with one switch changed: adaptive normalisation (Figure 7), previous-motion noise (Figure 9).

Each is stage 1 from scratch, for the same number of steps on the same clips, beside one with nothing changed: against
the model in use, which may have started from other weights, a switch would prove nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.ablation.grid import average_known
from evaluation.results.rows import GridRow, VariantLine
from pipeline.core.config import Params

UNCHANGED = "unchanged"
SWITCHES = {  # name -> section, key, value
    "pose_clip": ("statistics", "pose_group", "clip"),
    "pose_identity": ("statistics", "pose_group", "identity"),
    "pose_global": ("statistics", "pose_group", "global"),
    "noise_off": ("diffusion", "previous_noise_t_max", 0),
}
COLUMNS = ("mouth_r", "mouth_r_wrong_speech", "yaw_jitter_deg", "yaw_range_deg", "keypoint_jitter")


def variant_params(params: Params, name: str) -> Params:
    """Parameters of a variant: `params` with its switch, trained from scratch for `ablate.variant_steps` steps."""
    section = params.ablate
    train = params.train_audio.model_copy(update={
        "init": "none", "resume": None, "steps": section.variant_steps, "lr": section.variant_lr,
        "validate_every": section.variant_steps})
    changed = params.model_copy(update={"train_audio": train})
    if name == UNCHANGED:
        return changed
    part, key, value = SWITCHES[name]
    return changed.model_copy(update={part: getattr(changed, part).model_copy(update={key: value})})


def switch_text(name: str) -> str:
    """What a variant changes, as a line of params.yaml."""
    if name == UNCHANGED:
        return "nothing changed"
    part, key, value = SWITCHES[name]
    return f"{part}.{key}: {value}"


def variant_table(rows: Sequence[GridRow], names: Sequence[str]) -> list[VariantLine]:
    """Means over clips, one line a variant, in the order of `names`."""
    lines = []
    for name in names:
        group = [row for row in rows if row.model == name]
        if group:
            means = {column: average_known([row.numbers[column] for row in group]) for column in COLUMNS}
            lines.append(VariantLine(name, switch_text(name), means, len(group)))
    return lines
