"""The simulated Exchange server: a Transport and a Directory in this process.

Session contexts, faults, delays and counters are here; what a ROP buffer does is in `execute`. One instance a
worker: limits are counted for this process alone. What passes, a busy mailbox or one that cuts its connection, passes once for all
workers, because each is told which attempt at a mailbox it makes, and how often that was put off.
"""

from __future__ import annotations

import math
import time
from random import Random
from threading import Event, Lock
from typing import TYPE_CHECKING

from workers.mapi.hresults import HResult
from workers.mapi.transport import ConnectionLost, MailboxRow, RpcError
from workers.simulated.admission import Admission
from workers.simulated.execute import Execution, decode
from workers.simulated.faults import FaultPlan, Trouble
from workers.simulated.maildir import MaildirPopulation
from workers.simulated.objects import Connection
from workers.simulated.options import Account, parse_options
from workers.simulated.population import GeneratedPopulation
from workers.simulated.stores import mailbox_dn
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.mapi.rops import LogonRequest, Request
    from workers.simulated.objects import Logon
    from workers.simulated.options import SimulatedOptions
    from workers.simulated.stores import Population

#: Rows of one page of the mailbox table at most ([KB 813148]: 2**16).
MOST_MAILBOX_ROWS = 65_536


def pause(seconds: float) -> None:
    """Let time pass; `inf` never returns, and only a signal ends it."""
    if math.isinf(seconds):
        Event().wait()
    elif seconds > 0:
        time.sleep(seconds)  # noqa: TID251 - the latency of a round trip is what is simulated here


class _Context:
    """A session context with what belongs to its wire."""

    def __init__(self, connection: Connection, random: Random) -> None:
        self.connection = connection
        self.random = random
        #: Held for a whole round trip: those of one context are serial.
        self.lock = Lock()


class SimulatedServer:
    """A server with a population. `pause` is what lets time pass; tests give one that does not."""

    def __init__(
        self, population: Population, options: SimulatedOptions, pause: Callable[[float], None] = pause
    ) -> None:
        self.population = population
        self.options = options
        #: Calls of `execute`, and contexts made, so far.
        self.round_trips = 0
        self.connections = 0
        self.pause = pause
        #: Tells which attempt at its mailbox the caller of `execute` makes, counted from 1; 0 where it does not count.
        self.attempt: Callable[[], int] = int
        #: Tells how often the caller was told before, by whichever server, that this one is busy for its mailbox.
        self.put_off: Callable[[], int] = int
        faults = FaultPlan(options)
        self._admission = Admission(population, options, faults)
        self._trouble = Trouble(population, faults) if faults else None
        self._contexts: dict[int, _Context] = {}
        self._lock = Lock()  # of the counters and the contexts; never held while time passes

    def connect(self, user_dn: str) -> int:
        """Raises RpcError: LOGON_FAILED for an account that is refused, SESSION_LIMIT for one with too many contexts."""
        if self.options.account is Account.REFUSED:
            raise RpcError(HResult.MAPI_E_LOGON_FAILED)
        with self._lock:
            if self._is_exhausted(user_dn):
                raise RpcError(HResult.MAPI_E_SESSION_LIMIT)
            self.connections += 1
            number = self.connections
            random = Random(f"{self.options.seed}/{number}")
            context = _Context(Connection(user_dn, self.options.objects), random)
            self._contexts[number] = context
        self.pause(self.options.latency.draw(random) + self.options.connect.draw(random))
        return number

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        """Raises RpcError when the call fails as a whole; ConnectionLost when there is no such context, or no longer."""
        session = self._context(context)
        with session.lock:
            with self._lock:
                self.round_trips += 1
            latency = self.options.latency.draw(session.random)
            if latency:
                self.pause(latency)
            requests, handles = decode(rop_buffer)
            if self._trouble:
                self._suffer(self._trouble, context, requests, latency)
            execution = Execution(session.connection, handles, self.options.overflow, self._admit)
            return execution.run(requests, len(rop_buffer))

    def _admit(self, request: LogonRequest) -> Logon:
        return self._admission.admit(request, self.put_off())

    def disconnect(self, context: int) -> None:
        """All that is open in the context is gone. One that is not there is gone already."""
        with self._lock:
            self._contexts.pop(context, None)

    def mailbox_rows(self, offset: int, limit: int) -> list[MailboxRow]:
        """The mailbox table from row `offset` on, in the order of the roster, MOST_MAILBOX_ROWS at a time at most."""
        self.pause(self.options.latency.median)
        end = min(offset + min(limit, MOST_MAILBOX_ROWS), len(self.population))
        return [self._mailbox_row(ordinal) for ordinal in range(offset, end)]

    def open_objects(self, context: int) -> int:
        """Objects open in a context, logons included; what a client leaked is seen here."""
        connection = self._context(context).connection
        return connection.open_objects + len(connection.logons)

    def _context(self, number: int) -> _Context:
        try:
            return self._contexts[number]
        except KeyError:
            raise ConnectionLost(f"there is no session context {number}") from None

    def _is_exhausted(self, user_dn: str) -> bool:
        limit = self.options.sessions
        if limit is None:
            return False
        account = user_dn.casefold()
        contexts = self._contexts.values()
        return sum(context.connection.user_dn.casefold() == account for context in contexts) >= limit

    def _suffer(self, trouble: Trouble, context: int, requests: Sequence[Request], latency: float) -> None:
        """What the mailboxes of a buffer do to the wire. Raises ConnectionLost, and the context is gone."""
        try:
            logons = self._context(context).connection.logons
            self.pause(trouble.delay(requests, logons, latency, self.attempt()))
        except ConnectionLost:
            self.disconnect(context)
            raise

    def _mailbox_row(self, ordinal: int) -> MailboxRow:
        """A mailbox that can't be read is listed all the same."""
        address = self.population.address(ordinal)
        try:
            mailbox = self.population.mailbox(ordinal)
            folders, name = mailbox.subtree(), mailbox.display_name
        except OSError:
            folders, name = [], address
        size = sum([facts.size for facts in folders])
        count = sum([facts.message_count for facts in folders])
        return MailboxRow(name, mailbox_dn(address), size, count, self.population.last_logon(ordinal))


def simulated_server(url: str, pause: Callable[[float], None] = pause) -> SimulatedServer:
    """The server that a `sim:` URL means. Raises ServerUrlError."""
    options = parse_options(url)
    population = population_of(options)
    for fault, share in options.faults.items():
        for name in sorted(share.names):
            if population.ordinal(mailbox_dn(name)) is None:
                raise ServerUrlError(f"{fault}={name}: there is no such mailbox; one is called {population.address(0)}")
    return SimulatedServer(population, options, pause)


def population_of(options: SimulatedOptions) -> Population:
    """The mailboxes that options ask for."""
    if isinstance(options.source, int):
        return GeneratedPopulation(options.source, options.seed, options.folders, options.messages)
    return MaildirPopulation(options.source)
