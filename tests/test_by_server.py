"""What a run came to on each of its servers, and which worker is of which."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import fanout as package
from fanout import facts, gathering
from fanout.by_server import OnServer, by_server
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import UsageError
from fanout.events import Begun, StartWorker
from fanout.lives import server_of
from fanout.outcomes import failure_line
from fanout.roster import Leg, Roster
from fanout.runfile import RunFile
from tests.fakes import STAMP
from tests.test_cli import fanout
from tests.test_legs import legs_of
from workers.causes import Cause
from workers.messages import Error, Found, ModuleJob

SERVERS = ("sim:a", "sim:b", "sim:c")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    """A run over three servers, of which the second could not be listed."""
    legs = (Leg("sim:a", 0, 5, ""), Leg("sim:c", 5, 3, ""))
    roster = Roster(8, "a test", lambda _: [], numbered=False, legs=legs, unlisted=("sim:b",))
    mailboxes = Mailboxes(SERVERS[0], others=SERVERS[1:])
    with RunFile.create(tmp_path / "r.fanout") as file:
        facts.begin(file, facts.Intent(mailboxes, Workforce(2), Task(ModuleJob("workers.jobs.logon", "logon"))), roster)
        yield file


def test_each_server_has_counts_of_its_own_in_the_order_in_which_they_were_named(file: RunFile) -> None:
    file.keep(Found(1, 0, 4, b"{}\n" * 4, b"0"), 1, STAMP)
    file.settle(5, failure_line("anna", Error("E", "no", Cause.JOB), 1, 0.5), STAMP)

    found = by_server(file)

    assert found == [OnServer("sim:a", 5, 4), OnServer("sim:b", None), OnServer("sim:c", 3, 0, 1)]


def test_a_server_that_joins_later_is_counted_from_then_on(file: RunFile) -> None:
    file.tell(legs=[*file.facts()["legs"], msgspec.to_builtins(Leg("sim:b", 8, 7, ""))], unlisted=[])

    assert by_server(file) == [OnServer("sim:a", 5), OnServer("sim:b", 7), OnServer("sim:c", 3)]


def test_a_run_over_one_server_has_no_counts_of_each(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "r.fanout") as file:
        roster = Roster(8, "a test", lambda _: [], numbered=True)
        task = Task(ModuleJob("workers.jobs.logon", "logon"))
        facts.begin(file, facts.Intent(Mailboxes("null:8"), Workforce(2), task), roster)

        assert by_server(file) == []


def test_which_worker_is_of_which_server_is_as_the_legs_number_them() -> None:
    started = [
        each for each in legs_of(9, 9, 9, workers=4, size=1).handle(Begun(), 0.0) if isinstance(each, StartWorker)
    ]

    assert [server_of(each.worker, SERVERS) for each in started] == [SERVERS[each.server] for each in started]
    assert len(started) == 12
    assert server_of(7, SERVERS[:1]) is None


def test_a_list_of_runs_says_how_many_servers_there_are_rather_than_all_of_them(file: RunFile) -> None:
    (entry,) = gathering.entries(file.path.parent)

    assert isinstance(entry, gathering.Entry)
    assert (entry.server, entry.count) == ("3 servers", 8)


@pytest.mark.parametrize("server", [["sim:1", "sim:2"], ("sim:1",)])
def test_what_is_held_open_is_that_of_one_server(server: object) -> None:
    with pytest.raises(UsageError, match="open_all holds open the mailboxes of one server, given by a URL"):
        package.open_all(server=server)  # type: ignore[arg-type]  # that is the point


@pytest.mark.spawns
def test_more_words_name_the_server_of_each_worker_to_machines_too(tmp_path: Path) -> None:
    servers = ("sim:3", "sim:2?seed=2")
    words = ["--server", servers[0], "--server", servers[1], "-w", "1", "-v", "--run-file", "r.fanout"]

    done = fanout(tmp_path, "run", "logon", *words, "--log-format", "json")

    told = [json.loads(line) for line in done.stderr.splitlines()]
    workers = [each for each in told if each["event"] in {"worker_started", "worker_ended"}]
    assert Counter((each["event"], each["worker"], each["server"]) for each in workers) == {
        (event, number, server): 1
        for event in ("worker_started", "worker_ended")
        for number, server in enumerate(servers, 1)
    }
    assert f"server    {servers[0]}: 3 done, 0 failed, of 3" in [each["message"] for each in told]
    assert (told[-1]["event"], told[-1]["total"]) == ("ended", 5)
    assert told[-1]["servers"] == [
        {"server": servers[0], "done": 3, "failed": 0, "total": 3},
        {"server": servers[1], "done": 2, "failed": 0, "total": 2},
    ]


@pytest.mark.spawns
def test_the_workers_of_shards_that_were_merged_are_still_those_of_their_servers(tmp_path: Path) -> None:
    """A shard has one worker, of the first server: that of the next shard begins where it is the first server's turn again."""
    servers = ("null:20", "null:0")
    for share in ("1/2", "2/2"):
        words = ["--server", servers[0], "--server", servers[1], "-w", "1", "-q", "--shard", share]
        fanout(tmp_path, "run", "logon", *words, "--run-file", f"{share[0]}.fanout")

    fanout(tmp_path, "merge", "1.fanout", "2.fanout", "-o", "all.fanout")

    with RunFile.open(tmp_path / "all.fanout") as file:
        workers = [life.worker for life in file.musters.lives()]
    assert [server_of(worker, servers) for worker in workers] == ["null:20", "null:20"]
    assert len(set(workers)) == 2
