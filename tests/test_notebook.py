"""In a notebook: a function of a cell, the table of what was found, an interrupt."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import fanout
from fanout import notebook
from fanout.events import Interrupted
from fanout.outcomes import Outcome
from workers.causes import Cause
from workers.messages import Error

ROOT = Path(__file__).parent.parent

GONE = Error("MailboxError", "no such <mailbox>", Cause.MISSING)


def cells(html: str) -> list[list[str]]:
    return [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]


def test_the_fields_of_results_are_columns_and_everything_is_escaped() -> None:
    outcomes = [
        Outcome("anna", ok=True, result={"messages": 1200, "newest": "<b>"}, seconds=0.5),
        Outcome("<script>", ok=False, error=GONE),
    ]

    html = notebook.of_outcomes("Found: 1 & more", outcomes, 2, ["totals <1>"])

    assert cells(html) == [
        ["mailbox", "messages", "newest", "seconds"],
        ["anna", "1,200", "&lt;b&gt;", "0.500"],
        ["&lt;script&gt;", "missing: no such &lt;mailbox&gt;", "", ""],
    ]
    assert html.startswith("<p>Found: 1 &amp; more</p><table>")
    assert html.endswith("<p>totals &lt;1&gt;</p>")


def test_a_table_is_bounded_in_every_direction() -> None:
    wide = {f"field{number}": "x" * 10_000 for number in range(100)}
    outcomes = (Outcome(f"user{number}", ok=True, result=wide) for number in range(1_000_000))

    html = notebook.of_outcomes("Found", outcomes, 1_000_000, [])

    assert len(cells(html)) == notebook.ROWS + 1
    assert len(cells(html)[0]) == notebook.COLUMNS + 2
    assert len(html) < 100_000
    assert "<p>and 999,980 more</p>" in html


@pytest.mark.parametrize("result", [3, None, "text", [1, 2], [{"a": 1}]], ids=repr)
def test_results_of_any_kind_are_shown(result: object) -> None:
    [_, row] = cells(notebook.of_outcomes("Found", [Outcome("anna", ok=True, result=result)], 1, []))

    assert len(row) == 3
    assert row[1]


def test_nothing_found_is_shown_as_well() -> None:
    assert cells(notebook.of_outcomes("Found", [], 0, [])) == [["mailbox", "result", "seconds"]]


def test_failures_are_told_by_cause() -> None:
    assert notebook.causes_in_words(Counter({Cause.BUSY: 1, Cause.MISSING: 1200})) == ["failed 1,200 missing, 1 busy"]
    assert notebook.causes_in_words(Counter()) == []


def test_a_fleet_shows_what_it_holds() -> None:
    html = notebook.of_holders("Fleet", [f"user{number}" for number in range(30)], {"user1": GONE})

    assert cells(html)[1:3] == [["user0", "open"], ["user1", "no such &lt;mailbox&gt;"]]
    assert len(cells(html)) == notebook.ROWS + 1
    assert html.endswith("<p>and 10 more</p><p>1 can&#x27;t be opened</p>")


@pytest.mark.spawns
def test_what_was_found_shows_itself() -> None:
    with fanout.run("census", server="sim:30?messages=5&missing=u00000003@sim.example", workers=2) as found:
        html = found._repr_html_()

    assert cells(html)[0] == ["mailbox", "folders", "messages", "bytes", "unread", "seconds"]
    assert cells(html)[4][:2][0] == "u00000003@sim.example"
    assert "<p>Found: 29 done, 1 failed, of 30</p>" in html
    assert "<p>failed 1 missing</p>" in html
    assert "<p>totals    " in html


@pytest.mark.spawns
def test_a_fleet_that_is_open_shows_itself() -> None:
    with fanout.open_all(server="sim:3") as fleet:
        assert len(cells(fleet._repr_html_())) == 4


def interrupting(mailbox: Any, parent: int) -> int:  # noqa: ANN401
    """A job that has somebody press Ctrl-C when it is at the fifth mailbox."""
    if mailbox.address == "null-00000005":
        os.kill(parent, signal.SIGINT)
    return 1


@pytest.mark.spawns
def test_an_interrupt_gives_what_is_there() -> None:
    options = {"parent": os.getpid()}

    with fanout.run(interrupting, server="null:500000", workers=1, chunk_size=1, options=options) as found:
        assert found.stopped_by == Interrupted(signal.SIGINT)
        assert 5 <= len(found.succeeded) < 500_000
        assert found.totals == len(found.succeeded)
        assert "<p>stopped early: interrupted by SIGINT</p>" in found._repr_html_()


#: What a kernel does: the cells are run in `__main__`, one after the other, and none of them is in a file.
KERNEL = """
import sys, types
main = types.ModuleType("__main__")
sys.modules["__main__"] = main
for cell in CELLS:
    exec(compile(cell, "<cell>", "exec"), main.__dict__)
"""

CELLS = [
    "import fanout\nfrom datetime import date\nWORD = 'u'\n",
    "def count(mailbox, *, since: date):\n    return mailbox.address.count(WORD) + since.year\n",
    "found = fanout.run(count, server='sim:4', workers=2, options={'since': date(2026, 1, 31)})\n",
    "print(found.totals, found._repr_html_().count('<tr>'))\n",
]


@pytest.mark.spawns
def test_a_function_of_a_cell_is_a_job(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"CELLS = {CELLS!r}\n{KERNEL}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == (f"{4 * 2027} 5\n", "")
