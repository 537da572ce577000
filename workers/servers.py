"""Server URLs: from the words of `--server` to the thing that opens mailboxes."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from workers.access import ANYBODY
from workers.null import NullServer
from workers.plugins import SERVERS, PluginError, added, added_as, loaded, package_of
from workers.simulated.options import parse_options
from workers.simulated.service import SimulatedService
from workers.urls import ServerUrlError, address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from workers.access import Access
    from workers.mailbox import Mailbox
    from workers.messages import Leak, OnLeak
    from workers.slots import Slot


class Session(Protocol):
    """A worker's session: the one thing through which it opens mailboxes."""

    #: What its mailboxes say when a job asks whether it is only to say what it would write. False unless set.
    dry_run: bool

    def check(self, address: str = "") -> None:
        """Connect, and open no mailbox; but that of `address` where an account is looked at only then.

        Raises MailboxError; its cause is CREDENTIALS when the account is refused.
        """
        ...

    def open(self, address: str) -> AbstractContextManager[Mailbox]:
        """Log on to a mailbox; leaving the context logs off. Raises MailboxError when it can't be opened."""
        ...

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[Mailbox, None, None]:
        """Open one mailbox after the other; each is logged off when the next is asked for, or the walk closed.

        `slot[AT]` is the ordinal of the mailbox under way before anything of it reaches the server, `slot[AHEAD]` how many
        were opened with it and will be under way next. `addresses` is None where the server computes them from the
        ordinals. Raises MailboxError when one can't be opened; the walk has ended then, and another one may begin behind
        it. Logging off never raises.
        """
        ...

    def watched(
        self, job: Callable[[Mailbox], object], on_leak: OnLeak, report: Callable[[list[Leak]], None]
    ) -> Callable[[Mailbox], object]:
        """The job, with a look at what it leaves unreleased, which is reported; the job itself where nothing can be left."""
        ...

    def close(self) -> None:
        """End the session and its connections."""
        ...


class Server(Protocol):
    """What holds the mailboxes."""

    @property
    def capacity(self) -> int | None:
        """Mailboxes that one session can hold open at a time; None where there is no ceiling."""
        ...

    @property
    def arithmetic(self) -> str:
        """The capacity in words, for whoever asks for more."""
        ...

    @property
    def source(self) -> str:
        """Where the roster comes from, and what it cannot see."""
        ...

    @property
    def unlisted(self) -> str:
        """Why it can't list its mailboxes, and who can; empty where it lists them."""
        ...

    @property
    def numbered(self) -> int | None:
        """How many mailboxes there are, where a walk computes their names; None where they must be listed."""
        ...

    def address(self, ordinal: int) -> str:
        """The name of mailbox `ordinal`, 0 <= ordinal < numbered."""
        ...

    def addresses(self) -> Iterator[str]:
        """Every mailbox's name, in the fixed order of the roster."""
        ...

    def session(self, slot: Slot) -> Session:
        """Connect. A worker does so once. Each round trip adds 1 to `slot[BEATS]`, modulo 2**64, before it is made.

        Threads may visit mailboxes through one session at the same time.
        """
        ...


class Scheme(NamedTuple):
    """What makes a server of the URLs of one scheme."""

    #: Called with the URL, `separate_connections` and, where there are accounts, `access`. Raises ServerUrlError.
    make: Callable[..., Server]
    #: Whether one logs on there with an account of one's own.
    accounts: bool = False
    #: Whether its servers are spoken to in ROP buffers, and have a `profile` for that.
    speaks_mapi: bool = False
    #: What two spellings of a URL have in common that are one server. Raises ServerUrlError.
    place: Callable[[str], object] = str


def _null(url: str, *, separate_connections: bool) -> Server:  # noqa: ARG001 - there is nothing to connect to
    count = url.removeprefix("null:")
    if not count.isdecimal():
        raise ServerUrlError(f"{url!r}: null: takes the number of mailboxes, as in null:1000")
    return NullServer(int(count))


def _extra(name: str, module: str, maker: str) -> Callable[..., Server]:
    """What a module makes that needs an extra: it is imported when such a server is wanted."""

    def make(url: str, **words: Any) -> Server:  # noqa: ANN401 - as Scheme says
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] == __package__:
                raise
            raise ServerUrlError(
                f"{url!r}: it takes {error.name}, which is not installed: pip install 'mailbox-fanout[{name}]'"
            ) from error
        server: Server = getattr(found, maker)(url, **words)
        return server

    return make


_imap = Scheme(
    _extra("imap", "workers.imap.service", "ImapService"),
    accounts=True,
    place=partial(address_of, ports={"imaps": 993, "imap": 143}),
)
_mapi = Scheme(
    _extra("mapi", "workers.mapi.http.service", "MapiHttpService"),
    accounts=True,
    speaks_mapi=True,
    place=partial(address_of, ports={"mapi+https": 443, "mapi+http": 80}, path="/mapi/emsmdb"),
)

SCHEMES: dict[str, Scheme] = {
    "null": Scheme(_null),
    "sim": Scheme(SimulatedService, speaks_mapi=True, place=parse_options),
    "imaps": _imap,
    "imap": _imap,
    "mapi+https": _mapi,
    "mapi+http": _mapi,
}


def _added(name: str) -> Scheme | None:
    """The scheme that another package adds. Raises ServerUrlError where it can't be used."""
    try:
        entry = added_as(SERVERS, name)
        scheme = loaded(entry) if entry else None
    except PluginError as error:
        raise ServerUrlError(str(error)) from error
    if entry and not isinstance(scheme, Scheme):
        raise ServerUrlError(
            f"{name!r} is added by {package_of(entry)}, and {entry.value} is no workers.servers.Scheme: that package has to be mended"
        )
    return cast("Scheme | None", scheme)


def scheme_of(url: str) -> Scheme:
    """The scheme of a URL. Raises ServerUrlError."""
    name, colon, _ = url.partition(":")
    scheme = SCHEMES.get(name) or (_added(name) if colon else None)
    if not colon or scheme is None:
        known = ", ".join(f"{each}:" for each in [*SCHEMES, *(entry.name for entry in added(SERVERS))])
        raise ServerUrlError(f"{url!r}: a server's URL begins with one of {known}")
    return scheme


def server_at(url: str, *, separate_connections: bool = False, access: Access = ANYBODY) -> Server:
    """The server that a URL names; nothing is connected yet. Raises ServerUrlError."""
    scheme = scheme_of(url)
    if scheme.accounts:
        return scheme.make(url, separate_connections=separate_connections, access=access)
    if access != ANYBODY:
        raise ServerUrlError(f"{url!r}: there are no accounts there, so no user, password or certificate is wanted")
    return scheme.make(url, separate_connections=separate_connections)
