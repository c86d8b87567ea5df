"""Purchases on a hub in memory: which orders are taken, what a plan says, what an answer means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import (
    IExecError,
    MarketCallError,
    MatchError,
    SmsCallError,
    StateError,
    ValidationError,
    WorkerpoolCallError,
)
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
from iexec_lite.protocol.contracts import ENS, ENTRY, HUB, REGISTRY
from iexec_lite.protocol.rules import V6, V9
from iexec_lite.sdk import ens, offchain, offers, planning, purchase
from iexec_lite.sdk.match import order_set
from iexec_lite.sdk.page import Page
from iexec_lite.sdk.plan import PlannedOrder, RequestPlan, Wish
from iexec_lite.sdk.publish import Publishing
from iexec_lite.sdk.records import PublishedOrder

from .hub import ME, NULL, OTHER, Context, with_deal

APP, DATASET, POOL = ("0x" + digit * 40 for digit in "123")
NOBODY = "0x" + "00" * 20
RLC = 10**9
SIGNED: Any = {"salt": NULL, "sign": "0x12"}


def request(**more: Any) -> orders.Requestorder:
    given = {"app": APP, "category": 2, "requester": ME, **more}
    return orders.create_requestorder(**given, result_proxy="https://x")


def apporder(price: int = 0, **more: Any) -> orders.SignedApporder:
    return orders.SignedApporder(app=APP, appprice=price, volume=5, **SIGNED, **more)


def datasetorder(**more: Any) -> orders.SignedDatasetorder:
    return orders.SignedDatasetorder(dataset=DATASET, volume=5, **SIGNED, **more)


def poolorder(**more: Any) -> orders.SignedWorkerpoolorder:
    given: dict[str, Any] = {"workerpool": POOL, "volume": 5, "category": 2, **SIGNED, **more}
    return orders.SignedWorkerpoolorder(**given)


def page(*found: orders.SignedOrder) -> Page[Any]:
    records = [
        PublishedOrder(
            order_hash=f"0x{at:064x}",
            chain_id=4242,
            order=order,
            remaining=5,
            status="open",
            publication_timestamp="",
            signer=OTHER,
        )
        for at, order in enumerate(found)
    ]
    return Page(records, len(records))


class Books:
    """The order books, by resource; for workerpools by category. Notes what was asked for."""

    def __init__(self) -> None:
        self.found: dict[Any, Page[Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, _: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        kind = name.split("_")[1]

        def fetch(*given: Any, **filters: Any) -> Page[Any]:
            self.asked.append((kind, {"own": given[0] if given else None, **filters}))
            return self.found.get(filters.get("category", kind), page())

        return fetch


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    found = Books()
    monkeypatch.setattr(offers, "Orderbook", found)
    facts = SimpleNamespace(registered=True, signed=True, consumed=0, owner=OTHER)
    found.facts = facts  # type: ignore[attr-defined]
    found.stake = 100 * RLC  # type: ignore[attr-defined]
    monkeypatch.setattr(offers, "offer_facts", lambda *_: (facts, found.stake))  # type: ignore[attr-defined]
    return found


@pytest.fixture
def context() -> Context:
    found = Context(rules=V6, result_proxy="https://x")
    found.answers |= {
        REGISTRY.isRegistered.name: lambda to, block, address: address != NOBODY,
        ENTRY.owner.name: OTHER,
        HUB.countCategory.name: 5,
        HUB.viewAccount.name: {"stake": 7 * RLC, "locked": 0},
    }
    return found


def find(context: Context, category: int | None = 2, limits: Any = None, **more: Any) -> Any:
    none = dict.fromkeys(("app", "dataset", "workerpool"))
    wish = Wish(request(**more), category, none | (limits or {}))
    return offers.Offers(context, wish).find()  # type: ignore[arg-type]


# ---- which orders are taken ----------------------------------------------------------------------


def test_the_cheapest_of_each(context: Context, books: Books) -> None:
    books.found = {"app": page(apporder(5), apporder(7)), 2: page(poolorder())}
    app, dataset, pool = find(context)
    assert (app.order.appprice, app.to_sign, app.order_hash) == (5, False, NULL)
    assert dataset is None
    assert (pool.order.workerpool, pool.to_sign) == (POOL, False)
    assert [kind for kind, _ in books.asked] == ["app", "workerpool"]
    assert books.asked[1][1]["category"] == 2


def test_a_dataset_is_asked_for(context: Context, books: Books) -> None:
    books.found = {"app": page(apporder()), "dataset": page(datasetorder()), 2: page(poolorder())}
    _, dataset, _ = find(context, dataset=DATASET)
    assert dataset.order.dataset == DATASET
    assert books.asked[0][1]["dataset"] == DATASET
    assert books.asked[1][1]["app"] == APP
    assert books.asked[2][1]["dataset"] == DATASET
    del books.found["dataset"]
    with pytest.raises(StateError, match=f"^No order available for dataset {DATASET}$"):
        find(context, dataset=DATASET)


def test_a_workerpool_of_others_is_asked_for(context: Context, books: Books) -> None:
    books.found = {"app": page(apporder()), 2: page(poolorder())}
    assert find(context, workerpool=POOL)[2].order.workerpool == POOL
    assert [asked["workerpool"] for _, asked in books.asked] == [POOL, POOL]


@pytest.mark.parametrize("rules", [V6, V9])
def test_which_tags_are_asked_for(books: Books, context: Context, rules: Any) -> None:
    """Of the app what makes the enclave, of the dataset no more than the run has."""
    today = Context(rules=rules, result_proxy="https://x")
    today.answers = context.answers
    tee, gpu = "0x" + "00" * 31 + ("09" if rules is V9 else "01"), "0x" + "00" * 30 + "0100"
    books.found = {"app": page(apporder(tag=tee)), "dataset": page(datasetorder())}
    books.found[2] = page(poolorder(tag=tee))
    both = "0x" + "00" * 30 + "01" + tee[-2:]
    find(today, tag=both, dataset=DATASET)
    (_, app), (_, dataset), (_, pool) = books.asked
    assert (app["min_tag"], app["max_tag"]) == (tee, both)
    assert dataset["max_tag"] == (both if rules is V6 else None)  # there some bits do not count
    assert pool["min_tag"] == both
    books.asked.clear()
    find(today, tag=gpu)
    assert books.asked[0][1]["min_tag"] is None


def test_no_more_than_some_pages_are_looked_through(context: Context, books: Books) -> None:
    """A liar has no end of orders; the fifth page counts, the sixth does not."""
    good, bad = apporder(), apporder(requesterrestrict=OTHER)

    def book(*orders: orders.SignedApporder) -> Page[Any]:
        first = page(orders[0])
        if len(orders) == 1:
            return first
        return Page(first.items, 1, lambda: book(*orders[1:]))

    for before, found in ((0, True), (3, True), (4, True), (5, False)):
        books.found = {"app": book(*[bad] * before, good), 2: page(poolorder())}
        if found:
            assert find(context)[0].order == good
            continue
        with pytest.raises(StateError, match=f"^No order available for app {APP}$"):
            find(context)


def test_ones_own_cost_nothing(context: Context, books: Books) -> None:
    context.answers[ENTRY.owner.name] = ME
    app, dataset, pool = find(context, dataset=DATASET, workerpool=POOL, trust=5, tag="gpu")
    assert books.asked == []
    for found in (app, dataset, pool):
        assert found.to_sign is True
        order = found.order
        assert (order.volume, order.requesterrestrict) == (1, ME)
    assert (app.order.app, dataset.order.dataset, pool.order.workerpool) == (APP, DATASET, POOL)
    assert (pool.order.trust, pool.order.category, pool.order.tag[-3:]) == (5, 2, "100")
    assert find(context, None, workerpool=POOL)[2].order.category == 0


def test_what_is_not_deployed(context: Context, books: Books) -> None:
    context.answers[REGISTRY.isRegistered.name] = lambda to, block, address: address != APP
    with pytest.raises(StateError, match=f"^No app deployed at address {APP}$"):
        find(context)


def test_any_category(context: Context, books: Books) -> None:
    books.found = {"app": page(apporder()), 3: page(poolorder(category=3))}
    assert find(context, None)[2].order.category == 3
    assert [asked["category"] for kind, asked in books.asked if kind != "app"] == [0, 1, 2, 3]
    none = "No workerpoolorder matching your conditions"
    with pytest.raises(StateError, match=f"^{none} available in category 2$"):
        find(context)
    del books.found[3]
    with pytest.raises(StateError, match=f"^{none} currently available$"):
        find(context, None)


def test_no_dearer_than_the_limit(context: Context, books: Books) -> None:
    books.found = {"app": page(apporder(2 * RLC)), 2: page(poolorder(workerpoolprice=RLC))}
    assert find(context, limits={"app": 2 * RLC})[0].order.appprice == 2 * RLC
    dear = "for at most 1.999999999 RLC: the next one costs 2.0 RLC"
    with pytest.raises(StateError, match=f"^No order available for app {APP} {dear}$"):
        find(context, limits={"app": 2 * RLC - 1})
    with pytest.raises(StateError, match=r"category 2 for at most 0.0 RLC: the next one costs 1.0"):
        find(context, limits={"workerpool": 0})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"registered": False}, f"No app deployed at address {APP}"),
        ({"signed": False}, f"it is not signed by the app's owner {OTHER}"),
        ({"consumed": 5}, "it is fully consumed"),
        ({"consumed": 6}, "it is fully consumed"),
        ({"consumed": 4}, None),
    ],
)
def test_orders_that_cannot_be_used_are_skipped(
    context: Context,
    books: Books,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    fault: str | None,
) -> None:
    books.facts.__dict__.update(changes)  # type: ignore[attr-defined]
    caplog.set_level("INFO")
    offer = offers.Offers(context, Wish(request(), 2, {"app": None}))  # type: ignore[arg-type]
    found, why = offer._first(page(apporder()))
    assert (found is None, why) == (fault is not None, "")
    told = [record.getMessage() for record in caplog.records]
    assert told == ([f"skipping apporder {NULL}: {fault}"] if fault else [])


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        (apporder(datasetrestrict=DATASET), f"it is restricted to dataset {DATASET}"),
        (apporder(workerpoolrestrict=POOL), f"it is restricted to workerpool {POOL}"),
        (apporder(requesterrestrict=OTHER), f"it is restricted to requester {OTHER}"),
        (apporder(requesterrestrict=ME), None),
        (poolorder(apprestrict=DATASET), f"it is restricted to app {DATASET}"),
        (poolorder(apprestrict=APP, trust=2), None),
        (poolorder(trust=1), "its trust is 1, 2 is asked for"),
        (datasetorder(tag="0x" + "00" * 31 + "01"), "it needs tags that were not asked for"),
        (datasetorder(), None),
        (
            poolorder(trust=2, workerpoolprice=1000 * RLC),
            f"the stake of the workerpool's owner is {100 * RLC}, {300 * RLC} is needed",
        ),
        (poolorder(trust=2, workerpoolprice=333_333_333_334), None),  # 30 % are just 100 RLC
    ],
)
def test_what_keeps_an_order_from_being_used(
    context: Context, books: Books, order: orders.SignedOrder, fault: str | None
) -> None:
    wish = Wish(request(trust=2), 2, {})
    assert offers.Offers(context, wish)._fault(order) == fault  # type: ignore[arg-type]


def test_tags_of_datasets_that_do_not_count(context: Context, books: Books) -> None:
    """On today's networks what a dataset wants of the enclave is not looked at."""
    tdx = datasetorder(tag="0x" + "00" * 31 + "09")
    for rules, fault in ((V6, "it needs tags that were not asked for"), (V9, None)):
        found = Context(rules=rules)
        wish = Wish(request(tag="0x" + "00" * 31 + "01"), 2, {})
        masked = offers.Offers(found, wish)._fault(tdx)  # type: ignore[arg-type]
        assert masked == (fault if rules.dataset_tag_mask >> 3 & 1 else None)


