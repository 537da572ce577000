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
from workers.rehearsal import rehearse

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
    _let_go_of_all_but({0, 1, 2, control.fileno()})
    main(control, start_method, path, mark)


def main(control: socket.socket, start_method: str, path: list[str], mark: str) -> NoReturn:
    """Be the template until the socket ends.

    `path` is where jobs are imported from: the parent's own sys.path. `mark` is what all that comes of the workers can be
    told by, should this process be killed.
    """
    sys.path[:] = path
    os.environ[FAMILY] = mark
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)  # the parent decides; this process ends when it has
    become_subreaper()
    template = Template(control, start_method)
    gc.freeze()  # what is here by now is not a worker's to collect: a look at it would end the sharing of its memory
    try:
        template.serve()
    except BaseException:  # noqa: BLE001 - a bug in fanout: it must be seen, and nobody may be left behind by it
        traceback.print_exc()
    template.kill_descendants()
    os._exit(0)


def _prepared() -> child.Kit:
    rehearse()
    return child.prepare()


def _let_go_of_all_but(kept: set[int]) -> None:
    """Have every other descriptor lead nowhere. They are not closed: a log file of the parent's, say, that knows its number
    would write to, or close, whatever gets that number next.
    """
    descriptors = {int(name) for name in os.listdir("/proc/self/fd")}
    nothing = os.open(os.devnull, os.O_RDWR)  # the number that the listing had: the lowest that is free
    for descriptor in descriptors - kept - {nothing}:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


class Forked:
    """A worker that is a fork of this process: as much of multiprocess's Process as is wanted here.

    That one's own way to fork writes to so much of what a worker shares with the template that each has 0.7 MiB more for
    itself.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        #: The exit code, or minus the signal; None until it is reaped.
        self.exitcode: int | None = None

    @classmethod
    def start(cls, own: range, descriptors: list[int], kit: child.Kit) -> Forked:
        template = os.getpid()
        pid = os.fork()
        if pid:
            return cls(pid)
        try:
            _forked_worker(own, template, descriptors, kit)
        except BaseException:  # noqa: BLE001 - a bug in fanout: it must be seen, and there must not be two templates
            traceback.print_exc()
        os._exit(child.BUG)

    def join(self) -> None:
        """Reap it, when it is dead."""
        _, status = os.waitpid(self.pid, 0)
        self.exitcode = os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Nothing is held."""


class Template:
    """Starts workers by one start method, and knows them until they are reaped."""

    def __init__(self, control: socket.socket, start_method: str) -> None:
        self._control = control
        self._method = start_method
        self._kit = _prepared() if start_method == "fork" else None
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
        process = self._spawned(own, descriptors) if self._kit is None else Forked.start(own, descriptors, self._kit)
        for descriptor in descriptors:
            os.close(descriptor)
        self._workers[process.pid] = (number, process)
        pidfd = os.pidfd_open(process.pid)
        self._tell(Started(number, process.pid), [pidfd])
        os.close(pidfd)

    def _spawned(self, own: range, descriptors: list[int]) -> Any:  # noqa: ANN401 - a Process of multiprocess, which has no types
        carried = [multiprocess.reduction.DupFd(each) for each in descriptors]
        process = multiprocess.get_context(self._method).Process(
            target=_spawned_worker, args=(own, os.getpid(), list(sys.path), carried)
        )
        with own_imports_first():
            process.start()
        return process

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
        while _has_children():  # who adopts the orphans below it has none below it either when it has no child
            for process in psutil.Process().children(recursive=True):
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
    """The pid of each dead child, without reaping it: whoever started a worker reaps it."""
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None:
            return
        yield dead.si_pid


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


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


def _forked_worker(own: range, template: int, descriptors: list[int], kit: child.Kit) -> NoReturn:
    """The first thing that runs in a fork of the template: let go of all that is the template's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _let_go_of_all_but({0, 1, 2, *descriptors})
    _be_worker(own, template, descriptors, kit)


def _spawned_worker(own: range, template: int, path: list[str], descriptors: list[Any]) -> NoReturn:
    """The first thing that runs in a new interpreter."""
    sys.path[:] = path
    _be_worker(own, template, [each.detach() for each in descriptors], child.prepare())


def _be_worker(own: range, template: int, descriptors: list[int], kit: child.Kit) -> NoReturn:
    die_with(template)
    os.memfd_create(os.environ[FAMILY])  # stays open: by its name this process is known, and what it forks
    inbox, outbox, slots, stderr = descriptors
    os.dup2(stderr, 2)
    for descriptor in (inbox, outbox, slots):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - for what a job starts: it shall hold none
    os.close(stderr)
    child.main(inbox, outbox, slots, own, kit)
