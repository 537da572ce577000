"""The marks of a job: what it says of itself, and what follows from that.

@job(writes=True, idempotent=False)
def clean(mailbox): ...

@job(merge=larger)
def largest_folder(mailbox): ...

@job(check=is_folder)
def collect(mailbox, *, directory: Path): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from workers.causes import Cause, MailboxError
from workers.totals import SUMS, merging

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.totals import Totals

F = TypeVar("F", bound="Callable[..., Any]")

#: The attribute of a function that holds its marks. A pickled function keeps it.
_ATTRIBUTE = "fanout_marks"


class Marks(NamedTuple):
    """What a job says of itself. One that says nothing reads."""

    writes: bool = False
    #: Whether to do it twice to a mailbox is the same as to do it once.
    idempotent: bool = False
    #: Makes one result of two, instead of sums; and of what was merged what people read.
    merge: Callable[[Any, Any], object] | None = None
    conclude: Callable[[Any], object] | None = None
    #: Looks at the options where the job is to work, before a mailbox is opened.
    check: Callable[..., object] | None = None

    @property
    def once_only(self) -> bool:
        """Whether a mailbox at which it was broken off may not simply be visited again."""
        return self.writes and not self.idempotent

    @property
    def totals(self) -> Totals:
        """How the results become totals."""
        return merging(self.merge, self.conclude) if self.merge else SUMS


def job(
    *,
    writes: bool = False,
    idempotent: bool = False,
    merge: Callable[[Any, Any], object] | None = None,
    conclude: Callable[[Any], object] | None = None,
    check: Callable[..., object] | None = None,
) -> Callable[[F], F]:
    """Mark a function as a job that writes, that brings a way of its own to totals, or that looks at its options first.

    One that `writes` runs only where writing is allowed. `idempotent`: doing it twice to a mailbox is the same as doing
    it once; where it is not, a mailbox that was under way when its worker died ends as failed, and is never visited
    again by itself.

    `merge(one, other)` gives the total of two: each the result of a mailbox, or what an earlier call gave, as JSON says
    it. It is called in workers and in the calling program, in any order and grouping, so it has to be associative and
    commutative, and changes neither. `conclude(total)` gives what people read of it.

    `check(**options)` is called in each worker with the options that the job was given, of their kinds, before a mailbox is
    opened. It raises ValueError for those that can't be used there: a sentence that says which, what is wrong and what to
    do. The run is refused with it.
    """
    if conclude and not merge:
        raise TypeError("conclude without merge: there would be nothing to conclude from")

    def mark(function: F) -> F:
        return marked(function, Marks(writes, idempotent, merge, conclude, check))

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
