"""The summary of a run, in lines for people. The last line is honest: N done, M failed, of T."""

from __future__ import annotations

import heapq
import shlex
from typing import TYPE_CHECKING, Any

from fanout import facts, leaks
from fanout.by_server import by_server
from fanout.errors import UsageError
from fanout.plain import printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from fanout.by_server import OnServer
    from fanout.conduct import Report
    from fanout.errors import StoppedError
    from fanout.leaks import LeakLine
    from fanout.outcomes import Outcome
    from fanout.runfile import RunFile
    from fanout.sitting import Sitting

#: What is said of a server that could not be asked for its mailboxes.
_UNLISTED = "not listed yet, its mailboxes are not known"

#: Fields of the totals that are named; of more, the largest.
MOST_TOTALS = 12


def of_report(
    report: Report, path: Path, leaked: Iterable[LeakLine] = (), servers: Iterable[OnServer] = ()
) -> Iterator[str]:
    """What is said when a run has ended, its jobs have left so much unreleased, and it came to so much on several servers."""
    merge = report.merge
    yield from totals_in_words(merge.total)
    yield from leaks.in_words(leaked)
    if merge.failed:
        yield from _causes(merge.causes)
        yield f"each of them: {to_see_failures(path)}"
    if report.stopped_by:
        yield f"stopped early: {facts.stopped_by(report)}"
    yield from on_each(servers)
    yield from _ending(merge.succeeded, merge.failed, report.roster.count, path, report.roster.unlisted)


def of_stopped(file: RunFile, error: StoppedError) -> Iterator[str]:
    """What is said when the outside world has stopped a run: what is committed counts."""
    yield f"stopped early: {error}"
    yield from on_each(by_server(file))
    yield from ending(file)


def ending(file: RunFile) -> Iterator[str]:
    """How to go on with a run, where something is left, and its verdict."""
    told = file.facts()
    yield from _ending(*file.counts(), told["roster"]["count"], file.path, told["unlisted"])


def of_run(file: RunFile) -> Iterator[str]:
    """What `show` says of a run."""
    told, sittings = file.facts(), file.sittings()
    if not sittings:
        yield "the run was killed before it began, or is just beginning"
        return
    yield f"job       {told['job']} ({told['job_source']}) {told['options'] or ''}".rstrip()
    yield f"code      {sittings[-1].job_hash or 'none that could be found'}"
    servers = by_server(file)
    yield from on_each(servers) if servers else [f"server    {told['server']}"]
    yield f"roster    {told['roster']['source']}"
    at_work = file.worked_on_by
    for number, sitting in enumerate(sittings, 1):
        yield from _sitting(number, sitting, at_work if number == len(sittings) else None)
    yield from totals_in_words(told.get("totals"))
    yield from leaks.in_words(file.leaks(), shown=None)
    attempts = file.attempts_made()
    if attempts:
        yield f"attempts  {attempts:,} failed and were followed by another one"
    yield from _causes(file.before().failed)
    if at_work is None:
        yield from _retries(file)
    done, failed = file.counts()
    if at_work is None:
        yield from _ending(done, failed, told["roster"]["count"], file.path, told["unlisted"])
    else:
        yield verdict(done, failed, told["roster"]["count"], len(told["unlisted"]))


def of_idle(file: RunFile) -> Iterator[str]:
    """What is said of a run that nobody works on, and how to go on with it where something is left."""
    sittings, (done, failed) = file.sittings(), file.counts()
    if not sittings:
        yield "the run was killed before it began"
        return
    told = file.facts()
    count, unlisted = told["roster"]["count"], told["unlisted"]
    if done + failed < count or unlisted:
        yield f"nobody works on the run: {sittings[-1].stopped_by or 'it was killed, or the power failed'}"
    else:
        yield "the run has ended"
    yield from _causes(file.before().failed)
    yield from on_each(by_server(file))
    yield from _ending(done, failed, count, file.path, unlisted)


def _sitting(number: int, sitting: Sitting, at_work: int | None) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in sitting.versions.items())
    yield f"sitting {number}: {sitting.operator} on {sitting.host}, process {sitting.pid}, {versions}"
    yield f"  command {sitting.command}"
    for change in sitting.accepted:
        yield f"  changed, and accepted: {change}"
    yield f"  begun   {sitting.begun}"
    if sitting.ended:
        yield f"  ended   {sitting.ended}"
    else:
        yield "  at work now" if at_work is not None else "  killed, or the power failed"
    if sitting.stopped_by:
        yield f"  stopped early: {sitting.stopped_by}"


def of_failures(file: RunFile) -> Iterator[str]:
    """A line for each mailbox that failed."""
    for outcome in file.failures():
        yield _failure(outcome)


def of_mailbox(file: RunFile, address: str) -> Iterator[str]:
    """All that is known of one mailbox, on each server that has it. Raises UsageError when the run has no outcome for it."""
    found = file.outcomes_of(address)
    if not found:
        raise UsageError(f"{file.path} has no outcome for a mailbox {address!r}")
    for ordinal, outcome in found:
        yield from _all_of(file, ordinal, outcome)


