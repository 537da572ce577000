"""The command that plans: how a roster would be cut, and how long a run over it would take. No mailbox is opened."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from fanout import pictures
from fanout.cli.benching import check_free
from fanout.cli.looking import survey
from fanout.cli.words import MAILBOXES, PATIENCE, WORKFORCE, choice_of, give, say, seconds, share_of_workers, show
from fanout.conduct import check_concurrency
from fanout.convoy import check_named_once
from fanout.errors import UsageError
from fanout.forecast import picture, sources
from fanout.forecast.model import Beside, Machine, Setting, Trouble
from fanout.forecast.report import report
from fanout.forecast.study import Study
from fanout.forecast.subject import Part, Subject
from fanout.names import Shares, read_names
from fanout.partition import chunks, partition
from fanout.policy import Limits, Policy
from fanout.runfile import RunFile
from fanout.workplace import THIS_MACHINE
from workers.access import ANYBODY, Access
from workers.servers import scheme_of, server_at
from workers.simulated.options import Delay, delay
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fanout.forecast.model import Seconds
    from fanout.forecast.model import Server as Model
    from fanout.forecast.sources import Source
    from fanout.forecast.study import Forecast
    from workers.servers import Server

#: Options that choose among the mailboxes of a roster.
_CHOICE = ("mailboxes_from", "include", "exclude", "limit", "sample", "shard")


def _delay(_: click.Context, __: click.Parameter, value: str | None) -> Delay | None:
    """`120ms`, `lognormal(120ms,1.2)`."""
    try:
        return None if value is None else delay(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: allowed is {error}") from None


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """`0.3ms`, `20us`."""
    found = _delay(_, __, value)
    if found is not None and found.sigma:
        raise click.BadParameter(f"{value!r}: a duration is given as 2ms, 0.5s or 150us")
    return None if found is None else found.median


FORECAST: list[Any] = [
    click.option("--forecast", is_flag=True, help="Say how long a run would take, instead of how the roster is cut."),
    click.option(
        "--seconds",
        callback=_delay,
        metavar="TIME",
        help="What a mailbox takes: 120ms, or lognormal(120ms,1.2) by median and sigma. By default as the options of sim: say.",
    ),
    click.option(
        "--from",
        "measured",
        type=click.Path(path_type=Path),
        metavar="RUN",
        help="A run file: mailboxes take, and fail, as they did in that run; those of several servers as their own did.",
    ),
    click.option(
        "--cpu",
        callback=_duration,
        metavar="TIME",
        help="How much of it is CPU time, which workers share. By default measured for sim:, else none.",
    ),
    click.option("--connect", callback=_duration, metavar="TIME", help="What a connection of a worker takes."),
    click.option("--sessions", type=click.IntRange(1), metavar="N", help="Sessions that each server allows at a time."),
    click.option(
        "--count",
        type=click.IntRange(1),
        multiple=True,
        metavar="N",
        help="So many mailboxes on each server, which is not asked; repeated, on one server after the other.",
    ),
    click.option(
        "--cores", type=click.IntRange(1), metavar="N", help="Cores that workers share; those of this machine."
    ),
    click.option(
        "--outage",
        callback=seconds,
        metavar="TIME",
        default="10m",
        show_default=True,
        help="An outage of the server, of several of the one that is done last, to tell the cost of; none: of none.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="What all chance follows from."),
    click.option("--json", "as_json", is_flag=True, help="The forecast as one JSON document."),
    click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="A picture, FILE.png or FILE.svg."),
    click.option("--force", is_flag=True, help="Replace the picture if it is there."),
]


@click.command()
@give(MAILBOXES, WORKFORCE, FORECAST, PATIENCE)
def plan(**given: Any) -> None:  # noqa: ANN401 - the values of many options
    """Show the chunks of a run, or how long it would take. No mailbox is opened for it.

    With --forecast the decisions of a run are made in virtual time, again and again, over mailboxes that take as long as is
    known of them: by the options of sim:, by --seconds, or by a run that was measured. Told are the time to finish, the use of
    workers and sessions, what other chunk sizes and numbers of workers would take, and what an outage costs; of several servers
    also when each is done.

    \b
    fanout plan --server sim:2000 -w 4 --chunk-size auto
    fanout plan --forecast --server imaps://mail.example.com --count 100000 --seconds 'lognormal(120ms,1.2)' -w 16
    fanout plan --forecast --server sim:2000 --server 'sim:500?latency=20ms' -w 4
    """
    if given["forecast"]:
        _forecast(given)
        return
    _refuse_what_only_a_forecast_takes()
    roster, how = survey(given)
    show("\t".join(["chunk", "mailboxes", "first", "last", *(["server"] if roster.legs else [])]))
    sizes = []
    for number, ordinals in enumerate(chunks(how, roster.count), 1):
        server = roster.server(ordinals[0])
        names = [roster.name(ordinals[0]), roster.name(ordinals[-1]), *([server] if server else [])]
        show("\t".join([f"{number}", f"{len(ordinals)}", *names]))
        sizes.append(len(ordinals))
    say(f"{roster.count:,} mailboxes in {len(sizes):,} chunks of {min(sizes):,} to {max(sizes):,}: {roster.source}")


def _refuse_what_only_a_forecast_takes() -> None:
    """Raise UsageError for the first of these options that was given."""
    context = click.get_current_context()
    for option in [*FORECAST, *PATIENCE]:
        parameter = _parameter(option)
        source = context.get_parameter_source(str(parameter.name))
        if source is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"{parameter.opts[0]}: only with --forecast")


def _parameter(option: Any) -> click.Parameter:  # noqa: ANN401 - what click decorates with
    """What an option of a list stands for."""

    def bare() -> None:
        """Takes the option."""

    found: click.Parameter = click.command()(option(bare)).params[0]
    return found


# --- a forecast -------------------------------------------------------------------------------------------------------


def _forecast(given: dict[str, Any]) -> None:
    if given["picture"]:
        pictures.check(given["picture"])
        check_free(given["picture"], force=given["force"])
    urls = given["servers"]
    check_named_once(urls)
    servers = [_server(given, url) for url in urls]
    parts = _parts(given, servers, _counts(given))
    machine = Machine(given["cores"] or len(os.sched_getaffinity(0)))
    subject = Subject(parts, machine, _policy(given, parts))
    workers = given["workers"] or share_of_workers(THIS_MACHINE, len(urls))
    setting = Setting(workers, given["chunk_size"], given["concurrency"])
    _tell(Study(subject, given["seed"]).forecast(setting, given["outage"] or 0.0), given)


def _tell(found: Forecast, given: dict[str, Any]) -> None:
    if given["as_json"]:
        show(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        for line in report(found, shutil.get_terminal_size().columns if sys.stdout.isatty() else None):
            show(line)
    if given["picture"]:
        picture.draw(found, given["picture"])
        say(f"written: {given['picture']}")


def _server(given: dict[str, Any], url: str) -> Server:
    """A server, to which nothing is connected, so that any account will do. Raises UsageError for what it can't hold, too."""
    try:
        access = Access(user=given["user"] or "anybody") if scheme_of(url).accounts else ANYBODY
        server = server_at(url, separate_connections=given["separate_connections"], access=access)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error
    _check_portions(given, server)
    return server


