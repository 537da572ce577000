"""Who holds what: every call gets one answer, whatever the workers do."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fanout.events import (
    Babbled,
    Begun,
    DumpStacks,
    Ended,
    Event,
    Heard,
    KillWorker,
    Looked,
    Reading,
    Spot,
    StartWorker,
)
from fanout.fleet.holders import CREDIT, PATIENCE, Command, Holders, Learn, Reply, Request, Tell
from workers.causes import Cause
from workers.messages import Answered, Call, Error, Found, Held, Hold, Ready, Refused, ToParent, Unable

GONE = Error("MapiError", "gone", Cause.MISSING)


def after(holders: Holders, *events: Event) -> list[Command]:
    """What the last of these events asks for."""
    commands: list[Command] = []
    for event in events:
        commands = holders.handle(event, 0.0)
    return commands


def open_one(count: int = 10, *, stall_timeout: float | None = None) -> Holders:
    """One worker that holds all of them."""
    holders = Holders(count, count, stall_timeout)
    after(holders, Begun(), Heard(0, Ready()), Heard(0, Held()))
    return holders


def call(number: int, ordinal: int = 0) -> Tell:
    return Tell(0, Call(number, 0, ordinal, {}))


def request(number: int, ordinal: int = 0, *, retry: bool = False, timeout: float | None = None) -> Request:
    return Request(number, ordinal, 0, {}, retry, timeout)


def test_each_worker_holds_its_part_of_the_roster() -> None:
    holders = Holders(5, 2, None)

    assert after(holders, Begun()) == [StartWorker(0), StartWorker(1), StartWorker(2)]
    assert after(holders, Heard(0, Ready())) == [Tell(0, Hold(0, 2))]
    assert after(holders, Heard(2, Ready())) == [Tell(2, Hold(4, 1))]
    assert [holders.holder(ordinal) for ordinal in range(5)] == [0, 0, 1, 1, 2]


def test_a_fleet_is_ready_when_all_of_them_hold_what_can_be_opened() -> None:
    holders = Holders(4, 2, None)
    after(holders, Begun(), Heard(0, Ready()), Heard(1, Ready()), Heard(0, Held()), Heard(1, Refused(3, GONE)))
    before = holders.ready

    after(holders, Heard(1, Held()))

    assert (before, holders.ready) == (False, True)
    assert holders.refused == {3: GONE}
    assert holders.ask(request(1, 3), 0.0) == [Reply(1, None, GONE)]


def test_calls_wait_until_their_mailbox_is_open_and_a_function_is_learned_once() -> None:
    holders = Holders(2, 2, None)
    after(holders, Begun(), Heard(0, Ready()))

    assert holders.ask(request(1), 0.0) == []
    assert after(holders, Heard(0, Held())) == [Learn(0, 0), call(1)]
    assert holders.ask(request(2, 1), 0.0) == [call(2, 1)]
    assert after(holders, Heard(0, Answered(1, b"7", printed="x"))) == [Reply(1, b"7", None, "x")]


def test_a_worker_is_given_so_many_calls_ahead() -> None:
    holders = open_one()
    given = [holders.ask(request(number), 0.0) for number in range(CREDIT + 2)]

    assert [bool(commands) for commands in given] == [True] * CREDIT + [False] * 2
    assert after(holders, Heard(0, Answered(0, b"1"))) == [Reply(0, b"1"), call(CREDIT)]


def test_when_a_worker_dies_the_call_under_way_fails_and_those_behind_it_are_made() -> None:
    holders = open_one()
    for number in (1, 2, 3):
        holders.ask(request(number), 0.0)

    failed, restarted = after(holders, Ended(0, "SIGSEGV", (0,), "boom"))

    assert isinstance(failed, Reply)
    assert failed.error is not None
    assert (failed.number, failed.error.cause) == (1, Cause.CRASH)
    assert "may have been made" in failed.error.message
    assert restarted == StartWorker(0)
    assert after(holders, Heard(0, Ready())) == [Tell(0, Hold(0, 10))]
    assert after(holders, Heard(0, Held())) == [Learn(0, 0), call(2), call(3)]


def test_a_call_that_may_be_made_again_is_until_it_has_ended_its_worker_too_often() -> None:
    holders = open_one()
    holders.ask(request(1, retry=True), 0.0)
    for _ in range(PATIENCE - 1):
        assert after(holders, Ended(0, "SIGKILL", (0,))) == [StartWorker(0)]
        assert after(holders, Heard(0, Ready()), Heard(0, Held())) == [Learn(0, 0), call(1)]

    failed, _ = after(holders, Ended(0, "SIGKILL", (0,)))
    assert isinstance(failed, Reply)
    assert failed.number == 1


def test_a_call_that_takes_too_long_is_ended_with_its_worker() -> None:
    holders = open_one()
    holders.ask(request(1, timeout=2.0), 0.0)
    looked = Looked([Reading(0, (Spot(0, 0),), 0)])

    assert holders.looks is not None
    assert holders.handle(looked, 1.9) == []
    assert holders.handle(looked, 2.0) == [DumpStacks(0)]
    assert holders.handle(looked, 2.5) == [KillWorker(0)]
    failed, _ = holders.handle(Ended(0, "SIGKILL", (0,)), 2.5)
    assert isinstance(failed, Reply)
    assert failed.error is not None
    assert failed.error.cause is Cause.TIMEOUT


def test_opening_that_makes_no_round_trip_for_too_long_ends_its_worker() -> None:
    holders = Holders(2, 2, 10.0)
    after(holders, Begun(), Heard(0, Ready()))
    for second in range(10):
        assert holders.handle(Looked([Reading(0, (Spot(0, second),), 0)]), float(second)) == []

    assert holders.handle(Looked([Reading(0, (Spot(0, 9),), 0)]), 19.0) == [DumpStacks(0)]


def test_an_idle_fleet_need_not_be_looked_at() -> None:
    holders = open_one(stall_timeout=1.0)

    assert holders.looks is None
    assert holders.handle(Looked([Reading(0, (Spot(None, 0),), 0)]), 100.0) == []


def test_a_mailbox_whose_opening_ends_the_worker_again_and_again_is_left_out() -> None:
    holders = Holders(3, 3, None)
    after(holders, Begun())
    holders.ask(request(1, 1), 0.0)
    now, died = 0.0, list[Command]()
    for _ in range(PATIENCE):
        holders.handle(Heard(0, Ready()), now)
        died = holders.handle(Ended(0, "SIGSEGV", (1,)), now)
        now += 10.0
        holders.handle(Looked([]), now)

    assert [command.number for command in died if isinstance(command, Reply)] == [1]
    assert after(holders, Heard(0, Ready())) == [Tell(0, Hold(0, 3, None, [1]))]
    assert list(holders.refused) == [1]


def test_a_worker_that_cannot_be_had_is_given_up_and_its_calls_are_answered() -> None:
    holders = Holders(3, 3, None)
    after(holders, Begun())
    commands = holders.ask(request(1), 0.0)
    for second in range(PATIENCE):
        commands = holders.handle(Ended(0, "exit code 1", ()), 10.0 * second)
        holders.handle(Looked([]), 10.0 * second + 5.0)

    assert [type(command) for command in commands] == [Reply]
    assert holders.ready
    assert [type(command) for command in holders.ask(request(2), 99.0)] == [Reply]


def test_a_worker_that_says_that_it_is_unable_ends_the_fleet() -> None:
    holders = Holders(3, 3, None)
    refused = Error("MapiError", "wrong password", Cause.CREDENTIALS)
    after(holders, Begun(), Heard(0, Unable(refused)))

    assert holders.unable == refused


def test_nonsense_ends_a_worker() -> None:
    nonsense: list[ToParent] = [Answered(7, b"1"), Found(1, 0, 1, b"1\n", b"1"), Refused(99, GONE), Held()]

    for message in nonsense:
        assert after(open_one(), Heard(0, message)) == [KillWorker(0)]


class HoldersMachine(RuleBasedStateMachine):
    """Workers that open, answer, fail and die in any order, while calls come."""

    @initialize(count=st.integers(1, 12), size=st.integers(1, 5))
    def begin(self, count: int, size: int) -> None:
        self.now = 0.0
        self.count = count
        self.holders = Holders(count, size, None)
        self.living: dict[int, list[Call]] = {}
        self.replies: Counter[int] = Counter()
        self.asked = 0
        self.perform(self.holders.handle(Begun(), self.now))

    def perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case StartWorker(number):
                    assert number not in self.living
                    self.living[number] = []
                case Tell(number, Call() as told):
                    assert self.holders.holder(told.ordinal) == number
                    self.living[number].append(told)
                    assert len(self.living[number]) <= CREDIT
                case Reply(number=number):
                    self.replies[number] += 1

    def happen(self, event: Event) -> None:
        self.perform(self.holders.handle(event, self.now))

    @rule(data=st.data(), retry=st.booleans())
    def ask(self, data: st.DataObject, *, retry: bool) -> None:
        self.asked += 1
        self.perform(
            self.holders.ask(request(self.asked, data.draw(st.integers(0, self.count - 1)), retry=retry), self.now)
        )

    @precondition(lambda self: self.living)
    @rule(data=st.data(), what=st.sampled_from(["open", "answer", "die", "babble"]))
    def act(self, data: st.DataObject, what: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.living)))
        if what == "open":
            self.open(number)
        elif what == "babble":
            self.happen(Babbled(number, "noise"))
        elif what == "die":
            del self.living[number]
            self.happen(Ended(number, "SIGKILL", ()))
        elif self.living[number]:
            self.happen(Heard(number, Answered(self.living[number].pop(0).number, b"1")))

    def open(self, number: int) -> None:
        worker = self.holders._workers[number]
        if worker.state.value == "starting":
            self.happen(Heard(number, Ready()))
            self.happen(Heard(number, Held()))

    @rule()
    def time_passes(self) -> None:
        self.now += 10.0
        self.happen(Looked([]))

    @invariant()
    def no_call_is_answered_twice(self) -> None:
        assert all(count == 1 for count in getattr(self, "replies", {}).values())

    def teardown(self) -> None:
        if not hasattr(self, "holders"):
            return
        for _ in range(self.asked + 100):
            self.time_passes()
            for number in sorted(self.living):
                if self.holders._workers[number].state.value == "dying":
                    del self.living[number]
                    self.happen(Ended(number, "SIGKILL", ()))
                    continue
                self.open(number)
                if self.living.get(number):
                    self.happen(Heard(number, Answered(self.living[number].pop(0).number, b"1")))
        assert sorted(self.replies) == list(range(1, self.asked + 1))
        self.no_call_is_answered_twice()


HoldersMachine.TestCase.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestHolders = HoldersMachine.TestCase
