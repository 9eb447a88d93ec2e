"""What every number of the evaluation is, in the order of the report. A substitute backbone has a name of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """`beside` names the metrics to read it against: the truth's value, chance's, or the wrong input's. One that is
    beside another has no row of its own; its label begins with an ellipsis, which stands for the other's."""

    name: str
    label: str
    better: Literal["higher", "lower", "closer"]
    what: str
    beside: tuple[str, ...] = ()


METRICS = (
    Metric("mouth_r", "Mouth follows speech, r", "higher",
           "Correlation of the mouth opening seen on the generated video with the true video's, at the best lag "
           "within two frames. Mean over clips.", ("mouth_r_wrong_speech", "mouth_r_other_video")),
    Metric("mouth_r_wrong_speech", "… with the wrong speech", "lower",
           "The same portrait and seed, but another clip's speech, against the true video. Chance is not quite zero: "
           "the best of five lags is taken."),
    Metric("mouth_r_lag0", "Mouth follows speech at lag 0, r", "higher", "The same without a choice of lag.",
           ("mouth_r_wrong_speech_lag0",)),
    Metric("mouth_r_wrong_speech_lag0", "… with the wrong speech", "lower", "No lag is chosen; what is left of chance "
           "are the silences before and after a sentence, which all clips share."),
    Metric("mouth_r_other_video", "… against another true video's", "lower",
           "The same video's mouth against another true video's of the set. Chance is not quite zero: the best of five "
           "lags is taken."),
    Metric("mouth_lag_frames", "Mouth lag, frames", "closer",
           "The lag of that correlation; above zero the generated mouth is late."),
    Metric("mouth_sync_c", "mouth_sync confidence", "higher",
           "No SyncNet: a ridge regression from speech features to mouth opening, fitted on training clips, predicts "
           "the mouth; peak minus median of its correlation with the seen mouth over lags of ±15 frames.",
           ("mouth_sync_c_wrong_speech", "mouth_sync_c_reference")),
    Metric("mouth_sync_c_wrong_speech", "… with the wrong speech", "lower", "The generated video against another "
           "clip's speech."),
    Metric("mouth_sync_c_reference", "… of the true videos", "closer", "What the true videos score: the ceiling."),
    Metric("mouth_sync_offset_frames", "mouth_sync offset, frames", "closer",
           "Mean distance from zero of the lag of that peak."),
    Metric("lip_vertex_error", "Lip vertex error", "lower",
           "Largest distance of a lip point to the true one in each frame, mean over frames; in the face space's own "
           "frame, in half crop widths, so head pose does not count. Face spaces with lip points only.",
           ("lip_vertex_error_wrong_speech",)),
    Metric("lip_vertex_error_wrong_speech", "… with the wrong speech", "higher", ""),
    Metric("lip_error_seen", "Lip error, seen", "lower",
           "The same by the landmarks of both videos, each generated face laid on the true one by its rigid points; in "
           "distances of the outer eye corners."),
    Metric("csim_mobilefacenet", "CSIM (MobileFaceNet)", "higher",
           "Cosine of identity vectors, portrait against generated frames. Not ArcFace: never beside the paper's CSIM.",
           ("csim_mobilefacenet_reference", "csim_mobilefacenet_other")),
    Metric("csim_mobilefacenet_same_time", "CSIM (MobileFaceNet), same time", "higher",
           "Generated against true frames of the same time."),
    Metric("csim_mobilefacenet_reference", "… of true frames", "closer", "Portrait against the true video's frames."),
    Metric("csim_mobilefacenet_other", "… of another person", "lower", "Portrait against generated frames of another "
           "identity, where the test set has one."),
    Metric("lpips_alexnet", "LPIPS (AlexNet, v0.1)", "lower",
           "Learned distance of generated and true frames of the same time at 256 px; head pose is generated, so it "
           "differs from the true one and counts. The published network."),
    Metric("fd_efficientnet_lite0", "Fréchet distance (EfficientNet-Lite0)", "lower",
           "Fréchet distance of frame features, generated against true frames. Not FID: another network, and with "
           "fewer frames than feature dimensions it is biased upwards."),
    Metric("face_found_share", "Frames with a face", "higher", "Of the generated frames, by the landmarker."),
    Metric("emo_agree_facex", "Emotion agreement (facex)", "higher",
           "Share of emotion videos whose most probable class, by mean probability over frames, is the label asked "
           "for. Labels the classifier lacks (contempt) are left out.", ("emo_agree_facex_chance",)),
    Metric("emo_agree_facex_chance", "… by chance", "closer",
           "The same classifier's answers against labels dealt at random."),
    Metric("emo_shift_facex", "Emotion seen by its shift (facex)", "higher",
           "Share of emotion videos on which the label asked for gained more log probability, against the neutral "
           "video of the same portrait, speech and seed, than any other emotion. What the classifier reads in the "
           "resting face is in both videos and cancels.", ("emo_shift_facex_chance",)),
    Metric("emo_shift_facex_chance", "… by chance", "closer",
           "The labels that gained most against labels dealt at random."),
    Metric("emo_shift_facex_nats", "Log probability gained, nats", "higher",
           "Mean gain of the label's log probability over the neutral video.", ("emo_shift_facex_true_nats",)),
    Metric("emo_shift_facex_true_nats", "… of true emotional clips", "closer", ""),
    Metric("emo_shift_facex_true", "Emotion of true clips by its shift", "closer",
           "The same of true emotional clips against the same person's true neutral clips: the upper bound of what "
           "this classifier can see. Another set of labels than the generated videos' where the data have another. "
           "How well it names renders of known emotion (79 % of 42) is an optimistic figure: this form is the best "
           "of 26 that were tried on those same renders.",
           ("emo_shift_facex_true_chance",)),
    Metric("emo_shift_facex_true_chance", "… by chance", "closer", ""),
    Metric("emo_target_gain_facex", "Gain of the label's probability", "higher",
           "Probability of the label asked for, minus the same on the neutral video of that speech and seed."),
    Metric("fid", "FID", "lower", "Fréchet Inception Distance, the published network (pytorch-fid 0.3.0)."),
    Metric("fvd", "FVD", "lower", "Fréchet Video Distance, I3D logits of 16-frame clips at 25 fps. With fewer than "
           "about 400 clips the covariance has not full rank."),
    Metric("sync_c", "Sync-C", "higher", "SyncNet's confidence, the published network.", ("sync_c_reference",)),
    Metric("sync_c_reference", "… of the true videos", "closer", ""),
    Metric("sync_d", "Sync-D", "lower", "SyncNet's smallest distance, the published network.", ("sync_d_reference",)),
    Metric("sync_d_reference", "… of the true videos", "closer", ""),
    Metric("sync_offset_frames", "SyncNet's offset, frames", "closer", "Mean distance from zero.",
           ("sync_offset_frames_reference",)),
    Metric("sync_offset_frames_reference", "… of the true videos", "closer", ""),
    Metric("csim", "CSIM", "higher", "Cosine of ArcFace vectors, portrait against generated frames.",
           ("csim_reference", "csim_other")),
    Metric("csim_same_time", "CSIM, same time", "higher", "Generated against true frames of the same time."),
    Metric("csim_reference", "… of true frames", "closer", "Portrait against the true video's frames."),
    Metric("csim_other", "… of another person", "lower", ""),
    Metric("emo_a", "Emo-A, percent", "higher", "Share of emotion videos whose label HSEmotion sees, neutral ones "
           "too; the published network."),
    Metric("blinks_per_min", "Blinks per minute", "closer", "Counted on the generated videos.",
           ("blinks_per_min_reference", "blinks_per_min_training")),
    Metric("blinks_per_min_reference", "… of the true videos", "closer", ""),
    Metric("blinks_per_min_training", "… in the training clips", "closer", ""),
    Metric("yaw_range_deg", "Yaw range, degrees", "closer", "5th to 95th percentile within a clip, generated.",
           ("yaw_range_deg_reference", "yaw_range_deg_training")),
    Metric("yaw_range_deg_reference", "… of the true videos", "closer", ""),
    Metric("yaw_range_deg_training", "… in the training clips", "closer", ""),
    Metric("pitch_range_deg", "Pitch range, degrees", "closer", "As for yaw.",
           ("pitch_range_deg_reference", "pitch_range_deg_training")),
    Metric("pitch_range_deg_reference", "… of the true videos", "closer", ""),
    Metric("pitch_range_deg_training", "… in the training clips", "closer", ""),
    Metric("yaw_jitter_deg", "Yaw jitter, degrees per frame²", "closer",
           "Standard deviation of the second difference.", ("yaw_jitter_deg_reference", "yaw_jitter_deg_training")),
    Metric("yaw_jitter_deg_reference", "… of the true videos", "closer", ""),
    Metric("yaw_jitter_deg_training", "… in the training clips", "closer", ""),
    Metric("diversity", "Diversity over seeds", "closer",
           "Mean distance of key points between samples of the same speech, in half crop widths. Samples that are as "
           "varied as people lie as far from each other as from the truth.", ("diversity_reference",)),
    Metric("diversity_reference", "… from a sample to the true motion", "closer", ""),
    Metric("beat_alignment", "Head and sound on the beat", "higher",
           "Sound onsets against turning points of the head (AIST++), sigma 0.08 s.",
           ("beat_alignment_reference", "beat_alignment_chance")),
    Metric("beat_alignment_reference", "… of the true videos", "closer", ""),
    Metric("beat_alignment_chance", "… by chance", "lower", "The same with the sound turned around the clip."),
)
# the numbers that a look at a model begins with, those that the substitutes give and those of the published networks:
# on top of the report, in `playmate summary` and in the model card
HEADLINE = ("mouth_r", "mouth_r_wrong_speech", "mouth_sync_c", "lip_vertex_error", "csim_mobilefacenet",
            "emo_shift_facex", "emo_shift_facex_chance", "fd_efficientnet_lite0", "lpips_alexnet", "fid", "fvd",
            "sync_c", "csim", "emo_a")
BY_NAME = {metric.name: metric for metric in METRICS}
GROUPS = {"mouth_r": "Mouth and speech", "csim_mobilefacenet": "Identity and pictures", "emo_agree_facex": "Emotion",
          "fid": "By the published networks", "blinks_per_min": "Motion"}  # first metric of each group of the table


def full_label(name: str) -> str:
    """A label that stands by itself: the ellipsis of one that is beside another becomes that one's label."""
    label = BY_NAME[name].label
    if not label.startswith("…"):
        return label
    whose = next(metric.label for metric in METRICS if name in metric.beside)
    return whose + label.removeprefix("…")


def group_of(name: str) -> str:
    """The heading under which a metric stands."""
    order = list(BY_NAME)
    return GROUPS[[first for first in GROUPS if order.index(first) <= order.index(name)][-1]]
