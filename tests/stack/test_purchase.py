"""Buying a run in one call: on the sandbox's own marketplace, and on one that lies."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, RunPlan
from iexec_lite.errors import (
    IExecError,
    MarketCallError,
    MatchError,
    OutcomeUnknownError,
    StateError,
    ValidationError,
)
from iexec_lite.protocol.contracts import EVENTS
from iexec_lite.protocol.orders import NULL_ADDRESS
from iexec_lite.protocol.rules import V9
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sandbox.server import Server
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.journal import SETTLED

Client = Callable[..., IExec]
ROOT = Path(__file__).resolve().parents[2]
PEOPLE = accounts.addresses()
SELLERS = {"app": "app-provider", "dataset": "dataset-provider", "workerpool": "workerpool-owner"}
STAKE = 100_000


@dataclass
class Mall:
    """An app, a dataset and a workerpool of three sellers, and a requester with money."""

    sandbox: Sandbox
    client: Client
    goods: dict[str, str] = field(default_factory=dict)

    def seller(self, kind: str) -> IExec:
        return self.client(self.sandbox, SELLERS[kind])

    def buyer(self, **options: Any) -> IExec:
        return self.client(self.sandbox, "requester", **options)

    def sign(self, kind: str, price: int | None = None, **fields: Any) -> Any:
        api = self.seller(kind).order
        given = {kind: self.goods[kind], f"{kind}price": price, **fields}
        if kind == "workerpool":
            given.setdefault("category", 0)
        order = getattr(api, f"create_{kind}order")(**given)
        return getattr(api, f"sign_{kind}order")(order)

    def sell(self, kind: str, price: int, **fields: Any) -> Any:
        order = self.sign(kind, price, **fields)
        getattr(self.seller(kind).order, f"publish_{kind}order")(order)
        return order

    def deals(self) -> list[dict[str, Any]]:
        """What was ever bought on this chain from this snapshot on, by its events."""
        query = {
            "fromBlock": "0x0",
            "address": self.sandbox.deployment.hub,
            "topics": [EVENTS.OrdersMatched.topic],
        }
        logs = self.sandbox.node.rpc.request("eth_getLogs", (query,))
        return [dict(found) for found in EVENTS.OrdersMatched.find(logs, self.sandbox.chain.hub)]


def deploy(iexec: IExec, kind: str, name: str = "thing") -> str:
    owner = iexec.wallet.get_address()
    entry: dict[str, Any] = {"owner": owner, "name": name, "checksum": "0x" + "00" * 32}
    entry |= {
        "app": {"type": "DOCKER", "multiaddr": SAMPLE_IMAGE},
        "dataset": {"multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"},
        "workerpool": {},
    }[kind]
    if kind == "workerpool":
        entry = {"owner": owner, "description": name}
    return str(getattr(getattr(iexec, kind), f"deploy_{kind}")(entry).address)


@pytest.fixture
def mall(sandbox: Sandbox, client: Client, secrets: Any) -> Mall:
    made = Mall(sandbox, client)
    made.goods = {kind: deploy(made.seller(kind), kind) for kind in SELLERS}
    made.buyer().account.deposit(STAKE)
    made.seller("workerpool").account.deposit(STAKE)
    secrets.storage_token(sandbox, "requester")
    return made


@pytest.fixture
def liar() -> Iterator[Callable[..., str]]:
    """``liar(apporder=[…])``: URL of a marketplace that lists these signed orders, as they come."""
    servers: list[Server] = []

    def start(hash_of: IExec, **books: list[Any]) -> str:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            kind = environ["PATH_INFO"].strip("/").removesuffix("s")
            listed = [
                {
                    "orderHash": getattr(hash_of.order, f"hash_{kind}")(order),
                    "chainId": hash_of.chain.id,
                    "order": order.values(),
                    "remaining": order.volume,
                    "status": "open",
                    "publicationTimestamp": "2026-01-01T00:00:00.000Z",
                    "signer": NULL_ADDRESS,
                }
                for order in books.get(kind, [])
                if f"category={getattr(order, 'category', '')}" in environ["QUERY_STRING"]
                or not hasattr(order, "category")
            ]
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"ok": True, "count": len(listed), "orders": listed}).encode()]

        servers.append(Server({"": app}))
        servers[-1].start()
        return servers[-1].url

    yield start
    for server in servers:
        server.stop()


# --- a plan -----------------------------------------------------------------------------------


def test_the_cheapest_of_the_market_is_bought(mall: Mall) -> None:
    for price in (30, 10, 20):
        mall.sell("app", price)
        mall.sell("workerpool", 10 * price)
        mall.sell("dataset", 100 * price)
    buyer = mall.buyer()
    wish: dict[str, Any] = {"dataset": mall.goods["dataset"], "params": {"iexec_args": "hi"}}
    plan = buyer.app.plan_run(mall.goods["app"], **wish)
    assert plan.ok
    assert (plan.app_price, plan.workerpool_price, plan.dataset_price) == (10, 100, 1000)
    assert (plan.total, plan.stake, plan.shortfall) == (1110, STAKE, 0)
    assert plan.datasetorder is not None
    for part in (plan.apporder, plan.datasetorder, plan.workerpoolorder):
        assert not part.to_sign
        assert part.order_hash == getattr(buyer.order, f"hash_{part.order.name}")(part.order)
    document = json.loads(json.dumps(plan.to_dict()))
    assert document["requestorder"]["workerpool"] == mall.goods["workerpool"]
    assert (document["total"], document["reasons"], document["unfinished"]) == ("1110", [], False)
    assert document["apporder"]["order"]["appprice"] == "10"
    assert mall.deals() == []  # nothing was sent

    seen: list[RunPlan] = []
    bought = buyer.app.run(mall.goods["app"], **wish, confirm=lambda p: not seen.append(p))
    assert seen == [plan]
    assert (bought.volume, bought.resumed, len(bought.taskids)) == (1, False, 1)
    deal = buyer.deal.show(bought.dealid)
    assert (deal.app.price, deal.dataset.price, deal.workerpool.price) == (10, 1000, 100)
    assert (deal.requester, deal.beneficiary) == (PEOPLE["requester"],) * 2
    assert json.loads(deal.params)["iexec_args"] == "hi"
    assert buyer.account.check_balance(PEOPLE["requester"]).locked == 1110


def test_a_plan_needs_no_key(mall: Mall) -> None:
    mall.sell("app", 10)
    mall.sell("workerpool", 10)
    somebody = IExec(mall.sandbox.chain)
    plan = somebody.app.plan_run(mall.goods["app"], requester=PEOPLE["beneficiary"])
    assert plan.requestorder.requester == PEOPLE["beneficiary"]
    assert [reason.code for reason in plan.reasons] == ["request", "requester-stake"]
    assert "storage token is not set" in plan.reasons[0].text
    assert (plan.stake, plan.shortfall) == (0, 20)
    with pytest.raises(MatchError, match=r"token is not set.*; Cost per task") as caught:
        plan.raise_if_bad()
    assert caught.value.details == {"reasons": plan.to_dict()["reasons"], "total": "20"}
    with pytest.raises(IExecError, match="Missing Signer"):
        somebody.app.plan_run(mall.goods["app"])
    somebody.close()


def test_own_goods_cost_nothing(mall: Mall) -> None:
    """All three are the requester's: nothing is asked of the marketplace."""
    buyer = mall.buyer(iexec_gateway_url="http://127.0.0.1:1")
    own = {kind: deploy(buyer, kind, "own") for kind in SELLERS}
    wish: dict[str, Any] = {
        "dataset": own["dataset"],
        "workerpool": own["workerpool"],
        "tag": "gpu",
        "trust": 3,
        "category": "2",
        "beneficiary": PEOPLE["beneficiary"],
        "callback": PEOPLE["worker-1"],
    }
    plan = buyer.app.plan_run(own["app"], **wish)
    assert plan.ok
    gpu = f"0x{1 << 8:064x}"
    assert plan.datasetorder is not None
    for part in (plan.apporder, plan.datasetorder, plan.workerpoolorder):
        order = part.order
        assert part.to_sign
        assert part.order_hash is None
        assert getattr(order, f"{order.resource}price") == 0
        assert (order.volume, order.tag) == (1, gpu)
        assert order.requesterrestrict == PEOPLE["requester"]
    bought = buyer.app.run(own["app"], **wish)
    deal = buyer.deal.show(bought.dealid)
    assert (deal.category, deal.trust, deal.tag) == (2, 3, gpu)
    assert (deal.beneficiary, deal.callback) == (PEOPLE["beneficiary"], PEOPLE["worker-1"])
    assert deal.workerpool.pointer == own["workerpool"]
    assert buyer.account.check_balance(PEOPLE["requester"]).locked == 0


