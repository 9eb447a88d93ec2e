"""A person in two videos is one person; a clip that came later moves nobody."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.judges.identity import mean_identity, read_identities
from pipeline.components import people
from pipeline.components.people import Joined, same_people, who_is_who
from pipeline.core.config import parse_params
from pipeline.core.split_table import TEST, TRAIN, VALIDATION, sides, write_split
from stages.split import divide, keep_sides
from tests.chosen import raw_in

NAMED = {"mead", "hdtf"}


def clip(name: str, identity: str, angle_deg: float | None = None, **more) -> dict:
    """A clip whose face's vector lies on a circle: the cosine of two is that of their angle."""
    vector = None
    if angle_deg is not None:
        vector = mean_identity(np.array([[np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))]]))
    corpus = identity.split("/", maxsplit=1)[0]
    return {"clip_id": name, "corpus": corpus, "identity": identity, "identity_vector": vector, **more}


def test_a_column_holds_the_mean_direction():
    column = mean_identity(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]], np.float32))
    assert column == "a839a839" + "00000000"   # 0.7071 as float16 is 0x39a8
    assert read_identities([column, column]) == pytest.approx(np.full((2, 4), [0.5 ** 0.5, 0.5 ** 0.5, 0, 0]), abs=1e-6)
    with pytest.raises(ValueError, match="several networks"):
        read_identities([column, column[:8]])


def test_near_faces_are_one_person_and_chains_hold():
    """0, 40, 80 degrees: neighbours have 0.766, the ends 0.17."""
    clips = [clip("1", "avspeech/a", 0), clip("2", "avspeech/b", 40), clip("3", "celebv_text/c", 80),
             clip("4", "mafw/d", 200), clip("5", "mafw/e")]
    assert set(same_people(clips, NAMED, 0.7)) == {("avspeech/a", "avspeech/b"), ("avspeech/b", "celebv_text/c")}
    groups, joined = who_is_who(clips, NAMED, 0.7)
    assert set(groups.values()) == {"avspeech/a", "mafw/d", "mafw/e"} and groups["celebv_text/c"] == "avspeech/a"
    assert joined == Joined(clips=4, identities=3, people=1, largest=3)
    assert who_is_who(clips, NAMED, 0.8)[1] == Joined(4, 0, 0, 0)
    assert who_is_who([clip("1", "mead/a")], NAMED, 0.7) == ({"mead/a": "mead/a"}, None)


def test_named_people_are_joined_to_videos_and_not_to_each_other():
    clips = [clip("1", "mead/A", 0), clip("2", "mead/B", 0), clip("3", "hdtf/C", 90), clip("4", "avspeech/v", 90)]
    assert set(same_people(clips, NAMED, 0.7)) == {("avspeech/v", "hdtf/C")}


@given(st.lists(st.tuples(st.sampled_from(["avspeech", "mead"]), st.integers(0, 9), st.integers(0, 359)), min_size=1,
                max_size=12), st.randoms(use_true_random=False))
def test_order_and_blocks_change_nothing(found, random):
    clips = [clip(f"{index}", f"{corpus}/{person}", angle) for index, (corpus, person, angle) in enumerate(found)]
    groups = who_is_who(clips, NAMED, 0.7)
    random.shuffle(clips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "BLOCK", 3)
        assert who_is_who(clips, NAMED, 0.7) == groups


@pytest.fixture
def params(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    raw_in(values, "raw")   # the user's own: nobody knows who appears in them
    values["split"] |= {"validation_share": 0.3}
    return parse_params(values)


def test_a_tested_person_is_not_trained_on_from_another_video(params, tmp_path):
    clips = [clip(f"{i}", f"avspeech/v{i}", 60 * i) for i in range(6)] + [clip("h", "hdtf/C", 61)]
    alone = divide(clips, params, tmp_path)
    assert {row["clip_id"] for row in alone.rows if row["split"] == TEST} == {"h", "1"}
    assert "2 identities were joined to 1 people" in " ".join(alone.sentences())


def test_one_more_clip_moves_nobody(params, tmp_path):
    """Six strangers; then a clip comes that is between two of them."""
    clips = [clip(f"{i:02d}", f"avspeech/v{i:02d}", 60 * i) for i in range(6)]
    first = divide(clips, params, tmp_path)
    write_split(tmp_path, first.rows, first.asked)
    before = sides(tmp_path, first.asked)
    assert before and not sides(tmp_path, "another")
    for angle in (30, 90, 150, 210):   # of both neighbours: cosine 0.87
        later = divide([*clips, clip("x", "avspeech/a", angle)], params, tmp_path)
        lies = {row["clip_id"]: row["split"] for row in later.rows}
        assert {name: lies[name] for name in before} == before
        near = {before[f"{angle // 60:02d}"], before[f"{(angle // 60 + 1) % 6:02d}"]}
        assert lies["x"] in near and later.on_two_sides == len(near) - 1
        assert any("lie on two sides" in said for said in later.sentences()) == (len(near) == 2)


def test_a_new_clip_of_people_on_two_sides_is_tested():
    rows = [{"clip_id": name, "split": TRAIN} for name in "abcd"]
    groups = {"a": "p", "b": "p", "c": "p", "d": "q"}
    kept = keep_sides(rows, groups, {"a": TRAIN, "b": VALIDATION}, lambda row: row["clip_id"] == "d")
    assert [row["split"] for row in kept] == [TRAIN, VALIDATION, VALIDATION, TEST]


def test_faces_that_join_nobody_are_said_as_such():
    assert str(Joined(6, 0, 0, 0)) == "no two identities look alike (6 clips compared by their faces)"
