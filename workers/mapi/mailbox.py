"""A job's Mailbox over MAPI, and the session that opens it. What a job gets through it is released for the job."""

from __future__ import annotations

import logging
from contextlib import suppress
from operator import attrgetter
from threading import Condition, RLock
from typing import TYPE_CHECKING, Any, TypeVar

from workers.mapi import properties as props
from workers.mapi.ahead import Ahead
from workers.mapi.folders import ResponseFlags
from workers.mapi.hresults import ErrorCode, HResult, MapiError
from workers.mapi.leaks import watched
from workers.mapi.listing import folder_paths, list_folders
from workers.mapi.reading import open_contents, read_message
from workers.mapi.subsystem import LogonFlags, mapi_initialize, mapi_logon_ex, mapi_uninitialize
from workers.slots import AHEAD, AT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from workers.mailbox import Folder, Mailbox
    from workers.mapi.folders import MsgStore
    from workers.mapi.interfaces import Interface
    from workers.mapi.profile import Profile
    from workers.mapi.reading import MessageRow
    from workers.mapi.rows import Row
    from workers.messages import Leak, OnLeak

T = TypeVar("T")
Names = TypeVar("Names")

_log = logging.getLogger("fanout.mapi")

_BY_PATH = attrgetter("path")
_OWNER_RIGHT = int(ResponseFlags.OWNER_RIGHT)  # an IntFlag's own `&` would cost as much as a round trip's decoding


