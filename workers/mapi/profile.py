"""A profile: to whom a session talks, and how; what MAPILogonEx is told by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mapi.transport import Directory, Transport


class ConnectFlags(IntFlag):
    """PR_PROFILE_CONNECT_FLAGS (0x66040003) of the profile's global section, as EdkMdb.h has them."""

    USE_ADMIN_PRIVILEGE = 0x1
    NO_RPC_ENCRYPTION = 0x2
    #: A connection of its own for each logon. It lifts the ceiling, is inefficient, and is not recommended.
    USE_SEPARATE_CONNECTION = 0x4
    NO_UNDER_COVER_CONNECTION = 0x8
    ANONYMOUS_ACCESS = 0x10
    NO_NOTIFICATIONS = 0x20
    NO_ADDRESS_RESOLUTION = 0x40
    RESTORE_DATABASE = 0x80
    IGNORE_NO_PF = 0x8000


class OpenStoreFlags(IntFlag):
    """OPENSTORE_ flags of an entry id, the OpenFlags of RopLogon ([MS-OXCSTOR] 2.2.1.1.1), as EdkMdb.h has them."""

    USE_ADMIN_PRIVILEGE = 0x1
    PUBLIC = 0x2
    HOME_LOGON = 0x4
    TAKE_OWNERSHIP = 0x8
    NO_MAIL = 0x400
    #: The server's folder and message ids are used as they are: a logon without it is refused.
    USE_PER_MDB_REPLID_MAPPING = 0x0100_0000


#: Characters of a profile's name (cchProfileNameMax of MAPIX.h).
LONGEST_NAME = 64

#: A profile that says nothing of how it connects.
ORDINARY = ConnectFlags(0)


@dataclass(frozen=True, slots=True)
class Profile:
    """Read once, at logon: what is changed later does not reach a session that runs."""

    name: str  # at most LONGEST_NAME characters
    transport: Transport
    user_dn: str  # legacyExchangeDN of the account that connects
    directory: Directory | None = None
    connect_flags: ConnectFlags = ORDINARY
    reserved: frozenset[int] = frozenset()  # logon indexes that this session never issues

    def __post_init__(self) -> None:
        """Raise ValueError for a name that is too long."""
        if len(self.name) > LONGEST_NAME:
            raise ValueError(f"a profile's name of {len(self.name)} characters; the longest has {LONGEST_NAME}")

    @property
    def separate_connections(self) -> bool:
        """Whether each logon gets a connection of its own."""
        return ConnectFlags.USE_SEPARATE_CONNECTION in self.connect_flags
