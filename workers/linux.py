"""What only Linux has: two calls of prctl(2) that Python has no name for, which do nothing elsewhere, /proc, and core dumps."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

#: Makes a worker write the stacks of its threads to stderr, whatever it is in. Ignored by default, so it does no harm to
#: a worker that has not come so far as to know it.
DUMP = signal.SIGURG

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# <linux/sched.h>
_PF_EXITING = 0x4

_PAGE = os.sysconf("SC_PAGE_SIZE")

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def become_subreaper() -> None:
    """Make orphaned descendants children of this process, so that it can end and reap them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends; leave at once if `parent` is gone already.

    Only a second line behind the template's watch: it is not inherited by what a job forks.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def resident(process: int | str = "self") -> int:
    """Bytes of memory that are resident, shared pages among them; 0 for a process that is no more."""
    try:
        with open(f"/proc/{process}/statm", "rb", buffering=0) as statm:
            return int(statm.read(128).split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def leave_no_core() -> None:
    """Have a crash write no memory to a file, for a password is in it; what this process starts writes none either.

    The kernel hands a core dump to a program (systemd-coredump, say) even at a limit of 0, but not at one of 1 byte.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (min(1, hard) if hard >= 0 else 1, hard))


def is_ending(process: int) -> bool:
    """Whether the process is no more, or on its way out, with its descriptors closed already."""
    try:
        with open(f"/proc/{process}/stat", "rb", buffering=0) as stat:
            flags = int(stat.read(1024).rpartition(b")")[2].split()[6])
    except (FileNotFoundError, ProcessLookupError):
        return True
    return bool(flags & _PF_EXITING)


def _prctl(option: int, argument: int) -> None:
    if _libc is not None and _libc.prctl(option, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")
