"""Own pending transactions replaced on a real node that mines when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
)
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.protocol.contracts import EVENTS
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import prepare, record
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.file_journal import FileJournal

from .test_faults import ModernNode, NamedChain

Client = Callable[..., IExec]
ROOT = Path(__file__).resolve().parents[2]
ME = accounts.addresses()["requester"]
ETHER, GWEI = 10**18, 10**9


class Chain:
    """A sandbox whose node mines when ``mine`` is called, and threads that wait meanwhile."""

    def __init__(self, sandbox: Sandbox | NamedChain, pool: ThreadPoolExecutor) -> None:
        self.sandbox, self._pool = sandbox, pool
        self.rpc = sandbox.node.rpc

    def mine(self) -> None:
        self.sandbox.node.mine()

    def start(self, call: Callable[[], Any], iexec: IExec, number: int = 1) -> Future[Any]:
        """The call in a thread, once ``number`` of the journal's transactions are pending."""
        found = self._pool.submit(call)
        for _ in range(500):
            sent = iexec.wallet.pending_transactions()
            if len(sent) >= number and self.known(sent[-1].tx_hash):
                return found
            if found.done():
                found.result()
            time.sleep(0.02)
        raise AssertionError("nothing was sent")

    def known(self, tx_hash: str | None) -> bool:
        return self.rpc.request("eth_getTransactionByHash", (tx_hash,)) is not None

    def balance(self, address: str) -> int:
        return int(self.rpc.request("eth_getBalance", (address, "latest")), 16)

    def nonce(self) -> int:
        return int(self.rpc.request("eth_getTransactionCount", (ME, "latest")), 16)

    def paid(self, tx_hash: str) -> int:
        receipt = self.rpc.request("eth_getTransactionReceipt", (tx_hash,))
        return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)

    def deals(self) -> list[Any]:
        hub, event = str(self.sandbox.chain.hub), EVENTS.OrdersMatched
        asked = {"fromBlock": "0x0", "address": hub, "topics": [event.topic]}
        return event.find(self.rpc.request("eth_getLogs", (asked,)), hub)


@pytest.fixture
def newest(kit: Kit) -> Iterator[NamedChain]:
    """A node whose blocks have a base fee."""
    node = ModernNode(kit.anvil, kind_of("token"))
    node.start()
    yield NamedChain(node, record(node, prepare(node, kit), services="http://127.0.0.1:1"))
    node.stop()


@pytest.fixture(params=["berlin", "newest"])
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    found = request.getfixturevalue("sandbox" if request.param == "berlin" else "newest")
    yield from _held(found)


@pytest.fixture
def old_chain(sandbox: Sandbox) -> Iterator[Chain]:
    yield from _held(sandbox)


def _held(found: Sandbox | NamedChain) -> Iterator[Chain]:
    with ThreadPoolExecutor(4) as pool:
        made = Chain(found, pool)
        made.rpc.request("evm_setAutomine", (False,))
        try:
            yield made
        finally:
            made.rpc.request("evm_setAutomine", (True,))
            made.mine()


@pytest.fixture
def stranger() -> str:
    return KeySigner.from_key(random_bytes(32)).address


def first_hash(iexec: IExec) -> str:
    return str(iexec.wallet.pending_transactions()[0].tx_hash)


def test_sped_up_while_a_thread_waits(chain: Chain, client: Client, stranger: str) -> None:
    """One transfer, paid once, to the wei; both calls name what was mined."""
    iexec = client(chain.sandbox, "requester")
    before, nonce = chain.balance(ME), chain.nonce()
    waiting = chain.start(lambda: iexec.wallet.send_eth(ETHER, stranger), iexec)
    first = first_hash(iexec)
    with pytest.raises(ValidationError, match="too low to replace a transaction: at least"):
        iexec.wallet.speed_up_transaction(first, gas_price=1)
    faster = chain.start(lambda: iexec.wallet.speed_up_transaction(first), iexec, 2)
    chain.mine()
    mined = faster.result(60)
    assert waiting.result(60) == mined != first
    assert chain.balance(stranger) == ETHER
    assert chain.balance(ME) == before - ETHER - chain.paid(mined)
    assert chain.nonce() == nonce + 1
    assert iexec.wallet.pending_transactions() == []
    with pytest.raises(StateError, match="is mined"):
        iexec.wallet.speed_up_transaction(mined)


