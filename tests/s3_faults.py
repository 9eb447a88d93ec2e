"""A client between boto3 and the server that does what networks and servers do: errors, torn bodies, silence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

Fault = Callable[["Proxy", bytes], bool]  # handles a request itself (True), or lets it pass
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on; the next of `faults` is done instead, or on the way."""

    protocol_version = "HTTP/1.1"
    upstream: str
    faults: list[Fault]
    seen: list[str]

    def handle_any(self) -> None:
        type(self).seen.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.faults and self.command in self.commands and self.faults.pop(0)(self, body):
            return
        with suppress(BrokenPipeError):  # the client gave up waiting
            self.answer(self.forward(body))

    def forward(self, body: bytes) -> urllib3.BaseHTTPResponse:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP - {"host"}}
        return urllib3.request(self.command, self.upstream + self.path, body=body, headers=headers, retries=False,
                               decode_content=False)

    def answer(self, response: urllib3.BaseHTTPResponse, cut: int | None = None, change: bytes | None = None) -> None:
        data = change if change is not None else response.data
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        length = response.headers.get("content-length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.hang_up()

    def refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>made</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@contextmanager
def faulty(upstream: str, *faults: Fault, commands: str = "GET PUT POST") -> Iterator[tuple[str, list[str]]]:
    """Address of a proxy that does `faults` to its first `commands`, one each, and the list of requests it saw."""
    seen: list[str] = []
    handler = type("Handler", (Proxy,), {"upstream": upstream, "faults": list(faults), "seen": seen,
                                         "commands": commands.split()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def slow_down(proxy: Proxy, _: bytes) -> bool:
    proxy.refuse(503, "SlowDown")
    return True


def torn_answer(proxy: Proxy, body: bytes) -> bool:
    """The first half of the bytes, then nothing."""
    response = proxy.forward(body)
    proxy.answer(response, cut=len(response.data) // 2)
    return True


def flipped_bit(proxy: Proxy, body: bytes) -> bool:
    response = proxy.forward(body)
    proxy.answer(response, change=bytes([response.data[0] ^ 1]) + response.data[1:])
    return True


def lost_answer(proxy: Proxy, body: bytes) -> bool:
    """The server did it; the client never hears of it."""
    proxy.forward(body)
    proxy.hang_up()
    return True


def torn_upload(proxy: Proxy, _: bytes) -> bool:
    """The connection breaks before the server has the whole object."""
    proxy.hang_up()
    return True


def silence(proxy: Proxy, _: bytes) -> bool:
    """No answer until the client gives up."""
    proxy.connection.settimeout(5.0)
    with suppress(TimeoutError):
        proxy.connection.recv(1)
    proxy.close_connection = True
    return True


def passes(_: Proxy, __: bytes) -> bool:
    return False
