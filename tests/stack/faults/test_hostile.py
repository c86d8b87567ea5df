"""Answers that look right and are lies: by a marketplace that wants more, by a node that is bought.

Caught before anything is signed, or, where a transaction is out already, without sending another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    MarketCallError,
    OutcomeUnknownError,
    StateError,
    Web3ProviderCallError,
)
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

from ..cli.test_run import deploy, sell
from .job import Books
from .proxy import Proxy

Client = Callable[..., IExec]
PEOPLE = accounts.addresses()


class Witness:
    """A key that counts what it signs."""

    def __init__(self, name: str) -> None:
        self._signer = accounts.signer(name)
        self.address = self._signer.address
        self.signed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._signer, name)
        if not name.startswith("sign_"):
            return method

        def sign(what: Any) -> Any:
            self.signed.append(name)
            return method(what)

        return sign


@dataclass
class Scene:
    """An app and a pool with an order each, a requester with money, a proxy that may lie."""

    books: Books
    proxy: Proxy
    key: Witness
    buyer: IExec
    app: str
    pool: str
    other: str  # another app of the same seller, much dearer

    def sends(self) -> int:
        return self.proxy.tally.requests["chain", "eth_sendRawTransaction"]


@pytest.fixture
def scene(sandbox: Sandbox, client: Client, secrets: Any) -> Iterator[Scene]:
    provider, owner = client(sandbox, "app-provider"), client(sandbox, "workerpool-owner")
    app, other, pool = deploy(provider, "app"), deploy(provider, "app"), deploy(owner, "workerpool")
    requester = client(sandbox, "requester")
    requester.account.deposit(10_000)
    owner.account.deposit(10_000)
    sell(provider, "app", app, appprice=10, volume=5)
    sell(provider, "app", other, appprice=5_000, volume=5)
    sell(owner, "workerpool", pool, workerpoolprice=10, category=0, volume=5)
    secrets.storage_token(sandbox, "requester")
    books, key = Books(sandbox), Witness("requester")
    with (
        Proxy(sandbox.chain) as proxy,
        IExec(proxy.chain, key, timeout=3) as buyer,  # type: ignore[arg-type]
    ):
        yield Scene(books, proxy, key, buyer, app, pool, other)
    books.close()


def swapped(record: dict[str, Any], other: dict[str, Any]) -> None:
    """Another order, well signed, of something dearer."""
    record.update(copy.deepcopy(other))


def inflated(record: dict[str, Any], _: dict[str, Any]) -> None:
    record["order"]["appprice"] = 9_000


def endless(record: dict[str, Any], _: dict[str, Any]) -> None:
    record["order"]["volume"] = record["remaining"] = 10**6


def forged(record: dict[str, Any], _: dict[str, Any]) -> None:
    sign = record["order"]["sign"]
    record["order"]["sign"] = "0x" + "11" * 32 + sign[66:]


def elsewhere(record: dict[str, Any], _: dict[str, Any]) -> None:
    record["chainId"] = 1


LIES = [swapped, inflated, endless, forged, elsewhere]


@pytest.mark.parametrize("lie", LIES)
def test_a_marketplace_that_lies(scene: Scene, lie: Callable[..., None]) -> None:
    """Nothing is signed or sent for what it offers, in a purchase and in the order book."""
    dear = scene.buyer.orderbook.fetch_app_orderbook(app=scene.other).orders[0]
    honest = scene.buyer.orderbook.fetch_app_orderbook(app=scene.app).orders[0]
    kept = scene.books.client.orderbook.fetch_apporder(dear.order_hash).to_dict()

    def tamper(service: str, methods: list[str], answer: Any) -> Any:
        if service == "market" and "/apporders" in methods[0]:
            records = answer.get("orders", [answer])
            for record in records:
                lie(record, kept)
        return answer

    scene.proxy.tamper = tamper
    del scene.key.signed[:]
    with pytest.raises(IExecError):
        scene.buyer.app.run(scene.app, workerpool=scene.pool)
    assert (scene.key.signed, scene.sends()) == ([], 0)
    assert scene.books.deals() == []
    if lie is forged:  # who signed is for the chain to say: the match is refused
        listed = scene.buyer.orderbook.fetch_apporder(honest.order_hash).order
        pool = scene.books.client.orderbook.fetch_workerpool_orderbook(workerpool=scene.pool)
        with pytest.raises(IExecError, match="sign"):
            scene.buyer.order.match_orders(
                apporder=listed,
                workerpoolorder=pool.orders[0].order,
                requestorder=scene.buyer.order.create_requestorder(
                    scene.app, 0, appmaxprice=10, workerpoolmaxprice=10
                ),
            )
        assert (scene.key.signed, scene.sends()) == ([], 0)
    else:
        with pytest.raises(MarketCallError):
            scene.buyer.orderbook.fetch_apporder(honest.order_hash)


def test_remaining_volume_is_the_chains(scene: Scene, client: Client) -> None:
    """An order that is used up is offered as new: it is not bought."""
    sandbox = scene.books.sandbox
    provider = client(sandbox, "app-provider")
    [listed] = scene.buyer.orderbook.fetch_app_orderbook(app=scene.app).orders
    provider.order.cancel_apporder(listed.order)
    record = listed.to_dict()

    def tamper(service: str, methods: list[str], answer: Any) -> Any:
        if service == "market" and methods[0] == "GET /market/apporders":
            answer["orders"] = [{**record, "remaining": 5, "status": "open"}]
            answer["count"] = 1
        return answer

    scene.proxy.tamper = tamper
    with pytest.raises(StateError, match="No order available"):
        scene.buyer.app.run(scene.app, workerpool=scene.pool)
    assert (scene.key.signed, scene.sends()) == ([], 0)


def test_a_price_beyond_the_limit(scene: Scene) -> None:
    """The only offer there is: well signed, and too dear."""
    with pytest.raises(StateError):
        scene.buyer.app.run(scene.other, workerpool=scene.pool, app_max_price=4_999)
    assert (scene.key.signed, scene.sends()) == ([], 0)


# --- a node that lies -----------------------------------------------------------------------------


def test_another_chain_midway(scene: Scene) -> None:
    """The node is exchanged for another between two sends of one client."""
    scene.buyer.account.deposit(5)
    sends = scene.sends()

    def tamper(service: str, methods: list[str], answer: Any) -> Any:
        for item in answer if isinstance(answer, list) else [answer]:
            if "eth_chainId" in methods and item.get("result") == hex(scene.buyer.chain.id):
                item["result"] = "0x1"
        return answer

    scene.proxy.tamper = tamper
    del scene.key.signed[:]
    with pytest.raises(ConfigurationError, match="nothing was signed"):
        scene.buyer.account.deposit(6)
    assert (scene.key.signed, scene.sends()) == ([], sends)


def receipts(change: Callable[[dict[str, Any]], None]) -> Any:
    def tamper(service: str, methods: list[str], answer: Any) -> Any:
        for item in answer if isinstance(answer, list) else [answer]:
            result = item.get("result") if isinstance(item, dict) else None
            if service == "chain" and isinstance(result, dict) and "logs" in result:
                change(result)
        return answer

    return tamper


def other_emitter(receipt: dict[str, Any]) -> None:
    for log in receipt["logs"]:
        log["address"] = "0x" + "77" * 20


def no_logs(receipt: dict[str, Any]) -> None:
    receipt["logs"] = []


@pytest.mark.parametrize("change", [other_emitter, no_logs])
def test_logs_of_somebody_else(scene: Scene, change: Any) -> None:
    """They prove nothing; what was sent is not sent again when the node tells the truth."""
    before = scene.books.stake("requester")
    scene.proxy.tamper = receipts(change)
    with pytest.raises(Web3ProviderCallError, match="not confirmed") as caught:
        scene.buyer.account.deposit(5)
    scene.proxy.tamper = None
    assert scene.buyer.account.deposit(5).tx_hash == caught.value.tx_hash
    assert scene.books.stake("requester") == before + 5
    assert scene.sends() == 1


def test_the_receipt_of_another_transaction(scene: Scene) -> None:
    before = scene.books.stake("requester")
    transactions = scene.buyer._context.transactions
    transactions.patience = 0.3
    scene.proxy.tamper = receipts(
        lambda receipt: receipt.update(transactionHash="0x" + "77" * 32, status="0x0")
    )
    with pytest.raises(OutcomeUnknownError) as caught:
        scene.buyer.account.deposit(5)
    scene.proxy.tamper = None
    assert scene.buyer.account.deposit(5).tx_hash == caught.value.tx_hash
    assert scene.books.stake("requester") == before + 5