def test_too_low_a_price_for_the_base_fee(
    newest: NamedChain, client: Client, stranger: str
) -> None:
    """It would wait for ever: the base fee has risen since."""
    rpc = newest.node.rpc
    rpc.request("evm_setAutomine", (False,))
    iexec = client(newest, "requester")
    iexec._context.transactions.timeout = 1.0
    rpc.request("anvil_setNextBlockBaseFeePerGas", (hex(GWEI),))
    newest.node.mine()
    with pytest.raises(OutcomeUnknownError) as caught:
        iexec.wallet.send_eth(5, stranger)
    rpc.request("anvil_setNextBlockBaseFeePerGas", (hex(500 * GWEI),))
    newest.node.mine()
    assert rpc.request("eth_getTransactionReceipt", (caught.value.tx_hash,)) is None
    stop = threading.Event()

    def blocks() -> None:
        while not stop.wait(0.1):
            newest.node.mine()

    miner = threading.Thread(target=blocks)
    miner.start()
    try:
        mined = iexec.wallet.speed_up_transaction(str(caught.value.tx_hash), timeout=30)
    finally:
        stop.set()
        miner.join()
    assert mined != caught.value.tx_hash
    assert iexec.wallet.send_eth(5, stranger) == mined  # the same call: its result, sent once
    assert int(rpc.request("eth_getBalance", (stranger, "latest")), 16) == 5
    assert iexec.wallet.pending_transactions() == []


def test_cancelled_while_a_thread_waits(chain: Chain, client: Client, stranger: str) -> None:
    iexec = client(chain.sandbox, "requester")
    before, nonce = chain.balance(ME), chain.nonce()
    waiting = chain.start(lambda: iexec.wallet.send_eth(ETHER, stranger), iexec)
    first = first_hash(iexec)
    stopping = chain.start(lambda: iexec.wallet.cancel_transaction(first), iexec, 2)
    chain.mine()
    cancelled = stopping.result(60)
    with pytest.raises(Web3ProviderCallError, match=f"was cancelled by {cancelled}"):
        waiting.result(60)
    assert chain.balance(stranger) == 0
    assert chain.balance(ME) == before - chain.paid(cancelled)
    assert chain.nonce() == nonce + 1
    assert iexec.wallet.pending_transactions() == []
    again = chain.start(lambda: iexec.wallet.send_eth(ETHER, stranger), iexec)
    chain.mine()
    assert again.result(60) not in (first, cancelled)
    assert chain.balance(stranger) == ETHER
    with pytest.raises(StateError, match="is mined: too late to be cancelled") as caught:
        iexec.wallet.cancel_transaction(again.result())
    assert caught.value.tx_hash == again.result()


def test_two_equal_sends_and_one_sped_up(chain: Chain, client: Client, stranger: str) -> None:
    iexec = client(chain.sandbox, "requester")
    one = chain.start(lambda: iexec.wallet.send_eth(7, stranger), iexec)
    first = first_hash(iexec)
    two = chain.start(lambda: iexec.wallet.send_eth(7, stranger), iexec, 2)
    faster = chain.start(lambda: iexec.wallet.speed_up_transaction(first), iexec, 3)
    chain.mine()
    assert faster.result(60) in (one.result(60), two.result(60))
    assert one.result() != two.result()
    assert chain.balance(stranger) == 14
    assert iexec.wallet.pending_transactions() == []


