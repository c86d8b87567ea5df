"""Contract ABI: functions, events, custom errors and plain values.

``function(text)``, ``event(text)`` and ``error(text)`` take the human-readable form and hold what
follows from it: signature, selector or topic, and compiled codecs. Values are those of ``eth``:
address = 20 ``bytes``, integers = ``int``, ``bool``, ``string`` = ``str``, ``bytes``/``bytesN`` =
``bytes``, tuples and arrays = ``tuple`` (``list`` accepted going in). What is refused and what is
tolerated: ``abi_types`` (types), ``abi_encode`` and ``abi_decode`` (values).
Spec: chain.md §3, §4.1, §4.3, §8.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

from ..errors import DecodingError, IExecError, ValidationError
from .abi_decode import DEFAULT_LIMITS, Limits, RowDecoder, row_decoder
from .abi_encode import Encoder, Fault, encoder
from .abi_types import (
    AbiType,
    Signature,
    parse_signature,
    parse_type,
    tuple_of,
    type_from_json,
    unique_labels,
)
from .codec import checksum_address, to_hex
from .crypto import keccak

__all__ = [
    "DEFAULT_LIMITS",
    "PANIC_REASONS",
    "AbiType",
    "Error",
    "Event",
    "Function",
    "Limits",
    "Revert",
    "decode",
    "decode_revert",
    "encode",
    "error",
    "error_from_json",
    "event",
    "event_from_json",
    "function",
    "function_from_json",
    "parse_type",
]

PANIC_REASONS: Mapping[
    int, str
] = {  # Solidity documentation, "Panic via assert and Error via require"
    0x00: "generic panic inserted by the compiler",
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division or modulo by zero",
    0x21: "value out of range for an enum",
    0x22: "incorrectly encoded storage byte array",
    0x31: "pop on an empty array",
    0x32: "array index out of bounds",
    0x41: "too much memory allocated, or an array too large",
    0x51: "call of an uninitialised internal function",
}


@lru_cache(maxsize=256)
def _row(types: tuple[str, ...]) -> tuple[Encoder, RowDecoder]:
    kind = tuple_of([parse_type(text) for text in types])
    return encoder(kind), row_decoder(kind)


def encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    """ABI encoding of ``values``, one per type text. ``ValidationError`` names the wrong one."""
    try:
        return _row(tuple(types))[0](values)
    except Fault as fault:
        raise ValidationError(fault.text("values")) from None


def decode(
    types: Sequence[str], data: bytes, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[object, ...]:
    """The values that ``data`` encodes, one per type text. ``DecodingError`` if it does not."""
    return _row(tuple(types))[1](data, "values", limits)


class _Callable:
    """What functions and custom errors share: a selector in front of encoded inputs."""

    __slots__ = ("_decode", "_encode", "inputs", "name", "selector", "signature")
    what: ClassVar = "function"

    def __init__(self, parsed: Signature) -> None:
        if any(item.indexed for item in parsed.inputs):
            raise ValidationError(f"{parsed.text}: only parameters of events are indexed")
        self.name = parsed.name
        self.signature = parsed.text
        self.inputs = parsed.inputs
        self.selector = keccak(parsed.text.encode("ascii"))[:4]
        row = tuple_of(parsed.inputs)
        self._encode = encoder(row)
        self._decode = row_decoder(row)

    def __repr__(self) -> str:
        return f"<{self.what} {self.signature}>"

    def encode(self, *args: object) -> bytes:
        """Selector and encoded arguments. ``ValidationError`` names the wrong argument."""
        try:
            return self.selector + self._encode(args)
        except Fault as fault:
            raise ValidationError(f"{self.name}: {fault.text('arguments')}") from None

    def decode_input(self, data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[object, ...]:
        """The arguments in ``data``, which begins with the selector."""
        if data[:4] != self.selector:
            raise DecodingError(
                f"not data of {self.name}: selector {to_hex(bytes(data[:4]))}, "
                f"expected {to_hex(self.selector)}"
            )
        return self._decode(data[4:], f"{self.name} input", limits)


class Function(_Callable):
    """A contract function. ``inputs`` and ``outputs`` are ``AbiType``, ``label`` is the name."""

    __slots__ = ("_output", "outputs")

    def __init__(self, parsed: Signature) -> None:
        super().__init__(parsed)
        self.outputs = parsed.outputs
        self._output = row_decoder(tuple_of(parsed.outputs))

    def decode_output(self, data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[object, ...]:
        """The returned values. Bytes behind them are ignored, as newer contracts return more."""
        if not data and self.outputs:
            raise DecodingError(
                f"{self.name} returned no data: there is no contract with this function "
                "at the address, or not on this chain"
            )
        return self._output(data, f"{self.name} output", limits)


class Error(_Callable):
    """A custom error of a contract."""

    __slots__ = ()
    what: ClassVar = "error"

    def decode(self, data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[object, ...]:
        """The arguments in revert data, which begins with the selector."""
        return self.decode_input(data, limits=limits)


class Event:
    """A contract event. ``topic`` is the first topic of its logs (an anonymous one has none)."""

    __slots__ = (
        "_data",
        "_labels",
        "_plain",
        "_topics",
        "anonymous",
        "inputs",
        "name",
        "signature",
        "topic",
    )

    def __init__(self, parsed: Signature) -> None:
        self.name = parsed.name
        self.signature = parsed.text
        self.inputs = parsed.inputs
        self.anonymous = "anonymous" in parsed.modifiers
        self.topic = keccak(parsed.text.encode("ascii"))
        self._labels = unique_labels(parsed.inputs, parsed.text)
        self._plain = [i for i, item in enumerate(parsed.inputs) if not item.indexed]
        # What does not fit in one word is present as its hash only.
        self._topics = [
            (i, row_decoder(tuple_of([parse_type("bytes32") if _hashed(item) else item])))
            for i, item in enumerate(parsed.inputs)
            if item.indexed
        ]
        self._data = row_decoder(tuple_of([parsed.inputs[i] for i in self._plain]))
        if len(self._topics) > (4 if self.anonymous else 3):
            raise ValidationError(f"event {parsed.text}: too many indexed parameters")

    def __repr__(self) -> str:
        return f"<event {self.signature}>"

    def decode(
        self, topics: Sequence[bytes], data: bytes, *, limits: Limits = DEFAULT_LIMITS
    ) -> dict[str, object]:
        """Arguments by name, in their order; unnamed ones are keyed by position (``"0"``).

        ``topics`` as in the log, the event's own first. An indexed string, bytes, array or tuple is
        its 32-byte hash. ``DecodingError`` if the log is not of this event, also where only the
        indexed parameters differ (``Transfer`` of ERC-20 and ERC-721).
        """
        own = 0 if self.anonymous else 1
        if own and (not topics or bytes(topics[0]) != self.topic):
            raise DecodingError(f"not a log of {self.signature}: the first topic differs")
        if len(topics) - own != len(self._topics):
            raise DecodingError(
                f"not a log of this {self.signature}: {len(topics) - own} indexed "
                f"parameters, expected {len(self._topics)}"
            )
        if any(len(topic) != 32 for topic in topics):
            raise DecodingError(f"log of {self.signature}: a topic must be 32 bytes")
        name = f"{self.name} log"
        found = dict(zip(self._plain, self._data(data, name, limits), strict=True))
        for (i, decode_one), topic in zip(self._topics, topics[own:], strict=True):
            found[i] = decode_one(topic, name, limits)[0]
        return {label: found[i] for i, label in enumerate(self._labels)}


def _hashed(item: AbiType) -> bool:
    return item.dynamic or item.kind in ("array", "tuple")


def _declaration(text: str, keyword: str) -> Signature:
    parsed = parse_signature(text)
    if parsed.keyword not in ("", keyword):
        raise ValidationError(
            f"expected {keyword} declaration, got {parsed.keyword}: {text[:200]!r}"
        )
    if keyword != "function" and (parsed.outputs or parsed.modifiers - {"anonymous"}):
        raise ValidationError(f"{parsed.text}: only functions have modifiers and outputs")
    return parsed


@lru_cache(maxsize=1024)
def function(text: str) -> Function:
    """The function that ``text`` declares, e.g. ``viewScore(address) view returns (uint256)``."""
    return Function(_declaration(text, "function"))


@lru_cache(maxsize=1024)
def event(text: str) -> Event:
    """The event that ``text`` declares, e.g. ``TaskReveal(bytes32 indexed taskid, …)``."""
    return Event(_declaration(text, "event"))


@lru_cache(maxsize=1024)
def error(text: str) -> Error:
    """The custom error that ``text`` declares."""
    return Error(_declaration(text, "error"))


def _from_json(entry: Mapping[str, object], kind: str) -> Signature:
    if not isinstance(entry, Mapping) or entry.get("type", "function") != kind:
        raise ValidationError(f"JSON ABI: not the entry of one {kind}")
    name, lists = entry.get("name"), []
    if not isinstance(name, str) or not parse_signature(f"{name}()").name == name:
        raise ValidationError(f"JSON ABI: {kind} without a usable name")
    for key in ("inputs", "outputs"):
        items = entry.get(key) or ()
        if not isinstance(items, (list, tuple)):
            raise ValidationError(f"JSON ABI: {key} of {name} must be a list")
        lists.append(tuple(type_from_json(item) for item in items))
    modifiers = frozenset({"anonymous"} if entry.get("anonymous") else ())
    return Signature(kind, name, lists[0], lists[1], modifiers)


def function_from_json(entry: Mapping[str, object]) -> Function:
    """The function that one entry of a JSON ABI describes."""
    return Function(_from_json(entry, "function"))


def event_from_json(entry: Mapping[str, object]) -> Event:
    """The event that one entry of a JSON ABI describes."""
    return Event(_from_json(entry, "event"))


def error_from_json(entry: Mapping[str, object]) -> Error:
    """The custom error that one entry of a JSON ABI describes."""
    return Error(_from_json(entry, "error"))


# --- reverts --------------------------------------------------------------------------------------


class Revert(NamedTuple):
    """Why a call reverted: ``kind`` is ``Error``, ``Panic`` or the name of a custom error.

    ``text`` is for people (for ``Error``, the contract's own words), ``args`` are the values.
    """

    kind: str
    text: str
    args: tuple[object, ...]


_ERROR = error("Error(string reason)")
_PANIC = error("Panic(uint256 code)")


def decode_revert(data: bytes, errors: Iterable[Error] = ()) -> Revert | None:
    """What revert ``data`` says, also by the custom ``errors`` given; ``None`` if it says nothing.

    Never raises on ``data``: a contract reverts with whatever bytes it likes.
    """
    try:
        if data[:4] == _ERROR.selector:
            args = _ERROR.decode(data)
            return Revert("Error", str(args[0]), args)
        if data[:4] == _PANIC.selector:
            args = _PANIC.decode(data)
            code = int.from_bytes(data[4:36], "big")
            return Revert(
                "Panic", f"panic {code:#04x}: {PANIC_REASONS.get(code, 'unknown code')}", args
            )
    except IExecError:
        return None
    for custom in errors:
        if data[:4] == custom.selector:
            try:
                args = custom.decode(data)
            except IExecError:
                continue
            shown = ", ".join(
                _show(item, value) for item, value in zip(custom.inputs, args, strict=True)
            )
            return Revert(custom.name, f"{custom.name}({shown})", args)
    return None


def _show(kind: AbiType, value: object) -> str:
    """A decoded value as text: addresses with checksum, bytes as hex."""
    if isinstance(value, bytes):
        return checksum_address(value) if kind.kind == "address" else to_hex(value)
    if isinstance(value, tuple):
        items = [kind.item] * len(value) if kind.item is not None else kind.components
        shown = ", ".join(
            _show(item, each) for item, each in zip(items, value, strict=True) if item
        )
        return f"[{shown}]" if kind.kind == "array" else f"({shown})"
    return repr(value) if isinstance(value, str) else str(value)
