from __future__ import annotations

import re
import resource
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from fanout import doctor
from fanout.cli import cli
from fanout.doctor import Sign, State
from fanout.errors import UsageError
from workers.access import ANYBODY


def of_server(url: str, mailbox: str | None = None) -> list[Sign]:
    return list(doctor.of_server(url, ANYBODY, mailbox))


@pytest.mark.spawns
def test_a_machine_on_which_tests_run_is_well(tmp_path: Path) -> None:
    signs = list(doctor.of_machine(tmp_path))

    assert [sign.what for sign in signs if sign.state is State.ILL] == []
    assert signs[-1].what == "self-test"
    assert signs[-1].found.startswith("2,000 mailboxes visited by 2 workers")
    assert all(sign.advice for sign in signs if sign.state is not State.WELL)


@pytest.mark.spawns
def test_a_server_is_looked_at_up_to_a_message() -> None:
    signs = of_server("sim:3?folders=2")

    assert [(sign.state, sign.what) for sign in signs] == [
        (State.WELL, "account"),
        (State.WELL, "roster"),
        (State.WELL, "reading"),
    ]
    assert "was read" in signs[-1].found


@pytest.mark.spawns
@pytest.mark.parametrize(
    ("url", "what", "advice"),
    [
        ("sim:3?account=refused", "account", "ask for the account's name"),
        ("sim:3?denied=1.0", "reading", "ask for the right to read every mailbox"),
        ("imap://127.0.0.1:{port}", "roster", "name one with --mailbox"),
    ],
)
def test_what_a_server_refuses_comes_with_what_to_ask_for(url: str, what: str, advice: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        *_, last = of_server(url.format(port=listening.getsockname()[1]))

    assert (last.state, last.what) == (State.ILL, what)
    assert last.advice.startswith(advice)


@pytest.mark.parametrize(
    "url", ["nothing", "imaps://mail.example:99999", "mapi+https://mail.example:99999", "sim:many"]
)
def test_a_url_that_can_not_be_meant_is_a_mistake_and_nothing_is_looked_at(url: str) -> None:
    with pytest.raises(UsageError, match=re.escape(url)):
        of_server(url)


def test_a_port_where_nobody_listens_ends_the_look() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens there
        *_, last = of_server(f"imaps://127.0.0.1:{closed.getsockname()[1]}")

    assert (last.state, last.what) == (State.ILL, "connection")
    assert "refused" in last.found


def test_a_name_that_can_not_be_found_ends_the_look() -> None:
    [sign] = of_server("imaps://" + "a" * 70 + ".invalid")  # no label is as long, so that nobody is asked

    assert (sign.state, sign.what) == (State.ILL, "name")


def test_few_descriptors_are_said_with_the_workers_they_are_enough_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        resource, "getrlimit", lambda which: (256, 1024) if which == resource.RLIMIT_NOFILE else (-1, -1)
    )

    assert next(doctor._limits()) == Sign(
        State.SO_SO, "open files", "1,024: enough for 192 workers", "raise `ulimit -Hn` for more"
    )


@pytest.mark.spawns
def test_the_command_says_each_look_in_a_line_and_what_has_to_be_mended() -> None:
    found = CliRunner().invoke(cli, ["doctor", "--server", "sim:3?denied=1.0"], standalone_mode=False)

    assert found.return_value == 1
    assert "FAIL  reading" in found.stdout
    assert found.stderr == "1 of these have to be mended\n"


@pytest.mark.spawns
def test_each_of_several_servers_is_looked_at_under_its_name_and_an_account_is_for_those_that_have_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FANOUT_PASSWORD", "secret")
    down = "mapi+http://127.0.0.1:1/mapi/emsmdb"
    words = ["doctor", "--server", "sim:3", "--server", down, "--user", "anna"]

    found = CliRunner().invoke(cli, words, standalone_mode=False)

    lines = found.stdout.splitlines()
    of_sim, of_down = lines[lines.index("sim:3") + 1 : lines.index(down)], lines[lines.index(down) + 1 :]
    assert [line.split()[:2] for line in of_sim] == [["ok", "account"], ["ok", "roster"], ["ok", "reading"]]
    assert [line.split()[:2] for line in of_down[:2]] == [["ok", "name"], ["FAIL", "connection"]]
    assert found.return_value == 1


@pytest.mark.spawns
def test_a_server_that_takes_connections_and_answers_nothing_is_not_said_to_list_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FANOUT_PASSWORD", "secret")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"mapi+http://127.0.0.1:{mute.getsockname()[1]}/mapi/emsmdb?timeout=1"
        found = CliRunner().invoke(cli, ["doctor", "--server", url, "--user", "anna"], standalone_mode=False)

    (place,) = [place for place, line in enumerate(found.stdout.splitlines()) if line.startswith("FAIL  roster")]
    assert "ask whether the service works" in found.stdout.splitlines()[place + 1]


@pytest.mark.parametrize("servers", [[], ["--server", "sim:3", "--server", "sim:4"]])
def test_a_mailbox_of_no_server_or_of_several_is_a_mistake(servers: list[str]) -> None:
    found = CliRunner().invoke(cli, ["doctor", "--mailbox", "anna", *servers])

    assert str(found.exception) == "--mailbox anna: on which server? Give --server once"
