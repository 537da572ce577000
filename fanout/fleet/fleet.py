"""`open_all`: every mailbox of a roster open at once, over as many workers as the capacity asks for (statement S9).

    the caller's threads  --Request-->  the fleet's thread  --Call-->  worker: holds up to 255 mailboxes
                          <--Future---   (holders: who holds what)  <--Answered--

The fleet's thread owns the engine, and does what `holders` decides. It touches no signal handler of the program it is in.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, assert_never

import msgspec

from fanout import jobs, machine, notebook
from fanout.conduct import Conductor, Mailboxes, Workforce
from fanout.engines.processes import ProcessEngine
from fanout.errors import CredentialsError, FanoutError, StoppedError, UsageError
from fanout.events import Begun, DumpStacks, KillWorker, Looked, StartWorker
from fanout.fleet.holders import Holders, Learn, Reply, Request, Tell
from fanout.ledger import TemporaryLedger
from fanout.outcomes import Outcome
from fanout.roster import Choice
from workers.access import ANYBODY, Access
from workers.causes import Cause
from workers.messages import Begin, Call, Hold, Recording, Teach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fanout.fleet.holders import Command
    from fanout.roster import Roster
    from workers.messages import Error

#: Calls that `map` has each worker be given or wait for.
AHEAD = 16

#: Seconds that the fleet's thread waits while there is nothing to look for: a call that has a limit is seen by then.
IDLE = 0.5

_decode = msgspec.json.Decoder().decode


class CallError(FanoutError):
    """A call that failed: the mailbox can't be opened, the function raised, or the worker died or was ended at it."""

    exit_code = 1

    def __init__(self, mailbox: str, error: Error) -> None:
        super().__init__(f"{mailbox}: {error.message}")
        self.mailbox = mailbox
        #: Its `type`, `message`, `cause` and `traceback`, as a record tells them.
        self.error = error


