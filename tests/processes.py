"""Which processes live below the one that runs the tests."""

from __future__ import annotations

import psutil


def below() -> list[psutil.Process]:
    """Every descendant, but for the tracker that multiprocess keeps for the processes that it spawns."""
    return [child for child in psutil.Process().children(recursive=True) if not _is_tracker(child)]


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
