"""Nodes that are wrong, gone, slow, or of another hard fork; each test has a node of its own."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    OutcomeUnknownError,
    RequestTimeoutError,
    TransportError,
    WatchTimeoutError,
    Web3ProviderCallError,
)
from iexec_lite.eth.codec import address_to_bytes, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey
from iexec_lite.eth.transaction import Transaction
from iexec_lite.net.rpc import RpcError
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.orders import NULL_BYTES32
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import prepare, record
from iexec_lite.sandbox.folders import cache_folder
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.node import Node
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.client import SigningProvider
from iexec_lite.sdk.fees import Quote
from iexec_lite.sdk.records import MatchResult
from iexec_lite.sdk.transactions import Intent

Client = Callable[..., IExec]
Buy = Callable[..., MatchResult]
OTHER = "0x" + "77" * 20
GWEI = 10**9


class ModernNode(Node):
    """A node of anvil's newest hard fork: blocks have a base fee, transactions a cap on gas."""

    def _command(self, port: int) -> list[str]:
        command = super()._command(port)
        for option in ("--hardfork", "--gas-price", "--gas-limit"):
            at = command.index(option)
            del command[at : at + 2]
        return command


class NamedChain:
    """What the fixtures need of a sandbox: its chain record."""

    def __init__(self, node: Node, chain: Chain) -> None:
        self.node = node
        self.chain = chain


@pytest.fixture
def modern(kit: Kit) -> Iterator[NamedChain]:
    node = ModernNode(kit.anvil, kind_of("token"))
    node.start()
    yield NamedChain(node, record(node, prepare(node, kit), services="http://127.0.0.1:1"))
    node.stop()


@pytest.fixture
def brittle(kit: Kit) -> Iterator[NamedChain]:
    """A node that a test may kill or stop."""
    node = Node(kit.anvil, kind_of("token"))
    node.start()
    found = prepare(node, kit, cache=cache_folder())
    yield NamedChain(node, record(node, found, services="http://127.0.0.1:1"))
    with suppress(OSError, IExecError):
        os.kill(node.pid, signal.SIGCONT)
    node.stop()


def transaction(chain: Any, tx_hash: str) -> dict[str, Any]:
    """A mined transaction; anvil may have its receipt before it stops calling it pending."""
    for _ in range(100):
        found = chain.node.rpc.request("eth_getTransactionByHash", (tx_hash,))
        assert isinstance(found, dict)
        if found["blockNumber"] is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{tx_hash} is still pending")


# --- another chain, another hub -------------------------------------------------------------------


def test_a_node_of_another_chain(sandbox: Sandbox, native_sandbox: Sandbox) -> None:
    """Nothing is signed: not a transaction, not even an order that asks the chain first."""
    signed: list[object] = []

    class Watched:
        address = accounts.addresses()["requester"]

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("sign_"):
                raise AttributeError(name)
            return signed.append

    iexec = IExec(native_sandbox.node.url, Watched(), chain=sandbox.chain)  # type: ignore[arg-type]
    name = sandbox.chain.name
    text = f"The node is on chain {native_sandbox.chain.id}, but {name} is chain {sandbox.chain.id}"
    for act in (
        lambda: iexec.account.deposit(1),
        lambda: iexec.wallet.send_rlc(1, OTHER),
        iexec.hub.count_category,
        lambda: iexec.deal.show("0x" + "77" * 32),
        lambda: iexec.order.sign_apporder(iexec.order.create_apporder(OTHER)),
    ):
        with pytest.raises(ConfigurationError, match=text):
            act()
    assert signed == []
    iexec.close()


def test_a_url_alone(sandbox: Sandbox, native_sandbox: Sandbox) -> None:
    """The chain is what the node says; a private one needs the address of its hub."""
    with IExec(sandbox.node.url) as iexec:
        assert iexec.network.get_network().chain_id == sandbox.chain.id
        with pytest.raises(ConfigurationError, match="hub_address option not set"):
            iexec.hub.count_category()
    with IExec(sandbox.node.url, hub_address=sandbox.deployment.hub) as iexec:
        assert iexec.hub.count_category() == 5
    with IExec(
        native_sandbox.node.url,
        accounts.signer("requester"),
        hub_address=native_sandbox.deployment.hub,
        is_native=True,
        use_gas=False,
    ) as iexec:
        iexec.account.deposit(5)
        assert iexec.account.check_balance(iexec.wallet.get_address()).stake == 5


