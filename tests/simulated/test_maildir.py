from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.simulated.wire import Pauses, Wire, contents, listing, logon, server_of
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.properties import PR_INTERNET_CONTENT, PropertyError
from workers.mapi.rops import (
    CODE_PAGE_OF_LOGON,
    GetReceiveFolderRequest,
    OpenMessageRequest,
    OpenStreamRequest,
    Request,
)
from workers.mapi.rows import row_codec
from workers.simulated.maildir import MaildirMailbox, MaildirMessages, MaildirPopulation
from workers.simulated.mailfiles import decode_mutf7
from workers.simulated.server import SimulatedServer
from workers.simulated.stores import FolderFacts, filetime, mailbox_dn
from workers.urls import ServerUrlError

NOON = 1_000_000_000  # seconds since 1970


def write(path: Path, content: str = "Subject: x\n\nbody\n", modified: int = NOON) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (modified, modified))
    return path


def mailbox(root: Path, ordinal: int = 0) -> MaildirMailbox:
    return MaildirPopulation(root).mailbox(ordinal)


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """The folders by their paths, with counts of messages and unread ones."""
    found = mailbox(root).subtree()
    paths: dict[int, str] = {}
    for facts in found:
        above = paths.get(facts.parent_id)
        paths[facts.folder_id] = f"{above}/{facts.name}" if above else facts.name
    return {paths[facts.folder_id]: (facts.message_count, facts.unread_count) for facts in found}


def folder(root: Path, name: str) -> tuple[FolderFacts, MaildirMessages]:
    opened = mailbox(root)
    [facts] = [facts for facts in opened.subtree() if facts.name == name]
    return facts, opened.messages(facts.folder_id)


def test_every_directory_is_a_mailbox_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("carol", "alice@x.example", "Bob", ".hidden"):
        (tmp_path / name).mkdir()
    write(tmp_path / "notes.txt")
    population = MaildirPopulation(tmp_path)

    assert [population.address(i) for i in range(len(population))] == ["Bob", "alice@x.example", "carol"]
    assert population.ordinal(mailbox_dn("CAROL")) == 2
    assert population.ordinal(mailbox_dn("dave")) is None


def test_mailboxes_that_differ_in_letter_case_alone_are_told_apart(tmp_path: Path) -> None:
    for name in ("bob", "Bob"):
        (tmp_path / name).mkdir()
    population = MaildirPopulation(tmp_path)

    assert [population.ordinal(mailbox_dn(name)) for name in ("Bob", "bob", "BOB")] == [0, 1, 0]


def test_a_name_that_a_dn_cannot_hold_as_it_is_leads_back_all_the_same(tmp_path: Path) -> None:
    names = ["a=b", "Zoë %41", "日本"]
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    population = MaildirPopulation(tmp_path)

    dns = [mailbox_dn(population.address(ordinal)) for ordinal in range(4)]
    assert all(dn.isascii() for dn in dns)
    assert [population.ordinal(dn) for dn in dns] == [0, 1, 2, 3]
    assert "caf\ufffd" in {population.address(ordinal) for ordinal in range(4)}


@pytest.mark.parametrize(
    ("place", "complaint"),
    [("nowhere", "No such file or directory"), ("file", "Not a directory"), ("empty", "there is no directory in it")],
)
def test_a_path_without_mailboxes_is_a_mistake_in_the_url(tmp_path: Path, place: str, complaint: str) -> None:
    write(tmp_path / "file")
    (tmp_path / "empty").mkdir()

    with pytest.raises(ServerUrlError, match=f"sim:.*{place}: {complaint}"):
        server_of(f"sim:{tmp_path / place}")


def test_a_subdirectory_is_a_folder_and_each_file_in_it_a_message(tmp_path: Path) -> None:
    for path in ("inbox/1.", "inbox/2.", "sent/1.eml", "projects/alpha/x", "projects/alpha/beta/y", "inbox/.DS_Store"):
        write(tmp_path / "box" / path)

    assert tree(tmp_path) == {
        "inbox": (2, 0),
        "projects": (0, 0),
        "projects/alpha": (1, 0),
        "projects/alpha/beta": (1, 0),
        "sent": (1, 0),
    }


def test_files_in_no_folder_are_in_the_inbox(tmp_path: Path) -> None:
    write(tmp_path / "box" / "1.")
    write(tmp_path / "box" / "Inbox" / "1.")

    assert tree(tmp_path) == {"Inbox": (2, 0)}


