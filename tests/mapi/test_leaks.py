"""Interfaces that a job leaves unreleased: told by line of code, released or not, recovered in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workers.causes import Cause
from workers.mailbox import Mailbox
from workers.mapi.leaks import MOST_LINES, LeakError
from workers.mapi.mailbox import MapiMailbox, MapiSession
from workers.messages import Leak, OnLeak
from workers.servers import server_at
from workers.slots import private_slot


def session_on(url: str, *, separate: bool = False) -> MapiSession:
    session = server_at(url, separate_connections=separate).session(private_slot())
    assert isinstance(session, MapiSession)
    return session


def visit(session: MapiSession, job: Callable[[Any], object], on_leak: OnLeak, count: int = 1) -> list[list[Leak]]:
    """Run a job over the first mailboxes; what it was reported to have leaked."""
    reported: list[list[Leak]] = []
    watched = session.watched(job, on_leak, reported.append)
    for mailbox in session.mailboxes(range(count), None, private_slot()):
        watched(mailbox)
    return reported


def tidy(mailbox: Mailbox) -> int:
    with mailbox.store.receive_folder() as inbox, inbox.get_contents_table():
        return len(mailbox.folders())


def untidy(mailbox: Mailbox) -> int:
    inboxes = [mailbox.store.receive_folder() for _ in range(3)]
    inboxes[-1].get_contents_table()
    return 42


FIRST = untidy.__code__.co_firstlineno


def test_a_job_that_releases_what_it_got_leaks_nothing() -> None:
    assert visit(session_on("sim:5"), tidy, OnLeak.FAIL, 5) == []


def test_a_job_that_stops_in_the_middle_of_messages_leaks_nothing() -> None:
    def first_subject(mailbox: Mailbox) -> str:
        messages = (message for folder in mailbox.folders() for message in folder.messages())
        kept.append(messages)
        return next(messages).subject

    kept: list[object] = []
    assert visit(session_on("sim:5"), first_subject, OnLeak.FAIL, 5) == []


def test_each_leak_is_told_with_its_line_its_kind_and_the_logon_index_that_is_held() -> None:
    (leaks,) = visit(session_on("sim:5?reserved=2"), untidy, OnLeak.RECLAIM)

    assert leaks == [
        Leak("IMAPIFolder", 3, __file__, FIRST + 1, "untidy.<locals>.<listcomp>", 2),
        Leak("IMAPITable", 1, __file__, FIRST + 2, "untidy", 2),
    ]


def test_what_is_reclaimed_frees_its_logon_index() -> None:
    session = session_on("sim:600")

    assert len(visit(session, untidy, OnLeak.RECLAIM, 600)) == 600
    assert session._session.leftovers() == []


def test_what_is_only_warned_of_keeps_its_logon_index() -> None:
    session = session_on("sim:5")
    visit(session, untidy, OnLeak.WARN, 3)

    left = session._session.leftovers()
    assert {leftover.logon_index for leftover in left} == {0, 1, 2}
    assert [(leftover.kind, leftover.interfaces) for leftover in left[:2]] == [("IMAPIFolder", 3), ("IMAPITable", 1)]


def test_a_table_that_leaks_have_filled_is_recovered_by_the_last_resort(caplog: pytest.LogCaptureFixture) -> None:
    session = session_on("sim:600")

    assert len(visit(session, untidy, OnLeak.WARN, 600)) == 600
    assert [record.args for record in caplog.records] == [(4 * 255,), (4 * 255,)]


def test_a_full_table_that_nobody_has_leaked_into_is_an_error() -> None:
    session = session_on("sim:600")
    opened: list[MapiMailbox] = []
    for _ in session.mailboxes(range(1), None, private_slot()):
        opened += [session.open(f"u{number:08}@sim.example") for number in range(1, 255)]
        with pytest.raises(Exception, match="NO_FREE_LOGON_INDEX"):
            session.open("u00000300@sim.example")
    assert len(opened) == 254


def test_the_mailbox_fails_where_that_is_asked_for_and_says_all_of_it() -> None:
    session = session_on("sim:5")

    with pytest.raises(LeakError) as caught:
        visit(session, untidy, OnLeak.FAIL)

    assert caught.value.cause is Cause.LEAK
    assert not caught.value.cause.retryable
    assert str(caught.value) == (
        "the job left interfaces unreleased, which hold logon index 0: "
        f"3 IMAPIFolder obtained at {__file__}:{FIRST + 1} in untidy.<locals>.<listcomp>; "
        f"1 IMAPITable obtained at {__file__}:{FIRST + 2} in untidy"
    )
    assert session._session.leftovers() == []


def test_what_a_job_left_that_raised_is_released_and_reported_and_its_error_stands() -> None:
    def raises(mailbox: Mailbox) -> None:
        mailbox.store.receive_folder()
        raise ZeroDivisionError

    session = session_on("sim:5")
    reported: list[list[Leak]] = []
    watched = session.watched(raises, OnLeak.FAIL, reported.append)
    with session.open("u00000000@sim.example") as mailbox, pytest.raises(ZeroDivisionError):
        watched(mailbox)

    assert [leak.kind for leak in reported[0]] == ["IMAPIFolder"]
    assert session._session.leftovers() == []


def test_only_so_many_lines_are_told_of_one_mailbox() -> None:
    lines = "\n".join(["    mailbox.store.receive_folder()"] * (MOST_LINES + 5))
    namespace: dict[str, Any] = {"__name__": "theirs"}
    exec(compile(f"def job(mailbox):\n{lines}", "theirs.py", "exec"), namespace)

    (leaks,) = visit(session_on("sim:1"), namespace["job"], OnLeak.RECLAIM)

    assert len(leaks) == MOST_LINES
    assert {leak.file for leak in leaks} == {"theirs.py"}


def test_where_each_mailbox_has_a_connection_a_leak_is_told_all_the_same() -> None:
    session = session_on("sim:5", separate=True)

    assert [len(leaks) for leaks in visit(session, untidy, OnLeak.RECLAIM, 5)] == [2] * 5
    assert session._session.provider.connections() == []
