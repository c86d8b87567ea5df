"""A wallet emptied, on chains of every fee mode; what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import (
    OutcomeUnknownError,
    StateError,
    TransportError,
    ValidationError,
    Web3ProviderSendError,
)
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.net.rpc import Rpc, quantity
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import prepare, record
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.node import Node
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sandbox.stack import Sandbox

PEOPLE = accounts.addresses()
ETHER = 10**18
Client = Callable[..., IExec]


def somebody() -> str:
    return KeySigner.from_key(random_bytes(32)).address


def fee_of(rpc: Rpc, tx_hash: str) -> int:
    receipt = rpc.request("eth_getTransactionReceipt", (tx_hash,))
    return quantity(receipt["gasUsed"]) * quantity(receipt["effectiveGasPrice"])


def test_tokens_and_coin(sandbox: Sandbox, client: Client) -> None:
    wallet, to = client(sandbox, "requester").wallet, somebody()
    before = wallet.check_balances(PEOPLE["requester"])
    swept = wallet.sweep(to)
    assert swept.errors == ()
    assert swept.send_erc20_tx_hash is not None
    assert swept.send_native_tx_hash is not None
    assert swept.to_dict() == {
        "sendERC20TxHash": swept.send_erc20_tx_hash,
        "sendNativeTxHash": swept.send_native_tx_hash,
    }
    fees = sum(
        fee_of(sandbox.node.rpc, each)
        for each in (swept.send_erc20_tx_hash, swept.send_native_tx_hash)
    )
    after, received = wallet.check_balances(PEOPLE["requester"]), wallet.check_balances(to)
    assert (after.nrlc, after.wei) == (0, 0)
    assert (received.nrlc, received.wei) == (before.nrlc, before.wei - fees)
    again = wallet.sweep(to)  # there is nothing left
    assert (again.send_erc20_tx_hash, again.send_native_tx_hash) == (None, None)
    assert "Tx fees are greater than wallet balance" in again.errors[0]
    assert list(again.to_dict()) == ["errors"]


def test_a_native_chain(native_sandbox: Sandbox, client: Client) -> None:
    wallet, to = client(native_sandbox, "requester").wallet, somebody()
    before = wallet.check_balances(PEOPLE["requester"])
    swept = wallet.sweep(to)
    assert swept.send_erc20_tx_hash is None
    assert wallet.check_balances(to) == before
    assert wallet.check_balances(PEOPLE["requester"]).wei == 0


class London(Node):
    """A node whose blocks have a base fee."""

    def _command(self, port: int) -> list[str]:
        return ["london" if word == "berlin" else word for word in super()._command(port)]


@pytest.fixture
def london(kit: Kit) -> Iterator[IExec]:
    node = London(kit.anvil, kind_of("token"))
    node.start()
    try:
        chain = record(node, prepare(node, kit))
        with IExec(chain, accounts.signer("requester")) as iexec:
            yield iexec
    finally:
        node.stop()


def test_a_chain_with_base_fees(london: IExec) -> None:
    """What stays is the difference between the highest possible fee and the real one, no more."""
    rpc, to = london._context.rpc, somebody()
    assert rpc.block()["baseFeePerGas"]
    swept = london.wallet.sweep(to)
    assert swept.errors == ()
    sent = rpc.request("eth_getTransactionByHash", (swept.send_native_tx_hash,))
    assert sent["type"] == "0x2"
    left = london.wallet.check_balances(PEOPLE["requester"]).wei
    most = quantity(sent["gas"]) * quantity(sent["maxFeePerGas"])
    assert left == most - fee_of(rpc, str(swept.send_native_tx_hash))
    assert london.wallet.check_balances(to).wei == quantity(sent["value"])


def test_the_node_tells_the_gas(sandbox: Sandbox, client: Client, monkeypatch: Any) -> None:
    """On a chain with data fees a plain transfer costs more than 21000 gas."""
    iexec, to = client(sandbox, "requester"), somebody()
    batch = Rpc.batch

    def dearer(self: Rpc, calls: Any) -> list[Any]:
        answers = batch(self, calls)
        return [
            hex(100_000) if method == "eth_estimateGas" and answer == hex(21_000) else answer
            for (method, _), answer in zip(calls, answers, strict=True)
        ]

    monkeypatch.setattr(Rpc, "batch", dearer)
    swept = iexec.wallet.sweep(to)
    assert swept.errors == ()
    sent = sandbox.node.rpc.request("eth_getTransactionByHash", (swept.send_native_tx_hash,))
    assert quantity(sent["gas"]) == 125_000  # with the usual margin


def test_not_to_a_contract(sandbox: Sandbox, client: Client) -> None:
    wallet = client(sandbox, "requester").wallet
    with pytest.raises(StateError, match="Cannot sweep to a contract"):
        wallet.sweep(str(sandbox.chain.hub))
    with pytest.raises(ValidationError, match="to: "):
        wallet.sweep("0x12")


def test_failed_tokens_stop_it(sandbox: Sandbox, client: Client) -> None:
    """No coin for gas: the RLC cannot go, so nothing does."""
    sandbox.node.set_balances({PEOPLE["requester"]: 1})
    wallet = client(sandbox, "requester").wallet
    with pytest.raises(Web3ProviderSendError, match="Failed to sweep ERC20, sweep aborted"):
        wallet.sweep(somebody())
    assert wallet.check_balances(PEOPLE["requester"]).wei == 1


def test_a_lost_answer_is_resumed(sandbox: Sandbox, client: Client, monkeypatch: Any) -> None:
    """The coin went, but nobody said so: the same call finds it, and sends nothing else."""
    iexec, to = client(sandbox, "requester"), somebody()
    request, cut = Rpc.request, [False]

    def cutting(self: Rpc, method: str, params: Any = ()) -> Any:
        found = request(self, method, params)
        if method == "eth_sendRawTransaction" and len(params[0]) < 300:  # the one without data
            cut[0] = True
        if cut[0] and method.startswith(("eth_send", "eth_getTransaction")):
            raise TransportError("cut", retryable=True)
        return found

    monkeypatch.setattr(Rpc, "request", cutting)
    monkeypatch.setattr(iexec._context.transactions, "patience", 0.0)
    monkeypatch.setattr(iexec._context.transactions, "_sleep", lambda _: None)
    with pytest.raises((OutcomeUnknownError, TransportError)):
        iexec.wallet.sweep(to)
    monkeypatch.undo()
    sent = quantity(
        sandbox.node.rpc.request("eth_getTransactionCount", (PEOPLE["requester"], "latest"))
    )
    swept = iexec.wallet.sweep(to)
    assert swept.errors == ()
    again = quantity(
        sandbox.node.rpc.request("eth_getTransactionCount", (PEOPLE["requester"], "latest"))
    )
    assert again == sent
    assert iexec.wallet.check_balances(PEOPLE["requester"]).wei == 0
