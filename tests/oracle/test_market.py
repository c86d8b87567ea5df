"""The JavaScript SDK V6 itself, unchanged, on the sandbox's marketplace and the real contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.protocol.orders import NULL_BYTES32
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.market_input import (
    ADDRESS,
    BYTES32,
    COUNT,
    ORDER_FIELDS,
    SIGNATURE,
    STRING,
    UINT,
    Field,
    Refusal,
    check,
    check_order,
)
from iexec_lite.sandbox.stack import Sandbox

from .conftest import isolated, order_terms

PEOPLE = accounts.addresses()
OWNERS = {
    "apporder": "app-provider",
    "datasetorder": "dataset-provider",
    "workerpoolorder": "workerpool-owner",
    "requestorder": "requester",
}
PRICE, VOLUME = 1000, 4
NOTHING = "0x" + "77" * 20
Ask = Callable[..., Any]


@pytest.fixture(params=["token", "native"])
def sandbox(
    request: pytest.FixtureRequest, oracle: Any, chains: Callable[[str], Sandbox]
) -> Iterator[Sandbox]:
    """Each flavour in turn."""
    yield from isolated(chains(request.param))


@pytest.fixture
def goods(js: Ask) -> dict[str, str]:
    """App, dataset and workerpool, and money on the hub; all done by JavaScript."""
    checksum, name = "0x" + "0a" * 32, "thing"
    app = {"owner": PEOPLE["app-provider"], "name": name, "type": "DOCKER", "checksum": checksum}
    dataset = {"owner": PEOPLE["dataset-provider"], "name": name, "checksum": checksum}
    pool = {"owner": PEOPLE["workerpool-owner"], "description": name}
    link = {"multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"}
    found = {
        "app": js("app-provider", "app.deployApp", {**app, "multiaddr": "docker.io/x:1"}),
        "dataset": js("dataset-provider", "dataset.deployDataset", {**dataset, **link}),
        "workerpool": js("workerpool-owner", "workerpool.deployWorkerpool", pool),
    }
    js("requester", "account.deposit", 3 * PRICE * VOLUME)
    js("workerpool-owner", "account.deposit", PRICE * VOLUME)
    return {kind: each["address"] for kind, each in found.items()}


def signed(js: Ask, goods: dict[str, str], kind: str, **changes: Any) -> dict[str, Any]:
    values = order_terms(goods, kind, PRICE) | {"volume": VOLUME, **changes}
    name = kind.capitalize()
    created = js(OWNERS[kind], f"order.create{name}", values)
    options = [{"checkRequest": False}] if kind == "requestorder" else []
    found: dict[str, Any] = js(OWNERS[kind], f"order.sign{name}", created, *options)
    return found


def publish(js: Ask, kind: str, order: dict[str, Any], name: str | None = None) -> str:
    options = [{"checkRequest": False}] if kind == "requestorder" else []
    method = f"order.publish{kind.capitalize()}"
    return str(js(name or OWNERS[kind], method, order, *options))


@pytest.fixture
def four(js: Ask, goods: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Four orders that match, signed and published by JavaScript; and their hashes."""
    orders = {kind: signed(js, goods, kind) for kind in OWNERS}
    return orders, {kind: publish(js, kind, order) for kind, order in orders.items()}


def book(js: Ask, goods: dict[str, str], kind: str, **query: Any) -> dict[str, Any]:
    resource = kind.removesuffix("order")
    needed = [goods[resource]] if resource in ("app", "dataset") else []
    method = f"orderbook.fetch{resource.capitalize()}Orderbook"
    found: dict[str, Any] = js("beneficiary", method, *needed, query)
    return found


def test_published_and_found(sandbox: Sandbox, js: Ask, goods: Any, four: Any) -> None:
    """The hash is the one that JavaScript computes and ours; the order is the one it has signed."""
    orders, hashes = four
    with IExec(sandbox.chain, accounts.signer("admin")) as ours:
        for kind, order in orders.items():
            name = kind.capitalize()
            assert hashes[kind] == js("admin", f"order.hash{name}", order)
            assert hashes[kind] == getattr(ours.order, f"hash_{kind}")(order)
            found = js("beneficiary", f"orderbook.fetch{name}", hashes[kind])
            assert found["orderHash"] == hashes[kind]
            assert (found["status"], found["remaining"]) == ("open", VOLUME)
            assert found["signer"] == PEOPLE[OWNERS[kind]]
            texts = {k: str(v) if isinstance(v, int) else v for k, v in found["order"].items()}
            assert texts == order
            listed = book(js, goods, kind)
            assert listed == {"count": 1, "orders": [{**found, "chainId": sandbox.chain.id}]}


