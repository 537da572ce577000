"""`fanout serve`: the simulated server for clients of any kind."""

from __future__ import annotations

from typing import Any

import click

from fanout.cli.access import ACCOUNT, account_of
from fanout.cli.words import give, say
from fanout.errors import UsageError
from workers.simulated.server import simulated_server
from workers.simulated.web import ANYBODY, Account, WebServer
from workers.urls import ServerUrlError


@click.command()
@click.argument("url", metavar="sim:N")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="The port; by default one that is free.")
@give(ACCOUNT)
def serve(url: str, port: int | None, **given: Any) -> None:  # noqa: ANN401 - the values of many options
    """Open the simulated server as MAPI over HTTP on this machine. It is there, with its address book, until Ctrl-C.

    Every client is let in, whatever its name and password; with --user that account alone, which may open every mailbox.

    \b
    fanout serve sim:2000 --port 8080
    """
    account = account_of(given)
    try:
        server = WebServer(simulated_server(url), Account(*account) if account else ANYBODY, port or 0)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"port {port}: {error.strerror}; give another --port") from error
    try:
        say(f"{server.url} serves {url} until Ctrl-C")
        say(f"try: fanout run census --server {server.url} --user {account[0] if account else 'anybody'}")
        server.serve_forever()
    except KeyboardInterrupt:
        say(f"{server.simulated.round_trips:,} calls were answered")
    finally:
        server.server_close()
