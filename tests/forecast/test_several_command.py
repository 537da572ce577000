"""`fanout plan --forecast` over several servers, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fanout import facts
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import UsageError
from fanout.forecast import sources
from fanout.forecast.model import Sample, Trouble
from fanout.lives import Stamp
from fanout.outcomes import failure_line
from fanout.roster import Leg, Roster
from fanout.runfile import RunFile
from fanout.workplace import THIS_MACHINE
from tests.forecast.test_command import mistake, plan
from workers.causes import Cause
from workers.messages import Error, Found, ModuleJob

A, B, C = "imaps://a.example", "imaps://b.example", "imaps://c.example"

BOTH = ("--forecast", "--server", A, "--server", B, "-w", "4", "--outage", "none")


def told(*words: str | Path) -> Any:  # noqa: ANN401 - what JSON says
    found = plan(*BOTH, *words, "--json")
    assert found.exit_code == 0, found.exception
    return json.loads(found.stdout)


def counts(found: Any) -> list[tuple[str, int]]:  # noqa: ANN401 - what JSON says
    return [(server["server"], server["mailboxes"]) for server in found["servers"]]


def test_so_many_mailboxes_are_on_each_server_or_on_one_after_the_other() -> None:
    assert counts(told("--seconds", "120ms", "--count", "500")) == [(A, 500), (B, 500)]
    assert counts(told("--seconds", "120ms", "--count", "500", "--count", "300")) == [(A, 500), (B, 300)]


def test_names_in_a_table_are_counted_server_by_server_and_no_server_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text(f"mailbox,server\nanna,{A}\nbert,{B}\nbea,{B}\ncleo,{B}\n")

    assert counts(told("--seconds", "1s", "--mailboxes-from", path)) == [(A, 1), (B, 3)]


def test_a_server_on_which_nothing_is_left_to_visit_is_said_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text(f"mailbox,server\nanna,{A}\nbert,{B}\n")

    found = plan(*BOTH, "--seconds", "1s", "--mailboxes-from", path, "--include", "b*")

    assert found.stdout.startswith(f"1 mailboxes of {B}, 4 workers, ")
    assert found.stderr == f"{A}: no mailbox is left to visit there\n"
    assert mistake(*BOTH, "--seconds", "1s", "--mailboxes-from", path, "--include", "x*").startswith(
        "no mailbox is left to visit: "
    )


def test_workers_are_those_of_each_server_and_by_default_one_a_core_over_all() -> None:
    words = ("--forecast", "--server", A, "--server", B, "--seconds", "120ms", "--count", "50", "--outage", "none")

    share = max(1, THIS_MACHINE.workers // 2)
    assert plan(*words, "-w", "3").stdout.startswith("100 mailboxes of 2 servers, each with 3 workers, ")
    assert plan(*words).stdout.startswith(f"100 mailboxes of 2 servers, each with {share} worker")


@pytest.mark.spawns
def test_rosters_are_listed_and_each_server_takes_what_its_own_options_say() -> None:
    found = plan("--forecast", "--server", "sim:40?latency=5ms", "--server", "null:30", "--limit", "20", "-w", "2")

    assert found.exit_code == 0, found.exception
    lines = found.stdout.splitlines()
    assert lines[0] == "40 mailboxes of 2 servers, each with 2 workers, guided chunks (auto)"
    assert "a census: 2 round trips by the options of the URL" in found.stdout
    assert "nothing is opened: 0.2 us of CPU" in found.stdout


def test_simulated_servers_that_differ_by_their_seed_alone_are_tried_once() -> None:
    trials = sources.Trials()

    one = sources.of_server("sim:40?seed=1", 40, trials, separate=False)

    assert sources.of_server("sim:50?seed=2", 50, trials, separate=False).server == one.server
    assert sources.of_server("sim:50?folders=30", 50, trials, separate=False).server.cpu > one.server.cpu


# --- from a run -------------------------------------------------------------------------------------------------------


def run_file(path: Path, seconds: dict[str, list[float]], failed: list[str] | None = None) -> Path:
    """A finished run over several servers, whose mailboxes took so many seconds; on some, one more failed at the second attempt."""
    legs, first = [], 0
    for server, each in seconds.items():
        legs.append(Leg(server, first, len(each) + (server in (failed or [])), "digest"))
        first += legs[-1].count
    roster = Roster(first, "a test", lambda ordinals: [f"u{at}" for at in ordinals], numbered=False, legs=tuple(legs))
    server, *others = seconds
    task = Task(ModuleJob("workers.jobs.census", "census"))
    with RunFile.create(path) as file:
        facts.begin(file, facts.Intent(Mailboxes(server, others=tuple(others)), Workforce(1), task), roster)
        for leg in legs:
            took = seconds[leg.server]
            lines = b"".join(
                json.dumps({"mailbox": "u", "ok": True, "result": 1, "seconds": each, "server": leg.server}).encode()
                + b"\n"
                for each in took
            )
            if took:
                file.keep(Found(1, leg.first, len(took), lines, b"null"), 1, Stamp(1, 0.0))
            if leg.count > len(took):
                last = leg.ordinals[-1]
                line = failure_line(f"u{last}", Error("X", "", Cause.BUSY, retryable=True), 2, 0.5, leg.server)
                file.retried(last, 1, line)
                file.settle(last, line, Stamp(1, 0.0))
    return path


def test_each_server_takes_what_its_own_mailboxes_took_in_a_run(tmp_path: Path) -> None:
    path = run_file(tmp_path / "r.fanout", {A: [0.1, 0.1], B: [0.4] * 8}, failed=[B])

    found = told("--from", path, "--count", "400")

    one, two = found["servers"]
    assert one["seconds"]["median"] == pytest.approx(400 * 0.1 / 4, rel=0.1)
    assert two["seconds"]["median"] > 3 * one["seconds"]["median"]
    assert one["source"].startswith(f"{path}, on this server: 2 mailboxes done, 0 failed, 0 further attempts")
    assert two["source"].startswith(f"{path}, on this server: 8 mailboxes done, 1 failed, 1 further attempts")
    with RunFile.open(path) as file:
        within = sources.shares(file, [B])[0]
        server = sources.measured(file, within, separate=True).server
    assert server.waits == Sample((0.4,) * 8)
    assert set(server.troubles) == {Trouble.REFUSED, Trouble.BUSY}


def test_one_server_of_a_run_over_several_takes_what_its_own_mailboxes_took(tmp_path: Path) -> None:
    path = run_file(tmp_path / "r.fanout", {A: [0.1], B: [0.4]})

    found = plan("--forecast", "--server", B, "--count", "400", "-w", "4", "--from", path, "--outage", "none", "--json")

    assert json.loads(found.stdout)["given"]["seconds"]["median"] == pytest.approx(400 * 0.4 / 4, rel=0.1)


def test_another_server_by_itself_takes_what_all_of_a_run_took(tmp_path: Path) -> None:
    path = run_file(tmp_path / "r.fanout", {A: [0.1], B: [0.1]})

    found = plan("--forecast", "--server", C, "--count", "400", "-w", "4", "--from", path, "--outage", "none")

    assert f"mailbox   {path}, its 2 servers together: 2 mailboxes done" in found.stdout


def test_a_server_that_is_not_in_the_run_is_refused(tmp_path: Path) -> None:
    path = run_file(tmp_path / "r.fanout", {A: [0.1], C: [0.4]})

    assert mistake(*BOTH, "--count", "5", "--from", path) == (
        f"--from {path}: it has no mailbox of {B}, and each server takes what its own mailboxes took; it is a run over {A}, {C}"
    )


def test_a_server_of_which_nothing_is_done_is_refused(tmp_path: Path) -> None:
    path = run_file(tmp_path / "r.fanout", {A: [0.1], B: []}, failed=[B])

    assert mistake(*BOTH, "--count", "5", "--from", path) == f"--from {path}: it has no mailbox of {B} that is done"


def test_a_run_over_one_server_tells_of_no_other_where_there_are_several(tmp_path: Path) -> None:
    path = tmp_path / "r.fanout"
    roster = Roster(1, "a test", lambda ordinals: [f"u{at}" for at in ordinals], numbered=False)
    with RunFile.create(path) as file:
        facts.begin(
            file, facts.Intent(Mailboxes(A), Workforce(1), Task(ModuleJob("workers.jobs.census", "census"))), roster
        )
        line = b'{"mailbox": "u", "ok": true, "result": 1, "seconds": 0.1}\n'
        file.keep(Found(1, 0, 1, line, b"null"), 1, Stamp(1, 0.0))

    assert f"it has no mailbox of {B}, " in mistake(*BOTH, "--count", "5", "--from", path)
    with RunFile.open(path) as file, pytest.raises(UsageError, match=f"a run over {A}$"):
        sources.shares(file, [B, A])


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--count", "5", "--limit", "3", "--seconds", "1s"],
            "--count and --limit: it is so many mailboxes, or those of a roster",
        ),
        (
            ["--count", "5", "--count", "5", "--count", "5", "--seconds", "1s"],
            "--count is given 3 times, --server 2 times: give it once, for each server, or as often as that",
        ),
        (
            ["--count", "5", "--server", A, "--seconds", "1s"],
            f"{A!r} is named twice; each server of a run is named once",
        ),
        (["--count", "5"], f"{A}: nothing is known of how long a mailbox takes there; give --seconds"),
        (
            ["--count", "5", "--server", "sim:5", "--chunk-size", "300"],
            "is more than the 255 that one session can hold",
        ),
    ],
)
def test_what_can_not_be_meant_of_several_servers_is_one_sentence(words: list[str], said: str) -> None:
    assert said in mistake(*BOTH, *words)


def test_a_list_without_servers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("anna\nbert\n")

    said = mistake(*BOTH, "--seconds", "1s", "--mailboxes-from", tmp_path / "names.txt")

    assert said.endswith("of several servers each has names of its own; give a table with a column server")
