"""The engine of processes on this machine: performs the commands of dispatch, and tells what happened.

    parent ==(socket of packets)== template --fork--> workers
    parent --(pipe of chunks)--> worker --(pipe of findings)--> parent        a pair for each worker
                                 worker --(its stderr)--------> parent        of which the last words are kept

One selector over the socket and all pipes, one thread, nothing that blocks: what a pipe does not take at once waits here
until it does. `multiprocess` starts the template and gives the pipes; its pickling touches no result.

What a worker has written to stderr when its first message is heard comes from the import of the job. It is passed on to
this process's own stderr, of one worker for all. What comes later is kept for the case that the worker dies.

This module knows no roster, no run file and no time.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
import sys
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Self

import msgspec
import multiprocess

from fanout import machine
from fanout.crew import HUNG_UP
from fanout.engines.deaths import Deaths, in_words
from fanout.engines.family import end_family, new_mark
from fanout.engines.worker import Words, Worker
from fanout.events import Babbled, Ended, Event, Heard, Reading, Spot
from workers import template
from workers.linux import DUMP, is_ending, resident
from workers.messages import Begin, FrameError, Message, add_frame
from workers.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Bytes read from a pipe at a time: all that it holds. Asking for more costs more: a buffer beyond 128 KiB is mapped anew.
READ_BYTES = 2**16

#: Seconds to wait for the template to take more, before what it has to say is heard.
BUSY = 0.01

#: Seconds that workers may take to end their sessions when a run is over, and the template to end after them.
PATIENCE = 5.0

_template_words: msgspec.msgpack.Decoder[template.Started | template.Exited] = msgspec.msgpack.Decoder(
    template.Started | template.Exited
)


class ProcessEngine:
    """Workers as processes of this machine. A context manager: on leaving it no process is left."""

    def __init__(
        self,
        count: int,
        start_method: str | None = None,
        lanes: int = 1,
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        """For up to `count` workers, or as many as there is made room for. `start_method`: `fork`, `spawn`, or None for fork wherever that is safe.

        `lanes`: mailboxes that each visits at a time. `guard`: a lock that `wait` holds but for when it waits; threads that hold it may
        give commands while another one waits. None where one thread does it all.
        """
        self._guard = guard or nullcontext()
        self._method = start_method or "fork"
        self._lanes = lanes
        _allow(count)
        self._slots = Slots.create(count * lanes)
        self._workers: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self.wake = socket.socketpair()
        for end in (self._woken, self.wake):
            os.set_blocking(end.fileno(), False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._events: list[Event] = []
        #: Workers that were posted something since the last `wait`.
        self._posted: list[Worker] = []
        self._control: socket.socket | None = None
        self._template: Any = None
        self._mark = new_mark()
        self._deaths = Deaths(machine.oom_kills)
        #: What is done with what the import of the job printed, once.
        self.show: Callable[[str], object] = _show
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- commands -----------------------------------------------------------------------------------------------------

    def start(self, number: int, begin: Begin) -> None:
        """Start worker `number`, which has no process now. Its first message will be Ready or Unable."""
        if self._control is None:
            self._start_template()
        assert self._control is not None
        ours_read, theirs_write = multiprocess.Pipe(duplex=False)
        theirs_read, ours_write = multiprocess.Pipe(duplex=False)
        words, stderr = os.pipe()
        inbox, outbox = os.dup(ours_write.fileno()), os.dup(ours_read.fileno())
        given = [theirs_read.fileno(), theirs_write.fileno(), self._slots.descriptor, stderr]
        packet = msgspec.msgpack.encode(template.Start(number, self._lanes))
        with suppress(ConnectionError):  # a template that has just died is heard of below, and this start with it
            self._tell_template(packet, given)
        for end in (ours_read, theirs_write, theirs_read, ours_write):
            end.close()
        os.close(stderr)
        self._open(number, inbox, outbox, words)
        self.send(number, begin)

    def make_room(self, count: int) -> None:
        """Be able to have workers of numbers below `count`. Raises UsageError where the machine does not allow so many."""
        if count * self._lanes > self._slots.count:
            machine.check_limits(count)
            _allow(count)
            self._slots.grow(count * self._lanes)

    # What is asked of a worker that has ended is not done: the news of its end is on its way to whoever asks.

    def send(self, number: int, message: Message) -> None:
        """Give the worker a message, after those it was given before."""
        if worker := self._workers.get(number):
            add_frame(worker.unsent, message)
            self._write(worker)

    def post(self, number: int, message: Message) -> None:
        """Give the worker a message with the next `wait`: all that is posted until then goes out in one piece."""
        if worker := self._workers.get(number):
            if not worker.unsent:
                self._posted.append(worker)
            add_frame(worker.unsent, message)

    def stop(self, number: int) -> None:
        """Ask the worker to leave before it begins another mailbox. One that waits for a chunk is to be retired instead."""
        for slot in self._slots_of(number):
            self._slots.stop(slot)

    def dump(self, number: int) -> None:
        """Have the worker write the stacks of its threads to its stderr, whatever it is in, so to its last words.

        It takes a moment, which a SIGTERM or SIGKILL right behind does not leave it.
        """
        self._signal(number, DUMP)

    def terminate(self, number: int) -> None:
        """Ask the worker's process to end, by SIGTERM. It ends as any other death does, with Ended."""
        self._signal(number, signal.SIGTERM)

    def kill(self, number: int) -> None:
        """Kill the worker. It ends as any other death does, with Ended."""
        self._signal(number, signal.SIGKILL)

    def retire(self, number: int) -> None:
        """Tell the worker that there is nothing more to do."""
        if worker := self._workers.get(number):
            self._close_inbox(worker)

    def _signal(self, number: int, which: signal.Signals) -> None:
        if worker := self._workers.get(number):
            worker.process.signal(which)

    def look(self) -> list[Reading]:
        """What can be seen from outside of each worker that is known to run, in the order in which they were started."""
        slots = self._slots
        return [
            Reading(
                number,
                tuple(Spot(slots.at(slot), slots.beats(slot), slots.ahead(slot)) for slot in self._slots_of(number)),
                resident(worker.process.pid),
                worker.reader.held,
                worker.process.pid,
            )
            for number, worker in self._workers.items()
            if worker.process.pid is not None
        ]

    def _slots_of(self, number: int) -> range:
        return range(number * self._lanes, (number + 1) * self._lanes)

    def words(self, number: int) -> str:
        """What the worker has written to stderr, as far as it was heard: the end of it."""
        return self._workers[number].words.text

    # --- events -------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None) -> list[Event]:
        """What happened, in order; waits up to `timeout` seconds for the first of it. None waits for ever.

        Returns early, perhaps with nothing, when something is written to `wake`, or can be read from what it attends to.
        """
        for worker in self._posted:
            self._write(worker)
        self._posted.clear()
        woken = False
        while not self._events and not woken:
            ready = self._selector.select(timeout)
            if not ready:
                break
            with self._guard:
                for key, mask in ready:
                    woken |= self._look(key, mask)
        events, self._events = self._events, []
        return events

    @contextmanager
    def attending(self, source: int) -> Iterator[None]:
        """Have `wait` return early while there is something to be read from the descriptor `source`, which is for others
        to read."""
        self._selector.register(source, selectors.EVENT_READ)
        yield
        self._selector.unregister(source)

    def _look(self, key: selectors.SelectorKey, mask: int) -> bool:
        """Do what one ready descriptor asks for. True when `wait` is to return, whatever else there is."""
        what = key.data
        if isinstance(what, Worker):
            if mask & selectors.EVENT_WRITE:
                self._write(what)
            else:
                self._read(what)
        elif isinstance(what, Words):
            self._listen(what)
        elif key.fileobj is self._control:
            self._hear_template()
        else:
            if key.fileobj is self._woken:
                self._woken.recv(READ_BYTES)
            return True
        return False

    # --- the pipes ----------------------------------------------------------------------------------------------------

    def _open(self, number: int, inbox: int, outbox: int, stderr: int) -> None:
        for descriptor in (inbox, outbox, stderr):
            os.set_blocking(descriptor, False)
        worker = Worker(number, inbox, outbox, Words(stderr))
        self._workers[number] = worker
        for slot in self._slots_of(number):
            self._slots.clear(slot)
        self._selector.register(outbox, selectors.EVENT_READ, worker)
        self._selector.register(worker.words, selectors.EVENT_READ, worker.words)

    def _write(self, worker: Worker) -> None:
        if worker.inbox is None:
            return
        try:
            del worker.unsent[: os.write(worker.inbox, worker.unsent)]
        except BlockingIOError:
            pass  # the pipe is full: it will be said when it is not
        except BrokenPipeError:  # the worker is gone, which is heard of elsewhere
            self._close_inbox(worker)
            return
        if bool(worker.unsent) != worker.waits:
            self._watch(worker, worker.inbox)

    def _watch(self, worker: Worker, inbox: int) -> None:
        """Have the selector say, or not say any more, when the pipe takes more."""
        worker.waits = not worker.waits
        if worker.waits:
            self._selector.register(inbox, selectors.EVENT_WRITE, worker)
        else:
            self._selector.unregister(inbox)

    def _read(self, worker: Worker) -> bool:
        """Take what the worker has written. False when there is nothing more to take now."""
        if worker.outbox is None:
            return False
        try:
            data = os.read(worker.outbox, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_outbox(worker)
            self._hang_up(worker)
            return False
        if not worker.heard:
            worker.heard = True
            self._pass_on(worker.words)
        try:
            self._events.extend([Heard(worker.number, message) for message in worker.reader.feed(data)])
        except FrameError as error:
            self._close_outbox(worker)
            self._events.append(Babbled(worker.number, str(error)))
        return True

    def _hang_up(self, worker: Worker) -> None:
        """Its pipe has ended, and so has it, or is about to. One that closed its pipe and lives is of no use any more."""
        pid = worker.process.pid
        if pid is not None and not is_ending(pid):
            worker.hung_up = True
            worker.process.signal(signal.SIGKILL)

    def _listen(self, words: Words) -> None:
        if not words.listen():
            self._close_words(words)

    def _pass_on(self, words: Words) -> None:
        """Let the user see what the import of the job had to say, once."""
        self._listen(words)
        said = words.take_import()
        if said and not self._shown:
            self._shown = True
            self.show(said)

    def _close_inbox(self, worker: Worker) -> None:
        if worker.inbox is not None:
            if worker.waits:
                self._watch(worker, worker.inbox)
            os.close(worker.inbox)
            worker.inbox = None

    def _close_outbox(self, worker: Worker) -> None:
        if worker.outbox is not None:
            self._selector.unregister(worker.outbox)
            os.close(worker.outbox)
            worker.outbox = None

    def _close_words(self, words: Words) -> None:
        if not words.closed:
            self._selector.unregister(words)
            words.close()

    # --- the template -------------------------------------------------------------------------------------------------

    def _start_template(self) -> None:
        """Raises OSError where the machine has no room for it; another one can be started then."""
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.set_blocking(control.fileno(), False)
        safe = _safe_method(self._method)
        main = template.forked_main if safe == "fork" else template.main
        arguments = (theirs, self._method, list(sys.path), self._mark)
        process = multiprocess.get_context(safe).Process(target=main, args=arguments, daemon=False)
        try:
            with template.own_imports_first():
                process.start()
        except BaseException:
            control.close()
            raise
        finally:
            theirs.close()
        self._control, self._template = control, process
        self._selector.register(control, selectors.EVENT_READ)

    def _tell_template(self, packet: bytes, descriptors: list[int]) -> None:
        """Have it take a packet, though it may be busy with those before. What it has to say meanwhile is heard."""
        while self._control is not None:
            try:
                socket.send_fds(self._control, [packet], descriptors)
            except BlockingIOError:
                self._hear_template()
                if self._control is not None:
                    select.select([], [self._control], [], BUSY)
            else:
                return

    def _hear_template(self) -> None:
        """Take every packet that is there."""
        while self._control is not None:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._control, template.PACKET, 1)
            except BlockingIOError:
                return
            except ConnectionError:
                packet, descriptors = b"", []
            if packet:
                self._take(_template_words.decode(packet), descriptors)
            else:
                self._lose_template()

    def _take(self, message: template.Started | template.Exited, descriptors: list[int]) -> None:
        worker = self._workers[message.number]
        if isinstance(message, template.Exited):
            how = in_words if worker.process.doomed else self._deaths.how
            self._end(worker, HUNG_UP if worker.hung_up else how(message.code))
            return
        worker.process.runs(message.pid, descriptors[0])
        if worker.outbox is None:  # which was seen before it was known to run
            self._hang_up(worker)

    def _lose_template(self) -> None:
        """The template is gone, and with it every worker: the kernel kills them when it ends. Another one can be started."""
        self._drop_template()
        for worker in list(self._workers.values()):
            worker.process.end(PATIENCE)
            self._end(worker, "the template process ended")

    def _drop_template(self) -> None:
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None
            self._template.join(PATIENCE)
            if self._template.exitcode is None:
                self._template.kill()
                self._template.join()
            if self._template.exitcode:  # it was killed, and could not end what jobs have left
                end_family(self._mark, PATIENCE)
            self._template.close()

    def _end(self, worker: Worker, how: str) -> None:
        """The process is no more: hear what it wrote before, then say so."""
        while self._read(worker):
            pass
        self._listen(worker.words)  # once: what a job forked may go on for ever
        self._let_go(worker)
        del self._workers[worker.number]
        spots = map(self._slots.at, self._slots_of(worker.number))
        at = tuple(ordinal for ordinal in spots if ordinal is not None)
        self._events.append(Ended(worker.number, how, at, worker.words.text, worker.process.pid))

    def _let_go(self, worker: Worker) -> None:
        """Give back every descriptor."""
        self._close_inbox(worker)
        self._close_outbox(worker)
        self._close_words(worker.words)
        worker.process.close()

    # --- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> list[Event]:
        """Let every worker end its session and leave, and tell of it; those that take too long are left to `close`."""
        for number in list(self._workers):
            self.retire(number)
        last: list[Event] = []
        while self._workers and (events := self.wait(PATIENCE)):
            last += events
        return last

    def close(self) -> None:
        """End every process that is left, at once, and give back what was held. May be called again."""
        self._drop_template()  # which kills whatever lives below it
        for worker in self._workers.values():
            self._let_go(worker)
        self._workers.clear()
        if self._selector.get_map() is not None:
            self._selector.close()
            self._woken.close()
            self.wake.close()
            self._slots.close()


def _allow(workers: int) -> None:
    """Have this process hold the descriptors of so many workers, as far as the machine lets it."""
    machine.allow_descriptors(workers * machine.DESCRIPTORS_EACH + machine.DESCRIPTORS_ELSE)


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _safe_method(method: str) -> str:
    """How to start the template itself: a fork only where this process has one thread, or a lock could be held for ever."""
    alone = threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1
    return "fork" if method == "fork" and alone else "spawn"
