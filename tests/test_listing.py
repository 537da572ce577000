from __future__ import annotations

from collections import deque

import pytest

from fanout.errors import CredentialsError, StoppedError
from fanout.events import Babbled, Ended, Event, Heard
from fanout.listing import TRIES, Listing
from workers.causes import Cause
from workers.messages import Announced, Begin, Error, Listed, ListMailboxes, Names, Ready, Recording, ToParent, Unable

BEGIN = Begin("sim:5", separate_connections=False, recording=Recording.RESULTS)
SERVER = Announced(255, "255 logon indexes", None, "the address book")


class FakeEngine:
    """Each roster worker that is started says what the next script holds."""

    def __init__(self, *scripts: list[Event]) -> None:
        self.scripts = deque(scripts)
        self.events: list[Event] = []
        self.living = 0

    def start(self, _number: int, _begin: Begin) -> None:
        self.living += 1
        self.events += self.scripts.popleft()

    def send(self, _number: int, _message: object) -> None:
        """It is heard."""

    def kill(self, _number: int) -> None:
        self.events.append(Ended(0, "SIGKILL", ()))

    def wait(self, _timeout: float | None) -> list[Event]:
        assert self.events, "a listing waits for what never comes"
        event = self.events.pop(0)
        self.living -= isinstance(event, Ended)
        return [event]


def said(*messages: ToParent) -> list[Event]:
    return [Heard(0, message) for message in (Ready(), *messages)]


def listing(engine: FakeEngine) -> tuple[Announced | None, list[str]]:
    """A listing to its end. Raises what it came to, if that is an error."""
    asked = Listing(engine, 0, BEGIN, ListMailboxes(Names.ALL))  # type: ignore[arg-type]  # as much of an engine as it needs
    asked.start()
    names: list[str] = []
    while not asked.ended:
        for event in engine.wait(None):
            names += asked.hear(event)
    if asked.error:
        raise asked.error
    return asked.announced, names


def test_the_server_is_announced_and_lists_its_names() -> None:
    engine = FakeEngine(said(SERVER, Listed(["a", "b"]), Listed(["c"]), Listed([])))

    assert listing(engine) == (SERVER, ["a", "b", "c"])
    assert engine.living == 0


def test_a_roster_worker_that_is_killed_is_replaced_and_no_name_is_listed_twice() -> None:
    killed = [*said(SERVER, Listed(["a", "b"]), Listed(["c"])), Ended(0, "SIGKILL", ())]
    engine = FakeEngine(killed, killed, said(SERVER, Listed(["a", "b"]), Listed(["c", "d"]), Listed(["e"]), Listed([])))

    assert listing(engine) == (SERVER, ["a", "b", "c", "d", "e"])


def test_a_listing_is_given_up_when_its_workers_die_again_and_again() -> None:
    died: list[Event] = [Ended(0, "SIGSEGV", (), "boom")]
    engine = FakeEngine(*[died] * TRIES)

    with pytest.raises(StoppedError, match=f"{TRIES} roster workers ended .* SIGSEGV; its last words: boom"):
        listing(engine)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (Heard(0, Unable(Error("MapiError", "gone", Cause.UNREACHABLE))), "can't be listed: gone"),
        (Babbled(0, "noise"), "talked nonsense: noise"),
    ],
)
def test_a_server_that_cannot_be_listed_stops_the_run_with_the_reason(event: Event, what: str) -> None:
    engine = FakeEngine([event])

    with pytest.raises(StoppedError, match=what):
        listing(engine)

    assert engine.living == 0


def test_an_account_that_is_refused_ends_the_listing_and_no_second_worker_tries_it() -> None:
    engine = FakeEngine([Heard(0, Ready()), Heard(0, Unable(Error("MapiError", "Connect: no", Cause.CREDENTIALS)))])

    with pytest.raises(CredentialsError, match="refuses the account: Connect: no; nothing is tried again"):
        listing(engine)

    assert engine.living == 0


def test_a_listing_that_was_ended_takes_nothing_more_and_its_worker_is_not_replaced() -> None:
    engine = FakeEngine(said(SERVER, Listed(["a"])))
    asked = Listing(engine, 0, BEGIN, ListMailboxes(Names.ALL))  # type: ignore[arg-type]
    asked.start()
    heard = [asked.hear(event) for _ in range(3) for event in engine.wait(None)]
    asked.end()

    late = [asked.hear(event) for event in (Heard(0, Listed(["b"])), Babbled(0, "noise"), *engine.wait(None))]

    assert (heard, late) == ([[], [], ["a"]], [[], [], []])
    assert (asked.ended, asked.error, engine.living) == (True, None, 0)


def test_a_roster_worker_that_says_nothing_of_the_server_is_not_believed() -> None:
    engine = FakeEngine(said(Listed([])))

    with pytest.raises(StoppedError, match="said nothing of the server"):
        listing(engine)