def test_restricted_orders_of_the_market(mall: Mall) -> None:
    """A cheap order for somebody else is not seen, a cheap order for us is."""
    mall.sell("app", 1, requesterrestrict=PEOPLE["worker-1"])
    mall.sell("app", 5, requesterrestrict=PEOPLE["requester"])
    mall.sell("app", 9)
    mall.sell("workerpool", 1, apprestrict=mall.goods["app"])
    plan = mall.buyer().app.plan_run(mall.goods["app"])
    assert (plan.app_price, plan.workerpool_price) == (5, 1)


def test_tags(mall: Mall) -> None:
    """Nothing that needs more than what is asked for; a pool that has all that is needed."""
    mall.sell("app", 1, tag=["gpu"])
    mall.sell("app", 3)
    mall.sell("app", 4, tag=["tee"])
    mall.sell("workerpool", 1)
    mall.sell("workerpool", 2, tag=["tee", "gpu"])
    app = mall.buyer().app
    plain = app.plan_run(mall.goods["app"])
    assert (plain.app_price, plain.workerpool_price) == (3, 1)
    tee = app.plan_run(mall.goods["app"], tag=["tee"])
    assert (tee.app_price, tee.workerpool_price) == (4, 2)
    gpu = app.plan_run(mall.goods["app"], tag="gpu")
    assert (gpu.app_price, gpu.workerpool_price) == (1, 2)


