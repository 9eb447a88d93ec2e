"""What every number of the evaluation is, in the order of the report. A substitute backbone has a name of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """`control` names the metric that says what chance, or the wrong input, would score."""

    name: str
    label: str
    better: Literal["higher", "lower", "closer"]
    what: str
    control: str | None = None


METRICS = (
    Metric("mouth_r", "Mouth follows speech, r", "higher",
           "Correlation of the mouth opening seen on the generated video with the true video's, at the best lag "
           "within two frames. Mean over clips.", "mouth_r_wrong_speech"),
    Metric("mouth_r_wrong_speech", "… with the wrong speech, r", "lower",
           "The same portrait and seed, but another clip's speech, against the true video. Chance is not quite zero: "
           "the best of five lags is taken."),
    Metric("mouth_lag_frames", "Mouth lag, frames", "closer",
           "The lag of that correlation; above zero the generated mouth is late."),
    Metric("mouth_sync_c", "mouth_sync confidence", "higher",
           "No SyncNet: a ridge regression from speech features to mouth opening, fitted on training clips, predicts "
           "the mouth; peak minus median of its correlation with the seen mouth over lags of ±15 frames.",
           "mouth_sync_c_wrong_speech"),
    Metric("mouth_sync_c_wrong_speech", "… with the wrong speech", "lower", "The generated video against another "
           "clip's speech."),
    Metric("mouth_sync_c_reference", "… of the true videos", "closer", "What the true videos score: the ceiling."),
    Metric("mouth_sync_offset_frames", "mouth_sync offset, frames", "closer",
           "Mean distance from zero of the lag of that peak."),
    Metric("lip_vertex_error", "Lip vertex error", "lower",
           "Largest distance of a lip point to the true one in each frame, mean over frames; in the face space's own "
           "frame, so head pose does not count. Face spaces with lip points only."),
    Metric("csim_mobilefacenet", "CSIM (MobileFaceNet)", "higher",
           "Cosine of identity vectors, portrait against generated frames. Not ArcFace: never beside the paper's CSIM.",
           "csim_mobilefacenet_other"),
    Metric("csim_mobilefacenet_reference", "… true frames", "closer", "Portrait against the true video's frames."),
    Metric("csim_mobilefacenet_other", "… another person", "lower", "Portrait against generated frames of another "
           "identity, where the test set has one."),
    Metric("lpips_alexnet", "LPIPS (AlexNet, v0.1)", "lower",
           "Learned distance of generated and true frames of the same time at 256 px; head pose is generated, so it "
           "differs from the true one and counts. The published network."),
    Metric("fd_efficientnet_lite0", "Fréchet distance (EfficientNet-Lite0)", "lower",
           "Fréchet distance of frame features, generated against true frames. Not FID: another network, and with "
           "fewer frames than feature dimensions it is biased upwards."),
    Metric("emo_agree_facex", "Emotion agreement (facex)", "higher",
           "Share of emotion videos whose most probable class, by mean probability over frames, is the label asked "
           "for. Labels the classifier lacks (contempt) are left out.", "emo_agree_facex_chance"),
    Metric("emo_agree_facex_chance", "… by chance", "closer",
           "The same classifier's answers against labels dealt at random."),
    Metric("emo_target_gain_facex", "Gain of the label's probability", "higher",
           "Probability of the label asked for, minus the same on the neutral video of that speech and seed."),
    Metric("blinks_per_min", "Blinks per minute", "closer", "Counted on the generated videos.",
           "blinks_per_min_training"),
    Metric("blinks_per_min_training", "… in the training clips", "closer", "Counted on training clips."),
    Metric("yaw_range_deg", "Yaw range, degrees", "closer", "5th to 95th percentile within a clip, generated.",
           "yaw_range_deg_training"),
    Metric("yaw_range_deg_training", "… in the training clips", "closer", ""),
    Metric("pitch_range_deg", "Pitch range, degrees", "closer", "", "pitch_range_deg_training"),
    Metric("pitch_range_deg_training", "… in the training clips", "closer", ""),
    Metric("yaw_jitter_deg", "Yaw jitter, degrees per frame²", "closer",
           "Standard deviation of the second difference.", "yaw_jitter_deg_training"),
    Metric("yaw_jitter_deg_training", "… in the training clips", "closer", ""),
    Metric("diversity", "Diversity over seeds", "higher",
           "Mean distance of key points between samples of the same speech, in half crop widths."),
    Metric("beat_alignment", "Head and sound on the beat", "higher",
           "Sound onsets against turning points of the head (AIST++), sigma 0.08 s.", "beat_alignment_chance"),
    Metric("beat_alignment_chance", "… by chance", "lower", "The same with the sound turned around the clip."),
    Metric("face_found_share", "Frames with a face", "higher", "Of the generated frames, by the landmarker."),
)
BY_NAME = {metric.name: metric for metric in METRICS}

# Table 1 of the paper, as published; no number of this project stands in these columns
PUBLISHED_COLUMNS = ("FID ↓", "FVD ↓", "Sync-C ↑", "Sync-D ↓", "CSIM ↑", "LPIPS ↓")
PUBLISHED = {
    "HDTF": (("Hallo", 30.484, 288.479, 7.923, 7.531, 0.804, 0.139),
             ("Hallo2", 30.768, 288.385, 7.754, 7.649, 0.822, 0.138),
             ("MEMO", 27.713, 299.493, 8.059, 7.473, 0.840, 0.132),
             ("Sonic", 29.189, 305.867, 9.139, 6.549, 0.783, 0.149),
             ("JoyVASA", 29.581, 306.683, 8.522, 7.215, 0.781, 0.157),
             ("Playmate", 19.138, 231.048, 8.580, 6.985, 0.848, 0.099)),
    "Collected": (("Hallo", 46.114, 288.415, 6.454, 8.384, 0.767, 0.139),
                  ("Hallo2", 46.185, 295.532, 6.509, 8.358, 0.761, 0.144),
                  ("MEMO", 39.224, 260.498, 6.569, 8.193, 0.782, 0.130),
                  ("Sonic", 39.069, 254.959, 7.972, 7.124, 0.762, 0.139),
                  ("JoyVASA", 50.314, 304.621, 6.858, 8.194, 0.713, 0.163),
                  ("Playmate", 34.716, 227.871, 7.125, 8.007, 0.797, 0.128)),
}