def test_a_wrong_hub(sandbox: Sandbox, client: Client) -> None:
    nobody = client(sandbox, "requester", hub_address=OTHER)
    text = f"countCategory of {OTHER}: no such contract answers; check the address and the chain"
    with pytest.raises(Web3ProviderCallError, match=text):
        nobody.hub.count_category()
    for act in (
        lambda: nobody.account.deposit(1),
        lambda: nobody.app.show_app(OTHER),
        lambda: nobody.deal.show("0x" + "77" * 32),
        lambda: nobody.account.check_balance(OTHER),
    ):
        with pytest.raises(Web3ProviderCallError, match=OTHER):
            act()
    token = sandbox.deployment.token
    assert token is not None
    other = client(sandbox, "requester", hub_address=token)
    with pytest.raises(Web3ProviderCallError, match=f"countCategory of {token}: call revert"):
        other.hub.count_category()


# --- a node that is gone, or does not answer ------------------------------------------------------


def test_a_node_that_is_gone(brittle: NamedChain, client: Client) -> None:
    iexec = client(brittle, "requester")
    iexec.account.deposit(5)
    brittle.node.stop()
    for act in (
        lambda: iexec.hub.show_category(3),
        lambda: iexec.account.deposit(5),
        lambda: iexec.deal.show("0x" + "77" * 32),
    ):
        with pytest.raises(TransportError, match=r"127\.0\.0\.1") as caught:
            act()
        assert caught.value.tx_hash is None


def test_a_node_that_goes_while_waiting(brittle: NamedChain, client: Client) -> None:
    """The transaction was sent: its hash is told, and nobody says that it failed."""
    iexec = client(brittle, "requester")
    iexec.account.deposit(5)
    transactions = iexec._context.transactions
    transactions.patience = 0.5
    brittle.node.rpc.request("evm_setAutomine", (False,))
    timer = threading.Timer(0.3, brittle.node.stop)
    timer.start()
    with pytest.raises(OutcomeUnknownError, match="may still be mined") as caught:
        iexec.account.deposit(6)
    timer.join()
    assert caught.value.tx_hash is not None
    assert caught.value.retryable


def halt(pid: int) -> None:
    """Stop a child, and return when it stands: until then it may still answer."""
    os.kill(pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])


def test_a_node_that_does_not_answer(brittle: NamedChain, client: Client) -> None:
    iexec = client(brittle, "requester", timeout=0.5)
    iexec.hub.count_category()
    halt(brittle.node.pid)
    for act in (iexec.hub.count_category, lambda: iexec.account.deposit(5)):
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError, match=r"0\.5 s|in time"):
            act()
        assert time.monotonic() - started < 3
    os.kill(brittle.node.pid, signal.SIGCONT)
    assert iexec.hub.count_category() == 5


def test_a_watch_is_patient(brittle: NamedChain, client: Client, buy: Buy) -> None:
    match = buy(brittle, token=False)
    iexec = client(brittle, "requester", timeout=0.3)
    watch = iexec.deal.obs_deal(match.dealid, patience=30)
    assert next(watch).message == "DEAL_UPDATED"
    halt(brittle.node.pid)

    def go_on() -> None:
        os.kill(brittle.node.pid, signal.SIGCONT)
        brittle.node.rpc.request("evm_increaseTime", (3000,))
        brittle.node.mine()

    timer = threading.Timer(0.8, go_on)
    timer.start()
    assert next(watch).message == "DEAL_TIMEDOUT"  # it was told nothing of the pause
    timer.join()
    impatient = iexec.task.obs_task(match.taskids[0], dealid=match.dealid, patience=0.5)
    brittle.node.stop()
    with pytest.raises(WatchTimeoutError, match="No good answer for") as caught:
        next(impatient)
    assert isinstance(caught.value.cause, TransportError)
    assert list(impatient) == []


class Restored(Node):
    """A node that begins with what another had, as one that was restarted."""

    state: Path

    def _command(self, port: int) -> list[str]:
        return [*super()._command(port), "--load-state", str(self.state)]


