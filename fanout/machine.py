"""What the kernel grants the processes of this machine, or of this container: memory, the news that it ran out, descriptors.

Control groups of version 2 and 1 are read where distributions mount them. A limit holds for a group and all below it, so
each directory on the way up counts; a container may see only the last of them.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/")

#: A limit of this many bytes or more is none: version 1 says LONG_MAX, rounded down to a page.
_NO_LIMIT = 2**62


def memory_limit(root: Path = _ROOT) -> int | None:
    """Bytes of memory that the control groups of this process allow; None where they set no limit."""
    limits = [
        int(text)
        for group in _groups(root)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (text := _text(group / name).strip()).isdecimal()
    ]
    return min((limit for limit in limits if limit < _NO_LIMIT), default=None)


def share_of_memory(workers: int, root: Path = _ROOT) -> int | None:
    """Bytes that each of so many workers may grow to, so that they and the parent stay within the limit; None without one."""
    limit = memory_limit(root)
    return None if limit is None else limit // (workers + 1)


def oom_kills(root: Path = _ROOT) -> int:
    """How many processes the kernel has killed for want of memory: of this group, else of the whole machine.

    0 where nothing tells.
    """
    places = [group / name for group in _groups(root) for name in ("memory.events", "memory.oom_control")]
    for place in [*places, root / "proc/vmstat"]:
        for line in _text(place).splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def allow_descriptors(count: int) -> None:
    """Allow this process to hold that many descriptors at a time, as far as the machine lets it. Never allows fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _groups(root: Path) -> Iterator[Path]:
    """The directories of the groups that this process is in and that count memory, from its own upwards."""
    mounts = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            mount = mounts / controllers
            own = mount / path.lstrip("/")
            yield from (group for group in (own, *own.parents) if group.is_relative_to(mount))


def _text(file: Path) -> str:
    """What the file holds; nothing where it is not there or not for us to read."""
    try:
        return file.read_text()
    except OSError:
        return ""