def _check_portions(given: dict[str, Any], server: Server) -> None:
    """Raise UsageError for chunks, and for lanes, that a session can't hold."""
    try:
        check_concurrency(given["concurrency"], server)
        partition(given["chunk_size"], given["workers"] or 1, server.capacity, server.arithmetic)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _counts(given: dict[str, Any]) -> list[int]:
    """How many mailboxes there are to visit on each server. Raises UsageError where there is none at all."""
    urls = given["servers"]
    if given["count"]:
        return _counted(given, len(urls))
    if given["mailboxes_from"]:
        counts = [sum(1 for _ in choice_of(given).here(names)) for names in _names(given["mailboxes_from"], urls)]
        if not any(counts):
            raise UsageError(
                f"no mailbox is left to visit: {given['mailboxes_from']}, and what was chosen of it, give none"
            )
        return counts
    roster, _ = survey(given | {"workers": 1})  # nobody works, so there need be no room for so many
    if not roster.legs:
        return [roster.count]
    return [leg.count if leg else 0 for leg in map(roster.leg, urls)]


def _counted(given: dict[str, Any], servers: int) -> list[int]:
    """What --count says of each server. Raises UsageError."""
    counts = given["count"]
    for name in _CHOICE:
        if given[name]:
            raise UsageError(f"--count and --{name.replace('_', '-')}: it is so many mailboxes, or those of a roster")
    if len(counts) not in {1, servers}:
        raise UsageError(
            f"--count is given {len(counts)} times, --server {servers} times: give it once, for each server, or as often as that"
        )
    return [*counts] if len(counts) == servers else [*counts] * servers


