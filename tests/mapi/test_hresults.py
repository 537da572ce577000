from __future__ import annotations

import pytest

from workers.causes import Cause
from workers.mapi.hresults import ErrorCode, HResult, MapiError, cause_of, code_name


def test_a_known_code_is_named_with_its_number() -> None:
    assert code_name(0x8004010F) == "MAPI_E_NOT_FOUND (0x8004010F)"
    assert code_name(ErrorCode.UNKNOWN_USER) == "UNKNOWN_USER (0x000003EB)"


def test_an_unknown_code_is_its_number() -> None:
    assert code_name(0x80049999) == "0x80049999"


def test_a_negative_code_is_read_as_the_unsigned_one() -> None:
    assert code_name(0x8004010F - (1 << 32)) == "MAPI_E_NOT_FOUND (0x8004010F)"


def test_no_number_has_two_names() -> None:
    assert not {code.value for code in ErrorCode} & {code.value for code in HResult}


@pytest.mark.parametrize(
    ("hresult", "low_level_error", "cause"),
    [
        (HResult.MAPI_E_FAILONEPROVIDER, ErrorCode.NO_FREE_LOGON_INDEX, Cause.LOGONS),
        (HResult.MAPI_E_FAILONEPROVIDER, ErrorCode.LOGIN_PERM, Cause.DENIED),
        (HResult.MAPI_E_FAILONEPROVIDER, 0, Cause.SERVER),
        (HResult.MAPI_E_CALL_FAILED, ErrorCode.SERVER_BUSY, Cause.BUSY),
        (HResult.EDK_E_NOT_FOUND, ErrorCode.UNKNOWN_USER, Cause.MISSING),
        (HResult.MAPI_E_NOT_FOUND, 0x7777, Cause.MISSING),
        (HResult.MAPI_E_TOO_BIG, ErrorCode.MAX_OBJS_EXCEEDED, Cause.SERVER),
        (HResult.MAPI_E_NETWORK_ERROR, 0, Cause.UNREACHABLE),
    ],
)
def test_the_low_level_error_tells_the_cause_before_the_hresult(
    hresult: int, low_level_error: int, cause: Cause
) -> None:
    assert cause_of(hresult, low_level_error) is cause


def test_an_error_names_the_call_and_both_codes() -> None:
    error = MapiError(HResult.MAPI_E_CALL_FAILED, ErrorCode.UNKNOWN_USER, "HrMailboxLogon")

    assert str(error) == ("HrMailboxLogon: MAPI_E_CALL_FAILED (0x80004005), low-level error UNKNOWN_USER (0x000003EB)")
    assert (error.hresult, error.low_level_error, error.code) == (0x80004005, 0x3EB, 0x80004005)
    assert error.cause is Cause.MISSING


def test_an_hresult_without_a_name_stays_a_number() -> None:
    assert MapiError(0x80041234).hresult == 0x80041234
