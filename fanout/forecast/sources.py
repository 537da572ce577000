"""Where the times of a forecast come from: the options of a simulated server, a run that was measured, or the words of a user."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from fanout.errors import UsageError
from fanout.forecast.model import Sample, Server, Slowed, Trips, Trouble
from fanout.ordinals import EVERY
from workers.causes import Cause, MailboxError
from workers.simulated.faults import SLOW_AT_LEAST, SLOWNESS
from workers.simulated.options import SCHEME, Delay, Fault, parse_options
from workers.simulated.trial import try_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.outcomes import Outcome
    from fanout.runfile import RunFile
    from workers.simulated.options import Share, SimulatedOptions
    from workers.simulated.trial import Trial

#: Mailboxes of a run whose seconds are kept.
KEPT = 2**16

#: What a fault of the simulated server does to a mailbox. One that is slow is well.
_OF_FAULT = {
    Fault.MISSING: Trouble.REFUSED,
    Fault.DENIED: Trouble.REFUSED,
    Fault.HANG: Trouble.HANG,
    Fault.BUSY: Trouble.BUSY,
    Fault.DROP: Trouble.CUT,
}

#: What an attempt that failed, and was followed by another one, says of its mailbox; and one that was the last. Every other
#: one that was the last came at once.
_OF_ATTEMPT = {Cause.BUSY: Trouble.BUSY, Cause.UNREACHABLE: Trouble.CUT}
_OF_LAST = {
    Cause.STALL: Trouble.HANG,
    Cause.TIMEOUT: Trouble.HANG,
    Cause.CRASH: Trouble.CRASH,
    Cause.MEMORY: Trouble.CRASH,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A server as a forecast knows it, and where that comes from, in words."""

    server: Server
    words: str


class Trials:
    """Censuses of a few mailboxes, here. Servers that differ by seed and number alone are tried once: a trial is off by more than that."""

    def __init__(self) -> None:
        self._made: dict[tuple[SimulatedOptions, bool], Trial] = {}

    def of(self, options: SimulatedOptions, *, separate: bool) -> Trial:
        """The trial of a server. Raises what `try_out` raises."""
        source = options.source if isinstance(options.source, Path) else 0
        alike = replace(options, source=source, seed=0), separate
        if alike not in self._made:
            self._made[alike] = try_out(options, separate_connections=separate)
        return self._made[alike]


def simulated(url: str, count: int, trials: Trials, *, separate: bool) -> Source:
    """By the options of a `sim:` URL, and a census of a few of its mailboxes. Raises UsageError."""
    options = parse_options(url)
    try:
        trial = trials.of(options, separate=separate)
    except (OSError, MailboxError) as error:
        raise UsageError(f"{url}: no mailbox can be tried: {error}; with --seconds none needs to be") from error
    usual = Trips(options.latency, trial.trips, trial.late)
    server = Server(
        waits=_slowed(usual, _share(options.slow, count)),
        cpu=trial.cpu,
        connect=options.connect.mean + options.latency.mean,
        refusal=options.latency.mean + trial.cpu / 2,
        troubles=_troubles((fault, _share(share, count)) for fault, share in options.faults.items()),
        backoff=options.backoff,
        separate=separate,
    )
    return Source(
        server,
        f"a census: {trial.trips} round trips by the options of the URL, and {1e3 * trial.cpu:.2f} ms of CPU, as "
        f"{trial.mailboxes} mailboxes took here",
    )


def _slowed(usual: Trips, share: float) -> Trips | Slowed:
    return Slowed(usual, share, SLOWNESS, SLOW_AT_LEAST * usual.number) if share else usual


def _share(share: Share, count: int) -> float:
    return share.fraction or min(1.0, len(share.names) / count)


def _troubles(shares: Iterable[tuple[Fault, float]]) -> dict[Trouble, float]:
    found: defaultdict[Trouble, float] = defaultdict(float)
    for fault, share in shares:
        if fault in _OF_FAULT:
            found[_OF_FAULT[fault]] += share
    return dict(found)


def given(seconds: Delay, *, separate: bool) -> Source:
    """By a distribution that a user gives."""
    spread = f", sigma {seconds.sigma:g}" if seconds.sigma else ""
    return Source(
        Server(waits=seconds, connect=0.0, refusal=seconds.mean, separate=separate),
        f"--seconds: {1e3 * seconds.median:,.4g} ms each{spread}",
    )


