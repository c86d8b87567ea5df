"""``wallet pending | speed-up | cancel``: too low a price, and who waits."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.service import STATE

from .machine import Machine

ME = accounts.addresses()["requester"]
NOTHING = "0x" + "12" * 32
Client = Callable[[str], IExec]


@pytest.fixture
def folder(project: Any) -> Path:
    found = project("requester")
    assert isinstance(found, Path)
    return found


@pytest.fixture
def rpc(machine: Machine, client: Client) -> Iterator[Any]:
    """The node, which mines when it is told to: the heart of the sandbox stands still."""
    found = client("admin")._context.rpc
    state = json.loads(Path(machine.env["IEXEC_LITE_HOME"], "sandbox", STATE).read_text())
    os.kill(state["pid"], signal.SIGSTOP)
    found.request("evm_setAutomine", (False,))
    yield found
    found.request("evm_setAutomine", (True,))
    found.request("evm_mine")
    os.kill(state["pid"], signal.SIGCONT)


def sent(machine: Machine, rpc: Any, folder: Path, to: str, wei: int) -> str:
    """A transfer that is cut off while it waits: its hash."""
    words = ["wallet", "send-ether", str(wei), "wei", "--to", to, "--force"]
    with machine.terminal(*words, folder=folder) as terminal:
        seen = terminal.read("sent 0x")
        while len(seen.partition("sent 0x")[2]) < 64:
            seen += terminal.read("\n")
        terminal.interrupt()
        status, _ = terminal.end()
    assert status == 1
    tx_hash = "0x" + seen.partition("sent 0x")[2][:64]
    assert rpc.request("eth_getTransactionByHash", (tx_hash,))["blockNumber"] is None
    return tx_hash


@contextmanager
def mining(rpc: Any) -> Iterator[None]:
    """Blocks come, once more than what is there is in the pool."""
    stop = threading.Event()
    before = rpc.request("txpool_content")

    def mine() -> None:
        while not stop.wait(0.05):
            if rpc.request("txpool_content") != before:
                rpc.request("evm_mine")

    thread = threading.Thread(target=mine)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_speed_up(
    machine: Machine, client: Client, rpc: Any, folder: Path, golden: Any, stranger: str
) -> None:
    shown = machine.shown("wallet", "pending", folder=folder)
    golden("wallet-pending-none", shown)
    first = sent(machine, rpc, folder, stranger, 5)
    golden("wallet-pending", machine.shown("wallet", "pending", folder=folder))
    document = machine.raw("wallet", "pending", "--chain", "sandbox", folder=folder)
    assert list(document) == ["ok", "address", "transactions"]
    [found] = document["transactions"]
    assert found == {
        "txHash": first,
        "nonce": found["nonce"],
        "operation": "sendETH",
        "arguments": {"amount": "5", "to": stranger},
        "state": "unknown",
        "created": found["created"],
        "live": False,
    }
    assert 0 <= time.time() - found["created"] < 120
    low = ["wallet", "speed-up", first, "--gas-price", "21 gwei"]
    message = machine.message(*low, folder=folder)
    assert message.endswith("too low to replace a transaction: at least 22500000000 wei")
    with mining(rpc):
        words = ["wallet", "speed-up", first, "--gas-price", "30 gwei", "--confirms", "1"]
        document = machine.raw(*words, folder=folder)
    assert list(document) == ["ok", "from", "replaced", "txHash"]
    assert (document["from"], document["replaced"]) == (ME, first)
    mined = rpc.request("eth_getTransactionByHash", (document["txHash"],))
    assert (mined["gasPrice"], mined["value"]) == (hex(30 * 10**9), "0x5")
    # The command that sent it, given again, is told of it, and sends nothing.
    again = ["wallet", "send-ether", "5", "wei", "--to", stranger, "--force"]
    assert machine.raw(*again, folder=folder)["txHash"] == document["txHash"]
    assert client("admin").wallet.check_balances(stranger).wei == 5
    assert machine.raw("wallet", "pending", folder=folder)["transactions"] == []
    second = sent(machine, rpc, folder, stranger, 6)
    with mining(rpc):
        golden("wallet-speed-up", machine.shown("wallet", "speed-up", second, folder=folder))
    golden("wallet-pending-sped-up", machine.shown("wallet", "pending", folder=folder))
    again[2] = "6"
    assert machine.raw(*again, folder=folder)["txHash"] != second
    assert client("admin").wallet.check_balances(stranger).wei == 11


def test_cancel(
    machine: Machine, client: Client, rpc: Any, folder: Path, golden: Any, stranger: str
) -> None:
    first = sent(machine, rpc, folder, stranger, 7)
    question = f"Do you want to cancel transaction {first} [chainId: {machine.chain().id}]"
    message = machine.message("wallet", "cancel", first, folder=folder)
    assert message == f"{question} There is nobody to ask: --force says yes"
    with machine.terminal("wallet", "cancel", first, folder=folder) as terminal:
        terminal.read(question)
        terminal.answer("(Y/n) ", "n")
        assert terminal.end()[0] == 1
    with mining(rpc):
        document = machine.raw(
            "wallet", "cancel", first, "--force", "--gas-price", "40 gwei", folder=folder
        )
    assert list(document) == ["ok", "from", "cancelled", "txHash"]
    assert (document["from"], document["cancelled"]) == (ME, first)
    message = machine.message("wallet", "cancel", first, "--force", folder=folder)
    assert message.startswith(f"transaction {document['txHash']} is mined in the place of {first}")
    second = sent(machine, rpc, folder, stranger, 8)
    with mining(rpc):
        words = ["wallet", "cancel", second, "--force", "--confirms", "1"]
        golden("wallet-cancel", machine.shown(*words, folder=folder))
    assert client("admin").wallet.check_balances(stranger).wei == 0
    assert machine.raw("wallet", "pending", folder=folder)["transactions"] == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["speed-up", NOTHING], f"no transaction {NOTHING} of {ME} on sandbox is in this journal"),
        (["cancel", NOTHING, "--force"], f"no transaction {NOTHING} of {ME} on sandbox is in"),
        (["speed-up", "0x12"], "tx_hash: 0x12 is not a"),
        (["cancel", "", "--force"], "tx_hash:  is not a"),
        (["speed-up"], "missing required argument"),
        (["speed-up", NOTHING, "--gas-price", "much"], "much is not a valid amount"),
        (["speed-up", NOTHING, "--confirms", "0"], "confirms must be greater than"),
        (["pending", "--wallet-file", "none"], "No wallet file none found in"),
    ],
)
def test_refused(machine: Machine, folder: Path, words: list[str], why: str) -> None:
    assert machine.message("wallet", *words, folder=folder).startswith(why)
