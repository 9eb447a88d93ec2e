"""Time and memory of a command with everything it starts: `python -m benchmarks.cost make demo`.

Memory is the largest sum of the processes' proportional shares (PSS of /proc, Linux), looked at every 1.5 s.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import psutil

EVERY_S = 1.5


def main() -> None:
    """Run the command; print its cost; end as it did."""
    began, peak = time.monotonic(), 0
    command = subprocess.Popen(sys.argv[1:])
    while command.poll() is None:
        peak = max(peak, sum(map(_share, psutil.Process().children(recursive=True))))
        time.sleep(EVERY_S)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} processor seconds, "
          f"{peak / 1e9:.2f} GB at most")
    sys.exit(command.returncode)


def _share(process: psutil.Process) -> int:
    """Bytes of a process; shared pages are divided among those who share them. 0 for one that just ended."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main()
