"""Words that several commands take, and the values that they stand for."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from fanout.cli import completing
from fanout.cli.access import ACCESS, access_of
from fanout.conduct import Mailboxes, Workforce
from fanout.errors import ReaderGoneError, StoppedError
from fanout.names import Shares, read_names
from fanout.plain import laid_out
from fanout.policy import Limits, MaxFailures, Policy
from fanout.roster import Choice, Shard
from fanout.staff import MOST
from fanout.workplace import THIS_MACHINE, Workplace
from workers.messages import MAX_MESSAGE, MAX_RESULT

if TYPE_CHECKING:
    from collections.abc import Callable

_Option = Any  # what click decorates with

#: Bytes of a unit of size, and seconds of a unit of time.
_SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_TIMES = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}

#: Bytes of the largest result that fits into a message with all that stands beside it.
LARGEST_RESULT = MAX_MESSAGE // 2


def say(line: str) -> None:
    """A line for people: stdout is for records."""
    with suppress(OSError):  # a log that is full, a terminal that is gone: no reason to end a run
        click.echo(laid_out(line), err=True)


def show(text: str) -> None:
    """Write what was asked for to stdout. Raises ReaderGoneError, or StoppedError when it takes no more."""
    try:
        click.echo(laid_out(text))
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise StoppedError(f"stdout can't be written: {error.strerror}") from error


# --- values -----------------------------------------------------------------------------------------------------------


def shard(_: click.Context, __: click.Parameter, value: str | None) -> Shard | None:
    """`I/N`."""
    if value is None:
        return None
    part, slash, parts = value.partition("/")
    if not slash or not part.isdecimal() or not parts.isdecimal() or not 1 <= int(part) <= int(parts):
        raise click.BadParameter(f"{value!r}: a shard is given as I/N, with 1 <= I <= N")
    return Shard((int(part),), int(parts))


def chunk_size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A number of mailboxes; None for `auto`."""
    if value is None or value == "auto":
        return None
    if not value.isdecimal() or int(value) == 0:
        raise click.BadParameter(f"{value!r}: a chunk size is a number of mailboxes, 1 or more, or auto")
    return int(value)


def seconds(_: click.Context, __: click.Parameter, value: str) -> float | None:
    """`90`, `1.5m`, `2h`; None for `none` and for 0."""
    if value == "none":
        return None
    number = _with_unit(value, _TIMES)
    if number is None:
        raise click.BadParameter(
            f"{value!r}: a limit is given in seconds, as in 90, or as in 5m or 2h; none for no limit"
        )
    return number or None


def size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """`512M`, `2G`: bytes, 1 or more."""
    if value is None:
        return None
    number = _with_unit(value.upper().removesuffix("B").removesuffix("I"), _SIZES)
    if not number or number < 1:
        raise click.BadParameter(f"{value!r}: a size is given in bytes, or as in 512M or 2G")
    return int(number)


def largest_result(context: click.Context, parameter: click.Parameter, value: str | None) -> int:
    """A size that a message can carry."""
    number = size(context, parameter, value)
    if number is not None and number > LARGEST_RESULT:
        raise click.BadParameter(f"{value!r}: a result has {LARGEST_RESULT // 2**20}M at the most")
    return number or MAX_RESULT


def rate(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """`50/s`, `600/m`: mailboxes a second."""
    if value is None:
        return None
    number, _slash, unit = value.partition("/")
    each = _with_unit(number, {"": 1})
    if not each or unit not in _TIMES:
        raise click.BadParameter(f"{value!r}: a rate is given as N/s, N/m or N/h, and is more than nothing")
    return each / _TIMES[unit]


def max_failures(_: click.Context, __: click.Parameter, value: str | None) -> MaxFailures | None:
    """`20`, `5%`."""
    if value is None:
        return None
    if value.isdecimal():
        return MaxFailures(number=int(value))
    share = _with_unit(value, {"%": 0.01})
    if share is None or share > 1:
        raise click.BadParameter(f"{value!r}: failures are limited by a number of them, or by a share as in 5%")
    return MaxFailures(share=share)


def _with_unit(text: str, units: dict[str, Any]) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z%]*)", text, re.ASCII)
    return float(found[1]) * units[found[2]] if found and found[2] in units else None


# --- options ----------------------------------------------------------------------------------------------------------

JOB: list[_Option] = [
    click.argument("job", shell_complete=completing.job),
    click.option(
        "-a",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=completing.job_option,
        help="An option of the job, as `fanout jobs JOB` tells of them; may be repeated.",
    ),
]

MAILBOXES: list[_Option] = [
    click.option(
        "--server",
        "servers",
        required=True,
        multiple=True,
        metavar="URL",
        help="The server: imaps://HOST, mapi+https://HOST, sim:N, ...; repeated, a run is over several.",
    ),
    click.option(
        "--mailboxes-from",
        metavar="FILE",
        help="Names, one a line or in a CSV with a header, instead of the server's roster; - reads stdin. For several "
        "servers, a CSV with a column server.",
    ),
    click.option("--include", multiple=True, metavar="GLOB", help="Only names like this; may be repeated."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="No names like this; may be repeated."),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N of what is chosen."),
    click.option("--sample", type=click.IntRange(1), metavar="N", help="N by chance, always the same ones."),
    click.option("--shard", callback=shard, metavar="I/N", help="The I-th of N parts, the same on every machine."),
    *ACCESS,
]

