"""The transport that counts: a beat for each round trip, and silence in a fork."""

from __future__ import annotations

import pytest

from tests.fakes import empty_slot
from workers.mapi.counting import CountingTransport
from workers.mapi.transport import ConnectionLost, RpcError
from workers.slots import BEATS


class Echo:
    """Answers what it is sent, and notes the calls."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def connect(self, user_dn: str) -> int:
        self.calls.append(user_dn)
        return 7

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        self.calls.append((context, rop_buffer))
        if rop_buffer == b"refused":
            raise RpcError(0x480)
        return rop_buffer

    def disconnect(self, context: int) -> None:
        self.calls.append(context)


def test_every_round_trip_is_a_beat_also_one_that_is_refused() -> None:
    slot, echo = empty_slot(), Echo()
    transport = CountingTransport(echo, slot)

    assert (transport.connect("anna"), transport.execute(7, b"rops")) == (7, b"rops")
    with pytest.raises(RpcError):
        transport.execute(7, b"refused")
    transport.disconnect(7)

    assert slot[BEATS] == 4
    assert echo.calls == ["anna", (7, b"rops"), (7, b"refused"), 7]


def test_the_count_begins_anew_behind_the_last_number_that_fits() -> None:
    slot = empty_slot()
    slot[BEATS] = 2**64 - 1

    CountingTransport(Echo(), slot).execute(7, b"")

    assert slot[BEATS] == 0


def test_what_has_lost_its_slot_reaches_no_server() -> None:
    slot, echo = empty_slot(), Echo()
    transport = CountingTransport(echo, slot)
    slot.release()

    with pytest.raises(ConnectionLost, match="fork"):
        transport.connect("anna")
    with pytest.raises(ConnectionLost, match="fork"):
        transport.execute(7, b"rops")
    transport.disconnect(7)

    assert echo.calls == []
