"""The marketplace on the real contracts: publishing, what the chain does to it, lists and deals."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from iexec_lite import IExec
from iexec_lite.errors import Web3ProviderCallError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.authorization import MARKET, Authorization, read_challenge
from iexec_lite.protocol.contracts import HUB, REGISTRY
from iexec_lite.protocol.orders import NULL_ADDRESS, NULL_BYTES32
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.database import Database
from iexec_lite.sandbox.market import SCHEMA, Market
from iexec_lite.sandbox.market_api import market_app
from iexec_lite.sandbox.server import WSGI, Server
from iexec_lite.sandbox.stack import Sandbox

PEOPLE = accounts.addresses()
OWNERS = {
    "apporder": "app-provider",
    "datasetorder": "dataset-provider",
    "workerpoolorder": "workerpool-owner",
    "requestorder": "requester",
}
PRICE, VOLUME = 1000, 3
TEE, GPU = f"0x{1:064x}", f"0x{1 << 8:064x}"
Answer = tuple[int, dict[str, Any]]


@pytest.fixture
def serve() -> Iterator[Callable[[WSGI], str]]:
    """``serve(app)``: an app on a loopback port; its URL."""
    with contextlib.ExitStack() as stack:

        def start(app: WSGI) -> str:
            server = Server({"": app})
            stack.callback(server.stop)
            server.start()
            return server.url

        yield start


@dataclass
class Shop:
    """A marketplace on loopback, and people who use it."""

    url: str
    sandbox: Sandbox
    market: Market
    database: Database
    client: Callable[..., IExec]
    goods: dict[str, str]

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        query = {"chainId": self.sandbox.chain.id, **options.pop("query", {})}
        headers = {"Content-Type": "application/json"} | options.pop("headers", {})
        assert not options
        request = urllib.request.Request(
            f"{self.url}{path}?{urlencode(query)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        status, answer = self.call("GET", path, query=query)
        assert status == 200, answer
        assert answer.pop("ok") is True
        return answer

    def error(self, path: str, **query: Any) -> tuple[int, str]:
        status, answer = self.call("GET", path, query=query)
        assert set(answer) == {"ok", "error"}
        assert answer["ok"] is False
        return status, answer["error"]

    def login(self, name: str) -> str:
        signer = accounts.signer(name)
        answer = self.get("/challenge", address=signer.address)
        challenge = read_challenge(answer, MARKET, self.sandbox.chain.id)
        return str(Authorization.of(challenge, signer.sign_typed_data(challenge), signer.address))

    def send(
        self,
        method: str,
        kind: str,
        body: Any,
        *,
        name: str | None = None,
        login: str | None = None,
    ) -> Answer:
        token = login or self.login(name or OWNERS[kind])
        return self.call(method, f"/{kind}s", body, headers={"Authorization": token})

    def fields(self, kind: str, **changes: Any) -> dict[str, Any]:
        price = {"volume": VOLUME, **changes}
        app, dataset, pool = (self.goods[name] for name in ("app", "dataset", "workerpool"))
        return {
            "apporder": {"app": app, "appprice": PRICE},
            "datasetorder": {"dataset": dataset, "datasetprice": PRICE},
            "workerpoolorder": {"workerpool": pool, "workerpoolprice": PRICE, "category": 0},
            "requestorder": {
                "app": app,
                "appmaxprice": PRICE,
                "workerpoolmaxprice": PRICE,
                "category": 0,
                "params": {"iexec_args": "héllo"},
            },
        }[kind] | price

    def sign(self, kind: str, *, name: str = "", **changes: Any) -> Any:
        api = self.client(self.sandbox, name or OWNERS[kind]).order
        order = getattr(api, f"create_{kind}")(**self.fields(kind, **changes))
        options = {"check_request": False} if kind == "requestorder" else {}
        return getattr(api, f"sign_{kind}")(order, **options)

    def offer(self, kind: str, order: Any = None, **options: Any) -> Answer:
        name = options.pop("name", "")
        order = order or self.sign(kind, name=name, **options)
        return self.send("POST", kind, {"order": order.to_dict()}, name=name)

    def publish(self, kind: str, order: Any = None, **options: Any) -> dict[str, Any]:
        status, answer = self.offer(kind, order, **options)
        assert status == 200, answer
        published: dict[str, Any] = answer["published"]
        return published

    def refused(self, kind: str, order: Any = None, **options: Any) -> str:
        status, answer = self.offer(kind, order, **options)
        assert (status, answer["ok"]) == (403, False), answer
        text: str = answer["error"]
        return text

    def status(self, record: dict[str, Any]) -> tuple[str, int]:
        kind = next(k for k in OWNERS if KEYS[k] in record["order"])
        found = self.get(f"/{kind}s/{record['orderHash']}")
        return found["status"], found["remaining"]

    def hashes(self, kind: str, **query: Any) -> list[str]:
        found = self.get(f"/{kind}s", **query)
        assert found["count"] == len(found["orders"])
        return [each["orderHash"] for each in found["orders"]]

    def match(self, requester: str = "requester", **four: Any) -> Any:
        return self.client(self.sandbox, requester).order.match_orders(**four, check_request=False)


KEYS = {
    "apporder": "appprice",
    "datasetorder": "datasetprice",
    "workerpoolorder": "workerpoolprice",
    "requestorder": "requester",
}


def deploy(client: Any, sandbox: Sandbox, name: str = "thing") -> dict[str, str]:
    made = {}
    for kind, owner in (("app", "app-provider"), ("dataset", "dataset-provider")):
        entry = {"owner": PEOPLE[owner], "name": name, "checksum": NULL_BYTES32}
        entry["multiaddr"] = "docker.io/x:1" if kind == "app" else "/ipfs/Qm"
        if kind == "app":
            entry["type"] = "DOCKER"
        api = getattr(client(sandbox, owner), kind)
        made[kind] = getattr(api, f"deploy_{kind}")(entry).address
    pool = client(sandbox, "workerpool-owner").workerpool.deploy_workerpool(
        {"owner": PEOPLE["workerpool-owner"], "description": name}
    )
    return {**made, "workerpool": pool.address}


@pytest.fixture
def shop(sandbox: Sandbox, client: Any, serve: Any, tmp_path: Path) -> Iterator[Shop]:
    database = Database(tmp_path / "market.sqlite3", SCHEMA)
    market = Market(database, sandbox.node.rpc, sandbox.chain)
    goods = deploy(client, sandbox)
    client(sandbox, "requester").account.deposit(3 * PRICE * VOLUME)
    client(sandbox, "workerpool-owner").account.deposit(PRICE * VOLUME)
    yield Shop(serve(market_app(market)), sandbox, market, database, client, goods)
    database.close()


@pytest.fixture
def three(shop: Shop) -> tuple[dict[str, Any], dict[str, Any]]:
    """Three orders that match, as signed, and as published."""
    signed = {kind: shop.sign(kind) for kind in OWNERS if kind != "datasetorder"}
    return signed, {kind: shop.publish(kind, order) for kind, order in signed.items()}


def send(shop: Shop, name: str, to: str, data: bytes) -> None:
    context = shop.client(shop.sandbox, name)._context
    context.send("test", {"to": to, "data": to_hex(data)}, to, data, new=True)


def transfer_app(shop: Shop, to: str, name: str = "app-provider") -> None:
    app = shop.goods["app"]
    call = REGISTRY.transferFrom.encode(PEOPLE[name], to, int(app, 16))
    send(shop, name, shop.sandbox.chain.app_registry or "", call)


def record(shop: Shop, kind: str, order: Any) -> dict[str, Any]:
    order_hash = getattr(shop.client(shop.sandbox, "admin").order, f"hash_{kind}")(order)
    return {"orderHash": order_hash, "order": order.to_dict()}


# --- publishing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OWNERS)
def test_published_listed_found(shop: Shop, kind: str) -> None:
    if kind == "requestorder":
        shop.publish("apporder")
    order = shop.sign(kind)
    published = shop.publish(kind, order)
    numbers = {
        name: int(value) if isinstance(value, str) and value.isdigit() else value
        for name, value in order.to_dict().items()
    }
    assert published["order"] == numbers
    assert published["orderHash"] == record(shop, kind, order)["orderHash"]
    assert published["chainId"] == shop.sandbox.chain.id
    assert (published["status"], published["remaining"]) == ("open", VOLUME)
    assert published["signer"] == PEOPLE[OWNERS[kind]]
    assert len(published["publicationTimestamp"]) == len("2021-12-09T10:03:38.068Z")
    query = {name: shop.goods[name] for name in ("app", "dataset") if kind == f"{name}order"}
    assert shop.get(f"/{kind}s", **query) == {"orders": [published], "count": 1}
    found = shop.get(f"/{kind}s/{published['orderHash'].upper().replace('X', 'x')}")
    assert found == {**published, "chainId": str(shop.sandbox.chain.id)}
    assert shop.error(f"/{kind}s/{NULL_BYTES32}") == (404, f"{kind} not found")
    assert shop.refused(kind, order) == "order already published"


LIST = "/workerpoolorders"


# --- what the chain does to orders ----------------------------------------------------------------


def test_matched_in_part_and_filled(shop: Shop, three: Any) -> None:
    signed, published = three
    small = shop.sign("requestorder", volume=1)
    match = shop.match(**{**signed, "requestorder": small})
    kinds = ("apporder", "workerpoolorder")
    assert [shop.status(published[kind]) for kind in kinds] == [("open", VOLUME - 1)] * 2
    assert [each["remaining"] for each in shop.get(LIST)["orders"]] == [VOLUME - 1]
    assert shop.hashes("workerpoolorder", minVolume=VOLUME) == []
    assert shop.status(published["requestorder"]) == ("open", VOLUME)
    assert match.volume == 1
    assert shop.refused("requestorder", small) == "order already consumed"
    assert shop.match(**signed).volume == VOLUME - 1
    assert [shop.status(published[kind]) for kind in kinds] == [("filled", 0)] * 2
    # what is left of the request order has no app order any more
    assert shop.status(published["requestorder"]) == ("dead", 1)
    assert shop.get(LIST) == {"orders": [], "count": 0}
    assert shop.refused("apporder", signed["apporder"]) == "order already published"


def test_canceled(shop: Shop, three: Any) -> None:
    signed, published = three
    for kind, order in signed.items():
        api = shop.client(shop.sandbox, OWNERS[kind]).order
        getattr(api, f"cancel_{kind}")(order)
        assert shop.status(published[kind]) == ("canceled", 0)
        assert shop.refused(kind, order) == "order already published"
    unseen = shop.sign("apporder")
    shop.client(shop.sandbox, "app-provider").order.cancel_apporder(unseen)
    assert shop.refused("apporder", unseen) == "order already consumed"


def test_a_resource_that_changes_hands(shop: Shop, three: Any) -> None:
    signed, published = three
    transfer_app(shop, PEOPLE["beneficiary"])
    assert shop.status(published["apporder"]) == ("dead", VOLUME)
    assert shop.status(published["requestorder"]) == ("dead", VOLUME)
    assert shop.status(published["workerpoolorder"]) == ("open", VOLUME)
    new = PEOPLE["beneficiary"]
    text = f"only order signer {new} can publish an order"
    assert shop.refused("apporder", signed["apporder"]) == text
    transfer_app(shop, PEOPLE["app-provider"], "beneficiary")
    assert shop.status(published["apporder"]) == ("dead", VOLUME)  # until published again
    again = shop.publish("apporder", signed["apporder"])
    assert again == published["apporder"]  # its place in the list too
    assert shop.publish("requestorder", signed["requestorder"]) == published["requestorder"]


def test_a_stake_that_goes_and_comes_back(shop: Shop, three: Any) -> None:
    signed, published = three
    for kind, name in (("workerpoolorder", "workerpool-owner"), ("requestorder", "requester")):
        account = shop.client(shop.sandbox, name).account
        stake = account.check_balance(PEOPLE[name]).stake
        needed = PRICE * 30 // 100 * VOLUME if name != "requester" else 2 * PRICE * VOLUME
        account.withdraw(stake - needed)
        assert shop.status(published[kind]) == ("open", VOLUME)
        account.withdraw(1)
        assert shop.status(published[kind]) == ("dead", VOLUME)
        account.deposit(1)
        assert shop.status(published[kind]) == ("dead", VOLUME)
        assert shop.publish(kind, signed[kind]) == published[kind]
        assert shop.status(published[kind]) == ("open", VOLUME)


def test_a_stake_that_is_locked(shop: Shop, three: Any) -> None:
    """A deal locks stake that another order of the same wallet needed."""
    signed, published = three
    account = shop.client(shop.sandbox, "requester").account
    other = shop.publish("requestorder", volume=4, workerpoolmaxprice=0)
    account.withdraw(account.check_balance(PEOPLE["requester"]).stake - 2 * PRICE * VOLUME)
    assert (shop.status(published["requestorder"]), shop.status(other)) == (
        ("open", VOLUME),
        ("open", 4),
    )
    shop.publish("apporder", appprice=0, volume=9)  # the match must not leave it without one
    shop.match(**signed)
    assert (shop.status(published["requestorder"]), shop.status(other)) == (
        ("filled", 0),
        ("dead", 4),
    )


def test_deals(shop: Shop, three: Any) -> None:
    signed, _ = three
    match = shop.match(**signed)
    found = shop.get("/deals", requester=PEOPLE["requester"])
    deal = found["deals"][0]
    shown = shop.client(shop.sandbox, "admin").deal.show(match.dealid).to_dict()
    for name in ("app", "dataset", "workerpool"):
        shown[name]["price"] = int(shown[name]["price"])
    numbers = ("botFirst", "botSize", "category", "trust", "startTime", "workerStake")
    shown |= {name: int(shown[name]) for name in (*numbers, "schedulerRewardRatio")}
    for name in ("tasks", "finalTime", "deadlineReached"):
        del shown[name]
    receipt = shop.sandbox.node.rpc.request("eth_getTransactionReceipt", (match.tx_hash,))
    number = int(receipt["blockNumber"], 16)
    assert deal == {
        **shown,
        "chainId": shop.sandbox.chain.id,
        "volume": VOLUME,
        "blockNumber": number,
        "blockTimestamp": deal["blockTimestamp"],
        "transactionHash": match.tx_hash,
        **{
            f"{kind.removesuffix('order')}Hash": record(shop, kind, order)["orderHash"]
            for kind, order in signed.items()
        },
        "datasetHash": deal["datasetHash"],
    }
    time = datetime.fromisoformat(deal["blockTimestamp"].replace("Z", "+00:00")).timestamp()
    assert time == deal["startTime"]
    assert deal["blockTimestamp"].endswith(".000Z")
    assert found == {"deals": [deal], "count": 1}
    assert shop.get(f"/deals/{match.dealid}") == deal
    assert shop.error(f"/deals/{NULL_BYTES32}") == (404, "deal not found")
    assert shop.get("/ohlc", category=0) == {"ohlc": [[deal["blockTimestamp"], PRICE, VOLUME]]}
    assert shop.get("/ohlc", category=1) == {"ohlc": []}
    right = {
        **{name: deal[name] for name in ("category", "requester", "beneficiary")},
        **{name: deal[name]["pointer"] for name in ("app", "dataset", "workerpool")},
        **{f"{name}Owner": deal[name]["owner"] for name in ("app", "dataset", "workerpool")},
        **{
            f"{name}orderHash": deal[f"{name}Hash"]
            for name in ("app", "dataset", "workerpool", "request")
        },
    }
    assert shop.get("/deals", **right)["count"] == 1
    for name, value in right.items():
        wrong = 7 if name == "category" else to_hex(keccak(b""))[: len(str(value))]
        assert shop.get("/deals", **{name: wrong}) == {"deals": [], "count": 0}


def test_deals_newest_first(shop: Shop, three: Any) -> None:
    signed, _ = three
    ids = [
        shop.match(**{**signed, "requestorder": shop.sign("requestorder", volume=1)}).dealid
        for _ in range(VOLUME)
    ]
    assert [each["dealid"] for each in shop.get("/deals")["deals"]] == ids[::-1]
    assert [each["dealid"] for each in shop.get("/deals", page=1)["deals"]] == ids[1::-1]


def test_categories(shop: Shop) -> None:
    names = [each["name"] for each in shop.get("/categories")["categories"]]
    assert names == ["XS", "S", "M", "L", "XL"]
    api = shop.client(shop.sandbox, "admin").hub
    made = api.create_category({"name": "new", "description": "é", "workClockTimeRef": 1200})
    found = shop.get("/categories", minWorkClockTimeRef=1200, maxWorkClockTimeRef=3600)
    assert [each["catid"] for each in found["categories"]] == [1, int(made["catid"]), 2]
    assert found["count"] == 3
    new = found["categories"][1]
    tx = new["transactionHash"]
    receipt = shop.sandbox.node.rpc.request("eth_getTransactionReceipt", (tx,))
    assert new == {
        "catid": 5,
        "chainId": shop.sandbox.chain.id,
        "name": "new",
        "description": "é",
        "workClockTimeRef": 1200,
        "transactionHash": tx,
        "blockNumber": int(receipt["blockNumber"], 16),
        "blockTimestamp": new["blockTimestamp"],
    }
    assert shop.get("/categories/5") == {**new, "chainId": str(shop.sandbox.chain.id)}
    assert shop.error("/categories/6") == (404, "category not found")


def test_metrics(shop: Shop, three: Any) -> None:
    block = int(shop.sandbox.node.rpc.request("eth_blockNumber"), 16)
    assert shop.get("/metrics") == {
        "lastBlock": block,
        "checkpointBlock": block,
        "apporders": 1,
        "datasetorders": 0,
        "workerpoolorders": 1,
        "requestorders": 1,
    }


# --- a chain that is set back ---------------------------------------------------------------------


def test_set_back(shop: Shop, three: Any) -> None:
    signed, published = three
    rpc = shop.sandbox.node.rpc
    snapshot = rpc.request("evm_snapshot")
    kept = shop.publish("apporder", appprice=1)
    shop.client(shop.sandbox, "app-provider").order.cancel_apporder(signed["apporder"])
    assert shop.status(published["apporder"]) == ("canceled", 0)
    account = shop.client(shop.sandbox, "workerpool-owner").account
    account.withdraw(account.check_balance(PEOPLE["workerpool-owner"]).stake)
    assert shop.status(published["workerpoolorder"]) == ("dead", VOLUME)
    assert rpc.request("evm_revert", (snapshot,)) is True
    assert [shop.status(each) for each in (*published.values(), kept)] == [("open", VOLUME)] * 4


def test_set_back_and_grown_to_the_same_height(shop: Shop, three: Any) -> None:
    signed, published = three
    rpc = shop.sandbox.node.rpc
    snapshot, height = rpc.request("evm_snapshot"), rpc.request("eth_blockNumber")
    shop.match(**signed)
    assert shop.get("/deals")["count"] == 1
    assert shop.status(published["apporder"]) == ("filled", 0)
    top = rpc.request("eth_blockNumber")
    assert rpc.request("evm_revert", (snapshot,)) is True
    assert rpc.request("eth_blockNumber") == height
    shop.client(shop.sandbox, "workerpool-owner").order.cancel_workerpoolorder(
        signed["workerpoolorder"]
    )
    while rpc.request("eth_blockNumber") != top:
        rpc.request("evm_mine")
    assert shop.status(published["apporder"]) == ("open", VOLUME)
    assert shop.status(published["workerpoolorder"]) == ("canceled", 0)
    assert shop.get("/deals") == {"deals": [], "count": 0}
    assert shop.get("/categories")["count"] == 5


def test_read_in_windows(shop: Shop, three: Any, tmp_path: Path) -> None:
    """A market that comes late reads all, a few blocks at a time, and one that stops goes on."""
    signed, _ = three
    shop.match(**signed)
    wanted = {path: shop.get(path) for path in ("/deals", "/categories", "/metrics")}
    database = Database(tmp_path / "late.sqlite3", SCHEMA)
    late = Market(database, Fragile(shop.sandbox.node), shop.sandbox.chain)
    late._watcher._window = 7
    with pytest.raises(Web3ProviderCallError, match="busy"):
        late.metrics()
    assert late._book.cursor() is not None
    assert late.categories({}) == wanted["/categories"]
    assert late.deals({}) == wanted["/deals"]
    assert {**late.metrics(), **dict.fromkeys(("apporders",), 0)} == wanted["/metrics"]
    assert max(late._rpc.spans) == 7
    database.close()


def test_set_back_and_cut_while_reading(shop: Shop, three: Any) -> None:
    signed, published = three
    rpc = shop.sandbox.node.rpc
    snapshot = rpc.request("evm_snapshot")
    shop.match(**signed)
    assert shop.status(published["apporder"]) == ("filled", 0)
    assert rpc.request("evm_revert", (snapshot,)) is True
    shop.market._watcher._rpc, shop.market._watcher._window = Fragile(shop.sandbox.node), 7
    busy = (500, "Something went wrong, you should retry later.")
    assert shop.error(f"/apporders/{published['apporder']['orderHash']}") == busy
    assert shop.status(published["apporder"]) == ("open", VOLUME)
    account = shop.client(shop.sandbox, "workerpool-owner").account
    account.withdraw(account.check_balance(PEOPLE["workerpool-owner"]).stake)
    assert shop.status(published["workerpoolorder"]) == ("dead", VOLUME)


class Fragile(Rpc):
    """A node that fails once, at the fourth look at its logs."""

    def __init__(self, node: Any) -> None:
        super().__init__(node.url)
        self.spans: list[int] = []

    def batch(self, calls: Any) -> list[Any]:
        for method, params in calls:
            if method == "eth_getLogs":
                query = params[0]
                self.spans.append(1 + int(query["toBlock"], 16) - int(query["fromBlock"], 16))
                if len(self.spans) == 4:
                    raise Web3ProviderCallError("busy", retryable=True)
        return super().batch(calls)


def test_nothing_new_costs_one_request(shop: Shop, monkeypatch: Any) -> None:
    shop.get("/metrics")
    asked = []
    request = shop.sandbox.node.rpc.request
    monkeypatch.setattr(
        shop.market._watcher._rpc, "request", lambda *a: asked.append(a) or request(*a)
    )
    monkeypatch.setattr(shop.market._watcher._rpc, "batch", lambda *a: pytest.fail("a batch"))
    shop.get("/metrics")
    assert asked == [("eth_getBlockByNumber", ("latest", False))]


# --- unpublishing ---------------------------------------------------------------------------------


def test_unpublish_one_last_all(shop: Shop) -> None:
    hashes = [shop.publish("apporder", appprice=n)["orderHash"] for n in range(4)]
    app = shop.goods["app"]

    def unpublish(**body: Any) -> Answer:
        return shop.send("PUT", "apporder", body)

    assert unpublish(orderHash=hashes[1]) == (200, {"ok": True, "unpublished": [hashes[1]]})
    last = unpublish(target="unpublish_last", app=app.lower())
    assert last == (200, {"ok": True, "unpublished": [hashes[3]]})
    rest = unpublish(target="unpublish_all", app=app)
    assert rest == (200, {"ok": True, "unpublished": [hashes[2], hashes[0]]})
    assert shop.error(f"/apporders/{hashes[0]}") == (404, "apporder not found")


def test_unpublishing_an_app_order_leaves_requests_dead(shop: Shop, three: Any) -> None:
    signed, published = three
    cheap = shop.publish("apporder", appprice=1)["orderHash"]
    for order_hash, status in ((cheap, "open"), (published["apporder"]["orderHash"], "dead")):
        shop.send("PUT", "apporder", {"target": "unpublish_orderHash", "orderHash": order_hash})
        assert shop.status(published["requestorder"])[0] == status
    assert shop.publish("apporder", signed["apporder"])["status"] == "open"


# --- lists ----------------------------------------------------------------------------------------

ONE, TWO = "0x" + "11" * 20, "0x" + "22" * 20

# kind → name → what the order says beside its defaults
SHELF: dict[str, dict[str, dict[str, Any]]] = {
    "apporder": {
        "plain": {"appprice": 5},
        "tee": {"appprice": 4, "tag": TEE},
        "both": {"appprice": 3, "tag": f"0x{0x101:064x}"},
        "top": {"appprice": 2, "tag": f"0x{1 << 255:064x}"},
        "big": {"appprice": 6, "volume": 2**53 - 2},
        "dataset one": {"appprice": 7, "datasetrestrict": ONE},
        "pool one": {"appprice": 8, "workerpoolrestrict": ONE},
        "requester one": {"appprice": 9, "requesterrestrict": ONE},
        "all one": {
            "appprice": 1,
            "datasetrestrict": ONE,
            "workerpoolrestrict": ONE,
            "requesterrestrict": ONE,
        },
    },
    "datasetorder": {
        "plain": {"datasetprice": 5},
        "gpu": {"datasetprice": 4, "tag": GPU},
        "app one": {"datasetprice": 7, "apprestrict": ONE},
        "pool one": {"datasetprice": 8, "workerpoolrestrict": ONE},
        "requester one": {"datasetprice": 9, "requesterrestrict": ONE},
    },
    "workerpoolorder": {
        "plain": {"workerpoolprice": 5},
        "trust one": {"workerpoolprice": 6, "trust": 1},
        "trust five": {"workerpoolprice": 4, "trust": 5},
        "category one": {"workerpoolprice": 3, "category": 1},
        "app one": {"workerpoolprice": 7, "apprestrict": ONE},
        "dataset one": {"workerpoolprice": 8, "datasetrestrict": ONE},
        "requester one": {"workerpoolprice": 9, "requesterrestrict": ONE},
        "tee": {"workerpoolprice": 2, "tag": TEE},
    },
    "requestorder": {
        "plain": {"workerpoolmaxprice": 5, "appmaxprice": 9, "volume": 1},
        "trust five": {"workerpoolmaxprice": 4, "trust": 5, "volume": 1},
        "category one": {"workerpoolmaxprice": 6, "category": 1},
        "for one": {"workerpoolmaxprice": 3, "beneficiary": ONE},
        "pool one": {"workerpoolmaxprice": 7, "workerpool": ONE},
        "tee": {"workerpoolmaxprice": 2, "tag": TEE},
    },
}
# kind, query → what is listed, in this order. ``app`` and the like stand for the shop's own.
LISTS: list[tuple[str, dict[str, Any], str]] = [
    ("apporder", {"app": "app"}, "top both tee plain big"),
    ("apporder", {"appOwner": "app-provider"}, "top both tee plain big"),
    ("apporder", {"app": "app", "appOwner": ONE}, ""),
    ("apporder", {"app": ONE}, ""),
    ("apporder", {"app": "app", "dataset": ONE}, "top both tee plain big dataset one"),
    ("apporder", {"app": "app", "dataset": TWO}, "top both tee plain big"),
    ("apporder", {"app": "app", "workerpool": ONE}, "top both tee plain big pool one"),
    ("apporder", {"app": "app", "requester": ONE}, "top both tee plain big requester one"),
    (
        "apporder",
        {"app": "app", "dataset": ONE, "workerpool": ONE, "requester": ONE},
        "all one top both tee plain big dataset one pool one requester one",
    ),
    ("apporder", {"app": "app", "minTag": NULL_BYTES32}, "top both tee plain big"),
    ("apporder", {"app": "app", "minTag": TEE}, "both tee"),
    ("apporder", {"app": "app", "minTag": GPU.upper().replace("X", "x")}, "both"),
    ("apporder", {"app": "app", "minTag": f"0x{1 << 255:064x}"}, "top"),
    ("apporder", {"app": "app", "maxTag": NULL_BYTES32}, "plain big"),
    ("apporder", {"app": "app", "maxTag": TEE}, "tee plain big"),
    ("apporder", {"app": "app", "maxTag": "0x" + "f" * 64}, "top both tee plain big"),
    ("apporder", {"app": "app", "minTag": TEE, "maxTag": TEE}, "tee"),
    ("apporder", {"app": "app", "minVolume": VOLUME}, "top both tee plain big"),
    ("apporder", {"app": "app", "minVolume": VOLUME + 1}, "big"),
    ("apporder", {"app": "app", "minVolume": 2**53 - 2}, "big"),
    ("apporder", {"app": "app", "page": 3}, "plain big"),
    ("datasetorder", {"dataset": "dataset"}, "gpu plain"),
    ("datasetorder", {"datasetOwner": "dataset-provider"}, "gpu plain"),
    ("datasetorder", {"dataset": "dataset", "app": ONE}, "gpu plain app one"),
    ("datasetorder", {"dataset": "dataset", "workerpool": ONE}, "gpu plain pool one"),
    ("datasetorder", {"dataset": "dataset", "requester": ONE}, "gpu plain requester one"),
    ("workerpoolorder", {}, "tee category one trust five plain trust one"),
    ("workerpoolorder", {"category": 0}, "tee trust five plain trust one"),
    ("workerpoolorder", {"category": 1}, "category one"),
    ("workerpoolorder", {"category": 0, "minTrust": 0}, "tee trust five plain trust one"),
    ("workerpoolorder", {"category": 0, "minTrust": 1}, "tee trust five plain trust one"),
    ("workerpoolorder", {"minTrust": 2}, "trust five"),
    ("workerpoolorder", {"minTrust": 6}, ""),
    ("workerpoolorder", {"category": 0, "app": ONE}, "tee trust five plain trust one app one"),
    ("workerpoolorder", {"dataset": ONE, "minTag": TEE}, "tee"),
    ("workerpoolorder", {"category": 0, "dataset": ONE, "page": 4}, "dataset one"),
    ("workerpoolorder", {"category": 0, "requester": ONE, "page": 4}, "requester one"),
    ("workerpoolorder", {"workerpool": "workerpool", "category": 1}, "category one"),
    ("workerpoolorder", {"workerpool": ONE}, ""),
    ("workerpoolorder", {"workerpoolOwner": "workerpool-owner", "category": 1}, "category one"),
    ("workerpoolorder", {"workerpoolOwner": ONE}, ""),
    ("requestorder", {}, "category one plain trust five for one tee"),
    ("requestorder", {"workerpool": ONE}, "pool one category one plain trust five for one tee"),
    ("requestorder", {"workerpool": TWO}, "category one plain trust five for one tee"),
    ("requestorder", {"category": 1}, "category one"),
    ("requestorder", {"maxTrust": 0}, "category one plain for one tee"),
    ("requestorder", {"maxTrust": 4}, "category one plain for one tee"),
    ("requestorder", {"maxTrust": 5}, "category one plain trust five for one tee"),
    ("requestorder", {"beneficiary": ONE}, "for one"),
    ("requestorder", {"requester": ONE}, ""),
    ("requestorder", {"requester": "requester", "minTag": TEE}, "tee"),
    ("requestorder", {"app": "app", "maxTag": NULL_BYTES32, "category": 1}, "category one"),
    ("requestorder", {"app": ONE}, ""),
    ("requestorder", {"dataset": NULL_ADDRESS, "category": 1}, "category one"),
    ("requestorder", {"dataset": ONE}, ""),
]


def test_lists(shop: Shop) -> None:
    names: dict[str, str] = {}
    shop.client(shop.sandbox, "workerpool-owner").account.deposit(PRICE)
    for kind, orders in SHELF.items():
        for name, changes in orders.items():
            names[
                shop.publish(
                    kind, **({"appmaxprice": 5} if kind == "requestorder" else {}) | changes
                )["orderHash"]
            ] = name
    for kind, query, wanted in LISTS:
        given = {
            name: shop.goods.get(str(value), PEOPLE.get(str(value), value))
            for name, value in query.items()
        }
        found = shop.get(f"/{kind}s", **given)
        shown = " ".join(names[each["orderHash"]] for each in found["orders"])
        assert shown == wanted, (kind, query)
        assert found["count"] == len(found["orders"]) + query.get("page", 0)


def test_pages_and_the_limit_of_open_orders(shop: Shop, monkeypatch: Any) -> None:
    """Orders of one price and moment are sorted by hash."""
    monkeypatch.setattr(shop.market, "_clock", lambda: 1639044218.068)
    app = shop.goods["app"]
    hashes = [shop.publish("apporder")["orderHash"] for _ in range(20)]
    found = shop.get("/apporders", app=app)
    assert [each["orderHash"] for each in found["orders"]] == sorted(hashes)
    assert {each["publicationTimestamp"] for each in found["orders"]} == {
        "2021-12-09T10:03:38.068Z"
    }
    assert (found["count"], found["nextPage"]) == (20, 20)  # full, so there may be more
    assert shop.get("/apporders", app=app, page=20) == {"orders": [], "count": 20}
    hashes += [shop.publish("apporder")["orderHash"] for _ in range(30)]
    found, seen = shop.get("/apporders", app=app), []
    while True:
        seen += [each["orderHash"] for each in found["orders"]]
        if "nextPage" not in found:
            break
        found = shop.get("/apporders", app=app, page=found["nextPage"])
    assert seen == sorted(hashes)
    assert len(found["orders"]) == 10
    wallet = PEOPLE["app-provider"]
    assert shop.refused("apporder") == (
        f"maximun of 50 published open apporder has been reached for wallet {wallet}"
    )
    shop.send("PUT", "apporder", {"orderHash": hashes[0]})
    shop.publish("apporder")


# --- refusals -------------------------------------------------------------------------------------


def test_an_authorization_serves_once_and_its_address_only(shop: Shop) -> None:
    order, kind = shop.sign("apporder").to_dict(), "apporder"
    bad = (403, {"ok": False, "error": "invalid authorization"})
    login = shop.login(OWNERS[kind])
    assert login == shop.login(OWNERS[kind])  # the challenge is the same until it is used
    broken = shop.send("POST", kind, {"order": {**order, "tag": "0x1"}}, login=login)
    assert broken == (400, {"ok": False, "error": "order.tag must be a bytes32 hexstring"})
    assert shop.send("POST", kind, {"order": order}, login=login) == bad  # used up
    digest, sign, address = shop.login(OWNERS[kind]).split("_")
    other = shop.login("requester").split("_")
    for token in (
        f"{digest.upper().replace('X', 'x')}_{sign}_{address}",
        f"{digest}_{sign}_{other[2]}",
        f"{digest}_{other[1]}_{other[2]}",
        f"{digest}_{other[1]}_{address}",
        f"Bearer {digest}_{sign}_{address}",
        f"{digest}_{sign}",
        "",
    ):
        assert shop.send("POST", kind, {"order": order}, login=token or " ") == bad
    assert shop.call("POST", "/apporders", {"order": order}) == bad
    signer = accounts.signer("beneficiary")  # its key on the challenge of another
    challenge = read_challenge(
        shop.get("/challenge", address=address), MARKET, shop.sandbox.chain.id
    )
    token = Authorization.of(challenge, signer.sign_typed_data(challenge), signer.address)
    assert shop.send("POST", kind, {"order": order}, login=str(token)) == bad
    lower = f"{digest}_{sign}_{address.lower()}"
    assert shop.send("POST", kind, {"order": order}, login=lower) == (
        403,
        {"ok": False, "error": f"only order signer {address} can publish an order"},
    )
    assert shop.send("POST", kind, {"order": order})[0] == 200
    digest, sign, address = shop.login(OWNERS[kind]).split("_")
    body = {"target": "unpublish_all", "app": shop.goods["app"]}
    lower = f"{digest}_{sign}_{address.lower()}"
    assert shop.send("PUT", kind, body, login=lower)[1]["error"] == (
        f"no open apporder published by signer {address.lower()} for app {shop.goods['app']}"
    )


def test_refusals_of_a_publication(shop: Shop) -> None:
    """Every text of a business rule, on the order that breaks that one."""
    app, dataset, pool = (shop.goods[name] for name in ("app", "dataset", "workerpool"))
    provider, requester = PEOPLE["app-provider"], PEOPLE["requester"]
    nothing = "0x" + "77" * 20
    for kind, resource in (
        ("apporder", "app"),
        ("datasetorder", "dataset"),
        ("workerpoolorder", "workerpool"),
    ):
        order = shop.sign(kind)
        stray = replace(order, **{resource: nothing})
        assert shop.refused(kind, stray) == "Resource not deployed"
        owner = PEOPLE[OWNERS[kind]]
        assert shop.refused(kind, order, name="beneficiary") == (
            f"only order signer {owner} can publish an order"
        )
        assert shop.refused(kind, replace(order, volume=VOLUME + 1)) == "invalid sign"
    request = shop.sign("requestorder")
    assert shop.refused("requestorder", request, name="beneficiary") == (
        f"only order signer {requester} can publish an order"
    )
    assert shop.refused("requestorder", replace(request, volume=1)) == "invalid sign"
    body = {k: v for k, v in request.to_dict().items() if k != "params"}
    unsigned = shop.send("POST", "requestorder", {"order": body})
    assert unsigned == (403, {"ok": False, "error": "invalid sign"})
    short = "workerpool owner's stake is too low to cover required workerpool lock"
    assert shop.refused("workerpoolorder", workerpoolprice=PRICE * 4, volume=VOLUME) == short
    limit = 3336  # floor(30 % of it) is what is staked for each task
    shop.publish("workerpoolorder", workerpoolprice=limit)
    assert shop.refused("workerpoolorder", workerpoolprice=limit + 1) == short
    assert shop.refused("requestorder", request) == f"No apporder published for app {app}"
    shop.publish("apporder", workerpoolrestrict=ONE)
    shop.publish("apporder", datasetrestrict=ONE)
    shop.publish("apporder", requesterrestrict=ONE)
    assert shop.refused("requestorder", request) == f"No apporder published for app {app}"
    shop.publish("apporder", appprice=PRICE + 7)
    cheapest = shop.publish("apporder", appprice=PRICE + 1)
    assert shop.refused("requestorder", request) == (
        f"appmaxprice for app {app} is too low, actual best price is {PRICE + 1} nRLC"
    )
    shop.publish("apporder")
    assert (
        shop.refused("requestorder", tag=TEE) == f"No tee enabled apporder published for app {app}"
    )
    shop.publish("apporder", tag=TEE, appprice=PRICE + 1)
    assert shop.refused("requestorder", tag=TEE) == (
        f"appmaxprice for app {app} is too low, actual best price is {PRICE + 1} nRLC"
    )
    money = {"appmaxprice": 3 * PRICE - 2, "workerpoolmaxprice": 1, "datasetmaxprice": 2}
    assert shop.refused("requestorder", **money) == (
        "requester stake is too low to cover requestorder payment, "
        f"minimum stake required is {(3 * PRICE + 1) * VOLUME} nRLC"
    )
    with_data = {"dataset": dataset, "datasetmaxprice": 1}
    text = f"No datasetorder published for dataset {dataset}"
    assert shop.refused("requestorder", **with_data) == text
    shop.publish("datasetorder", apprestrict=ONE)
    assert shop.refused("requestorder", **with_data) == text
    shop.publish("datasetorder", datasetprice=2)
    assert shop.refused("requestorder", **with_data) == (
        f"datasetmaxprice for dataset {dataset} is too low, actual best price is 2 nRLC"
    )
    shop.publish("requestorder", dataset=dataset, datasetmaxprice=2)
    shop.publish("requestorder", request)  # nobody need offer a workerpool, or know the category
    shop.publish("requestorder", category=99)

    def unpublish(kind: str, name: str = "", **body: Any) -> str:
        status, answer = shop.send("PUT", kind, body, name=name)
        assert status == 403
        return str(answer["error"])

    known = cheapest["orderHash"]
    assert unpublish("apporder", orderHash=NULL_BYTES32) == (
        f"apporder with orderHash {NULL_BYTES32} is not published"
    )
    assert unpublish("apporder", "requester", orderHash=known) == (
        f"only order signer {provider} can unpublish an order"
    )
    for target in ("unpublish_last", "unpublish_all"):
        for kind, resource, address in (
            ("apporder", "app", app),
            ("datasetorder", "dataset", dataset),
            ("workerpoolorder", "workerpool", pool),
            ("requestorder", "requester", requester),
        ):
            answer = unpublish(kind, "beneficiary", target=target, **{resource: address})
            assert answer == (
                f"no open {kind} published by signer {PEOPLE['beneficiary']} "
                f"for {resource} {address}"
            )


def test_what_the_hub_will_not_look_at_is_an_error_of_the_chain(shop: Shop) -> None:
    """Presigned orders too: ``verifySignature`` asks for a signature of 64 or 65 bytes."""
    again = (500, {"ok": False, "error": "Something went wrong, you should retry later."})
    order = shop.sign("apporder")
    bare = replace(order, sign="0x")
    send(
        shop,
        "app-provider",
        shop.sandbox.deployment.hub,
        HUB.manageAppOrder.encode((bare.abi_value(), 0, b"")),
    )
    assert shop.offer("apporder", bare) == again
    body = {"order": {**order.to_dict(), "sign": "0xzz"}}
    assert shop.send("POST", "apporder", body) == again
    shop.publish("apporder", order)


KYC = "0x600435546000526020" + "6000f3"  # returns storage[first argument]


def test_enterprise_wants_everybody_known(shop: Shop) -> None:
    """The token is replaced by one that knows whom the test says."""
    node, token = shop.sandbox.node, shop.sandbox.deployment.token
    assert token is not None
    shop.market.chain = replace(shop.sandbox.chain, flavour="enterprise")
    node.set_code(token, KYC)

    def known(name: str) -> None:
        slot = "0x" + PEOPLE[name][2:].lower().rjust(64, "0")
        node.rpc.request("anvil_setStorageAt", (token, slot, f"0x{1:064x}"))

    def unknown(role: str, name: str) -> str:
        return f"{role} {PEOPLE[name]} is not authorized by eRLC"

    buyer, app, dataset, pool = PEOPLE["worker-1"], *shop.goods.values()
    order = {"datasetrestrict": dataset, "workerpoolrestrict": pool, "requesterrestrict": buyer}
    for role, name in (
        ("Order signer", "app-provider"),
        ("Dataset owner", "dataset-provider"),
        ("Workerpool owner", "workerpool-owner"),
        ("Requester", "worker-1"),
    ):
        assert shop.refused("apporder", **order) == unknown(role, name)
        known(name)
    shop.publish("apporder", **order)
    assert shop.refused("apporder", datasetrestrict=ONE) == "Resource not deployed"
    shop.publish("apporder")
    assert shop.refused("requestorder") == unknown("Order signer", "requester")
    known("requester")
    shop.publish("requestorder")
    slot = "0x" + PEOPLE["app-provider"][2:].lower().rjust(64, "0")
    node.rpc.request("anvil_setStorageAt", (token, slot, NULL_BYTES32))
    for kind in ("datasetorder", "workerpoolorder"):
        assert shop.refused(kind, apprestrict=app) == unknown("App owner", "app-provider")
    assert shop.refused("requestorder") == unknown("App owner", "app-provider")
