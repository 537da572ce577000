from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout.errors import StoppedError, UsageError
from fanout.ledger import SinkPlace
from fanout.sink import STDOUT, Sink

TOLD = [b"{1}\n{2}\n", b"{3}\n"]


def contents(path: Path) -> bytes:
    return path.read_bytes()


def told() -> Iterator[bytes]:
    """The records of the run, from its run file."""
    return iter(TOLD)


def nothing() -> Iterator[bytes]:
    raise AssertionError("what stands need not be written anew")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def written(path: Path, *lines: bytes) -> SinkPlace:
    """Where a sink has come to with these lines."""
    sink = Sink.open(str(path), force=False)
    for line in lines:
        sink.write(line)
    sink.sync()
    place = sink.place
    sink.close()
    return place


# from the start


def test_a_file_that_is_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("my letters")

    with pytest.raises(UsageError, match=r"results\.jsonl: the file is there already; --force replaces it"):
        Sink.open(str(path), force=False)

    assert contents(path) == b"my letters"


def test_a_file_that_is_there_is_replaced_by_force(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("my letters, which are longer")
    sink = Sink.open(str(path), force=True)
    sink.write(b"{}\n")
    sink.close()

    assert contents(path) == b"{}\n"


@pytest.mark.parametrize("name", ["results.csv", "results", "jsonl"])
def test_a_name_that_promises_another_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"-o .*{name}: results are written as JSONL, to a file whose name ends in"):
        Sink.open(str(tmp_path / name), force=False)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere/results\.jsonl: No such file or directory"):
        Sink.open(str(tmp_path / "nowhere" / "results.jsonl"), force=False)


def test_a_minus_is_standard_output_which_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    sink = Sink.open("-", force=False)
    sink.write(b"{}\n")
    sink.close()

    os.write(sys.stdout.fileno(), b"after\n")

    assert capfd.readouterr().out == "{}\nafter\n"


@pytest.fixture
def full(tmp_path: Path) -> Sink:
    """A sink on a disk that is always full."""
    path = tmp_path / "results.jsonl"
    path.symlink_to("/dev/full")
    return Sink.open(str(path), force=True)


FULL = "the results can't be written: .*results.jsonl: No space left on device"


def test_a_full_disk_stops_the_run_at_once_where_nothing_is_held_back(full: Sink) -> None:
    with pytest.raises(StoppedError, match=FULL):
        full.write(b"x" * 2**20)

    full.close()


def test_a_full_disk_stops_the_run_at_its_next_commit(full: Sink) -> None:
    full.write(b"{}\n")

    with pytest.raises(StoppedError, match=FULL):
        full.sync()
    with pytest.raises(StoppedError, match=FULL):
        full.close()


def test_a_file_that_is_empty_is_nothing_to_lose(path: Path) -> None:
    path.touch()

    assert written(path, b"{}\n").length == 3


# going on


def test_what_is_ahead_of_the_run_file_is_cut_off(path: Path) -> None:
    place = written(path, b"{1}\n", b"{2}\n")
    with path.open("ab") as file:
        file.write(b'{3}\n{"half')
    sink = Sink.follow(place, nothing)
    sink.write(b"{4}\n")
    sink.close()

    assert contents(path) == b"{1}\n{2}\n{4}\n"


@pytest.mark.parametrize("harm", ["gone", "short", "changed", "stale"])
def test_a_sink_that_does_not_stand_is_written_anew_and_gone_on_with(path: Path, harm: str) -> None:
    place = written(path, b"{9}\n{8}\n")
    match harm:
        case "gone":
            path.unlink()
        case "short":
            path.write_bytes(b"{9}\n")
        case "changed":
            path.write_bytes(b"{9}\n{7}\n")
        case _:
            place = SinkPlace(place.path, None)
    sink = Sink.follow(place, told)
    sink.write(b"{4}\n")
    sink.sync()
    sink.close()

    assert contents(path) == b"{1}\n{2}\n{3}\n{4}\n"
    assert sink.length == len(contents(path))
    assert list(path.parent.iterdir()) == [path]


def test_a_sink_that_was_written_anew_stands_from_then_on(path: Path) -> None:
    sink = Sink.follow(SinkPlace(str(path), None), told)
    place = sink.place
    sink.close()
    Sink.follow(place, nothing).close()

    assert contents(path) == b"".join(TOLD)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.binary(max_size=5).map(lambda data: data + b"\n"), max_size=6), data=st.data())
def test_wherever_it_was_cut_off_a_sink_goes_on_as_if_it_had_not_been(
    tmp_path: Path, lines: list[bytes], data: st.DataObject
) -> None:
    committed = data.draw(st.integers(0, len(lines)))
    left = data.draw(st.integers(0, len(b"".join(lines))))
    path = tmp_path / "cut.jsonl"
    path.unlink(missing_ok=True)
    place = written(path, *lines[:committed])
    path.write_bytes(b"".join(lines)[:left])  # more than was committed, or, after a loss of power, less
    sink = Sink.follow(place, lambda: iter(lines[:committed]))
    for line in lines[committed:]:
        sink.write(line)
    sink.close()

    assert contents(path) == b"".join(lines)


def test_standard_output_has_no_place_to_go_on_at() -> None:
    sink = Sink.open(STDOUT, force=False)
    sink.close()

    assert sink.path_of(STDOUT) == STDOUT


def test_a_folder_that_is_gone_stops_the_run_that_would_go_on(path: Path) -> None:
    with pytest.raises(StoppedError, match="nowhere"):
        Sink.follow(SinkPlace(str(path.parent / "nowhere" / "results.jsonl"), 0), told)
