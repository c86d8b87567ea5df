"""Getting money back on the real contracts: claims after a time-out, orders cancelled for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from iexec_lite import IExec
from iexec_lite.errors import MatchError, StateError
from iexec_lite.sandbox.stack import Sandbox

Client = Callable[..., IExec]
PRICE = 1000
KINDS = ("app", "dataset", "workerpool", "request")


@pytest.fixture
def no_time(client: Client) -> Callable[[Sandbox], int]:
    """Adds a category whose tasks are late at once; its index."""

    def add(sandbox: Sandbox) -> int:
        made = client(sandbox, "admin").hub.create_category(
            {"name": "late", "description": "{}", "workClockTimeRef": 0}
        )
        assert isinstance(made["catid"], int)
        return made["catid"]

    return add


@pytest.fixture
def orders(client: Client) -> Callable[..., dict[str, object]]:
    """Four signed orders that match, with the money they need deposited."""

    def make(sandbox: Sandbox, *, category: int = 0, volume: int = 3) -> dict[str, object]:
        seller, giver = client(sandbox, "app-provider"), client(sandbox, "dataset-provider")
        pool, buyer = client(sandbox, "workerpool-owner"), client(sandbox, "requester")
        app = seller.app.deploy_app(
            {
                "owner": seller.wallet.get_address(),
                "name": "app",
                "type": "DOCKER",
                "multiaddr": "docker.io/x:1",
                "checksum": "0x" + "00" * 32,
            }
        ).address
        dataset = giver.dataset.deploy_dataset(
            {
                "owner": giver.wallet.get_address(),
                "name": "data",
                "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
                "checksum": "0x" + "11" * 32,
            }
        ).address
        place = pool.workerpool.deploy_workerpool(
            {"owner": pool.wallet.get_address(), "description": "pool"}
        ).address
        pool.account.deposit(PRICE * volume)
        buyer.account.deposit(3 * PRICE * volume)
        terms = {"volume": volume, "category": category}
        sell, give, work, buy = seller.order, giver.order, pool.order, buyer.order
        return {
            "apporder": sell.sign_apporder(sell.create_apporder(app, appprice=PRICE, volume=9)),
            "datasetorder": give.sign_datasetorder(
                give.create_datasetorder(dataset, datasetprice=PRICE, volume=9)
            ),
            "workerpoolorder": work.sign_workerpoolorder(
                work.create_workerpoolorder(
                    place, workerpoolprice=PRICE, volume=9, category=category
                )
            ),
            "requestorder": buy.sign_requestorder(
                buy.create_requestorder(
                    app,
                    dataset=dataset,
                    appmaxprice=PRICE,
                    datasetmaxprice=PRICE,
                    workerpoolmaxprice=PRICE,
                    **terms,
                ),
                check_request=False,
            ),
        }

    return make


def test_claim_of_tasks_that_nobody_began(any_sandbox, client, no_time, orders) -> None:
    buyer = client(any_sandbox, "requester")
    four = orders(any_sandbox, category=no_time(any_sandbox))
    before = buyer.account.check_balance(buyer.wallet.get_address())
    match = buyer.order.match_orders(**four, check_request=False)
    deal = buyer.deal.show(match.dealid)
    assert (match.volume, deal.deadline_reached) == (3, True)
    claimed = buyer.deal.claim(match.dealid)
    assert claimed.claimed == match.taskids
    assert [part["type"] for part in claimed.transactions] == ["initializeAndClaimArray"]
    assert buyer.account.check_balance(buyer.wallet.get_address()) == before
    with pytest.raises(StateError, match="Nothing to claim"):
        buyer.deal.claim(match.dealid)
    last = list(buyer.deal.obs_deal(match.dealid))[-1]
    assert (last.message, last.failed_tasks_count) == ("DEAL_TIMEDOUT", 3)


def test_claim_of_a_later_part_of_a_request(any_sandbox, client, no_time, orders) -> None:
    """A second deal of one request begins at a later index: the JS SDK cannot claim it."""
    buyer, pool = client(any_sandbox, "requester"), client(any_sandbox, "workerpool-owner")
    four = orders(any_sandbox, category=no_time(any_sandbox))
    small = pool.order.create_workerpoolorder(
        four["workerpoolorder"].workerpool,
        four["workerpoolorder"].category,
        workerpoolprice=PRICE,
        volume=1,
    )
    first = buyer.order.match_orders(
        **{**four, "workerpoolorder": pool.order.sign_workerpoolorder(small)}, check_request=False
    )
    second = buyer.order.match_orders(**four, check_request=False)
    assert (list(first.taskids), list(second.taskids)) == ([0], [1, 2])
    assert second.taskids[2] == buyer.deal.compute_task_id(second.dealid, 2)
    assert buyer.deal.claim(second.dealid).claimed == second.taskids
    taskid = first.taskids[0]
    assert [u.message for u in buyer.task.obs_task(taskid, dealid=first.dealid)] == [
        "TASK_TIMEDOUT"
    ]


def test_claim_before_the_time_is_refused(sandbox, client, orders) -> None:
    buyer = client(sandbox, "requester")
    match = buyer.order.match_orders(**orders(sandbox), check_request=False)
    with pytest.raises(StateError, match="before reaching the final time"):
        buyer.deal.claim(match.dealid)
    with pytest.raises(LookupError, match="No task found"):
        buyer.task.claim(match.taskids[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_order_cannot_be_matched(kind: str, sandbox, client, orders) -> None:
    four = orders(sandbox)
    names = {"app": "app-provider", "dataset": "dataset-provider", "workerpool": "workerpool-owner"}
    owner, buyer = client(sandbox, names.get(kind, "requester")), client(sandbox, "requester")
    order = four[f"{kind}order"]
    cancel = getattr(owner.order, f"cancel_{kind}order")
    assert cancel(order).order == order
    with pytest.raises(StateError, match=f"{kind}order already canceled"):
        cancel(order)
    with pytest.raises(MatchError, match=f"{kind}order is fully consumed"):
        buyer.order.match_orders(**four, check_request=False)


def test_a_refused_match_sends_nothing(sandbox, client, orders) -> None:
    four = orders(sandbox)
    buyer = client(sandbox, "requester")
    rpc, me = sandbox.node.rpc, buyer.wallet.get_address()
    nonce = rpc.request("eth_getTransactionCount", (me, "latest"))
    cheap = {**four["requestorder"].to_dict(), "appmaxprice": "1", "trust": "7"}
    with pytest.raises(MatchError) as caught:
        buyer.order.match_orders(**{**four, "requestorder": cheap}, check_request=False)
    codes = {reason["code"] for reason in caught.value.details["reasons"]}
    assert {
        "iExecV5-matchOrders-0x02",
        "iExecV5-matchOrders-0x03",
        "iExecV5-matchOrders-0x50",
    } <= codes
    assert rpc.request("eth_getTransactionCount", (me, "latest")) == nonce
