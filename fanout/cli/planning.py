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
from fanout.cli.words import MAILBOXES, PATIENCE, WORKFORCE, choice_of, give, say, seconds, show
from fanout.conduct import check_concurrency
from fanout.errors import UsageError
from fanout.forecast import picture, sources
from fanout.forecast.model import Beside, Machine, Setting, Trouble
from fanout.forecast.report import report
from fanout.forecast.study import Study, Subject
from fanout.names import read_names
from fanout.partition import chunks, partition
from fanout.policy import Limits, Policy
from fanout.runfile import RunFile
from workers.access import ANYBODY, Access
from workers.servers import scheme_of, server_at
from workers.simulated.options import Delay, delay
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from fanout.forecast.model import Seconds
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
        help="A run file: mailboxes take, and fail, as they did in that run.",
    ),
    click.option(
        "--cpu",
        callback=_duration,
        metavar="TIME",
        help="How much of it is CPU time, which workers share. By default measured for sim:, else none.",
    ),
    click.option("--connect", callback=_duration, metavar="TIME", help="What a connection of a worker takes."),
    click.option("--sessions", type=click.IntRange(1), metavar="N", help="Sessions that the server allows at a time."),
    click.option("--count", type=click.IntRange(1), metavar="N", help="So many mailboxes; the server is not asked."),
    click.option(
        "--cores", type=click.IntRange(1), metavar="N", help="Cores that workers share; those of this machine."
    ),
    click.option(
        "--outage",
        callback=seconds,
        metavar="TIME",
        default="10m",
        show_default=True,
        help="An outage of the server to tell the cost of; none: of none.",
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
    workers and sessions, what other chunk sizes and numbers of workers would take, and what an outage costs.

    \b
    fanout plan --server sim:2000 -w 4 --chunk-size auto
    fanout plan --forecast --server imaps://mail.example.com --count 100000 --seconds 'lognormal(120ms,1.2)' -w 16
    """
    if given["forecast"]:
        if len(given["servers"]) > 1:
            raise UsageError("a forecast is of one server: give --server once")
        _forecast(given | {"server": given["servers"][0]})
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
    server = _server(given)
    _check_portions(given, server)
    count = _count(given)
    source = _source(given, server, count)
    workers = given["workers"] or len(os.sched_getaffinity(0))
    machine = Machine(given["cores"] or len(os.sched_getaffinity(0)))
    subject = Subject(source.server, machine, count, server.capacity, _policy(given, source))
    setting = Setting(workers, given["chunk_size"], given["concurrency"])
    found = Study(subject, given["seed"]).forecast(setting, given["outage"] or 0.0, given["server"], source.words)
    _tell(found, given)


def _tell(found: Forecast, given: dict[str, Any]) -> None:
    if given["as_json"]:
        show(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        for line in report(found, shutil.get_terminal_size().columns if sys.stdout.isatty() else None):
            show(line)
    if given["picture"]:
        picture.draw(found, given["picture"])
        say(f"written: {given['picture']}")


def _server(given: dict[str, Any]) -> Server:
    """The server, to which nothing is connected, so that any account will do. Raises UsageError."""
    url = given["server"]
    try:
        access = Access(user=given["user"] or "anybody") if scheme_of(url).accounts else ANYBODY
        return server_at(url, separate_connections=given["separate_connections"], access=access)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error


def _count(given: dict[str, Any]) -> int:
    """How many mailboxes there are to visit. Raises UsageError."""
    if given["count"]:
        for name in _CHOICE:
            if given[name]:
                raise UsageError(
                    f"--count and --{name.replace('_', '-')}: it is so many mailboxes, or those of a roster"
                )
        return int(given["count"])
    if given["mailboxes_from"]:
        count = sum(1 for _ in choice_of(given).here(read_names(given["mailboxes_from"], given["server"])))
        if not count:
            raise UsageError(
                f"no mailbox is left to visit: {given['mailboxes_from']}, and what was chosen of it, give none"
            )
        return count
    return survey(given | {"workers": 1})[0].count  # nobody works, so there need be no room for so many


def _check_portions(given: dict[str, Any], server: Server) -> None:
    """Raise UsageError for chunks, and for lanes, that a session can't hold."""
    try:
        check_concurrency(given["concurrency"], server)
        partition(given["chunk_size"], given["workers"] or 1, server.capacity, server.arithmetic)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _source(given: dict[str, Any], server: Server, count: int) -> Source:
    """What is known of the mailboxes. Raises UsageError where that is nothing, or told twice."""
    separate = server.capacity is None
    if given["measured"] and given["seconds"]:
        raise UsageError("--from and --seconds: mailboxes take what they took in a run, or what is said")
    if given["measured"]:
        with RunFile.open(given["measured"]) as file:
            source = sources.measured(file, separate=separate)
    elif given["seconds"]:
        source = sources.given(given["seconds"], separate=separate)
    else:
        source = sources.of_server(given["server"], count, separate=separate)
    changes = {name: given[name] for name in ("cpu", "connect", "sessions") if given[name] is not None}
    if given["cpu"] and (given["measured"] or given["seconds"]):
        changes["waits"] = _beside(source.server.waits, given["cpu"])
    return replace(source, server=replace(source.server, **changes))


def _beside(whole: Seconds, cpu: float) -> Beside:
    """What mailboxes wait, of whose seconds so many are CPU time. Raises UsageError where that is more than they take."""
    if isinstance(whole, Delay) and whole.median < cpu:
        raise UsageError(
            f"--cpu: {cpu:g} s of CPU are more than the {whole.median:g} s of --seconds, of which they are a part"
        )
    return Beside(whole, cpu)


def _policy(given: dict[str, Any], source: Source) -> Policy:
    """What the run would do about trouble. Raises UsageError for one that would have no end."""
    if given["stall_timeout"] is None and Trouble.HANG in source.server.troubles:
        raise UsageError(
            "--stall-timeout none: some of these mailboxes hang, and a run without a limit would never end"
        )
    limits = Limits(stall_timeout=given["stall_timeout"])
    return Policy(limits, retries=given["retries"], rate=given["rate"])
