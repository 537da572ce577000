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
from workers.jobs.largest import largest
from workers.jobs.logon import logon
from workers.jobs.quota import quota
from workers.jobs.senders import NOBODY, senders
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


def mailbox_of_sizes(*sizes: int) -> FakeMailbox:
    """Two folders that share the messages, and an empty one."""
    messages = [FakeMessage(day(1), f"of {size}", "A <A@x>", size) for size in sizes]
    folders = [FakeFolder("Drafts")]
    for path, some in (("Inbox", messages[::2]), ("Old", messages[1::2])):
        folders.append(FakeFolder(path, len(some), 0, sum(each.size for each in some), some))
    return FakeMailbox([*folders])


def test_the_largest_messages_come_from_all_folders_the_largest_first() -> None:
    found = largest(mailbox_of_sizes(5, 50, 40, 3), limit=3)

    assert [(row["folder"], row["size"]) for row in found] == [("Old", 50), ("Inbox", 40), ("Inbox", 5)]


def test_messages_that_are_not_above_a_size_are_not_large() -> None:
    assert [row["subject"] for row in largest(mailbox_of_sizes(5, 50, 40), above=40)] == ["of 50"]


@pytest.mark.parametrize(("limit", "over", "by"), [(100, 0, 0), (98, 0, 0), (97, 1, 1), (0, 1, 98)])
def test_a_mailbox_is_over_a_quota_when_it_is_larger(limit: int, over: int, by: int) -> None:
    assert quota(mailbox_of_sizes(5, 50, 40, 3), limit=limit) == {"bytes": 98, "over": over, "bytes_over": by}


def test_senders_are_counted_by_address_whatever_their_name_and_capitals() -> None:
    sent = ["Ann <ann@x>", "ANN@X", '"Bert, B." <bert@x>', "", "no address at all <>"]
    inbox = FakeFolder("Inbox", len(sent), newest_first=[FakeMessage(day(1), sender=sender) for sender in sent])

    assert senders(FakeMailbox([inbox])) == {"ann@x": 2, NOBODY: 2, "bert@x": 1}
    assert senders(FakeMailbox([inbox]), limit=1) == {"ann@x": 2}


@pytest.mark.parametrize(
    ("job", "options", "words"),
    [
        ("largest", {"limit": 0}, "limit=0: it is at least 1"),
        ("senders", {"limit": 0}, "limit=0: it is at least 1"),
    ],
)
def test_an_option_that_can_not_be_meant_is_named(job: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        jobs.check(job, options)
