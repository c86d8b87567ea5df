"""Python values to ABI bytes: one closure per type, built once and cached.

Strict: a ``bool`` is no integer nor the reverse, ranges and lengths are checked, text must be valid
Unicode, nothing is cut or padded silently; the error names the place (``order.tag``, ``[2].x``).
A dynamic type encodes to its tail, a static one to its words; tuples and arrays lay them out in one
join. Reference: Solidity "Contract ABI Specification"; chain.md §3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import length_hint

from .abi_types import AbiType

__all__ = ["Encoder", "Fault", "encoder", "show", "utf8"]

Encoder = Callable[[object], bytes]

_PAD = [bytes(n) for n in range(33)]
_PAD12 = bytes(12)
_TRUE = bytes(31) + b"\1"


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
    return _encode_bytes(utf8(value))


def _tuple_encoder(kind: AbiType) -> Encoder:
    encoders = [encoder(item) for item in kind.components]
    wanted = len(encoders)
    steps = [f".{item.label}" if item.label else f"[{i}]" for i, item in enumerate(kind.components)]
    dynamic = [i for i, item in enumerate(kind.components) if item.dynamic]
    head_size = sum(item.head_size for item in kind.components)

    def encode(values: object) -> bytes:
        if not isinstance(values, (tuple, list)):
            raise Fault(f"{_short(kind.name)} must be a tuple, got {show(values)}")
        if len(values) != wanted:
            raise Fault(f"{_short(kind.name)} needs {wanted} values, got {len(values)}")
        source = iter(values)
        try:
            parts = [encode_one(value) for encode_one, value in zip(encoders, source, strict=False)]
        except Fault as fault:
            raise fault.at(steps[wanted - 1 - length_hint(source)]) from None
        offset = head_size
        for i in dynamic:
            tail = parts[i]
            parts[i] = offset.to_bytes(32, "big")
            parts.append(tail)
            offset += len(tail)
        return b"".join(parts)

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
