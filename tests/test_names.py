"""Lists of mailboxes, as people and other programs write them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from fanout.errors import UsageError
from fanout.names import read_names


def read(tmp_path: Path, data: bytes) -> list[str]:
    path = tmp_path / "names.txt"
    path.write_bytes(data)
    return list(read_names(str(path), "sim:1"))


def test_names_are_read_one_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, "anna\nzoë@example.org\n二\n".encode()) == ["anna", "zoë@example.org", "二"]


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    assert read(tmp_path, b"anna\nberta") == ["anna", "berta"]


def test_a_device_that_is_no_list_is_refused_before_it_has_filled_the_memory() -> None:
    with pytest.raises(UsageError, match="/dev/zero, line 1: longer than 1,048,576 letters"):
        list(read_names("/dev/zero", "sim:1"))


def test_what_windows_adds_is_taken_away(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfanna\r\nberta\r\n") == ["anna", "berta"]


def test_blank_lines_and_comments_are_passed_over_and_blanks_around_a_name_cut(tmp_path: Path) -> None:
    assert read(tmp_path, b"# who\n\n  anna \t\n   \n  # and\nberta#2\n") == ["anna", "berta#2"]


def test_a_name_that_stands_there_twice_is_taken_where_it_stands_first(tmp_path: Path) -> None:
    assert read(tmp_path, b"clara\nanna\nclara\nberta\nanna\n") == ["clara", "anna", "berta"]


def test_an_empty_list_names_nobody(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == []


@pytest.mark.parametrize("number", [1, 3])
def test_a_line_that_is_no_utf_8_is_named(tmp_path: Path, number: int) -> None:
    with pytest.raises(UsageError, match=rf"names.txt, line {number}: not UTF-8 text; save the list as UTF-8"):
        read(tmp_path, b"anna\n" * (number - 1) + "zoë".encode("latin-1"))


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the list of mailboxes can't be read: .*nobody\.txt: No such file"):
        list(read_names(str(tmp_path / "nobody.txt"), "sim:1"))


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        list(read_names(str(tmp_path), "sim:1"))


def test_a_minus_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"anna\nanna\nberta\n")))

    assert list(read_names("-", "sim:1")) == ["anna", "berta"]


def test_names_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(b"anna\nberta\n\xff\n")

    names = read_names(str(path), "sim:1")

    assert [next(names), next(names)] == ["anna", "berta"]
    names.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_known_by_its_mark(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""

    assert read(tmp_path, f"{mark}# wer\r\nzo\u00eb\r\n\u010a\u0a0a\r\nberta".encode(encoding)) == [
        "zo\u00eb",
        "\u010a\u0a0a",
        "berta",
    ]


def test_utf_16_that_breaks_off_or_has_no_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"names.txt, line 2: not UTF-16 text; save the list as UTF-8"):
        read(tmp_path, "anna\nberta".encode("utf-16")[:-1])
    with pytest.raises(UsageError, match=r"names.txt, line 1: not UTF-8 text; save the list as UTF-8"):
        read(tmp_path, "anna\n".encode("utf-16-le"))


@pytest.mark.parametrize(
    "table",
    [
        "DisplayName,PrimarySmtpAddress\nAnna,anna@x\nBerta,berta@x\n",
        '#TYPE Selected.Mailbox\r\n"DisplayName","PrimarySmtpAddress"\r\n"B, Anna","anna@x"\r\n"C","berta@x"\r\n',
        '"PrimarySmtpAddress"\n"anna@x"\n"berta@x"\n',
        "PrimarySmtpAddress\nanna@x\n\n# gone: clara@x\nberta@x\n",
        "LegacyExchangeDN;emailaddress\n/o=x/cn=anna;anna@x\n/o=x/cn=clara;\n;berta@x\n",
        "Mail\tName\nanna@x\tAnna\nberta@x\tBerta\n",
        "mailbox,messages\nanna@x,7\nberta@x,8\n",
        '"mail"\nanna@x\nberta@x\n',
    ],
)
def test_a_table_is_read_by_its_header(tmp_path: Path, table: str) -> None:
    assert read(tmp_path, table.encode()) == ["anna@x", "berta@x"]


def test_a_table_of_dns_is_one_of_mailboxes(tmp_path: Path) -> None:
    assert read(tmp_path, b"Name,LegacyExchangeDN\nAnna,/o=x/cn=anna\n") == ["/o=x/cn=anna"]


def test_a_table_that_names_no_column_of_mailboxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"names.txt: a table whose first line, 'anna@x,Anna', names no column"):
        read(tmp_path, b"anna@x,Anna\n")


def test_users_who_are_called_like_a_column_are_users(tmp_path: Path) -> None:
    assert read(tmp_path, b"mail\nuser\n") == ["mail", "user"]


def test_a_dn_may_have_commas(tmp_path: Path) -> None:
    assert read(tmp_path, b"/o=x/cn=B, Anna\n/o=x/cn=berta\n") == ["/o=x/cn=B, Anna", "/o=x/cn=berta"]
