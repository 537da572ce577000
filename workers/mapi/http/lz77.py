"""Plain LZ77, which [MS-OXCRPC] 3.1.4.1.1.1 calls DIRECT2: how a ROP buffer is compressed ([MS-XCA] 2.3, 2.4).

Symbols come in groups of 32 behind a word of 32 flags, the highest bit first. A flag of 0 is a byte as it stands, one of 1
a copy of what was written before: 13 bits of distance and 3 of length, which goes on elsewhere when it is large.
"""

from __future__ import annotations

from struct import Struct

from workers.mapi.wire import BROKEN, CodecError

_WORD = Struct("<I")
_MATCH = Struct("<H")

#: Bytes of the shortest copy that is worth its three, and how far back one reaches.
_SHORTEST = 3
_FARTHEST = 1 << 13

#: Lengths beyond the shortest that fit into 3 bits, 4 more, and a byte more; the largest value of each says "go on".
_IN_MATCH, _IN_NIBBLE, _IN_BYTE = 7, 15, 255

#: Bytes of the longest copy: its length must fit into 16 bits.
_LONGEST = 0xFFFF


def decompress(data: bytes, size: int) -> bytes:
    """The `size` bytes that were compressed. Raises CodecError when it is not just as many."""
    try:
        return _Reader(data).read(size)
    except BROKEN as error:
        raise CodecError("a compressed buffer that is broken or cut short") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        #: Where the byte stands of whose two halves the upper one is still to be used; 0 for none.
        self._half = 0

    def read(self, size: int) -> bytes:
        out = bytearray()
        flags, left = 0, 0
        while len(out) < size:
            if not left:
                flags, left = *_WORD.unpack_from(self._data, self._at), 32
                self._at += 4
            left -= 1
            if flags >> left & 1:
                self._copy(out)
            else:
                out.append(self._byte())
        if len(out) > size:
            raise CodecError(f"a compressed buffer of more than the {size} bytes that it is said to be")
        return bytes(out)

    def _copy(self, out: bytearray) -> None:
        (match,) = _MATCH.unpack_from(self._data, self._at)
        self._at += 2
        start, length = len(out) - (match >> 3) - 1, self._length(match & _IN_MATCH)
        if start < 0:
            raise CodecError("a compressed buffer that copies from before its beginning")
        if start + length <= len(out):
            out += out[start : start + length]
        else:  # it copies what it is just writing
            pattern = bytes(out[start:])
            out += (pattern * (length // len(pattern) + 1))[:length]

    def _length(self, length: int) -> int:
        if length == _IN_MATCH:
            length += self._nibble()
            if length == _IN_MATCH + _IN_NIBBLE:
                length += self._byte()
                if length == _IN_MATCH + _IN_NIBBLE + _IN_BYTE:
                    (length,) = _MATCH.unpack_from(self._data, self._at)
                    self._at += 2
        return length + _SHORTEST

    def _nibble(self) -> int:
        if self._half:
            upper, self._half = self._data[self._half] >> 4, 0
            return upper
        self._half = self._at
        return self._byte() & 15

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]


def compress(data: bytes) -> bytes:
    """The same in a form that is often shorter."""
    writer = _Writer()
    seen: dict[bytes, int] = {}
    at = 0
    while at < len(data):
        key = data[at : at + _SHORTEST]
        before = seen.get(key, -_FARTHEST - 1) if len(key) == _SHORTEST else -_FARTHEST - 1
        seen[key] = at
        if at - before > _FARTHEST:
            writer.literal(data[at])
            at += 1
            continue
        length = _SHORTEST
        while at + length < len(data) and length < _LONGEST and data[before + length] == data[at + length]:
            length += 1
        writer.copy(at - before, length)
        at += length
    return writer.finished()


class _Writer:
    def __init__(self) -> None:
        self._out = bytearray(4)
        self._flags_at, self._flags, self._symbols = 0, 0, 0
        #: Where the byte stands whose upper half is free; 0 for none.
        self._half = 0

    def literal(self, byte: int) -> None:
        self._flag(0)
        self._out.append(byte)

    def copy(self, distance: int, length: int) -> None:
        self._flag(1)
        rest = length - _SHORTEST
        self._out += _MATCH.pack(distance - 1 << 3 | min(rest, _IN_MATCH))
        if rest < _IN_MATCH:
            return
        self._nibble(min(rest - _IN_MATCH, _IN_NIBBLE))
        if rest < _IN_MATCH + _IN_NIBBLE:
            return
        beyond = rest - _IN_MATCH - _IN_NIBBLE
        self._out.append(min(beyond, _IN_BYTE))
        if beyond >= _IN_BYTE:
            self._out += _MATCH.pack(rest)

    def finished(self) -> bytes:
        """The flags that belong to no symbol are 1 ([MS-XCA] 2.3.4)."""
        left = 32 - self._symbols
        _WORD.pack_into(self._out, self._flags_at, (self._flags << left | (1 << left) - 1) & 0xFFFF_FFFF)
        return bytes(self._out)

    def _flag(self, flag: int) -> None:
        if self._symbols == 32:
            _WORD.pack_into(self._out, self._flags_at, self._flags)
            self._flags_at, self._flags, self._symbols = len(self._out), 0, 0
            self._out += bytes(4)
        self._flags = self._flags << 1 | flag
        self._symbols += 1

    def _nibble(self, value: int) -> None:
        if self._half:
            self._out[self._half] |= value << 4
            self._half = 0
        else:
            self._half = len(self._out)
            self._out.append(value)
