"""Dispatch against a fake engine that does whatever workers may do: every mailbox ends with exactly one outcome."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fanout.crew import MOST_WAITING
from fanout.dispatch import Dispatch
from fanout.events import (
    Babbled,
    Begun,
    Closed,
    Command,
    Continued,
    Ended,
    Event,
    Heard,
    Interrupted,
    Keep,
    KillWorker,
    Looked,
    Paused,
    Reading,
    Resized,
    Retry,
    Risk,
    Safe,
    Send,
    Settle,
    Spot,
    StartWorker,
    StopWorker,
    TerminateWorker,
)
from fanout.partition import Fixed, Guided
from fanout.policy import Limits, Policy
from workers.causes import Cause
from workers.messages import Error, Failed, Found, Leaving, Ready

SIZE = 7

POLICY = Policy(Limits(timeout=15.0, recycle_after=20), retries=1)


class FakeWorker:
    """A process as dispatch may imagine it: started, perhaps ready, with chunks of which it has told a part."""

    def __init__(self, lanes: int) -> None:
        self.ready = False
        self.doomed = False
        self.leaving = False
        self.lanes = lanes
        #: The ordinals that it has not told of, by their chunk; lanes take them in this order.
        self.chunks: dict[int, list[int]] = {}

    def untold(self) -> list[tuple[int, int]]:
        return [(chunk, ordinal) for chunk, ordinals in self.chunks.items() for ordinal in ordinals]

    def under_way(self) -> list[tuple[int, int]]:
        """Chunk and ordinal of what its lanes are at."""
        return self.untold()[: self.lanes]

    def at(self) -> tuple[int, ...]:
        return tuple(ordinal for _, ordinal in self.under_way())


class DispatchMachine(RuleBasedStateMachine):
    """Workers that become ready, find, fail, die, are killed and talk nonsense, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: Counter[int] = Counter()
        self.at_risk: set[int] = set()
        self.living: dict[int, FakeWorker] = {}
        self.now = 0.0
        self.events: list[tuple[Event, float]] = []
        self.commands: list[Command] = []
        #: What was asked of the run: how many workers it may have, whether it is paused, whether it is to end.
        self.allowed = 0
        self.paused = False
        self.closing = False

    @initialize(
        count=st.integers(1, 60),
        workers=st.integers(1, 5),
        how=st.sampled_from([Fixed, Guided]),
        lanes=st.sampled_from([1, 1, 3]),
        uncertain=st.booleans(),
    )
    def begin(self, count: int, workers: int, how: type[Fixed | Guided], lanes: int, *, uncertain: bool) -> None:
        self.ready = Ready(uncertain)
        self.lanes = lanes
        partition = Fixed(SIZE) if how is Fixed else Guided(workers, SIZE)
        self.args = (count, partition, workers, POLICY)
        self.allowed = workers
        self.dispatch = Dispatch(*self.args, lanes=lanes)
        self.happen(Begun())

    def happen(self, event: Event) -> None:
        self.events.append((event, self.now))
        for command in self.dispatch.handle(event, self.now):
            self.commands.append(command)
            self.perform(command)

    def perform(self, command: Command) -> None:
        match command:
            case StartWorker(number):
                assert number not in self.living
                assert not self.paused
                assert not self.closing
                assert len(self.living) < self.allowed
                self.living[number] = FakeWorker(self.lanes)
            case KillWorker(number) | TerminateWorker(number):
                self.living[number].doomed = True
            case StopWorker(number):
                self.living[number].leaving = True
            case Send(number, chunk):
                assert not self.living[number].leaving
                self.living[number].chunks[chunk.number] = [*chunk.ordinals]
                assert not self.ready.uncertain or set(chunk.ordinals) <= self.at_risk
            case _:
                self.note(command)

    def note(self, command: Command) -> None:
        """What the merge would have."""
        match command:
            case Keep(found=found):
                self.outcomes.update(range(found.first, found.first + found.count))
                self.at_risk.discard(found.first)
            case Settle(ordinal=ordinal):
                self.outcomes[ordinal] += 1
                self.at_risk.discard(ordinal)
            case Risk(ordinal):
                self.at_risk.add(ordinal)
            case Retry(ordinal=ordinal) | Safe(ordinal):
                self.at_risk.discard(ordinal)

    def some(self, data: st.DataObject, numbers: list[int]) -> int:
        return data.draw(st.sampled_from(sorted(numbers)))

    def busy(self) -> list[int]:
        return [n for n, worker in self.living.items() if worker.chunks and not worker.doomed]

    @precondition(lambda self: any(not worker.ready for worker in self.living.values()))
    @rule(data=st.data())
    def become_ready(self, data: st.DataObject) -> None:
        number = self.some(data, [n for n, worker in self.living.items() if not worker.ready])
        self.living[number].ready = True
        self.happen(Heard(number, self.ready))

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def find(self, data: st.DataObject) -> None:
        number = self.some(data, self.busy())
        worker = self.living[number]
        chunk, first = data.draw(st.sampled_from(worker.under_way()))
        count = data.draw(st.integers(1, len(worker.chunks[chunk]))) if self.lanes == 1 else 1
        self.find_some(number, chunk, first, count)

    def find_some(self, number: int, chunk: int, first: int, count: int) -> None:
        self.advance(self.living[number], chunk, first, count)
        self.happen(Heard(number, Found(chunk, first, count, b"1\n" * count, b"1")))

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), cause=st.sampled_from([Cause.DENIED, Cause.BUSY, Cause.UNREACHABLE]))
    def fail(self, data: st.DataObject, cause: Cause) -> None:
        number = self.some(data, self.busy())
        worker = self.living[number]
        chunk, ordinal = data.draw(st.sampled_from(worker.under_way()))
        failed = Failed(chunk, ordinal, 0.1, Error("E", "no", cause, retryable=cause.retryable))
        self.advance(worker, chunk, ordinal, 1)
        self.happen(Heard(number, failed))

    def advance(self, worker: FakeWorker, chunk: int, first: int, count: int) -> None:
        told = range(first, first + count)
        worker.chunks[chunk] = [ordinal for ordinal in worker.chunks[chunk] if ordinal not in told]
        if not worker.chunks[chunk]:
            del worker.chunks[chunk]

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), how=st.sampled_from(["SIGKILL", "SIGSEGV"]))
    def die_at_a_mailbox(self, data: st.DataObject, how: str) -> None:
        number = self.some(data, self.busy())
        worker = self.living[number]
        if self.lanes == 1:  # which goes by strides, and so may be further than what it has told of
            at = {data.draw(st.sampled_from(next(iter(worker.chunks.values()))))}
        else:
            at = data.draw(st.sets(st.sampled_from(worker.at()), min_size=1))
        del self.living[number]  # behind the draws, any of which may end the example
        self.happen(Ended(number, how, tuple(at)))

    @precondition(lambda self: self.living and not self.dispatch.finished)
    @rule(data=st.data())
    def die_at_none(self, data: st.DataObject) -> None:
        number = self.some(data, list(self.living))
        del self.living[number]
        self.happen(Ended(number, "exit code 1", ()))

    @precondition(lambda self: self.living)
    @rule(data=st.data(), chunk=st.integers(0, 30), first=st.integers(0, 70), count=st.integers(0, 9))
    def talk_nonsense(self, data: st.DataObject, chunk: int, first: int, count: int) -> None:
        """A Found that fits by chance would be true as far as anyone can tell; all others must be refused."""
        number = self.some(data, list(self.living))
        worker = self.living[number]
        if (chunk, first) in (worker.under_way() if self.lanes == 1 else worker.untold()):
            return
        before = self.outcomes.copy()
        self.happen(Heard(number, Found(chunk, first, count, b"1\n" * count, b"1")))

        assert self.outcomes == before
        assert worker.doomed

    @precondition(lambda self: self.living)
    @rule(data=st.data())
    def babble(self, data: st.DataObject) -> None:
        number = self.some(data, list(self.living))
        self.happen(Babbled(number, "noise"))

        assert self.living[number].doomed

    @precondition(lambda self: any(worker.leaving for worker in self.living.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = self.some(data, [n for n, worker in self.living.items() if worker.leaving])
        self.happen(Heard(number, Leaving("asked to")))
        del self.living[number]
        self.happen(Ended(number, "exit code 0", ()))

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.look()

    def look(self) -> None:
        readings = [
            Reading(number, tuple(Spot(at, 0) for at in [*worker.at(), *[None] * self.lanes][: self.lanes]), 0)
            for number, worker in sorted(self.living.items())
        ]
        self.happen(Looked(readings))

    @rule()
    def pause(self) -> None:
        self.paused = not self.closing
        self.happen(Paused())

    @precondition(lambda self: self.paused)
    @rule()
    def go_on(self) -> None:
        self.paused = False
        self.happen(Continued())

    @rule(workers=st.integers(1, 6))
    def resize(self, workers: int) -> None:
        self.allowed = workers
        self.happen(Resized(workers))

    @precondition(lambda self: self.events and len(self.events) % 5 == 0)  # seldom, for not much comes after it
    @rule(event=st.sampled_from([Closed("enough"), Interrupted(15)]))
    def ask_to_end(self, event: Closed | Interrupted) -> None:
        self.paused, self.closing = False, True
        self.happen(event)

    @rule()
    def nothing_happens(self) -> None:
        """A run that has given up, or is done, has nothing more to do."""

    @invariant()
    def no_mailbox_has_two_outcomes(self) -> None:
        assert all(count == 1 for count in self.outcomes.values())

    @invariant()
    def what_is_at_risk_is_what_a_worker_has(self) -> None:
        had = {ordinal for worker in self.living.values() for _, ordinal in worker.untold()}
        assert self.at_risk == (had if self.ready.uncertain else set())

    @invariant()
    def nobody_has_more_than_the_credit_or_a_chunk_above_the_size(self) -> None:
        for worker in self.living.values():
            suspects = all(len(ordinals) == 1 for ordinals in worker.chunks.values())  # go out apart, all at once
            assert self.lanes > 1 or len(worker.chunks) <= 1 + MOST_WAITING or suspects
            assert self.lanes == 1 or len(worker.untold()) < self.lanes + 2 * SIZE
            assert all(len(ordinals) <= SIZE for ordinals in worker.chunks.values())
            assert not self.ready.uncertain or len(worker.untold()) <= self.lanes

    @invariant()
    def whoever_is_more_than_there_may_be_is_on_the_way_out(self) -> None:
        staying = [worker for worker in self.living.values() if not worker.leaving and not worker.doomed]
        assert len(staying) <= (0 if self.paused or self.closing else self.allowed)

    @invariant()
    def a_run_that_was_asked_to_end_ends_with_its_last_worker(self) -> None:
        assert self.dispatch.finished or not self.closing or self.living

    def teardown(self) -> None:
        """Let everyone who lives do their work in peace: then every mailbox has its outcome, unless the run gave up."""
        if self.paused:
            self.go_on()
        while not self.dispatch.finished:
            self.now = self.dispatch.wake_at(self.now)
            self.happen(Looked([]))
            for number, worker in list(self.living.items()):
                self.work_in_peace(number, worker)
        if self.dispatch.stopped_by is None:
            assert sorted(self.outcomes) == list(range(self.dispatch.count))
            assert not self.at_risk
        self.no_mailbox_has_two_outcomes()
        self.the_same_events_give_the_same_commands()

    def work_in_peace(self, number: int, worker: FakeWorker) -> None:
        if worker.doomed:
            del self.living[number]
            self.happen(Ended(number, "SIGKILL", worker.at()))
        elif worker.leaving:
            del self.living[number]
            self.happen(Ended(number, "exit code 0", ()))
        elif not worker.ready:
            worker.ready = True
            self.happen(Heard(number, self.ready))
        elif worker.chunks:
            for chunk, first in worker.under_way():
                self.find_some(number, chunk, first, 1)

    def the_same_events_give_the_same_commands(self) -> None:
        again = Dispatch(*self.args, lanes=self.lanes)
        assert [command for event, now in self.events for command in again.handle(event, now)] == self.commands


DispatchMachine.TestCase.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestDispatchMachine = DispatchMachine.TestCase