# ---- plans ---------------------------------------------------------------------------------------


def plan_request(context: Context, check: bool = False, **more: Any) -> RequestPlan:
    return planning.plan_request(context, request(**more), check=check)  # type: ignore[arg-type]


def test_the_plan_of_a_request(context: Context) -> None:
    prices = {"appmaxprice": RLC, "datasetmaxprice": RLC, "workerpoolmaxprice": RLC}
    found = plan_request(context, **prices, volume=2)
    assert (found.total, found.stake, found.shortfall) == (6 * RLC, 7 * RLC, 0)
    assert found.ok
    found.raise_if_bad()
    last = plan_request(context, **{**prices, "appmaxprice": 5 * RLC}, category=4)
    assert (last.total, last.stake, last.reasons) == (7 * RLC, 7 * RLC, ())  # just enough
    found = plan_request(context, **prices, volume=3, category=5)
    assert (found.total, found.shortfall, found.ok) == (9 * RLC, 2 * RLC, False)
    category, stake = found.reasons
    assert (category.code, category.text) == ("category", "category 5 does not exist")
    assert stake.code == "requester-stake"
    assert stake.text == (
        f"Total cost ({9 * RLC}) is greater than requester account stake ({7 * RLC})"
    )
    told = [{"code": each.code, "text": each.text} for each in found.reasons]
    assert found.to_dict()["reasons"] == told
    with pytest.raises(MatchError) as caught:
        found.raise_if_bad()
    assert caught.value.message == f"{category.text}; {stake.text}"
    assert caught.value.details == {"reasons": told, "total": str(9 * RLC)}