PORTIONS: list[_Option] = [
    click.option(
        "-w",
        "--workers",
        type=click.IntRange(1, MOST),
        metavar="N",
        help="Worker processes, for each server; by default one a core, over all servers.",
    ),
    click.option(
        "--chunk-size",
        callback=chunk_size,
        metavar="N|auto",
        default="auto",
        show_default=True,
        help="Mailboxes given to a worker together; auto: large chunks first, small ones last.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        metavar="N",
        default=1,
        show_default=True,
        help="Mailboxes that a worker visits at a time, in threads, so that it works while it waits for the server.",
    ),
]

WORKFORCE: list[_Option] = [
    *PORTIONS,
    click.option(
        "--separate-connections",
        is_flag=True,
        help="A connection of its own for each mailbox: lifts the ceiling, costs a connection each.",
    ),
    click.option(
        "--start-method",
        type=click.Choice(["fork", "spawn"]),
        help="How workers are started; by default fork wherever that is safe.",
    ),
]

PATIENCE: list[_Option] = [
    click.option(
        "--stall-timeout",
        callback=seconds,
        default="300",
        show_default=True,
        metavar="S",
        help="Seconds that a mailbox may go without a round trip; one that makes progress lives.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(0),
        default=Policy().retries,
        show_default=True,
        metavar="N",
        help="Further attempts at a mailbox, for causes that can pass and when its worker died.",
    ),
    click.option(
        "--rate", callback=rate, metavar="N/s", help="Mailboxes begun a second, over all workers of a server."
    ),
]

TROUBLE: list[_Option] = [
    click.option(
        "--timeout",
        callback=seconds,
        default="none",
        show_default=True,
        metavar="S",
        help="Seconds that a mailbox may take.",
    ),
    *PATIENCE,
    click.option(
        "--max-rss",
        callback=size,
        metavar="SIZE",
        help="Memory of a worker, as in 512M: beyond it the worker is replaced, far beyond it killed.",
    ),
    click.option(
        "--recycle-after", type=click.IntRange(1), metavar="N", help="Mailboxes after which a worker is replaced."
    ),
    click.option(
        "--max-failures",
        callback=max_failures,
        metavar="N|P%",
        help="Stop early when more mailboxes of a server fail: so many, or such a share.",
    ),
]


def give(*groups: list[_Option]) -> Callable[[Any], Any]:
    """Give a command the options of these groups."""

    def decorate(command: Any) -> Any:  # noqa: ANN401 - what click decorates
        for group in reversed(groups):
            for option in reversed(group):
                command = option(command)
        return command

    return decorate


# --- from options to values -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """The values of MAILBOXES and WORKFORCE."""

    mailboxes: Mailboxes
    workforce: Workforce


def words_of(given: dict[str, Any]) -> Words:
    """The values of both groups, out of what click gave."""
    mailboxes = mailboxes_of(given)
    return Words(mailboxes, workforce_of(given, servers=len(mailboxes.servers)))


def workforce_of(given: dict[str, Any], workplace: Workplace = THIS_MACHINE, servers: int = 1) -> Workforce:
    """The values of WORKFORCE, out of what click gave; where it gave no number of workers, a server's share of the workplace's."""
    force = {name: given[name] for name in Workforce.__dataclass_fields__}
    return Workforce(**force | {"workers": force["workers"] or share_of_workers(workplace, servers)})


def share_of_workers(workplace: Workplace, servers: int) -> int:
    """Workers of each server where nobody says how many."""
    return max(1, workplace.workers // servers)


def mailboxes_of(given: dict[str, Any]) -> Mailboxes:
    """The values of MAILBOXES, out of what click gave."""
    names_from = given["mailboxes_from"]
    choice = choice_of(given)
    server, *others = given["servers"]
    if not others:
        names = read_names(names_from, server) if names_from else None
        return Mailboxes(server, choice, names, _source(names_from), access_of(given))
    names_on = Shares(names_from, (server, *others)).of if names_from else None
    return Mailboxes(
        server, choice, None, _source(names_from), access_of(given), others=tuple(others), names_on=names_on
    )


def choice_of(given: dict[str, Any]) -> Choice:
    """The values of MAILBOXES that choose among names, out of what click gave."""
    return Choice(**{name: given[name] for name in ("include", "exclude", "shard", "sample", "limit")})


def policy_of(given: dict[str, Any], workers: int, workplace: Workplace = THIS_MACHINE) -> Policy:
    """The values of TROUBLE, out of what click gave; where it gave no limit of memory, each worker's share of what there is."""
    limits = Limits(**{name: given[name] for name in ("timeout", "stall_timeout", "max_rss", "recycle_after")})
    if limits.max_rss is None:
        limits = replace(limits, max_rss=workplace.share_of_memory(workers))
    return Policy(limits, **{name: given[name] for name in ("retries", "rate", "max_failures")})


def _source(names_from: str | None) -> str:
    return {None: "", "-": "the names on stdin"}.get(names_from, f"the names in {names_from}")
