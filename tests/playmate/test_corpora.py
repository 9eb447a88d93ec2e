"""The table that `playmate corpora check` prints, on files of a few kilobytes."""

from __future__ import annotations

import io
import json
from collections import Counter
from fractions import Fraction

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from pipeline.core.config import Params, parse_params
from playmate import corpora as corpora_check
from playmate import main as cli
from playmate.corpora import Found, _suggest, _table, check_params, check_path, show, size_text, time_text
from stages.preprocess.readers import CorpusError, raw
from tests.stages.preprocess.makers import clicks, flashes, regular, write
from tests.stages.preprocess.readers.test_raw import bucket  # noqa: F401 - a fixture
from tests.stages.preprocess.readers.test_readers import lay


@pytest.fixture(scope="module")
def params(project) -> Params:
    return parse_params(yaml.safe_load((project / "params.yaml").read_text()))


def check(path, params, sample, console=None, known=()):
    found = check_path(str(path), params, sample)
    show(found, console or Console(file=io.StringIO()), list(known))
    return found


def test_counts_reasons_and_estimates(params, tmp_path):
    times = regular(25, 4)
    pictures, sound = flashes(times, []), clicks([Fraction(1)], 4, 16000)
    root = tmp_path / "avspeech"
    root.mkdir()
    write(root / "PmD-LzPS2rg_1-5.mp4", pictures, times, sound, rate=16000)
    write(root / "q1doqKlHRuY_1-3.mp4", pictures[:50], times[:50])
    lay(root, "h-fSfAFufCo_1-5.mp4", text="404")
    lay(root, "part1.zip", text="PK")
    lay(root, "avspeech_train.csv", text="".join(f"{name},.5,.5\n" for name in (
        "PmD-LzPS2rg,1,5", "q1doqKlHRuY,1,3", "h-fSfAFufCo,1,5", "deadVideo01,1,5")))
    lay(tmp_path, "mafw/empty.txt", text="x")
    console = Console(file=io.StringIO(), width=200)
    avspeech, mafw = check(tmp_path, params, 10, console)
    text = console.file.getvalue()
    assert (avspeech.clips, dict(avspeech.rejects), avspeech.looked_at) == (3, {"missing_media": 1}, 3)
    assert dict(avspeech.broken) == {"unreadable": 1, "no_sound": 1, "too_short": 1}
    assert avspeech.seconds == pytest.approx(3 * (4 + 2) / 2, abs=0.5)  # mean of the readable two, times all
    assert avspeech.cpu_s > 0 and mafw.clips == 0
    for words in ("1 missing_media", "1 archives are not read, part1.zip", "neither Labels/single_set.xlsx", "2 cores"):
        assert words.replace("2 cores", "cores") in text


def test_spans_of_the_list_are_believed_before_headers(params, tmp_path):
    lay(tmp_path / "avspeech", "avspeech_train.csv", text="PmD-LzPS2rg,1,11,.5,.5\nPmD-LzPS2rg,20,40,.5,.5\n")
    lay(tmp_path / "avspeech", "PmD-LzPS2rg.mp4", text="404")
    [found] = check(tmp_path, params, 1, Console(file=io.StringIO()))
    assert found.seconds == 30.0


def test_a_corpus_in_s3_is_counted_without_fetching_media(params, bucket, monkeypatch):  # noqa: F811
    console = Console(file=io.StringIO(), width=200)
    monkeypatch.setattr(corpora_check, "raw_objects", raw._objects)
    [found] = check("s3://bucket/sets", params, 10, console)
    assert (found.corpus, found.clips, found.looked_at, found.bytes) == ("avspeech", 2, 0, 3 + 4)
    assert dict(found.rejects) == {"missing_media": 1, "unlisted": 1, "unsafe_path": 1}
    assert bucket.fetched == ["sets/avspeech/avspeech_train.csv"]
    assert "length unknown: no header was read" in console.file.getvalue()


def test_a_root_without_a_dataset(params, tmp_path):
    with pytest.raises(CorpusError, match="holds no video, no tar shard"):
        check(tmp_path, params, 1)
    with pytest.raises(CorpusError, match="is not a folder: give a folder"):
        check(tmp_path / "nowhere", params, 1)


def test_units_that_suit():
    assert [time_text(s) for s in (5, 600, 36000)] == ["5 s", "10 min", "10 h"]
    assert [size_text(b) for b in (2_500_000, 999e9, 3e12)] == ["2.5 MB", "999.0 GB", "3.0 TB"]


def test_the_table_of_full_datasets_fits_eighty_columns():
    whole = Found("celebv_text", _suggest("celebv_text", "/x"), clips=2_621_845, people=290_000,
                  emotions=Counter(range(11)), seconds=4700 * 3600.0,
                  rejects=Counter(missing_media=1_500_000), bytes=1_500_000_000_000, cpu_s=2e8)
    console = Console(file=io.StringIO(), width=80)
    console.print(_table([whole]))
    [line] = [line for line in console.file.getvalue().splitlines() if "celebv_text" in line]
    assert " ".join(line.split()) == "celebv_text 2,621,845 1,500,000 290,000 11 4,700 h 1.5 TB 55,556 h 1.3 TB"


