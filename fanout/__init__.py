"""fanout runs one function over every mailbox of a mail server, from as many processes as it takes.

What it offers is imported when it is first asked for: so that the command line has a word in what a Ctrl-C does meanwhile,
and a job's file that takes a mark from here does not bring the parent's modules into a worker.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fanout import own_workers  # noqa: F401 - before anything of ours imports `workers`

if TYPE_CHECKING:
    from fanout.api import Found, MailboxesFailedError, run
    from fanout.errors import FanoutError, StoppedError, UsageError
    from fanout.fleet import CallError, Fleet, open_all
    from fanout.outcomes import Outcome
    from fanout.policy import Limits, MaxFailures, Policy
    from workers.access import Access
    from workers.marks import job
    from workers.messages import Recording
    from workers.options import Size
    from workers.totals import Split

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
    "Size",
    "Split",
    "StoppedError",
    "UsageError",
    "job",
    "open_all",
    "run",
]

#: The modules that hold what is offered.
_HOMES = {
    "fanout.api": {"Found", "MailboxesFailedError", "run"},
    "fanout.errors": {"FanoutError", "StoppedError", "UsageError"},
    "fanout.fleet": {"CallError", "Fleet", "open_all"},
    "fanout.outcomes": {"Outcome"},
    "fanout.policy": {"Limits", "MaxFailures", "Policy"},
    "workers.access": {"Access"},
    "workers.messages": {"Recording"},
    "workers.options": {"Size"},
    "workers.marks": {"job"},
    "workers.totals": {"Split"},
}

if not TYPE_CHECKING:  # where types are checked, the imports above say more

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                return globals().setdefault(name, getattr(import_module(home), name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
