from __future__ import annotations

import math

import pytest

from tests.simulated.wire import Wire, listing, logon, pauses_of, server_of
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.rops import GetPropertiesSpecificRequest, ReleaseRequest
from workers.mapi.transport import ConnectionLost
from workers.simulated.faults import FaultPlan, Tally
from workers.simulated.options import Fault, parse_options
from workers.urls import ServerUrlError

FIRST, SECOND = "u00000000@sim.example", "u00000001@sim.example"

UNKNOWN_USER, SERVER_BUSY, ACCESS_DENIED, NOT_FOUND = 0x3EB, 0x480, 0x80070005, 0x8004010F


def log_on_twice(wire: Wire, ordinal: int = 0) -> list[int]:
    return [wire.codes([logon(wire.server, ordinal)], [NO_HANDLE])[0] for _ in range(2)]


def chosen(url: str, fault: Fault, count: int = 3000) -> set[int]:
    plan = FaultPlan(parse_options(url))
    return {ordinal for ordinal in range(count) if plan.has(fault, f"u{ordinal:08}@sim.example")}


def test_a_fraction_chooses_about_so_many_mailboxes() -> None:
    assert 60 < len(chosen("sim:3000?missing=3%", Fault.MISSING)) < 120
    assert len(chosen("sim:3000?missing=100%", Fault.MISSING)) == 3000
    assert chosen("sim:3000?missing=0", Fault.MISSING) == set()


def test_the_same_mailboxes_are_chosen_everywhere_and_others_for_another_fault_or_seed() -> None:
    missing = chosen("sim:300?missing=1%&seed=7", Fault.MISSING, 1000)

    assert missing == {105, 155, 261, 306, 329, 535, 845, 967, 987}
    assert missing != chosen("sim:300?missing=1%&seed=8", Fault.MISSING, 1000)
    assert missing != chosen("sim:300?denied=1%&seed=7", Fault.DENIED, 1000)


def test_a_larger_fraction_only_adds_mailboxes() -> None:
    assert chosen("sim:9?slow=1%", Fault.SLOW) < chosen("sim:9?slow=5%", Fault.SLOW)


def test_a_list_chooses_those_it_names_in_any_letter_case() -> None:
    assert chosen(f"sim:9?hang={FIRST.upper()},{SECOND}", Fault.HANG) == {0, 1}


def test_a_name_that_is_not_in_the_population_is_a_mistake_in_the_url() -> None:
    with pytest.raises(ServerUrlError, match="missing=bob: there is no such mailbox; one is called u00000000@"):
        server_of(f"sim:9?missing={FIRST},bob")


def test_a_missing_mailbox_is_listed_and_unknown_at_logon() -> None:
    wire = Wire(server_of(f"sim:2?missing={FIRST}"))

    assert len(wire.server.mailbox_rows(0, 10)) == 2
    assert log_on_twice(wire) == [UNKNOWN_USER, UNKNOWN_USER]
    assert log_on_twice(wire, 1) == [0, 0]


def test_a_denied_mailbox_is_refused_at_logon() -> None:
    wire = Wire(server_of(f"sim:2?denied={FIRST}"))

    assert log_on_twice(wire) == [ACCESS_DENIED, ACCESS_DENIED]


def test_as_recorded_a_denied_mailbox_opens_without_the_owners_right_and_shows_nothing() -> None:
    wire = Wire(server_of(f"sim:2?denied={FIRST}&deny=folders"))

    [response], [handle] = wire([logon(wire.server)], [NO_HANDLE])
    codes = wire.codes(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])

    assert response.return_value == 0
    assert not response.response_flags & 0x02
    assert codes == [NOT_FOUND, 0x4B9, 0x4B9, 0x4B9]


@pytest.mark.parametrize(("backoff", "codes"), [(0, [0, 0]), (1, [SERVER_BUSY, 0]), (2, [SERVER_BUSY] * 2)])
def test_a_busy_mailbox_refuses_its_first_logons(backoff: int, codes: list[int]) -> None:
    wire = Wire(server_of(f"sim:2?busy={FIRST}&backoff={backoff}"))

    assert log_on_twice(wire) == codes


def test_the_logon_of_a_mailbox_that_hangs_waits_for_ever() -> None:
    wire = Wire(server_of(f"sim:2?hang={FIRST}"))
    wire.log_on(1)
    assert math.inf not in pauses_of(wire.server)
    wire.log_on(0)

    assert math.inf in pauses_of(wire.server)


def test_a_slow_mailbox_takes_twenty_times_the_latency() -> None:
    wire = Wire(server_of(f"sim:2?slow={FIRST}&latency=20ms"))
    handle = wire.log_on(0)
    wire(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])

    _connect, *trips = pauses_of(wire.server)
    assert trips == pytest.approx([0.02, 0.38, 0.02, 0.38])


def test_a_slow_mailbox_takes_100_ms_at_least_and_slows_nobody_else_down() -> None:
    wire = Wire(server_of(f"sim:2?slow={FIRST}"))
    wire.log_on(0)
    handle = wire.log_on(1)
    wire([ReleaseRequest(0, 0), logon(wire.server, 1, 0, 1)], [handle, NO_HANDLE])

    assert [seconds for seconds in pauses_of(wire.server) if seconds] == [0.1]


def test_a_connection_is_cut_once_at_the_first_round_trip_after_the_logon() -> None:
    server = server_of(f"sim:3?drop={FIRST}")
    wire = Wire(server)
    bystander, handle = wire.log_on(1, 1), wire.log_on(0)
    owner = GetPropertiesSpecificRequest(1, 0, 0, 1, (props.PR_MAILBOX_OWNER_NAME_W,))
    wire([owner], [bystander])

    with pytest.raises(ConnectionLost, match=FIRST):
        wire(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])
    with pytest.raises(ConnectionLost):
        wire([owner], [bystander])
    again = Wire(server)
    assert again.codes([owner], [bystander]) == [0x4B9], "all logons went with the connection"
    assert len(again.folders(0)) == 11
    assert len(again.folders(0)) == 11


def test_what_was_counted_is_remembered_for_the_latest_mailboxes_only() -> None:
    tally = Tally()
    counts = [tally.count("a"), tally.count("a"), *(tally.count(f"m{i}") for i in range(4096)), tally.count("a")]

    assert counts[:2] == [1, 2]
    assert counts[-1] == 1
