from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from workers import jobs
from workers.jobs.census import census
from workers.jobs.folders import folders
from workers.jobs.logon import logon
from workers.mailbox import Folder


@dataclass
class FakeMessage:
    received: datetime | None
    subject: str = ""
    sender: str = ""
    size: int = 0
    message_id: str = ""

    def read(self) -> bytes:
        return b""


@dataclass
class FakeFolder:
    path: str
    message_count: int = 0
    unread_count: int = 0
    size: int = 0
    newest_first: list[FakeMessage] = field(default_factory=list)

    def messages(self) -> Iterator[FakeMessage]:
        return iter(self.newest_first)


@dataclass
class FakeMailbox:
    listed: list[Folder]
    address: str = "anna@example.org"
    display_name: str = "Anna"
    store: Any = None
    dry_run: bool = False

    def folders(self) -> list[Folder]:
        return self.listed


def day(number: int) -> datetime:
    return datetime(2001, 11, number, tzinfo=UTC)


def test_census_counts_only_folders_that_hold_mail() -> None:
    mailbox = FakeMailbox([FakeFolder("Drafts"), FakeFolder("Inbox", 3, 1, 900), FakeFolder("Sent", 2, 0, 50)])

    assert census(mailbox) == {"folders": 2, "messages": 5, "bytes": 950, "unread": 1}


def test_census_of_an_empty_mailbox_is_all_zeros() -> None:
    assert census(FakeMailbox([])) == {"folders": 0, "messages": 0, "bytes": 0, "unread": 0}


def test_census_finds_the_newest_message_of_all_folders() -> None:
    old, new = FakeMessage(day(1)), FakeMessage(day(12))
    mailbox = FakeMailbox([FakeFolder("Inbox", 2, newest_first=[new, old]), FakeFolder("Sent", 1, newest_first=[old])])

    assert census(mailbox, newest=True)["newest"] == "2001-11-12T00:00:00+00:00"


@pytest.mark.parametrize("held", [[], [FakeMessage(None)]])
def test_a_mailbox_without_delivered_mail_has_no_newest_message(held: list[FakeMessage]) -> None:
    mailbox = FakeMailbox([FakeFolder("Drafts", 1, newest_first=held)])

    assert census(mailbox, newest=True)["newest"] is None


def test_folders_yields_a_row_for_each_folder() -> None:
    mailbox = FakeMailbox([FakeFolder("Inbox", 3, 1, 900), FakeFolder("Inbox/Old")])

    assert list(folders(mailbox)) == [
        {"path": "Inbox", "messages": 3, "unread": 1, "bytes": 900},
        {"path": "Inbox/Old", "messages": 0, "unread": 0, "bytes": 0},
    ]


def test_logon_proves_the_right_to_read_by_the_folder_list() -> None:
    assert logon(FakeMailbox([FakeFolder("Inbox"), FakeFolder("Sent")])) == {"folders": 2}


def test_every_built_in_job_is_loaded_by_its_name() -> None:
    assert {name: jobs.load(name).__name__ for name in jobs.BUILT_IN} == {name: name for name in jobs.BUILT_IN}


def test_every_built_in_job_has_a_one_line_description() -> None:
    assert all(line.endswith(".") for line in jobs.descriptions().values())


def test_options_of_built_in_jobs_are_keyword_only_and_annotated() -> None:
    for name in jobs.BUILT_IN:
        _mailbox, *options = inspect.signature(jobs.load(name)).parameters.values()

        assert all(option.kind is option.KEYWORD_ONLY and option.annotation is not option.empty for option in options)