# --- what is missing --------------------------------------------------------------------------


def test_no_order(mall: Mall) -> None:
    goods, app = mall.goods, mall.buyer().app
    nothing = "0x" + "77" * 20
    for text, address, options in [
        (f"No app deployed at address {nothing}", nothing, {}),
        (f"No app deployed at address {NULL_ADDRESS}", NULL_ADDRESS, {}),
        (f"No app deployed at address {goods['dataset']}", goods["dataset"], {}),
        (f"No order available for app {goods['app']}", goods["app"], {}),
    ]:
        with pytest.raises(StateError, match=f"^{text}$"):
            app.run(address, **options)
    mall.sell("app", 10)
    for text, options in [
        (f"No dataset deployed at address {nothing}", {"dataset": nothing}),
        (f"No order available for dataset {goods['dataset']}", {"dataset": goods["dataset"]}),
        (
            "No workerpoolorder matching your conditions currently available",
            {"dataset": NULL_ADDRESS},
        ),
        (
            "No workerpoolorder matching your conditions available in category 3",
            {"category": 3, "workerpool": goods["workerpool"]},
        ),
        (f"No workerpool deployed at address {nothing}", {"workerpool": nothing}),
    ]:
        with pytest.raises(StateError, match=f"^{text}$"):
            app.plan_run(goods["app"], **options)


def test_categories_are_tried_in_order(mall: Mall) -> None:
    mall.sell("app", 10)
    mall.sell("workerpool", 1, category=4)
    mall.sell("workerpool", 7, category=2)
    app = mall.buyer().app
    plan = app.plan_run(mall.goods["app"])
    assert (plan.requestorder.category, plan.workerpool_price) == (2, 7)
    chosen = app.plan_run(mall.goods["app"], category="4")
    assert (chosen.requestorder.category, chosen.workerpool_price) == (4, 1)
    dear = app.plan_run(mall.goods["app"], workerpool_max_price=6)
    assert (dear.requestorder.category, dear.workerpool_price) == (4, 1)


def test_limits(mall: Mall) -> None:
    mall.sell("app", 10)
    mall.sell("dataset", 20)
    mall.sell("workerpool", 30)
    app = mall.buyer().app
    wish: dict[str, Any] = {"dataset": mall.goods["dataset"]}
    limits = {"app": 10, "dataset": "20 nRLC", "workerpool": "0.00000003 RLC"}
    exact = {f"{kind}_max_price": value for kind, value in limits.items()}
    assert app.plan_run(mall.goods["app"], **wish, **exact).total == 60
    for kind, text in [
        ("app", "No order available for app .* for at most 0.000000009 RLC: .* 0.00000001 RLC"),
        ("dataset", "No order available for dataset .* for at most 0.0000000"),
        ("workerpool", "No workerpoolorder .* currently available for at most 0.0000000"),
    ]:
        less = int(10 * (1 + list(limits).index(kind))) - 1
        with pytest.raises(StateError, match=text):
            app.run(mall.goods["app"], **wish, **{**exact, f"{kind}_max_price": less})
    assert mall.deals() == []


