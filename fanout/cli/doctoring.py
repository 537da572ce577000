"""`fanout doctor`: what this machine allows, what is installed, and what a server gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanout import doctor as looks
from fanout.cli.access import ACCESS, access_of
from fanout.cli.words import give, say, show
from fanout.convoy import access_to
from fanout.doctor import State
from fanout.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanout.doctor import Sign

#: Characters of what was looked at.
_WIDTH = 15


@click.command()
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="URL",
    help="Look at this server, too: one mailbox is opened, nothing is marked. May be repeated.",
)
@click.option(
    "--mailbox", metavar="NAME", help="The mailbox that is opened there; by default the first that is listed."
)
@give(ACCESS)
def doctor(servers: tuple[str, ...], mailbox: str | None, **given: Any) -> int:  # noqa: ANN401 - as click gives
    """Look at what this machine allows, and at what servers give. What to do about what is amiss is said.

    Exit code 1 if something fails.

    \b
    fanout doctor
    fanout doctor --server sim:10
    """
    if mailbox and len(servers) != 1:
        raise UsageError(f"--mailbox {mailbox}: on which server? Give --server once")
    # asked for before anything is said: a URL that can't be meant is a mistake in the command
    accesses = access_to(servers, access_of(given)) if servers else []
    signs = [looks.of_server(*each, mailbox) for each in zip(servers, accesses, strict=True)]
    ill = _tell(looks.of_machine(Path.cwd()))
    for server, several in zip(servers, signs, strict=True):
        if len(servers) > 1:
            show(server)
        ill += _tell(several)
    say(f"{ill} of these have to be mended" if ill else "all is well")
    return 1 if ill else 0


def _tell(signs: Iterable[Sign]) -> int:
    """Show some signs as they are found; how many of them are ill."""
    ill = 0
    for sign in signs:
        ill += sign.state is State.ILL
        show(f"{sign.state:<5} {sign.what:<{_WIDTH}} {sign.found}")
        if sign.advice:
            show(f"{'':<5} {'':<{_WIDTH}} {sign.advice}")
    return ill
