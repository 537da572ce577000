"""What may be in the way of the run file that shards become."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fanout.errors import UsageError
from fanout.runfile import RunFile
from tests.test_shards import Folder, folder

__all__ = ["folder"]  # a fixture

KEPT = (
    "the output is there already, and --force replaces nothing but a run file that nobody works on; give another name: "
)


def text(path: Path) -> None:
    path.write_text("mine")


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (what)")
    connection.close()


@pytest.mark.parametrize("make", [text, database, Path.touch])
def test_what_is_no_run_file_is_said_to_be_the_output_and_stays(folder: Folder, make: Callable[[Path], None]) -> None:
    folder.whole_parts(2)
    make(folder.merged)
    before = folder.merged.read_bytes()

    with pytest.raises(UsageError) as raised:
        folder.merge(1, 2, force=True)

    assert str(raised.value).startswith(f"-o {folder.merged}: {KEPT}")
    assert folder.merged.read_bytes() == before


def test_so_is_a_run_that_somebody_works_on(folder: Folder) -> None:
    folder.whole_parts(2)

    with RunFile.create(folder.merged), pytest.raises(UsageError) as raised:
        folder.merge(1, 2, force=True)

    assert str(raised.value).startswith(f"-o {folder.merged}: {KEPT}")
    assert "is working on it" in str(raised.value)


def test_a_link_that_leads_nowhere_is_no_output(folder: Folder) -> None:
    folder.whole_parts(2)
    folder.merged.symlink_to("nowhere")

    with pytest.raises(UsageError, match="it is a link that leads nowhere; give another name"):
        folder.merge(1, 2, force=True)
