from __future__ import annotations

import re
from pathlib import Path

import pytest

from fanout import pictures
from fanout.bench import picture
from fanout.bench.settings import AUTO, Axes, Setting
from fanout.errors import StoppedError, UsageError
from tests.bench.samples import document, rounds

FOUND = document(Axes((25, AUTO), (2, 4)).settings(), rounds(*[(1.0, 2.0, 3.0, 4.0)] * 5))


def texts(path: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def test_a_drawing_says_in_text_what_was_measured_where(tmp_path: Path) -> None:
    picture.draw(FOUND, tmp_path / "bench.svg")

    found = texts(tmp_path / "bench.svg")
    for text in (
        "census of sim:100, 100 mailboxes",
        "started by fork, one at a time, shared connections",
        "seconds",
        "CPU seconds",
        "chunk size, mailboxes",
        "25",
        "auto",
        "2 workers",
        "4 workers",
        "best",
        "medians of 5 rounds, 95 % intervals; a dot a run",
        "2 cores of Some Chip, Linux 6.1, Python 3.11.7; 2026-11-25",
    ):
        assert text in found


def test_the_same_bench_gives_the_same_drawing(tmp_path: Path) -> None:
    picture.draw(FOUND, tmp_path / "one.svg")
    picture.draw(FOUND, tmp_path / "two.svg")

    assert (tmp_path / "one.svg").read_text() == (tmp_path / "two.svg").read_text()


def test_a_png_is_drawn(tmp_path: Path) -> None:
    picture.draw(FOUND, tmp_path / "bench.PNG")

    assert (tmp_path / "bench.PNG").read_bytes().startswith(b"\x89PNG\r\n")


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    found = document([Setting(25, 2), Setting(AUTO, 2)], [{1: FOUND.rounds[0][1]}])

    picture.draw(found, tmp_path / "bench.svg")

    assert "best" not in texts(tmp_path / "bench.svg")
    assert "auto" in texts(tmp_path / "bench.svg")


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--picture bench.pdf: a picture is FILE.png or FILE.svg"):
        pictures.check(Path("bench.pdf"))


def test_where_matplotlib_is_missing_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)

    with pytest.raises(UsageError, match=r"matplotlib, which is not installed: pip install 'mailbox-fanout\[plot\]'"):
        pictures.check(Path("bench.svg"))


def test_a_picture_that_cannot_be_written_stops(tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="can't be written: No such file or directory"):
        picture.draw(FOUND, tmp_path / "nowhere" / "bench.svg")
