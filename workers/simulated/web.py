"""The simulated server behind HTTP: MAPI over HTTP for any client, address book included ([MS-OXCMAPIHTTP]).

Session contexts are kept by cookie, and each answer says in another one which request is next, as on the recorded server;
the numbers of X-ResponseCode are those of the specification. A client says who it is by Basic.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from contextlib import suppress
from hmac import compare_digest
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from workers.mapi.hresults import HResult
from workers.mapi.http.bodies import (
    DISCONNECTED,
    ConnectRequest,
    ConnectResponse,
    ExecuteRequest,
    ExecuteResponse,
    failed,
)
from workers.mapi.http.frames import unwrap, wrap
from workers.mapi.http.nspi import (
    END_OF_TABLE,
    RESOLVED,
    UNRESOLVED,
    Entry,
    QueryRowsRequest,
    QueryRowsResponse,
    ResolveNamesRequest,
    ResolveNamesResponse,
    Stat,
    bind_response,
    unbind_response,
)
from workers.mapi.transport import ConnectionLost, RpcError
from workers.mapi.wire import CodecError
from workers.simulated.stores import mailbox_dn

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.simulated.server import SimulatedServer

#: X-ResponseCode ([MS-OXCMAPIHTTP] 2.2.3.3.3).
INVALID_REQUEST_TYPE, MISSING_HEADER, CONTEXT_NOT_FOUND, INVALID_BODY, MISSING_COOKIE, INVALID_SEQUENCE = (
    5,
    7,
    10,
    12,
    13,
    15,
)

#: What every request has to have.
_HEADERS = ("X-RequestType", "X-RequestId", "X-ClientInfo")

#: Bytes of the largest request: an Execute with 64 KB of ROPs, or many names to resolve.
_LARGEST = 2**20

#: MId of the first mailbox: those below have meanings of their own ([MS-OXNSPI] 2.2.1.8).
_FIRST_MID = 0x10

#: Rows of one answer at most: as strings take room.
_MOST_ROWS = 1000

_PREAMBLE = b"PROCESSING\r\nDONE\r\nX-ElapsedTime: 0\r\nX-StartTime: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n"


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """X-ResponseCode is not 0."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Account(NamedTuple):
    """Who may log on; a password of None means any."""

    user: str | None
    password: str | None

    def lets_in(self, user: str, password: str) -> bool:
        """Whether this is the account; takes as long for one wrong password as for another."""
        right_user = self.user is None or compare_digest(user.casefold().encode(), self.user.casefold().encode())
        right_password = self.password is None or compare_digest(password.encode(), self.password.encode())
        return right_user and right_password


ANYBODY = Account(None, None)