def test_what_the_sms_says_against_it(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise SmsCallError("no storage token")

    monkeypatch.setattr(planning, "check_request", refuse)
    assert plan_request(context).ok
    (reason,) = plan_request(context, check=True).reasons
    text = "Request requirements check failed: no storage token"
    assert (reason.code, reason.text) == ("request", text)


def test_a_request_for_what_is_not_there(context: Context) -> None:
    asked: list[str] = []
    context.answers[REGISTRY.isRegistered.name] = lambda to, block, address: (
        asked.append(address) or address in (APP, DATASET)
    )
    assert plan_request(context, dataset=DATASET).ok
    assert asked == [APP, DATASET]
    with pytest.raises(StateError, match=f"^No workerpool deployed at address {POOL}$"):
        plan_request(context, workerpool=POOL)
    with pytest.raises(StateError, match=f"^No app deployed at address {NOBODY}$"):
        plan_request(context, app=NOBODY)


def test_a_plan_is_signed(context: Context) -> None:
    signer = KeySigner.from_key("0x" + "11" * 32)
    context.signer = signer  # type: ignore[attr-defined]
    own = orders.create_apporder(app=APP)
    plan: Any = SimpleNamespace(
        apporder=PlannedOrder(to_sign=True, order=own),
        datasetorder=None,
        workerpoolorder=PlannedOrder(to_sign=False, order=poolorder()),
        requestorder=request(requester=signer.address),
    )
    found = planning.sign(context, plan)  # type: ignore[arg-type]
    for order in (found.apporder, found.requestorder):
        orders.verify_order(order, context.domain, signer.address)
    assert found.workerpoolorder == poolorder()
    assert found.datasetorder == orders.NULL_DATASETORDER


def test_what_was_signed_before_must_be_within_the_limits() -> None:
    signed = {"appmaxprice": str(2 * RLC), "datasetmaxprice": "0", "workerpoolmaxprice": "5"}
    for limit, fits in ((None, True), (2 * RLC, True), (2 * RLC - 1, False)):
        wish = Wish(request(), 2, {"app": limit, "dataset": 0, "workerpool": None})
        if fits:
            wish.accept({"requestorder": signed})
            continue
        with pytest.raises(StateError) as caught:
            wish.accept({"requestorder": signed})
        assert caught.value.message == (
            "An earlier call for the same run has an unknown outcome, at the app price 2.0 RLC: it "
            "is not resumed beyond the limit of 1.999999999 RLC. Raise the limit to resume it, or "
            "start another (new=True)"
        )
    wish.accept({})  # nothing is known of it


def test_all_faults_of_a_wish_at_once(context: Context) -> None:
    buying = purchase.Purchasing()
    buying._context = context  # type: ignore[assignment]
    limits = {"app": "x", "dataset": None, "workerpool": "1 RLC"}
    with pytest.raises(ValidationError) as caught:
        buying._wish(None, 2, limits, app=APP)
    assert len(caught.value.errors) == 1
    assert caught.value.errors[0].startswith("app_max_price: ")
    with pytest.raises(ValidationError) as caught:
        buying._wish(None, 2, limits, app="0x12", trust=-1)
    assert len(caught.value.errors) == 3
    wish = buying._wish(None, None, {**limits, "app": 7}, app=APP)
    assert wish.limits == {"app": 7, "dataset": None, "workerpool": RLC}
    assert (wish.category, wish.request.category, wish.request.requester) == (None, 0, ME)
    assert wish.arguments == {**wish.request.to_dict(), "category": None}
    third = buying._wish(OTHER, 3, {}, app=APP)
    assert (third.request.requester, third.category, third.arguments["category"]) == (OTHER, 3, "3")


def test_nothing_is_bought_without_a_yes() -> None:
    asked: list[Any] = []
    plan: Any = SimpleNamespace(raise_if_bad=lambda: asked.append("bad?"))
    purchase._agree(plan, None)
    purchase._agree(plan, lambda each: each is plan)
    with pytest.raises(IExecError, match=r"^Operation aborted by user\.$"):
        purchase._agree(plan, lambda _: False)
    assert asked == ["bad?"] * 3


def test_the_orders_of_a_match() -> None:
    signer = KeySigner.from_key("0x" + "11" * 32)
    unsigned = request(requester=signer.address)
    given = (page(apporder()).items[0], datasetorder().to_dict(), poolorder())
    found = order_set(*given, unsigned)
    assert (found.apporder, found.datasetorder) == (apporder(), datasetorder())
    assert (found.requestorder.salt, found.requestorder.sign) == (NULL, "0x")
    without = order_set(apporder(), None, poolorder(), unsigned)
    assert without.datasetorder == orders.NULL_DATASETORDER


def test_a_challenge_for_what_is_no_order(context: Context) -> None:
    for junk in ({"app": APP}, "order", 7):
        with pytest.raises(ValidationError) as caught:
            Publishing(context).publish_challenge(order=junk)  # type: ignore[arg-type]
        assert caught.value.message == f"order must be an order, not {type(junk).__name__}"


# ---- runs ----------------------------------------------------------------------------------------

BUYER = KeySigner.from_key("0x" + "11" * 32)
RUN: Any = {"app_max_price": "1 RLC", "workerpool_max_price": 2 * RLC, "params": "hi"}


@pytest.fixture
def market(context: Context, books: Books) -> Context:
    """An app for 1 RLC and a workerpool for 2 RLC, of others; the wallet has staked 7 RLC."""
    books.found = {
        "app": page(apporder(RLC)),
        0: page(poolorder(workerpoolprice=2 * RLC, category=0)),
    }
    context.answers |= {
        HUB.viewConsumed.name: 0,
        HUB.verifyPresignatureOrSignature.name: lambda to, block, who, *_: who != context.fake,  # type: ignore[attr-defined]
    }
    context.address, context.signer, context.fake = BUYER.address, BUYER, ""  # type: ignore[attr-defined]
    dealid = orders.deal_id(NULL, 0)
    context.events = [{"dealid": dealid, "requestHash": NULL, "volume": 1}]
    return context


def buying(context: Context) -> purchase.Purchasing:
    found = purchase.Purchasing()
    found._context = context  # type: ignore[assignment]
    return found


def test_the_plan_of_a_run(market: Context, caplog: pytest.LogCaptureFixture) -> None:
    plan = buying(market).plan_run(APP, check_request=False, **RUN)
    prices = {"app_price": RLC, "dataset_price": 0, "workerpool_price": 2 * RLC}
    assert {name: getattr(plan, name) for name in prices} == prices
    assert (plan.total, plan.stake, plan.shortfall, plan.ok) == (3 * RLC, 7 * RLC, 0, True)
    order = plan.requestorder
    assert (order.appmaxprice, order.datasetmaxprice, order.workerpoolmaxprice) == (
        *(RLC, 0, 2 * RLC),
    )
    assert (order.workerpool, order.category, order.requester) == (POOL, 0, BUYER.address)
    assert order.volume == 1
    assert plan.datasetorder is None
    assert (plan.unfinished, caplog.records) == (False, [])
    market.pending = {"runApp"}
    assert buying(market).plan_run(APP, check_request=False, **RUN).unfinished is True
    (record,) = caplog.records
    assert record.getMessage() == (
        "the same run was begun before, its outcome is unknown: it would be resumed"
    )
    other = buying(market).plan_run(APP, check_request=False, requester=OTHER, **RUN)
    assert (other.unfinished, other.requestorder.requester) == (False, OTHER)


def test_orders_of_others_must_be_signed(market: Context) -> None:
    """By whoever owns now what they offer; those that the run signs itself count as signed."""
    market.fake = OTHER  # type: ignore[attr-defined]
    market.answers["isValidSignature"] = "0x"
    plan = buying(market).plan_run(APP, check_request=False, **RUN)
    texts = [reason.text for reason in plan.reasons]
    assert texts == ["apporder invalid sign", "workerpoolorder invalid sign"]
    market.answers[ENTRY.owner.name] = lambda to, *_: BUYER.address if to == APP else OTHER
    plan = buying(market).plan_run(APP, check_request=False, **RUN)
    assert [reason.text for reason in plan.reasons] == texts[1:]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("app_max_price", f"No order available for app {APP} for at most 0.5 RLC: the next one "),
        ("dataset_max_price", f"No order available for dataset {DATASET} for at most 0.5 RLC: "),
        ("workerpool_max_price", "No workerpoolorder matching your conditions currently avail"),
    ],
)
def test_each_limit_counts(market: Context, books: Books, limit: str, text: str) -> None:
    books.found["dataset"] = page(datasetorder(datasetprice=RLC))
    given: Any = {"dataset": DATASET, "check_request": False}
    assert buying(market).plan_run(APP, **given).total == 4 * RLC
    for call in (buying(market).plan_run, buying(market).run):
        with pytest.raises(StateError) as caught:
            call(APP, **given, **{limit: "0.5 RLC"})
        assert caught.value.message.startswith(text)
        assert "for at most 0.5 RLC" in caught.value.message