def test_filters(js: Ask, goods: Any, four: Any) -> None:
    orders, _ = four
    one = "0x" + "11" * 20
    publish(js, "apporder", signed(js, goods, "apporder", tag=["tee"], appprice=1))
    publish(js, "apporder", signed(js, goods, "apporder", datasetrestrict=one))
    publish(js, "workerpoolorder", signed(js, goods, "workerpoolorder", category=1, trust=5))
    request = {"workerpool": one, "trust": 5, "beneficiary": one, "workerpoolmaxprice": PRICE - 1}
    publish(js, "requestorder", signed(js, goods, "requestorder", **request))
    for kind, query, count in (
        ("apporder", {}, 2),
        ("apporder", {"minTag": ["tee"]}, 1),
        ("apporder", {"maxTag": []}, 1),
        ("apporder", {"dataset": one}, 3),
        ("apporder", {"minVolume": VOLUME}, 2),
        ("apporder", {"minVolume": VOLUME + 1}, 0),
        ("datasetorder", {"app": one, "workerpool": one, "requester": one}, 1),
        ("workerpoolorder", {}, 2),
        ("workerpoolorder", {"category": 0}, 1),
        ("workerpoolorder", {"minTrust": 5}, 1),
        ("workerpoolorder", {"workerpoolOwner": PEOPLE["workerpool-owner"]}, 2),
        ("workerpoolorder", {"workerpool": one}, 0),
        ("requestorder", {}, 1),
        ("requestorder", {"workerpool": one}, 2),
        ("requestorder", {"workerpool": one, "maxTrust": 0}, 1),
        ("requestorder", {"workerpool": one, "beneficiary": one}, 1),
        ("requestorder", {"requester": one}, 0),
        ("requestorder", {"app": goods["app"], "category": 0}, 1),
    ):
        assert book(js, goods, kind, **query)["count"] == count, (kind, query)
    assert book(js, goods, "apporder")["orders"][0]["order"]["appprice"] == 1
    assert orders["apporder"]["app"] == goods["app"]


def test_more(js: Ask, goods: Any) -> None:
    hashes = [
        publish(js, "apporder", signed(js, goods, "apporder", appprice=100 - n)) for n in range(23)
    ]
    pages = js("admin", "orderbook.fetchAppOrderbook", goods["app"], op="allPages")
    assert [len(page["orders"]) for page in pages] == [20, 3]
    assert [each["orderHash"] for page in pages for each in page["orders"]] == hashes[::-1]
    assert {page["count"] for page in pages} == {23}


def test_unpublish(js: Ask, goods: Any, four: Any) -> None:
    _, hashes = four
    for kind, resource in (
        ("requestorder", ()),
        ("apporder", (goods["app"],)),
        ("datasetorder", (goods["dataset"],)),
        ("workerpoolorder", (goods["workerpool"],)),
    ):
        name, who = kind.capitalize(), OWNERS[kind]
        assert js(who, f"order.unpublish{name}", hashes[kind]) == hashes[kind]
        with pytest.raises(Exception, match=f"API error: {kind} not found"):
            js(who, f"orderbook.fetch{name}", hashes[kind])
        with pytest.raises(Exception, match=f"{kind} with orderHash {hashes[kind]} is not publ"):
            js(who, f"order.unpublish{name}", hashes[kind])
        text = f"API error: no open {kind} published by signer {PEOPLE[who]}"
        with pytest.raises(Exception, match=text):
            js(who, f"order.unpublishLast{name}", *resource)
        if kind == "requestorder":
            continue
        more = [publish(js, kind, signed(js, goods, kind)) for _ in range(3)]
        assert js(who, f"order.unpublishLast{name}", *resource) == more[2]
        assert js(who, f"order.unpublishAll{name}s", *resource) == [more[1], more[0]]


def test_matched_from_the_book(js: Ask, goods: Any, four: Any) -> None:
    """Orders as the marketplace gives them are what the contracts take."""
    _, hashes = four
    found = {kind: book(js, goods, kind)["orders"][0]["order"] for kind in OWNERS}
    match = js("beneficiary", "order.matchOrders", found, {"checkRequest": False})
    assert match["volume"] == str(VOLUME)
    deals = js("admin", "deal.fetchRequesterDeals", PEOPLE["requester"])
    assert (deals["ok"], deals["count"], "more" in deals) == (True, 1, False)
    deal, shown = deals["deals"][0], js("admin", "deal.show", match["dealid"])
    assert deal["transactionHash"] == match["txHash"]
    for name in set(deal) & set(shown):
        theirs = shown[name]
        if isinstance(theirs, dict):
            theirs = {k: int(v) if k == "price" else v for k, v in theirs.items()}
        assert deal[name] == (int(theirs) if isinstance(deal[name], int) else theirs)
    assert len(set(deal) & set(shown)) == 16
    for kind, order_hash in hashes.items():
        assert deal[f"{kind.removesuffix('order')}Hash"] == order_hash
        name = kind.capitalize()
        by_order = js("admin", f"deal.fetchDealsBy{name}", order_hash)
        assert by_order == {"count": 1, "deals": [deal]}
        state = js("admin", f"orderbook.fetch{name}", order_hash)
        assert (state["status"], state["remaining"]) == ("filled", 0)
    app = {"appAddress": goods["app"], "datasetAddress": goods["dataset"]}
    assert js("admin", "deal.fetchRequesterDeals", PEOPLE["requester"], app)["count"] == 1
    other = {"workerpoolAddress": NOTHING}
    assert js("admin", "deal.fetchRequesterDeals", PEOPLE["requester"], other)["count"] == 0


