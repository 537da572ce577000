"""The template process: it starts the workers, reaps them, and outlives nobody.

It has everything imported and one thread, so that a fork of it is cheap and safe; it holds no run file and no worker's
pipe. The parent speaks to it over a socket of packets: a start comes with the descriptors that the worker gets, and an
answer tells the pid, with a descriptor of the process (pidfd) so that no signal ever goes to a pid that was used again.

When the socket ends, for whatever reason, the template kills every descendant, also what a job forked itself, and leaves.
It is the subreaper of them all. That is the guard against orphans.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import multiprocess
import psutil

from workers import child
from workers.linux import become_subreaper, die_with

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of the largest packet on the socket; all of them are a few numbers.
PACKET = 256

#: Descriptors that come with a start: the worker's two pipe ends, the slots, and what it has for a stderr.
DESCRIPTORS = 4


#: The variable of the environment that holds the mark of the family.
FAMILY = "FANOUT_FAMILY"


class Start(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Parent to template: start a worker, with its descriptors."""

    number: int
    #: Mailboxes that each worker visits at a time, and so slots that each has.
    lanes: int = 1


class Started(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Template to parent: it runs; its pidfd comes with this."""

    number: int
    pid: int


class Exited(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Template to parent: it has ended and was reaped."""

    number: int
    #: The exit code, or minus the signal.
    code: int


def forked_main(control: socket.socket, start_method: str, path: list[str], mark: str) -> NoReturn:
    """`main` for a fork of the parent: first let go of all that is the parent's."""
    _close_all_but({0, 1, 2, control.fileno()})
    gc.freeze()  # what was inherited is not this process's to collect
    main(control, start_method, path, mark)


def main(control: socket.socket, start_method: str, path: list[str], mark: str) -> NoReturn:
    """Be the template until the socket ends.

    `path` is where jobs are imported from: the parent's own sys.path. `mark` is what all that comes of the workers can be
    told by, should this process be killed.
    """
    sys.path[:] = path
    os.environ[FAMILY] = mark
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; this process ends when it has
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    become_subreaper()
    template = Template(control, start_method)
    try:
        template.serve()
    except BaseException:  # noqa: BLE001 - a bug in fanout: it must be seen, and nobody may be left behind by it
        traceback.print_exc()
    template.kill_descendants()
    os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:  # the descriptor of the listing itself
                continue


class Template:
    """Starts workers by one start method, and knows them until they are reaped."""

    def __init__(self, control: socket.socket, start_method: str) -> None:
        self._control = control
        self._method = start_method
        self._context: Any = multiprocess.get_context(start_method)
        self._workers: dict[int, tuple[int, Any]] = {}
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            os.set_blocking(end.fileno(), False)

    def serve(self) -> None:
        """Do what the parent says until its end of the socket is closed."""
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    self._woken.recv(PACKET)
                    self._reap()
                if self._control in ready and not self._obey():
                    return

    def _obey(self) -> bool:
        """Take one packet. False when the parent has closed the socket, or is gone."""
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET, DESCRIPTORS)
        except ConnectionError:
            return False
        if packet:
            self._start(msgspec.msgpack.decode(packet, type=Start), descriptors)
        return bool(packet)

    def _start(self, start: Start, descriptors: list[int]) -> None:
        number, own = start.number, range(start.number * start.lanes, (start.number + 1) * start.lanes)
        if self._method == "fork":
            target, carried = _forked_worker, list(descriptors)
        else:
            target, carried = _spawned_worker, [multiprocess.reduction.DupFd(each) for each in descriptors]
        process = self._context.Process(target=target, args=(own, os.getpid(), list(sys.path), carried))
        with own_imports_first():
            process.start()
        for descriptor in descriptors:
            os.close(descriptor)
        self._workers[process.pid] = (number, process)
        pidfd = os.pidfd_open(process.pid)
        self._tell(Started(number, process.pid), [pidfd])
        os.close(pidfd)

    def _reap(self) -> None:
        """Reap all that is dead, and tell of the workers among it."""
        for pid in _dead_children():
            if pid in self._workers:
                self._workers[pid][1].join()
            else:
                os.waitpid(pid, 0)  # what a job forked and left; ours now
        for pid, (number, process) in list(self._workers.items()):
            if process.exitcode is not None:  # reaped above, or by multiprocess while it started another one
                del self._workers[pid]
                self._tell(Exited(number, process.exitcode), [])
                process.close()

    def _tell(self, message: Started | Exited, descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._control, [msgspec.msgpack.encode(message)], descriptors)
        except ConnectionError:  # the parent is gone: the next read of the socket says so, too
            return

    def kill_descendants(self) -> None:
        """Kill and reap every process below this one, and what those fork meanwhile."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while descendants := psutil.Process().children(recursive=True):
            for process in descendants:
                _kill(process.pid)
            _reap_one()


@contextmanager
def own_imports_first() -> Iterator[None]:
    """Have a spawned process find our own `workers` first, and leave the user's `__main__` alone.

    A new interpreter imports what its first call needs by the path of the one that starts it, where a `workers.py` in the
    user's directory may stand before ours; and multiprocess would run the user's script once more to rebuild `__main__`,
    which nothing here asks for: a function of `__main__` goes by dill.
    """
    path, main_module = sys.path, sys.modules["__main__"]
    sys.path = [str(Path(__file__).parent.parent), *path]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.path, sys.modules["__main__"] = path, main_module


def _noted(*_: object) -> None:
    """A handler, so that the signal reaches the wakeup descriptor."""


def _dead_children() -> Iterator[int]:
    """The pid of each dead child, without reaping it: workers are reaped by `multiprocess`."""
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None:
            return
        yield dead.si_pid


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap_one() -> None:
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        return


def _forked_worker(own: range, template: int, path: list[str], descriptors: list[Any]) -> NoReturn:
    """The first thing that runs in a fork of the template: let go of all that is the template's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _close_all_but({0, 1, 2, *descriptors})
    _be_worker(own, template, path, descriptors)


def _spawned_worker(own: range, template: int, path: list[str], descriptors: list[Any]) -> NoReturn:
    """The first thing that runs in a new interpreter."""
    _be_worker(own, template, path, [each.detach() for each in descriptors])


def _be_worker(own: range, template: int, path: list[str], descriptors: list[int]) -> NoReturn:
    die_with(template)
    os.memfd_create(os.environ[FAMILY])  # stays open: by its name this process is known, and what it forks
    sys.path[:] = path
    inbox, outbox, slots, stderr = descriptors
    os.dup2(stderr, 2)
    for descriptor in (inbox, outbox, slots):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - for what a job starts: it shall hold none
    os.close(stderr)
    child.main(inbox, outbox, slots, own)
