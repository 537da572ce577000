"""From an exception to the error of a record. Exceptions themselves never cross the pipe."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from workers.causes import Cause, MailboxError
from workers.messages import Error

if TYPE_CHECKING:
    from types import TracebackType

#: Characters kept of a message, and frames of a traceback: the innermost, where the job's own code is.
MAX_MESSAGE = 4096
MAX_FRAMES = 12


#: The modules that call a job.
_OURS = frozenset({"workers.visit", "workers.loading", "workers.mapi.leaks"})


def describe(failure: BaseException) -> Error:
    """What a record tells of an exception that ended a mailbox.

    A MailboxError speaks of the outside world: its cause and code say enough. Anything else was raised by the job, and
    its traceback is kept from the job's first frame on.
    """
    if isinstance(failure, MailboxError):
        return Error(
            type=type(failure).__name__,
            message=_message(failure),
            cause=failure.cause,
            code=None if failure.code is None else f"0x{failure.code:08X}",
            retryable=failure.cause.retryable,
        )
    return Error(
        type=type(failure).__name__,
        message=_message(failure),
        cause=Cause.JOB,
        traceback=_traceback(failure),
    )


class UnwritableResultError(MailboxError):
    """The job's result has no form in JSON, or too large a one."""


def unwritable(error: Exception) -> UnwritableResultError:
    """The failure of a mailbox whose result can't be written."""
    return UnwritableResultError(
        f"the job's result can't be kept: {_message(error)}; a result is what JSON can say: numbers, text, lists, dicts",
        Cause.RESULT,
    )


def _message(failure: BaseException) -> str:
    try:
        text = str(failure) or type(failure).__name__
    except Exception as error:  # noqa: BLE001 - an exception whose own text raises must not hide the failure
        text = f"(its message can't be told: {type(error).__name__})"
    return text[:MAX_MESSAGE].encode("utf-8", "backslashreplace").decode()


def _traceback(failure: BaseException) -> str:
    job_frames = _below_visit(failure.__traceback__)
    lines = traceback.format_exception(type(failure), failure, job_frames, limit=-MAX_FRAMES, chain=False)
    return "".join(lines).encode("utf-8", "backslashreplace").decode()


def _below_visit(frames: TracebackType | None) -> TracebackType | None:
    """The frames from the job's on: those of its callers say nothing to its author."""
    while frames and frames.tb_frame.f_globals.get("__name__") in _OURS and frames.tb_next:
        frames = frames.tb_next
    return frames
