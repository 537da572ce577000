"""The summary of a run, in lines for people. The last line is honest: N done, M failed, of T."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fanout import facts
from fanout.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fanout.conduct import Report
    from fanout.outcomes import Outcome
    from fanout.runfile import RunFile


def of_report(report: Report, path: Path) -> Iterator[str]:
    """What is said when a run has ended."""
    merge = report.merge
    yield from _totals(merge.total)
    if merge.failed:
        yield from _causes(merge.causes)
        yield f"each of them: fanout show {path} --failed"
    if report.stopped_by:
        yield f"stopped early: {facts.stopped_by(report)}"
    yield _verdict(merge.succeeded, merge.failed, report.roster.count)


def of_run(file: RunFile) -> Iterator[str]:
    """What `show` says of a run."""
    told = file.facts()
    yield f"job       {told['job']} ({told['job_source']}) {told['options'] or ''}".rstrip()
    yield f"server    {told['server']}"
    yield f"roster    {told['roster']['source']}"
    yield f"run by    {told['operator']} on {told['host']}, fanout {told['versions']['fanout']}"
    yield f"command   {told['command']}"
    yield f"begun     {told['begun']}"
    yield f"ended     {told.get('ended', 'not yet, or it was killed')}"
    yield from _totals(told.get("totals"))
    yield from _causes(Counter(each.error.cause for each in file.failures() if each.error))
    if told.get("stopped_by"):
        yield f"stopped early: {told['stopped_by']}"
    yield _verdict(*file.counts(), told["roster"]["count"])


def of_failures(file: RunFile) -> Iterator[str]:
    """A line for each mailbox that failed."""
    for outcome in file.failures():
        yield _failure(outcome)


def of_mailbox(file: RunFile, address: str) -> Iterator[str]:
    """All that is known of one mailbox. Raises UsageError when the run has no outcome for it."""
    found = file.outcome(address)
    if found is None:
        raise UsageError(f"{file.path} has no outcome for a mailbox {address!r}")
    ordinal, outcome = found
    yield f"mailbox   {outcome.mailbox}"
    yield f"outcome   {'done' if outcome.ok else 'failed'}, attempts: {outcome.attempts}, seconds: {outcome.seconds}"
    if outcome.error:
        yield f"error     {_failure(outcome)}"
        yield from (outcome.error.traceback or "").splitlines()
    else:
        yield f"result    {outcome.result}"
    printed = file.output(ordinal)
    if printed:
        yield "printed:"
        yield from printed.splitlines()


def _failure(outcome: Outcome) -> str:
    assert outcome.error is not None
    code = f" {outcome.error.code}" if outcome.error.code else ""
    return f"{outcome.mailbox}\t{outcome.error.cause}{code}\t{outcome.error.type}: {outcome.error.message}"


def _totals(total: Any) -> Iterator[str]:  # noqa: ANN401 - what a fold of results may be
    if isinstance(total, dict) and total:
        yield "totals    " + ", ".join(f"{value:,} {name}" for name, value in total.items())
    elif isinstance(total, int | float):
        yield f"total     {total:,}"


def _causes(causes: Counter[Any]) -> Iterable[str]:
    if causes:
        yield "failed    " + ", ".join(f"{count:,} {cause}" for cause, count in causes.most_common())


def _verdict(done: int, failed: int, count: int) -> str:
    return f"{done:,} done, {failed:,} failed, of {count:,}"
