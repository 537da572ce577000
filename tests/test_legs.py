"""Several servers in one run, without a process: in virtual time, and event by event against a dispatch for each alone."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.crew import State
from fanout.dispatch import Dispatch
from fanout.events import (
    Begun,
    Closed,
    Command,
    Continued,
    Ended,
    Event,
    Heard,
    Interrupted,
    Joined,
    Keep,
    KillWorker,
    Looked,
    Note,
    Paused,
    Reading,
    Resized,
    Retry,
    Send,
    Settle,
    Spot,
    StartWorker,
    StopWorker,
)
from fanout.legs import Legs
from fanout.partition import ByServer, Cut, Fixed, Guided, chunks
from fanout.policy import MaxFailures, Policy
from fanout.staff import Standing
from workers.causes import Cause
from workers.messages import Chunk, Error, Failed, Found, Printed, Ready, Unable

GONE_AWAY = Error("MailboxError", "no answer", Cause.UNREACHABLE, retryable=True)
REFUSED = Error("MailboxError", "wrong password", Cause.CREDENTIALS)
NO_JOB = Error("JobError", "mine.py has no function 'nof'", Cause.JOB)
DENIED = Error("MailboxError", "not yours", Cause.DENIED)


def legs_of(*counts: int, workers: int = 2, policy: Policy = Policy(), size: int = 5) -> Legs:  # noqa: B008 - frozen
    """Servers `a:`, `b:`, ... with so many mailboxes each."""
    dispatches = []
    first = 0
    for count in counts:
        dispatches.append(Dispatch(count, Fixed(size), workers, policy, first=first))
        first += count
    return Legs([f"{chr(ord('a') + place)}:" for place in range(len(counts))], dispatches, nobody_joins)


def nobody_joins(joined: Joined) -> Dispatch:
    raise AssertionError(f"{joined}, and nobody was awaited")


def found(chunk: Chunk) -> Found:
    return Found(chunk.number, chunk.first, chunk.count, b"1\n" * chunk.count, b"1")


# --- virtual time -----------------------------------------------------------------------------------------------------


class Server(msgspec.Struct):
    """A server as its workers see it."""

    #: Seconds that a mailbox takes, and a worker to begin.
    seconds: float = 0.01
    start: float = 0.1
    #: From when on it does not answer: each mailbox then fails after a minute.
    dies_at: float = float("inf")
    #: What its workers say instead of Ready.
    unable: Error | None = None


class World:
    """Workers of several servers in virtual time, which do what the legs say."""

    def __init__(self, legs: Legs, servers: list[Server]) -> None:
        self.legs = legs
        self._servers = servers
        self._due: list[tuple[float, int, Event]] = []
        self._free: dict[int, float] = {}
        self._happened = 0
        self.now = 0.0
        #: When each ordinal got its outcome.
        self.settled: dict[int, float] = {}

    def run(self) -> None:
        self._perform(self.legs.handle(Begun(), self.now))
        while not self.legs.finished:
            wake = self.legs.wake_at(self.now)
            if self._due and self._due[0][0] <= wake:
                self.now, _, event = heapq.heappop(self._due)
            else:
                self.now, event = wake, Looked([])
            self._perform(self.legs.handle(event, self.now))

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case StartWorker(worker, server):
                    unable = self._servers[server].unable
                    self._happen(self._servers[server].start, worker, Unable(unable) if unable else Ready())
                    if unable:
                        self._end(worker, self._servers[server].start)
                case Send(worker, chunk):
                    self._visit(worker, chunk)
                case StopWorker(worker) | KillWorker(worker):
                    self._end(worker, 0.0)
                case Keep(found=told):
                    self.settled |= dict.fromkeys(told.ordinals, self.now)
                case Settle(ordinal=ordinal):
                    self.settled[ordinal] = self.now
                case _:
                    pass

    def _visit(self, worker: int, chunk: Chunk) -> None:
        """Tell of each mailbox when it is done."""
        server = self._servers[worker % len(self._servers)]
        time = max(self._free.get(worker, 0.0), self.now)
        for ordinal in chunk.ordinals:
            if time >= server.dies_at:
                time += 60
                told: Failed | Found = Failed(chunk.number, ordinal, 60.0, GONE_AWAY)
            else:
                time += server.seconds
                told = Found(chunk.number, ordinal, 1, b"1\n", b"1")
            self._happen(time - self.now, worker, told)
        self._free[worker] = time

    def _happen(self, delay: float, worker: int, message: Ready | Unable | Found | Failed) -> None:
        heapq.heappush(self._due, (self.now + delay, self._order(), Heard(worker, message)))

    def _end(self, worker: int, delay: float) -> None:
        """Nothing that it would have said is heard."""
        self._due = [each for each in self._due if getattr(each[2], "worker", None) != worker or delay]
        heapq.heapify(self._due)
        self._free.pop(worker, None)
        heapq.heappush(self._due, (self.now + delay, self._order(), Ended(worker, "exit code 0", ())))

    def _order(self) -> int:
        self._happened += 1
        return self._happened


def makespan(servers: list[Server], counts: list[int], workers: int = 2) -> World:
    world = World(legs_of(*counts, workers=workers, size=20), servers)
    world.run()
    return world


def done_at(world: World, ordinals: range) -> float:
    return max(world.settled[ordinal] for ordinal in ordinals)


def test_a_server_that_stops_answering_in_the_middle_holds_up_nobody() -> None:
    """Its attempts fail after a minute each, until it is given up; the other one is done as soon as it is alone."""
    alone = makespan([Server()], [2000])

    world = makespan([Server(), Server(dies_at=3.0)], [2000, 2000])

    assert done_at(world, range(2000)) == done_at(alone, range(2000))
    assert world.legs.failed == 0
    assert len(world.settled) < 4000
    stopped = world.legs.stopped_by
    assert isinstance(stopped, Error)
    assert stopped.cause is Cause.SERVER
    assert stopped.message.startswith(f"1 of 2 servers given up: b: ({4000 - len(world.settled):,} mailboxes left): ")
    assert [place for place, _ in world.legs.given_up] == [1]


def test_a_server_that_is_a_hundred_times_slower_holds_up_nobody() -> None:
    alone = makespan([Server()], [2000])

    world = makespan([Server(seconds=1.0), Server()], [200, 2000])

    assert done_at(world, range(200, 2200)) == done_at(alone, range(2000))
    assert world.legs.stopped_by is None
    assert len(world.settled) == 2200


def test_a_server_that_refuses_the_account_is_asked_no_further_and_the_other_is_done() -> None:
    world = makespan([Server(), Server(unable=REFUSED)], [100, 100])

    assert sorted(world.settled) == [*range(100)]
    stopped = world.legs.stopped_by
    assert isinstance(stopped, Error)
    assert stopped.cause is Cause.SERVER
    assert stopped.message == "1 of 2 servers given up: b: (100 mailboxes left): wrong password"


def test_where_every_server_refuses_the_account_that_is_why_the_run_ends() -> None:
    world = makespan([Server(unable=REFUSED), Server(unable=REFUSED)], [100, 100])

    stopped = world.legs.stopped_by
    assert isinstance(stopped, Error)
    assert stopped.cause is Cause.CREDENTIALS


def test_a_job_that_no_worker_can_have_ends_the_run_on_all_servers_with_the_one_reason() -> None:
    world = makespan([Server(unable=NO_JOB), Server(start=60.0)], [100, 100])

    assert world.now == Server().start
    assert world.legs.stopped_by == NO_JOB
    assert world.settled == {}


def test_a_server_that_no_worker_can_reach_is_given_up_after_some_and_the_other_is_done() -> None:
    world = makespan([Server(unable=GONE_AWAY), Server()], [100, 100])

    assert sorted(world.settled) == [*range(100, 200)]
    stopped = world.legs.stopped_by
    assert isinstance(stopped, Error)
    assert stopped.message == "1 of 2 servers given up: a: (100 mailboxes left): no answer"


# --- event by event ---------------------------------------------------------------------------------------------------


def begun(legs: Legs) -> None:
    for command in legs.handle(Begun(), 0.0):
        assert isinstance(command, StartWorker)
        legs.handle(Heard(command.worker, Ready()), 0.0)


def test_each_server_gets_workers_of_its_own_and_each_is_told_which() -> None:
    assert legs_of(10, 10, 10).handle(Begun(), 0.0) == [
        StartWorker(0, 0),
        StartWorker(3, 0),
        StartWorker(1, 1),
        StartWorker(4, 1),
        StartWorker(2, 2),
        StartWorker(5, 2),
    ]


def test_a_chunk_is_never_of_two_servers() -> None:
    legs = legs_of(7, 7, workers=1)
    legs.handle(Begun(), 0.0)

    first, second = (legs.handle(Heard(worker, Ready()), 0.0) for worker in (0, 1))

    assert first == [Send(0, Chunk(1, 0, 5)), Send(0, Chunk(2, 5, 2))]
    assert second == [Send(1, Chunk(1, 7, 5)), Send(1, Chunk(2, 12, 2))]


def test_a_worker_that_tells_of_another_servers_mailbox_is_not_believed() -> None:
    legs = legs_of(5, 5, workers=1)
    begun(legs)

    assert legs.handle(Heard(0, Found(1, 5, 1, b"1\n", b"1")), 0.0) == [KillWorker(0)]
    assert legs.handle(Heard(1, Printed(0, "of the other server")), 0.0) == [KillWorker(1)]


def test_a_server_that_is_done_lets_its_workers_go_while_others_go_on() -> None:
    legs = legs_of(5, 5, workers=1)
    begun(legs)

    assert legs.handle(Heard(0, found(Chunk(1, 0, 5))), 1.0)[1:] == [StopWorker(0)]
    assert legs.states == [State.LEAVING, State.READY]
    assert legs.handle(Ended(0, "exit code 0", ()), 1.1) == []
    assert not legs.finished
    assert legs.handle(Heard(1, found(Chunk(1, 5, 5))), 2.0)[1:] == [StopWorker(1)]
    assert (legs.finished, legs.stopped_by, legs.settled) == (True, None, 10)


def test_too_many_failures_of_one_server_end_that_one() -> None:
    legs = legs_of(5, 5, workers=1, policy=Policy(max_failures=MaxFailures(number=0)))
    begun(legs)

    told = legs.handle(Heard(0, Failed(1, 0, 0.5, DENIED)), 1.0)

    assert told == [Settle(0, 0, 1, 0.5, DENIED), KillWorker(0)]
    assert legs.handle(Heard(0, Found(1, 1, 1, b"1\n", b"1")), 1.0) == []
    assert not legs.finished


def test_an_interrupt_lets_every_server_end_what_is_under_way() -> None:
    legs = legs_of(50, 50, workers=1)
    begun(legs)

    assert legs.handle(Interrupted(2), 1.0) == [StopWorker(0), StopWorker(1)]
    legs.handle(Ended(0, "exit code 0", ()), 1.1)
    assert not legs.finished
    legs.handle(Ended(1, "exit code 0", ()), 1.2)
    assert (legs.finished, legs.stopped_by) == (True, Interrupted(2))


def test_a_run_that_is_steered_is_steered_at_every_server() -> None:
    legs = legs_of(50, 50, workers=1)
    begun(legs)

    assert legs.handle(Resized(2), 1.0) == [StartWorker(2, 0), StartWorker(3, 1)]
    assert legs.standing == Standing(2, 2, servers=2)
    assert legs.handle(Paused(), 1.0) == [StopWorker(0), StopWorker(2), StopWorker(1), StopWorker(3)]
    assert legs.standing == Standing(2, 2, paused=True, servers=2)
    for worker in range(4):
        legs.handle(Ended(worker, "exit code 0", ()), 1.0)
    assert legs.handle(Continued(), 2.0) == [StartWorker(0, 0), StartWorker(2, 0), StartWorker(1, 1), StartWorker(3, 1)]
    assert legs.handle(Closed("a test"), 3.0) == [StopWorker(0), StopWorker(2), StopWorker(1), StopWorker(3)]
    assert legs.standing.closing


def test_a_leg_that_was_finished_before_is_passed_over() -> None:
    gone = Dispatch(5, Fixed(5), 1)
    gone.stopped_by = GONE_AWAY
    legs = Legs(["a:", "b:"], [gone, Dispatch(5, Fixed(5), 1, first=5)], nobody_joins)

    assert legs.handle(Begun(), 0.0) == [StartWorker(1, 1)]
    legs.handle(Heard(1, Ready()), 0.0)
    legs.handle(Heard(1, found(Chunk(1, 5, 5))), 1.0)
    assert legs.finished
    assert str(legs.stopped_by) != "None"


def test_an_event_that_cannot_be_is_a_bug_there_as_well() -> None:
    with pytest.raises(RuntimeError, match="worker 0 speaks and has no process"):
        legs_of(5, 5).handle(Heard(1, Ready()), 0.0)


def test_servers_behind_each_other_are_each_cut_as_alone() -> None:
    how = ByServer((Cut("a:", 7, Fixed(5)), Cut("b:", 0, Fixed(5)), Cut("c:", 5, None), Cut("d:", 9, Guided(1, 4))))

    assert [len(chunk) for chunk in chunks(how, 21)] == [5, 2, 5, *(len(chunk) for chunk in chunks(Guided(1, 4), 9))]
    assert how.among(2).cuts[3].how == Guided(2, 4)
    assert how.among(2).cuts[2].how is None
    with pytest.raises(ValueError, match="more than there are"):
        how.size(22)


class Twins:
    """Legs, and beside them a dispatch for each server that hears of nothing but its own events."""

    def __init__(self, counts: list[int], workers: int) -> None:
        policy = Policy(retries=1)
        firsts = [sum(counts[:place]) for place in range(len(counts))]
        self.twins = [
            Dispatch(count, Guided(workers, 4), workers, policy, first=first)
            for count, first in zip(counts, firsts, strict=True)
        ]
        alike = [
            Dispatch(count, Guided(workers, 4), workers, policy, first=first)
            for count, first in zip(counts, firsts, strict=True)
        ]
        self.legs = Legs([str(place) for place in range(len(counts))], alike, nobody_joins)
        self.outcomes: Counter[int] = Counter()
        #: The chunks of each living worker, by its number outside, with what was not told of.
        self.chunks: dict[int, list[list[int]]] = {}
        self.numbers: dict[int, list[int]] = {}
        self.ready: set[int] = set()
        self.now = 0.0

    def happen(self, place: int | None, event: Event) -> None:
        """Tell both of an event, of one server or of all, and see that they want the same done."""
        over = {each for each, twin in enumerate(self.twins) if twin.finished}
        commands = self.legs.handle(event, self.now)
        expected = []
        for each, twin in enumerate(self.twins):
            if each in over or place not in {None, each}:
                continue
            own = event
            if isinstance(event, Heard | Ended):
                own = msgspec.structs.replace(event, worker=event.worker // len(self.twins))
            elif isinstance(event, Looked):
                mine = [reading for reading in event.readings if reading.worker % len(self.twins) == each]
                own = Looked([msgspec.structs.replace(one, worker=one.worker // len(self.twins)) for one in mine])
            expected += [self._outside(each, command) for command in twin.handle(own, self.now)]
            if twin.finished:
                end = StopWorker if twin.stopped_by is None else KillWorker
                living = [number for number, state in enumerate(twin.states) if state is not State.GONE]
                expected += [end(number * len(self.twins) + each) for number in living]
        assert commands == expected
        for command in commands:
            self._perform(command)

    def _outside(self, place: int, command: Command) -> Command:
        if isinstance(command, StartWorker):
            return StartWorker(command.worker * len(self.twins) + place, place)
        if isinstance(command, Retry | Note):
            return command
        number = command.worker * len(self.twins) + place  # type: ignore[union-attr]  # all others have one
        return msgspec.structs.replace(command, worker=number)

    def _perform(self, command: Command) -> None:
        match command:
            case StartWorker(worker):
                assert worker not in self.chunks
                self.chunks[worker], self.numbers[worker] = [], []
            case Send(worker, chunk):
                self.chunks[worker].append([*chunk.ordinals])
                self.numbers[worker].append(chunk.number)
            case Keep(found=told):
                self.outcomes.update(told.ordinals)
            case Settle(ordinal=ordinal):
                self.outcomes[ordinal] += 1
            case _:
                pass

    def step(self, draw: st.DataObject) -> None:
        """Something happens to a worker, or time passes."""
        self.now += draw.draw(st.sampled_from([0.0, 0.1, 5.0]))
        worker = draw.draw(st.sampled_from(sorted(self.chunks))) if self.chunks else None
        kind = draw.draw(st.sampled_from(["say", "say", "say", "say", "fail", "look", "die"]))
        if worker is None or kind == "look":
            readings = [Reading(each, (Spot(None, 0),), 0) for each in sorted(self.chunks)]
            self.now += 60 if worker is None else 0
            self.happen(None, Looked(readings))
            return
        place = worker % len(self.twins)
        if kind == "die":
            at = tuple(self.chunks[worker][0][:1]) if self.chunks[worker] else ()
            self._forget(worker)
            self.happen(place, Ended(worker, "SIGSEGV", at))
        elif worker not in self.ready:
            self.ready.add(worker)
            self.happen(place, Heard(worker, Ready()))
        elif self.chunks[worker]:
            self._tell(place, worker, fails=kind == "fail")

    def _tell(self, place: int, worker: int, *, fails: bool) -> None:
        rest, number = self.chunks[worker][0], self.numbers[worker][0]
        ordinal = rest.pop(0)
        if not rest:
            self.chunks[worker].pop(0)
            self.numbers[worker].pop(0)
        error = DENIED if ordinal % 2 else GONE_AWAY
        told: Failed | Found = Failed(number, ordinal, 0.1, error) if fails else Found(number, ordinal, 1, b"1\n", b"1")
        self.happen(place, Heard(worker, told))

    def _forget(self, worker: int) -> None:
        del self.chunks[worker], self.numbers[worker]
        self.ready.discard(worker)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(draw=st.data(), counts=st.lists(st.integers(1, 25), min_size=2, max_size=3), workers=st.integers(1, 3))
def test_events_of_one_server_never_change_what_is_done_at_another(
    draw: st.DataObject, counts: list[int], workers: int
) -> None:
    twins = Twins(counts, workers)
    twins.happen(None, Begun())
    for _ in range(400):
        if twins.legs.finished:
            break
        twins.step(draw)

    assert set(twins.outcomes.values()) <= {1}
    assert twins.legs.settled == len(twins.outcomes) == sum(twin.settled for twin in twins.twins)
    assert twins.legs.failed == sum(twin.failed for twin in twins.twins)
    if twins.legs.finished and twins.legs.stopped_by is None:
        assert sorted(twins.outcomes) == [*range(sum(counts))]