def test_faulty_wishes_are_told_at_once(mall: Mall) -> None:
    app = mall.buyer().app
    with pytest.raises(ValidationError) as caught:
        app.run(
            "0x12",
            category="x",
            tag="foo",
            trust=-1,
            params=7,  # type: ignore[arg-type]
            app_max_price="1 GLD",
            beneficiary="nobody",
        )
    named = ("app_max_price", "app", "category", "tag", "trust", "beneficiary")
    assert sorted(fault.split(":")[0] for fault in caught.value.errors) == sorted(named)
    with pytest.raises(ValidationError, match="params: this must be a `object` type"):
        app.plan_run(mall.goods["app"], params=[1])  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="category"):
        app.plan_run(mall.goods["app"], category="")


def test_not_enough_money(mall: Mall) -> None:
    mall.sell("app", STAKE)
    mall.sell("workerpool", 1)
    app = mall.buyer().app
    plan = app.plan_run(mall.goods["app"])
    assert [reason.code for reason in plan.reasons] == ["requester-stake"]
    assert (plan.total, plan.shortfall) == (STAKE + 1, 1)
    asked: list[object] = []
    with pytest.raises(MatchError, match=r"Cost per task \(100001\)"):
        app.run(mall.goods["app"], confirm=lambda p: not asked.append(p))
    assert asked == []  # nobody is asked about what cannot be done


def test_no(mall: Mall) -> None:
    mall.sell("app", 10)
    mall.sell("workerpool", 10)
    buyer = mall.buyer()
    with pytest.raises(IExecError, match=r"^Operation aborted by user\.$"):
        buyer.app.run(mall.goods["app"], confirm=lambda plan: False)
    assert mall.deals() == []
    assert buyer._context.transactions.account.pending() == []


def test_requirements_of_the_request(mall: Mall) -> None:
    mall.sell("app", 10)
    mall.sell("workerpool", 10)
    app, wish = mall.buyer().app, {"params": {"iexec_result_encryption": True}}
    plan = app.plan_run(mall.goods["app"], **wish)  # type: ignore[arg-type]
    assert [reason.code for reason in plan.reasons] == ["request"]
    with pytest.raises(MatchError, match="Request requirements check failed: Beneficiary result"):
        app.run(mall.goods["app"], **wish)  # type: ignore[arg-type]
    assert app.plan_run(mall.goods["app"], **wish, check_request=False).ok  # type: ignore[arg-type]
    mute = mall.buyer(sms_url="http://127.0.0.1:1").app
    plan = mute.plan_run(mall.goods["app"])
    assert [reason.code for reason in plan.reasons] == ["request"]
    assert mute.run(mall.goods["app"], check_request=False).volume == 1


# --- a marketplace that lies ------------------------------------------------------------------


