"""A corpus of hostile files and rows, through the stage as a user runs it: nothing stops it, nothing is lost, nothing
leaves its folder, and every file ends as a row with the right code."""

from __future__ import annotations

import gzip
import os
import random
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.core.clip_table import read_clip_table
from pipeline.core.config import parse_params
from playmate import corpora_header as header
from stages.preprocess import stage
from tests.chosen import raw_in
from tests.needs import weight
from tests.stages.preprocess import test_hostile as kinds
from tests.stages.preprocess.makers import clicks, regular, write

pytestmark = pytest.mark.processes

SECONDS = 3.2
HEADER_BYTES = 2000
SOUND = clicks([Fraction(i, 2) for i in range(6)], SECONDS, 16000)


def good(path: Path, size: tuple[int, int] = (96, 72), sound: np.ndarray = SOUND, **more) -> Path:
    times = regular(25, SECONDS)
    return write(path, kinds.pictures(times, size), times, sound, rate=16000, **more)


def patched(path: Path, box: bytes, offset: int, value: bytes) -> None:
    """Overwrite bytes of an MP4 box: an absurd header."""
    data = bytearray(good(path).read_bytes())
    at = data.rindex(box) + offset  # the last one: brands at the file's beginning have names of boxes, too
    data[at:at + len(value)] = value
    path.write_bytes(data)


def patched_matroska(path: Path, changes: dict[bytes, bytes]) -> None:
    """A Matroska file of raw-ish video, whose header alone says how large and long it is, with other bytes there."""
    made = good(path.with_suffix(".mkv"), size=(320, 272), codec="ffv1")
    data = made.read_bytes()
    made.unlink()
    for old, new in changes.items():
        at = data.index(old) + len(old)
        data = data[:at] + new + data[at + len(new):]
    path.write_bytes(data)


def repeated(path: Path, times: int) -> None:
    """The same seconds appended again and again: presentation times jump back."""
    data = good(path.with_suffix(".ts")).read_bytes()
    path.with_suffix(".ts").unlink()
    path.write_bytes(data * times)


def tree(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.lstat().st_size for p in sorted(root.rglob("*"))}


