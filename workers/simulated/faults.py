"""Which mailboxes have which faults: the same ones in every process and on every machine.

A fraction chooses a mailbox by a digest of (seed, fault, name), so nobody keeps a list, and raising a fraction
only adds to those that were chosen before.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

from workers.mapi.rops import LogonRequest, OpaqueRequest, ReleaseRequest
from workers.mapi.transport import ConnectionLost
from workers.simulated.options import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.mapi.rops import Request
    from workers.simulated.objects import Logon
    from workers.simulated.options import Share, SimulatedOptions
    from workers.simulated.stores import Population

#: Mailboxes of which it is known how often they were refused or cut off. One that is forgotten starts anew.
_REMEMBERED = 4096

_RANGE = 2**64

#: A round trip of a slow mailbox takes so many times the latency, and at least so many seconds.
SLOWNESS = 20
SLOW_AT_LEAST = 0.1


class FaultPlan:
    """What is wrong with whom, for one set of options."""

    def __init__(self, options: SimulatedOptions) -> None:
        self._seed = options.seed
        self._shares = options.faults

    def __bool__(self) -> bool:
        return bool(self._shares)

    def has(self, fault: Fault, address: str) -> bool:
        """Whether the mailbox has this fault; letter case does not matter."""
        share = self._shares.get(fault)
        return share is not None and bool(address) and _chosen(share, f"{self._seed}/{fault}/", address.casefold())


def _chosen(share: Share, prefix: str, name: str) -> bool:
    if name in share.names:
        return True
    if not share.fraction:
        return False
    digest = blake2b(f"{prefix}{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share.fraction * _RANGE


class Tally:
    """How often something happened to each of the mailboxes it happened to lately."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, address: str) -> int:
        """How often it happened, this time included."""
        count = self._counts.pop(address, 0) + 1
        self._counts[address] = count
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return count


class Trouble:
    """The faults that show on the wire: mailboxes that are slow or hang, and connections that are cut."""

    def __init__(self, population: Population, faults: FaultPlan) -> None:
        self._population = population
        self._faults = faults
        #: Of whom a connection was cut by this process. Another worker is told by the attempt that it was cut before.
        self._drops = Tally()

    def delay(self, requests: Sequence[Request], logons: Mapping[int, Logon], latency: float, attempt: int) -> float:
        """Seconds that a round trip takes beyond its latency, for the mailboxes that it is about; inf: for ever.

        `attempt`: which one at these mailboxes it belongs to, as far as the caller counts them; from 2 on nothing is cut.

        A release is about nobody: it rides in front of the next mailbox's ROPs. Raises ConnectionLost for a mailbox
        that cuts the connection.
        """
        slow = False
        for request in requests:
            if isinstance(request, LogonRequest):
                address = self._address(request.essdn)
                if self._faults.has(Fault.HANG, address):
                    return math.inf
            elif isinstance(request, ReleaseRequest | OpaqueRequest) or request.logon_id not in logons:
                continue
            else:
                address = logons[request.logon_id].mailbox.address
                if attempt <= 1:
                    self._cut(address)
            slow = slow or self._faults.has(Fault.SLOW, address)
        return max(SLOWNESS * latency, SLOW_AT_LEAST) - latency if slow else 0.0

    def _cut(self, address: str) -> None:
        if self._faults.has(Fault.DROP, address) and self._drops.count(address) == 1:
            raise ConnectionLost(f"cut off at {address}")

    def _address(self, dn: str) -> str:
        """The name of whom a DN means; that of nobody has no faults."""
        ordinal = self._population.ordinal(dn)
        return "" if ordinal is None else self._population.address(ordinal)
