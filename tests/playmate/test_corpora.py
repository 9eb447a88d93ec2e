"""The table that `playmate corpora check` prints, on files of a few kilobytes."""

from __future__ import annotations

import io
from collections import Counter
from fractions import Fraction

import pytest
import yaml
from rich.console import Console

from pipeline.core.config import Preprocess
from playmate.corpora import Found, _table, check, size_text, time_text
from stages.preprocess.readers import CorpusError
from tests.stages.preprocess.makers import clicks, flashes, regular, write
from tests.stages.preprocess.readers.test_raw import bucket  # noqa: F401 - a fixture
from tests.stages.preprocess.readers.test_readers import lay


@pytest.fixture(scope="module")
def params(project):
    return Preprocess.model_validate(yaml.safe_load((project / "params.yaml").read_text())["preprocess"])


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
    avspeech, mafw = check(str(tmp_path), params, 10, console)
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
    [found] = check(str(tmp_path), params, 1, Console(file=io.StringIO()))
    assert found.seconds == 30.0


def test_a_corpus_in_s3_is_counted_without_fetching_media(params, bucket):  # noqa: F811
    console = Console(file=io.StringIO(), width=200)
    [found] = check("s3://bucket/sets", params, 10, console)
    assert (found.corpus, found.clips, found.looked_at, found.bytes) == ("avspeech", 2, 0, 3 + 4)
    assert dict(found.rejects) == {"missing_media": 1, "unlisted": 1, "unsafe_path": 1}
    assert bucket.fetched == ["sets/avspeech/avspeech_train.csv"]
    assert "length unknown: no header was read" in console.file.getvalue()


def test_a_root_without_a_dataset(params, tmp_path):
    with pytest.raises(CorpusError, match="holds none of avspeech"):
        check(str(tmp_path), params, 1)


def test_units_that_suit():
    assert [time_text(s) for s in (5, 600, 36000)] == ["5 s", "10 min", "10 h"]
    assert [size_text(b) for b in (2_500_000, 999e9, 3e12)] == ["2.5 MB", "999.0 GB", "3.0 TB"]


def test_the_table_of_full_datasets_fits_eighty_columns():
    whole = Found("celebv_text", clips=2_621_845, people=290_000, emotions=Counter(range(11)), seconds=4700 * 3600.0,
                  rejects=Counter(missing_media=1_500_000), bytes=1_500_000_000_000, cpu_s=2e8)
    console = Console(file=io.StringIO(), width=80)
    console.print(_table([whole]))
    [line] = [line for line in console.file.getvalue().splitlines() if "celebv_text" in line]
    assert " ".join(line.split()) == "celebv_text 2,621,845 1,500,000 290,000 11 4,700 h 1.5 TB 55,556 h 1.3 TB"
