"""`save` as mbox: what Python's own reader finds in it, and what a second run, a kill and a change do to it."""

from __future__ import annotations

import mailbox as mailboxes
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.test_jobs import FakeFolder, FakeMailbox, FakeMessage, day
from workers.causes import MailboxError
from workers.jobs import mbox
from workers.jobs.mbox import from_line, quoted
from workers.jobs.save import save

CONTENTS = [
    b"Subject: plain\n\nHello.\n",
    b"Subject: no end of line\n\nbye",
    b"Subject: =?koi8-r?B?8NLJ18XU?=\r\nContent-Type: text/plain; charset=gb18030\r\n\r\n\xc4\xe3\xba\xc3\r\n",
    b"Subject: lines that look like another message\n\nFrom here on\n>From there\n>>From everywhere\nFrom\n From me\n\nFrom x@y Thu Jan  1 00:00:00 1970\n",
    b"\nno header at all\n",
    b"",
    b"Subject: utf-7, broken\nContent-Type: text/plain; charset=utf-7\n\n+AGQ-+broken \xff\n\n\n",
]


class Stored(FakeMessage):
    """A message with its text; how often that was read."""

    reads = 0

    def __init__(self, number: int, content: bytes, sender: str = "Ann <ann@x>") -> None:
        super().__init__(
            day(20 - number), f"about {number}", sender, len(content), f"<{number}@x>" if number % 2 else ""
        )
        self.content = content

    def read(self) -> bytes:
        Stored.reads += 1
        return self.content


def holding(*contents: bytes) -> FakeMailbox:
    """A mailbox with these messages in two folders, the newest first."""
    held: list[Any] = [Stored(number, content) for number, content in enumerate(contents)]
    return FakeMailbox(
        [FakeFolder("Inbox", len(held), newest_first=held), FakeFolder("Old/2025", 1, newest_first=held[:1])]
    )


def read_back(path: Path) -> list[bytes]:
    """The messages of an mbox as Python finds them, with what mboxrd quotes taken back."""
    found = mailboxes.mbox(path, create=False)
    try:
        return [re.sub(rb"(?m)^>(?=>*From )", b"", found.get_bytes(key)) for key in found.iterkeys()]
    finally:
        found.close()


def as_saved(content: bytes) -> bytes:
    lines = content.replace(b"\r\n", b"\n")
    return lines if lines.endswith(b"\n") else lines + b"\n"


def test_every_message_is_read_back_as_it_was(tmp_path: Path) -> None:
    told = save(holding(*CONTENTS), directory=tmp_path, format="mbox")

    place = tmp_path / "anna@example.org"
    assert told == {"messages": 8, "new": 8, "bytes": sum(map(len, CONTENTS)) + len(CONTENTS[0])}
    assert read_back(place / "Inbox.mbox") == [as_saved(content) for content in reversed(CONTENTS)]
    assert read_back(place / "Old" / "2025.mbox") == [CONTENTS[0]]


def test_a_second_run_reads_nothing_and_adds_nothing(tmp_path: Path) -> None:
    save(holding(*CONTENTS), directory=tmp_path, format="mbox")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    Stored.reads = 0

    told = save(holding(*CONTENTS), directory=tmp_path, format="mbox")

    assert (told["messages"], told["new"], told["bytes"], Stored.reads) == (8, 0, 0, 0)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_came_since_is_added_behind(tmp_path: Path) -> None:
    save(holding(*CONTENTS[2:]), directory=tmp_path, format="mbox")
    first = (tmp_path / "anna@example.org" / "Inbox.mbox").read_bytes()

    told = save(holding(*CONTENTS[2:], b"Subject: new\n\nnew\n"), directory=tmp_path, format="mbox")

    after = (tmp_path / "anna@example.org" / "Inbox.mbox").read_bytes()
    assert told["new"] == 1
    assert after.startswith(first)
    assert read_back(tmp_path / "anna@example.org" / "Inbox.mbox")[-1] == b"Subject: new\n\nnew\n"


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.mark.parametrize("replaced", [0, 1])
@pytest.mark.parametrize("there", [0, 3])
def test_a_run_that_was_killed_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, replaced: int
) -> None:
    if there:
        save(holding(*CONTENTS[:there]), directory=tmp_path, format="mbox")
    replaces: list[Path] = []

    def replace(self: Path, target: Path) -> None:
        if len(replaces) == replaced:
            raise Killed
        replaces.append(target)
        os.replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            save(holding(*CONTENTS), directory=tmp_path, format="mbox")

    save(holding(*CONTENTS), directory=tmp_path, format="mbox")
    found = read_back(tmp_path / "anna@example.org" / "Inbox.mbox")
    assert sorted(found) == sorted(as_saved(content) for content in CONTENTS)


@pytest.mark.parametrize("change", [b"From x Thu Jan  1 00:00:00 1970\n\nmine\n\n", None])
def test_a_file_that_somebody_else_has_written_to_is_left_alone(tmp_path: Path, change: bytes | None) -> None:
    save(holding(*CONTENTS[:3]), directory=tmp_path, format="mbox")
    path = tmp_path / "anna@example.org" / "Inbox.mbox"
    whole = path.read_bytes()
    path.write_bytes(whole + change if change else whole.replace(b"Hello", b"HELLO"))
    changed = path.read_bytes()

    with pytest.raises(MailboxError, match=r"Inbox\.mbox is not as it was when messages were saved to it last"):
        save(holding(*CONTENTS), directory=tmp_path, format="mbox")

    assert path.read_bytes() == changed


def test_a_file_without_an_index_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "Inbox.mbox"
    path.write_bytes(b"mine")

    with pytest.raises(MailboxError, match="move it away"):
        mbox.add(path, [])


@pytest.mark.parametrize(
    ("sender", "line"),
    [
        ("Ann <ann@x>", b"From ann@x Mon Nov 12 00:00:00 2001\n"),
        ("", b"From MAILER-DAEMON Mon Nov 12 00:00:00 2001\n"),
        ("<grün@x>", b"From MAILER-DAEMON Mon Nov 12 00:00:00 2001\n"),
        ('"a b"@x', b"From MAILER-DAEMON Mon Nov 12 00:00:00 2001\n"),
    ],
)
def test_the_line_before_a_message_is_one_line_of_ascii(sender: str, line: bytes) -> None:
    assert from_line(FakeMessage(day(12), sender=sender)) == line


def test_a_message_that_was_never_delivered_has_a_date_all_the_same() -> None:
    assert from_line(FakeMessage(None, sender="a@x")) == b"From a@x Thu Jan  1 00:00:00 1970\n"


def test_what_looks_like_the_line_before_a_message_gets_one_more_mark() -> None:
    assert quoted(b"From a\r\n>From b\n>>From c\n> From d\nFrom") == b">From a\n>>From b\n>>>From c\n> From d\nFrom\n"


def test_a_folder_that_is_called_like_a_file_is_in_nobodys_way(tmp_path: Path) -> None:
    held: list[Any] = [Stored(1, CONTENTS[0])]
    paths = ["Inbox", "Inbox.mbox", "Inbox.mbox/Old", "Inbox/Old"]

    told = save(
        FakeMailbox([FakeFolder(path, 1, newest_first=held) for path in paths]), directory=tmp_path, format="mbox"
    )

    assert told["new"] == 4
    assert len(list(tmp_path.rglob("*.mbox"))) == 4
