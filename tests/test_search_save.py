"""Jobs that look into messages: what is found and what is saved, in odd mail as in plain."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fanout.cli import cli
from fanout.errors import UsageError
from workers.jobs.save import file_name, save
from workers.jobs.search import search, text_of
from workers.servers import server_at
from workers.slots import private_slot

MAIL = {
    "anna/cur/1": b"From: Bert <bert@x.example>\nSubject: Lunch?\nMessage-ID: <1@x>\nDate: Fri, 02 Jan 2026 10:00:00 +0000\n\nAt noon.\n",
    "anna/cur/2": (
        b"From: Carla <carla@x.example>\nSubject: =?iso-8859-1?q?R=E9sum=E9?=\nMessage-ID: <2@x>\n"
        b"Date: Mon, 05 Jan 2026 10:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZSBhdXMgS8O2bG4=\n"
        b"--b\nContent-Type: text/plain; charset=x-martian\n\nsecond part \xe9\n"
        b"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nattached words\n--b--\n"
    ),
    "anna/.Old.2025/cur/3": b"From: bert@x.example\nSubject: old lunch\n\nlong ago, no date\n",
}

#: In 2001.
LONG_AGO = 1_000_000_000


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    for name, content in MAIL.items():
        path = tmp_path / "mail" / name
        for folder in (path.parent, path.parent.parent / "new"):
            folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))  # what the server takes for the delivery of mail without a date
    return tmp_path / "mail"


def opened(mail: Path) -> Any:  # noqa: ANN401
    return server_at(f"sim:{mail}").session(private_slot()).open("anna")


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, ["<2@x>", "<1@x>", ""]),
        ({"subject": "lunch"}, ["<1@x>", ""]),
        ({"subject": "^lunch.$", "regex": True}, ["<1@x>"]),
        ({"subject": "RÉSUMÉ"}, ["<2@x>"]),
        ({"subject": "Lunch?"}, ["<1@x>"]),
        ({"sender": "carla@"}, ["<2@x>"]),
        ({"body": "grüße aus köln"}, ["<2@x>"]),
        ({"body": "second part"}, ["<2@x>"]),
        ({"body": "attached words"}, []),
        ({"since": date(2026, 1, 3)}, ["<2@x>"]),
        ({"before": date(2026, 1, 5), "since": date(2026, 1, 2)}, ["<1@x>"]),
        ({"limit": 1}, ["<2@x>"]),
    ],
)
def test_what_a_search_finds(mail: Path, options: dict[str, Any], ids: list[str]) -> None:
    with opened(mail) as mailbox:
        rows = list(search(mailbox, **options))

    assert sorted(row["message_id"] for row in rows) == sorted(ids)


def test_a_row_says_where_the_message_is(mail: Path) -> None:
    with opened(mail) as mailbox:
        [row] = search(mailbox, subject="old")

    assert (row["folder"], row["sender"], row["size"]) == (
        "Old/2025",
        "<bert@x.example>",
        len(MAIL["anna/.Old.2025/cur/3"]),
    )


def test_the_text_of_a_message_in_any_charset() -> None:
    assert text_of(MAIL["anna/cur/2"]).split("\n") == ["Grüße aus Köln", "second part é"]
    assert text_of(b"") == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["search", "-a", "since=yesterday"], "since=yesterday: 'yesterday' is not a date, as in 2026-01-31"),
        (["search", "-a", "subject=(", "-a", "regex=yes"], "subject=(: no regular expression"),
        (["search", "-a", "limit=0"], "limit=0: it is at least 1"),
        (["search", "-a", "limit=many"], "-a limit=many"),
        (["save"], "-a directory=...: save can't do without it: a path"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_starts(words: list[str], why: str) -> None:
    done = CliRunner().invoke(cli, ["run", *words, "--server", "sim:3"], standalone_mode=False)

    assert isinstance(done.exception, UsageError)
    assert why in str(done.exception)


def test_every_message_is_saved_as_it_is_once(mail: Path, tmp_path: Path) -> None:
    target = tmp_path / "saved"
    with opened(mail) as mailbox:
        first = save(mailbox, directory=target)
    files = {path: path.read_bytes() for path in target.rglob("*.eml")}
    next(iter(files)).unlink()
    with opened(mail) as mailbox:
        second = save(mailbox, directory=target)

    total = sum(map(len, MAIL.values()))
    assert first == {"messages": 3, "new": 3, "bytes": total}
    assert sorted(files.values()) == sorted(MAIL.values())
    assert (second["messages"], second["new"]) == (3, 1)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == files
    assert {path.parent.relative_to(target).as_posix() for path in files} == {"anna/Inbox", "anna/Old/2025"}


def test_messages_that_are_alike_each_have_a_file(tmp_path: Path) -> None:
    for name in "ab":
        path = tmp_path / "mail" / "anna" / "Inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MAIL["anna/cur/1"])
    with opened(tmp_path / "mail") as mailbox:
        assert save(mailbox, directory=tmp_path / "saved")["new"] == 2

    assert len(list((tmp_path / "saved").rglob("*.eml"))) == 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("anna@x.example", "anna@x.example"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("..", "%2E."),
        ("a/b\\c:d", "a%2Fb%5Cc%3Ad"),
        ("Grüße", "Gr%C3%BC%C3%9Fe"),
        ("", "%2E"),
        ("CON\0", "CON%00"),
        ("Inbox.mbox", "Inbox%2Embox"),
    ],
)
def test_a_name_can_be_a_files_name_anywhere(text: str, name: str) -> None:
    assert file_name(text) == name


def test_long_names_stay_different() -> None:
    names = {file_name("a" * 300 + str(number)) for number in range(10)}

    assert len(names) == 10
    assert max(map(len, names)) <= 100
