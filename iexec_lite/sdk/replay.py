"""Why a mined transaction failed: the same call once more, at the block that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import TransportError, Web3ProviderCallError, Web3ProviderError
from ..eth.codec import to_hex
from ..eth.transaction import parse
from .entrusted import Asked
from .fees import call_fields, reason_of

if TYPE_CHECKING:
    from ..net.rpc import Rpc
    from .journal import Entry

__all__ = ["why_failed"]


def why_failed(
    rpc: Rpc, sender: str, entry: Entry, receipt: Mapping[str, Any]
) -> Web3ProviderCallError:
    """The error for a transaction mined with status 0, with the reason if a replay tells it."""
    from ..net.rpc_error import RpcError

    text = "transaction failed"
    cause: Web3ProviderError | None = None
    try:
        rpc.request("eth_call", (_sent_fields(entry, sender), receipt["blockNumber"]))
    except RpcError as error:
        cause, reason = error, reason_of(error)
        text += f": {reason}" if reason else ""
    except (TransportError, Web3ProviderError):
        pass  # the reason is a courtesy
    return Web3ProviderCallError(
        text, details={"receipt": dict(receipt)}, cause=cause, tx_hash=entry.tx_hash
    )


def _sent_fields(entry: Entry, sender: str) -> dict[str, str]:
    if entry.raw is None:
        asked = Asked.of(entry)
        return call_fields(sender, asked.to, asked.data, asked.value)
    sent = parse(entry.raw).transaction
    to = None if sent.to is None else to_hex(sent.to)
    return {**call_fields(sender, to, sent.data, sent.value), "gas": hex(sent.gas)}
