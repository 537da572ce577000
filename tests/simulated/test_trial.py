"""A trial of the simulated server: round trips are counted, and faults, limits and long waits are not met."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.simulated.options import Delay, parse_options
from workers.simulated.trial import MAILBOXES, TIMES, try_out


def test_a_census_takes_two_round_trips_and_one_more_where_each_mailbox_has_a_connection() -> None:
    options = parse_options("sim:2000?folders=3")

    assert try_out(options, separate_connections=False).trips == 2
    assert try_out(options, separate_connections=True).trips == 3


def test_faults_and_long_latencies_are_not_met() -> None:
    options = parse_options("sim:50?latency=100s&connect=100s&hang=1&busy=1&sessions=1&objects=1")

    found = try_out(options, separate_connections=False)

    assert found.mailboxes == MAILBOXES * TIMES
    assert 0 < found.cpu < 1


def test_who_never_waits_is_never_late() -> None:
    assert try_out(parse_options("sim:5"), separate_connections=False).late == 0


def test_a_directory_that_is_not_there_can_not_be_tried(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nowhere"):
        try_out(parse_options(f"sim:{tmp_path}/nowhere"), separate_connections=False)


def test_what_a_delay_comes_to_on_average_is_more_than_its_median() -> None:
    assert Delay(2.0).mean == 2.0
    assert Delay(2.0, 1.0).mean == pytest.approx(2.0 * 1.6487, rel=1e-3)
