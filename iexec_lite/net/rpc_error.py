"""A node's refusal, told apart by kind and said in the words of chain.md §10.

Nodes differ in code, wording and place of the revert data: this module knows geth, nethermind,
besu, erigon, anvil, ganache and parity, and never raises on what a node sends.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

from ..errors import Web3ProviderCallError
from ..eth import abi
from ..eth.codec import to_hex

__all__ = ["CANNOT_ESTIMATE", "RpcError", "revert_data", "shown"]

_HEX = re.compile(r"0x((?:[0-9a-fA-F]{2})*)\Z")

# Node wordings (geth, nethermind, besu, erigon, anvil, ganache, parity) and what they mean.
# Compiled at the first refusal: most programs never see one.
_KINDS = {
    "insufficient_funds": r"insufficient ?(funds|balance)|upfront cost exceeds",
    "nonce_too_low": r"nonce (is )?too low|nonce_too_low|OldNonce",
    "already_known": r"already ?known|\bknown transaction|already (imported|in (the )?pool)",
    "underpriced": r"replacement.*(underpriced|not ?allowed)|could not replace",
    "estimate": r"gas required exceeds allowance|always failing transaction|revert"
    r"|VM (Exception|execution error)",
    "refused": r"intrinsic gas too low|exceeds.*(gas limit|cap)|invalid (sender|signature|chain)"
    r"|less than (the )?block base fee|underpriced|(price|fee) ?too ?low|below.*minimum"
    r"|GasLimitExceeded|NonceGap|SenderIsContract|not ?supported|oversized"
    r"|nonce too high|decode",
}
_BUSY = r"rate limit|too many requests|capacity|try again"
_BUSY_CODES = frozenset((429, -32005))  # "limit exceeded": passes by itself
_REFUSED_CODES = frozenset((-32600, -32601, -32602))  # invalid request, method, params
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_MAX_TEXT = 500  # characters of another's text that go into ours
_MAX_DATA = 4096  # bytes of revert data shown in an error's details
_TEXTS = {
    "insufficient_funds": "insufficient funds for intrinsic transaction cost: the account needs "
    "more of the chain's coin",
    "nonce_too_low": "nonce has already been used: another program sends with this account",
    "underpriced": "replacement fee too low: wait for the transaction that is pending, or offer a "
    "higher gas_price",
}
_CURES = {
    "already_known": "the node has this transaction, wait for it",
    "refused": "the node does not take this, see its words",
    "other": "if it stays so, use another node",
}
_WAIT = "wait, or use a node with a higher limit"
CANNOT_ESTIMATE = "cannot estimate gas; transaction may fail or may require manual gas limit"


def _says(message: str, words: str) -> bool:
    return re.search(words, message, re.IGNORECASE) is not None


class RpcError(Web3ProviderCallError):
    """A JSON-RPC error of the node.

    ``rpc_code`` and ``node_message`` are the node's own, ``data`` is revert data (bytes or None),
    ``revert`` what it says. ``kind``: ``revert``, ``estimate``, ``insufficient_funds``,
    ``nonce_too_low``, ``already_known``, ``underpriced`` (another with this nonce pays more),
    ``refused`` (surely not taken) or ``other`` (anything may have happened). ``certain`` is False
    where another node was offered the same before and its answer was lost.
    """

    certain = True

    def __init__(
        self, code: int, message: str, data: bytes | None = None, *, method: str = ""
    ) -> None:
        self.rpc_code = code
        self.node_message = message
        self.data = data
        self.revert = abi.decode_revert(data) if data else None
        self.kind = next((kind for kind, words in _KINDS.items() if _says(message, words)), "other")
        if self.kind == "other" and code in _REFUSED_CODES:
            self.kind = "refused"
        if self.revert is not None or data or code == 3:
            self.kind = "estimate" if method == "eth_estimateGas" else "revert"
        elif self.kind == "estimate" and method == "eth_call":
            self.kind = "revert"
        details: dict[str, object] = {"rpcCode": code, "nodeMessage": message}
        if method:
            details["method"] = method
        if data and len(data) <= _MAX_DATA:
            details["data"] = to_hex(data)
        busy = code in _BUSY_CODES or _says(message, _BUSY)
        super().__init__(self._text(busy), details=details, retryable=busy)

    @property
    def reason(self) -> str | None:
        """The contract's words, made safe to show, where the node gave any."""
        return shown(self.revert.text) if self.revert is not None else None

    def _text(self, busy: bool) -> str:
        node = self.node_message or f"error {self.rpc_code}"
        if self.kind == "estimate":
            # V6 hides the reason in nested objects; here it follows.
            return f"{CANNOT_ESTIMATE}: {self.reason or node}"
        if self.kind == "revert":
            return self.reason or (
                f"call revert exception ({node}): check the address, the arguments and the chain"
            )
        cure = _WAIT if busy else _CURES.get(self.kind)
        return _TEXTS.get(self.kind, f"processing response error: {node} ({cure})")


def shown(text: str) -> str:
    """Another's text made safe for a terminal or a log: one line, bounded, no control characters.

    Contracts and nodes choose these texts: an escape sequence could rewrite what a user sees.
    """
    text = _CONTROL.sub(" ", text)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def revert_data(value: object, depth: int = 4) -> bytes | None:
    """Revert bytes in ``error.data``: hex, parity's ``Reverted 0x…``, or nested in objects."""
    if isinstance(value, str):
        match = _HEX.match(value.removeprefix("Reverted "))
        return bytes.fromhex(match[1]) if match else None
    if not isinstance(value, dict) or depth == 0:
        return None
    for key in ("data", "return", "result", "originalError", *_hash_keys(value)):
        found = revert_data(value.get(key), depth - 1)
        if found:
            return found
    return None


def _hash_keys(value: Mapping[str, object]) -> Iterator[str]:
    """ganache files an error under the hash of its transaction."""
    return (key for key in itertools.islice(value, 8) if key.startswith("0x"))
