from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mapi.strategies import column_sets, flagged_rows, rows, strings
from workers.mapi import properties
from workers.mapi.properties import (
    PropertyError,
    PropertyType,
    TypedValue,
    datetime_of,
    filetime_of,
    property_type,
    row_codec,
)
from workers.mapi.rows import MOST_COLUMNS
from workers.mapi.wire import CodecError

NAMES = (properties.PR_FID, properties.PR_CONTENT_COUNT, properties.PR_DISPLAY_NAME_W)

reproducibly = settings(derandomize=True, deadline=None)


@reproducibly
@given(st.data(), column_sets)
def test_rows_are_read_as_they_were_written(data: st.DataObject, columns: tuple[int, ...]) -> None:
    codec = row_codec(columns)
    written = data.draw(st.lists(st.one_of(rows(columns), flagged_rows(columns)), max_size=4))
    before, after = b"before", b"\0\0\0"
    encoded = b"".join(map(codec.encode, written))

    read, end = codec.decode(before + encoded + after, len(before), len(written))

    assert read == written
    assert end == len(before) + len(encoded)


@reproducibly
@given(st.data(), column_sets)
def test_rows_that_end_too_early_are_refused(data: st.DataObject, columns: tuple[int, ...]) -> None:
    codec = row_codec(columns)
    encoded = codec.encode(data.draw(st.one_of(rows(columns), flagged_rows(columns))))
    cut = data.draw(st.integers(0, len(encoded) - 1))

    with pytest.raises(CodecError):
        codec.decode(encoded[:cut], 0, 1)


@reproducibly
@given(strings, strings)
def test_strings_end_at_their_own_nul_wherever_zero_bytes_meet(first: str, second: str) -> None:
    codec = row_codec((properties.PR_DISPLAY_NAME_W, properties.PR_CONTAINER_CLASS_W))

    encoded = codec.encode((first, second))

    assert encoded == b"\0" + (first + "\0" + second + "\0").encode("utf-16-le", "surrogatepass")
    assert codec.decode(encoded, 0, 1) == ([(first, second)], len(encoded))


def test_a_row_is_its_flag_and_its_values_back_to_back() -> None:
    encoded = row_codec(NAMES).encode((0x0D00000000000001, 12, "Inb"))

    assert encoded.hex() == "00" + "010000000000000d" + "0c000000" + "49006e0062000000"


def test_a_missing_cell_makes_a_row_flagged() -> None:
    encoded = row_codec(NAMES).encode((None, 12, PropertyError(0x8004010F)))

    assert encoded.hex() == "01" + "01" + "000c000000" + "0a0f010480"


def test_plain_and_flagged_rows_mix() -> None:
    codec = row_codec(NAMES)
    mixed: list[tuple[Any, ...]] = [(1, 2, "three"), (1, None, "three"), (1, 2, "")]

    assert codec.decode(b"".join(map(codec.encode, mixed)), 0, 3)[0] == mixed


def test_an_untyped_column_brings_its_type_along() -> None:
    codec = row_codec((0x00370000,))

    assert codec.encode((TypedValue(PropertyType.STRING, "a"),)).hex() == "00" + "1f00" + "61000000"
    assert codec.encode((PropertyError(0x8004010F),)).hex() == "01" + "0a00" + "0a0f010480"
    assert codec.encode((None,)).hex() == "01" + "0000" + "01"


UNTYPED = row_codec((0x00370000, properties.PR_CONTENT_COUNT))


@pytest.mark.parametrize("count", [1, None])
def test_an_untyped_column_holds_a_value_in_rows_of_both_kinds(count: int | None) -> None:
    row = (TypedValue(PropertyType.GUID, b"g" * 16), count)

    assert UNTYPED.decode(UNTYPED.encode(row), 0, 1)[0] == [row]


@pytest.mark.parametrize("count", [1, None])
@pytest.mark.parametrize(
    "cell",
    [
        TypedValue(PropertyType.UNSPECIFIED, TypedValue(PropertyType.INTEGER32, 1)),
        TypedValue(0x000D, b"an object"),
        TypedValue(PropertyType.GUID, b"too short"),
        TypedValue(PropertyType.BOOLEAN, 1),
        TypedValue(PropertyType.BINARY, b"x" * 65_536),
        TypedValue(PropertyType.STRING, "a\0b"),
        TypedValue(PropertyType.STRING8, "a\0b"),
        TypedValue(PropertyType.FLOATING32, 1e300),
        "bare",
    ],
)
def test_an_untyped_column_does_not_hold_everything(cell: object, count: int | None) -> None:
    with pytest.raises(CodecError):
        UNTYPED.encode((cell, count))


