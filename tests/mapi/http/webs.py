"""The simulated server over a real socket, which can be told to misbehave; and clients of it."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from workers.access import Access
from workers.mailbox import Mailbox
from workers.mapi.hresults import MapiError
from workers.mapi.mailbox import MapiSession
from workers.servers import Session, server_at
from workers.simulated.server import simulated_server
from workers.simulated.web import ANYBODY, Account, Handler, WebServer
from workers.slots import private_slot

ADMIN = Access(user="admin@sim.example", password="s3cret")

#: What a handler does instead of answering a request; it is told how many of the kind came before.
Trick = Callable[["FaultyHandler"], None]


class FaultyHandler(Handler):
    """Plays the tricks of its server, each once, at the request that it is for."""

    server: FaultyServer
    trick: Trick | None = None

    def answer(self, answers: object, user: str, body: bytes) -> None:
        kind = self.headers["X-RequestType"]
        with self.server.counting:
            self.server.heard[kind] += 1
            trick = self.server.tricks.pop((kind, self.server.heard[kind]), None)
        self.trick = trick
        if trick is not None and trick in BEFORE:
            trick(self)
            return
        super().answer(answers, user, body)  # type: ignore[arg-type]

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Set-Cookie" and self.trick is strange:
            value = f"{value.partition('=')[0]}=another"
        super().send_header(keyword, value)

    def write_body(self, parts: list[bytes]) -> None:
        if self.trick in {None, strange}:
            super().write_body(parts)
        else:
            self.parts = parts
            self.trick(self)


class FaultyServer(WebServer):
    handler = FaultyHandler

    def __init__(self, url: str, account: Account, tricks: dict[tuple[str, int], Trick]) -> None:
        super().__init__(simulated_server(url), account)
        self.tricks = tricks
        self.heard: Counter[str] = Counter()
        self.counting = threading.Lock()
        self.released = threading.Event()


@contextmanager
def web(
    url: str, tricks: dict[tuple[str, int], Trick] | None = None, account: Account = ANYBODY
) -> Iterator[FaultyServer]:
    """A server that serves, and has ended afterwards."""
    server = FaultyServer(url, account, tricks or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def connected(url: str, *, separate: bool = False, access: Access = ADMIN) -> MapiSession:
    session: Any = server_at(url, separate_connections=separate, access=access).session(private_slot())
    assert isinstance(session, MapiSession)
    return session


def names_of(url: str) -> list[str]:
    return list(server_at(url, access=ADMIN).addresses())


def visited(
    session: Session, count: int, job: Callable[[Mailbox], object], addresses: list[str] | None = None
) -> list[Any]:
    """What the job says of the first mailboxes; a MapiError in the place of one that fails."""
    found: list[Any] = []
    while len(found) < count:
        rest = addresses and addresses[len(found) :]
        walk = session.mailboxes(range(len(found), count), rest, private_slot())
        try:
            found.extend(map(job, walk))
        except MapiError as error:
            found.append(error)
    return found


def busy(handler: FaultyHandler) -> None:
    handler.send_error(503)


def unauthorized(handler: FaultyHandler) -> None:
    handler.send_error(401)


def reset(handler: FaultyHandler) -> None:
    """Cut the connection as a machine does that has crashed."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def stall(handler: FaultyHandler) -> None:
    """Say nothing until the test is over."""
    handler.server.released.wait()
    handler.close_connection = True


def truncated(handler: FaultyHandler) -> None:
    """Half of the first chunk, and the end of the connection."""
    whole = b"".join(handler.parts)
    handler.wfile.write(b"%X\r\n%s" % (len(whole), whole[: len(whole) // 2]))
    handler.wfile.flush()
    handler.close_connection = True


def torn(handler: FaultyHandler) -> None:
    """Half of the first chunk, and then the machine crashes."""
    whole = b"".join(handler.parts)
    handler.wfile.write(b"%X\r\n%s" % (len(whole), whole[: len(whole) // 2]))
    handler.wfile.flush()
    reset(handler)


def strange(_: FaultyHandler) -> None:
    """The answer comes with cookies that the server itself does not know."""


def pondering(handler: FaultyHandler) -> None:
    """The answer comes after the server has said more than once that it is at work."""
    preamble, *rest = handler.parts
    done = preamble.removeprefix(b"PROCESSING\r\n")
    Handler.write_body(handler, [b"PROCESSING\r\n", b"PEND", b"ING\r\nPENDING\r\n", done, *rest])


def late(handler: FaultyHandler) -> None:
    """The server finds only when it is done that there is no such context any more."""
    Handler.write_body(handler, [b"PROCESSING\r\nDONE\r\nX-ResponseCode: 10\r\n\r\n"])


def nonsense(handler: FaultyHandler) -> None:
    """A whole answer that is none."""
    Handler.write_body(handler, [b"PROCESSING\r\nDONE\r\n\r\n", b"\0" * 8 + b"nonsense"])


def forgotten(handler: FaultyHandler) -> None:
    """The answer comes, and the context is gone, as when a server has been started anew."""
    Handler.write_body(handler, handler.parts)
    handler.server.contexts.clear()


def hurried(handler: FaultyHandler) -> None:
    """The answer comes, and the server counts on: the client's sequence is of no more use."""
    Handler.write_body(handler, handler.parts)
    for context in handler.server.contexts.values():
        context.sequence = "another"


def closing(handler: FaultyHandler) -> None:
    """The answer comes, and then the server closes the idle connection; the context lives on."""
    Handler.write_body(handler, handler.parts)
    handler.close_connection = True


#: Tricks that are played before the request is executed; the others are, with its answer in hand.
BEFORE = {busy, unauthorized, reset, stall}