def test_watches_outlive_a_node(
    brittle: NamedChain, client: Client, buy: Buy, kit: Kit, tmp_path: Path
) -> None:
    """It is killed, and started again on the same port with what it had: both just go on."""
    match = buy(brittle, token=False)
    iexec = client(brittle, "requester", timeout=2)
    deal = iexec.deal.obs_deal(match.dealid, patience=30)
    task = iexec.task.obs_task(match.taskids[0], dealid=match.dealid, patience=30)
    assert (next(deal).message, next(task).message) == ("DEAL_UPDATED", "TASK_UPDATED")
    port = int(brittle.node.url.rpartition(":")[2])
    again = Restored(kit.anvil, kind_of("token"), port=port, port_required=True)
    again.state = tmp_path / "state.json"
    again.state.write_bytes(gzip.decompress(from_hex(brittle.node.dump())))
    os.kill(brittle.node.pid, signal.SIGKILL)
    brittle.node.stop()

    def restart() -> None:
        again.start()
        again.rpc.request("evm_increaseTime", (3000,))
        again.mine()

    timer = threading.Timer(0.7, restart)
    timer.start()
    try:
        assert next(deal).message == "DEAL_TIMEDOUT"
        assert next(task).message == "TASK_TIMEDOUT"
        assert (list(deal), list(task)) == ([], [])
    finally:
        timer.join()
        again.stop()


# --- confirmations --------------------------------------------------------------------------------


def test_confirms(sandbox: Sandbox, client: Client) -> None:
    """With two, a transaction that was just mined is not done yet."""
    iexec = client(sandbox, "requester", confirms=2)
    iexec.hub.count_category()
    started, mined = time.monotonic(), []

    def mine() -> None:
        mined.append(time.monotonic())
        sandbox.node.mine()

    timer = threading.Timer(0.6, mine)
    timer.start()
    iexec.account.deposit(5)
    timer.join()
    assert mined
    assert time.monotonic() - started >= 0.6
    assert iexec.account.check_balance(iexec.wallet.get_address()).stake == 5


# --- fees and kinds of transaction ----------------------------------------------------------------


def test_a_whole_purchase_with_base_fees(modern: NamedChain, client: Client, buy: Buy) -> None:
    assert int(modern.node.rpc.block()["baseFeePerGas"], 16) > 0
    match = buy(modern, volume=2, token=False)
    sent = transaction(modern, match.tx_hash)
    assert sent["type"] == "0x2"
    # the latest block when it was priced: a node may tell of a receipt before it tells of a block
    blocks = [modern.node.rpc.block(int(sent["blockNumber"], 16) - back) for back in (1, 2)]
    tip = int(sent["maxPriorityFeePerGas"], 16)
    assert int(sent["maxFeePerGas"], 16) in [
        2 * int(block["baseFeePerGas"], 16) + tip for block in blocks
    ]
    iexec = client(modern, "requester")
    assert iexec.deal.show(match.dealid).bot_size == 2
    plain = transaction(modern, iexec.wallet.send_eth("1 ether", OTHER))
    assert (plain["type"], plain["gas"]) == ("0x2", hex(21000))
    receipt = modern.node.rpc.request("eth_getTransactionReceipt", (plain["hash"],))
    assert receipt["effectiveGasPrice"] == plain["gasPrice"]


def test_the_users_price_makes_it_legacy(modern: NamedChain, client: Client) -> None:
    iexec = client(modern, "requester", gas_price=50 * GWEI)
    sent = transaction(modern, iexec.account.deposit(5).tx_hash)
    assert (sent["type"], sent["gasPrice"]) == ("0x0", hex(50 * GWEI))
    with pytest.raises(IExecError, match="less than block base fee"):
        client(modern, "worker-1", gas_price=1).account.deposit(5)


def test_without_base_fees_it_is_legacy(sandbox: Sandbox, client: Client) -> None:
    assert "baseFeePerGas" not in sandbox.node.rpc.block()
    sent = transaction(sandbox, client(sandbox, "requester").account.deposit(5).tx_hash)
    assert (sent["type"], sent["gasPrice"]) == ("0x0", hex(20 * GWEI))


