"""Several servers in one run, as a user has it: words in, lines, records and exit codes out."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

import fanout as package
from fanout.cli import cli
from fanout.errors import FanoutError, UsageError
from tests.mapi.http.test_served import PASSWORD, serving
from tests.test_cli import ENVIRONMENT, fanout, records

ONE = "sim:30?messages=3"
TWO = "sim:20?messages=3&seed=2"
REFUSES = "sim:20?account=refused"

#: Quick and quiet.
FEW = ("-w", "1", "-q")


def run(folder: Path, *words: str) -> tuple[int, list[str]]:
    done = fanout(folder, "run", "census", *FEW, "--run-file", "r.fanout", *words)
    return done.returncode, done.stderr.splitlines()


def both(one: str = ONE, two: str = TWO) -> list[str]:
    return ["--server", one, "--server", two]


@pytest.mark.spawns
def test_records_say_which_server_they_are_of(tmp_path: Path) -> None:
    code, lines = run(tmp_path, *both(), "-o", "all.jsonl")

    assert (code, lines[-1]) == (0, "50 done, 0 failed, of 50")
    found = records((tmp_path / "all.jsonl").read_text())
    assert Counter(record["server"] for record in found) == {ONE: 30, TWO: 20}
    assert list(found[0]) == ["mailbox", "ok", "result", "attempts", "seconds", "server"]
    shown = fanout(tmp_path, "show", "r.fanout").stdout.splitlines()
    assert f"server    {ONE}: 30 done, 0 failed, of 30" in shown
    assert f"server    {TWO}: 20 done, 0 failed, of 20" in shown
    one = fanout(tmp_path, "show", "r.fanout", "u00000007@sim.example").stdout
    assert f"mailbox   u00000007@sim.example on {ONE}" in one
    assert f"mailbox   u00000007@sim.example on {TWO}" in one


@pytest.mark.spawns
def test_each_server_is_gone_through_as_it_would_be_alone(tmp_path: Path) -> None:
    run(tmp_path, *both(), "-o", "all.jsonl")
    alone = [
        record | {"server": server}
        for number, server in enumerate((ONE, TWO))
        for record in records(
            fanout(
                tmp_path, "run", "census", "--server", server, *FEW, "-o", "-", "--run-file", f"{number}.fanout"
            ).stdout
        )
    ]

    found = records(fanout(tmp_path, "export", "r.fanout", "-o", "-").stdout)

    for record in (*alone, *found):
        del record["seconds"]
    assert found == alone


@pytest.mark.spawns
def test_a_table_has_a_column_for_the_server_where_there_are_several(tmp_path: Path) -> None:
    run(tmp_path, *both(TWO, f"{ONE}&missing=u00000003@sim.example"))

    fanout(tmp_path, "export", "r.fanout", "-o", "all.csv")

    with open(tmp_path / "all.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["server"] for row in rows) == {TWO: 20, f"{ONE}&missing=u00000003@sim.example": 30}


@pytest.mark.spawns
def test_a_server_that_refuses_the_account_is_left_out_and_the_other_is_done(tmp_path: Path) -> None:
    code, lines = run(tmp_path, *both(ONE, REFUSES))

    assert code == 3
    assert lines[0].startswith(f"left out: {REFUSES}: the server refuses the account: ")
    assert lines[-4:] == [
        f"server    {ONE}: 30 done, 0 failed, of 30",
        f"server    {REFUSES}: not listed yet, its mailboxes are not known",
        "to go on with it: fanout resume r.fanout",
        "30 done, 0 failed, of 30 and those of 1 server not listed yet",
    ]
    compared = fanout(tmp_path, "diff", "r.fanout", "r.fanout").stderr.splitlines()
    assert compared[-2] == f"r.fanout: {REFUSES} was not listed: its mailboxes are only in the other run"


@pytest.mark.spawns
def test_where_every_server_refuses_the_account_the_run_does_not_begin(tmp_path: Path) -> None:
    code, lines = run(tmp_path, *both(REFUSES, f"{REFUSES}&seed=3"))

    assert code == 77
    assert len(lines) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spawns
def test_a_server_that_is_down_from_the_beginning_is_taken_in_by_a_resume(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    down = f"mapi+http://127.0.0.1:{port}/mapi/emsmdb"
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    account = ("--user", "admin@sim.example", "--password-file", "password")

    code, lines = run(tmp_path, *both(down, ONE), *account, "-o", "all.jsonl")
    assert (code, lines[-1]) == (3, "30 done, 0 failed, of 30 and those of 1 server not listed yet")
    assert f"left out: {down}: " in lines[0]
    with serving(TWO, "--port", str(port), *account[:2]):
        again = fanout(tmp_path, "resume", "r.fanout", *FEW, "--password-file", "password")

    assert (again.returncode, again.stderr.splitlines()[-1]) == (0, "50 done, 0 failed, of 50")
    found = records((tmp_path / "all.jsonl").read_text())
    assert Counter(record["server"] for record in found) == {ONE: 30, down: 20}
    nothing = fanout(tmp_path, "resume", "r.fanout", "--password-file", "password")
    assert nothing.stderr.splitlines()[0].startswith("nothing is left to do")
    assert PASSWORD.encode() not in (tmp_path / "r.fanout").read_bytes()


@pytest.mark.spawns
def test_a_server_that_was_given_up_is_gone_on_with_and_the_other_is_not_visited_again(tmp_path: Path) -> None:
    faulty = f"{TWO}&missing=u00000003@sim.example"

    code, lines = run(tmp_path, *both(ONE, faulty), "--max-failures", "0", "-o", "all.jsonl")
    assert code == 3
    assert lines[-1].startswith("3")  # all of the first, and some before the one that is missing
    assert any(f"stopped early: 1 of 2 servers given up: {faulty} (" in line for line in lines)
    again = fanout(tmp_path, "resume", "r.fanout", *FEW)

    assert (again.returncode, again.stderr.splitlines()[-1]) == (1, "49 done, 1 failed, of 50")
    found = records((tmp_path / "all.jsonl").read_text())
    assert Counter(record["server"] for record in found) == {ONE: 30, faulty: 20}
    failed = fanout(tmp_path, "show", "r.fanout", "--failed").stdout
    assert failed.startswith(f"u00000003@sim.example on {faulty}\tmissing")
    only = fanout(tmp_path, "resume", "r.fanout", "--only-failed", *FEW)
    assert only.stderr.splitlines()[-1] == "49 done, 1 failed, of 50"


@pytest.mark.spawns
def test_a_server_that_is_given_up_is_told_of_while_the_other_goes_on(tmp_path: Path) -> None:
    faulty = f"{TWO}&missing=u00000003@sim.example"

    _, lines = run(tmp_path, *both("sim:80?latency=20ms", faulty), "--max-failures", "0")

    (told,) = [line for line in lines if line.startswith(f"left out: {faulty}: 1 of ")]
    assert told.endswith("mailboxes failed, more than --max-failures allows")
    (shown,) = [line for line in lines if line.startswith("stopped early: ")]
    assert lines.index(told) < lines.index(shown)


@pytest.mark.spawns
def test_a_roster_that_has_changed_is_told_with_its_server(tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    (mail / "anna").mkdir(parents=True)
    run(tmp_path, *both("sim:mail", f"{TWO}&missing=0.2"))
    (mail / "berta").mkdir()

    again = fanout(tmp_path, "resume", "r.fanout", "--only-failed", *FEW)

    assert again.returncode == 2
    assert "the roster (sim:mail), though the names in the run file stand" in again.stderr


@pytest.mark.spawns
def test_a_list_with_a_column_server_says_who_is_where(tmp_path: Path) -> None:
    names = f"""mailbox,server