def shares(file: RunFile, servers: Sequence[str]) -> list[range]:
    """The mailboxes of each of these servers in a run; all there are for a server by itself that the run was not over.

    Raises UsageError for one of several that the run was not over, and for one of which nothing is done.
    """
    told = file.facts("server", "legs")
    legs = {leg["server"]: range(leg["first"], leg["first"] + leg["count"]) for leg in told.get("legs", ())}
    if not told or (len(servers) == 1 and servers[0] not in legs):
        return [EVERY for _ in servers]
    legs = legs or {told["server"]: EVERY}
    for server in servers:
        if server not in legs:
            raise UsageError(
                f"--from {file.path}: it has no mailbox of {server}, and each server takes what its own mailboxes took; it is a "
                f"run over {', '.join(legs)}"
            )
        if not file.counts_of(legs[server])[0]:
            raise UsageError(f"--from {file.path}: it has no mailbox of {server} that is done")
    return [legs[server] for server in servers]


def measured(file: RunFile, within: range = EVERY, *, separate: bool) -> Source:
    """By a run: the seconds of its mailboxes, and what its attempts came to, as far as it has come.

    Raises UsageError for one that tells nothing.
    """
    if not file.sittings():
        raise UsageError(f"--from {file.path}: the run never began, or is just beginning: it has measured nothing")
    goes_on = file.worked_on_by is not None
    seconds, failed = _Reservoir(), _Failures()
    for outcome in file.outcomes(within):
        if not outcome.ok:
            failed.add(outcome)
        elif outcome.seconds is not None:
            seconds.add(outcome.seconds)
    if not seconds.kept:
        advice = ", and goes on: wait until it has some" if goes_on else ""
        raise UsageError(f"--from {file.path}: it has no mailbox that is done and whose seconds are known{advice}")
    attempts = file.retrospect.attempts(within)
    server = Server(
        waits=Sample(tuple(seconds.kept)),
        refusal=failed.refusal,
        troubles=failed.shares(seconds.seen + failed.count, attempts),
        separate=separate,
    )
    return Source(
        server,
        f"{_in_words(file, within)}{', which goes on, so far' if goes_on else ''}: {seconds.seen:,} mailboxes done, "
        f"{failed.count:,} failed, {attempts.total():,} further attempts; all of their seconds count as waiting, "
        "unless --cpu says otherwise",
    )


def _in_words(file: RunFile, within: range) -> str:
    """The run, for people: of one over several servers it is one that counts, or all of them together."""
    servers = file.facts("servers").get("servers")
    if not servers:
        return f"{file.path}"
    return f"{file.path}, {f'its {len(servers)} servers together' if within == EVERY else 'on this server'}"


class _Reservoir:
    """Some of the numbers that it is told of, each as likely as any other."""

    def __init__(self) -> None:
        self.kept = array("d")
        self.seen = 0
        self._random = Random(0)

    def add(self, number: float) -> None:
        self.seen += 1
        if len(self.kept) < KEPT:
            self.kept.append(number)
        elif (place := self._random.randrange(self.seen)) < KEPT:
            self.kept[place] = number


class _Failures:
    """Mailboxes that failed for good."""

    def __init__(self) -> None:
        self.count = 0
        self._troubles: Counter[Trouble] = Counter()
        #: Of those that failed at once.
        self._seconds = 0.0

    def add(self, outcome: Outcome) -> None:
        assert outcome.error is not None
        trouble = _OF_LAST.get(outcome.error.cause, Trouble.REFUSED)
        self.count += 1
        self._troubles[trouble] += 1
        if trouble is Trouble.REFUSED:
            self._seconds += outcome.seconds or 0.0

    @property
    def refusal(self) -> float:
        """Seconds of one that failed at once, on average."""
        return self._seconds / max(1, self._troubles[Trouble.REFUSED])

    def shares(self, mailboxes: int, attempts: Counter[Cause]) -> dict[Trouble, float]:
        """Which share of the mailboxes was in which trouble."""
        troubles = Counter(self._troubles)
        for cause, trouble in _OF_ATTEMPT.items():
            troubles[trouble] += attempts[cause]
        return {trouble: number / mailboxes for trouble, number in troubles.items() if number}


def of_server(url: str, count: int, trials: Trials | None = None, *, separate: bool) -> Source:
    """By what a URL alone tells; `trials`: those that were made already. Raises UsageError for a server of which that is nothing."""
    if url.startswith(SCHEME):
        return simulated(url, count, trials or Trials(), separate=separate)
    if url.startswith("null:"):
        return Source(Server(Delay(0.0), cpu=0.2e-6, separate=separate), "nothing is opened: 0.2 us of CPU")
    raise UsageError(
        f"{url}: nothing is known of how long a mailbox takes there; give --seconds, as in --seconds 120ms or "
        "--seconds 'lognormal(120ms,1.2)', or --from RUN, the run file of a run over some of them"
    )
