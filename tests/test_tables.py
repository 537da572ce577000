from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fanout.errors import UsageError
from fanout.outcomes import Outcome
from fanout.tables import ROWS, WRITERS, write_csv
from workers.causes import Cause
from workers.messages import Error

OUTCOMES = [
    Outcome("a@x", ok=True, result={"messages": 3, "newest": {"at": "2026-01-01"}, "names": ["x", "y"]}, seconds=0.5),
    Outcome("b@x", ok=False, error=Error("MailboxError", 'not "yours", sorry', Cause.DENIED, "0x80070005"), attempts=2),
    Outcome("c@x", ok=True, result={"messages": 4, "more": 1.5}, seconds=0.25),
]


def given(outcomes: list[Outcome]) -> Callable[[], Iterator[Outcome]]:
    return lambda: iter(outcomes)


def read(path: Path) -> list[dict[str, Any]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_field_of_a_result_is_a_column_of_the_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "out.csv", given(OUTCOMES))
    first, second, third = read(tmp_path / "out.csv")

    assert (first["result.messages"], first["result.newest.at"], first["result.names"]) == (
        "3",
        "2026-01-01",
        '["x","y"]',
    )
    assert (second["ok"], second["error.message"], second["error.cause"]) == ("False", 'not "yours", sorry', "denied")
    assert (third["result.messages"], third["result.names"], third["result.more"]) == ("4", "", "1.5")


def test_a_result_that_is_no_object_has_one_column(tmp_path: Path) -> None:
    write_csv(tmp_path / "out.csv", given([Outcome("a@x", ok=True, result=7)]))

    assert [row["result"] for row in read(tmp_path / "out.csv")] == ["7"]


def test_results_that_are_objects_and_others_that_are_none_keep_their_columns(tmp_path: Path) -> None:
    mixed = [Outcome("a@x", ok=True, result=7), OUTCOMES[1], Outcome("c@x", ok=True, result={"n": 1})]
    write_csv(tmp_path / "out.csv", given(mixed))

    assert [(row["result"], row["result.n"]) for row in read(tmp_path / "out.csv")] == [("7", ""), ("", ""), ("", "1")]


def test_where_all_failed_there_is_no_column_of_results(tmp_path: Path) -> None:
    write_csv(tmp_path / "out.csv", given([OUTCOMES[1]]))

    assert "result" not in read(tmp_path / "out.csv")[0]


def test_nested_results_are_nested_columns_of_the_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    many = [*OUTCOMES, *(Outcome(f"{number}@y", ok=True, result={"late": number}) for number in range(ROWS))]
    WRITERS[".parquet"](tmp_path / "out.parquet", given(many))
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()

    assert len(rows) == len(many)
    assert rows[0]["result"] == {
        "messages": 3, "newest": {"at": "2026-01-01"}, "names": ["x", "y"], "more": None, "late": None
    }  # fmt: skip
    assert rows[1]["error"]["cause"] == "denied"
    assert rows[-1]["result"]["late"] == ROWS - 1


def test_results_that_no_column_holds_together_are_refused_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    mixed = [Outcome("a@x", ok=True, result={"n": 1}), Outcome("b@x", ok=True, result={"n": {"deep": "x"}})]

    with pytest.raises(UsageError, match="CSV and JSONL hold any"):
        WRITERS[".parquet"](tmp_path / "out.parquet", given(mixed))
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_can_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't be written: .*out\.csv: No such file or directory"):
        write_csv(tmp_path / "no-folder" / "out.csv", given(OUTCOMES))