@pytest.mark.parametrize(
    "encoded",
    [
        "00" + "0000" + "0300" + "01000000" + "01000000",  # a typed value of no type
        "01" + "0000" + "00" + "0300" + "01000000" + "0001000000",  # the same in a flagged row
        "00" + "0d00" + "01000000" + "01000000",  # an object
        "00" + "1e00" + "6161",  # an 8-bit string without NUL
    ],
)
def test_a_typed_value_that_cannot_be_is_refused(encoded: str) -> None:
    with pytest.raises(CodecError):
        UNTYPED.decode(bytes.fromhex(encoded), 0, 1)


@pytest.mark.parametrize(
    "row",
    [
        (1, 2),
        (1, 2, "three", 4),
        ("one", 2, "three"),
        (1, 2, 3),
        (1, 2, b"three"),
        (1 << 64, 2, "three"),
        (-1, 2, "three"),
        (1, 1 << 31, "three"),
        (1, 2, "three\0four"),
        (None, PropertyError(-1), "three"),
    ],
)
def test_a_row_that_does_not_fit_its_columns_is_refused(row: tuple[Any, ...]) -> None:
    with pytest.raises(CodecError):
        row_codec(NAMES).encode(row)


@pytest.mark.parametrize("cell", [1, 0, "yes"])
def test_nothing_but_a_bool_is_written_as_one(cell: object) -> None:
    with pytest.raises(CodecError):
        row_codec((properties.PR_SUBFOLDERS,)).encode((cell,))


def test_an_absent_bool_is_not_a_false_one() -> None:
    codec = row_codec((properties.PR_SUBFOLDERS, properties.PR_HASATTACH))

    assert codec.encode((None, True)).hex() == "01" + "01" + "0001"
    assert codec.encode((False, True)).hex() == "00" + "00" + "01"


@pytest.mark.parametrize(
    "encoded",
    [
        b"\2" + bytes(20),  # a flag that does not exist
        b"\1\2" + bytes(20),  # the same for a cell
        b"\0" + bytes(12) + b"a",  # half a character
        b"\0" + bytes(12) + b"a\0b\0",  # no NUL
        b"\0" + bytes(12) + b"a\0\0b\0",  # a NUL astride two characters
    ],
)
def test_a_row_that_no_server_should_send_is_refused(encoded: bytes) -> None:
    with pytest.raises(CodecError):
        row_codec(NAMES).decode(encoded, 0, 1)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in PropertyType if kind & 0x1000],
)
def test_a_count_of_values_that_cannot_be_there_is_refused_before_any_is_made(kind: int) -> None:
    with pytest.raises(CodecError, match="announced"):
        row_codec((0x6001 << 16 | kind,)).decode(b"\0\xff\xff\xff\xff" + bytes(100), 0, 1)


@pytest.mark.parametrize("kind", [0x0001, 0x000D, 0x00FD, 0x00FE, 0x100B, 0x3003, 0xFFFF])
def test_a_property_type_that_no_row_holds_is_refused(kind: int) -> None:
    with pytest.raises(CodecError, match="property type"):
        row_codec((0x6001 << 16 | kind,))


def test_a_column_set_of_any_length_is_compiled_or_refused() -> None:
    columns = (properties.PR_DISPLAY_NAME_W,) * MOST_COLUMNS
    codec = row_codec(columns)

    assert codec.decode(codec.encode(("x",) * MOST_COLUMNS), 0, 1)[0] == [("x",) * MOST_COLUMNS]
    with pytest.raises(CodecError):
        row_codec((*columns, properties.PR_DISPLAY_NAME_W))


def test_a_column_set_is_compiled_once() -> None:
    assert row_codec(NAMES) is row_codec(tuple(NAMES))


def test_every_tag_has_a_type_that_rows_can_hold() -> None:
    tags = {name: tag for name, tag in vars(properties).items() if name.startswith("PR_")}

    assert {name for name, tag in tags.items() if property_type(tag) not in set(PropertyType)} == set()
    assert all(row_codec((tag,)) for tag in tags.values())
    assert {name for name, tag in tags.items() if name.endswith("_W")} == {
        name for name, tag in tags.items() if property_type(tag) == PropertyType.STRING
    }


def test_a_filetime_counts_from_1601() -> None:
    assert datetime_of(0) == datetime(1601, 1, 1, tzinfo=UTC)
    assert filetime_of(datetime(1970, 1, 1, tzinfo=UTC)) == 116444736000000000


@reproducibly
@given(st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_time_survives_the_way_through_a_filetime(moment: datetime) -> None:
    assert datetime_of(filetime_of(moment)) == moment
    assert datetime_of(filetime_of(moment) + 9) == moment


def test_a_filetime_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(CodecError):
        datetime_of((1 << 64) - 1)
    with pytest.raises(CodecError):
        filetime_of(datetime(1601, 1, 1, tzinfo=UTC) - timedelta(seconds=1))
