"""The smallest things on the wire: strings that end with NUL, and the one error of the codec.

Everything here works on `bytes` and an offset. What a field means is the business of the modules above.
"""

from __future__ import annotations

from codecs import utf_16_le_decode, utf_16_le_encode
from functools import lru_cache
from struct import Struct
from struct import error as struct_error

#: The code page of 8-bit strings: what the session asks for when it connects. The five bytes that
#: cp1252 leaves undefined survive as lone surrogates, so that what was read is written back unchanged.
CODE_PAGE = 1252
_ENCODING = f"cp{CODE_PAGE}"

#: What reading past the end of a buffer, or packing a number that is too large for its field, raises.
BROKEN = (struct_error, IndexError, UnicodeError, OverflowError)


class CodecError(ValueError):
    """A buffer that does not follow [MS-OXCROPS] and [MS-OXCDATA], or a value that its field cannot hold."""


@lru_cache(maxsize=256)
def numbers(count: int) -> Struct:
    """An array of `count` 32-bit numbers: property tags, handles."""
    return Struct(f"<{count}I")


def read_string8(buffer: bytes, offset: int) -> tuple[str, int]:
    """The 8-bit string at `offset`, and where the next field begins."""
    end = buffer.find(b"\0", offset)
    if end < 0:
        raise CodecError(f"no NUL ends the string at {offset}")
    return decode_string8(buffer[offset:end]), end + 1


def decode_string8(octets: bytes) -> str:
    """Text of the 8-bit code page, whatever the octets are."""
    if octets.isascii():
        return octets.decode("ascii")  # several times as fast, and nearly always true
    return octets.decode(_ENCODING, "surrogateescape")


def read_sized_string8(buffer: bytes, offset: int, size: int) -> str:
    """The 8-bit string of `size` bytes at `offset`, the NUL that must end it among them."""
    octets = take(buffer, offset, size)
    if not octets or octets.find(b"\0") != size - 1:
        raise CodecError(f"a string of {size} bytes at {offset} whose NUL is not its last byte")
    return decode_string8(octets[:-1])


def write_string8(text: str) -> bytes:
    """`text` in the 8-bit code page, with its NUL."""
    if "\0" in text:
        raise CodecError(f"a NUL inside a string: {text!r}")
    if text.isascii():
        return text.encode("ascii") + b"\0"
    try:
        return text.encode(_ENCODING, "surrogateescape") + b"\0"
    except UnicodeError as error:
        raise CodecError(f"not in code page {CODE_PAGE}: {text!r}") from error


def read_string(buffer: bytes, offset: int) -> tuple[str, int]:
    """The UTF-16LE string at `offset`, and where the next field begins. Lone surrogates are kept."""
    end = end_of_string(buffer, offset)
    return utf_16_le_decode(buffer[offset:end], "surrogatepass", True)[0], end + 2  # noqa: FBT003 - has no name


def end_of_string(buffer: bytes, offset: int) -> int:
    """Where the two NULs begin that end the UTF-16LE string at `offset`."""
    end = buffer.find(b"\0\0", offset)
    while end >= 0 and (end - offset) & 1:  # a high byte and the next low byte, not a character
        end = buffer.find(b"\0\0", end + 1)
    if end < 0:
        raise CodecError(f"no NUL ends the string at {offset}")
    return end


def write_string(text: str) -> bytes:
    """`text` in UTF-16LE, with its NUL."""
    if "\0" in text:
        raise CodecError(f"a NUL inside a string: {text!r}")
    return utf_16_le_encode(text, "surrogatepass")[0] + b"\0\0"


def take(buffer: bytes, offset: int, size: int) -> bytes:
    """`size` bytes from `offset`: the slice that refuses to come out short."""
    if offset + size > len(buffer):
        raise CodecError(f"{size} bytes wanted at {offset}, {len(buffer) - offset} there")
    return buffer[offset : offset + size]
