"""One worker as the parent sees it: its process, its pipes, and its last words."""

from __future__ import annotations

import os
import select
import signal

from workers.messages import FrameReader, ToParent
from workers.output import IMPORTED

#: Bytes kept of what a worker wrote to stderr: the end of it. Its own stack, with all that it was forked from, has 4 KB,
#: and that of a lane half as many.
MAX_WORDS = 2**15

#: Bytes that a pipe holds, and so as much as is read from one at a time: a flood on stderr is never followed for longer.
PIPE_BYTES = 2**16


class Process:
    """A process that was asked for: known by number and descriptor once it runs, and signalled as soon as it is."""

    def __init__(self) -> None:
        self.pid: int | None = None
        #: Whether it was told to die: its death by SIGKILL is no news then.
        self.doomed = False
        self._pidfd: int | None = None
        self._due: list[signal.Signals] = []

    def runs(self, pid: int, pidfd: int) -> None:
        """Note that it runs. The descriptor is this object's own from now on."""
        self.pid, self._pidfd = pid, pidfd
        for number in self._due:
            self.signal(number)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, now or when it is known to run. One that has ended takes none."""
        self.doomed |= number == signal.SIGKILL
        if self._pidfd is None:
            self._due.append(number)
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:  # it was faster
            return

    def end(self, patience: float) -> None:
        """Kill it, and wait until it has ended, for `patience` seconds at the most. Reap it, should it be ours to reap."""
        self.signal(signal.SIGKILL)
        if self._pidfd is None or self.pid is None:
            return
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll(patience * 1000)
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # whoever adopted it does so; as process 1 of a container we have
            return

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


class Words:
    """The end of what a worker writes to stderr."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` is this object's own, and does not block."""
        self._descriptor: int | None = descriptor
        self._kept = bytearray()

    def fileno(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    @property
    def closed(self) -> bool:
        return self._descriptor is None

    def listen(self) -> bool:
        """Take what is there. False when there will be nothing more."""
        if self._descriptor is None:
            return False
        try:
            data = os.read(self._descriptor, PIPE_BYTES)
        except BlockingIOError:
            return True
        self._kept += data
        del self._kept[:-MAX_WORDS]
        return bool(data)

    @property
    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")

    def take_import(self) -> str:
        """What was written while the job was imported; it is not kept. Nothing where more was written since than is kept."""
        imported, mark, since = self._kept.partition(IMPORTED)
        self._kept = since if mark else imported
        return imported.decode("utf-8", "replace") if mark else ""

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Worker:
    """A worker: two pipe ends, its words, and its process."""

    def __init__(self, number: int, inbox: int, outbox: int, words: Words) -> None:
        self.number = number
        #: What this end writes to, and reads from; None when that pipe is closed.
        self.inbox: int | None = inbox
        self.outbox: int | None = outbox
        self.words = words
        self.process = Process()
        self.reader: FrameReader[ToParent] = FrameReader(ToParent)
        #: Whether it closed its pipe while it lived.
        self.hung_up = False
        #: Whether anything was heard of it.
        self.heard = False
        #: What the pipe has not taken yet.
        self.unsent = bytearray()
        #: Whether the selector says when the pipe takes more.
        self.waits = False
