"""Hypothesis strategies for property values and rows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workers.mapi.properties import PropertyError, PropertyType, TypedValue


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def numbers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


#: Every character that UTF-16 can hold, lone surrogates included, without the NUL that ends a string.
strings = st.text(st.characters(min_codepoint=1), max_size=20)
#: Every octet of the 8-bit code page, the undefined ones included.
strings8 = st.binary(max_size=20).map(lambda octets: octets.replace(b"\0", b"-").decode("cp1252", "surrogateescape"))
guids = st.binary(min_size=16, max_size=16)
floats = st.floats(allow_nan=False)

ONE: dict[int, st.SearchStrategy[Any]] = {
    PropertyType.INTEGER16: integers(16),
    PropertyType.INTEGER32: integers(32),
    PropertyType.FLOATING32: st.floats(width=32, allow_nan=False),
    PropertyType.FLOATING64: floats,
    PropertyType.CURRENCY: integers(64),
    PropertyType.FLOATING_TIME: floats,
    PropertyType.INTEGER64: numbers(64),
    PropertyType.STRING8: strings8,
    PropertyType.STRING: strings,
    PropertyType.TIME: numbers(64),
    PropertyType.GUID: guids,
    PropertyType.BINARY: st.binary(max_size=40),
}
VALUES: dict[int, st.SearchStrategy[Any]] = {
    **ONE,
    **{kind | 0x1000: st.lists(value, max_size=4).map(tuple) for kind, value in ONE.items()},
    PropertyType.ERROR_CODE: numbers(32),
    PropertyType.BOOLEAN: st.booleans(),
    PropertyType.SERVER_ID: st.binary(max_size=40),
}
VALUES |= {
    PropertyType.UNSPECIFIED: st.sampled_from(sorted(VALUES)).flatmap(
        lambda kind: st.builds(TypedValue, st.just(kind), VALUES[kind])
    )
}

tags = st.builds(lambda number, kind: number << 16 | kind, numbers(16), st.sampled_from(sorted(VALUES)))
column_sets = st.lists(tags, max_size=8).map(tuple)
errors = st.builds(PropertyError, numbers(32))


def rows(columns: tuple[int, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Rows in which every cell holds a value."""
    return st.tuples(*(VALUES[tag & 0xFFFF] for tag in columns))


def flagged_rows(columns: tuple[int, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Rows in which any cell may be absent."""
    return st.tuples(*(st.one_of(VALUES[tag & 0xFFFF], st.none(), errors) for tag in columns))
