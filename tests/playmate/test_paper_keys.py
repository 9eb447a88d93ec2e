"""Every key of params.yaml that the paper's profile does not choose is neutral, for a reason that stands here."""

from __future__ import annotations

import yaml

from playmate.profile import leaves

NEUTRAL = {
    "the user's own: place, machine": """
        seed ray.address ray.num_cpus ray.spill_folder ray.dashboard ray.max_wait_s feature_store.root
        face_space.refit train_audio.resume train_emotion.resume
        train_audio.trainer.checkpoints train_emotion.trainer.checkpoints register.name""",
    "of the embedded corpora or the landmark space alone": """
        embedded.speaker embedded.render_px face_space.ridge face_space.frame_stride""",
    "of the paper's path alone: params.yaml holds its value": """
        face_space.stitching face_space.tune.train face_space.tune.features face_space.tune.distance
        face_space.tune.transfer_weight face_space.tune.reconstruction_weight face_space.tune.perceptual_weight
        face_space.tune.prior_weight face_space.tune.picture_px face_space.tune.min_gap face_space.tune.lr
        face_space.tune.final_lr_share face_space.tune.grad_clip preprocess.thresholds.min_sync_confidence
        preprocess.thresholds.max_sync_offset_frames evaluate.emo_a""",
    "the paper's, or its reading in docs/equations.md, in every profile": """
        split.test_identities split.test_share split.validation_share statistics.pose_group preprocess.measure.fps
        preprocess.measure.crop_px preprocess.measure.sample_rate_hz preprocess.measure.crop_scale
        preprocess.measure.crop_shift_y model.conv_norm model.audio_align_layers model.previous model.emotion_blocks
        diffusion.steps diffusion.schedule diffusion.previous_noise_t_max diffusion.previous_noise_form
        emotion.labels sample.solver""",
    "common practice, which no size of data or model asks to change": """
        train_audio.final_lr_share train_audio.grad_clip train_audio.trainer.bundle train_emotion.final_lr_share
        train_emotion.weight_decay train_emotion.grad_clip train_emotion.trainer.bundle
        train_audio.trainer.tuned_share train_emotion.trainer.tuned_share""",
    "stage 1 is frozen in stage 2, so that the pose has no gradient and one part is left": """
        train_emotion.weight_of train_emotion.expression_weight train_emotion.pose_weight
        train_emotion.pose_velocity_weight""",
    "about recordings of any source: what a clip is, is decided alike": """
        preprocess.measure.min_duration_s preprocess.measure.max_duration_s preprocess.measure.detect_every
        preprocess.thresholds.min_face_px preprocess.thresholds.max_yaw_p95_deg preprocess.thresholds.max_roll_deg
        preprocess.thresholds.min_detection_share preprocess.thresholds.min_inside_share
        preprocess.thresholds.min_score_p05 preprocess.thresholds.min_blur preprocess.thresholds.min_brightness
        preprocess.thresholds.max_brightness preprocess.thresholds.min_speech_share
        preprocess.thresholds.min_singing_share preprocess.thresholds.duplicate_share
        preprocess.measure.shot_threshold preprocess.measure.crf""",
    "limits against hostile or broken files, far above what a clip takes": """
        preprocess.limits.max_decode_s preprocess.limits.max_memory_gb preprocess.keep_frames_gb
        preprocess.measure.max_side_px preprocess.measure.max_source_s extract.max_clip_s extract.max_memory_gb""",
    "how it is computed, not what": """
        preprocess.gpus_per_actor
        preprocess.ray_min_clips extract.ahead extract.ray_min_clips speech.piece_s speech.overlap_s
        train_audio.trainer.min_workers train_audio.trainer.sharded train_audio.accumulate train_audio.compile
        train_emotion.trainer.min_workers train_emotion.trainer.sharded train_emotion.accumulate
        train_emotion.compile""",
    "what is told and shown; nothing ends or changes by it": """
        train_audio.best_by train_emotion.best_by
        train_audio.trainer.video_every train_audio.min_improvement train_audio.trainer.plateau_after
        train_audio.stop_after train_emotion.trainer.video_every train_emotion.min_improvement
        train_emotion.trainer.plateau_after train_emotion.stop_after register.max_audio_learned_nothing
        register.max_emotion_learned_nothing evaluate.panel_px evaluate.crf
        evaluate.seeds evaluate.dials.duration_s evaluate.dials.pose_scale evaluate.dials.mouth_scale
        evaluate.dials.blink evaluate.dials.expression_scale evaluate.dials.pose_guidance evaluate.dials.gaze""",
    "rules of measures, alike so that numbers of profiles can be read side by side": """
        sample.limit sample.fade evaluate.samples evaluate.bootstrap evaluate.emotion_duration_s
        evaluate.control_stride evaluate.max_lag_frames evaluate.sync_ridge ablate.long_s""",
}


def test_a_key_that_the_papers_profile_leaves_alone_is_neutral(project):
    keys = {path.stem: {".".join(key) for key, _ in leaves(yaml.safe_load(path.read_text()))}
            for path in (project / "params.yaml", project / "profiles/paper.yaml")}
    neutral = [key for names in NEUTRAL.values() for key in names.split()]
    assert len(neutral) == len(set(neutral))
    left = {key for key in keys["params"] - keys["paper"] if not key.startswith("corpora.")}  # the user's own data
    assert not left - set(neutral), "chosen by nobody: set them in profiles/*.yaml, or give a reason here"
    assert not set(neutral) - left, "named here, and chosen by the profile or gone"


def test_nothing_of_the_small_profile_limits_the_papers_table_2(project):
    paper = yaml.safe_load((project / "profiles/paper.yaml").read_text())
    assert paper["ablate"]["frame_stride"] == 1  # FVD and Sync-C/D look at every frame
    labels = {"neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised"}
    assert set(paper["ablate"]["emotions"]) == set(paper["evaluate"]["emotions"]) == labels
    assert paper["ablate"]["max_clips"] >= len(labels)
    batch_gb = paper["extract"]["batch_frames"] * 256 * 256 * 3 / 1e9
    assert paper["ray"]["object_store_gb"] >= 12 * batch_gb
