"""RopLogon: who gets into which mailbox, and what the response says ([MS-OXCSTOR] 2.2.1.1, 3.2.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.mapi.hresults import ErrorCode, HResult
from workers.mapi.profile import OpenStoreFlags
from workers.mapi.rops import LOGON_PRIVATE, FolderIds, LogonRequest, LogonResponse, LogonTime
from workers.simulated.faults import FaultPlan, Tally
from workers.simulated.objects import Logon, RopFailure, code_of
from workers.simulated.options import Denial, Fault
from workers.simulated.stores import CLOCK, LOGON_FOLDERS, REPLICA_ID, filetime, moment, wire_id

if TYPE_CHECKING:
    from workers.simulated.options import SimulatedOptions
    from workers.simulated.stores import Population

#: ResponseFlags: reserved (always set), and the owner's right ([MS-OXCSTOR] 2.2.1.1.3).
_RESERVED, _OWNER = 0x01, 0x02

_REPLID_MAPPING = int(OpenStoreFlags.USE_PER_MDB_REPLID_MAPPING)  # an IntFlag's own `&` takes ten times as long

#: The replica that made every id: its 16-byte GUID beside its short form in the ids.
_REPLICA_GUID = bytes.fromhex("73696d756c617465642d7265706c6963")

_SPECIAL = tuple(map(wire_id, LOGON_FOLDERS))

_CLOCK, _NOW = filetime(CLOCK), moment(CLOCK)
_LOGON_TIME = LogonTime(_NOW.second, _NOW.minute, _NOW.hour, _NOW.isoweekday() % 7, _NOW.day, _NOW.month, _NOW.year)


class Admission:
    """Opens mailboxes of a population, with the faults that they have at logon."""

    def __init__(self, population: Population, options: SimulatedOptions, faults: FaultPlan) -> None:
        self._population = population
        self._faults = faults
        self._faulty = bool(faults)
        self._backoff = options.backoff
        self._denial = options.deny
        self._refusals = Tally()

    def admit(self, request: LogonRequest, put_off: int = 0) -> Logon:
        """`put_off`: how often somebody was told before that the server is busy for this mailbox. Raises RopFailure: UNKNOWN_USER, NO_ACCESS, SERVER_BUSY; INVALID_PARAMETER, LOGON_FAILED for the flags."""
        if not request.logon_flags & LOGON_PRIVATE:  # public folders there are none
            raise RopFailure(HResult.MAPI_E_LOGON_FAILED)
        if not request.open_flags & _REPLID_MAPPING:
            raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
        ordinal = self._population.ordinal(request.essdn)
        if ordinal is None:
            raise RopFailure(ErrorCode.UNKNOWN_USER)
        locked = self._faulty and self._locked(self._population.address(ordinal), put_off)
        try:
            return Logon(self._population.mailbox(ordinal), locked=locked)
        except FileNotFoundError as error:  # listed, and gone since then
            raise RopFailure(ErrorCode.UNKNOWN_USER) from error
        except OSError as error:
            raise RopFailure(code_of(error)) from error

    def _locked(self, address: str, put_off: int) -> bool:
        """Whether the logon succeeds and the mailbox stays shut. Raises RopFailure where it does not succeed."""
        faults = self._faults
        if faults.has(Fault.MISSING, address):
            raise RopFailure(ErrorCode.UNKNOWN_USER)
        if faults.has(Fault.BUSY, address) and max(self._refusals.count(address), put_off + 1) <= self._backoff:
            raise RopFailure(ErrorCode.SERVER_BUSY)
        if not faults.has(Fault.DENIED, address):
            return False
        if self._denial is Denial.LOGON:
            raise RopFailure(HResult.MAPI_E_NO_ACCESS)
        return True


def logon_response(request: LogonRequest, logon: Logon) -> LogonResponse:
    """What a logon that succeeded is answered. The server's clock stands still, so that replies can be compared."""
    mailbox = logon.mailbox
    return LogonResponse(
        request.output_handle_index,
        LOGON_PRIVATE,
        FolderIds(*[mailbox.id_bits | special for special in _SPECIAL]),
        _RESERVED if logon.locked else _RESERVED | _OWNER,
        mailbox.guid,
        REPLICA_ID,
        _REPLICA_GUID,
        _LOGON_TIME,
        _CLOCK,
        0,  # StoreState is reserved
    )
