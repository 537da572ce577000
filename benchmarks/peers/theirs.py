"""The rows for everybody but fanout: results are taken from batches as they come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.peers import work
from benchmarks.peers.contenders import CONTENDERS
from benchmarks.peers.family import memory
from benchmarks.peers.trials import SUMS, Notes, Row, Trial, arrivals, poison, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.peers.contenders import Batches

#: Errors after which a contender that goes on after an error is believed to have nothing else to say.
ENOUGH = 10


def take_part(trial: Trial, say: Callable[[Notes], None]) -> Notes:
    """Do the row, and tell what came of it."""
    if trial.row in SUMS:
        return _summed(trial)
    match trial.row:
        case Row.SKEWED:
            return span([each for batch in _batches(trial, work.sleep) for each in batch], trial.count)
        case Row.START:
            return _start(trial)
        case Row.POISONED:
            return _poisoned(trial, say)
        case Row.STALLED:
            return _stalled(trial)
        case _:
            return _endless(trial, say)


def _batches(trial: Trial, function: Callable[[Any], Any]) -> Batches:
    batches = CONTENDERS[trial.contender].batches
    assert batches is not None
    return batches(function, trial.count, trial.workers, trial.chunk or 1)


def _summed(trial: Trial) -> Notes:
    what = SUMS[trial.row]
    total = 0
    for batch in _batches(trial, what.function):
        total += sum(batch) if what.value is None else sum(map(what.value, batch))
    return {"right": total == what.each * trial.count}


def _start(trial: Trial) -> Notes:
    begun, first, found = time.monotonic(), 0.0, []
    for batch in _batches(trial, work.arrive):
        for each in batch:
            first = first or time.monotonic()
            found.append(each)
    return arrivals(found, begun, first, trial.count)


def _poisoned(trial: Trial, say: Callable[[Notes], None]) -> Notes:
    """What is delivered is told as it comes: some never come to an end."""
    function, item = poison(trial.count)
    errors: list[str] = []
    delivered, begun = 0, time.monotonic()
    for batch in _batches(trial, function):
        results = iter(batch)
        while len(errors) < ENOUGH:
            try:
                delivered += next(results)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what a caller gets
                errors.append(f"{type(error).__name__}: {error}")
            if errors or not delivered % 250:
                say({"delivered": delivered, "seconds": time.monotonic() - begun})
    return {
        "delivered": delivered,
        "seconds": time.monotonic() - begun,
        "named": any(str(item) in error for error in errors),
        "right": True,
    }


def _endless(trial: Trial, say: Callable[[Notes], None]) -> Notes:
    """Work until somebody puts an end to it, which the first result asks for."""
    for batch in _batches(trial, work.busy):
        for _ in batch:
            say({"at work": True})
    return {}


def _stalled(trial: Trial) -> Notes:
    """Take one result and then nothing for a while; memory of all processes."""
    batches: Iterator[Any] = _batches(trial, work.page)
    results = iter(next(batches))
    next(results)
    before = memory()
    time.sleep(trial.stall)  # noqa: TID251 - a consumer that does something else
    return {"drawn": memory() - before, "right": True, "results": trial.count * work.PAGE / 2**20}
