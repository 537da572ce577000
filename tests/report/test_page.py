"""The page of runs of every kind: what it says, that it can be parsed, and that nothing from outside gets through."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fanout.errors import UsageError
from fanout.report.contents import contents_of
from fanout.report.page import render
from fanout.runfile import RunFile
from tests.report.runs import (
    DENIED,
    KINDS,
    Made,
    census,
    finished,
    gone_on_with,
    hostile,
    names,
    never_begun,
    troubled,
)
from workers.causes import Cause
from workers.jobs import BUILT_IN
from workers.messages import Error, FileJob

#: Elements that have no end.
VOID = {"meta", "link", "br", "wbr", "rect", "line", "path"}


class Parsed(HTMLParser):
    """A page taken apart. An element that is not closed by its own end, or a word that is no element of ours, is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self.open and self.open[-1] != "style" else ""


def page_of(path: Path) -> str:
    with RunFile.open(path) as file:
        return "".join(render(contents_of(file)))


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", Parsed(page).text)


# --- runs of every kind ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", KINDS)
def test_the_page_of_any_run_is_whole_and_asks_for_nothing_from_anywhere(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    page = page_of(make(tmp_path / "run.fanout"))
    parsed = Parsed(page)

    assert parsed.links in (["data:,"], ["data:,", "#failures"])
    assert "://" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert not parsed.elements & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert "default-src 'none'" in page
    assert len(page) < 150_000


def test_a_run_that_ended_well_says_so_with_its_key_figures(tmp_path: Path) -> None:
    text = text_of(page_of(finished(tmp_path / "run.fanout")))

    assert "census null:60 25 November 2026, 14:00 UTC Finished, every mailbox done 60 done, 0 failed, of 60" in text
    assert "done 60 100 % failed 0 0 % retried 0 rate 6 a second median 10 ms a mailbox 95 % within 500 ms" in text
    assert "time 10 s workers 2" in text
    assert "400 folders, 1,234 messages, 5 MiB, 7 unread in all" in text
    assert "Failures" not in text


def test_what_failed_stands_there_by_cause_with_the_command_that_visits_it_again(tmp_path: Path) -> None:
    path = troubled(tmp_path / "run.fanout")
    text = text_of(page_of(path))

    assert "Stopped early: interrupted by SIGINT 50 done, 4 failed, of 60" in text
    assert f"To go on with it: fanout resume {path}" in text
    assert f"denied · 2 mailboxes fanout resume {path} --only-failed=denied" in text
    assert "MapiError: OpenMsgStore: MAPI_E_NO_ACCESS (0x80070005)" in text
    assert "Traceback of 1 mailbox: KeyError: 'Inbox'" in text
    assert f"fanout show {path} --failed" in text
    assert "Attempts that failed, and were followed by another cause attempts crash 1" in text
    assert "IMAPITable /a/audit.py:9 in count 1 7" in text
    assert "ended by SIGSEGV" in text
    assert "Mailboxes by rooms" in text
    assert "/a/audit.py:audit -a newest=True" in text


def test_a_run_that_was_gone_on_with_has_no_gap_and_both_sittings(tmp_path: Path) -> None:
    text = text_of(page_of(gone_on_with(tmp_path / "run.fanout")))

    assert "25 November 2026, 14:00 to 26 November 2026, 00:00 UTC" in text
    assert "resumed 26 Nov 00:00" in text
    assert "time 19 s in 2 sittings" in text
    assert "Sitting 2 of 2 by somebody else on" in text


def test_a_run_in_which_nobody_worked_has_a_page_without_a_course(tmp_path: Path) -> None:
    text = text_of(page_of(never_begun(tmp_path / "run.fanout")))

    assert "Stopped early: the mailboxes can't be listed 0 done, 0 failed, of 4" in text
    assert "The course of the run" not in text


def test_a_run_at_work_is_reported_as_it_stands_and_offers_no_command_that_would_be_refused(tmp_path: Path) -> None:
    made = Made(tmp_path / "run.fanout", names(40))
    made.life(0, 0, None)
    made.done(0, census(20), at=9)
    made.failed(20, DENIED, at=9)
    made.file.commit()
    text = text_of(page_of(tmp_path / "run.fanout"))
    made.close()

    assert "At work 20 done, 1 failed, of 40" in text
    assert "fanout resume" not in text


def test_a_run_file_that_holds_no_run_yet_is_refused(tmp_path: Path) -> None:
    RunFile.create(tmp_path / "run.fanout").close()
    with RunFile.open(tmp_path / "run.fanout") as file, pytest.raises(UsageError, match="nothing to report"):
        contents_of(file)


# --- what comes from outside -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", [*BUILT_IN, "own"])
def test_nothing_from_outside_becomes_part_of_the_page(tmp_path: Path, job: str) -> None:
    page = page_of(hostile(tmp_path / "run.fanout", job))
    parsed = Parsed(page)
    harmless = Parsed(page_of(troubled(tmp_path / "harmless.fanout")))

    assert parsed.elements <= harmless.elements
    assert parsed.attributes <= harmless.attributes
    assert parsed.links == ["data:,", "#failures"]
    assert page.encode()
    assert not set(page) & set("\u202e\u2066\x00\x1b")
    assert "<script" not in page
    assert "⟨U+202E⟩" in page
    assert "5473300000" not in page


def test_what_fails_by_the_thousand_is_summed_up(tmp_path: Path) -> None:
    made = Made(tmp_path / "run.fanout", names(1000))
    made.life(0, 0, 10)
    for ordinal in range(1000):
        traceback = f"Traceback\n line {ordinal}\n" + "x" * 20_000
        made.failed(ordinal, Error("E", f"{ordinal}", Cause.JOB, traceback=traceback), at=ordinal / 100)
    page = page_of(made.close())

    assert "job · 1,000 mailboxes" in text_of(page)
    assert "The first 20 mailboxes" in page
    assert len(page) < 200_000


def test_a_job_of_ones_own_with_the_name_of_a_built_in_is_taken_for_what_it_returns(tmp_path: Path) -> None:
    made = Made(tmp_path / "run.fanout", names(3), FileJob("/a/mine.py", "senders"))
    made.life(0, 0, 10)
    made.done(0, [{"people": 3}, {"people": 4}, {"people": 5}], at=1)
    text = text_of(page_of(made.close({"people": 12})))

    assert "Mailboxes by people" in text
    assert "The most frequent senders" not in text
