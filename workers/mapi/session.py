"""IMAPISession: how a mailbox is opened, one way or the other, and how a session ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.mapi.failures import failure
from workers.mapi.folders import MsgStore
from workers.mapi.hresults import HResult, MapiError
from workers.mapi.profile import ConnectFlags, OpenStoreFlags
from workers.mapi.provider import StoreEntryId
from workers.mapi.transport import ConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from workers.mapi.connection import Leftover
    from workers.mapi.provider import Provider
    from workers.mapi.transport import Directory, MailboxRow

#: Rows of the mailbox table asked for at a time.
DIRECTORY_PAGE = 1000

#: Characters of a legacyExchangeDN at the most; RopLogon counts its bytes, which may be four each, in 16 bits.
LONGEST_DN = 2**14 - 1

#: What an owner opens a mailbox with.
OWNER = OpenStoreFlags.TAKE_OWNERSHIP | OpenStoreFlags.USE_PER_MDB_REPLID_MAPPING
#: What HrMailboxLogon opens any mailbox with (MBLOGON.c of the Exchange development kit).
PRIVILEGED = OpenStoreFlags.USE_ADMIN_PRIVILEGE | OWNER


class Session:
    """One program's part in a session. Several that joined a shared one share its connections and index table.

    A session belongs to one thread. Make it with `mapi_logon_ex`.
    """

    __slots__ = ("_answer", "_provider", "_rights")

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        provider.sessions.append(self)
        admin = ConnectFlags.USE_ADMIN_PRIVILEGE in provider.profile.connect_flags
        self._rights = PRIVILEGED if admin else OWNER  # of a store that is opened by its DN
        self._answer = HResult.S_OK  # what all but `logoff` answers; S_OK as long as it works

    @property
    def capacity(self) -> int | None:
        """Mailboxes that the session can hold open at a time: 255 - reserved - stores kept open; None: no ceiling."""
        return self.provider.capacity

    @property
    def is_open(self) -> bool:
        """Neither logged off nor invalidated."""
        return not self._answer

    @property
    def provider(self) -> Provider:
        """The connections under it. Raises MapiError, INVALID_OBJECT after `logoff`."""
        if self._answer:
            raise MapiError(self._answer, where="IMAPISession")
        return self._provider

    def open_msg_store(self, mailbox: StoreEntryId | str) -> MsgStore:
        """Open a mailbox by its entry id, or by its DN with an owner's rights, and an administrator's where the profile says so.

        Raises MapiError: MAPI_E_FAILONEPROVIDER with the low-level error NO_FREE_LOGON_INDEX when every logon
        index is taken, before anything is sent; INVALID_ENTRYID for a DN that no server could have; NOT_FOUND, NO_ACCESS and others as the
        server answers.
        """
        return self.provider.open_store(self._entry_id(mailbox))

    def open_msg_stores(self, mailbox_dns: Sequence[str]) -> list[MsgStore | MapiError]:
        """Open several mailboxes by their DNs in one round trip; an error in the place of one that is refused.

        Only where the session has one connection, and as many as there are free indexes: the answer may be shorter. Raises
        MapiError as `open_msg_store` does when none can be opened.
        """
        return self.provider.open_together([self._entry_id(mailbox_dn) for mailbox_dn in mailbox_dns])

    def _entry_id(self, mailbox: StoreEntryId | str) -> StoreEntryId:
        if isinstance(mailbox, str):
            mailbox = StoreEntryId("", mailbox, self._rights)
        if len(mailbox.mailbox_dn) > LONGEST_DN:
            raise MapiError(HResult.MAPI_E_INVALID_ENTRYID, where="OpenMsgStore")
        return mailbox

    def open_default_store(self, mailbox_dn: str) -> MsgStore:
        """Open a store for the session's own use. It takes a logon index until the session ends, or it is released."""
        store = self.open_msg_store(mailbox_dn)
        self._provider.kept.append(store)
        return store

    def create_store_entry_id(
        self, server_dn: str, mailbox_dn: str, flags: OpenStoreFlags = PRIVILEGED
    ) -> StoreEntryId:
        """Put an entry id together. Nobody is asked: a mailbox that does not exist shows only when it is opened."""
        return StoreEntryId(server_dn, mailbox_dn, flags)

    def hr_mailbox_logon(self, default_store: MsgStore, server_dn: str, mailbox_dn: str) -> MsgStore:
        """Open any mailbox, by way of a store that is open already (IExchangeManageStore).

        Raises MapiError: MAPI_E_INVALID_PARAMETER without a store or a server DN, EDK_E_NOT_FOUND when there is no such mailbox,
        and MAPI_E_CALL_FAILED for everything else. The low-level error keeps what it was.
        """
        if not server_dn or not isinstance(default_store, MsgStore):
            raise MapiError(HResult.MAPI_E_INVALID_PARAMETER, where="HrMailboxLogon: no store, or no server DN")
        if not mailbox_dn:  # EDK opens the public folders then, for which RopLogon has another form
            raise MapiError(
                HResult.MAPI_E_CALL_FAILED,
                HResult.MAPI_E_NO_SUPPORT,
                "HrMailboxLogon: public folders",
            )
        if not self.provider.holds(default_store):
            raise MapiError(HResult.MAPI_E_CALL_FAILED, HResult.MAPI_E_INVALID_OBJECT, "HrMailboxLogon")
        try:
            return self.open_msg_store(self.create_store_entry_id(server_dn, mailbox_dn))
        except MapiError as error:
            raise _as_edk_tells_it(error) from error

    def hr_mailbox_logoff(self, store: MsgStore | None) -> None:
        """Release a store that `hr_mailbox_logon` opened; None is nothing to do.

        Raises MapiError, INVALID_OBJECT for a store that was released or invalidated before.
        """
        if store is None:
            return
        if not store.is_open:
            raise MapiError(HResult.MAPI_E_INVALID_OBJECT, where="HrMailboxLogoff")
        store.release()

    def get_mailbox_table(self, offset: int = 0) -> Iterator[MailboxRow]:
        """The server's mailboxes from row `offset` on, read in pages until one is empty.

        The table is alive: mailboxes that come and go meanwhile can make a row appear twice, or not at all.
        Raises MapiError; MAPI_E_NO_SUPPORT where the profile has no directory.
        """
        directory = self.provider.profile.directory
        if directory is None:
            raise MapiError(HResult.MAPI_E_NO_SUPPORT, where="GetMailboxTable")
        return _rows_from(directory, offset)

    def leftovers(self) -> list[Leftover]:
        """What is not released at this moment: kind by kind, logon by logon."""
        return list(self.provider.leftovers())

    def logoff(self) -> None:
        """End it. When it was the last that shares the session, everything still open becomes invalid."""
        if not self._answer:
            self._answer = HResult.MAPI_E_INVALID_OBJECT
            self._provider.leave(self)

    def invalidate(self) -> None:
        """The subsystem was shut down below it."""
        self._answer = HResult.MAPI_E_INVALID_OBJECT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.logoff()


def _as_edk_tells_it(error: MapiError) -> MapiError:
    """HrMailboxLogon knows two failures. What it was stays below: the code if there is one, else the HRESULT."""
    found_nobody = error.hresult == HResult.MAPI_E_NOT_FOUND
    hresult = HResult.EDK_E_NOT_FOUND if found_nobody else HResult.MAPI_E_CALL_FAILED
    return MapiError(hresult, error.low_level_error or error.hresult, "HrMailboxLogon")


def _rows_from(directory: Directory, offset: int) -> Iterator[MailboxRow]:
    while page := _page_of(directory, offset):
        yield from page
        offset += len(page)


def _page_of(directory: Directory, offset: int) -> Sequence[MailboxRow]:
    try:
        return directory.mailbox_rows(offset, DIRECTORY_PAGE)
    except ConnectionLost as lost:
        raise MapiError(HResult.MAPI_E_NETWORK_ERROR, where="GetMailboxTable") from lost
    except RpcError as refusal:
        raise failure(refusal.code, refusal.of("GetMailboxTable")) from refusal