def test_orders_that_do_not_hold_are_skipped(
    mall: Mall, liar: Any, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    buyer = mall.buyer()
    spent = {kind: mall.sign(kind, 1) for kind in SELLERS}
    request = buyer.order.create_requestorder(
        mall.goods["app"],
        0,
        dataset=mall.goods["dataset"],
        **{f"{kind}maxprice": 1 for kind in SELLERS},
    )
    buyer.order.match_orders(
        **{f"{kind}order": order for kind, order in spent.items()},
        requestorder=buyer.order.sign_requestorder(request),
    )
    cancelled = mall.sign("app", 2)
    mall.seller("app").order.cancel_apporder(cancelled)
    salt, wrong = "0x" + "01" * 32, "0x" + "22" * 65
    forged = {kind: mall.sign(kind, 3).signed(salt, wrong) for kind in SELLERS}
    poor = deploy(client(mall.sandbox, "dataset-provider"), "workerpool", "poor")
    api = client(mall.sandbox, "dataset-provider").order
    unpaid = api.sign_workerpoolorder(api.create_workerpoolorder(poor, 0, workerpoolprice=40))
    nowhere = mall.sign("workerpool", 3).signed(salt, "0x")
    nowhere = type(nowhere).from_dict({**nowhere.to_dict(), "workerpool": mall.goods["app"]})
    good = {kind: mall.sign(kind, 50) for kind in SELLERS}
    url = liar(
        buyer,
        apporder=[spent["app"], cancelled, forged["app"], good["app"]],
        datasetorder=[spent["dataset"], forged["dataset"], good["dataset"]],
        workerpoolorder=[
            *(spent["workerpool"], forged["workerpool"], unpaid, nowhere, good["workerpool"])
        ],
    )
    caplog.set_level(logging.INFO, "iexec_lite")
    app = mall.buyer(iexec_gateway_url=url).app
    bought = app.run(mall.goods["app"], dataset=mall.goods["dataset"])
    deal = buyer.deal.show(bought.dealid)
    assert (deal.app.price, deal.dataset.price, deal.workerpool.price) == (50, 50, 50)
    told = [r.getMessage().split(": ", 1)[1] for r in caplog.records if "skipping" in r.message]
    owner = {kind: PEOPLE[name] for kind, name in SELLERS.items()}
    assert told == [
        "it is fully consumed",
        "it is fully consumed",
        f"it is not signed by the app's owner {owner['app']}",
        "it is fully consumed",
        f"it is not signed by the dataset's owner {owner['dataset']}",
        "it is fully consumed",
        f"it is not signed by the workerpool's owner {owner['workerpool']}",
        "the stake of the workerpool's owner is 0, 12 is needed",
        f"No workerpool deployed at address {mall.goods['app']}",
    ]
    # What the marketplace was not asked about is looked at here.
    other = mall.sign("app", 1, workerpoolrestrict=mall.goods["app"])
    listed = mall.buyer(iexec_gateway_url=liar(buyer, apporder=[other])).app
    with pytest.raises(StateError, match="No order available for app"):
        listed.plan_run(mall.goods["app"])
    assert f"it is restricted to workerpool {mall.goods['app']}" in caplog.text


def test_tags_of_todays_networks(mall: Mall, liar: Any) -> None:
    """What the network demands is searched for unasked; of a dataset some bits do not count."""
    seller = {kind: mall.sign(kind, 5, tag=["tee", "tdx"]) for kind in ("app", "workerpool")}
    old = mall.sign("dataset", 5, tag=["tee", "scone"])
    gpu = mall.sign("dataset", 4, tag=["tee", "gpu"])
    url = liar(
        mall.buyer(),
        apporder=[seller["app"]],
        datasetorder=[gpu, old],
        workerpoolorder=[seller["workerpool"]],
    )
    with IExec(replace(mall.sandbox.chain, rules=V9), iexec_gateway_url=url) as today:
        plan = today.app.plan_run(
            mall.goods["app"],
            dataset=mall.goods["dataset"],
            requester=PEOPLE["requester"],
            check_request=False,
        )
    assert plan.ok
    assert plan.requestorder.tag == seller["app"].tag
    assert plan.datasetorder is not None
    assert plan.datasetorder.order == old


def test_a_list_without_end_that_holds_nothing(mall: Mall) -> None:
    asked: list[str] = []
    order = mall.sign("app", 1)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["QUERY_STRING"])
        forged = order.signed(f"0x{len(asked):064x}", "0x")
        record = {
            "orderHash": mall.buyer().order.hash_apporder(forged),
            "chainId": mall.sandbox.chain.id,
            "order": forged.values(),
            "remaining": 1,
            "status": "open",
            "publicationTimestamp": "now",
            "signer": NULL_ADDRESS,
        }
        answer = {"ok": True, "count": 1, "orders": [record], "nextPage": 20 * len(asked)}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    server = Server({"": app})
    server.start()
    try:
        with pytest.raises(StateError, match="No order available for app"):
            mall.buyer(iexec_gateway_url=server.url).app.plan_run(mall.goods["app"])
    finally:
        server.stop()
    assert len(asked) == 5


# --- once -------------------------------------------------------------------------------------


@pytest.fixture
def offers(mall: Mall) -> Mall:
    """Enough for several runs."""
    mall.sell("app", 10, volume=9)
    mall.sell("workerpool", 10, volume=9)
    return mall