def test_the_plan_of_a_run_that_cannot_be_paid(market: Context, books: Books) -> None:
    """Orders that the run will sign count as signed; what is asked of the SMS comes first."""
    market.fake = BUYER.address  # type: ignore[attr-defined]
    market.answers[HUB.viewAccount.name] = lambda to, block, who: {
        "stake": 2 * RLC if who == BUYER.address else 7 * RLC
    }
    market.sms = SimpleNamespace(exists=lambda *_, **__: False)  # type: ignore[attr-defined]
    plan = buying(market).plan_run(APP, **RUN)
    assert [reason.code for reason in plan.reasons] == ["request", "requester-stake"]
    assert (plan.stake, plan.shortfall) == (2 * RLC, RLC)
    with pytest.raises(MatchError) as caught:
        buying(market).run(APP, **RUN)
    assert caught.value.details["total"] == str(3 * RLC)
    assert market.sent == []


def test_a_run(market: Context) -> None:
    shown: list[Any] = []
    wish = buying(market)._wish(None, None, {}, app=APP, params="hi", trust=0)
    given = {**RUN, "check_request": False}
    found = buying(market).run(APP, confirm=lambda plan: shown.append(plan) or True, **given)
    ((operation, arguments, _, data, more),) = market.sent
    assert (operation, arguments["params"]) == ("runApp", wish.request.params)
    assert arguments == wish.arguments
    assert more["new"] is False
    with pytest.raises(StateError, match=r"at the app price 2\.0 RLC: it is not resumed beyond"):
        more["accept"]({"requestorder": {"appmaxprice": 2 * RLC, "workerpoolmaxprice": 0}})
    (plan,) = shown
    (note,) = market.notes
    assert note is not None
    signed = orders.SignedRequestorder.from_dict(note["requestorder"])
    orders.verify_order(signed, market.domain, BUYER.address)
    assert signed.appmaxprice == plan.app_price == RLC
    sold = plan.apporder.order, orders.NULL_DATASETORDER, plan.workerpoolorder.order, signed
    assert data == HUB.matchOrders.encode(*sold)
    assert (found.volume, found.tx_hash, found.resumed) == (1, f"0x{1:064x}", False)
    market.pending = {"runApp"}
    assert buying(market).run(APP, **given).resumed is True
    market.pending.clear()
    with pytest.raises(IExecError, match=r"^Operation aborted by user\.$"):
        buying(market).run(APP, confirm=lambda _: False, **given)
    buying(market).run(APP, new=True, **given)
    assert market.sent[-1][4]["new"] is True


