"""The six on-disk forms of AVSpeech, CelebV-Text, Acappella, MEAD, MAFW and HDTF, with a few of their defects.

Every function takes the finished clips of its corpus and fills an empty folder as the dataset's usual download tools
leave it. Media are linked (copied where links are refused); names and times are derived from the plans alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.atomic import link_or_copy, write_bytes, write_text
from stages.corpora.clip import media_path, sound_path, truth_path
from stages.corpora.label_sheet import write_label_sheet
from stages.corpora.plan import ClipPlan

MAFW_NAME = {"angry": "anger", "disgusted": "disgust", "happy": "happiness", "sad": "sadness",
             "surprised": "surprise"}
FIRST_MAFW_CLIP = 151
TRUNCATED_SHARE = 0.55


@dataclass(frozen=True)
class Clip:
    """A finished clip: its plan, files, length and face box (left, top, right, bottom as shares of the picture)."""

    plan: ClipPlan
    media: Path
    sound: Path
    duration_s: float
    face_box: tuple[float, float, float, float]


def read_clip(work: Path, plan: ClipPlan) -> Clip:
    """Read what the layouts need of a finished clip."""
    with np.load(truth_path(work, plan)) as truth:
        frames, (left, top, right, bottom) = len(truth["times_s"]), truth["face_box"].tolist()
    return Clip(plan, media_path(work, plan), sound_path(work, plan), float(frames / plan.rate),
                (left, top, right, bottom))


def video_id(*parts: object) -> str:
    """Eleven characters as in a YouTube address, made from a hash: no such video is meant."""
    return base64.urlsafe_b64encode(hashlib.sha256(repr(parts).encode()).digest())[:11].decode()


def person_id(clip: Clip) -> str:
    """One pseudo video per person and corpus, so that a person's clips stay together; some begin with a dash."""
    name = video_id(clip.plan.corpus, clip.plan.identity.number)
    return "-" + name[1:] if clip.plan.identity.number in (1, 3) else name


def avspeech(clips: list[Clip], root: Path) -> None:
    """Header-less CSVs and <id>_<start>-<end>.mp4; defects: a dead video, a segment of 2 s, a one-line test list."""
    lines = []
    for index, clip in enumerate(clips):
        start = 12.5 + 30.0 * index
        end = round(start + clip.duration_s, 6)
        left, top, right, bottom = clip.face_box
        link_or_copy(clip.media, root / f"{person_id(clip)}_{start:010.6f}-{end:010.6f}.mp4")
        lines.append(f"{person_id(clip)},{start:g},{end:.6f},{(left + right) / 2:.6f},{(top + bottom) / 2:.6f}")
    lines.insert(2, f"{video_id('dead')},87,92.433333,0.46875,0.303977")
    write_text(root / "avspeech_train.csv", "\n".join(lines[:-2]) + "\n")
    write_text(root / "avspeech_test.csv", "\n".join(lines[-2:]) + "\n")


def celebv_text(clips: list[Clip], root: Path) -> None:
    """Flat json with normalised boxes, silent processed/ and a separate audio/; defects: no sound, a key with .mp4."""
    info = {}
    for index, clip in enumerate(clips):
        key = f"{person_id(clip)}_{index}"
        link_or_copy(clip.media, root / "processed" / f"{key}.mp4")
        if clip.plan.sound == "separate":
            link_or_copy(clip.sound, root / "audio" / f"{key}.m4a")
        start = round(4.0 + 17.31 * index, 2)
        left, top, right, bottom = (round(value, 6) for value in clip.face_box)
        info[f"{key}.mp4" if index == 1 else key] = {
            "ytb_id": person_id(clip), "duration": {"start_sec": start, "end_sec": round(start + clip.duration_s, 2)},
            "bbox": {"top": top, "bottom": bottom, "left": left, "right": right}, "version": "v0.1"}
    write_text(root / "celebvtext_info.json", json.dumps(info, indent=1) + "\n")