class _Context:
    """What a cookie stands for: a session context of an account, or a conversation with the address book (None)."""

    def __init__(self, user: str, number: int | None) -> None:
        self.user = user
        self.number = number
        self.sequence = token_hex(16)
        self.lock = Lock()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: WebServer
    protocol_version = "HTTP/1.1"
    server_version = "fanout"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing is written of requests."""

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(size)) if size.isdecimal() and int(size) <= _LARGEST else None
        if body is None:
            self.close_connection = True
            self._end(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        answers = {"/mapi/emsmdb/": _EMSMDB, "/mapi/nspi/": _NSPI}.get(self.path.partition("?")[0].rstrip("/") + "/")
        user = self._user()
        if answers is None:
            self._end(HTTPStatus.NOT_FOUND)
        elif user is None:
            self._end(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="fanout", charset="utf-8"'})
        else:
            try:
                self.answer(answers, user, body)
            except Refusal as refusal:
                self._end(
                    HTTPStatus.OK, {"Content-Type": "text/html", "X-ResponseCode": str(refusal.code)}, str(refusal)
                )

    def answer(self, answers: dict[str, Callable[[Handler, str, bytes], bytes]], user: str, body: bytes) -> None:
        """Answer a request that is let in. Raises Refusal."""
        for name in _HEADERS:
            if name not in self.headers:
                raise Refusal(MISSING_HEADER, f"there is no {name}")
        perform = answers.get(self.headers["X-RequestType"].upper())
        if perform is None:
            raise Refusal(INVALID_REQUEST_TYPE, "there is no such request")
        self.cookies: dict[str, str] = {}
        try:
            content = perform(self, user, body)
        except CodecError as error:
            raise Refusal(INVALID_BODY, str(error)) from error
        except RpcError as refusal:
            content = failed(refusal.code)
        self._send(content)

    # --- contexts -----------------------------------------------------------------------------------------------------

    def begin(self, user: str, number: int | None) -> None:
        """A new context, whose cookies go with the answer."""
        name = token_hex(16)
        context = self.server.contexts[name] = _Context(user, number)
        self.cookies = {"MapiContext": name, "MapiSequence": context.sequence}

    def context(self, user: str, *, renew: bool = True) -> tuple[str, _Context]:
        """The context that the cookies name, its sequence renewed. Raises Refusal."""
        given = {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("Cookie", "")).items()}
        name = given.get("MapiContext")
        if name is None:
            raise Refusal(MISSING_COOKIE, "there is no context cookie")
        context = self.server.contexts.get(name)
        if context is None or context.user != user:
            raise Refusal(CONTEXT_NOT_FOUND, "there is no such context")
        if renew:
            with context.lock:
                if given.get("MapiSequence") != context.sequence:
                    raise Refusal(INVALID_SEQUENCE, "the request is out of sequence")
                context.sequence = token_hex(16)
            self.cookies = {"MapiContext": name, "MapiSequence": context.sequence}
        return name, context

    def forget(self, name: str) -> None:
        """The context is over."""
        self.server.contexts.pop(name, None)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def _user(self) -> str | None:
        """Who it is that asks; None where nobody is let in."""
        kind, _, pair = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = b64decode(pair, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            return None
        return user if user and self.server.account.lets_in(user, password) else None

    def _send(self, content: bytes) -> None:
        """An answer in chunks: the preamble, then the body."""
        self.send_response(HTTPStatus.OK)
        for name in ("X-RequestType", "X-RequestId", "X-ClientInfo"):
            self.send_header(name, self.headers[name])
        for name, value in (
            ("Content-Type", "application/mapi-http"),
            ("X-ResponseCode", "0"),
            ("X-PendingPeriod", "30000"),
            ("X-ExpirationInfo", "900000"),
            ("Transfer-Encoding", "chunked"),
            *(("Set-Cookie", f"{name}={value}") for name, value in self.cookies.items()),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.write_body([_PREAMBLE, content])

    def write_body(self, parts: list[bytes]) -> None:
        """Each part as a chunk, and the last chunk."""
        chunks = [b"%X\r\n%s\r\n" % (len(part), part) for part in parts if part]
        self.wfile.write(b"".join(chunks) + b"0\r\n\r\n")
        self.wfile.flush()

    def _end(self, status: HTTPStatus, headers: dict[str, str] | None = None, text: str = "") -> None:
        """An answer without a preamble."""
        body = text.encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "text/plain"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class WebServer(ThreadingHTTPServer):
    """Serves until `shutdown`. A thread a connection; requests of one context are executed one after another."""

    daemon_threads = True
    request_queue_size = 1024

    #: What answers the requests of a connection.
    handler = Handler

    def __init__(self, server: SimulatedServer, account: Account = ANYBODY, port: int = 0) -> None:
        """On loopback; port 0 takes a free one. Raises OSError when the port can't be had."""
        super().__init__(("127.0.0.1", port), self.handler)
        self.simulated = server
        self.account = account
        self.contexts: dict[str, _Context] = {}

    @property
    def url(self) -> str:
        """What a client is given as the server."""
        return f"mapi+http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is no error of the server's."""


# --- mailboxes --------------------------------------------------------------------------------------------------------


