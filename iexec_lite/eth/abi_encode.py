"""Python values to ABI bytes: one closure per type, built once and cached.

Strict: a ``bool`` is no integer nor the reverse, ranges and lengths are checked, text must be valid
Unicode, nothing is cut or padded silently; the error names the place (``order.tag``, ``[2].x``).
A dynamic type encodes to its tail, a static one to its words; tuples and arrays lay them out in one
join. Reference: Solidity "Contract ABI Specification"; chain.md §3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter, length_hint
from struct import Struct
from typing import Any

from .abi_types import AbiType

__all__ = ["Encoder", "Fault", "encoder", "row_encoder", "show", "utf8"]

Encoder = Callable[[object], bytes]

_PAD = [bytes(n) for n in range(33)]
_PAD12 = bytes(12)
_TRUE = bytes(31) + b"\1"
_PLAIN = ("address", "fixed_bytes")  # bytes already, which are only padded


class Fault(Exception):  # noqa: N818  (never leaves eth)
    """A refused value on its way out to the public function, which makes the real error of it.

    ``path`` is collected from the inside out, so encoders need not carry it on the way in.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path = ""

    def at(self, step: str) -> Fault:
        """The same fault, seen from one level further out."""
        self.path = step + self.path
        return self

    def text(self, name: str = "value") -> str:
        """``order.tag: what is wrong``."""
        return f"{self.path.removeprefix('.') or name}: {self.what}"


