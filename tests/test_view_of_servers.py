"""Where a run over several servers stands, as people watch it: each server, and of which one a worker is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fanout import facts, watcher
from fanout.by_server import OnServer
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.estimate import Estimate
from fanout.lives import Standing
from fanout.observer import Observer
from fanout.outcomes import failure_line
from fanout.overview import Overview, Place, Trouble, servers_that_fit
from fanout.roster import Leg, Roster
from fanout.runfile import RunFile
from fanout.watcher import Watcher
from tests.fakes import STAMP, FakeClock
from tests.test_drawing import MIB, drawn
from workers.causes import Cause
from workers.messages import Error, Found, ModuleJob

SERVERS = ("sim:60", "imaps://mail.example.com?login={owner}*{user}", "imaps://down.example.com")

VIEW = Overview(
    "census",
    "3 servers",
    1060,
    64,
    1,
    3,
    estimate=Estimate(12.0, 83.0, 80.0, 90.0),
    rates=[1.0, 4.0, 8.0],
    workers=[
        Place(0, 4711, "ready", 1, 43 * MIB, "u00000023@sim.example", 2.0, SERVERS[0]),
        Place(1, None, "starting", 0, 0, None, None, SERVERS[1]),
    ],
    failures=[Trouble("anna@example.com", "missing", "no such mailbox", SERVERS[1])],
    servers=[OnServer(SERVERS[0], 60, 24), OnServer(SERVERS[1], 1000, 40, 1), OnServer(SERVERS[2], None)],
)


# --- drawn -------------------------------------------------------------------------------------------------------------


def test_each_server_has_a_line_and_workers_and_failures_name_it_by_its_number() -> None:
    assert drawn(VIEW, 80) == [
        "census of 3 servers",
        "━" * 4 + "━" + "─" * 69 + "   6 %",
        "64 done   1 failed   3 retried   of 1,060",
        "12 a second ▂▅█   83 s left (80 to 90 s)",
        "",
        "server  done  failed       of",
        "1         24       0       60  sim:60",
        "2         40       1    1,000  imaps://mail.example.com?login={owner}*{user}",
        "3                     unknown  imaps://down.example.com",
        "",
        "worker  server   pid  open  memory  for  mailbox",
        "1       1       4711     1  43 MiB  2 s  u00000023@sim.example",
        "2       2                0               starting",
        "",
        "failed last       server  cause    message",
        "anna@example.com  2       missing  no such mailbox",
    ]


def test_of_more_servers_than_fit_the_others_are_summed_up_and_workers_have_room_left() -> None:
    servers = [OnServer(f"sim:{number}", 100 + number, 10, 1) for number in range(12)]
    workers = [Place(n, 5000 + n, "ready", 1, 10 * MIB, f"user-{n}", float(n), f"sim:{n % 12}") for n in range(24)]

    lines = drawn(msgspec.structs.replace(VIEW, servers=servers, workers=workers), 80, 24)

    assert len(lines) == 24
    assert lines[5:11] == [
        "server  done  failed   of",
        "1         10       1  100  sim:0",
        "2         10       1  101  sim:1",
        "3         10       1  102  sim:2",
        "4         10       1  103  sim:3",
        "          80       8  860  and 8 more",
    ]
    assert lines[19:21] == [
        "7       7       5006     1  10 MiB  6 s  user-6",
        "and 17 more: 17 open, 170 MiB, the longest for 23 s at user-23 on server 12",
    ]


def test_a_terminal_of_a_few_lines_has_no_line_for_each_server() -> None:
    assert not any("sim:60" in line for line in drawn(VIEW, 80, 9))


def test_a_run_of_which_no_server_is_listed_yet_has_done_nothing_of_nothing() -> None:
    view = Overview("census", "2 servers", 0, 0, 0, 0, servers=[OnServer("a", None), OnServer("b", None)])

    assert drawn(view, 40)[1:3] == ["─" * 34 + "   0 %", "0 done   0 failed   0 retried   of 0"]


def test_servers_of_which_nothing_is_known_are_no_mailboxes_when_they_are_summed_up() -> None:
    servers = [OnServer("a", 5, 2, 1), OnServer("b", None), OnServer("c", 7, 3)]

    assert servers_that_fit(servers, 3) == (servers, None)
    assert servers_that_fit(servers, 2) == (servers[:1], OnServer("and 2 more", 7, 3))
    assert servers_that_fit(servers[1:2] * 2, 1) == ([], OnServer("and 2 more", None))


# --- observed ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    """A run over three servers that is worked on. The third is not listed."""
    names = [f"user-{number}" for number in range(100)]
    legs = (Leg(SERVERS[0], 0, 60, ""), Leg(SERVERS[1], 60, 40, ""))
    roster = Roster(100, "a test", lambda _: names, numbered=False, legs=legs, unlisted=SERVERS[2:])
    mailboxes = Mailboxes(SERVERS[0], others=SERVERS[1:])
    with RunFile.create(tmp_path / "r.fanout") as file:
        file.add_names(names)
        facts.begin(file, facts.Intent(mailboxes, Workforce(1), Task(ModuleJob("workers.jobs.logon", "logon"))), roster)
        file.keep(Found(1, 0, 10, b"{}\n" * 10, b"0"), 1, STAMP)
        error = Error("E", "no", Cause.JOB)
        file.settle(60, failure_line("user-60", error, 1, 0.5, SERVERS[1]), STAMP)
        seen = Standing(0, 1, 4711, "ready", 1, 2**24, 17, STAMP.at - 5, STAMP.at)
        file.muster([], [seen, Standing(4, 2, None, "starting", 0, 0, None, None, STAMP.at)])
        file.commit()
        yield file


def roster_of(file: RunFile) -> Roster:
    return Roster(100, "a test", file.names, numbered=False)


def test_a_look_tells_where_each_server_stands_and_of_which_a_worker_and_a_failure_are(file: RunFile) -> None:
    overview = Observer(file.facts()).look(file, roster_of(file), STAMP.at, file.counts())

    assert (overview.server, overview.count, overview.capacity) == ("3 servers", 100, None)
    assert overview.servers == [
        OnServer(SERVERS[0], 60, 10),
        OnServer(SERVERS[1], 40, 0, 1),
        OnServer(SERVERS[2], None),
    ]
    assert [(place.number, place.mailbox, place.server) for place in overview.workers] == [
        (0, "user-17", SERVERS[0]),
        (4, None, SERVERS[1]),
    ]
    assert [(trouble.mailbox, trouble.server) for trouble in overview.failures] == [("user-60", SERVERS[1])]


def test_a_server_that_joins_the_run_while_it_is_watched_is_counted(file: RunFile) -> None:
    observer = Observer(file.facts())
    file.tell(legs=[*file.facts()["legs"], msgspec.to_builtins(Leg(SERVERS[2], 100, 900, ""))], unlisted=[])
    overview = observer.look(file, roster_of(file), STAMP.at, file.counts())

    assert (overview.count, overview.servers[2]) == (1000, OnServer(SERVERS[2], 900))


def test_a_watch_without_a_terminal_begins_with_a_line_for_each_server(
    file: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_now", FakeClock(STAMP.at))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 4:
            file.close()

    Watcher(file.path).tell(say)

    assert said == [
        f"server    {SERVERS[0]}: 10 done, 0 failed, of 60",
        f"server    {SERVERS[1]}: 0 done, 1 failed, of 40",
        f"server    {SERVERS[2]}: not listed yet, its mailboxes are not known",
        "10 done, 1 failed, of 100",
    ]
