"""What a transaction may cost: fee mode, price and gas, asked in one batch before signing.

Type 2 where the latest block has a base fee, legacy elsewhere and wherever a price is prescribed by
the chain or given by the user (chain.md §1.3, §10; ``eth_maxPriorityFeePerGas`` answers on chains
without EIP-1559 too, so it proves nothing). A call that would revert is refused here, with its
reason. So is a price that only a broken or hostile node would suggest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import Web3ProviderCallError, Web3ProviderSendError
from ..eth.codec import to_hex
from ..frozen import Frozen

if TYPE_CHECKING:
    from ..net.rpc import Rpc
    from ..net.rpc_error import RpcError

__all__ = ["Quote", "call_fields", "quote", "reason_of", "refused"]

GWEI = 10**9
DEFAULT_PRIORITY = GWEI
MAX_SUGGESTED_PRICE = 20_000 * GWEI  # per gas; a user may offer more, a node may not suggest it
MAX_SUGGESTED_GAS = 100_000_000  # Arbitrum blocks name a limit of 2**50, but hold 32 million
MAX_SUGGESTED_COST = 10 * 10**18  # wei of gas in all, at a price that the node suggests
_MARGIN = (5, 4)  # the state may change between the estimate and the block
_PLAIN_TRANSFER = 21_000  # costs exactly this: no margin, so that a wallet can be emptied


class Quote(Frozen):
    """Gas units and wei per gas: either ``gas_price`` (legacy) or the two fields of type 2."""

    gas: int
    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None

    @property
    def max_cost(self) -> int:
        """Wei that gas may cost at most; the value sent comes on top."""
        price = self.gas_price if self.gas_price is not None else self.max_fee_per_gas
        return self.gas * (price or 0)


def quote(
    rpc: Rpc,
    sender: str,
    to: str | None,
    data: bytes,
    value: int,
    *,
    gas_price: int | None = None,
    gas: int | None = None,
) -> Quote:
    """The cost of a transaction now. ``gas_price`` and ``gas`` are taken as given where they are.

    ``Web3ProviderSendError`` with the contract's reason where it would revert.
    """
    asked: list[tuple[str, tuple[object, ...]]] = [
        ("eth_getBlockByNumber", ("latest", False)),
        ("eth_gasPrice", ()),
        ("eth_maxPriorityFeePerGas", ()),
    ]
    if gas is None:
        asked.append(("eth_estimateGas", (call_fields(sender, to, data, value),)))
    block, node_price, priority, *estimate = rpc.batch(asked)
    if isinstance(block, Exception):
        raise block
    if not isinstance(block, dict):
        raise Web3ProviderCallError("the node has no latest block", retryable=True)
    costs = Quote(
        gas=gas if gas is not None else _with_margin(estimate[0], block, data),
        **_price(block, node_price, priority, gas_price),
    )
    if gas_price is None and costs.max_cost > MAX_SUGGESTED_COST:
        raise Web3ProviderSendError(
            f"the node suggests {costs.gas} gas that may cost {costs.max_cost} wei, which cannot "
            "be right: check the node, or give gas_price="
        )
    return costs


def call_fields(sender: str, to: str | None, data: bytes, value: int) -> dict[str, str]:
    """A transaction as nodes take it for estimates and calls."""
    fields = {"from": sender, "data": to_hex(data), "value": hex(value)}
    if to is not None:
        fields["to"] = to
    return fields


def _with_margin(estimate: Any, block: dict[str, Any], data: bytes) -> int:
    from ..net.rpc import quantity
    from ..net.rpc_error import RpcError

    if isinstance(estimate, RpcError):
        raise refused(estimate) from estimate
    if isinstance(estimate, Exception):
        raise estimate
    gas = quantity(estimate, "eth_estimateGas")
    limit = quantity(block.get("gasLimit"), "gasLimit")
    if gas > limit:
        raise Web3ProviderSendError(
            f"the transaction needs {gas} gas, but a block of this chain holds {limit}"
        )
    if gas > MAX_SUGGESTED_GAS:
        raise Web3ProviderSendError(
            f"the node estimates {gas} gas, which cannot be right: check the node"
        )
    if gas == _PLAIN_TRANSFER and not data:
        return gas
    return min(gas * _MARGIN[0] // _MARGIN[1], limit)


def _price(
    block: dict[str, Any], node_price: Any, priority: Any, gas_price: int | None
) -> dict[str, int]:
    from ..net.rpc import quantity

    if gas_price is not None:
        return {"gas_price": gas_price}
    if block.get("baseFeePerGas") is None:
        if isinstance(node_price, Exception):
            raise node_price
        price = quantity(node_price, "eth_gasPrice")
        fees = {"gas_price": price}
    else:
        tip = (
            DEFAULT_PRIORITY
            if isinstance(priority, Exception)
            else quantity(priority, "eth_maxPriorityFeePerGas")
        )
        price = 2 * quantity(block["baseFeePerGas"], "baseFeePerGas") + tip
        fees = {"max_fee_per_gas": price, "max_priority_fee_per_gas": tip}
    if price > MAX_SUGGESTED_PRICE:
        raise Web3ProviderSendError(
            f"the node suggests {price // GWEI} gwei per gas, which cannot be right: "
            "check the node, or give gas_price="
        )
    return fees


def reason_of(error: RpcError) -> str | None:
    """Why a contract reverted, custom errors and PoCo codes in words; None if it did not say."""
    from ..eth.abi import decode_revert
    from ..net.rpc_error import shown
    from ..protocol.reverts import custom_errors, explain_revert

    revert = decode_revert(error.data, custom_errors()) if error.data else None
    if revert is None:
        return None
    meaning = explain_revert(revert.text)
    return f"{shown(revert.text)} ({meaning})" if meaning else shown(revert.text)


def refused(error: RpcError) -> Web3ProviderSendError:
    """The send error for a node's refusal: nothing was sent."""
    from ..net.rpc_error import CANNOT_ESTIMATE

    reason = reason_of(error)
    return Web3ProviderSendError(
        f"{CANNOT_ESTIMATE}: {reason}" if reason else error.message,
        details=error.details,
        cause=error,
        retryable=error.retryable,
    )
