"""Which processes live below the one that runs the tests."""

from __future__ import annotations

import psutil


def below() -> list[psutil.Process]:
    """Every descendant, but for the tracker that multiprocess keeps for the processes that it spawns, and for a mail server
    that several tests share, which starts and ends processes when it likes.
    """
    descendants = psutil.Process().children(recursive=True)
    servers = {process.pid for process in descendants if _name(process) == "dovecot"}
    return [process for process in descendants if not _is_apart(process, servers)]


def _is_apart(process: psutil.Process, servers: set[int]) -> bool:
    try:
        return bool({process.pid, process.ppid()} & servers) or "resource_tracker" in " ".join(process.cmdline())
    except psutil.ZombieProcess:
        return False
    except psutil.NoSuchProcess:
        return True


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""
