"""HRESULTs, the store's own error codes, and the one exception in which MAPI reports either.

Two families of numbers meet here. An HResult is what an interface returns; an ErrorCode is what the
store put on the wire ([MS-OXCDATA] 2.4) and what MAPI calls the low-level error. This module knows
neither ROPs nor sessions.
"""

from __future__ import annotations

from enum import IntEnum

from workers.causes import Cause, MailboxError


class HResult(IntEnum):
    """What a MAPI interface returns, under its name in MAPICode.h and edkcode.h."""

    S_OK = 0x00000000
    MAPI_E_CALL_FAILED = 0x80004005
    MAPI_E_INTERFACE_NOT_SUPPORTED = 0x80004002
    MAPI_E_NOT_ENOUGH_MEMORY = 0x8007000E
    MAPI_E_INVALID_PARAMETER = 0x80070057
    MAPI_E_NO_ACCESS = 0x80070005
    MAPI_E_NO_SUPPORT = 0x80040102
    MAPI_E_UNKNOWN_FLAGS = 0x80040106
    MAPI_E_INVALID_ENTRYID = 0x80040107
    MAPI_E_INVALID_OBJECT = 0x80040108
    MAPI_E_OBJECT_CHANGED = 0x80040109
    MAPI_E_OBJECT_DELETED = 0x8004010A
    MAPI_E_BUSY = 0x8004010B
    MAPI_E_NOT_ENOUGH_DISK = 0x8004010D
    MAPI_E_NOT_ENOUGH_RESOURCES = 0x8004010E
    MAPI_E_NOT_FOUND = 0x8004010F
    MAPI_E_VERSION = 0x80040110
    MAPI_E_LOGON_FAILED = 0x80040111
    MAPI_E_SESSION_LIMIT = 0x80040112
    MAPI_E_USER_CANCEL = 0x80040113
    MAPI_E_UNABLE_TO_ABORT = 0x80040114
    MAPI_E_NETWORK_ERROR = 0x80040115
    MAPI_E_DISK_ERROR = 0x80040116
    MAPI_E_TOO_COMPLEX = 0x80040117
    MAPI_E_BAD_COLUMN = 0x80040118
    MAPI_E_EXTENDED_ERROR = 0x80040119
    MAPI_E_COMPUTED = 0x8004011A
    MAPI_E_CORRUPT_DATA = 0x8004011B
    MAPI_E_UNCONFIGURED = 0x8004011C
    MAPI_E_FAILONEPROVIDER = 0x8004011D
    MAPI_E_UNKNOWN_CPID = 0x8004011E
    MAPI_E_UNKNOWN_LCID = 0x8004011F
    MAPI_E_PASSWORD_EXPIRED = 0x80040121
    MAPI_E_ACCOUNT_DISABLED = 0x80040124
    MAPI_E_END_OF_SESSION = 0x80040200
    MAPI_E_UNKNOWN_ENTRYID = 0x80040201
    MAPI_E_TOO_BIG = 0x80040305
    MAPI_E_UNABLE_TO_COMPLETE = 0x80040400
    MAPI_E_TIMEOUT = 0x80040401
    MAPI_E_TABLE_EMPTY = 0x80040402
    MAPI_E_TABLE_TOO_BIG = 0x80040403
    MAPI_E_INVALID_BOOKMARK = 0x80040405
    MAPI_E_WAIT = 0x80040500
    MAPI_E_CANCEL = 0x80040501
    MAPI_E_CORRUPT_STORE = 0x80040600
    MAPI_E_COLLISION = 0x80040604
    MAPI_E_NOT_INITIALIZED = 0x80040605
    MAPI_W_NO_SERVICE = 0x00040203
    MAPI_W_ERRORS_RETURNED = 0x00040380
    MAPI_W_POSITION_CHANGED = 0x00040481
    MAPI_W_APPROX_COUNT = 0x00040482
    MAPI_W_PARTIAL_COMPLETION = 0x00040680
    #: edkcode.h makes its codes with facility 11: severity 1, facility 11, code 1.
    EDK_E_NOT_FOUND = 0x800B0001
    EDK_E_SHUTDOWN_SERVICE = 0x800B0002
    EDK_E_ALREADY_EXISTS = 0x800B0003
    EDK_E_END_OF_FILE = 0x800B0004
    EDK_E_AMBIGUOUS = 0x800B0005
    EDK_E_PARSE = 0x800B0006


