"""The transport of a real server: session contexts over HTTP, each with a connection of its own ([MS-OXCMAPIHTTP] 3.1)."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from workers.mapi.hresults import HResult
from workers.mapi.http.bodies import DISCONNECT, ConnectRequest, ConnectResponse, ExecuteRequest, ExecuteResponse
from workers.mapi.http.channel import Channel
from workers.mapi.http.frames import unwrap, wrap
from workers.mapi.transport import ConnectionLost, RpcError
from workers.mapi.wire import CodecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.mapi.http.endpoint import Endpoint

#: Of the time that an idle context lives, what may pass before it is kept alive.
_EARLY = 0.5


class _Context:
    """A session context: one request at a time."""

    def __init__(self, channel: Channel, now: float) -> None:
        self.channel = channel
        self.lock = threading.Lock()
        #: When it was last heard of.
        self.used = now


class HttpTransport:
    """Session contexts on one server. Threads may use it at the same time, each a context of its own."""

    def __init__(
        self, endpoint: Endpoint, own_dn: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`own_dn` tells the DN of the account, once somebody connects. It raises what `connect` raises."""
        self._endpoint = endpoint
        self._own_dn = own_dn
        self._clock = clock
        self._flags = {"flags": 0} if endpoint.compress else {}
        self._contexts: dict[int, _Context] = {}
        self._made = 0
        self._lock = threading.Lock()  # of the contexts' numbers, never held while a request is under way
        self._keeper: threading.Thread | None = None

    def connect(self, user_dn: str) -> int:
        """Make a session context for the account; an empty `user_dn` asks the server which one that is.

        Raises RpcError, ConnectionLost.
        """
        user_dn = user_dn or self._own_dn()
        channel = Channel(self._endpoint.client(), self._endpoint.emsmdb)
        try:
            ConnectResponse.decode(channel.ask("Connect", ConnectRequest(user_dn).encode()))
        except CodecError as error:
            channel.close()
            raise ConnectionLost(f"Connect: {error}") from error
        except BaseException:
            channel.close()
            raise
        with self._lock:
            self._made += 1
            self._contexts[self._made] = _Context(channel, self._clock())
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, daemon=True)
                self._keeper.start()
            return self._made

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        """Raises RpcError, ConnectionLost; CodecError for an answer that can't be read."""
        found = self._contexts.get(context)
        if found is None:
            raise ConnectionLost(f"there is no session context {context}")
        compress = self._endpoint.compress
        request = ExecuteRequest(wrap(rop_buffer, compress=compress, obfuscate=compress), **self._flags)
        with found.lock:
            try:
                body = found.channel.ask("Execute", request.encode())
            except ConnectionLost:
                self._drop(context)
                raise
            except RpcError as refusal:
                if refusal.code != HResult.MAPI_E_LOGON_FAILED:
                    raise
                self._drop(context)  # not the mailbox's trouble: a new Connect shows whether it is the account's
                raise ConnectionLost(refusal.said) from refusal
            found.used = self._clock()
        return unwrap(ExecuteResponse.decode(body).rop_buffer)

    def disconnect(self, context: int) -> None:
        """Give the context up. What the server says to that changes nothing."""
        found = self._drop(context, close=False)
        if found is not None:
            with found.lock, suppress(ConnectionLost, RpcError):
                found.channel.ask("Disconnect", DISCONNECT)
            found.channel.close()

    def keep_alive(self) -> float:
        """PING every context that has been idle for half of its life; seconds until one may have to be again.

        One that is lost all the same is found so by its next request.
        """
        now, wait = self._clock(), 60.0
        for found in [*self._contexts.values()]:
            due = found.used + found.channel.expires * _EARLY
            if due > now:
                wait = min(wait, due - now)
            elif found.lock.acquire(blocking=False):  # else it is not idle
                try:
                    with suppress(ConnectionLost, RpcError):
                        found.channel.ping()
                    found.used = now
                finally:
                    found.lock.release()
        return wait

    def _keep(self) -> None:
        pause = threading.Event()  # which nobody sets: the thread ends with the process
        while True:
            pause.wait(self.keep_alive())

    def _drop(self, context: int, *, close: bool = True) -> _Context | None:
        with self._lock:
            found = self._contexts.pop(context, None)
        if found is not None and close:
            found.channel.close()
        return found
