"""Several nodes of which some must agree: what V6 calls a fallback provider with a quorum.

Nodes are asked one after the other until ``quorum`` of them gave the same answer. "latest" is
pinned first to a block that enough of them have, or they would disagree at every new block. What
honest nodes answer differently (prices, estimates) is not compared but chosen. A signed transaction
goes to all; one success is enough. Other writes go to the first node. Facts: chain.md §1.5.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigurationError, TransportError, Web3ProviderCallError
from .http import Timeout, Transport
from .rpc import READS, Rpc, quantity
from .rpc_error import RpcError

__all__ = ["QuorumRpc", "connect"]

_SEND = "eth_sendRawTransaction"
_PRICES = frozenset(("eth_gasPrice", "eth_maxPriorityFeePerGas"))
_LOOKUPS = frozenset(("eth_getTransactionReceipt", "eth_getTransactionByHash"))
_BLOCK = ("hash", "number", "timestamp", "gasLimit", "baseFeePerGas")
_COMPARED = {
    "eth_getBlockByNumber": _BLOCK,
    "eth_getBlockByHash": _BLOCK,
    "eth_getTransactionByHash": ("hash", "blockHash", "from", "nonce", "input", "value", "to"),
    "eth_getTransactionReceipt": ("transactionHash", "blockHash", "blockNumber", "status"),
}
_LOG = ("address", "topics", "data")
_UNDECIDED = object()

Calls = Sequence[tuple[str, Sequence[object]]]


def connect(
    urls: str | Sequence[str],
    *,
    quorum: int = 1,
    http: Transport | None = None,
    timeout: float | Timeout | None = None,
) -> Rpc:
    """An ``Rpc`` to one node, to several in turn, or to a ``quorum`` of them."""
    if quorum == 1:
        return Rpc(urls, http=http, timeout=timeout)
    return QuorumRpc(urls, quorum=quorum, http=http, timeout=timeout)


class QuorumRpc(Rpc):
    """As ``Rpc``, but a read counts only when ``quorum`` of the nodes agree on it."""

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        quorum: int,
        http: Transport | None = None,
        timeout: float | Timeout | None = None,
    ) -> None:
        super().__init__(urls, http=http, timeout=timeout)
        if isinstance(quorum, bool) or not 1 <= quorum <= len(set(self._urls)):
            raise ConfigurationError(
                f"a quorum of {quorum} is not possible with {len(set(self._urls))} nodes"
            )
        self._quorum = quorum
        self._members = [Rpc(url, http=self._http, timeout=timeout) for url in self._urls]

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """The result that enough nodes agree on; see ``Rpc.request``."""
        if method == _SEND:
            return self._send_to_all(params)
        if method not in READS:
            return super().request(method, params)
        [result] = self._agreed([(method, params)])
        if isinstance(result, Exception):
            raise result
        return result

    def batch(self, calls: Calls) -> list[Any]:
        """The results that enough nodes agree on, in order; see ``Rpc.batch``."""
        if not calls or any(method not in READS for method, _ in calls):
            return super().batch(calls)
        return self._agreed(calls)

    def _send_to_all(self, params: Sequence[object]) -> Any:
        """One success is one; else the most telling refusal."""
        failures: list[TransportError | Web3ProviderCallError] = []
        accepted: list[Any] = []
        for member in self._members:
            try:
                accepted.append(member.request(_SEND, params))
            except (TransportError, Web3ProviderCallError) as error:
                failures.append(error)
        if accepted:
            return accepted[0]
        raise min(failures, key=_certainty)

    def _agreed(self, calls: Calls) -> list[Any]:
        calls = self._pinned(calls)
        answers: list[list[Any]] = []
        failure: TransportError | Web3ProviderCallError | None = None
        for member in self._members:
            try:
                answers.append(member.batch(calls))
            except (TransportError, Web3ProviderCallError) as error:
                failure = error
                continue
            if len(answers) >= self._quorum:
                chosen = self._chosen(calls, answers)
                if _UNDECIDED not in chosen:
                    return chosen
        if len(answers) < self._quorum:
            assert failure is not None  # noqa: S101 - there are at least ``quorum`` members
            raise failure
        return [
            self._disagreement(method) if result is _UNDECIDED else result
            for (method, _), result in zip(calls, chosen, strict=True)
        ]

    def _pinned(self, calls: Calls) -> Calls:
        """``latest`` as the newest block that ``quorum`` nodes have."""
        if not any("latest" in params for _, params in calls):
            return calls
        head = self._agreed([("eth_blockNumber", ())])[0]
        if isinstance(head, Exception):
            raise head
        return [
            (method, [head if item == "latest" else item for item in params])
            for method, params in calls
        ]

    def _chosen(self, calls: Calls, answers: list[list[Any]]) -> list[Any]:
        return [
            self._choose(method, params, [given[i] for given in answers])
            for i, (method, params) in enumerate(calls)
        ]

    def _choose(self, method: str, params: Sequence[object], values: list[Any]) -> Any:
        """One answer of many, or ``_UNDECIDED``."""
        good = [value for value in values if _is_quantity(value)]
        if method == "eth_blockNumber" and len(good) == len(self._members):
            return _ranked(good, self._quorum - 1)
        if len(good) >= self._quorum:
            if method in _PRICES:
                return _ranked(good, len(good) // 2)
            if method == "eth_estimateGas" or "pending" in params:
                return _ranked(good, 0)
        keys = [_key(method, value) for value in values]
        for key, value in zip(keys, values, strict=True):
            if keys.count(key) >= self._quorum:
                return value
        if len(values) < len(self._members):
            return _UNDECIDED
        if method == "eth_blockNumber" and len(good) >= self._quorum:
            return _ranked(good, self._quorum - 1)
        # Seen by too few nodes is not seen yet.
        return None if method in _LOOKUPS else _UNDECIDED

    def _disagreement(self, method: str) -> Web3ProviderCallError:
        return Web3ProviderCallError(
            f"the nodes disagree on {method}: "
            f"no {self._quorum} of {len(self._members)} say the same",
            retryable=True,
        )


def _certainty(error: TransportError | Web3ProviderCallError) -> int:
    """How surely it says that a transaction was not taken: the least sure speaks for all nodes."""
    if not isinstance(error, RpcError):
        return 1  # a node that cannot be reached leaves it open what it would have said
    return {"already_known": 0, "other": 2, "revert": 2, "estimate": 2}.get(error.kind, 3)


def _is_quantity(value: Any) -> bool:
    try:
        return quantity(value) >= 0
    except Web3ProviderCallError:
        return False


def _ranked(values: list[str], place: int) -> str:
    """The value at ``place``, counted from the highest."""
    return hex(sorted((quantity(value) for value in values), reverse=True)[place])


def _key(method: str, value: Any) -> str:
    """What must be the same for two answers to agree: nodes add fields of their own."""
    if isinstance(value, RpcError):
        return f"error {value.kind} {value.data!r}"
    fields = _COMPARED.get(method)
    if fields is not None and isinstance(value, dict):
        logs = value["logs"] if isinstance(value.get("logs"), list) else []
        value = [
            [value.get(name) for name in fields],
            [[log.get(name) for name in _LOG] for log in logs if isinstance(log, dict)],
        ]
    return json.dumps(value, sort_keys=True)
