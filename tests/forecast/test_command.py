"""`fanout plan --forecast`, in this process: nothing of it contacts a server; a roster is listed where none is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fanout.cli import cli
from fanout.errors import UsageError

REAL = ("--server", "imaps://mail.example", "--count", "5000", "--seconds", "lognormal(120ms,1.2)", "-w", "8")


def plan(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["plan", *map(str, words)])


def mistake(*words: str | Path) -> str:
    """What a mistake is answered; exit code 2, as UsageError says."""
    found = plan(*words)
    if isinstance(found.exception, UsageError):
        return str(found.exception)
    assert found.exit_code == 2
    return found.stderr


def test_a_server_that_is_not_contacted_is_forecast_by_what_is_known_of_it() -> None:
    found = plan("--forecast", *REAL)

    assert found.exit_code == 0, found.exception
    lines = found.stdout.splitlines()
    assert lines[0] == "5,000 mailboxes of imaps://mail.example, 8 workers, guided chunks (auto)"
    assert lines[1] == "mailbox   --seconds: 120 ms each, sigma 1.2"
    assert lines[-1].startswith("recommended: -w ")
    assert plan("--forecast", *REAL).stdout == found.stdout


def test_a_forecast_is_there_for_machines_and_as_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "forecast.png"

    found = plan("--forecast", *REAL, "--json", "--picture", file, "--sessions", "6", "--outage", "1m")

    assert found.exit_code == 0, found.exception
    told = json.loads(found.stdout)
    assert (told["mailboxes"], told["given"]["workers"], told["given"]["chunk_size"]) == (5000, 8, "auto")
    assert set(told["given"]["seconds"]) == {"median", "low", "high"}
    assert (told["sessions_allowed"], told["outage"]["lasts"]) == (6, 60)
    assert file.read_bytes()[:4] == b"\x89PNG"
    assert found.stderr == f"written: {file}\n"


def test_cpu_cores_connections_and_a_rate_are_what_is_said() -> None:
    told = json.loads(plan("--forecast", *REAL, "--json", "--cpu", "10ms", "--cores", "1", "--connect", "1s").stdout)
    rated = json.loads(plan("--forecast", *REAL, "--json", "--rate", "10/s").stdout)

    assert told["cores"] == 1
    assert told["given"]["seconds"]["median"] > 5000 * 0.01
    assert rated["given"]["seconds"]["median"] == pytest.approx(500, rel=0.1)


def test_cpu_is_a_part_of_what_a_mailbox_takes() -> None:
    words = ("--server", "imaps://mail.example", "--count", "10", "--seconds", "1s", "-w", "1", "--cores", "4")
    told = json.loads(plan("--forecast", *words, "--cpu", "0.5s", "--outage", "none", "--json").stdout)

    assert told["given"]["seconds"]["median"] == pytest.approx(10, rel=0.1)


def test_names_that_are_given_are_counted_and_the_server_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("anna\nbert\nbea\n")
    words = (
        "--forecast",
        "--server",
        "imaps://mail.example",
        "--seconds",
        "1s",
        "--mailboxes-from",
        tmp_path / "names.txt",
    )

    assert plan(*words, "--include", "b*", "-w", "1").stdout.startswith("2 mailboxes of imaps://mail.example, 1 worker")
    assert mistake(*words, "--include", "x*").startswith("no mailbox is left to visit: ")


@pytest.mark.spawns
def test_the_simulated_server_is_forecast_by_its_own_options() -> None:
    found = plan("--forecast", "--server", "sim:400?latency=5ms", "-w", "2", "--include", "u0000000*")

    assert found.exit_code == 0, found.exception
    assert found.stdout.startswith("10 mailboxes of sim:400?latency=5ms, 2 workers, guided chunks (auto)\n")
    assert "a census: 2 round trips by the options of the URL" in found.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seconds", "5ms"], "--seconds: only with --forecast"),
        (["--rate", "5/s"], "--rate: only with --forecast"),
        (["--json"], "--json: only with --forecast"),
        (["--forecast", "--seconds", "5"], "'5': allowed is a duration, 2ms, 0.5s or 150us, or lognormal(2ms,1.5)"),
        (["--forecast", "--seconds", "1s", "--cpu", "5s"], "5 s of CPU are more than the 1 s of --seconds"),
        (["--forecast", "--cpu", "lognormal(1ms,1)"], "a duration is given as 2ms, 0.5s or 150us"),
        (
            ["--forecast", "--count", "5", "--limit", "3"],
            "--count and --limit: it is so many mailboxes, or those of a roster",
        ),
        (["--forecast", "--count", "5", "--chunk-size", "400"], "is more than the 255 that one session can hold open"),
        (
            ["--forecast", "--count", "5", "--concurrency", "400"],
            "is more than the 255 mailboxes that one session can hold",
        ),
        (["--forecast", "--count", "5", "--picture", "f.pdf"], "--picture f.pdf: a picture is FILE.png or FILE.svg"),
        (
            ["--forecast", "--count", "5", "--from", "r", "--seconds", "1ms"],
            "--from and --seconds: mailboxes take what",
        ),
        (["--forecast", "--count", "5", "--from", "nowhere"], "no run file can be read here: nowhere"),
        (["--forecast", "--count", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_can_not_be_meant_is_one_sentence(words: list[str], said: str) -> None:
    assert said in mistake("--server", "sim:10", *words)


def test_of_a_real_server_without_any_times_the_way_to_give_them_is_said() -> None:
    said = mistake("--forecast", "--server", "mapi+https://mail.example", "--count", "5")

    assert said.startswith(
        "mapi+https://mail.example: nothing is known of how long a mailbox takes there; give --seconds"
    )


def test_mailboxes_that_hang_for_ever_are_no_run_that_ends() -> None:
    said = mistake("--forecast", "--server", "sim:10?hang=1", "--count", "10", "--stall-timeout", "none")

    assert said == "--stall-timeout none: some of these mailboxes hang, and a run without a limit would never end"


def test_a_picture_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "f.svg").write_text("mine")

    said = mistake("--forecast", *REAL, "--picture", tmp_path / "f.svg")

    assert said == f"{tmp_path / 'f.svg'} is there already: give another name, or --force to replace it"
    assert (tmp_path / "f.svg").read_text() == "mine"