class Fleet:
    """Every mailbox of a roster, open. A context manager: leaving it closes them all. Made by `open_all`."""

    def __init__(
        self, roster: Roster, size: int, begin: Begin, workforce: Workforce, stall_timeout: float | None
    ) -> None:
        self._roster = roster
        #: The names of the mailboxes, in the order of the roster.
        self.mailboxes: list[str] = roster.names(range(roster.count))
        self._ordinals = {name: ordinal for ordinal, name in enumerate(self.mailboxes)}
        self._begin = begin
        self._holders = Holders(roster.count, size, stall_timeout)
        self._lock = threading.RLock()  # of all that follows
        self._engine = ProcessEngine(self._holders.workers, workforce.start_method, guard=self._lock)
        self._functions: dict[object, int] = {}
        self._jobs: list[Teach] = []
        self._numbers = 0
        self._futures: dict[int, tuple[str, Future[Any]]] = {}
        self._closing = False
        self._opened = threading.Event()
        self._bug: BaseException | None = None
        try:
            self._perform(
                self._holders.handle(Begun(), time.monotonic())
            )  # here: a fork is safe while there is one thread
        except BaseException:
            self._engine.close()
            raise
        self._thread = threading.Thread(target=self._run, name="fanout fleet", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Fleet: {len(self.mailboxes):,} mailboxes over {self._holders.workers:,} workers>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the first mailboxes, and which can't be opened."""
        return notebook.of_holders(repr(self)[1:-1], self.mailboxes, self.failed)

    @property
    def workers(self) -> int:
        """Worker processes."""
        return self._holders.workers

    @property
    def failed(self) -> dict[str, Error]:
        """The mailboxes that can't be opened, and why."""
        return {self.mailboxes[ordinal]: error for ordinal, error in sorted(self._holders.refused.items())}

    def wait_until_open(self, timeout: float | None = None) -> bool:
        """Wait until every mailbox is open, or known not to be; False when that took longer than `timeout` seconds.

        Also after workers have died: each opens its mailboxes again. Raises CredentialsError and StoppedError when no
        worker can work.
        """
        self._opened.wait(timeout)
        self._check()
        return self._opened.is_set()

    def submit(
        self,
        function: Callable[..., Any],
        address: str,
        *,
        retry: bool = False,
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401 - whatever the function takes, and JSON can say
    ) -> Future[Any]:
        """Call `function(mailbox, **options)` where the mailbox is open; its result, as JSON can say it, to wait for.

        Calls to mailboxes of one worker are made one after another, in their order. `retry`: whether a call that was
        under way when its worker died is made again; otherwise it fails, for it may have been made. `timeout`: seconds that
        it may take once it is under way; its worker is replaced then. The future raises CallError. Raises UsageError for an
        address that the fleet does not hold, a function that can't be carried, and when the fleet is closed.
        """
        ordinal = self._ordinal_of(address)
        future: Future[Any] = Future()
        with self._lock:
            if self._closing:
                raise UsageError("the fleet is closed")
            self._numbers += 1
            number = self._numbers
            self._futures[number] = (address, future)
            request = Request(number, ordinal, self._number_of(function), options, retry, timeout)
            self._perform(self._holders.ask(request, time.monotonic()))
        return future

    def call(
        self,
        function: Callable[..., Any],
        address: str,
        *,
        retry: bool = False,
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """What `submit` gives, when it is there. Raises CallError, and what `submit` raises."""
        return self.submit(function, address, retry=retry, timeout=timeout, **options).result()

    def map(
        self,
        function: Callable[..., Any],
        mailboxes: Iterable[str] | None = None,
        *,
        retry: bool = False,
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Iterator[Outcome]:
        """Call the function with every mailbox, or with some; yield an outcome each, failures among them, as they come.

        All workers are at work at the same time, and no further ahead of what is read than AHEAD calls each.
        """
        names = self.mailboxes if mailboxes is None else mailboxes
        waiting: dict[int, deque[str]] = {}
        for name in names:
            waiting.setdefault(self._holders.holder(self._ordinal_of(name)), deque()).append(name)
        answers: SimpleQueue[tuple[int, str, Future[Any]]] = SimpleQueue()

        def ask(holder: int) -> None:
            name = waiting[holder].popleft()
            future = self.submit(function, name, retry=retry, timeout=timeout, **options)
            future.add_done_callback(lambda done: answers.put((holder, name, done)))

        count = sum(map(len, waiting.values()))
        for holder, its in waiting.items():
            for _ in range(min(AHEAD, len(its))):
                ask(holder)
        for _ in range(count):
            holder, name, future = answers.get()
            if waiting[holder]:
                ask(holder)
            yield _outcome(name, future)

    def close(self) -> None:
        """Close every mailbox and end every process. Calls that are not answered are cancelled. May be called again."""
        with self._lock:
            self._closing = True
        self._wake()
        self._thread.join()

    # --- the callers' side --------------------------------------------------------------------------------------------

    def _ordinal_of(self, address: str) -> int:
        ordinal = self._ordinals.get(address)
        if ordinal is None:
            raise UsageError(f"the fleet holds no mailbox {address!r}; `mailboxes` has the names")
        return ordinal

    def _number_of(self, function: Callable[..., Any]) -> int:
        """The number by which workers know the function."""
        number = self._functions.get(function)
        if number is None:
            number = len(self._jobs)
            self._jobs.append(Teach(number, jobs.carried(function)))
            self._functions[function] = number
        return number

    def _wake(self) -> None:
        with suppress(OSError):  # a full socket will wake it just as well, and a closed one has nobody to wake
            self._engine.wake.send(b"\0")

    def _check(self) -> None:
        """Raise what the fleet can't go on with."""
        unable = self._holders.unable
        if unable is not None and unable.cause is Cause.CREDENTIALS:
            raise CredentialsError(f"the server refuses the account: {unable.message}; nothing is tried again")
        if unable is not None:
            raise StoppedError(unable.message)
        if self._bug is not None:
            raise self._bug

    # --- the fleet's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._serve()
            for worker in self._holders.busy():  # its call is cancelled
                self._engine.kill(worker)
            self._engine.finish()
        except BaseException as error:  # noqa: BLE001 - a bug in fanout: whoever waits must hear of it
            self._bug = error
        finally:
            with self._lock:
                self._closing = True
            self._engine.close()
            self._opened.set()
            for _, future in self._futures.values():
                if self._bug is None:
                    future.cancel()
                elif not future.done():
                    future.set_exception(self._bug)

    def _serve(self) -> None:
        look_at: float | None = None
        while not self._closing:
            now = time.monotonic()
            looks = self._holders.looks
            look_at = None if looks is None else look_at or now + looks
            events = self._engine.wait(IDLE if look_at is None else max(0.0, look_at - now))
            now = time.monotonic()
            with self._lock:
                if look_at is not None and now >= look_at:
                    events.append(Looked(self._engine.look()))
                    look_at = None
                for event in events:
                    self._perform(self._holders.handle(event, now))
                if self._holders.ready or self._holders.unable:
                    self._opened.set()
                else:
                    self._opened.clear()

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Reply():
                    self._reply(command)
                case Tell(worker, message):
                    self._engine.send(worker, self._named(message))
                case Learn(worker, function):
                    self._engine.send(worker, self._jobs[function])
                case StartWorker(worker):
                    self._engine.start(worker, self._begin)
                case DumpStacks(worker):
                    self._engine.dump(worker)
                case KillWorker(worker):
                    self._engine.kill(worker)
                case _:
                    assert_never(command)

    def _named(self, message: Hold | Call) -> Hold | Call:
        """With the names of the mailboxes, where the server does not compute them."""
        if isinstance(message, Call) or self._roster.numbered:
            return message
        return msgspec.structs.replace(message, addresses=self.mailboxes[message.first : message.ordinals.stop])

    def _reply(self, reply: Reply) -> None:
        address, future = self._futures.pop(reply.number)
        if reply.printed:
            sys.stdout.write(reply.printed)  # as if the function had been called here
        if not future.set_running_or_notify_cancel():
            return
        if reply.error is not None:
            future.set_exception(CallError(address, reply.error))
        else:
            assert reply.value is not None
            future.set_result(_decode(reply.value))


def _outcome(name: str, future: Future[Any]) -> Outcome:
    try:
        return Outcome(name, ok=True, result=future.result())
    except CallError as failed:
        return Outcome(name, ok=False, error=failed.error)


def open_all(  # noqa: PLR0913 - each is named by the caller
    *,
    server: str,
    mailboxes: Iterable[str] | None = None,
    limit: int | None = None,
    workers: int | None = None,
    separate_connections: bool = False,
    start_method: str | None = None,
    stall_timeout: float | None = 300.0,
    allow_writes: bool = False,
    access: Access = ANYBODY,
) -> Fleet:
    """Open every mailbox of a server, and keep them open; returns when they are, or are known not to be.

    `mailboxes`: names, by default the server's roster. `limit`: the first so many. `workers`: processes, by default as many as
    the capacity asks for, and never fewer. `separate_connections`: a connection for each mailbox, which lifts the ceiling;
    `workers` then says how many processes share them, by default one a core. `stall_timeout`: seconds that a worker may go without a
    round trip while it opens mailboxes or is at a call. `allow_writes`: whether functions may be called that say that they write. `access`: the account
    that opens the mailboxes of a real server.

    Raises UsageError for what can't be held, also when this machine's limits do not allow it; StoppedError when the server can't
    be listed, or no worker can work; CredentialsError when the server refuses the account.
    """
    if not isinstance(server, str):
        raise UsageError(
            f"{server!r}: open_all holds open the mailboxes of one server, given by a URL, as in 'sim:1000'"
        )
    source = "the names given" if mailboxes is not None else ""
    wanted = Mailboxes(server, Choice(limit=limit), mailboxes, source, access)
    force = Workforce(1, None, separate_connections=separate_connections, start_method=start_method)
    with Conductor(wanted, force, TemporaryLedger(Recording.RESULTS)) as conductor:
        roster, capacity = conductor.survey_capacity()
    most = Workforce().workers if capacity is None else -(-roster.count // capacity)
    number = min(roster.count, max(most, workers or 1))
    if capacity is None and workers:
        number = min(roster.count, workers)
    machine.check_room(number)
    begin = Begin(
        server, separate_connections, Recording.RESULTS, allow_writes=allow_writes, holding=True, access=access
    )
    fleet = Fleet(roster, -(-roster.count // number), begin, force, stall_timeout)
    try:
        fleet.wait_until_open()
    except BaseException:
        fleet.close()
        raise
    return fleet