class ErrorCode(IntEnum):
    """What the store answers on the wire: ecUnknownUser is UNKNOWN_USER, and so on ([MS-OXCDATA] 2.4)."""

    PROFILE_NOT_CONFIGURED = 0x11C
    JET_ERROR = 0x3EA
    UNKNOWN_USER = 0x3EB
    EXITING = 0x3ED
    BAD_CONFIG = 0x3EE
    UNKNOWN_CODE_PAGE = 0x3EF
    SERVER_OOM = 0x3F0
    LOGIN_PERM = 0x3F2
    MDB_NOT_INIT = 0x476
    WRONG_SERVER = 0x478
    BUFFER_TOO_SMALL = 0x47D
    SERVER_PAUSED = 0x47F
    SERVER_BUSY = 0x480
    NO_SUCH_LOGON = 0x481
    RPC_FORMAT = 0x4B6
    NULL_OBJECT = 0x4B9
    MAX_ATTACHMENT_EXCEEDED = 0x4DB
    MAX_OBJS_EXCEEDED = 0x4DE
    TOO_MANY_RECIPS = 0x505
    MAILBOX_IN_TRANSIT = 0x50C
    RPC_S_SERVER_TOO_BUSY = 0x6BB
    MAILBOX_DISABLED = 0x96C
    RPC_SERVER_TOO_BUSY = 0x973
    MAX_POOL_EXCEEDED = 0xA2D
    RPC_INVALID_HANDLE = 0xA2E
    RPC_INVALID_SESSION = 0xA4D
    MAX_THREADS_PER_MDB_EXCEEDED = 0xA8C
    #: Ours, and never on the wire: the session's index table is full. Bit 29 is Windows' mark of a code
    #: that is not its own, so no server's code can be mistaken for it.
    NO_FREE_LOGON_INDEX = 0x200000FF


_CAUSES: dict[int, Cause] = {
    ErrorCode.NO_FREE_LOGON_INDEX: Cause.LOGONS,
    ErrorCode.UNKNOWN_USER: Cause.MISSING,
    HResult.MAPI_E_NOT_FOUND: Cause.MISSING,
    HResult.EDK_E_NOT_FOUND: Cause.MISSING,
    ErrorCode.LOGIN_PERM: Cause.DENIED,
    HResult.MAPI_E_NO_ACCESS: Cause.DENIED,
    HResult.MAPI_E_LOGON_FAILED: Cause.DENIED,
    HResult.MAPI_E_PASSWORD_EXPIRED: Cause.DENIED,
    HResult.MAPI_E_ACCOUNT_DISABLED: Cause.DENIED,
    ErrorCode.EXITING: Cause.BUSY,
    ErrorCode.MDB_NOT_INIT: Cause.BUSY,
    ErrorCode.SERVER_OOM: Cause.BUSY,
    ErrorCode.SERVER_PAUSED: Cause.BUSY,
    ErrorCode.SERVER_BUSY: Cause.BUSY,
    ErrorCode.MAILBOX_IN_TRANSIT: Cause.BUSY,
    ErrorCode.RPC_S_SERVER_TOO_BUSY: Cause.BUSY,
    ErrorCode.RPC_SERVER_TOO_BUSY: Cause.BUSY,
    ErrorCode.MAX_POOL_EXCEEDED: Cause.BUSY,
    ErrorCode.MAX_THREADS_PER_MDB_EXCEEDED: Cause.BUSY,
    HResult.MAPI_E_BUSY: Cause.BUSY,
    HResult.MAPI_E_SESSION_LIMIT: Cause.BUSY,
    HResult.MAPI_E_NOT_ENOUGH_RESOURCES: Cause.BUSY,
    ErrorCode.RPC_INVALID_HANDLE: Cause.UNREACHABLE,
    ErrorCode.RPC_INVALID_SESSION: Cause.UNREACHABLE,
    HResult.MAPI_E_NETWORK_ERROR: Cause.UNREACHABLE,
    HResult.MAPI_E_TIMEOUT: Cause.UNREACHABLE,
    HResult.MAPI_E_END_OF_SESSION: Cause.UNREACHABLE,
    ErrorCode.RPC_FORMAT: Cause.PROTOCOL,
    ErrorCode.BUFFER_TOO_SMALL: Cause.PROTOCOL,
    HResult.MAPI_E_CORRUPT_DATA: Cause.PROTOCOL,
}

_NAMES: dict[int, str] = {member.value: member.name for family in (ErrorCode, HResult) for member in family}


def code_name(code: int) -> str:
    """The code's symbol with its number, `MAPI_E_NOT_FOUND (0x8004010F)`; the bare number where none is known."""
    number = f"0x{code & 0xFFFFFFFF:08X}"
    name = _NAMES.get(code & 0xFFFFFFFF)
    return f"{name} ({number})" if name else number


def cause_of(hresult: int, low_level_error: int = 0) -> Cause:
    """Why a call failed; the low-level error decides where it tells, as MAPI folds many causes into one HRESULT."""
    return _CAUSES.get(low_level_error) or _CAUSES.get(hresult, Cause.SERVER)


class MapiError(MailboxError):
    """A MAPI call that failed: its HRESULT, and the code that lay under it (0 where none is known).

    `where` is the call, `OpenMsgStore` say, with what it was about; it opens the message.
    """

    def __init__(self, hresult: int, low_level_error: int = 0, where: str = "") -> None:
        super().__init__(
            _message(hresult, low_level_error, where),
            cause_of(hresult, low_level_error),
            code=hresult,
        )
        self.hresult = HResult(hresult) if hresult in _HRESULTS else hresult
        self.low_level_error = low_level_error
        self.where = where


_HRESULTS = frozenset(HResult)


def _message(hresult: int, low_level_error: int, where: str) -> str:
    text = f"{where}: {code_name(hresult)}" if where else code_name(hresult)
    return f"{text}, low-level error {code_name(low_level_error)}" if low_level_error else text
