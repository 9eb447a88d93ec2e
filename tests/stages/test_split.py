"""No person in two splits, whatever the corpora call them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.components.people import group
from pipeline.core.data_params import Split
from pipeline.core.split_table import read_split, write_split
from stages import split
from stages.split import count


def clips(*identities, youtube=()):
    return [{"clip_id": f"{i:03d}", "corpus": name.split("/")[0], "identity": name,
             "youtube_id": dict(youtube).get(name)} for i, name in enumerate(identities)]


def params(identities=(), share=0.1, test_share=0.2):
    return Split(test_identities=list(identities), test_share=test_share, validation_share=share, same_person=0.7)


def assign(clips, params, seed, corpora=("hdtf",)):
    return split.assign(clips, params, list(corpora), seed)[0]


def splits_of(rows):
    found = {}
    for row in rows:
        found.setdefault(row["identity"], set()).add(row["split"])
    return found


def test_test_corpora_and_identities():
    rows = assign(clips("hdtf/A", "mead/M003", "mead/M005", "mead/M007", "mead/M009"),
                  params(["mead/M003"], share=0.0), seed=1)
    assert [row["split"] for row in rows] == ["test", "test", "train", "train", "train"]


def test_one_validates_where_there_are_three_however_small_the_share():
    rows = assign(clips("mead/A", "mead/B", "mead/C"), params(share=1e-9), seed=1)
    assert sorted(row["split"] for row in rows) == ["train", "train", "validation"]
    two = assign(clips("mead/A", "mead/B"), params(share=1e-9), seed=1)
    assert {row["split"] for row in two} == {"train"}


def test_one_video_in_two_corpora_is_one_person():
    rows = clips("avspeech/x", "hdtf/Y", "celebv_text/z", "mead/M", "mead/N",
                 youtube=[("avspeech/x", "v1"), ("hdtf/Y", "v1"), ("celebv_text/z", "v2")])
    found = splits_of(assign(rows, params(), seed=1))
    assert found["avspeech/x"] == found["hdtf/Y"] == {"test"}
    assert "test" not in found["celebv_text/z"]


def test_groups_join_through_others():
    rows = clips("a/1", "b/2", "b/2", "c/3")
    for row, video in zip(rows, ["v", "v", "w", "w"], strict=True):
        row["youtube_id"] = video
    assert set(group(rows).values()) == {"a/1"}


def test_nothing_left_to_train_on():
    with pytest.raises(ValueError, match="no training clip is left"):
        assign(clips("hdtf/A"), params(), seed=1)
    with pytest.raises(ValueError, match="no training clip is left"):
        assign([], params(), seed=1)
    with pytest.raises(ValueError, match="mead/M999"):
        assign(clips("mead/M003"), params(identities=["mead/M999"]), seed=1)


@given(st.lists(st.tuples(st.sampled_from(["avspeech", "hdtf", "mead"]), st.integers(0, 30),
                          st.one_of(st.none(), st.integers(0, 10))), min_size=1), st.integers(0, 5))
def test_no_person_and_no_video_in_two_splits(people, seed):
    rows = [{"clip_id": str(i), "corpus": corpus, "identity": f"{corpus}/{person}",
             "youtube_id": None if video is None else f"v{video}"} for i, (corpus, person, video) in enumerate(people)]
    try:
        assigned = assign(rows, params(share=0.3), seed)
    except ValueError:
        return
    videos = {}
    for row, result in zip(sorted(rows, key=lambda r: r["clip_id"]), assigned, strict=True):
        if row["youtube_id"]:
            videos.setdefault(row["youtube_id"], set()).add(result["split"])
    assert all(len(names) == 1 for names in [*splits_of(assigned).values(), *videos.values()])


def test_the_share_is_about_right_and_stable():
    names = [f"mead/P{i}" for i in range(1000)]
    rows = assign(clips(*names), params(share=0.1), seed=7)
    validating = {row["identity"] for row in rows if row["split"] == "validation"}
    assert 70 <= len(validating) <= 130
    fewer = assign(clips(*names[:500]), params(share=0.1), seed=7)
    assert {r["identity"] for r in fewer if r["split"] == "validation"} == validating & set(names[:500])


def test_counts_and_file(tmp_path):
    rows = assign(clips("hdtf/A", "mead/B", "mead/B", "mead/C"), params(share=0.0), seed=1)
    assert count(rows)["train"] == {"clips": 3, "corpora": {"mead": 3}, "identities": 2}
    assert count(rows)["validation"] == {"clips": 0, "corpora": {}, "identities": 0}
    write_split(tmp_path, rows)
    assert read_split(tmp_path) == {"000": "test", "001": "train", "002": "train", "003": "train"}


# --- where nothing is named for tests

def aside(rows, seed=1, **more):
    found, said, _ = split.assign(rows, params(**more), [], seed)
    return {row["clip_id"]: row["split"] for row in found}, said


def test_a_share_of_the_people_is_set_aside_and_said():
    rows = clips(*(f"own/P{i % 40}" for i in range(200)))
    found, said = aside(rows, share=0.1, test_share=0.25)
    people = {name: {r["identity"] for r in rows if found[r["clip_id"]] == name} for name in ("test", "train")}
    assert 4 <= len(people["test"]) <= 16 and not people["test"] & people["train"]
    assert f"of 40 people, {len(people['test'])} set aside (split.test_share 0.25): own/P" in said
    fewer, _ = aside([r for r in rows if r["identity"] < "own/P2"], share=0.1, test_share=0.25)
    assert {name for name in fewer if fewer[name] == "test"} <= {name for name in found if found[name] == "test"}


def test_one_of_two_people_is_tested_however_small_the_share():
    found, _ = aside(clips("own/A", "own/B"), share=0.0, test_share=1e-9)
    assert sorted(found.values()) == ["test", "train"]
    assert sorted(aside(clips("own/A", "own/B"), share=0.0, test_share=0.999)[0].values()) == ["test", "train"]


def test_of_one_person_clips_are_set_aside():
    found, said = aside(clips(*["own/A"] * 10), share=0.1, test_share=0.2)
    assert set(found.values()) == {"train", "validation", "test"} and list(found.values()).count("train") >= 5
    assert "of 10 clips of the one person, " in said


def test_what_the_lists_call_test_goes_first_where_it_keeps_people_apart():
    rows = clips("own/A", "own/A", "own/B", "own/B", "own/C")
    for row, part in zip(rows, ["test", "test", "test", "train", None], strict=True):
        row["official_split"] = part
    found, said = aside(rows, share=0.0)
    assert [found[f"{i:03d}"] for i in range(5)] == ["test", "test", "train", "train", "train"]   # B is in both
    assert "of 3 people, the 1 that the corpora's own lists call test are set aside" in said


def test_a_name_for_tests_sets_nothing_aside():
    assert split.assign(clips("own/A", "own/B"), params(["own/A"], share=0.0), [], 1)[1] == ""
    assert split.assign(clips("hdtf/A", "own/B"), params(share=0.0), ["hdtf"], 1)[1] == ""
