"""What a send means, what came of it, and the events that prove it (design.md, Transactions).

An intent leaves out what a call draws itself (salt, time, fee), so that the same wish is known
again when its first attempt has an unknown outcome.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ValidationError, Web3ProviderCallError, Web3ProviderError
from ..eth.codec import address_to_bytes
from ..frozen import Frozen, field

if TYPE_CHECKING:
    from ..protocol.contracts import EventSpec

__all__ = [
    "Accept",
    "Expected",
    "Finish",
    "Intent",
    "Prepare",
    "Sent",
    "expected_events",
    "find_events",
]

# (event, address that must emit it) or (event, address, name for the error)
Expected = tuple["EventSpec", str] | tuple["EventSpec", str, str]
# hash of a mined transaction, note of its entry
Finish = Callable[[str, Mapping[str, object]], object]
# what to send, and the note to keep with it
Prepare = Callable[[], "tuple[bytes, Mapping[str, object] | None]"]
# note of an entry that would be resumed; raises to leave it alone
Accept = Callable[[Mapping[str, object]], object]


class Intent(Frozen):
    """What the user meant: ``operation`` and its JSON-able ``arguments``, by ``sender`` on a chain.

    ``key`` is the same for the same intent, whatever the order of the arguments.
    """

    chain_id: int
    sender: str
    operation: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        address_to_bytes(self.sender, name="sender")
        self._text()

    @property
    def key(self) -> str:
        """64 hex digits."""
        return hashlib.sha256(self._text().encode("utf-8")).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """The JSON form that the journal keeps."""
        return {
            "chainId": self.chain_id,
            "sender": self.sender.lower(),
            "operation": self.operation,
            "arguments": self.arguments,
        }

    def _text(self) -> str:
        try:
            return json.dumps(
                self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise ValidationError(
                f"the arguments of intent {self.operation!r} are not JSON: {error}", cause=error
            ) from error


class Sent(Frozen):
    """A confirmed transaction: ``events`` are those that were expected, in that order.

    ``resumed``: it was sent by an earlier, identical call; ``note`` is what that one kept.
    """

    tx_hash: str
    receipt: Mapping[str, Any]
    events: list[dict[str, object]]
    resumed: bool = False
    note: Mapping[str, object] | None = None


def expected_events(expect: Expected | Sequence[Expected] | None) -> Sequence[Expected]:
    """The events in one form: none, one or many."""
    if not expect:
        return ()
    if isinstance(expect, tuple) and isinstance(expect[-1], str):  # one, not a tuple of them
        return (expect,)
    return expect  # type: ignore[return-value]


def find_events(
    expected: Sequence[Expected], receipt: Mapping[str, Any], tx_hash: str
) -> list[dict[str, object]]:
    """The expected events, each from its emitter; ``<Event> not confirmed`` if one is missing."""
    events: list[dict[str, object]] = []
    for spec, emitter, *label in expected:
        text = f"{label[0] if label else spec.name} not confirmed"
        try:
            found = spec.find(receipt["logs"], emitter)
        except (ValidationError, Web3ProviderError) as error:
            raise Web3ProviderCallError(
                f"{text}: {error.message}", cause=error, tx_hash=tx_hash
            ) from error
        if not found:
            raise Web3ProviderCallError(text, tx_hash=tx_hash)
        events += found
    return events
