"""The MAPI subsystem of this process: what is counted, and swept, by MAPIInitialize and MAPIUninitialize.

The count and the sessions belong to the process, as they do in MAPI. A process that forks its workers does so
before it initializes anything: a child must not inherit connections.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

from workers.mapi.hresults import HResult, MapiError
from workers.mapi.provider import Provider
from workers.mapi.session import Session

if TYPE_CHECKING:
    from workers.mapi.connection import Leftover
    from workers.mapi.profile import Profile


class LogonFlags(IntFlag):
    """Flags of MAPILogonEx."""

    NEW_SESSION = 0x2


#: Join the session that is shared in this process, or make the one that will be.
JOIN = LogonFlags(0)


class Subsystem:
    """How often it was initialized, and every session since."""

    __slots__ = ("_initialized", "_providers", "_shared")

    def __init__(self) -> None:
        self._initialized = 0
        self._providers: list[Provider] = []
        self._shared: Provider | None = None

    def initialize(self) -> None:
        """Count one more user."""
        self._initialized += 1

    def uninitialize(self) -> list[Leftover]:
        """Count one user less; the last one invalidates everything. What had not been released by then."""
        self._check()
        self._initialized -= 1
        if self._initialized:
            return []
        ended, self._providers, self._shared = self._providers, [], None
        return [leftover for provider in ended for leftover in provider.invalidate()]

    def logon(self, profile: Profile, flags: LogonFlags) -> Session:
        """A session of its own, or a part in the shared one."""
        self._check()
        self._providers = [provider for provider in self._providers if provider.sessions]
        if flags & LogonFlags.NEW_SESSION:
            return Session(self._provider(profile))
        if self._shared not in self._providers:
            self._shared = self._provider(profile)
        return Session(self._shared)

    def _provider(self, profile: Profile) -> Provider:
        provider = Provider(profile)
        self._providers.append(provider)
        return provider

    def _check(self) -> None:
        if not self._initialized:
            raise MapiError(HResult.MAPI_E_NOT_INITIALIZED)


_SUBSYSTEM = Subsystem()


def mapi_initialize() -> None:
    """Make MAPI usable in this process. Calls are counted; each needs its `mapi_uninitialize`."""
    _SUBSYSTEM.initialize()


def mapi_uninitialize() -> list[Leftover]:
    """Take back one `mapi_initialize`.

    The last one invalidates every interface, recovers every logon index and connection, and returns what it found
    unreleased: how many interfaces of which kind on which logon. From then on these answer INVALID_OBJECT to all but
    `release`. Raises MapiError, NOT_INITIALIZED without a `mapi_initialize` to take back.
    """
    return _SUBSYSTEM.uninitialize()


def mapi_logon_ex(profile: Profile, flags: LogonFlags = JOIN) -> Session:
    """A session for the profile.

    Without NEW_SESSION it is a part in the session that this process shares, with its connections and index table,
    even if another profile is named. Raises MapiError, NOT_INITIALIZED before `mapi_initialize`. Nothing is sent yet.
    """
    return _SUBSYSTEM.logon(profile, flags)
