from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Event, Thread

import pytest

from tests.simulated.wire import ACCOUNT, Pauses, Wire, contents, listing, logon, pauses_of, server_of
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.rops import GetPropertiesSpecificRequest, OpenFolderRequest, ReleaseRequest
from workers.mapi.transport import ConnectionLost, Directory, RpcError, Transport
from workers.simulated.server import MOST_MAILBOX_ROWS, pause, simulated_server
from workers.simulated.stores import INBOX, mailbox_dn


def test_the_server_is_a_transport_and_a_directory() -> None:
    server = simulated_server("sim:3")
    transport: Transport = server
    directory: Directory = server

    assert transport.connect(ACCOUNT)
    assert len(directory.mailbox_rows(0, 10)) == 3


def test_round_trips_and_connections_are_counted() -> None:
    server = server_of("sim:3")
    first, _second = Wire(server), Wire(server)
    first.folders()

    assert (server.connections, server.round_trips) == (2, 2)


def test_a_context_that_was_given_up_is_gone_with_all_that_was_open_in_it() -> None:
    wire = Wire(server_of("sim:3"))
    wire.log_on()
    wire.server.disconnect(wire.context)
    wire.server.disconnect(wire.context)

    with pytest.raises(ConnectionLost):
        wire.log_on()


def test_an_account_has_so_many_contexts_and_no_more() -> None:
    server = server_of("sim:3?sessions=2")
    first = server.connect(ACCOUNT)
    server.connect(ACCOUNT)
    with pytest.raises(RpcError) as caught:
        server.connect(ACCOUNT.upper())
    server.connect("/o=sim/cn=somebody else")
    server.disconnect(first)

    assert caught.value.code == 0x80040112
    assert server.connect(ACCOUNT) not in (0, first)


def test_beyond_the_limit_no_object_is_opened() -> None:
    wire = Wire(server_of("sim:9?objects=3"))
    handle = wire.log_on(0, 0)
    second = wire.log_on(1, 1)
    opens = [OpenFolderRequest(0, 0, place, wire.top(), 0) for place in (1, 2)]

    assert wire.codes(opens, [handle, NO_HANDLE, NO_HANDLE]) == [0, 0]
    responses, handles = wire(listing(wire.top(1), logon_id=1), [second, NO_HANDLE, NO_HANDLE])
    assert [response.return_value for response in responses] == [0, 0x4DE, 0x4B9, 0x4B9]
    assert handles[2] == NO_HANDLE
    assert wire.codes([logon(wire.server, 2, 2)], [NO_HANDLE]) == [0], "logons are not counted"
    assert wire.server.open_objects(wire.context) == 3 + 3


def test_a_released_object_makes_room_for_another() -> None:
    wire = Wire(server_of("sim:9?objects=1"))
    handle = wire.log_on()
    open_top = OpenFolderRequest(0, 0, 1, wire.top(), 0)
    _, opened = wire([open_top], [handle, NO_HANDLE])

    assert wire.codes([ReleaseRequest(0, 1), open_top], opened) == [0]


def test_each_round_trip_takes_the_latency_and_a_connection_its_own_cost_beside() -> None:
    wire = Wire(server_of("sim:3?latency=2ms&connect=50ms"))
    wire.folders()

    assert pauses_of(wire.server) == pytest.approx([0.052, 0.002, 0.002])


def test_without_latency_nobody_waits() -> None:
    wire = Wire(server_of("sim:3"))
    wire.folders()

    assert set(pauses_of(wire.server)) == {0.0}


def test_random_latencies_follow_from_the_seed() -> None:
    def waited(seed: int) -> Pauses:
        server = server_of(f"sim:3?latency=lognormal(2ms,1)&seed={seed}")
        for _ in range(2):
            Wire(server).folders()
        return pauses_of(server)

    assert waited(1) == waited(1) != waited(2)
    assert len(set(waited(1))) == 6


def test_round_trips_of_one_context_are_serial() -> None:
    under_way: list[float] = []
    most = [0]

    def count_those_under_way(seconds: float) -> None:
        under_way.append(seconds)
        most.append(len(under_way))
        os.sched_yield()
        under_way.pop()

    wire = Wire(simulated_server("sim:300?latency=2ms", count_those_under_way))
    threads = [Thread(target=wire.log_on, args=(ordinal, ordinal)) for ordinal in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert max(most) == 1
    assert wire.server.open_objects(wire.context) == wire.server.round_trips == 20


def test_contexts_do_not_wait_for_each_other() -> None:
    arrived, go_on = Event(), Event()

    def hold_the_first(seconds: float) -> None:
        if seconds and not arrived.is_set():
            arrived.set()
            go_on.wait(10)

    server = simulated_server("sim:3?slow=u00000000@sim.example", hold_the_first)
    slow, other = Wire(server), Wire(server)
    held = Thread(target=slow.log_on)
    held.start()
    assert arrived.wait(10)

    assert len(other.folders(1)) == 11
    assert held.is_alive()
    go_on.set()
    held.join(10)
    assert server.open_objects(slow.context) == 1


def test_the_mailbox_table_comes_in_pages_and_ends_with_an_empty_one() -> None:
    server = server_of("sim:7")
    pages = [server.mailbox_rows(offset, 3) for offset in (0, 3, 6, 7, 100)]

    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [3, 3, 1, 0, 0]
    assert [row.mailbox_dn for row in rows] == [mailbox_dn(f"u0000000{i}@sim.example") for i in range(7)]


def test_a_row_of_the_mailbox_table_tells_what_the_mailbox_holds() -> None:
    wire = Wire(server_of("sim:7"))
    [row] = wire.server.mailbox_rows(4, 1)
    folders = wire.folders(4)

    assert row.content_count == sum(folder[2] for folder in folders)
    assert row.size == sum(folder[4] for folder in folders)
    assert row.display_name == wire.server.population.mailbox(4).display_name
    assert row.last_logon is not None


def test_a_page_of_the_mailbox_table_has_65536_rows_at_most() -> None:
    server = server_of("sim:70000?folders=1&messages=0")

    assert len(server.mailbox_rows(0, 100_000)) == MOST_MAILBOX_ROWS == 65_536


def test_the_last_of_ten_million_mailboxes_is_listed_and_opened_like_any_other() -> None:
    wire = Wire(server_of("sim:10000000"))
    [row] = wire.server.mailbox_rows(9_999_999, 10)

    assert row.mailbox_dn.endswith("u09999999@sim.example")
    assert len(wire.folders(9_999_999)) == 11


def test_replies_are_the_same_whoever_executes_and_whenever() -> None:
    def replies() -> list[object]:
        wire = Wire(server_of("sim:50?seed=3"))
        owner = GetPropertiesSpecificRequest(0, 0, 0, 1, (props.PR_MAILBOX_OWNER_NAME_W,))
        handle = wire.log_on(20)
        requests = [*listing(wire.top(20)), *contents(wire.folder_id(INBOX, 20)), owner]
        return [wire([logon(wire.server, 20, 1)], [NO_HANDLE]), wire(requests, [handle, NO_HANDLE, NO_HANDLE])]

    assert replies() == replies()


def test_a_pause_of_no_time_returns_at_once() -> None:
    assert pause(0) is None  # type: ignore[func-returns-value]  # that it returns is the point


@pytest.mark.spawns
def test_a_pause_without_end_ends_with_a_signal() -> None:
    code = "import math; from workers.simulated.server import pause; print('waits', flush=True); pause(math.inf)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"waits\n"
        os.kill(child.pid, signal.SIGTERM)

        assert child.wait(10) == -signal.SIGTERM
