"""The JavaScript SDK V6 and ours as strangers on one marketplace: each buys what the other offers.

What one side publishes, signs, pushes or logs in with, the other reads, matches and finds; nothing
but the sandbox's services and contracts is between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.errors import MarketCallError
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sandbox.stack import Sandbox

from .conftest import order_terms

PEOPLE = accounts.addresses()
PRICE, VOLUME = 1000, 2
CHECKSUM = "0x" + "0a" * 32
OWNERS = {
    "apporder": "app-provider",
    "datasetorder": "dataset-provider",
    "workerpoolorder": "workerpool-owner",
    "requestorder": "requester",
}
Py = Callable[[str], Any]
Js = Callable[..., Any]


@pytest.fixture
def goods(py: Py) -> dict[str, str]:
    app = {"owner": PEOPLE["app-provider"], "name": "app", "type": "DOCKER"}
    dataset = {"owner": PEOPLE["dataset-provider"], "name": "data", "checksum": CHECKSUM}
    pool = {"owner": PEOPLE["workerpool-owner"], "description": "pool"}
    py("requester").account.deposit(3 * PRICE * VOLUME)
    py("workerpool-owner").account.deposit(PRICE * VOLUME)
    storage = py("requester").storage
    storage.push_storage_token(storage.default_storage_login())
    return {
        "app": py("app-provider")
        .app.deploy_app({**app, "multiaddr": SAMPLE_IMAGE, "checksum": CHECKSUM})
        .address,
        "dataset": py("dataset-provider")
        .dataset.deploy_dataset({**dataset, "multiaddr": "/ipfs/Qm"})
        .address,
        "workerpool": py("workerpool-owner").workerpool.deploy_workerpool(pool).address,
    }


def fields(goods: dict[str, str], kind: str) -> dict[str, Any]:
    """What an order says, beside its defaults."""
    return {**order_terms(goods, kind, PRICE), "volume": VOLUME}


def publish_here(py: Py, goods: dict[str, str], kind: str) -> str:
    order = py(OWNERS[kind]).order
    created = getattr(order, f"create_{kind}")(**fields(goods, kind))
    return str(getattr(order, f"publish_{kind}")(getattr(order, f"sign_{kind}")(created)))


def publish_there(js: Js, goods: dict[str, str], kind: str) -> str:
    name, who = kind.capitalize(), OWNERS[kind]
    signed = js(who, f"order.sign{name}", js(who, f"order.create{name}", fields(goods, kind)))
    return str(js(who, f"order.publish{name}", signed))


def test_javascript_buys_what_we_publish(
    sandbox: Sandbox, py: Py, js: Js, goods: dict[str, str]
) -> None:
    hashes = {kind: publish_here(py, goods, kind) for kind in OWNERS}
    book = js("beneficiary", "orderbook.fetchAppOrderbook", goods["app"])
    assert [each["orderHash"] for each in book["orders"]] == [hashes["apporder"]]
    found = {
        kind: js("beneficiary", f"orderbook.fetch{kind.capitalize()}", hashes[kind])["order"]
        for kind in OWNERS
    }
    match = js("beneficiary", "order.matchOrders", found)
    deal = py("requester").deal.show(match["dealid"])
    assert (deal.bot_size, deal.requester) == (VOLUME, PEOPLE["requester"])
    for kind, order_hash in hashes.items():
        published = getattr(py("beneficiary").orderbook, f"fetch_{kind}")(order_hash)
        assert (published.status, published.remaining) == ("filled", 0)
    assert sandbox.worker.run_once() == VOLUME
    first = py("requester").task.fetch_results(deal.tasks[0])
    assert first.read()


def test_we_buy_what_javascript_publishes(
    sandbox: Sandbox, py: Py, js: Js, goods: dict[str, str]
) -> None:
    hashes = {kind: publish_there(js, goods, kind) for kind in OWNERS}
    book = py("beneficiary").orderbook
    offers = {
        "apporder": book.fetch_app_orderbook(goods["app"], dataset=goods["dataset"]),
        "datasetorder": book.fetch_dataset_orderbook(goods["dataset"], app=goods["app"]),
        "workerpoolorder": book.fetch_workerpool_orderbook(category=0, min_volume=VOLUME),
        "requestorder": book.fetch_request_orderbook(requester=PEOPLE["requester"]),
    }
    found = {kind: page.items[0] for kind, page in offers.items()}
    assert {kind: each.order_hash for kind, each in found.items()} == hashes
    match = py("beneficiary").order.match_orders(**found)
    assert js("requester", "deal.show", match.dealid)["botSize"] == str(VOLUME)
    listed = js("requester", "deal.fetchRequesterDeals", PEOPLE["requester"])
    ours = py("requester").deal.fetch_requester_deals(PEOPLE["requester"])
    assert [each["dealid"] for each in listed["deals"]] == [match.dealid]
    assert [each.dealid for each in ours.deals] == [match.dealid]


@pytest.mark.parametrize("kind", OWNERS)
def test_each_withdraws_what_the_other_published(
    sandbox: Sandbox, py: Py, js: Js, goods: dict[str, str], kind: str
) -> None:
    name, who = kind.capitalize(), OWNERS[kind]
    resource = goods.get(kind.removesuffix("order"))
    named = [] if resource is None else [resource]
    ours = py(who).order
    if kind == "requestorder":  # nobody may ask for what nobody offers
        publish_here(py, goods, "apporder")
        publish_here(py, goods, "datasetorder")
    one = publish_here(py, goods, kind)
    assert js(who, f"order.unpublish{name}", one) == one
    two = publish_there(js, goods, kind)
    assert getattr(ours, f"unpublish_last_{kind}")(*named) == two
    three, four = publish_here(py, goods, kind), publish_there(js, goods, kind)
    assert getattr(ours, f"unpublish_all_{kind}s")(*named) == [four, three]
    with pytest.raises(MarketCallError, match="not found"):
        getattr(py("beneficiary").orderbook, f"fetch_{kind}")(four)


def test_secrets_are_seen_by_the_other(py: Py, js: Js, goods: dict[str, str]) -> None:
    seller, dataset = py("dataset-provider").dataset, goods["dataset"]
    there = "dataset.checkDatasetSecretExists"
    assert js("requester", there, dataset) is False
    assert seller.push_dataset_secret(dataset, seller.generate_encryption_key()) is True
    assert js("requester", there, dataset) is True
    key = rsa_generate(1024)[1]
    pushed = py("requester").result.push_result_encryption_key(key)
    assert (pushed.is_pushed, pushed.is_updated) == (True, False)
    who = PEOPLE["requester"]
    assert js("beneficiary", "result.checkResultEncryptionKeyExists", who) is True
    again = py("requester").result.push_result_encryption_key(key, force_update=True)
    assert again.is_updated is True
    js("beneficiary", "result.pushResultEncryptionKey", key)
    assert py("requester").result.check_result_encryption_key_exists(PEOPLE["beneficiary"])
    token = js("beneficiary", "storage.defaultStorageLogin")
    assert py("beneficiary").storage.default_storage_login() == token
    js("beneficiary", "storage.pushStorageToken", token)
    assert py("requester").storage.check_storage_token_exists(PEOPLE["beneficiary"])
