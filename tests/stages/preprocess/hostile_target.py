"""What a hostile file can do to the process that reads it, on order. Run by test_guard in a guarded child."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path


def make_worker(settings: dict):
    if settings.get("start") == "fails":
        raise FileNotFoundError("weights are missing")

    def worker(task: dict) -> dict:
        what = task["do"]
        if what == "exit":
            os._exit(7)
        if what == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "exit once" and not Path(task["mark"]).exists():
            Path(task["mark"]).touch()
            os._exit(7)
        if what == "hang":
            time.sleep(3600)
        if what == "hang in native code":
            Path(task["mark"]).write_text(str(os.getpid()))
            ctypes.PyDLL(None).sleep(3600)  # no other thread of this interpreter gets a turn
        if what == "eat":
            return {"length": len(bytearray(64 << 30))}
        if what == "raise":
            raise KeyError("a bug of ours")
        if what == "look":
            return {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "bound": resource.getrlimit(resource.RLIMIT_AS)[0]}
        if what == "print":
            print("not an answer", flush=True)
            sys.stderr.write("noise\n")
        return {"pid": os.getpid(), "did": what}

    return worker
