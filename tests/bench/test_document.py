from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fanout.bench.document import own_code, read, versions, write
from fanout.bench.settings import AUTO, Setting
from fanout.errors import StoppedError, UsageError
from tests.bench.samples import document, rounds

FOUND = document([Setting(25, 2), Setting(AUTO, 2)], rounds(*[(1.0, 2.0)] * 5))


def test_a_document_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"

    write(FOUND, path)

    assert read(path) == FOUND


def test_anybody_can_read_what_is_in_it(tmp_path: Path) -> None:
    write(FOUND, tmp_path / "bench.json")

    told = msgspec.json.decode((tmp_path / "bench.json").read_bytes())

    assert told["settings"][1] == {
        "chunk_size": "auto",
        "workers": 2,
        "start_method": "fork",
        "concurrency": 1,
        "connections": "shared",
    }
    assert told["rounds"][0]["1"]["wall"] == 2.0
    assert told["verdict"]["standings"]["0"]["place"] == "best"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"x", "JSON is malformed"),
        (b"{}", "missing required field `subject`"),
        (b"[1]", "Expected `object`"),
        (msgspec.json.encode(msgspec.structs.replace(FOUND, settings=FOUND.settings[:1])), "a sample of no setting"),
        (msgspec.json.encode(FOUND).replace(b'"wall":2.0', b'"wall":0.0'), "Expected `float` > 0.0"),
    ],
)
def test_a_file_that_holds_no_bench_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(text)

    with pytest.raises(UsageError, match=said) as refused:
        read(path)

    assert str(refused.value).startswith(f"{path} is not what fanout bench --json has written: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read(tmp_path / "none.json")


def test_a_file_that_cannot_be_written_stops(tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="can't be written: Is a directory"):
        write(FOUND, tmp_path)


def test_the_versions_and_the_code_are_known() -> None:
    assert {"fanout", "multiprocess", "msgspec", "psutil"} == set(versions())
    assert own_code() == own_code()
    assert len(own_code()) == 64
