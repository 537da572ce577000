"""The command that steers a run which another process works on."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from fanout import control, orders
from fanout.cli import completing
from fanout.cli.words import show
from fanout.errors import UsageError
from fanout.runfile import RunFile
from fanout.staff import MOST

_ORDERS: dict[str, orders.Order] = {"pause": orders.Pause(), "continue": orders.Continue(), "stop": orders.Stop()}


@click.command()
@click.argument("run_file", metavar="RUN", type=click.Path(path_type=Path), shell_complete=completing.run_file)
@click.argument("order", metavar="pause|continue|stop|workers", type=click.Choice([*_ORDERS, "workers"]))
@click.argument("count", metavar="[N]", required=False)
def ctl(run_file: Path, order: str, count: str | None) -> None:
    """Steer a run that goes on in another process of this machine. What becomes of it is said.

    pause lets the mailboxes under way end and begins no other one; continue goes on. stop ends the run as a first Ctrl-C
    does, to be resumed. workers N has N worker processes from now on: more are started, or some leave after the mailbox
    that they are at. Only root and the account that the run works for may do so.

    \b
    fanout ctl census-20261122-120000.fanout workers 8
    """
    meant = _order(order, count)
    with RunFile.open(run_file) as file:
        if file.worked_on_by is None:
            raise UsageError(_nobody(file))
    answer = control.give(meant, run_file)
    if not answer.heeded:
        raise UsageError(answer.text)
    show(answer.text)


def _order(word: str, count: str | None) -> orders.Order:
    """What the words mean. Raises UsageError."""
    if word != "workers":
        if count is not None:
            raise UsageError(f"{word} takes no number, so {count!r} is one word too many")
        return _ORDERS[word]
    if count is None:
        raise UsageError(f"workers takes their number, 1 to {MOST:,}: fanout ctl RUN workers 4")
    if not (count.isdecimal() and count.isascii() and 1 <= int(count) <= MOST):
        raise UsageError(f"workers {count}: a run has a whole number of them, 1 to {MOST:,}")
    return orders.Workers(int(count))


def _nobody(file: RunFile) -> str:
    """That there is nothing to be steered, and what can be done."""
    if not file.sittings():
        return f"nobody works on {file.path}, and the run never began; start it again with fanout run"
    if sum(file.counts()) == file.facts()["roster"]["count"]:
        return f"nobody works on {file.path}: the run has ended, and every mailbox has its outcome"
    path = shlex.quote(str(file.path))
    return f"nobody works on {file.path}; to go on with it: fanout resume {path}"
