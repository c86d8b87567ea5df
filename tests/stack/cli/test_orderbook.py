"""``orderbook``: pages of 20 for people, about 100 orders with ``--raw``, filters, the depth."""

from __future__ import annotations

import re
from typing import Any

import pytest

from iexec_lite.sandbox import accounts

from .machine import Machine
from .selling import PRICE, Goods, deploy, seller

POOLS = {"workerpool-owner": 45, "worker-1": 45, "worker-2": 32}  # a wallet may have 50 open orders
APPS = 22


@pytest.fixture(scope="module")
def goods(machine: Machine) -> Goods:
    """122 workerpool orders of three owners, 22 app orders, and one of each other kind."""
    found = deploy(machine)
    for name, count in POOLS.items():
        with seller(machine, name) as iexec:
            address, pool = iexec.wallet.get_address(), found.workerpool
            if name != "workerpool-owner":
                content = {"owner": address, "description": name}
                pool = iexec.workerpool.deploy_workerpool(content).address
                iexec.account.deposit("20 RLC")
            for i in range(count):
                order = iexec.order.create_workerpoolorder(pool, 0, workerpoolprice=PRICE + i)
                iexec.order.publish_workerpoolorder(iexec.order.sign_workerpoolorder(order))
    with seller(machine, "app-provider") as iexec:
        for i in range(APPS):
            order = iexec.order.create_apporder(found.app, appprice=f"{i + 1} RLC", volume=i + 1)
            iexec.order.publish_apporder(iexec.order.sign_apporder(order))
    return found


BOOK = ["orderbook", "app"]


def test_pages_of_20(machine: Machine, goods: Goods, project: Any, golden: Any) -> None:
    folder = project("requester")
    with machine.terminal(*BOOK, goods.app, folder=folder, env={"COLUMNS": "200"}) as terminal:
        seen = terminal.read("Show more? (y/N) ")
        assert f"Apporders details (1 to 20 of {APPS}):\n" in seen
        assert (seen.count(" RLC "), "21.0 RLC" in seen) == (20, False)
        terminal.answer("", "y")
        seen = terminal.read(f"Apporders details (21 to {APPS} of {APPS}):\n")
        status, seen = terminal.end()
    assert status == 0
    assert seen.endswith("\nNo more results\n")
    with machine.terminal(*BOOK, goods.app, folder=folder) as terminal:
        terminal.answer("Show more? (y/N) ", "")
        status, seen = terminal.end()
    assert (status, "No more results" in seen) == (0, False)
    text = machine.shown(*BOOK, goods.app, folder=folder)  # nobody to ask: the first page
    golden("orderbook-app", text)
    assert text.count("\n") == 22
    narrow = machine.shown(*BOOK, goods.app, folder=folder, env={"COLUMNS": "80"})
    assert max(map(len, narrow.splitlines())) <= 85  # a hash has its 66 in any case


