"""Autodiscover: the DN of an address, one at a time ([MS-OXDSCLI] 2.2.3, 2.2.4). It lists nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import httpx

from workers.access import TokenError
from workers.mapi.hresults import ErrorCode, HResult
from workers.mapi.transport import ConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.mapi.http.endpoint import Endpoint

_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook"

_REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<Autodiscover xmlns="{_SCHEMA}/requestschema/2006"><Request><EMailAddress>{{}}</EMailAddress>'
    f"<AcceptableResponseSchema>{_SCHEMA}/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)

_DN = f"{{{_SCHEMA}/responseschema/2006a}}LegacyDN"


class Autodiscover:
    """Asks for the DNs of addresses."""

    def __init__(self, endpoint: Endpoint, beat: Callable[[], None]) -> None:
        """`beat` is called before each round trip."""
        self._endpoint = endpoint
        self._beat = beat

    def dns_of(self, names: Sequence[str]) -> dict[str, str | None]:
        """The DN of each address; None where there is no such mailbox. Raises RpcError, ConnectionLost."""
        with self._endpoint.client() as client:
            return {name: self._dn_of(client, name) for name in names}

    def _dn_of(self, client: httpx.Client, name: str) -> str | None:
        self._beat()
        headers = {"Content-Type": "text/xml", "X-MapiHttpCapability": "1"}
        body = _REQUEST.format(escape(name)).encode()
        try:
            response = client.post(self._endpoint.autodiscover, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise ConnectionLost(f"Autodiscover: {type(error).__name__}: {error}") from error
        except TokenError as error:
            raise RpcError(HResult.MAPI_E_LOGON_FAILED, str(error)) from error
        if response.status_code != httpx.codes.OK:
            raise RpcError(
                _CODES.get(response.status_code, HResult.MAPI_E_NO_SUPPORT),
                f"Autodiscover: HTTP {response.status_code}",
            )
        try:
            return ET.fromstring(response.content).findtext(f".//{_DN}")
        except ET.ParseError as error:
            raise ConnectionLost(f"Autodiscover: {error}") from error


_CODES: dict[int, int] = {
    401: HResult.MAPI_E_LOGON_FAILED,
    403: HResult.MAPI_E_NO_ACCESS,
    429: ErrorCode.SERVER_BUSY,
    503: ErrorCode.SERVER_BUSY,
}
