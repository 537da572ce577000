"""What systemd hears of a run, at a socket of the test's own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanout.progress import Going, Silent
from fanout.systemd import INTERVAL, Notified, Notifier
from tests.test_cli import ENVIRONMENT

README = (Path(__file__).parent.parent / "README.md").read_text()


class FakeSystemd:
    """Hears datagrams at a path."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)

    def heard(self) -> list[str]:
        """Every datagram so far, in order."""
        told = []
        while True:
            try:
                told.append(self._socket.recv(4096, socket.MSG_DONTWAIT).decode())
            except BlockingIOError:
                return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[FakeSystemd]:
    fake = FakeSystemd(tmp_path / "notify")
    yield fake
    fake.close()


def test_the_service_is_ready_when_the_run_is_first_looked_at_and_says_where_it_stands(systemd: FakeSystemd) -> None:
    progress = Notified(Silent(), Notifier(systemd.address, None))
    for now, settled in ((100.0, 0), (101.0, 50), (100.0 + INTERVAL, 100), (100.0 + 2 * INTERVAL, 200)):
        progress.show(now, settled, 1, 1000)

    assert systemd.heard() == [
        "READY=1\nSTATUS=0 of 1,000 mailboxes, 1 failed",
        "STATUS=100 of 1,000 mailboxes, 1 failed, 20 a second, 45 s left",
        "STATUS=200 of 1,000 mailboxes, 1 failed, 20 a second, 40 s left",
    ]


def test_the_service_says_that_its_run_is_paused_or_ends(systemd: FakeSystemd) -> None:
    progress = Notified(Silent(), Notifier(systemd.address, None))
    for now, how in ((100.0, Going.PAUSED), (100.0 + INTERVAL, Going.ENDING), (100.0 + 2 * INTERVAL, Going.ENDING)):
        progress.show(now, 0, 0, 1000)
        progress.goes(how)

    assert systemd.heard()[1:] == [
        "STATUS=0 of 1,000 mailboxes, 0 failed, paused",
        "STATUS=0 of 1,000 mailboxes, 0 failed, ending",
    ]


def test_a_watched_service_says_that_it_is_alive_after_half_the_time_that_it_has(systemd: FakeSystemd) -> None:
    progress = Notified(Silent(), Notifier(systemd.address, 4.0))
    for tenth in range(41):
        progress.show(tenth / 10, 0, 0, 1000)

    assert systemd.heard().count("WATCHDOG=1") == 2


def test_a_service_that_drains_is_stopping(systemd: FakeSystemd) -> None:
    Notified(Silent(), Notifier(systemd.address, None)).draining()

    assert systemd.heard() == ["STOPPING=1\nSTATUS=interrupted: the mailboxes under way are finished"]


def test_where_nobody_hears_nothing_happens(tmp_path: Path) -> None:
    with Notifier(str(tmp_path / "nobody"), None) as notifier:
        notifier.tell("READY=1")

    assert list(tmp_path.iterdir()) == []


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0fanout-test-" + str(os.getpid()))
        Notifier(f"@fanout-test-{os.getpid()}", None).tell("READY=1")

        assert end.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "patience"),
    [
        ({"NOTIFY_SOCKET": "/run/n"}, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}, 30.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_environment_says_how_long_a_service_may_be_silent_and_says_it_to_nobody_else(
    environment: dict[str, str], patience: float | None
) -> None:
    notifier = Notifier.of_environment(environment)

    assert notifier.has_listener
    assert notifier.patience == patience
    assert environment == {}


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_socket_that_can_be_reached_nothing_is_told(environment: dict[str, str]) -> None:
    notifier = Notifier.of_environment(environment)
    notifier.tell("READY=1")

    assert not notifier.has_listener


def served(systemd: FakeSystemd, folder: Path, *more: str, server: str = "null:20") -> list[str]:
    """What systemd hears of a service that starts a run, or goes on with it."""
    words = ["run", "logon", "--server", server, "-w", "1", "--run-file", "r.fanout", "--continue", *more]
    environment = {**ENVIRONMENT, "NOTIFY_SOCKET": systemd.address}
    subprocess.run([sys.executable, "-m", "fanout", *words], cwd=folder, env=environment, check=False)
    return systemd.heard()


@pytest.mark.spawns
def test_a_run_tells_systemd_that_it_is_ready_and_that_it_stops_and_was_ready_where_nothing_is_left_to_do(
    systemd: FakeSystemd, tmp_path: Path
) -> None:
    first, *_, last = served(systemd, tmp_path)

    assert first.startswith("READY=1\n")
    assert last == "STOPPING=1"
    assert served(systemd, tmp_path) == ["READY=1\nSTATUS=nothing is left to do"]


@pytest.mark.spawns
def test_a_resumed_run_counts_what_had_failed_before(systemd: FakeSystemd, tmp_path: Path) -> None:
    server = "sim:8?missing=u00000000@sim.example"
    served(systemd, tmp_path, "--chunk-size", "1", "--max-failures", "0", server=server)

    ready, *_ = served(systemd, tmp_path, "--chunk-size", "1", server=server)

    assert re.fullmatch(r"READY=1\nSTATUS=[1-7] of 8 mailboxes, 1 failed", ready)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="takes systemd-analyze")
def test_the_unit_and_the_timer_of_the_readme_are_right(tmp_path: Path) -> None:
    units = re.findall(r"^# /etc/systemd/system/(\S+)\n(.*?)(?=^```$|^# /etc)", README, re.MULTILINE | re.DOTALL)
    for name, text in units:
        (tmp_path / name).write_text(
            text.replace("/usr/local/bin/census", shutil.which("true") or "").replace("User=fanout", "User=root")
        )

    said = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name, _ in units)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert [name for name, _ in units] == ["census.service", "census.timer"]
    assert [line for line in said.stderr.splitlines() if "census" in line] == []