def _names(path: str, urls: Sequence[str]) -> Iterator[Iterator[str]]:
    """The names in a file, server by server."""
    if len(urls) == 1:
        yield read_names(path, urls[0])
        return
    shares = Shares(path, tuple(urls))
    yield from map(shares.of, urls)


def _parts(given: dict[str, Any], servers: Sequence[Server], counts: Sequence[int]) -> tuple[Part, ...]:
    """What is known of the mailboxes of each server that has some. Raises UsageError where that is nothing, or told twice."""
    if given["measured"] and given["seconds"]:
        raise UsageError("--from and --seconds: mailboxes take what they took in a run, or what is said")
    each = [*zip(given["servers"], servers, counts, strict=True)]
    for url in [url for url, _, count in each if not count]:
        say(f"{url}: no mailbox is left to visit there")
    found = [one for one in each if one[2]]
    return tuple(
        Part(url, _as_said(given, source.server), count, server.capacity, source.words)
        for (url, server, count), source in zip(found, _sources(given, found), strict=True)
    )


def _sources(given: dict[str, Any], found: Sequence[tuple[str, Server, int]]) -> Iterator[Source]:
    """What tells of so many mailboxes of each server. Raises UsageError where nothing does."""
    if given["measured"]:
        with RunFile.open(given["measured"]) as file:
            shares = sources.shares(file, [url for url, _, _ in found])
            for within, (_, server, _) in zip(shares, found, strict=True):
                yield sources.measured(file, within, separate=server.capacity is None)
        return
    trials = sources.Trials()
    for url, server, count in found:
        separate = server.capacity is None
        if given["seconds"]:
            yield sources.given(given["seconds"], separate=separate)
        else:
            yield sources.of_server(url, count, trials, separate=separate)


def _as_said(given: dict[str, Any], server: Model) -> Model:
    """What is known of a server, but for what is given. Raises UsageError."""
    changes = {name: given[name] for name in ("cpu", "connect", "sessions") if given[name] is not None}
    if given["cpu"] and (given["measured"] or given["seconds"]):
        changes["waits"] = _beside(server.waits, given["cpu"])
    return replace(server, **changes)


def _beside(whole: Seconds, cpu: float) -> Beside:
    """What mailboxes wait, of whose seconds so many are CPU time. Raises UsageError where that is more than they take."""
    if isinstance(whole, Delay) and whole.median < cpu:
        raise UsageError(
            f"--cpu: {cpu:g} s of CPU are more than the {whole.median:g} s of --seconds, of which they are a part"
        )
    return Beside(whole, cpu)


def _policy(given: dict[str, Any], parts: Sequence[Part]) -> Policy:
    """What the run would do about trouble. Raises UsageError for one that would have no end."""
    if given["stall_timeout"] is None and any(Trouble.HANG in part.server.troubles for part in parts):
        raise UsageError(
            "--stall-timeout none: some of these mailboxes hang, and a run without a limit would never end"
        )
    limits = Limits(stall_timeout=given["stall_timeout"])
    return Policy(limits, retries=given["retries"], rate=given["rate"])
