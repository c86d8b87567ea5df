"""Untrusted ABI bytes to Python values: one closure per type, built once and cached.

Legal but unusual layouts are accepted: shared tails, gaps, tails in any order, bytes after the end;
so is missing or non-zero padding behind ``bytes`` and ``string``, as contracts and nodes do.
Refused: high bits set in ``address``, ``uintN``, ``intN``, ``bool``, low ones in ``bytesN``,
offsets and lengths that point outside, and offsets that overlap so much that the data would unfold
to more than ``Limits`` allows. Text on chain is free bytes: what is not UTF-8 decodes with U+FFFD,
as browsers show it. Reference: Solidity "Contract ABI Specification"; chain.md §3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ..errors import DecodingError, ValidationError
from ..frozen import Frozen
from .abi_encode import Fault, show
from .abi_types import AbiType

__all__ = ["DEFAULT_LIMITS", "Decoder", "Limits", "Reader", "RowDecoder", "decoder", "row_decoder"]

_PAD = [bytes(n) for n in range(33)]
_PAD12 = bytes(12)


class Limits(Frozen, kw_only=False):
    """How much a decoder may read from data that points at itself.

    Without overlaps every word is read once. ``sharing`` times the words of the data, and never
    less than ``floor`` words, is allowed in total: contracts may share tails, an attacker may not
    unfold a kilobyte into gigabytes.
    """

    sharing: int = 4
    floor: int = 1024


DEFAULT_LIMITS = Limits()


class Reader:
    """The data of one decoding and what may still be read from it."""

    __slots__ = ("budget", "data", "size")

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data = data
        self.size = len(data)
        self.budget = max(limits.floor, limits.sharing * ((self.size + 31) // 32))

    def need(self, position: int, size: int) -> None:
        """Charge ``size`` bytes at ``position``, which must lie inside the data."""
        if size > self.size - position:
            raise Fault(
                f"needs {_count(size)} bytes at offset {position}, the data ends at {self.size}"
            )
        self.budget -= (size + 31) // 32
        if self.budget < 0:
            raise Fault("offsets overlap too much (more data than the bytes can honestly hold)")

    def word(self, position: int) -> int:
        """The integer at ``position``; the caller has checked that the word is there."""
        return int.from_bytes(self.data[position : position + 32], "big")

    def follow(self, base: int, position: int) -> int:
        """The place that the offset at ``position``, relative to ``base``, points to."""
        offset = self.word(position)
        if offset > self.size - base:
            raise Fault(f"offset {_count(offset)} points outside the data of {self.size} bytes")
        return base + offset


Decoder = Callable[[Reader, int], object]
RowDecoder = Callable[[bytes, str, Limits], tuple[object, ...]]


def _count(value: int) -> str:
    """A number from outside, in a length fit for a message."""
    return str(value) if value < 1 << 64 else "2**64 or more"


def _uint_decoder(kind: AbiType) -> Decoder:
    bits, name = kind.size, kind.name

    def decode(reader: Reader, position: int) -> int:
        value = int.from_bytes(reader.data[position : position + 32], "big")
        if value >> bits:
            raise Fault(f"{name}: bits beyond its {bits} are set")
        return value

    return decode


def _int_decoder(kind: AbiType) -> Decoder:
    bits, name = kind.size, kind.name
    low, high = -(1 << bits - 1), 1 << bits - 1

    def decode(reader: Reader, position: int) -> int:
        value = int.from_bytes(reader.data[position : position + 32], "big", signed=True)
        if not low <= value < high:
            raise Fault(f"{name}: bits beyond its {bits} are set")
        return value

    return decode


def _decode_bool(reader: Reader, position: int) -> bool:
    word = reader.word(position)
    if word > 1:
        raise Fault("bool: neither 0 nor 1")
    return word == 1


def _decode_address(reader: Reader, position: int) -> bytes:
    if reader.data[position : position + 12] != _PAD12:
        raise Fault("address: bits beyond its 160 are set")
    return reader.data[position + 12 : position + 32]


def _fixed_bytes_decoder(kind: AbiType) -> Decoder:
    size, name, pad = kind.size, kind.name, _PAD[32 - kind.size]

    def decode(reader: Reader, position: int) -> bytes:
        if reader.data[position + size : position + 32] != pad:
            raise Fault(f"{name}: bytes beyond its {size} are set")
        return reader.data[position : position + size]

    return decode


def _decode_bytes(reader: Reader, position: int) -> bytes:
    reader.need(position, 32)
    size = reader.word(position)
    reader.need(position + 32, size)
    return reader.data[position + 32 : position + 32 + size]


def _decode_string(reader: Reader, position: int) -> str:
    return _decode_bytes(reader, position).decode("utf-8", "replace")


def _tuple_decoder(kind: AbiType) -> Decoder:
    plan, place = [], 0
    for i, item in enumerate(kind.components):
        step = f".{item.label}" if item.label else f"[{i}]"
        plan.append((decoder(item), item.dynamic, place, step))
        place += item.head_size
    head_size, charged = place, kind.dynamic

    def decode(reader: Reader, position: int) -> tuple[object, ...]:
        if charged:  # a static tuple lies inside a head that was already checked and charged
            reader.need(position, head_size)
        values, step = [], ""
        try:
            for decode_one, dynamic, place, step in plan:  # noqa: B007
                at = position + place
                values.append(decode_one(reader, reader.follow(position, at) if dynamic else at))
        except Fault as fault:
            raise fault.at(step) from None
        return tuple(values)

    return decode


def _array_decoder(kind: AbiType) -> Decoder:
    item = kind.item
    assert item is not None  # noqa: S101  (kind is "array")
    decode_one, length, stride, dynamic = decoder(item), kind.length, item.head_size, item.dynamic

    def decode(reader: Reader, position: int) -> tuple[object, ...]:
        count = length
        if count is None:
            reader.need(position, 32)
            count = reader.word(position)
            position += 32
        if kind.dynamic:
            reader.need(position, count * stride)
        values: list[object] = []
        try:
            for at in range(position, position + count * stride, stride):
                values.append(decode_one(reader, reader.follow(position, at) if dynamic else at))
        except Fault as fault:
            raise fault.at(f"[{len(values)}]") from None
        return tuple(values)

    return decode


@lru_cache(maxsize=2048)
def decoder(kind: AbiType) -> Decoder:
    """The closure that decodes ``kind`` at a position.

    A static type expects its head to be inside the data (the enclosing one has charged it); a
    dynamic one gets the position that the offset points to and charges for itself.
    """
    if kind.kind == "uint":
        return _uint_decoder(kind)
    if kind.kind == "int":
        return _int_decoder(kind)
    if kind.kind == "fixed_bytes":
        return _fixed_bytes_decoder(kind)
    if kind.kind == "tuple":
        return _tuple_decoder(kind)
    if kind.kind == "array":
        return _array_decoder(kind)
    return {
        "address": _decode_address,
        "bool": _decode_bool,
        "bytes": _decode_bytes,
        "string": _decode_string,
    }[kind.kind]


def row_decoder(kind: AbiType) -> RowDecoder:
    """The function that decodes whole data as the tuple ``kind``, with the public errors.

    It takes the data, a name that stands for the whole in errors, and the limits.
    """
    decode, dynamic, head_size = decoder(kind), kind.dynamic, kind.head_size

    def run(data: bytes, name: str, limits: Limits) -> tuple[object, ...]:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValidationError(f"{name}: ABI data must be bytes, got {show(data)}")
        reader = Reader(bytes(data), limits)
        try:
            if not dynamic:
                reader.need(0, head_size)
            return decode(reader, 0)  # type: ignore[return-value]
        except Fault as fault:
            raise DecodingError(f"cannot decode {name}: {fault.text('data')}") from None

    return run
