"""The benchmark of peers, in its short form: every row comes to its end, and with the right results. No time is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers.contest import cells, short_cells
from benchmarks.peers.trials import Row, ideal
from benchmarks.peers.work import SLEEPS

ROOT = Path(__file__).parent.parent

#: Two that need no other package; of the pools one, for each costs seconds where it waits for ever.
HERE = ["fanout", "multiprocessing.Pool", "concurrent.futures"]

TITLES = ["a)", "a+)", "b)", "c)", "d)", "e)", "f)", "g)"]


@pytest.mark.spawns
def test_the_short_form_ends_with_every_row_and_with_the_right_results(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    only = [word for name in HERE for word in ("--only", name)]
    command = [sys.executable, "-m", "benchmarks.peers", "--short", *only, "--json", str(file)]

    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert_tables(printed)
    findings = json.loads(file.read_text())["findings"]
    ours = {cell: finding["fanout"][0]["trouble"] for cell, finding in findings.items()}
    assert ours == dict.fromkeys([cell.name for cell in short_cells("abcdefg")], "")
    sums = [findings[row.value] for row in (Row.NOOPS, Row.TOLD, Row.FIELDS, Row.LARGE)]
    assert {each["notes"]["right"] for row in sums for found in row.values() for each in found} == {True}
    notes = findings["f"]["fanout"][0]["notes"]
    assert (notes["delivered"], notes["named"]) == (5999, True)


def assert_tables(printed: str) -> None:
    """Every row has a table, and in it a line for every contender."""
    parts = printed.split("**")[1:]
    titles, tables = parts[::2], parts[1::2]
    assert [title.split()[0] for title in titles] == TITLES
    for title, table in zip(titles, tables, strict=True):
        floor = [] if title.startswith("g)") else ["limit"]
        assert [line.split(" | ")[0].strip("| ") for line in table.strip().splitlines()[2:]] == floor + HERE


def test_the_short_form_has_every_row_once() -> None:
    assert [cell.row for cell in short_cells("abcdefg")] == list(Row)
    assert {cell.row for cell in cells("abcdefg")} == set(Row)


def test_the_ideal_gives_each_sleep_to_whoever_is_free_first() -> None:
    assert ideal(2, 2) == max(SLEEPS[:2])
    assert ideal(3, 2) == max(min(SLEEPS[:2]) + SLEEPS[2], max(SLEEPS[:2]))
    assert ideal(2000, 1) == pytest.approx(sum(SLEEPS))
