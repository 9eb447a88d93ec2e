"""A port that can be listened on, asked before anything is loaded."""

from __future__ import annotations

import socket


def check_port(host: str, port: int) -> None:
    """Raise ValueError where `port` (1 to 65535) of `host` is taken, not allowed, or `host` is none of this machine."""
    if not 1 <= port <= 65535:
        raise ValueError(f"--port {port}: a port is a number from 1 to 65535")
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(address[0], address[1]) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address[4])
    except OSError as error:
        raise ValueError(f"port {port} of {host} cannot be used ({error.strerror or error}): choose another with "
                         "--port") from error
