"""What every test is watched for, and what each kind of test may take."""

from __future__ import annotations

import faulthandler
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.processes import below
from workers.mapi import subsystem

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that all tests of a kind may take together, on one core: what is left of CI's 15 minutes on 2 cores is for the
#: kinds to come. A budget that is passed is said at the end, it fails nothing: machines differ.
BUDGETS = {"pure": 240, "spawns": 240, "long": 3600}

#: Seconds after which one of the long tests, which take minutes, is said to hang; pyproject.toml says so for the others.
LONGEST = 1800

_taken: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def a_long_test_may_be_long(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("long"):
        faulthandler.dump_traceback_later(LONGEST, exit=True)


@pytest.fixture(autouse=True)
def process_without_mapi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a process does in which nobody has called MAPIInitialize."""
    monkeypatch.setattr(subsystem, "_SUBSYSTEM", subsystem.Subsystem())


@pytest.fixture(autouse=True)
def no_process_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("spawns") is None:
        yield
        return
    before = below()
    yield
    left = [process for process in below() if process not in before]
    assert not left, f"left behind: {left}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    kind = next((kind for kind in ("long", "spawns") if kind in report.keywords), "pure")
    _taken[kind] += report.duration  # type: ignore[assignment]  # a counter counts seconds as well


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind, seconds in sorted(_taken.items()):
        verdict = "" if seconds <= BUDGETS[kind] else ": PASSED, make them quicker or fewer"
        terminalreporter.write_line(f"{kind} tests took {seconds:.0f} s of their budget of {BUDGETS[kind]} s{verdict}")