PROGRAM = """
import json, os, signal, sys
from iexec_lite import Chain, IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sdk import transactions
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.net.rpc import Rpc

def die(*_, **__):
    print("dying", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

where, folder, chain, app = sys.argv[1:]
if where == "before":
    Rpc.send_raw = die
else:
    transactions.wait_for_receipt = die
chain, key = Chain.from_dict(json.loads(chain)), accounts.signer("requester")
IExec(chain, key, journal=FileJournal(folder)).app.run(app, params="once")
"""


def killed(mall: Mall, journal: Path, where: str) -> None:
    """A run in a process that is killed before or after it sends its transaction."""
    chain = json.dumps(mall.sandbox.chain.to_dict())
    words = [where, str(journal), chain, mall.goods["app"]]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "dying\n"), done.stderr


@pytest.mark.parametrize("where", ["before", "after"])
def test_killed_and_called_again_buys_once(
    offers: Mall, where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed(offers, tmp_path / "journal", where)
    assert len(offers.deals()) == (0 if where == "before" else 1)
    buyer = offers.buyer(journal=FileJournal(tmp_path / "journal"))
    plan = buyer.app.plan_run(offers.goods["app"], params="once")
    assert plan.unfinished
    assert "it would be resumed" in caplog.text

    def nobody(_: object) -> bool:
        raise AssertionError("there is nothing to ask")

    # What is offered now does not matter, nor does the SMS: the purchase was made.
    with IExec(
        offers.sandbox.chain,
        accounts.signer("requester"),
        journal=FileJournal(tmp_path / "journal"),
        iexec_gateway_url="http://127.0.0.1:1",
        sms_url="http://127.0.0.1:1",
    ) as again:
        bought = again.app.run(offers.goods["app"], params={"iexec_args": "once"}, confirm=nobody)
    assert bought.resumed
    [event] = offers.deals()
    assert event["dealid"] == bought.dealid
    assert buyer.deal.show(bought.dealid).tasks == bought.taskids
    # It is done: the next one is another.
    assert not buyer.app.plan_run(offers.goods["app"], params="once").unfinished
    assert not buyer.app.run(offers.goods["app"], params="once").resumed
    assert len(offers.deals()) == 2


def test_another_wish_is_another_purchase(offers: Mall, tmp_path: Path) -> None:
    killed(offers, tmp_path / "journal", "after")
    buyer = offers.buyer(journal=FileJournal(tmp_path / "journal"))
    assert not buyer.app.run(offers.goods["app"], params="twice").resumed
    assert not buyer.app.run(offers.goods["app"], params="once", new=True).resumed
    assert len(offers.deals()) == 3
    assert buyer.app.run(offers.goods["app"], params="once").resumed
    assert len(offers.deals()) == 3


def test_what_is_resumed_keeps_the_limits_of_the_call(offers: Mall, tmp_path: Path) -> None:
    killed(offers, tmp_path / "journal", "before")
    buyer = offers.buyer(journal=FileJournal(tmp_path / "journal"))
    wish: dict[str, Any] = {"params": "once"}
    with pytest.raises(StateError, match="it is not resumed beyond the limit"):
        buyer.app.run(offers.goods["app"], **wish, app_max_price=9)
    assert offers.deals() == []
    assert buyer.app.run(offers.goods["app"], **wish, app_max_price=10).resumed
    assert len(offers.deals()) == 1


def test_an_answer_that_is_lost(offers: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process too: the outcome is unknown, and the same call finds it."""
    buyer = offers.buyer()
    transactions = buyer._context.transactions
    transactions.timeout = 0.0
    offers.sandbox.node.rpc.request("evm_setAutomine", (False,))
    try:
        with pytest.raises(OutcomeUnknownError) as caught:
            buyer.app.run(offers.goods["app"])
    finally:
        offers.sandbox.node.rpc.request("evm_setAutomine", (True,))
        offers.sandbox.node.mine()
    transactions.timeout = 60.0
    bought = buyer.app.run(offers.goods["app"])
    assert (bought.resumed, bought.tx_hash) == (True, caught.value.tx_hash)
    assert len(offers.deals()) == 1


def test_while_somebody_thinks_the_same_run_dies_elsewhere(offers: Mall, tmp_path: Path) -> None:
    """A question lasts; what another process leaves meanwhile is resumed, not bought again."""
    buyer = offers.buyer(journal=FileJournal(tmp_path / "journal"))

    def confirm(_: object) -> bool:
        killed(offers, tmp_path / "journal", "after")
        return True

    bought = buyer.app.run(offers.goods["app"], params="once", confirm=confirm)
    assert bought.resumed
    [event] = offers.deals()
    assert event["dealid"] == bought.dealid


def test_what_is_left_and_then_settled_elsewhere(
    offers: Mall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the send the left run is finished: a whole new run is made."""
    killed(offers, tmp_path / "journal", "after")
    buyer = offers.buyer(journal=FileJournal(tmp_path / "journal"))
    account = buyer._context.transactions.account
    [entry] = account.pending()
    looks: list[object] = []

    def left(key: str) -> object:
        looks.append(key)
        if len(looks) == 1:
            account.update(entry, state=SETTLED)
        return None

    monkeypatch.setattr(account, "left", left)
    bought = buyer.app.run(offers.goods["app"], params="once")
    assert not bought.resumed
    assert buyer.deal.show(bought.dealid).app.price == 10


def test_the_chain_moves_while_somebody_thinks(offers: Mall) -> None:
    """Every requirement is looked at once more after the answer."""
    buyer = offers.buyer()

    def confirm(_: object) -> bool:
        buyer.account.withdraw(STAKE)
        return True

    with pytest.raises(MatchError, match="greater than requester account stake"):
        buyer.app.run(offers.goods["app"], confirm=confirm)
    assert offers.deals() == []


# --- a request for everybody --------------------------------------------------------------------


def test_request_execution(mall: Mall) -> None:
    mall.sell("app", 10, volume=9)
    mall.sell("dataset", 20, volume=9)
    buyer = mall.buyer()
    wish: dict[str, Any] = {
        "dataset": mall.goods["dataset"],
        "workerpool": mall.goods["workerpool"],
        "app_price": 10,
        "dataset_price": "20 nRLC",
        "workerpool_price": 30,
        "volume": "2",
        "category": 1,
        "trust": 1,
        "tag": ["gpu"],
        "beneficiary": PEOPLE["beneficiary"],
        "params": {"iexec_args": "please"},
    }
    plan = buyer.app.plan_request_execution(mall.goods["app"], **wish)
    assert (plan.ok, plan.total, plan.stake, plan.shortfall) == (True, 120, STAKE, 0)
    seen: list[object] = []
    order_hash = buyer.app.request_execution(
        mall.goods["app"], **wish, confirm=lambda p: not seen.append(p)
    )
    assert seen == [plan]
    published = buyer.orderbook.fetch_requestorder(order_hash)
    signed = published.order
    assert {name: getattr(signed, name) for name in plan.requestorder.values()} == (
        plan.requestorder.values()
    )
    assert (signed.volume, signed.category, signed.workerpoolmaxprice) == (2, 1, 30)
    assert buyer.order.hash_requestorder(signed) == order_hash


def test_a_request_that_nobody_could_take(mall: Mall) -> None:
    goods, app = mall.goods, mall.buyer().app
    plan = app.plan_request_execution(
        goods["app"], workerpool_price=STAKE, dataset_price=7, volume=2, category=99
    )
    assert plan.requestorder.datasetmaxprice == 0  # without a dataset
    assert [reason.code for reason in plan.reasons] == ["category", "requester-stake"]
    assert (plan.total, plan.shortfall) == (2 * STAKE, STAKE)
    with pytest.raises(MatchError, match="category 99 does not exist; Total cost"):
        app.request_execution(goods["app"], workerpool_price=STAKE, volume=2, category=99)
    with pytest.raises(ValidationError, match="volume must be greater than or equal to 1"):
        app.plan_request_execution(goods["app"], volume=0)
    for kind in ("app", "dataset", "workerpool"):
        wish: dict[str, Any] = {"app": goods["app"], kind: PEOPLE["worker-1"]}
        with pytest.raises(StateError, match=f"No {kind} deployed at address"):
            app.request_execution(**wish)
    with pytest.raises(IExecError, match="aborted by user"):
        app.request_execution(goods["app"], confirm=lambda plan: False)
    with pytest.raises(MarketCallError, match="No apporder published") as caught:
        app.request_execution(goods["app"])
    order: Any = caught.value.details["order"]
    assert (order["app"], len(order["sign"])) == (goods["app"], 132)
