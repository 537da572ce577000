"""`mapi+https:` as a server of workers: sessions over HTTP, mailboxes from the address book."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from workers.causes import Cause
from workers.mapi.counting import CountingTransport, beat
from workers.mapi.failures import failure, refused
from workers.mapi.hresults import HResult, MapiError
from workers.mapi.http.autodiscover import Autodiscover
from workers.mapi.http.directory import AddressBook
from workers.mapi.http.endpoint import endpoint_of
from workers.mapi.http.transport import HttpTransport
from workers.mapi.logons import MAX_LOGONS, capacity
from workers.mapi.mailbox import MapiSession
from workers.mapi.profile import ConnectFlags, Profile
from workers.mapi.transport import ConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Protocol

    from workers.access import Access
    from workers.mapi.http.endpoint import Endpoint
    from workers.slots import Slot

    class Resolver(Protocol):
        """Who tells the DNs of names."""

        def dns_of(self, names: Sequence[str]) -> dict[str, str | None]: ...


#: Names that are kept with their DNs.
MOST_KNOWN = 10_000


class MapiHttpService:
    """`mapi+https://HOST[/mapi/emsmdb]`, and `mapi+http:` on loopback."""

    def __init__(self, url: str, *, separate_connections: bool, access: Access) -> None:
        """Raises ServerUrlError."""
        self._endpoint = endpoint_of(url, access)
        self._separate = separate_connections
        self._names = Names(self._endpoint, _nothing)

    @property
    def profile(self) -> Profile:
        """How a session reaches the server."""
        return self._profile(self._names)

    def dn_of(self, address: str) -> str:
        """The legacyExchangeDN of a mailbox. Raises MapiError."""
        return self._names.dn_of(address)

    @property
    def capacity(self) -> int | None:
        """Every logon index; None where each mailbox has a connection of its own."""
        return None if self._separate else capacity(frozenset())

    @property
    def arithmetic(self) -> str:
        return "each mailbox has a connection of its own" if self._separate else f"{MAX_LOGONS} logon indexes"

    @property
    def source(self) -> str:
        return f"the address book of {self._endpoint.host}, which does not list mailboxes that are hidden from it"

    @property
    def unlisted(self) -> str:
        return ""

    @property
    def numbered(self) -> None:
        """The names must be listed."""
        return

    def address(self, ordinal: int) -> str:
        raise LookupError(f"mailbox {ordinal} has no name that can be computed")

    def addresses(self) -> Iterator[str]:
        """The SMTP address of each mailbox, or its DN where it has none. Raises MapiError."""
        try:
            for entry in AddressBook(self._endpoint).entries():
                if name := entry.address or entry.dn:
                    self._names.know(name, entry.dn)
                    yield name
        except (RpcError, ConnectionLost) as error:
            raise _told(error, "QueryRows") from error

    def session(self, slot: Slot) -> MapiSession:
        names = Names(self._endpoint, lambda: beat(slot))
        profile = self._profile(names)
        counted = replace(profile, transport=CountingTransport(profile.transport, slot))
        return MapiSession(counted, names.dn_of, self.address, names.expect, self._endpoint.prefetch)

    def _profile(self, names: Names) -> Profile:
        flags = ConnectFlags.USE_SEPARATE_CONNECTION if self._separate else ConnectFlags(0)
        if self._endpoint.admin:
            flags |= ConnectFlags.USE_ADMIN_PRIVILEGE
        transport = HttpTransport(self._endpoint, names.own_dn)
        return Profile("fanout", transport, self._endpoint.user_dn, AddressBook(self._endpoint), flags)


class Names:
    """DNs of names, asked for many at a time and kept. Threads may ask at the same time."""

    def __init__(self, endpoint: Endpoint, beat: Callable[[], None]) -> None:
        """`beat` is called before each round trip."""
        self._endpoint = endpoint
        by_autodiscover = endpoint.names == "autodiscover"
        self._resolver: Resolver = (
            Autodiscover(endpoint, beat) if by_autodiscover else AddressBook(endpoint).counted(beat)
        )
        self._known: dict[str, str | None] = {}
        self._expected: dict[str, None] = {}  # in their order
        self._own: str | None = None
        self._lock = Lock()

    def expect(self, names: Sequence[str]) -> None:
        """Names that will be asked for: the next question asks for all of them."""
        with self._lock:
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._expected.update(dict.fromkeys(name for name in names if name not in self._known and not _is_dn(name)))

    def know(self, name: str, dn: str | None) -> None:
        """The DN of a name that somebody came across: nobody needs to be asked for it."""
        if dn and len(self._known) < MOST_KNOWN:
            self._known[name] = dn

    def dn_of(self, name: str) -> str:
        """Raises MapiError, MAPI_E_NOT_FOUND where no such mailbox is known."""
        if _is_dn(name):
            return name
        with self._lock:
            if name not in self._known:
                self._ask(name)
            dn = self._known.get(name)
        if not dn:
            raise MapiError(HResult.MAPI_E_NOT_FOUND, where=f"no DN of {name}: it has no entry there, or several")
        return dn

    def own_dn(self) -> str:
        """The DN of the account, asked for once. Raises RpcError, ConnectionLost."""
        user = self._endpoint.access.user
        with self._lock:
            if self._own is None:
                self._own = self._resolver.dns_of([user]).get(user)
            if self._own is None:
                raise RpcError(
                    HResult.MAPI_E_UNCONFIGURED,
                    f"no DN of the account {user}: give its address, or user_dn=DN in the URL",
                )
            return self._own

    def _ask(self, name: str) -> None:
        self._expected[name] = None
        try:
            self._known.update(self._resolver.dns_of([*self._expected]))
        except (RpcError, ConnectionLost) as error:
            raise _told(error, "ResolveNames") from error
        finally:
            self._expected.clear()


def _is_dn(name: str) -> bool:
    return name.lower().startswith("/o=")


def _told(error: RpcError | ConnectionLost, call: str) -> MapiError:
    if isinstance(error, RpcError):
        told = refused(error.code, error.of(call))
        return told if told.cause is Cause.CREDENTIALS else failure(error.code, error.of(call))
    return MapiError(HResult.MAPI_E_NETWORK_ERROR, where=f"{call} ({error})")


def _nothing() -> None:
    """No beat: nobody looks."""