def acappella(clips: list[Clip], root: Path) -> None:
    """samples/<id>.mp4 and full_dataset.csv with times in minutes.seconds; defect: a listed file is missing."""
    lines = ["ID,Repeat,Init,Fin,Length (s),Song Name,Link,Comments,Singer,Language,Gender"]
    for index, clip in enumerate(clips):
        name, first = person_id(clip), 31 + 19 * index
        length = round(clip.duration_s)
        init, fin = _minutes_seconds(first), _minutes_seconds(first + length)
        file = f"{name}_{init}_to_{fin}.mp4".replace(".", "_", init.count(".") + 1)
        link_or_copy(clip.media, root / "samples" / file)
        gender = "Female" if clip.plan.identity.woman else "Male"
        lines.append(f"{name},{index},{init},{fin},{length},Sentence {index + 1} (spoken),youtube.com/watch?v={name},"
                     f",Synthetic {clip.plan.identity.number},English,{gender}")
    missing = video_id("missing song")
    lines.append(f"{missing},0,1.03,5.03,128,Missing,youtube.com/watch?v={missing},Shaky video,Synthetic X,English,"
                 "Male")
    write_text(root / "dataset" / "full_dataset.csv", "\n".join(lines) + "\n")


def _minutes_seconds(seconds: int) -> str:
    """51 -> 0.51, 50 -> 0.5, 112 -> 1.52: minutes, point, two digits of seconds, printed as a Python float is."""
    return str(float(f"{seconds // 60}.{seconds % 60:02d}"))


def mead(clips: list[Clip], root: Path) -> None:
    """<actor>/video/front/<emotion>/level_n/NNN.mp4 and <actor>/audio/... .m4a; defect: the last m4a is missing."""
    for index, clip in enumerate(clips):
        plan = clip.plan
        actor = f"{'W' if plan.identity.woman else 'M'}{plan.identity.number + 1:03d}"
        below = Path(plan.emotion) / f"level_{plan.level}" / f"{index + 1:03d}"
        link_or_copy(clip.media, (root / actor / "video" / "front" / below).with_suffix(".mp4"))
        if index < len(clips) - 1:
            link_or_copy(clip.sound, (root / actor / "audio" / below).with_suffix(".m4a"))


def mafw(clips: list[Clip], root: Path) -> None:
    """data/clips/NNNNN.mp4, Labels/single_set.xlsx, the text splits of fold 1; defect: a clip under 3 s."""
    labels = {}
    for index, clip in enumerate(clips):
        name = f"{FIRST_MAFW_CLIP + 7 * index:05d}.mp4"
        link_or_copy(clip.media, root / "data" / "clips" / name)
        labels[name] = MAFW_NAME.get(clip.plan.emotion, clip.plan.emotion)
    write_label_sheet(root / "Labels" / "single_set.xlsx", labels)
    lines = [f"{name} {label}" for name, label in labels.items()]
    split = root / "Train & Test Set" / "single" / "no_caption" / "set_1"
    write_text(split / "train.txt", "\n".join(lines[:-1]) + "\n")
    write_text(split / "test.txt", lines[-1] + "\n")


def hdtf(clips: list[Clip], root: Path) -> None:
    """HDTF_dataset/*.txt in their spelling, clips of universome's tool; defects: BOM, trailing blanks, a silent clip
    (their tool leaves the sound out) and a file that was cut off."""
    person = f"Synthetic{clips[0].plan.identity.number}"
    for index, clip in enumerate(clips):
        link_or_copy(clip.media, root / "clips" / f"WDA_{person}_{index:03d}.mp4")
    data = clips[0].media.read_bytes()
    write_bytes(root / "clips" / f"WDA_{person}_{len(clips):03d}.mp4", data[:int(TRUNCATED_SHARE * len(data))])
    times = [f"{_clock(30 * n)}-{_clock(30 * n + round(clip.duration_s))}" for n, clip in enumerate([*clips, clips[0]])]
    side = clips[0].plan.width_px
    names = [f"{person}_{n}.mp4" for n in range(len(clips) + 1)]
    tables = {"video_url": f"\ufeff{person} https://www.youtube.com/watch?v={video_id(person)}&t=6s\n",
              "annotion_time": f"{person}.mp4 {' '.join(times)} \n",
              "crop_wh": "".join(f"{name} 0 {side} 0 {side}\n" for name in names),
              "crop_ratio": "".join(f"{name} 1.0\n" for name in names), "resolution": f"{person}.mp4 {side}\n"}
    for subset in ("RD", "WDA", "WRA"):
        for kind, text in tables.items():
            write_text(root / "HDTF_dataset" / f"{subset}_{kind}.txt", text if subset == "WDA" else "")


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


LAYOUTS: dict[str, Callable[[list[Clip], Path], None]] = {
    "avspeech": avspeech, "celebv_text": celebv_text, "acappella": acappella, "mead": mead, "mafw": mafw, "hdtf": hdtf}
