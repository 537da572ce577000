"""fanout runs one function over every mailbox of a mail server, from as many processes as it takes."""

from __future__ import annotations

from fanout import own_workers  # noqa: F401 - before anything of ours imports `workers`
from fanout.api import Found, MailboxesFailedError, run
from fanout.errors import FanoutError, StoppedError, UsageError
from fanout.fleet import CallError, Fleet, open_all
from fanout.outcomes import Outcome
from fanout.policy import Limits, MaxFailures, Policy
from workers.access import Access
from workers.messages import Recording
from workers.writing import job

__all__ = [
    "Access",
    "CallError",
    "FanoutError",
    "Fleet",
    "Found",
    "Limits",
    "MailboxesFailedError",
    "MaxFailures",
    "Outcome",
    "Policy",
    "Recording",
    "StoppedError",
    "UsageError",
    "job",
    "open_all",
    "run",
]
