"""A hostile or broken marketplace: what is refused, what is left out, how lists end, lost answers.

The marketplace is a transport in memory. That an honest one is understood, and asked in the right
bytes, is seen beside the JavaScript SDK (``tests/oracle/test_market_js.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import (
    ConfigurationError,
    MarketCallError,
    SignatureError,
    StateError,
    TransportError,
    ValidationError,
)
from iexec_lite.net.http import Response
from iexec_lite.protocol import ids, orders
from iexec_lite.protocol.authorization import MARKET, Authorization, new_challenge
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.rules import V6, V9
from iexec_lite.sdk import market

KEY = "0x" + "11" * 32
SIGNER = KeySigner.from_key(KEY)
ME = SIGNER.address
CHAIN_ID, HUB = 134, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
DOMAIN = orders.domain(CHAIN_ID, HUB)
APP, DATASET, POOL, OTHER = ("0x" + digit * 40 for digit in "1234")
TEE = "0x" + "0" * 63 + "1"
GPU = "0x" + "0" * 61 + "100"
Json = dict[str, Any]


def apporder(number: int = 0, **fields: Any) -> orders.SignedOrder:
    order = orders.create_apporder(app=APP, volume=5, **fields)
    return orders.sign_order(order, SIGNER, DOMAIN, salt=number.to_bytes(32, "big"))


def poolorder(**fields: Any) -> orders.SignedOrder:
    order = orders.create_workerpoolorder(workerpool=POOL, category=1, volume=5, **fields)
    return orders.sign_order(order, SIGNER, DOMAIN)


def request(**fields: Any) -> orders.SignedRequestorder:
    order = orders.create_requestorder(
        app=APP, category=1, requester=ME, volume=5, result_proxy="https://p.org", **fields
    )
    return orders.sign_order(order, SIGNER, DOMAIN)


def record(order: orders.SignedOrder, /, **changes: Any) -> Json:
    return {
        "orderHash": orders.order_hash(order, DOMAIN),
        "chainId": CHAIN_ID,
        "order": order.values(),
        "remaining": 5,
        "status": "open",
        "signer": ME,
        "publicationTimestamp": "2021-12-09T10:03:38.068Z",
        **changes,
    }


def deal(**changes: Any) -> Json:
    share = {"pointer": APP, "price": 5, "owner": ME}
    names = ("appHash", "datasetHash", "workerpoolHash", "requestHash", "transactionHash", "tag")
    counts = ("volume", "category", "trust", "startTime", "blockNumber", "schedulerRewardRatio")
    found = {
        **dict.fromkeys(names, "0x" + "0a" * 32),
        **dict.fromkeys(counts, 1),
        **dict.fromkeys(("requester", "beneficiary", "callback"), ME),
        **{"app": share, "dataset": share, "workerpool": share, "params": "{}"},
        **{"chainId": CHAIN_ID, "botFirst": 3, "botSize": 2, "workerStake": 0},
        "blockTimestamp": "2021-12-09T10:03:38.000Z",
        "dealid": orders.deal_id("0x" + "0a" * 32, 3),
    }
    return {**found, **changes}


class Fake:
    """A transport: a node that says who owns everything, and a marketplace that a test writes."""

    def __init__(self) -> None:
        self.owner = ME
        self.asked: list[tuple[str, str, Json, Any]] = []
        self.proofs: list[str | None] = []  # of who asks
        self.answer: Callable[[str, str, Json, Any], Any] = lambda *_: {"ok": True}

    def close(self) -> None:
        pass

    def request(self, method: str, url: str, *, body: Any = None, **more: Any) -> Response:
        parts = urlsplit(url)
        data = json.loads(body) if body else None
        if parts.netloc == "node":
            many = data if isinstance(data, list) else [data]
            word = "0x" + self.owner[2:].lower().rjust(64, "0")
            found: Any = [
                {"jsonrpc": "2.0", "id": one["id"], "result": hex(CHAIN_ID)}
                if one["method"] == "eth_chainId"
                else {"jsonrpc": "2.0", "id": one["id"], "result": word}
                for one in many
            ]
            return self.json(found if isinstance(data, list) else found[0])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert query.pop("chainId") == str(CHAIN_ID)
        if parts.path == "/challenge":
            text = "Sign this message to log into iExec Gateway: abc"
            return self.json({"ok": True, "data": new_challenge(MARKET, CHAIN_ID, text).to_dict()})
        self.asked.append((method, parts.path, query, data))
        self.proofs.append(more.get("headers", {}).get("authorization"))
        answer = self.answer(method, parts.path, query, data)
        return answer if isinstance(answer, Response) else self.json(answer)

    def json(self, value: Any, status: int = 200) -> Response:
        text = json.dumps(value).encode()
        return Response(status, {"content-type": "application/json"}, text, "http://market")

    def refuse(self, status: int, error: str) -> Response:
        return self.json({"ok": False, "error": error}, status)

    def always(self, answer: Any) -> None:
        self.answer = lambda *_: answer

    def lists(self, *records: Json, **more: Any) -> None:
        self.always({"ok": True, "count": len(records), "orders": [*records], **more})


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def client(fake: Fake) -> Iterator[Callable[..., IExec]]:
    made: list[IExec] = []

    def make(rules: Any = V6, signer: str | None = KEY, **options: Any) -> IExec:
        chain = Chain(id=CHAIN_ID, name="test", hub=HUB, iexec_gateway="http://market", rules=rules)
        made.append(IExec("http://node", signer, chain=chain, **options))
        made[-1]._context._made["http"] = fake
        return made[-1]

    yield make
    for iexec in made:
        iexec.close()


@pytest.fixture
def iexec(client: Any) -> IExec:
    found: IExec = client()
    return found


# --- records --------------------------------------------------------------------------------------

NAMES = ("orderHash", "chainId", "order", "remaining", "status", "signer", "publicationTimestamp")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, True, -1, 1.5, "x", "\x1b[2J", [], {}, [{}], 10**90])
def test_members_of_the_wrong_kind(fake: Fake, iexec: IExec, name: str, value: Any) -> None:
    if (name, value) == ("status", "x") or (name, value) == ("publicationTimestamp", "x"):
        return  # good ones
    bad = record(apporder(), **{name: value})
    fake.lists(bad)
    with pytest.raises(MarketCallError) as caught:
        iexec.orderbook.fetch_app_orderbook(APP)
    told = "app is" if (name, value) == ("order", {}) else name
    assert told in caught.value.message
    assert caught.value.message.isprintable()
    fake.always({"ok": True, **bad})
    with pytest.raises(MarketCallError, match=told):
        iexec.orderbook.fetch_apporder(orders.order_hash(apporder(), DOMAIN))


@pytest.mark.parametrize("name", orders.SignedApporder.field_names())
@pytest.mark.parametrize("value", [None, True, [], {}, 1.5])
def test_members_of_an_order_of_the_wrong_kind(
    fake: Fake, iexec: IExec, name: str, value: Any
) -> None:
    fake.lists(record(apporder(), order={**apporder().values(), name: value}))
    with pytest.raises(MarketCallError, match=f"answer is wrong: {name}"):
        iexec.orderbook.fetch_app_orderbook(APP)


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True},
        {"ok": True, "orders": None, "count": 0},
        {"ok": True, "orders": {}, "count": 0},
        {"ok": True, "orders": [], "count": "many"},
        {"ok": True, "orders": [1], "count": 1},
        {"ok": True, "orders": [None], "count": 1},
        {"ok": True, "orders": [[]], "count": 1},
        {"ok": False, "orders": [], "count": 0},
        {"orders": [], "count": 0},
    ],
)
def test_lists_of_the_wrong_kind(fake: Fake, iexec: IExec, answer: Any) -> None:
    fake.always(answer)
    with pytest.raises(MarketCallError):
        iexec.orderbook.fetch_app_orderbook(APP)


def test_an_order_must_have_the_hash_it_is_listed_under(fake: Fake, iexec: IExec) -> None:
    cheap = {**apporder().values(), "appprice": 0, "requesterrestrict": OTHER}
    fake.lists(record(apporder(), order=cheap))
    with pytest.raises(MarketCallError, match=r"has the hash 0x.* on chain 134 and hub 0x3eca"):
        iexec.orderbook.fetch_app_orderbook(APP)
    elsewhere = orders.domain(CHAIN_ID, OTHER)
    fake.lists(record(apporder(), orderHash=orders.order_hash(apporder(), elsewhere)))
    with pytest.raises(MarketCallError, match="has the hash"):
        iexec.orderbook.fetch_app_orderbook(APP)


def test_an_order_of_another_chain_kind_or_hash(fake: Fake, iexec: IExec) -> None:
    fetch, asked = iexec.orderbook.fetch_apporder, orders.order_hash(apporder(), DOMAIN)
    fake.always({"ok": True, **record(apporder(), chainId="135")})
    with pytest.raises(MarketCallError, match="chainId 135, not 134"):
        fetch(asked)
    fake.always({"ok": True, **record(poolorder())})
    with pytest.raises(MarketCallError, match="app is"):
        fetch(asked)
    fake.always({"ok": True, **record(apporder(1))})
    with pytest.raises(MarketCallError, match=f"where {asked} was asked for"):
        fetch(asked)
    fake.always({"ok": True, **record(apporder(), remaining=6)})
    with pytest.raises(MarketCallError, match=r"remaining 6 of apporder 0x.*, volume 5"):
        fetch(asked)
    with pytest.raises(ValidationError, match="order_hash"):
        fetch("0x12")


@pytest.mark.parametrize(("size", "good"), [(64, True), (65, False)])
@pytest.mark.parametrize("name", ["status", "publicationTimestamp"])
def test_words_are_short(fake: Fake, iexec: IExec, name: str, size: int, good: bool) -> None:
    fake.lists(record(apporder(), **{name: "x" * size}))
    if good:
        (found,) = iexec.orderbook.fetch_app_orderbook(APP)
        assert found.to_dict()[name] == "x" * size
        return
    with pytest.raises(MarketCallError) as caught:
        iexec.orderbook.fetch_app_orderbook(APP)
    assert caught.value.message == f"The marketplace's answer is wrong: {name} is {'x' * size}"


def test_what_is_said_of_a_wrong_answer(fake: Fake, iexec: IExec) -> None:
    hash_, other = (orders.order_hash(apporder(each), DOMAIN) for each in (0, 1))
    wrong = "The marketplace's answer is wrong: "
    for bad, text in (
        (record(apporder(), chainId="135"), f"{wrong}chainId 135, not 134"),
        (
            record(apporder(), orderHash=other),
            f"{wrong}orderHash {other}, but its apporder has the hash {hash_} on chain 134 and hub "
            f"{HUB}",
        ),
        (
            record(apporder(), remaining=6),
            f"{wrong}remaining 6 of apporder {hash_}, volume 5",
        ),
        (record(apporder(1)), f"{wrong}apporder {other} where {hash_} was asked for"),
        ({"order": {}}, f"{wrong}chainId: null is not a valid uint256"),
    ):
        fake.always({"ok": True, **bad})
        with pytest.raises(MarketCallError) as caught:
            iexec.orderbook.fetch_apporder(hash_)
        assert caught.value.message == text
        assert not caught.value.retryable
    fake.lists(1)  # type: ignore[arg-type]
    with pytest.raises(MarketCallError, match=rf"^{wrong}1 in the place of a record$"):
        iexec.orderbook.fetch_app_orderbook(APP)
    fake.always({"ok": False})
    for call, what in (
        (lambda: iexec.orderbook.fetch_apporder(hash_), "apporder"),
        (lambda: iexec.orderbook.fetch_app_orderbook(APP), "orderbook"),
        (lambda: iexec.deal.fetch_requester_deals(ME), "deals"),
    ):
        with pytest.raises(MarketCallError) as caught:
            call()
        assert caught.value.message == f"An error occured while getting {what}"
    fake.lists(record(apporder(tag=TEE)))
    with pytest.raises(MarketCallError) as caught:
        fetch_apps(iexec, min_tag=GPU)
    listed = orders.order_hash(apporder(tag=TEE), DOMAIN)
    assert caught.value.message == f"{wrong}apporder {listed} does not fit minTag {GPU}"


def test_words_of_others_are_safe_to_print() -> None:
    wrong = "The marketplace's answer is wrong: "
    assert market.wrong("a\x1b[2J\nb").message == f"{wrong}a [2J b"
    assert market.wrong("x" * 2000).message == wrong + "x" * 1000
    assert market.wrong("x", retryable=True).retryable is True


@pytest.mark.parametrize("kind", ["app", "dataset", "workerpool", "request"])
def test_one_order_of_each_kind(fake: Fake, iexec: IExec, kind: str) -> None:
    data = orders.sign_order(orders.create_datasetorder(dataset=DATASET, volume=5), SIGNER, DOMAIN)
    order = {"app": apporder(), "dataset": data, "workerpool": poolorder(), "request": request()}
    fake.always({"ok": True, **record(order[kind], status="filled", remaining=0)})
    wanted = orders.order_hash(order[kind], DOMAIN)
    found = getattr(iexec.orderbook, f"fetch_{kind}order")(wanted)
    assert (found.order, found.order_hash, found.status) == (order[kind], wanted, "filled")
    assert fake.asked == [("GET", f"/{kind}orders/{wanted}", {}, None)]


def test_numbers_are_ints_again(fake: Fake, iexec: IExec) -> None:
    order = apporder(appprice=7)
    fake.lists(record(order, remaining="3", order=order.to_dict()), record(apporder(1)))
    first, second = iexec.orderbook.fetch_app_orderbook(APP)
    assert first.order == order
    assert (first.remaining, first.order.appprice, second.order.volume) == (3, 7, 5)
    assert first.to_dict()["order"]["appprice"] == 7  # type: ignore[index]


# --- one bad order does not close the book --------------------------------------------------------


def test_what_a_seller_wrote_is_left_out_and_told(
    fake: Fake, iexec: IExec, caplog: pytest.LogCaptureFixture
) -> None:
    good = request()
    bad = {**record(good, orderHash="0x" + "ee" * 32)}
    bad["order"] = {**good.values(), "params": "\ud800"}  # text without a UTF-8 form
    fake.lists(bad, record(good))
    page = iexec.orderbook.fetch_request_orderbook()
    assert [each.order for each in page] == [good]
    assert page.count == 2
    (error,) = page.skipped
    assert "requestorder cannot be used: params" in error.message
    assert error.details == {"orderHash": "0x" + "ee" * 32}
    told = [each.getMessage() for each in caplog.records]
    assert told == [f"an unusable order on the marketplace: 0x{'ee' * 32}"]
    fake.always({"ok": True, **bad})
    with pytest.raises(MarketCallError, match="requestorder cannot be used: params"):
        iexec.orderbook.fetch_requestorder("0x" + "ee" * 32)


def test_a_page_of_bad_orders_only_is_walked_over(fake: Fake, iexec: IExec) -> None:
    good = request()
    bad = {**record(good, orderHash="0x" + "ee" * 32)}
    bad["order"] = {**good.values(), "params": "\ud800"}  # text without a UTF-8 form
    pages = {None: ([bad], 20), "20": ([record(good)], None)}

    def answer(method: str, path: str, query: Json, body: Any) -> Json:
        found, following = pages[query.get("page")]
        return {"ok": True, "count": 2, "orders": found, "nextPage": following}

    fake.answer = answer
    page = iexec.orderbook.fetch_request_orderbook()
    assert (page.items, len(page.skipped)) == ((), 1)
    assert [each.order for each in page.all()] == [good]


# --- what was asked for ---------------------------------------------------------------------------


def fetch_apps(iexec: IExec, **filters: Any) -> Any:
    return iexec.orderbook.fetch_app_orderbook(APP, **filters)


def fetch_pools(iexec: IExec, **filters: Any) -> Any:
    return iexec.orderbook.fetch_workerpool_orderbook(**filters)


def fetch_requests(iexec: IExec, **filters: Any) -> Any:
    return iexec.orderbook.fetch_request_orderbook(**filters)


@pytest.mark.parametrize(
    ("fetch", "order", "good", "bad"),
    [
        (fetch_apps, apporder(), {}, None),
        (fetch_apps, apporder(tag=TEE), {"min_tag": TEE}, {"min_tag": GPU}),
        (fetch_apps, apporder(tag=TEE), {"max_tag": "tee,gpu"}, {"max_tag": ["gpu"]}),
        (fetch_apps, apporder(tag=TEE), {}, {"max_tag": []}),
        (fetch_apps, apporder(), {"min_volume": 5}, {"min_volume": 6}),
        (fetch_apps, apporder(), {"dataset": DATASET}, None),
        (fetch_apps, apporder(requesterrestrict=ME), {"requester": ME}, {"requester": OTHER}),
        (fetch_pools, poolorder(), {"workerpool": POOL}, {"workerpool": OTHER}),
        (fetch_pools, poolorder(), {"category": 1}, {"category": 0}),
        (fetch_pools, poolorder(trust=4), {"min_trust": 4}, {"min_trust": 5}),
        (fetch_pools, poolorder(trust=0), {"min_trust": 1}, {"min_trust": 2}),
        (fetch_pools, poolorder(apprestrict=APP), {"app": APP}, {"app": OTHER}),
        (fetch_pools, poolorder(), {"workerpool_owner": OTHER}, None),
        (fetch_requests, request(trust=1), {"max_trust": 0}, None),
        (fetch_requests, request(trust=3), {"max_trust": 3}, {"max_trust": 2}),
        (fetch_requests, request(), {"requester": ME}, {"requester": OTHER}),
        (fetch_requests, request(beneficiary=OTHER), {"beneficiary": OTHER}, {"beneficiary": ME}),
        (fetch_requests, request(dataset=DATASET), {"dataset": DATASET}, {"dataset": OTHER}),
        (fetch_requests, request(), {"app": APP, "workerpool": POOL}, {"app": OTHER}),
        (fetch_requests, request(workerpool=POOL), {"workerpool": POOL}, {"workerpool": OTHER}),
    ],
)
def test_orders_fit_what_was_asked_for(
    fake: Fake, iexec: IExec, fetch: Any, order: Any, good: Json, bad: Json | None
) -> None:
    fake.lists(record(order))
    assert [each.order for each in fetch(iexec, **good)] == [order]
    if bad is not None:
        with pytest.raises(MarketCallError, match="does not fit"):
            fetch(iexec, **bad)


def test_an_order_of_another_app(fake: Fake, iexec: IExec) -> None:
    fake.lists(record(apporder()))
    with pytest.raises(MarketCallError, match=f"does not fit app {OTHER}"):
        iexec.orderbook.fetch_app_orderbook(OTHER)


def test_every_bad_filter_is_told_and_nothing_is_sent(fake: Fake, iexec: IExec) -> None:
    with pytest.raises(ValidationError) as caught:
        iexec.orderbook.fetch_workerpool_orderbook(
            workerpool="",
            workerpool_owner="any",
            category=-1,
            app=APP[:-1],
            min_tag="nonsense",
            max_tag="0x1",
            min_trust=-1,
            min_volume=2**53 - 1,
            is_app_strict=True,
            is_dataset_strict=1,  # type: ignore[arg-type]
        )
    names = [text.split(":")[0] for text in caught.value.errors]
    assert names == [
        *("workerpool", "workerpoolOwner", "category", "app", "minTag", "maxTag", "minTrust"),
        *("minVolume", "isAppStrict", "isDatasetStrict"),
    ]
    for bad in ({}, {"app_owner": ME}, {"app": "any"}):
        with pytest.raises(ValidationError):
            iexec.orderbook.fetch_app_orderbook(**bad)
    whole = "must be an integer from 0 to 4294967296"
    for options, text in (
        ({"page": -1}, f"page {whole}"),
        ({"page": True}, f"page {whole}"),
        ({"page": 1.0}, f"page {whole}"),
        ({"page": 2**32 + 1}, f"page {whole}"),
        ({"page_size": "20"}, f"page_size {whole}"),
        ({"page_size": 100}, "page_size is always 20 on this network"),
    ):
        with pytest.raises(ValidationError) as caught:
            iexec.orderbook.fetch_app_orderbook(APP, **options)  # type: ignore[arg-type]
        assert caught.value.message == text
    assert fake.asked == []
    fake.lists()
    iexec.orderbook.fetch_app_orderbook(APP, page=2**32)
    assert fake.asked[0][2]["page"] == str(20 * 2**32)


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ({"app_owner": ME}, "appOwner: the marketplace of this network has no such filter"),
        ({"app": None}, "app or app_owner is required"),
        ({"min_volume": 2**53 - 1}, "minVolume: 9007199254740991 is not an integer from 0 to "),
        ({"min_volume": -1}, "minVolume: -1 is not an integer from 0 to "),
        (
            {"is_dataset_strict": True},
            "isDatasetStrict: the marketplace of this network has no such filter",
        ),
        (
            {"is_dataset_strict": 1},
            'isDatasetStrict: must be a `boolean` type, but the final value was: `"1"`.',
        ),
        ({"dataset": "any"}, "dataset: any is not a valid ethereum address"),
    ],
)
def test_why_a_filter_is_bad(iexec: IExec, filters: Json, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        iexec.orderbook.fetch_app_orderbook(**{"app": APP, **filters})
    assert caught.value.message == text + (str(2**53 - 2) if text.endswith("to ") else "")


def test_a_book_of_datasets_is_of_one_or_of_an_owner(fake: Fake, client: Any) -> None:
    with pytest.raises(ValidationError, match=r"^dataset or dataset_owner is required$"):
        client().orderbook.fetch_dataset_orderbook()
    with pytest.raises(ValidationError, match=r"^order_hash: 0x1 is not "):
        client().orderbook.fetch_datasetorder("0x1")
    fake.lists()
    today = client(V9).orderbook
    today.fetch_dataset_orderbook(dataset_owner=ME)
    today.fetch_app_orderbook(app_owner=ME)
    assert [
        query["datasetOwner" if "data" in path else "appOwner"]
        for _, path, query, _ in (fake.asked)
    ] == [ME, ME]


def test_filters_at_the_edge(fake: Fake, iexec: IExec) -> None:
    fake.lists()
    book = iexec.orderbook
    book.fetch_workerpool_orderbook(min_volume=2**53 - 2, min_trust="1", min_tag="", max_tag="")
    book.fetch_request_orderbook(max_trust=0, min_volume=0)
    assert [query for _, _, query, _ in fake.asked] == [
        {"minVolume": str(2**53 - 2), "minTrust": "1"},
        {"maxTrust": "0"},
    ]


# --- today's networks -----------------------------------------------------------------------------


def test_filters_of_today(fake: Fake, client: Any) -> None:
    """today.md §1.3: strict flags, bulkOnly and paging are always sent."""
    iexec = client(V9)
    fake.lists()
    book = iexec.orderbook
    book.fetch_dataset_orderbook(dataset_owner=ME, app="any", page=2, page_size=10)
    book.fetch_dataset_orderbook(DATASET, bulk_only=True, app=APP, is_app_strict=True)
    book.fetch_workerpool_orderbook(min_volume=0, min_trust=0, min_tag="", category=0)
    common = {"isWorkerpoolStrict": "false", "isRequesterStrict": "false"}
    first = {"pageIndex": "0", "pageSize": "20"}
    assert [query for _, _, query, _ in fake.asked] == [
        {
            **common,
            **{"datasetOwner": ME, "app": "any", "isAppStrict": "false", "bulkOnly": "false"},
            **{"pageIndex": "2", "pageSize": "10"},
        },
        {**common, **first, "dataset": DATASET, "app": APP, "isAppStrict": "true"}
        | {"bulkOnly": "true"},
        {
            **first,
            **{"category": "0", "isAppStrict": "false", "isDatasetStrict": "false"},
            "isRequesterStrict": "false",
        },
    ]
    for size in (9, 1001):
        with pytest.raises(ValidationError, match=r"^page_size must be from 10 to 1000$"):
            book.fetch_workerpool_orderbook(page_size=size)
    for size in (10, 1000):
        book.fetch_workerpool_orderbook(page_size=size)
        assert fake.asked[-1][2]["pageSize"] == str(size)
    with pytest.raises(ValidationError, match=r"minTag: .*legacy"):
        book.fetch_workerpool_orderbook(min_tag=["scone"])


def test_strict_is_strict(fake: Fake, client: Any) -> None:
    iexec = client(V9)
    fake.lists(record(apporder()))
    assert len(fetch_apps(iexec, requester=ME)) == 1
    assert len(fetch_apps(iexec, requester="any", is_requester_strict=True)) == 1
    with pytest.raises(MarketCallError, match="does not fit requester"):
        fetch_apps(iexec, requester=ME, is_requester_strict=True)
    fake.lists(record(apporder(), bulk=True))
    (found,) = fetch_apps(iexec)
    assert (found.bulk, found.to_dict()["bulk"]) == (True, True)


# --- pages ----------------------------------------------------------------------------------------


class Book:
    """``total`` app orders, in pages as the marketplace makes them."""

    def __init__(self, total: int) -> None:
        self.records = [record(apporder(number)) for number in range(total)]

    def __call__(self, method: str, path: str, query: Json, body: Any) -> Json:
        size = int(query.get("pageSize", 20))
        start = int(query.get("page", 0)) or int(query.get("pageIndex", 0)) * size
        found = self.records[start : start + size]
        following = {"nextPage": start + size} if len(found) == size else {}
        return {"ok": True, "count": len(self.records), "orders": found, **following}


@pytest.mark.parametrize("rules", [V6, V9], ids=["skip", "index"])
@pytest.mark.parametrize("total", [0, 1, 19, 20, 21, 40, 41])
def test_every_page(fake: Fake, client: Any, rules: Any, total: int) -> None:
    fake.answer = Book(total)
    page = fetch_apps(client(rules))
    assert (page.count, len(page)) == (total, min(20, total))
    assert len(fake.asked) == 1
    found = [each.order_hash for each in page.all()]
    assert found == [each["orderHash"] for each in Book(total).records]
    assert len(fake.asked) == total // 20 + 1  # a last, full page announces an empty one
    assert page.orders == page.deals == page.items


@pytest.mark.parametrize("rules", [V6, V9], ids=["skip", "index"])
def test_a_page_may_be_asked_for_twice(fake: Fake, client: Any, rules: Any) -> None:
    fake.answer = Book(45)
    page = fetch_apps(client(rules))
    again = [page.next(), page.more()]
    assert again[0].items == again[1].items
    assert fetch_apps(client(rules), page=1).items == again[0].items
    assert len(list(again[0].all())) == 25


def test_a_book_that_moves(fake: Fake, iexec: IExec) -> None:
    """An order that comes in front shifts the others: nothing is told twice."""
    book = fake.answer = Book(30)
    page = fetch_apps(iexec)
    book.records.insert(0, record(apporder(99)))
    walked = [each.order_hash for each in page.all()]
    assert len(walked) == len(set(walked)) == 30


@pytest.mark.parametrize("rules", [V6, V9], ids=["skip", "index"])
def test_pages_that_repeat_for_ever(fake: Fake, client: Any, rules: Any) -> None:
    book = Book(20)

    def answer(method: str, path: str, query: Json, body: Any) -> Json:
        offset = int(query.get("page", 0)) + 20
        return {"ok": True, "count": 10**6, "orders": book.records, "nextPage": offset}

    fake.answer = answer
    walk = fetch_apps(client(rules)).all()
    with pytest.raises(MarketCallError) as caught:
        list(walk)
    assert caught.value.message == (
        "The marketplace's answer is wrong: it repeats its pages: read the list again"
    )
    assert caught.value.retryable
    assert len(fake.asked) == 2


def test_a_page_that_points_back_or_nowhere(fake: Fake, iexec: IExec) -> None:
    for bad in ("x", -20, 1.5, True, []):
        fake.lists(*Book(20).records, nextPage=bad)
        if bad:
            with pytest.raises(MarketCallError, match="nextPage"):
                fetch_apps(iexec)
    fake.lists(*Book(20).records, nextPage=20)
    page = fetch_apps(iexec)
    fake.lists(record(apporder(77)), nextPage=20)
    with pytest.raises(MarketCallError, match="nextPage does not go on: 20 after 20"):
        page.next()
    fake.lists(nextPage=60)  # nothing there, and yet more?
    assert page.next().next() is None


# --- deals ----------------------------------------------------------------------------------------


def test_a_deal(fake: Fake, iexec: IExec, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.always({"ok": True, "count": 1, "deals": [deal()]})
    page = iexec.deal.fetch_requester_deals(ME)
    (found,) = page.deals
    assert found.to_dict() == deal()
    assert fake.asked == [("GET", "/deals", {"requester": ME}, None)]
    assert found.tasks == {i: ids.task_id(found.dealid, i) for i in (3, 4)}
    monkeypatch.setattr(ids, "MAX_TASKS", 1)
    with pytest.raises(StateError, match="more than can be listed"):
        found.tasks  # noqa: B018
    assert "tasks" not in found.to_dict()


@pytest.mark.parametrize("name", deal())
@pytest.mark.parametrize("value", [None, -1, True, [], {}])
def test_members_of_a_deal_of_the_wrong_kind(
    fake: Fake, iexec: IExec, name: str, value: Any
) -> None:
    fake.always({"ok": True, "count": 1, "deals": [deal(**{name: value})]})
    with pytest.raises(MarketCallError) as caught:
        iexec.deal.fetch_requester_deals(ME)
    members = "pointer" if (name in ("app", "dataset", "workerpool") and value == {}) else name
    assert members in caught.value.message


def test_deals_that_were_not_asked_for(fake: Fake, iexec: IExec) -> None:
    fake.always({"ok": True, "count": 1, "deals": [deal()]})
    deals = iexec.deal
    assert len(deals.fetch_requester_deals(ME, app_address=APP)) == 1
    assert len(deals.fetch_deals_by_requestorder("0x" + "0a" * 32)) == 1
    for call in (
        lambda: deals.fetch_requester_deals(OTHER),
        lambda: deals.fetch_requester_deals(ME, app_address=OTHER),
        lambda: deals.fetch_requester_deals(ME, dataset_address=OTHER),
        lambda: deals.fetch_requester_deals(ME, workerpool_address=OTHER),
        lambda: deals.fetch_deals_by_apporder("0x" + "0b" * 32),
        lambda: deals.fetch_deals_by_datasetorder("0x" + "0b" * 32),
        lambda: deals.fetch_deals_by_workerpoolorder("0x" + "0b" * 32),
        lambda: deals.fetch_deals_by_requestorder("0x" + "0b" * 32),
    ):
        with pytest.raises(MarketCallError, match="does not fit"):
            call()
    fake.always({"ok": True, "count": 1, "deals": [deal(botFirst=4)]})
    with pytest.raises(MarketCallError, match="is not that of requestHash"):
        deals.fetch_requester_deals(ME)
    fake.always({"ok": True, "count": 0})
    with pytest.raises(MarketCallError, match="deals is"):
        deals.fetch_requester_deals(ME)
    fake.always({"ok": False, "count": 0, "deals": []})
    with pytest.raises(MarketCallError, match="An error occured while getting deals"):
        deals.fetch_requester_deals(ME)


# --- publish --------------------------------------------------------------------------------------

ORDER = apporder()
HASH = orders.order_hash(ORDER, DOMAIN)
PUBLISHED = {"ok": True, "published": record(ORDER)}


def test_only_the_owner_publishes(fake: Fake, client: Any) -> None:
    fake.owner = OTHER
    stranger = "0x" + "22" * 32
    for owner, sender, call in (
        (OTHER, ME, lambda: client().order.publish_apporder(ORDER)),
        (
            ME,
            KeySigner.from_key(stranger).address,
            lambda: client(signer=stranger).order.publish_requestorder(
                request(), check_request=False
            ),
        ),
    ):
        with pytest.raises(SignatureError) as caught:
            call()
        assert caught.value.message == (
            f"only order signer {owner} can publish an order, not {sender}"
        )
    with pytest.raises(ConfigurationError, match="Missing Signer"):
        client(signer=None).order.publish_apporder(ORDER)
    assert fake.asked == []


def test_a_request_is_checked_first(fake: Fake, iexec: IExec) -> None:
    with pytest.raises(ConfigurationError, match="sms_url"):
        iexec.order.publish_requestorder(request())
    with pytest.raises(ConfigurationError, match="sms_url"):
        iexec.order.publish_requestorder(request(), check_request=False, preflight_check=True)
    assert fake.asked == []


def test_what_could_not_be_worked_is_not_published(
    fake: Fake, iexec: IExec, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Any] = []
    monkeypatch.setattr("iexec_lite.sdk.request.check_order", lambda _, each: checked.append(each))
    data = orders.create_datasetorder(dataset=DATASET)
    dataset = orders.sign_order(data, SIGNER, DOMAIN)
    for order, publish in (
        (ORDER, iexec.order.publish_apporder),
        (dataset, iexec.order.publish_datasetorder),
        (request(), iexec.order.publish_requestorder),
    ):
        fake.always({"ok": True, "published": record(order)})
        assert publish(order.to_dict()) == orders.order_hash(order, DOMAIN)
        assert checked == [order]
        checked.clear()
        publish(order, preflight_check=False)
        assert checked == []
        assert fake.asked[-1] == ("POST", f"/{order.name}s", {}, {"order": order.to_dict()})


def test_publishing_without_the_key(fake: Fake, client: Any) -> None:
    fake.always(PUBLISHED)
    iexec = client(signer=None)
    assert iexec.order.publish_challenge(order=ORDER).address == ME
    assert iexec.order.publish_challenge(OTHER, order=ORDER).address == OTHER
    signed = iexec.order.publish_challenge(ME).sign(SIGNER)
    for form in (signed, signed.to_dict()):
        assert iexec.order.publish_apporder(ORDER, authorization=form) == HASH
        proof = Authorization(digest=signed.digest, signature=signed.signature, address=ME)
        assert fake.proofs[-1] == str(proof)
    fake.always({"ok": True, "unpublished": [HASH]})
    assert iexec.order.unpublish_last_requestorder(authorization=signed) == HASH
    assert fake.asked[-1][3] == {"target": "unpublish_last", "requester": ME}
    asked = len(fake.asked)
    stranger = KeySigner.from_key("0x" + "22" * 32)
    other = iexec.order.publish_challenge(stranger.address).sign(stranger)
    with pytest.raises(SignatureError, match="only order signer"):
        iexec.order.publish_apporder(ORDER, authorization=other)
    unsigned = iexec.order.publish_challenge(ME).to_dict()
    with pytest.raises(ValidationError, match="not signed yet"):
        iexec.order.publish_apporder(ORDER, authorization=unsigned)
    assert len(fake.asked) == asked


def test_every_kind_is_published_and_taken_back(fake: Fake, iexec: IExec) -> None:
    hub = iexec.order
    for order, publish in (
        (poolorder(), hub.publish_workerpoolorder),
        (request(), lambda order: hub.publish_requestorder(order, check_request=False)),
    ):
        published = record(order)
        fake.always({"ok": True, "published": published})
        assert publish(order) == published["orderHash"]
    fake.always({"ok": True, "unpublished": [HASH, HASH]})
    assert hub.unpublish_all_requestorders() == [HASH, HASH]
    assert fake.asked[-1][3] == {"target": "unpublish_all", "requester": ME}
    for kind, address in (("app", APP), ("dataset", DATASET), ("workerpool", POOL)):
        assert getattr(hub, f"unpublish_all_{kind}orders")(address) == [HASH, HASH]
        body = {"target": "unpublish_all", kind: address}
        assert fake.asked[-1] == ("PUT", f"/{kind}orders", {}, body)
        fake.always({"ok": True, "unpublished": [HASH]})
        assert getattr(hub, f"unpublish_last_{kind}order")(address) == HASH
        assert fake.asked[-1][3] == {"target": "unpublish_last", kind: address}
        assert getattr(hub, f"unpublish_{kind}order")(HASH) == HASH
        assert fake.asked[-1][3] == {"target": "unpublish_orderHash", "orderHash": HASH}
        fake.always({"ok": True, "unpublished": [HASH, HASH]})
    fake.always({"ok": True, "unpublished": [HASH]})
    assert hub.unpublish_requestorder(HASH) == HASH
    assert fake.asked[-1][:2] == ("PUT", "/requestorders")
    asked = len(fake.asked)
    for call, name in (
        (lambda: hub.unpublish_apporder("0x1"), "order_hash"),
        (lambda: hub.unpublish_last_apporder("0x1"), "app"),
        (lambda: hub.unpublish_all_datasetorders("0x1"), "dataset"),
        (lambda: hub.unpublish_last_workerpoolorder("0x1"), "workerpool"),
    ):
        with pytest.raises(ValidationError, match=rf"^{name}: 0x1 is not "):
            call()
    assert len(fake.asked) == asked


def test_a_challenge_signed_elsewhere_is_not_tried_twice(fake: Fake, iexec: IExec) -> None:
    fake.answer = lambda *_: fake.refuse(403, "invalid authorization")
    signed = iexec.order.publish_challenge().sign(SIGNER)
    with pytest.raises(MarketCallError, match="is used up"):
        iexec.order.publish_apporder(ORDER, authorization=signed)
    assert len(fake.asked) == 1
    with pytest.raises(MarketCallError, match="is used up"):
        iexec.order.publish_apporder(ORDER)
    assert len(fake.asked) == 3
    fake.answer = lambda *_: fake.refuse(200, "invalid authorization")  # done, or not?
    with pytest.raises(MarketCallError, match="takes back one more"):
        iexec.order.unpublish_last_apporder(APP)
    assert len(fake.asked) == 4


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"ok": True}, r"An error occured while publishing order\. "),
        ({"ok": False, "published": record(ORDER)}, "An error occured while publishing order"),
        ({"ok": True, "published": [HASH]}, "An error occured while publishing order"),
        ({"ok": True, "published": {}}, "orderHash is"),
        ({"ok": True, "published": record(apporder(1))}, f"{HASH} was published"),
        ({"ok": True, "published": {"orderHash": "x" * 100_000}}, f"{HASH} was published"),
    ],
)
def test_an_answer_that_is_none(fake: Fake, iexec: IExec, answer: Any, text: str) -> None:
    fake.always(answer)
    with pytest.raises(MarketCallError, match=f"It is unknown whether .*{text}") as caught:
        iexec.order.publish_apporder(ORDER)
    assert len(caught.value.message) < 2000
    assert [each[0] for each in fake.asked] == ["POST", "GET"]
    fake.answer = lambda method, *_: {"ok": True, **record(ORDER)} if method == "GET" else answer
    assert iexec.order.publish_apporder(ORDER) == HASH


def lost(fake: Fake, then: Any) -> None:
    """Writes lose their answer; reads find ``then``."""

    def answer(method: str, path: str, query: Json, body: Any) -> Any:
        if method != "GET":
            raise TransportError("the connection was cut")
        return then

    fake.answer = answer


def test_a_publication_whose_answer_is_lost(fake: Fake, iexec: IExec) -> None:
    lost(fake, {"ok": True, **record(ORDER)})
    assert iexec.order.publish_apporder(ORDER) == HASH
    assert [each[:2] for each in fake.asked] == [
        ("POST", "/apporders"),
        ("GET", f"/apporders/{HASH}"),
    ]
    fake.answer = lambda method, *_: (
        {"ok": True, **record(ORDER)} if method == "GET" else fake.refuse(500, "Internal error")
    )
    assert iexec.order.publish_apporder(ORDER) == HASH


@pytest.mark.parametrize("then", ["missing", "wrong", "busy"])
def test_a_publication_of_which_nothing_is_known(fake: Fake, iexec: IExec, then: str) -> None:
    answers = {
        "missing": fake.refuse(404, "apporder not found"),
        "wrong": {"ok": True, **record(apporder(1))},
        "busy": fake.refuse(429, "Rate limit exceeded"),
    }
    lost(fake, answers[then])
    with pytest.raises(MarketCallError) as caught:
        iexec.order.publish_apporder(ORDER)
    assert caught.value.message == (
        f"It is unknown whether apporder {HASH} was published: The marketplace gave no usable "
        "answer: the connection was cut. The marketplace does not show it now. Publishing the "
        "same signed order again is safe: it cannot be published twice"
    )
    assert caught.value.details == {"outcome": "unknown", "orderHash": HASH}
    assert caught.value.retryable
    assert sum(each[0] == "POST" for each in fake.asked) == 1


def test_refusals_are_not_looked_up(fake: Fake, iexec: IExec) -> None:
    fake.answer = lambda *_: fake.refuse(403, "order already published")
    with pytest.raises(MarketCallError, match=r"^API error: order already published$"):
        iexec.order.publish_apporder(ORDER)
    assert len(fake.asked) == 1
    fake.answer = lambda *_: fake.refuse(403, "no such order")
    with pytest.raises(MarketCallError, match=r"^API error: no such order$"):
        iexec.order.unpublish_apporder(HASH)
    assert len(fake.asked) == 2


# --- unpublish ------------------------------------------------------------------------------------


def test_unpublishing_what_was_not_asked_for(fake: Fake, iexec: IExec) -> None:
    for answer, text in (
        ({"ok": True}, r"An error occured while unpublishing order\. "),
        ({"ok": False, "unpublished": [HASH]}, "An error occured while unpublishing order"),
        ({"ok": True, "unpublished": HASH}, "unpublished is"),
        ({"ok": True, "unpublished": [1]}, "unpublished"),
        ({"ok": True, "unpublished": []}, r"nothing was unpublished\. "),
    ):
        fake.always(answer)
        for call in (
            lambda: iexec.order.unpublish_apporder(HASH),
            lambda: iexec.order.unpublish_last_apporder(APP),
            lambda: iexec.order.unpublish_all_apporders(APP),
        ):
            with pytest.raises(MarketCallError, match=f"It is unknown whether .*{text}"):
                call()
    fake.always({"ok": True, "unpublished": ["0x" + "ee" * 32]})
    with pytest.raises(MarketCallError, match=f"where {HASH} was to be"):
        iexec.order.unpublish_apporder(HASH)
    for bad in (lambda: iexec.order.unpublish_apporder(APP), iexec.order.unpublish_all_apporders):
        with pytest.raises((ValidationError, TypeError)):
            bad()


def test_an_unpublication_whose_answer_is_lost(fake: Fake, iexec: IExec) -> None:
    lost(fake, {"ok": True})
    for call, repeat in (
        (lambda: iexec.order.unpublish_apporder(HASH), "is safe"),
        (lambda: iexec.order.unpublish_last_apporder(APP), "takes back one more"),
    ):
        with pytest.raises(MarketCallError) as caught:
            call()
        assert caught.value.message == (
            "It is unknown whether the apporder was unpublished: The marketplace gave no usable "
            f"answer: the connection was cut. Unpublishing again {repeat}"
        )
    assert caught.value.details["outcome"] == "unknown"
    assert len(fake.asked) == 2


def test_offline_there_is_no_marketplace() -> None:
    with IExec.offline(KEY, chain=CHAIN_ID) as iexec:
        for call in (
            lambda: iexec.orderbook.fetch_apporder(HASH),
            lambda: iexec.deal.fetch_requester_deals(ME),
            iexec.order.publish_challenge,
            lambda: iexec.order.unpublish_apporder(HASH),
        ):
            with pytest.raises(ConfigurationError, match="offline"):
                call()
