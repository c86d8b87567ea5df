"""RLC over the bridge, from a token chain to a native one and back (chain.md §8.3, §8.4).

What is sent to the bridge on one chain is paid out by it on the other, minutes later. The send
counts as done only when that was seen: until then the same call goes on waiting and sends nothing,
and :func:`wait` does so anywhere, knowing the transaction alone. Refused before anything is sent:
amounts outside the bridge's limits (today's including this one). Not taken for ours: events of
other contracts, of other transfers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import (
    BridgeError,
    ConfigurationError,
    IExecError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
)
from ..eth.codec import checksum_address
from ..frozen import Frozen
from ..protocol import chains, units
from ..protocol.chains import CHAINS, Chain
from ..protocol.contracts import BRIDGE, TOKEN, EventSpec
from ..protocol.units import shown
from ..protocol.values import parse_bytes32
from .funds import require_funds
from .records import BridgeTransfer
from .watch import Watch

if TYPE_CHECKING:
    from .context import Context

__all__ = ["bridged_chain", "to_mainchain", "to_sidechain", "wait"]

WINDOW = 1000  # blocks of one question for logs: public nodes refuse more
DAY = 86_400
SKEW = 900  # seconds that the clocks of two chains may differ


# --- the other end --------------------------------------------------------------------------------


def bridged_chain(chain: Chain, conf: Mapping[str, object] | None) -> Chain:
    """The record of the chain at the other end: of ``bridged_network_conf`` over what is known."""
    given = dict(conf or {})
    known = _known(chain.bridged_chain)
    number = given.get("chain_id") or chain.bridged_chain_id or (known and known.id)
    if number is None:
        raise ConfigurationError(_missing("chainId", f"your chain {chain.id}"))
    if known is None or known.id != chains.chain_id(number):
        known = Chain(id=chains.chain_id(number), rules=chain.rules)
    url = given.get("rpc_url") or known.host
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ConfigurationError(_missing("rpcURL", f"bridged chain {known.id}"))
    bridge = given.get("bridge_address") or known.bridge_contract
    if bridge is None:
        raise ConfigurationError(_missing("bridgeAddress", f"bridged chain {known.id}"))
    changes: dict[str, object] = {"host": url, "bridge_contract": bridge}
    if given.get("hub_address"):
        changes["hub"] = given["hub_address"]
    if not chain.enterprise:
        changes["native"] = not chain.native
    return known.with_overrides(**changes)


def _known(name: str | None) -> Chain | None:
    if name is None or name in CHAINS:
        return CHAINS.get(str(name))
    from .local import sandbox_records

    return sandbox_records().get(name)


def _missing(what: str, where: str) -> str:
    return f"Missing {what} in bridgedNetworkConf and no default value for {where}"


# --- both directions ------------------------------------------------------------------------------


def to_sidechain(context: Context, nrlc: int, *, timeout: float, new: bool) -> BridgeTransfer:
    """RLC, a token here, to where it is the coin."""
    if context.chain.native:
        raise StateError("Current chain is a sidechain")
    bridge = context.service("bridge_contract", "bridge_address")

    def check() -> None:
        _afford(context, nrlc)
        least, most, day, daily = _limits(context, bridge)
        _within(nrlc, least, most)
        spent = _spent_since(context, bridge, day * DAY)
        if spent + nrlc > daily:
            raise _too_much(spent, daily)

    return _send(
        context,
        "bridgeToSidechain",
        nrlc,
        timeout,
        new,
        check=check,
        to=context.token,
        data=TOKEN.transfer.encode(bridge, nrlc),
        expect=[(TOKEN.Transfer, context.token)],
    )


def to_mainchain(context: Context, nrlc: int, *, timeout: float, new: bool) -> BridgeTransfer:
    """RLC, the coin here, to where it is a token. The bridge counts in wei on this side."""
    if not context.chain.native:
        raise StateError("Current chain is a mainchain")
    bridge = context.service("bridge_contract", "bridge_address")
    wei = units.nrlc_to_wei(nrlc)

    def check() -> None:
        _afford(context, nrlc)
        least, most, day, daily = _limits(context, bridge)
        _within(nrlc, units.wei_to_nrlc(least), units.wei_to_nrlc(most))
        if context.read(bridge, BRIDGE.withinLimit, wei) is not True:
            spent = int(str(context.read(bridge, BRIDGE.totalSpentPerDay, day)))
            raise _too_much(units.wei_to_nrlc(spent), units.wei_to_nrlc(daily))

    return _send(
        context, "bridgeToMainchain", nrlc, timeout, new, check=check, to=bridge, value=wei
    )


def _send(
    context: Context,
    operation: str,
    nrlc: int,
    timeout: float,
    new: bool,
    **call: Any,
) -> BridgeTransfer:
    """Send, and wait for the other side where it is known."""
    _check_timeout(timeout)
    received: list[str] = []
    watched = context.has_bridged
    note: dict[str, object] = {"since": _head(context.bridged)} if watched else {}

    def finish(tx_hash: str, kept: Mapping[str, object]) -> None:
        transfer = _Transfer(tx_hash, context.address, nrlc)
        received.append(_received(context, transfer, int(str(kept.get("since", 0))), timeout))

    sent = context.send(
        operation,
        {"amount": str(nrlc)},
        note=note,
        new=new,
        finish=finish if watched else None,
        **call,
    )
    return BridgeTransfer(
        send_tx_hash=sent.tx_hash, receive_tx_hash=received[0] if received else None
    )


def wait(context: Context, send_tx_hash: str, *, timeout: float) -> BridgeTransfer:
    """Wait for a transfer of which only the transaction is known. BridgeError as when sending."""
    tx_hash = parse_bytes32(send_tx_hash, "send_tx_hash")
    _check_timeout(timeout)
    transfer, sent_at = _look_up(context, tx_hash)
    since = _block_at(context.bridged, sent_at - SKEW)
    return BridgeTransfer(
        send_tx_hash=tx_hash, receive_tx_hash=_received(context, transfer, since, timeout)
    )


# --- what is checked before -----------------------------------------------------------------------


def _check_timeout(timeout: float) -> None:
    if type(timeout) not in (int, float) or not timeout >= 0:  # no bool, no NaN
        raise ValidationError(f"timeout must be a number of seconds from 0, got {shown(timeout)}")


def _afford(context: Context, nrlc: int) -> None:
    from .wallet import Wallet

    require_funds("Amount to bridge", nrlc, Wallet(context).check_balances(context.address).nrlc)


def _limits(context: Context, bridge: str) -> list[int]:
    methods = (BRIDGE.minPerTx, BRIDGE.maxPerTx, BRIDGE.getCurrentDay, BRIDGE.dailyLimit)
    return [int(str(found)) for found in context.read_all([(bridge, each, ()) for each in methods])]


def _within(nrlc: int, least: int, most: int) -> None:
    if nrlc < least:
        raise StateError(f"Minimum amount allowed to bridge is {units.format_rlc(least)} RLC")
    if nrlc > most:
        raise StateError(f"Maximum amount allowed to bridge is {units.format_rlc(most)} RLC")


def _too_much(spent: int, daily: int) -> StateError:
    return StateError(
        "Amount to bridge would exceed bridge daily limit. "
        f"{units.format_rlc(spent)}/{units.format_rlc(daily)} RLC already bridged today.",
        details={"spent": str(spent), "limit": str(daily)},
    )


def _spent_since(context: Context, bridge: str, start: int) -> int:
    """nRLC that came to the bridge since a time."""
    receiver = "0x" + bridge[2:].lower().rjust(64, "0")
    event = TOKEN.Transfer
    logs = _logs(
        context,
        context.token,
        [event.topic, None, receiver],
        _block_at(context, start),
        _head(context),
    )
    return sum(
        int(str(found["value"]))
        for found in _decoded(event, logs, context.token)
        if found["to"] == bridge
    )


# --- what is seen after ---------------------------------------------------------------------------


class _Transfer(Frozen, kw_only=False):
    """What was sent: by which transaction, by whom, how much in nRLC."""

    tx_hash: str
    sender: str
    nrlc: int


def _received(context: Context, transfer: _Transfer, since: int, timeout: float) -> str:
    """The hash of the other side's transaction, once it is there."""
    bridged = context.bridged
    bridge = str(bridged.chain.bridge_contract)
    event = BRIDGE.AffirmationCompleted if bridged.chain.native else BRIDGE.RelayedMessage
    following = [since]
    end = time.monotonic() + timeout

    def poll() -> tuple[str | None, bool]:
        head = _settled(bridged)
        for log in _logs(bridged, bridge, [event.topic], following[0], head):
            for found in _decoded(event, [log], bridge):
                if found["transactionHash"] == transfer.tx_hash:
                    _check_payment(found, transfer, native=bridged.chain.native)
                    return str(log["transactionHash"]), True
        following[0] = max(following[0], head + 1)
        if time.monotonic() >= end:
            raise StateError(f"the other side has not paid within {timeout:g} s")
        return None, False

    try:
        for tx_hash in Watch(poll, interval=bridged.interval):
            return tx_hash
    except IExecError as error:
        raise BridgeError(
            transfer.tx_hash,
            error,
            f": {error.message}. Nothing is lost: the same call, or "
            f"wait_for_bridge({transfer.tx_hash!r}), goes on waiting",
        ) from error
    raise AssertionError("a watch ends with an answer or an error")


