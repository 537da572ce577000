"""Plain LZ77: the examples of [MS-XCA] 3.1, and there and back."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.mapi.http.lz77 import compress, decompress
from workers.mapi.wire import CodecError

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("plain", "packed"),
    [
        (ALPHABET, "3f000000" + ALPHABET.hex()),
        (b"abc" * 100, "ffffff1f61626317000fff2601"),
    ],
)
def test_the_examples_of_the_specification(plain: bytes, packed: str) -> None:
    assert compress(plain).hex() == packed
    assert decompress(bytes.fromhex(packed), len(plain)) == plain


def repetitive(pieces: list[bytes], order: list[int]) -> bytes:
    return b"".join(pieces[number % len(pieces)] for number in order)


@given(
    st.one_of(
        st.binary(max_size=600),
        st.builds(repetitive, st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.lists(st.integers(0, 3))),
        st.builds(lambda byte, count: byte * count, st.binary(min_size=1, max_size=3), st.integers(0, 30_000)),
    )
)
def test_what_was_compressed_comes_back(data: bytes) -> None:
    assert decompress(compress(data), len(data)) == data


@pytest.mark.parametrize("length", [3, 9, 10, 24, 25, 279, 280, 281, 65_534, 65_535])
def test_copies_of_every_form_of_length(length: int) -> None:
    data = b"xyz" + ALPHABET + b"q" * (length + 1)

    assert decompress(compress(data), len(data)) == data


@pytest.mark.parametrize("cut", range(12))
def test_a_buffer_that_is_cut_short_is_an_error(cut: int) -> None:
    packed = compress(b"abc" * 100)

    with pytest.raises(CodecError):
        decompress(packed[:cut], 300)


def test_a_copy_from_before_the_beginning_is_an_error() -> None:
    with pytest.raises(CodecError, match="before its beginning"):
        decompress(bytes.fromhex("ffffffff 0000"), 3)


def test_a_buffer_with_more_than_is_said_is_an_error() -> None:
    with pytest.raises(CodecError, match="more than the 200 bytes"):
        decompress(compress(b"abc" * 100), 200)


@given(st.binary(max_size=200), st.integers(0, 5000))
def test_whatever_comes_gives_the_bytes_or_an_error(data: bytes, size: int) -> None:
    with suppress(CodecError):
        assert len(decompress(data, size)) == size