def test_raw_holds_about_100(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("requester")
    document = machine.raw("orderbook", "workerpool", folder=folder)
    assert list(document) == ["ok", "count", "workerpoolOrders"]
    rows = document["workerpoolOrders"]
    assert (document["count"], len(rows)) == (sum(POOLS.values()), 100)
    assert len({row["orderHash"] for row in rows}) == 100
    assert list(rows[0]) == [
        *("orderHash", "price", "remaining", "category", "tag", "trust", "workerpool"),
        *("apprestrict", "datasetrestrict", "requesterrestrict"),
    ]
    assert [row["price"] for row in rows] == sorted(row["price"] for row in rows)
    document = machine.raw("orderbook", "workerpool", goods.workerpool, folder=folder)
    assert len(document["workerpoolOrders"]) == document["count"] == POOLS["workerpool-owner"]
    document = machine.raw(*BOOK, goods.app, folder=folder)
    assert list(document) == ["ok", "count", "appOrders"]
    assert list(document["appOrders"][0]) == [
        *("orderHash", "price", "remaining", "app", "tag"),
        *("datasetrestrict", "workerpoolrestrict", "requesterrestrict"),
    ]
    assert (document["count"], len(document["appOrders"])) == (APPS, APPS)


def test_datasets_and_requests(machine: Machine, goods: Goods, project: Any, golden: Any) -> None:
    folder = project("requester")
    me = accounts.signer("requester").address
    goods.publish("dataset", tag=["tee"], requesterrestrict=me, datasetprice="0.5 RLC")
    assert machine.shown("orderbook", "dataset", goods.dataset, folder=folder) == (
        "Empty orderbook\n"  # a restricted order is for who asks for it
    )
    words = ["orderbook", "dataset", goods.dataset, "--requester", me]
    golden("orderbook-dataset", machine.shown(*words, folder=folder))
    (row,) = machine.raw(*words, folder=folder)["datasetOrders"]
    assert list(row) == [
        *("orderHash", "price", "remaining", "dataset", "tag"),
        *("apprestrict", "workerpoolrestrict", "requesterrestrict"),
    ]
    assert (row["price"], row["remaining"]) == (5 * PRICE, 5)
    request = {"appmaxprice": "1 RLC", "beneficiary": goods.app, "trust": 3}
    order_hash = goods.publish("request", **request, workerpool=goods.workerpool)
    words = ["orderbook", "requester", "--workerpool", goods.workerpool]
    golden("orderbook-requester", machine.shown(*words, folder=folder))
    words += ["--category", "0", "--app", goods.app, "--beneficiary", goods.app]
    words += ["--min-volume", "1", "--max-trust", "3", "--max-tag", "tee", me]
    document = machine.raw(*words, folder=folder)
    assert document == {
        "ok": True,
        "count": 1,
        "requestOrders": [
            {
                "orderHash": order_hash,
                "app": goods.app,
                "dataset": "0x" + "0" * 40,
                "workerpool": goods.workerpool,
                "requester": me,
                "beneficiary": goods.app,
                "category": 0,
                "tag": "0x" + "0" * 64,
                "trust": 3,
                "price": PRICE,
                "remaining": 1,
            }
        ],
    }
    for nothing in (
        ["--max-trust", "2"],
        ["--dataset", goods.dataset],
        ["--require-tag", "gpu"],
        ["--tag", "gpu"],
    ):
        assert machine.raw(*words, *nothing, folder=folder)["requestOrders"] == []


def test_filters(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("requester")
    tagged = goods.publish("workerpool", tag=["tee", "gpu"], trust=7, category=2, volume=3)
    mine = goods.publish(
        "workerpool", category=3, apprestrict=goods.app, datasetrestrict=goods.dataset
    )

    def found(*words: str) -> list[str]:
        rows = machine.raw("orderbook", "workerpool", *words, folder=folder)["workerpoolOrders"]
        return [row["orderHash"] for row in rows]

    assert found("--category", "2", "--min-trust", "7", "--min-volume", "3") == [tagged]
    assert found("--category", "2", "--min-trust", "8") == []
    assert found("--tag", "tee", "gpu", goods.workerpool) == [tagged]
    assert found("--tag", "tee") == []
    assert found("--require-tag", "tee") == [tagged]
    assert found("--category", "2", "--max-tag", "gpu") == []
    assert found("--category", "3") == []
    assert found("--category", "3", "--app", goods.app, "--dataset", goods.dataset) == [mine]
    assert found("--category", "3", "--requester", goods.app) == []
    kinds = {"app": ["--dataset", "--workerpool", "--requester"]}
    kinds["dataset"] = ["--app", "--workerpool", "--requester"]
    for kind, names in kinds.items():
        address = getattr(goods, kind)
        words = [word for name in names for word in (name, goods.workerpool)]
        words += ["--tag", "gpu", "--min-volume", "1", "--require-tag", "tee", "--max-tag", "tee"]
        assert machine.raw("orderbook", kind, address, *words, folder=folder)["count"] == 0
    line = machine.shown("orderbook", "workerpool", "--category", "2", folder=folder)
    assert re.search(r"\n +0\.1 RLC +3 +2 +tee, gpu +7 +0x", line)


def test_depth(machine: Machine, goods: Goods, project: Any, golden: Any) -> None:
    folder = project("requester")
    text = machine.shown(*BOOK, goods.app, "--depth", folder=folder)
    golden("orderbook-depth", text)
    document = machine.raw(*BOOK, goods.app, "--depth", folder=folder)
    assert list(document) == ["ok", "count", "depth"]
    assert len(document["depth"]) == APPS
    assert document["depth"][2] == {"price": 3_000_000_000, "volume": 6}
    words = ["orderbook", "workerpool", "--category", "0", "--depth"]
    levels = machine.raw(*words, folder=folder)["depth"]
    assert levels[0] == {"price": PRICE, "volume": 3}  # three owners ask the same
    assert levels[-1]["volume"] == sum(POOLS.values())
    words = ["orderbook", "dataset", goods.dataset, "--depth", "--tag", "gpu"]
    assert machine.shown(*words, folder=folder) == "Empty orderbook\n"
    words = ["orderbook", "requester", "--depth", "--category", "9"]
    assert machine.shown(*words, folder=folder) == "Empty orderbook\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["app", "0x12"], "app: 0x12 is not a valid ethereum address"),
        (["dataset", "0x12"], "dataset: 0x12 is not a valid ethereum address"),
        (["workerpool", "0x12"], "workerpool: 0x12 is not a valid ethereum address"),
        (["requester", "0x12"], "requester: 0x12 is not a valid ethereum address"),
        (["workerpool", "--category", "x"], "category: x is not a valid uint256"),
        (["workerpool", "--tag", "foo"], "minTag: foo is not a valid tag. Unknown tag foo; "),
        (["workerpool", "--min-volume", "-1"], "minVolume: -1 is not"),
    ],
)
def test_mistakes(machine: Machine, project: Any, words: list[str], text: str) -> None:
    folder = project("requester")
    assert machine.message("orderbook", *words, folder=folder).startswith(text)


def test_no_address(machine: Machine, project: Any) -> None:
    folder = project("requester")
    text = machine.message("orderbook", "app", folder=folder)
    assert text.startswith("missing required argument 'ADDRESS'")