def _check_payment(found: Mapping[str, object], transfer: _Transfer, *, native: bool) -> None:
    value = int(str(found["value"]))
    nrlc = units.wei_to_nrlc(value) if native else value
    if (found["recipient"], nrlc) != (transfer.sender, transfer.nrlc):
        raise StateError(
            f"the other side paid {units.format_rlc(nrlc)} RLC to {found['recipient']}, not "
            f"{units.format_rlc(transfer.nrlc)} RLC to {transfer.sender}: ask who runs the bridge",
            details={"paid": str(nrlc), "recipient": str(found["recipient"])},
        )


def _look_up(context: Context, tx_hash: str) -> tuple[_Transfer, int]:
    """What a transaction sent to the bridge, and when."""
    bridge = context.service("bridge_contract", "bridge_address")
    from ..net.rpc import data, quantity

    found = context.node.request("eth_getTransactionByHash", (tx_hash,))
    receipt = context.node.request("eth_getTransactionReceipt", (tx_hash,))
    if not isinstance(found, dict) or not isinstance(receipt, dict):
        raise StateError(f"transaction {tx_hash} is not mined on chain {context.chain.id}")
    if found.get("hash") != tx_hash:
        raise Web3ProviderCallError(f"the node has given another transaction than {tx_hash}")
    if context.chain.native:
        to, nrlc = found.get("to"), units.wei_to_nrlc(quantity(found.get("value")))
    else:
        to, nrlc = _tokens_to(context, data(found.get("input"), "input"), found.get("to"))
    if str(to).lower() != bridge.lower() or quantity(receipt.get("status")) != 1:
        raise StateError(f"transaction {tx_hash} has sent nothing to the bridge {bridge}")
    number = quantity(receipt.get("blockNumber"), "blockNumber")
    sender = checksum_address(data(found.get("from"), "from", length=20))
    return _Transfer(tx_hash, sender, nrlc), _time_of(context, number)