def _all_of(file: RunFile, ordinal: int, outcome: Outcome) -> Iterator[str]:
    yield f"mailbox   {outcome.name}"
    for at, before in file.attempts(ordinal):
        yield f"attempt   {at} {_failure(before)}"
    yield f"outcome   {'done' if outcome.ok else 'failed'}, attempts: {outcome.attempts}, seconds: {outcome.seconds}"
    if outcome.error:
        yield f"error     {_failure(outcome)}"
        yield from (outcome.error.traceback or "").splitlines()
    else:
        yield f"result    {outcome.result}"
    for leak in file.leaks_of(ordinal):
        yield (
            f"leaked    {leak.count:,} {leak.kind}, obtained at {leak.file}:{leak.line} in {leak.function}, "
            f"on logon index {leak.logon_index}"
        )
    printed = file.output(ordinal)
    if printed:
        yield "printed:"
        yield from printed.splitlines()


def _failure(outcome: Outcome) -> str:
    assert outcome.error is not None
    code = f" {outcome.error.code}" if outcome.error.code else ""
    return f"{outcome.name}\t{outcome.error.cause}{code}\t{outcome.error.type}: {printable(outcome.error.message)}"


def totals_in_words(total: Any) -> Iterator[str]:  # noqa: ANN401 - what a fold of results may be
    """The totals: numbers in a line, and a line for each row of a list."""
    if isinstance(total, dict):
        numbers = {name: value for name, value in total.items() if isinstance(value, int | float)}
        if numbers:
            yield "totals    " + _numbers(numbers)
        for name in total:
            if name not in numbers:
                yield from _rows(name, total[name])
    elif isinstance(total, int | float):
        yield f"total     {total:,}"
    elif total is not None:
        yield from _rows("total", total)


def _numbers(numbers: dict[str, Any]) -> str:
    names = heapq.nlargest(MOST_TOTALS, numbers, key=numbers.__getitem__) if len(numbers) > MOST_TOTALS else numbers
    more = f", and {len(numbers) - len(names):,} more" if len(names) < len(numbers) else ""
    return ", ".join(f"{numbers[name]:,} {name}" for name in names) + more


def _rows(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - what a merge function gives
    """What is no number among the totals: a list row by row, as far as people read."""
    rows = value if isinstance(value, list) else [value]
    for row in rows[:MOST_TOTALS]:
        fields = row.items() if isinstance(row, dict) else [("", row)]
        yield f"{name:<9} " + ", ".join(f"{field} {_word(each)}".strip() for field, each in fields)
    if len(rows) > MOST_TOTALS:
        yield f"{name:<9} and {len(rows) - MOST_TOTALS:,} more"


def _word(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _causes(causes: Counter[Any]) -> Iterable[str]:
    if causes:
        yield "failed    " + ", ".join(f"{count:,} {cause}" for cause, count in causes.most_common())


def _retries(file: RunFile) -> Iterator[str]:
    """The command that visits again what failed, cause by cause."""
    for cause, _ in file.before().failed.most_common():
        yield f"  to visit them again: {to_visit_again(file.path, cause)}"


def of_slowest(file: RunFile, count: int) -> Iterator[str]:
    """A line for each of the mailboxes that took longest, the slowest first. Seconds are those of the last visit."""
    for outcome in file.slowest(count):
        yield f"{outcome.name}\t{outcome.seconds:.3f} s\t{'done' if outcome.ok else 'failed'}"


def on_each(servers: Iterable[OnServer]) -> Iterator[str]:
    """A line for each of several servers: what a run over several servers came to on each of them."""
    for each in servers:
        said = _UNLISTED if each.count is None else verdict(each.done, each.failed, each.count)
        yield f"server    {each.server}: {said}"


def _ending(done: int, failed: int, count: int, path: Path, unlisted: Sequence[str]) -> Iterator[str]:
    """`unlisted`: servers whose mailboxes are not among those counted."""
    if done + failed < count or unlisted:
        yield f"to go on with it: {to_go_on(path)}"
    yield verdict(done, failed, count, len(unlisted))


def to_go_on(path: Path) -> str:
    """The command that goes on with a run."""
    return f"fanout resume {shlex.quote(str(path))}"


def to_visit_again(path: Path, cause: str) -> str:
    """The command that visits again what failed by a cause."""
    return f"{to_go_on(path)} --only-failed={cause}"


def to_show(path: Path) -> str:
    """The command that shows a run."""
    return f"fanout show {shlex.quote(str(path))}"


def to_see_failures(path: Path) -> str:
    """The command that names each mailbox that failed."""
    return f"{to_show(path)} --failed"


def verdict(done: int, failed: int, count: int, unlisted: int = 0) -> str:
    """The last line of all that is said of a run. `unlisted`: servers whose mailboxes are not among those counted."""
    more = f" and those of {unlisted:,} server{'s' if unlisted > 1 else ''} not listed yet" if unlisted else ""
    return f"{done:,} done, {failed:,} failed, of {count:,}{more}"
