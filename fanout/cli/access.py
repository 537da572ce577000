"""Words that say as whom a server is asked, and how far the line is trusted."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from fanout.credentials import VARIABLE, Source, take_from_environment
from fanout.errors import UsageError
from workers.access import ANYBODY, Access
from workers.linux import leave_no_core

ACCOUNT: list[Any] = [
    click.option("--user", metavar="NAME", help="The account that opens the mailboxes; asks for its password."),
    click.option(
        "--password-file", metavar="FILE", help="Its password is the file's first line; no one else may read it."
    ),
    click.option(
        "--password-command", metavar="COMMAND", help="Its password is the first line that the command prints."
    ),
    click.option("--password-keyring", metavar="SERVICE", help="Its password is in the keyring, under this service."),
]

ACCESS: list[Any] = [
    *ACCOUNT,
    click.option(
        "--token-command", metavar="COMMAND", help="A bearer token instead of a password: what the command prints."
    ),
    click.option("--ca-file", metavar="FILE", help="Trust these certificates (PEM) instead of the system's."),
    click.option("--no-verify-tls", is_flag=True, help="Do not look at the server's certificate."),
    click.option("--plaintext", is_flag=True, help="Let the password cross a network without TLS."),
]


def access_of(given: dict[str, Any], before: Access = ANYBODY) -> Access:
    """The account, its password read from where the words say. `before`: what a run was begun with, without its password.

    Raises UsageError, for a password that can't be had, say; nothing waits for a terminal that is not there.
    """
    from_environment = take_from_environment()
    source = _source(given)
    access = _changed(before, given)
    if not access.user:
        if named := [*source.given(), *(["--token-command"] if access.token_command else [])]:
            raise UsageError(f"{named[0]} without --user: whose is it?")
        return access
    if access.token_command:
        if source.given():
            raise UsageError(f"{source.given()[0]} and --token-command: it is a password or a token")
        return access
    return msgspec.structs.replace(access, password=_password(source, access.user, from_environment))


def account_of(given: dict[str, Any]) -> tuple[str, str] | None:
    """A name and its password, out of the options of ACCOUNT; None where no name is given. Raises UsageError."""
    from_environment = take_from_environment()
    source = _source(given)
    if given["user"]:
        return given["user"], _password(source, given["user"], from_environment)
    if source.given():
        raise UsageError(f"{source.given()[0]} without --user: whose is it?")
    return None


def _source(given: dict[str, Any]) -> Source:
    return Source(given["password_file"], given["password_command"], given["password_keyring"])


def _password(source: Source, user: str, from_environment: str | None) -> str:
    leave_no_core()
    found = source.password(user)
    return found if found is not None else from_environment or _asked_for(user)


def _changed(before: Access, given: dict[str, Any]) -> Access:
    """What was said before, with what is said now."""
    said = {name: given[name] for name in ("user", "token_command", "ca_file") if given[name] is not None}
    if given["no_verify_tls"]:
        said["verify"] = False
    if given["plaintext"]:
        said["plaintext"] = True
    return msgspec.structs.replace(before, **said)


def _asked_for(user: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            f"the password of {user} is wanted, and there is no terminal to ask at: "
            f"--password-file, --password-command, --password-keyring or {VARIABLE}"
        )
    return str(click.prompt(f"Password of {user}", hide_input=True, err=True))