def _tokens_to(context: Context, data: bytes, contract: object) -> tuple[str, int]:
    call = TOKEN.transfer
    if str(contract).lower() != context.token.lower() or len(data) != 68:
        return "", 0
    if data[:4] != call.encode(context.token, 0)[:4]:
        return "", 0
    return "0x" + data[16:36].hex(), int.from_bytes(data[36:68], "big")


# --- blocks and logs ------------------------------------------------------------------------------


def _head(context: Context) -> int:
    from ..net.rpc import quantity

    return quantity(context.node.request("eth_blockNumber"), "eth_blockNumber")


def _settled(context: Context) -> int:
    block = context.settled_block()
    return block if isinstance(block, int) else _head(context)


def _time_of(context: Context, number: int) -> int:
    from ..net.rpc import quantity

    block = context.node.request("eth_getBlockByNumber", (hex(number), False))
    if not isinstance(block, dict):
        raise Web3ProviderCallError(f"the node has no block {number}", retryable=True)
    return quantity(block.get("timestamp"), "timestamp")


def _block_at(context: Context, moment: int) -> int:
    """The first block that is not older than ``moment`` (seconds), else the one after the last."""
    low, high = 0, _head(context) + 1
    while low < high:
        middle = (low + high) // 2
        older = _time_of(context, middle) < moment
        low, high = (middle + 1, high) if older else (low, middle)
    return low


def _logs(
    context: Context, address: str, topics: list[str | None], first: int, last: int
) -> Iterator[Mapping[str, Any]]:
    """The logs of a contract in these blocks, window after window."""
    for start in range(first, last + 1, WINDOW):
        query = {
            "address": address,
            "topics": topics,
            "fromBlock": hex(start),
            "toBlock": hex(min(start + WINDOW - 1, last)),
        }
        found = context.node.request("eth_getLogs", (query,))
        if not isinstance(found, list):
            raise Web3ProviderCallError("eth_getLogs gave no list", retryable=True)
        yield from found


def _decoded(
    event: EventSpec, logs: Iterable[Mapping[str, Any]], address: str
) -> Iterator[dict[str, object]]:
    """The events among logs: those that the contract itself emitted, whatever a node sends."""
    for log in logs:
        yield from event.find([log], address)
