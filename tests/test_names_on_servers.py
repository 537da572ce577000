"""Tables with a column `server`: each mailbox is looked for where it is, and no password goes anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fanout.cli import cli
from fanout.errors import FanoutError, UsageError
from fanout.names import Shares, read_names

#: Rows that are wrong, below a header and one that is right: what is said of the file and the line, for one server and several.
WRONG = [
    (",imaps://a", "line 3: the row names no mailbox; give one, or take the row away"),
    (" , imaps://a,", "line 3: the row names no mailbox; give one, or take the row away"),
    ("berta,", "line 3: the column server is empty, so nobody knows where berta is: "),
    ("berta", "line 3: the column server is empty, so nobody knows where berta is: "),
    ("berta,imaps://elsewhere", "line 3: berta is on 'imaps://elsewhere', which no --server names; named are "),
    (
        "\n# gone\n\nberta,imaps://elsewhere",
        "line 6: berta is on 'imaps://elsewhere', which no --server names; named are ",
    ),
    ('"berta,imaps://a\nclara,imaps://a', "line 3: the row that begins here can't be read, a quote may be open: "),
    ('"berta,imaps://a\n"clara",imaps://a', "line 3: the row that begins here can't be read, a quote may be open: "),
    (f'"berta,imaps://a\n{"x" * 2**17}', "line 3: the row that begins here can't be read, a quote may be open: "),
]


def table(tmp_path: Path, rows: str) -> str:
    path = tmp_path / "names.csv"
    path.write_text(f"mailbox,server\nanna,imaps://a\n{rows}\n")
    return str(path)


@pytest.mark.parametrize(("rows", "said"), WRONG)
def test_a_row_of_a_table_for_several_servers_that_is_wrong_is_named_by_its_line(
    tmp_path: Path, rows: str, said: str
) -> None:
    """Or the account's password would go to whatever server somebody wrote into a file."""
    path = table(tmp_path, rows)

    with pytest.raises(UsageError) as raised:
        Shares(path, ("imaps://a", "imaps://b"))

    assert str(raised.value).startswith(f"{path}, {said}")


@pytest.mark.parametrize(("rows", "said"), WRONG)
def test_so_is_one_of_a_table_for_one_server(tmp_path: Path, rows: str, said: str) -> None:
    path = table(tmp_path, rows)

    with pytest.raises(UsageError) as raised:
        list(read_names(path, "imaps://a"))

    assert str(raised.value).startswith(f"{path}, {said}")


def test_a_table_all_of_whose_rows_name_the_one_server_is_taken(tmp_path: Path) -> None:
    path = table(tmp_path, "berta, imaps://a \n,\nanna,imaps://a")

    assert list(read_names(path, "imaps://a")) == ["anna", "berta"]


def test_a_mailbox_of_another_server_is_not_looked_for_on_the_one_that_is_given(tmp_path: Path) -> None:
    path = table(tmp_path, "")

    with pytest.raises(
        UsageError, match="line 2: anna is on 'imaps://a', which no --server names; named are imaps://b"
    ):
        list(read_names(path, "imaps://b"))


def test_a_cell_may_have_several_lines_and_the_rows_after_it_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text('name,mailbox,server\n"Anna\nA.",anna,a\n"Berta\nB.",berta,b\n"Clara",clara,c\n')

    with pytest.raises(UsageError, match="line 6: clara is on 'c', which no --server names; named are a, b"):
        Shares(str(path), ("a", "b"))


def test_a_table_without_a_column_server_may_have_rows_without_a_mailbox(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("name,mailbox\nAnna,anna\nRoom 5,\nBerta\nClara,clara\n")

    assert list(read_names(str(path), "imaps://a")) == ["anna", "clara"]


def test_a_list_for_several_servers_is_taken_apart_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("server;mailbox\nb;clara\na;anna\nb;Berta\n;\nb;CLARA\na;clara\n")

    shares = Shares(str(path), ("a", "b", "c"))

    assert [list(shares.of(server)) for server in "abc"] == [["anna", "clara"], ["clara", "Berta"], []]


@pytest.mark.spawns
def test_a_run_over_one_server_does_not_begin_with_a_list_of_another_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = table(tmp_path, "")

    done = CliRunner().invoke(cli, ["run", "logon", "--server", "sim:5", "-w", "1", "-q", "--mailboxes-from", path])

    assert isinstance(done.exception, FanoutError)
    assert (done.exception.exit_code, [each.name for each in tmp_path.iterdir()]) == (2, ["names.csv"])
    assert "line 2: anna is on 'imaps://a', which no --server names; named are sim:5" in done.stderr
