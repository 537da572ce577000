"""What a mailbox of the simulated server costs a worker on this machine: a census of a few, in this process.

No fault of the server's is met, and its latency is cut short: round trips are counted, and what is beside the waiting is
measured. A process that has waited runs slower than one that has not, so it does wait where the server has a latency.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from workers.jobs.census import census
from workers.mapi.mailbox import MapiSession
from workers.mapi.profile import ConnectFlags, Profile
from workers.simulated.options import Delay, Fault, Share
from workers.simulated.server import SimulatedServer, population_of
from workers.simulated.service import ACCOUNT
from workers.simulated.stores import mailbox_dn
from workers.slots import private_slot

if TYPE_CHECKING:
    from workers.simulated.options import SimulatedOptions

#: Mailboxes at a time, and how often: the least CPU seconds of these are what it costs on a quiet machine.
MAILBOXES, TIMES = 20, 5

#: Seconds of a round trip at the most.
LATENCY = 0.002


class Trial(NamedTuple):
    """What a mailbox takes."""

    #: Round trips, with those of its connection where it has one of its own.
    trips: int
    #: CPU seconds.
    cpu: float
    #: Seconds by which the process goes on late after a round trip.
    late: float
    #: Mailboxes that were opened.
    mailboxes: int


def try_out(options: SimulatedOptions, *, separate_connections: bool) -> Trial:
    """Open some mailboxes. Raises OSError, or MailboxError, where mail from a directory can't be read."""
    server = SimulatedServer(population_of(options), _quiet(options))
    flags = ConnectFlags.USE_SEPARATE_CONNECTION if separate_connections else ConnectFlags(0)
    profile = Profile("fanout", server, ACCOUNT, server, flags, options.reserved)
    session = MapiSession(profile, mailbox_dn, server.population.address)
    count = min(MAILBOXES, len(server.population))
    _census(session, server, count)  # a connection is made, and tables are filled
    made = server.round_trips + separate_connections * server.connections
    costs = [_census(session, server, count) for _ in range(TIMES)]
    trips = (server.round_trips + separate_connections * server.connections - made) / (TIMES * count)
    session.close()
    cpu = min(cost for cost, _ in costs)
    waited = statistics.median(wall - cost for cost, wall in costs) - trips * server.options.latency.median
    return Trial(round(trips), cpu, max(0.0, waited / trips) if server.options.latency.median else 0.0, TIMES * count)


def _quiet(options: SimulatedOptions) -> SimulatedOptions:
    """The same server without faults, and with a short latency."""
    faults = {fault.value: Share() for fault in Fault}
    latency = Delay(min(options.latency.median, LATENCY))
    return replace(options, latency=latency, connect=Delay(0.0), sessions=None, objects=None, **faults)  # type: ignore[arg-type]  # each of its own type


def _census(session: MapiSession, server: SimulatedServer, count: int) -> tuple[float, float]:
    """CPU seconds, and seconds, of a mailbox."""
    cpu, wall = time.process_time(), time.monotonic()
    addresses = [server.population.address(ordinal) for ordinal in range(count)]
    for mailbox in session.mailboxes(range(count), addresses, private_slot()):
        census(mailbox)
    return (time.process_time() - cpu) / count, (time.monotonic() - wall) / count
