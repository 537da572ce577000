"""`fanout doctor`: what this machine allows, what is installed, and what a server gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fanout import doctor as looks
from fanout.cli.access import ACCESS, access_of
from fanout.cli.words import give, say, show
from fanout.doctor import State
from fanout.errors import UsageError

#: Characters of what was looked at.
_WIDTH = 15


@click.command()
@click.option("--server", metavar="URL", help="Look at this server, too: one mailbox is opened, nothing is marked.")
@click.option(
    "--mailbox", metavar="NAME", help="The mailbox that is opened there; by default the first that is listed."
)
@give(ACCESS)
def doctor(server: str | None, mailbox: str | None, **given: Any) -> int:  # noqa: ANN401 - as click gives
    """Look at what this machine allows, and at what a server gives. What to do about what is amiss is said.

    Exit code 1 if something fails.

    \b
    fanout doctor
    fanout doctor --server sim:10
    """
    if mailbox and not server:
        raise UsageError(f"--mailbox {mailbox} without --server: where is it?")
    ill = 0
    signs = [looks.of_machine(Path.cwd())]
    if server:  # asked for before anything is said: a URL that can't be meant is a mistake in the command
        signs.append(looks.of_server(server, access_of(given), mailbox))
    for several in signs:
        for sign in several:
            ill += sign.state is State.ILL
            show(f"{sign.state:<5} {sign.what:<{_WIDTH}} {sign.found}")
            if sign.advice:
                show(f"{'':<5} {'':<{_WIDTH}} {sign.advice}")
    say(f"{ill} of these have to be mended" if ill else "all is well")
    return 1 if ill else 0