def test_refusals_as_javascript_shows_them(js: Ask, goods: Any, four: Any) -> None:
    orders, _ = four
    app = goods["app"]
    fresh = signed(js, goods, "apporder")
    for kind, order, name, text in (
        ("apporder", orders["apporder"], None, "order already published"),
        (
            "apporder",
            fresh,
            "requester",
            f"only order signer {PEOPLE['app-provider']} can publish an order",
        ),
        ("apporder", {**fresh, "volume": "77"}, None, "invalid sign"),
        ("apporder", {**fresh, "app": NOTHING}, None, "Resource not deployed"),
        (
            "apporder",
            {**fresh, "appprice": str(2**53)},
            None,
            "order.appprice must be less than or equal to 9007199254740990",
        ),
        (
            "requestorder",
            signed(js, goods, "requestorder", tag=["tee"]),
            None,
            f"No tee enabled apporder published for app {app}",
        ),
    ):
        with pytest.raises(Exception, match=r".") as error:
            publish(js, kind, order, name)
        assert str(error.value) == f"API error: {text}"
    with pytest.raises(Exception, match=r"^API error: apporder not found$"):
        js("admin", "orderbook.fetchApporder", NULL_BYTES32)


# --- validation, beside yup itself ----------------------------------------------------------------

KINDS = {
    id(kind): name
    for name, kind in {
        "address": ADDRESS,
        "bytes32": BYTES32,
        "count": COUNT,
        "signature": SIGNATURE,
        "string": STRING,
        "uint": UINT,
    }.items()
}
ODD = (
    *(None, True, False, 0, 1, -1, 5, 1.5, -0.5, 1e3, 2**53 - 2, 2**53 - 1, 2**53, 1e300, 1e21),
    *("", " ", "0", "5", " 5 ", "5 5", "+5", "-5", "5.0", ".5", "5.", "1e3", "1e-3", "0x5", "0X5"),
    *("0b11", "0o17", "1_0", "0x", "Infinity", "-Infinity", "NaN", "abc", "é☂😀", "null", "0x1"),
    *("0x" + "aB" * 20, "0X" + "AB" * 20, "ab" * 20, "0x" + "7" * 39, "0x" + "7" * 41, "a.eth"),
    *("0x" + "Cd" * 32, "0X" + "cd" * 32, "cd" * 32, "0x" + "c" * 63, "0xzz", "0x" + "11" * 65),
    *({}, {"a": 1}, {"a": {"b": [None, True, "x", 2.5]}}, [], ["a"], [[], {}], {"é": 'a\n"'}),
)


def test_validation_as_yup_does_it(oracle: Any, make: Any) -> None:
    """Random mutations of valid orders: the same conversions, the same words, of one fault each."""
    questions, cases = [], []
    for _ in range(1500):
        kind = make.pick(list(OWNERS))
        fields = ORDER_FIELDS[kind]
        order: dict[str, Any] = {
            name: {
                "address": make.address(),
                "bytes32": make.hex(32),
                "count": 1 + make.uint(52),
                "signature": make.hex(65),
                "string": make.text(),
                "uint": make.uint(52),
            }[KINDS[id(field.kind)]]
            for name, field in fields.items()
        }
        for _ in range(make.pick([0, 1, 1, 1, 2, 3])):
            name = make.pick(list(fields))
            if make.chance(15):
                order.pop(name, None)
            else:
                value = make.pick([*ODD, order.get(name)])
                spoilt = isinstance(value, str) and make.chance(30)
                order[name] = make.spoil(value) if spoilt else value
        body: Any = {"order": order}
        if make.chance(3):
            body = make.pick([{}, {"order": make.pick(ODD)}, []])
        table = [
            [name, KINDS[id(field.kind)], field.needed is not None]
            for name, field in fields.items()
        ]
        questions.append({"fields": table, "value": body})
        cases.append((kind, body))
    said = set()
    for (kind, body), answer in zip(cases, oracle.answers("yup", questions), strict=True):
        if "value" in answer:
            order = answer["value"]["order"]
            wanted = {name: order[name] for name in ORDER_FIELDS[kind] if name in order}
            assert check_order(kind, body) == wanted
        else:
            with pytest.raises(Refusal) as refused:
                check_order(kind, body)
            text = refused.value.text
            assert text[:500] == answer["error"], body
            assert refused.value.status == (500 if text == "Internal error" else 400)
            said.add(text.partition(" ")[2][:20])
    assert len(said) >= 8


def test_addresses_of_other_forms(oracle: Any) -> None:
    icap = "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS"
    field = {"a": Field(ADDRESS)}
    wanted = oracle.ask("eip55", text=icap)
    assert check(field, {"a": icap}) == {"a": wanted}
    for wrong in (icap.replace("73", "74"), icap[:-1], icap.lower(), "XE00" + "Z" * 31):
        with pytest.raises(Refusal, match="a is not a valid ethereum address"):
            check(field, {"a": wrong})