def test_a_request_is_published(market: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Any] = []
    error = MarketCallError("the marketplace is down")

    def publish(_: Any, order: Any, *, check_request: bool) -> str:
        published.append((order, check_request))
        if len(published) == 2:
            raise error
        return NULL

    monkeypatch.setattr(Publishing, "publish_requestorder", publish)
    given: Any = {"app_price": "1 RLC", "dataset_price": 5, "workerpool_price": 2, "volume": 2}
    call = buying(market).request_execution
    assert call(APP, check_request=False, **given) == NULL
    ((order, checked),) = published
    orders.verify_order(order, market.domain, BUYER.address)
    assert checked is False  # it was checked with the plan
    assert (order.appmaxprice, order.datasetmaxprice, order.workerpoolmaxprice) == (RLC, 0, 2)
    assert (order.volume, order.app, order.category) == (2, APP, 0)
    with pytest.raises(MarketCallError) as caught:
        call(APP, check_request=False, dataset=DATASET, **given)
    assert caught.value is error
    order = published[1][0]
    assert order.datasetmaxprice == 5
    assert error.details == {"order": order.to_dict()}
    with pytest.raises(ValidationError) as bad:
        call(APP, check_request=False, volume=0)
    assert bad.value.message == "volume must be greater than or equal to 1"
    with pytest.raises(MatchError, match=r"^Total cost \(8000000000\) is greater than"):
        call(APP, check_request=False, app_price="4 RLC", volume=2)
    with pytest.raises(IExecError, match=r"^Operation aborted by user\.$"):
        call(APP, check_request=False, confirm=lambda _: False)
    assert len(published) == 2