# --- which reader fits

LISTS = {
    "hdtf": {"HDTF_dataset/RD_annotion_time.txt": "Radio1.mp4 00:01-00:05\n", "clips/Radio1_0.mp4": ""},
    "mafw": {"Labels/single_set.xlsx": "", "data/clips/00001.mp4": ""},
    "celebv_text": {"celebvtext_info.json": "{}", "processed/-9aAbBcCdDe_0.mp4": ""},
    "avspeech": {"lists/avspeech_train.csv": "PmD-LzPS2rg,1,5,.5,.5\n", "a/x.mp4": ""},
    "acappella": {"dataset/full_dataset.csv": "ID,Init,Fin,Singer,Language\n", "samples/x.mp4": ""},
    "mead": {"M003/video/front/angry/level_1/001.mp4": "", "M003/video/front/angry/level_1/002.mp4": "", "odd.mp4": ""},
    "clips": {"metadata.csv": "file_name\na.mp4\n", "a.mp4": ""},
}
NAMED = {"avspeech": {"x/PmD-LzPS2rg_1-5.mp4": "", "y/q1doqKlHRuY_1_3.mp4": "", "odd.mp4": ""},
         "mead": {"M003#angry#level_1#001.mp4": "", "W009_sad_2_011.mp4": ""},
         "clips": {"anna/IMG_0001.MOV": "", "ben/GX010023.MP4": ""}}


@pytest.mark.parametrize(("reader", "files"), [*LISTS.items(), *NAMED.items()])
def test_the_reader_of_a_folder_is_guessed(params, tmp_path, reader, files):
    for name, text in files.items():
        lay(tmp_path / "some folder", name, text=text)
    [found] = check(tmp_path / "some folder", params, 0)
    assert (found.corpus, found.said.reader) == ("some_folder", reader)


def test_a_folder_of_datasets_is_taken_apart(params, tmp_path):
    for reader in ("hdtf", "avspeech", "clips"):
        for name, text in LISTS[reader].items():
            lay(tmp_path / f"the {reader}", name, text=text)
    lay(tmp_path, "notes/readme.txt", ".hidden/a.mp4")
    assert [(f.corpus, f.said.reader) for f in check(tmp_path, params, 0)] == [
        ("the_avspeech", "avspeech"), ("the_clips", "clips"), ("the_hdtf", "hdtf")]


def test_parts_of_one_dataset_are_one(params, tmp_path):
    for part in ("part1", "part2"):
        for name, text in NAMED["avspeech"].items():
            lay(tmp_path / part, name, text=text)
    [found] = check(tmp_path, params, 0)
    assert found.said.reader == "avspeech" and found.clips == 4


def test_the_lines_can_be_pasted(params, project, tmp_path):
    lay(tmp_path, "my #1: films/anna/a.mp4", "my #1: films/ben/b.mp4", "mead/M003#angry#level_1#001.mp4")
    console = Console(file=io.StringIO(), width=40)
    check(tmp_path, params, 0, console, known=params.corpora)
    lines = console.file.getvalue().partition("below `corpora:` (docs/corpora.md):\n")[2]
    assert lines.count("\n") == 2 and "# instead of the line of that name" in lines.splitlines()[0]
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["corpora"] |= yaml.safe_load(f"corpora:\n{lines}")["corpora"]
    mine = parse_params(values).corpora["my_1_films"]
    assert mine.model_dump() == {"reader": "clips", "path": str(tmp_path / "my #1: films"), "use": ["audio"],
                                 "singing": False, "sync": False}


def test_labelled_clips_are_for_both_stages(params, tmp_path):
    lay(tmp_path, "a.mp4")
    lay(tmp_path, "metadata.csv", text="file_name,emotion\na.mp4,joy\n")
    [found] = check(tmp_path, params, 0)
    assert found.said.use == ["audio", "emotion"] and found.emotions == {"happy": 1}


def test_the_projects_own_outputs_are_no_corpus(params, project, monkeypatch):
    monkeypatch.chdir(project)
    with pytest.raises(CorpusError, match="a folder around them holds what is made here"):
        _suggest("clips", str(project))


def test_without_a_path_the_corpora_of_params_are_checked(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay(tmp_path, "data/embedded/mead/M003#angry#level_1#001.mp4")
    found = {f.corpus: f for f in check_params(params, 0)}
    assert list(found) == list(params.corpora) and found["mead"].clips == 1
    assert found["hdtf"].notes == ["not made yet: `dvc repro corpora` does"]


def test_the_command_as_the_readme_writes_it(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text())
    plain = CliRunner().invoke(cli.app, ["corpora", "check"])
    assert plain.exit_code == 0 and "not made yet" in plain.stdout and "for params.yaml" not in plain.stdout
    lay(tmp_path / "films", "anna/a.mp4")
    said = CliRunner().invoke(cli.app, ["corpora", "check", "films", "--json"])
    [found] = json.loads(said.stdout)
    assert (found["name"], found["reader"], found["path"], found["clips"], found["people"]) == (
        "films", "clips", "films", 1, 1)
    assert found["broken_headers"] == {"empty_file": 1} and found["notes"] == ["length unknown: no header was read"]
