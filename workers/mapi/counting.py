"""A transport that counts: each round trip is a beat in the worker's slot, where the parent sees that there is progress.

The beat comes before the round trip. So a process that a job forked, whose slot is released, sends nothing on the
worker's connection: two that speak on one would break it for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.mapi.transport import ConnectionLost
from workers.slots import BEATS

if TYPE_CHECKING:
    from workers.mapi.transport import Transport
    from workers.slots import Slot

#: What keeps a count within the eight bytes of an element.
_MODULO = 2**64 - 1


class CountingTransport:
    """The transport given, with a beat for each call that goes to the server."""

    __slots__ = ("_execute", "_slot", "_transport")

    def __init__(self, transport: Transport, slot: Slot) -> None:
        self._transport = transport
        self._execute = transport.execute
        self._slot = slot

    def connect(self, user_dn: str) -> int:
        beat(self._slot)
        return self._transport.connect(user_dn)

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        slot = self._slot
        try:
            slot[BEATS] = (slot[BEATS] + 1) & _MODULO  # `beat`, without the call, which would cost as much again
        except ValueError as error:
            raise _not_ours() from error
        return self._execute(context, rop_buffer)

    def disconnect(self, context: int) -> None:
        try:
            beat(self._slot)
        except ConnectionLost:  # it is the worker's to end
            return
        self._transport.disconnect(context)


def beat(slot: Slot) -> None:
    """Say that a round trip is about to be made. Raises ConnectionLost in a process that a job forked."""
    try:
        slot[BEATS] = (slot[BEATS] + 1) & _MODULO
    except ValueError as error:
        raise _not_ours() from error


def _not_ours() -> ConnectionLost:
    return ConnectionLost("this process is a fork of the worker: the session is not its own")