u00000005@sim.example,{TWO}
u00000001@sim.example,{ONE}
u00000001@sim.example,{TWO}
"""
    (tmp_path / "names.csv").write_text(names)

    code, lines = run(tmp_path, *both(), "--mailboxes-from", "names.csv", "-o", "all.jsonl")

    assert (code, lines[-1]) == (0, "3 done, 0 failed, of 3")
    found = sorted((record["server"], record["mailbox"]) for record in records((tmp_path / "all.jsonl").read_text()))
    assert found == [
        (TWO, "u00000001@sim.example"),
        (TWO, "u00000005@sim.example"),
        (ONE, "u00000001@sim.example"),
    ]


@pytest.mark.spawns
def test_shards_of_a_run_over_several_servers_become_one_run(tmp_path: Path) -> None:
    for share in ("1/2", "2/2"):
        fanout(tmp_path, "run", "census", *both(), *FEW, "--shard", share, "--run-file", f"{share[0]}.fanout")
    run(tmp_path, *both())

    done = fanout(tmp_path, "merge", "1.fanout", "2.fanout", "-o", "merged.fanout")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "50 done, 0 failed, of 50")
    compared = fanout(tmp_path, "diff", "r.fanout", "merged.fanout")
    assert compared.stderr.splitlines()[-1] == "0 new, 0 gone, 0 changed, 0 failed, 0 mended, 50 same"
    shown = fanout(tmp_path, "show", "merged.fanout").stdout
    assert f"server    {ONE}: 30 done, 0 failed, of 30" in shown
    assert f"server    {TWO}: 20 done, 0 failed, of 20" in shown


@pytest.mark.spawns
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*both(ONE, ONE)], "is named twice"),
        ([*both("sim:30", "sim:30?seed=0")], "'sim:30' and 'sim:30?seed=0' are one server"),
        (
            [*both("mapi+http://A:80", "mapi+http://a/mapi/emsmdb/")],
            "are one server; each server of a run is named once",
        ),
        ([*both("imaps://a", "imaps://a:993/")], "are one server; each server of a run is named once"),
        ([*both(ONE, "sims:3")], "a server's URL begins with one of"),
        ([*both(), "--user", "me", "--password-file", "password"], "there are no accounts there"),
        ([*both(), "--mailboxes-from", "plain.txt"], "give a table with a column server"),
        ([*both(), "--include", "nobody"], "no mailbox is left to visit"),
        ([*both(), "--chunk-size", "300"], "more than the 255 that one session can hold open"),
    ],
)
def test_what_cannot_be_meant_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.txt").write_text("anna\n")
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)

    done = CliRunner().invoke(cli, ["run", "census", *FEW, "--run-file", "r.fanout", *words])

    assert isinstance(done.exception, FanoutError)
    assert done.exception.exit_code == 2
    assert said in f"{done.stderr}{done.exception}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["password", "plain.txt"]


@pytest.mark.spawns
def test_a_plan_cuts_no_chunk_of_two_servers(tmp_path: Path) -> None:
    done = fanout(tmp_path, "plan", *both("sim:5", "sim:3?seed=2"), "--chunk-size", "4", "-w", "1")

    head, *lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert head == ["chunk", "mailboxes", "first", "last", "server"]
    assert [(line[1], line[4]) for line in lines] == [("4", "sim:5"), ("1", "sim:5"), ("3", "sim:3?seed=2")]


@pytest.mark.spawns
def test_the_mailboxes_of_several_servers_are_listed_as_a_list_that_a_run_takes(tmp_path: Path) -> None:
    listed = fanout(tmp_path, "mailboxes", *both("sim:2", "sim:1?latency=lognormal(1ms,1)")).stdout

    assert listed.splitlines() == [
        "mailbox,server",
        "u00000000@sim.example,sim:2",
        "u00000001@sim.example,sim:2",
        'u00000000@sim.example,"sim:1?latency=lognormal(1ms,1)"',
    ]
    (tmp_path / "names.csv").write_text(listed)
    code, lines = run(tmp_path, *both("sim:2", "sim:1?latency=lognormal(1ms,1)"), "--mailboxes-from", "names.csv")
    assert (code, lines[-1]) == (0, "3 done, 0 failed, of 3")


@pytest.mark.spawns
def test_a_run_over_several_servers_that_is_killed_is_gone_on_with_on_each(tmp_path: Path) -> None:
    slow = [*both("sim:60?latency=20ms", "sim:60?latency=20ms&seed=2"), "-o", "all.jsonl"]
    words = ["run", "census", *FEW, "--run-file", "r.fanout", *slow]
    with subprocess.Popen([sys.executable, "-m", "fanout", *words], cwd=tmp_path, env=ENVIRONMENT) as killed:
        while not (tmp_path / "all.jsonl").exists() or not (tmp_path / "all.jsonl").stat().st_size:
            with suppress(subprocess.TimeoutExpired):
                killed.wait(0.05)
            assert killed.returncode is None
        killed.kill()

    again = fanout(tmp_path, "resume", "r.fanout", *FEW)

    assert (again.returncode, again.stderr.splitlines()[-1]) == (0, "120 done, 0 failed, of 120")
    found = records((tmp_path / "all.jsonl").read_text())
    assert len({(record["server"], record["mailbox"]) for record in found}) == len(found) == 120


def test_what_is_of_one_server_says_so() -> None:
    done = CliRunner().invoke(cli, ["bench", "logon", *both()])

    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "a bench measures one server: give --server once"


def test_a_forecast_is_of_all_servers_of_a_run() -> None:
    done = CliRunner().invoke(cli, ["plan", "--forecast", *both(), "--count", "20", "--seconds", "1ms"])

    assert (done.exit_code, done.exception) == (0, None)
    assert done.stdout.startswith("40 mailboxes of 2 servers, each with ")


@pytest.mark.spawns
@pytest.mark.parametrize("recording", list(package.Recording))
def test_a_run_from_python_takes_several_servers(recording: package.Recording) -> None:
    found = package.run("logon", server=["null:3", "null:2"], workers=1, recording=recording)

    assert [(outcome.server, outcome.mailbox) for outcome in found] == [
        ("null:3", "null-00000000"),
        ("null:3", "null-00000001"),
        ("null:3", "null-00000002"),
        ("null:2", "null-00000000"),
        ("null:2", "null-00000001"),
    ]


@pytest.mark.parametrize("server", [[], ["sim:1", 2], 7, None])
def test_what_is_no_server_or_several_is_said(server: object) -> None:
    with pytest.raises(UsageError, match="is no server: a server is given by a URL"):
        package.run("logon", server=server)  # type: ignore[arg-type]  # that is the point