def test_a_purchase_is_made_once(old_chain: Chain, client: Client, buy: Any) -> None:
    """The call that waits returns the one deal; so does the same call in another thread later."""
    chain = old_chain
    chain.rpc.request("evm_setAutomine", (True,))
    orders = buy(chain.sandbox, match=False, token=False)
    chain.rpc.request("evm_setAutomine", (False,))
    iexec = client(chain.sandbox, "requester")
    deals = len(chain.deals())
    waiting = chain.start(lambda: iexec.order.match_orders(**orders, check_request=False), iexec)
    first = first_hash(iexec)
    faster = chain.start(lambda: iexec.wallet.speed_up_transaction(first), iexec, 2)
    chain.mine()
    bought = waiting.result(60)
    assert bought.tx_hash == faster.result(60) != first
    [event] = chain.deals()[deals:]
    assert event["dealid"] == bought.dealid
    assert iexec.deal.show(bought.dealid).bot_size == bought.volume
    assert iexec.wallet.pending_transactions() == []


PROGRAM = """
import json, sys
from iexec_lite import Chain, IExec
from iexec_lite.sdk.file_journal import FileJournal

folder, chain, to = sys.argv[1:]
key = sys.stdin.readline().strip()
iexec = IExec(Chain.from_dict(json.loads(chain)), key, journal=FileJournal(folder))
print(iexec.wallet.send_eth(7, to), flush=True)
"""


def program(chain: Chain, folder: Path, to: str) -> subprocess.Popen[str]:
    """Another process that sends 7 wei and waits."""
    text = json.dumps(chain.sandbox.chain.to_dict())
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), text, to],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdin is not None
    started.stdin.write(f"0x{accounts.secret('requester').hex()}\n")
    started.stdin.flush()
    return started


def sent_by(iexec: IExec, chain: Chain) -> str:
    for _ in range(500):
        for each in iexec.wallet.pending_transactions():
            if chain.known(each.tx_hash):
                assert each.live
                return str(each.tx_hash)
        time.sleep(0.02)
    raise AssertionError("the other process sent nothing")


@pytest.mark.parametrize("killed", [False, True])
def test_another_process_waits(
    old_chain: Chain, client: Client, stranger: str, tmp_path: Path, killed: bool
) -> None:
    """It gets what was sped up here; killed, its call made again does, and sends nothing."""
    chain = old_chain
    iexec = client(chain.sandbox, "requester", journal=FileJournal(tmp_path))
    other = program(chain, tmp_path, stranger)
    first = sent_by(iexec, chain)
    if killed:
        os.kill(other.pid, signal.SIGKILL)
        other.communicate()
    faster = chain.start(lambda: iexec.wallet.speed_up_transaction(first), iexec, 2)
    chain.mine()
    mined = faster.result(60)
    if killed:
        assert [each.tx_hash for each in iexec.wallet.pending_transactions()] == [mined]
        other = program(chain, tmp_path, stranger)
    assert other.communicate(timeout=60)[0].strip() == mined != first
    assert other.returncode == 0
    assert chain.balance(stranger) == 7
    assert iexec.wallet.pending_transactions() == []


def test_a_process_dies_that_speeds_up(
    old_chain: Chain, client: Client, stranger: str, tmp_path: Path
) -> None:
    """Killed while it waits: the call that meant it finds what was mined."""
    chain = old_chain
    iexec = client(chain.sandbox, "requester", journal=FileJournal(tmp_path))
    iexec._context.transactions.timeout = 0.5
    with pytest.raises(OutcomeUnknownError) as caught:
        iexec.wallet.send_eth(7, stranger)
    first = str(caught.value.tx_hash)
    with pytest.raises(OutcomeUnknownError):  # as if it had died: nobody waits for it
        iexec.wallet.speed_up_transaction(first)
    chain.mine()
    mined = iexec.wallet.send_eth(7, stranger)
    assert mined != first
    assert chain.balance(stranger) == 7
    assert iexec.wallet.pending_transactions() == []


def test_where_it_cannot_be(native_sandbox: Sandbox, client: Client, sandbox: Sandbox) -> None:
    with pytest.raises(StateError, match="there is nothing to raise"):
        client(native_sandbox, "requester").wallet.speed_up_transaction("0x" + "12" * 32)
    with pytest.raises(ConfigurationError, match="Missing Signer"), IExec(sandbox.chain) as reader:
        reader.wallet.pending_transactions()
    with pytest.raises(StateError, match="no transaction 0x1212"):
        client(sandbox, "requester").wallet.cancel_transaction("0x" + "12" * 32)
