"""How a request says who asks: Basic, NTLM, Negotiate (Kerberos where there is a ticket) or a bearer token.

NTLM and Negotiate speak of the connection, not of the request: a server knows the account until the connection closes,
and then asks again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import httpx
import spnego
from spnego.exceptions import SpnegoError

from workers.access import TokenError

if TYPE_CHECKING:
    from collections.abc import Generator

    from workers.access import Access

#: Ways that a URL can ask for, the one first that is taken first when the server offers several.
METHODS = ("negotiate", "ntlm", "basic")

#: How those are spelled that take a handshake.
_SPELLED = {"negotiate": "Negotiate", "ntlm": "NTLM"}

#: Legs of a handshake at the most.
_LEGS = 4


class Account(httpx.Auth):
    """Answers a server that asks who it is. The password is sent to nobody who did not ask for it."""

    def __init__(self, access: Access, method: str | None) -> None:
        """`method`: one of METHODS, or None for the best that the server offers."""
        self._access = access
        self._method = method
        #: What is sent unasked, because this server is known to want it.
        self._header: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Raises TokenError."""
        if self._header:
            request.headers["Authorization"] = self._header
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        if self._access.token_command:
            yield from self._with_header(request, f"Bearer {self._access.token()}")
            return
        offered = {
            each.strip().partition(" ")[0].lower()
            for each in response.headers.get_list("www-authenticate", split_commas=True)
        }
        method = next((each for each in METHODS if each in offered and self._method in {None, each}), None)
        if method == "basic":
            if self._header is None:  # else it was sent, and is refused: once is enough
                pair = f"{self._access.user}:{self._access.password}"
                yield from self._with_header(request, f"Basic {b64encode(pair.encode()).decode()}")
        elif method:
            yield from self._handshake(request, method)

    def _with_header(self, request: httpx.Request, header: str) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = header
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            self._header = header

    def _handshake(self, request: httpx.Request, method: str) -> Generator[httpx.Request, httpx.Response, None]:
        try:
            context = spnego.client(self._access.user, self._access.password, request.url.host, "HTTP", protocol=method)
            token = context.step()
            for _ in range(_LEGS):
                if not token:
                    return
                request.headers["Authorization"] = f"{_SPELLED[method]} {b64encode(token).decode()}"
                response = yield request
                challenge = _challenge(response, method)
                if response.status_code != httpx.codes.UNAUTHORIZED or not challenge:
                    return
                token = context.step(challenge)
        except SpnegoError as error:
            raise TokenError(f"{method}: {error}") from error


def _challenge(response: httpx.Response, method: str) -> bytes:
    for each in response.headers.get_list("www-authenticate", split_commas=True):
        name, _, token = each.strip().partition(" ")
        if name.lower() == method and token:
            return b64decode(token)
    return b""