def test_maildir_plus_plus_has_its_folders_beside_each_other(tmp_path: Path) -> None:
    box = tmp_path / "box"
    for path in (
        "cur/1:2,S",
        "cur/2:2,RS",
        "cur/3:2,F",
        "cur/4",
        "new/5",
        "tmp/6",
        ".Sent/cur/7:2,S",
        ".Lists.python/new/8",
        ".Lists.python/cur/9:2,S",
        ".Entw&APw-rfe/cur/10:2,S",
        "subscriptions",
        "dovecot.index",
    ):
        write(box / path)
    for name in (".Sent", ".Lists.python", ".Entw&APw-rfe", "."):
        for own in ("cur", "new", "tmp"):
            (box / name / own).mkdir(exist_ok=True)

    assert tree(tmp_path) == {
        "Entwürfe": (1, 0),
        "Inbox": (5, 3),
        "Lists": (0, 0),
        "Lists/python": (2, 1),
        "Sent": (1, 0),
    }


def test_a_maildir_may_lie_in_a_plain_folder(tmp_path: Path) -> None:
    for path in ("Work/cur/1:2,S", "Work/new/2", "Work/Done/cur/3:2,", "Work/Done/new/4", "new/1."):
        write(tmp_path / "box" / path)

    assert tree(tmp_path) == {"Work": (2, 1), "Work/Done": (2, 2), "new": (1, 0)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("INBOX", "INBOX"),
        ("Entw&APw-rfe", "Entwürfe"),
        ("A&-B", "A&B"),
        ("&ZeVnLIqe-", "日本語"),
        ("&!-", "&!-"),
        ("&A-", "&A-"),
        ("x&AAA-y", "xy"),
        ("a&b", "a&b"),
    ],
)
def test_modified_utf_7_is_read_as_far_as_it_is_sound(name: str, text: str) -> None:
    assert decode_mutf7(name) == text


def test_a_folders_size_is_that_of_its_files(tmp_path: Path) -> None:
    sizes = [len(write(tmp_path / "box" / "inbox" / f"{i}.", "x" * i * 100).read_bytes()) for i in range(5)]
    facts, messages = folder(tmp_path, "inbox")

    assert facts.size == sum(sizes)
    assert sorted(messages.facts(row).size for row in range(5)) == sizes


def test_a_message_is_what_its_header_says(tmp_path: Path) -> None:
    text = "Message-ID: <7@x>\nDate: Sun, 9 Sep 2001 03:46:40 +0200\nFrom: Ann <a@x>\nSubject: Hello\n\nbody\n"
    write(tmp_path / "box" / "inbox" / "1.", text, modified=NOON + 99)
    _, messages = folder(tmp_path, "inbox")
    facts = messages.facts(0)

    assert (facts.subject, facts.sender_name, facts.sender_address) == ("Hello", "Ann", "a@x")
    assert (facts.internet_message_id, facts.delivered, facts.read) == ("<7@x>", filetime(NOON), True)
    assert messages.read(0) == text.encode()


@pytest.mark.parametrize("header", ["Subject: x", "Date: nonsense", "Date: Mon, 1 Jan 1500 00:00:00 +0000"])
def test_without_a_sound_date_the_time_of_the_file_counts(tmp_path: Path, header: str) -> None:
    write(tmp_path / "box" / "inbox" / "1.", f"{header}\n\nbody\n")
    facts, messages = folder(tmp_path, "inbox")

    assert messages.facts(0).delivered == facts.newest == filetime(NOON)


def test_messages_are_ordered_by_delivery_newest_first(tmp_path: Path) -> None:
    for name, day in (("a", 3), ("b", 9), ("c", 1)):
        write(tmp_path / "box" / "inbox" / name, f"Subject: {name}\nDate: {day} Jan 2001 00:00:00 +0000\n\n")
    _, messages = folder(tmp_path, "inbox")

    assert [messages.facts(row).subject for row in messages.newest_first()] == ["b", "a", "c"]
    assert [messages.facts(row).subject for row in range(3)] == ["a", "b", "c"]


def test_a_header_longer_than_the_first_look_is_read_to_its_end(tmp_path: Path) -> None:
    padding = "".join(f"X-{i}: {'y' * 70}\n" for i in range(300))
    write(tmp_path / "box" / "inbox" / "1.", f"{padding}Subject: late\n\nbody\n")

    assert folder(tmp_path, "inbox")[1].facts(0).subject == "late"


def test_a_relative_path_still_leads_there_when_a_job_went_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mail" / "box" / "inbox" / "1.")
    monkeypatch.chdir(tmp_path)
    population = MaildirPopulation(Path("mail"))
    monkeypatch.chdir("/")

    assert len(population.mailbox(0).subtree()) == 1


def test_links_to_directories_and_other_things_are_no_folders_and_no_mail(tmp_path: Path) -> None:
    write(tmp_path / "box" / "inbox" / "1.")
    (tmp_path / "box" / "loop").symlink_to(tmp_path / "box")
    os.mkfifo(tmp_path / "box" / "inbox" / "pipe")

    assert tree(tmp_path) == {"inbox": (1, 0)}


