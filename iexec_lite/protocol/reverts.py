"""Why the contracts revert: the codes of ``matchOrders`` in words, and the custom errors.

``eth.abi.decode_revert(data, custom_errors())`` reads revert data, ``explain_revert`` adds what a
code means. Most other requirements of the contracts have no reason at all. Spec: chain.md §7.2,
§13.3, §13.4; sandbox6.md §5, §8.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from ..eth import abi

__all__ = ["MATCH", "MATCH_REVERTS", "custom_errors", "explain_revert"]

MATCH = "iExecV5-matchOrders-"

# The reasons that matchOrders reverts with, in readable words (chain.md §7.2).
MATCH_REVERTS: Mapping[str, str] = MappingProxyType(
    {
        MATCH + code: text
        for code, text in {
            "0x00": "request order and workerpool order have different categories",
            "0x01": "the category does not exist",
            "0x02": "the workerpool order's trust is below the request order's",
            "0x03": "the app's price is above the request order's maximum",
            "0x04": "the dataset's price is above the request order's maximum",
            "0x05": "the workerpool's price is above the request order's maximum",
            "0x06": "the workerpool order lacks tags that the other orders demand",
            "0x07": "the other orders demand the tee tag, and the app order lacks it",
            "0x10": "request order and app order name different apps",
            "0x11": "request order and dataset order name different datasets",
            "0x12": "the request order is restricted to another workerpool",
            "0x13": "the app order is restricted to another dataset",
            "0x14": "the app order is restricted to another workerpool",
            "0x15": "the app order is restricted to another requester",
            "0x16": "the dataset order is restricted to another app",
            "0x17": "the dataset order is restricted to another workerpool",
            "0x18": "the dataset order is restricted to another requester",
            "0x19": "the workerpool order is restricted to another app",
            "0x1a": "the workerpool order is restricted to another dataset",
            "0x1b": "the workerpool order is restricted to another requester",
            "0x20": "the app is not registered",
            "0x21": "the app order is not signed by the app's owner",
            "0x22": "the app's owner has no KYC",
            "0x30": "the dataset is not registered",
            "0x31": "the dataset order is not signed by the dataset's owner",
            "0x32": "the dataset's owner has no KYC",
            "0x40": "the workerpool is not registered",
            "0x41": "the workerpool order is not signed by the workerpool's owner",
            "0x42": "the workerpool's owner has no KYC",
            "0x50": "the request order is not signed by the requester",
            "0x51": "the requester has no KYC",
            "0x60": "one of the orders is used up",
        }.items()
    }
)


def explain_revert(reason: str) -> str | None:
    """What a revert reason of the contracts means, where that is known."""
    return MATCH_REVERTS.get(reason)


@lru_cache(maxsize=1)
def custom_errors() -> tuple[abi.Error, ...]:
    """The custom errors of the contracts, for ``eth.abi.decode_revert``."""
    return tuple(
        abi.error(text)
        for text in (
            "CallerIsNotTheRequester()",
            "UnsupportedOperation(bytes4 selector)",
            "OperationFailed()",
            "IncompatibleDatasetOrder(string reason)",
            "FunctionNotFound(bytes4 selector)",
            "NotContractOwner(address user, address owner)",
        )
    )