# ---- what workerpools tell, and names ------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({}, "currentStatus"),
        ({"currentStatus": 7}, "currentStatus"),
        ({"currentStatus": "A", "dateStatusList": {}, "replicates": 5}, "replicates"),
        ({"currentStatus": "A", "replicates": "all"}, "replicates"),
        ({"currentStatus": "A", "replicates": [7]}, "replicates"),
        ({"currentStatus": "A", "replicates": [{"appExitCode": "1"}]}, "appExitCode"),
        ({"currentStatus": "A", "replicates": [{}]}, "walletAddress"),
        ({"currentStatus": "A", "dateStatusList": [{"status": "B"}]}, "date"),
    ],
)
def test_nonsense_of_a_workerpool(
    context: Context, monkeypatch: pytest.MonkeyPatch, answer: Any, name: str
) -> None:
    with_deal(context)
    api = SimpleNamespace(task=lambda _: answer)
    monkeypatch.setattr(offchain, "_deal", lambda *_: None)
    monkeypatch.setattr(offchain, "_api", lambda *_: api)
    with pytest.raises(WorkerpoolCallError) as caught:
        offchain.fetch_info(context, NULL)  # type: ignore[arg-type]
    assert caught.value.message.startswith(f"The workerpool's API answered nonsense: {name} is ")


