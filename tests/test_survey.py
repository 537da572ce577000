"""What servers are asked before their mailboxes are opened, without a process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from fanout.conduct import Mailboxes
from fanout.errors import StoppedError, UsageError
from fanout.events import Ended, Event, Heard
from fanout.listing import Listing
from fanout.roster import Choice
from fanout.survey import Survey, Surveys
from tests.fakes import FakeClock
from workers.causes import Cause
from workers.messages import Announced, Begin, Error, Listed, ListMailboxes, Message, Names, Recording, Unable
from workers.servers import server_at

SIM = "sim:2000"
SERVER = Announced(255, "255 logon indexes", None, "the address book")
NUMBERED = Announced(255, "255 logon indexes", 2000, "computed")
GONE = Unable(Error("MailboxError", "no answer", Cause.UNREACHABLE))


class FakeEngine:
    """What roster workers say comes when it was told to; the clock goes on with it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        #: Seconds until something happens, and what that is.
        self.script: deque[tuple[float, list[Event]]] = deque()
        self.started: list[int] = []
        self.wanted: dict[int, object] = {}
        self.killed: list[int] = []
        #: How long it was waited for, at the most.
        self.timeouts: list[float | None] = []

    def start(self, number: int, begin: Begin) -> None:  # noqa: ARG002 - it is the same for all
        self.started.append(number)

    def send(self, number: int, message: object) -> None:
        self.wanted[number] = message

    def kill(self, number: int) -> None:
        self.killed.append(number)
        self.script.appendleft((0.0, [Ended(number, "SIGKILL", ())]))

    def wait(self, timeout: float | None) -> list[Event]:
        self.timeouts.append(timeout)
        after, events = self.script[0] if self.script else (float("inf"), [])
        if timeout is not None and after > timeout:
            self.clock.advance(timeout)
            if self.script:
                self.script[0] = (after - timeout, events)
            return []
        assert self.script, "it is waited for what never comes"
        self.script.popleft()
        self.clock.advance(after)
        return events

    def says(self, number: int, *messages: Message, after: float = 0.0) -> None:
        self.script.append((after, [Heard(number, message) for message in messages]))  # type: ignore[arg-type]


def survey(
    engine: FakeEngine,
    number: int = 0,
    *,
    choice: Choice = Choice(),  # noqa: B008 - frozen
    names: Iterable[str] | None = None,
    check: Callable[[Announced], object] = lambda _: None,
) -> Survey:
    begin = Begin(SIM, separate_connections=False, recording=Recording.RESULTS)
    return Survey(
        Mailboxes(SIM, choice, names),
        server_at(SIM),
        check,
        partial(Listing, engine, number, begin),  # type: ignore[arg-type]  # as much of an engine as it needs
    )


def too_much(_: Announced) -> None:
    raise ValueError("a chunk of 300 mailboxes is more than the 255 that one session can hold open")


def asked(choice: Choice = Choice(), *, names: Iterable[str] | None = None, says: Iterable[Message] = ()) -> Survey:  # noqa: B008
    """A survey to its end."""
    engine = FakeEngine(FakeClock())
    one = survey(engine, choice=choice, names=names)
    one.start()
    engine.says(0, *says)
    while not one.ended:
        for event in engine.wait(None):
            one.hear(event)
    return one


def test_the_names_that_are_wanted_are_those_of_the_server_in_its_order() -> None:
    one = asked(
        Choice(exclude=("b*",)), says=[SERVER, Listed(["carl", "Bob", "anna"]), Listed(["berta", "dora"]), Listed([])]
    )

    assert [*one.names()] == ["carl", "anna", "dora"]
    assert (one.numbered, one.has_names) == (None, True)


def test_where_names_are_computed_none_is_listed() -> None:
    one = asked(Choice(limit=3), says=[NUMBERED, Listed([])])

    assert one.numbered == 3
    assert [*one.names()] == ["u00000000@sim.example", "u00000001@sim.example", "u00000002@sim.example"]


def test_a_trial_of_two_does_not_wait_for_all_names() -> None:
    one = asked(Choice(include=("b*",), limit=2), says=[SERVER, Listed(["anna", "berta", "bob"]), Listed(["bruno"])])

    assert [*one.names()] == ["berta", "bob"]
    assert one.error is None


def test_a_sample_is_taken_of_all_names() -> None:
    choice, pages = Choice(sample=1, limit=1), [["anna", "berta"], ["carl", "dora", "emil", "fred"]]
    (wanted,) = choice.of([*pages[0], *pages[1]])
    assert wanted in pages[1]  # or a listing that ends with the first page would do

    one = asked(choice, says=[SERVER, *map(Listed, pages), Listed([])])

    assert [*one.names()] == [wanted]


def test_names_that_were_given_are_known_whatever_becomes_of_the_server() -> None:
    one = asked(names=["anna", "berta"], says=[GONE])

    assert isinstance(one.error, StoppedError)
    assert one.has_names
    assert [*one.names()] == ["anna", "berta"]


