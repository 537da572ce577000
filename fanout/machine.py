"""What the kernel grants the processes of this machine, or of this container: memory, the news that it ran out, time, descriptors.

Control groups of version 2 and 1 are read where distributions mount them. A limit holds for a group and all below it, so
each directory on the way up counts; a container may see only the last of them.
"""

from __future__ import annotations

import os
import resource
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fanout.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/")

#: Descriptors that the parent holds for each worker (two pipe ends, its stderr, its pidfd), and for all else at the most.
#: The usual limit of 1,024 would end at 192 workers.
DESCRIPTORS_EACH, DESCRIPTORS_ELSE = 4, 256

#: Pipes of a worker, and pages of one: 16, as long as its user has no more than fs.pipe-user-pages-soft, and 2 beyond (pipe(7)).
PIPES_EACH, PIPE_PAGES, LEAST_PIPE_PAGES = 3, 16, 2

#: Bytes of memory that a worker has for itself at the least, with a session and what it holds.
MEMORY_EACH = 3 * 2**20

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


def cpu_limit(root: Path = _ROOT) -> float | None:
    """How many cores' worth of time the control groups of this process allow; None where they set no limit."""
    limits = []
    for group in _groups_of(root, "cpu"):
        v1 = f"{_text(group / 'cpu.cfs_quota_us').strip()} {_text(group / 'cpu.cfs_period_us').strip()}"
        quota, _, period = (_text(group / "cpu.max").strip() or v1).partition(" ")
        if quota.isdecimal() and period.isdecimal():  # "max" is no limit in version 2, and -1 in version 1
            limits.append(int(quota) / int(period))
    return min(limits, default=None)


def cpu_model(root: Path = _ROOT) -> str:
    """What the processor calls itself."""
    lines = (line.partition(":") for line in _text(root / "proc/cpuinfo").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "model name"), "unknown CPU")


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


def check_room(workers: int, root: Path = _ROOT) -> None:
    """Look whether this machine allows so many workers at a time. Raises UsageError, which names the limit that does not.

    Looked at: descriptors (RLIMIT_NOFILE), processes (RLIMIT_NPROC, the control group's pids.max, kernel.pid_max), pipes
    (fs.pipe-user-pages-hard), memory. Pipes that the kernel makes smaller are slower: of them is warned.
    """
    if os.geteuid() != 0 and (shrunk := small_pipes(workers, root)):
        warnings.warn(shrunk, stacklevel=3)
    check_limits(workers, root)


def check_limits(workers: int, root: Path = _ROOT) -> None:
    """The same look without a word of what is only slower."""
    ordinary = os.geteuid() != 0
    needed = {
        "descriptors (ulimit -Hn)": (
            workers * DESCRIPTORS_EACH + DESCRIPTORS_ELSE,
            _hard(resource.RLIMIT_NOFILE),
        ),
        "processes (ulimit -u)": (workers + 2, _hard(resource.RLIMIT_NPROC) if ordinary else None),
        "processes (pids.max of the control group)": (workers + 2, _least(_groups_of(root, "pids"), "pids.max")),
        "processes (kernel.pid_max)": (workers + 2, _number(_text(root / "proc/sys/kernel/pid_max"))),
        "pages of pipes (fs.pipe-user-pages-hard)": (
            workers * PIPES_EACH * LEAST_PIPE_PAGES,
            _number(_text(root / "proc/sys/fs/pipe-user-pages-hard")) or None if ordinary else None,
        ),
        "bytes of memory": (workers * MEMORY_EACH, memory_available(root)),
    }
    for what, (count, most) in needed.items():
        if most is not None and count > most:
            raise UsageError(
                f"{workers:,} workers need {count:,} {what}, and {most:,} are to be had; raise the limit, or do with fewer"
            )


def small_pipes(workers: int, root: Path = _ROOT) -> str:
    """What becomes of the pipes of so many workers of an ordinary user, when some will be small; empty when none will."""
    soft = _number(_text(root / "proc/sys/fs/pipe-user-pages-soft"))
    if not soft or workers * PIPES_EACH * PIPE_PAGES <= soft:
        return ""
    return (
        f"{workers:,} workers have {workers * PIPES_EACH:,} pipes, of which {soft // PIPE_PAGES:,} may be whole "
        f"(fs.pipe-user-pages-soft): the others hold 8 KiB instead of 64, so large answers take longer"
    )


def memory_available(root: Path = _ROOT) -> int | None:
    """Bytes of memory that processes may still take: of the machine, and of the control group, whichever is less."""
    lines = dict(line.split(":", 1) for line in _text(root / "proc/meminfo").splitlines() if ":" in line)
    free = _number(lines.get("MemAvailable", "").removesuffix("kB").strip())
    bounds = [memory_limit(root), None if free is None else free * 1024]
    return min((bound for bound in bounds if bound is not None), default=None)


def _hard(which: int) -> int | None:
    _, hard = resource.getrlimit(which)
    return None if hard == resource.RLIM_INFINITY else hard


def _least(groups: Iterator[Path], name: str) -> int | None:
    numbers = (_number(_text(group / name)) for group in groups)
    return min((number for number in numbers if number is not None), default=None)


def _number(text: str) -> int | None:
    """The number; None for `max`, and where nothing tells."""
    return int(text) if text.strip().isdecimal() else None


def allow_descriptors(count: int) -> None:
    """Allow this process to hold that many descriptors at a time, as far as the machine lets it. Never allows fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _groups(root: Path) -> Iterator[Path]:
    """The directories of the groups that this process is in and that count memory, from its own upwards."""
    return _groups_of(root, "memory")


def _groups_of(root: Path, controller: str) -> Iterator[Path]:
    """The directories of the groups of one controller that this process is in, from its own upwards."""
    mounts = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            mount = mounts / controllers
            own = mount / path.lstrip("/")
            yield from (group for group in (own, *own.parents) if group.is_relative_to(mount))


def _text(file: Path) -> str:
    """What the file holds; nothing where it is not there or not for us to read."""
    try:
        return file.read_text()
    except OSError:
        return ""