def test_what_a_workerpool_tells(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    change = {"status": "STARTED", "date": 1_700_000_000_999, "cause": "why"}
    run = {"walletAddress": OTHER, "currentStatus": "RUNNING", "appExitCode": 3}
    answer = {"currentStatus": "A", "dateStatusList": [change], "replicates": [run]}
    monkeypatch.setattr(offchain, "_deal", lambda *_: None)
    api = SimpleNamespace(task=lambda _: answer)
    monkeypatch.setattr(offchain, "_api", lambda *_: api)
    found = offchain.fetch_info(context, NULL)  # type: ignore[arg-type]
    (told,) = found.status_history
    assert (told.status, told.cause) == ("STARTED", "why")
    assert told.date.startswith("2023-11-14")
    (replicate,) = found.replicates
    assert (replicate.worker, replicate.exit_code, replicate.status) == (OTHER, 3, "RUNNING")


@pytest.mark.parametrize(
    ("resolver", "address", "why"),
    [
        (NOBODY, OTHER, f"the ENS registry {POOL} does not know it"),
        (APP, NOBODY, f"its resolver {APP} has no address for it"),
        (APP, OTHER, ""),
    ],
)
def test_names(resolver: str, address: str, why: str) -> None:
    context = Context(ens_registry=POOL)
    context.answers |= {ENS.resolver.name: resolver, ENS.addr.name: address}
    if not why:
        assert ens.look_up(context, "alice.eth") == OTHER  # type: ignore[arg-type]
        return
    with pytest.raises(ValidationError) as caught:
        ens.look_up(context, "alice.eth")  # type: ignore[arg-type]
    assert why in caught.value.message


def test_names_where_nobody_can_be_asked() -> None:
    context = Context()
    with pytest.raises(ValidationError, match="no ENS registry is known on chain 4242"):
        ens.look_up(context, "alice.eth")  # type: ignore[arg-type]
    context.offline = True
    with pytest.raises(ValidationError, match="an offline client can ask nobody"):
        ens.look_up(context, "alice.eth")  # type: ignore[arg-type]