def test_an_account_is_looked_at_by_the_first_of_the_names_that_were_given() -> None:
    engine = FakeEngine(FakeClock())

    survey(engine, names=["anna", "berta"]).start()

    assert engine.wanted == {0: ListMailboxes(Names.NONE, "anna")}


@pytest.mark.parametrize("name", ["two\nlines", "", "x" * 2000])
def test_what_can_be_no_name_ends_a_survey(name: str) -> None:
    one = asked(says=[SERVER, Listed(["anna", name])])

    assert isinstance(one.error, UsageError)
    assert "can't be the name of a mailbox" in str(one.error)


def test_what_the_server_cannot_do_is_known_before_a_name_is_listed() -> None:
    engine = FakeEngine(FakeClock())
    one = survey(engine, check=too_much)
    one.start()

    one.hear(Heard(0, SERVER))

    assert engine.killed == [0]
    assert isinstance(one.error, UsageError)


# --- several at the same time -----------------------------------------------------------------------------------------


def surveys(engine: FakeEngine, *each: Survey) -> Surveys:
    several = Surveys(engine, engine.clock)  # type: ignore[arg-type]
    for number, one in enumerate(each):
        several.begin(number, one)
    return several


def listed(engine: FakeEngine, number: int, *, after: float = 0.0) -> None:
    engine.says(number, SERVER, Listed([f"anna-{number}"]), Listed([]), after=after)


def test_all_servers_are_asked_before_any_is_heard() -> None:
    engine = FakeEngine(FakeClock())
    several = surveys(engine, survey(engine, 0), survey(engine, 1))
    begun = list(engine.started)
    listed(engine, 1)
    listed(engine, 0)

    several.wait()

    assert begun == [0, 1]
    assert [[*several.ended[number].names()] for number in (0, 1)] == [["anna-0"], ["anna-1"]]


@pytest.mark.parametrize(
    ("first_after", "begun_at"),
    [(0.25, 101.25), (2.0, 104.0), (60.0, 165.0)],
    ids=["a second at least", "as long again", "as long as patience lasts"],
)
def test_a_silent_server_is_waited_for_as_long_as_the_first_one_took(first_after: float, begun_at: float) -> None:
    clock = FakeClock(now=100.0)
    engine = FakeEngine(clock)
    several = surveys(engine, survey(engine, 0), survey(engine, 1))
    listed(engine, 1, after=first_after)

    several.wait(5.0)

    assert clock.now == begun_at
    assert ([*several.ended], [*several.under_way]) == ([1], [0])


def test_where_nobody_has_listed_yet_patience_has_not_begun() -> None:
    clock = FakeClock(now=100.0)
    engine = FakeEngine(clock)
    several = surveys(engine, survey(engine, 0), survey(engine, 1), survey(engine, 2))
    engine.says(0, GONE, after=1.0)
    listed(engine, 2, after=60.0)

    several.wait(5.0)

    assert clock.now == 166.0
    assert ([*several.ended], [*several.under_way]) == ([0, 2], [1])


def test_where_all_have_answered_nobody_waits() -> None:
    clock = FakeClock(now=100.0)
    engine = FakeEngine(clock)
    several = surveys(engine, survey(engine, 0), survey(engine, 1))
    listed(engine, 0, after=0.5)
    engine.says(1, GONE, after=0.5)

    several.wait(5.0)

    assert clock.now == 101.0
    assert several.under_way == {}


def test_without_a_limit_to_patience_all_are_waited_for() -> None:
    engine = FakeEngine(FakeClock())
    several = surveys(engine, survey(engine, 0), survey(engine, 1))
    listed(engine, 0)
    listed(engine, 1, after=3600.0)

    several.wait()

    assert set(engine.timeouts) == {None}
    assert several.under_way == {}


def test_a_mistake_is_told_as_soon_as_one_server_shows_it() -> None:
    engine = FakeEngine(FakeClock())
    several = surveys(engine, survey(engine, 0), survey(engine, 1, check=too_much))
    engine.says(1, SERVER)

    with pytest.raises(UsageError, match="a chunk of 300 mailboxes"):
        several.wait()


def test_what_was_dropped_is_heard_to_its_end_and_is_nobodys() -> None:
    engine = FakeEngine(FakeClock())
    several = surveys(engine, survey(engine, 0))

    several.drop(0)
    before = several.is_quiet
    numbers = [several.hear(event) for event in (Heard(0, SERVER), *engine.wait(None))]

    assert (before, several.is_quiet) == (False, True)
    assert (numbers, several.ended, engine.killed) == ([0, 0], {}, [0])


def test_what_concerns_no_roster_worker_is_left_to_others() -> None:
    engine = FakeEngine(FakeClock())
    several = surveys(engine, survey(engine, 0))

    assert several.hear(Heard(7, SERVER)) is None
    assert several.hear(Heard(0, SERVER)) == 0
    assert several.of(0) is several.under_way[0]
    assert several.of(1) is None