def _connect(handler: Handler, user: str, body: bytes) -> bytes:
    request = ConnectRequest.decode(body)
    if request.user_dn.casefold() != mailbox_dn(user).casefold():  # somebody else's DN
        raise RpcError(HResult.MAPI_E_NO_ACCESS)
    handler.begin(user, handler.server.simulated.connect(request.user_dn))
    return ConnectResponse(60_000, 3, 10_000, "", user).encode()


def _execute(handler: Handler, user: str, body: bytes) -> bytes:
    name, context = handler.context(user)
    request = ExecuteRequest.decode(body)
    if context.number is None:
        raise Refusal(CONTEXT_NOT_FOUND, "it is a context of the address book")
    try:
        reply = handler.server.simulated.execute(context.number, unwrap(request.rop_buffer))
    except ConnectionLost as lost:  # the server has cut it
        handler.forget(name)
        raise Refusal(CONTEXT_NOT_FOUND, str(lost)) from lost
    return ExecuteResponse(wrap(reply, compress=not request.flags & 1, obfuscate=not request.flags & 2)).encode()


def _disconnect(handler: Handler, user: str, _: bytes) -> bytes:
    name, context = handler.context(user, renew=False)
    if context.number is not None:
        handler.server.simulated.disconnect(context.number)
    handler.forget(name)
    return DISCONNECTED


def _ping(handler: Handler, user: str, _: bytes) -> bytes:
    handler.context(user, renew=False)
    return b""


# --- the address book -------------------------------------------------------------------------------------------------


def _bind(handler: Handler, user: str, _: bytes) -> bytes:
    handler.begin(user, None)
    return bind_response(bytes.fromhex("66616e6f757473696d756c617465643a"))


def _unbind(handler: Handler, user: str, _: bytes) -> bytes:
    name, _context = handler.context(user, renew=False)
    handler.forget(name)
    return unbind_response()


def _query_rows(handler: Handler, user: str, body: bytes) -> bytes:
    handler.context(user)
    request = QueryRowsRequest.decode(body)
    if request.stat.container_id:
        raise RpcError(HResult.MAPI_E_INVALID_BOOKMARK)
    population = handler.server.simulated.population
    first = max(0, request.stat.current_rec - _FIRST_MID)
    end = min(first + min(request.rows, _MOST_ROWS), len(population))
    rows = [_entry(handler, ordinal) for ordinal in range(first, end)]
    there = END_OF_TABLE if end == len(population) else end + _FIRST_MID
    return QueryRowsResponse(Stat(current_rec=there, num_pos=end, total_recs=len(population)), rows).encode()


def _resolve_names(handler: Handler, user: str, body: bytes) -> bytes:
    handler.context(user)
    found, rows = [], []
    for name in ResolveNamesRequest.decode(body).names:
        entry = _named(handler, user, name.removeprefix("=SMTP:"))
        found.append(UNRESOLVED if entry is None else RESOLVED)
        if entry:
            rows.append(entry)
    return ResolveNamesResponse(found, rows).encode()


def _named(handler: Handler, user: str, name: str) -> Entry | None:
    """The mailbox of that address; or the account that asks, which needs none."""
    ordinal = handler.server.simulated.population.ordinal(mailbox_dn(name))
    if ordinal is not None:
        return _entry(handler, ordinal)
    return Entry(user, user, mailbox_dn(user), account=user) if name.casefold() == user.casefold() else None


def _entry(handler: Handler, ordinal: int) -> Entry:
    """A mailbox that can't be read is listed all the same."""
    population = handler.server.simulated.population
    name = address = population.address(ordinal)
    with suppress(OSError):
        name = population.mailbox(ordinal).display_name
    return Entry(name, address, mailbox_dn(address), account=address)


_EMSMDB: dict[str, Callable[[Handler, str, bytes], bytes]] = {
    "CONNECT": _connect,
    "EXECUTE": _execute,
    "DISCONNECT": _disconnect,
    "PING": _ping,
}

_NSPI: dict[str, Callable[[Handler, str, bytes], bytes]] = {
    "BIND": _bind,
    "UNBIND": _unbind,
    "QUERYROWS": _query_rows,
    "RESOLVENAMES": _resolve_names,
    "PING": _ping,
}