# what the stage's guarded process is given, beyond what test_hostile.py reads one by one
FILES = {
    **{name: make for name, (make, _) in kinds.BROKEN.items() if name != "8K"},
    "1x1": lambda p: good(p.with_suffix(".mkv"), size=(1, 1), codec="ffv1", pix_fmt="yuv444p").rename(p),
    "claims 65535x65535": lambda p: patched(p, b"avc1", 28, struct.pack(">HH", 65535, 65535)),
    "Matroska claims 12288x12288": lambda p: patched_matroska(p, {b"\xb0\x82": b"\x30\x00", b"\xba\x82": b"\x30\x00"}),
    "Matroska claims 65535x65535": lambda p: patched_matroska(p, {b"\xb0\x82": b"\xff\xff", b"\xba\x82": b"\xff\xff"}),
    "Matroska claims 30 years": lambda p: patched_matroska(p, {b"\x44\x89\x88": struct.pack(">d", 1e12)}),
    "claims 0x0": lambda p: patched(p, b"avc1", 28, struct.pack(">HH", 0, 0)),
    "claims a year": lambda p: patched(p, b"mvhd", 16, struct.pack(">II", 1, 31_536_000)),
    "claims 4 billion samples": lambda p: patched(p, b"stsz", 12, struct.pack(">I", 0xFFFFFFF0)),
    "box of 4 GB": lambda p: patched(p, b"moov", -4, struct.pack(">I", 0xFFFFFFFF)),
    "box in itself": lambda p: p.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + (b"\0\0\x10\0moov" * 400)),
    "time scale 0": lambda p: patched(p, b"mdhd", 16, bytes(4)),
    "times jump back": lambda p: repeated(p, 3),
    "sound of one sample": lambda p: good(p, sound=SOUND[:1]),
    "XML bomb": lambda p: p.write_bytes(b'<!DOCTYPE a [<!ENTITY a "aaaa">]><a>&a;</a>'),
    "gzip of zeros": lambda p: p.write_bytes(gzip.compress(bytes(1 << 20))),
    "riff that never ends": lambda p: p.write_bytes(b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl" + bytes(64)),
    "matroska of unknown length": lambda p: p.write_bytes(b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff" * 50),
}
CODES = {"Matroska claims 12288x12288": "too_large", "Matroska claims 65535x65535": "no_video",
         "Matroska claims 30 years": "too_long", "1x1": "too_small"}
MENDED = {"times jump back", "claims a year", "time scale 0", "claims 0x0", "box of 4 GB",
          "claims 65535x65535"}  # readers believe the stream, not these
NAMES = ["-leading#dash", "spaces in a name", "ключ 鍵 🗝", "%s%n%03d", "a;rm -rf x", "$(touch x)", "line\nbreak",
         "'quoted\""]


SPECIAL = {"M003#sad#level_1#001.mp4", "M003#sad#level_1#002.mp4", "M003#sad#level_1#003.mp4", "out",
           "M003#sad#level_1#004.mp4", "M003#sad\\udcff#level_1#005.mp4"}


def folder_of_takes(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """MEAD's tree with a hostile file per take -> {path: kind} of broken ones, and of good ones with hostile names."""
    broken, odd = {}, {}
    for take, (kind, make) in enumerate(FILES.items(), start=1):
        path = root / "M003" / "video" / "front" / "angry" / "level_1" / f"{take:03d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        for left in path.parent.glob("[ab].*"):
            left.unlink()
        broken[path.relative_to(root).as_posix()] = kind
    for take, name in enumerate(NAMES):
        path = root / name / f"M005#happy#level_2#{take:03d}.mp4"
        path.parent.mkdir()
        good(root / "made.mp4").rename(path)
        odd[path.relative_to(root).as_posix()] = name
    return broken, odd


@pytest.fixture(scope="module")
def done(project, tmp_path_factory):
    weight("scrfd"), weight("silero_vad")
    top = tmp_path_factory.mktemp("hostile")
    root = top / "raw" / "mead"
    root.mkdir(parents=True)
    broken, odd = folder_of_takes(root)
    (top / "secret.mp4").write_bytes(good(top / "secret.mp4").read_bytes())
    (root / "M003#sad#level_1#001.mp4").symlink_to(top / "secret.mp4")
    (root / "M003#sad#level_1#002.mp4").symlink_to("M003#sad#level_1#002.mp4")
    (root / "out").symlink_to(top)
    os.mkfifo(root / "M003#sad#level_1#003.mp4")
    (root / "M003#sad#level_1#004.mp4").symlink_to("/dev/zero")
    (root / "M003#sad#level_1#006.mp4").mkdir()
    (root / os.fsdecode(b"M003#sad\xff#level_1#005.mp4")).touch()
    values = yaml.safe_load((project / "params.yaml").read_text())
    raw_in(values, top / "raw")
    values["ray"]["num_cpus"] = 2
    values["preprocess"]["limits"] = {"max_decode_s": 60.0, "max_memory_gb": 2.0}
    values["preprocess"]["measure"]["detect_every"] = 25
    before = tree(top)
    work = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        stage.preprocess("mead", parse_params(values))
    rows = read_clip_table(work / "data/crops/mead/clips.parquet")
    return rows, broken, odd, before == tree(top), work


def test_every_kind_is_a_row(done):
    rows, broken, odd, *_ = done
    assert len(broken) + len(odd) + len(SPECIAL) >= 55
    sources = {row["source"] for row in rows}
    assert set(broken) | set(odd) | SPECIAL <= sources
    assert all(row["stage"] and row["code"] and row["detail"] for row in rows if row["status"] == "rejected")


def test_every_broken_file_has_the_code_of_its_kind(done):
    rows, broken, *_ = done
    found = {broken[row["source"]]: row for row in rows if row["source"] in broken}
    for kind, (_, expected) in kinds.BROKEN.items():
        if kind in found:
            assert f"{found[kind]['stage']}/{found[kind]['code']}" == expected, kind
    for kind in set(FILES) - set(kinds.BROKEN) - MENDED:
        # whatever reader mends what: a reason of the file, never a crash of its process
        assert found[kind]["stage"] in ("probe", "decode"), (kind, found[kind])
        assert found[kind]["code"] not in ("crash", "timeout"), (kind, found[kind])
    assert {kind: found[kind]["code"] for kind in CODES} == CODES


def test_hostile_names_are_only_names(done):
    rows, _, odd, untouched, work = done
    found = {odd[row["source"]]: row for row in rows if row["source"] in odd}
    assert {row["code"] for row in found.values()} == {"no_face"}      # read to the end: there is only noise to see
    assert untouched                                       # nothing was written, changed or made beside the raw files
    assert not [p for p in work.rglob("*") if p.name == "x"]


def test_links_pipes_and_folders(done):
    rows = done[0]
    codes = {row["source"]: row["code"] for row in rows}
    assert {name: codes.pop(name) for name in SPECIAL} == dict.fromkeys(SPECIAL, "unsafe_path") | {
        "M003#sad#level_1#003.mp4": "not_a_file", "M003#sad\\udcff#level_1#005.mp4": "bad_name"}
    assert "M003#sad#level_1#006.mp4" not in codes          # a folder


def test_rejects_have_a_picture_where_one_frame_could_be_read(done):
    rows, broken, _, _, work = done
    pictures = {path.stem for path in (work / "data/crops/mead/rejects").iterdir()}
    by_kind = {broken[row["source"]]: row["clip_id"] for row in rows if row["source"] in broken}
    shown = {kind for kind, name in by_kind.items() if name in pictures}
    assert {"no sound", "bits flipped", "hole in time", "short"} <= shown
    assert by_kind["text"] not in pictures and by_kind["empty"] not in pictures


def test_random_damage_is_an_answer_or_a_reason(tmp_path):
    """Bytes of a good file's header overwritten anywhere."""
    data, dice = good(tmp_path / "a.mp4", options={"movflags": "faststart"}).read_bytes(), random.Random(5)
    answers = []
    with GuardedWorker(header.__name__, {"max_side_px": 4320, "max_source_s": 14400.0}, 20.0, 2.0) as worker:
        for trial in range(30):
            broken = bytearray(data)
            for _ in range(20):
                broken[dice.randrange(HEADER_BYTES)] = dice.randrange(256)
            path = tmp_path / f"{trial}.mp4"
            path.write_bytes(broken)
            answers.append(worker.run({"media": str(path)}))
    assert all(isinstance(a, Failure) or "code" in a or a["seconds"] >= 0 for a in answers)
    assert any(not isinstance(a, Failure) and "code" in a for a in answers)
