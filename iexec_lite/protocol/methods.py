"""Contract functions and events in the forms of the library, parsed at first use.

``Method`` and ``EventSpec`` hold a human-readable signature (``eth.abi``), in which ``{AppOrder}``
and the like stand for the structs of the order classes. Forms: address = EIP-55 ``str``, bytes32 =
``0x`` ``str``, ``bytes``, ``int``, ``str``, ``bool``, structs = dictionaries by component name.
Refused: wrong numbers and kinds of arguments (ValidationError names them), answers and logs that
are not what the signature says (DecodingError). Spec: chain.md §3; the tables are ``contracts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from operator import length_hint

from ..errors import DecodingError, IExecError, ValidationError
from ..eth import abi
from ..eth.abi_types import AbiType, parse_signature
from ..eth.codec import address_to_bytes, from_hex, to_hex
from .columns import from_abi, to_abi

__all__ = ["EventSpec", "Method", "Read"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def _structs() -> Mapping[str, str]:
    """Signed order structs as ABI text by their Solidity name."""
    from .orders import SIGNED_ORDER_KINDS

    return {kind.solidity: kind.abi_tuple() for kind in SIGNED_ORDER_KINDS.values()}


def _filled(text: str) -> str:
    """The signature with the order structs in place of their placeholders."""
    return _PLACEHOLDER.sub(lambda match: _structs()[match[1]], text)


class Method:
    """One contract function. ``text`` is its human-readable signature."""

    __slots__ = ("_function", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._function: abi.Function | None = None

    def __repr__(self) -> str:
        return f"Method({self.text!r})"

    @property
    def function(self) -> abi.Function:
        """The parsed function."""
        if self._function is None:
            self._function = abi.function(_filled(self.text))
        return self._function

    @property
    def name(self) -> str:
        """The contract's name for it."""
        return self.text.partition("(")[0]

    @property
    def signature(self) -> str:
        """Canonical text, e.g. ``viewConsumed(bytes32)``."""
        return self.function.signature

    @property
    def selector(self) -> bytes:
        """The first 4 bytes of its calldata."""
        return self.function.selector

    @property
    def mutability(self) -> str:
        """``view``, ``pure``, ``payable`` or ``nonpayable``."""
        found = parse_signature(_filled(self.text)).modifiers & {"view", "pure", "payable"}
        return next(iter(found), "nonpayable")

    def encode(self, *args: object) -> bytes:
        """Calldata. Structs may be dictionaries, order records or sequences."""
        function = self.function
        inputs = function.inputs
        if len(args) != len(inputs):
            raise ValidationError(f"{self.name} takes {len(inputs)} arguments, got {len(args)}")
        left = iter(args)
        try:
            values = list(map(to_abi, inputs, left))
        except ValidationError as error:
            at = len(args) - 1 - length_hint(left)
            place = inputs[at].label or f"argument {at}"
            raise ValidationError(f"{self.name}: {place}: {error.message}") from None
        return function.encode(*values)

    def encode_raw(self, *args: object) -> bytes:
        """Calldata of values in the form of ``eth`` (addresses and bytes32 as ``bytes``)."""
        return self.function.encode(*args)

    def decode(self, data: bytes) -> object:
        """What a call answered: None, the value, or a tuple of several values."""
        outputs = self.function.outputs
        values = self.function.decode_output(data)
        found = tuple(from_abi(kind, value) for kind, value in zip(outputs, values, strict=True))
        if len(found) == 1:
            return found[0]
        return found or None

    def decode_input(self, data: bytes) -> tuple[object, ...]:
        """The arguments in calldata of this function, selector included."""
        inputs = self.function.inputs
        values = self.function.decode_input(data)
        return tuple(from_abi(kind, value) for kind, value in zip(inputs, values, strict=True))


Read = tuple[str, Method, tuple[object, ...]]  # contract address, what is read, its arguments


class EventSpec:
    """One contract event. ``text`` is its human-readable signature."""

    __slots__ = ("_event", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._event: abi.Event | None = None

    def __repr__(self) -> str:
        return f"EventSpec({self.text!r})"

    @property
    def event(self) -> abi.Event:
        """The parsed event."""
        if self._event is None:
            self._event = abi.event(_filled(self.text))
        return self._event

    @property
    def name(self) -> str:
        """The contract's name for it."""
        return self.text.partition("(")[0]

    @property
    def signature(self) -> str:
        """Canonical text, e.g. ``ClosedAppOrder(bytes32)``."""
        return self.event.signature

    @property
    def topic(self) -> str:
        """The first topic of its logs, ``0x`` bytes32."""
        return to_hex(self.event.topic)

    def decode(self, log: Mapping[str, object]) -> dict[str, object]:
        """The arguments by name, of a log as JSON-RPC gives it (``topics``, ``data`` in hex)."""
        topics, data = _log_bytes(log)
        found = self.event.decode(topics, data)
        return {
            label: from_abi(_topic_type(kind), value)
            for (label, value), kind in zip(found.items(), self.event.inputs, strict=True)
        }

    def find(self, logs: Iterable[Mapping[str, object]], emitter: str) -> list[dict[str, object]]:
        """The decoded logs of this event that ``emitter`` (address) has written, in order.

        Other logs are passed over, also events that differ in what is indexed only, and logs that
        a reorganisation removed. DecodingError where a log of this event is damaged, or one is no
        log at all.
        """
        wanted = address_to_bytes(emitter, name="emitter")
        return [self.decode(log) for log in logs if self._is_mine(log, wanted)]

    def _is_mine(self, log: Mapping[str, object], emitter: bytes) -> bool:
        if not isinstance(log, Mapping):
            raise DecodingError("not a log: it must be an object")
        topics = log.get("topics")
        if not isinstance(topics, (list, tuple)) or not topics or log.get("removed") is True:
            return False
        indexed = sum(kind.indexed for kind in self.event.inputs)
        if len(topics) != 1 + indexed or not self._is_topic(topics[0]):
            return False
        try:
            return address_to_bytes(log.get("address")) == emitter
        except ValidationError:
            return False

    def _is_topic(self, topic: object) -> bool:
        return isinstance(topic, str) and topic.lower() == self.topic


def _topic_type(kind: AbiType) -> AbiType:
    """Type of what a log holds: of a long indexed value only the hash."""
    if kind.indexed and (kind.dynamic or kind.kind in ("array", "tuple")):
        return abi.parse_type("bytes32")
    return kind


def _log_bytes(log: Mapping[str, object]) -> tuple[list[bytes], bytes]:
    try:
        topics = log.get("topics") if isinstance(log, Mapping) else None
        if not isinstance(topics, (list, tuple)):
            raise ValidationError("topics must be a list")
        return [from_hex(topic, name="topic") for topic in topics], from_hex(
            log.get("data"), name="data"
        )
    except IExecError as error:
        raise DecodingError(f"not a log: {error.message}", cause=error) from None
