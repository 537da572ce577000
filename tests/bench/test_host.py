from __future__ import annotations

from datetime import UTC, datetime

from fanout.bench.host import Host, Moment


def test_this_machine_is_told_in_a_line() -> None:
    host = Host.here()

    assert host.in_words().startswith(f"{host.cores} cores of {host.cpu}")
    assert host.in_words().endswith(f", {host.system} {host.kernel}, Python {host.python}")


def test_a_share_of_the_cores_is_told_with_them() -> None:
    host = Host("Some Chip", 4, 1.5, 2**30, "Linux", "6.1", "3.11.7")

    assert host.in_words() == "4 cores of Some Chip, of which the control group allows 1.5, Linux 6.1, Python 3.11.7"


def test_a_moment_has_its_zone() -> None:
    assert datetime.fromisoformat(Moment.now().at).tzinfo == UTC
