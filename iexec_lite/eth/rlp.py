"""RLP, the serialisation of transactions: byte strings and lists of them.

Decoding is strict, so that an item has one encoding only: refused are single bytes with a header,
long headers for short contents, leading zeros in a length, truncated or left-over bytes, and
nesting beyond ``MAX_DEPTH``. Spec: chain.md §10; Ethereum yellow paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..errors import DecodingError, ValidationError

__all__ = ["MAX_DEPTH", "Item", "decode", "encode"]

# Lists inside lists. A transaction nests 3 deep; the ceiling keeps hostile input off the stack.
MAX_DEPTH = 64

Item: TypeAlias = bytes | Sequence["Item"]
Decoded: TypeAlias = bytes | list["Decoded"]


def encode(item: Item) -> bytes:
    """The encoding of bytes, or of a list or tuple of items."""
    return _encode(item, MAX_DEPTH)


def _encode(item: Item, depth: int) -> bytes:
    if isinstance(item, bytes | bytearray):
        if len(item) == 1 and item[0] < 0x80:
            return bytes(item)
        return _header(0x80, len(item)) + item
    if isinstance(item, list | tuple):
        if not depth:
            raise ValidationError(f"RLP: nested deeper than {MAX_DEPTH} lists")
        payload = b"".join([_encode(child, depth - 1) for child in item])
        return _header(0xC0, len(payload)) + payload
    raise ValidationError(f"RLP: only bytes and lists can be encoded, not {type(item).__name__}")


def _header(base: int, length: int) -> bytes:
    if length < 56:
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(size),)) + size


def decode(data: bytes) -> Decoded:
    """The one item that ``data`` encodes, lists as ``list``; else ``DecodingError``."""
    if not isinstance(data, bytes):
        raise DecodingError("RLP: not bytes")
    item, end = _decode(data, 0, len(data), MAX_DEPTH)
    if end != len(data):
        raise DecodingError(f"RLP: {len(data) - end} bytes left over at offset {end}")
    return item


def _decode(data: bytes, start: int, limit: int, depth: int) -> tuple[Decoded, int]:
    """The item at ``start``, which must end at ``limit`` at the latest, and where it ends."""
    first = data[start] if start < limit else -1
    if 0 <= first < 0x80:
        return data[start : start + 1], start + 1
    is_list = first >= 0xC0
    begin, end = _span(data, start, limit, first)
    if not is_list:
        if end - begin == 1 and data[begin] < 0x80:
            raise DecodingError(f"RLP: single byte with a header at offset {start}")
        return data[begin:end], end
    if not depth:
        raise DecodingError(f"RLP: nested deeper than {MAX_DEPTH} lists at offset {start}")
    items: list[Decoded] = []
    while begin < end:
        child, begin = _decode(data, begin, end, depth - 1)
        items.append(child)
    return items, end


def _span(data: bytes, start: int, limit: int, first: int) -> tuple[int, int]:
    """Where the contents of the item at ``start`` begin and end."""
    if first < 0:
        raise DecodingError(f"RLP: nothing at offset {start}")
    short = first - (0xC0 if first >= 0xC0 else 0x80)
    if short < 56:
        begin, length = start + 1, short
    else:
        begin = start + 1 + short - 55
        if begin > limit:
            raise DecodingError(f"RLP: truncated length at offset {start}")
        if data[start + 1] == 0:
            raise DecodingError(f"RLP: length with leading zeros at offset {start}")
        length = int.from_bytes(data[start + 1 : begin], "big")
        if length < 56:
            raise DecodingError(f"RLP: long header for {length} bytes at offset {start}")
    if length > limit - begin:
        raise DecodingError(f"RLP: {length} bytes announced at offset {start}, not all there")
    return begin, begin + length
