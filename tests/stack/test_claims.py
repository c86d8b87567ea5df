"""Money back from deals of hundreds of tasks: many transactions, cut off in the middle or not."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite import IExec
from iexec_lite.errors import IExecError, OutcomeUnknownError, StateError
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.records import MatchResult

Client = Callable[..., IExec]
Buy = Callable[..., MatchResult]
PRICE = 1000  # of app and workerpool each, in ``buy``
TASKS = 500
FINAL = 3000  # seconds from the start of a deal of category 0 to its final deadline
BEGUN = (0, 3, *range(100, 116), 499)  # tasks that somebody has initialized


def count(sandbox: Sandbox, address: str) -> int:
    found = sandbox.node.rpc.request("eth_getTransactionCount", (address, "latest"))
    return int(found, 16)


@pytest.fixture
def large(sandbox: Sandbox, client: Client, buy: Buy) -> tuple[MatchResult, int]:
    """A deal of 500 tasks, some of them begun, past its deadline; what the requester had staked."""
    match = buy(sandbox, volume=TASKS)
    iexec = client(sandbox, "requester")
    stake = iexec.account.check_balance(iexec.wallet.get_address())
    assert stake.locked == 2 * PRICE * TASKS
    begin = HUB.initializeArray.encode([match.dealid] * len(BEGUN), list(BEGUN))
    context = client(sandbox, "admin")._context
    context.send("begin", {"deal": match.dealid}, context.hub, begin)
    with pytest.raises(StateError, match="before reaching the final time"):
        iexec.deal.claim(match.dealid)
    sandbox.node.rpc.request("evm_increaseTime", (FINAL,))
    sandbox.node.mine()
    return match, stake.stake + stake.locked


def all_back(sandbox: Sandbox, iexec: IExec, match: MatchResult, money: int) -> None:
    """Every task has failed, and the requester has what was paid, to the last nRLC."""
    update = next(iexec.deal.obs_deal(match.dealid))
    assert (update.message, update.failed_tasks_count) == ("DEAL_TIMEDOUT", TASKS)
    assert {task.status_name for task in update.tasks.values()} == {"FAILED"}
    found = iexec.account.check_balance(iexec.wallet.get_address())
    assert (found.stake, found.locked) == (money, 0)
    sender = iexec.wallet.get_address()
    before = count(sandbox, sender)
    with pytest.raises(StateError, match="Nothing to claim"):
        iexec.deal.claim(match.dealid)
    assert count(sandbox, sender) == before


def test_five_hundred_tasks(sandbox: Sandbox, client: Client, large: Any) -> None:
    match, money = large
    iexec = client(sandbox, "requester")
    before = count(sandbox, iexec.wallet.get_address())
    claimed = iexec.deal.claim(match.dealid)
    assert claimed.claimed == match.taskids
    kinds = [part["type"] for part in claimed.transactions]
    assert kinds == ["claimArray"] + ["initializeAndClaimArray"] * 16  # 32 fit into 8 million gas
    assert count(sandbox, iexec.wallet.get_address()) == before + len(kinds)
    for part in claimed.transactions:
        receipt = sandbox.node.rpc.request("eth_getTransactionReceipt", (part["txHash"],))
        assert receipt["status"] == "0x1"
    all_back(sandbox, iexec, match, money)


class Breaking(BaseHTTPRequestHandler):
    """A node that is cut off right after it has taken its fifth transaction."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        if server.cut:
            self._hang_up()
            return
        method = json.loads(body)
        if isinstance(method, dict) and method["method"] == "eth_sendRawTransaction":
            server.sends += 1
            if server.sends == 5:
                server.before()
                server.cut = True
        node = http.client.HTTPConnection(server.node)
        node.request("POST", "/", body, {"content-type": "application/json"})
        answer = node.getresponse().read()
        node.close()
        if server.cut:
            self._hang_up()
            return
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


@pytest.fixture
def breaking(sandbox: Sandbox) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Breaking)
    server.daemon_threads, server.block_on_close = True, False
    server.handle_error = lambda *_: None
    server.node, server.sends, server.cut = urlsplit(sandbox.node.url).netloc, 0, False
    server.before = lambda: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("mined", [True, False])
def test_cut_in_the_middle(
    sandbox: Sandbox, client: Client, large: Any, breaking: Any, tmp_path: Path, mined: bool
) -> None:
    """The next call, of another process, sends the rest: what was on its way is not sent again."""
    match, money = large
    rpc, signer = sandbox.node.rpc, accounts.signer("requester")
    before = count(sandbox, signer.address)
    if not mined:
        breaking.before = lambda: rpc.request("evm_setAutomine", (False,))
    url = f"http://127.0.0.1:{breaking.server_port}"
    with IExec(url, signer, chain=sandbox.chain, journal=FileJournal(tmp_path), timeout=5) as first:
        first._context.transactions.patience = 0.3
        first._context.http.retries = 0
        with pytest.raises(IExecError) as caught:
            first.deal.claim(match.dealid)
    assert isinstance(caught.value, OutcomeUnknownError)
    done = caught.value.details["transactions"]
    assert isinstance(done, list)
    assert [part["type"] for part in done] == ["claimArray"] + ["initializeAndClaimArray"] * 3
    assert caught.value.tx_hash is not None

    def mine() -> None:
        rpc.request("evm_setAutomine", (True,))
        sandbox.node.mine()

    timer = threading.Timer(0.5, mine)
    timer.start()
    second = client(sandbox, "requester", journal=FileJournal(tmp_path))
    claimed = second.deal.claim(match.dealid)
    timer.join()
    hashes = [part["txHash"] for part in claimed.transactions]
    assert (caught.value.tx_hash in hashes) is not mined  # it was waited for, not sent again
    assert count(sandbox, signer.address) == before + 17
    assert len({*hashes, *(part["txHash"] for part in done), caught.value.tx_hash}) == 17
    all_back(sandbox, second, match, money)
