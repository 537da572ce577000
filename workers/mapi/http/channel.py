"""One HTTP connection to one endpoint: what every request has about it, and what every answer is checked for.

A session context lives in cookies, whose names are the server's own; each answer brings a new one that says which
request is next. So requests of a context are sent one after another, and one that is sent twice is refused.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from workers.access import TokenError
from workers.mapi.hresults import ErrorCode, HResult
from workers.mapi.http.answer import ResponseCodeError, read_answer
from workers.mapi.transport import ConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What servers are told of the client; gromox chains RopReadStream by it.
_APPLICATION = "Outlook/15.0.4815.1000"

_BUSY = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}

#: Seconds that an idle context lives unless the server says otherwise: 15 minutes.
EXPIRES = 900.0

#: What can happen when a server closes an idle connection just as a request sets out. Nothing was answered then.
_CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


#: What stands in an error of the line, and what may help.
_ADVICE = {
    "WRONG_VERSION_NUMBER": "there is no TLS at that port: mapi+http:, or another port",
    "CERTIFICATE_VERIFY_FAILED": "--ca-file FILE says whom else to trust",
}


class Channel:
    """Requests to one endpoint, in one context. Not to be used by two threads at a time."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        """`client` is this channel's own, and is closed with it."""
        self._client = client
        self._url = url
        self._cookies: dict[str, str] = {}
        self._name = f"{{{uuid4()}}}"
        self._requests = 0
        #: Seconds that the context lives without a request.
        self.expires = EXPIRES

    def ask(self, request_type: str, body: bytes) -> bytes:
        """The body of the answer. Raises RpcError for an account or a request that is refused, ConnectionLost."""
        self._requests += 1
        identity = f"{self._name}:{self._requests}"
        try:
            response = self._send(self._request(request_type, identity, body))
        except httpx.HTTPError as error:
            raise ConnectionLost(self._told(error)) from error
        except TokenError as error:
            raise RpcError(HResult.MAPI_E_LOGON_FAILED, str(error)) from error
        self._judge_status(response)
        self._keep_cookies(response)
        self._judge_code(response.headers.get("x-responsecode", ""))
        if response.headers.get("x-requestid", identity) != identity:
            raise ConnectionLost("an answer to another request")
        if not response.headers.get("content-type", "").startswith("application/mapi-http"):
            raise ConnectionLost(f"an answer of the type {response.headers.get('content-type')}")
        answer = read_answer(response.content)
        self._judge_code(answer.headers.get("x-responsecode", "0"))
        return answer.body

    def ping(self) -> None:
        """Keep the context alive ([MS-OXCMAPIHTTP] 2.2.6). Raises as `ask` does."""
        self.ask("PING", b"")

    def close(self) -> None:
        """Close the connection; the context is left to the server."""
        self._client.close()

    def _request(self, request_type: str, identity: str, body: bytes) -> httpx.Request:
        headers = {
            "Content-Type": "application/mapi-http",
            "X-RequestType": request_type,
            "X-RequestId": identity,
            "X-ClientInfo": f"{self._name}:1",
            "X-ClientApplication": _APPLICATION,
        }
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return self._client.build_request("POST", self._url, headers=headers, content=body)

    def _send(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. A request on which a connection was closed is sent again, on a new one, with the same sequence:

        a server that did hear it the first time refuses it.
        """
        try:
            response = self._client.send(request, stream=True)
        except _CLOSED:
            response = self._client.send(request, stream=True)
        try:
            response.read()
        finally:
            response.close()
        return response

    def _told(self, error: httpx.HTTPError) -> str:
        said = str(error) or type(error).__name__
        advice = next((f"; {what}" for sign, what in _ADVICE.items() if sign in said), "")
        return f"{httpx.URL(self._url).netloc.decode()}: {said}{advice}"

    def _judge_status(self, response: httpx.Response) -> None:
        """Raises RpcError, ConnectionLost for whatever is not 200 OK."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        said = f"HTTP {status} {response.reason_phrase}"
        if status in _BUSY:
            raise RpcError(ErrorCode.SERVER_BUSY, said)
        if status == httpx.codes.UNAUTHORIZED:
            raise RpcError(HResult.MAPI_E_LOGON_FAILED, said)
        if status == httpx.codes.FORBIDDEN:
            raise RpcError(HResult.MAPI_E_NO_ACCESS, said)
        if response.is_redirect:
            raise RpcError(HResult.MAPI_E_NO_SUPPORT, f"{said}: give {response.headers.get('location')} as the server")
        if response.is_client_error:
            raise RpcError(HResult.MAPI_E_NO_SUPPORT, f"{said}: is MAPI over HTTP enabled there, at this path?")
        raise ConnectionLost(said)

    def _judge_code(self, code: str) -> None:
        if code != "0":
            raise ResponseCodeError(int(code) if code.isdecimal() else -1, self._cookies)

    def _keep_cookies(self, response: httpx.Response) -> None:
        self._cookies.update(_cookies(response.headers.get_list("set-cookie")))
        expires = response.headers.get("x-expirationinfo", "")
        if expires.isdecimal() and int(expires):
            self.expires = int(expires) / 1000


def _cookies(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        try:
            yield from ((name, morsel.coded_value) for name, morsel in SimpleCookie(line).items())
        except CookieError as error:
            raise ConnectionLost(f"a cookie that can't be read: {error}") from error