@pytest.mark.witness("transaction, *", by="contracts")
@pytest.mark.parametrize("which", ["berlin", "newest"])
def test_every_kind_of_transaction_is_understood(
    which: str, request: pytest.FixtureRequest
) -> None:
    """Made and signed here, hashed and recovered there."""
    chain = request.getfixturevalue("sandbox" if which == "berlin" else "modern")
    rpc, signer = chain.node.rpc, PrivateKey(accounts.secret("requester"))
    address, slot = address_to_bytes(chain.chain.hub), from_hex("0x" + "00" * 32)
    access = ((address, (slot, bytes([1]) * 32)), (address_to_bytes(OTHER), ()))
    common: dict[str, Any] = {"to": address_to_bytes(OTHER), "value": 7, "data": b"\x01\x02"}
    common |= {"gas": 100_000, "chain_id": chain.chain.id}
    kinds: list[dict[str, Any]] = [
        {"gas_price": 30 * GWEI},
        {"gas_price": 30 * GWEI, "access_list": ()},
        {"gas_price": 30 * GWEI, "access_list": access},
    ]
    if which == "newest":
        fees = {"max_fee_per_gas": 30 * GWEI, "max_priority_fee_per_gas": GWEI}
        kinds += [{**fees}, {**fees, "access_list": access}]
    nonce = int(
        rpc.request("eth_getTransactionCount", (accounts.addresses()["requester"], "latest")), 16
    )
    for number, fees in enumerate(kinds):
        signed = Transaction(nonce=nonce + number, **common, **fees).sign(signer)
        assert rpc.send_raw(signed.raw) == to_hex(signed.hash)
        found = transaction(chain, to_hex(signed.hash))
        assert found["from"] == accounts.addresses()["requester"].lower()
        assert (found["type"], found["input"]) == (hex(signed.transaction.type), "0x0102")
        listed = found.get("accessList") or []
        assert [from_hex(each["address"]) for each in listed] == [
            each[0] for each in signed.transaction.access_list or ()
        ]
    assert int(rpc.request("eth_getBalance", (OTHER, "latest")), 16) == 7 * len(kinds)


def test_a_mined_failure_tells_why(sandbox: Sandbox, client: Client) -> None:
    """A transaction that reverts when mined: status 0, the reason found by a replay."""
    iexec = client(sandbox, "requester")
    context = iexec._context
    intent = Intent(chain_id=context.chain.id, sender=context.address, operation="test")
    call = HUB.createCategory.encode("x", "{}", 1)
    costs = Quote(gas=200_000, gas_price=20 * GWEI)
    with pytest.raises(
        Web3ProviderCallError, match="transaction failed: Ownable: caller is not"
    ) as e:
        context.transactions.send(intent, context.hub, call, quote=costs)
    assert e.value.tx_hash is not None


def test_the_node_says_why_a_call_reverts(sandbox: Sandbox) -> None:
    with pytest.raises(RpcError) as caught:
        sandbox.node.rpc.call(
            sandbox.deployment.hub,
            HUB.verifySignature.encode(OTHER, NULL_BYTES32, b""),
        )
    assert (caught.value.kind, caught.value.reason) == ("revert", "invalid-signature-format")


def test_an_ended_sandbox(kit: Kit, tmp_path: Path) -> None:
    with Sandbox(tmp_path / "s", kit=kit, fresh=True) as sandbox:
        iexec = IExec(sandbox.chain)
        assert iexec.hub.count_category() == 5
    with pytest.raises(TransportError):
        iexec.hub.count_category()
    iexec.close()


# --- several nodes, and money of the wrong kind ---------------------------------------------------


def test_nodes_that_must_agree(sandbox: Sandbox, brittle: NamedChain) -> None:
    signer, url = accounts.signer("requester"), sandbox.node.url
    twice = SigningProvider(
        sandbox.chain, signer, urls=(url, url.replace("127.0.0.1", "localhost")), quorum=2
    )
    with IExec(twice) as iexec:
        assert iexec.account.deposit(5).amount == 5
        assert iexec.account.check_balance(signer.address).stake == 5
    for node in (sandbox.node, brittle.node, brittle.node):
        node.mine()  # so that both have a block in which the stakes differ
    differing = SigningProvider(
        sandbox.chain, signer, urls=(url, str(brittle.chain.host)), quorum=2
    )
    with IExec(differing) as iexec, pytest.raises(Web3ProviderCallError, match="agree"):
        iexec.account.check_balance(signer.address)


def test_rlc_is_not_mistaken_for_the_coin(
    sandbox: Sandbox, native_sandbox: Sandbox, client: Client
) -> None:
    """Told that the chain is native, a transfer of 5 RLC would send 5 ether."""
    mistaken = client(sandbox, "requester", is_native=True)
    other = client(native_sandbox, "requester", is_native=False)
    for iexec, text in ((mistaken, "is_native must be False"), (other, "is_native must be True")):
        for act in (iexec.account.deposit, lambda n, i=iexec: i.wallet.send_rlc(n, OTHER)):
            with pytest.raises(ConfigurationError, match=text):
                act("5 RLC")
    assert mistaken.wallet.check_balances(OTHER).wei == 0
