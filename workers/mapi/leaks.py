"""Leaks: interfaces that a job got by itself, from `mailbox.store`, and did not release; and where in its code it got them.

Each keeps its logon alive, and so one of the 255 indexes of its connection (article Q260141, S3 to S5): after as many
mailboxes, no further one can be opened. What is left when the job has returned is counted, by the line of the job's code
that each was obtained at, and released for the job, children first; unless it is only to be warned.

A job that leaks nothing pays for the comparison of two lengths.
"""

from __future__ import annotations

from collections import Counter
from functools import wraps
from typing import TYPE_CHECKING, Any

from workers.causes import Cause, MailboxError
from workers.messages import Leak, OnLeak

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.mailbox import Mailbox
    from workers.mapi.interfaces import Interface
    from workers.mapi.mailbox import MapiMailbox

#: Lines of code that are told of, for one mailbox: those with the most interfaces.
MOST_LINES = 20


class LeakError(MailboxError):
    """The job left interfaces unreleased, and was to fail for it."""


def watched(
    job: Callable[[Mailbox], object], on_leak: OnLeak, report: Callable[[list[Leak]], None]
) -> Callable[[Mailbox], object]:
    """The job, with a look at what it leaves behind. Raises LeakError with FAIL, and whatever the job raises."""

    @wraps(job)
    def call(mailbox: Any) -> object:  # noqa: ANN401 - a MapiMailbox: this session opens no others
        try:
            result = job(mailbox)
        except BaseException:
            _look(mailbox, on_leak, report)
            raise
        if len(mailbox.store.logon.outstanding) > 1 + len(mailbox.held):
            leaks = _look(mailbox, on_leak, report)
            if leaks and on_leak is OnLeak.FAIL:
                raise LeakError(_in_words(leaks), Cause.LEAK)
        return result

    return call


def _look(mailbox: MapiMailbox, on_leak: OnLeak, report: Callable[[list[Leak]], None]) -> list[Leak]:
    """Report what is left, and release it unless it is only to be warned of."""
    logon = mailbox.store.logon
    left = [each for each in logon.outstanding if each is not mailbox.store and each not in mailbox.held]
    if not left:
        return []
    leaks = _counted(left, logon.index)
    report(leaks)
    if on_leak is not OnLeak.WARN:
        for interface in reversed(left):
            interface.release()
    return leaks


def _counted(left: list[Interface], index: int) -> list[Leak]:
    counts = Counter((interface.kind, interface.origin) for interface in left)
    return [
        Leak(kind, count, origin.file, origin.line, origin.function, index)
        for (kind, origin), count in counts.most_common(MOST_LINES)
    ]


def _in_words(leaks: list[Leak]) -> str:
    each = "; ".join(
        f"{leak.count} {leak.kind} obtained at {leak.file}:{leak.line} in {leak.function}" for leak in leaks
    )
    return f"the job left interfaces unreleased, which hold logon index {leaks[0].logon_index}: {each}"
