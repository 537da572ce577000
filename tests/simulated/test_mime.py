from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.simulated.mime import NO_HEADER, HeaderFields, body_text, end_of_header, header_fields, header_text


def fields(text: str, encoding: str = "utf-8") -> HeaderFields:
    return header_fields(text.encode(encoding))


def test_a_header_tells_what_a_row_shows() -> None:
    header = fields(
        "Received: from somewhere\n"
        "Message-ID: <1@x.example>\n"
        "Date: Thu, 6 Dec 2001 21:33:36 -0800 (PST)\n"
        'From: "Doe, Jane" <jane@x.example>\n'
        "Subject: Tag #39474\n"
        "\n"
        "Subject: not this one\n"
    )

    assert header == HeaderFields(
        "Tag #39474",
        "Doe, Jane",
        "jane@x.example",
        int(datetime(2001, 12, 7, 5, 33, 36, tzinfo=UTC).timestamp()),
        "<1@x.example>",
    )


def test_what_is_not_there_is_none_and_what_is_empty_is_empty() -> None:
    assert header_fields(b"") == header_fields(b"\r\nSubject: body") == NO_HEADER
    assert fields("Subject:\nFrom: \n\n").subject == ""
    assert fields("Subject:\nFrom: \n\n").sender_address is None


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        ("Subject: one\n two\n\tthree", "one two three"),
        ("SUBJECT  : x\r\n y", "x y"),
        ("Subject: first\nSubject: second", "first"),
        ("Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?= & =?iso-8859-1?b?TWHf?=", "Größe & Maß"),
        ("Subject: =?no-such-charset?q?a=E9?=", "aé"),
        ("Subject: =?utf-8?b?broken", "=?utf-8?b?broken"),
        ("Subject: =?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("Subject: =?utf-8?q?=FF=FE?=", "ÿþ"),
        ("Subject: a\0b", "ab"),
    ],
)
def test_a_subject_is_read_whatever_was_done_to_it(field: str, subject: str) -> None:
    assert fields(f"{field}\n\n").subject == subject


def test_raw_eight_bit_text_is_read_as_utf_8_or_else_as_what_windows_wrote() -> None:
    assert fields("Subject: Größe\n\n").subject == "Größe"
    assert fields("Subject: Größe\n\n", "cp1252").subject == "Größe"


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("a@x.example", None, "a@x.example"),
        ("<a@x.example>", None, "a@x.example"),
        ("=?utf-8?q?M=C3=BCller=2C_A=2E?= <a@x.example>", "Müller, A.", "a@x.example"),
        ("undisclosed", None, "undisclosed"),
    ],
)
def test_a_sender_is_a_name_and_an_address_as_far_as_they_are_there(
    sender: str, name: str | None, address: str | None
) -> None:
    header = fields(f"From: {sender}\n\n")

    assert (header.sender_name, header.sender_address) == (name, address)


@pytest.mark.parametrize(
    "date", ["yesterday", "", "Thu, 99 Foo 2001", "1 Jan 2001 25:61:00", "Mon, 1 Jan 99999 00:00 +0000"]
)
def test_a_date_that_is_none_is_none(date: str) -> None:
    assert fields(f"Date: {date}\n\n").date is None


def test_a_date_without_a_zone_is_in_utc() -> None:
    assert fields("Date: 1 Jan 1970 00:00:10 -0000\n\n").date == 10
    assert fields("Date: 1 Jan 1970 00:00:10\n\n").date == 10


@pytest.mark.parametrize("content", [b"A: 1\r\n\r\nbody", b"A: 1\n\nbody", b"A: 1\n\r\nbody", b"\nbody"])
def test_the_body_begins_behind_the_empty_line(content: bytes) -> None:
    assert content[end_of_header(content) :] == b"body"
    assert header_text(content) + "body" == content.decode()


def test_the_body_is_the_first_plain_text() -> None:
    content = (
        b"Content-Type: multipart/alternative; boundary=b\n\n"
        b"--b\nContent-Type: text/html\n\n<p>no</p>\n"
        b"--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=F6=DFe\n"
        b"--b--\n"
    )

    assert body_text(content) == "Größe"
    assert body_text(b"Content-Type: text/html\n\n<p>") == ""
    assert body_text(b"Content-Type: text/plain; charset=no-such\n\nGr\xf6\xdfe") == "Größe"


def test_what_is_nested_beyond_reason_is_left_as_it_stands() -> None:
    parts = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000))
    comments = b"From: " + b"(" * 3000

    assert body_text(parts).startswith("--b0")
    assert header_fields(comments).sender_address == comments.removeprefix(b"From: ").decode()


@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"Subject: ", b"From: ", b"Date: ", b"Content-Type: ", b"Content-Transfer-Encoding: ", b""]
            ),
            st.one_of(st.binary(max_size=30), st.text('=?&<>(),@;:"\\ \taB0-+[]', max_size=30).map(str.encode)),
        )
    )
)
@example([(b"Content-Type: ", b"text/plain; charset*=x''%")])
@example([(b"From: ", b"<@@[>(")])
def test_nothing_that_people_sent_raises(lines: list[tuple[bytes, bytes]]) -> None:
    content = b"\n".join(name + value for name, value in lines) + b"\n\nbody"
    texts = [*header_fields(content)[:3], header_text(content), body_text(content)]

    assert not any("\0" in text for text in texts if text)