def test_ids_lead_back_to_folders_and_messages_at_the_next_logon(tmp_path: Path) -> None:
    for path in ("inbox/1.", "inbox/2.", "sent/1."):
        write(tmp_path / "box" / path)
    first, second = mailbox(tmp_path), mailbox(tmp_path)

    assert first.subtree() == second.subtree()
    for facts in first.subtree():
        for row in range(facts.message_count):
            identifier = first.messages(facts.folder_id).facts(row).message_id
            assert second.messages(facts.folder_id).row_of(identifier) == row


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    write(tmp_path / "box" / "inbox" / "1.", "Subject: one\n\n1\n")
    write(tmp_path / "box" / "inbox" / "2.", "Subject: two\n\n2\n", NOON + 1)
    return Wire(server_of(f"sim:{tmp_path}"))


def test_real_mail_is_listed_and_read_like_any_other(wire: Wire) -> None:
    [(folder_id, parent, count, unread, size, name)] = wire.folders()
    handles = [wire.log_on(), NO_HANDLE, NO_HANDLE]
    responses, _ = wire(contents(folder_id, (props.PR_SUBJECT_W, props.PR_HASATTACH)), handles)
    receive, _ = wire([GetReceiveFolderRequest(0, 0, "")], [handles[0]])

    assert (parent, count, unread, size, name) == (wire.top(), 2, 0, 32, "inbox")
    assert [row[0] for row in responses[3].rows] == ["one", "two"]
    assert receive[0].folder_id == folder_id


def test_a_store_without_an_inbox_has_none(tmp_path: Path) -> None:
    write(tmp_path / "box" / "sent" / "1.")
    wire = Wire(server_of(f"sim:{tmp_path}"))

    assert wire.codes([GetReceiveFolderRequest(0, 0, "")], [wire.log_on()]) == [0x8004010F]


def test_a_message_whose_file_vanished_answers_an_error_and_the_others_are_read(wire: Wire, tmp_path: Path) -> None:
    [(folder_id, *_)] = wire.folders()
    handle = wire.log_on()
    tags = (props.PR_MID, props.PR_SUBJECT_W)
    responses, opened = wire(contents(folder_id, tags, count=0), [handle, NO_HANDLE, NO_HANDLE])
    (tmp_path / "box" / "inbox" / "1.").unlink()

    [page], _ = wire([contents(folder_id)[3]], opened, row_codec(tags))
    codes = [
        wire.codes(
            [
                OpenMessageRequest(0, 0, 1, CODE_PAGE_OF_LOGON, folder_id, 0, row[0]),
                OpenStreamRequest(0, 1, 2, PR_INTERNET_CONTENT, 0),
            ],
            [handle, NO_HANDLE, NO_HANDLE],
        )
        for row in page.rows
    ]

    assert responses[1].row_count == 2
    assert [row[1] for row in page.rows] == [PropertyError(0x8004010F), "two"]
    assert codes == [[0, 0x8004010F], [0, 0]]


def test_a_message_that_became_something_else_is_a_disk_error(wire: Wire, tmp_path: Path) -> None:
    [(folder_id, *_)] = wire.folders()
    handle = wire.log_on()
    responses, _ = wire(contents(folder_id, (props.PR_MID,)), [handle, NO_HANDLE, NO_HANDLE])
    (tmp_path / "box" / "inbox" / "1.").unlink()
    (tmp_path / "box" / "inbox" / "1.").mkdir()
    first = responses[3].rows[0][0]
    requests: list[Request] = [
        OpenMessageRequest(0, 0, 1, CODE_PAGE_OF_LOGON, folder_id, 0, first),
        OpenStreamRequest(0, 1, 2, PR_INTERNET_CONTENT, 0),
    ]

    assert wire.codes(requests, [handle, NO_HANDLE, NO_HANDLE]) == [0, 0x80040116]


def test_a_mailbox_that_vanished_is_unknown_and_listed_empty(wire: Wire, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "box")

    assert wire.codes([logon(wire.server)], [NO_HANDLE]) == [0x3EB]
    assert [(row.display_name, row.size) for row in wire.server.mailbox_rows(0, 9)] == [("box", 0)]


def test_a_mailbox_that_vanishes_under_a_logon_fails_its_rops_and_nothing_else(wire: Wire, tmp_path: Path) -> None:
    requests = listing(wire.top())
    handle = wire.log_on()
    shutil.rmtree(tmp_path / "box")

    assert wire.codes(requests, [handle, NO_HANDLE, NO_HANDLE]) == [0, 0x8004010F, 0x4B9, 0x4B9]


class Unreadable(MaildirPopulation):
    """What chmod 000 makes of a population for anybody but root."""

    def mailbox(self, ordinal: int) -> MaildirMailbox:
        raise PermissionError(self.address(ordinal))


def test_a_mailbox_that_may_not_be_read_is_denied(wire: Wire, tmp_path: Path) -> None:
    options = wire.server.options
    wire = Wire(SimulatedServer(Unreadable(tmp_path), options, Pauses()))

    assert wire.codes([logon(wire.server)], [NO_HANDLE]) == [0x80070005]
    assert [row.size for row in wire.server.mailbox_rows(0, 9)] == [0]
