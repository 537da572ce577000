"""Passwords: where they come from, and that they stay where they belong."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fanout.cli.access import access_of
from fanout.credentials import VARIABLE, Source, take_from_environment
from fanout.errors import UsageError
from workers.access import Access

NOTHING = {
    "user": None,
    "password_file": None,
    "password_command": None,
    "password_keyring": None,
    "token_command": None,
    "ca_file": None,
    "no_verify_tls": False,
    "plaintext": False,
}


def private(tmp_path: Path, text: str) -> str:
    path = tmp_path / "password"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_the_first_line_of_a_file_is_the_password(tmp_path: Path) -> None:
    assert Source(file=private(tmp_path, "s3cret \r\nof whom it is\n")).password("anna") == "s3cret "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path, "s3cret\n")
    os.chmod(path, mode)

    with pytest.raises(UsageError, match="chmod 600"):
        Source(file=path).password("anna")


def test_an_empty_file_or_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is to be the password, is empty"):
        Source(file=private(tmp_path, "\n")).password("anna")
    with pytest.raises(UsageError, match="No such file"):
        Source(file=str(tmp_path / "nothing")).password("anna")


def test_a_command_prints_the_password() -> None:
    assert Source(command="printf 's3cret\\nmore'").password("anna") == "s3cret"


def test_a_command_that_fails_is_named_without_what_it_printed() -> None:
    with pytest.raises(UsageError, match="exit code 3") as caught:
        Source(command="echo s3cret; exit 3").password("anna")

    assert "s3cret" not in str(caught.value)


def test_a_password_comes_from_one_place() -> None:
    with pytest.raises(UsageError, match="--password-file and --password-command"):
        Source(file="a", command="b").password("anna")


def test_a_password_without_a_user_is_refused() -> None:
    with pytest.raises(UsageError, match="without --user"):
        access_of(NOTHING | {"password_command": "echo s3cret"})
    with pytest.raises(UsageError, match="without --user"):
        access_of(NOTHING | {"token_command": "echo s3cret"})


def test_the_environment_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "of the environment")
    assert access_of(NOTHING | {"user": "anna"}).password == "of the environment"

    monkeypatch.setenv(VARIABLE, "of the environment")
    assert access_of(NOTHING | {"user": "anna", "password_command": "echo s3cret"}).password == "s3cret"
    assert VARIABLE not in os.environ


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    with pytest.raises(UsageError, match="no terminal to ask at"):
        access_of(NOTHING | {"user": "anna"})


def test_what_a_run_was_begun_with_holds_unless_it_is_said_anew() -> None:
    before = Access(user="anna", ca_file="ca.pem", plaintext=True)

    access = access_of(NOTHING | {"password_command": "echo s3cret", "ca_file": "new.pem"}, before)

    assert access == Access(user="anna", password="s3cret", ca_file="new.pem", plaintext=True)


def test_the_text_of_an_access_has_no_password() -> None:
    access = Access(user="anna", password="s3cret")

    assert "s3cret" not in f"{access} {access!r} {[access]}"
    assert msgspec.convert(msgspec.to_builtins(access), Access) == access


def test_what_was_taken_from_the_environment_is_not_seen_from_outside_and_not_in_a_fork() -> None:
    look = (
        "import os, sys\n"
        "from fanout.credentials import take_from_environment\n"
        "print(take_from_environment())\n"
        "sys.stdout.flush()\n"
        "if os.fork() == 0:\n"
        "    print('s3cret' in open(f'/proc/{os.getpid()}/environ', errors='replace').read())\n"
        "    sys.stdout.flush()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "print('s3cret' in open('/proc/self/environ', errors='replace').read())\n"
        "print(os.popen('env').read().count('s3cret'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], env=os.environ | {VARIABLE: "s3cret"}, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["s3cret", "False", "False", "0"]


def test_an_environment_without_a_password_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert take_from_environment() is None
