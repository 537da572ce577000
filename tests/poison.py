"""Jobs for tests: well-behaved ones, and each way in which a job can be the end of its worker.

A job `..._at` does it at the mailboxes that its option `at` names, one or a list, and returns 1 at all others. `poisoned`
does at each mailbox what its option `kinds` says: POISONS has the kinds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from workers.marks import job
from workers.messages import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.mailbox import Mailbox

#: What each kind of poison does at its mailbox, by its name.
POISONS: dict[str, Callable[[Mailbox], object]] = {}

#: What was left lying about.
_leaked: list[bytearray] = []


def name(mailbox: Mailbox) -> str:
    return mailbox.address


def number(mailbox: Mailbox) -> int:
    return int(mailbox.address.rpartition("-")[2])


def tell_pid(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    return os.getpid()


def poison(act: Callable[[Mailbox], object]) -> Callable[..., object]:
    """The job that does it at some mailboxes, and returns 1 at all others. Its kind is the name without `_at`."""
    POISONS[act.__name__.removesuffix("_at")] = act

    def only_at(mailbox: Mailbox, *, at: str | list[str]) -> object:
        return act(mailbox) if mailbox.address in ([at] if isinstance(at, str) else at) else 1

    for name in ("__name__", "__qualname__", "__doc__"):  # not by functools.wraps: the job has an option more
        setattr(only_at, name, getattr(act, name))
    return only_at


def poisoned(mailbox: Mailbox, *, kinds: dict[str, str]) -> object:
    """Do what the kind of poison says that the mailbox has, by its address; return 1 at a mailbox that has none."""
    kind = kinds.get(mailbox.address)
    return POISONS[kind](mailbox) if kind else 1


# the worker dies


@poison
def exit_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    os._exit(9)


@poison
def kill_at(mailbox: Mailbox) -> None:  # noqa: ARG001 - a job takes a mailbox
    os.kill(os.getpid(), signal.SIGKILL)


@poison
def segfault_at(mailbox: Mailbox) -> None:  # noqa: ARG001 - a job takes a mailbox
    ctypes.string_at(0)


@poison
def babble_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Write noise into every pipe that is open: one of them leads to the parent."""
    for descriptor in _open_pipes():
        os.write(descriptor, b"noise " * 100)
    return 1


@poison
def trail_off_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Write the beginning of a large message into every pipe that is open."""
    for descriptor in _open_pipes():
        os.write(descriptor, HEADER.pack(2**20) + b"half")
    return 1


@poison
def close_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Close every descriptor, the way to the parent among them, and go on."""
    os.closerange(3, 64)
    return 1


# the worker never comes back


@poison
def hang_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    """Compute for ever, with what of the cores the others leave: they are not to be late for it."""
    os.nice(19)
    while True:
        pass


@poison
def hang_in_c_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    """Wait in C without letting go of the interpreter: no thread and no signal handler of Python runs."""
    while True:
        ctypes.PyDLL(None).pause()


@poison
def hang_deaf_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    """Wait, and take no notice of SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


@poison
def stop_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    os.kill(os.getpid(), signal.SIGSTOP)
    return 1


@poison
def bomb_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    """Take a gigabyte, and keep it for ever."""
    _leaked.extend(bytearray(b"x") * 2**24 for _ in range(64))
    while True:
        signal.pause()


# the worker lives: the mailbox fails


@poison
def raise_at(mailbox: Mailbox) -> NoReturn:
    raise ValueError(f"no luck with {mailbox.address}")


@poison
def sys_exit_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    sys.exit(3)


@poison
def interrupt_at(mailbox: Mailbox) -> NoReturn:  # noqa: ARG001 - a job takes a mailbox
    raise KeyboardInterrupt


@poison
def huge_at(mailbox: Mailbox) -> str:  # noqa: ARG001 - a job takes a mailbox
    """A result beyond the largest that is allowed."""
    return "x" * (64 * 2**20)


@poison
def unencodable_at(mailbox: Mailbox) -> object:  # noqa: ARG001 - a job takes a mailbox
    return object()


@poison
def nested_at(mailbox: Mailbox) -> list[object]:  # noqa: ARG001 - a job takes a mailbox
    """A result so deep that its encoding recurs too far."""
    result: list[object] = []
    for _ in range(100_000):
        result = [result]
    return result


@poison
def unpicklable_at(mailbox: Mailbox) -> NoReturn:
    raise UnpicklableError(threading.Lock(), mailbox.address)


class UnpicklableError(Exception):
    """Holds what no pickle takes, and wants arguments that it does not keep."""

    def __init__(self, lock: threading.Lock, address: str) -> None:
        super().__init__(f"locked out of {address}")
        self.lock = lock


@poison
def recur_at(mailbox: Mailbox) -> object:
    return _recur(mailbox)


# the worker lives: the mailbox is done


@poison
def print_at(mailbox: Mailbox) -> int:
    """Write to stdout behind Python's back."""
    os.write(1, f"noise at {mailbox.address}\n".encode())
    return 1


@poison
def flood_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Write more to stderr than any pipe holds."""
    for _ in range(100):
        os.write(2, b"noise " * 10_000)
    return 1


@poison
def fork_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Fork a child that outlives the mailbox."""
    if os.fork() == 0:
        while True:
            signal.pause()
    return 1


@poison
def fork_and_return_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Fork a child that returns from the job as its parent does, with another result."""
    return 1 if os.fork() else 1000


@poison
def thread_at(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Start threads that never end, one of which Python would wait for."""
    for daemon in (True, False):
        threading.Thread(target=threading.Event().wait, daemon=daemon).start()
    return 1


def leak(mailbox: Mailbox, *, size: int) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Keep so many bytes at each mailbox."""
    _leaked.append(bytearray(b"x") * size)
    return 1


@job(writes=True)
def sign(mailbox: Mailbox, *, book: str, killed_at: str = "") -> int:
    """Write the mailbox's name into a book, in one piece; behind that, die at one of them."""
    if not mailbox.dry_run:
        with open(book, "ab", buffering=0) as file:
            file.write(f"{mailbox.address}\n".encode())
    if mailbox.address == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


@job(writes=True)
def sign_and_hang(mailbox: Mailbox, *, book: str, at: str) -> int:
    """Write the mailbox's name into a book; behind that, hang at one of them for ever."""
    sign(mailbox, book=book)
    if mailbox.address == at:
        signal.pause()
    return 1


def leave_child(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Start a process that outlives its worker, and tell its pid."""
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True).pid


def orphans(mailbox: Mailbox) -> int:  # noqa: ARG001 - a job takes a mailbox
    """Leave two processes that have lost their parent: one that has ended, and one that waits."""
    for waits in (False, True):
        middle = os.fork()
        if middle == 0:
            if os.fork() == 0 and waits:
                signal.pause()
            os._exit(0)
        os.waitpid(middle, 0)
    return 1


def hang(mailbox: Mailbox) -> None:  # noqa: ARG001 - a job takes a mailbox
    signal.pause()


def _recur(mailbox: Mailbox) -> object:
    return _recur(mailbox)


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
