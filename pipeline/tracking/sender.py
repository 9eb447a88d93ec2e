"""When records are sent: by a background thread while a run goes on, or later (`sync`)."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from pipeline.tracking.client import TrackingUnavailable, public_uri, tracking_uri
from pipeline.tracking.deliver import send
from pipeline.tracking.spool import Spool, find_spools

log = logging.getLogger(__name__)
PAUSE_S = 2.0  # between requests, so that values travel together
MAX_BACKOFF_S = 60.0


class Sender(threading.Thread):
    """Sends one record as it grows. It never raises into the run, and the process may end while it works."""

    def __init__(self, spool: Spool, root: Path):
        super().__init__(name="tracking", daemon=True)
        self.spool, self.root = spool, root
        self.done = threading.Event()     # the end record has been sent
        self.away = threading.Event()     # the last attempt failed
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._older_sent = False

    def wake(self, closing: bool = False) -> None:
        if closing:
            self._closing.set()
        self._wake.set()

    def run(self) -> None:
        backoff_s = PAUSE_S
        while True:
            self._wake.wait()
            self._wake.clear()
            closing = self._closing.is_set()
            sent = self._attempt()
            if closing:
                if sent:
                    self.done.set()
                return
            backoff_s = PAUSE_S if sent else min(2 * backoff_s, MAX_BACKOFF_S)
            if not sent:
                self._wake.set()
            self._closing.wait(backoff_s)

    def _attempt(self) -> bool:
        try:
            send(self.spool, self.root)
            if not self._older_sent:
                self._older_sent = True
                sync(self.root, self.spool.folder.parent)
        except Exception as error:  # whatever a server does, the run goes on; the record stays in the file
            if not self.away.is_set():
                why = str(error) if isinstance(error, TrackingUnavailable) else \
                    f"{public_uri(tracking_uri(self.root))} does not answer ({type(error).__name__})"
                log.warning("tracking: %s; records are kept in %s and sent later", why, self.spool.folder)
            self.away.set()
            return False
        self.away.clear()
        return True


def sync(root: Path, spools: Path) -> int:
    """Send all records that no server has, but those of runs that a process works on; returns their number."""
    count = 0
    for spool in find_spools(spools):
        sent = spool.read_sent()
        if sent.ended and not spool.pending():
            continue
        if not spool.take():
            continue
        try:
            count += send(spool, root, killed=True)
        finally:
            spool.release()
    return count
