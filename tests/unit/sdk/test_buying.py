"""Matches on a hub in memory: what is judged and sent, who pays, what is told of the deal."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.errors import (
    MatchError,
    StateError,
    TransportError,
    ValidationError,
    Web3ProviderCallError,
)
from iexec_lite.eth.signer import KeySigner
from iexec_lite.frozen import replace
from iexec_lite.protocol import orders
from iexec_lite.protocol.contracts import ENTRY, EVENTS, HUB, REGISTRY, TOKEN
from iexec_lite.protocol.ids import task_id
from iexec_lite.protocol.orders import NULL_DATASETORDER, deal_id, order_hash
from iexec_lite.sdk.order import Orders

from .hub import HUB_ADDRESS, NULL, OTHER, Context
from .hub import TOKEN as TOKEN_ADDRESS

SIGNER = KeySigner.from_key("0x" + "11" * 32)
BUYER, KEEPER = SIGNER.address, "0x" + "33" * 20
APP, DATASET, POOL = ("0x" + digit * 40 for digit in "789")
SIGNED: Any = {"salt": NULL, "sign": "0x12"}
HASH, TX = "0x" + "5e" * 32, f"0x{1:064x}"
FIRST = deal_id(HASH, 0)
STAKES = {BUYER: 100, OTHER: 1000, KEEPER: 40}

APPORDER = orders.SignedApporder(app=APP, appprice=3, volume=9, **SIGNED)
DATASETORDER = orders.SignedDatasetorder(dataset=DATASET, datasetprice=4, volume=9, **SIGNED)
POOLORDER = orders.SignedWorkerpoolorder(
    workerpool=POOL, workerpoolprice=20, volume=9, category=2, **SIGNED
)


def request(**more: Any) -> orders.Requestorder:
    """Two tasks of 23 nRLC each."""
    given = {"app": APP, "category": 2, "requester": BUYER, "volume": 2, "appmaxprice": 3, **more}
    given.setdefault("workerpoolmaxprice", 20)
    return orders.create_requestorder(**given, result_proxy="https://x")


def signed(**more: Any) -> orders.SignedRequestorder:
    return replace(request(**more).salted(bytes(32)), sign="0x12")


class Sms:
    """Has every secret but those that are missing."""

    def __init__(self) -> None:
        self.missing = False

    def exists(self, *_: Any, **__: Any) -> bool:
        return not self.missing


@pytest.fixture
def context() -> Context:
    """``BUYER`` has staked 100 nRLC and holds 50; the deal is the first of its request order."""
    found = Context(result_proxy="https://x")
    found.address, found.signer, found.sms = BUYER, SIGNER, Sms()  # type: ignore[attr-defined]
    found.answers |= {
        REGISTRY.isRegistered.name: True,
        ENTRY.owner.name: lambda to, *_: KEEPER if to == POOL else OTHER,
        HUB.viewConsumed.name: 0,
        HUB.verifyPresignatureOrSignature.name: True,
        HUB.countCategory.name: 5,
        HUB.viewAccount.name: lambda to, block, who: {"stake": STAKES[who], "locked": 0},
        TOKEN.balanceOf.name: 50,
    }
    found.methods["eth_getBalance"] = "0x0"
    found.events = [
        {"dealid": FIRST, "requestHash": HASH, "volume": 2}
        | {"from": orders.NULL_ADDRESS, "to": BUYER}
    ]
    return found


def buy(context: Context, requestorder: Any, call: str = "match_orders", **more: Any) -> Any:
    given = {"apporder": APPORDER, "workerpoolorder": POOLORDER, "requestorder": requestorder}
    return getattr(Orders(context), call)(**{**given, **more})  # type: ignore[arg-type]


def hashes(context: Context, *given: orders.SignedOrder) -> dict[str, object]:
    """What the purchase of these orders means."""
    return {order.name: order_hash(order, context.domain) for order in given}


MATCHED = (EVENTS.OrdersMatched, HUB_ADDRESS)


# ---- the match -----------------------------------------------------------------------------------


def test_signed_orders(context: Context) -> None:
    requestorder = signed()
    found = buy(context, requestorder, new=True)
    assert found.to_dict() == {
        **{"dealid": FIRST, "volume": "2", "txHash": TX},
        "taskids": {"0": task_id(FIRST, 0), "1": task_id(FIRST, 1)},
    }
    bundle = (APPORDER, NULL_DATASETORDER, POOLORDER, requestorder)
    means, more = hashes(context, *bundle), {"expect": [MATCHED], "new": True, "accept": None}
    data = HUB.matchOrders.encode(*bundle)
    assert context.sent == [("matchOrders", means, HUB_ADDRESS, data, more)]
    assert context.notes == [{"requestorder": requestorder.to_dict()}]


def test_a_request_that_is_signed_on_the_way(context: Context) -> None:
    """What the purchase means is its content: signing draws another salt each time."""
    context.answers[HUB.verifyPresignatureOrSignature.name] = lambda to, block, who, *_: (
        who != BUYER or bool(context.sms.missing)  # type: ignore[attr-defined]
    )
    context.answers["isValidSignature"] = "0x"
    unsigned = request()
    with pytest.raises(MatchError, match=r"^requestorder invalid sign$"):
        buy(context, signed())
    with pytest.raises(MatchError, match=r"^requestorder invalid sign$"):
        buy(context, unsigned)  # as the hub refuses what the wallet has signed
    assert context.sent == []
    context.answers[HUB.verifyPresignatureOrSignature.name] = True
    buy(context, unsigned, datasetorder=None)
    ((_, means, _, data, _),) = context.sent
    assert means == {
        **hashes(context, APPORDER, NULL_DATASETORDER, POOLORDER),
        "requestorder": unsigned.to_dict(),
    }
    (note,) = context.notes
    assert note is not None
    sold = orders.SignedRequestorder.from_dict(note["requestorder"])
    orders.verify_order(sold, context.domain, BUYER)
    assert data == HUB.matchOrders.encode(APPORDER, NULL_DATASETORDER, POOLORDER, sold)


@pytest.mark.parametrize("requestorder", [request(), signed()])
@pytest.mark.parametrize("call", ["match_orders", "sponsor_match_orders"])
def test_secrets_are_looked_for(context: Context, requestorder: Any, call: str) -> None:
    context.sms.missing = True  # type: ignore[attr-defined]
    with pytest.raises(StateError, match=r"^Requester storage token is not set") as caught:
        buy(context, requestorder, call)
    assert caught.value.details["check"] == "request"
    assert context.sent == []
    for less in ({"check_request": False}, {"preflight_check": False}):
        buy(context, requestorder, call, **less)
    assert len(context.sent) == 2


@pytest.mark.parametrize("requestorder", [request(tag=["tee"]), signed(tag=["tee"])])
def test_a_check_looks_for_secrets_too(context: Context, requestorder: Any) -> None:
    """Whatever it finds stands beside the reasons of the chain, not in their place."""

    def reasons(**more: Any) -> list[tuple[str, str]]:
        found = buy(context, requestorder, "check_match_orders", **more)
        return [(each.code, each.text) for each in found.reasons]

    chains = reasons()
    assert [code for code, _ in chains] == ["iExecV5-matchOrders-0x06", "iExecV5-matchOrders-0x07"]
    context.sms.missing = True  # type: ignore[attr-defined]
    ((code, text), *rest) = reasons()
    assert code == "request"
    assert text.startswith("Request requirements check failed: Requester storage token is not set")
    assert rest == chains
    for less in ({"check_request": False}, {"preflight_check": False}):
        assert reasons(**less) == chains

    def fail(*_: Any, **__: Any) -> bool:
        raise TransportError("the SMS is gone")

    context.sms.exists = fail  # type: ignore[attr-defined]
    assert reasons()[0] == ("request", "Request requirements check failed: the SMS is gone")


def test_tasks_of_a_request_order_that_was_matched_before(context: Context) -> None:
    dealid = deal_id(HASH, 4)
    context.events[0]["dealid"] = dealid
    context.answers["viewDeal"] = lambda to, block, key: {"botFirst": 4 if key == dealid else 0}
    assert buy(context, signed()).taskids == {4: task_id(dealid, 4), 5: task_id(dealid, 5)}
    lost = TransportError("the node is gone")

    def fail(*_: Any) -> Any:
        raise lost

    context.answers["viewDeal"] = fail
    with pytest.raises(Web3ProviderCallError) as caught:
        buy(context, signed())
    error = caught.value
    assert error.message == (
        f"deal {dealid} was made, but its tasks cannot be read now: the node is gone"
    )
    assert (error.details, error.tx_hash) == ({"dealid": dealid}, f"0x{2:064x}")
    assert error.__cause__ is lost


def test_what_buys_nothing(context: Context) -> None:
    for less in ({"volume": 5}, {"appmaxprice": 2}):
        for requestorder in (request(**less), signed(**less)):
            for call in ("match_orders", "sponsor_match_orders"):
                if "volume" in less and call.startswith("sponsor"):
                    continue
                with pytest.raises(MatchError):
                    buy(context, requestorder, call)
    with pytest.raises(ValidationError, match=r"^workerpoolprice is a required field"):
        buy(context, signed(), workerpoolorder={"workerpool": POOL})
    assert context.sent == []


# ---- who pays ------------------------------------------------------------------------------------


def test_a_sponsor_pays(context: Context) -> None:
    context.address = OTHER
    requestorder = signed(volume=5)  # 115 nRLC: more than the buyer has staked
    with pytest.raises(MatchError, match="greater than requester account stake"):
        buy(context, requestorder)
    assert buy(context, requestorder, "sponsor_match_orders", new=True).dealid == FIRST
    bundle = (APPORDER, NULL_DATASETORDER, POOLORDER, requestorder)
    means, data = hashes(context, *bundle), HUB.sponsorMatchOrders.encode(*bundle)
    more = {"expect": [MATCHED, (EVENTS.DealSponsored, HUB_ADDRESS)], "new": True}
    assert context.sent == [("sponsorMatchOrders", means, HUB_ADDRESS, data, more)]
    assert context.notes == [{"requestorder": requestorder.to_dict()}]
    context.address = BUYER
    unsigned = request()
    buy(context, unsigned, "sponsor_match_orders")
    means = context.sent[-1][1]
    assert means["requestorder"] == unsigned.to_dict()
    note = context.notes[-1]
    assert note is not None
    sold = orders.SignedRequestorder.from_dict(note["requestorder"])
    orders.verify_order(sold, context.domain, BUYER)
    with pytest.raises(MatchError, match="greater than sponsor account stake"):
        buy(context, requestorder, "sponsor_match_orders")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_deposit_of_what_is_missing(
    context: Context, caplog: pytest.LogCaptureFixture, at_once: bool
) -> None:
    caplog.set_level("INFO")
    context.once("matches_on_deposit", lambda: at_once)
    requestorder = signed(volume=6)  # 138 nRLC of which 38 are missing
    found = buy(context, requestorder, deposit=True, new=True)
    bundle = (APPORDER, NULL_DATASETORDER, POOLORDER, requestorder)
    means, data = hashes(context, *bundle), HUB.matchOrders.encode(*bundle)
    credited = {"value": 0, "expect": [(HUB.Transfer, HUB_ADDRESS)], "new": True}
    more = {"expect": [MATCHED], "new": True}
    both = TOKEN.approveAndCall.encode(HUB_ADDRESS, 38, data)
    first = TOKEN.approveAndCall.encode(HUB_ADDRESS, 38, b"")
    if at_once:
        assert context.sent == [("matchOrders", means, TOKEN_ADDRESS, both, more)]
        text = "depositing 38 nRLC and matching in one transaction"
    else:
        assert context.sent == [
            ("depositForMatch", means, TOKEN_ADDRESS, first, credited),
            ("matchOrders", means, HUB_ADDRESS, data, more),
        ]
        text = "depositing 38 nRLC first: this hub cannot do both at once"
    assert context.notes[-1] == {"requestorder": requestorder.to_dict()}
    assert found.tx_hash == f"0x{len(context.sent):064x}"
    assert [record.getMessage() for record in caplog.records] == [text]


@pytest.mark.parametrize(
    ("at_once", "what"), [(True, "What is missing for the deal"), (False, "Deposit amount")]
)
def test_a_deposit_of_more_than_there_is(context: Context, at_once: bool, what: str) -> None:
    context.once("matches_on_deposit", lambda: at_once)
    context.answers[TOKEN.balanceOf.name] = 37
    with pytest.raises(StateError) as caught:
        buy(context, signed(volume=6), deposit=True)
    assert caught.value.message == (
        f"{what} exceed wallet balance (38 nRLC wanted, 37 nRLC available)"
    )
    assert context.sent == []
    context.answers[TOKEN.balanceOf.name] = 38
    buy(context, signed(volume=6), deposit=True)


def test_no_deposit_where_nothing_is_missing(context: Context) -> None:
    context.address = OTHER  # whoever sends: the requester's account pays
    buy(context, signed(volume=4), deposit=True)
    assert [each[0] for each in context.sent] == ["matchOrders"]
    assert context.sent[0][2] == HUB_ADDRESS
    with pytest.raises(StateError) as caught:
        buy(context, signed(volume=6), deposit=True)
    assert caught.value.message == (
        f"deposit=True pays out of the wallet of the requester {BUYER}, this one is {OTHER}: "
        "sponsor_match_orders pays for somebody else"
    )
    with pytest.raises(MatchError):  # money does not mend it
        buy(context, signed(appmaxprice=2), deposit=True)
    assert len(context.sent) == 1


def test_a_purchase_that_is_resumed_deposits_nothing(context: Context) -> None:
    context.pending = {"matchOrders"}
    buy(context, signed(volume=6), deposit=True)
    assert [(each[0], each[2]) for each in context.sent] == [("matchOrders", HUB_ADDRESS)]
    context.once("matches_on_deposit", lambda: True)
    buy(context, signed(volume=6), deposit=True, new=True)
    assert context.sent[-1][2] == TOKEN_ADDRESS


# ---- what would be bought ------------------------------------------------------------------------


def test_an_estimate(context: Context) -> None:
    context.answers[HUB.viewAccount.name] = lambda to, block, who: {"stake": 7, "locked": 0}
    requestorder = signed(dataset=DATASET, datasetmaxprice=4, volume=3)
    found = buy(context, requestorder, "estimate_match_orders", datasetorder=DATASETORDER)
    figures = {
        **{"volume": "3", "total": "81", "appPrice": "3", "datasetPrice": "4"},
        **{"workerpoolPrice": "20", "workerpoolStake": "18"},
        **{"requesterShortfall": "74", "workerpoolShortfall": "11"},
    }
    assert found.to_dict() == figures
    checked = buy(context, requestorder, "check_match_orders", datasetorder=DATASETORDER).to_dict()
    reasons = checked.pop("reasons")
    assert checked == figures
    assert [each["code"] for each in reasons] == ["workerpool-stake", "requester-stake"]
    assert [list(each) for each in reasons] == [["code", "text"]] * 2
    assert "(27) is greater than requester account stake (7)" in reasons[1]["text"]
    for call in ("estimate_match_orders", "check_match_orders"):
        unsigned = request(volume=3)
        context.answers[HUB.verifyPresignatureOrSignature.name] = lambda to, block, who, *_: (
            who != BUYER
        )
        assert buy(context, unsigned, call).total == 69  # counts as signed
    context.answers[HUB.verifyPresignatureOrSignature.name] = True
    with pytest.raises(MatchError) as caught:
        buy(context, requestorder, "estimate_match_orders")
    assert "stake" not in caught.value.message
    assert context.sent == []


def test_the_request_that_three_offers_allow(context: Context) -> None:
    found = Orders(context).create_matching_requestorder(  # type: ignore[arg-type]
        apporder=APPORDER, workerpoolorder=POOLORDER, datasetorder=DATASETORDER, volume=2
    )
    assert (found.app, found.dataset, found.workerpool) == (APP, DATASET, POOL)
    assert (found.appmaxprice, found.datasetmaxprice, found.workerpoolmaxprice) == (3, 4, 20)
    assert (found.category, found.volume, found.requester) == (2, 2, BUYER)
    other = Orders(context).create_matching_requestorder(  # type: ignore[arg-type]
        apporder=APPORDER, workerpoolorder=POOLORDER, requester=OTHER, appmaxprice=9
    )
    assert (other.dataset, other.datasetmaxprice) == (orders.NULL_ADDRESS, 0)
    assert (other.requester, other.beneficiary, other.appmaxprice) == (OTHER, OTHER, 9)
