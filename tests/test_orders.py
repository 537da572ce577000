from __future__ import annotations

import msgspec
import pytest

from fanout.events import Closed, Continued, Paused, Resized
from fanout.orders import Answer, Continue, Order, Pause, Stop, Workers, answer, event_of
from fanout.staff import MOST, Standing

AT_WORK = Standing(workers=4, under_way=3)
PAUSED = Standing(workers=4, under_way=0, paused=True)
ENDING = Standing(workers=4, under_way=2, closing=True)


@pytest.mark.parametrize("order", [Pause(), Continue(), Stop(), Workers(1), Workers(MOST)])
def test_an_order_comes_over_the_wire_as_it_was(order: Order) -> None:
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


@pytest.mark.parametrize(
    "text", ["{}", '{"type":"dance"}', '{"type":"workers"}', '{"type":"workers","count":0}', "noise"]
)
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=Order)


def test_more_workers_than_a_run_may_have_are_no_order() -> None:
    with pytest.raises(msgspec.ValidationError, match="4096"):
        msgspec.json.decode(msgspec.json.encode(Workers(MOST + 1)), type=Order)


@pytest.mark.parametrize(
    ("order", "event"),
    [
        (Pause(), Paused()),
        (Continue(), Continued()),
        (Stop(), Closed("fanout ctl stop, by anna")),
        (Workers(7), Resized(7)),
    ],
)
def test_an_order_is_an_event_of_the_run(order: Order, event: object) -> None:
    assert event_of(order, "anna") == event


@pytest.mark.parametrize(
    ("order", "before", "after", "said"),
    [
        (Pause(), AT_WORK, Standing(4, 3, paused=True), "paused: 3 mailboxes under way end first"),
        (Pause(), AT_WORK, Standing(4, 1, paused=True), "paused: 1 mailbox under way ends first"),
        (Pause(), PAUSED, PAUSED, "paused already: no mailbox is under way"),
        (Continue(), PAUSED, Standing(4, 0), "continued, with up to 4 workers"),
        (Continue(), Standing(1, 0, paused=True), Standing(1, 0), "continued, with up to 1 worker"),
        (Continue(), AT_WORK, AT_WORK, "it was not paused"),
        (Stop(), AT_WORK, Standing(4, 3, closing=True), "stopping: 3 mailboxes under way end first"),
        (Stop(), ENDING, ENDING, "it is ending already: 2 mailboxes under way end first"),
        (Workers(6), AT_WORK, Standing(6, 3), "up to 6 workers instead of 4"),
        (Workers(6), AT_WORK, Standing(6, 3, servers=2), "up to 6 workers for each server instead of 4"),
        (Continue(), PAUSED, Standing(1, 0, servers=2), "continued, with up to 1 worker for each server"),
        (
            Workers(2),
            AT_WORK,
            Standing(2, 3),
            "up to 2 workers instead of 4; the others end after the mailboxes that they are at",
        ),
        (Workers(4), AT_WORK, AT_WORK, "up to 4 workers, as before"),
        (
            Workers(6),
            PAUSED,
            Standing(6, 0, paused=True),
            "up to 6 workers instead of 4, when it is continued: no mailbox is under way",
        ),
    ],
)
def test_an_order_is_answered_with_what_became_of_it(
    order: Order, before: Standing, after: Standing, said: str
) -> None:
    assert answer(order, before, after) == Answer(said)


@pytest.mark.parametrize("order", [Pause(), Continue(), Workers(2)])
def test_a_run_that_ends_heeds_nothing_but_that_it_is_to_end(order: Order) -> None:
    said = answer(order, ENDING, ENDING)

    assert said == Answer("it is ending already: 2 mailboxes under way end first", heeded=False)
