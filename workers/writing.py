"""The mark of a job that writes: what it says of itself, and what follows from that.

@job(writes=True, idempotent=False)
def clean(mailbox): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from workers.causes import Cause, MailboxError

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

#: The attribute of a function that holds its marks. A pickled function keeps it.
_ATTRIBUTE = "fanout_marks"


class Marks(NamedTuple):
    """What a job says of itself. One that says nothing reads."""

    writes: bool = False
    #: Whether to do it twice to a mailbox is the same as to do it once.
    idempotent: bool = False

    @property
    def once_only(self) -> bool:
        """Whether a mailbox at which it was broken off may not simply be visited again."""
        return self.writes and not self.idempotent


def job(*, writes: bool = False, idempotent: bool = False) -> Callable[[F], F]:
    """Mark a function as a job that writes; `idempotent`: doing it twice to a mailbox is the same as doing it once.

    Such a job runs only where writing is allowed. Where it is not idempotent, a mailbox that was under way when its
    worker died ends as failed, and is never visited again by itself.
    """

    def mark(function: F) -> F:
        return marked(function, Marks(writes, idempotent))

    return mark


def marked(function: F, marks: Marks) -> F:
    """The function, with the marks."""
    setattr(function, _ATTRIBUTE, marks)
    return function


def marks_of(function: Callable[..., Any] | None) -> Marks:
    """The marks of a function. One that has none reads, and so does no function at all."""
    return Marks(*getattr(function, _ATTRIBUTE, ()))


class WritesNotAllowed(MailboxError):  # noqa: N818 - a fact about the run, not a mistake in it
    """A job that writes was to be run, and nobody allowed it to."""

    def __init__(self) -> None:
        super().__init__(
            "the job says that it writes: allow it to by --allow-writes, or have it say what it would do by --dry-run",
            Cause.JOB,
        )