def show(value: object) -> str:
    """What a refused value is, without printing long or secret content."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int) and value.bit_length() <= 264:
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    return type(value).__name__


def _integer_encoder(kind: AbiType) -> Encoder:
    signed = kind.kind == "int"
    low = -(1 << kind.size - 1) if signed else 0
    high = (1 << kind.size - 1 if signed else 1 << kind.size) - 1
    name = kind.name

    def encode(value: object) -> bytes:
        # "type is int" is the fast way to say "int but not bool"; IntEnum takes the detour.
        if type(value) is not int:
            if isinstance(value, bool) or not isinstance(value, int):
                raise Fault(f"{name} must be int, got {show(value)}")
            value = int(value)
        if low <= value <= high:
            return value.to_bytes(32, "big", signed=signed) if signed else value.to_bytes(32, "big")
        raise Fault(f"{show(value)} is out of range for {name}")

    def encode_uint256(value: object) -> bytes:
        if type(value) is int:
            try:
                return value.to_bytes(32, "big")
            except OverflowError:
                pass
        return encode(value)

    return encode_uint256 if name == "uint256" else encode


def _encode_bool(value: object) -> bytes:
    if value is True:
        return _TRUE
    if value is False:
        return _PAD[32]
    raise Fault(f"bool must be True or False, got {show(value)}")


def _encode_address(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) == 20:
        return _PAD12 + value
    raise Fault(f"address must be 20 bytes, got {show(value)}")


def _fixed_bytes_encoder(kind: AbiType) -> Encoder:
    size, name, pad = kind.size, kind.name, _PAD[32 - kind.size]

    def encode(value: object) -> bytes:
        if isinstance(value, bytes) and len(value) == size:
            return value + pad
        raise Fault(f"{name} must be {size} bytes, got {show(value)}")

    return encode


def _encode_bytes(value: object) -> bytes:
    if type(value) is not bytes:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise Fault(f"bytes must be bytes, got {show(value)}")
        value = bytes(value)
    size = len(value)
    return size.to_bytes(32, "big") + value + _PAD[-size % 32]


def utf8(value: object) -> bytes:
    """UTF-8 of text; lone surrogates are refused (they have none)."""
    if not isinstance(value, str):
        raise Fault(f"string must be str, got {show(value)}")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise Fault("string is not valid Unicode: it holds a lone surrogate") from None


def _encode_string(value: object) -> bytes:
    data = utf8(value)
    size = len(data)
    return size.to_bytes(32, "big") + data + _PAD[-size % 32]


def row_encoder(
    columns: Sequence[tuple[Encoder, AbiType | None]], steps: Sequence[str]
) -> tuple[Callable[[Sequence[object]], list[bytes]], Callable[..., bytes]]:
    """Two functions for a row: its values to parts, and the parts (a part each) to joined words.

    What tuples and EIP-712 structs have in common. A column is an encoder and the type that it
    encodes, None if the encoder gives one word that the type alone does not. ``steps`` name the
    columns in a ``Fault``. A part that is dynamic must be replaced by its word before joining.
    Addresses and bytesN, most of any order, are looked at all at once and padded while joining: a
    call for each would be half the time of encoding an order.
    """
    plain = [i for i, (_, kind) in enumerate(columns) if kind and kind.kind in _PLAIN]
    if len(plain) < 2:  # itemgetter gives a tuple of two values or more
        plain = []
    made = [(i, encode) for i, (encode, _) in enumerate(columns) if i not in plain]
    sizes, layout = [], ""
    for i, (_, kind) in enumerate(columns):
        if i in plain:
            assert kind is not None  # noqa: S101  (plain has types only)
            size = 20 if kind.kind == "address" else kind.size
            sizes.append(size)
            layout += f"12x{size}s" if kind.kind == "address" else f"{size}s{32 - size}x"
        else:
            layout += f"{kind.head_size if kind else 32}s"
    pick = itemgetter(*plain) if plain else None

    def to_parts(values: Sequence[object]) -> list[bytes]:
        parts: list[Any] = list(values)
        try:
            for i, encode in made:
                parts[i] = encode(parts[i])
            if pick is not None:
                try:
                    if list(map(bytes.__len__, pick(parts))) == sizes:
                        return parts
                except TypeError:
                    pass
                for i in plain:
                    columns[i][0](parts[i])  # the encoder of the wrong one names it
        except Fault as fault:
            raise fault.at(steps[i]) from None
        return parts

    return to_parts, Struct(layout).pack


def _tuple_encoder(kind: AbiType) -> Encoder:
    columns = [(encoder(item), item) for item in kind.components]
    wanted = len(columns)
    steps = [f".{item.label}" if item.label else f"[{i}]" for i, item in enumerate(kind.components)]
    dynamic = [i for i, item in enumerate(kind.components) if item.dynamic]
    head_size = sum(item.head_size for item in kind.components)
    to_parts, join = row_encoder(columns, steps)

    def encode(values: object) -> bytes:
        if not isinstance(values, (tuple, list)):
            raise Fault(f"{_short(kind.name)} must be a tuple, got {show(values)}")
        if len(values) != wanted:
            raise Fault(f"{_short(kind.name)} needs {wanted} values, got {len(values)}")
        parts = to_parts(values)
        tails, offset = [], head_size
        for i in dynamic:
            tail = parts[i]
            tails.append(tail)
            parts[i] = offset.to_bytes(32, "big")
            offset += len(tail)
        return join(*parts) + b"".join(tails)

    return encode


def _array_encoder(kind: AbiType) -> Encoder:
    item = kind.item
    assert item is not None  # noqa: S101  (kind is "array")
    encode_one, wanted, dynamic, name = encoder(item), kind.length, item.dynamic, _short(kind.name)

    def encode(values: object) -> bytes:
        if not isinstance(values, (tuple, list)):
            raise Fault(f"{name} must be a list or tuple, got {show(values)}")
        count = len(values)
        if wanted is not None and count != wanted:
            raise Fault(f"{name} needs {wanted} elements, got {count}")
        source = iter(values)
        try:
            parts = [encode_one(value) for value in source]
        except Fault as fault:
            raise fault.at(f"[{count - 1 - length_hint(source)}]") from None
        if dynamic:
            heads, offset = [], 32 * count
            for tail in parts:
                heads.append(offset.to_bytes(32, "big"))
                offset += len(tail)
            parts = heads + parts
        if wanted is None:
            parts.insert(0, count.to_bytes(32, "big"))
        return b"".join(parts)

    return encode


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:80] + "…"


@lru_cache(maxsize=2048)
def encoder(kind: AbiType) -> Encoder:
    """The closure that encodes values of ``kind``: a word, several, or the tail of a dynamic type.

    It raises ``Fault``; public functions make a ``ValidationError`` of it.
    """
    if kind.kind in ("uint", "int"):
        return _integer_encoder(kind)
    if kind.kind == "fixed_bytes":
        return _fixed_bytes_encoder(kind)
    if kind.kind == "tuple":
        return _tuple_encoder(kind)
    if kind.kind == "array":
        return _array_encoder(kind)
    return {
        "address": _encode_address,
        "bool": _encode_bool,
        "bytes": _encode_bytes,
        "string": _encode_string,
    }[kind.kind]
