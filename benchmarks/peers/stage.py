"""The process in which a trial runs: `python -m benchmarks.peers.stage TRIAL DESCRIPTOR`. Notes go out by the descriptor.

What is imported and started before the contender is called does not count; what it imports and starts itself does.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from pathlib import Path

import msgspec


def main() -> None:
    from benchmarks.peers.contenders import CONTENDERS, OURS
    from benchmarks.peers.trials import Notes, Trial

    trial = msgspec.json.decode(sys.argv[1], type=Trial)
    descriptor = int(sys.argv[2])
    import_module(CONTENDERS[trial.contender].module)
    side = import_module(f"benchmarks.peers.{'ours' if trial.contender == OURS else 'theirs'}")

    def say(notes: Notes) -> None:
        os.write(descriptor, msgspec.json.encode(notes) + b"\n")

    say({"cpu before": time.process_time()})
    begun = time.perf_counter()
    notes = side.take_part(trial, say)
    say(notes | {"peak": peak(), "wall": time.perf_counter() - begun})


def peak() -> float:
    """MiB that this process had resident at the most. (`ru_maxrss` is that of whoever it was before exec, if that had more.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
