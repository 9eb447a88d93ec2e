"""Pulling the paper pack's files from a server that imitates the hub and releases, and from a folder."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile

import pytest

from pipeline.core.paths import weights_cache
from pipeline.weights import fetch as weights_fetch
from pipeline.weights import table as weights
from pipeline.weights.fetch import CHUNK
from pipeline.weights.pull import pack_rows, pull
from pipeline.weights.table import Weight, WeightsError, verify, weight_path, weights_table
from tests.pipeline.weights.server import COMMIT, running

# whole chunks, also after a half and three quarters
MOTION, STITCHING = b"motionss" * CHUNK, b"stitching" * 1000
RELEASED = b"released" * CHUNK


MOTION_PATH = f"/someone/Portrait/resolve/{COMMIT}/lp/base_models/motion.pth"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights_fetch.time, "sleep", lambda seconds: None)
    with running() as site:
        monkeypatch.setenv("HF_ENDPOINT", site.address)
        site.repositories["someone/Portrait"] = {"lp/base_models/motion.pth": MOTION, "lp/stitching.pth": STITCHING,
                                                 "config.json": b"{}", "huge.bin": b"never asked for"}
        site.files["/releases/net-1.pth"] = RELEASED
        yield site


@pytest.fixture
def repository() -> Weight:
    return Weight("portrait", "paper", "portrait", "hub", "the hub", "MIT", "tests", repository="someone/Portrait",
                  subfolder="lp", files=("base_models/motion.pth", "stitching.safetensors|stitching.pth"))


@pytest.fixture
def release(site) -> Weight:
    return Weight("net", "paper", "net.pth", "release", "a release", "MIT", "tests", sha256=sha256(RELEASED),
                  url=f"{site.address}/releases/net-1.pth")


def final_files() -> list[str]:
    """What lies in the cache under its final name."""
    found = (path.relative_to(weights_cache()) for path in weights_cache().rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] not in (".partial", "recorded_sha256.json"))


def records() -> dict[str, str]:
    return json.loads((weights_cache() / "recorded_sha256.json").read_text())


def quietly(line: str) -> None:
    pass


def test_a_repository_comes_at_one_commit_and_its_checksums_are_the_hubs(site, repository):
    lines = []
    pull([repository], lines.append)
    assert final_files() == ["portrait/base_models/motion.pth", "portrait/stitching.pth"]
    assert (repository.path / "base_models/motion.pth").read_bytes() == MOTION
    assert records() == {"portrait@revision": COMMIT, "portrait/base_models/motion.pth": sha256(MOTION),
                         "portrait/stitching.pth": sha256(STITCHING)}
    assert any(COMMIT in line and "newest, recorded" in line for line in lines)
    assert sum("sha256 right" in line for line in lines) == 2 and verify(repository) == "as recorded"
    assert ("/api/models/someone/Portrait/revision/main", "") in site.asked


def test_the_commit_first_seen_is_asked_for_ever_after(site, repository):
    pull([repository], quietly)
    (repository.path / "stitching.pth").unlink()
    site.asked.clear()
    pull([repository], quietly)
    assert [path for path, _ in site.asked] == [f"/api/models/someone/Portrait/revision/{COMMIT}",
                                                f"/someone/Portrait/resolve/{COMMIT}/lp/stitching.pth"]


def test_a_recorded_file_of_a_folder_that_changes_is_refused(site, repository, monkeypatch):
    pull([repository], quietly)
    monkeypatch.setattr(weights, "weights_table", lambda: {"portrait": repository})
    assert weight_path("portrait") == repository.path
    (repository.path / "stitching.pth").write_bytes(b"other")
    assert verify(repository) == "wrong"
    with pytest.raises(WeightsError, match=r"portrait/stitching\.pth at .* is not the one first seen"):
        weight_path("portrait")


def test_a_hub_that_sends_other_bytes_than_it_publishes_is_refused(site, repository):
    site.lies.add("lp/base_models/motion.pth")
    with pytest.raises(WeightsError, match=r"its source publishes.*was not kept"):
        pull([repository], quietly)
    assert final_files() == []
    site.lies.clear()
    pull([repository], quietly)
    assert verify(repository) == "as recorded"


@pytest.mark.parametrize("path", ["/releases/net-1.pth", MOTION_PATH])
def test_a_download_that_is_cut_goes_on_where_it_was(site, release, repository, path):
    site.faults[path] = ["cut", 503, "cut"]
    pull([release, repository], quietly)
    ranges = [asked for where, asked in site.asked if where == path]
    assert ranges == ["", f"bytes={4 * CHUNK}-", f"bytes={4 * CHUNK}-", f"bytes={6 * CHUNK}-"]
    assert verify(release) == "ok" and verify(repository) == "as recorded"


def test_a_later_run_goes_on_too(site, release):
    site.faults["/releases/net-1.pth"] = ["cut"] + [503] * weights_fetch.TRIES
    with pytest.raises(WeightsError, match=r"net: .*answers 503, 5 tries without a byte; what came is kept"):
        pull([release], quietly)
    assert final_files() == []
    site.asked.clear()
    pull([release], quietly)
    assert site.asked == [("/releases/net-1.pth", f"bytes={4 * CHUNK}-")] and verify(release) == "ok"


def test_a_part_of_another_version_is_not_continued(site, release):
    site.files["/releases/net-1.pth"] = b"x" * 1000
    site.faults["/releases/net-1.pth"] = ["cut", 404]
    with pytest.raises(WeightsError, match="answers 404"):
        pull([release], quietly)
    site.files["/releases/net-1.pth"] = RELEASED
    pull([release], quietly)
    assert release.path.read_bytes() == RELEASED


@pytest.mark.parametrize(("length", "asked"), [(len(RELEASED), 1), (len(RELEASED) + 5, 2)])
def test_a_part_that_is_whole_is_not_fetched_again_and_one_that_is_too_long_is(site, release, length, asked):
    part = weights_cache() / ".partial" / "net-net-1.pth"
    part.parent.mkdir(parents=True)
    part.write_bytes((RELEASED + b"12345")[:length])
    part.with_name(part.name + ".etag").write_text(f'"{hashlib.md5(RELEASED).hexdigest()}"')
    pull([release], quietly)
    assert verify(release) == "ok" and len(site.asked) == asked


def test_a_busy_server_is_asked_again_after_the_time_it_names(site, release, repository, monkeypatch):
    waits = []
    monkeypatch.setattr(weights_fetch.time, "sleep", waits.append)
    site.retry_after = "7"
    site.faults["/releases/net-1.pth"] = [429, 429]
    pull([release], quietly)
    site.faults["/api/models/someone/Portrait/revision/main"] = [429]
    pull([repository], quietly)
    assert waits == [7.0, 7.0, 7.0] and final_files() == ["net.pth", "portrait/base_models/motion.pth",
                                                         "portrait/stitching.pth"]


def test_a_server_that_wants_an_hour_is_an_error(site, release, repository):
    site.retry_after = "3600"
    site.faults["/releases/net-1.pth"] = [429]
    site.faults["/api/models/someone/Portrait/revision/main"] = [429]
    with pytest.raises(WeightsError) as error:
        pull([release, repository], quietly)
    assert str(error.value).count("answers 429") == 2


def test_a_wrong_checksum_is_not_kept_and_the_next_run_begins_anew(site, release):
    site.files["/releases/net-1.pth"] = RELEASED[:-1] + b"!"
    with pytest.raises(WeightsError, match=rf"net: sha256 is .*has {sha256(RELEASED)}; the file was not kept"):
        pull([release], quietly)
    assert final_files() == []
    site.files["/releases/net-1.pth"] = RELEASED
    pull([release], quietly)
    assert verify(release) == "ok"


def test_a_name_that_holds_the_first_digits_is_held_to_them(site, release):
    named = Weight(**{**vars(release), "sha256": "", "sha256_start": sha256(RELEASED)[:8]})
    pull([named], quietly)
    assert records() == {"net": sha256(RELEASED)}
    named.path.unlink()
    site.files["/releases/net-1.pth"] = b"other"
    other = Weight(**{**vars(named), "name": "other", "file": "other.pth"})
    with pytest.raises(WeightsError, match="its name begins with"):
        pull([other], quietly)


def test_a_file_without_a_checksum_is_recorded_and_another_one_later_is_refused(site, release):
    lines, unpinned = [], Weight(**{**vars(release), "sha256": ""})
    pull([unpinned], lines.append)
    assert records() == {"net": sha256(RELEASED)} and any("as first seen, unverified" in line for line in lines)
    unpinned.path.unlink()
    site.files["/releases/net-1.pth"] = b"other"
    with pytest.raises(WeightsError, match="the first one seen has"):
        pull([unpinned], quietly)
    assert final_files() == []


def test_a_sign_in_page_is_no_weight(site, release):
    site.faults["/releases/net-1.pth"] = ["page"]
    with pytest.raises(WeightsError, match="answered by a page"):
        pull([Weight(**{**vars(release), "sha256": ""})], quietly)
    assert final_files() == []


def test_two_rows_of_one_archive_are_one_download_and_no_path_of_it_is_followed(site):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../det_10g.onnx", b"detector")
        archive.writestr("pack/w600k_r50.onnx", b"identity")
    site.files["/pack.zip"] = packed.getvalue()
    common = {"pack": "paper", "registry": "release", "carrier": "a pack", "licence": "research only",
              "needed_by": "tests", "url": f"{site.address}/pack.zip", "non_commercial": True}
    rows = [Weight("pack", file="pack", files=("det_10g.onnx",), **common),
            Weight("identity", file="pack/w600k_r50.onnx", sha256=sha256(b"identity"), **common)]
    lines = []
    pull(rows, lines.append)
    assert site.asked == [("/pack.zip", "")]
    assert final_files() == ["pack/det_10g.onnx", "pack/w600k_r50.onnx"]
    assert rows[0].path.joinpath("det_10g.onnx").read_bytes() == b"detector" and verify(rows[1]) == "ok"
    named = [number for number, line in enumerate(lines) if "not for commercial use: research only" in line]
    assert len(named) == 2 and max(named) < min(n for n, line in enumerate(lines) if "sha256" in line)
    assert not list((weights_cache() / ".partial").glob("*.zip"))


def test_an_archive_without_the_file_says_so(site):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", b"")
    site.files["/pack.zip"] = packed.getvalue()
    row = Weight("pack", "paper", "pack", "release", "a pack", "MIT", "tests", files=("det.onnx",),
                 url=f"{site.address}/pack.zip")
    with pytest.raises(WeightsError, match=r"pack\.zip holds 0 files det\.onnx"):
        pull([row], quietly)


def test_one_file_that_cannot_be_had_does_not_stop_the_others(site, release, repository):
    gone = Weight(**{**vars(release), "name": "gone", "file": "gone.pth", "url": f"{site.address}/gone.pth"})
    by_hand = Weight("syncnet", "paper", "sync.model", "manual", "its authors", "research", "tests")
    nobody = Weight(**{**vars(repository), "name": "nobody", "repository": "no/body"})
    with pytest.raises(WeightsError) as error:
        pull([gone, by_hand, nobody, release], quietly)
    told = str(error.value).splitlines()
    host = site.address.removeprefix("http://")
    assert told[0].startswith("3 of 4 are not there")
    assert told[1] == f"  gone: {site.address}/gone.pth: {host} answers 404"
    assert told[2].startswith("  syncnet: no address is known for sure: get it from its authors (research) and put")
    assert told[3] == f"  nobody: no/body at main: {host} answers 404" and len(told) == 4
    assert final_files() == ["net.pth"]


def test_an_address_can_be_named(site, release):
    row = Weight(**{**vars(release), "url": ""})
    with pytest.raises(WeightsError, match="--url net=ADDRESS"):
        pull([row], quietly)
    with pytest.raises(WeightsError, match="begins with http"):
        pull([row], quietly, addresses={"net": "file:///etc/passwd"})
    with pytest.raises(WeightsError, match="--url names nets: not among net"):
        pull([row], quietly, addresses={"nets": f"{site.address}/releases/net-1.pth"})
    pull([row], quietly, addresses={"net": f"{site.address}/releases/net-1.pth"})
    assert verify(row) == "ok"


def test_a_folder_serves_a_machine_without_a_net(site, release, repository, tmp_path, monkeypatch):
    embedded = Weight("toy", "embedded", "toy.bin", "pypi", "toy==1", "MIT", "tests", archive="toy.whl",
                      member="toy/model.bin", sha256=sha256(b"model"))
    pull([repository], quietly)
    brought = weights_cache()
    with zipfile.ZipFile(brought / "toy.whl", "w") as archive:
        archive.writestr("toy/model.bin", b"model")
    (brought / "net.pth").write_bytes(RELEASED)
    site.asked.clear()
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path / "without a net"))
    pull([release, repository, embedded], quietly, folder=brought)
    assert site.asked == [] and {verify(row) for row in (release, embedded)} == {"ok"}
    assert verify(repository) == "as recorded" and (brought / "net.pth").exists()


def test_a_folder_is_held_to_what_the_other_machine_recorded_and_says_what_it_lacks(site, release, repository, tmp_path,
                                                                                  monkeypatch):
    pull([repository], quietly)
    brought = weights_cache()
    (brought / "portrait/stitching.pth").write_bytes(b"altered on the way")
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path / "without a net"))
    with pytest.raises(WeightsError) as error:
        pull([release, repository], quietly, folder=brought)
    told = str(error.value)
    assert f"net: {brought} holds neither net.pth nor net-1.pth" in told
    assert "portrait/stitching.pth: sha256 is" in told and final_files() == ["portrait/base_models/motion.pth"]


def test_without_a_net_the_command_says_one_line_a_file_ends_with_2_and_leaves_nothing(tmp_path, project):
    closed = "http://127.0.0.1:9"
    environment = {"PATH": "/usr/bin", "PLAYMATE_CACHE": str(tmp_path), "HOME": str(tmp_path), "HF_ENDPOINT": closed,
                   "http_proxy": closed, "https_proxy": closed, "PIP_INDEX_URL": closed, "no_proxy": ""}
    found = subprocess.run([sys.executable, "-m", "playmate.main", "weights", "pull", "--pack", "paper"], cwd=project,
                           env=environment, text=True, capture_output=True, check=False)
    assert found.returncode == 2
    lines = found.stderr.strip().splitlines()
    rows = pack_rows("paper")
    assert sorted(line.split(":")[0].strip() for line in lines[1:]) == sorted(row.name for row in rows)
    assert "Traceback" not in found.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"] == []


def test_every_row_of_the_paper_pack_says_how_it_comes():
    for row in pack_rows("paper"):
        assert row.licence and row.needed_by
        assert (row.registry == "hub") == bool(row.repository) and (row.registry != "hub" or row.files)
        assert row.registry == "manual" or "research" not in row.licence or row.non_commercial
        assert len(row.revision) in (0, 40)
    assert weights_table()["syncnet"].registry == "manual"
    with pytest.raises(WeightsError, match="'papers': choose embedded or paper"):
        pack_rows("papers")
