"""Deals on the real contracts: show, watch, and claim after a time-out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    ObjectNotFoundError,
    StateError,
    ValidationError,
    Web3ProviderSendError,
)
from iexec_lite.protocol import ids
from iexec_lite.protocol.contracts import HUB, Method
from iexec_lite.protocol.ids import task_id
from iexec_lite.protocol.orders import NULL_ADDRESS
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk import deal as deals
from iexec_lite.sdk.records import AccountBalance, MatchResult

Client = Callable[..., IExec]
Buy = Callable[..., MatchResult]
PRICE = 1000  # of app and workerpool each, in ``buy``
REFERENCE = 300  # seconds, of category 0
NOW = 5  # index of the category whose tasks are late at once


def read(sandbox: Sandbox, method: Method, *args: object) -> Any:
    return method.decode(sandbox.node.rpc.call(sandbox.deployment.hub, method.encode(*args)))


def balance(iexec: IExec, name: str) -> AccountBalance:
    return iexec.account.check_balance(accounts.addresses()[name])


def wait(sandbox: Sandbox, seconds: int) -> None:
    sandbox.node.rpc.request("evm_increaseTime", (seconds,))
    sandbox.node.mine()


def send(iexec: IExec, data: bytes) -> None:
    iexec._context.send("test", {"data": data.hex()}, iexec._context.hub, data)


@pytest.fixture
def no_time(client: Client) -> Callable[[Sandbox], int]:
    """Adds a category whose tasks are late at once."""

    def add(sandbox: Sandbox) -> int:
        category = {"name": "late", "description": "{}", "workClockTimeRef": 0}
        assert client(sandbox, "admin").hub.create_category(category)["catid"] == NOW
        return NOW

    return add


@pytest.fixture
def gas_limit(sandbox: Sandbox) -> Iterator[Callable[[int], None]]:
    """Sets how much gas a block holds, which no snapshot takes back."""

    def change(limit: int) -> None:
        sandbox.node.rpc.request("evm_setBlockGasLimit", (hex(limit),))
        sandbox.node.mine()

    usual = int(sandbox.node.rpc.block()["gasLimit"], 16)
    yield change
    change(usual)


# --- show -----------------------------------------------------------------------------------------


@pytest.mark.witness("view: deal", by="contracts")
def test_show(any_sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match = buy(any_sandbox, volume=2, trust=3, tag=["gpu"], params={"iexec_args": "héllo"})
    iexec = client(any_sandbox, "worker-1")
    deal = iexec.deal.show(match.dealid.upper().replace("0X", "0x"))
    raw = read(any_sandbox, HUB.viewDeal, match.dealid)
    people, none = accounts.addresses(), {"pointer": NULL_ADDRESS, "owner": NULL_ADDRESS}
    app, pool = raw["app"], raw["workerpool"]
    assert deal.to_dict() == {
        "dealid": match.dealid,
        "app": {**app, "owner": people["app-provider"], "price": str(PRICE)},
        "dataset": {**none, "price": "0"},
        "workerpool": {**pool, "owner": people["workerpool-owner"], "price": str(PRICE)},
        "trust": "3",
        "category": "0",
        "tag": f"0x{0x100:064x}",
        "requester": people["requester"],
        "beneficiary": people["requester"],
        "callback": NULL_ADDRESS,
        "params": raw["params"],
        "startTime": str(raw["startTime"]),
        "botFirst": "0",
        "botSize": "2",
        "workerStake": str(PRICE * 30 // 100),
        "schedulerRewardRatio": "1",
        "finalTime": str(raw["startTime"] + 10 * REFERENCE),
        "deadlineReached": False,
        "tasks": {str(i): task_id(match.dealid, i) for i in (0, 1)},
    }
    assert deal.params.startswith('{"iexec_result_storage_provider":"ipfs",')
    assert iexec.deal.compute_task_id(match.dealid, "1") == match.taskids[1]


def test_a_deal_that_does_not_exist(sandbox: Sandbox, client: Client) -> None:
    iexec, nothing = client(sandbox, "requester"), "0x" + "77" * 32
    for method in (iexec.deal.show, iexec.deal.claim, lambda d: next(iexec.deal.obs_deal(d))):
        with pytest.raises(ObjectNotFoundError, match=f"No deal found for id {nothing}"):
            method(nothing)
        with pytest.raises(ValidationError, match="dealid"):
            method(nothing[:-1])


def test_deadlines_go_by_the_blocks(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    iexec, match = client(sandbox, "requester"), buy(sandbox)
    wait(sandbox, 10 * REFERENCE - 30)
    assert iexec.deal.show(match.dealid).deadline_reached is False
    with pytest.raises(StateError, match="Cannot claim a deal before reaching the final time: 20"):
        iexec.deal.claim(match.dealid)
    wait(sandbox, 30)
    assert iexec.deal.show(match.dealid).deadline_reached is True
    assert list(iexec.deal.claim(match.dealid).claimed) == [0]


def test_a_deal_of_very_many_tasks(
    sandbox: Sandbox, client: Client, buy: Buy, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = buy(sandbox, volume=11)
    monkeypatch.setattr(ids, "MAX_TASKS", 10)
    with pytest.raises(StateError, match="has 11 tasks, more than can be listed"):
        client(sandbox, "requester").deal.show(match.dealid)


# --- watch ----------------------------------------------------------------------------------------


def begin(sandbox: Sandbox, *indexes: int) -> None:
    """Let the worker take on these tasks only."""
    worker = sandbox.worker
    worker._look()
    for taskid, task in tuple(worker._open.items()):
        if task.index not in indexes:
            del worker._open[taskid]


def test_watch_to_the_end(any_sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match = buy(any_sandbox, volume=2)
    iexec = client(any_sandbox, "requester")
    watch = iexec.deal.obs_deal(match.dealid)
    first = next(watch)
    assert (first.message, first.tasks_count, first.completed_tasks_count) == ("DEAL_UPDATED", 2, 0)
    assert [task.status_name for task in first.tasks.values()] == ["UNSET", "UNSET"]
    begin(any_sandbox, 0)
    assert any_sandbox.worker.run_once() == 1
    second = next(watch)
    assert (second.message, second.completed_tasks_count) == ("DEAL_UPDATED", 1)
    assert [task.status_name for task in second.tasks.values()] == ["COMPLETED", "UNSET"]
    any_sandbox.worker = any_sandbox.new_worker()
    assert any_sandbox.worker.run_once() == 1
    last = next(watch)
    assert (last.message, last.completed_tasks_count, last.failed_tasks_count) == (
        "DEAL_COMPLETED",
        2,
        0,
    )
    assert list(watch) == []
    assert list(last.to_dict())[:2] == ["message", "deal"]
    assert last.to_dict()["tasksCount"] == 2


def test_watch_a_deal_that_times_out(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match = buy(sandbox, volume=2)
    begin(sandbox, 0)
    assert sandbox.worker.run_once() == 1
    watch = client(sandbox, "requester").deal.obs_deal(match.dealid)
    assert next(watch).message == "DEAL_UPDATED"
    wait(sandbox, 10 * REFERENCE)
    last = next(watch)
    assert (last.message, last.completed_tasks_count, last.failed_tasks_count) == (
        "DEAL_TIMEDOUT",
        1,
        1,
    )
    assert last.tasks[1].status_name == "TIMEOUT"
    assert list(watch) == []


def test_close_wakes_a_watch(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    watch = client(sandbox, "requester").deal.obs_deal(buy(sandbox).dealid)
    assert next(watch).message == "DEAL_UPDATED"
    threading.Timer(0.3, watch.close).start()
    assert list(watch) == []


def test_subscribe(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match, heard, done = buy(sandbox), [], threading.Event()
    client(sandbox, "requester").deal.obs_deal(match.dealid).subscribe(
        next=lambda update: heard.append(update.message), complete=done.set
    )
    assert sandbox.worker.run_once() == 1
    assert done.wait(10)
    assert heard[-1] == "DEAL_COMPLETED"


# --- claim ----------------------------------------------------------------------------------------


@pytest.mark.witness("calldata: claim a deal", "task id", by="contracts")
def test_claim_what_was_not_completed(any_sandbox: Sandbox, client: Client, buy: Buy) -> None:
    """One task is completed, one is computed but never finished, one is never begun."""
    match = buy(any_sandbox, volume=3, trust=5)
    iexec, worker = client(any_sandbox, "requester"), any_sandbox.worker
    people = ("requester", "workerpool-owner", "worker-1")
    before = {name: balance(iexec, name) for name in people}
    begin(any_sandbox, 0)
    assert worker.run_once() == 1
    any_sandbox.worker = worker = any_sandbox.new_worker()
    begin(any_sandbox, 1)
    [task] = worker._open.values()
    worker._initialize(task)
    worker._workers = worker._workers[:1]
    worker._contribute_until_consensus(task)
    assert [iexec.task.show(match.taskids[i]).status for i in (0, 1)] == [3, 1]
    wait(any_sandbox, 10 * REFERENCE)

    claimed = iexec.deal.claim(match.dealid)
    assert claimed.claimed == {i: match.taskids[i] for i in (1, 2)}
    assert [part["type"] for part in claimed.transactions] == [
        "claimArray",
        "initializeAndClaimArray",
    ]
    assert [iexec.task.show(taskid).status_name for taskid in match.taskids.values()] == [
        "COMPLETED",
        "FAILED",
        "FAILED",
    ]
    after = {name: balance(iexec, name) for name in people}
    assert after["requester"].stake == before["requester"].stake + 2 * 2 * PRICE
    assert {balance.locked for balance in after.values()} == {0}
    # the stakes for two tasks are lost, the worker's is not
    assert after["workerpool-owner"].stake <= before["workerpool-owner"].stake + 300 + PRICE
    assert after["worker-1"].stake > before["worker-1"].stake
    with pytest.raises(StateError, match="Nothing to claim"):
        iexec.deal.claim(match.dealid)
    assert claimed.to_dict()["claimed"] == {"1": match.taskids[1], "2": match.taskids[2]}


def test_a_later_deal_of_a_request_has_later_indexes(
    sandbox: Sandbox, client: Client, buy: Buy, no_time: Any
) -> None:
    """In one claim: tasks begun and tasks not begun, from ``bot_first`` on."""
    iexec = client(sandbox, "requester")
    category = no_time(sandbox)
    first = iexec.deal.show(buy(sandbox, category=category, volume=2).dealid)
    pools = client(sandbox, "workerpool-owner").order
    request = iexec.order.create_requestorder(first.app.pointer, category, volume=5)
    request = iexec.order.sign_requestorder(request, check_request=False)
    app = client(sandbox, "app-provider").order
    apporder = app.sign_apporder(app.create_apporder(first.app.pointer, volume=9))
    made = []
    for volume in (3, 9):
        offer = pools.create_workerpoolorder(first.workerpool.pointer, category, volume=volume)
        made.append(
            iexec.order.match_orders(
                apporder=apporder,
                workerpoolorder=pools.sign_workerpoolorder(offer),
                requestorder=request,
                check_request=False,
            )
        )
    assert [list(match.taskids) for match in made] == [[0, 1, 2], [3, 4]]
    second = iexec.deal.show(made[1].dealid)
    assert (second.bot_first, second.bot_size, second.tasks) == (3, 2, made[1].taskids)
    send(iexec, HUB.initialize.encode(second.dealid, 4))
    claimed = iexec.deal.claim(second.dealid)
    assert claimed.claimed == second.tasks
    assert [part["type"] for part in claimed.transactions] == [
        "claimArray",
        "initializeAndClaimArray",
    ]


def test_as_many_transactions_as_blocks_demand(
    sandbox: Sandbox, client: Client, buy: Buy, no_time: Any, gas_limit: Any
) -> None:
    match = buy(sandbox, category=no_time(sandbox), volume=30)
    iexec = client(sandbox, "requester")
    gas_limit(2_500_000)
    claimed = iexec.deal.claim(match.dealid)
    assert claimed.claimed == match.taskids
    assert [part["type"] for part in claimed.transactions] == ["initializeAndClaimArray"] * 3
    assert balance(iexec, "requester").locked == 0
    for part in claimed.transactions:
        receipt = sandbox.node.rpc.request("eth_getTransactionReceipt", (part["txHash"],))
        assert receipt["status"] == "0x1"


def test_claims_that_cost_more_than_thought(
    sandbox: Sandbox, client: Client, buy: Buy, no_time: Any, gas_limit: Any
) -> None:
    """Gas per claim is an estimate of V6, and too low: what a block does not hold is halved."""
    match = buy(sandbox, category=no_time(sandbox), volume=36)
    iexec = client(sandbox, "requester")
    send(iexec, HUB.initializeArray.encode([match.dealid] * 36, list(range(36))))
    gas_limit(36 * deals.GAS_PER_CLAIM)
    claimed = iexec.deal.claim(match.dealid)
    assert claimed.claimed == match.taskids
    assert [part["type"] for part in claimed.transactions] == ["claimArray"] * 2


def test_a_claim_that_breaks_off(
    sandbox: Sandbox, client: Client, buy: Buy, no_time: Any, gas_limit: Any
) -> None:
    """The error tells what went through, and the next call does the rest."""
    match = buy(sandbox, category=no_time(sandbox), volume=20)
    iexec, rpc = client(sandbox, "requester"), sandbox.node.rpc
    gas_limit(2_000_000)  # eight tasks a transaction
    person = iexec.wallet.get_address()
    rpc.request("anvil_setBalance", (person, hex(3 * 10**6 * 20 * 10**9)))
    with pytest.raises(Web3ProviderSendError, match="insufficient funds") as caught:
        iexec.deal.claim(match.dealid)
    done = caught.value.details["transactions"]
    assert isinstance(done, list)
    assert done[0]["type"] == "initializeAndClaimArray"
    tasks = next(iexec.deal.obs_deal(match.dealid)).tasks
    failed = [i for i, task in tasks.items() if task.status]
    assert 8 <= len(failed) < 20
    rpc.request("anvil_setBalance", (person, hex(10**18)))
    rest = iexec.deal.claim(match.dealid)
    assert sorted([*failed, *rest.claimed]) == list(range(20))
    assert balance(iexec, "requester").locked == 0
