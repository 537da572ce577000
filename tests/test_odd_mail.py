"""Every job on mail as it is: MIME, charsets of all kinds, broken ones, headers that are missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from email.message import EmailMessage
from email.mime.text import MIMEText
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from workers.causes import Cause, MailboxError
from workers.jobs import BUILT_IN, load
from workers.jobs.duplicates import conclude, merge
from workers.jobs.search import check, text_of
from workers.jobs.senders import NOBODY
from workers.servers import server_at
from workers.slots import private_slot
from workers.totals import Split

DATE = b"Date: Fri, 02 Jan 2026 10:00:00 +0000\n"


def in_charset(charset: str, text: str) -> bytes:
    """A message whose text is in this charset, as 8 bits."""
    head = f"From: <{charset}@x>\nMessage-ID: <{charset}@x>\nSubject: in {charset}\nContent-Type: text/plain; charset={charset}\n"
    return head.encode() + DATE + b"\n" + text.encode(charset) + b"\n"


def mixed() -> bytes:
    """HTML beside text, an attachment, and a message within."""
    inner = EmailMessage()
    inner["Subject"] = "within"
    inner.set_content("inner words")
    message = EmailMessage()
    message["From"] = "Zoë <zoe@x>"
    message["Subject"] = "Grüße"
    message["Message-ID"] = "<mixed@x>"
    message["Date"] = "Mon, 05 Jan 2026 10:00:00 +0000"
    message.set_content("outer words")
    message.add_alternative("<p>marked <b>words</b></p>", subtype="html")
    message.add_attachment("attached words", filename="a.txt")
    message.add_attachment(inner)
    return bytes(message)


ODD = {
    "koi8": in_charset("koi8-r", "Привет, мир"),
    "gb": in_charset("gb18030", "你好 世界"),
    "utf7": in_charset("utf-7", "Grüße"),
    "utf16": b"Subject: utf-16\nMessage-ID: <16@x>\n"
    + DATE
    + MIMEText("Grüße 16", "plain", "utf-16").as_bytes().replace(b"Subject: \n", b""),
    "encoded": b"From: =?koi8-r?Q?=F0=D2=C9?= <enc@x>\nSubject: =?gb18030?B?xOO6ww==?= =?utf-8?q?caf=C3=A9?=\nMessage-ID: <enc@x>\n"
    + DATE
    + b"\n\n",
    "broken words": b"From: =?x-none?Q?=FF?= <bw@x>\nSubject: =?utf-8?B?!!!?= =?utf-8?q?=FF=FE?=\nMessage-ID: <bw@x>\n"
    + DATE
    + b"\nodd\n",
    "no charset": b"Content-Type: text/plain; charset=x-martian\nMessage-ID: <nc@x>\n" + DATE + b"\nmartian \xe9\n",
    "no text codec": b"Content-Type: text/plain; charset=rot13\nMessage-ID: <rot@x>\n" + DATE + b"\nrotten\n",
    "undefined": b"Content-Type: text/plain; charset=undefined\nMessage-ID: <und@x>\n" + DATE + b"\nundefined words\n",
    "idna": b"Content-Type: text/plain; charset=idna\nMessage-ID: <idna@x>\n" + DATE + b"\nidna words \xff\n",
    "zero": b'Content-Type: text/plain; charset="a\0b"\nMessage-ID: <zero@x>\n' + DATE + b"\nzero words\n",
    "base64": b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\nMessage-ID: <b64@x>\n"
    + DATE
    + b"\nnot=base64?!\n",
    "no boundary": b"Content-Type: multipart/mixed\nMessage-ID: <mp@x>\n" + DATE + b"\n--x\n\nparts?\n",
    "no headers": b"\nnothing but text\n",
    "no end": b"Subject: no end of headers",
    "empty": b"",
    "slow": b"Message-ID: <slow@x>\n" + DATE + b"\n" + b"a" * 60 + b"!\n",
    "mixed": mixed(),
    "copy": mixed(),
}


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("odd")
    for name, content in ODD.items():
        path = place / ("bert" if name == "copy" else "anna") / "Inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return place


def result(mail: Path, job: str, address: str = "anna", **options: Any) -> Any:  # noqa: ANN401
    function: Callable[..., Any] = load(job)
    with server_at(f"sim:{mail}").session(private_slot()).open(address) as mailbox:
        found = function(mailbox, **options)
        return found if isinstance(found, dict | Split) else list(found)


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("ПРИВЕТ", ["<koi8-r@x>"]),
        ("世界", ["<gb18030@x>"]),
        ("grüße", ["<16@x>", "<utf-7@x>"]),
        ("martian é", ["<nc@x>"]),
        ("rotten", ["<rot@x>"]),
        ("undefined words", ["<und@x>"]),
        ("idna words", ["<idna@x>"]),
        ("zero words", ["<zero@x>"]),
        ("nothing but text", [""]),
        ("parts?", ["<mp@x>"]),
        ("outer words", ["<mixed@x>"]),
        ("marked", ["<mixed@x>"]),
        ("inner words", ["<mixed@x>"]),
        ("attached words", []),
    ],
)
def test_a_text_is_found_whatever_its_charset(mail: Path, words: str, ids: list[str]) -> None:
    assert sorted(row["message_id"] for row in result(mail, "search", body=words)) == ids


@pytest.mark.parametrize("name", ODD)
def test_the_text_of_no_message_raises(name: str) -> None:
    assert isinstance(text_of(ODD[name]), str)


def test_a_subject_in_encoded_words_is_found_as_people_read_it(mail: Path) -> None:
    [row] = result(mail, "search", subject="你好café")

    assert (row["message_id"], row["subject"]) == ("<enc@x>", "你好café")


def test_a_message_without_a_date_is_in_no_time_but_that_of_its_delivery(mail: Path) -> None:
    dated = result(mail, "search", since=date(2026, 1, 1))

    assert {row["message_id"] for row in dated} >= {"<mixed@x>", "<koi8-r@x>"}
    assert "" not in {row["message_id"] for row in dated}


@pytest.mark.parametrize("job", sorted(set(BUILT_IN) - {"save"}))
def test_every_job_comes_to_its_end(mail: Path, job: str) -> None:
    assert result(mail, job)


def test_messages_without_a_sender_are_counted(mail: Path) -> None:
    counted = result(mail, "senders")

    assert sum(counted.values()) == len(ODD) - 1
    assert counted[NOBODY] > 5
    assert counted["zoe@x"] == counted["koi8-r@x"] == 1


def test_messages_without_an_id_are_no_duplicates(mail: Path) -> None:
    total = conclude(reduce(merge, [result(mail, "duplicates", each).merged for each in ("anna", "bert")]))

    assert (total["messages"], total["without_id"], total["duplicates"]) == (len(ODD), 3, 1)
    assert [(row["message_id"], row["subject"], row["in"]) for row in total["top"]] == [
        ("<mixed@x>", "Grüße", ["anna", "bert"])
    ]


def test_every_message_is_saved_as_it_is(mail: Path, tmp_path: Path) -> None:
    told = result(mail, "save", directory=tmp_path)

    expected = [content for name, content in ODD.items() if name != "copy"]
    assert told == {"messages": len(expected), "new": len(expected), "bytes": sum(map(len, expected))}
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*.eml")) == sorted(expected)


def test_an_expression_that_takes_for_ever_fails_its_mailbox(mail: Path) -> None:
    with pytest.raises(
        MailboxError, match=r"the expression takes more than 0\.001 s at a text of .* characters"
    ) as raised:
        result(mail, "search", body=r"^(a|a|aa)+$", regex=True, patience=0.001)

    assert raised.value.cause is Cause.JOB


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 0.0}, "patience=0.0: seconds, more than none"),
        ({"body": "(", "regex": True}, "body=(: no regular"),
    ],
)
def test_what_can_not_be_looked_for_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its words are what is asserted
        check(**options)

    assert words in str(raised.value)
