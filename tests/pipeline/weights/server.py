"""A server that imitates the Hugging Face hub and a site of releases, with the faults that a test asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Site:
    """Files by path; faults by path, one for each request to come: a status, `cut` (half of what was asked for), or
    `page` (a sign-in instead of the file)."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)   # files of repositories that come with other bytes than published
    faults: dict[str, list[int | str]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, str]] = field(default_factory=list)   # (path, Range header)
    retry_after: str = "0"


@contextmanager
def running() -> Iterator[Site]:
    """Serve on a free port of this machine."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            site.asked.append((path, self.headers.get("Range", "")))
            fault = site.faults[path].pop(0) if site.faults[path] else None
            if isinstance(fault, int):
                self._answer(fault, b"", {"Retry-After": site.retry_after})
            elif fault == "page":
                self._answer(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"})
            else:
                self._content(path, fault == "cut")

        def _content(self, path: str, cut: bool) -> None:
            if path.startswith("/api/models/"):
                self._describe(path)
                return
            content = site.files.get(path)
            if content is None and "/resolve/" in path:
                repository, _, rest = path[1:].partition("/resolve/")
                commit, _, name = rest.partition("/")
                content = site.repositories.get(repository, {}).get(name) if commit == COMMIT else None
                if name in site.lies and content is not None:
                    content = b"?" + content[1:]
            if content is None:
                self._answer(404, b"", {})
                return
            self._file(content, cut)

        def _describe(self, path: str) -> None:
            repository, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            if repository not in site.repositories or revision not in ("main", COMMIT):
                self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                return
            siblings = [{"rfilename": name, "size": len(content), "blobId": "b"} | (
                {"lfs": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 1}}
                if name.endswith((".pth", ".safetensors", ".bin")) else {})
                for name, content in site.repositories[repository].items()]
            self._answer(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode(),
                         {"Content-Type": "application/json"})

        def _file(self, content: bytes, cut: bool) -> None:
            tag = f'"{hashlib.md5(content).hexdigest()}"'
            start = 0
            if self.headers.get("Range") and self.headers.get("If-Range") == tag:
                start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            self._answer(206 if start else 200, content[start:], {"ETag": tag, **span}, cut)

        def _answer(self, status: int, body: bytes, headers: dict[str, str], cut: bool = False) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:len(body) // 2] if cut else body)
            if cut:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
