"""The JavaScript SDK V6 and ours before the same marketplace: the same requests, byte by byte.

The marketplace is a loopback server that records what it is asked and answers from a table; the
node beside it knows who owns everything. Signatures are deterministic, so authorizations are too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import MarketCallError
from iexec_lite.protocol import orders
from iexec_lite.protocol.authorization import MARKET, new_challenge

from .conftest import serving

CHAIN_ID, HUB = 134, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
SIGNER = KeySigner.from_key(KEY)
ME = SIGNER.address
APP, DATASET, POOL = ("0x" + digit * 40 for digit in "123")
OTHER = "0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1"
DOMAIN = orders.domain(CHAIN_ID, HUB)
CHALLENGE = "Sign this message to log into iExec Gateway: Hn3lq9s0Zb2kX8vTfYw1RaPd4uMcE7oG"
TAG = "0x" + "0" * 61 + "101"
ODD = 'é ☂ 😀 \u2028 " \\ \x7f </script>'


def signed(order: orders.Order) -> orders.SignedOrder:
    return orders.sign_order(order, SIGNER, DOMAIN, salt=b"\x07" * 32)


SIGNED: dict[str, Any] = {
    "apporder": signed(orders.create_apporder(app=APP, appprice=5, volume=9, tag=TAG)),
    "datasetorder": signed(
        orders.create_datasetorder(dataset=DATASET, volume=9, requesterrestrict=ME, tag=TAG)
    ),
    "workerpoolorder": signed(
        orders.create_workerpoolorder(
            workerpool=POOL, workerpoolprice="3 RLC", category=0, trust=7, volume=9, tag=TAG
        )
    ),
    "requestorder": signed(
        orders.create_requestorder(
            app=APP,
            dataset=DATASET,
            category=0,
            requester=ME,
            beneficiary=OTHER,
            volume=9,
            tag=TAG,
            params=json.dumps({"iexec_args": ODD}),
            result_proxy="https://proxy.example",
        )
    ),
}
HASHES = {kind: orders.order_hash(order, DOMAIN) for kind, order in SIGNED.items()}


def record(kind: str, chain_id: object = CHAIN_ID) -> dict[str, Any]:
    return {
        "orderHash": HASHES[kind],
        "chainId": chain_id,
        "order": SIGNED[kind].values(),
        "remaining": 9,
        "status": "open",
        "signer": ME,
        "publicationTimestamp": "2021-12-09T10:03:38.068Z",
    }


def deal(first: int) -> dict[str, Any]:
    return {
        "dealid": orders.deal_id(HASHES["requestorder"], first),
        "chainId": CHAIN_ID,
        "app": {"pointer": APP, "price": 5, "owner": ME},
        "dataset": {"pointer": DATASET, "price": 0, "owner": ME},
        "workerpool": {"pointer": POOL, "price": 3 * 10**9, "owner": OTHER},
        "requester": ME,
        "beneficiary": OTHER,
        "callback": orders.NULL_ADDRESS,
        **{f"{kind.removesuffix('order')}Hash": order_hash for kind, order_hash in HASHES.items()},
        "params": '{"iexec_args":""}',
        "volume": 1,
        "category": 0,
        "tag": TAG,
        "trust": 7,
        "startTime": 1639000000,
        "botFirst": first,
        "botSize": 1,
        "schedulerRewardRatio": 1,
        "workerStake": 0,
        "blockNumber": 123,
        "blockTimestamp": "2021-12-09T10:03:38.000Z",
        "transactionHash": "0x" + "ab" * 32,
    }


class Market(ThreadingHTTPServer):
    """Below ``/market`` a marketplace, elsewhere a node."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.refuse: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def log_message(self, *_: object) -> None:
                pass

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, answer = 200, None
                if self.path.startswith("/market/"):
                    names = ("accept", "content-type", "authorization")
                    told = {name: self.headers.get(name) for name in names}
                    server.asked.append((self.command, self.path, told, body))
                    status, answer = server.market(self.command, self.path, body)
                else:
                    asked = json.loads(body)
                    answer = (
                        [server.node(one) for one in asked]
                        if isinstance(asked, list)
                        else server.node(asked)
                    )
                text = json.dumps(answer).encode()
                self.send_response_only(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = handle_one

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def node(self, asked: dict[str, Any]) -> dict[str, Any]:
        answers = {
            "eth_chainId": hex(CHAIN_ID),
            "net_version": str(CHAIN_ID),
            "eth_call": "0x" + ME[2:].lower().rjust(64, "0"),  # owner()
        }
        return {"jsonrpc": "2.0", "id": asked["id"], "result": answers[asked["method"]]}

    def market(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        path, _, query = path.removeprefix("/market/").partition("?")
        name, _, order_hash = path.partition("/")
        if name == "challenge":
            return 200, {"ok": True, "data": new_challenge(MARKET, CHAIN_ID, CHALLENGE).to_dict()}
        if self.refuse:
            return 403, {"ok": False, "error": self.refuse}
        if name == "deals":
            last = "page=20" in query
            answer = {"ok": True, "count": 2, "deals": [deal(int(last))]}
            return 200, answer if last else {**answer, "nextPage": 20}
        kind = name.removesuffix("s")
        if method == "POST":
            return 200, {"ok": True, "published": record(kind)}
        if method == "PUT":
            return 200, {"ok": True, "unpublished": [HASHES[kind]]}
        if order_hash:
            return 200, {"ok": True, **record(kind, str(CHAIN_ID))}
        if "page=20" in query:
            return 200, {"ok": True, "count": 1, "orders": []}
        return 200, {"ok": True, "count": 1, "orders": [record(kind)], "nextPage": 20}


@pytest.fixture
def market() -> Iterator[Market]:
    with serving(Market()) as server:
        yield server


@pytest.fixture
def js(oracle: Any, market: Market) -> Any:
    chain = {
        "host": market.url,
        "hub": HUB,
        "native": True,
        "key": KEY,
        "iexecGateway": market.url + "/market",
    }

    def ask(method: str, *args: Any, more: bool = False) -> Any:
        module, _, function = method.partition(".")
        return oracle.ask(
            "onChain", chain=chain, module=module, method=function, args=list(args), more=more
        )

    return ask


@pytest.fixture
def py(market: Market) -> Iterator[IExec]:
    with IExec(market.url, KEY, chain=CHAIN_ID, iexec_gateway_url=market.url + "/market/") as iexec:
        yield iexec


def taken(market: Market) -> list[Any]:
    asked, market.asked = market.asked, []
    assert asked
    return asked


ADDRESSES = {"requester": ME.lower(), "workerpool": POOL}
TAGS = {"minTag": ["tee"], "maxTag": "tee,gpu", "minVolume": 3}
BOOKS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("apporder", [APP], {}),
    ("apporder", [APP], {"dataset": DATASET, **ADDRESSES, **TAGS}),
    ("apporder", [APP], {"minTag": TAG, "maxTag": TAG.upper().replace("X", "x"), "minVolume": "2"}),
    ("apporder", [APP], {"minTag": [], "minVolume": 0}),
    ("datasetorder", [DATASET], {}),
    ("datasetorder", [DATASET], {"app": APP, **ADDRESSES, **TAGS}),
    ("workerpoolorder", [], {}),
    ("workerpoolorder", [], {"category": 0, "minTrust": 0, "minVolume": 0}),
    ("workerpoolorder", [], {"minTag": "", "maxTag": "", "category": "0"}),
    ("workerpoolorder", [], {"minTag": [], "minTrust": 7, "minVolume": 1}),
    (
        "workerpoolorder",
        [],
        {
            **{"category": 0, "workerpoolOwner": OTHER, "app": APP, "dataset": DATASET},
            **{**ADDRESSES, **TAGS, "minTrust": 2},
        },
    ),
    ("requestorder", [], {}),
    ("requestorder", [], {"category": 0, "maxTrust": 0, "minVolume": 0, "minTag": []}),
    (
        "requestorder",
        [],
        {
            **{"category": 0, "beneficiary": OTHER, "app": APP, "dataset": DATASET},
            **{**ADDRESSES, **TAGS, "maxTrust": 5},
        },
    ),
]
METHODS = {
    "apporder": ("fetchAppOrderbook", "fetch_app_orderbook"),
    "datasetorder": ("fetchDatasetOrderbook", "fetch_dataset_orderbook"),
    "workerpoolorder": ("fetchWorkerpoolOrderbook", "fetch_workerpool_orderbook"),
    "requestorder": ("fetchRequestOrderbook", "fetch_request_orderbook"),
}


def snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def as_text(value: dict[str, Any]) -> dict[str, Any]:
    """The chain id is text in one answer of the marketplace and a number in another."""
    return {**value, "chainId": str(value["chainId"])}


@pytest.mark.witness("market: order book of *", by="js")
@pytest.mark.parametrize(("kind", "args", "filters"), BOOKS)
def test_order_books(
    js: Any, py: IExec, market: Market, kind: str, args: list[Any], filters: dict[str, Any]
) -> None:
    theirs, ours = METHODS[kind]
    found = js(f"orderbook.{theirs}", *args, filters)
    after = js(f"orderbook.{theirs}", *args, filters, more=True)
    asked = taken(market)
    page = getattr(py.orderbook, ours)(*args, **{snake(k): v for k, v in filters.items()})
    following = page.more()
    first, again, second = asked
    assert first == again
    assert taken(market) == [first, second]
    assert [as_text(one) for one in found["orders"]] == [one.to_dict() for one in page.orders]
    assert (found["count"], after["orders"]) == (page.count, list(following))
    assert following.more() is None
    assert "more" not in after


@pytest.mark.witness("market: order by its hash", by="js")
@pytest.mark.parametrize("kind", HASHES)
def test_an_order_by_its_hash(js: Any, py: IExec, market: Market, kind: str) -> None:
    for order_hash in (HASHES[kind], "0x" + HASHES[kind][2:].upper()):
        found = js(f"orderbook.fetch{kind.capitalize()}", order_hash)
        asked = taken(market)
        assert getattr(py.orderbook, f"fetch_{kind}")(order_hash).to_dict() == found
        assert taken(market) == asked
    market.refuse = f"{kind} not found"
    with pytest.raises(Exception, match=f"API error: {kind} not found"):
        js(f"orderbook.fetch{kind.capitalize()}", HASHES[kind])
    with pytest.raises(MarketCallError, match=f"^API error: {kind} not found$"):
        getattr(py.orderbook, f"fetch_{kind}")(HASHES[kind])


@pytest.mark.witness("market: challenge", "market: authorization", "market: publish *", by="js")
@pytest.mark.parametrize("kind", HASHES)
def test_publishing(js: Any, py: IExec, market: Market, kind: str) -> None:
    args: list[Any] = [SIGNED[kind].to_dict()]
    options: dict[str, Any] = {}
    if kind == "requestorder":
        args.append({"checkRequest": False})
        options["check_request"] = False
    assert js(f"order.publish{kind.capitalize()}", *args) == HASHES[kind]
    asked = taken(market)
    assert [each[0] for each in asked] == ["GET", "POST"]
    publish = getattr(py.order, f"publish_{kind}")
    assert publish(SIGNED[kind], **options) == HASHES[kind]
    assert taken(market) == asked
    # and with the challenge signed elsewhere
    carried = py.order.publish_challenge(ME).sign(SIGNER).to_dict()
    assert publish(SIGNED[kind].to_dict(), authorization=carried, **options) == HASHES[kind]
    assert taken(market) == asked
    market.refuse = "order already published"
    with pytest.raises(Exception, match="API error: order already published"):
        js(f"order.publish{kind.capitalize()}", *args)
    with pytest.raises(MarketCallError, match=r"^API error: order already published$"):
        publish(SIGNED[kind], **options)


@pytest.mark.witness("market: unpublish *", by="js")
@pytest.mark.parametrize("kind", HASHES)
def test_unpublishing(js: Any, py: IExec, market: Market, kind: str) -> None:
    name = kind.capitalize()
    own = {"apporder": [APP], "datasetorder": [DATASET], "workerpoolorder": [POOL]}.get(kind, [])
    for theirs, ours, args in (
        (f"unpublish{name}", f"unpublish_{kind}", [HASHES[kind]]),
        (f"unpublishLast{name}", f"unpublish_last_{kind}", own),
        (f"unpublishAll{name}s", f"unpublish_all_{kind}s", own),
    ):
        found = js(f"order.{theirs}", *args)
        asked = taken(market)
        assert [each[0] for each in asked] == ["GET", "PUT"]
        assert getattr(py.order, ours)(*args) == found
        assert taken(market) == asked


@pytest.mark.witness("market: deals of a requester", by="js")
@pytest.mark.parametrize(
    "filters",
    [{}, {"appAddress": APP, "datasetAddress": DATASET, "workerpoolAddress": POOL}],
)
def test_deals_of_a_requester(js: Any, py: IExec, market: Market, filters: dict[str, Any]) -> None:
    found = js("deal.fetchRequesterDeals", ME.lower(), filters)
    after = js("deal.fetchRequesterDeals", ME.lower(), filters, more=True)
    first, _, second = taken(market)
    page = py.deal.fetch_requester_deals(ME, **{snake(k): v for k, v in filters.items()})
    pages = [page, page.next()]
    assert taken(market) == [first, second]
    assert [each.to_dict() for one in pages for each in one] == found["deals"] + after["deals"]
    assert pages[0].count == found["count"]
    assert pages[1].next() is None


@pytest.mark.witness("market: deals of an order", by="js")
@pytest.mark.parametrize("kind", HASHES)
def test_deals_of_an_order(js: Any, py: IExec, market: Market, kind: str) -> None:
    found = js(f"deal.fetchDealsBy{kind.capitalize()}", HASHES[kind])
    asked = taken(market)
    page = getattr(py.deal, f"fetch_deals_by_{kind}")(HASHES[kind])
    assert taken(market) == asked
    assert found == {"count": page.count, "deals": [each.to_dict() for each in page.deals]}
