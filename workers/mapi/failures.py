"""From what the server answered to what an interface returns: a store's code becomes an HRESULT."""

from __future__ import annotations

from workers.causes import Cause
from workers.mapi.hresults import ErrorCode, HResult, MapiError

#: Codes that have an HRESULT of their own. Outlook logs the object quota as [80040305-...-4DE-...].
_HRESULTS: dict[int, HResult] = {
    ErrorCode.UNKNOWN_USER: HResult.MAPI_E_NOT_FOUND,
    ErrorCode.LOGIN_PERM: HResult.MAPI_E_NO_ACCESS,
    ErrorCode.PROFILE_NOT_CONFIGURED: HResult.MAPI_E_UNCONFIGURED,
    ErrorCode.MAX_OBJS_EXCEEDED: HResult.MAPI_E_TOO_BIG,
    ErrorCode.NULL_OBJECT: HResult.MAPI_E_INVALID_OBJECT,
    ErrorCode.SERVER_BUSY: HResult.MAPI_E_BUSY,
    ErrorCode.RPC_S_SERVER_TOO_BUSY: HResult.MAPI_E_BUSY,
    ErrorCode.RPC_SERVER_TOO_BUSY: HResult.MAPI_E_BUSY,
}

#: What a Connect answers that does not let the account in. As answers of RopLogon they speak of one mailbox.
_OF_THE_ACCOUNT = frozenset(
    {
        HResult.MAPI_E_LOGON_FAILED,
        HResult.MAPI_E_PASSWORD_EXPIRED,
        HResult.MAPI_E_ACCOUNT_DISABLED,
        HResult.MAPI_E_NO_ACCESS,
        ErrorCode.LOGIN_PERM,
    }
)

#: The severity bit of an HRESULT; a store's own codes are small numbers.
_SEVERITY = 0x8000_0000


def failure(code: int, where: str, otherwise: HResult = HResult.MAPI_E_CALL_FAILED) -> MapiError:
    """The error for what a server answered: its own HRESULT, or one that stands for its code.

    `otherwise` is the HRESULT of a code that has none; the code itself is always kept as the low-level error.
    """
    if code & _SEVERITY:
        return MapiError(code, where=where)
    return MapiError(_HRESULTS.get(code, otherwise), code, where)


def refused(code: int, where: str) -> MapiError:
    """The error for a Connect that a server refused. It is about the account there, not about any mailbox."""
    error = failure(code, where)
    if code in _OF_THE_ACCOUNT:
        error.cause = Cause.CREDENTIALS
    return error


def incomplete(where: str) -> MapiError:
    """The error for an answer that is broken or lacks what must be there; reading again may well help."""
    return MapiError(HResult.MAPI_E_CORRUPT_DATA, where=where)
