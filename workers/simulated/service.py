"""`sim:` as a server of workers: a MAPI session, over the transport that the simulated server is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from workers.mapi.counting import CountingTransport
from workers.mapi.logons import MAX_LOGONS, capacity
from workers.mapi.mailbox import MapiSession
from workers.mapi.profile import ConnectFlags, Profile
from workers.simulated.population import GeneratedPopulation
from workers.simulated.server import simulated_server
from workers.simulated.stores import mailbox_dn
from workers.slots import ATTEMPT, PUT_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.slots import Slot

#: The account that every worker logs on with: it may open every mailbox (article Q194627).
ACCOUNT = mailbox_dn("fanout")


class SimulatedService:
    """`sim:N` and `sim:PATH`."""

    def __init__(self, url: str, *, separate_connections: bool = False) -> None:
        """Raises ServerUrlError."""
        self._transport = simulated_server(url)
        self._population = self._transport.population
        self._profile = Profile(
            "fanout",
            self._transport,
            ACCOUNT,
            self._transport,
            ConnectFlags.USE_SEPARATE_CONNECTION if separate_connections else ConnectFlags(0),
            self._transport.options.reserved,
        )

    @property
    def profile(self) -> Profile:
        """How a session reaches the server."""
        return self._profile

    def dn_of(self, address: str) -> str:
        """The legacyExchangeDN of a mailbox."""
        return mailbox_dn(address)

    @property
    def capacity(self) -> int | None:
        """Every index that is not reserved; None where each mailbox has a connection of its own."""
        return None if self._profile.separate_connections else capacity(self._profile.reserved, 0)

    @property
    def arithmetic(self) -> str:
        if self._profile.separate_connections:
            return "each mailbox has a connection of its own"
        return f"{MAX_LOGONS} logon indexes, less {len(self._profile.reserved)} reserved"

    @property
    def source(self) -> str:
        options = self._transport.options
        if self.numbered is None:
            return f"the directories of {options.source}"
        return f"computed from the number in the URL and the seed {options.seed}"

    @property
    def unlisted(self) -> str:
        return ""

    @property
    def numbered(self) -> int | None:
        generated = isinstance(self._population, GeneratedPopulation)
        return len(self._population) if generated else None

    def address(self, ordinal: int) -> str:
        return self._population.address(ordinal)

    def addresses(self) -> Iterator[str]:
        return map(self._population.address, range(len(self._population)))

    def session(self, slot: Slot) -> MapiSession:
        self._transport.attempt = partial(slot.__getitem__, ATTEMPT)
        self._transport.put_off = partial(slot.__getitem__, PUT_OFF)
        counted = replace(self._profile, transport=CountingTransport(self._transport, slot))
        return MapiSession(counted, mailbox_dn, self._population.address)
