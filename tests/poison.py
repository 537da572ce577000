"""Jobs for tests: well-behaved ones, and each way in which a job can be the end of its worker."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox


def name(mailbox: Mailbox) -> str:
    return mailbox.address


def number(mailbox: Mailbox) -> int:
    return int(mailbox.address.rpartition("-")[2])


def tell_pid(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    return os.getpid()


def exit_at(mailbox: Mailbox, *, at: str) -> int:
    """Leave the process at one mailbox."""
    if mailbox.address == at:
        os._exit(9)
    return 1


def kill_at(mailbox: Mailbox, *, at: str) -> int:
    if mailbox.address == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def raise_at(mailbox: Mailbox, *, at: str) -> int:
    if mailbox.address == at:
        raise ValueError(f"no luck with {at}")
    return 1


def babble_at(mailbox: Mailbox, *, at: str) -> int:
    """Write noise into every pipe that is open: one of them leads to the parent."""
    if mailbox.address == at:
        for descriptor in _open_pipes():
            os.write(descriptor, b"noise " * 100)
    return 1


def close_at(mailbox: Mailbox, *, at: str) -> int:
    """Close every descriptor, the way to the parent among them, and go on."""
    if mailbox.address == at:
        os.closerange(3, 64)
    return 1


def leave_child(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Start a process that outlives its worker, and tell its pid."""
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True).pid


def hang(mailbox: Mailbox) -> None:  # noqa: ARG001 - a job takes a mailbox
    signal.pause()


def _open_pipes() -> list[int]:
    """The descriptors of pipes that can be written to."""
    pipes = []
    for entry in os.listdir("/proc/self/fdinfo"):
        try:
            flags = int(Path(f"/proc/self/fdinfo/{entry}").read_text().split("flags:")[1].split()[0], 8)
            if stat.S_ISFIFO(os.fstat(int(entry)).st_mode) and flags & os.O_ACCMODE == os.O_WRONLY and int(entry) > 2:
                pipes.append(int(entry))
        except OSError:
            continue
    return pipes


def exit_at_seven(mailbox: Mailbox) -> int:
    if mailbox.address == "null-00000007":
        os._exit(7)
    return 1


def stop_itself(mailbox: Mailbox) -> None:  # noqa: ARG001 - a job takes a mailbox
    os.kill(os.getpid(), signal.SIGSTOP)
