"""Holding: open some mailboxes, keep them open, and call functions with them, one call at a time.

What a fleet's worker does (statement S9: more mailboxes than one process can hold are held by several). A mailbox that
can't be opened is told of, and so are its calls; all others are open until the pipe ends.

This module knows no pipe and no server.
"""

from __future__ import annotations

import logging
from functools import partial
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from workers.failures import describe, unwritable
from workers.loading import function_of
from workers.marks import WritesNotAllowed, marks_of
from workers.messages import Answered, Call, Held, OnLeak, Refused, Teach
from workers.slots import AT, NOWHERE
from workers.totals import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workers.mailbox import Mailbox
    from workers.messages import Begin, Error, Hold, Leak, ToParent, ToWorker
    from workers.output import Output
    from workers.servers import Server, Session
    from workers.slots import Slot

#: Characters of what a call printed that come back with its answer.
MAX_PRINTED = 64 * 1024

_log = logging.getLogger("fanout.fleet")
_encoder = msgspec.json.Encoder(enc_hook=written)


class Place(NamedTuple):
    """Where the worker is to be seen, and where it keeps what is printed."""

    slot: Slot
    output: Output


class Holder:
    """Holds the mailboxes of one chunk over one session."""

    def __init__(self, server: Server, session: Session, begin: Begin, place: Place) -> None:
        self._server = server
        self._session = session
        self._begin = begin
        self._place = place
        self._open: dict[int, Mailbox] = {}
        self._functions: dict[int, Callable[..., object] | Error] = {}

    def hold(self, hold: Hold, messages: Iterable[ToWorker]) -> Iterator[list[ToParent]]:
        """Open the mailboxes, then answer calls until there are no more; yield what is to be told."""
        yield [*self._open_all(hold), Held()]
        for message in messages:
            if isinstance(message, Teach):
                self._learn(message)
            elif isinstance(message, Call):
                yield [self._answer(message)]

    def _open_all(self, hold: Hold) -> Iterator[ToParent]:
        """Open one after the other; tell of those that can't be."""
        for place, ordinal in enumerate(hold.ordinals):
            if ordinal in hold.without:
                continue
            address = hold.addresses[place] if hold.addresses else self._server.address(ordinal)
            self._place.slot[AT] = ordinal
            try:
                # Not entered: to end the session closes them all at once.
                self._open[ordinal] = self._session.open(address).__enter__()
            except Exception as error:  # noqa: BLE001 - whatever it was, it is that mailbox's
                yield Refused(ordinal, describe(error))
        self._place.slot[AT] = NOWHERE
        self._place.output.take()

    def _learn(self, teach: Teach) -> None:
        try:
            function = function_of(teach.job)
        except BaseException as error:  # noqa: BLE001 - its calls are told of it
            self._functions[teach.function] = describe(error)
            return
        allowed = self._begin.allow_writes or not marks_of(function).writes
        self._functions[teach.function] = function if allowed else describe(WritesNotAllowed())

    def _answer(self, call: Call) -> Answered:
        function = self._functions[call.function]
        if not callable(function):
            return Answered(call.number, None, function)
        self._place.slot[AT] = call.ordinal
        value, error = self._value(function, call)
        printed = "".join(note.text for note in self._place.output.take() if hasattr(note, "text"))
        self._place.slot[AT] = NOWHERE
        return Answered(call.number, value, error, printed[:MAX_PRINTED])

    def _value(self, function: Callable[..., object], call: Call) -> tuple[bytes | None, Error | None]:
        watched = self._session.watched(partial(_call, function, call.options), OnLeak.RECLAIM, _report)
        try:
            result = watched(self._open[call.ordinal])
        except BaseException as error:  # noqa: BLE001 - SystemExit of a function is its answer, too
            return None, describe(error)
        try:
            value = _encoder.encode(result)
        except Exception as error:  # noqa: BLE001 - whatever the encoding raises is the call's
            return None, describe(unwritable(error))
        if len(value) > self._begin.max_result:
            too_large = ValueError(
                f"it has {len(value):,} bytes as JSON, more than the {self._begin.max_result:,} allowed"
            )
            return None, describe(unwritable(too_large))
        return value, None


def _call(function: Callable[..., object], options: dict[str, Any], mailbox: Mailbox) -> object:
    """What it returns; of what it yields, the list."""
    result = function(mailbox, **options)
    return list(result) if isinstance(result, GeneratorType) else result


def _report(leaks: list[Leak]) -> None:
    for leak in leaks:
        _log.warning(
            "%d %s obtained at %s:%d in %s was not released", leak.count, leak.kind, leak.file, leak.line, leak.function
        )