class MapiMessage:
    """A message as its row in the contents table told of it."""

    __slots__ = ("_folder_id", "_row", "_store")

    def __init__(self, store: MsgStore, folder_id: int, row: MessageRow) -> None:
        self._store = store
        self._folder_id = folder_id
        self._row = row

    @property
    def subject(self) -> str:
        """Cut by the server at 254 characters or so, as every string of a table is."""
        return _text(self._row.subject)

    @property
    def sender(self) -> str:
        """`Name <address>`, or as much of that as there is."""
        name, address = _text(self._row.sender_name), _text(self._row.sender_address)
        if not address:
            return name
        return f"{name} <{address}>" if name and name != address else f"<{address}>"

    @property
    def received(self) -> datetime | None:
        """When the server took delivery, in UTC."""
        delivered = self._row.delivery_time
        return props.datetime_of(delivered) if isinstance(delivered, int) else None

    @property
    def size(self) -> int:
        """Bytes, as the server counts them."""
        return self._row.size

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty where there is none."""
        return _text(self._row.internet_message_id)

    def read(self) -> bytes:
        """The whole message. Raises MapiError; INVALID_OBJECT once the mailbox is closed."""
        return read_message(self._store, self._folder_id, self._row.message_id)


class MapiFolder:
    """A folder as the listing told of it: nothing is open on the server for it."""

    __slots__ = ("_folder_id", "_mailbox", "message_count", "path", "size", "unread_count")

    def __init__(self, mailbox: MapiMailbox, path: str, row: Row) -> None:
        self._mailbox = mailbox
        self.path = path
        self._folder_id, _, self.message_count, self.unread_count, self.size, _ = row

    def messages(self) -> Iterator[MapiMessage]:
        """Newest first. The table is released when the iterator ends or is dropped, or the mailbox is closed.

        Raises MapiError.
        """
        store, held = self._mailbox.store, self._mailbox.held
        contents = open_contents(store, self._folder_id)
        held[contents.table] = None
        try:
            for row in contents.rows():
                yield MapiMessage(store, self._folder_id, row)
        finally:
            contents.table.release()
            held.pop(contents.table, None)


class MapiMailbox:
    """One open mailbox. Leaving it as a context closes it."""

    __slots__ = ("_display_name", "_list", "address", "dry_run", "held", "store")

    def __init__(
        self,
        address: str,
        store: MsgStore,
        *,
        dry_run: bool = False,
        list_rows: Callable[[MsgStore], list[Row]] = list_folders,
    ) -> None:
        self.address = address
        self.store = store
        self.dry_run = dry_run
        self._list = list_rows
        self._display_name: str | None = None
        self.held: dict[Interface, None] = {}  # what iterators read from, in the order in which it was obtained

    @property
    def display_name(self) -> str:
        """The name that the server has for it; asked for once, when it is wanted. Empty where there is none."""
        if self._display_name is None:
            names = map(
                _text,
                self.store.get_props((props.PR_DISPLAY_NAME_W, props.PR_MAILBOX_OWNER_NAME_W)),
            )
            self._display_name = next(filter(None, names), "")
        return self._display_name

    def folders(self) -> list[Folder]:
        """Every folder below the IPM subtree, ordered by path, in one round trip where they fit into a reply.

        Raises MapiError.
        """
        rows = self._list(self.store)
        paths = folder_paths(self.store.ipm_subtree, rows)
        folders: list[Folder] = [MapiFolder(self, path, row) for path, row in zip(paths, rows, strict=True)]
        folders.sort(key=_BY_PATH)
        return folders

    def close(self) -> None:
        """Release the store, after everything that was obtained here; what was taken from `store` lives on."""
        for interface in reversed([*self.held]):
            interface.release()
        self.store.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MapiSession:
    """The session of a worker, over MAPI."""

    def __init__(
        self,
        profile: Profile,
        dn_of: Callable[[str], str],
        name_of: Callable[[int], str],
        expect: Callable[[Sequence[str]], None] | None = None,
        prefetch: int = 1,
    ) -> None:
        """`dn_of` gives the legacyExchangeDN of a mailbox by its name in the roster, `name_of` that by the ordinal.

        `expect` is told of the names that `dn_of` will be asked for. `prefetch`: mailboxes of a walk that are opened together,
        where all share a connection; they count against the capacity.
        """
        mapi_initialize()
        self.dry_run = False
        self._session = mapi_logon_ex(profile, LogonFlags.NEW_SESSION)
        self._profile = profile
        self._dn_of = dn_of
        self._name_of = name_of
        self._expect = expect
        self._prefetch = 1 if profile.separate_connections else prefetch
        #: Mailboxes that a walk has open; the lock guards them, and the index table as a whole.
        self._under_way: set[object] = set()
        self._lock = RLock()
        #: Notified when none of them is left.
        self._closed = Condition(self._lock)

    def check(self, address: str = "") -> None:  # noqa: ARG002 - a context shows whether the account is let in
        """Connect, and open nothing. Raises MapiError; CREDENTIALS when the server refuses the account."""
        self._session.provider.check()

    def open(self, address: str) -> MapiMailbox:
        """Log on to a mailbox, at once; leaving it as a context releases it.

        Raises MapiError. A logon that the server grants without an owner's right counts as denied: it would show
        nothing, and that is not an empty mailbox.
        """
        store = _readable(self._session.open_msg_store(self._dn_of(address)))
        return MapiMailbox(address, store, dry_run=self.dry_run)

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[MapiMailbox, None, None]:
        """Open one after the other, as `workers.servers.Session` says. Raises MapiError."""
        names = map(self._name_of, ordinals) if addresses is None else addresses
        if self._expect and addresses is not None:
            self._expect(addresses)
        if self._prefetch > 1:
            yield from self._together(ordinals, [*names], slot)
            return
        opened = self.open if self._profile.separate_connections else self._opened
        for ordinal, address in zip(ordinals, names, strict=True):
            slot[AT] = ordinal
            mailbox = opened(address)
            try:
                yield mailbox
            finally:
                mailbox.close()
                if self._under_way:
                    self._let_go(mailbox)

    def watched(
        self, job: Callable[[Mailbox], object], on_leak: OnLeak, report: Callable[[list[Leak]], None]
    ) -> Callable[[Mailbox], object]:
        """The job, with a look at what it leaves unreleased."""
        return watched(job, on_leak, report)

    def _together(self, ordinals: range, names: list[str], slot: memoryview) -> Generator[MapiMailbox, None, None]:
        """The same, with the next few opened at the same time; only the one that is under way is in the slot."""
        at = 0
        while at < len(names):
            slot[AT] = ordinals[at]
            ahead = self._opened_ahead(self._dns(names[at : at + self._prefetch]))
            try:
                for _ in range(len(ahead)):
                    slot[AT] = ordinals[at]
                    store = _readable(ahead.take())
                    slot[AHEAD] = len(ahead)
                    with MapiMailbox(names[at], store, dry_run=self.dry_run, list_rows=ahead.folders) as mailbox:
                        at += 1
                        yield mailbox
            finally:
                ahead.release()
                slot[AHEAD] = 0
                self._let_go(ahead)

    def _dns(self, names: list[str]) -> list[str]:
        """The DNs of the names up to one that has none. Raises MapiError where that is the first."""
        dns = [self._dn_of(names[0])]
        with suppress(MapiError):
            dns.extend(map(self._dn_of, names[1:]))
        return dns

    def _opened_ahead(self, dns: list[str]) -> Ahead:
        return self._recovering(lambda dns: Ahead(self._session.open_msg_stores(dns)), dns)

    def _opened(self, address: str) -> MapiMailbox:
        return self._recovering(self.open, address)

    def _recovering(self, opening: Callable[[Names], T], names: Names) -> T:
        """Open mailboxes on the shared connection; if what jobs left has taken every index, recover them first."""
        with self._lock:
            try:
                opened = opening(names)
            except MapiError as error:
                if error.low_level_error != ErrorCode.NO_FREE_LOGON_INDEX:
                    raise
                self._closed.wait_for(lambda: not self._under_way)
                self._recover()
                opened = opening(names)
            self._under_way.add(opened)
        return opened

    def _let_go(self, opened: MapiMailbox | Ahead) -> None:
        with self._lock:  # the condition's own, whose methods cost less
            self._under_way.discard(opened)
            if not self._under_way:
                self._closed.notify_all()

    def _recover(self) -> None:
        """The last resort (article Q260141, S14): uninitialize MAPI, which recovers every index, and begin anew."""
        left = mapi_uninitialize()
        _log.warning(
            "every logon index was taken by what jobs had left unreleased: %d interfaces; MAPI was initialized anew",
            sum(leftover.interfaces for leftover in left),
        )
        mapi_initialize()
        self._session = mapi_logon_ex(self._profile, LogonFlags.NEW_SESSION)

    def close(self) -> None:
        """End the session; what jobs left unreleased goes with it. Legal more than once."""
        if self._session.is_open:
            self._session.logoff()
            mapi_uninitialize()


def _readable(store: MsgStore) -> MsgStore:
    """A store that may be read. Raises MapiError, DENIED, for one that was granted without an owner's right; it is released."""
    if not store.response_flags & _OWNER_RIGHT:
        store.release()
        raise MapiError(HResult.MAPI_E_NO_ACCESS, where="OpenMsgStore: logged on without an owner's right")
    return store


def _text(cell: Any) -> str:  # noqa: ANN401 - a cell is whatever the server put there
    return cell if isinstance(cell, str) else ""
