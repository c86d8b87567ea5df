"""Signing, hashing and cancelling orders against the real contracts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
)
from iexec_lite.protocol import orders
from iexec_lite.protocol.contracts import EVENTS, HUB
from iexec_lite.protocol.orders import NULL_BYTES32, Requestorder
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

Client = Callable[..., IExec]
Signed = dict[str, Any]
KINDS = ("app", "dataset", "workerpool", "request")
OWNERS = dict(
    zip(KINDS, ("app-provider", "dataset-provider", "workerpool-owner", "requester"), strict=True)
)
PRICE = 1000


@pytest.fixture
def unsigned(client: Client) -> Callable[[Sandbox], Signed]:
    """Orders that match, as they are before they are signed, by kind."""

    def make(sandbox: Sandbox) -> Signed:
        people = accounts.addresses()
        app = client(sandbox, "app-provider").app.deploy_app(
            {
                "owner": people["app-provider"],
                "name": "app",
                "type": "DOCKER",
                "multiaddr": "docker.io/x:1",
                "checksum": NULL_BYTES32,
            }
        )
        dataset = client(sandbox, "dataset-provider").dataset.deploy_dataset(
            {
                "owner": people["dataset-provider"],
                "name": "data",
                "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
                "checksum": NULL_BYTES32,
            }
        )
        pool = client(sandbox, "workerpool-owner").workerpool.deploy_workerpool(
            {"owner": people["workerpool-owner"], "description": "pool"}
        )
        buyer = client(sandbox, "requester").order
        return {
            "app": buyer.create_apporder(app.address, appprice=PRICE, volume=3),
            "dataset": buyer.create_datasetorder(dataset.address, datasetprice=PRICE, volume=3),
            "workerpool": buyer.create_workerpoolorder(
                pool.address, 0, workerpoolprice=PRICE, volume=3
            ),
            "request": buyer.create_requestorder(
                app.address,
                0,
                dataset=dataset.address,
                appmaxprice=PRICE,
                datasetmaxprice=PRICE,
                workerpoolmaxprice=PRICE,
                params={"iexec_args": "héllo"},
                volume=3,
            ),
        }

    return make


@pytest.fixture
def signed(client: Client, unsigned: Any) -> Callable[[Sandbox], Signed]:
    """The same, signed by their owners, and paid for; keyed as ``match_orders`` takes them."""

    def make(sandbox: Sandbox) -> Signed:
        client(sandbox, "requester").account.deposit(3 * 3 * PRICE)
        client(sandbox, "workerpool-owner").account.deposit(3 * PRICE)
        found = {}
        for kind, order in unsigned(sandbox).items():
            options = {"check_request": False} if kind == "request" else {}
            api = client(sandbox, OWNERS[kind]).order
            found[f"{kind}order"] = getattr(api, f"sign_{kind}order")(order, **options)
        return found

    return make


def test_only_the_owner_signs(sandbox: Sandbox, client: Client, unsigned: Any) -> None:
    for kind, order in unsigned(sandbox).items():
        for name in set(OWNERS.values()) - {OWNERS[kind]}:
            api = client(sandbox, name).order
            options = {"check_request": False} if kind == "request" else {}
            with pytest.raises(ValidationError, match="Invalid order signer, must be the re"):
                getattr(api, f"sign_{kind}order")(order, **options)


def test_an_order_for_what_does_not_exist(sandbox: Sandbox, client: Client) -> None:
    api = client(sandbox, "app-provider").order
    nothing = "0x" + "77" * 20
    for order in (api.create_apporder(nothing), api.create_apporder(sandbox.deployment.token)):
        with pytest.raises((Web3ProviderCallError, ValidationError)) as caught:
            api.sign_apporder(order)
        assert "owner" in caught.value.message
    with pytest.raises(Web3ProviderCallError, match=f"owner of {nothing}: no such contract"):
        api.sign_apporder(api.create_apporder(nothing))


@pytest.mark.witness("hash of *", "deal id", "calldata: match orders", "events", by="contracts")
def test_hashes_and_events(any_sandbox: Sandbox, client: Client, signed: Any) -> None:
    four = signed(any_sandbox)
    buyer = client(any_sandbox, "requester")
    hashes = {
        kind: getattr(buyer.order, f"hash_{kind}order")(four[f"{kind}order"]) for kind in KINDS
    }
    made = buyer.order.match_orders(**four, check_request=False)
    rpc, hub = any_sandbox.node.rpc, any_sandbox.deployment.hub
    receipt = rpc.request("eth_getTransactionReceipt", (made.tx_hash,))
    [event] = EVENTS.OrdersMatched.find(receipt["logs"], hub)
    assert event == {
        "dealid": made.dealid,
        "appHash": hashes["app"],
        "datasetHash": hashes["dataset"],
        "workerpoolHash": hashes["workerpool"],
        "requestHash": hashes["request"],
        "volume": 3,
    }
    assert made.dealid == orders.deal_id(hashes["request"], 0)
    for order_hash in hashes.values():
        answer = rpc.call(hub, HUB.viewConsumed.encode(order_hash))
        assert HUB.viewConsumed.decode(answer) == 3
    assert made.to_dict() == {
        "dealid": made.dealid,
        "volume": "3",
        "txHash": made.tx_hash,
        "taskids": {str(i): taskid for i, taskid in made.taskids.items()},
    }


def test_orders_signed_offline(sandbox: Sandbox, client: Client, unsigned: Any) -> None:
    """Every signature is made without a socket; on line, somebody without a part in it matches."""
    client(sandbox, "requester").account.deposit(9 * PRICE)
    client(sandbox, "workerpool-owner").account.deposit(3 * PRICE)
    four: Signed = {}
    for kind, order in unsigned(sandbox).items():
        offline = IExec.offline(accounts.signer(OWNERS[kind]), chain=sandbox.chain)
        found = getattr(offline.order, f"sign_{kind}order")(order)
        four[f"{kind}order"] = found.to_dict()  # carried as JSON
    made = client(sandbox, "worker-2").order.match_orders(**four, check_request=False)
    deal = client(sandbox, "worker-2").deal.show(made.dealid)
    assert deal.requester == accounts.addresses()["requester"]
    assert '"iexec_args":"héllo"' in deal.params


def test_signatures_hold_on_one_chain_only(sandbox: Sandbox, client: Client, signed: Any) -> None:
    four = signed(sandbox)
    foreign = IExec.offline(accounts.signer("app-provider"), chain=134)
    four["apporder"] = foreign.order.sign_apporder(four["apporder"])
    with pytest.raises(ValidationError, match="apporder invalid sign"):
        client(sandbox, "requester").order.match_orders(**four, check_request=False)


def test_a_wrong_hub_is_noticed_before_signing(
    sandbox: Sandbox, client: Client, unsigned: Any
) -> None:
    order = unsigned(sandbox)["app"]
    assert sandbox.deployment.token is not None
    for address in ("0x" + "77" * 20, sandbox.deployment.token):
        wrong = client(sandbox, "app-provider", hub_address=address)
        with pytest.raises(ConfigurationError, match=f"{address} is not the iExec hub of chain"):
            wrong.order.sign_apporder(order)
        with pytest.raises(ConfigurationError, match="check hub_address"):
            wrong.order.hash_apporder({**order.to_dict(), "salt": NULL_BYTES32})


# --- cancel ---------------------------------------------------------------------------------------


@pytest.mark.witness("calldata: manage *", by="contracts")
@pytest.mark.parametrize("kind", KINDS)
def test_cancel(any_sandbox: Sandbox, client: Client, signed: Any, kind: str) -> None:
    four = signed(any_sandbox)
    order, owner = four[f"{kind}order"], client(any_sandbox, OWNERS[kind])
    cancel = getattr(owner.order, f"cancel_{kind}order")
    done = cancel(order.to_dict())
    assert done.order == order
    assert done.to_dict()["order"] == order.to_dict()
    receipt = any_sandbox.node.rpc.request("eth_getTransactionReceipt", (done.tx_hash,))
    closed = getattr(EVENTS, f"Closed{order.solidity}")
    [event] = closed.find(receipt["logs"], any_sandbox.deployment.hub)
    assert list(event.values()) == [getattr(owner.order, f"hash_{kind}order")(order)]
    with pytest.raises(StateError, match=f"^{kind}order already canceled$"):
        cancel(order)
    with pytest.raises(ValidationError, match=f"{kind}order is fully consumed"):
        client(any_sandbox, "requester").order.match_orders(**four, check_request=False)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_owner_cancels(sandbox: Sandbox, client: Client, signed: Any, kind: str) -> None:
    order = signed(sandbox)[f"{kind}order"]
    owner, stranger = accounts.addresses()[OWNERS[kind]], client(sandbox, "worker-1").order
    with pytest.raises(StateError, match=f"only {owner} can cancel this {kind}order"):
        getattr(stranger, f"cancel_{kind}order")(order)


def test_what_is_left_can_be_cancelled(sandbox: Sandbox, client: Client, signed: Any) -> None:
    four = signed(sandbox)
    buyer, seller = client(sandbox, "requester"), client(sandbox, "app-provider")
    smaller = buyer.order.create_requestorder(
        **{**four["requestorder"].to_dict(), "volume": 1, "salt": None, "sign": None}
    )
    part = {**four, "requestorder": buyer.order.sign_requestorder(smaller, check_request=False)}
    assert buyer.order.match_orders(**part, check_request=False).volume == 1
    seller.order.cancel_apporder(four["apporder"])
    with pytest.raises(ValidationError, match="apporder is fully consumed"):
        buyer.order.match_orders(**four, check_request=False)


# --- an outcome that was not seen -----------------------------------------------------------------


@pytest.mark.parametrize("what", ["match", "cancel"])
def test_it_is_resumed_not_refused(
    sandbox: Sandbox, client: Client, signed: Any, what: str
) -> None:
    """The orders are consumed by then: only by the very transaction that is resumed."""
    four, buyer = signed(sandbox), client(sandbox, "requester")

    def act() -> Any:
        if what == "match":
            return buyer.order.match_orders(**four, check_request=False)
        return buyer.order.cancel_requestorder(four["requestorder"])

    rpc = sandbox.node.rpc
    rpc.request("evm_setAutomine", (False,))
    try:
        buyer._context.transactions.timeout = 0.3
        with pytest.raises(OutcomeUnknownError) as caught:
            act()
    finally:
        rpc.request("evm_setAutomine", (True,))
    sandbox.node.mine()
    assert act().tx_hash == caught.value.tx_hash
    with pytest.raises((StateError, ValidationError), match=r"consumed|already canceled"):
        act()


def test_an_unsigned_purchase_is_made_once(sandbox: Sandbox, client: Client, signed: Any) -> None:
    """Its request order is signed by the match, under a new salt each time it is really new."""
    four, buyer = signed(sandbox), client(sandbox, "requester")
    offers = {name: order for name, order in four.items() if name != "requestorder"}
    request = buyer.order.create_matching_requestorder(**offers, params="hi")
    pool, given = offers["workerpoolorder"].workerpool, four["requestorder"].to_dict()
    expected = {**given, "workerpool": pool, "volume": "1", "params": request.params}
    assert request.to_dict().items() == expected.items() - {
        (name, given[name]) for name in ("salt", "sign")
    }
    assert buyer.order.estimate_match_orders(**offers, requestorder=request).volume == 1

    def act(**options: Any) -> Any:
        return buyer.order.match_orders(
            **offers, requestorder=request, check_request=False, **options
        )

    rpc = sandbox.node.rpc
    rpc.request("evm_setAutomine", (False,))
    try:
        buyer._context.transactions.timeout = 0.3
        with pytest.raises(OutcomeUnknownError) as caught:
            act()
    finally:
        rpc.request("evm_setAutomine", (True,))
    sandbox.node.mine()
    made = act()
    assert made.tx_hash == caught.value.tx_hash
    assert list(made.taskids) == [0]
    again = [act(), act(new=True)]  # each a purchase of its own
    assert len({made.dealid, *(each.dealid for each in again)}) == 3
    with pytest.raises(ValidationError, match="apporder is fully consumed"):
        act()
    somebody = client(sandbox, "beneficiary").order
    with pytest.raises(ValidationError, match="app: 0x12 is not a valid ethereum address"):
        somebody.create_matching_requestorder(**offers, app="0x12")


def test_only_the_requester_signs_a_purchase(sandbox: Sandbox, client: Client, signed: Any) -> None:
    four = signed(sandbox)
    offers = {name: order for name, order in four.items() if name != "requestorder"}
    requester = accounts.signer("requester").address
    somebody = client(sandbox, "beneficiary").order
    request = somebody.create_matching_requestorder(**offers, requester=requester)
    with pytest.raises(ValidationError, match="Invalid order signer, must be the requester"):
        somebody.match_orders(**offers, requestorder=request, check_request=False)


def test_params_that_are_no_json(sandbox: Sandbox, client: Client, unsigned: Any) -> None:
    """An order is taken as it was signed; whoever asks is told that workers may not understand."""
    four = unsigned(sandbox)
    text = "not json"
    people = {kind: client(sandbox, OWNERS[kind]) for kind in KINDS}
    buyer = people["request"]
    buyer.account.deposit(9 * PRICE)
    people["workerpool"].account.deposit(3 * PRICE)
    request = {**four["request"].to_dict(), "params": text}
    with pytest.raises(ValidationError, match="params is not the JSON of an object"):
        buyer.order.sign_requestorder(request)
    order = buyer.order.sign_requestorder(request, check_request=False)
    orders.verify_order(order, buyer._context.domain, buyer.wallet.get_address())
    bundle = {
        f"{kind}order": getattr(people[kind].order, f"sign_{kind}order")(four[kind])
        for kind in KINDS[:3]
    }
    bundle["requestorder"] = order.to_dict()
    with pytest.raises(ValidationError, match="params is not the JSON of an object"):
        buyer.order.match_orders(**bundle)
    made = buyer.order.match_orders(**bundle, check_request=False)
    assert buyer.deal.show(made.dealid).params == text
    assert made.dealid == orders.deal_id(buyer.order.hash_requestorder(order.to_dict()), 0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_signed_in_a_row(sandbox: Sandbox, client: Client, signed: Any, jobs: int) -> None:
    """Orders that were signed with many others are matched by the contracts like any other."""
    four = signed(sandbox)
    buyer = client(sandbox, "requester").order
    asked = Requestorder.from_dict(four["requestorder"])
    (record,) = buyer.sign_many("requestorder", [asked], jobs=jobs)
    (text,) = buyer.sign_lines("requestorder", [json.dumps(asked.to_dict())], jobs=jobs)
    four["requestorder"] = record if jobs == 1 else json.loads(str(text))
    assert buyer.match_orders(**four, check_request=False).volume == 3
    for sign in (buyer.sign_many, buyer.sign_lines):
        with pytest.raises(ValidationError, match="kind must be one of"):
            sign("order", [], jobs=jobs)
