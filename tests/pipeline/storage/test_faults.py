"""What networks, servers and people do to S3: each fault is either repaired, or said in words, and never believed."""

from __future__ import annotations

import datetime
import hashlib

import pytest

from pipeline.storage import ObjectDamaged, ObjectMissing
from pipeline.storage import s3 as storage_s3
from pipeline.storage.s3 import S3Storage
from pipeline.storage.s3_errors import S3Unavailable
from tests import s3_faults as faults
from tests.s3_faults import faulty
from tests.s3_server import READER, WRITER

pytestmark = pytest.mark.processes

DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """As `make_client`, with waits between tries that tests can afford."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(storage_s3, "READ_TIMEOUT_S", 1.5)


@pytest.fixture
def through(s3_server, s3_bucket, monkeypatch):
    """Open the bucket through a proxy that does the given faults; also what the proxy saw."""
    open_proxies = []

    def start(*what, commands="GET PUT POST"):
        context = faulty(s3_server.endpoint, *what, commands=commands)
        address, seen = context.__enter__()
        open_proxies.append(context)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        return S3Storage(s3_bucket, "p"), seen

    yield start
    for context in open_proxies:
        context.__exit__(None, None, None)


@pytest.fixture
def direct(s3_bucket) -> S3Storage:
    return S3Storage(s3_bucket, "p")


@pytest.mark.parametrize("fault", [faults.slow_down, faults.torn_upload, faults.lost_answer])
def test_a_write_that_fails_is_tried_again(direct, through, fault):
    storage, seen = through(fault, fault)
    storage.put("a", DATA)
    assert direct.get("a") == DATA and len(seen) == 3


@pytest.mark.parametrize("fault", [faults.slow_down, faults.torn_answer, faults.flipped_bit])
def test_a_read_that_fails_or_lies_is_tried_again(direct, through, fault):
    direct.put("a", DATA)
    storage, seen = through(fault, fault)
    assert storage.get("a") == DATA and len(seen) == 3


def test_a_server_that_falls_silent_is_asked_again(through, impatient):
    storage, seen = through(faults.silence, faults.passes, faults.silence)
    storage.put("a", DATA)
    assert storage.get("a") == DATA and len(seen) >= 4


def test_a_winner_whose_answer_was_lost_knows_that_it_won(direct, through):
    storage, _ = through(faults.lost_answer)
    assert storage.put_if_absent("a", b"mine")
    storage, _ = through(faults.lost_answer)
    assert not storage.put_if_absent("a", b"other")
    assert direct.get("a") == b"mine"


def test_a_conflict_is_tried_again(direct, through):
    def conflict(proxy, _):
        proxy.refuse(409, "ConditionalRequestConflict")
        return True

    storage, _ = through(conflict, conflict)
    assert storage.put_if_absent("a", b"1") and direct.get("a") == b"1"


def test_a_server_that_stays_away_is_the_machines_fault_and_said_so(through):
    storage, seen = through(*[faults.slow_down] * 50)
    with pytest.raises(S3Unavailable, match="SlowDown") as caught:
        storage.put("a", DATA)
    assert isinstance(caught.value, OSError) and len(seen) == storage_s3.ATTEMPTS


def test_a_body_that_never_comes_right_is_not_believed(direct, through):
    direct.put("a", DATA)
    for fault, error in ((faults.flipped_bit, ObjectDamaged), (faults.torn_answer, S3Unavailable)):
        storage, seen = through(*[fault] * 50)
        with pytest.raises(error):
            storage.get("a")
        assert len(seen) == storage_s3.ATTEMPTS


def test_a_file_torn_on_its_way_is_sent_and_fetched_again(direct, through, tmp_path, monkeypatch):
    monkeypatch.setattr(storage_s3, "PART_BYTES", 5 << 20)
    data = DATA * 700  # two parts
    (tmp_path / "file").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    storage, _ = through(faults.passes, faults.torn_upload, faults.slow_down, faults.torn_upload)
    assert storage.put_file("f", tmp_path / "file", digest)
    storage, _ = through(faults.torn_answer, faults.flipped_bit, faults.slow_down)
    storage.get_file("f", tmp_path / "back", digest)
    assert (tmp_path / "back").read_bytes() == data


def test_slow_reads_end(direct, through, impatient):
    """A body that comes in drops slower than the read time-out is given up and asked for again."""
    direct.put("a", DATA)

    def drip(proxy, body):
        response = proxy.forward(body)
        proxy.send_response(200)
        for name in ("ETag", f"x-amz-meta-{storage_s3.SHA256}"):
            proxy.send_header(name, response.headers[name])
        proxy.send_header("Content-Length", str(len(response.data)))
        proxy.end_headers()
        proxy.wfile.write(response.data[:10])
        proxy.wfile.flush()
        return faults.silence(proxy, body)

    storage, seen = through(drip)
    assert storage.get("a") == DATA and len(seen) >= 2


def test_nobody_may_write_with_a_readers_keys(direct, s3_server, monkeypatch, tmp_path):
    direct.put("a", b"1")
    for name, value in s3_server.environment(READER).items():
        monkeypatch.setenv(name, value)
    storage = S3Storage(direct.bucket, "p")
    (tmp_path / "f").write_bytes(b"1")
    assert storage.get("a") == b"1"
    for write in (lambda: storage.put("b", b""), lambda: storage.put_if_absent("b", b""),
                  lambda: storage.put_file("b", tmp_path / "f", "0" * 64), lambda: storage.delete("a")):
        with pytest.raises(PermissionError, match="AccessDenied"):
            write()
    assert direct.get("a") == b"1"


def test_wrong_keys_no_keys_and_no_bucket_are_said_at_once(direct, s3_server, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(PermissionError, match="SignatureDoesNotMatch"):
        S3Storage(direct.bucket).get("a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    with pytest.raises(PermissionError, match="set AWS_ACCESS_KEY_ID"):
        S3Storage(direct.bucket).get("a")
    for name, value in s3_server.environment(WRITER).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(FileNotFoundError, match="no bucket s3://nowhere"):
        S3Storage("nowhere").get("a")


def test_a_clock_that_is_wrong_is_said(direct, monkeypatch):
    real = datetime.datetime.now(datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime",
                        lambda *_, **__: (real + datetime.timedelta(hours=3)).replace(tzinfo=None))
    with pytest.raises(PermissionError, match="refuses this machine's clock"):
        S3Storage(direct.bucket).put("a", b"")


def test_a_missing_object_is_missing_and_nothing_else(through):
    storage, seen = through()
    with pytest.raises(ObjectMissing):
        storage.get("none")
    assert len(seen) == 1
